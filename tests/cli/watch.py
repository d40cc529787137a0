"""--watch: what happens to a process is seen, told, and marked on a terminal that is left as it was."""
import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios

import segtest
from obedient import PROGRAM, obedient, some_library
from reader import Reader

INTERVAL = "0.02"
SHOWN, HIDDEN = b"\033[?1049h", b"\033[?1049l"


@contextlib.contextmanager
def watching(pid, *arguments):
    """segmap --watch on a pipe."""
    with subprocess.Popen([segtest.SEGMAP, f"--watch={INTERVAL}", *arguments, str(pid)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process, Reader(process.stdout.fileno())
        finally:
            process.kill()


def lines_of(data, sign):
    return [line for line in data.decode().splitlines()
            if re.match(r"\d\d:\d\d:\d\d\.\d{3} " + re.escape(sign) + " ", line)]


def vmas_of(pid, path):
    """(start, end) of what is mapped of a file, ascending."""
    return sorted(row[:2] for row in segtest.maps(pid) if row[6] == os.fsencode(path))


def is_told(data, sign, path, vmas):
    """
    Whether lines of this sign that name the file cover these ranges. Not each line for itself: it can be
    looked at while the dynamic linker is about its work.
    """
    told = set()
    for line in lines_of(data, sign):
        if os.path.basename(path) in line:
            start, size = line.split()[2:4]
            told.update(range(int(start, 16), int(start, 16) + int(size[:-1]) * 1024, 4096))
    return all(address in told for start, end in vmas for address in range(start, end, 4096))


def wait_for_first_map(reader):
    return reader.wait_for(lambda data: b"\ntotal " in data, "the first map")


@segtest.claim
def library_that_comes_and_goes_is_told_vma_by_vma():
    library = some_library()
    with obedient() as process, watching(process.pid) as (_, reader):
        wait_for_first_map(reader)
        process.tell("open " + library)
        vmas = vmas_of(process.pid, library)
        assert vmas
        reader.wait_for(lambda data: is_told(data, "+", library, vmas), "what is new")
        process.tell("close")
        reader.wait_for(lambda data: is_told(data, "-", library, vmas), "what is gone")


@segtest.claim
def grown_and_protected_memory_is_told():
    with obedient() as process:
        process.tell("heap 2")
        with watching(process.pid) as (_, reader):
            wait_for_first_map(reader)
            [heap] = [row for row in segtest.maps(process.pid) if row[6] == b"[heap]"]
            size = (heap[1] - heap[0]) // 1024
            process.tell("heap 3")
            data = reader.wait_for(lambda data: lines_of(data, ">"), "what has grown")
            [line] = lines_of(data, ">")
            assert f"> {heap[0]:08x} {size}K -> {size + 12}K rw-p [heap]" in line, line
            process.tell("protect")
            data = reader.wait_for(lambda data: lines_of(data, "~"), "other permissions")
            [line] = lines_of(data, "~")
            assert "rw-p -> r--p" in line and os.path.basename(PROGRAM) in line, line
            assert line.split()[2] in {f"{row[0]:08x}" for row in segtest.maps(process.pid) if row[2] == "r--p"}


@segtest.claim
def what_becomes_of_a_part_is_told_by_that_part():
    """Rights that come back join it with its neighbours; a hole leaves two of what was one."""
    def covered(perms=""):
        return {address for row in segtest.maps(process.pid) if perms in row[2]
                for address in range(row[0], row[1], 4096)}

    with obedient() as process, watching(process.pid) as (_, reader):
        wait_for_first_map(reader)
        writable, mapped = covered("w"), covered()
        process.tell("protect")
        part = writable - covered("w")
        expected = f"{min(part):08x} {len(part) * 4}K"
        reader.wait_for(lambda data: f"~ {expected} rw-p -> r--p".encode() in data, "less rights")
        process.tell("unprotect")
        assert covered("w") == writable
        reader.wait_for(lambda data: f"~ {expected} r--p -> rw-p".encode() in data, "more rights")
        process.tell("hole")
        part = mapped - covered()
        assert {min(part) - 4096, max(part) + 4096} < covered("w")
        data = reader.wait_for(lambda data: lines_of(data, "<"), "the hole")
        [line] = lines_of(data, "<")
        assert f"< {min(part):08x} {len(part) * 4}K rw-p {os.path.basename(PROGRAM)}" in line, line
        assert len(lines_of(data, "~")) == 2, data


@segtest.claim
def of_a_range_only_what_is_in_it_is_told():
    library = some_library()
    with obedient() as process:
        process.tell("heap 2")
        [heap] = [row for row in segtest.maps(process.pid) if row[6] == b"[heap]"]
        within = ["-A", f"{heap[0]:x},{heap[1]:x}"]
        with watching(process.pid, *within) as (_, reader), watching(process.pid) as (_, of_all), \
                watching(process.pid, "-J", *within) as (_, documents):
            wait_for_first_map(reader)
            wait_for_first_map(of_all)
            documents.wait_for(lambda data: b"\n" in data, "the first document")
            process.tell("open " + library)
            vmas = vmas_of(process.pid, library)
            of_all.wait_for(lambda data: is_told(data, "+", library, vmas), "what is new elsewhere")
            process.tell("heap 3")
            data = reader.wait_for(lambda data: lines_of(data, ">"), "what has grown")
            told = [line for line in data.decode().splitlines() if re.match(r"\d\d:\d\d", line)]
            assert told and all("[heap]" in line for line in told), told
            data = documents.wait_for(lambda data: data.count(b"\n") >= 2, "a document of it")
            maps = [json.loads(line)["vmas"] for line in data.decode().splitlines(True) if line.endswith("\n")]
            assert all("[heap]" == vma["name"] for vmas in maps for vma in vmas), maps
            assert all(before != after for before, after in zip(maps, maps[1:])), maps


@segtest.claim
def touched_page_is_told_where_figures_are_asked_for():
    with obedient() as process, watching(process.pid, "-x") as (_, reader):
        wait_for_first_map(reader)
        process.tell("touch")
        data = reader.wait_for(lambda data: [l for l in lines_of(data, "*") if "Anonymous" in l], "other memory use")
        [line] = [line for line in lines_of(data, "*") if "Anonymous" in line]
        before, after = map(int, re.search(r"Anonymous (\d+)K -> (\d+)K", line).groups())
        assert after - before == 4 and "rw-p" in line, line


@segtest.claim
def exec_begins_anew_and_exit_ends_it():
    with tempfile.TemporaryDirectory(prefix="segmap-watch-") as directory, obedient() as process:
        other = os.path.join(directory, "another")
        shutil.copy(PROGRAM, other)
        with watching(process.pid) as (watcher, reader):
            wait_for_first_map(reader)
            process.tell_last("exec " + other)
            assert process.process.stdout.readline() == b"ready\n"
            data = reader.wait_for(lambda data: data.count(b"\ntotal ") >= 2, "the map of the other")
            assert data.count(b"executes another program") == 1
            assert b"executes another program: another" in data
            process.tell_last("exit")
            data = reader.wait_for_end()
            assert data.rstrip().endswith(b"it has ended"), data[-200:]
            assert watcher.wait() == 0 and watcher.stderr.read() == b""


@segtest.claim
def same_program_executed_again_is_an_exec():
    with obedient() as process, watching(process.pid) as (_, reader):
        wait_for_first_map(reader)
        process.tell_last("exec " + PROGRAM)
        assert process.process.stdout.readline() == b"ready\n"
        reader.wait_for(lambda data: b"executes another program: obedient" in data, "the exec")


@segtest.claim
def documents_are_streamed_one_for_each_change():
    library = some_library()
    with obedient() as process, watching(process.pid, "-J") as (watcher, reader):
        def events(data):
            return [json.loads(line)["event"] for line in data.splitlines(keepends=True) if line.endswith(b"\n")]
        reader.wait_for(lambda data: events(data) == ["first"], "the first document")
        for number in (1, 2, 3):
            process.tell("open " + library)
            process.tell("map 7")
            mapped = segtest.maps(process.pid)
            reader.wait_for(
                lambda data: any(e == "change" for e in events(data)) and last_map(data) == rows_of(mapped),
                f"the map after step {number}")
        process.tell_last("exit")
        data = reader.wait_for_end()
        assert watcher.wait() == 0
    found = events(data)
    assert found[0] == "first" and found[-1] == "exit" and set(found[1:-1]) == {"change"}, found
    for line in data.splitlines():
        document = json.loads(line)
        segtest.validate(document)
        segtest.check_layout(document)
    assert not json.loads(data.splitlines()[-1])["vmas"]


def rows_of(mapped):
    return [(hex(row[0]), hex(row[1]), row[2]) for row in mapped]


def last_map(data):
    lines = [line for line in data.splitlines(keepends=True) if line.endswith(b"\n")]
    return [(vma["start"], vma["end"], vma["perms"]) for vma in json.loads(lines[-1])["vmas"]]


@segtest.claim
def nothing_is_told_where_nothing_happens_and_a_closed_pipe_ends_it():
    with obedient() as process, watching(process.pid) as (watcher, reader):
        wait_for_first_map(reader)
        first = segtest.segmap("-o", "CHANGE,ADDRESS,SIZE,PERM,OFFSET,MAPPING,SEGMENT", process.pid).text
        assert reader.data.decode() == first
        watcher.stdout.close()
        assert watcher.wait() == -signal.SIGPIPE
        assert watcher.stderr.read() == b""


@contextlib.contextmanager
def on_terminal(pid, *arguments, rows=30, columns=100, under=()):
    """segmap --watch, with @under before it, on a terminal of its own: (process, reader, leader, mode before)."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    before = termios.tcgetattr(follower)
    environment = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    environment.pop("COLUMNS", None)

    def control():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    with subprocess.Popen([*under, segtest.SEGMAP, f"--watch={INTERVAL}", *arguments, str(pid)],
                          stdin=follower, stdout=follower, stderr=subprocess.PIPE, env=environment,
                          preexec_fn=control) as process:
        try:
            yield process, Reader(leader), leader, follower, before
        finally:
            process.kill()
            process.wait()
            os.close(leader)
            os.close(follower)


def check_left_clean(data, follower, before):
    assert data.count(SHOWN) == data.count(HIDDEN) > 0, data[-500:]
    assert data.rindex(HIDDEN) > data.rindex(SHOWN)
    assert data.rindex(b"\033[?25h") > data.rindex(b"\033[?25l")
    assert termios.tcgetattr(follower) == before


@segtest.claim
def key_q_quits_and_leaves_the_history_on_the_normal_screen():
    library = some_library()
    with obedient() as process, on_terminal(process.pid) as (watcher, reader, leader, follower, before):
        reader.wait_for(lambda data: b"q quits" in data, "the first screen")
        assert termios.tcgetattr(follower) != before
        process.tell("open " + library)
        name = os.path.basename(library).encode()
        reader.wait_for(lambda data: re.search(rb"\d\d \+ [0-9a-f]+ .*" + re.escape(name), data), "what is new")
        process.tell("close")
        reader.wait_for(lambda data: re.search(rb"\d\d - [0-9a-f]+ .*" + re.escape(name), data), "what is gone")
        os.write(leader, b"q")
        watcher.wait()
        # The follower is open here, too: there is no end to wait for.
        data = reader.wait_for(lambda data: HIDDEN in data and b" - " in data.rpartition(HIDDEN)[2], "history")
        assert watcher.returncode == 0 and watcher.stderr.read() == b""
        check_left_clean(data, follower, before)
        history = data.rpartition(HIDDEN)[2].decode()
        assert re.match(rf"{process.pid}: \d+ changes\r\n", history), history
        for sign in "+-":
            assert re.search(rf"\d \{sign} [0-9a-f]+ .*{re.escape(name.decode())}", history), history


@segtest.claim
def marks_stand_before_new_vmas():
    with obedient() as process, on_terminal(process.pid, rows=60, columns=120) as (_, reader, *_rest):
        reader.wait_for(lambda data: b"q quits" in data, "the first screen")
        process.tell("open " + some_library())
        first = f"{vmas_of(process.pid, some_library())[0][0]:08x}"
        sgr = rb"(?:\033\[[0-9;]*m)*"
        reader.wait_for(lambda data: re.search(rb"\n" + sgr + rb"\+ +" + sgr + first.encode(), data),
                        "the mark of " + first)


@segtest.parameters(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
def signal_leaves_the_terminal_clean(number):
    with obedient() as process, on_terminal(process.pid) as (watcher, reader, _, follower, before):
        reader.wait_for(lambda data: b"q quits" in data, "the first screen")
        watcher.send_signal(number)
        assert watcher.wait() == -number
        data = reader.wait_for(lambda data: HIDDEN in data and b"changes" in data.rpartition(HIDDEN)[2], "history")
        check_left_clean(data, follower, before)


@segtest.claim
def stopped_it_gives_the_terminal_back_and_continued_it_draws_again():
    shell = [segtest.which("bash"), "-c", 'exec 2>&1; set -m; "$0" "$@"; echo it has stopped; read -r line; fg']
    with obedient() as process, on_terminal(process.pid, under=shell) as (watcher, reader, leader, follower, before):
        reader.wait_for(lambda data: b"q quits" in data, "the first screen")
        os.write(leader, b"\x1a")
        reader.wait_for(lambda data: b"it has stopped" in data.rpartition(HIDDEN)[2], "the shell")
        assert termios.tcgetattr(follower) == before
        os.write(leader, b"\n")
        reader.wait_for(lambda data: data.count(SHOWN) == 2 and b"q quits" in data.rpartition(SHOWN)[2], "it again")
        os.write(leader, b"q")
        assert watcher.wait() == 0
        data = reader.wait_for(lambda data: data.count(HIDDEN) == 2, "the normal screen")
        check_left_clean(data, follower, before)


@segtest.claim
def signal_ends_it_though_a_look_takes_longer_than_the_time_between_two():
    code = ("import ctypes, mmap, time\n"
            "libc = ctypes.CDLL(None)\n"
            "held = mmap.mmap(-1, 20000 * 4096)\n"
            "at = ctypes.addressof(ctypes.c_char.from_buffer(held))\n"
            "for page in range(0, 20000, 2):\n"
            "    libc.mprotect(ctypes.c_void_p(at + page * 4096), 4096, mmap.PROT_READ)\n"
            "print('ready', flush=True)\n"
            "time.sleep(600)\n")
    with segtest.running([sys.executable, "-c", code], ready=b"ready") as process, \
            watching(process.pid, "-x", "--watch=0.01") as (watcher, reader):
        wait_for_first_map(reader)
        watcher.send_signal(signal.SIGTERM)
        assert watcher.wait(timeout=60) == -signal.SIGTERM


@segtest.claim
def ignored_signal_does_not_end_it():
    ignoring = [segtest.which("env"), "--ignore-signal=HUP"]
    with obedient() as process, on_terminal(process.pid, under=ignoring) as (watcher, reader, leader, *_):
        reader.wait_for(lambda data: b"q quits" in data, "the first screen")
        watcher.send_signal(signal.SIGHUP)
        library = some_library()
        process.tell("open " + library)
        reader.wait_for(lambda data: os.path.basename(library).encode() in data, "what is new")
        os.write(leader, b"q")
        assert watcher.wait() == 0


@segtest.claim
def resized_terminal_is_filled_and_not_overrun():
    def screens(data):
        """The lines of each time that it was drawn, without codes."""
        text = re.sub(rb"\033\[[0-9;]*m|\033\[K", b"", data.partition(SHOWN)[2])
        return [part.partition(b"\033[J")[0].decode().split("\r\n")
                for part in text.split(b"\033[H")[1:] if b"\033[J" in part]

    def resize(rows, columns):
        fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        return reader.wait_for(lambda data: screens(data) and len(screens(data)[-1]) == rows and
                               max(map(len, screens(data)[-1])) <= columns, f"{rows} rows of {columns}")

    with obedient() as process, on_terminal(process.pid, rows=12, columns=120) as (
            watcher, reader, leader, _, _before):
        reader.wait_for(lambda data: screens(data) and len(screens(data)[-1]) == 12, "the first screen")
        top = screens(reader.data)[-1][1]
        for rows, columns in ((8, 110), (15, 132), (5, 105)):
            resize(rows, columns)
        assert screens(reader.data)[-1][1][:10] == top[:10]
        os.write(leader, b"\033[B\033[B")  # two lines down
        reader.wait_for(lambda data: screens(data)[-1][1][:10] != top[:10], "another top line")
        os.write(leader, b"kk")
        reader.wait_for(lambda data: screens(data)[-1][1][:10] == top[:10], "the first top line")
        os.write(leader, b"q")
        assert watcher.wait() == 0


@segtest.claim
def process_that_ends_ends_it_on_a_terminal_too():
    with obedient() as process, on_terminal(process.pid) as (watcher, reader, _, follower, before):
        reader.wait_for(lambda data: b"q quits" in data, "the first screen")
        process.tell_last("exit")
        assert watcher.wait() == 0
        data = reader.wait_for(lambda data: b"it has ended" in data.rpartition(HIDDEN)[2], "history")
        check_left_clean(data, follower, before)


@segtest.claim
def what_cannot_be_watched_is_said_in_one_line():
    for target, words in (("999999999", "no such process"), ("nobody-is-called-so", "no process has this name")):
        result = segtest.segmap("--watch", target)
        lines = result.error_text.splitlines()
        assert (result.status, result.text, len(lines)) == (1, "", 1) and words in lines[0], lines


@segtest.parameters(
    ("--watch",), ("--watch", "1", "2"), ("--watch=0", "1"), ("--watch=-1", "1"), ("--watch=x", "1"),
    ("--watch=", "1"), ("--watch=nan", "1"), ("--watch=1e9", "1"), ("--watch", "-r", "1"),
    ("--watch", "--all"), ("--watch", "--summary", "1"), ("--watch", "--at", "0", "1"),
    ("--watch", "--output-file", "x", "1"), ("--watch", "--explain", "true"), ("--watch", "--maps", "x"),
    ("--watch", "--run", "true"), ("--watch", "--no-aslr", "1"), ("--watch", "--verify", "1"))
def wrong_usage_is_told(arguments):
    result = segtest.segmap(*arguments)
    assert result.status == 2 and result.text == "", (arguments, result.status)
    assert result.error_text.splitlines()[1] == "Try 'segmap --help'"


segtest.main()
