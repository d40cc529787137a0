"""What the tests from outside share: claims, skips, running segmap, the schema.

A test file defines claims and ends with segtest.main():

    import segtest

    @segtest.claim
    def rows_equal_proc_maps():
        with segtest.running(["sleep", "600"]) as process:
            ...assert...

A claim passes when it returns, fails when it raises, and is skipped when it
raises segtest.Skip("what is missing"). SEGMAP_TEST_REQUIRE_ALL=1 makes a skip
a failure. The file exits 0, 1, or 77 when every claim was skipped.

SEGMAP_TEST_EVERY=N takes a sample where many values are tried alike: see some().
SEGMAP_TEST_VALGRIND=DIRECTORY runs segmap by under-valgrind, which writes there.

From meson come SEGMAP (the program under test), SEGMAP_SOURCE (the source
tree) and SEGMAP_BUILD (the build tree).
"""
import contextlib
import difflib
import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback

SOURCE = os.environ.get("SEGMAP_SOURCE") or os.path.abspath(
    os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("SEGMAP_BUILD") or os.path.join(SOURCE, "build")
SEGMAP = os.environ.get("SEGMAP") or os.path.join(BUILD, "segmap")
REQUIRE_ALL = os.environ.get("SEGMAP_TEST_REQUIRE_ALL") == "1"
EVERY = int(os.environ.get("SEGMAP_TEST_EVERY") or "1")

if os.environ.get("SEGMAP_TEST_VALGRIND"):
    os.environ.setdefault("SEGMAP_PROGRAM", SEGMAP)
    SEGMAP = os.environ["SEGMAP"] = os.path.join(SOURCE, "tests", "support", "under-valgrind")

# A shell has what it starts in the background ignore these, and nohup the last; what is started here would
# inherit that.
for _signal in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_signal) == signal.SIG_IGN:
        signal.signal(_signal, signal.SIG_DFL)

_claims = []


class Skip(Exception):
    """The machine lacks what the claim needs; the text says what."""


def claim(function):
    """Register a claim under the function's name; parameters() makes several of one."""
    _claims.append((function.__name__, function))
    return function


def parameters(*values):
    """Register one claim for each value, named function[value]."""
    def register(function):
        for value in values:
            _claims.append((f"{function.__name__}[{value}]",
                            lambda value=value: function(value)))
        return function
    return register


def some(values):
    """Of many values that are tried alike, each SEGMAP_TEST_EVERY-th: sanitizers make segmap slow."""
    return list(values)[::EVERY]


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


def _closed_directory():
    """The directory on the way to the build that only its owner may enter, as /root; None if there is none."""
    path = BUILD
    while path != "/":
        if not os.stat(path).st_mode & 0o001:
            return path
        path = os.path.dirname(path)
    return None


def need_other_user():
    """Whoever runs the tests can be somebody else, and that one can execute what was built."""
    need_root()
    closed = _closed_directory()
    if closed:
        raise Skip(f"needs a build that other users can execute: they may not enter {closed}")


def which(*programs):
    """The path of the first of these programs that exists, or Skip."""
    for program in programs:
        for directory in os.environ.get("PATH", "/usr/bin:/bin").split(":") + ["/usr/sbin", "/sbin"]:
            path = os.path.join(directory, program)
            if os.access(path, os.X_OK):
                return path
    raise Skip("needs " + " or ".join(programs))


class Result:
    def __init__(self, completed):
        self.status = completed.returncode
        self.out = completed.stdout
        self.err = completed.stderr

    @property
    def text(self):
        return self.out.decode("utf-8", "surrogateescape")

    @property
    def error_text(self):
        return self.err.decode("utf-8", "surrogateescape")


def segmap(*arguments, as_user=None, env=None, timeout=60, **options):
    """Run the program under test and return its Result; as_user is a uid to become first."""
    command = [SEGMAP, *[os.fsencode(a) if isinstance(a, (str, bytes)) else str(a) for a in arguments]]
    if as_user is not None:
        need_other_user()
        options.update(user=as_user, group=as_user, extra_groups=[])
    environment = dict(os.environ, **(env or {}))
    environment.pop("COLUMNS", None) if not env or "COLUMNS" not in env else None
    return Result(subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env=environment, timeout=timeout, **options))


_validator = None


def validate(document):
    """Check a JSON document against the published schema."""
    global _validator
    if _validator is None:
        try:
            import jsonschema
        except ImportError:
            raise Skip("needs the Python module jsonschema")
        with open(os.path.join(SOURCE, "docs", "segmap.schema.json"), encoding="utf-8") as file:
            _validator = jsonschema.Draft202012Validator(json.load(file))
    errors = sorted(_validator.iter_errors(document), key=lambda error: list(error.absolute_path))
    if errors:
        # oneOf hides the cause: report the errors of the branch that fits the document.
        deepest = max(errors, key=lambda e: len(e.context or ()))
        details = [f"{list(e.absolute_path)}: {e.message[:300]}" for e in (deepest.context or [deepest])]
        raise AssertionError("not valid against the schema: " + "; ".join(details[:6]))


def documents(*arguments, expect=0, **options):
    """Run segmap -J with these arguments; return the documents, each checked against the schema."""
    result = segmap("-J", *arguments, **options)
    assert result.status == expect, f"exit status {result.status}, not {expect}: {result.error_text}"
    found = [json.loads(line, object_pairs_hook=_unique) for line in result.out.decode("utf-8").splitlines()]
    for document in found:
        validate(document)
        check_layout(document)
    return found


def document(*arguments, **options):
    """As documents(), for exactly one."""
    found = documents(*arguments, **options)
    assert len(found) == 1, f"{len(found)} documents, not 1"
    return found[0]


def _unique(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key stands twice in {keys}"
    return dict(pairs)


def check_layout(layout):
    """What holds for every map document: order, sizes, pieces that cover, ids that exist."""
    if layout.get("document", "map") != "map":
        return
    for index, image in enumerate(layout["images"]):
        assert image["id"] == index
    end = -1
    for vma in layout["vmas"]:
        start, stop = int(vma["start"], 16), int(vma["end"], 16)
        assert start < stop and vma["size"] == stop - start, vma
        if layout["source"] != "prediction":
            assert start >= end, f"VMAs out of order at {vma['start']}"
        end = stop
        for piece in vma["pieces"]:
            assert int(piece["end"], 16) - int(piece["start"], 16) == piece["size"] > 0, piece
        if vma.get("image") is not None:
            assert vma["image"] < len(layout["images"])
            at = start
            for piece in vma["pieces"]:
                assert int(piece["start"], 16) == at, f"hole or overlap before {piece} in {vma['start']}"
                at = int(piece["end"], 16)
            assert at == stop, f"pieces of {vma['start']} end at {at:x}, not {stop:x}"
        else:
            assert vma["pieces"] == [], vma


def comparable(text, figures=False):
    """Output (bytes) to the byte, but for the moment of a document and, with figures, those of memory (12K),
    which change by themselves, and with them the width of columns."""
    text = re.sub(rb'"time": ?"[^"]*"', b'"time":""', text)
    return re.sub(rb" +", b" ", re.sub(rb"\b[0-9]+K\b", b"K", text)) if figures else text


def check_golden(path, got):
    """Compare text with a golden file; SEGMAP_GOLDEN_UPDATE=1 writes it anew."""
    if os.environ.get("SEGMAP_GOLDEN_UPDATE") == "1":
        with open(path, "w", encoding="utf-8") as file:
            file.write(got)
    with open(path, encoding="utf-8", newline="") as file:
        expected = file.read()
    difference = difflib.unified_diff(expected.splitlines(True), got.splitlines(True),
                                      os.path.basename(path), "what came out", n=2)
    assert got == expected, "\n" + "".join(line[:300].rstrip("\n") + "\n" for line in difference)


def wait_until(condition, what, seconds=60.0):
    """Poll until condition() is true; fail with what was awaited."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain: " + what)
        time.sleep(0.005)


@contextlib.contextmanager
def running(command, ready=None, **options):
    """A process for the time of the block. With ready (bytes), its first line of output must be that."""
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stderr", subprocess.DEVNULL if ready is None else None)
    options["stdout"] = subprocess.PIPE if ready is not None else options.get("stdout", subprocess.DEVNULL)
    process = subprocess.Popen(command, **options)
    try:
        if ready is not None:
            line = process.stdout.readline()
            assert line.rstrip(b"\n") == ready, f"{command}: said {line!r}, not {ready!r}"
        else:
            wait_until(lambda: asleep(process.pid), f"{command} asleep")
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def running_from(path):
    """The processes, as text, that execute this file."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/exe") == path:
                found.append(pid)
        except OSError:
            pass
    return found


def asleep(pid):
    with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
        return file.read().rpartition(")")[2].split()[0] in "SZ"


def maps(pid):
    """/proc/PID/maps as (start, end, perms, offset, dev, inode, name) tuples; name as bytes."""
    rows = []
    with open(f"/proc/{pid}/maps", "rb") as file:
        for line in file.read().split(b"\n")[:-1]:  # a name can hold other line breaks
            fields = line.split(b" ", 5)
            start, end = (int(x, 16) for x in fields[0].split(b"-"))
            rows.append((start, end, fields[1].decode(), int(fields[2], 16), fields[3].decode(),
                         int(fields[4]), fields[5].lstrip(b" ") if len(fields) > 5 else b""))
    return rows


def bring_in_vdso(pid):
    """Have the process's vdso in memory: segmap reads no page that is not, since reading brings it in."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, *_, name in maps(pid):
            if name == b"[vdso]":
                memory.seek(start)
                memory.read(end - start)


def main():
    wanted = sys.argv[1:]
    passed = failed = skipped = 0
    for name, function in _claims:
        if wanted and not any(w in name for w in wanted):
            continue
        began = time.monotonic()
        try:
            function()
        except Skip as reason:
            if not REQUIRE_ALL:
                skipped += 1
                print(f"skip {name}: {reason}", flush=True)
                continue
            failed += 1
            print(f"FAIL {name}: skipped where nothing may be: {reason}", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL {name}\n{traceback.format_exc()}", flush=True)
        else:
            passed += 1
            print(f"ok   {name} ({time.monotonic() - began:.2f} s)", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    if failed or not (passed or skipped):
        sys.exit(1)
    sys.exit(0 if passed else 77)
