"""segmap --core: dumps of the kernel and of gdb's gcore against the live process they were made of."""
import contextlib
import glob
import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

import segtest
from doors import (SIMPLE, check_message, compiled, described, loads, sections, workspace,
                   zoo_entry)

sys.path.insert(0, os.path.join(segtest.SOURCE, "tests", "scenarios"))
from situations import situation  # noqa: E402

VARIANTS = ["gcc-pie", "gcc-no-pie", "gcc-static", "gcc-static-pie", "gcc-m32-pie", "gcc-m32-static",
            "gcc-no-build-id", "gcc-norelro", "gcc-library", "lld-library", "lld-max-page-64k",
            "mold-library", "mold-m32-pie", "gold-library", "musl-pie", "musl-static-pie"]
PAGE = os.sysconf("SC_PAGESIZE")


def allow_dump():
    resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))


@contextlib.contextmanager
def dumpable(name, directory):
    """A program of the zoo that can be dumped into this directory."""
    with segtest.running([zoo_entry(name)["program"]], ready=b"ready", cwd=directory,
                         preexec_fn=allow_dump) as process:
        yield process


def dump_by_kernel(process, directory):
    """Kill the process and have the kernel dump it."""
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as file:
        pattern = file.read().strip()
    if not re.fullmatch(r"[\w.%-]+", pattern):
        raise segtest.Skip(f"needs a core_pattern that is a name, not {pattern}")
    process.send_signal(signal.SIGQUIT)
    process.wait()
    found = [path for path in glob.glob(os.path.join(directory, "*"))
             if open(path, "rb").read(4) == b"\x7fELF"]
    if not found:
        raise segtest.Skip("the kernel has not written a core dump")
    (path,) = found
    return path


def dump_by_gdb(process, directory):
    path = os.path.join(directory, "dump")
    result = subprocess.run([segtest.which("gcore"), "-o", path, str(process.pid)], capture_output=True,
                            env=dict(os.environ, DEBUGINFOD_URLS=""), check=False)
    if not os.path.exists(f"{path}.{process.pid}"):
        raise segtest.Skip("gcore: " + result.stderr.decode("utf-8", "replace")[-200:])
    return f"{path}.{process.pid}"


DUMPERS = {"kernel": dump_by_kernel, "gdb": dump_by_gdb}


def fits(known, seen):
    """Permissions that the core does not contradict; it never says whether a VMA is shared."""
    return seen[3] == "?" and all(b in ("?", a) for a, b in zip(known, seen))


def by_address(document):
    return {(v["start"], v["end"]): described(document, v) for v in document["vmas"]}


def check_against_live(live, core, dumper):
    # The same sections at the same addresses, vdso included.
    expected, found = sections(live), sections(core)
    assert expected == found, {k: (expected.get(k), found.get(k)) for k in set(expected) | set(found)
                               if expected.get(k) != found.get(k)}
    assert any(key[0] == "[vdso]" for key in found), "no sections of the vdso"
    want, have = by_address(live), by_address(core)
    missing = set(want) - set(have)
    kinds = {want[key]["kind"] for key in missing}
    # gdb leaves out what it cannot read; the kernel nothing.
    assert kinds <= ({"vvar", "anon", "gap", "heap"} if dumper == "gdb" else set()), kinds
    assert not set(have) - set(want), set(have) - set(want)
    for key, vma in have.items():
        one = want[key]
        assert fits(one["perms"], vma["perms"]), (one, vma)
        if one["kind"] != "heap":  # nothing in a core says what the heap is
            assert one["kind"] == vma["kind"], (one, vma)
        assert (one["image"], one["bias"], one["segment"], one["pieces"]) == (
            vma["image"], vma["bias"], vma["segment"], vma["pieces"]), (one, vma)
    roles = {(i["path"], i["bias"]): i["role"] for i in core["images"]}
    assert all(roles[i["path"], i["bias"]] == i["role"] for i in live["images"]), roles


@segtest.parameters(*[f"{variant},{dumper}" for variant in VARIANTS for dumper in DUMPERS])
def core_has_the_sections_of_the_live_process(parameters):
    variant, dumper = parameters.split(",")
    with workspace() as directory, dumpable(variant, directory) as process:
        segtest.bring_in_vdso(process.pid)
        live = segtest.document(process.pid)
        path = DUMPERS[dumper](process, directory)
        core = segtest.document("--core", path)
        assert (core["source"], core["target"], core["pid"]) == ("core", path, live["pid"]), core
        # gdb has the program's base name for it, of 16 bytes.
        assert core["comm"][:15] == live["comm"] and core["page_size"] == PAGE, core["comm"]
        assert core["command"][0] == live["command"][0][:79], core["command"]
        check_against_live(live, core, dumper)
        held = sum(v["dumped"] for v in core["vmas"])
        assert 0 < held < sum(v["size"] for v in core["vmas"])
        assert any("was left out" in note for note in core["notes"]), core["notes"]
        readelf = subprocess.run([segtest.which("readelf"), "-lW", path], capture_output=True, text=True,
                                 check=False).stdout.splitlines()
        assert held == sum(int(f[4], 16) for f in map(str.split, readelf) if f and f[0] == "LOAD")


@segtest.claim
def every_form_shows_a_core():
    with workspace() as directory, dumpable("gcc-pie", directory) as process:
        path = dump_by_gdb(process, directory)
        lines = segtest.segmap("--core", path).text.splitlines()
        assert lines[0].startswith(f"{path}: {process.pid}: "), lines[0]
        assert any("???? " in line for line in lines) and lines[-1].startswith("note: ")
        raw = segtest.segmap("-r", "-o", "ADDRESS,SIZE,PERM,DUMPED,SOURCE", "--core", path)
        assert raw.status == 0 and any(" core" in line for line in raw.text.splitlines())
        assert len(segtest.segmap("-S", "-q", "--core", path).text.splitlines()) > len(raw.text.splitlines())


@segtest.claim
def gdb_does_not_say_what_can_be_read():
    with workspace() as directory, situation("threads", "2") as found:
        live = {(start, end): perms for start, end, perms, *_ in segtest.maps(found.pid)}
        core = segtest.document("--core", dump_by_gdb(found.process, directory))
        seen = {(int(v["start"], 16), int(v["end"], 16)): v["perms"] for v in core["vmas"]}
        guards = [key for key, perms in live.items() if perms == "---p" and key in seen]
        assert len(guards) >= 2 and all(seen[key] == "?--?" for key in guards), (live, seen)
        assert any(perms == "rw-?" for perms in seen.values()), seen
        assert all(fits(live[key], perms) for key, perms in seen.items()), (live, seen)


@segtest.parameters(*DUMPERS)
def memory_that_is_no_file_has_the_kind_it_has_in_the_live_process(dumper):
    with workspace() as directory, situation("memory-kinds", cwd=directory, preexec_fn=allow_dump) as found:
        live = {v["start"]: v for v in segtest.document(found.pid)["vmas"]}
        core = segtest.document("--core", DUMPERS[dumper](found.process, directory))
        for vma in core["vmas"]:
            one = live[vma["start"]]
            if one["kind"] != "heap":  # nothing in a core says what the heap is
                assert one["kind"] == vma["kind"], (one, vma)
        assert any(v["kind"] == "shm" and v["name"].startswith("/dev/zero") for v in core["vmas"]), core["vmas"]
        missing = [n.partition(": ")[0] for n in core["notes"] if "it is not there" in n]
        assert all(n.startswith(("/memfd:", "/dev/shm/")) for n in missing), missing


# ---- which file ----

def crashing(path, *flags):
    return compiled(path, *flags, source="""#include <stdio.h>
        #include <unistd.h>
        int main(void) { puts("ready"); fflush(stdout); pause(); }""")


def image_of(document, path):
    return next(i for i in document["images"] if i["path"] == path)


@segtest.claim
def file_on_disk_is_believed_by_its_build_id_alone():
    with workspace() as directory:
        program = crashing(os.path.join(directory, "program"), "-Wl,--build-id=0x11111111")
        with segtest.running([program], ready=b"ready") as process:
            path = dump_by_gdb(process, directory)
        core = segtest.document("--core", path)
        image = image_of(core, program)
        assert (image["status"], image["opened"], image["build_id"]) == ("ok", "path", "11111111"), image
        # Its very copy, at the same place.
        shutil.copy(program, program + ".new")
        os.rename(program + ".new", program)
        assert image_of(segtest.document("--core", path), program)["status"] == "ok"
        # The same code with another build-id.
        crashing(program, "-Wl,--build-id=0x22222222")
        core = segtest.document("--core", path)
        image = image_of(core, program)
        assert (image["status"], image["opened"], image["sections"]) == ("replaced", "core", "parts"), image
        assert (image["build_id"], image["path_build_id"]) == ("11111111", "22222222"), image
        assert any(program in n and "another" in n for n in core["notes"]), core["notes"]
        os.unlink(program)
        core = segtest.document("--core", path)
        image = image_of(core, program)
        assert (image["opened"], image["sections"], image["build_id"]) == ("core", "parts", "11111111"), image
        assert any(program in n and "not there" in n for n in core["notes"]), core["notes"]


@segtest.claim
def without_build_ids_the_headers_decide_and_it_is_said():
    with workspace() as directory:
        program = crashing(os.path.join(directory, "program"), "-Wl,--build-id=none")
        with segtest.running([program], ready=b"ready") as process:
            path = dump_by_gdb(process, directory)
        core = segtest.document("--core", path)
        assert image_of(core, program)["sections"] == "headers"
        assert any(program in n and "no build-id" in n for n in core["notes"]), core["notes"]
        compiled(program, "-Wl,--build-id=none", source="char more[9999] = { 1 }; int main(void) { }")
        assert image_of(segtest.document("--core", path), program)["status"] == "replaced"


PRIVATE_MEMORY = 0x23  # and nothing of a file but what was written to
WITH_HEADERS = 0x33    # the default: and the first page of each ELF file
WITH_FILES = 0x3f


def dumped(directory, what, *arguments):
    """The kernel's dump of the scenario program in this situation; what is for coredump_filter (core(5))."""
    target = tempfile.mkdtemp(dir=directory)
    with situation(*arguments, cwd=target, preexec_fn=allow_dump) as found:
        with open(f"/proc/{found.pid}/coredump_filter", "w", encoding="ascii") as file:
            file.write(hex(what))
        return dump_by_kernel(found.process, target)


@segtest.claim
def library_without_code_is_believed_by_its_build_id_alone():
    with workspace() as directory:
        library = os.path.join(directory, "library.so")
        flags = ["-shared", "-nostdlib", "-fPIC", "-Wl,--build-id"]
        other = compiled(os.path.join(directory, "other"), *flags, source="""
            __attribute__((section(".new"))) const char table[5000] = { 3 }; char written[100] = { 2 };""")
        compiled(library, *flags, source="""
            __attribute__((section(".old"))) const char table[5000] = { 1 }; char written[100] = { 2 };""")
        assert not any("E" in flags for *_, flags in loads(library)), loads(library)
        without, path = (dumped(directory, what, "plain", library)
                         for what in (PRIVATE_MEMORY, WITH_HEADERS))
        assert any(name == ".old" for _, _, name in sections(segtest.document("--core", path)))
        os.rename(other, library)
        core = segtest.document("--core", path)
        assert image_of(core, library)["status"] == "replaced", image_of(core, library)
        core = segtest.document("--core", without)
        assert not any(image["path"] == library for image in core["images"]), core["images"]
        assert any(library in n and "cannot be compared" in n for n in core["notes"]), core["notes"]


@segtest.claim
def build_id_that_is_not_in_the_dump_leaves_the_headers_to_decide_and_it_is_said():
    """patchelf moves it behind the first page, which is all that the kernel dumps of a file."""
    def make(path, build_id, more=""):
        return compiled(path, "-shared", "-nostdlib", "-fPIC", f"-Wl,--build-id={build_id}",
                        f"-Wl,--section-start=.note.gnu.build-id={2 * PAGE:#x}",
                        source="int function(void) { return 1; }" + more)

    def status(path):
        core = segtest.document("--core", path)
        image = image_of(core, library)
        return image["status"], image["sections"], [n.partition(": ")[2] for n in core["notes"] if library in n]

    taken = ("its build-id is not in the dump; the file at its path is taken for it because its headers are "
             "those in the dump")
    with workspace() as directory:
        library = make(os.path.join(directory, "library.so"), "0x11111111")
        first_page, whole = (dumped(directory, what, "plain", library)
                             for what in (WITH_HEADERS, WITH_FILES))
        assert status(whole) == ("ok", "headers", []), status(whole)
        assert status(first_page) == ("ok", "headers", [taken]), status(first_page)
        make(library, "0x22222222")
        assert status(whole)[0] == "replaced", status(whole)
        make(library, "0x11111111", "int data[5000] = { 1 };")
        assert status(first_page)[0] == "replaced", status(first_page)


def archive(path, *parts):
    """These files one after another in one that is no ELF file, from page-aligned offsets, which are returned."""
    offsets = []
    with open(path, "wb") as file:
        file.write(b"PK")
        for part in parts:
            offsets.append(file.seek(-(-file.tell() // PAGE) * PAGE))
            with open(part, "rb") as content:
                file.write(content.read())
    return offsets


@segtest.claim
def libraries_inside_an_archive_are_believed_by_their_build_ids_all_of_them():
    def statuses(core):
        document = segtest.document("--core", core)
        images = [i for i in document["images"] if i["path"] == path]
        notes = [n for n in document["notes"] if path in n]
        return sorted((i.get("elf_offset"), i["status"], i["sections"]) for i in images), notes

    with workspace() as directory:
        path = os.path.join(directory, "base.apk")
        apple, pear, plum = (
            compiled(os.path.join(directory, name), "-shared", "-nostdlib", "-fPIC", f"-Wl,--build-id={build_id}",
                     source="int function(void) { return 1; } int data[2000] = { 1 };")
            for name, build_id in (("apple", "0x11111111"), ("pear", "0x22222222"), ("plum", "0x33333333")))
        offsets = archive(path, apple, pear)
        headers, whole = (dumped(directory, what, "by-hand", path, *map(str, offsets))
                          for what in (WITH_HEADERS, WITH_FILES))
        assert statuses(whole) == ([(off, "ok", "headers") for off in offsets], []), statuses(whole)
        # The kernel looks for headers at the beginning of a file alone.
        found, notes = statuses(headers)
        assert found == [(None, "unreadable", "none")] and "cannot be compared" in notes[0], (found, notes)
        # One of them is there in part.
        with open(whole, "r+b") as file:
            content = file.read()
            file.seek(content.rindex(b"\x7fELF", 0, content.index(bytes.fromhex("22222222"))))
            file.write(bytes(4))
        found, notes = statuses(whole)
        assert [names for *_, names in found] == ["parts"], found
        assert any("not all of its headers" in note for note in notes), notes
        with open(whole, "wb") as file:
            file.write(content)
        # One of them is another.
        assert archive(path, apple, plum) == offsets
        found, notes = statuses(whole)
        assert found == [(off, "replaced", "parts") for off in offsets], found


@segtest.claim
def files_of_a_core_are_found_below_the_sysroot():
    with workspace() as directory:
        root = os.path.join(directory, "root")
        program = crashing(os.path.join(directory, "program"), "-Wl,--build-id=0x33333333")
        with segtest.running([program], ready=b"ready") as process:
            path = dump_by_gdb(process, directory)
        os.makedirs(root + directory)
        os.rename(program, root + program)
        core = segtest.document("--core", path, "--sysroot", root)
        assert image_of(core, program)["status"] == "ok", image_of(core, program)
        libc = next(i for i in core["images"] if "libc" in i["path"])
        assert libc["opened"] == "core" and any(root in n for n in core["notes"]), core["notes"]


# ---- cores made by hand, for machines that are not here ----

SHORT_UIDS = (3, 40)  # EM_386, EM_ARM: their prpsinfo has user ids of 16 bits


class Dump:
    """A core dump as some machine's kernel would write it."""

    def __init__(self, bits, order, machine):
        self.bits, self.order, self.machine = bits, order, machine
        self.loads, self.notes = [], b""

    def word(self, *values):
        return struct.pack(self.order + ("Q" if self.bits == 64 else "I") * len(values), *values)

    def note(self, kind, desc):
        pad = -len(desc) % 4
        self.notes += struct.pack(self.order + "III", 5, len(desc), kind) + b"CORE\0\0\0\0" + desc + bytes(pad)

    def auxv(self, *pairs):
        self.note(6, b"".join(self.word(*pair) for pair in pairs) + self.word(0, 0))

    def files(self, page, rows):
        desc = self.word(len(rows), page)
        desc += b"".join(self.word(start, end, off // page) for start, end, off, _ in rows)
        self.note(0x46494c45, desc + b"".join(os.fsencode(path) + b"\0" for *_, path in rows))

    def prpsinfo(self, pid, name, arguments):
        head = struct.pack(self.order + "BBBB", 0, ord("R"), 0, 0)
        head += (bytes(4) if self.bits == 64 else b"") + self.word(0)
        head += struct.pack(self.order + ("HH" if self.machine in SHORT_UIDS else "II"), 0, 0)
        self.note(3, head + struct.pack(self.order + "IIII", pid, 1, 1, 1)
                  + name.ljust(16, b"\0") + arguments.ljust(80, b"\0"))

    def load(self, start, size, flags, data=b""):
        self.loads.append((start, size, flags, data))

    def bytes(self, phnum=None):
        count = len(self.loads) + 1
        ehdr_size, phdr_size = (64, 56) if self.bits == 64 else (52, 32)
        at = ehdr_size + count * phdr_size
        rows = [(4, 0, at, 0, len(self.notes), 0, 0)]
        body = bytearray(self.notes)
        for start, size, flags, data in self.loads:
            rows.append((1, flags, at + len(body), start, len(data), size, PAGE))
            body += data
        head = b"\x7fELF" + bytes([2 if self.bits == 64 else 1, 1 if self.order == "<" else 2, 1])
        head = head.ljust(16, b"\0") + struct.pack(self.order + "HHI", 4, self.machine, 1)
        head = bytearray(head + self.word(0, ehdr_size, 0))
        head += struct.pack(self.order + "IHHHHHH", 0, ehdr_size, phdr_size, phnum or count, 0, 0, 0)
        for kind, flags, off, addr, filesz, memsz, align in rows:
            if self.bits == 64:
                head += struct.pack(self.order + "II", kind, flags) + self.word(off, addr, 0, filesz, memsz, align)
            else:
                head += struct.pack(self.order + "IIIIIIII", kind, off, addr, 0, filesz, memsz, flags, align)
        return bytes(head + body)


# target, bits, byte order, EM_ number, its name, the machine's page size, flags
MACHINES = {
    "aarch64": ("aarch64-linux-gnu", 64, "<", 183, "AARCH64", 4096, []),
    "aarch64-64k": ("aarch64-linux-gnu", 64, "<", 183, "AARCH64", 65536, []),
    "mips": ("mips-linux-gnu", 32, ">", 8, "MIPS", 4096, ["-mno-abicalls", "-G0"]),
    "ppc64": ("powerpc64-linux-gnu", 64, ">", 21, "PPC64", 65536, []),
    "arm": ("arm-linux-gnueabihf", 32, "<", 40, "ARM", 4096, ["-march=armv7-a"]),
}


def guest_dump(directory, machine, page_size_known=True):
    """A core of a static program for this machine: (its path, the program's, its PT_LOADs)."""
    target, bits, order, number, _, page, flags = MACHINES[machine]
    guest = compiled(os.path.join(directory, "guest"), f"--target={target}", "-fno-pic", "-ffreestanding",
                     "-nostdlib", "-static", "-fuse-ld=lld", "-Wl,-z,max-page-size=65536",
                     "-Wl,--build-id=sha1", *flags, source=SIMPLE, compiler="clang")
    with open(guest, "rb") as file:
        content = file.read()
    dump, files = Dump(bits, order, number), []
    for off, vaddr, filesz, memsz, flags in loads(guest):
        start, end = vaddr & -page, -(-(vaddr + filesz) // page) * page
        files.append((start, end, off & -page, guest))
        prot = sum({"R": 4, "W": 2, "E": 1}.get(c, 0) for c in flags)
        # The kernel dumps the page with the ELF header, and what was written to.
        first = off & -page
        kept = PAGE if first == 0 else end - start if prot & 2 else 0
        dump.load(start, end - start, prot, content[first:first + kept].ljust(kept, b"\0"))
        if -(-(vaddr + memsz) // page) * page > end:
            dump.load(end, -(-(vaddr + memsz) // page) * page - end, 6)
    dump.load(0x7fff0000, 2 * 65536, 6, b"stack" * 10)
    dump.prpsinfo(4321, b"guest", b"./guest one two ")
    if page_size_known:
        dump.auxv((6, page), (3, loads(guest)[0][1] + 64), (25, 0x7fff0010))
    dump.files(page, files)
    path = os.path.join(directory, "core")
    with open(path, "wb") as file:
        file.write(dump.bytes())
    witness = subprocess.run([segtest.which("eu-readelf"), "-n", path], capture_output=True, text=True,
                             check=False).stdout
    # It knows the notes of these machines; MIPS is not among them.
    assert machine == "mips" or (guest in witness and "4321" in witness), witness[:500]
    return path, guest, loads(guest)


@segtest.parameters(*MACHINES)
def core_of_another_machine_is_read_in_its_own_byte_order(machine):
    *_, name, page, _ = MACHINES[machine]
    with workspace() as directory:
        path, guest, headers = guest_dump(directory, machine)
        core = segtest.document("--core", path)
        assert (core["pid"], core["comm"], core["command"]) == (4321, "guest", ["./guest", "one", "two"])
        assert core["page_size"] == page, core["page_size"]
        (image,) = core["images"]
        assert (image["path"], image["role"], image["machine"], image["status"], image["opened"]) == (
            guest, "program", name, "ok", "path"), image
        assert int(image["bias"], 16) == 0, image
        segments = [v for v in core["vmas"] if v["kind"] in ("segment", "relro")]
        assert len(segments) >= len(headers) - 1, core["vmas"]
        code = [v for v in segments if "x" in v["perms"]]
        # That machine executes it, so it is expected to be executable.
        assert code and all(v["expected_perms"] == "r-xp"[:3] + "?" or v["expected_perms"] == "r-xp"
                            for v in code), code
        assert any(p["name"] == ".text" for v in code for p in v["pieces"])
        assert [v["kind"] for v in core["vmas"]][-1] == "stack", core["vmas"][-1]
        where = {p["name"]: p["start"] for v in segments for p in v["pieces"] if p["kind"] == "section"}
        listed = subprocess.run([segtest.which("readelf"), "-SW", guest], capture_output=True, text=True,
                                check=True).stdout
        for section, addr, size in re.findall(r"\] (\.[\w.]+) +(?:PROGBITS|NOTE) +(\w+) +\w+ +(\w+)", listed):
            if int(addr, 16) and int(size, 16):
                assert int(where[section], 16) == int(addr, 16), (section, addr, where)


@segtest.claim
def page_size_that_a_core_does_not_tell_is_the_machines_usual_one_or_the_users():
    with workspace() as directory:
        path, *_ = guest_dump(directory, "ppc64", page_size_known=False)
        core = segtest.document("--core", path)
        assert core["page_size"] == 65536 and any("65536 bytes" in n for n in core["notes"]), core["notes"]
        assert segtest.document("--core", path, "--page-size", "4096")["page_size"] == 4096


@segtest.claim
def more_than_65534_vmas_are_counted_in_a_section_header():
    """PN_XNUM: e_phnum is 65535, the number is sh_info of section header 0."""
    rows = 66000
    dump = Dump(64, "<", 62)
    for i in range(rows):
        dump.load(0x10000000 + i * 0x2000, 0x1000, 6)
    content = bytearray(dump.bytes(phnum=0xffff))
    struct.pack_into("<Q", content, 0x28, len(content))  # e_shoff
    struct.pack_into("<H", content, 0x3a, 64)
    content += struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 1, 0, rows + 1, 0, 0)
    with workspace() as directory:
        path = os.path.join(directory, "core")
        with open(path, "wb") as file:
            file.write(content)
        result = segtest.segmap("-q", "-r", "--core", path)
        assert result.status == 0 and len(result.text.splitlines()) == rows, result.error_text


@segtest.claim
def files_of_a_core_take_no_descriptor_each():
    dump = Dump(64, "<", 62)
    dump.load(0x10000, PAGE, 6)
    with workspace() as directory:
        starts = range(0x100000, 0x100000 + 600 * PAGE, 2 * PAGE)
        dump.files(PAGE, [(start, start + PAGE, 0, f"{directory}/none-{start:x}") for start in starts])
        path = os.path.join(directory, "core")
        with open(path, "wb") as file:
            file.write(dump.bytes())
        core = segtest.document("--core", path, preexec_fn=lambda:
                                resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)))
        assert sum("it is not there" in note for note in core["notes"]) == 300, core["notes"][:5]


# ---- bad input ----

def simple_dump():
    dump = Dump(64, "<", 62)
    dump.load(0x10000, 0x1000, 6, b"x" * 0x1000)
    dump.load(0x20000, 0x3000, 4, b"y" * 0x2000)
    dump.prpsinfo(77, b"name", b"name")
    return dump.bytes()


@segtest.claim
def what_is_no_core_is_an_error_that_says_what_it_is():
    with workspace() as directory:
        path = os.path.join(directory, "file")
        for content, words in ((b"", "no core dump"), (b"#!/bin/sh\n", "no core dump"),
                               (b"\x28\xb5\x2f\xfd" + bytes(100), "zstd"),
                               (b"\x1f\x8b" + bytes(100), "gzip"),
                               (b"\x7fELF" + bytes(100), "class"), (simple_dump()[:40], "truncated"),
                               (simple_dump()[:100], "truncated")):
            with open(path, "wb") as file:
                file.write(content)
            check_message(segtest.segmap("--core", path), 1, path, words)
            check_message(segtest.segmap("-J", "--core", path), 1, path, words)
        check_message(segtest.segmap("--core", segtest.SEGMAP), 1, "program or library")
        check_message(segtest.segmap("--core", directory), 1, directory, "regular file")
        check_message(segtest.segmap("--core", "/dev/zero"), 1, "/dev/zero", "regular file")
        check_message(segtest.segmap("--core", directory + "/none"), 1, "/none", "No such file")
        os.mkfifo(os.path.join(directory, "pipe"))
        check_message(segtest.segmap("--core", os.path.join(directory, "pipe"), timeout=5), 1, "regular")
        content = bytearray(simple_dump())
        struct.pack_into("<H", content, 0x38, 0)  # e_phnum
        with open(path, "wb") as file:
            file.write(content)
        check_message(segtest.segmap("--core", path), 1, "no program headers")


@segtest.claim
def truncated_core_shows_what_is_there_and_says_so():
    with workspace() as directory:
        path = os.path.join(directory, "core")
        whole = simple_dump()
        with open(path, "wb") as file:
            file.write(whole[:-0x1800])
        core = segtest.document("--core", path)
        assert [v["dumped"] for v in core["vmas"]] == [0x1000, 0x800], core["vmas"]
        assert any("truncated: 6144 bytes" in note for note in core["notes"]), core["notes"]
        # Every length: an answer or an error, never a crash.
        for size in segtest.some([*range(0, 600, 7), *range(600, len(whole), 997)]):
            with open(path, "wb") as file:
                file.write(whole[:size])
            result = segtest.segmap("-J", "--core", path)
            assert result.status in (0, 1), (size, result.status, result.error_text)
            if result.status == 0:
                segtest.validate(json.loads(result.text))
            else:
                check_message(result, 1, path)


@segtest.claim
def loads_in_one_another_do_not_move_what_was_dumped():
    """No dumper writes them: the two short ones lie in the long one, which has a library's page behind them."""
    library = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    library += struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 0x1000, 0x1000, 0x1000)
    dump = Dump(64, "<", 62)
    dump.load(0x100000, 0x3000, 5, bytes(0x2000) + library.ljust(0x1000, b"\0"))
    dump.load(0x100100, 0x100, 5, b"x" * 0x100)
    dump.load(0x100300, 0x100, 5, b"y" * 0x100)
    with workspace() as directory:
        gone, path = os.path.join(directory, "gone.so"), os.path.join(directory, "core")
        dump.files(0x1000, [(0x102000, 0x103000, 0, gone)])
        with open(path, "wb") as file:
            file.write(dump.bytes())
        core = segtest.document("--core", path)
        image = image_of(core, gone)
        assert (image["opened"], image["bias"], len(image["segments"])) == ("core", "0x102000", 1), image


@segtest.claim
def headers_that_lie_are_survived():
    whole = simple_dump()
    with workspace() as directory:
        path = os.path.join(directory, "core")
        for at in segtest.some(range(16, 64 + 56 * 3 + 60)):
            for value in (0x00, 0x7f, 0xff):
                content = bytearray(whole)
                content[at] = value
                with open(path, "wb") as file:
                    file.write(content)
                result = segtest.segmap("-J", "--core", path)
                assert result.status in (0, 1), (at, value, result.status, result.error_text)
                if result.status == 0:
                    segtest.check_layout(json.loads(result.text))


segtest.main()
