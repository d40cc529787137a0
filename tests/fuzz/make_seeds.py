#!/usr/bin/env python3
"""Write the inputs that fuzzing begins with.

    make_seeds.py DIRECTORY

A directory for each target, DIRECTORY/TARGET/. Everything is written here number by number, or taken from
the saved maps of tests/golden/, so that the same comes out everywhere; the files are small, because a
fuzzer finds more in one KiB than in a hundred. Seeds have whatever a parser has code for; what is odd
about files is the fuzzer's to find.
"""
import glob
import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden")
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_PHDR, PT_TLS = 1, 2, 3, 4, 6, 7
PT_GNU_EH_FRAME, PT_GNU_STACK, PT_GNU_RELRO = 0x6474e550, 0x6474e551, 0x6474e552
ET_EXEC, ET_DYN, ET_CORE = 2, 3, 4
EM_386, EM_ARM, EM_X86_64, EM_PPC64, EM_AARCH64 = 3, 40, 62, 21, 183
NT_GNU_ABI_TAG, NT_GNU_BUILD_ID = 1, 3
NT_PRSTATUS, NT_PRPSINFO, NT_AUXV, NT_FILE = 1, 3, 6, 0x46494c45
R, W, X = 4, 2, 1
LINKER = "/lib64/ld-linux-x86-64.so.2"


def note(kind, desc, name=b"GNU\0", align=4, order="<"):
    data = struct.pack(order + "III", len(name), len(desc), kind) + name
    data += bytes(-len(data) % align) + desc
    return data + bytes(-len(data) % align)


class Elf:
    """An ELF file with all that segmap looks for, in about a KiB and a half: headers, dynamic section,
    strings, versions, notes and sections, one behind the other. Addresses are base + offset."""

    def __init__(self, bits=64, order="<", machine=EM_X86_64, kind=ET_DYN, base=0, needed=(), soname=None,
                 interp=None, runpath=None, rpath=None, versions=(), wants=(), flags_1=0, notes=True,
                 sections=True, gnu_hash=False, text=b"", stack=R | W, relro=True, filters=(), ident=None):
        self.bits, self.order, self.machine, self.kind, self.base = bits, order, machine, kind, base
        self.ident = ident or bytes([bits // 32, 1 if order == "<" else 2, 1])
        self.strings, self.body, self.parts, self.phdrs = b"\0", b"", [], []
        self.n_phdrs = 9
        self.start = (64 if bits == 64 else 52) + self.n_phdrs * (56 if bits == 64 else 32)
        tags = [(1, self.string(name)) for name in needed]
        tags += [(tag, self.string(name)) for tag, name in filters]
        for tag, value in ((14, soname), (29, runpath), (15, rpath)):
            if value is not None:
                tags.append((tag, self.string(value)))
        verdef, verneed = self.version_tables(versions, wants)
        if interp:
            at = self.put(".interp", interp.encode() + b"\0", 1)
            self.phdrs.append((PT_INTERP, R, at, len(interp) + 1, 1))
        if notes:
            data = note(NT_GNU_ABI_TAG, self.pack("IIII", 0, 3, 2, 0), order=order) + \
                note(NT_GNU_BUILD_ID, bytes(range(20)), order=order)
            self.phdrs.append((PT_NOTE, R, self.put(".note.gnu", data, 7), len(data), 4))
        hash_at = self.put(".gnu.hash", self.pack("IIII", 1, 1, 1, 0) + bytes(8) + self.pack("II", 1, 1), 5) \
            if gnu_hash else self.put(".hash", self.pack("IIIII", 1, 2, 0, 0, 0), 5)
        symtab_at = self.put(".dynsym", bytes(48 if bits == 64 else 32), 11)
        verdef_at, verneed_at = self.put(".gnu.version_d", verdef, 1), self.put(".gnu.version_r", verneed, 1)
        strtab_at = self.put(".dynstr", self.strings, 3)
        text_at = self.put(".text", b"\xc3" * 16 + text, 1, 6)
        tags += [(5, base + strtab_at), (10, len(self.strings)), (6, base + symtab_at),
                 (0x6ffffef5 if gnu_hash else 4, base + hash_at), (0x6ffffffb, flags_1), (30, 8)]
        if interp:
            tags.append((21, 0))  # DT_DEBUG
        if versions:
            tags.append((0x6ffffffc, base + verdef_at))
        if wants:
            tags.append((0x6ffffffe, base + verneed_at))
        dynamic = b"".join(self.pack("aa", *tag) for tag in tags + [(0, 0)])
        dynamic_at = self.put(".dynamic", dynamic, 6, 3)
        data_at = self.put(".data", bytes(range(64)), 1, 3)
        self.end = self.start + len(self.body)
        if sections:
            self.parts += [(".bss", 8, 3, self.end, 0x800), (".tbss", 8, 0x403, self.end, 16)]
        self.phdrs += [(PT_DYNAMIC, R | W, dynamic_at, len(dynamic), 8),
                       (PT_GNU_STACK, stack, 0, 0, 16), (PT_PHDR, R, 64 if bits == 64 else 52, 56, 8)]
        if relro:
            self.phdrs.append((PT_GNU_RELRO, R, dynamic_at, 0x1000 - dynamic_at % 0x1000, 1))
        code_end = text_at + 16 + len(text)
        self.loads = [(R | X, 0, 0, code_end, code_end),
                      (R | W, dynamic_at, 0x1000, self.end - dynamic_at, self.end - dynamic_at + 0x1800)]
        self.data_at = data_at
        self.has_sections = sections

    def pack(self, form, *values):
        return struct.pack(self.order + form.replace("a", "Q" if self.bits == 64 else "I"), *values)

    def string(self, text):
        at = len(self.strings)
        self.strings += text.encode() + b"\0"
        return at

    def put(self, name, data, kind, flags=2):
        self.body += bytes(-(self.start + len(self.body)) % 8)
        at = self.start + len(self.body)
        self.body += data
        self.parts.append((name, kind, flags, at, len(data)))
        return at

    def version_tables(self, versions, wants):
        verdef = verneed = b""
        for i, name in enumerate(versions):
            verdef += self.pack("HHHHIII", 1, 0, i + 1, 1, i + 7, 20, 28 if i + 1 < len(versions) else 0)
            verdef += self.pack("II", self.string(name), 0)
        for i, (file, names) in enumerate(wants):
            verneed += self.pack("HHIII", 1, len(names), self.string(file), 16,
                                 16 * (len(names) + 1) if i + 1 < len(wants) else 0)
            for j, name in enumerate(names):
                verneed += self.pack("IHHII", versions.index(name) + 7 if name in versions else j + 7, 0, j + 2,
                                     self.string(name), 16 if j + 1 < len(names) else 0)
        return verdef, verneed

    def program_header(self, kind, flags, offset, vaddr, filesz, memsz, align):
        if self.bits == 64:
            return self.pack("IIQQQQQQ", kind, flags, offset, vaddr, vaddr, filesz, memsz, align)
        return self.pack("IIIIIIII", kind, offset, vaddr, vaddr, filesz, memsz, flags, align)

    def section_table(self):
        names, rows = b"\0", b""
        size, form = (64, "IIQQQQIIQQ") if self.bits == 64 else (40, "IIIIIIIIII")
        table = [("", 0, 0, 0, 0)] + self.parts + [(".shstrtab", 3, 0, 0, 0)]
        offsets = []
        for name, *_ in table:
            offsets.append(len(names) if name else 0)
            names += name.encode() + b"\0" if name else b""
        names_at = self.end
        self.body += names + bytes(-(self.end + len(names)) % 8)
        for (name, kind, flags, at, length), name_at in zip(table, offsets):
            at, length = (names_at, len(names)) if name == ".shstrtab" else (at, length)
            vaddr = self.vaddr(at) if flags & 2 or flags & 1 else 0
            rows += self.pack(form, name_at, kind, flags, vaddr, at, length, 0, 0, 1, 0)
        return self.start + len(self.body), rows, len(table), size

    def vaddr(self, offset):
        shift = self.loads[1][2] if offset >= self.loads[1][1] else 0
        return self.base + offset + shift

    def bytes(self):
        shoff, rows, count, size = self.section_table() if self.has_sections else (0, b"", 0, 0)
        phdrs = b""
        for flags, offset, shift, filesz, memsz in self.loads:
            phdrs += self.program_header(PT_LOAD, flags, offset, self.base + offset + shift, filesz, memsz, 0x1000)
        for kind, flags, offset, length, align in self.phdrs[:self.n_phdrs - 2]:
            vaddr = self.vaddr(offset) if length else 0
            phdrs += self.program_header(kind, flags, offset, vaddr, length, length, align)
        step = 56 if self.bits == 64 else 32
        ident = b"\x7fELF" + self.ident + bytes(9)
        ehdr = ident + self.pack("HHIaaaIHHHHHH", self.kind, self.machine, 1, self.base + self.start, self.start
                                 - self.n_phdrs * step, shoff, 0, 64 if self.bits == 64 else 52, step,
                                 len(phdrs) // step, size, count, count and count - 1)
        return (ehdr + phdrs).ljust(self.start, b"\0") + self.body + rows


def elves():
    """Name and bytes of ELF files of all kinds."""
    yield "program", Elf(interp=LINKER, needed=["libc.so.6", "libm.so.6"], runpath="$ORIGIN/../lib:/opt/lib",
                         flags_1=0x08000000, wants=[("libc.so.6", ["GLIBC_2.34", "GLIBC_2.2.5"])])
    yield "exec", Elf(kind=ET_EXEC, base=0x400000, interp=LINKER, needed=["libc.so.6"], rpath="/a:/b")
    yield "static", Elf(kind=ET_EXEC, base=0x400000, relro=False, stack=R | W | X)
    yield "library", Elf(soname="libc.so.6", versions=["libc.so.6", "GLIBC_2.2.5", "GLIBC_2.34"], gnu_hash=True)
    yield "filters", Elf(soname="libf.so", filters=[(0x7fffffff, "libreal.so"), (0x7ffffffd, "libaux.so")])
    yield "linker", Elf(soname="ld-linux-x86-64.so.2", versions=["GLIBC_PRIVATE"],
                        text=b"ld.so (Debian) stable release version 2.36.\n\0/lib/x86_64-linux-gnu/\0"
                        b"/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0")
    yield "musl-linker", Elf(soname="libc.musl-x86_64.so.1", text=b"musl libc (x86_64)\nVersion 1.2.3\n\0")
    yield "stripped", Elf(sections=False, soname="libs.so", gnu_hash=True)
    yield "bare", Elf(sections=False, notes=False)
    yield "i386", Elf(bits=32, machine=EM_386, interp="/lib/ld-linux.so.2", needed=["libc.so.6"])
    yield "arm", Elf(bits=32, machine=EM_ARM, soname="liba.so", sections=False)
    yield "ppc64", Elf(order=">", machine=EM_PPC64, soname="libp.so", versions=["A", "B"], needed=["libc.so.6"])
    yield "aarch64", Elf(machine=EM_AARCH64, interp="/lib/ld-linux-aarch64.so.1", needed=["libc.so.6"])
    yield "hidden", Elf(interp=LINKER, needed=["libc.so.6"], ident=b"\1\2\xff")
    yield "hidden-i386", Elf(bits=32, machine=6, ident=b"\2\0\0", gnu_hash=True)


def tiny():
    """A program of 45 bytes, as i386 runs it: its program header begins in e_ident."""
    return struct.pack("<4sIIIHHIIIQHHB", b"\x7fELF", PT_LOAD, 0, 0x10000, ET_EXEC, EM_386, 0x10020, 0x10020, R, 0,
                       52, 32, 1)


def container(parts):
    """As fuzz_input_take() takes it apart."""
    data = b""
    for name, body in parts.items():
        body = body if isinstance(body, bytes) else body.encode()
        data += bytes([len(name)]) + name.encode() + struct.pack("<I", len(body)) + body
    return data


def ld_so_cache(entries, hwcaps=()):
    """The new format, with an extension where there are hwcaps. entries: (name, path, flags, hwcap)."""
    entries = sorted(entries, reverse=True)
    header, strings = 48 + 24 * len(entries), b""
    rows = b""
    for name, path, flags, hwcap in entries:
        at = header + len(strings)
        rows += struct.pack("<iIIIQ", flags, at, at + len(name) + 1, 0, hwcap)
        strings += name.encode() + b"\0" + path.encode() + b"\0"
    names = []
    for hwcap in hwcaps:
        names.append(header + len(strings))
        strings += hwcap.encode() + b"\0"
    strings += bytes(-(header + len(strings)) % 4)
    extension = header + len(strings) if hwcaps else 0
    data = b"glibc-ld.so.cache1.1" + struct.pack("<IIBBBBI", len(entries), len(strings), 2, 0, 0, 0, extension)
    data = data.ljust(48, b"\0") + rows + strings
    if hwcaps:
        data += struct.pack("<II", 0xeaa42174, 1)
        data += struct.pack("<IIII", 1, 0, extension + 24, 4 * len(names))
        data += b"".join(struct.pack("<I", name) for name in names)
    return data


def old_cache(entries, new=b""):
    rows, strings = b"", b""
    for name, path, flags, _ in sorted(entries, reverse=True):
        rows += struct.pack("<iII", flags, len(strings), len(strings) + len(name) + 1)
        strings += name.encode() + b"\0" + path.encode() + b"\0"
    data = b"ld.so-1.7.0\0" + struct.pack("<I", len(entries)) + rows
    if new:
        return data.ljust(-(-len(data) // 8) * 8, b"\0") + new
    return data + strings


ENTRIES = [("libc.so.6", "/lib/libc.so.6", 0x303, 0), ("libm.so.6", "/lib/libm.so.6", 0x303, 0),
           ("libc.so.6", "/lib32/libc.so.6", 3, 0), ("libx-2.10.so", "/x/libx-2.10.so", 0x303, 0),
           ("libm.so.6", "/lib/v3/libm.so.6", 0x303, 1 << 62), ("libx-2.9.so", "/x/libx-2.9.so", 0x303, 0)]


def core(bits=64, order="<", machine=EM_X86_64, loads=(), files=(), auxv=(), text=b""):
    """A core dump. loads: (start, size, flags, bytes); files: (start, end, offset in pages, path)."""
    word = order + ("Q" if bits == 64 else "I")
    number = lambda value: struct.pack(word, value)
    nt_file = number(len(files)) + number(4096)
    nt_file += b"".join(number(v) for row in files for v in row[:3]) + b"".join(f[3].encode() + b"\0" for f in files)
    prpsinfo = bytes(24) + struct.pack(order + "IIII", 4242, 1, 4242, 4242) + b"program".ljust(16, b"\0") + \
        b"program with arguments ".ljust(80, b"\0")
    notes = note(NT_PRPSINFO, prpsinfo, b"CORE\0", order=order)
    notes += note(NT_AUXV, b"".join(number(v) for pair in auxv for v in pair) + number(0) * 2, b"CORE\0", order=order)
    notes += note(NT_PRSTATUS, bytes(112), b"CORE\0", order=order)
    notes += note(NT_FILE, nt_file, b"CORE\0", order=order) if files else b""
    helper = Elf(bits=bits, order=order)
    ehdr_size, step = (64, 56) if bits == 64 else (52, 32)
    at = ehdr_size + step * (len(loads) + 1)
    phdrs = helper.program_header(PT_NOTE, 0, at, 0, len(notes), 0, 4)
    body, at = notes, at + len(notes)
    for start, size, flags, data in loads:
        phdrs += helper.program_header(PT_LOAD, flags, at, start, len(data), size, 4096)
        body, at = body + data, at + len(data)
    ident = b"\x7fELF" + bytes([bits // 32, 1 if order == "<" else 2, 1]) + bytes(9)
    return ident + helper.pack("HHIaaaIHHHHHH", ET_CORE, machine, 1, 0, ehdr_size, 0, 0, ehdr_size, step,
                               len(loads) + 1, 0, 0, 0) + phdrs + body


def cores():
    image = Elf(soname="libc.so.6").bytes()
    base = 0x7f0000000000
    auxv = [(3, base + 64), (6, 4096), (7, 0), (9, base + 0x300), (25, 0x7ffe00000100), (33, 0x7ffe00100000)]
    loads = [(base, 4096, R | X, image.ljust(4096, b"\0")), (base + 0x1000, 8192, R | W, b""),
             (0x7ffe00000000, 8192, R | W, b"stack"), (0x7ffe000ff000, 4096, R, b""),
             (0x7ffe00100000, 4096, R | X, image.ljust(4096, b"\0")), (0xffffffffff600000, 4096, X, b"")]
    files = [(base, base + 0x1000, 0, "/lib/libc.so.6"), (base + 0x1000, base + 0x2000, 0, "/lib/libc.so.6"),
             (base + 0x10000, base + 0x11000, 1, "/data (deleted)")]
    yield "kernel", core(loads=loads, files=files, auxv=auxv)
    yield "gcore", core(loads=loads[1:3], files=files)
    yield "no-files", core(loads=loads)
    yield "32", core(bits=32, machine=EM_386, loads=[(0x8048000, 4096, R | X, b"\x7fELF"), (0xfff00000, 4096, R | W, b"")],
                     files=[(0x8048000, 0x8049000, 0, "/bin/x")], auxv=[(6, 4096), (9, 0x8048100)])
    yield "big-endian", core(order=">", machine=EM_PPC64, loads=[(0x10000, 65536, R | X, b"")],
                             files=[(0x10000, 0x20000, 0, "/bin/x")], auxv=[(6, 65536)])


FIELDS = """Size: {0:>10} kB
KernelPageSize: 4 kB
MMUPageSize: 4 kB
Rss: {0:>11} kB
Pss: {0:>11} kB
Shared_Clean: 0 kB
Shared_Dirty: 0 kB
Private_Clean: {0} kB
Private_Dirty: 4 kB
Referenced: 4 kB
Anonymous: 4 kB
Swap: 0 kB
Locked: 0 kB
NewField: 17
THPeligible: 0
VmFlags: rd ex mr mw me dw sd
"""


def align_fields(text):
    """As the kernel prints them: the name up to column 16, the number right-aligned in eight."""
    lines = []
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        value = rest.split()
        aligned = name[:1].isupper() and name != "VmFlags" and value
        lines.append(f"{name + ':':<16}{value[0]:>8}" + (" kB" if "kB" in value else "") if aligned else line)
    return "\n".join(lines) + "\n"


MAPS = """555555554000-555555555000 r-xp 00000000 08:01 11                 /bin/program
555555555000-555555556000 r--p 00000000 08:01 11                 /bin/program
555555556000-555555558000 rw-p 00001000 08:01 11                 /bin/program
555555558000-555555579000 rw-p 00000000 00:00 0                  [heap]
7ffff7dd0000-7ffff7dd1000 r-xp 00000000 08:01 12                 /lib/libc.so.6
7ffff7dd1000-7ffff7dd2000 r--p 00000000 08:01 12                 /lib/libc.so.6
7ffff7dd2000-7ffff7dd4000 rw-p 00000000 00:00 0
7ffff7dd4000-7ffff7dd5000 r--p 00000000 08:01 12                 /lib/libc.so.6
7ffff7dd5000-7ffff7dd6000 r-xp 00000000 08:01 12                 /lib/libc.so.6
7ffff7ff9000-7ffff7ffd000 r--p 00000000 00:00 0                  [vvar]
7ffff7ffd000-7ffff7fff000 r-xp 00000000 00:00 0                  [vdso]
7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                  [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0          [vsyscall]
"""
ODD_MAPS = """10000-20000 rw-s 00000000 00:05 3 /dev/zero (deleted)
20000-30000 ---p 00000000 00:00 0 [anon:a name]
30000-40000 rw-p ffffffff0000 00:00 7 /memfd:x (deleted)
40000-50000 r--s 00010000 103:02 18446744073709551615 /a b\\012c\x1b[31m\xc2\x9b (deleted)
50000-60000 rwxp 00000000 00:01 9 /SYSV00000000 (deleted)
60000-70000 r--p 00000000 fe:00 10
"""


def smaps(maps):
    text = ""
    for i, line in enumerate(maps.splitlines()):
        text += line + "\n" + align_fields(FIELDS.format(4 * (i + 1)))
    return text


def maps_seeds():
    yield "usual", MAPS.encode()
    yield "odd", ODD_MAPS.encode("latin-1")
    for path in sorted(glob.glob(os.path.join(GOLDEN, "*.maps"))):
        with open(path, "rb") as file:
            text = b"".join(line for line in file if not line.startswith(b"#"))
        yield os.path.basename(path)[:-len(".maps")], text[:2048]


def memory(pieces):
    """For an audit: bytes at addresses."""
    return b"".join(struct.pack("<QI", addr, len(data)) + data for addr, data in pieces)


def linked_list(program):
    """What is in memory of MAPS where the dynamic linker has loaded program and library: its list."""
    base, library, at = 0x555555554000, 0x7ffff7dd0000, 0x7ffff7dd2000  # struct r_debug, and what it leads to
    debug = program.bytes().index(struct.pack("<QQ", 21, 0)) + 0x1000
    dynamic = next(offset for name, _, _, offset, _ in program.parts if name == ".dynamic") + 0x1000
    first, second, name = at + 64, at + 128, at + 192
    return [(base + debug + 8, struct.pack("<Q", at)),
            (at, struct.pack("<QQQQQ", 2, first, 0, 0, library).ljust(64, b"\0")),
            (first, struct.pack("<QQQQQ", base, name, base + dynamic, second, 0).ljust(64, b"\0")),
            (second, struct.pack("<QQQQQ", library, name + 1, library + 0x1300, 0, first).ljust(64, b"\0")),
            (name, b"\0/lib/libc.so.6\0")]


def correlate_seeds():
    files = dict(elves())
    program, library = files["program"].bytes(), files["library"].bytes()
    whole = {"maps": MAPS, "/bin/program": program, "/lib/libc.so.6": library, "vdso": library,
             "comm": "prog\x1bram", "command": "program\0an argument\0"}
    yield "maps", container(whole)
    yield "process", container({"options": b"\0\1", **whole})
    yield "asked", container({**whole, "at": "555555554100\n.text\nlibc.so.6!.data\nprogram+0x10\nmain\n7fff00000000\n"})
    yield "smaps", container({"options": b"\0\1", **whole, "maps": smaps(MAPS),
                              "pages": bytes([0, 0, 1, 0, 0, 1, 3, 2, 1, 3, 5, 1] * 12)})
    yield "large-pages", container({"options": b"\4", **whole})
    linked = linked_list(files["program"])
    yield "audited", container({"options": b"\0\3", **whole, "memory": memory(linked)})
    changed = linked + [(0x555555554000 + 0x240, b"\xcc\xe9jump"), (0x7ffff7dd5000, b"\x7fELF" + bytes(60))]
    yield "audited-changed", container({"options": b"\0\3", **whole, "memory": memory(changed)})
    yield "audited-broken", container({"options": b"\0\3", **whole, "memory": memory(linked[:3])})
    yield "audited-map", container({"options": b"\0\2", **whole, "maps": MAPS.replace("r--p", "rwxp")})
    later = MAPS.splitlines(keepends=True)
    yield "followed", container({**whole, "then": "".join(later[:3] + later[4:]).replace("r--p", "rw-p")})
    yield "followed-figures", container({**whole, "maps": smaps(MAPS), "then": smaps("".join(later[1:])).replace(" 8 kB", " 4 kB")})
    yield "holes", container({**whole, "/lib/libc.so.6": files["stripped"].bytes()})
    yield "foreign", container({"maps": MAPS, "/lib/libc.so.6": files["aarch64"].bytes(),
                                "/bin/program": files["ppc64"].bytes()})
    yield "embedded", container({"maps": "1000-2000 r--p 00000100 08:01 9 /x.apk\n2000-3000 rw-p 00000100 08:01 9 /x.apk\n",
                                 "/x.apk": bytes(256) + library})
    yield "odd", container({"maps": ODD_MAPS.encode("latin-1"), "/SYSV00000000": library})


def explain_seeds():
    files = {name: elf.bytes() for name, elf in elves()}
    world = {LINKER: files["linker"], "/lib/libc.so.6": files["library"],
             "/lib/libm.so.6": Elf(soname="libm.so.6", needed=["libc.so.6"]).bytes(),
             "/etc/ld.so.cache": ld_so_cache(ENTRIES, ["x86-64-v2", "x86-64-v3"])}
    yield "program", container({"program": files["program"], **world})
    yield "flags", container({"options": b"\0\x49\7", "program": files["program"], **world,
                              "environment": "LD_LIBRARY_PATH=/x:$ORIGIN\nLD_PRELOAD=libp.so /y\nLD_BIND_NOW=1\n"
                              "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2:glibc.rtld.execstack=2"})
    yield "secure", container({"options": b"\0\xb0", "program": files["exec"], **world, "vdso": files["library"]})
    yield "static", container({"program": files["static"], "options": b"\1\x80"})
    yield "library", container({"program": files["filters"], "/usr/lib/libreal.so": files["library"], **world})
    yield "musl", container({"program": Elf(interp="/lib/ld-musl-x86_64.so.1", needed=["libc.so", "libz.so"],
                                            flags_1=0x08000000, rpath="$ORIGIN").bytes(),
                             "/lib/ld-musl-x86_64.so.1": files["musl-linker"],
                             "/lib/libz.so": Elf(soname="libz.so", needed=["libc.musl-x86_64.so.1"]).bytes(),
                             "environment": "LD_PRELOAD=a:b",
                             "/etc/ld-musl-x86_64.path": "/lib\n/usr/lib"})
    yield "script", container({"program": "#!  " + LINKER + " an argument \nx", **world})
    yield "script-of-script", container({"program": "#!/s\n", "/s": "#!/s2 x", "/s2": files["static"]})
    yield "hidden", container({"program": files["hidden"], **world, "/lib/libc.so.6": files["hidden"]})
    yield "tiny", container({"program": tiny()})
    for name in ("i386", "arm", "ppc64", "aarch64", "stripped", "bare", "linker", "hidden-i386"):
        yield name, container({"program": files[name]})


def option_seeds():
    lines = ["-A\n1000,7fff\n1", "--range=0x10\n-J\n1", "--at\nmain\n--at=7f00\n1", "-o\n+perm,size\n-S\n1",
             "--explain\n--moment=exec,entry\n--page-size\n65536\n/bin/ls", "--maps\nx\n--sysroot\n/y\n--raw",
             "--run\n--moment=exit\n--\nls\n-l", "--summary\n--sort=rss\n-x\n--all", "--core=c\n-XX\n-p\n-b\n-q",
             "--color=always\n--output-file\nx\n-n\n1", "-h", "--list-columns", "--as=library\n--no-deps\n--explain\nx"]
    return ((str(i), line.encode()) for i, line in enumerate(lines))


def at_seeds():
    words = ["7f00", "0x7fffffffffffffff", "main", "libc.so.6!malloc", "libc.so.6+0x1f", ".text", "a!.b", "ff!0x1", "+0x1", "!"]
    return ((str(i), word.encode()) for i, word in enumerate(words))


def script_seeds():
    yield "plain", b"#!/bin/sh\n"
    yield "argument", b"#! /bin/sh \t-e  x \nrest"
    yield "chain", b"#!/a\n".ljust(256, b"x") + b"#!/b b".ljust(256, b"\0") + b"\x7fELF"
    yield "loop", b"#!/a\n".ljust(256, b"x") * 7
    yield "long", b"#!" + b"/" * 300


def note_seeds():
    yield "build-id", note(NT_GNU_BUILD_ID, bytes(range(20)))
    yield "abi", note(NT_GNU_ABI_TAG, bytes(16)) + note(NT_GNU_BUILD_ID, bytes(20))
    yield "property", note(5, bytes(16), align=8) + note(NT_GNU_BUILD_ID, bytes(16), align=8)
    for name, data in cores():
        if not name.startswith(("32", "big")):
            yield name, data[data.find(b"CORE\0") - 12:][:900]


def startup_seeds():
    for name, elf in elves():
        word = "<Q" if elf.bits == 64 else "<I"
        vector = b"".join(struct.pack(word, v) for v in (3, elf.base + 64, 7, 0x7f00, 9, elf.base + elf.start, 6, 4096, 0, 0))
        yield name, vector.ljust(256, b"\0") + elf.bytes()[:1024]


def vma(start, end, perms, kind, pieces=(), image=None, segment=None, **more):
    return {"start": hex(start), "end": hex(end), "size": end - start, "perms": perms, "offset": 0, "dev": None,
            "inode": None, "name": None, "kind": kind, "image": image, "segment": segment,
            "expected_perms": perms if pieces else None, "pieces": list(pieces), **more}


def piece(start, end, kind, name, offset=None, **more):
    return {"start": hex(start), "end": hex(end), "size": end - start, "kind": kind, "name": name,
            "offset": offset, **more}


def document(**more):
    return {"segmap": 1, "source": "process", "target": "7", "page_size": 4096, "images": [], "vmas": [],
            "notes": [], **more}


def document_seeds():
    file = {"dev": "fe:00", "inode": 12, "name": "/st"}
    image = {"id": 0, "path": "/st", "role": "program", "status": "ok", "sections": "headers", "opened": "map_files",
             "dev": "fe:00", "inode": 12, "bias": "0x0", "build_id": "55d6", "elf_offset": 0, "class": 64,
             "machine": "X86_64", "type": "EXEC", "soname": None,
             "segments": [{"index": 0, "type": "LOAD", "flags": "rw-", "offset": 0, "vaddr": "0x400000", "filesz": 344,
                           "memsz": 8192, "align": 4096}]}
    figures = {"memory": {"rss": 4096, "pss": 4096, "dirty": 0, "anonymous": 0, "swap": 0}}
    first = vma(0x400000, 0x401000, "rw-p", "segment", image=0, segment=0, **file, pieces=[
        piece(0x400000, 0x400040, "ehdr", "[ELF header]", 0), piece(0x400040, 0x400158, "section", ".data", 64),
        piece(0x400158, 0x401000, "section", ".bss", clipped=True)])
    rest = vma(0x401000, 0x402000, "rw-p", "bss", image=0, segment=0,
               pieces=[piece(0x401000, 0x402000, "section", ".bss", clipped=True)])
    stack = vma(0x7ffe0000, 0x7fff0000, "rw-p", "stack", name="[stack]")
    maps = document(source="maps", vmas=[vma(0x1000, 0x2000, "r-xp", "anon"), stack])
    process = document(images=[image], vmas=[first, rest, stack], pid=7, comm="st", command=["./st", "\u00e9\u0007"],
                       time="2026-11-22T09:26:15.205Z", notes=["a note"])
    costly = document(vmas=[dict(stack, **figures)])
    for name, value in (("maps", maps), ("process", process), ("figures", costly)):
        yield name, json.dumps(value, separators=(",", ":")).encode() + b"\n"


SEEDS = {
    "at": at_seeds, "options": option_seeds, "script": script_seeds, "notes": note_seeds,
    "elf": lambda: [(name, elf.bytes()) for name, elf in elves()] + [("tiny", tiny())],
    "core": cores, "maps": maps_seeds, "saved": lambda: list(maps_seeds()) + [("smaps", smaps(MAPS).encode())],
    "smaps": lambda: [("usual", smaps(MAPS).encode()), ("odd", smaps(ODD_MAPS).encode("latin-1"))],
    "correlate": correlate_seeds, "explain": explain_seeds, "startup": startup_seeds,
    "document": document_seeds,
    "cache": lambda: [("new", ld_so_cache(ENTRIES)), ("hwcaps", ld_so_cache(ENTRIES, ["x86-64-v2", "x86-64-v3"])),
                      ("old", old_cache(ENTRIES)), ("both", old_cache(ENTRIES, ld_so_cache(ENTRIES)))],
    "text": lambda: [("utf8", "a\u20ac\u202e\x9b\U0001f600\\012".encode() + b"\xff\xc0\x80\x1b[31m")],
}


def main():
    for target, seeds in SEEDS.items():
        directory = os.path.join(sys.argv[1], target)
        os.makedirs(directory, exist_ok=True)
        for name, data in seeds():
            with open(os.path.join(directory, "seed-" + name), "wb") as file:
                file.write(data)


if __name__ == "__main__":
    main()
