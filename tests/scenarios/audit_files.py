"""--audit: what became of files, what the dynamic linker knows of, what files promise.

Promises are compared with readelf, live and before a program runs.
"""
import os
import re
import subprocess

import elfpatch
import segtest
import situations
from auditing import about, audit, ids, image_of, only, serious
from situations import Elf, library, situation, workspace


# Files.

@segtest.claim
def deleted_library_is_found_with_its_build_id():
    with workspace() as directory:
        path = library(directory + "/libapple.so")
        elf = Elf(path)
        with situation("deleted-library", path) as running:
            document = audit(running.pid)
            finding = only(document, "file-deleted")
            assert image_of(document, finding) == path and elf.build_id in finding["actual"]


@segtest.claim
def library_upgraded_under_a_process_is_found_with_both_build_ids():
    with workspace() as directory:
        path, new = library(directory + "/lib.so"), library(directory + "/new.so", tag="pear")
        old_id, new_id = Elf(path).build_id, Elf(new).build_id
        with situation("replaced-library", path, new) as running:
            document = audit(running.pid)
            finding = only(document, "file-replaced")
            assert image_of(document, finding) == path and finding["confidence"] == "certain"
            assert new_id in finding["expected"] and old_id in finding["actual"], finding


@segtest.claim
def same_file_installed_again_is_information():
    with workspace() as directory:
        path, new = library(directory + "/lib.so"), library(directory + "/new.so")
        with situation("replaced-library", path, new) as running:
            assert "file-replaced" in about(audit(running.pid, expect=0), path)


@segtest.claim
def file_rewritten_in_place_may_be_another():
    with workspace() as directory:
        path, new = library(directory + "/lib.so"), library(directory + "/new.so", tag="pear")
        with situation("rewritten-library", path, new) as running:
            document = audit(running.pid)
            found = [f for f in serious(document) if f["id"] == "file-rewritten"]
            assert [(image_of(document, f), f["confidence"]) for f in found] == [(path, "possible")]


@segtest.claim
def truncated_file_is_found():
    with workspace() as directory:
        path = library(directory + "/lib.so")
        with situation("truncated-library", path, "8192") as running:
            assert "file-truncated" in ids(audit(running.pid))


@segtest.claim
def library_from_memory_alone_is_found():
    with workspace() as directory:
        path = library(directory + "/lib.so")
        with situation("memfd-library", path) as running:
            only(audit(running.pid), "image-in-memory")


@segtest.claim
def hostile_name_does_nothing_to_a_terminal():
    with workspace() as directory:
        path = library(os.fsencode(directory) + b"/lib\x1b[31m\xff\n.so")
        with situation("deleted-library", path) as running:
            only(audit(running.pid), "file-deleted")
            raw = segtest.segmap("--audit", "--raw", running.pid)
            situations.assert_safe(raw.out)
            columns = {len(line.split(" ")) for line in raw.text.splitlines()}
            assert columns == {14}, columns


# The dynamic linker's list.

@segtest.claim
def library_missing_from_the_linkers_list_is_found():
    with workspace() as directory:
        path = library(directory + "/libapple.so")
        with situation("plain", path) as running:
            audit(running.pid, expect=0)
        with situation("unlisted-library", path) as running:
            document = audit(running.pid)
            finding = only(document, "image-unlisted")
            assert image_of(document, finding) == path
            assert int(finding["start"], 16) == running.address("bias")


@segtest.claim
def library_loaded_without_the_linker_is_found():
    with workspace() as directory:
        path = library(directory + "/libapple.so")
        with situation("by-hand", path, "0") as running:
            document = audit(running.pid)
            assert image_of(document, only(document, "image-unlisted")) == path


@segtest.claim
def library_that_nobody_has_touched_yet_is_found_and_hides_no_other():
    with workspace() as directory:
        path = library(directory + "/libapple.so")
        with situation("by-hand-untouched", path) as running:
            document = audit(running.pid)
            assert image_of(document, only(document, "image-unlisted")) == path
            assert document["notes"] == [], document["notes"]


@segtest.claim
def library_in_a_namespace_of_its_own_is_listed():
    with workspace() as directory:
        with situation("loaded-twice", library(directory + "/libapple.so")) as running:
            need_glibc_2_35(running.pid)
            audit(running.pid, expect=0)


def need_glibc_2_35(pid):
    """Which lists every namespace."""
    interpreter = next(row[6] for row in segtest.maps(pid) if b"/ld-" in row[6])
    versions = subprocess.run([segtest.which("readelf"), "-V", interpreter], check=True,
                              stdout=subprocess.PIPE).stdout
    if b"GLIBC_2.35" not in versions:
        raise segtest.Skip("needs glibc 2.35")


@segtest.claim
def linker_that_nobody_needs_by_name_is_not_hidden():
    """glibc strikes itself from its own list then."""
    if os.uname().machine != "x86_64":
        raise segtest.Skip("system calls are x86-64's")
    with workspace() as directory:
        source, path = directory + "/alone.c", directory + "/alone"
        with open(source, "w", encoding="ascii") as file:
            file.write('__attribute__((force_align_arg_pointer)) void _start(void) {\n'
                       '\tlong n; __asm__ volatile("syscall" : "=a"(n) : "0"(1L), "D"(1L),'
                       ' "S"("ready\\n"), "d"(6L) : "rcx", "r11", "memory");\n'
                       '\tfor (;;) __asm__ volatile("syscall" : "=a"(n) : "0"(34L) : "rcx", "r11",'
                       ' "memory"); }\n')
        subprocess.run([segtest.which("gcc", "clang"), "-O1", "-nostdlib", "-pie", "-fPIE", source,
                        "-o", path], check=True, stdin=subprocess.DEVNULL)
        with situations.started([path]) as running:
            result = segtest.segmap("--audit", "--raw", running.pid)
            images = [image["path"] for image in segtest.document(running.pid)["images"]]
            assert result.status in (0, 3) and any("ld-linux" in path for path in images), images
            assert "image-unlisted" not in result.text, result.text


@segtest.claim
def entry_for_nothing_is_found():
    with workspace() as directory:
        with situation("listed-not-mapped", library(directory + "/libapple.so")) as running:
            finding = only(audit(running.pid), "listed-not-mapped")
            assert "/nowhere/libgone.so" in finding["reason"]


@segtest.claim
def list_that_does_not_end_is_found():
    with workspace() as directory:
        with situation("endless-list", library(directory + "/libapple.so")) as running:
            only(audit(running.pid), "list-broken")


@segtest.parameters("musl-gcc", "-static", "-static-pie", "-m32")
def other_libcs_and_links_have_nothing_hidden(how):
    compiler = (how,) if how[0] != "-" else ("gcc", "clang")
    with workspace() as directory:
        flags = () if how[0] != "-" else (how,)
        path = situations.program(directory + "/program", compiler=compiler, flags=flags)
        with situations.started([path]) as running:
            document = audit(running.pid, expect=3 if how == "-static" else 0)
            found = {f["id"] for f in document["findings"]}
            assert not found & {"image-unlisted", "listed-not-mapped", "list-broken"}, found
            assert not any("bytes" in f for f in document["findings"])


# What files promise.

class Promises:
    """A file as readelf reads it."""

    def __init__(self, path):
        text = subprocess.run([segtest.which("readelf"), "-W", "-h", "-l", "-d", path],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True,
                              env=dict(os.environ, LC_ALL="C")).stdout.decode("utf-8", "replace")
        self.is_exec = bool(re.search(r"Type: +EXEC", text))
        self.relro = "GNU_RELRO" in text
        self.interp = " INTERP " in text
        self.dynamic = " DYNAMIC " in text
        flags = " ".join(re.findall(r"\((?:FLAGS|FLAGS_1)\)(.*)", text))
        self.now = "(BIND_NOW)" in text or " NOW" in flags or "BIND_NOW" in flags
        self.textrel = "(TEXTREL)" in text or "TEXTREL" in flags
        self.plt = bool(re.search(r"\(PLTRELSZ\) +[1-9]", text))

    @property
    def expected(self):
        found = set()
        if self.is_exec:
            found.add("no-pie")
        if not self.relro:
            found.add("relro-absent")
        if self.plt and not self.now and self.interp:
            found.add("no-bind-now")
        if self.textrel:
            found.add("textrel")
        return found


PROMISES = {"no-pie", "relro-absent", "no-bind-now", "textrel"}


@segtest.parameters("-pie -fPIE -Wl,-z,relro,-z,now", "-pie -fPIE -Wl,-z,relro,-z,lazy",
                    "-pie -fPIE -Wl,-z,norelro", "-no-pie -fno-pie", "-static", "-static-pie")
def promises_are_those_that_readelf_reads_live_and_before(flags):
    with workspace() as directory:
        path = situations.program(directory + "/program", flags=tuple(flags.split()))
        expected = Promises(path).expected
        status = 3 if expected & {"no-pie", "relro-absent", "textrel"} else 0
        before = audit("--explain", path, expect=status)
        assert about(before, path) & PROMISES == expected, before["findings"]
        assert before["source"] == "prediction"
        with situations.started([path]) as running:
            live = audit(running.pid, expect=status)
            assert about(live, path) & PROMISES == expected, live["findings"]
            # RELRO is partial where the kernel has the table of functions on a writable page now.
            partial = [f for f in live["findings"] if f["id"] == "relro-partial"
                       and image_of(live, f) == path]
            for finding in partial:
                rows = [row for row in segtest.maps(running.pid)
                        if row[0] == int(finding["start"], 16)]
                assert rows[0][2] == "rw-p" and finding["section"] == ".got.plt", (finding, rows)
            assert bool(partial) == ("lazy" in flags or flags in ("-no-pie -fno-pie", "-static-pie")
                                     and Promises(path).plt and not Promises(path).now), partial


@segtest.claim
def fixed_address_of_a_program_that_the_linker_was_told_to_run_is_found():
    with workspace() as directory:
        path = situations.program(directory + "/program", flags=("-no-pie", "-fno-pie", "-Wl,-z,now"))
        headers = subprocess.run([segtest.which("readelf"), "-l", path], check=True,
                                 stdout=subprocess.PIPE).stdout.decode()
        linker = re.search(r"program interpreter: (.+)\]", headers)[1]
        with situations.started([linker, path]) as running:
            document = audit(running.pid)
            assert image_of(document, only(document, "no-pie")) == path
            assert situations.look(running.pid).image(path)["role"] != "program"


@segtest.parameters("-8:relro-partial", "8:relro-absent")
def relro_that_ends_within_a_page_leaves_tables_writable(case):
    """8 bytes less than whole pages, or 8 bytes in all: the dynamic linker rounds the end down."""
    size, _, finding_id = case.partition(":")
    with workspace() as directory:
        path = situations.program(directory + "/program", flags=("-pie", "-fPIE", "-Wl,-z,relro,-z,now"))
        assert "relro-absent" not in about(audit("--explain", path, expect=0), path)
        with elfpatch.Patch(path) as patch:
            relro = patch.phdr(elfpatch.PT_GNU_RELRO)
            relro.p_memsz = int(size) + (relro.p_memsz if int(size) < 0 else 0)
        with situations.started([path]) as running:
            rows = {row[0]: row[2] for row in segtest.maps(running.pid)}
            for document in audit(running.pid), audit("--explain", path):
                finding, = [f for f in serious(document) if image_of(document, f) == path]
                assert (finding["id"], finding["severity"]) == (finding_id, "low"), finding
                assert finding["section"] in (".got", ".dynamic"), finding
                assert document["source"] == "prediction" or rows[int(finding["start"], 16)] == "rw-p"


@segtest.claim
def promises_of_the_systems_programs_are_those_that_readelf_reads():
    checked = 0
    for name in sorted(os.listdir("/usr/bin")):
        path = os.path.realpath("/usr/bin/" + name)
        if checked == 40 or not os.path.isfile(path) or not os.access(path, os.R_OK):
            continue
        with open(path, "rb") as file:
            if file.read(4) != b"\x7fELF":
                continue
        result = segtest.segmap("--audit", "--explain", "--no-deps", "--raw", path)
        rows = [line.split(" ") for line in result.text.splitlines()[1:]]
        found = {row[3] for row in rows if os.path.realpath(row[4]) == path}
        assert found & PROMISES == Promises(path).expected, (path, found)
        checked += 1
    assert checked


@segtest.claim
def static_musl_never_protects_its_relro():
    with workspace() as directory:
        path = situations.program(directory + "/program", compiler=("musl-gcc",), flags=("-static",))
        assert Promises(path).relro
        assert "relro-not-applied" in about(audit("--explain", path), path)
        with situations.started([path]) as running:
            assert "relro-not-applied" in about(audit(running.pid), path)


@segtest.claim
def program_that_will_be_killed_is_not_blamed_for_relro_that_it_never_reaches():
    with workspace() as directory:
        path = situations.program(directory + "/program", flags=("-Wl,-z,relro",))
        os.truncate(path, 3000)
        result = segtest.segmap("--audit", "--explain", path)
        assert result.status == 1 and "the kernel will" in result.error_text, result.error_text
        assert "relro-not-applied" not in result.text, result.text


@segtest.claim
def library_that_wants_an_executable_stack_is_found_before_it_runs():
    with workspace() as directory:
        path = library(directory + "/lib.so", flags=("-Wl,-z,execstack",))
        assert ids(audit("--explain", path)) == ["stack-asked"]


@segtest.parameters("lib:True", "/usr/lib::/opt:True", "$ORIGIN/lib:False", "/usr/lib:False",
                    "$LIB/x:True", "${PLATFORM}:True", "$FOO/x:True", "${ORIGIN}/../$LIB:False")
def runpath_that_hangs_on_the_working_directory_is_found(case):
    runpath, _, relative = case.rpartition(":")
    with workspace() as directory:
        path = library(directory + "/lib.so", flags=("-Wl,--enable-new-dtags,-rpath," + runpath,))
        document = audit("--explain", path, expect=3 if relative == "True" else 0)
        assert (ids(document) == ["runpath-relative"]) == (relative == "True"), ids(document)


@segtest.parameters("1 1 1", "2 2 1", "0 0 0")
def header_that_hides_a_program_from_debuggers_is_found(text):
    ident = bytes(int(word) for word in text.split())
    with workspace() as directory:
        path = situations.program(directory + "/program", flags=("-fPIE", "-pie", "-g", "-Wl,-z,now"))
        with elfpatch.Patch(path) as patch:
            machine = int.from_bytes(patch.data[18:20], "little")
            patch.set_ident(ident)
        document = audit("--explain", path, expect=3)
        assert ids(document) == ["header-misleads"], document["findings"]
        with situations.started([path]) as running:
            document = audit(running.pid, expect=3)
            found = only(document, "header-misleads")
            assert image_of(document, found) == path and found["severity"] == "medium", found
            assert found["expected"] == f"EI_CLASS 2, EI_DATA 1, EI_VERSION 1, e_machine {machine}", found
            assert found["actual"] == "EI_CLASS {}, EI_DATA {}, EI_VERSION {}, e_machine {}".format(*ident, machine), found
            # Its symbols are found, too.
            assert "program.c:" in segtest.segmap("--at", "main", running.pid).text


# Exit status, and all processes.

@segtest.claim
def a_finding_goes_before_a_target_that_is_not_there():
    with workspace() as directory:
        path = situations.program(directory + "/clean", flags=("-static-pie", "-Wl,-z,now"))
        with situations.started([path]) as clean, situation("anon-executable", "rwx") as found:
            assert segtest.segmap("--audit", clean.pid, 2 ** 30).status == 64
            assert segtest.segmap("--audit", found.pid, 2 ** 30).status == 3
            assert segtest.segmap("--audit", clean.pid, found.pid).status == 3
            assert segtest.segmap("--audit", 2 ** 30).status == 1
            assert segtest.segmap("--audit", "-S", found.pid).status == 2


@segtest.claim
def refused_program_with_a_finding_says_both():
    with workspace() as directory:
        library(directory + "/libgone.so")
        path = directory + "/program"
        subprocess.run([segtest.which("gcc", "clang"), "-no-pie", "-fno-pie",
                        os.path.join(situations.FIXTURES, "program.c"), "-Wl,--no-as-needed",
                        directory + "/libgone.so", "-o", path], check=True, stdin=subprocess.DEVNULL)
        os.unlink(directory + "/libgone.so")
        result = segtest.segmap("--audit", "--explain", path)
        assert result.status == 3 and "no-pie" in result.text, result.text
        assert "libgone.so" in result.error_text, result.error_text


@segtest.claim
def all_has_the_processes_with_findings_and_counts_the_others():
    with situation("anon-executable", "rwx") as running:
        result = segtest.segmap("--audit", "--all")
        assert result.status == 3, result.error_text
        assert re.search(rf"(?m)^{running.pid}: ", result.text)
        counts = re.search(r"(?m)^processes: (\d+), with findings: (\d+)$", result.text)
        assert int(counts[1]) >= int(counts[2]) >= 1, counts[0]
        rows = [line.split(" ") for line in
                segtest.segmap("--audit", "--all", "--raw").text.splitlines()]
        assert rows[0][:4] == ["PID", "SEVERITY", "CONFIDENCE", "FINDING"]
        assert ["wx-vma"] == [r[3] for r in rows if r[0] == str(running.pid) and r[1] != "info"]


segtest.main()
