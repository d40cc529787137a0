"""What files claim costs nothing: sizes and counts are believed only as far as there are bytes, and below limits.

Each file is sparse, or small, and claims very much. segmap ends with a message or a map, the right status,
and without the memory that the file asks for. That it ends at all is what the time limit is for.
"""
import contextlib
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile

import segtest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_seeds  # noqa: E402

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
MOST_MEMORY = 256 * MIB  # of any of these runs, whatever its file claims
NAMES = b"\0.a\0.b\0"


def ehdr(phnum, kind=3, phoff=64, shoff=0, shnum=0, shstrndx=0):
    return b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", kind, 62, 1, 0, phoff, shoff, 0, 64, 56, phnum,
                                                     64, shnum, shstrndx)


def phdr(kind, off, vaddr, filesz, memsz=None, flags=5, align=4096):
    return struct.pack("<IIQQQQQQ", kind, flags, off, vaddr, vaddr, filesz, filesz if memsz is None else memsz, align)


def shdr(name, kind, addr, off, size, link=0, info=0):
    return struct.pack("<IIQQQQIIQQ", name, kind, 2, addr, off, size, link, info, 1, 0)


LOAD = phdr(PT_LOAD, 0, 0, 4096)


class Files:
    """A directory of files, each of some pieces at offsets and, if size is given, of that length."""

    def __init__(self, directory):
        self.directory = directory

    def make(self, name, *pieces, size=0):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            for offset, data in pieces:
                file.seek(offset)
                file.write(data)
            if size:
                file.truncate(size)
        os.chmod(path, 0o755)
        return path

    def maps(self, lines):
        with open(os.path.join(self.directory, "maps"), "w", encoding="ascii") as file:
            file.writelines(lines)
        return ["--maps", file.name, "--sysroot", self.directory]

    def mapped_once(self, name):
        return self.maps([f"7f0000000000-7f0000001000 r-xp 00000000 08:01 7 /{name}\n"])


def files():
    return tempfile.TemporaryDirectory(prefix="segmap-bounds-")


def limited():
    """Beyond this malloc() fails; a sanitizer's own memory is more, and is not limited."""
    if "sanitize" not in segtest.BUILD and "clang" not in segtest.BUILD:
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))


def run(*arguments, status, says=None, **options):
    result = segtest.segmap(*arguments, preexec_fn=limited, timeout=120, **options)
    assert result.status == status, (arguments, result.status, result.error_text[-500:])
    if says:
        assert says in result.text + result.error_text, (arguments, says, (result.text + result.error_text)[-500:])
    return result


SECTIONS = {
    "four thousand million sections": [(0, ehdr(1, shoff=4096) + LOAD), (4096, shdr(0, 0, 0, 0, 1 << 32))],
    "a million sections in a hole": [(0, ehdr(1, shoff=4096) + LOAD), (4096, shdr(0, 0, 0, 0, 1 << 17))],
    "a name table of zeros": [(0, ehdr(1, shoff=4096, shnum=2, shstrndx=1) + LOAD),
                              (4096, shdr(0, 0, 0, 0, 0) + shdr(1, 3, 0, 65536, TIB))],
}
SAYS = {"four thousand million sections": "more sections than any linker makes",
        "a million sections in a hole": "section header table is not all in the file",
        "a name table of zeros": "section name table is not all in the file"}


@segtest.parameters(*SECTIONS)
def tables_are_believed_as_far_as_there_are_bytes(which):
    with files() as directory:
        made = Files(directory)
        made.make("file", *SECTIONS[which], size=2 * TIB)
        found = run(*made.mapped_once("file"), "-J", status=0, says=SAYS[which])
        assert len(found.out) < 4096, found.text[:4096]
        run(*made.mapped_once("file"), "--at", "main", "--at", "7f0000000010", status=64)


@segtest.claim
def two_tib_of_memory_are_a_number():
    with files() as directory:
        path = Files(directory).make("file", (0, ehdr(2, kind=2) + phdr(PT_LOAD, 0, 0x10000, 4096)
                                              + phdr(PT_LOAD, 0, 0x20000, 0, 2 * TIB, flags=6)), size=8192)
        run("--explain", path, status=1)
        run("--explain", "-J", "--no-aslr", path, status=1)


LONG = {"notes": phdr(PT_NOTE, 4096, 0, 4 * GIB, align=4) * 16,
        "a dynamic section": phdr(PT_DYNAMIC, 4096, 4096, GIB, flags=6, align=8),
        "a dynamic section that is loaded": phdr(PT_LOAD, 4096, 4096, 4 * GIB, flags=6)
        + phdr(PT_DYNAMIC, 4096, 4096, GIB, flags=6, align=8)}


@segtest.parameters(*LONG)
def long_segments_are_not_read(which):
    with files() as directory:
        made = Files(directory)
        made.make("file", (0, ehdr(1 + len(LONG[which]) // 56) + LOAD + LONG[which]), size=8 * GIB)
        assert segtest.segmap("--explain", "-J", "--as=library", os.path.join(directory, "file")).status in (0, 1)
        run(*made.mapped_once("file"), "-J", status=0)
        # libdw would believe them.
        run(*made.mapped_once("file"), "--at", "main", "--at", "7f0000000010", status=64)


@segtest.claim
def program_headers_are_those_that_the_kernel_takes():
    with files() as directory:
        path = Files(directory).make("file", (0, ehdr(0xffff)), size=GIB)
        run("--explain", path, status=1, says="more program headers than the kernel accepts")


def needing(names, directories, strings_at=0x10000):
    """A library that needs so many libraries, with so many directories in DT_RPATH."""
    strings = b"\0" + b":".join(b"%x" % i for i in range(directories))[:4000] + b"\0"
    offsets = []
    for i in range(names):
        offsets.append(len(strings))
        strings += b"n%d\0" % i
    tags = [(5, strings_at), (10, len(strings)), (15, 1)] + [(1, offset) for offset in offsets] + [(0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *tag) for tag in tags)
    return [(0, ehdr(2) + phdr(PT_LOAD, 0, 0, MIB) + phdr(PT_DYNAMIC, 0x40000, 0x40000, len(dynamic), flags=6)),
            (strings_at, strings), (0x40000, dynamic), (MIB - 1, b"\0")]


@segtest.claim
def libraries_are_looked_for_in_so_many_places_and_no_more():
    with files() as directory:
        path = Files(directory).make("file", *needing(4000, 1000))
        run("--explain", "--as=library", path, status=1, says="looked for in too many places")


@segtest.claim
def a_file_needs_so_many_libraries_and_no_more():
    with files() as directory:
        path = Files(directory).make("file", *needing(5000, 1))
        run("--explain", "--as=library", path, status=1, says="it needs more than 4096 libraries")


def core_note(kind, desc, size=None):
    return struct.pack("<III", 5, len(desc) if size is None else size, kind) + b"CORE\0\0\0\0" + desc


NT_FILE = 0x46494c45
CORES = {
    "the same notes named 8000 times": [
        (0, ehdr(8000, kind=4) + phdr(PT_LOAD, 0, 0x10000, 0, 4096)
         + phdr(PT_NOTE, MIB // 2, 0, MIB // 2, align=4) * 7999),
        (MIB // 2, core_note(NT_FILE, (struct.pack("<QQQQQ", 1, 4096, 0x1000, 0x2000, 0) + b"/x\0")
                             .ljust(MIB // 2 - 24, b"a")))],
    "a hole of notes": [(0, ehdr(100, kind=4) + phdr(PT_LOAD, 0, 0x10000, 0, 4096)
                         + phdr(PT_NOTE, MIB, 0, TIB, align=4) * 99), (2 * TIB, b"\0")],
    "a note of 60 MiB in a hole": [(0, ehdr(100, kind=4) + phdr(PT_LOAD, 0, 0x10000, 0, 4096)
                                    + phdr(PT_NOTE, MIB, 0, 61 * MIB, align=4) * 99),
                                   (MIB, core_note(NT_FILE, b"", 60 * MIB)), (TIB, b"\0")],
}


@segtest.parameters(*CORES)
def notes_of_a_core_are_believed_as_far_as_there_are_bytes(which):
    with files() as directory:
        path = Files(directory).make("core", *CORES[which])
        run("--core", path, status=0, says="not all of them were read")


@segtest.claim
def a_core_has_no_more_program_headers_than_a_process_vmas():
    with files() as directory:
        made = Files(directory)
        count = shdr(0, 0, 0, 0, 0, info=10 ** 7)
        run("--core", made.make("many", (0, ehdr(0xffff, kind=4, shoff=MIB)), (MIB, count), size=4 * TIB),
            status=1, says="more program headers than a process has VMAs")
        count = shdr(0, 0, 0, 0, 0, info=1 << 22)
        run("--core", made.make("hole", (0, ehdr(0xffff, kind=4, shoff=MIB, phoff=2 * MIB)), (MIB, count), size=4 * TIB),
            status=1, says="its program headers go past its end")


def often(name, times, pages=1, offsets=1):
    return (f"{0x7f0000000000 + i * 24576:x}-{0x7f0000000000 + i * 24576 + pages * 4096:x} r-xp "
            f"{i % offsets * 4096:08x} 08:01 7 /{name}\n" for i in range(times))


@segtest.claim
def segments_of_a_file_that_is_mapped_very_often_are_shown_so_often_and_no_more():
    with files() as directory:
        made = Files(directory)
        made.make("file", (0, ehdr(1170) + b"".join(phdr(PT_LOAD, 0, 4096 * i, 4096) for i in range(1170))), size=MIB)
        found = run(*made.maps(often("file", 2000)), "-J", status=0, says="mapped in too many ways")
        assert len(found.out) < 32 * MIB, len(found.out)


@segtest.claim
def sections_of_a_page_that_is_mapped_very_often_are_cut_so_often_and_no_more():
    with files() as directory:
        made, count = Files(directory), 4000
        table = shdr(0, 0, 0, 0, 0) + b"".join(shdr(1 + 3 * (i % 2), 1, i, i, 1) for i in range(count - 2))
        made.make("file", (0, ehdr(1, shoff=8192, shnum=count, shstrndx=count - 1) + LOAD), (512, NAMES),
                  (8192, table + shdr(0, 3, 0, 512, len(NAMES))))
        found = run(*made.maps(often("file", 5000)), "-r", "-S", "-o", "perm,mapping", status=0,
                    says="not cut into them")
        assert b"[uncut]" in found.out and found.out.count(b"\n") < 300_000, found.out.count(b"\n")


@segtest.claim
def elf_files_in_a_file_share_what_is_believed_of_all():
    with files() as directory:
        made = Files(directory)
        table = b"".join(phdr(PT_LOAD, i * 64 & -4096, i * 64 & -4096, 4096) for i in range(1170))
        made.make("file", *((i * 4096, ehdr(1170, phoff=4 * MIB - i * 4096)) for i in range(1024)), (4 * MIB, table))
        run(*made.maps(often("file", 5000, offsets=1024)), "-r", status=0)


@segtest.claim
def elf_files_in_a_file_share_what_is_read_of_all():
    """Each of them has the same section headers, of which one file may have so many."""
    with files() as directory:
        made, count, n = Files(directory), 1 << 17, 256
        table = shdr(0, 0, 0, 0, count) + shdr(1, 3, 0, 64, 16) + shdr(1, 1, 64, 64, 1) * (count - 2)
        made.make("file", *((i * 4096, ehdr(1, shoff=(n - i) * 4096, shstrndx=1) + LOAD) for i in range(n)),
                  (n * 4096, table))
        run(*made.maps(often("file", n, offsets=n)), "-r", status=0)


@segtest.claim
def a_map_has_so_many_lines_and_no_more():
    lines = b"".join(b"@%05x000-@%05x000 r--p 0 0:0 0\n" % (2 * i, 2 * i + 1) for i in range(65536))
    reader = subprocess.Popen([segtest.SEGMAP, "--maps", "-", "-q"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        for block in range((1 << 22) // 65536 + 1):
            reader.stdin.write(lines.replace(b"@", b"%x" % (block + 1)))
    except BrokenPipeError:
        pass
    finally:
        try:
            reader.stdin.close()
        except BrokenPipeError:
            pass
    error = reader.stderr.read().decode()
    assert reader.wait() == 1 and "more than 4194304 VMAs" in error, error


@segtest.claim
def a_map_s_line_is_no_longer_than_a_path():
    with files() as directory:
        run("--maps", Files(directory).make("hole", size=10 * GIB), status=1, says="longer than a map's are")
        run("--maps", Files(directory).make("long", (0, b"1000-2000 r--p 00000000 08:01 7 /" + b"a" * 3 * MIB)),
            status=1, says="longer than a map's are")


def compare_documents(a, b, status):
    with files() as directory:
        paths = [Files(directory).make(name, (0, json.dumps(
            {"segmap": 1, "source": "maps", "page_size": 4096, "images": images, "vmas": [], "notes": []}).encode()))
            for name, images in (("a", a), ("b", b))]
        result = segtest.segmap("--diff", *paths, timeout=120)
        assert result.status == status, result.error_text


def image(i, path, machine="X86_64"):
    return {"id": i, "path": f"/{path}", "role": "library", "status": "ok", "bias": "0x0", "class": 64,
            "machine": machine, "type": "DYN"}


@segtest.claim
def machines_of_a_document_are_looked_up_and_not_tried_one_by_one():
    """That would take minutes: there are 65536, and no two images in a row are for the same."""
    compare_documents([image(i, i, str(65534 + i % 2)) for i in range(60000 // segtest.EVERY)], [], status=3)


@segtest.claim
def images_of_two_documents_are_not_compared_each_with_each():
    """That would take minutes."""
    n = 80000 // segtest.EVERY
    compare_documents([image(i, i) for i in range(n)], [image(i, n - 1 - i) for i in range(n)], status=0)


@contextlib.contextmanager
def mapping(path, length):
    """A process that has these first bytes of a file mapped."""
    held = ("import mmap, sys, time\n"
            "with open(sys.argv[1], 'rb') as file:\n"
            "    held = mmap.mmap(file.fileno(), int(sys.argv[2]), mmap.MAP_PRIVATE, mmap.PROT_READ)\n"
            "    print('ready', flush=True)\n"
            "    time.sleep(600)\n")
    with segtest.running([sys.executable, "-c", held, path, str(length)], ready=b"ready") as process:
        yield process.pid


THREADS = """
import sys, threading, time
threading.stack_size(65536)
try:
    for _ in range(int(sys.argv[1]) - 1):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    print("ready", flush=True)
except RuntimeError:
    print("refused", flush=True)
time.sleep(600)
"""


@segtest.parameters(4096, 4097)
def stacks_of_so_many_threads_have_names_and_of_no_more(count):
    with subprocess.Popen([sys.executable, "-c", THREADS, str(count)], stdout=subprocess.PIPE) as process:
        try:
            if process.stdout.readline() != b"ready\n":
                raise segtest.Skip(f"needs {count} threads")
            result = run(process.pid, status=0)
            assert ("more than 4096 threads" in result.text + result.error_text) == (count > 4096), result.error_text
        finally:
            process.kill()


@segtest.claim
def so_many_vmas_are_asked_for_and_then_the_map_is_read():
    """Any of the PT_LOADs can be what is mapped, and where the others would be then has to be asked."""
    strace = segtest.which("strace")
    with files() as directory:
        made = Files(directory)
        loads = b"".join(phdr(PT_LOAD, 0, i << 14, 4096) for i in range(1100))
        path = made.make("file", (0, ehdr(1100) + loads))
        with mapping(path, 4096) as pid:
            (start,) = (row[0] for row in segtest.maps(pid) if row[6] == os.fsencode(path))
            counts = os.path.join(directory, "counts")
            result = subprocess.run([strace, "-f", "-c", "-e", "trace=ioctl", "-o", counts, segtest.SEGMAP, "--at",
                                     f"{start:#x}", str(pid)], capture_output=True, text=True, check=False, timeout=120,
                                    env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
            if "ptrace" in result.stderr:
                raise segtest.Skip("needs ptrace")
            assert result.returncode == 0, result.stderr[-300:]
            with open(counts, encoding="ascii") as file:
                calls = [int(line.split()[3]) for line in file if line.rstrip().endswith(" ioctl")]
            assert sum(calls) < 5000, calls


@segtest.parameters(48, 128)
def audit_looks_at_so_many_pages(gib):
    with files() as directory:
        path = Files(directory).make("file", (0, ehdr(1) + phdr(PT_LOAD, 0, 0, 128 * GIB, flags=4)), size=128 * GIB)
        with mapping(path, gib * GIB) as pid:
            result = segtest.segmap("--audit", pid, preexec_fn=limited, timeout=120)
            assert result.status in (0, 3), result.error_text  # the interpreter may have findings of its own
            told = "more than 16777216 pages of code and constants are mapped" in result.text
            assert told == (gib > 64), result.text


@segtest.parameters("one line", "short lines")
def list_of_generated_code_is_read_so_far_and_no_further(what):
    with segtest.running(["sleep", "600"]) as process:
        listed = f"/tmp/perf-{process.pid}.map"
        with open(listed, "xb") as file:
            try:
                file.write(b"1000 10 f\n" * (1 if what == "one line" else 1 << 20 | 1))
                if what == "one line":
                    file.truncate(200 * GIB)
                file.flush()
                run("--audit", process.pid, status=0, says="is longer than 16 MiB or 1048576 lines")
            finally:
                os.unlink(listed)


segtest.main()
