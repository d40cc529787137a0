"""strace and /proc as witnesses: when the sandbox is entered, and what is done behind that."""
import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import tempfile

import segtest

# What a mode opens once it is in its last sandbox.
NOTHING, FILES, PROCESSES = "nothing", "files below a directory", "processes"

CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")


def need_sandbox():
    offered = segtest.segmap("--version").text
    if "no seccomp" in offered:
        raise segtest.Skip("needs a kernel with seccomp")


def trace(*arguments, expect=(0,), meanwhile=lambda log: None):
    """Every call of segmap and its processes: [(pid, name, rest of the line)]. @meanwhile gets the log's path."""
    need_sandbox()
    strace = segtest.which("strace")
    with tempfile.TemporaryDirectory(prefix="segmap-entered-") as directory:
        log = os.path.join(directory, "log")
        with subprocess.Popen(
                [strace, "-f", "-y", "-s", "8", "-o", log, segtest.SEGMAP, *map(str, arguments)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            meanwhile(log)
            _, messages = process.communicate(timeout=120)
        assert process.returncode in expect, (process.returncode, messages)
        assert b"sandbox" not in messages, messages
        with open(log, encoding="utf-8", errors="surrogateescape") as file:
            lines = [CALL.match(line) for line in file]
    return [match.groups() for match in lines if match]


def is_parsed(name, rest):
    """Whether this reads what an ELF file begins with. The dynamic linker uses read(2) for that; of a process's
    memory the vdso is copied before."""
    return name.startswith("pread") and '"\\177ELF' in rest and not re.match(r"\d+</proc/\d+/mem>", rest)


def entered(calls, pid):
    """Where in calls @pid has entered its sandboxes."""
    return [i for i, (who, name, rest) in enumerate(calls)
            # Where another process comes between, how the call ended stands in another line.
            if who == pid and name == "seccomp" and "SECCOMP_SET_MODE_FILTER" in rest and
            ("= 0" in rest or "<unfinished" in rest)]


def check(calls, opens):
    """Who parses has entered a sandbox before, and then opens no more than @opens."""
    parsers = {who for who, name, rest in calls if is_parsed(name, rest)}
    assert parsers, "nothing was parsed"
    for pid in parsers:
        sandboxes = entered(calls, pid)
        assert sandboxes, f"{pid} has parsed outside of a sandbox"
        first = next(i for i, (who, name, rest) in enumerate(calls) if who == pid and is_parsed(name, rest))
        assert sandboxes[0] < first, (calls[first], sandboxes)
        behind = [call for call in calls[sandboxes[-1] + 1:] if call[0] == pid]
        capset = [rest for who, name, rest in calls[:sandboxes[-1]] if who == pid and name == "capset"]
        assert capset, "no capabilities were given up"
        opened = [rest for _, name, rest in behind if name.startswith("open")]
        for rest in opened:
            assert not re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC)", rest), rest
        if opens == NOTHING:
            assert not opened, opened
        if opens != PROCESSES:
            assert any(name == "landlock_restrict_self" and who == pid for who, name, _ in calls)
            assert not [rest for rest in opened if re.search(r'"/proc/\d', rest)], opened
    return parsers


@segtest.parameters("", "-J", "-r", "-S", "-x", "-X", "-XX", "-S -x", "-J -x", "-J -XX", "--summary",
                    "-J --summary", "-x -o +PAGES", "-S -x -b -p", "--svg", "--html")
def nothing_is_opened_once_a_process_is_parsed(options):
    with segtest.running(["sleep", "600"]) as process:
        check(trace(*options.split(), process.pid), NOTHING)


@segtest.claim
def all_targets_are_open_before_the_first_is_parsed():
    with segtest.running(["sleep", "600"]) as one, segtest.running(["cat"], stdin=subprocess.PIPE) as two:
        calls = trace("-S", one.pid, two.pid)
        check(calls, NOTHING)
        last = max(i for i, (_, name, rest) in enumerate(calls) if name.startswith("open"))
        assert last < next(i for i, (_, name, rest) in enumerate(calls) if is_parsed(name, rest))


@segtest.claim
def output_file_is_put_in_place_by_a_process_that_parses_nothing():
    with segtest.running(["sleep", "600"]) as process, \
            tempfile.TemporaryDirectory(prefix="segmap-entered-") as directory:
        path = os.path.join(directory, "out")
        calls = trace("--output-file", path, process.pid)
        parsers = check(calls, NOTHING)
        renames = {who for who, name, _ in calls if name.startswith("rename")}
        assert len(renames) == 1 and not renames & parsers, (renames, parsers)
        assert os.listdir(directory) == ["out"]


@segtest.claim
def saved_map_opens_nothing_once_it_is_parsed():
    with segtest.running(["sleep", "600"]) as process, \
            tempfile.NamedTemporaryFile(prefix="segmap-entered-") as file:
        with open(f"/proc/{process.pid}/maps", "rb") as maps:
            file.write(maps.read())
        file.flush()
        check(trace("--maps", file.name), NOTHING)


@segtest.claim
def core_opens_nothing_once_its_files_are_parsed():
    with segtest.running(["sleep", "600"]) as process, \
            tempfile.TemporaryDirectory(prefix="segmap-entered-") as directory:
        core = os.path.join(directory, "core")
        subprocess.run([segtest.which("gcore"), "-o", core, str(process.pid)], check=True, capture_output=True,
                       stdin=subprocess.DEVNULL, env=dict(os.environ, DEBUGINFOD_URLS=""), timeout=60)
        calls = trace("--core", f"{core}.{process.pid}")
    check(calls, NOTHING)
    [(pid, first)] = [(who, i) for i, (who, name, rest) in enumerate(calls)
                      if is_parsed(name, rest) and re.match(rf"\d+<{re.escape(core)}", rest)][:1]
    assert entered(calls, pid)[0] < first, "the dump was parsed before"


@segtest.claim
def symbols_open_debug_files_alone():
    with segtest.running(["sleep", "600"]) as process, \
            tempfile.NamedTemporaryFile(prefix="segmap-entered-") as saved:
        with open(f"/proc/{process.pid}/maps", "rb") as maps:
            saved.write(maps.read())
        saved.flush()
        start = hex(segtest.maps(process.pid)[1][0])
        for source in ([process.pid], ["--maps", saved.name]):
            check(trace("--at", "libc.so.6!malloc", *source), FILES)
            check(trace("--at", start, *source), FILES)


@segtest.parameters("", "-J")
def audit_opens_debug_files_alone(options):
    with segtest.running(["sleep", "600"]) as process:
        check(trace("--audit", *options.split(), process.pid, expect=(0, 3)), FILES)


@segtest.claim
def maps_that_are_compared_are_read_in_the_sandbox():
    with segtest.running(["sleep", "600"]) as a, segtest.running(["sleep", "600"]) as b, \
            tempfile.TemporaryDirectory(prefix="segmap-entered-") as directory:
        path = os.path.join(directory, "map.json")
        assert segtest.segmap("-J", "--output-file", path, a.pid).status == 0
        check(trace("--diff", a.pid, b.pid), PROCESSES)
        check(trace("--diff", "explain:/bin/true", "explain:/bin/true"), FILES)
        calls = trace("--diff", path, path)
        opened = [(who, i) for i, (who, name, rest) in enumerate(calls) if name == "openat" and path in rest]
        assert len(opened) == 2 and all(entered(calls, who)[0] < i for who, i in opened), opened


@segtest.claim
def quiz_opens_files_for_reading_only():
    check(trace("--quiz", "--seed=1", "/bin/true"), FILES)


@segtest.parameters("", "-J", "-S")
def prediction_opens_files_for_reading_only(options):
    check(trace("--explain", *options.split(), "/bin/true", "/bin/cat"), FILES)


@segtest.parameters("", "-J", "-x -S")
def all_processes_are_opened_for_reading_only(options):
    check(trace("--all", *options.split(), expect=(0, 64)), PROCESSES)


@segtest.claim
def no_sandbox_leaves_it_out():
    with segtest.running(["sleep", "600"]) as process:
        calls = trace("--no-sandbox", process.pid)
    names = {name for _, name, _ in calls}
    assert not names & {"seccomp", "landlock_restrict_self", "capset"}, names


@segtest.claim
def files_are_found_without_openat2_as_with_it():
    """By nobody, whom the kernel shows no map_files: every path is walked. Under --all without openat2(2)."""
    segtest.need_root()
    with tempfile.TemporaryDirectory(prefix="segmap-entered-") as directory:
        os.chmod(directory, 0o755)
        deep = os.path.join(directory, "a", "b c", "d")
        os.makedirs(deep)
        program = os.path.join(deep, "sleep")
        shutil.copy(segtest.which("sleep"), program)
        with segtest.running([program, "600"], user=65534, group=65534) as process:
            one = segtest.document(process.pid, as_user=65534)
            every = segtest.documents("--all", as_user=65534)
    found = next(document for document in every if document["pid"] == process.pid)
    assert len(one["images"]) >= 3 and found["images"] == one["images"]


# ---- by /proc, where strace cannot look: a process has one tracer ----

@contextlib.contextmanager
def unread(*arguments):
    """segmap, which has come to write more than its reader takes: (process, its output from here on)."""
    need_sandbox()
    reader, writer = os.pipe()
    fcntl.fcntl(writer, 1031, 4096)  # F_SETPIPE_SZ
    with os.fdopen(reader, "rb") as output:
        with subprocess.Popen([segtest.SEGMAP, *map(str, arguments)], stdin=subprocess.DEVNULL,
                              stdout=writer) as process:
            os.close(writer)
            yield process, output
            output.read()


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="latin-1") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file)


def is_confined(status):
    return (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def confined_child(pid):
    """The one child of @pid that is in a sandbox; None while there is none."""
    for child in children(pid):
        with contextlib.suppress(FileNotFoundError):
            if is_confined(status_of(child)):
                return child
    return None


@segtest.claim
def it_is_confined_while_it_writes():
    with segtest.running(["sleep", "600"]) as target, unread("-S", "-x", target.pid) as (process, _):
        segtest.wait_until(lambda: is_confined(status_of(process.pid)), "its sandbox")
        assert int(status_of(process.pid)["CapEff"], 16) == 0
    assert process.returncode == 0


@segtest.parameters("", "-J", "-x")
def what_watches_is_confined_from_its_first_map_on(options):
    def end_target(log):
        """Once it was looked at some times."""
        def is_watching():
            with contextlib.suppress(FileNotFoundError), open(log, "rb") as file:
                return file.read().count(b" poll(") > 3
            return False
        segtest.wait_until(is_watching, "it watches")
        target.kill()

    with segtest.running(["sleep", "600"]) as target:
        check(trace("--watch=0.01", *options.split(), target.pid, meanwhile=end_target), PROCESSES)


@segtest.parameters("-S", "-J", "-S -x", "--trace -S", "--moment=exec,entry -S")
def what_runs_a_program_is_not_confined_and_what_shows_it_is(options):
    program = segtest.which("true")
    with unread("--run", *options.split(), program) as (process, _):
        tracer = []

        def is_traced():
            tracer[:] = [int(status_of(process.pid)["TracerPid"])]
            return tracer[0] and confined_child(tracer[0])

        # The first process becomes the program, and is held while its map is shown.
        segtest.wait_until(is_traced, "a process that shows")
        viewer = confined_child(tracer[0])
        assert int(status_of(viewer)["CapEff"], 16) & ~0b1110 == 0, status_of(viewer)
        for pid in (process.pid, tracer[0]):
            status, own = status_of(pid), status_of("self")
            assert status["Seccomp"] == own["Seccomp"] and status["CapEff"] == own["CapEff"], status
    assert process.returncode == 0


@segtest.claim
def what_verifies_has_another_process_run_the_program():
    with unread("--explain", "--verify", "-S", "/bin/true") as (process, _):
        segtest.wait_until(lambda: confined_child(process.pid), "a process that shows")
        status, own = status_of(process.pid), status_of("self")
        assert status["Seccomp"] == own["Seccomp"] and status["CapEff"] == own["CapEff"], status
    assert process.returncode == 0


segtest.main()
