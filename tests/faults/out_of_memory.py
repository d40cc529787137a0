"""Out of memory at any request: a message and the right status, never a crash, a leak or half an answer.

fixtures/faults/failing_memory.c makes the n-th request of the whole process fail, alone or with all
that follow. Each n is a run of its own; the shortest way is walked in small steps, long ones in strides (of
a prime number, so that no period of theirs is always missed). In a build with AddressSanitizer its
malloc and its search for leaks are behind the requests that do not fail.
"""
import json
import os
import re
import subprocess
import tempfile

import segtest

SHIM = os.path.join(segtest.BUILD, "tests", "faults", "libfailing_memory.so")
NEVER = 10 ** 9
WORDS = b"segmap: memory: there is not enough"
# glibc gives a library its thread-local variables at their first use, and ends the program where it
# has no memory for them (elf/dl-tls.c:allocate_and_init). libdw has one.
GLIBC_GIVES_UP = b"cannot allocate memory for thread-local data: ABORT"


def attempt(n, lasting, *arguments):
    """Run segmap with the n-th request for memory failing; its Result, and whether there was an n-th."""
    mark = os.memfd_create("requests that failed")
    try:
        environment = dict(
            os.environ, LC_ALL="C", LD_PRELOAD=SHIM, SEGMAP_FAIL_AT=str(n), SEGMAP_FAIL_MARK=str(mark),
            # The shim comes before the sanitizer's malloc, and knows that it does.
            ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
        if lasting:
            environment["SEGMAP_FAIL_ON"] = "1"
        completed = subprocess.run([segtest.SEGMAP, *map(str, arguments)], env=environment,
                                   pass_fds=[mark], stdin=subprocess.DEVNULL, capture_output=True,
                                   timeout=60, check=False)
        return segtest.Result(completed), os.fstat(mark).st_size > 0
    finally:
        os.close(mark)


def steps(stride, lasting, *arguments):
    """The Result for each n-th request until there is none that is the n-th."""
    n = 1
    while True:
        result, failed = attempt(n, lasting, *arguments)
        if not failed:
            break
        yield n, result
        n += stride * segtest.EVERY
    if n == 1:
        raise segtest.Skip("needs a malloc that can be preceded (clang's AddressSanitizer has its own)")


def without_figures(text):
    """How much memory is used changes from run to run, and with it the columns."""
    return re.sub(rb"[\d ]+", b" ", text)


def check(n, result, whole, statuses=(0, 1)):
    """What must hold for every n; whole is what the undisturbed run writes."""
    where = f"request {n}: status {result.status}, {result.err[:2000]!r}"
    if GLIBC_GIVES_UP in result.err:
        return
    assert result.status in statuses, where
    for line in result.err.splitlines():
        assert line.startswith(b"segmap: "), where
    if result.status:
        assert WORDS in result.err, where
    elif WORDS not in result.err:
        now, before = (without_figures(text).splitlines() for text in (result.out, whole))
        assert now == before, where + f" and silently wrong: {list(set(now) ^ set(before))[:6]}"


def walk(stride, lasting, *arguments):
    whole, _ = attempt(NEVER, lasting, *arguments)
    assert whole.status == 0, whole.error_text
    for n, result in steps(stride, lasting, *arguments):
        check(n, result, whole.out)
        if "-J" in arguments:
            assert result.out.endswith(b"\n") or not result.out, f"request {n}: {result.out[-99:]!r}"
            for line in result.out.splitlines():
                json.loads(line)


def both(*values):
    """A claim for each of these ways and for one request that fails, and all from it on."""
    return segtest.parameters(*[(lasting, *value) for value in values for lasting in (False, True)])


@both((2,), (7, "-x"), (11, "-r", "-S"), (7, "--summary"), (7, "--at", "0x0"), (211, "-J"),
      (307, "-S", "-J", "-x"), (307, "-J", "-X"))
def process_is_shown_or_memory_is_named(way):
    lasting, stride, *options = way
    with segtest.running(["sleep", "600"]) as process:
        walk(stride, lasting, *options, process.pid)


@both((7, "/bin/true"), (17, "true"), (307, "-J", "/bin/true"))
def program_is_explained_or_memory_is_named(way):
    lasting, stride, *arguments = way
    walk(stride, lasting, "--explain", *arguments)


@both((7, "--maps"), (17, "--maps", "--summary"))
def saved_map_is_shown_or_memory_is_named(way):
    lasting, stride, *options = way
    with segtest.running(["sleep", "600"]) as process, tempfile.NamedTemporaryFile() as saved:
        with open(f"/proc/{process.pid}/smaps", "rb") as smaps:
            saved.write(smaps.read())
        saved.flush()
        walk(stride, lasting, *options[1:], options[0], saved.name)


@segtest.parameters(False, True)
def core_is_shown_or_memory_is_named(lasting):
    with segtest.running(["sleep", "600"]) as process, tempfile.TemporaryDirectory() as directory:
        subprocess.run([segtest.which("gcore"), "-o", os.path.join(directory, "core"), str(process.pid)],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=True, timeout=60)
        walk(17, lasting, "--core", os.path.join(directory, f"core.{process.pid}"))


@segtest.parameters(False, True)
def of_all_processes_those_are_left_out_that_there_is_no_memory_for(lasting):
    whole, _ = attempt(NEVER, lasting, "--all")
    stride = max(97, len(whole.out) // 97)
    for n, result in steps(stride, lasting, "--all"):
        # Processes come and go: no two runs see the same.
        assert result.status in (0, 1, 64), (n, result.status, result.err[:2000])
        assert all(line.startswith(b"segmap: ") for line in result.err.splitlines()), (n, result.err)
        assert result.status == 0 or WORDS in result.err, (n, result.err[:2000])


@segtest.parameters(False, True)
def file_that_would_be_replaced_is_whole_whatever_happens(lasting):
    with segtest.running(["sleep", "600"]) as process, tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "out")
        whole = segtest.segmap("-r", process.pid).out
        arguments = ["-r", "--output-file", path, process.pid]
        stride = 7
        for n, result in steps(stride, lasting, *arguments):
            check(n, result, b"")
            with open(path, "rb") if os.path.exists(path) else open(os.devnull, "rb") as file:
                now = file.read()
            assert now == (whole if result.status == 0 else b"before"[:len(now)]), (n, now[:200])
            assert set(os.listdir(directory)) <= {"out"}, (n, os.listdir(directory))
            with open(path, "wb") as file:
                file.write(b"before")


@segtest.claim
def program_that_is_run_to_verify_is_gone_whatever_happens():
    with tempfile.TemporaryDirectory() as directory:
        program = os.path.join(directory, "program")
        with open(segtest.which("true"), "rb") as file, open(program, "wb") as copy:
            copy.write(file.read())
        os.chmod(program, 0o755)
        if segtest.segmap("--explain", "--verify", program).status:
            raise segtest.Skip("needs a kernel that lets processes be traced")
        for n, result in steps(23, False, "--explain", "--verify", program):
            check(n, result, result.out)
            assert not running_from(program), (n, running_from(program))


def running_from(path):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/exe") == path:
                found.append(pid)
        except OSError:
            pass
    return found


segtest.main()
