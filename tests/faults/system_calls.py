"""System calls that fail: a message and the right status, and no answer that is silently wrong.

strace makes the n-th call of a kind fail, for every n in a stride, from the beginning of main() on:
what fails before is the dynamic linker's. Where a call was refused, segmap's answer is the undisturbed
one, or there is a message or a note; figures of memory, which change by themselves, are not compared.
Without the sandbox: strace turns the call into one that does not exist, which the sandbox forbids.
"""
import functools
import os
import re
import subprocess
import tempfile

import segtest

CALL = re.compile(r"\d+ +(\w+)\(")
BEGIN = "rt_sigaction(SIGPIPE"  # the first thing that main() does but for setlocale()


def traced(log, options, arguments):
    """segmap's Result under strace, and strace's lines."""
    # The search for leaks needs to trace segmap itself.
    environment = dict(os.environ, LC_ALL="C",
                       ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
    completed = subprocess.run(
        [segtest.which("strace"), "-f", "-qq", "-o", log, *options, segtest.SEGMAP, "--no-sandbox",
         *map(str, arguments)],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    with open(log, encoding="latin-1") as file:
        return segtest.Result(completed), file.read().splitlines()


def numbers_of(kind, lines):
    """Which calls of this kind, counted from the start of the process, come after main() has begun."""
    begin = next(i for i, line in enumerate(lines) if BEGIN in line)
    at = [i for i, line in enumerate(lines) if (found := CALL.match(line)) and found[1] == kind]
    return [n for n, i in enumerate(at, 1) if i > begin]


def says_why(result, whole):
    """Whether there is a message or a note that the undisturbed run has not."""
    def count(some):
        return len(some.err.splitlines()) + some.out.count(b"note: ")
    return count(result) > count(whole)


def check(where, result, whole, figures=False):
    where += f": status {result.status}, {result.err[:1000]!r}"
    assert result.status in (0, 1, 64), where
    assert all(line.startswith(b"segmap: ") for line in result.err.splitlines()), where
    if result.status:
        assert result.err or b"outcome: " in result.out, where
    elif segtest.comparable(result.out, figures) != segtest.comparable(whole.out, figures):
        rows = set(result.out.splitlines()) ^ set(whole.out.splitlines())
        assert says_why(result, whole), where + f": silently wrong: {sorted(rows)[:6]}"


def fail_each(arguments, kinds, errors, stride, checked=check):
    """Run segmap with these arguments once for every call in the stride and every error."""
    n_runs = 0
    with tempfile.TemporaryDirectory() as directory:
        log = os.path.join(directory, "log")
        whole, lines = traced(log, [], arguments)
        assert whole.status == 0, whole.error_text
        for kind in kinds:
            for n in numbers_of(kind, lines)[::stride]:
                error = errors[n_runs % len(errors)]
                n_runs += 1
                inject = ["-e", f"trace={kind}", "-e", f"inject={kind}:error={error}:when={n}"]
                result, _ = traced(log, inject, arguments)
                checked(f"{kind} {n} fails with {error}", result, whole)
    assert n_runs, "no call was made to fail"


ERRORS = ["EIO", "ENOENT", "EACCES", "ENOMEM", "EMFILE", "ESRCH"]


@segtest.parameters(("openat", 3), ("read", 2), ("pread64", 3), ("newfstatat", 5), ("ioctl", 1),
                    ("write", 1), ("close", 9))
def process_is_shown_or_it_is_said_why_not(kind_and_stride):
    kind, stride = kind_and_stride
    with segtest.running(["sleep", "600"]) as process:
        fail_each([process.pid], [kind], ERRORS, stride)


@segtest.parameters("--summary", "-x")
def figures_are_there_or_it_is_said_why_not(option):
    with segtest.running(["sleep", "600"]) as process:
        fail_each([option, process.pid], ["openat", "read", "pread64", "ioctl"], ERRORS, 19,
                  functools.partial(check, figures=True))


@segtest.claim
def addresses_are_named_or_it_is_said_why_not():
    with segtest.running(["sleep", "600"]) as process:
        fail_each(["--at", "0x0", process.pid], ["openat", "read", "ioctl", "pread64"], ERRORS, 7)


@segtest.claim
def saved_map_and_core_are_shown_or_it_is_said_why_not():
    with segtest.running(["sleep", "600"]) as process, tempfile.TemporaryDirectory() as directory:
        core, saved = os.path.join(directory, "core"), os.path.join(directory, "saved")
        subprocess.run([segtest.which("gcore"), "-o", core, str(process.pid)], check=True, timeout=60,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(f"/proc/{process.pid}/maps", "rb") as maps, open(saved, "wb") as copy:
            copy.write(maps.read())
        for arguments in (["--core", f"{core}.{process.pid}"], ["--maps", saved]):
            fail_each(arguments, ["openat", "openat2", "read", "pread64", "newfstatat"], ERRORS, 5)


@segtest.claim
def program_is_explained_as_its_dynamic_linker_would_see_it():
    def as_it_would_see_it(where, result, whole):
        """A library or cache that cannot be read is passed over, by it and in the prediction."""
        check(where, result, result if result.status == 0 else whole)
    fail_each(["--explain", "/bin/true"], ["openat", "read", "pread64", "newfstatat", "readlink"],
              ERRORS, 5, as_it_would_see_it)


@segtest.claim
def call_that_was_interrupted_is_made_again():
    def is_made_again(where, result, whole):
        assert (result.status, result.out, result.err) == (0, whole.out, b""), (where, result.err)
    with segtest.running(["sleep", "600"]) as process:
        fail_each([process.pid], ["read", "pread64"], ["EINTR"], 5, is_made_again)


def with_one_failing(call, *arguments):
    with tempfile.TemporaryDirectory() as directory:
        result, lines = traced(os.path.join(directory, "log"), ["-e", "trace=" + call.split(":")[0],
                                                                "-e", "inject=" + call], arguments)
    assert any("(INJECTED)" in line for line in lines), call
    return result


@segtest.claim
def personality_that_is_not_told_is_none_without_randomization():
    result = with_one_failing("personality:error=EPERM", "--explain", "/bin/true")
    assert result.status == 0 and result.out == segtest.segmap(
        "--explain", "/bin/true", env={"LC_ALL": "C"}).out, result.text


@segtest.claim
def vdso_that_cannot_be_foretold_is_a_note():
    with tempfile.TemporaryDirectory() as directory:
        _, lines = traced(os.path.join(directory, "log"), ["-e", "trace=openat"],
                          ["--explain", "/bin/true"])
    # The last one: a sanitizer's run-time library looks there, too, before main().
    [*_, number] = [n for n, line in enumerate(lines, 1) if '"/proc/self/maps"' in line]
    result = with_one_failing(f"openat:error=EACCES:when={number}", "--explain", "/bin/true")
    assert result.status == 0 and "/proc/self/maps: Permission denied" in result.text, result.text


segtest.main()
