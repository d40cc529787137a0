"""What the claims of this folder share: fixtures, situations, witnesses, and asking segmap.

A claim builds a library, has the scenario program do something to it, looks at that process with
segmap, and compares with witnesses that owe segmap nothing: readelf on the original file, the bias
that the dynamic linker told the scenario program, and /proc/PID/maps.
"""
import atexit
import contextlib
import functools
import os
import re
import shutil
import subprocess
import tempfile
import unicodedata

import segtest

NOBODY = 65534
PAGE = os.sysconf("SC_PAGESIZE")
FIXTURES = os.path.join(segtest.SOURCE, "fixtures", "scenarios")
LINKERS = ("bfd", "gold", "lld", "mold")
STATUS_LACKING = 77  # of the scenario program


# Who asks. "root" sees everything; "user" is an ordinary user who looks at a process of their own;
# "any" is whoever runs the tests, where it makes no difference.

def uid_of(who):
    """The uid that plays this part, as Popen's user; None: no change."""
    if who == "root":
        segtest.need_root()
    if who == "user" and os.geteuid() == 0:
        segtest.need_other_user()
    return NOBODY if who == "user" and os.geteuid() == 0 else None


def for_root_and_user(function):
    """Register the claim twice: function("root") and function("user")."""
    return segtest.parameters("root", "user")(function)


# Fixtures: compiled once per test file, copied into the place where the situation needs them.

@functools.lru_cache(maxsize=None)
def _kept_directory():
    directory = tempfile.mkdtemp(prefix="segmap-fixtures-")
    os.chmod(directory, 0o755)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def _compile(command, what):
    """Run a compiler; where it cannot do this, the claim is skipped."""
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)
    if result.returncode != 0:
        last = result.stdout.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise segtest.Skip(f"cannot build {what}: {' '.join(last)}")


@functools.lru_cache(maxsize=None)
def _library(tag, linker, flags):
    compiler = segtest.which("gcc", "clang", "cc")
    if linker != "bfd":
        segtest.which("ld." + linker)
    path = os.path.join(_kept_directory(), f"lib{len(os.listdir(_kept_directory()))}.so")
    _compile([compiler, "-O1", "-fPIC", "-shared", "-nostdlib", f"-fuse-ld={linker}",
              "-Wl,--build-id=sha1", "-Wl,-z,relro", f"-DTAG={tag}", *flags,
              os.path.join(FIXTURES, "library.c"), "-o", path], f"a library with {linker}")
    return path


def library(to, tag="apple", linker="bfd", flags=()):
    """Put a library with sections .TAG_text, .TAG_data, ... at this path; return the path."""
    shutil.copyfile(_library(tag, linker, tuple(flags)), to)
    os.chmod(to, 0o755)
    return to


@functools.lru_cache(maxsize=None)
def _program(compiler, flags):
    path = os.path.join(_kept_directory(), f"program{len(os.listdir(_kept_directory()))}")
    _compile([segtest.which(*compiler), "-O1", "-DTAG=program", *flags,
              os.path.join(FIXTURES, "program.c"), os.path.join(FIXTURES, "library.c"),
              "-o", path], f"a program with {' '.join([*compiler[:1], *flags])}")
    return path


def program(to, compiler=("gcc", "clang", "cc"), flags=()):
    """Put a program that says "ready" and waits at this path; its sections are .program_..."""
    shutil.copyfile(_program(tuple(compiler), tuple(flags)), to)
    os.chmod(to, 0o755)
    return to


@functools.lru_cache(maxsize=None)
def scenario_program(bits=64):
    """The scenario program: meson's, or one made here (in 32 bits, or without meson)."""
    built = os.path.join(segtest.BUILD, "tests", "scenarios", "scenario")
    if bits == 64 and os.access(built, os.X_OK):
        return built
    path = os.path.join(_kept_directory(), f"scenario{bits}")
    _compile([segtest.which("gcc", "clang", "cc"), "-std=gnu17", "-O2", "-pie", "-fPIE",
              *(["-m32"] if bits == 32 else []),
              os.path.join(os.path.dirname(os.path.abspath(__file__)), "scenario.c"),
              "-o", path, "-ldl", "-lpthread"], f"the scenario program in {bits} bits")
    return path


def _remove(directory):
    """Remove a directory, with what overlayfs leaves in it: a directory that nobody may enter."""
    def let_in(_function, path, _error):
        with contextlib.suppress(OSError):
            os.chmod(path, 0o700)

    shutil.rmtree(directory, onerror=let_in)
    shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def workspace(who="any"):
    """An empty directory that belongs to the one who asks, under a path that all can walk."""
    directory = tempfile.mkdtemp(prefix="segmap-scenario-")
    try:
        os.chmod(directory, 0o755)
        if uid_of(who) is not None:
            os.chown(directory, uid_of(who), uid_of(who))
        yield directory
    finally:
        _remove(directory)


def own(who, *paths):
    """Give these files to the one who asks."""
    if uid_of(who) is not None:
        for path in paths:
            os.chown(path, uid_of(who), uid_of(who))


# Situations.

class Situation:
    """A running scenario: pid, and what it said as values (addresses and ranges by number)."""

    def __init__(self, process, values):
        self.process = process
        self.values = values
        self.pid = int(values.get(b"pid", process.pid))

    def __contains__(self, key):
        return key.encode() in self.values

    def address(self, key):
        return int(self.values[key.encode()], 16)

    def range(self, key):
        start, end = self.values[key.encode()].split(b"-")
        return int(start, 16), int(end, 16)

    def addresses(self, prefix):
        """All values whose key begins so, as {rest of the key: address}."""
        prefix = prefix.encode()
        return {key[len(prefix):].decode(): int(value, 16)
                for key, value in self.values.items() if key.startswith(prefix)}


NEVER_WAITING = ("map-loop", "exec-loop", "short-lived")


@contextlib.contextmanager
def situation(name, *arguments, who="any", executable=None, bits=64, **options):
    """The scenario program in one of its situations, for the time of the block."""
    if executable is None:
        executable = scenario_program(bits)
    with started([executable, name, *arguments], who, **options) as found:
        # It says that it is ready before it waits, and to wait can cost it a page.
        if name not in NEVER_WAITING:
            segtest.wait_until(lambda: segtest.asleep(found.pid), "a process that waits")
        yield found


@contextlib.contextmanager
def started(command, who="any", **options):
    """Any program that says "ready"; what it said before that is in the values."""
    uid = uid_of(who)
    if uid is not None and "user" not in options:
        options.update(user=uid, group=uid, extra_groups=[])
    options.setdefault("stderr", subprocess.PIPE)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **options)
    try:
        values = {}
        for line in process.stdout:
            if line == b"ready\n":
                break
            key, _, value = line.rstrip(b"\n").partition(b"=")
            values[key] = value
        else:
            status = process.wait()
            why = process.stderr.read().decode("utf-8", "replace").strip()
            if status == STATUS_LACKING:
                raise segtest.Skip(why)
            raise AssertionError(f"{command}: status {status}: {why}")
        yield Situation(process, values)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        if process.stderr:
            process.stderr.close()


# Witnesses.

class Section:
    def __init__(self, name, kind, vaddr, off, size, flags):
        self.name, self.kind, self.flags = name, kind, flags
        self.vaddr, self.off, self.size = vaddr, off, size

    @property
    def occupies_memory(self):
        """.tbss has an address and a size and is not there."""
        return ("A" in self.flags and self.size > 0
                and not ("T" in self.flags and self.kind == "NOBITS"))


class Segment:
    def __init__(self, index, kind, off, vaddr, filesz, memsz, flags, align):
        self.index, self.kind, self.flags = index, kind, flags
        self.off, self.vaddr, self.filesz, self.memsz = off, vaddr, filesz, memsz
        self.align = align

    @property
    def perms(self):
        return "".join(c if f in self.flags else "-" for c, f in zip("rwx", "RWE")) + "p"

    def holds(self, vaddr, size=1):
        return self.vaddr <= vaddr and vaddr + size <= self.vaddr + self.memsz


_SECTION = re.compile(r"^\s*\[\s*(\d+)\] (.*?)\s+([A-Z_][A-Z0-9_+<>: a-z]*?)\s+([0-9a-f]{8,16})"
                      r" ([0-9a-f]{6,}) ([0-9a-f]{6,}) [0-9a-f]{2,} {1,3}([A-Za-z]*)"
                      r"\s+\d+\s+\d+\s+\d+$")
_SEGMENT = re.compile(r"^  ([A-Z_]+)\s+0x([0-9a-f]+) 0x([0-9a-f]+) 0x[0-9a-f]+ 0x([0-9a-f]+)"
                      r" 0x([0-9a-f]+) ([R ][W ][E ]) (\S+)$")


class Elf:
    """A file as readelf reads it."""

    def __init__(self, path):
        text = subprocess.run([segtest.which("readelf"), "-W", "-S", "-l", "-n", path],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True,
                              env=dict(os.environ, LC_ALL="C")).stdout.decode("utf-8", "replace")
        self.sections, self.segments, self.build_id = [], [], None
        for line in text.splitlines():
            section, segment = _SECTION.match(line), _SEGMENT.match(line)
            if section:
                _, name, kind, vaddr, off, size, flags = section.groups()
                self.sections.append(Section(name, kind, int(vaddr, 16), int(off, 16),
                                             int(size, 16), flags))
            elif segment:
                kind, off, vaddr, filesz, memsz, flags, align = segment.groups()
                self.segments.append(Segment(len(self.segments), kind, int(off, 16),
                                             int(vaddr, 16), int(filesz, 16), int(memsz, 16),
                                             flags, int(align, 16)))
            elif "Build ID:" in line:
                self.build_id = line.split(":")[1].strip()

    @property
    def loads(self):
        return [s for s in self.segments if s.kind == "LOAD"]

    @property
    def relro(self):
        found = [s for s in self.segments if s.kind == "GNU_RELRO"]
        return found[0] if found else None

    @property
    def span(self):
        """Page-rounded, from the first to the last byte of all PT_LOADs."""
        return (page_down(min(s.vaddr for s in self.loads)),
                page_up(max(s.vaddr + s.memsz for s in self.loads)))

    @property
    def mapped(self):
        """Sections whose bytes a PT_LOAD maps: what may be labelled, and must be."""
        return [s for s in self.sections if s.occupies_memory
                and any(load.holds(s.vaddr, s.size) for load in self.loads)]

    def section(self, name):
        return next(s for s in self.sections if s.name == name)


def maps(pid):
    """segtest.maps(), for names of any bytes: only a newline ends a row."""
    rows = []
    with open(f"/proc/{pid}/maps", "rb") as file:
        for line in file.read().split(b"\n")[:-1]:
            addresses, perms, off, dev, inode, name = (line.split(b" ", 5) + [b""])[:6]
            start, end = (int(x, 16) for x in addresses.split(b"-"))
            rows.append((start, end, perms.decode(), int(off, 16), dev.decode(), int(inode),
                         name.lstrip(b" ")))
    return rows


def page_down(address):
    return address & -PAGE


def page_up(address):
    return page_down(address + PAGE - 1)


def same_text(got, name):
    """Does JSON have these bytes? How many U+FFFD stand for a run of bad ones is not promised."""
    expected = os.fsencode(name).decode("utf-8", "replace")
    return re.sub("\ufffd+", "\ufffd", got) == re.sub("\ufffd+", "\ufffd", expected)


# Asking segmap.

def assert_safe(text, what="standard output"):
    """These bytes can do nothing to a terminal but start a new line."""
    text = text.decode("utf-8")
    for index, char in enumerate(text):
        assert char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Zl", "Zp"), (
            f"{what} has U+{ord(char):04X} at {index}: {text[max(0, index - 40):][:80]!r}")


def assert_error_lines(result):
    """What stands on standard error is segmap's, line by line, and safe."""
    assert_safe(result.err, "standard error")
    for line in result.error_text.splitlines():
        assert line.startswith("segmap: "), f"standard error has {line!r}"


@functools.lru_cache(maxsize=None)
def has_option(option):
    """Does --help know this option? Not everything that was promised is there at once."""
    text = segtest.segmap("--help").text
    return re.search(rf"(?m)(^|[\s,\[]){re.escape(option)}\b", text) is not None


class Seen:
    """A JSON document with what one wants to ask of it."""

    def __init__(self, document):
        self.document = document
        self.images = document["images"]
        self.vmas = document["vmas"]
        self.notes = document.get("notes") or []

    def image(self, path=None, bias=None, role=None):
        """The one image with this path, bias or role; None: any."""
        found = [i for i in self.images
                 if (path is None or same_text(i["path"], path))
                 and (bias is None or i["bias"] is not None and int(i["bias"], 16) == bias)
                 and (role is None or i["role"] == role)]
        assert len(found) == 1, (
            f"{len(found)} images, not 1, with path {path}, bias {bias and hex(bias)}, role {role};"
            f" there are {[(i['path'], i['role'], i['bias'], i['status']) for i in self.images]}")
        return found[0]

    def has_image(self, path):
        return any(same_text(i["path"], path) for i in self.images)

    def vmas_of(self, image):
        return [v for v in self.vmas if v.get("image") == image["id"]]

    def vma_at(self, address):
        for vma in self.vmas:
            if int(vma["start"], 16) <= address < int(vma["end"], 16):
                return vma
        raise AssertionError(f"no VMA at {address:#x}")

    def piece_at(self, address):
        vma = self.vma_at(address)
        for piece in vma["pieces"]:
            if int(piece["start"], 16) <= address < int(piece["end"], 16):
                return piece
        raise AssertionError(f"no piece at {address:#x} of {vma}")

    def owner_at(self, address):
        """The image id that the byte at this address belongs to."""
        return self.piece_at(address).get("image", self.vma_at(address)["image"])

    def segment_at(self, address):
        return self.piece_at(address).get("segment", self.vma_at(address).get("segment"))

    def expected_at(self, address):
        """The permissions that PT_LOAD and RELRO call for at this address."""
        return self.piece_at(address).get("expected_perms",
                                          self.vma_at(address).get("expected_perms"))

    def pieces_of(self, image):
        return [p for v in self.vmas for p in v["pieces"]
                if p.get("image", v.get("image")) == image["id"]]

    def names_of(self, image, kind="section"):
        return {p["name"] for p in self.pieces_of(image) if p["kind"] == kind}

    def notes_on(self, text):
        return [note for note in self.notes if text in note]


def assert_rows(seen, pid):
    """The VMAs are /proc/PID/maps: no row more or less, no number other."""
    rows = maps(pid)
    assert len(seen.vmas) == len(rows), f"{len(seen.vmas)} VMAs, and {len(rows)} lines of maps"
    for vma, row in zip(seen.vmas, rows):
        start, end, perms, off, dev, inode, name = row
        got = (int(vma["start"], 16), int(vma["end"], 16), vma["perms"], vma["offset"])
        assert got == row[:4], f"{vma} is not {row}"
        assert vma.get("inode") in (inode, None if inode == 0 else inode), f"{vma} is not {row}"
        assert vma.get("dev") in (dev, None if inode == 0 else dev), f"{vma} is not {row}"
        assert same_text(vma.get("name") or "", name), f"{vma} is not {row}"


def look(pid, who="any", rows=True):
    """Ask segmap about a process that stands still, as JSON and as text; return what was Seen.

    What holds for every answer is checked here: the schema, the rows of /proc/PID/maps, pieces that
    cover, and output that does nothing to a terminal.
    """
    seen = Seen(segtest.document(str(pid), as_user=uid_of(who)))
    assert seen.document["source"] == "process" and seen.document["pid"] == pid
    assert not seen.document.get("changed"), "a process that stands still is said to have changed"
    if rows:
        assert_rows(seen, pid if not os.path.exists(f"/proc/{pid}/task") else living(pid))
    text = segtest.segmap(str(pid), as_user=uid_of(who))
    assert text.status == 0, f"as text: exit status {text.status}: {text.error_text}"
    assert_safe(text.out)
    assert_error_lines(text)
    for image in seen.images:
        if image["status"] in ("unreadable", "malformed"):
            assert image.get("error"), f"{image['path']} is {image['status']} without a reason"
    return seen


def living(pid):
    """pid, or a thread of it that lives, where the main thread has gone."""
    for tid in [pid, *sorted(int(t) for t in os.listdir(f"/proc/{pid}/task"))]:
        with open(f"/proc/{tid}/stat", encoding="latin-1") as file:
            if file.read().rpartition(")")[2].split()[0] != "Z":
                return tid
    return pid


def assert_bias(image, bias):
    assert image["bias"] == f"{bias:#x}", (
        f"{image['path']} ({image['status']}): bias {image['bias']}, not {bias:#x}")


def assert_sections(seen, image, elf, bias, without=(), elf_off=0):
    """Every byte of every section that is mapped is labelled with it, and no other byte is.

    without: ranges that the process has unmapped. elf_off: where the ELF file is inside its file.
    """
    assert_bias(image, bias)
    expected = [(bias + s.vaddr, bias + s.vaddr + s.size, s.name) for s in elf.mapped]
    pieces = [(int(p["start"], 16), int(p["end"], 16), p["name"])
              for p in seen.pieces_of(image) if p["kind"] == "section"]
    for start, end, name in pieces:
        assert any(e_start <= start and end <= e_end and name == e_name
                   for e_start, e_end, e_name in expected), (
            f"{image['path']}: {name} is shown at {start:#x}-{end:#x}; readelf has it at "
            f"{[(hex(s), hex(e)) for s, e, n in expected if n == name]}")
    for start, end, name in expected:
        holes = sum(max(0, min(end, w_end) - max(start, w_start)) for w_start, w_end in without)
        shown_bytes = sum(p_end - p_start for p_start, p_end, p_name in pieces
                          if p_name == name and start <= p_start and p_end <= end)
        assert shown_bytes == end - start - holes, (
            f"{image['path']}: {shown_bytes} bytes of {name} are shown, not {end - start - holes}")
    assert_segments(seen, image, elf, bias)
    assert_spill(seen, image, elf, bias, elf_off)


def assert_segments(seen, image, elf, bias):
    """Each section is in the segment whose addresses it has."""
    told = [(s["index"], s["type"], s["offset"], int(s["vaddr"], 16), s["filesz"], s["memsz"])
            for s in image["segments"]]
    assert told == [(s.index, s.kind, s.off, s.vaddr, s.filesz, s.memsz)
                    for s in elf.segments if s.kind in ("LOAD", "GNU_RELRO")], told
    for piece in seen.pieces_of(image):
        if piece["kind"] != "section":
            continue
        start, end = int(piece["start"], 16), int(piece["end"], 16)
        index = seen.segment_at(start)
        assert any(load.index == index and load.holds(start - bias, end - start)
                   for load in elf.loads), f"{piece} is not in PT_LOAD {index}"


def assert_spill(seen, image, elf, bias, elf_off=0):
    """Bytes of a page that are another segment's are named after what they are in the file."""
    for piece in seen.pieces_of(image):
        if piece["kind"] != "spill":
            continue
        start, end = int(piece["start"], 16), int(piece["end"], 16)
        assert not any(load.vaddr < end - bias and start - bias < load.vaddr + load.memsz
                       for load in elf.loads
                       if load.index == seen.segment_at(start)), f"{piece} is in its own segment"
        if piece["name"].startswith("["):
            continue
        off = piece["offset"] - elf_off
        assert any(s.name == piece["name"] and s.kind != "NOBITS" and s.off <= off
                   and off + piece["size"] <= s.off + s.size for s in elf.sections), (
            f"{piece} is not there in the file")


def assert_kinds(seen, image, elf, bias):
    """The VMAs of an image that nobody has changed are segment, relro, bss and gap."""
    relro = elf.relro and (page_down(elf.relro.vaddr + bias),
                           page_down(elf.relro.vaddr + elf.relro.memsz + bias))
    for vma in seen.vmas_of(image):
        start, end = int(vma["start"], 16), int(vma["end"], 16)
        in_relro = relro and relro[0] <= start and end <= relro[1]
        if vma["perms"] == "---p":
            kinds = {"gap"}
        elif not vma["inode"]:  # mold's padding of RELRO can be pages, and is both
            kinds = {"bss", "relro"} if in_relro else {"bss"}
        else:
            kinds = {"relro"} if in_relro else {"segment"}
        assert vma["kind"] in kinds, f"{vma['start']} is {vma['kind']}, not {kinds}"
    assert_no_drift(seen, image)


def assert_no_drift(seen, image):
    """Permissions are what the program headers call for, all over the image."""
    for vma in seen.vmas_of(image):
        for piece in vma["pieces"]:
            expected = piece.get("expected_perms", vma.get("expected_perms"))
            assert expected in (None, vma["perms"]), (
                f"{image['path']}: {vma['start']} is {vma['perms']}, expected: {expected}")


# File systems for a while.

def mounted(path):
    with open("/proc/self/mountinfo", "rb") as file:
        return any(line.split()[4] == os.fsencode(path) for line in file)


@contextlib.contextmanager
def btrfs(directory):
    """A btrfs in a file of this directory, mounted beside it."""
    segtest.need_root()
    make = segtest.which("mkfs.btrfs")
    image, point = os.path.join(directory, "btrfs.img"), os.path.join(directory, "btrfs")
    with open(image, "wb") as file:
        file.truncate(128 << 20)
    subprocess.run([make, "-q", image], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.mkdir(point)
    result = subprocess.run(["mount", "-o", "loop", image, point], stdin=subprocess.DEVNULL,
                            stderr=subprocess.PIPE)
    if result.returncode != 0:
        raise segtest.Skip("cannot mount btrfs: "
                           + result.stderr.decode("utf-8", "replace").strip())
    try:
        yield point
    finally:
        subprocess.run(["umount", "-l", point], check=True)


@contextlib.contextmanager
def tmpfs(directory):
    """A tmpfs mounted in this directory, which may be unmounted already at the end."""
    segtest.need_root()
    point = os.path.join(directory, "tmpfs")
    os.mkdir(point)
    result = subprocess.run(["mount", "-t", "tmpfs", "segmap", point], stderr=subprocess.PIPE)
    if result.returncode != 0:
        raise segtest.Skip("cannot mount tmpfs: "
                           + result.stderr.decode("utf-8", "replace").strip())
    try:
        yield point
    finally:
        if mounted(point):
            subprocess.run(["umount", "-l", point], check=True)
