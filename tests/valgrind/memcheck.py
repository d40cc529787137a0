"""Whatever segmap is asked to do, valgrind's memcheck finds nothing wrong with it: no byte is read that was
never written or has been freed, and no memory is lost.

How to run other tests like this: CONTRIBUTING.md.
"""
import contextlib
import glob
import os
import subprocess
import tempfile

DIRECTORY = tempfile.TemporaryDirectory(prefix="segmap-memcheck-")
os.environ["SEGMAP_TEST_VALGRIND"] = DIRECTORY.name

import segtest  # noqa: E402
from obedient import obedient  # noqa: E402

# {pid}: a process; {address}: of its program; {maps}, {core}, {document}: it, saved; {program}: a file. Each mode
# of segmap, with what is done besides.
MODES = {
    "process": "-x -S -o +PAGES,VMFLAGS {pid}",
    "json": "-XX -S -J {pid}",
    "summary": "--summary -X --sort=RSS {pid}",
    "all": "--all -q",
    "address": "-J --at {address} {pid}",
    "symbol": "--at libc.so.6!malloc --at .text --at main --at 0 {pid}",
    "audit": "--audit {pid}",
    "maps": "--maps {maps} --html",
    "core": "--core {core} -J --at main",
    "verify": "--explain --verify --svg --moment=exec,entry {program}",
    "run": "--run --trace --moment=exec,entry,exit {program}",
    "diff": "--diff {document} {pid}",
    "quiz": "--quiz {program}",
}
PATIENCE = 500  # seconds for one run, which takes one at least
WRONG = """#include <stdlib.h>
void *volatile lost;
int main(void) { char *never_written = lost = malloc(1); lost = NULL; return *never_written ? 1 : 0; }
"""


@contextlib.contextmanager
def memcheck():
    """The environment for runs under valgrind, and a function that says what it has found in them."""
    segtest.which("valgrind")
    with tempfile.TemporaryDirectory(dir=DIRECTORY.name) as directory:
        def found():
            logs = [path for path in glob.glob(directory + "/*/*") if os.path.basename(path) != "arguments"]
            text = "".join(open(path, encoding="utf-8", errors="replace").read() for path in logs)
            assert logs, "valgrind has not run anything"
            for refusal in ("Fatal error at startup", "debuginfo reader: "):
                if refusal in text:
                    raise segtest.Skip("valgrind cannot run it: " + text[text.index(refusal):][:200])
            # Lines that begin with "--" are of calls that it does not know.
            return "".join(line for line in text.splitlines(True) if line.startswith("=="))
        yield {"SEGMAP_TEST_VALGRIND": directory}, found


def save_maps(process, path):
    with open(f"/proc/{process.pid}/smaps", "rb") as smaps, open(path, "wb") as saved:
        saved.write(smaps.read())
    return path


def save_document(process, path):
    with open(path + ".json", "wb") as saved:
        subprocess.run([os.environ["SEGMAP_PROGRAM"], "-J", str(process.pid)], stdout=saved, check=True)
    return saved.name


def save_core(process, path):
    subprocess.run([segtest.which("gcore"), "-o", path, str(process.pid)], check=True, timeout=60,
                   capture_output=True, env=dict(os.environ, DEBUGINFOD_URLS=""))
    return f"{path}.{process.pid}"


SAVED = {"{maps}": save_maps, "{document}": save_document, "{core}": save_core}


@segtest.parameters(*MODES)
def nothing_is_found(mode):
    with obedient() as process, tempfile.TemporaryDirectory() as directory, memcheck() as (environment, found):
        words = {"{pid}": str(process.pid), "{address}": hex(segtest.maps(process.pid)[0][0]),
                 "{program}": segtest.which("true")}
        words.update((word, save(process, os.path.join(directory, "saved"))) for word, save in SAVED.items()
                     if word in MODES[mode])
        result = segtest.segmap(*(words.get(word, word) for word in MODES[mode].split()), env=environment,
                                timeout=PATIENCE)
        assert not found(), found()
        # 3: predictions are of a process under valgrind, which has no vdso to see.
        assert result.status in (0, 3) and result.out, (result.status, result.error_text)


@segtest.claim
def nothing_is_found_while_it_watches():
    with obedient() as process, memcheck() as (environment, found):
        with subprocess.Popen([segtest.SEGMAP, "--watch=0.01", "-J", "-x", str(process.pid)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, env={**os.environ, **environment}) as watching:
            assert watching.stdout.readline()
            process.tell("map 1")
            assert watching.stdout.readline()
            process.tell_last("exit")
            watching.stdout.read()
            assert watching.wait() == 0
        assert not found(), found()


@segtest.claim
def what_is_wrong_is_found():
    """The claims above can fail."""
    with tempfile.TemporaryDirectory() as directory, memcheck() as (environment, found):
        program = os.path.join(directory, "wrong")
        subprocess.run([segtest.which("cc", "gcc", "clang"), "-x", "c", "-O0", "-o", program, "-"],
                       input=WRONG.encode(), check=True)
        result = segtest.segmap(env={**environment, "SEGMAP_PROGRAM": program}, timeout=PATIENCE)
        assert result.status == 99, (result.status, result.error_text)
        for what in ("uninitialised", "definitely lost"):
            assert what in found(), (what, found())


segtest.main()
