"""Processes of other users, and programs that have more rights than who started them."""
import json
import os
import shutil

import segtest
from situations import (NOBODY, Elf, assert_error_lines, assert_sections, look, scenario_program,
                        situation, uid_of, workspace)


def assert_refused(pid):
    """An ordinary user gets nothing, and is told what would help."""
    for options in ((), ("-J",)):
        result = segtest.segmap(*options, str(pid), as_user=uid_of("user"))
        assert result.status == 1, (result.status, result.error_text)
        assert result.out == b"", result.out
        assert_error_lines(result)
        lines = result.error_text.splitlines()
        assert len(lines) == 1 and str(pid) in lines[0], lines
        assert "ermission denied" in lines[0] and "root" in lines[0], lines


@segtest.claim
def process_of_another_user_is_refused_with_advice():
    segtest.need_root()
    with situation("plain", who="root") as running:
        assert_refused(running.pid)
        look(running.pid, "root")


@segtest.claim
def process_that_is_not_dumpable_is_roots():
    segtest.need_root()
    with situation("not-dumpable", who="user") as running:
        assert_refused(running.pid)
        look(running.pid, "root")


@segtest.claim
def setuid_program_is_refused_to_who_started_it():
    segtest.need_root()
    with workspace("root") as directory:
        path = shutil.copy(scenario_program(), os.path.join(directory, "program"))
        os.chmod(path, 0o4755)
        with situation("plain", executable=path, who="user") as running:
            if os.stat(f"/proc/{running.pid}").st_uid != 0:
                raise segtest.Skip("needs a file system that is not mounted nosuid")
            assert_refused(running.pid)
            seen = look(running.pid, "root")
            assert_sections(seen, seen.image(path, role="program"), Elf(path),
                            running.address("program_bias"))


@segtest.claim
def one_of_two_processes_refused_is_partial_success():
    segtest.need_root()
    with situation("plain", who="root") as theirs, situation("plain", who="user") as mine:
        result = segtest.segmap("-J", str(theirs.pid), str(mine.pid), as_user=NOBODY)
        assert result.status == 64, (result.status, result.error_text)
        assert_error_lines(result)
        assert str(theirs.pid) in result.error_text
        shown = [json.loads(line) for line in result.out.splitlines()]
        assert [d["pid"] for d in shown] == [mine.pid]


@segtest.claim
def process_that_does_not_exist_is_an_error():
    with open("/proc/sys/kernel/pid_max", encoding="ascii") as file:
        pid = int(file.read())  # pids are below
    result = segtest.segmap(str(pid))
    assert result.status == 1 and result.out == b"", result.status
    assert_error_lines(result)
    assert str(pid) in result.error_text, result.error_text


if __name__ == "__main__":
    segtest.main()
