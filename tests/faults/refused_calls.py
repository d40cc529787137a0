"""Calls that a limit, a container or a file system refuses: the answer is whole, or a message says what was refused.

fixtures/faults/refusing.c is loaded before libc and refuses the n-th call of a function, or all from the n-th on.
In the sandbox these calls are made before, or not at all, so that it is left out: strace's and libc's ways to refuse
are others than its.
"""
import contextlib
import errno
import os
import re
import resource
import subprocess
import tempfile

import segtest

SHIM = os.path.join(segtest.BUILD, "tests", "faults", "librefusing.so")
# What a limit on processes, on open files, or a seccomp profile can refuse at all.
REFUSALS = {"fork": ["EAGAIN", "ENOMEM"], "pthread_create": ["EAGAIN"], "pipe2": ["EMFILE"], "socketpair": ["EMFILE"],
            "fcntl": ["EMFILE"], "dup2": ["EMFILE"], "personality": ["EPERM"], "prctl": ["EPERM", "EINVAL"],
            "poll": ["ENOMEM"], "signalfd": ["EMFILE"], "memfd_create": ["ENOSYS"], "setrlimit": ["EPERM"],
            "mkostemp": ["EROFS"], "linkat": ["EPERM"], "rename": ["EACCES"], "fchmod": ["EPERM"], "fsync": ["EIO"]}
NAMED = {"ENOMEM": "there is not enough"}


def lower_file_limit():
    """So that there is a higher one to ask for."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256 if hard == resource.RLIM_INFINITY else min(256, hard - 1), hard))


def refused(call, number, error, arguments, lasting=False):
    """segmap's Result, and how many calls were refused."""
    variables = {"SEGMAP_REFUSE": call, "SEGMAP_REFUSE_AT": str(number),
                 "SEGMAP_REFUSE_WITH": str(getattr(errno, error))}
    if lasting:
        variables["SEGMAP_REFUSE_ALL"] = "1"
    with tempfile.NamedTemporaryFile(prefix="segmap-refused-") as mark:
        completed = subprocess.run(
            [segtest.SEGMAP, "--no-sandbox", *map(str, arguments)], stdin=subprocess.DEVNULL,
            env=dict(os.environ, **variables, LC_ALL="C", LD_PRELOAD=SHIM, SEGMAP_REFUSE_MARK=mark.name,
                     ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"),
            capture_output=True, timeout=60, check=False, preexec_fn=lower_file_limit)
        return segtest.Result(completed), os.stat(mark.name).st_size


def comparable(text, is_run):
    """What is run has other addresses each time, and another pid."""
    if is_run:
        text = re.sub(rb"\b(0x)?[0-9a-f]{6,}\b", b"", re.sub(rb"(?m)^([^ ]+: )?\d+: ", b"", text))
    return segtest.comparable(text, figures=True)


@contextlib.contextmanager
def copy_of(name):
    """A program that nobody else runs."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "program")
        with open(segtest.which(name), "rb") as file, open(path, "wb") as copy:
            copy.write(file.read())
        os.chmod(path, 0o755)
        yield path


def check(where, error, result, whole, is_run=False):
    where += f": status {result.status}, {result.err!r}"
    assert result.status in (0, 1), where
    if result.status or is_run and result.err:  # what is run has its own status
        [line] = result.error_text.splitlines()
        assert line.startswith("segmap: ") and NAMED.get(error, os.strerror(getattr(errno, error))) in line, where
        # Of several moments the first may have been shown.
        assert comparable(whole.out, is_run).startswith(comparable(result.out, is_run)) and (is_run or not result.out), where
    else:
        assert comparable(result.out, is_run) == comparable(whole.out, is_run) and not result.err, where


def check_run(where, error, result, whole):
    check(where, error, result, whole, is_run=True)


def refuse_each(arguments, checked=check):
    """Refuse each call that segmap makes with these arguments; which functions those were."""
    whole, _ = refused("none", 1, "EPERM", arguments)
    assert whole.status == 0, whole.error_text
    reached = set()
    for call, errors in REFUSALS.items():
        for error in errors:
            for lasting in (False, True):
                number, n_refused = 1, 1
                while n_refused:
                    result, n_refused = refused(call, number, error, arguments, lasting)
                    checked(f"{call} {number} refused with {error}", error, result, whole)
                    reached |= {call} if n_refused else set()
                    number += 1
    return reached


@segtest.parameters(["--run"], ["--run", "-x", "--moment=exec,entry,exit"], ["--run", "--trace", "--no-aslr"])
def program_is_run_and_shown_or_what_was_refused_is_named(options):
    with copy_of("true") as program:
        reached = refuse_each([*options, program], check_run)
        assert {"fork", "socketpair", "prctl"} <= reached, reached
        assert not segtest.running_from(program), "it runs still"


@segtest.parameters([], ["--no-aslr"])
def program_is_verified_or_what_was_refused_is_named(options):
    with copy_of("true") as program:
        reached = refuse_each(["--explain", "--verify", *options, program])
        assert {"fork", "pthread_create", "pipe2", "socketpair", "personality"} <= reached, reached
        assert not segtest.running_from(program), "it runs still"


@segtest.parameters("EPERM", "ESRCH")
def tracing_that_is_refused_is_named(error):
    with copy_of("true") as program:
        for options in (["--run"], ["--explain", "--verify"]):
            result, n_refused = refused("ptrace", 1, error, [*options, program])
            assert n_refused == 1 and result.status == 1 and not result.out, result.text
            [line] = result.error_text.splitlines()
            assert "trace it: " in line, line
            assert not segtest.running_from(program), "it runs still"


@segtest.claim
def what_the_kernel_does_not_tell_or_give_a_tracer_is_named_or_done_without():
    told = set()
    with copy_of("true") as program:
        # Until it goes on to its entry point: that this is refused does not happen.
        for number in range(2, 7):
            result, n_refused = refused("ptrace", number, "EIO", ["--explain", "--verify", program])
            assert n_refused == 1 and not segtest.running_from(program), number
            if result.status:
                assert result.status == 1 and "PTRACE_GET_SYSCALL_INFO" in result.error_text, (number, result.error_text)
            else:
                assert "verified at entry: 3 images" in result.text and "no difference" in result.text, result.text
            told |= {words for words in ("PTRACE_GET_SYSCALL_INFO", "no hardware breakpoint")
                     if words in result.error_text + result.text}
    if os.uname().machine != "x86_64":
        raise segtest.Skip("needs a machine whose debug registers are known")
    assert len(told) == 2, told


@segtest.claim
def file_is_written_whole_or_as_it_was():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "out")
        for before in (None, b"before"):
            def is_whole_or_as_it_was(where, error, result, whole, before=before):
                check(where, error, result, whole)
                assert set(os.listdir(directory)) <= {"out"}, (where, os.listdir(directory))
                if result.status == 0 or before is not None:
                    with open(path, "rb") as file:
                        assert file.read() == (before if result.status else complete), where
                else:
                    assert not os.path.exists(path), where
                if before is None and os.path.exists(path):
                    os.unlink(path)
                elif before is not None:
                    with open(path, "wb") as file:
                        file.write(before)
            with segtest.running(["sleep", "600"]) as process:
                complete = segtest.segmap(process.pid, env={"LC_ALL": "C"}).out
                if before is not None:
                    with open(path, "wb") as file:
                        file.write(before)
                reached = refuse_each(["--output-file", path, process.pid], is_whole_or_as_it_was)
            assert {"mkostemp", "linkat", "fchmod"} & reached and (before is None or "rename" in reached), reached


@segtest.parameters([], ["-J"], ["--at", "0x0"], ["--audit"], ["-x"])
def process_is_shown_whatever_is_refused(options):
    with segtest.running(["sleep", "600"]) as process:
        reached = refuse_each([*options, process.pid])
        assert "setrlimit" in reached, reached


segtest.main()
