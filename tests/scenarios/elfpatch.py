"""Changes to ELF files that no linker makes: missing, lying and hostile headers.

Little-endian files of both classes; offsets and layouts are elf.h's.
"""
import struct

PT_LOAD, PT_NULL, PT_DYNAMIC, PT_NOTE = 1, 0, 2, 4
PT_GNU_EH_FRAME, PT_GNU_STACK, PT_GNU_RELRO = 0x6474e550, 0x6474e551, 0x6474e552
SHT_STRTAB, SHT_NOBITS = 3, 8

# Field: (offset, struct format), for 64 and 32 bits.
_EHDR = {"e_phoff": ((32, "<Q"), (28, "<I")), "e_shoff": ((40, "<Q"), (32, "<I")),
         "e_phentsize": ((54, "<H"), (42, "<H")), "e_phnum": ((56, "<H"), (44, "<H")),
         "e_shentsize": ((58, "<H"), (46, "<H")), "e_shnum": ((60, "<H"), (48, "<H")),
         "e_shstrndx": ((62, "<H"), (50, "<H"))}
_PHDR = {"p_type": ((0, "<I"), (0, "<I")), "p_flags": ((4, "<I"), (24, "<I")),
         "p_offset": ((8, "<Q"), (4, "<I")), "p_vaddr": ((16, "<Q"), (8, "<I")),
         "p_paddr": ((24, "<Q"), (12, "<I")), "p_filesz": ((32, "<Q"), (16, "<I")),
         "p_memsz": ((40, "<Q"), (20, "<I")), "p_align": ((48, "<Q"), (28, "<I"))}
_SHDR = {"sh_name": ((0, "<I"), (0, "<I")), "sh_type": ((4, "<I"), (4, "<I")),
         "sh_flags": ((8, "<Q"), (8, "<I")), "sh_addr": ((16, "<Q"), (12, "<I")),
         "sh_offset": ((24, "<Q"), (16, "<I")), "sh_size": ((32, "<Q"), (20, "<I")),
         "sh_link": ((40, "<I"), (24, "<I"))}


def smallest():
    """A program of 45 bytes for i386, exit(42): its program header begins in e_ident, and it ends in e_phnum.

    https://www.muppetlabs.com/~breadbox/software/tiny/teensy.html
    """
    code = b"\xb3\x2a\x31\xc0\x40\xcd\x80\0"
    return struct.pack("<4sIIIHHIII8sHHB", b"\x7fELF", PT_LOAD, 0, 0x10000, 2, 3, 0x10020, 0x10020, 4, code, 52, 32, 1)


class _Header:
    """One header inside the file; its fields are attributes."""

    def __init__(self, patch, at, fields):
        self.__dict__.update(_patch=patch, _at=at, _fields=fields)

    def _where(self, name):
        offset, form = self._fields[name][self._patch.bits == 32]
        return form, self._at + offset

    def __getattr__(self, name):
        if name not in self._fields:
            raise AttributeError(name)
        form, at = self._where(name)
        return struct.unpack_from(form, self._patch.data, at)[0]

    def __setattr__(self, name, value):
        form, at = self._where(name)
        struct.pack_into(form, self._patch.data, at, value)

    def copy(self, other):
        """Become like another one."""
        for name in self._fields:
            setattr(self, name, getattr(other, name))


class Patch:
    """The bytes of an ELF file; changed in memory, written back at the end of a with block."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            self.data = bytearray(file.read())
        assert self.data[:4] == b"\x7fELF" and self.data[5] == 1, path
        self.bits = 64 if self.data[4] == 2 else 32
        self.ehdr = _Header(self, 0, _EHDR)

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        if kind is None:
            with open(self.path, "r+b") as file:
                file.truncate(0)
                file.write(self.data)

    @property
    def phdrs(self):
        return [_Header(self, self.ehdr.e_phoff + i * self.ehdr.e_phentsize, _PHDR)
                for i in range(self.ehdr.e_phnum)]

    @property
    def shdrs(self):
        return [_Header(self, self.ehdr.e_shoff + i * self.ehdr.e_shentsize, _SHDR)
                for i in range(self.ehdr.e_shnum)]

    def phdr(self, kind):
        return next(p for p in self.phdrs if p.p_type == kind)

    def shdr(self, name):
        return next(s for s in self.shdrs if self.name_of(s) == name)

    def name_of(self, shdr):
        start = self.shdrs[self.ehdr.e_shstrndx].sh_offset + shdr.sh_name
        return bytes(self.data[start:self.data.index(0, start)])

    def set_ident(self, ident):
        """Have EI_CLASS, EI_DATA and EI_VERSION say something else."""
        self.data[4:7] = ident

    def rename_section(self, name, new):
        """Give a section another name, of any length: it is appended to the file."""
        table = self.shdrs[self.ehdr.e_shstrndx]
        names = bytes(self.data[table.sh_offset:table.sh_offset + table.sh_size])
        if table.sh_offset + table.sh_size != len(self.data):
            table.sh_offset = len(self.data)
            self.data += names
        self.shdr(name).sh_name = table.sh_size
        self.data += new + b"\0"
        table.sh_size += len(new) + 1

    def replace(self, old, new):
        """Replace bytes that stand in the file once, by others of the same length."""
        assert len(old) == len(new) and self.data.count(old) == 1, (old, self.data.count(old))
        at = self.data.index(old)
        self.data[at:at + len(old)] = new

    def strip_section_headers(self):
        """As sstrip does: no section headers, and nothing behind what is loaded."""
        end = max(p.p_offset + p.p_filesz for p in self.phdrs if p.p_type == PT_LOAD)
        self.ehdr.e_shoff = self.ehdr.e_shnum = self.ehdr.e_shstrndx = 0
        del self.data[end:]

    def reverse_loads(self):
        """Put the PT_LOADs into their rows of the table in the opposite order."""
        size = self.ehdr.e_phentsize
        where = [p._at for p in self.phdrs if p.p_type == PT_LOAD]
        rows = [bytes(self.data[at:at + size]) for at in where]
        for at, row in zip(where, reversed(rows)):
            self.data[at:at + size] = row

    def put_before(self, size):
        """Put so many bytes before all that is loaded; ELF header and program headers stay at the start too."""
        headers = bytes(self.data[:self.ehdr.e_phoff + self.ehdr.e_phnum * self.ehdr.e_phentsize])
        assert len(headers) <= size
        self.data[:0] = headers.ljust(size, b"\0")
        self.ehdr.e_shoff += size
        for header in self.phdrs:
            header.p_offset += size
        for header in self.shdrs:
            header.sh_offset += size

    def split_load(self, load, pages, page_size):
        """Make two PT_LOADs of one, the first this many pages long.

        The row comes from a PT_NOTE or what else the loader does not need; rows keep their order.
        """
        spare = next(p for p in self.phdrs if p.p_type not in (PT_LOAD, PT_GNU_RELRO, 2, 6, 7))
        size = self.ehdr.e_phentsize
        rows = [bytes(self.data[p._at:p._at + size]) for p in self.phdrs]
        where = [p._at for p in self.phdrs]
        index, taken = where.index(load._at), where.index(spare._at)
        rows[taken:taken + 1] = []
        index -= taken < index
        rows.insert(index, rows[index])
        for at, row in zip(where, rows):
            self.data[at:at + size] = row
        first, second = self.phdrs[index], self.phdrs[index + 1]
        assert first.p_vaddr % page_size == 0
        length = pages * page_size
        assert length < first.p_filesz
        first.p_filesz = first.p_memsz = length
        second.p_filesz -= length
        second.p_memsz -= length
        second.p_offset += length
        second.p_vaddr += length
        second.p_paddr += length
        return index, index + 1
