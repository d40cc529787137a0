"""Which moment an answer is of: rows 26 to 30 of the hard cases.

What never stands still is in stress.py.
"""
import contextlib
import json
import os
import signal
import subprocess
import time

import segtest
from situations import (PAGE, Elf, Seen, assert_error_lines, assert_sections, for_root_and_user,
                        has_option, library, living, look, maps, own, scenario_program, situation, uid_of,
                        workspace)


@for_root_and_user
def process_whose_main_thread_has_gone_is_shown(who):
    with workspace(who) as directory:
        path = library(os.path.join(directory, "lib.so"))
        own(who, path)
        elf = Elf(path)
        with situation("main-thread-gone", path, who=who) as running:
            assert maps(running.pid) == [], "the point of this claim"
            seen = look(running.pid, who)
            image = seen.image(path)
            assert image["status"] == "ok" and image["sections"] == "headers", image
            if who == "root":
                assert image["opened"] == "map_files", image
            assert_sections(seen, image, elf, running.address("bias"))
            program = seen.image(role="program")
            assert_sections(seen, program, Elf(scenario_program()), running.address("program_bias"))


@for_root_and_user
def pages_are_known_without_the_main_thread(who):
    with workspace(who) as directory:
        path = library(os.path.join(directory, "lib.so"))
        with situation("main-thread-gone", path, who=who) as running:
            addr = running.address("bias")
            with open(f"/proc/{living(running.pid)}/pagemap", "rb") as file:
                file.seek(addr // PAGE * 8)
                expected = "file" if int.from_bytes(file.read(8), "little") >> 63 else "absent"
            for count in (1, 33):  # few are asked of the kernel one by one
                answers = segtest.document(*["--at", f"{addr:#x}"] * count, str(running.pid),
                                           as_user=uid_of(who))["answers"]
                assert {answer.get("page") for answer in answers} == {expected}, answers


@segtest.claim
def deleted_library_keeps_its_sections_without_the_main_thread():
    with workspace("root") as directory:
        path = library(os.path.join(directory, "lib.so"))
        elf = Elf(path)
        with situation("main-thread-gone", path, who="root") as running:
            os.unlink(path)
            seen = look(running.pid, "root")
            assert seen.image(path)["status"] == "deleted"
            assert_sections(seen, seen.image(path), elf, running.address("bias"))


def _assert_not_shown(pid, word, who="any"):
    for options in ((), ("-J",)):
        result = segtest.segmap(*options, str(pid), as_user=uid_of(who))
        assert result.status == 1, (result.status, result.error_text)
        assert result.out == b"", result.out
        assert_error_lines(result)
        assert str(pid) in result.error_text and word in result.error_text, result.error_text


@for_root_and_user
def zombie_is_called_a_zombie(who):
    uid = uid_of(who)
    options = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
    process = subprocess.Popen(["true"], stdin=subprocess.DEVNULL, **options)
    try:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        _assert_not_shown(process.pid, "zombie", who)
    finally:
        process.wait()


def _kernel_threads():
    for pid in sorted(int(p) for p in os.listdir("/proc") if p.isdigit()):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            flags = int(file.read().rpartition(")")[2].split()[6])
            if flags & 0x00200000:  # PF_KTHREAD
                yield pid


@for_root_and_user
def kernel_thread_is_called_a_kernel_thread(who):
    pid = next(_kernel_threads(), None)
    if pid is None:
        raise segtest.Skip("needs a kernel thread in sight")
    _assert_not_shown(pid, "kernel thread", who)


@segtest.claim
def zombie_beside_a_process_that_is_shown_is_partial_success():
    process = subprocess.Popen(["true"], stdin=subprocess.DEVNULL)
    try:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with situation("plain") as running:
            result = segtest.segmap("-J", str(process.pid), str(running.pid))
            assert result.status == 64, (result.status, result.error_text)
            assert len(result.out.splitlines()) == 1
            assert json.loads(result.out)["pid"] == running.pid
    finally:
        process.wait()


@segtest.claim
def stopped_process_is_shown():
    with situation("plain") as running:
        os.kill(running.pid, signal.SIGSTOP)
        look(running.pid)


# How much.

def _seconds(count):
    """How long segmap takes for so many VMAs more, the better of two."""
    with situation("many-vmas", str(count)) as running:
        best = float("inf")
        for _ in range(2):
            began = time.monotonic()
            result = segtest.segmap("-J", str(running.pid))
            best = min(best, time.monotonic() - began)
            assert result.status == 0, result.error_text
        document = json.loads(result.out)
        # The schema check is slow in Python: the layout alone for so many.
        segtest.check_layout(document)
        start, end = running.range("many")
        many = [v for v in document["vmas"] if start <= int(v["start"], 16) < end]
        assert len(many) == count, f"{len(many)} VMAs, not {count}"
        assert len(segtest.segmap(str(running.pid)).out.splitlines()) > count
        return best


@segtest.claim
def time_grows_with_the_number_of_vmas_and_not_faster():
    with open("/proc/sys/vm/max_map_count", encoding="ascii") as file:
        count = min(65000, int(file.read()) - 500)
    few, many = _seconds(count // 10), _seconds(count)
    assert many < 20, f"{many:.1f} s for {count} VMAs"
    # Ten times the VMAs; a quadratic step takes a hundred times as long.
    assert many < 30 * max(few, 0.02), f"{few:.3f} s for {count // 10}, {many:.3f} s for {count}"


# Private pages.

@segtest.parameters("poked-text", "uprobe")
def text_with_a_breakpoint_in_it_has_an_anonymous_page(name):
    key = {"poked-text": "poked", "uprobe": "probed"}[name]
    if name == "uprobe":
        segtest.need_root()
    with situation(name) as running:
        vma = look(running.pid).vma_at(running.address(key))
        assert vma["perms"] == "r-xp" and vma["kind"] == "segment", vma
        if has_option("-x"):
            seen = Seen(segtest.document("-x", str(running.pid)))
            memory = seen.vma_at(running.address(key))["memory"]
            assert memory["anonymous"] == PAGE, memory


if __name__ == "__main__":
    segtest.main()
