"""segmap --explain from outside: options, forms, words and exit statuses.

That predictions are right is shown elsewhere (tests/predict); here programs are found,
shown and refused.
"""
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

import segtest

TRUE = os.path.realpath(segtest.which("true"))
LDSO = "/lib64/ld-linux-x86-64.so.2"


def explain(*arguments, **options):
    return segtest.segmap("--explain", *arguments, **options)


def document(*arguments, **options):
    return segtest.document("--explain", *arguments, **options)


def check_error(result, status, *words):
    assert result.status == status, (result.status, result.error_text)
    for word in words:
        assert word in result.error_text, (word, result.error_text)
    for line in result.error_text.splitlines():
        assert line.startswith("segmap: ") or line.startswith("Try "), line


def write(path, data, mode=0o755):
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
    return path


def elf(machine=62, bits=64, interpreter=None, kind=2, load=None):
    """A program of one PT_LOAD with all of the file; its bytes mean nothing."""
    ehdr, phent = (64, 56) if bits == 64 else (52, 32)
    interp = (interpreter + "\0").encode() if interpreter else b""
    n = 2 if interpreter else 1
    size = ehdr + n * phent + len(interp)
    offset, vaddr, filesz, memsz = load or (0, 0x400000, size, size)
    ident = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1, 1]) + bytes(9)
    a = "Q" if bits == 64 else "I"
    data = ident + struct.pack("<HHI" + 3 * a + "IHHHHHH", kind, machine, 1, 0x400000 + ehdr, ehdr, 0, 0, ehdr,
                               phent, n, 0, 0, 0)

    def phdr(p_type, flags, off, addr, file_size, memory, align):
        if bits == 64:
            return struct.pack("<IIQQQQQQ", p_type, flags, off, addr, addr, file_size, memory, align)
        return struct.pack("<IIIIIIII", p_type, off, addr, addr, file_size, memory, flags, align)
    if interpreter:
        at = ehdr + n * phent
        data += phdr(3, 4, at, 0x400000 + at, len(interp), len(interp), 1)
    return data + phdr(1, 5, offset, vaddr, filesz, memsz, 0x1000) + interp


@segtest.claim
def the_file_the_story_and_the_map_are_told():
    text = explain(TRUE).text
    assert text.startswith(TRUE + "\n"), text[:80]
    parts = [text.index(part) for part in ("  interpreter ", "GNU_RELRO", "The kernel, in execve",
                                           "The dynamic linker of ", "What comes of it", "predicted: ", "total ")]
    assert parts == sorted(parts)
    # Every call has its number, in order, and says where its rule stands.
    numbers = [int(n) for n in re.findall(r"^ {1,3}(\d+)  (?:LOAD|RELRO|stack|vdso|  )", text, re.M)]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 20, numbers
    for source in ("fs/binfmt_elf.c:elf_map", "fs/exec.c:setup_arg_pages", "elf/dl-reloc.c:_dl_protect_relro"):
        assert source in text, source


@segtest.claim
def each_vma_knows_the_calls_that_made_it():
    story = dict((int(n), rest) for n, rest in
                 re.findall(r"^ {1,3}(\d+)  (\S.*\n(?:      .*\n)+)", explain(TRUE).text, re.M))
    relro = 0
    for line in explain("-r", "-n", "-o", "KIND,MAPPING,CALLS", TRUE).text.splitlines():
        kind, _, calls = line.split(" ")
        if kind in ("segment", "bss", "relro"):
            calls = [int(n) for n in calls.split(",")]
            assert calls == sorted(set(calls)) and all(n in story for n in calls), line
            relro += kind == "relro" and "Relocations are done" in story[calls[-1]]
        else:
            assert calls == "-", line
    assert relro >= 3


@segtest.claim
def quiet_is_the_map_alone():
    quiet = explain("-q", TRUE)
    assert quiet.status == 0
    assert quiet.text and set(len(line) > 0 for line in quiet.text.splitlines()) == {True}
    for word in ("execve", "predicted", "total", "ADDRESS", "note:"):
        assert word not in quiet.text, word
    # What is not known goes to standard error then.
    assert "not known before the run" in quiet.error_text


@segtest.claim
def records_are_the_map_alone_too():
    result = explain("-r", "-o", "ADDRESS,SIZE,PERM,KIND", TRUE, TRUE)
    lines = [line.split(" ") for line in result.text.splitlines()]
    assert lines[0] == ["ADDRESS", "SIZE", "PERM", "KIND"]
    assert all(len(line) == 4 for line in lines) and len(lines) % 2 == 1
    assert lines[1:1 + len(lines) // 2] == lines[1 + len(lines) // 2:]


@segtest.claim
def json_says_what_is_predicted_and_what_is_not_known():
    found = document(TRUE)
    assert (found["source"], found["moment"], found["target"]) == ("prediction", "entry", TRUE)
    assert found["outcome"] is None and "pid" not in found and "time" not in found
    roles = [image["role"] for image in found["images"]]
    assert roles[:3] == ["program", "interpreter", "library"] and roles[-1] == "vdso", roles
    assert all(image["bias"] is None for image in found["images"])
    libc, = [image for image in found["images"] if image["path"].endswith("/libc.so.6")]
    assert "ld.so.cache" in libc["found"], libc
    # VMAs are grouped by image in the order of loading, and count from virtual addresses.
    order = [vma["image"] for vma in found["vmas"] if vma["image"] is not None]
    assert order == sorted(order) and set(order) == set(range(len(roles))), order
    for vma in found["vmas"]:
        if vma["image"] is not None:
            assert vma["base"] == "image" and int(vma["start"], 16) < 1 << 32, vma
    bases = {vma["name"]: vma["base"] for vma in found["vmas"] if vma["image"] is None}
    assert bases["[stack]"] == "stack" and bases["[heap]"] == "heap" and bases["[vvar]"] == "mmap"
    # The end of libc's .bss is open; nothing of the program's is.
    assert [vma["kind"] for vma in found["vmas"] if vma["open_end"] and vma["image"] == libc["id"]] == ["bss"]
    assert not any(vma["open_end"] for vma in found["vmas"] if vma["image"] in (0, 1))
    for call in found["calls"]:
        assert call["reason"].endswith(".") and call["source"], call
    assert {call["actor"] for call in found["calls"]} == {"kernel", "ld.so"}


@segtest.claim
def moments_come_in_the_order_that_was_asked_for():
    for moments in ("exec", "entry", "exec,entry", "entry,exec"):
        result = segtest.documents("--explain", f"--moment={moments}", TRUE)
        assert [found["moment"] for found in result] == moments.split(",")
    first, second = segtest.documents("--explain", "--moment=exec,entry", TRUE)
    # At exec there are no libraries, and RELRO is writable still.
    assert not any(image["role"] == "library" for image in first["images"])
    assert not any(vma["kind"] in ("relro", "heap") for vma in first["vmas"])
    assert sum(vma["kind"] == "relro" for vma in second["vmas"]) >= 3
    assert second["calls"][:len(first["calls"])] == first["calls"]
    text = explain("--moment=exec,entry", TRUE).text
    assert text.count("The kernel, in execve") == 1
    assert text.index("right after execve") < text.index("at its entry point")


@segtest.claim
def no_deps_stops_after_the_interpreter():
    roles = [image["role"] for image in document("--no-deps", TRUE)["images"]]
    assert roles == ["program", "interpreter", "vdso"], roles


@segtest.claim
def without_randomization_there_are_the_numbers_of_a_run():
    sleep, setarch = segtest.which("sleep"), segtest.which("setarch")
    found = document("--no-aslr", sleep)
    # The heap is there in a run only if something allocates; it is not compared.
    predicted = {(vma["start"], vma["end"], vma["perms"]) for vma in found["vmas"]
                 if vma["base"] is None and vma["name"] != "[heap]"}
    assert len(predicted) >= 14, predicted
    with segtest.running([setarch, "-R", sleep, "600"]) as process:
        segtest.wait_until(lambda: "sleep" in os.readlink(f"/proc/{process.pid}/exe"), "setarch to run sleep")
        real = {(vma["start"], vma["end"], vma["perms"]) for vma in segtest.document(process.pid)["vmas"]}
    assert predicted <= real, predicted - real


@segtest.claim
def a_program_is_looked_for_in_path_and_then_here():
    with tempfile.TemporaryDirectory() as directory:
        with open(TRUE, "rb") as file:
            write(os.path.join(directory, "only-here"), file.read())
        found = document("only-here", cwd=directory)
        assert found["images"][0]["path"] == os.path.join(os.path.realpath(directory), "only-here")
        assert any("not in PATH" in note for note in found["notes"]), found["notes"]
        found = document("only-here", env={"PATH": "/nonexistent:" + directory})
        assert not any("not in PATH" in note for note in found["notes"])
        check_error(explain("not-anywhere", cwd=directory), 1, "not-anywhere", "PATH")
        assert document("true")["images"][0]["path"].endswith("/true")
        # One that is a name of an option, and one with a slash.
        write(os.path.join(directory, "--help"), open(TRUE, "rb").read())
        assert explain("-q", "--", "--help", cwd=directory).status == 0
        assert explain("-q", "./only-here", cwd=directory).status == 0


@segtest.claim
def a_library_is_explained_as_the_dynamic_linker_maps_it():
    libc = [image["path"] for image in document(TRUE)["images"] if image["path"].endswith("/libc.so.6")][0]
    found = document("--no-deps", "--as=library", libc)
    assert [image["role"] for image in found["images"]] == ["library"]
    assert {call["actor"] for call in found["calls"]} == {"ld.so"}
    assert not any(vma["name"] in ("[stack]", "[heap]", "[vdso]") for vma in found["vmas"])
    # libc.so.6 has an interpreter and a soname: a library. As a program it is one, too.
    assert document("--no-deps", libc)["images"][0]["role"] == "library"
    found = document("--no-deps", "--as=program", libc)
    assert [image["role"] for image in found["images"]] == ["program", "interpreter", "vdso"]


@segtest.claim
def right_after_execve_there_is_nothing_of_a_library():
    library = LDSO
    both = explain("--moment=exec,entry", "--as=library", library)
    assert both.status == 0 and "right after execve there is nothing of it" in both.text, both.error_text
    assert explain("--moment=exec", "-r", "-n", "--as=library", library).out == b""
    at_exec = document("--moment=exec", "--as=library", library)
    assert at_exec["images"] == [] and at_exec["vmas"] == [] and at_exec["notes"], at_exec


@segtest.claim
def a_script_says_what_its_line_runs():
    with tempfile.TemporaryDirectory() as directory:
        inner = write(os.path.join(directory, "inner"), f"#! {TRUE}  -x  y \n".encode())
        outer = write(os.path.join(directory, "outer"), f"#!{inner}\n".encode())
        found = document(outer)
        assert found["images"][0]["path"] == TRUE
        note, = [note for note in found["notes"] if "script" in note]
        assert f"{TRUE} -x  y" in note, note
        # As deep as the kernel goes, and one deeper.
        path = TRUE
        for depth in range(1, 8):
            path = write(os.path.join(directory, f"deep-{depth}"), f"#!{path}\n".encode())
            try:
                runs = subprocess.run([path], check=False, stdin=subprocess.DEVNULL).returncode == 0
            except OSError:
                runs = False
            assert (explain("-q", path).status == 0) == runs == (depth <= 5), (depth, runs)
        check_error(explain(path), 1, "Too many levels of symbolic links")
        check_error(explain(write(os.path.join(directory, "nothing"), b"#!\n")), 1, "nothing")
        check_error(explain(write(os.path.join(directory, "missing"), b"#!/not/here\n")), 1, "/not/here")


@segtest.claim
def what_is_no_program_is_an_error_that_names_it():
    with tempfile.TemporaryDirectory() as directory:
        empty = write(os.path.join(directory, "empty"), b"")
        text = write(os.path.join(directory, "text"), b"hello\n")
        fifo = os.path.join(directory, "fifo")
        os.mkfifo(fifo, 0o755)
        truncated = write(os.path.join(directory, "truncated"), elf()[:70])
        for path, words in ((empty, "neither an ELF program"), (text, "neither an ELF program"),
                            (fifo, "no regular file"), (directory, "directory"), (truncated, "truncated"),
                            ("/dev/null", "no regular file"), (directory + "/no", "No such file")):
            check_error(explain(path, timeout=10), 1, path, words)


@segtest.claim
def a_refusal_is_status_1_and_its_reason_is_given():
    with tempfile.TemporaryDirectory() as directory:
        cases = {
            "unaligned": (elf(load=(0x10, 0x400000, 0x40, 0x40)), "kernel", "SIGSEGV", "agree within a page"),
            "filesz": (elf(load=(0, 0x400000, 0x78, 0x20)), "kernel", "SIGSEGV", "p_memsz"),
            "no-interp": (elf(interpreter="/not/here"), "kernel", "ENOENT", "/not/here"),
            "bad-interp": (elf(interpreter="/etc/passwd"), "kernel", "EACCES", "/etc/passwd"),
            "no-elf-interp": (elf(interpreter=__file__), "kernel", None, "explain.py"),
        }
        for name, (data, by, error, words) in cases.items():
            path = write(os.path.join(directory, name), data)
            outcome = document(path, expect=1)["outcome"]
            assert outcome["by"] == by and words in outcome["reason"], (name, outcome)
            assert error is None or outcome["error"] == error, (name, outcome)
            framed, quiet = explain(path), explain("-q", path)
            assert framed.status == quiet.status == 1
            assert re.search("^outcome: .*" + re.escape(words), framed.text, re.M), framed.text
            assert words in quiet.error_text
            # And so it is, though the shell cannot be asked for the reason.
            if error == "SIGSEGV":
                real = subprocess.run([path], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                                      timeout=10)
                assert real.returncode == -11, (name, real)
        write(os.path.join(directory, "no-x"), elf(), 0o644)
        assert document(os.path.join(directory, "no-x"), expect=1)["outcome"]["error"] == "EACCES"


@segtest.claim
def a_library_or_version_that_is_missing_is_what_the_dynamic_linker_will_say():
    compiler = segtest.which("gcc")
    with tempfile.TemporaryDirectory() as directory:
        def make(name, text, *flags):
            source, path = os.path.join(directory, "source.c"), os.path.join(directory, name)
            with open(source, "w", encoding="ascii") as file:
                file.write(text)
            subprocess.run([compiler, source, "-o", path, "-L" + directory, *flags], check=True)
            return path
        versions = os.path.join(directory, "versions")
        write(versions, b"NEW_2 { global: f; };")
        library = make("libf.so", "int f(void){return 0;}", "-shared", "-fPIC", "-Wl,--version-script=" + versions)
        program = make("program", "int f(void); int main(void){return f();}", "-lf", "-Wl,-rpath," + directory)
        assert document(program)["outcome"] is None
        # Another library of the name, without that version.
        write(versions, b"OLD_1 { global: f; };")
        make("libf.so", "int f(void){return 0;}", "-shared", "-fPIC", "-Wl,--version-script=" + versions)
        found = document(program, expect=1)["outcome"]
        assert found["by"] == "ld.so" and "NEW_2" in found["reason"] and "libf.so" in found["reason"], found
        real = subprocess.run([program], capture_output=True, check=False)
        assert real.returncode != 0 and b"NEW_2" in real.stderr, real
        os.unlink(library)
        found = document(program, expect=1)
        assert found["outcome"]["by"] == "ld.so" and "libf.so" in found["outcome"]["reason"], found["outcome"]
        assert any("libf.so" in note and directory in note for note in found["notes"]), found["notes"]
        assert subprocess.run([program], capture_output=True, check=False).returncode == 127


@segtest.claim
def a_range_is_of_the_addresses_that_are_shown():
    whole = document(TRUE)["vmas"]
    low, high = 0x1000, 0x2fff
    wanted = [vma for vma in whole if int(vma["start"], 16) <= high and int(vma["end"], 16) > low]
    assert 0 < len(wanted) < len(whole)
    assert document("-A", "1000,2fff", TRUE)["vmas"] == wanted
    assert len(explain("-q", "-r", "-o", "ADDRESS", "-A", "1000,2fff", TRUE).text.splitlines()) == len(wanted)


@segtest.claim
def some_explained_and_some_not_is_status_64():
    result = explain("-q", TRUE, "/not/here")
    check_error(result, 64, "/not/here")
    assert result.text
    with tempfile.TemporaryDirectory() as directory:
        refused = write(os.path.join(directory, "refused"), elf(interpreter="/not/here"))
        assert explain("-q", TRUE, refused).status == 1
        assert explain("-q", TRUE, refused, "/not/here").status == 64


@segtest.claim
def another_machine_s_file_is_explained_and_said_to_be_one():
    with tempfile.TemporaryDirectory() as directory:
        for machine, name, size in ((183, "AARCH64", 4096), (21, "PPC64", 65536), (258, "LOONGARCH", 16384)):
            path = write(os.path.join(directory, name), elf(machine=machine, load=(0, 0x400000, 0x78, 0x20000)))
            found = document(path)
            assert found["page_size"] == size, (name, found["page_size"])
            note, = [note for note in found["notes"] if "another machine" in note]
            assert name in note and str(size) in note and "cannot run here" in note, note
            bss = [vma for vma in found["vmas"] if vma["kind"] == "bss"]
            assert [int(vma["start"], 16) for vma in bss] == [0x400000 + size] if size < 0x20000 else not bss
            assert document("--page-size=8192", path)["page_size"] == 8192
        path = write(os.path.join(directory, "dynamic"), elf(machine=183, interpreter="/lib/not-here-aarch64"))
        found = document(path)
        assert [image["role"] for image in found["images"]] == ["program"] and found["outcome"] is None
        assert any("/lib/not-here-aarch64 is not here" in note for note in found["notes"]), found["notes"]
        path = write(os.path.join(directory, "arm"), elf(machine=40, bits=32))
        assert document(path)["images"][0]["machine"] == "ARM"


@segtest.claim
def pages_of_another_size_break_what_was_linked_for_less():
    with tempfile.TemporaryDirectory() as directory:
        path = write(os.path.join(directory, "small"), elf(load=(0x1000, 0x402000, 16, 16)))
        found = document("--page-size", "65536", path, expect=1)
        assert found["page_size"] == 65536
        assert found["outcome"]["by"] == "kernel", found["outcome"]
        assert document("--page-size", "4096", path)["outcome"] is None


@segtest.claim
def wrong_usage_is_status_2():
    for arguments in (["--explain"], ["--explain", "--moment=exit", TRUE], ["--explain", "--moment=", TRUE],
                      ["--explain", "--moment=exec,exec", TRUE], ["--explain", "--as=else", TRUE],
                      ["--explain", "--page-size=4095", TRUE], ["--explain", "--page-size=2048", TRUE],
                      ["--explain", "--page-size=-4096", TRUE], ["--no-deps", "1"], ["--moment=exec", "1"],
                      ["--page-size=4096", "1"], ["--as=program", "1"], ["--no-aslr", "1"]):
        result = segtest.segmap(*arguments)
        check_error(result, 2, "Try 'segmap --help'")
        assert result.out == b"" and len(result.error_text.splitlines()) == 2, result.error_text


@segtest.claim
def nothing_is_run():
    with tempfile.TemporaryDirectory() as directory:
        mark = os.path.join(directory, "mark")
        script = write(os.path.join(directory, "script"), f"#!/bin/sh\ntouch {mark}\n".encode())
        explain(script)
        strace = segtest.which("strace")
        trace = os.path.join(directory, "trace")
        result = subprocess.run([strace, "-f", "-o", trace, "-e", "trace=execve,execveat,fork,vfork,clone,clone3",
                                 segtest.SEGMAP, "--explain", "-q", TRUE], capture_output=True, check=False,
                                env={**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") +
                                     ":detect_leaks=0"})   # which is not possible under ptrace
        if b"ptrace" in result.stderr and result.returncode:
            raise segtest.Skip("needs to trace its own children")
        with open(trace, encoding="utf-8") as file:
            calls = [line for line in file if "(" in line]
        assert len(calls) == 1 and "execve(" in calls[0], calls
        assert not os.path.exists(mark)


@segtest.claim
def the_output_file_is_replaced_whole():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "out")
        assert explain("-J", "--output-file", path, TRUE).status == 0
        with open(path, encoding="utf-8") as file:
            segtest.validate(json.load(file))
        assert explain("--output-file", path, "/not/here").status == 1
        with open(path, encoding="utf-8") as file:
            segtest.validate(json.load(file))


assert sys.maxsize > 2 ** 32
segtest.main()
