"""Figures of memory where they are easily wrong: rows 29, 30 and 32 of the hard cases, swap, threads,
and a kernel that does not say all."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile

import segtest
from situations import NOBODY, PAGE, for_root_and_user, look, situation, uid_of, workspace

READ, WRITTEN, SWAPPED, ALL = 16, 8, 8, 64  # pages, as in scenario.c


def smaps(pid):
    """{start: {field: bytes}}"""
    found, current = {}, None
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        for line in file:
            if match := re.match(r"([0-9a-f]+)-[0-9a-f]+ ", line):
                current = found[int(match.group(1), 16)] = {}
            elif match := re.match(r"(\w+): +(\d+) kB", line):
                current[match.group(1)] = int(match.group(2)) * 1024
    return found


def pieces_in(document, start, end):
    """The pieces that overlap the range."""
    return [piece for vma in document["vmas"] for piece in vma["pieces"]
            if int(piece["start"], 16) < end and int(piece["end"], 16) > start]


def bss_of(document, running):
    """What is said of the .bss of the program that holds the touched pages."""
    start, end = running.range("touched")
    found = [piece for piece in pieces_in(document, start, end) if piece["name"] == ".bss"]
    assert found and sum(p["size"] for p in found) >= ALL * PAGE, found
    return {key: sum(piece["memory"][key] for piece in found) for key in ("rss", "anonymous", "swap")}


@for_root_and_user
def pages_of_zeros_are_no_memory(who):
    with situation("touched-bss", who=who) as running:
        document = segtest.document("-x", running.pid, as_user=uid_of(who))
        memory = bss_of(document, running)
        # What else is in .bss is a few pages more.
        expected = (WRITTEN + SWAPPED) * PAGE
        assert expected <= memory["rss"] + memory["swap"] < expected + READ * PAGE, memory
        assert memory["rss"] == memory["anonymous"]
        assert not document.get("notes"), document["notes"]
        vma = next(v for v in document["vmas"] if int(v["start"], 16) <= running.range("touched")[0]
                   < int(v["end"], 16))
        assert sum(p["memory"]["rss"] for p in vma["pieces"]) == vma["memory"]["rss"]


@segtest.claim
def without_the_ioctl_they_are_about():
    strace = segtest.which("strace")
    with situation("touched-bss") as running, tempfile.TemporaryDirectory() as directory:
        def strip(*options):
            # A call that strace injects an error into has number -1, which the sandbox does not allow.
            command = [strace, "-o", os.path.join(directory, "log"), "-e", "trace=ioctl",
                       *options, segtest.SEGMAP, "--no-sandbox", "-S", "-x", str(running.pid)]
            result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                                    env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
            assert result.returncode == 0, result.stderr
            return result.stdout.decode()

        exact, about = strip(), strip("-e", "inject=ioctl:error=ENOTTY")
        assert "~" not in exact and "about" not in exact
        assert "note: the pieces of 1 VMA are \"about\" (~)" in about and "6.7" in about
        row = next(line for line in about.splitlines() if re.search(r"\.bss", line) and "~" in line)
        assert re.search(r"~[0-9.]+K", row), row
        # Of the VMA itself everything is known.
        assert not [line for line in about.splitlines() if "rw-p" in line and "~" in line]


@for_root_and_user
def text_with_a_breakpoint_is_private_by_one_page(who):
    with situation("poked-text", who=who) as running:
        document = segtest.document("-x", running.pid, as_user=uid_of(who))
        piece = next(p for p in pieces_in(document, running.address("poked"),
                                          running.address("poked") + 1))
        assert piece["name"] == ".scenario_text" and piece["memory"]["anonymous"] == PAGE, piece
        assert piece["memory"]["file"] == piece["memory"]["rss"] - PAGE
        others = sum(p["memory"]["anonymous"] for v in document["vmas"] if v["perms"] == "r-xp"
                     for p in v["pieces"])
        assert others == PAGE, "no other text was written to"


@segtest.claim
def freshly_written_file_is_dirty_and_not_anonymous():
    with workspace() as directory:
        path = shutil.copy(segtest.which("sleep"), os.path.join(directory, "fresh"))
        with segtest.running([path, "600"]) as process:
            document = segtest.document("-x", process.pid)
            text = next(v for v in document["vmas"] if v.get("name") == path and v["perms"] == "r-xp")
            assert text["memory"]["dirty"] > 0, "the copy is on disk already: nothing is tested"
            assert text["memory"]["anonymous"] == 0
            assert all(p["memory"]["anonymous"] == 0 for p in text["pieces"])


@segtest.parameters(("-x",), ("-S", "-x"), ("-XX", "-J"), ("--summary",), ("-o", "+PAGES"))
def looking_brings_no_page_into_memory(arguments):
    with situation("plain") as running:
        # It has said that it is ready; on its way to sleep it still touches pages.
        os.kill(running.pid, signal.SIGSTOP)
        segtest.wait_until(lambda: read(f"/proc/{running.pid}/stat").rpartition(")")[2].split()[0] == "T",
                           "the process stopped")
        before = {start: figures["Rss"] for start, figures in smaps(running.pid).items()}
        assert segtest.segmap(*arguments, running.pid).status == 0
        after = {start: figures["Rss"] for start, figures in smaps(running.pid).items()}
        assert before == after, [(hex(s), before[s], after[s]) for s in before if before[s] != after[s]]


@contextlib.contextmanager
def swap_space():
    """Some of it, in compressed memory; where there is swap already, that."""
    with open("/proc/swaps", encoding="ascii") as file:
        if len(file.readlines()) > 1:
            yield
            return
    segtest.need_root()
    mkswap, swapon, swapoff = (segtest.which(p) for p in ("mkswap", "swapon", "swapoff"))
    if not os.path.exists("/sys/block/zram0"):
        raise segtest.Skip("needs swap or zram")
    try:
        with open("/sys/block/zram0/disksize", "r+", encoding="ascii") as file:
            if file.read().strip() != "0":
                raise segtest.Skip("needs swap, and zram0 is in use")
            file.write(str(64 << 20))
    except OSError as problem:
        raise segtest.Skip(f"needs swap, and zram0 does not give any: {problem.strerror}")
    try:
        device = "/dev/zram0"
        subprocess.run([mkswap, device], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([swapon, device], check=True)
        try:
            yield
        finally:
            subprocess.run([swapoff, device], check=True)
    finally:
        with open("/sys/block/zram0/reset", "w", encoding="ascii") as file:
            file.write("1")


@segtest.claim
def swapped_pages_of_bss_are_counted_and_drawn():
    with swap_space(), situation("touched-bss") as running:
        start, end = running.range("touched")
        swapped = sum(figures.get("Swap", 0) for figures in smaps(running.pid).values())
        if swapped < SWAPPED * PAGE:
            raise segtest.Skip("the kernel did not swap the pages out")
        document = segtest.document("-x", running.pid)
        memory = bss_of(document, running)
        assert memory["swap"] == SWAPPED * PAGE, memory
        assert document["totals"]["swap"] == swapped
        strip = segtest.segmap("-r", "-n", "-S", "-o", "ADDRESS,PIECE,PAGES", "-A", f"{start:x}",
                               running.pid).text
        assert re.search(r" \.bss [.RPrpZz*]*[Ss*]", strip), strip


HUGE = 2 << 20
HUGE_PAGES = f"""
import mmap
memory = mmap.mmap(-1, {2 * HUGE}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)  # MAP_HUGETLB
memory[0] = 1
print("ready", flush=True)
input()
"""


@contextlib.contextmanager
def huge_pages(count):
    """So many pages more for MAP_HUGETLB."""
    path = "/proc/sys/vm/nr_hugepages"
    segtest.need_root()
    if f"Hugepagesize: {HUGE // 1024} kB" not in re.sub(" +", " ", read("/proc/meminfo")):
        raise segtest.Skip("needs huge pages of 2 MiB")
    before = int(read(path))
    with open(path, "w", encoding="ascii") as file:
        file.write(str(before + count))
    try:
        if int(read(path)) < before + count:
            raise segtest.Skip("needs memory in one piece for huge pages")
        yield
    finally:
        with open(path, "w", encoding="ascii") as file:
            file.write(str(before))


@segtest.claim
def huge_pages_are_in_no_rss_and_in_columns_of_their_own():
    with huge_pages(2), segtest.running([segtest.which("python3"), "-c", HUGE_PAGES], ready=b"ready",
                                        stdin=subprocess.PIPE) as process:
        document = segtest.document("-XX", process.pid)
        (vma,) = [v for v in document["vmas"] if v["name"] == "/anon_hugepage (deleted)"]
        kernel = smaps(process.pid)[int(vma["start"], 16)]
        assert (kernel["Private_Hugetlb"], kernel["Rss"]) == (HUGE, 0), kernel
        for name, value in kernel.items():
            if name.lower() in vma["memory"] and name != "THPeligible":
                assert vma["memory"][name.lower()] == value, (name, value, vma)
        assert vma["memory"]["private_hugetlb"] == HUGE and "ht" in vma["vm_flags"], vma
        shown = segtest.segmap("-S", "-x", "-o", "+PAGES", process.pid).text
        assert "note: 1 VMA has huge pages of hugetlbfs" in shown, shown[-500:]
        assert "note:" not in segtest.segmap("-x", process.pid).text


@for_root_and_user
def stacks_of_threads_and_their_guards_are_named(who):
    with situation("threads", "5", who=who) as running:
        stacks = {int(key.rpartition("_")[2]): address
                  for key, address in running.addresses("stack_of_").items()}
        assert len(stacks) == 5
        seen = look(running.pid, who)
        shown = segtest.segmap(running.pid, as_user=uid_of(who)).text
        for tid, address in stacks.items():
            vma = seen.vma_at(address)
            assert (vma["label"], vma["kind"]) == (f"thread stack of {tid}", "anon"), vma
            assert re.search(rf"{vma['start'][2:]} .* thread stack of {tid}$", shown, re.MULTILINE)
            guard = seen.vma_at(int(vma["start"], 16) - 1)
            assert guard["perms"] == "---p" and guard["label"] == "guard", guard
        labelled = [vma for vma in seen.vmas if vma.get("label")]
        assert len(labelled) == 10, [vma["label"] for vma in labelled]
        summary = segtest.document("--summary", running.pid, as_user=uid_of(who))
        sizes = [row["size"] for row in summary["rows"] if row["group"] == "stack"]
        assert sizes == [v["size"] for v in seen.vmas if v["name"] == "[stack]"]


@segtest.claim
def a_process_of_one_thread_has_no_labels():
    with situation("plain") as running:
        assert not [vma for vma in look(running.pid).vmas if "label" in vma]


@contextlib.contextmanager
def stand_in(pid, name, text, mode=0o644):
    """A shell command line in which /proc/PID/NAME is a file with this text, for those who may read it."""
    segtest.need_root()
    unshare, setpriv = segtest.which("unshare"), segtest.which("setpriv")
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        path = os.path.join(directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        copy = shutil.copy(segtest.SEGMAP, directory)

        def run(*arguments):
            script = f"mount --bind {path} /proc/{pid}/{name} && exec {setpriv} --reuid={NOBODY} " \
                     f"--regid={NOBODY} --clear-groups {copy} {' '.join(arguments)} {pid}"
            result = subprocess.run([unshare, "--mount", "sh", "-c", script], capture_output=True,
                                    cwd="/", stdin=subprocess.DEVNULL)
            assert result.returncode == 0, result.stderr
            return result.stdout.decode(), result.stderr.decode()
        yield run


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


@segtest.claim
def fields_and_flags_of_a_later_kernel_are_passed_through():
    segtest.need_root()
    with situation("plain", who="user") as running:
        text = read(f"/proc/{running.pid}/smaps")
        text = re.sub(r"^Swap: .*$", r"\g<0>\nNovelty:              12 kB\nNovel_Count:           7",
                      text, flags=re.MULTILINE)
        text = re.sub(r"^VmFlags: rd", "VmFlags: rd zz", text, flags=re.MULTILINE)
        with stand_in(running.pid, "smaps", text) as run:
            lines = run("-XX", "-r")[0].splitlines()
            headings = lines[0].split(" ")
            rows = [dict(zip(headings, line.split(" "))) for line in lines[1:]]
            assert headings.index("Novelty") == headings.index("SWAP") + 1, headings
            assert {row["Novelty"] for row in rows} == {"12K"}
            assert {row["Novel_Count"] for row in rows} == {"7"}
            assert [row for row in rows if "zz" in row["VMFLAGS"].split("\\x20")]
            table = run("-XX")[0].splitlines()
            assert table[-1].startswith("total") and f"{12 * len(rows)}K" in table[-1]
            words = run("-r", "-o", "VMFLAGS-WORDS")[0]
            assert "readable" in words and "zz" in words
            assert '"novelty":12288,"novel_count":7' in run("-XX", "-J")[0]


@segtest.claim
def fields_that_an_older_kernel_lacks_are_empty():
    segtest.need_root()
    with situation("plain", who="user") as running:
        text = re.sub(r"^(Pss|Pss_Dirty|Anonymous|VmFlags|Swap|SwapPss|Locked|KSM|LazyFree|THPeligible):.*\n",
                      "", read(f"/proc/{running.pid}/smaps"), flags=re.MULTILINE)
        with stand_in(running.pid, "smaps", text) as run:
            for line in run("-x", "-r", "-n", "-o", "RSS,PSS,DIRTY,SWAP,VMFLAGS")[0].splitlines():
                rss, pss, dirty, swap, flags = line.split(" ")
                assert rss.endswith("K") and dirty.endswith("K")
                assert (pss, swap, flags) == ("-", "-", "-"), line
            assert run("-x")[0].splitlines()[-1].startswith("total")
            assert "PSS" not in run("-X", "-r")[0].splitlines()[0].split(" ")


@segtest.claim
def smaps_that_cannot_be_read_is_a_note_and_the_map_is_shown():
    segtest.need_root()
    with situation("plain", who="user") as running, \
            stand_in(running.pid, "smaps", "", mode=0) as run:
        plain = segtest.segmap("-r", "-n", "-o", "ADDRESS,SIZE,MAPPING", running.pid).text
        for option in ("-x", "-X", "-XX"):
            out, errors = run(option, "-r")
            assert "smaps" in errors and "Permission denied" in errors, errors
            headings, *lines = [line.split(" ") for line in out.splitlines()]
            rows = [dict(zip(headings, line)) for line in lines]
            assert {row["RSS"] for row in rows} == {"-"} and {row["SWAP"] for row in rows} == {"-"}
            assert len(rows) == len(plain.splitlines())
        assert "note: what memory costs is not known" in run("-x")[0]
        assert "note: what memory costs is not known" in run("--summary")[0]


@segtest.claim
def a_page_map_that_cannot_be_read_leaves_the_pieces_empty():
    segtest.need_root()
    with situation("plain", who="user") as running, \
            stand_in(running.pid, "pagemap", "", mode=0) as run:
        out, errors = run("-S", "-r", "-n", "-o", "ADDRESS,PIECE,RSS,PAGES")
        assert errors.count("pagemap") == 1 and "Permission denied" in errors, errors
        rows = [line.split(" ") for line in out.splitlines()]
        assert {row[2] for row in rows if row[1] != "-"} == {"-"}
        assert {row[3] for row in rows} == {"-"}
        assert all(row[2] != "-" for row in rows if row[1] == "-")
        assert "its pages are not known" in run("--summary")[0]


@segtest.claim
def a_tebibyte_of_reserved_address_space_is_shown_as_what_it_is():
    with situation("reserved", "1024", "64") as running:
        start, end = running.range("reserved")
        document = segtest.document("-x", "-A", f"{start:x}", running.pid)
        (vma,) = document["vmas"]
        assert vma["size"] >= end - start and 64 << 20 <= vma["memory"]["rss"] < 80 << 20
        shown = segtest.segmap("-r", "-n", "-o", "PAGES", "-A", f"{start:x}", running.pid).text.strip()
        assert len(shown) == 16 and set(shown) == {"p", "."} and shown.count("p") <= 2, shown


@segtest.claim
def the_strip_is_honest_about_every_page():
    segtest.need_root()
    with situation("touched-bss") as running:
        start, end = running.range("touched")
        rows = segtest.segmap("-r", "-n", "-o", "ADDRESS,END,PAGES", running.pid).text.splitlines()
        zero_frame = None
        with open(f"/proc/{running.pid}/pagemap", "rb") as file:
            file.seek(start // PAGE * 8)
            zero_frame = int.from_bytes(file.read(8), "little") & (1 << 55) - 1
            assert zero_frame, "the frame is hidden"
            checked = 0
            for row in rows:
                first, last, strip = row.split(" ")
                first, last = int(first, 16), int(last, 16)
                if strip == "-" or last > 1 << 47:
                    continue
                file.seek(first // PAGE * 8)
                data = file.read((last - first) // PAGE * 8)
                letters = [letter(int.from_bytes(data[i:i + 8], "little"), zero_frame)
                           for i in range(0, len(data), 8)]
                per_cell = -(-len(letters) // 16)
                cells = [letters[i:i + per_cell] for i in range(0, len(letters), per_cell)]
                expected = "".join(mix(set(cell)) for cell in cells)
                assert strip == expected, (hex(first), strip, expected)
                checked += 1
    assert checked > 15


def letter(word, zero_frame):
    if word >> 63:
        if word & (1 << 55) - 1 == zero_frame:
            return "Z"
        return "R" if word >> 61 & 1 else "P"
    return "S" if word >> 62 & 1 else "."


def mix(letters):
    if len(letters) == 1:
        return letters.pop()
    sort = letters - {"."}
    return sort.pop().lower() if len(sort) == 1 and "." in letters else "*"


if __name__ == "__main__":
    segtest.main()
