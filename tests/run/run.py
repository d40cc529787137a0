#!/usr/bin/env python3
"""segmap --run: the program is as if started by hand, and is shown at the moments asked for."""
import contextlib
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import segtest

GUEST = os.environ.get("RUN_GUEST", "")
ENTRY_GUEST = os.environ.get("ENTRY_GUEST", "")
BEFORE_ENTRY = os.environ.get("BEFORE_ENTRY", "")


def run_command(*arguments, options=(), output):
    return [segtest.SEGMAP, *options, "--output-file", output, "--run", *arguments]


@contextlib.contextmanager
def place_for_the_map():
    """A path in a directory of its own, which outlasts every tracer that was told to write there."""
    with tempfile.TemporaryDirectory() as directory:
        output = os.path.join(directory, "map")
        try:
            yield output
        finally:
            # The program can end before its tracer does, which writes until it ends.
            segtest.wait_until(lambda: not tracers(output), "the end of the tracer")


def run(*arguments, options=(), **more):
    """(status as subprocess has it, documents, standard output of the program, standard error)."""
    with place_for_the_map() as output:
        more.setdefault("stdin", subprocess.DEVNULL)
        # Files, not pipes: what the program forks can hold them open.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            result = subprocess.run(run_command(*arguments, options=["-J", *options], output=output),
                                    stdout=out, stderr=err, check=False, timeout=60, **more)

            def read(file):
                return os.pread(file.fileno(), 1 << 20, 0)

            segtest.wait_until(lambda: not tracers(output), "the end of the tracer of " + arguments[0])
            out, err = read(out), read(err)
        if b"trace it" in err:
            raise segtest.Skip("needs to trace its own process")
        found = []
        if os.path.exists(output):
            with open(output, encoding="utf-8") as file:
                found = [json.loads(line) for line in file]
    for document in found:
        segtest.validate(document)
        segtest.check_layout(document)
        assert document["source"] == "run" and document["target"] == arguments[0]
    return result.returncode, found, out, err.decode()


def rows(document):
    return [(int(v["start"], 16), int(v["end"], 16), v["perms"], v["offset"], v.get("inode") or 0,
             v.get("name") or "") for v in document["vmas"]]


def real_rows(pid):
    return [(start, end, perms, offset, inode, name.decode())
            for start, end, perms, offset, _, inode, name in segtest.maps(pid)]


def tracers(marker):
    """Processes whose arguments have this word, zombies apart."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if marker.encode() in file.read().split(b"\0"):
                    found.append(int(pid))
    return found


@contextlib.contextmanager
def started(*arguments, options=(), **more):
    """A program that segmap has started and that waits; the file its map is written to."""
    with place_for_the_map() as output:
        process = subprocess.Popen(run_command(*arguments, options=["-J", *options], output=output),
                                   stdout=subprocess.PIPE, **more)
        try:
            yield process, output
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def tracer_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return int(re.search(r"^TracerPid:\s*(\d+)", file.read(), re.MULTILINE)[1])


# ---- as if started by hand ----

def what_it_tells(command, **more):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                            timeout=60, **more)
    assert result.returncode == 0 and not result.stderr, (command, result)
    # Two pipes are never the same one; how many signals are queued is of all the user's processes.
    return [re.sub(r"pipe:\[\d+\]|(?<=of session )[1-9]\d*", "any", line)
            for line in result.stdout.decode().splitlines() if not line.startswith("SigQ")]


def ignore_signals():
    for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def block_signals():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM})


def have_pending_signals():
    block_signals()
    os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGCHLD)


def lower_limits():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 256))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(3)
    os.umask(0o27)


def have_a_session():
    os.setsid()


def open_descriptors():
    os.open("/etc/passwd", os.O_RDONLY)
    for number in (5, 9, 40):
        os.dup2(0, number)


CIRCUMSTANCES = {"plain": None, "ignored": ignore_signals, "blocked": block_signals,
                 "pending": have_pending_signals, "limits": lower_limits, "session": have_a_session,
                 "descriptors": open_descriptors}


@segtest.parameters(*CIRCUMSTANCES)
def program_inherits_what_it_would_by_itself(name):
    arguments = [GUEST, "tell", "--moment=exit", "-x", "a b", ""]
    for options in ([], ["--moment=exec,entry"], ["--moment=exit"]):
        more = {"preexec_fn": CIRCUMSTANCES[name], "close_fds": False, "stdin": subprocess.DEVNULL}
        alone = what_it_tells(arguments, **more)
        with place_for_the_map() as output:
            shown = what_it_tells(run_command(*arguments, options=options, output=output), **more)
        assert len(alone) > 50 and any(line.startswith("fd 0 /dev/null") for line in alone), alone
        if options == ["--moment=exit"]:  # it is traced until then
            shown = [re.sub(r"^(TracerPid:\s*)[1-9]\d*", r"\g<1>0", line) for line in shown]
        assert alone == shown, [pair for pair in zip(alone, shown) if pair[0] != pair[1]]


@segtest.claim
def program_has_standard_input_to_itself():
    for options in ([], ["--moment=exec,entry,exit"]):
        with started(GUEST, "reads", options=options, stdin=subprocess.PIPE) as (process, _):
            assert process.stdout.readline() == b"reads\n"
            process.stdin.write(b"x")
            process.stdin.flush()
            out, _ = process.communicate(timeout=20)
            assert (process.returncode, out) == (0, b"got x\n")


@segtest.claim
def status_and_signals_are_the_program_s_own():
    for options in ([], ["--moment=exec"], ["--moment=exit"], ["--moment=exec,entry,exit"]):
        for number in (0, 1, 2, 3, 64, 255):
            assert run(GUEST, "exit", str(number), options=options)[0] == number, (options, number)
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGPIPE, signal.SIGTRAP):
            status, found, _, _ = run(GUEST, "kill", str(int(number)), options=options,
                                      preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL))
            assert status == -number and found, (options, number, status)


def wait_for(pid, options):
    """The next status of a child, as waitpid(2) has it with these options; never for ever."""
    found = []

    def has_status():
        found[:] = os.waitpid(pid, options | os.WNOHANG)
        return found[0] == pid

    segtest.wait_until(has_status, f"a change of process {pid}")
    return found[1]


@segtest.claim
def signals_from_outside_reach_it_while_it_is_traced():
    for options in ([], ["--moment=exit"]):
        # In a group of its own: SIGTSTP does nothing in a group that is orphaned, as the test's own
        # may be (setpgid(2)).
        with started(GUEST, "waits", options=options,
                     preexec_fn=lambda: os.setpgid(0, 0)) as (process, _):
            assert process.stdout.readline() == b"waits\n"
            segtest.wait_until(lambda: bool(tracer_of(process.pid)) == bool(options), "the tracer's end")
            for _ in range(3):
                os.kill(process.pid, signal.SIGTSTP)
                assert os.WIFSTOPPED(wait_for(process.pid, os.WUNTRACED))
                with open(f"/proc/{process.pid}/stat", encoding="utf-8") as file:
                    assert file.read().rpartition(")")[2].split()[0] in "Tt"
                os.kill(process.pid, signal.SIGCONT)
                assert os.WIFCONTINUED(wait_for(process.pid, os.WCONTINUED))
            os.kill(process.pid, signal.SIGINT)
            assert process.wait(20) == -signal.SIGINT


def foreground(terminal):
    """The process group in the foreground of this terminal."""
    return os.tcgetpgrp(terminal)


@segtest.claim
def terminal_and_job_control_are_the_shell_s():
    bash = segtest.which("bash")
    with place_for_the_map() as output:
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(bash, [bash, "--norc", "--noprofile", "-i"],
                      dict(os.environ, PS1="ready> ", TERM="dumb"))
        try:
            text = b""

            def expect(what, seconds=20.0):
                nonlocal text
                deadline = time.monotonic() + seconds
                while not re.search(what, text):
                    assert time.monotonic() < deadline, (what, text)
                    if select.select([terminal], [], [], 0.1)[0]:
                        text += os.read(terminal, 65536)
                text = re.split(what, text, maxsplit=1)[-1]

            expect(b"ready> ")
            command = " ".join(run_command(GUEST, "waits", options=["--moment=entry,exit", "-q"],
                                           output=output))
            os.write(terminal, command.encode() + b"\n")
            expect(b"\nwaits")
            program = foreground(terminal)
            assert program != pid and tracer_of(program)
            os.write(terminal, b"\x1a")
            expect(b"Stopped")
            expect(b"ready> ")
            os.write(terminal, b"fg\n")
            segtest.wait_until(lambda: foreground(terminal) == program, "the program in the foreground")
            os.write(terminal, b"\x03")
            expect(b"ready> ")
            os.write(terminal, b"echo status=$?\n")
            expect(b"status=130\r\n")
            segtest.wait_until(lambda: os.path.exists(output), "the map as it exits")
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(terminal)


@segtest.claim
def nothing_is_left_behind():
    marker = f"marker-{os.getpid()}"
    for options in ([], ["--moment=exec"], ["--moment=exec,entry,exit"]):
        for arguments in (["exit", "3", marker], ["kill", "11", marker], ["threads-exit", marker]):
            run(GUEST, *arguments, options=options)
            segtest.wait_until(lambda: not tracers(marker), "the end of all")
    segtest.segmap("--run", "/nonexistent/program", marker)
    segtest.segmap("--output-file", "/nonexistent/file", "--run", GUEST, "waits", marker)
    segtest.wait_until(lambda: not tracers(marker), "the end of all")
    # A program that lives on is let go.
    with started(GUEST, "waits", marker) as (process, _):
        assert process.stdout.readline() == b"waits\n"
        segtest.wait_until(lambda: tracers(marker) == [process.pid], "the tracer's end")
        assert tracer_of(process.pid) == 0


@segtest.claim
def program_survives_its_tracer():
    for how in (signal.SIGKILL, signal.SIGTERM):
        with started(GUEST, "reads", options=["--moment=exit"], stdin=subprocess.PIPE) as (process, _):
            assert process.stdout.readline() == b"reads\n"
            tracer = tracer_of(process.pid)
            assert tracer not in (0, process.pid, os.getpid())
            os.kill(tracer, how)
            segtest.wait_until(lambda: not tracer_of(process.pid), "the tracer's end")
            out, _ = process.communicate(b"x", timeout=20)
            assert (process.returncode, out) == (0, b"got x\n")


@segtest.claim
def map_comes_before_what_the_program_writes():
    for _ in range(20):
        result = segtest.segmap("-q", "--moment=exec,entry", "--run", segtest.which("echo"), "written")
        lines = result.text.splitlines()
        assert result.status == 0 and lines[-1] == "written" and lines.count("written") == 1
        assert lines[-2].startswith("ffffffff") or len(lines) > 20


@segtest.claim
def closed_output_is_no_reason_for_the_program_to_end():
    with tempfile.TemporaryDirectory() as directory:
        made = os.path.join(directory, "made")
        touch = segtest.which("touch")
        for handler in (signal.SIG_DFL, signal.SIG_IGN):
            reading, writing = os.pipe()
            os.close(reading)
            result = subprocess.run([segtest.SEGMAP, "--run", touch, made], stdout=writing,
                                    stderr=subprocess.PIPE, check=False, timeout=60,
                                    preexec_fn=lambda handler=handler: signal.signal(signal.SIGPIPE, handler))
            os.close(writing)
            assert result.returncode == 0 and os.path.exists(made), result
            assert b"segmap" not in result.stderr, result
            os.unlink(made)


# ---- moments ----

@segtest.claim
def map_at_entry_is_the_kernel_s():
    # Its entry point waits: whatever there is after segmap has let go was there when it stopped.
    for options in ([], ["--no-aslr"]):
        with started(ENTRY_GUEST, options=options) as (process, output):
            segtest.wait_until(lambda: os.path.exists(output), "the map at its entry point")
            with open(output, encoding="utf-8") as file:
                document = json.load(file)
            segtest.validate(document)
            assert document["pid"] == process.pid and document["moment"] == "entry"
            segtest.wait_until(lambda: not tracer_of(process.pid), "the tracer's end")
            assert rows(document) == real_rows(process.pid)
            relro = [vma for vma in document["vmas"] if vma["kind"] == "relro"]
            # Program, libc and dynamic linker.
            assert len({vma["image"] for vma in relro}) == 3, relro


@segtest.claim
def moments_come_in_the_order_asked_for():
    _, found, _, _ = run(GUEST, "exit", "0", options=["--moment=exec,entry,exit"])
    assert [document["moment"] for document in found] == ["exec", "entry", "exit"]
    roles = [{image["role"] for image in document["images"]} for document in found]
    assert "library" not in roles[0] and "interpreter" in roles[0] and "library" in roles[1]
    assert not [vma for vma in found[0]["vmas"] if vma["kind"] == "relro"]
    assert len({document["pid"] for document in found}) == 1
    _, found, _, _ = run(GUEST, "exit", "0", options=["--moment=exit,exec"])
    assert [document["moment"] for document in found] == ["exit", "exec"]


@segtest.claim
def last_thread_s_end_is_the_exit():
    late = 12345 * 4096
    status, found, _, _ = run(GUEST, "main-leaves", options=["--moment=exit"])
    assert status == 0 and [vma for vma in found[0]["vmas"] if vma["size"] == late], found
    status, found, _, _ = run(GUEST, "thread-executes", options=["--moment=exit"])
    assert status == 23 and len(found) == 1 and found[0]["command"][1:] == ["exit", "23"]
    for what, expected in (("threads-exit", 24), ("threads-die", -signal.SIGABRT), ("thread-bursts", 0)):
        for _ in range(5):
            status, found, _, _ = run(GUEST, what, options=["--moment=exit"])
            assert status == expected and [d["moment"] for d in found] == ["exit"], (what, status, found)
            assert found[0]["command"][1] == what


@segtest.claim
def what_it_forks_is_left_alone():
    for options in ([], ["--moment=entry,exit"]):
        status, found, out, _ = run(GUEST, "forks", options=options)
        child = int(out.split()[0])
        try:
            assert status == 0 and found and tracer_of(child) == 0
        finally:
            os.kill(child, signal.SIGKILL)


@segtest.claim
def randomization_is_off_for_it_alone():
    entry = {rows(run(GUEST, "exit", "0", options=["--no-aslr"])[1][0])[0][0] for _ in range(3)}
    assert len(entry) == 1, entry
    with open("/proc/sys/kernel/randomize_va_space", encoding="ascii") as file:
        if file.read().strip() == "0":
            raise segtest.Skip("needs address randomization")
    assert len({rows(run(GUEST, "exit", "0")[1][0])[0][0] for _ in range(5)}) > 1


@segtest.claim
def static_program_is_shown_after_its_start_up():
    compiler = segtest.which("cc", "gcc", "clang")
    with tempfile.TemporaryDirectory() as directory:
        source, path = os.path.join(directory, "s.c"), os.path.join(directory, "s")
        with open(source, "w", encoding="ascii") as file:
            file.write("int main(void) { return 17; }\n")
        for flags in (["-static"], ["-static-pie"]):
            built = subprocess.run([compiler, *flags, "-Wl,-z,relro", "-o", path, source],
                                   capture_output=True, check=False)
            if built.returncode:
                raise segtest.Skip(f"needs a C library for {flags[0]}")
            status, found, _, _ = run(path, options=["--moment=exec,entry"])
            kinds = [{vma["kind"] for vma in document["vmas"]} for document in found]
            assert status == 17 and "relro" not in kinds[0] and "relro" in kinds[1], (flags, kinds)


@segtest.claim
def program_of_32_bits_is_shown():
    compiler = segtest.which("cc", "gcc", "clang")
    with tempfile.TemporaryDirectory() as directory:
        source, path = os.path.join(directory, "s.c"), os.path.join(directory, "s")
        with open(source, "w", encoding="ascii") as file:
            file.write("int main(void) { return 18; }\n")
        if subprocess.run([compiler, "-m32", "-o", path, source], capture_output=True,
                          check=False).returncode:
            raise segtest.Skip("needs a 32-bit C library")
        status, found, _, _ = run(path, options=["--moment=exec,entry,exit"])
        assert status == 18 and [d["moment"] for d in found] == ["exec", "entry", "exit"]
        assert {image["class"] for image in found[1]["images"]} == {32}


# ---- what cannot be run, and what does not get far ----

def check_refused(path, *words, env=None):
    result = segtest.segmap("--run", path, "argument", env=env)
    lines = result.error_text.splitlines()
    assert (result.status, result.out) == (1, b""), (path, result.status, result.out, lines)
    assert len(lines) == 1 and lines[0].startswith(f"segmap: {path}: "), lines
    for word in words:
        assert word in lines[0], (word, lines)


@segtest.claim
def program_that_cannot_be_executed_is_status_1():
    check_refused("no-such-program-anywhere", "PATH")
    check_refused("passwd", "PATH", "may be executed", env={"PATH": "/nonexistent:/etc"})
    check_refused("/nonexistent/program", "No such file")
    check_refused("/", "Permission denied")
    check_refused("/etc/passwd", "Permission denied")
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "file")
        for content, word in ((b"", "Exec format error"), (b"echo hello\n", "Exec format error"),
                              (b"\x7fELF" + bytes(60), "Exec format error"),
                              (b"#!/nonexistent/interpreter\n", "interpreter is not there")):
            with open(path, "wb") as file:
                file.write(content)
            os.chmod(path, 0o755)
            check_refused(path, word)
        check_refused("file", "PATH", env={"PATH": "/nonexistent"})
        with open(path, "wb") as file:
            file.write(b"#!/bin/sh\nexit 19\n")
        for name, env in ((path, None), ("file", {"PATH": f"/nonexistent:{directory}"})):
            result = segtest.segmap("-J", "--run", name, env=env)
            assert result.status == 19 and json.loads(result.out)["comm"] == "file", result.error_text


@segtest.claim
def output_that_cannot_be_written_is_found_before_it_runs():
    with tempfile.TemporaryDirectory() as directory:
        made = os.path.join(directory, "made")
        result = segtest.segmap("--output-file", "/nonexistent/file", "--run", segtest.which("touch"), made)
        assert result.status == 1 and "/nonexistent/file" in result.error_text
        assert not os.path.exists(made) and result.error_text.count("\n") == 1


@segtest.claim
def program_that_is_traced_already_is_not_run():
    strace = segtest.which("strace")
    with tempfile.TemporaryDirectory() as directory:
        made = os.path.join(directory, "made")
        result = subprocess.run([strace, "-o", "/dev/null", segtest.SEGMAP, "--run",
                                 segtest.which("touch"), made], capture_output=True, text=True,
                                check=False, timeout=60,
                                env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
        assert result.returncode == 1 and "trace it" in result.stderr, result
        assert not os.path.exists(made)


@segtest.claim
def death_before_the_entry_point_is_its_own_and_said():
    if not BEFORE_ENTRY:
        raise segtest.Skip("needs the fixture before_entry")
    for what, status, word in (("exit", 41, "status 41"), ("abort", -signal.SIGABRT, "signal 6")):
        result = subprocess.run([segtest.SEGMAP, "--run", BEFORE_ENTRY], capture_output=True, check=False,
                                env=dict(os.environ, DO=what), stdin=subprocess.DEVNULL, timeout=60)
        assert result.returncode == status, result
        # The program's end comes first: what is said of it can come after.
        assert word in result.stderr.decode() and "before its entry point" in result.stderr.decode(), result
        assert result.stdout == b"", result
        shown, found, _, error = run(BEFORE_ENTRY, options=["--moment=exec,entry"],
                                     env=dict(os.environ, DO=what))
        assert shown == status and [d["moment"] for d in found] == ["exec"] and word in error


@segtest.claim
def thread_that_executes_a_program_before_the_entry_point_is_no_death():
    if not BEFORE_ENTRY:
        raise segtest.Skip("needs the fixture before_entry")
    status, found, _, error = run(BEFORE_ENTRY, options=["--moment=exec,entry"],
                                  env=dict(os.environ, DO="thread-replaces"))
    assert status == 7 and [d["moment"] for d in found] == ["exec"], (status, found)
    assert "executed a program before its entry point: it goes on" in error and "killed" not in error, error


@segtest.claim
def end_is_seen_whatever_the_number_of_groups():
    segtest.need_root()
    for _ in range(5):
        status, found, _, _ = run(GUEST, "threads-exit", options=["--moment=exit"],
                                  extra_groups=range(1 << 30, (1 << 30) + 1000))
        assert status == 24 and [d["moment"] for d in found] == ["exit"], (status, found)


@segtest.claim
def constructors_do_as_they_like():
    if not BEFORE_ENTRY:
        raise segtest.Skip("needs the fixture before_entry")
    for what in ("handle", "thread", "wait", "replace"):
        status, found, _, _ = run(BEFORE_ENTRY, options=["--moment=entry,exit"],
                                  env=dict(os.environ, DO=what))
        assert status == 7 and [d["moment"] for d in found] == ["entry", "exit"], (what, status)
        note = any("executed another program" in note for note in found[0]["notes"])
        assert note == (what == "replace"), found[0]["notes"]
    with tempfile.TemporaryDirectory() as directory:
        pids = os.path.join(directory, "pids")
        status, found, _, _ = run(BEFORE_ENTRY, env=dict(os.environ, DO="fork", PIDS=pids))
        assert status == 7 and found
        with open(pids, encoding="ascii") as file:
            own, child = map(int, file.read().split())
        try:
            assert own == found[0]["pid"] and tracer_of(child) == 0
        finally:
            os.kill(child, signal.SIGKILL)


@segtest.claim
def set_user_id_has_no_effect_and_that_is_said():
    segtest.need_root()
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o777)
        guest, output = os.path.join(directory, "guest"), os.path.join(directory, "map")
        shutil.copy(GUEST, guest)
        os.chmod(guest, 0o4755)
        if os.statvfs(directory).f_flag & os.ST_NOSUID:
            raise segtest.Skip("needs a file system that is not mounted nosuid")
        result = segtest.segmap("-J", "--output-file", output, "--run", guest, "tell", as_user=65534)
        assert re.search(r"^Uid:\s65534\s65534\s", result.text, re.MULTILINE), result.text
        with open(output, encoding="utf-8") as file:
            document = json.load(file)
        assert any("set-user-ID" in note for note in document["notes"]), document["notes"]
        # One that another program executes is one, too.
        result = segtest.segmap("-J", "--moment=exit", "--output-file", output, "--run", "sh", "-c", 'exec "$0" tell',
                                guest, as_user=65534)
        with open(output, encoding="utf-8") as file:
            assert any("set-user-ID" in note for note in json.load(file)["notes"]), result
        # Where its owner is nobody (a user namespace), or no file gives any, there is nothing to lose.
        os.chmod(guest, 0o6755)
        for behind in (["unshare", "-c"], ["setpriv", "--no-new-privs"]):
            if subprocess.run([*behind, "true"], user=1, group=1, stderr=subprocess.DEVNULL, check=False).returncode:
                raise segtest.Skip(f"needs {' '.join(behind)} as a user")
            command = [*behind, segtest.SEGMAP, "-J", "--output-file", output, "--run", guest, "exit", "0"]
            os.unlink(output)
            subprocess.run(command, user=1, group=1, extra_groups=[], check=True)
            with open(output, encoding="utf-8") as file:
                assert not any("set-user-ID" in note for note in json.load(file)["notes"]), behind
        # Root traces it with its privileges: nothing is lost, nothing said.
        assert not any("set-user-ID" in note for note in run(guest, "exit", "0")[1][0]["notes"])


@segtest.claim
def program_that_may_not_be_read_runs_all_the_same():
    segtest.need_root()
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        guest = os.path.join(directory, "guest")
        shutil.copy(GUEST, guest)
        os.chmod(guest, 0o711)
        result = segtest.segmap("--run", guest, "exit", "21", as_user=65534)
        assert result.status == 21, result.error_text
        assert result.out == b"" and result.error_text.startswith("segmap: "), result.error_text


@segtest.claim
def command_line_is_the_program_s_behind_its_name():
    status, found, out, _ = run(GUEST, "tell", "-V", "--help", "--", "-J")
    assert status == 0 and out.decode().splitlines().count("argument --help") == 1
    assert found[0]["command"] == [GUEST, "tell", "-V", "--help", "--", "-J"]
    result = segtest.segmap("--run", "-J", "--moment", "exec", "--", segtest.which("true"), "-J")
    assert result.status == 0 and json.loads(result.out)["command"][1:] == ["-J"]
    for wrong in (["--run"], ["--run", "--"], ["--run", "--explain", "true"], ["--trace", "1"],
                  ["--moment=exit", "--explain", "true"], ["--moment=exec", "--trace", "--run", "true"],
                  ["--moment=dawn", "--run", "true"], ["--moment=exec,exec", "--run", "true"],
                  ["--no-deps", "--run", "true"], ["--verify", "--run", "true"], ["--no-aslr", "1"],
                  ["1", "--run", "true"], ["--trace", "-r", "--run", "true"], ["--run=true"]):
        result = segtest.segmap(*wrong)
        lines = result.error_text.splitlines()
        assert (result.status, result.out, len(lines)) == (2, b"", 2), (wrong, result.status, lines)
        assert lines[1] == "Try 'segmap --help'"


@segtest.claim
def user_s_own_program_needs_no_root():
    segtest.need_root()
    result = segtest.segmap("-J", "--moment=exec,entry,exit", "--run", segtest.which("true"), as_user=65534)
    assert result.status == 0, result.error_text
    assert [json.loads(line)["moment"] for line in result.text.splitlines()] == ["exec", "entry", "exit"]


if not (GUEST and ENTRY_GUEST):
    print("needs the fixtures run_guest and entry_guest")
    sys.exit(77)
segtest.main()
