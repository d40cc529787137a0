"""--diff: what is told of two maps, and how."""
import json
import os
import re
import shutil
import subprocess
import tempfile

import segtest
from obedient import PROGRAM, obedient, some_library


def diff(*arguments, expect):
    """The document; table and raw records must tell of the same changes."""
    result = segtest.segmap("--diff", "-J", *arguments)
    assert result.status == expect, (result.status, result.text, result.error_text)
    document = json.loads(result.out)
    segtest.validate(document)
    assert (expect == 3) == bool(document["changes"])
    records = segtest.segmap("--diff", "-r", "-n", *arguments).text.splitlines()
    assert [r.split(" ")[0] for r in records] == (
        ["base"] * len(document["bases"]) + [change["what"] for change in document["changes"]])
    table = segtest.segmap("--diff", *arguments)
    assert table.status == expect
    for change in document["changes"]:
        assert f"{change['what']} {change['image']}" in table.text, (change, table.text)
    return document


def changes(document):
    return [(change["what"], os.path.basename(change["image"])) for change in document["changes"]]


def saved(directory, name, *arguments):
    path = os.path.join(directory, name)
    result = segtest.segmap("-J", "--output-file", path, *arguments)
    assert result.status == 0, result.error_text
    return path


@segtest.claim
def nothing_has_changed_where_nothing_was_done():
    with obedient() as a, obedient() as b:
        document = diff(a.pid, b.pid, expect=0)
        assert "no difference but load bases" in segtest.segmap("--diff", a.pid, b.pid).text
        same = diff(a.pid, a.pid, expect=0)
        assert same["bases"] and all(base["a"] == base["b"] for base in same["bases"])
        images = {base["image"] for base in document["bases"]}
        assert {os.path.realpath(PROGRAM), "[stack]", "[vdso]"} <= images, images


@segtest.claim
def prediction_that_it_will_not_run_is_told_and_is_status_1():
    compiler = segtest.which("gcc", "cc")
    with tempfile.TemporaryDirectory() as directory:
        def build(output, *how):
            subprocess.run([compiler, "-o", output, "-x", "c", "-", *how], cwd=directory, check=True,
                           input=b"int missing(void) { return 0; }" if "-shared" in how else
                           b"int missing(void); int main(void) { return missing(); }")

        build("libmissing.so", "-shared", "-fPIC", "-Wl,-soname,libmissing.so")
        build("needs", "-Wl,--no-as-needed", "-L.", "-lmissing")
        os.unlink(directory + "/libmissing.so")
        needs, true = f"explain:{directory}/needs", "explain:" + segtest.which("true")
        reason = segtest.segmap("--explain", "-r", needs.partition(":")[2]).error_text.splitlines()[0]
        assert "libmissing.so" in reason, reason
        path = os.path.join(directory, "needs.json")
        assert segtest.segmap("--explain", "-J", "--output-file", path, needs.partition(":")[2]).status == 1
        for a, b, status, told in ((needs, needs, 1, 2), (needs, true, 3, 1), (path, needs, 1, 2), (true, true, 0, 0)):
            for form in ([], ["-J"], ["-r"]):
                result = segtest.segmap("--diff", *form, a, b)
                assert result.status == status, (a, b, result.status, result.error_text)
                assert result.error_text.count(reason.partition("/needs: ")[2]) == told, result.error_text


@segtest.claim
def circumstances_of_a_prediction_are_told():
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(segtest.which("true"), directory + "/only-here")
        result = segtest.segmap("--diff", "explain:only-here", "explain:./only-here", cwd=directory)
        assert result.status == 0, (result.status, result.text)
        [line] = result.error_text.splitlines()
        assert line.startswith("segmap: explain:only-here: ") and "not in PATH" in line, line


@segtest.claim
def loaded_library_is_added_and_the_other_way_round_removed():
    library = some_library()
    with obedient() as a, obedient() as b:
        b.tell("open " + library)
        name = os.path.basename(library)
        assert ("added", name) in changes(diff(a.pid, b.pid, expect=3))
        assert ("removed", name) in changes(diff(b.pid, a.pid, expect=3))
        size = sum(row[1] - row[0] for row in segtest.maps(b.pid) if row[6] == os.fsencode(library))
        [added] = [c for c in diff(a.pid, b.pid, expect=3)["changes"] if c["image"] == library]
        assert int(re.match(r"(\d+)K in", added["b"])[1]) * 1024 >= size, (added, size)
        b.tell("close")
        # What the dynamic linker has allocated for it may stay.
        left = json.loads(segtest.segmap("--diff", "-J", a.pid, b.pid).out)
        assert library not in [change["image"] for change in left["changes"]], left


@segtest.claim
def protected_page_is_told_with_its_section():
    with obedient() as a, obedient() as b:
        before = {(row[0], row[1]) for row in segtest.maps(b.pid)}
        b.tell("protect")
        [changed] = [row for row in segtest.maps(b.pid)
                     if (row[0], row[1]) not in before and row[2] == "r--p"]
        document = diff(a.pid, b.pid, expect=3)
        [change] = document["changes"]
        bias = next(int(base["b"], 16) for base in document["bases"]
                    if base["image"] == os.path.realpath(PROGRAM))
        start, end = changed[0] - bias, changed[1] - bias
        assert change["what"] == "perms" and change["why"] == ".data", change
        assert change["a"].startswith(f"{start:#x}-{end:#x} rw-p offset"), (change, hex(bias))
        assert change["b"].startswith(f"{start:#x}-{end:#x} r--p offset"), change


@segtest.parameters(("heap 5", "resized", "[heap]"), ("map 1000", "resized", "[anon]"))
def grown_memory_is_told_with_its_size(case):
    line, what, name = case
    with obedient() as a, obedient() as b:
        # The same on both sides, so that there is a heap, and one more step on one.
        for process in (a, b):
            process.tell("heap 2")
            process.tell("map 3")
        diff(a.pid, b.pid, expect=0)
        b.tell(line)
        [change] = diff(a.pid, b.pid, expect=3)["changes"]
        assert (change["what"], change["image"]) == (what, name), change
        sizes = [int(re.match(r"rw-p (\d+)K", change[side])[1]) for side in "ab"]
        assert sizes[1] - sizes[0] == int(line.split()[1]) * 4, change


@segtest.claim
def unmapped_memory_is_removed():
    with tempfile.TemporaryDirectory(prefix="segmap-diff-") as directory, obedient() as process:
        process.tell("map 300")
        before = saved(directory, "before.json", process.pid)
        process.tell("unmap")
        [change] = diff(before, process.pid, expect=3)["changes"]
        assert (change["what"], change["image"]) == ("resized", "[anon]"), change
        sizes = [int(re.match(r"rw-p (\d+)K", change[side])[1]) for side in "ab"]
        assert sizes[0] - sizes[1] == 1200, change


@segtest.claim
def memory_use_is_compared_on_demand():
    with obedient() as a, obedient() as b:
        b.tell("touch")
        diff(a.pid, b.pid, expect=0)
        document = diff("-x", a.pid, b.pid, expect=3)
        told = {change["image"]: change for change in document["changes"]
                if change["what"] == "memory" and change["a"].startswith("Anonymous")}
        change = told[os.path.realpath(PROGRAM)]
        assert int(change["b"][10:-1]) - int(change["a"][10:-1]) == 4, change


@segtest.claim
def memory_use_that_one_side_does_not_know_is_a_note():
    with tempfile.TemporaryDirectory(prefix="segmap-diff-") as directory, obedient() as process:
        without, figures = (saved(directory, name, *how, process.pid)
                            for name, how in (("without.json", []), ("figures.json", ["-x"])))
        for a, b, words in ((figures, without, "the second has no"), (without, figures, "the first has no"),
                            (without, without, "neither has"), (process.pid, f"explain:{PROGRAM}", "the second has no")):
            told = f"memory use was not compared: {words} figures of it\n"
            assert told in segtest.segmap("--diff", "-x", a, b).text, words
            assert told in segtest.segmap("--diff", "-x", "-J", a, b).error_text, words
            assert "memory use" not in segtest.segmap("--diff", a, b).text, words
        assert "memory use" not in segtest.segmap("--diff", "-x", figures, figures).text


@segtest.claim
def upgraded_library_is_another_build():
    compiler = segtest.which("gcc", "cc")
    with tempfile.TemporaryDirectory(prefix="segmap-diff-") as directory:
        library = os.path.join(directory, "libupgraded.so")
        for build in ("aaaa0001", "aaaa0002"):
            source = os.path.join(directory, "source.c")
            with open(source, "w", encoding="ascii") as file:
                file.write("int f(void) { return 1; }\n" * (build == "aaaa0001") + "int g[3] = { 1 };\n")
            subprocess.run([compiler, "-shared", "-fPIC", f"-Wl,--build-id=0x{build}", "-o",
                            library + build, source], check=True)
        shutil.copy(library + "aaaa0001", library)
        with obedient() as a, obedient() as b:
            a.tell("open " + library)
            os.rename(library + "aaaa0002", library)
            b.tell("open " + library)
            [change] = [c for c in diff(a.pid, b.pid, expect=3)["changes"] if c["image"] == library]
            assert (change["what"], change["a"], change["b"]) == ("image", "aaaa0001", "aaaa0002"), change


@segtest.claim
def copied_program_differs_in_its_path_alone():
    with tempfile.TemporaryDirectory(prefix="segmap-diff-") as directory:
        copy = os.path.join(directory, "copy")
        shutil.copy(PROGRAM, copy)
        with obedient() as a, obedient(copy) as b:
            [change] = diff(a.pid, b.pid, expect=3)["changes"]
            assert (change["what"], change["why"]) == ("image", "its path"), change
            assert change["b"] == os.path.realpath(copy)


@segtest.claim
def saved_document_stands_for_the_process():
    with tempfile.TemporaryDirectory(prefix="segmap-diff-") as directory, obedient() as process:
        path = saved(directory, "map.json", process.pid)
        diff(path, process.pid, expect=0)
        diff(process.pid, path, expect=0)
        shutil.copy(path, os.path.join(directory, "other"))
        diff(path, os.path.join(directory, "other"), expect=0)
        # In the working directory the suffix alone says that it is one.
        assert segtest.segmap("--diff", "map.json", process.pid, cwd=directory).status == 0


@segtest.claim
def maps_stand_for_the_process_once_saved():
    with tempfile.TemporaryDirectory(prefix="segmap-diff-") as directory, obedient() as process:
        path = saved(directory, "map.json", "--maps", f"/proc/{process.pid}/maps")
        diff(path, process.pid, expect=0)


@segtest.claim
def core_has_the_same_images_and_files_as_its_process():
    gcore = segtest.which("gcore")
    with tempfile.TemporaryDirectory(prefix="segmap-diff-") as directory, obedient() as process:
        subprocess.run([gcore, "-o", os.path.join(directory, "core"), str(process.pid)],
                       check=True, capture_output=True, timeout=60)
        path = saved(directory, "core.json", "--core",
                     os.path.join(directory, f"core.{process.pid}"))
        for sides in ((path, process.pid), (process.pid, path)):
            result = segtest.segmap("--diff", "-J", *sides)
            document = json.loads(result.out)
            assert os.path.realpath(PROGRAM) in [base["image"] for base in document["bases"]]
            # It does not say which memory is heap or vvar: those differ.
            told = [change for change in document["changes"] if not change["image"].startswith("[")]
            assert not told, told


@segtest.claim
def name_of_one_process_is_enough_and_of_two_is_not():
    with tempfile.TemporaryDirectory(prefix="segmap-diff-") as directory:
        program = os.path.join(directory, f"one{os.getpid()}")
        shutil.copy(PROGRAM, program)
        with obedient(program) as a:
            name = os.path.basename(program)
            diff(name, f"/proc/{a.pid}", expect=0)
            with obedient(program):
                result = segtest.segmap("--diff", name, a.pid)
                assert result.status == 1 and "2 processes have this name" in result.error_text


@segtest.claim
def what_cannot_be_compared_is_said_in_one_line():
    with obedient() as process, tempfile.TemporaryDirectory(prefix="segmap-diff-") as directory:
        bad = os.path.join(directory, "bad.json")
        with open(bad, "w", encoding="ascii") as file:
            file.write('{"segmap":1')
        for other, words in (("999999999", "no such process"), ("/nowhere/x", "No such file"),
                             (bad, "cut off"), ("explain:/nowhere/x", "No such file"),
                             ("nobody-is-called-so", "no process has this name")):
            for sides in ((process.pid, other), (other, process.pid)):
                result = segtest.segmap("--diff", *sides)
                lines = result.error_text.splitlines()
                assert result.status == 1 and result.text == "" and len(lines) == 1, (sides, lines)
                assert lines[0].startswith("segmap: ") and words in lines[0], lines


@segtest.parameters(
    ("1",), ("1", "2", "3"), ("--all", "1", "2"), ("--summary", "1", "2"), ("--explain", "1", "2"),
    ("--at", "0", "1", "2"), ("-o", "SIZE", "1", "2"), ("-S", "1", "2"), ("--watch", "1", "2"),
    ("--moment=exec", "1", "2"), ("--moment=exit", "explain:true", "2"), ("--verify", "1", "2"),
    ("--moment=exec,entry", "explain:true", "2"))
def wrong_usage_is_told(arguments):
    result = segtest.segmap("--diff", *arguments)
    assert result.status == 2 and result.text == "", (arguments, result.status)
    assert result.error_text.splitlines()[1] == "Try 'segmap --help'"


segtest.main()
