"""What segmap looks at is left as it was: the calls it makes, and the process before and after."""
import contextlib
import os
import re
import shutil
import struct
import subprocess
import tempfile

import segtest

PAGE = os.sysconf("SC_PAGE_SIZE")

# What acts on another process or on a file.
ACTS = re.compile(
    r"^(ptrace|kill|tkill|tgkill|rt_(tg)?sigqueueinfo|pidfd_\w+|process_\w+|"
    r"unlink(at)?|rename(at2?)?|link(at)?|symlink(at)?|mkdir(at)?|mknod(at)?|truncate|ftruncate|"
    r"f?chmod(at)?|l?f?chown(at)?|utime\w*|f?setxattr|lsetxattr|mount|set(priority|pgid|sid)|"
    r"sched_set\w+|ioprio_set|migrate_pages|move_pages|memfd_create|fallocate|bind|connect)$")

MODES = ["", "-J", "-S", "-x", "-XX", "-S -x", "-J -XX", "--summary", "-x -o +PAGES",
         "--at=libc.so.6!malloc", "--audit", "--svg"]


def trace(*arguments, expect=(0,)):
    strace = segtest.which("strace")
    with tempfile.TemporaryDirectory(prefix="segmap-effects-") as directory:
        log = os.path.join(directory, "log")
        # What a sanitizer does at the end it cannot do under a tracer.
        asan = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        result = subprocess.run(
            [strace, "-f", "-y", "-s", "64", "-o", log, segtest.SEGMAP, *map(str, arguments)],
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
            env=dict(os.environ, ASAN_OPTIONS=asan), timeout=120)
        assert result.returncode in expect, result
        with open(log, encoding="utf-8", errors="surrogateescape") as file:
            lines = [re.match(r"^\d+ +(\w+)\((.*)", line) for line in file]
    return [match.groups() for match in lines if match]


def check_calls(calls):
    for name, rest in calls:
        assert not ACTS.match(name), (name, rest)
        if name.startswith("open"):
            assert not re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)", rest), rest
        if name.startswith(("write", "pwrite", "send")):
            assert re.match(r"[12]<", rest), (name, rest)


@segtest.parameters(*MODES)
def no_call_acts_on_a_process_or_a_file(options):
    with segtest.running(["sleep", "600"]) as process:
        check_calls(trace(*options.split(), process.pid))


@segtest.parameters("--all", "--all -J", "--explain /bin/true", "--explain -J /bin/cat")
def neither_does_one_of_many_processes_or_of_a_prediction(options):
    check_calls(trace(*options.split(), expect=(0, 64)))


def pages_of(pid):
    """Bits 55 (soft-dirty), 61 (file), 62 (swap) and 63 (present) of every page that is mapped."""
    found = {}
    with open(f"/proc/{pid}/pagemap", "rb") as pagemap:
        for start, end, *_ in segtest.maps(pid):
            if start >= 1 << 63:  # [vsyscall] has none
                continue
            pagemap.seek(start // PAGE * 8)
            words = pagemap.read((end - start) // PAGE * 8)
            found[start] = [word >> 55 & 0x1c1 for word, in struct.iter_unpack("=Q", words)]
    return found


def state_of(pid):
    with open(f"/proc/{pid}/status", encoding="latin-1") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
    del status["SigQ"]  # of all that its user has
    with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
        # Faults, and time that it ran: fields 10 to 15 of proc(5).
        stat = file.read().rpartition(")")[2].split()[7:13]
    fds = sorted(os.listdir(f"/proc/{pid}/fd")) if os.geteuid() == 0 else []
    return status, stat, fds


@contextlib.contextmanager
def clean_process(command):
    """One whose pages' soft-dirty bits are clear, so that a write to one shows."""
    with segtest.running(command) as process:
        with open(f"/proc/{process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("4")
        yield process.pid


@segtest.parameters(*MODES)
def process_is_the_same_afterwards(options):
    with clean_process(["sleep", "600"]) as pid:
        before = pages_of(pid), state_of(pid)
        assert segtest.segmap(*options.split(), pid).status == 0
        after = pages_of(pid), state_of(pid)
    assert after[0] == before[0], "pages that were not there are, or were written to"
    assert after[1] == before[1], [(key, value, after[1][0].get(key)) for key, value in before[1][0].items()
                                   if after[1][0].get(key) != value]


@segtest.claim
def vdso_that_is_not_resident_is_not_read():
    with clean_process(["sleep", "600"]) as pid:
        vdso = next((start for start, *_, name in segtest.maps(pid) if name == b"[vdso]"), None)
        if vdso is None:
            raise segtest.Skip("needs a [vdso]")
        absent = [word for word in pages_of(pid)[vdso] if not word >> 8]
        if not absent:
            raise segtest.Skip("needs a vdso that is not resident")
        assert "vdso" in segtest.segmap("-S", pid).text
        assert [word for word in pages_of(pid)[vdso] if not word >> 8] == absent
        assert not [rest for name, rest in trace("-S", pid) if name.startswith("pread") and "/mem>" in rest]


@segtest.claim
def headers_in_memory_are_read_where_they_are_resident_only():
    """Its file cannot be opened: nobody's process, whose program only root can read, by nobody."""
    segtest.need_root()
    with tempfile.TemporaryDirectory(prefix="segmap-effects-") as directory:
        os.chmod(directory, 0o755)
        program = os.path.join(directory, "sleep")
        shutil.copy(segtest.which("sleep"), program)
        os.chmod(program, 0o755)
        with segtest.running([program, "600"], user=65534, group=65534) as process:
            os.chmod(program, 0o700)
            before = pages_of(process.pid)
            result = segtest.segmap("-S", process.pid, as_user=65534)
            assert result.status == 0 and "headers in memory" in result.text, result.text
            assert pages_of(process.pid) == before


@segtest.claim
def time_of_the_last_access_stays():
    with tempfile.TemporaryDirectory(prefix="segmap-effects-") as directory:
        program = os.path.join(directory, "sleep")
        shutil.copy(segtest.which("sleep"), program)
        with segtest.running([program, "600"]) as process:
            os.utime(program, (1000000000, os.stat(program).st_mtime))
            assert segtest.segmap("-S", process.pid).status == 0
            assert segtest.segmap("--explain", program).status == 0
            assert os.stat(program).st_atime == 1000000000
            opened = [rest for name, rest in trace("-S", process.pid)
                      if name == "openat" and f"<{program}>" in rest and "O_PATH" not in rest]
            assert opened and all("O_NOATIME" in rest for rest in opened), opened


def limits_and_privileges(text):
    """What a program has inherited; its own pids apart."""
    return [line for line in text.splitlines()
            if re.match(r"(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|SigBlk|SigIgn|Max )", line)]


@segtest.claim
def program_that_is_run_inherits_nothing_of_the_sandbox():
    program = [segtest.which("cat"), "/proc/self/status", "/proc/self/limits"]
    by_hand = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    with tempfile.TemporaryDirectory(prefix="segmap-effects-") as directory:
        for options in ([], ["--trace"], ["--moment=exec,entry,exit"]):
            path = os.path.join(directory, "out")
            result = segtest.segmap("--run", *options, "--output-file", path, *program)
            assert result.status == 0
            assert limits_and_privileges(result.text) == limits_and_privileges(by_hand), options


segtest.main()
