/*
 * tests/unit/describe.h - an annotated layout as text that stays the same as
 * long as its meaning does. Two forms: in short, one line a VMA, for tables in
 * tests; and in full, for golden files.
 */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include <segmap/layout.h>
#include <stdio.h>

/*
 *     START-END PERMS KIND [iIMAGE] [sROW] [EXPECTED] | START NAME, START NAME, ...
 *
 * Addresses are hexadecimal. ROW is of the program header table. A name has a
 * > in front if the section began in an earlier VMA, and one behind if it goes
 * on in a later one. "spill" and "part" stand before such names; iIMAGE, sROW
 * and =EXPECTED behind where they are not the VMA's own.
 */
void describe_short(const struct segmap_layout *layout, FILE *file);

/* Images, then VMAs, a line for each piece with its offset. */
void describe_full(const struct segmap_layout *layout, FILE *file);

#endif
