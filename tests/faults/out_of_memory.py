"""Out of memory at any request: a message and the right status, never a crash, a leak or half an answer.

fixtures/faults/failing_memory.c makes the n-th request of the whole process fail, alone or with all
that follow. Each n is a run of its own; the shortest way is walked in small steps, long ones in strides (of
a prime number, so that no period of theirs is always missed), unless SEGMAP_TEST_EVERY_REQUEST is set: then no
n is left out, which takes half an hour. In a build with AddressSanitizer its malloc and its search for leaks
are behind the requests that do not fail.
"""
import contextlib
import json
import os
import pty
import re
import resource
import subprocess
import tempfile
import termios
import unittest.mock

import segtest
from obedient import obedient
from reader import Reader

SHIM = os.path.join(segtest.BUILD, "tests", "faults", "libfailing_memory.so")
NEVER = 10 ** 9
EVERY_REQUEST = "SEGMAP_TEST_EVERY_REQUEST" in os.environ
WORDS = b"segmap: memory: there is not enough"
# glibc gives a library its thread-local variables at their first use, and ends the program where it
# has no memory for them (elf/dl-tls.c:allocate_and_init). libdw has one.
GLIBC_GIVES_UP = b"cannot allocate memory for thread-local data: ABORT"
# And libdw, where it has no memory for what it makes of debug information (libdw/libdw_alloc.c).
LIBDW_GIVES_UP = b"libdw: Cannot allocate memory"


@contextlib.contextmanager
def failing(n, lasting, spared=None):
    """
    The options of a process whose n-th request for memory fails, alone or with all that follow, and a
    function that tells whether there was an n-th. The library that is spared takes what it wants.
    """
    mark = os.memfd_create("whether one has failed")
    try:
        os.ftruncate(mark, 1)
        environment = dict(
            os.environ, LC_ALL="C", LD_PRELOAD=SHIM, SEGMAP_FAIL_AT=str(n), SEGMAP_FAIL_MARK=str(mark),
            # The shim comes before the sanitizer's malloc, and knows that it does.
            ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
        if lasting:
            environment["SEGMAP_FAIL_ON"] = "1"
        if spared:
            environment["SEGMAP_FAIL_SPARE"] = spared
        yield {"env": environment, "pass_fds": [mark]}, lambda: os.pread(mark, 1, 0) != b"\0"
    finally:
        os.close(mark)


def attempt(n, lasting, *arguments, typed=b"", spared=None):
    """Run segmap with the n-th request for memory failing; its Result, and whether there was an n-th."""
    with failing(n, lasting, spared) as (options, has_failed):
        completed = subprocess.run([segtest.SEGMAP, *map(str, arguments)], input=typed, timeout=60,
                                   capture_output=True, check=False, **options)
        return segtest.Result(completed), has_failed()


def steps(stride, lasting, *arguments, attempted=attempt, **more):
    """The Result for each n-th request until there is none that is the n-th."""
    n = 1
    while True:
        result, failed = attempted(n, lasting, *arguments, **more)
        if not failed:
            break
        yield n, result
        n += 1 if EVERY_REQUEST else stride * segtest.EVERY
    if n == 1:
        raise segtest.Skip("needs a malloc that can be preceded (clang's AddressSanitizer has its own)")


def without_figures(text):
    """How much memory is used changes from run to run, and with it the columns; and addresses do."""
    return re.sub(rb"[\d. ]+", b" ", re.sub(rb"\b(0x)?[0-9a-f]{6,}\b", b"", text))


def check(n, result, whole, status=0):
    """What must hold for every n; whole and status are the undisturbed run's."""
    where = f"request {n}: status {result.status}, {result.err[:2000]!r}"
    if GLIBC_GIVES_UP in result.err or LIBDW_GIVES_UP in result.err:
        assert result.status, where
        return
    assert result.status in (status, 1), where
    for line in result.err.splitlines():
        assert line.startswith(b"segmap: "), where
    if result.status != status:
        assert WORDS in result.err, where
    elif WORDS not in result.err:
        now, before = (without_figures(text).splitlines() for text in (result.out, whole))
        assert now == before, where + f" and silently wrong: {list(set(now) ^ set(before))[:6]}"


def walk(stride, lasting, *arguments, status=0, **more):
    whole, _ = attempt(NEVER, lasting, *arguments, **more)
    assert whole.status == status, whole.error_text
    for n, result in steps(stride, lasting, *arguments, **more):
        check(n, result, whole.out, status)
        if "-J" in arguments:
            assert result.out.endswith(b"\n") or not result.out, f"request {n}: {result.out[-99:]!r}"
            for line in result.out.splitlines():
                json.loads(line)


def both(*values):
    """A claim for each of these ways and for one request that fails, and all from it on."""
    ways = [value if isinstance(value, tuple) else (value,) for value in values]
    return segtest.parameters(*[(lasting, *way) for way in ways for lasting in (False, True)])


@both((2,), (7, "-x"), (11, "-r", "-S"), (7, "--summary"), (7, "--at", "0x0"), (211, "-J"),
      (307, "-S", "-J", "-x"), (307, "-J", "-X"))
def process_is_shown_or_memory_is_named(way):
    lasting, stride, *options = way
    with segtest.running(["sleep", "600"]) as process:
        walk(stride, lasting, *options, process.pid)


@both((3,))
def symbol_is_found_or_memory_is_named(way):
    """
    libdw seldom tells what it has no memory for from what is not there. Its own requests are spared: where one
    fails, it ends the process, or reads what it did not get (0.188, dwarf_getsrclines). LeakSanitizer takes libdw's
    thread-local memory for lost, as it comes from here and not from the dynamic linker.
    """
    lasting, stride = way
    no_leaks = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
    with unittest.mock.patch.dict(os.environ, no_leaks), obedient() as process:
        walk(stride, lasting, "--at", "obedient!main", process.pid, spared="libdw.so")


@both((7, "/bin/true"), (17, "true"), (17, "-J", "/bin/true"))
def program_is_explained_or_memory_is_named(way):
    lasting, stride, *arguments = way
    walk(stride, lasting, "--explain", *arguments)


@both(3)
def libraries_are_found_or_memory_is_named(way):
    """Those that the environment names, and one that is nowhere: each place where it is not is told."""
    lasting, stride = way
    asked = {"SEGMAP_FAIL_PRELOAD": "libm.so.6:/lib/none.so nowhere.so", "LD_LIBRARY_PATH": "/usr/$LIB::/lib/none/"}
    with unittest.mock.patch.dict(os.environ, asked):
        walk(stride, lasting, "--explain", "/bin/true")


@both((7, "--maps"), (17, "--maps", "--summary"))
def saved_map_is_shown_or_memory_is_named(way):
    lasting, stride, *options = way
    with segtest.running(["sleep", "600"]) as process, tempfile.NamedTemporaryFile() as saved:
        with open(f"/proc/{process.pid}/smaps", "rb") as smaps:
            saved.write(smaps.read())
        saved.flush()
        walk(stride, lasting, *options[1:], options[0], saved.name)


@both((1,), (1, "-r"))
def names_are_escaped_or_memory_is_named(way):
    """vis(3) has no word for it: without memory, it can write nothing and say that all is well."""
    lasting, stride, *options = way
    with tempfile.NamedTemporaryFile() as saved:
        saved.write(b"10000-11000 rw-p 00000000 00:00 0 [anon:\xff\x1b[7m]\n")
        saved.flush()
        walk(stride, lasting, *options, "--maps", saved.name)


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


@contextlib.contextmanager
def program_of_its_own():
    """A program that ends at once, and that nobody else runs."""
    with tempfile.TemporaryDirectory() as directory:
        program = os.path.join(directory, "program")
        with open(segtest.which("true"), "rb") as file, open(program, "wb") as copy:
            copy.write(file.read())
        os.chmod(program, 0o755)
        if segtest.segmap("--explain", "--verify", program).status:
            raise segtest.Skip("needs a kernel that lets processes be traced")
        yield program


@segtest.claim
def program_that_is_run_to_verify_is_gone_whatever_happens():
    with program_of_its_own() as program:
        whole, _ = attempt(NEVER, False, "--explain", "--verify", program)
        for n, result in steps(23, False, "--explain", "--verify", program):
            check(n, result, whole.out)
            assert not segtest.running_from(program), (n, segtest.running_from(program))


@both((13,), (13, "-x", "--moment=exec,entry,exit"), (13, "--moment=exit"), (61, "--trace"),
      (13, "--at", "0x0"), (401, "-J", "--trace"))
def program_that_is_run_is_shown_or_memory_is_named_and_it_ends_by_itself(way):
    lasting, stride, *options = way
    with program_of_its_own() as program:
        whole, _ = attempt(NEVER, lasting, "--run", *options, program)
        for n, result in steps(stride, lasting, "--run", *options, program):
            # The status is the program's; 1 where it was not started.
            check(n, result, whole.out)
            assert result.status == 0 or not result.out, (n, result.out[:200])
            assert not segtest.running_from(program), (n, segtest.running_from(program))


@both((13,), (13, "-x"), (13, "-r"), (29, "-J"))
def differences_are_shown_or_memory_is_named(way):
    lasting, stride, *options = way
    with segtest.running(["sleep", "600"]) as a, obedient() as b:
        b.tell("protect")
        walk(stride, lasting, "--diff", *options, a.pid, b.pid, status=3)


def saved(directory, name, *arguments):
    path = os.path.join(directory, name)
    with open(path, "wb") as file:
        file.write(segtest.segmap("-J", *arguments).out)
    return path


@both((1009,), (1009, "-J"))
def documents_are_compared_or_memory_is_named(way):
    """json-c itself has enough: without, versions before 0.18 crash (src/read/json.c:is_room_for)."""
    lasting, stride, *options = way
    with segtest.running(["sleep", "600"]) as process, obedient() as other, \
            tempfile.TemporaryDirectory() as directory:
        documents = [saved(directory, "a.json", process.pid), saved(directory, "b.json", other.pid)]
        walk(stride, lasting, "--diff", *options, *documents, status=3, spared="/libjson-c.")


@segtest.claim
def document_is_read_or_memory_is_named_where_there_is_a_limit():
    """Nothing fails by itself here: there is just so much. From little on, until it is enough."""
    with open(segtest.SEGMAP, "rb") as program:
        if b"__asan_init" in program.read():
            return  # it takes terabytes of addresses for itself
    with segtest.running(["sleep", "600"]) as process, tempfile.TemporaryDirectory() as directory:
        document = saved(directory, "a.json", "-x", "-S", process.pid)
        n_refused, limit, result = 0, 1 << 22, None
        while not result or result.status:
            result = segtest.segmap("--diff", document, document, env={"LC_ALL": "C"}, preexec_fn=lambda: (
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))))
            where = (limit, result.status, result.error_text)
            # Below it segmap's own libraries, or json-c, find no place.
            if WORDS in result.err:
                n_refused += 1
                assert result.status == 1 and not result.out, where
            elif result.status:
                assert result.status in (1, 127) and b"shared" in result.err, where
            limit += 3 << 16
        assert n_refused and result.text.endswith("no difference but load bases\n"), (n_refused, result.text)


@both((13,), (307, "-J"), (13, "-r"))
def audit_has_findings_or_memory_is_named(way):
    lasting, stride, *options = way
    with tempfile.TemporaryDirectory() as directory:
        program = os.path.join(directory, "program")
        with open(segtest.which("sleep"), "rb") as file, open(program, "wb") as copy:
            copy.write(file.read())
        os.chmod(program, 0o755)
        with segtest.running([program, "600"]) as process:
            os.unlink(program)
            walk(stride, lasting, "--audit", *options, process.pid, status=3)


@both((37, "-q"), (37,), (37, "-J"))
def questions_are_asked_or_memory_is_named(way):
    lasting, stride, *options = way
    walk(stride, lasting, "--quiz", "--seed=1", *options, "/bin/true", typed=b"r-x\n\xff\n.text\n")


@both((601, "--svg"), (1201, "--html"))
def picture_is_drawn_or_memory_is_named(way):
    lasting, stride, form = way
    with segtest.running(["sleep", "600"]) as process:
        walk(stride, lasting, form, process.pid)


def watch(n, lasting, *options, first, change):
    """As attempt(), of a process that maps something and ends. first and change: what tells of them."""
    def told(words):
        return lambda data: reader.ended or re.search(words, data)

    with obedient() as process, failing(n, lasting) as (popen_options, has_failed), \
            tempfile.TemporaryFile() as errors:
        with subprocess.Popen([segtest.SEGMAP, "--watch=0.02", *options, str(process.pid)], stderr=errors,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **popen_options) as watcher:
            reader = Reader(watcher.stdout.fileno())
            reader.wait_for(told(first), "the first map, or its end")
            process.tell("map 3")
            reader.wait_for(told(change), "the change, or its end")
            process.tell_last("exit")
            reader.wait_for_end()
            status = watcher.wait(60)
        errors.seek(0)
        return segtest.Result(subprocess.CompletedProcess([], status, reader.data, errors.read())), has_failed()


@both((67, [], rb"\ntotal ", rb"\.\d{3} [+>] "), (97, ["-x"], rb"\ntotal ", rb"\.\d{3} [+>] "),
      (809, ["-J"], rb"\n", rb'"event":"change"'))
def watched_process_is_followed_or_memory_is_named(way):
    lasting, stride, options, first, change = way
    more = {"attempted": watch, "first": first, "change": change}
    for n, result in steps(stride, lasting, *options, **more):
        where = f"request {n}: status {result.status}, {result.err[:2000]!r}, {result.out[-500:]!r}"
        assert result.status in (0, 1), where
        assert all(line.startswith(b"segmap: ") for line in result.err.splitlines()), where
        assert (WORDS in result.err) == (result.status == 1), where
        assert result.status or (re.search(change, result.out) and (b"has ended" in result.out or "-J" in options)), where
        assert "-J" not in options or all(map(json.loads, result.out.splitlines())), where


@segtest.parameters(False, True)
def terminal_is_given_back_whatever_happens(lasting):
    shown, hidden = b"\033[?1049h", b"\033[?1049l"
    n, any_failed = 1, True
    while any_failed:
        with obedient() as process, failing(n, lasting) as (options, has_failed):
            options["env"]["TERM"] = "xterm"
            leader, follower = pty.openpty()
            before = termios.tcgetattr(leader)
            with subprocess.Popen([segtest.SEGMAP, "--watch=0.02", str(process.pid)], stdin=follower,
                                  stdout=follower, stderr=follower, **options) as watcher:
                os.close(follower)
                reader = Reader(leader)
                reader.wait_for(lambda data: reader.ended or b"\033[J" in data, "the first map, or its end")
                process.tell_last("exit")
                reader.wait_for_end()
                status = watcher.wait(60)
            where = f"request {n}: status {status}, {reader.data[-500:]!r}"
            assert reader.data.count(shown) == reader.data.count(hidden), where
            assert termios.tcgetattr(leader) == before, where
            assert status in (0, 1) and (WORDS in reader.data) == (status == 1), where
            os.close(leader)
            any_failed = has_failed()
        n += 37 * segtest.EVERY


segtest.main()
