"""--audit: bytes that are not the file's, permissions that no file calls for, code without a file.

Processes are patched from outside, through /proc/PID/mem, by gdb and by the kernel's uprobes. The
witness is a comparison of our own: every byte of every segment that is not writable, in memory and
in the file.
"""
import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import struct
import subprocess

import elfpatch
import segtest
import situations
from auditing import audit, ids, image_of, only, serious
from situations import look, situation, workspace


def poke(pid, address, data):
    with open(f"/proc/{pid}/mem", "r+b", 0) as memory:
        memory.seek(address)
        memory.write(data)


def peek(pid, address, size):
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        memory.seek(address)
        return memory.read(size)


def differing(pid, path, bias):
    """The addresses of all bytes of this file's read-only segments that memory has otherwise."""
    found = set()
    with open(path, "rb") as file:
        data = file.read()
    for load in situations.Elf(path).loads:
        if "W" in load.flags:
            continue
        memory = peek(pid, bias + load.vaddr, load.filesz)
        found |= {bias + load.vaddr + i for i in range(load.filesz)
                  if memory[i] != data[load.off + i]}
    return found


def assert_all_told(document, pid, path, bias):
    """The findings have every byte that differs, and count no other."""
    witnessed = differing(pid, path, bias)
    told = [f for f in document["findings"] if "bytes" in f]
    for finding in told:
        start, end = int(finding["start"], 16), int(finding["end"], 16)
        inside = {a for a in witnessed if start <= a < end}
        assert len(inside) == finding["bytes"] and {start, end - 1} <= inside, finding
        witnessed -= inside
    assert not witnessed, f"not told of: {sorted(map(hex, witnessed))}"


def need_x86():
    if os.uname().machine != "x86_64":
        raise segtest.Skip("instructions are x86-64's")


@contextlib.contextmanager
def loaded(env=None, **how):
    """A process with the library apple: situation, path, bias, Elf."""
    with workspace() as directory:
        path = situations.library(directory + "/libapple.so", **how)
        with situation("plain", path, env=env) as running:
            yield running, path, running.address("bias"), situations.Elf(path)


@segtest.claim
def program_with_all_protection_has_no_finding():
    with workspace() as directory:
        path = situations.program(directory + "/clean", flags=("-static-pie", "-Wl,-z,now"))
        with situations.started([path]) as running:
            assert audit(running.pid, expect=0)["findings"] == []


@segtest.claim
def dynamic_program_with_all_protection_is_clean_itself():
    with workspace() as directory:
        flags = ("-pie", "-fPIE", "-Wl,-z,relro", "-Wl,-z,now")
        with situations.started([situations.program(directory + "/clean", flags=flags)]) as running:
            document = audit(running.pid, expect=0)
            assert all(image_of(document, f) != directory + "/clean" for f in document["findings"])


@segtest.claim
def bytes_put_back_are_no_finding():
    with situation("poked-text") as running:
        audit(running.pid, expect=0)


@segtest.claim
def overwritten_code_is_found_by_section_offset_and_bytes():
    with loaded() as (running, path, bias, elf):
        text = elf.section(".apple_text")
        poke(running.pid, bias + text.vaddr + 0x1080, b"hello")
        document = audit(running.pid)
        finding = only(document, "text-modified")
        assert image_of(document, finding) == path and finding["section"] == ".apple_text"
        assert int(finding["start"], 16) == bias + text.vaddr + 0x1080
        assert finding["file_offset"] == text.off + 0x1080 and finding["bytes"] == 5
        assert finding["actual"] == b"hello".hex(" ") and finding["expected"] == "c3 c3 c3 c3 c3"
        assert finding["confidence"] == "certain" and finding["severity"] == "high"
        assert_all_told(document, running.pid, path, bias)


@segtest.claim
def change_across_a_page_is_one_finding():
    with loaded() as (running, path, bias, elf):
        start = situations.page_up(bias + elf.section(".apple_text").vaddr + 1) - 3
        poke(running.pid, start, b"ABCDEF")
        document = audit(running.pid)
        assert only(document, "text-modified")["bytes"] == 6
        assert_all_told(document, running.pid, path, bias)


@segtest.claim
def overwritten_constants_are_found():
    with loaded() as (running, path, bias, elf):
        poke(running.pid, bias + elf.section(".apple_rodata").vaddr + 5, b"12345678")
        document = audit(running.pid)
        finding = only(document, "rodata-modified")
        assert finding["section"] == ".apple_rodata" and finding["bytes"] == 8
        assert_all_told(document, running.pid, path, bias)


@segtest.claim
def program_headers_in_memory_are_compared():
    with loaded() as (running, path, bias, _):
        poke(running.pid, bias + 0x40, b"\x09")
        document = audit(running.pid)
        assert only(document, "headers-modified")["section"] == "[program headers]"
        assert_all_told(document, running.pid, path, bias)


@segtest.claim
def relocated_data_and_bss_are_no_finding():
    """mold and lld put .rodata and relocated data on one page of the file."""
    for linker in situations.LINKERS:
        try:
            with loaded(linker=linker) as (running, path, bias, _):
                assert not [f for f in audit(running.pid, expect=0)["findings"] if "bytes" in f]
                assert not differing(running.pid, path, bias)
        except segtest.Skip:
            if linker == "bfd":
                raise


@segtest.claim
def breakpoint_without_debugger_is_found():
    need_x86()
    with loaded() as (running, path, bias, elf):
        for at in (0, 0x20, 0x24):
            poke(running.pid, bias + elf.section(".apple_text").vaddr + at, b"\xcc")
        document = audit(running.pid)
        assert ids(document) == ["text-breakpoint"] * 2, ids(document)
        assert {f["confidence"] for f in serious(document)} == {"possible"}
        assert_all_told(document, running.pid, path, bias)


@segtest.claim
def row_of_breakpoints_is_a_change_of_code():
    need_x86()
    with loaded() as (running, _, bias, elf):
        poke(running.pid, bias + elf.section(".apple_text").vaddr, b"\xcc" * 8)
        only(audit(running.pid), "text-modified")


HOOKED = """
#include <unistd.h>
__attribute__((noinline)) int victim(int x) { __asm__ volatile("nop;nop;nop;nop;nop;nop;nop;nop;"
	"nop;nop;nop;nop;nop;nop" : "+r"(x)); return x + 1; }
__attribute__((noinline)) int replacement(int x) { __asm__ volatile("" : "+r"(x)); return x - 1; }
int main(int argc, char **argv) { (void)argv; write(1, "ready\\n", 6);
	for (;;) { pause(); victim(replacement(argc)); } }
"""


@contextlib.contextmanager
def hookable(*flags):
    """A process with functions victim and replacement: situation, path, their addresses."""
    need_x86()
    with workspace() as directory:
        source, path = directory + "/hooked.c", directory + "/hooked"
        with open(source, "w", encoding="ascii") as file:
            file.write(HOOKED)
        subprocess.run([segtest.which("gcc", "clang"), "-O1", "-pie", "-fPIE", "-Wl,-z,now", *flags,
                        source, "-o", path], check=True, stdin=subprocess.DEVNULL)
        names = subprocess.run([segtest.which("nm"), path], check=True, stdout=subprocess.PIPE).stdout
        values = {line.split()[2].decode(): int(line.split()[0], 16)
                  for line in names.splitlines() if len(line.split()) == 3}
        with situations.started([path]) as running:
            bias = int(look(running.pid).image(path)["bias"], 16)
            yield running, path, bias, bias + values["victim"], bias + values["replacement"]


def jump_of(form, at, to):
    if form == "relative":
        return b"\xe9" + struct.pack("<i", to - at - 5)
    if form == "absolute":
        return b"\x48\xb8" + struct.pack("<Q", to) + b"\xff\xe0"
    if form == "r11":
        return b"\x49\xbb" + struct.pack("<Q", to) + b"\x41\xff\xe3"
    return b"\xff\x25\0\0\0\0" + struct.pack("<Q", to)


@segtest.parameters("relative", "absolute", "r11", "indirect")
def jump_at_a_function_is_a_hook_with_symbol_and_target(form):
    with hookable("-fcf-protection=none") as (running, path, bias, victim, replacement):
        poke(running.pid, victim, jump_of(form, victim, replacement))
        document = audit(running.pid)
        finding = only(document, "text-hook")
        assert finding["symbol"] == "victim" and finding["confidence"] == "likely", finding
        assert f"{replacement:#x} in hooked" in finding["reason"], finding["reason"]
        assert_all_told(document, running.pid, path, bias)


@segtest.claim
def hook_behind_a_landing_pad_is_a_hook():
    with hookable("-fcf-protection=branch") as (running, _, _, victim, replacement):
        assert peek(running.pid, victim, 4) == b"\xf3\x0f\x1e\xfa"
        poke(running.pid, victim + 4, jump_of("relative", victim + 4, replacement))
        finding = only(audit(running.pid), "text-hook")
        assert finding["symbol"] == "victim" and finding["symbol_offset"] >= 4, finding
        assert finding["confidence"] == "likely"


@segtest.claim
def jump_into_anonymous_memory_is_said_to_lead_there():
    with situation("anon-executable", "r-x") as running:
        need_x86()
        target = running.range("generated")[0]
        names = subprocess.run([segtest.which("nm"), situations.scenario_program()], check=True,
                               stdout=subprocess.PIPE).stdout
        probed = next(int(line.split()[0], 16) for line in names.splitlines()
                      if line.endswith(b" probed"))
        bias = int(look(running.pid).image(role="program")["bias"], 16)
        poke(running.pid, bias + probed, jump_of("absolute", 0, target))
        document = audit(running.pid)
        assert ids(document) == ["anon-executable", "text-hook"], ids(document)
        hook = next(f for f in serious(document) if f["id"] == "text-hook")
        assert f"{target:#x} in anonymous memory" in hook["reason"], hook["reason"]


# A page that is written to by a debugger, and by the kernel.

@contextlib.contextmanager
def gdb(pid, *commands):
    """gdb, attached, that has carried out these commands and goes on reading others."""
    program = segtest.which("gdb")
    debugger = subprocess.Popen([program, "-q", "-nx", "-p", str(pid)], stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                env=dict(os.environ, DEBUGINFOD_URLS=""))
    try:
        debugger.stdin.write("".join(c + "\n" for c in commands).encode())
        debugger.stdin.flush()
        yield debugger
    finally:
        debugger.kill()
        debugger.wait()
        debugger.stdin.close()


@segtest.claim
def breakpoint_of_gdb_is_told_with_and_without_gdb():
    with hookable() as (running, path, bias, victim, _):
        with gdb(running.pid, f"break *{victim}", "continue") as debugger:
            segtest.wait_until(lambda: peek(running.pid, victim, 1) == b"\xcc", "gdb's breakpoint")
            document = audit(running.pid)
            # gdb has one more, in the dynamic linker, to know of libraries as they are loaded.
            finding, = [f for f in serious(document) if image_of(document, f) == path]
            assert set(ids(document)) == {"text-breakpoint"}, ids(document)
            assert finding["symbol"] == "victim" and finding["confidence"] == "likely", finding
            assert str(debugger.pid) in finding["reason"]
            document["findings"] = [finding]
            assert_all_told(document, running.pid, path, bias)
        segtest.wait_until(lambda: "TracerPid:\t0\n" in open(f"/proc/{running.pid}/status").read(),
                           "nobody tracing it")
        document = audit(running.pid)
        finding, = [f for f in serious(document) if image_of(document, f) == path]
        assert finding["id"] == "text-breakpoint" and finding["symbol"] == "victim"
        assert finding["confidence"] == "possible", finding


@segtest.claim
def jump_that_gdb_wrote_is_a_hook():
    with hookable("-fcf-protection=none") as (running, _, _, victim, replacement):
        jump = jump_of("relative", victim, replacement)
        sets = [f"set {{unsigned char}}{victim + i} = {byte}" for i, byte in enumerate(jump)]
        subprocess.run([segtest.which("gdb"), "-q", "-nx", "-batch", "-p", str(running.pid),
                        *[word for command in sets for word in ("-ex", command)]],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True,
                       stderr=subprocess.DEVNULL, env=dict(os.environ, DEBUGINFOD_URLS=""))
        assert only(audit(running.pid), "text-hook")["symbol"] == "victim"


@segtest.claim
def uprobe_is_told_from_a_breakpoint():
    with situation("uprobe") as running:
        finding = only(audit(running.pid), "text-uprobe")
        assert finding["symbol"] == "probed"
        assert int(finding["start"], 16) == running.address("probed")


@segtest.claim
def text_relocations_are_told_from_other_changes():
    need_x86()
    with workspace() as directory:
        source, path = directory + "/textrel.c", directory + "/libtextrel.so"
        with open(source, "w", encoding="ascii") as file:
            file.write('int value; __asm__(".text\\n.quad value\\n.fill 64,1,0x90\\n.quad value\\n'
                       '.fill 64,1,0x90\\n");\n')
        subprocess.run([segtest.which("gcc", "clang"), "-shared", "-fPIC", "-nostdlib",
                        "-Wl,-z,notext", source, "-o", path], check=True,
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with situation("plain", path) as running:
            bias = running.address("bias")
            document = audit(running.pid)
            assert ids(document) == ["text-relocated", "textrel"], ids(document)
            assert_all_told(document, running.pid, path, bias)
            poke(running.pid, bias + situations.Elf(path).section(".text").vaddr + 20, b"hello")
            document = audit(running.pid)
            assert "text-modified" in ids(document), ids(document)
            changed = next(f for f in serious(document) if f["id"] == "text-modified")
            assert changed["bytes"] == 5


# Permissions.

def expect_change(document, name, running, key="changed"):
    finding = only(document, name)
    assert (int(finding["start"], 16), int(finding["end"], 16)) == running.range(key), finding
    return finding


@segtest.parameters("text-writable:text-writable:r-xp:rwxp", "relro-writable:relro-not-applied:r--p:rw-p")
def protection_undone_by_mprotect_is_found(case):
    name, finding_id, expected, actual = case.split(":")
    with workspace() as directory:
        path = situations.library(directory + "/libapple.so")
        with situation(name, path) as running:
            document = audit(running.pid)
            finding = expect_change(document, finding_id, running)
            assert (finding["expected"], finding["actual"]) == (expected, actual)
            assert image_of(document, finding) == path
            assert document["vmas"][finding["vma"]]["perms"] == actual


SPREAD = "-Wl,-z,max-page-size=0x10000"  # holes between segments, where pages are smaller


@segtest.parameters("separate-code:r-x", "separate-code:rwx", "noseparate-code:r-x")
def code_between_segments_is_found(case):
    layout, perms = case.split(":")
    with workspace() as directory:
        path = situations.library(directory + "/libapple.so", flags=(SPREAD, "-Wl,-z," + layout))
        with situation("plain", path) as running:
            assert [row for row in segtest.maps(running.pid) if row[2] == "---p" and row[6] == os.fsencode(path)]
            audit(running.pid, expect=0)
        with situation("gap-executable", path, perms) as running:
            document = audit(running.pid)
            finding = expect_change(document, "perms-drift", running)
            assert (finding["severity"], image_of(document, finding)) == ("medium", path), finding
            assert (finding["expected"], finding["actual"]) == ("---p", perms + "p"), finding


@segtest.claim
def what_musl_leaves_between_segments_is_no_finding():
    with workspace() as directory:
        library = situations.library(directory + "/libapple.so", flags=(SPREAD, "-Wl,-z,noseparate-code"))
        path = situations.program(directory + "/program", compiler=("musl-gcc",),
                                  flags=("-Wl,--no-as-needed", library))
        with situations.started([path]) as running:
            gaps = [v for v in look(running.pid).vmas for p in v["pieces"] if p["kind"] == "gap"]
            assert any(v["perms"] == "r-xp" for v in gaps), gaps
            audit(running.pid, expect=0)


@segtest.claim
def data_made_executable_is_found():
    """As "data-read-only", but for the machine: its data is at an address that it tells."""
    with workspace() as directory:
        path = situations.library(directory + "/libapple.so")
        with situation("data-executable", path) as running:
            expect_change(audit(running.pid), "data-executable", running)


@segtest.claim
def less_than_was_promised_is_information():
    with workspace() as directory:
        path = situations.library(directory + "/libapple.so")
        with situation("data-read-only", path) as running:
            document = audit(running.pid, expect=0)
            assert "perms-drift" in [f["id"] for f in document["findings"]]


@segtest.claim
def text_moved_to_anonymous_pages_is_compared():
    with workspace() as directory:
        path = situations.library(directory + "/libapple.so")
        with situation("remapped-text", path) as running:
            assert "text-anonymous" in [f["id"] for f in audit(running.pid, expect=0)["findings"]]
            poke(running.pid, running.range("remapped")[0] + 100, b"hello")
            document = audit(running.pid)
            assert ids(document) == ["text-anonymous", "text-modified"], ids(document)
            assert_all_told(document, running.pid, path, running.address("bias"))


def page_of(path, section):
    """The address and the offset of a page with this section's bytes; of code not the first one."""
    found = situations.Elf(path).section(section)
    skipped = situations.PAGE if section == ".apple_text" else 0
    return [situations.page_down(at) + skipped for at in (found.vaddr, found.off)]


def mapped_over(path, section, perms, source, offset=0, **how):
    """The library at this path with another page in this section's place."""
    vaddr, _ = page_of(path, section)
    return situation("mapped-over", path, f"{vaddr:x}", perms, source, f"{offset:x}", **how)


@segtest.parameters(".apple_text:r-x:anonymous", ".apple_text:r-x:shared", ".apple_rodata:r--:anonymous",
                    ".apple_rodata:r--:shared", ".apple_rodata:r--:/etc/passwd")
def pages_that_were_never_touched_are_not_taken_for_the_files(case):
    section, perms, source = case.split(":")
    with workspace() as directory:
        path = situations.library(directory + "/libapple.so")
        with mapped_over(path, section, perms, source) as running:
            document = audit(running.pid)
            finding = expect_change(document, "text-anonymous", running, "displaced")
            assert (finding["severity"], image_of(document, finding)) == ("medium", path), finding
            assert "1 page could not be compared" in finding["reason"], finding
            peek(running.pid, running.range("displaced")[0], 1)  # into memory
            seen = "text-modified" if section == ".apple_text" else "rodata-modified"
            assert seen in ids(audit(running.pid)), seen


@segtest.parameters(".apple_text:r-x:text-modified:high", ".apple_rodata:r--:rodata-modified:medium")
def other_pages_of_the_file_are_found(case):
    """Constants in the place of code, and code in the place of constants."""
    section, perms, finding_id, severity = case.split(":")
    with workspace() as directory:
        path = situations.library(directory + "/libapple.so")
        other, = {".apple_text", ".apple_rodata"} - {section}
        _, offset = page_of(path, other)
        with mapped_over(path, section, perms, path, offset) as running:
            document = audit(running.pid)
            finding = expect_change(document, finding_id, running, "displaced")
            assert (finding["severity"], finding["confidence"]) == (severity, "certain"), finding
            assert finding["actual"] == f"{path} from {offset:#x}", finding
            start, end = running.range("displaced")
            witnessed = differing(running.pid, path, running.address("bias"))
            assert witnessed and all(start <= a < end for a in witnessed)


@segtest.claim
def page_of_a_copy_of_the_file_is_information():
    with workspace() as directory:
        path = situations.library(directory + "/libapple.so")
        copy = shutil.copy(path, directory + "/copy.so")
        _, offset = page_of(path, ".apple_text")
        with mapped_over(path, ".apple_text", "r-x", copy, offset) as running:
            peek(running.pid, running.range("displaced")[0], 1)  # into memory
            document = audit(running.pid, expect=0)
            found = [f for f in document["findings"] if f["id"] == "text-anonymous"]
            assert "byte by byte it is the file's" in found[0]["reason"], found


@segtest.claim
def compiler_in_the_process_does_not_excuse_what_lies_over_code():
    with workspace() as directory:
        path, node = situations.library(directory + "/libapple.so"), directory + "/node"
        shutil.copy(situations.scenario_program(), node)
        with mapped_over(path, ".apple_text", "r-x", "shared", executable=node) as running:
            expect_change(audit(running.pid), "text-anonymous", running, "displaced")


@segtest.parameters("node:info", "node-18:info", "php8.2:low", "node_exporter:medium", "phpfoo:medium")
def compiler_is_known_by_its_whole_name(case):
    name, severity = case.split(":")
    with workspace() as directory:
        path = shutil.copy(situations.scenario_program(), directory + "/" + name)
        with situation("anon-executable", "r-x", executable=path) as running:
            document = audit(running.pid, expect=0 if severity == "info" else 3)
            finding, = [f for f in document["findings"] if f["id"] == "anon-executable"]
            assert finding["severity"] == severity, finding


@segtest.claim
def relro_of_a_process_that_has_not_started_is_not_yet_due():
    """Stopped right behind execve: the dynamic linker has no list yet."""
    libc = ctypes.CDLL(None)
    process = subprocess.Popen([situations.scenario_program(), "plain"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               preexec_fn=lambda: libc.ptrace(0, 0, None, None))
    try:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTRAP
        document = audit(process.pid, expect=0)
        found = [f for f in document["findings"] if f["id"] == "relro-not-applied"]
        program = [f for f in found if document["images"][f["image"]]["role"] == "program"]
        assert program and program[0]["severity"] == "info", found
    finally:
        process.kill()
        process.wait()


@segtest.parameters("rwx:wx-vma", "r-x:anon-executable")
def executable_memory_without_a_file_is_found(case):
    perms, finding_id = case.split(":")
    with situation("anon-executable", perms) as running:
        finding = expect_change(audit(running.pid), finding_id, running, "generated")
        assert finding["severity"] == "medium"


@segtest.claim
def segment_that_asks_for_both_rights_is_found():
    with workspace() as directory:
        path = situations.library(directory + "/libapple.so")
        with elfpatch.Patch(path) as patch:
            text = next(p for p in patch.phdrs if p.p_type == elfpatch.PT_LOAD and p.p_flags & 1)
            text.p_flags |= 2
        with situation("plain", path) as running:
            document = audit(running.pid)
            finding = only(document, "wx-vma")
            assert image_of(document, finding) == path and finding["actual"] == "rwxp", finding


@segtest.claim
def code_that_a_process_lists_itself_is_information():
    with situation("anon-executable", "r-x") as running:
        listed = f"/tmp/perf-{running.pid}.map"
        with open(listed, "x", encoding="ascii") as file:
            file.write(f"{running.range('generated')[0]:x} 10 f\n")
        try:
            document = audit(running.pid, expect=0)
            assert "anon-executable" in [f["id"] for f in document["findings"]]
        finally:
            os.unlink(listed)


@segtest.parameters("link", "fifo", "another's")
def list_of_code_counts_only_if_it_is_the_processs_own_file(what):
    if what == "another's":
        segtest.need_root()
    with workspace() as directory, situation("anon-executable", "r-x") as running:
        listed, other = f"/tmp/perf-{running.pid}.map", directory + "/list"
        with open(other, "x", encoding="ascii") as file:
            file.write(f"{running.range('generated')[0]:x} 10 f\n")
        try:
            if what == "link":
                os.symlink(other, listed)
            elif what == "fifo":
                os.mkfifo(listed)
            else:
                shutil.copy(other, listed)
                os.chown(listed, situations.NOBODY, situations.NOBODY)
            expect_change(audit(running.pid), "anon-executable", running, "generated")
        finally:
            os.unlink(listed)


IN_A_ROOT = """
import ctypes, mmap, os, sys, time
libc = ctypes.CDLL(None)
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mmap(None, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
os.chroot(sys.argv[1])
print("ready", flush=True)
time.sleep(600)
"""


@segtest.parameters("inside", "outside")
def list_of_code_is_looked_for_in_the_processs_own_root(where):
    """Where its /tmp is an absolute link: that leads to another place here."""
    segtest.need_root()
    with workspace() as directory:
        root = directory + "/root"
        there, link = {"inside": (root + "/lists", "/lists"), "outside": (directory, directory)}[where]
        os.makedirs(there, exist_ok=True)
        os.makedirs(root, exist_ok=True)
        os.symlink(link, root + "/tmp")
        with segtest.running([segtest.which("python3"), "-c", IN_A_ROOT, root], ready=b"ready") as process:
            (start,) = (row[0] for row in segtest.maps(process.pid) if row[2] == "r-xp" and not row[6])
            with open(f"{there}/perf-{process.pid}.map", "x", encoding="ascii") as file:
                file.write(f"{start:x} 10 f\n")
            document = json.loads(segtest.segmap("-J", "--audit", process.pid).out)  # python may have findings
            (finding,) = (f for f in document["findings"] if f["start"] and int(f["start"], 16) == start)
            assert finding["id"] == "anon-executable", finding
            assert (finding["severity"] == "info") == (where == "inside"), finding


@segtest.claim
def library_that_wants_an_executable_stack_is_named():
    # glibc 2.41 opens no such library later, if the stack is not executable from the start.
    env = dict(os.environ, GLIBC_TUNABLES="glibc.rtld.execstack=2")
    with loaded(env, flags=("-Wl,-z,execstack",)) as (running, path, _, _):
        stack = next(row for row in segtest.maps(running.pid) if row[6] == b"[stack]")
        document = audit(running.pid)
        if "x" not in stack[2]:
            assert ids(document) == ["stack-asked"], ids(document)
            return
        finding = only(document, "stack-executable")
        assert image_of(document, finding) == path and int(finding["start"], 16) == stack[0]


@segtest.claim
def old_program_whose_memory_is_all_executable_is_one_finding():
    with workspace() as directory:
        path = situations.program(directory + "/old", flags=("-m32", "-Wl,-z,now"))
        with elfpatch.Patch(path) as patch:
            patch.phdr(elfpatch.PT_GNU_STACK).p_type = elfpatch.PT_NULL
        with situations.started([path]) as running:
            if not any("rwx" in row[2] for row in segtest.maps(running.pid)):
                raise segtest.Skip("the kernel gives no READ_IMPLIES_EXEC")
            assert "read-implies-exec" in ids(audit(running.pid))
            assert "wx-vma" not in ids(audit(running.pid))


# What an audit does to a process: nothing.

@segtest.claim
def no_page_becomes_resident_and_nothing_is_stopped():
    def figures(pid):
        with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
            return [int(kib) for kib in re.findall(r"(?m)^(?:Rss|Anonymous): +(\d+)", file.read())]

    with loaded() as (running, _, bias, elf):
        poke(running.pid, bias + elf.section(".apple_text").vaddr, b"hello")
        # The kernel may take pages at any time.
        before = figures(running.pid)
        audit(running.pid)
        after = figures(running.pid)
        assert len(after) == len(before) and all(a <= b for a, b in zip(after, before)), after
        assert segtest.asleep(running.pid)


@segtest.claim
def owner_can_audit_and_what_may_not_be_read_is_said():
    with situation("plain", who="user") as running:
        audit(running.pid, expect=0, as_user=situations.uid_of("user"))
    with situation("not-dumpable") as running:
        segtest.need_root()
        result = segtest.segmap("--audit", running.pid, as_user=situations.NOBODY)
        assert result.status == 1 and result.error_text.startswith("segmap: ")


@segtest.claim
def saved_map_is_audited_as_far_as_it_goes():
    with workspace() as directory:
        path = situations.library(directory + "/libapple.so")
        with situation("text-writable", path) as running:
            with open(f"/proc/{running.pid}/maps", "rb") as file, open(directory + "/maps", "wb") as to:
                to.write(file.read())
            document = segtest.document("--audit", "--maps", directory + "/maps", expect=3)
            assert "text-writable" in ids(document)
            assert any("memory was not looked at" in note for note in document["notes"])


LEASED = """
import fcntl, mmap, os, signal, sys
file = os.open(sys.argv[1], os.O_RDONLY)
code = mmap.mmap(file, int(sys.argv[4]), mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
if sys.argv[2] == "headers":
    code[0]  # and with it they are in memory
if sys.argv[3] == "deaf":
    signal.signal(signal.SIGIO, signal.SIG_IGN)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("ready", flush=True)
signal.pause()
"""


@contextlib.contextmanager
def leased(headers, deaf, user=None):
    """A process with a lease on a file of its own, whose code it has: process, path."""
    with workspace() as directory:
        path = situations.library(directory + "/libapple.so", flags=("-Wl,-z,noseparate-code",))
        size = str(situations.Elf(path).loads[0].filesz)  # with its headers
        if user:
            os.chown(path, user, user)
        with segtest.running(["/usr/bin/env", "python3", "-c", LEASED, path, headers, deaf, size], ready=b"ready",
                             **{"user": user, "group": user} if user else {}) as process:
            yield process, path


def assert_code_is_hidden(document, path):
    rows = [vma for vma in document["vmas"] if vma["name"] == path]
    found = [f for f in document["findings"] if f["id"] == "file-executable" and
             f["start"] in [row["start"] for row in rows]]
    assert rows and len(found) == sum("x" in row["perms"] for row in rows), ids(document)
    for finding in found:
        assert finding["severity"] == "medium" and "lease" in finding["actual"], finding


@segtest.parameters("headers", "no headers")
def lease_of_another_is_not_broken_and_its_file_is_a_finding(headers):
    segtest.need_root()
    with leased(headers, "hears", user=situations.NOBODY) as (process, path):
        pid = process.pid
        addr = next(hex(row[0]) for row in segtest.maps(pid) if row[6] == os.fsencode(path))
        for arguments in ([pid], ["-S", pid], ["--at", addr, pid], ["--diff", pid, pid]):
            result = segtest.segmap(*arguments)
            assert result.status == 0, (arguments, result.error_text)
        document = segtest.document(pid)
        (image,) = [image for image in document["images"] if image["path"] == path]
        assert image["opened"] == "memory" and "lease" in image["error"], image
        assert (image["status"] == "unreadable") == (headers == "no headers"), image
        assert_code_is_hidden(segtest.document("--audit", pid, expect=3), path)
        assert process.poll() is None, "it was told"


@segtest.parameters("headers", "no headers")
def file_that_cannot_be_opened_is_a_finding(headers):
    """The lease is on a file of one's own, which is opened without asking for leases."""
    with leased(headers, "deaf") as (process, path):
        assert_code_is_hidden(segtest.document("--audit", process.pid, expect=3), path)


segtest.main()
