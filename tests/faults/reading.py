"""Reads that give less than was asked for, calls that are interrupted, and a process that ends at any step.

fixtures/faults/reading.c is loaded before libc: it cuts reads short, has every other call fail with EINTR, or
kills the process that segmap looks at before the n-th read or opening of a file, and goes on when that
process has ended. In the sandbox nothing can be killed, so that is left out.
"""
import json
import os
import re
import subprocess
import tempfile

import segtest

SHIM = os.path.join(segtest.BUILD, "tests", "faults", "libreading.so")
CHANGED = ("changed while it was read", "ended meanwhile")


def preloaded(arguments, **variables):
    environment = dict(os.environ, LC_ALL="C", LD_PRELOAD=SHIM, **variables,
                       ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
    mark = os.memfd_create("killed")
    try:
        completed = subprocess.run(
            [segtest.SEGMAP, "--no-sandbox", *map(str, arguments)], pass_fds=[mark], stdin=subprocess.DEVNULL,
            env=dict(environment, SEGMAP_KILL_MARK=str(mark)), capture_output=True, timeout=60,
            check=False)
        return segtest.Result(completed), os.fstat(mark).st_size > 0
    finally:
        os.close(mark)


@segtest.parameters(1, 7, 4095)
def short_reads_change_nothing(most):
    with segtest.running(["sleep", "600"]) as process, tempfile.TemporaryDirectory() as directory:
        saved = os.path.join(directory, "smaps")
        with open(f"/proc/{process.pid}/smaps", "rb") as smaps, open(saved, "wb") as copy:
            copy.write(smaps.read())
        ways = [[process.pid], ["-S", "-J", process.pid], ["-X", process.pid],
                ["--at", "0x0", process.pid], ["--maps", saved]]
        # What is in /proc/sys is read at once or not at all: it begins anew or ends at every read.
        if most > len("65530"):
            ways.append(["--explain", "/bin/true"])
        for arguments in ways:
            whole, _ = preloaded(arguments)
            short, _ = preloaded(arguments, SEGMAP_READ_MOST=str(most))
            assert (short.status, short.err) == (0, b""), (arguments, short.status, short.error_text)
            out = whole.out
            # The page map is read by words or not at all: without it segmap's own vdso, which is the same, is read.
            if most < 8:
                out = out.replace(b'"opened":"memory"', b'"opened":"self"')
            assert comparable(short.out, arguments) == comparable(out, arguments), arguments


def comparable(text, arguments):
    return segtest.comparable(text, figures="-x" in arguments or "-X" in arguments)


def masked(text):
    """Of a program that has another pid in each run."""
    return segtest.comparable(re.sub(rb"(?m)^([^ ]+: )?\d+: ", b"", text), figures=True)


@segtest.parameters(["--run", "--no-aslr", "/bin/true"],
                    ["--run", "--no-aslr", "-x", "--trace", "--moment=exec,entry,exit", "true"],
                    ["--explain", "--verify", "/bin/true"], ["--quiz", "--seed=1", "/bin/true"])
def calls_that_are_interrupted_around_a_program_are_made_again(arguments):
    whole, _ = preloaded(arguments)
    assert whole.status == 0 and whole.err == b"", (whole.status, whole.error_text)
    interrupted, _ = preloaded(arguments, SEGMAP_INTERRUPT="1")
    assert (interrupted.status, interrupted.err) == (0, b""), (interrupted.status, interrupted.error_text)
    assert masked(interrupted.out) == masked(whole.out), interrupted.text


@segtest.claim
def calls_that_are_interrupted_around_processes_are_made_again():
    with segtest.running(["sleep", "600"]) as a, segtest.running(["sleep", "600"]) as b, \
            tempfile.TemporaryDirectory() as directory:
        documents = []
        for process in (a, b):
            documents.append(os.path.join(directory, f"{process.pid}.json"))
            with open(documents[-1], "wb") as file:
                file.write(segtest.segmap("-J", process.pid).out)
        path = os.path.join(directory, "out")
        for arguments in (["--audit", a.pid], ["-x", a.pid], ["--diff", a.pid, b.pid],
                          ["--diff", *documents], ["--output-file", path, a.pid], ["--svg", a.pid]):
            whole, _ = preloaded(arguments)
            interrupted, _ = preloaded(arguments, SEGMAP_INTERRUPT="1")
            assert (interrupted.status, interrupted.err) == (whole.status, b""), (
                arguments, interrupted.status, interrupted.error_text)
            assert comparable(interrupted.out, arguments) == comparable(whole.out, arguments), arguments
        with open(path, "rb") as file:
            assert file.read() == segtest.segmap(a.pid, env={"LC_ALL": "C"}).out


def killed_at(n, *options):
    """Show a process that ends before step n: the Result; whether there was such a step; its rows."""
    with segtest.running(["sleep", "600"]) as process:
        rows = len(segtest.maps(process.pid))
        arguments = options if "--all" in options else [*options, process.pid]
        result, killed = preloaded(arguments, SEGMAP_KILL=str(process.pid), SEGMAP_KILL_AT=str(n))
    return result, killed, rows, process.pid


@segtest.parameters((7,), (11, "-x"), (47, "-S", "-X"), (7, "--at", "0x0"), (47, "--summary"), (13, "--audit"))
def process_that_ends_is_shown_whole_or_not_at_all(stride_and_options):
    stride, *options = stride_and_options
    n = 1
    while True:
        result, killed, rows, _ = killed_at(n, "-J", *options)
        if not killed:
            break
        assert result.status in (0, 1) or "--audit" in options and result.status == 3, (
            n, result.status, result.error_text)
        if result.status == 1:
            [line] = result.error_text.splitlines()
            assert line.startswith("segmap: ") and re.search("zombie|ended|no such process", line), line
            assert result.out == b"", (n, result.out[:200])
        else:
            document = json.loads(result.out)
            segtest.validate(document)
            segtest.check_layout(document)
            # All of one moment: that of its life.
            if "--at" not in options and "--summary" not in options:
                changed = any(words in note for note in document["notes"] for words in CHANGED)
                assert len(document["vmas"]) == rows or changed, (n, document["notes"])
        n += stride
    if n == 1:
        raise segtest.Skip("needs a dynamic linker that loads something before libc")


@segtest.parameters([], ["--summary"])
def of_all_processes_one_that_ends_is_whole_or_left_out(options):
    n, killed, seen = 1, True, set()
    while killed:
        result, killed, rows, pid = killed_at(n, "-J", "--all", *options)
        assert result.status == 0, (n, result.status, result.error_text)
        assert all(line.startswith("segmap: --all: ") for line in result.error_text.splitlines()), result.error_text
        documents = [json.loads(line) for line in result.out.splitlines()]
        assert documents, n
        for document in documents if options else [d for d in documents if d["pid"] == pid]:
            segtest.validate(document)
            segtest.check_layout(document)
            assert options or len(document["vmas"]) == rows or any(
                words in note for note in document["notes"] for words in CHANGED), (n, document["notes"])
        seen.add(pid in {document.get("pid") for document in documents})
        n += 41 * segtest.EVERY
    assert options or segtest.EVERY > 1 or seen == {False, True}, "it never was left out, or always"


@segtest.claim
def differences_to_a_process_that_ends_are_shown_or_it_is_said_why_not():
    with segtest.running(["sleep", "600"]) as other:
        n, killed = 1, True
        while killed:
            result, killed, *_ = killed_at(n, "-J", "--diff", other.pid)
            where = (n, result.status, result.error_text)
            assert result.status in (0, 1, 3), where
            if result.status == 1:
                [line] = result.error_text.splitlines()
                assert re.search("zombie|ended|no such process", line) and result.out == b"", where
            else:
                segtest.validate(json.loads(result.out))
            n += 23 * segtest.EVERY


@segtest.claim
def watching_a_process_that_ends_ends_whenever_that_is():
    for n in segtest.some(range(1, 400, 53)):
        result, killed, *_ = killed_at(n, "-J", "--watch=0.01")
        where = (n, result.status, result.error_text)
        assert killed and result.status in (0, 1), where
        documents = [json.loads(line) for line in result.out.splitlines()]
        for document in documents:
            segtest.validate(document)
        if result.status:
            assert re.search("zombie|ended|no such process", result.error_text) and not documents, where
        else:
            assert not result.err and documents and documents[-1]["event"] == "exit", where


segtest.main()
