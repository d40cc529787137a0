/* src/read/unpacked.h - how much the compressed parts of an ELF file are, unpacked. */
#ifndef READ_UNPACKED_H
#define READ_UNPACKED_H

#include <libelf.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Whether all sections of @elf that are compressed have room for at most as many bytes as a file with
 * @on_disk bytes may ask for. With @hide those that have not are made nameless in @elf, so that
 * whoever looks for one by its name, as libdw does, finds none; what is in the file stays as it is.
 */
bool elf_unpacks_within_bounds(Elf *elf, uint64_t on_disk, bool hide);

#endif
