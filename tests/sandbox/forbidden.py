"""From inside each sandbox: what it is not for ends the process with a message that names the call."""
import os
import re
import subprocess
import tempfile

import segtest

FORBIDDEN = os.environ.get("FORBIDDEN", "")
REFUSED = "not allowed here; --no-sandbox leaves the sandbox out (please report this)"

# What comes back instead, a pattern: an errno's text, or "nothing" where it succeeds.
DENIED = "Permission denied"
# As glibc's malloc does under a tunable; a kernel without CONFIG_ANON_VMA_NAME knows no such call.
NAMED = {"name_memory": "nothing|Invalid argument"}
READS = {"read_only": "nothing", "look_up": "nothing"}
OPENAT2 = ["openat2_to_read", "openat2_to_write", "openat2_to_truncate"]
# In a Landlock domain no process outside of it could be read.
WITHOUT_LANDLOCK = {**NAMED, **READS, **dict.fromkeys(OPENAT2, "Function not implemented")}
# openat2(2) keeps its flags in memory, where a filter cannot see them: Landlock can.
WITH_LANDLOCK = {**NAMED, **READS, **dict.fromkeys(OPENAT2, DENIED), "openat2_to_read": "nothing"}
ANSWERS = {
    "opened": NAMED,
    "below": WITH_LANDLOCK,
    "programs": WITH_LANDLOCK,
    "processes": WITHOUT_LANDLOCK,
    "watched": WITHOUT_LANDLOCK,
}


def need_sandbox():
    offered = subprocess.run([FORBIDDEN, "describe"], capture_output=True, text=True, check=True).stdout
    if "no seccomp" in offered or "no Landlock" in offered:
        raise segtest.Skip("needs a kernel with seccomp and Landlock: " + offered)


def try_call(sandbox, directory, call, landlock=99):
    return subprocess.run([FORBIDDEN, sandbox, directory, call], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False,
                          env=dict(os.environ, LANDLOCK=str(landlock)))


def all_calls():
    return subprocess.run([FORBIDDEN], capture_output=True, text=True, check=True).stdout.split()


@segtest.parameters(*ANSWERS)
def every_call_that_is_not_needed_is_named_and_ends_it(sandbox):
    need_sandbox()
    with tempfile.TemporaryDirectory(prefix="segmap-forbidden-") as directory:
        with open(os.path.join(directory, "file"), "w", encoding="ascii") as file:
            file.write("as it was")
        for call in all_calls():
            result = try_call(sandbox, directory, call)
            expected = ANSWERS[sandbox].get(call)
            if expected is not None:
                assert result.returncode == 0 and re.fullmatch(f"done: ({expected})", result.stdout), (call, result)
                continue
            assert result.returncode == 1 and result.stdout == "", (call, result)
            assert result.stderr.startswith("segmap: sandbox: system call ") and \
                result.stderr.endswith(REFUSED + "\n") and result.stderr.count("\n") == 1, (call, result)
        assert os.listdir(directory) == ["file"]
        with open(os.path.join(directory, "file"), encoding="ascii") as file:
            assert file.read() == "as it was"


@segtest.parameters("below", "programs")
def with_a_landlock_that_does_not_see_truncation_nothing_can_be_truncated(sandbox):
    """Versions 1 and 2, Linux 5.13 to 6.1: openat2(2), whose flags no filter sees, is not there then."""
    need_sandbox()
    with tempfile.TemporaryDirectory(prefix="segmap-forbidden-") as directory:
        path = os.path.join(directory, "file")
        with open(path, "w", encoding="ascii") as file:
            file.write("as it was")
        for version in (1, 2, 3):
            expected = WITHOUT_LANDLOCK if version < 3 else WITH_LANDLOCK
            for call in OPENAT2:
                result = try_call(sandbox, directory, call, version)
                assert result.stdout == f"done: {expected[call]}", (version, call, result)
            assert try_call(sandbox, directory, "truncating", version).stderr.endswith(REFUSED + "\n")
            with open(path, encoding="ascii") as file:
                assert file.read() == "as it was", version
        offered = subprocess.run([FORBIDDEN, "describe"], capture_output=True, text=True, check=True,
                                 env=dict(os.environ, LANDLOCK="2")).stdout
        assert offered.endswith("Landlock 2 (no openat2: it would not see O_TRUNC)\n"), offered


@segtest.claim
def the_name_is_that_of_the_call():
    need_sandbox()
    for call in ("socket", "execve", "ptrace", "kill", "process_vm_writev", "setns", "bpf"):
        line = try_call("opened", "", call).stderr
        assert re.match(rf"segmap: sandbox: system call {call} \(\d+\) is not", line), line


@segtest.parameters("below", "programs")
def outside_of_its_directory_nothing_can_be_read(sandbox):
    need_sandbox()
    with tempfile.TemporaryDirectory(prefix="segmap-forbidden-") as directory:
        inside = os.path.join(directory, "inside")
        os.mkdir(inside)
        for name in (directory, inside):
            with open(os.path.join(name, "file"), "w", encoding="ascii"):
                pass
        os.symlink("../file", os.path.join(inside, "link"))
        os.unlink(os.path.join(inside, "file"))
        os.rename(os.path.join(inside, "link"), os.path.join(inside, "file"))
        for call in ("read_only", "openat2_to_read"):
            assert try_call(sandbox, inside, call).stdout == f"done: {DENIED}", call
            assert try_call(sandbox, directory, call).stdout == "done: nothing", call


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="latin-1") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file)


# capabilities(7): DAC_OVERRIDE 1, DAC_READ_SEARCH 2, FOWNER 3, SYS_PTRACE 19, SYS_ADMIN 21,
# CHECKPOINT_RESTORE 40.
PROCESSES = 1 << 2 | 1 << 3 | 1 << 19 | 1 << 21 | 1 << 40
KEPT = {"opened": 0, "below": 1 << 2 | 1 << 3, "programs": 1 << 1 | 1 << 2 | 1 << 3,
        "processes": PROCESSES, "watched": PROCESSES}


@segtest.parameters(*KEPT)
def what_is_given_up_can_be_seen_from_outside(sandbox):
    need_sandbox()
    had = int(status_of("self")["CapPrm"], 16)
    with subprocess.Popen([FORBIDDEN, sandbox, "/tmp", "wait"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        status = status_of(process.pid)
        process.communicate()
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1"), status
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == had & KEPT[sandbox], status
    assert int(status["CapInh"], 16) == 0, status


segtest.main()
