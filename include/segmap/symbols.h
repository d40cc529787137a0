/* include/segmap/symbols.h - the names of addresses, and of their source lines, by libdw. */
#ifndef SEGMAP_SYMBOLS_H
#define SEGMAP_SYMBOLS_H

#include <segmap/layout.h>

/*
 * Load libdw and keep it: for a process that will not be able to load anything when
 * symbols are asked for. Errors: it is not there, and what to install.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *segmap_symbols_preload(void);

/* The symbols of the images of one layout; each image's are read when it is first asked for. */
struct segmap_symbols;

/*
 * @layout is correlated and outlives *@ret. Beside an image's own .symtab, .dynsym and
 * .gnu_debugdata, separate debug files count that lie below @sysroot (NULL: the
 * root directory) in /usr/lib/debug, found by build-id. libdw is loaded when it is
 * needed; the error says what to install. SEGMAP_ERROR_SYSTEM also where @sysroot is
 * not there.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_symbols_new(const struct segmap_layout *layout, const char *sysroot,
		   struct segmap_symbols **ret);
SEGMAP_API void segmap_symbols_free(struct segmap_symbols *symbols);

/*
 * The symbol that holds @addr, an address of image @image: the last that begins at or
 * before it and reaches over it; else the last without a size that no other
 * symbol ends behind, from @lowest on (where the section begins). *@ret becomes
 * NULL if there is none, else the caller frees it. *@source becomes "file:line",
 * to be freed, or NULL.
 */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_symbols_name(struct segmap_symbols *symbols, int32_t image, uint64_t addr, uint64_t lowest,
		    char **ret, uint64_t *symbol_off, char **source);

/* Call @found with each address that image @image has for the symbol @name; each once. */
SEGMAP_API SEGMAP_MUST_CHECK struct segmap_error *
segmap_symbols_find(struct segmap_symbols *symbols, int32_t image, const char *name,
		    struct segmap_error *(*found)(void *context, uint64_t addr), void *context);

#endif
