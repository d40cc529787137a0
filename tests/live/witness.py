"""What gdb, readelf and the kernel say about a process, each read without segmap's help.

readelf knows the file; the load bias comes from the auxiliary vector (program, interpreter, vdso) or
from the file's lowest row in the maps (libraries). gdb knows where the dynamic linker put each section,
because it reads the linker's own list. Addresses are ints, ranges half-open (start, end) pairs.
"""
import dataclasses
import functools
import os
import re
import struct
import subprocess

import segtest

PAGE = os.sysconf("SC_PAGE_SIZE")
AT_BASE, AT_ENTRY, AT_SYSINFO_EHDR = 7, 9, 33   # <elf.h>
VDSO = "[vdso]"
ENGLISH = dict(os.environ, LC_ALL="C", DEBUGINFOD_URLS="")


def down(address):
    return address & -PAGE


def up(address):
    return (address + PAGE - 1) & -PAGE


# ---- readelf: what the file says ----

@dataclasses.dataclass(frozen=True)
class Segment:
    index: int      # row in the program header table, from 0
    kind: str       # as readelf names it: LOAD, GNU_RELRO
    offset: int
    vaddr: int
    filesz: int
    memsz: int
    flags: str      # as in maps: r-x
    align: int


@dataclasses.dataclass(frozen=True)
class Section:
    name: str
    type: str       # as readelf names it: PROGBITS, NOBITS
    addr: int
    offset: int
    size: int
    allocated: bool
    in_memory: bool     # allocated and takes up address space: not empty, not .tbss


@dataclasses.dataclass(frozen=True)
class File:
    path: str
    bits: int
    type: str           # EXEC or DYN
    entry: int
    interpreter: str    # "" if none
    build_id: str       # None if none
    segments: tuple     # of Segment: LOAD and GNU_RELRO
    sections: tuple     # of Section: all but the first, empty one

    @property
    def loads(self):
        return [segment for segment in self.segments if segment.kind == "LOAD"]

    @property
    def relro(self):
        """The PT_GNU_RELRO that counts (the last, as in ld.so), or None."""
        return next((s for s in reversed(self.segments) if s.kind == "GNU_RELRO"), None)


HEX = "(?:0x)?([0-9a-f]+)"
SEGMENT_LINE = re.compile(rf"  (\S+) +{HEX} {HEX} {HEX} {HEX} {HEX} ([R ])([W ])([E ]) +{HEX}$")
SECTION_LINE = re.compile(r"  \[ *\d+\] (.*?) +(\S+|<unknown>.*?) +([0-9a-f]{8}|[0-9a-f]{16}) ([0-9a-f]+)"
                          r" ([0-9a-f]+) [0-9a-f]{2} +([A-Za-z]*) +\d+ +\d+ +\d+$")


@functools.lru_cache(maxsize=None)
def _read_elf(path, _identity):
    text = subprocess.run([segtest.which("readelf"), "-hlSnW", path], env=ENGLISH, check=True,
                          encoding="utf-8", errors="surrogateescape", stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout
    segments, sections, index = [], [], 0
    for line in text.splitlines():
        if match := SECTION_LINE.match(line):
            name, kind, addr, offset, size, flags = match.groups()
            addr, offset, size = (int(x, 16) for x in (addr, offset, size))
            if kind != "NULL":
                is_tbss = kind == "NOBITS" and "T" in flags
                sections.append(Section(name, kind, addr, offset, size, "A" in flags,
                                        "A" in flags and size > 0 and not is_tbss))
        elif match := SEGMENT_LINE.match(line):
            kind, offset, vaddr, _, filesz, memsz, r, w, x, align = match.groups()
            if kind in ("LOAD", "GNU_RELRO"):
                flags = "".join(letter if flag != " " else "-" for letter, flag in zip("rwx", (r, w, x)))
                segments.append(Segment(index, kind, int(offset, 16), int(vaddr, 16), int(filesz, 16),
                                        int(memsz, 16), flags, int(align, 16)))
            index += 1

    def found(pattern, default):
        match = re.search(pattern, text, re.MULTILINE)
        return match.group(1) if match else default

    return File(path, int(found(r"^ +Class: +ELF(\d+)", "0")), found(r"^ +Type: +(\w+)", ""),
                int(found(r"^ +Entry point address: +0x([0-9a-f]+)", "0"), 16),
                found(r"\[Requesting program interpreter: (.*)\]$", ""),
                found(r"\bBuild ID: ([0-9a-f]+)$", None), tuple(segments), tuple(sections))


def read_elf(path):
    """What readelf says of a file; remembered, since libc.so is in nearly every process."""
    info = os.stat(path)
    return _read_elf(os.path.realpath(path), (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns))


# ---- the kernel: what is mapped, and what it told the program at the start ----

def vm_flags(pid):
    """{start of VMA: set of its VmFlags} from smaps."""
    flags, start = {}, None
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        for line in file:
            if match := re.match(r"([0-9a-f]+)-[0-9a-f]+ ", line):
                start = int(match.group(1), 16)
            elif line.startswith("VmFlags:"):
                flags[start] = set(line.split()[1:])
    return flags


def auxiliary_vector(pid, bits):
    with open(f"/proc/{pid}/auxv", "rb") as file:
        data = file.read()
    pairs = struct.iter_unpack("=QQ" if bits == 64 else "=II", data)
    return dict(pairs)


@dataclasses.dataclass(frozen=True)
class Image:
    """One loaded ELF object as the witnesses see it."""
    path: str           # real path; VDSO for the vdso
    role: str
    dev: str            # as maps prints it
    inode: int
    bias: int
    file: File

    def address(self, vaddr):
        return (vaddr + self.bias) % (1 << self.file.bits)

    def spans(self):
        """Where the bytes of its PT_LOADs are: [(start, end)]."""
        return [(self.address(s.vaddr), self.address(s.vaddr) + s.memsz) for s in self.file.loads if s.memsz]

    def pages(self):
        """The same in whole pages, as the kernel and the dynamic linker map them."""
        return [(down(start), up(end)) for start, end in self.spans()]

    def relro(self):
        """The range that the dynamic linker makes read-only: both ends rounded down. None if empty."""
        segment = self.file.relro
        if segment is None:
            return None
        start = self.address(segment.vaddr)
        start, end = down(start), down(start + segment.memsz)
        return (start, end) if start < end else None


def _is_elf(path):
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def images(pid, maps, scratch):
    """The loaded objects of a process. A file counts as loaded if some row of it is executable, or if the
    kernel loaded it; the vdso is copied to scratch so that readelf can look at it."""
    exe = os.stat(f"/proc/{pid}/exe")
    rows = {}
    for row in maps:
        rows.setdefault((row[4], row[5]), []).append(row)
    program = read_elf(os.readlink(f"/proc/{pid}/exe"))
    auxv = auxiliary_vector(pid, program.bits)
    interpreter = os.path.realpath(program.interpreter) if program.interpreter else None
    found = []
    for (dev, inode), own in rows.items():
        path = os.fsdecode(own[0][6])
        if inode == 0 or not _is_elf(path):
            continue
        file = read_elf(path)
        if inode == exe.st_ino:
            found.append(Image(path, "program", dev, inode, auxv[AT_ENTRY] - file.entry, file))
        elif path == interpreter:
            found.append(Image(path, "interpreter", dev, inode, auxv[AT_BASE], file))
        elif any("x" in row[2] for row in own):
            first = min(file.loads, key=lambda segment: segment.vaddr)
            # A part of it that is mapped again can lie below.
            start = next((row[0] for row in own if row[3] == down(first.offset)), own[0][0])
            found.append(Image(path, "library", dev, inode, start - down(first.vaddr), file))
    for start, end, *_, name in maps:
        if name == VDSO.encode():
            assert auxv[AT_SYSINFO_EHDR] == start
            copy = os.path.join(scratch, f"vdso.{pid}")
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory, open(copy, "wb") as file:
                memory.seek(start)
                file.write(memory.read(end - start))
            file = read_elf(copy)
            found.append(Image(VDSO, "vdso", "00:00", 0, start - down(file.loads[0].vaddr), file))
    return found


# ---- gdb: where the dynamic linker put things ----

def gdb_info_files(pid):
    """The text of gdb's `info files` for a process, which stays as it is: gdb attaches, reads, detaches."""
    command = [segtest.which("gdb"), "-nx", "-batch", "-readnever"]
    for setting in ("debuginfod enabled off", "auto-load no", "auto-solib-add on", "width 0", "confirm off"):
        command += ["-iex", "set " + setting]
    result = subprocess.run([*command, "-p", str(pid), "-ex", "info files"], env=ENGLISH, timeout=120,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = result.stdout.decode("utf-8", "surrogateescape")
    if "ptrace: Operation not permitted" in text:
        raise segtest.Skip("needs ptrace, which gdb is not permitted here")
    return text


GDB_PROGRAM = re.compile(r"^\t`(.*)', file type ", re.MULTILINE)
GDB_SECTION = re.compile(r"^\t0x([0-9a-f]+) - 0x([0-9a-f]+) is (.*?)(?: in (.+))?$", re.MULTILINE)


def parse_info_files(text):
    """{path: [(section name, start, end)]}; real paths, VDSO for the "system-supplied DSO"."""
    program = GDB_PROGRAM.search(text)
    assert program, f"gdb says nothing of the program: {text[-1000:]}"
    found = {}
    for start, end, name, path in GDB_SECTION.findall(text):
        if path.startswith("system-supplied DSO"):
            path = VDSO
        else:
            path = os.path.realpath(path or program.group(1))
        found.setdefault(path, []).append((name, int(start, 16), int(end, 16)))
    return found


# ---- ranges ----

def join(ranges):
    """The ranges in order, those that touch made one."""
    joined = []
    for start, end in sorted(ranges):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def clip(ranges, to):
    """What of the ranges lies in the others; both are lists of pairs."""
    return join([(max(start, low), min(end, high)) for start, end in ranges for low, high in to
                 if max(start, low) < min(end, high)])
