"""Two runs of a program differ in nothing but bases, and a prediction differs from a run in nothing.

    TWO_RUNS=N   compare a program of those that people run with N others (default 5), one of the
                 zoo with a third of them
"""
import os
import subprocess
import tempfile

import programs
import segtest

N_RUNS = int(os.environ.get("TWO_RUNS", "5"))
# Threads of its own collect garbage and compile meanwhile, and whether its builtins are mapped a second
# time hangs on where its heap is: only what it has loaded is the same each time.
BUSY = ("node",)


def is_its_own_doing(change):
    return change["image"].startswith(("[anon", "[heap]")) or os.path.basename(change["image"]) in BUSY



# Interpreters that place things by chance of their own are told not to.
STEADY = {**os.environ, "PERL_HASH_SEED": "0", "PYTHONHASHSEED": "0"}


def bases(pid):
    """Where each file with code begins, by the kernel's word: its page with the lowest offset."""
    rows = segtest.maps(pid)
    code = {row[6] for row in rows if "x" in row[2] and row[6].startswith(b"/")}
    return {os.fsdecode(name): min((row[3], row[0]) for row in rows if row[6] == name)[1] for name in code}


def check_pair(first, second, busy):
    result = segtest.segmap("--diff", "-J", first.pid, second.pid)
    document = segtest.json.loads(result.out)
    segtest.validate(document)
    changes = [change for change in document["changes"]
               if not busy or not is_its_own_doing(change)]
    assert not changes, changes
    assert result.status == (3 if document["changes"] else 0)
    moved = {base["image"]: int(base["b"], 16) - int(base["a"], 16) for base in document["bases"]}
    before, after = bases(first.pid), bases(second.pid)
    for name in before:
        assert moved[name] == after[name] - before[name], name
    return any(moved.values())


@segtest.parameters(*programs.ALL)
def runs_differ_in_nothing_but_bases(name):
    with open("/proc/sys/kernel/randomize_va_space", encoding="ascii") as file:
        randomized = file.read().strip() != "0"
    command = programs.command_of(name)
    n = N_RUNS if name in programs.PROGRAMS else (N_RUNS + 2) // 3
    any_moved = False
    with segtest.running(command, ready=b"ready", stdin=subprocess.PIPE, env=STEADY) as first:
        programs.stop(first.pid)
        for _ in range(n):
            with segtest.running(command, ready=b"ready", stdin=subprocess.PIPE, env=STEADY) as second:
                programs.stop(second.pid)
                any_moved |= check_pair(first, second, name in BUSY)
                second.stdin.close()
        first.stdin.close()
    assert any_moved == randomized


def documents_of_run(command, *moments):
    """What --run shows at these moments; the program is then killed."""
    with subprocess.Popen([segtest.SEGMAP, "-J", "--run", "--moment=" + ",".join(moments), "--", *command],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        lines = [process.stdout.readline() for _ in moments]
        process.kill()
        process.stdout.read()
        errors = process.stderr.read()
    if not all(lines) and b"trace" in errors:
        raise segtest.Skip("needs to trace its own children")
    return lines


@segtest.parameters(*programs.ALL)
def run_is_what_is_predicted(name):
    command = programs.command_of(name)
    with tempfile.TemporaryDirectory(prefix="segmap-two-runs-") as directory:
        lines = documents_of_run(command, "exec", "entry")
        for moment, line in zip(("exec", "entry"), lines):
            path = os.path.join(directory, moment + ".json")
            with open(path, "wb") as file:
                file.write(line)
            result = segtest.segmap("--diff", f"--moment={moment}", f"explain:{command[0]}", path)
            assert result.status == 0, (moment, result.text, result.error_text)
        # The last, at the entry point, is the same seen from the other side; and another program is not it.
        result = segtest.segmap("--diff", path, f"explain:{command[0]}")
        assert result.status == 0, (result.text, result.error_text)
        assert segtest.segmap("--diff", "explain:" + segtest.which("true"), path).status == 3


segtest.main()
