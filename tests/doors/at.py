"""segmap --at: addresses and names against eu-addr2line, gdb, readelf and the kernel."""
import contextlib
import json
import os
import random
import re
import shutil
import subprocess

import segtest
from doors import check_message, compiled, workspace, zoo_entry, zoo_running

VARIANTS = ["gcc-library", "gcc-no-pie", "gcc-m32-pie", "gcc-static", "lld-library", "mold-library",
            "musl-pie", "gold-library"]
# The leak sanitizer cannot work in a process that is traced.
NO_LEAK_CHECK = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
FEW = 32  # so many addresses are asked of the kernel one by one


def ask(questions, *arguments, expect=0):
    """The document for these questions, by standard input."""
    result = subprocess.run([segtest.SEGMAP, "-J", "--at", "-", *map(str, arguments)], check=False,
                            input="".join(f"{q}\n" for q in questions).encode(), capture_output=True)
    assert result.returncode == expect, (result.returncode, result.stderr[:500])
    document = json.loads(result.stdout)
    segtest.validate(document)
    segtest.check_layout(document)
    return document


def one(question, *arguments):
    (answer,) = segtest.document("--at", question, *arguments)["answers"]
    return answer


def addresses(pid, count, seed=1):
    """Addresses all over the mapped files."""
    chosen = random.Random(seed)
    rows = [r for r in segtest.maps(pid) if r[6].startswith(b"/") and r[2] != "---p"]
    return [chosen.randrange(row[0], row[1]) for row in (chosen.choice(rows) for _ in range(count))]


def start_of(answer):
    return int(answer["address"], 16) - answer["symbol_offset"] if answer.get("symbol") else None


def eu_addr2line(pid, asked):
    """(symbol or None, offset, file:line or None) for each address."""
    environment = dict(os.environ, DEBUGINFOD_URLS="")
    out = subprocess.run([segtest.which("eu-addr2line"), "-S", "-p", str(pid)], check=True, text=True,
                         input="".join(f"{a:#x}\n" for a in asked), capture_output=True,
                         env=environment).stdout.splitlines()
    assert len(out) == 2 * len(asked), len(out)
    answers = []
    for name, line in zip(out[::2], out[1::2]):
        match = re.fullmatch(r"([^()+]+?)(?:\+(0x[0-9a-f]+))?", name.strip())
        known = match and match[1] != "??"
        answers.append((match[1] if known else None, int(match[2] or "0", 16) if known else None,
                        None if line.startswith("??") else line))
    return answers


@segtest.parameters(*VARIANTS)
def symbols_and_lines_are_those_of_eu_addr2line(variant):
    with zoo_running(variant) as process:
        asked = addresses(process.pid, 400)
        document = ask([f"{a:#x}" for a in asked], process.pid)
        named, surplus, labels = 0, 0, []
        for addr, ours, (name, offset, line) in zip(asked, document["answers"],
                                                    eu_addr2line(process.pid, asked)):
            assert int(ours["address"], 16) == addr
            if name is None:
                # A label of the same section, which libdw now and then leaves out.
                assert not ours.get("symbol") or ours["symbol_offset"] <= ours["section_offset"] < 4096, (
                    hex(addr), ours)
                surplus += bool(ours.get("symbol"))
                continue
            if not ours.get("symbol"):
                labels.append((addr - offset, ours))
            else:
                # Of several symbols at one place any will do.
                assert start_of(ours) == addr - offset, (hex(addr), name, offset, ours)
            named += 1
            if line:
                assert ours["source"].split(":")[-1] == line.split(":")[1], (ours, line)
                assert os.path.basename(ours["source"].rsplit(":", 1)[0]) == os.path.basename(
                    line.split(":")[0]), (ours, line)
            else:
                assert "source" not in ours, (ours, line)
        assert named > 50 and surplus <= 4, (named, surplus)
        # A label without a size, __ehdr_start or _DYNAMIC, is no name for what is in another section.
        for (_, ours), label in zip(labels, ask([f"{start:#x}" for start, _ in labels],
                                                process.pid)["answers"]):
            assert not label.get("section") or label["section"] != ours.get("section"), (label, ours)


@segtest.parameters("gcc-library", "lld-library", "musl-pie")
def symbols_are_those_of_gdb(variant):
    gdb = segtest.which("gdb")
    with zoo_running(variant) as process:
        asked = addresses(process.pid, 300, seed=2)
        commands = [x for a in asked for x in ("-ex", f"info symbol {a:#x}")]
        out = subprocess.run([gdb, "-nx", "-batch", "-p", str(process.pid), *commands], check=False,
                             capture_output=True, text=True,
                             env=dict(os.environ, DEBUGINFOD_URLS="", LC_ALL="C")).stdout
        theirs = [line for line in out.splitlines() if " in section " in line
                  or line.startswith("No symbol matches")]
        assert len(theirs) == len(asked), (len(theirs), out[-500:])
        document = ask([f"{a:#x}" for a in asked], process.pid)
        agree = compared = 0
        for addr, ours, text in zip(asked, document["answers"], theirs):
            match = re.match(r"(\S+)(?: \+ (\d+))? in section (\S+)", text)
            if not match or not ours.get("symbol"):
                continue
            compared += 1
            assert ours["section"] == match[3], (hex(addr), text, ours)
            # gdb names padding behind a symbol by that symbol; segmap says what holds the byte.
            agree += start_of(ours) == addr - int(match[2] or "0")
        assert compared > 50 and agree >= 0.97 * compared, (agree, compared)


def sight(document, answer):
    """An answer without numbers that depend on what else is in the document."""
    said = {k: v for k, v in answer.items() if k not in ("asked", "vma", "image")}
    vma, image = answer.get("vma"), answer.get("image")
    if vma is not None:
        row = document["vmas"][vma]
        said["vma"] = {k: row[k] for k in ("start", "end", "perms", "kind", "name", "expected_perms")}
        said["pieces"] = [(p["start"], p["end"], p["kind"], p["name"]) for p in row["pieces"]]
    if image is not None:
        said["image"] = {k: document["images"][image].get(k) for k in ("path", "role", "bias", "build_id",
                                                                       "status", "opened")}
    return said


@segtest.parameters("gcc-library", "gcc-m32-pie", "gcc-static", "mold-library", "musl-pie",
                    "lld-max-page-64k", "gcc-library-max-page-2m")
def one_address_is_answered_as_all_are(variant):
    """By single VMAs from the kernel, and from the whole map."""
    with zoo_running(variant) as process:
        rows = segtest.maps(process.pid)
        asked = [a for row in rows for a in (row[0], row[1] - 1)]
        asked += [a for row in rows for a in (row[0] - 1, row[1])]
        asked = [f"{a:#x}" for a in dict.fromkeys(asked) if 0 <= a < 2**64]
        asked += ["0", "0xffffffffffffffff", "0x7fffffffefff", "0xfffffffffffff000"]
        whole = ask(asked * (1 + FEW // len(asked)), process.pid)
        for question, answer in segtest.some(zip(asked, whole["answers"])):
            single = segtest.document("--at", question, process.pid)
            assert len(single["answers"]) == 1 and len(single["vmas"]) <= 1
            assert sight(single, single["answers"][0]) == sight(whole, answer), (question, answer)


FAR_BSS = """#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
char big[1000 << 12] __attribute__((aligned(4096)));
int main(int count, char **arguments) { (void)arguments; big[900 << 12] = 1;
    for (int i = 0; count > 1 && i < 1000; i += 2) mprotect(big + (i << 12), 4096, PROT_READ);
    printf("%p\\n", (void *)(big + (900 << 12) + 8)); fflush(stdout); pause(); return 0; }
"""


@segtest.parameters("its own PT_LOAD", "cut by mprotect")
def bss_far_from_its_file_is_found(how):
    """No file is beside that memory, nor beside its next 64 neighbours."""
    own = how == "its own PT_LOAD"
    with workspace() as directory:
        path = compiled(directory + "/far", "-no-pie", *(["-Wl,--section-start=.bss=0x8000000"] if own else []),
                        source=FAR_BSS)
        with subprocess.Popen([path] if own else [path, "x"], stdout=subprocess.PIPE) as process:
            try:
                question = process.stdout.readline().decode().strip()
                single = segtest.document("--at", question, process.pid)
                whole = segtest.document("--at", question, "--at", "main", process.pid)
                assert whole["answers"][0]["symbol"] == "big", whole["answers"][0]
                assert sight(single, single["answers"][0]) == sight(whole, whole["answers"][0]), single
                if own:  # it is the neighbour of what is not mapped, too
                    assert one("0x7ffffff", process.pid)["after"].startswith("1 byte below far")
            finally:
                process.kill()


@segtest.claim
def answers_are_what_the_whole_document_says():
    with zoo_running("gcc-library") as process:
        document = segtest.document(process.pid)
        asked = addresses(process.pid, 200, seed=3)
        answers = ask([f"{a:#x}" for a in asked], process.pid)
        for addr, answer in zip(asked, answers["answers"]):
            vma = next(v for v in document["vmas"] if int(v["start"], 16) <= addr < int(v["end"], 16))
            assert answers["vmas"][answer["vma"]]["start"] == vma["start"]
            piece = next((p for p in vma["pieces"] if int(p["start"], 16) <= addr < int(p["end"], 16)), None)
            if not piece:
                continue
            image = document["images"][piece.get("image", vma["image"])]
            assert answers["images"][answer["image"]]["path"] == image["path"]
            assert int(answer["vaddr"], 16) == (addr - int(image["bias"], 16)) % 2**64
            assert answer.get("segment") == piece.get("segment", vma["segment"])
            assert answer.get("section") == (piece["name"] if piece["kind"] == "section" else None)
            into = addr - int(piece["start"], 16)
            assert answer.get("file_offset") == (None if piece["offset"] is None else piece["offset"] + into)
            if piece["kind"] == "section" and not piece.get("clipped"):
                assert answer["section_offset"] == into


@segtest.claim
def section_offsets_count_from_the_sections_start_in_another_vma():
    with zoo_running("gcc-pie") as process:
        document = segtest.document(process.pid)
        parts = [(int(p["start"], 16), p["name"], document["images"][v["image"]])
                 for v in document["vmas"] for p in v["pieces"] if p.get("clipped")]
        assert len(parts) >= 2
        for start, name, image in parts:
            listed = subprocess.run([segtest.which("readelf"), "-SW", image["path"]], check=True, text=True,
                                    capture_output=True).stdout
            addr = int(re.search(rf"\] {re.escape(name)} +\w+ +(\w+)", listed)[1], 16)
            answer = one(f"{start:#x}", process.pid)
            assert (answer["section"], answer["section_offset"]) == (
                name, start - int(image["bias"], 16) - addr), answer


# ---- names ----

@segtest.claim
def names_are_answered_with_addresses():
    with zoo_running("gcc-library") as process:
        document = segtest.document(process.pid)
        library = next(i for i in document["images"] if "gcc-library" in i["path"] and i["role"] == "library")
        bias = int(library["bias"], 16)
        nm = subprocess.run([segtest.which("nm"), library["path"]], capture_output=True, text=True,
                            check=True).stdout
        where = {f[2]: int(f[0], 16) + bias for f in map(str.split, nm.splitlines()) if len(f) == 3}
        addr = where["zoo_library_call"]
        base = os.path.basename(library["path"])
        for question in ("zoo_library_call", f"{base}!zoo_library_call", library["path"] + "!zoo_library_call"):
            answers = segtest.document("--at", question, process.pid)["answers"]
            assert addr in [int(a["address"], 16) for a in answers], (question, answers)
            assert all(a["asked"] == question for a in answers)
            assert any(a["symbol"] == "zoo_library_call" and a["symbol_offset"] == 0 for a in answers)
        first = min(int(v["start"], 16) for v in document["vmas"] if v["name"] == library["path"])
        answer = one(f"{base}+0x123", process.pid)
        assert int(answer["address"], 16) == first + 0x123, answer
        # A section of every image that has one, or of one image.
        answers = segtest.document("--at", ".text", process.pid)["answers"]
        assert len(answers) == len(document["images"]), answers
        assert all((a["section"], a["section_offset"]) == (".text", 0) for a in answers)
        (text,) = segtest.document("--at", base + "!.text", process.pid)["answers"]
        assert text["address"] in [a["address"] for a in answers]
        vdso = one("[vdso]!.text", process.pid)
        assert document["images"][-1] and vdso["section"] == ".text", vdso


@segtest.claim
def name_that_nothing_has_is_an_error_beside_the_others_answers():
    with zoo_running("gcc-pie") as process:
        check = segtest.segmap("--at", "no_such_name", process.pid)
        assert check.status == 1 and "no_such_name" in check.error_text, check.error_text
        some = segtest.segmap("-J", "--at", "no_such_name", "--at", "main", process.pid)
        assert some.status == 64 and "no_such_name" in some.error_text
        document = json.loads(some.text)
        segtest.validate(document)
        assert document["answers"][0] == {"asked": "no_such_name"}
        assert document["answers"][1]["symbol"] == "main"
        # What could be an address and is a name, as promised, is explained.
        assert "0xfeed" in segtest.segmap("--at", "feed", process.pid).error_text
        for name in ("nowhere!main", "nowhere+0x10", ".nothing", "gcc-pie!nothing"):
            assert segtest.segmap("--at", name, process.pid).status == 1, name


@segtest.claim
def what_is_no_address_is_wrong_usage():
    for bad in ("", "12zz", "0x", "0xg", "12345678901234567", "1 2", "image!", "!name", "+0x10", "a+0xzz"):
        check_message(segtest.segmap("--at", bad, "1"), 2)
    for arguments in (["-o", "SIZE"], ["-S"], ["-A", "0"]):
        check_message(segtest.segmap("--at", "0", *arguments, "1"), 2, "--at")
    check_message(segtest.segmap("--at", "-", "--maps", "-"), 2, "standard input")
    check_message(segtest.segmap("--at", "0"), 2)
    for text, words in ((b"0x10\n\n12zz\n", b"line 3"), (b"0x10\n0\0x\n", b"line 2")):
        result = subprocess.run([segtest.SEGMAP, "--at", "-", "1"], input=text, capture_output=True,
                                check=False)
        assert result.returncode == 2 and words in result.stderr and not result.stdout, result


@segtest.claim
def lines_are_read_with_blanks_and_without_a_last_newline():
    with zoo_running("gcc-pie") as process:
        result = subprocess.run([segtest.SEGMAP, "-r", "-n", "--at", "-", str(process.pid)], check=True,
                                input=b"  main\t\r\n\n0x10\n.text", capture_output=True)
        asked = [line.split(b" ")[0] for line in result.stdout.splitlines()]
        assert asked[:2] == [b"main", b"0x10"] and set(asked[2:]) == {b".text"}, asked
        empty = subprocess.run([segtest.SEGMAP, "-J", "--at", "-", str(process.pid)], check=True,
                               input=b"\n", capture_output=True)
        assert json.loads(empty.stdout)["answers"] == []


# ---- what is not mapped, and what the kernel does not tell of ----

@segtest.claim
def address_that_is_not_mapped_has_neighbours():
    with zoo_running("gcc-pie") as process:
        rows = segtest.maps(process.pid)
        stack = next(r for r in rows if r[6] == b"[stack]")
        answer = one(f"{stack[0] - 4096:#x}", process.pid)
        assert "vma" not in answer or answer["vma"] is None
        assert answer["after"] == "4 KiB below [stack]: guard gap", answer
        assert answer["before"].endswith(" above ld-linux-x86-64.so.2") or "above" in answer["before"]
        far = one(f"{stack[0] - (2 << 20):#x}", process.pid)
        assert far["after"] == "2 MiB below [stack]", far
        assert one(f"{stack[0] - 1:#x}", process.pid)["after"].startswith("1 byte below [stack]")
        lowest = one("0x10", process.pid)
        assert "before" not in lowest and "gcc-pie" in lowest["after"], lowest
        heap = next(i for i, r in enumerate(rows) if r[6] == b"[heap]")
        if rows[heap + 1][0] > rows[heap][1]:
            assert one(f"{rows[heap][1]:#x}", process.pid)["before"] == "0 bytes above [heap]"


@segtest.claim
def vsyscall_is_found_though_the_kernel_answers_nothing_for_it():
    with segtest.running(["sleep", "600"]) as process:
        rows = [r for r in segtest.maps(process.pid) if r[6] == b"[vsyscall]"]
        if not rows:
            raise segtest.Skip("needs [vsyscall]")
        document = segtest.document("--at", f"{rows[0][0]:#x}", process.pid)
        assert document["vmas"][0]["kind"] == "vsyscall", document["vmas"]


MANY = """
import ctypes, mmap, time
libc, count, page = ctypes.CDLL(None), 20000, mmap.PAGESIZE
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
start = libc.mmap(None, count * page, 3, 0x4022, -1, 0)
for i in range(0, count, 2):
    assert libc.mprotect(start + i * page, page, 1) == 0
print("ready", flush=True)
time.sleep(600)
"""


@segtest.claim
def one_address_does_not_read_the_whole_map():
    strace = segtest.which("strace")
    with segtest.running([segtest.which("python3"), "-c", MANY], ready=b"ready") as process:
        rows = segtest.maps(process.pid)
        assert len(rows) > 15000
        libc = next(r for r in rows if b"libc.so" in r[6] and "x" in r[2])
        for addr, asked in ((rows[len(rows) // 2][0], 1), (libc[0], 1), (0x1000, 1), (libc[0], FEW + 1)):
            result = subprocess.run(
                [strace, "-qq", "-y", "-e", "trace=read,ioctl", segtest.SEGMAP, "-r", "-n",
                 *["--at", f"{addr:#x}"] * asked, str(process.pid)],
                capture_output=True, text=True, check=False, env=NO_LEAK_CHECK)
            if "ptrace" in result.stderr:
                raise segtest.Skip("needs ptrace")
            assert result.returncode == 0, result.stderr[-300:]
            # Of this process alone: sanitizers read their own.
            read = sum(int(m[1]) for m in re.finditer(rf"read\(\d+</proc/{process.pid}/maps>.* = (\d+)",
                                                      result.stderr))
            if re.search(r"_IOC\(.*0x66, 0x11.*ENOTTY", result.stderr):
                raise segtest.Skip("needs PROCMAP_QUERY (Linux 6.11)")
            assert (read < 16384) == (asked <= FEW), (hex(addr), asked, read)


PAGES = """
import ctypes, mmap, sys, time
page = mmap.PAGESIZE
area = mmap.mmap(-1, 4 * page, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
addr = ctypes.addressof(ctypes.c_char.from_buffer(area))
ctypes.c_char.from_address(addr + page).value
ctypes.c_char.from_address(addr + 2 * page).value = b"x"
print(addr, flush=True)
time.sleep(600)
"""


GUARDED = """
import ctypes, mmap, time
page, guard_install = mmap.PAGESIZE, 102
area = mmap.mmap(-1, 4 * page, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
addr = ctypes.addressof(ctypes.c_char.from_buffer(area))
ctypes.memset(addr, 1, 4 * page)
libc = ctypes.CDLL(None)
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
print(0 if libc.madvise(addr + page, page, guard_install) else addr, flush=True)
time.sleep(600)
"""


def swap_at(pid, addr):
    """What smaps says of the VMA that holds it, in kB."""
    held = False
    with open(f"/proc/{pid}/smaps", encoding="latin-1") as file:
        for line in file:
            row = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
            held = int(row[1], 16) <= addr < int(row[2], 16) if row else held
            if held and line.startswith("Swap:"):
                return int(line.split()[1])
    raise AssertionError(f"no VMA at {addr:#x}")


@segtest.claim
def guard_pages_are_absent_and_not_swapped():
    with subprocess.Popen([segtest.which("python3"), "-c", GUARDED], stdout=subprocess.PIPE) as process:
        try:
            addr, page = int(process.stdout.readline()), os.sysconf("SC_PAGESIZE")
            if not addr:
                raise segtest.Skip("needs MADV_GUARD_INSTALL (Linux 6.13)")
            with open(f"/proc/{process.pid}/pagemap", "rb") as file:
                file.seek((addr + page) // page * 8)
                if not int.from_bytes(file.read(8), "little") >> 58 & 1:
                    raise segtest.Skip("needs guard pages in the page map (Linux 6.15)")
            assert swap_at(process.pid, addr) == 0, "the point of this claim"
            states = [one(f"{addr + i * page:#x}", process.pid)["page"] for i in range(3)]
            assert states == ["private", "absent", "private"], states
        finally:
            process.kill()


@segtest.claim
def pages_are_absent_zero_private_or_of_a_file():
    with subprocess.Popen([segtest.which("python3"), "-c", PAGES], stdout=subprocess.PIPE) as process:
        try:
            addr, page = int(process.stdout.readline()), os.sysconf("SC_PAGESIZE")
            with open(f"/proc/{process.pid}/pagemap", "rb") as file:
                file.seek((addr + page) // page * 8)
                if not int.from_bytes(file.read(8), "little") >> 63:
                    raise segtest.Skip("needs a zero page that a read makes present")
            states = [one(f"{addr + i * page:#x}", process.pid)["page"] for i in range(3)]
            assert states[0] == "absent" and states[2] == "private", states
            assert states[1] in ("zero", "private"), states  # Linux 6.7 tells one from the other
            libc = next(r for r in segtest.maps(process.pid) if b"libc.so" in r[6])
            assert one(f"{libc[0]:#x}", process.pid)["page"] == "file"
        finally:
            process.kill()


# ---- where symbols come from ----

HIDDEN = """#include <stdio.h>
#include <unistd.h>
static int __attribute__((noinline)) hidden_function(int x) { return x * 3 + getpid(); }
int main(int count, char **arguments) { (void)arguments; puts("ready"); fflush(stdout);
    volatile int y = hidden_function(count); pause(); return y; }
"""


@contextlib.contextmanager
def stripped(directory):
    """A program whose symbols are only in a separate file: (program, that file)."""
    objcopy = segtest.which("objcopy")
    program = compiled(os.path.join(directory, "program"), "-g", "-Wl,--build-id=0xabcdef0123456789", source=HIDDEN)
    debug = program + ".debug"
    subprocess.run([objcopy, "--only-keep-debug", program, debug], check=True)
    subprocess.run([objcopy, "--strip-all", program], check=True)
    yield program, debug


BOMB = 32 << 20  # bytes of zeros, unpacked: more than is believed of so small a file


@segtest.parameters(("xz", 0), ("xz", BOMB), ("lzma", 0), ("lzma", BOMB))
def symbols_of_gnu_debugdata_are_found_unless_it_unpacks_to_too_much(case):
    packed, zeros = case
    with workspace() as directory, stripped(directory) as (program, debug):
        small = os.path.join(directory, "small")
        subprocess.run([segtest.which("objcopy"), "-S", "--remove-section", ".comment", "--keep-symbol",
                        "hidden_function", debug, small], check=True)
        os.truncate(small, os.path.getsize(small) + zeros)
        subprocess.run([segtest.which("xz"), "-3", "--format=" + packed, small], check=True)
        subprocess.run([segtest.which("objcopy"), "--add-section", f".gnu_debugdata={small}.{packed}", program],
                       check=True)
        with segtest.running([program], ready=b"ready") as process:
            assert segtest.segmap("--at", "main", process.pid).status == 1
            found = segtest.segmap("--at", "hidden_function", process.pid)
            assert found.status == (1 if zeros else 0), found.text + found.error_text


def add_zeros(path, name, size, compression):
    """Make section @name of @path so much longer, and have objcopy compress it."""
    objcopy, section = segtest.which("objcopy"), path + name
    subprocess.run([objcopy, "--dump-section", f"{name}={section}", path], check=True)
    os.truncate(section, os.path.getsize(section) + size)
    subprocess.run([objcopy, "--update-section", f"{name}={section}", path], check=True)
    subprocess.run([objcopy, "--compress-debug-sections=" + compression, path], check=True)
    assert os.path.getsize(path) < 200000


@segtest.parameters("zlib-gabi", "zlib-gnu")
def source_lines_of_compressed_sections_are_found_unless_they_unpack_to_too_much(how):
    for size, believed in ((1 << 20, True), (BOMB, False)):
        with workspace() as directory:
            program = compiled(os.path.join(directory, "program"), "-g", source=HIDDEN)
            add_zeros(program, ".debug_line_str", size, how)  # the names of source files
            with segtest.running([program], ready=b"ready") as process:
                answer = one("hidden_function", process.pid)
            assert answer["symbol"] == "hidden_function" and ("source" in answer) == believed, answer


@segtest.parameters(None, 1 << 20, BOMB)
def separate_debug_file_is_found_by_build_id_below_the_sysroot(zeros):
    with workspace() as directory, stripped(directory) as (program, debug):
        with segtest.running([program], ready=b"ready") as process:
            saved = os.path.join(directory, "maps")
            with open(f"/proc/{process.pid}/maps", "rb") as source, open(saved, "wb") as file:
                file.write(source.read())
            assert segtest.segmap("--at", "hidden_function", process.pid).status == 1
        if zeros:
            add_zeros(debug, ".debug_line_str", zeros, "zlib-gabi")
        root = os.path.join(directory, "root")
        for path, target in ((program, root + program),
                             (debug, root + "/usr/lib/debug/.build-id/ab/cdef0123456789.debug")):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(path, target)
        if zeros == BOMB:
            assert segtest.segmap("--at", "hidden_function", "--maps", saved, "--sysroot", root).status == 1
            return
        answer = one("hidden_function", "--maps", saved, "--sysroot", root)
        assert answer["symbol"] == "hidden_function" and answer["symbol_offset"] == 0, answer
        assert answer["source"].endswith(":3"), answer


@segtest.claim
def cores_and_saved_maps_are_asked_alike():
    with workspace() as directory, zoo_running("gcc-library") as process:
        live = ask(["main", "zoo_library_call", ".data"], process.pid)
        saved = os.path.join(directory, "maps")
        with open(f"/proc/{process.pid}/maps", "rb") as source, open(saved, "wb") as file:
            file.write(source.read())
        subprocess.run([segtest.which("gcore"), "-o", saved, str(process.pid)], check=True,
                       capture_output=True, env=dict(os.environ, DEBUGINFOD_URLS=""))
        for source in (["--maps", saved], ["--core", f"{saved}.{process.pid}"]):
            other = ask(["main", "zoo_library_call", ".data"], *source)
            for a, b in zip(live["answers"], other["answers"]):
                keys = ("asked", "address", "section", "section_offset", "symbol", "vaddr", "file_offset")
                assert [a.get(k) for k in keys] == [b.get(k) for k in keys], (a, b)
                assert "page" not in b


@segtest.claim
def file_behind_links_in_a_sysroot_is_found_for_an_address():
    with workspace() as directory, zoo_running("gcc-pie") as process:
        saved, root = os.path.join(directory, "maps"), os.path.join(directory, "root")
        with open(f"/proc/{process.pid}/maps", "rb") as source, open(saved, "wb") as file:
            file.write(source.read())
        rows = [r for r in segtest.maps(process.pid) if re.search(rb"/libc[.-][^/]*$", r[6])]
        library = os.fsdecode(rows[0][6])
        os.makedirs(root + "/real")
        shutil.copy(library, root + "/real")
        os.makedirs(root + os.path.dirname(os.path.dirname(library)))
        os.symlink("/real", root + os.path.dirname(library))  # of the sysroot, not of here
        addr = hex(next(r[0] for r in rows if r[2] == "r-xp"))
        live = one(addr, process.pid)
        assert live["section"] == one(addr, "--maps", saved, "--sysroot", root)["section"], live


@segtest.claim
def symbol_names_do_nothing_to_a_terminal():
    with workspace() as directory:
        program = compiled(os.path.join(directory, "program"), source=HIDDEN + r'''
            __asm__(".globl \"evil\\033[31m name\"\n.set \"evil\\033[31m name\", hidden_function");''')
        with segtest.running([program], ready=b"ready") as process:
            addr = one("hidden_function", process.pid)["address"]
            for form in ([], ["-r"], ["-J"]):
                out = segtest.segmap("--at", addr, *form, process.pid).out
                assert b"\033" not in out and (b"evil" in out or b"hidden" in out), out


@segtest.claim
def nothing_of_libdw_is_loaded_where_no_symbol_is_asked_for():
    entry = zoo_entry("gcc-pie")
    strace = segtest.which("strace")
    with segtest.running([entry["program"]], ready=b"ready") as process:
        for arguments, wanted in (([], False), (["-J"], False), (["--at", "main"], True)):
            result = subprocess.run([strace, "-f", "-e", "trace=openat", segtest.SEGMAP, *arguments,
                                     str(process.pid)], capture_output=True, text=True, check=False,
                                    env=NO_LEAK_CHECK)
            if result.returncode:
                raise segtest.Skip("needs ptrace")
            assert ("libdw" in result.stderr) == wanted, arguments


segtest.main()
