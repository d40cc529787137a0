"""Which processes are meant, which can be shown, and what is said of the others."""
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile

import segtest

NOBODY = 65534
SLEEP = ["sleep", "600"]


def check_message(result, status, *words):
    """One line on standard error that begins with segmap: and holds these words."""
    lines = result.error_text.splitlines()
    assert result.status == status, (result.status, lines)
    assert len(lines) == 1 and lines[0].startswith("segmap: "), lines
    for word in words:
        assert str(word) in lines[0], (word, lines)


@contextlib.contextmanager
def zombie():
    """The pid of a child that has ended and is not waited for."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        yield pid
    finally:
        os.waitpid(pid, 0)


def kernel_thread():
    """The pid of one that can be seen here."""
    for pid in ["2", *os.listdir("/proc")]:
        with contextlib.suppress(OSError, ValueError):
            with open(f"/proc/{int(pid)}/stat", encoding="latin-1") as file:
                if int(file.read().rpartition(")")[2].split()[6]) & 0x00200000:  # PF_KTHREAD
                    return pid
    raise segtest.Skip("needs a kernel thread in sight")


@contextlib.contextmanager
def program_named(name):
    """A copy of sleep, so that comm is this name; no other process has it."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        path = os.path.join(directory, name)
        shutil.copy(segtest.which("sleep"), path)
        yield path


@segtest.claim
def zombie_and_kernel_thread_are_not_shown_and_called_what_they_are():
    with zombie() as pid:
        for form in (str(pid), f"/proc/{pid}"):
            check_message(segtest.segmap(form), 1, pid, "zombie")
        assert segtest.segmap("-J", pid).out == b""
        for form in ([], ["-J"], ["-x"]):
            check_message(segtest.segmap("--watch", *form, pid), 1, pid, "zombie")
    pid = kernel_thread()
    check_message(segtest.segmap(pid), 1, pid, "kernel thread")


@segtest.claim
def zombie_beside_a_process_that_is_shown_is_status_64():
    with zombie() as pid, segtest.running(SLEEP) as process:
        found = segtest.documents(pid, process.pid, expect=64)
        assert [d["pid"] for d in found] == [process.pid]


@segtest.claim
def all_targets_that_fail_are_named_in_order_and_status_is_1():
    result = segtest.segmap("99999998", "no-such-name-here", "99999999")
    lines = result.error_text.splitlines()
    assert (result.status, result.out, len(lines)) == (1, b"", 3), result.error_text
    for line, name in zip(lines, ("99999998", "no-such-name-here", "99999999")):
        assert line.startswith(f"segmap: {name}: "), lines


@segtest.claim
def other_peoples_process_is_named_with_what_would_help():
    segtest.need_root()
    with segtest.running(SLEEP) as process, \
            segtest.running(SLEEP, user=NOBODY, group=NOBODY) as own:
        for form in (str(process.pid), f"/proc/{process.pid}/"):
            result = segtest.segmap(form, as_user=NOBODY)
            check_message(result, 1, process.pid, "ermission denied", "root or the owner")
        found = segtest.documents(process.pid, own.pid, as_user=NOBODY, expect=64)
        assert [d["pid"] for d in found] == [own.pid]
        # Root sees both.
        assert [d["pid"] for d in segtest.documents(process.pid, own.pid)] == [process.pid, own.pid]


@segtest.parameters("0", "00", "4294967296", "18446744073709551617", "99999999999999999999999999")
def number_that_is_no_pid_is_not_a_process(text):
    check_message(segtest.segmap(text), 1, text, "no such process")
    check_message(segtest.segmap("/proc/" + text), 1, text, "no such process")


@segtest.parameters("/proc", "/proc/", "/proc/1/maps", "/proc/self/maps", "/proc/x", "/tmp",
                    "1.5", "1x", "+1", " 1")
def what_is_neither_pid_nor_directory_is_taken_for_a_name(text):
    check_message(segtest.segmap(text), 1, text.strip(), "no process has this name")


@segtest.claim
def proc_self_is_segmap_itself():
    document = segtest.document("/proc/self")
    assert document["target"] == "/proc/self"
    [program] = [image for image in document["images"] if image["role"] == "program"]
    assert program["path"] == os.path.realpath(segtest.SEGMAP), program["path"]


@segtest.claim
def documents_name_their_target_as_the_user_did():
    with program_named("segmap-t-one") as path, segtest.running([path, "600"]) as process:
        pid = str(process.pid)
        for target in (pid, f"/proc/{pid}", f"/proc/{pid}/", "segmap-t-one"):
            document = segtest.document(target)
            assert (document["target"], document["pid"]) == (target, process.pid)
            assert document["comm"] == "segmap-t-one" and document["command"] == [path, "600"]


@segtest.parameters("segmap-t-15char", "segmap-t-16chars", "segmap-t-of-many-more-than-sixteen")
def name_is_compared_whole(name):
    with program_named(name) as path, segtest.running([path, "600"]) as process:
        assert segtest.document(name)["pid"] == process.pid
        check_message(segtest.segmap(name[:-2]), 1, name[:-2], "no process has this name")
        check_message(segtest.segmap(name + "x"), 1, name + "x")
        # Neither its path nor another case of its letters is its name.
        assert segtest.segmap(path).status == 1
        assert segtest.segmap(name.upper()).status == 1


@segtest.claim
def first_fifteen_bytes_of_a_longer_name_do():
    # comm holds no more, and ps and top show no more.
    with program_named("segmap-t-fifteen-and-more") as path, \
            segtest.running([path, "600"]) as process:
        assert segtest.document("segmap-t-fiftee")["pid"] == process.pid


@segtest.claim
def names_longer_than_comm_are_told_apart_by_argv():
    with program_named("segmap-t-a-long-name-1") as one, \
            program_named("segmap-t-a-long-name-2") as two, \
            segtest.running([one, "600"]) as first, segtest.running([two, "600"]) as second:
        assert segtest.document("segmap-t-a-long-name-1")["pid"] == first.pid
        assert segtest.document("segmap-t-a-long-name-2")["pid"] == second.pid


@segtest.claim
def every_process_of_a_name_is_shown_ascending():
    with program_named("segmap-t-many") as path, contextlib.ExitStack() as stack:
        pids = [stack.enter_context(segtest.running([path, "600"])).pid for _ in range(3)]
        found = segtest.documents("segmap-t-many")
        assert [d["pid"] for d in found] == sorted(pids)
        # Raw records are one table with one heading; tables are parted by an empty line.
        raw = segtest.segmap("-r", "-o", "PID,ADDRESS", "segmap-t-many").text.splitlines()
        assert raw[0] == "PID ADDRESS" and raw.count("PID ADDRESS") == 1
        assert [pid for at, pid in enumerate(line.split()[0] for line in raw[1:])
                if not at or raw[at].split()[0] != pid] == [str(pid) for pid in sorted(pids)]
        parts = segtest.segmap("segmap-t-many").text.split("\n\n")
        assert [int(part.partition(":")[0]) for part in parts] == sorted(pids)


@segtest.claim
def some_of_a_name_shown_and_some_not_is_status_64():
    segtest.need_root()
    with program_named("segmap-t-mixed") as path, segtest.running([path, "600"]) as process, \
            segtest.running([path, "600"], user=NOBODY, group=NOBODY) as own:
        result = segtest.segmap("segmap-t-mixed", as_user=NOBODY)
        assert result.status == 64 and str(process.pid) in result.error_text, result.error_text
        assert result.text.startswith(f"{own.pid}: ")


@segtest.claim
def segmap_is_not_among_the_processes_of_its_own_name():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "segmap-t-itself")
        shutil.copy(segtest.SEGMAP, path)
        result = subprocess.run([path, "segmap-t-itself"], capture_output=True, text=True,
                                check=False)
        assert result.returncode == 1 and result.stdout == "", result
        assert "no process has this name" in result.stderr, result


@segtest.claim
def process_without_arguments_is_named_by_comm():
    # Linux 5.18 puts an empty argv[0] where there is none, so this only has to be no crash.
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "argless.c")
        with open(path, "w", encoding="ascii") as file:
            file.write("#include <unistd.h>\n#include <string.h>\n"
                       "int main(int argc, char **argv) {\n"
                       "char *none[] = { 0 };\n"
                       "if (argc > 1) { execve(argv[0], none, none); return 1; }\n"
                       "if (argv[0]) memset(argv[0], 0, strlen(argv[0]));\n"
                       "pause(); return 0; }\n")
        program = os.path.join(directory, "segmap-t-argless")
        subprocess.run([segtest.which("cc", "gcc", "clang"), "-o", program, path], check=True)
        with segtest.running([program, "again"]) as process:
            def has_no_arguments():
                with open(f"/proc/{process.pid}/cmdline", "rb") as arguments:
                    return not arguments.read().strip(b"\0")

            segtest.wait_until(has_no_arguments, "exec without arguments")
            first = segtest.segmap(process.pid).text.splitlines()[0]
            assert first.startswith(f"{process.pid}:"), first
            assert segtest.document(process.pid)["comm"] == "segmap-t-argless"[:15]


@segtest.claim
def same_process_twice_is_shown_twice():
    with segtest.running(SLEEP) as process:
        found = segtest.documents(process.pid, f"/proc/{process.pid}")
        assert [d["pid"] for d in found] == [process.pid] * 2


@segtest.claim
def stopped_process_is_shown_and_stays_stopped():
    with segtest.running(SLEEP) as process:
        os.kill(process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        document = segtest.document(process.pid)
        assert [(v["start"], v["end"]) for v in document["vmas"]] == [
            (hex(row[0]), hex(row[1])) for row in segtest.maps(process.pid)]
        with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
            assert file.read().rpartition(")")[2].split()[0] == "T"


segtest.main()
