/* src/render/table.h - the map as a table, and as raw records. */
#ifndef RENDER_TABLE_H
#define RENDER_TABLE_H

#include "render/columns.h"
#include <stdio.h>

/* Write @layout to @file. Errors of writing stay in @file; the error is for memory. */
SEGMAP_MUST_CHECK struct segmap_error *render_table(const struct segmap_layout *layout,
						    const struct selection *selection,
						    const struct style *style,
						    const struct range *range, FILE *file);

/* The same as one record a line: fields parted by one blank, a blank in a field as \x20. */
SEGMAP_MUST_CHECK struct segmap_error *render_raw(const struct segmap_layout *layout,
						  const struct selection *selection,
						  const struct style *style,
						  const struct range *range, FILE *file);

/* What other tables have in common with this one. */

/* "4242: program argument argument", as pmap has it. */
void append_process(struct segmap_text *line, const struct segmap_layout *layout,
		    const struct style *style);
void append_notes(struct segmap_text *line, const struct segmap_layout *layout);

/* Cut out the middle: both a file's first letters and its version tell it from others. */
void append_cut(struct segmap_text *line, const char *bytes, size_t size, size_t columns, bool utf8);

/* A field of a raw record. */
void append_raw(struct segmap_text *line, const char *bytes, size_t size);

/* The same, with the blank or, behind the @last, the newline that follows it. */
void append_raw_field(struct segmap_text *line, const char *bytes, size_t size, bool last);

/* "INDENT NAME text", @text in column @columns behind the indent; nothing if it is empty. */
void append_named(struct segmap_text *line, const char *indent, const char *name, size_t columns,
		  const struct segmap_text *text);

#endif
