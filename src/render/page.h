/* src/render/page.h - documents made of pictures: a sheet of SVG, a page of HTML. */
#ifndef RENDER_PAGE_H
#define RENDER_PAGE_H

#include "render/columns.h"
#include <stdio.h>

/*
 * One document, built map by map: those of several processes or moments stand one
 * beneath the other. A page is one file: it asks for nothing from outside, and its
 * Content-Security-Policy forbids all that is not its own script and style.
 */
struct page;

/* @is_html: a page; else a sheet of SVG without any script. */
SEGMAP_MUST_CHECK struct segmap_error *page_new(bool is_html, struct page **ret);
void page_free(struct page *page);

/*
 * Add a picture of what @range leaves of @layout, which is not needed afterwards. On
 * error @page is as it was.
 */
SEGMAP_MUST_CHECK struct segmap_error *page_add(struct page *page,
						const struct segmap_layout *layout,
						const struct range *range);

/*
 * Write the document to @file, if there is something in it, and empty it. Errors of
 * writing stay in @file; the error is for memory.
 */
SEGMAP_MUST_CHECK struct segmap_error *page_write(struct page *page, FILE *file);

#endif
