"""Executables and libraries whose program headers no linker would make, from a seed.

System programs say little about merging, RELRO rounding and odd .bss: a model that has these rules wrong
still predicts nearly all of them. These files have 1 to 7 PT_LOADs with gaps, shared pages, empty file
parts and any permissions, RELRO anywhere, and now and then something that the loaders refuse.

executable(seed) and library(seed) return the bytes of a file. The first PT_LOAD of whatever a dynamic
linker reads holds the headers and a small dynamic section; nothing else has contents.
"""
import random
import struct

PAGE = 4096
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_PHDR = 1, 2, 3, 6
PT_GNU_STACK, PT_GNU_RELRO = 0x6474E551, 0x6474E552
R, W, X = 4, 2, 1
ET_EXEC, ET_DYN = 2, 3
EM_386, EM_X86_64 = 3, 62
DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT, DT_TEXTREL = 4, 5, 6, 10, 11, 22
HEADERS = 0x1000        # bytes at the start of the file that hold headers and dynamic section
DYNAMIC, TABLES, INTERP = 0x600, 0x700, 0x800   # offsets in them
INTERPRETERS = {64: "/lib64/ld-linux-x86-64.so.2", 32: "/lib/ld-linux.so.2"}


class Load:
    def __init__(self, vaddr, off, filesz, memsz, flags, align):
        self.vaddr, self.off, self.filesz, self.memsz = vaddr, off, filesz, memsz
        self.flags, self.align = flags, align


def _some_bytes(rng):
    return rng.choice([rng.randrange(1, 200), rng.randrange(1, PAGE), PAGE, 2 * PAGE,
                       rng.randrange(1, 5 * PAGE)])


def _flags(rng):
    return rng.choice([R, R, R | X, R | X, R | W, R | W, R | W, R | W | X, W, X, 0, W | X])


def _next_load(rng, before, odd):
    """A segment after another one: in the same page, right behind, or further up."""
    end = before.vaddr + max(before.memsz, before.filesz)
    whole = (end + PAGE - 1) & -PAGE
    place = rng.random()
    if place < 0.3:
        vaddr = whole
    elif place < 0.5:
        vaddr = end + rng.choice([0, 0x10])
    elif place < 0.7:
        vaddr = whole + rng.randrange(0, PAGE)
    else:
        vaddr = whole + rng.randrange(1, 5) * PAGE + rng.choice([0, 0, rng.randrange(PAGE)])
    filesz = 0 if rng.random() < 0.2 else _some_bytes(rng)
    memsz = filesz + rng.choice([0, 0, 0, rng.randrange(1, 300), _some_bytes(rng), 3 * PAGE,
                                 -(vaddr + filesz) % PAGE])
    file_end = before.off + before.filesz
    if rng.random() < 0.45:     # the file goes on with the addresses, so that VMAs can merge
        off = before.off + (vaddr - before.vaddr)
    else:
        off = ((file_end + PAGE - 1) // PAGE + rng.randrange(-1, 2)) * PAGE
        off = max(off & -PAGE, 0) + vaddr % PAGE
    if odd and rng.random() < 0.03:
        off += rng.randrange(1, PAGE)
    if odd and filesz and rng.random() < 0.03:
        memsz = rng.randrange(0, filesz)
    return Load(vaddr, off, filesz, memsz, _flags(rng), rng.choice([PAGE] * 6 + [0, 1, 16, 0x10000, 0x4000]))


def _relro(rng, loads, inside):
    """(vaddr, size). inside: not past the last page, where other memory of the process can be; nor is it
    the last page where that is anonymous, for then it can be one VMA with the memory behind it."""
    if rng.random() < 0.3:
        return None
    load = rng.choice(loads)
    start = load.vaddr + rng.choice([0, 0, rng.randrange(max(1, load.memsz))])
    size = rng.choice([load.memsz, max(0, load.memsz - (load.vaddr + load.memsz) % PAGE),
                       rng.randrange(0, load.memsz + 1), rng.randrange(0, 3 * PAGE), PAGE])
    if inside:
        end = max((load.vaddr + load.memsz + PAGE - 1) & -PAGE for load in loads)
        size = min(size, end - start - (PAGE if loads[-1].memsz > loads[-1].filesz else 0))
    return start, max(size, 0)


def _dynamic(bits, base, textrel):
    """The dynamic section and, behind it, an empty symbol table, hash table and string table."""
    tags = [(DT_HASH, base + TABLES), (DT_SYMTAB, base + TABLES + 32), (DT_STRTAB, base + TABLES + 64),
            (DT_STRSZ, 1), (DT_SYMENT, 24 if bits == 64 else 16)]
    if textrel:
        tags.append((DT_TEXTREL, 0))
    data = b"".join(struct.pack("<QQ" if bits == 64 else "<II", *tag) for tag in tags + [(0, 0)])
    return data.ljust(TABLES - DYNAMIC, b"\0") + struct.pack("<IIII", 1, 1, 0, 0)


def _with_any_ident(rng, data):
    """The kernel looks at neither EI_CLASS nor EI_DATA nor EI_VERSION of a program."""
    ident = bytes(rng.choice(values) for values in ([0, 1, 2, 255], [0, 1, 2, 255], [0, 1, 2]))
    return data if rng.random() < 0.8 else data[:4] + ident + data[7:]


def _file(rng, bits, kind, loads, relro, others, entry, tail_cut, contents):
    phdrs = []
    for kind_of, offset, vaddr, filesz, memsz, flags, align in others:
        phdrs.append((kind_of, flags, offset, vaddr, filesz, memsz, align))
    for load in loads:
        phdrs.append((PT_LOAD, load.flags, load.off, load.vaddr, load.filesz, load.memsz, load.align))
    if relro:
        phdrs.append((PT_GNU_RELRO, R, 0, relro[0], relro[1], relro[1], 1))
    ident = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1, 1]) + bytes(9)
    machine = EM_X86_64 if bits == 64 else EM_386
    if bits == 64:
        data = ident + struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, entry, 64, 0, 0, 64, 56,
                                   len(phdrs), 0, 0, 0)
        for type_, flags, offset, vaddr, filesz, memsz, align in phdrs:
            data += struct.pack("<IIQQQQQQ", type_, flags, offset, vaddr, vaddr, filesz, memsz, align)
    else:
        data = ident + struct.pack("<HHIIIIIHHHHHH", kind, machine, 1, entry, 52, 0, 0, 52, 32,
                                   len(phdrs), 0, 0, 0)
        for type_, flags, offset, vaddr, filesz, memsz, align in phdrs:
            data += struct.pack("<IIIIIIII", type_, offset, vaddr, vaddr, filesz, memsz, flags, align)
    assert len(data) <= DYNAMIC
    size = max([HEADERS] + [load.off + load.filesz for load in loads])
    data = bytearray(data.ljust(size, b"\0"))
    for offset, piece in contents:
        data[offset:offset + len(piece)] = piece
    return bytes(data[:max([HEADERS, size - tail_cut] + [(offset & -PAGE) + HEADERS for offset, _ in contents])])


def _stack(rng):
    flags = rng.choice([None, R | W, R | W, R | W, R | W | X])
    return [] if flags is None else [(PT_GNU_STACK, 0, 0, 0, 0, flags, 16)]


def _tail_cut(rng):
    return rng.choice([0] * 8 + [rng.randrange(1, 3 * PAGE), PAGE])


def executable(seed, bits=None, interpreter=None):
    """A program; interpreter says whether it has one, None leaves that to chance."""
    rng = random.Random(f"executable {seed}")
    bits = bits or rng.choice([64, 64, 64, 64, 32])
    kind = rng.choice([ET_EXEC, ET_DYN])
    dynamic = rng.random() < 0.4 if interpreter is None else interpreter
    base = rng.choice([0x400000, 0x8048000, 0x10000]) if kind == ET_EXEC else \
        rng.choice([0, 0, 0x1000, 0x10000, 0x201000])
    if dynamic:
        size = HEADERS + rng.choice([0, 0, 0x234, PAGE])
        first = Load(base, 0, size, size + rng.choice([0, 0, 0x100, 2 * PAGE]), R | X | rng.choice([0, W]), PAGE)
    else:
        size = rng.choice([0, 0x123, HEADERS, 2 * PAGE + 0x80])
        offset = rng.choice([0, 0, 0x120])
        first = Load(base + offset, offset, size, size + rng.choice([0, 0x100, 2 * PAGE]) + (not size),
                     _flags(rng), PAGE)
    loads = [first]
    for _ in range(rng.randrange(7)):
        loads.append(_next_load(rng, loads[-1], True))
    others, contents = _stack(rng), []
    if dynamic:
        # The kernel takes the last segment with the program headers in it for theirs (AT_PHDR), and
        # with two of them the dynamic linker would believe in another load address.
        for load in loads[1:]:
            load.off += HEADERS if load.off < HEADERS else 0
        path = INTERPRETERS[bits].encode() + b"\0"
        writable = bool(first.flags & W)
        table = (64, 56) if bits == 64 else (52, 32)
        count = len(loads) + 6
        others += [(PT_PHDR, table[0], base + table[0], table[1] * count, table[1] * count, R, 8),
                   (PT_INTERP, INTERP, base + INTERP, len(path), len(path), R, 1),
                   (PT_DYNAMIC, DYNAMIC, base + DYNAMIC, 0x100, 0x100, R | (W if writable else 0), 8)]
        contents = [(DYNAMIC, _dynamic(bits, base, rng.random() < 0.15)), (INTERP, path)]
    elif rng.random() < 0.2:
        rng.shuffle(loads)
    data = _file(rng, bits, kind, loads, _relro(rng, loads, False), others, base + 0xA00, _tail_cut(rng), contents)
    return _with_any_ident(rng, data)


def _keep_heap_sane(loads):
    """musl's malloc gets what writable segments leave of a page, twice where two have the same page: then
    its heap is broken, and what follows is chance."""
    taken = set()
    for load in loads:
        ends = {load.vaddr & -PAGE, (load.vaddr + load.memsz) & -PAGE}
        if taken & ends:
            load.flags &= ~W
        if load.flags & W:
            taken |= ends


def library(seed, musl=False):
    rng = random.Random(f"library {seed}")
    base = rng.choice([0, 0, 0, 0x1000, 0x10000])
    size = HEADERS + rng.choice([0, 0, 0x234, PAGE, 3 * PAGE])
    flags = rng.choice([R, R | X, R | W, R | W | X])
    # Now and then the file begins with a page that is mapped nowhere.
    skipped = HEADERS * rng.choice([0, 0, 0, 0, 1, 2])
    loads = [Load(base, skipped, size, size + rng.choice([0, 0, 0, 0x100, 2 * PAGE]), flags, PAGE)]
    for _ in range(rng.randrange(7)):
        loads.append(_next_load(rng, loads[-1], False))
    if musl:
        _keep_heap_sane(loads)
    if rng.random() < 0.03:
        loads[-1].off += 8
    others = _stack(rng)[:1] if rng.random() < 0.7 else [(PT_GNU_STACK, 0, 0, 0, 0, R | W, 16)]
    others += [(PT_DYNAMIC, skipped + DYNAMIC, base + DYNAMIC, 0x100, 0x100, R | (flags & W), 8)]
    contents = [(skipped + DYNAMIC, _dynamic(64, base, rng.random() < 0.15))]
    return _file(rng, 64, ET_DYN, loads, _relro(rng, loads, True), others, 0, _tail_cut(rng), contents)
