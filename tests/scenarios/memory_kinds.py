"""Memory that is no ELF file: rows 17 and 24 of the hard cases."""
import os
import re
import subprocess

import segtest
from situations import for_root_and_user, look, maps, situation, workspace

# What scenario.c says, and the kinds that are right for it.
KINDS = {
    "sysv": {"shm"},
    "zero_shared": {"shm"},
    "zero_private": {"anon", "device"},
    "memfd": {"shm", "file"},
    "secret": {"shm", "other"},
    "posix_shm": {"shm", "file"},
    "perf": {"device", "other"},
    "io_uring": {"device", "other"},
    "bpf": {"device", "other"},
    "block_device": {"device"},
    "anonymous_shared": {"shm"},
    "huge": {"anon", "shm"},
    "named": {"anon"},
}


@for_root_and_user
def every_kind_of_memory_has_its_word_and_no_image(who):
    with situation("memory-kinds", who=who) as running:
        seen = look(running.pid, who)
        wrong = []
        for key, kinds in KINDS.items():
            if key not in running:
                continue  # this kernel has none; saved text takes its place in the golden tests
            vma = seen.vma_at(running.address(key))
            if vma["kind"] not in kinds or vma.get("image") is not None:
                wrong.append(f"{key} ({vma['name']}) is {vma['kind']}, not {kinds}")
        assert not wrong, wrong
        assert {i["role"] for i in seen.images} == {"program", "interpreter", "library", "vdso"}


@segtest.claim
def mapped_device_is_never_opened_for_reading():
    segtest.need_root()
    strace = segtest.which("strace")
    with situation("memory-kinds", who="root") as running:
        if "block_device" not in running:
            raise segtest.Skip("needs a block device")
        address = running.address("block_device")
        device = next(os.fsdecode(r[6]) for r in maps(running.pid) if r[0] == address)
        with workspace() as directory:
            log = os.path.join(directory, "log")
            result = subprocess.run([strace, "-f", "-y", "-o", log, "-e", "trace=/open",
                                     segtest.SEGMAP, "-J", str(running.pid)],
                                    stdin=subprocess.DEVNULL, capture_output=True,
                                    # It cannot look for leaks below another tracer.
                                    env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
            assert result.returncode == 0, result.stderr
            with open(log, encoding="utf-8", errors="replace") as file:
                calls = file.read().splitlines()
        assert any(re.search(r"= \d+<", call) for call in calls), "strace saw nothing"
        opened = [call for call in calls
                  if re.search(rf"= \d+<{re.escape(device)}[>(<]", call) and "O_PATH" not in call]
        assert not opened, opened


@segtest.claim
def special_mappings_of_the_kernel_have_their_kinds():
    kinds = {"[vvar]": "vvar", "[vvar_vclock]": "vvar", "[vsyscall]": "vsyscall",
             "[stack]": "stack", "[heap]": "heap"}
    with situation("heap") as running:
        seen = look(running.pid)
        found = {v["name"] for v in seen.vmas if v.get("name") in kinds}
        assert {"[stack]", "[heap]"} <= found, found
        for vma in seen.vmas:
            if vma.get("name") in kinds:
                assert vma["kind"] == kinds[vma["name"]], vma
                assert vma.get("image") is None, vma


if __name__ == "__main__":
    segtest.main()
