#!/usr/bin/env python3
"""What the model predicts, compared with what the kernel and the dynamic linkers do.

Every program is run under ptrace to the moments that can be predicted (stop.c), and its maps are
compared with those of the model (driver.c), VMA by VMA: start, end, permissions and file offset, of the
program, its interpreter and its libraries, each relative to its own base. Only one difference is none:
private memory of others can lie right behind a .bss and then belongs to the same VMA.

    PREDICT_SYSTEM=N   programs of /usr/bin and so on (default 100; 0: all)
    PREDICT_RANDOM=N   random executables, and as many libraries (default 60), from
    PREDICT_SEED=N     this seed on (default 0)
    PREDICT_STRICT=0   only print the differences
"""
import collections
import functools
import os
import struct
import subprocess
import sys
import tempfile

import segtest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import random_elf   # noqa: E402

DRIVER = os.environ.get("PREDICT_DRIVER") or os.path.join(segtest.BUILD, "tests/predict/predict-driver")
STOP = os.environ.get("PREDICT_STOP") or os.path.join(segtest.BUILD, "tests/predict/predict-stop")
N_SYSTEM = int(os.environ.get("PREDICT_SYSTEM", "100"))
N_RANDOM = int(os.environ.get("PREDICT_RANDOM", "60"))
SEED = int(os.environ.get("PREDICT_SEED", "0"))
STRICT = os.environ.get("PREDICT_STRICT") != "0"
MUSL_LDSO = "/lib/ld-musl-x86_64.so.1"
GLIBC_MINOR = int(os.confstr("CS_GNU_LIBC_VERSION").split(".")[1])   # "glibc 2.36"
PROGRAM, INTERPRETER, FIRST_LIBRARY = 0, 1, 2   # image numbers of the driver

Row = collections.namedtuple("Row", "start end perms off file")      # file: a path or ""; or bool
Moment = collections.namedtuple("Moment", "rows entry base")


# ---- what is real ----

@functools.lru_cache
def may_trace():
    return subprocess.run([STOP, "/bin/true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          stdin=subprocess.DEVNULL, check=False, timeout=60).returncode == 0


def need_ptrace():
    if not may_trace():
        raise segtest.Skip("needs to trace its own children")


def observe(program, *options):
    """The Moments of a program by name, and how it ended, as a list of words."""
    need_ptrace()
    text = subprocess.run([STOP, *options, program], stdout=subprocess.PIPE, check=True, timeout=60,
                          stdin=subprocess.DEVNULL).stdout.decode("utf-8", "surrogateescape")
    moments, end = {}, None
    for line in text.splitlines():
        words = line.split(None, 5)
        if words[0] == "moment":
            rows = []
            name = words[1]
        elif words[0] == "auxv":
            moments[name] = Moment(rows, int(words[1], 16), int(words[2], 16))
        elif words[0] == "end":
            end = words[1:]
        elif "-" in words[0]:
            start, stop = (int(x, 16) for x in words[0].split("-"))
            rows.append(Row(start, stop, words[1], int(words[2], 16), words[5] if len(words) > 5 else ""))
    return moments, end


# ---- what is predicted ----

def predict(*arguments):
    """Rows by moment and image, and how each moment ends: "goes-on - 0 0"."""
    result = subprocess.run([DRIVER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if result.returncode:
        raise AssertionError(f"driver {arguments}: {result.stderr.decode(errors='replace')}")
    moments, ends = {}, {}
    for line in result.stdout.decode().splitlines():
        words = line.split()
        if words[0] == "moment":
            images = moments.setdefault(words[1], collections.defaultdict(list))
            ends[words[1]] = words[2:]
        elif words[0] not in ("bias", "library"):
            images[int(words[0])].append(Row(int(words[1], 16), int(words[2], 16), words[3],
                                             int(words[4], 16), words[5] == "file"))
    return moments, ends


# ---- the comparison ----

def relative(rows, path, bias, low, high):
    """Of a map, the rows of a file, and what is anonymous where its image is; minus the bias."""
    found = []
    for row in rows:
        mine = row.file == path
        inside = row.start < high + bias and row.end > low + bias
        if mine or (inside and row.file in ("", "[heap]")):
            found.append(Row(row.start - bias, row.end - bias, row.perms, row.off if mine else 0, mine))
    return found


def differences(predicted, real):
    """Lines that say where two lists of rows differ."""
    lines = []
    if len(predicted) == len(real):
        for wanted, got in zip(predicted, real):
            open_end = not wanted.file and not got.file and got.end > wanted.end
            if got._replace(end=wanted.end if open_end else got.end) != wanted:
                lines.append(f"predicted {show(wanted)}, is {show(got)}")
        return lines
    return [f"predicted {[show(r) for r in predicted]}, is {[show(r) for r in real]}"]


def show(row):
    return f"{row.start:x}-{row.end:x} {row.perms} {row.off:x} {'file' if row.file else 'anon'}"


def compare(predicted, real, path, bias=None):
    """bias None: the lowest row of the file is the lowest that is predicted."""
    if bias is None:
        starts = [row.start for row in real if row.file == path]
        if not starts or not predicted:
            return [] if not starts and not predicted else [f"{path}: only one of the two has it"]
        bias = min(starts) - predicted[0].start
    low = predicted[0].start if predicted else 0
    high = max((row.end for row in predicted), default=0)
    return [f"{path}: {line}" for line in differences(predicted, relative(real, path, bias, low, high))]


@functools.lru_cache(maxsize=None)
def header(path):
    """(bits, entry, path of the interpreter or None) of an ELF file, as the kernel reads it; None if it is none."""
    with open(path, "rb") as file:
        data = file.read(64)
        if data[:4] != b"\x7fELF" or len(data) < 52:
            return None
        machine, = struct.unpack_from("<H", data, 18)
        bits = {random_elf.EM_X86_64: 64, random_elf.EM_386: 32}.get(machine, 64 if data[4] == 2 else 32)
        entry, table = struct.unpack_from("<QQ" if bits == 64 else "<II", data, 24)
        size, count = struct.unpack_from("<HH", data, 54 if bits == 64 else 42)
        file.seek(table)
        phdrs = file.read(size * count)
        for at in range(0, len(phdrs) - size + 1, size or 1):
            if struct.unpack_from("<I", phdrs, at)[0] == random_elf.PT_INTERP:
                offset, = struct.unpack_from("<Q" if bits == 64 else "<I", phdrs, at + (8 if bits == 64 else 4))
                length, = struct.unpack_from("<Q" if bits == 64 else "<I", phdrs, at + (32 if bits == 64 else 16))
                file.seek(offset)
                return bits, entry, file.read(length).rstrip(b"\0").decode()
    return bits, entry, None


def libraries_of(moment, *others):
    """The ELF files in a map that are not these, in the order of their addresses."""
    found = []
    for row in moment.rows:
        if row.file.startswith("/") and row.file not in (*others, *found) and \
                os.path.isfile(row.file) and header(row.file):
            found.append(row.file)
    return found


@functools.lru_cache(maxsize=None)
def has_pkeys():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        return " ospke" in file.read()


class Tally:
    """How many images of which kind were compared, and what differed."""

    def __init__(self):
        self.matched, self.total, self.ends = collections.Counter(), collections.Counter(), collections.Counter()
        self.lines = []

    def add(self, kind, name, lines):
        self.total[kind] += 1
        self.matched[kind] += not lines
        self.lines += [f"{name}, {kind}: {line}" for line in lines]

    def report(self):
        for kind in self.total:
            print(f"    {kind}: {self.matched[kind]} of {self.total[kind]}")
        if self.ends:
            print("    " + ", ".join(f"{count} {end}" for end, count in sorted(self.ends.items())))
        for line in self.lines[:None if not STRICT else 20]:
            print("    " + line)
        assert not self.lines or not STRICT, f"{len(self.lines)} differences"


def real_end(end):
    """How a program ended, in the driver's words."""
    return {"refused": ["refused", end[1:]], "killed": ["killed", end[1:]],
            "exited": ["exits", []], "stopped": ["goes-on", []]}.get(end[0], [end[0], end[1:]])


def predicted_end(words):
    kind = "goes-on" if words[0] == "left-out" else words[0]
    return [kind, {"refused": words[2:3], "killed": words[3:4]}.get(kind, [])]


def check(tally, program, static=False, preload=None):
    """Run a program, predict it, and compare what there is."""
    path = os.path.realpath(program)
    _, entry, interpreter = header(path)
    real_interpreter = interpreter and os.path.realpath(interpreter)
    musl = bool(interpreter) and "musl" in interpreter
    moments, end = observe(path, *(["-e", f"LD_PRELOAD={preload}"] if preload else []),
                           *(["-s"] if static else []))
    name = os.path.basename(program if not preload else preload)
    options = [f"--glibc={GLIBC_MINOR}"] + (["--pkeys"] if has_pkeys() else [])
    if interpreter:
        options.append(f"--interp={interpreter}")
    libraries = []
    if "entry" in moments:
        libraries = libraries_of(moments["entry"], path, real_interpreter)
    if preload:
        libraries = [preload] + [library for library in libraries if library != preload]
        options.append("--preload")
    if not any(os.path.basename(library) == "libc.so.6" for library in libraries) and not preload:
        options.append("--no-libc")
    predicted, ends = predict(*options, *(["--musl"] if musl else []), *(["--static"] if static else []),
                              path, *("+" + library for library in libraries))
    last = "entry" if "entry" in ends else "exec"
    wanted, got = predicted_end(ends[last]), real_end(end)
    tally.ends[" ".join([wanted[0], ends[last][1]])] += 1
    tally.add("end", name, [] if wanted == got else [f"predicted {ends[last]}, is {end}"])
    for moment in ("exec", "entry"):
        if moment in moments and moment in predicted:
            real, expected = moments[moment], predicted[moment]
            if moment == "entry" and static:
                expected = predicted["exec"]
            bias = real.entry - entry
            tally.add(moment + " program", name, compare(expected[PROGRAM], real.rows, path, bias))
            if interpreter:
                tally.add(moment + " interpreter", name,
                          compare(expected[INTERPRETER], real.rows, real_interpreter, real.base or None))
    if "entry" in moments and "entry" in predicted:
        for index, library in enumerate(libraries):
            tally.add("entry library", name, compare(predicted["entry"][FIRST_LIBRARY + index],
                                                     moments["entry"].rows, library))
    if static and "started" in moments:
        tally.add("started program", name, compare(predicted["entry"][PROGRAM], moments["started"].rows, path,
                                                   moments["started"].entry - entry))


def zoo():
    sys.path.insert(0, os.path.join(segtest.SOURCE, "tests", "zoo"))
    import build
    return build.build(os.path.join(segtest.BUILD, "zoo"))


# ---- the claims ----

@segtest.claim
def the_zoo_is_as_predicted():
    tally = Tally()
    for name, entry in sorted(zoo().items()):
        if entry["status"] == "built":
            libc = not name.startswith(("musl", "freestanding"))
            check(tally, entry["program"], static=libc and header(entry["program"])[2] is None)
    tally.report()


@segtest.claim
def system_programs_are_as_predicted():
    tally = Tally()
    paths = []
    for directory in ("/usr/bin", "/usr/sbin", "/usr/libexec"):
        for entry in sorted(os.scandir(directory), key=lambda e: e.name) if os.path.isdir(directory) else []:
            if entry.is_file() and not entry.is_symlink() and os.access(entry.path, os.X_OK | os.R_OK) \
                    and header(entry.path):
                paths.append(entry.path)
    step = max(1, len(paths) // N_SYSTEM) if N_SYSTEM else 1
    for path in paths[::step]:
        check(tally, path)
    tally.report()


def run_random(make, run):
    tally = Tally()
    with tempfile.TemporaryDirectory() as directory:
        directory = os.path.realpath(directory)
        for seed in range(SEED, SEED + N_RANDOM):
            path = os.path.join(directory, f"random-{seed}")
            with open(path, "wb") as file:
                file.write(make(seed))
            os.chmod(path, 0o755)
            run(tally, path)
            os.unlink(path)
    tally.report()


@segtest.claim
def random_executables_are_as_predicted():
    run_random(random_elf.executable, check)


@segtest.claim
def random_libraries_are_as_predicted():
    run_random(random_elf.library, lambda tally, path: check(tally, "/bin/true", preload=path))


@segtest.claim
def random_libraries_are_as_predicted_for_musl():
    host = zoo()["musl-pie"]["program"]
    if not host or not os.path.exists(MUSL_LDSO):
        raise segtest.Skip("needs musl-gcc")
    run_random(lambda seed: random_elf.library(seed, musl=True),
               lambda tally, path: check(tally, host, preload=path))


segtest.main()
