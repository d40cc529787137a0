"""--all: what is added up over all processes, who is left out, and what is said of old files."""
import contextlib
import json
import os
import shutil
import subprocess
import tempfile

import segtest

NOBODY = 65534
NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


@contextlib.contextmanager
def copies(name, number, **options):
    """So many processes of a copy of sleep that nobody else has; their path and pids."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        os.chmod(directory, 0o755)
        path = os.path.join(os.path.realpath(directory), name)
        shutil.copy(segtest.which("sleep"), path)
        yield path, [stack.enter_context(segtest.running([path, "600"], **options)).pid
                     for _ in range(number)]


def summary():
    """The document of --all --summary."""
    return segtest.document("--all", "--summary")


def rows_of(document, group):
    return {row["class"]: row for row in document["rows"] if row["group"] == group}


def smaps_of_file(pids, path, perms):
    """The fields of smaps of these VMAs of a file, in bytes, added up by what is not segmap."""
    sums, inside = {}, False
    for pid in pids:
        with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
            for line in file:
                words = line.split()
                if words[0].endswith(":"):
                    if inside and words[-1] == "kB":
                        key = words[0][:-1].lower()
                        sums[key] = sums.get(key, 0) + int(words[1]) * 1024
                else:
                    inside = words[-1] == path and words[1] == perms
    return sums


@segtest.parameters(1, 4)
def code_of_a_file_is_the_sum_of_smaps_of_its_processes(number):
    with copies("segmap-t-all", number) as (path, pids):
        found = rows_of(summary(), path)
        code, expected = found["code"], smaps_of_file(pids, path, "r-xp")
        assert code["processes"] == number and code["size"] == expected["size"], code
        for name in ("rss", "pss", "anonymous", "swap"):
            assert code["memory"][name] == expected[name], (name, code, expected)
        assert code["memory"]["private"] == (expected["private_clean"] +
                                             expected["private_dirty"]), (code, expected)
        # One process alone has its code to itself; of four none has.
        assert (code["memory"]["private"] > 0) == (number == 1)


@segtest.claim
def classes_of_a_file_add_up_to_its_vmas():
    with copies("segmap-t-sum", 3) as (path, pids):
        found = rows_of(summary(), path)
        assert {"code", "rodata", "relro", "data"} <= set(found), found
        every = [smaps_of_file(pids, path, perms) for perms in ("r--p", "r-xp", "rw-p")]
        for name in ("size", "rss", "anonymous", "swap"):
            expected = sum(sums.get(name, 0) for sums in every)
            assert sum(row["size"] if name == "size" else row["memory"][name]
                       for row in found.values()) == expected, (name, found)
        # What cannot be known of a class is shared out: within a byte for each class and process.
        pss = sum(row["memory"]["pss"] for row in found.values())
        assert abs(pss - sum(sums.get("pss", 0) for sums in every)) <= 3 * 5, pss


@segtest.claim
def every_row_has_every_figure_and_rows_add_up_to_the_totals():
    document = summary()
    assert document["scope"] == "all" and document["processes"] > 1
    names = {"rss", "pss", "dirty", "anonymous", "private", "file", "swap"}
    for row in document["rows"]:
        assert set(row["memory"]) == names, row
        assert 1 <= row["processes"] <= document["processes"], row
    assert set(document["totals"]) == names
    for name in ("rss", "anonymous", "swap"):
        assert sum(row["memory"][name] for row in document["rows"]) == document["totals"][name]


@segtest.claim
def pages_that_a_fork_shares_leave_no_figure_empty():
    # .data and .bss in one VMA, its pages half of two processes: no page map says what is whose.
    program = "import os, time\nos.fork()\ntime.sleep(600)"
    with segtest.running([segtest.which("python3"), "-c", program], start_new_session=True) as one:
        try:
            def has_forked():
                with open(f"/proc/{one.pid}/task/{one.pid}/children", encoding="ascii") as file:
                    return file.read().split()

            segtest.wait_until(has_forked, "fork")
            every_row_has_every_figure_and_rows_add_up_to_the_totals()
        finally:
            os.killpg(one.pid, 9)


@segtest.claim
def deleted_and_replaced_files_are_listed_with_those_who_map_them():
    with copies("segmap-t-deleted", 2) as (deleted, gone), \
            copies("segmap-t-replaced", 1) as (replaced, old):
        os.unlink(deleted)
        shutil.copy(segtest.which("sleep"), replaced + ".new")
        os.rename(replaced + ".new", replaced)
        with segtest.running([replaced, "600"]) as new:
            document = summary()
            notes = [note for note in document["notes"] if "segmap-t-" in note]
            names = ", ".join(f"{pid} (segmap-t-delete)" for pid in sorted(gone))
            assert set(notes) == {f"{deleted}: deleted; mapped by {names}",
                              f"{replaced}: replaced; mapped by {old[0]} (segmap-t-replac)"}, notes
            # The old and the new file have one path, and are two.
            codes = [row["processes"] for row in document["rows"]
                     if row["group"] == replaced and row["class"] == "code"]
            assert codes == [1, 1], codes
            text = segtest.segmap("--all", "-p").text
            table = [line.split() for line in text.splitlines() if "segmap-t-" in line]
            assert ["deleted", str(gone[0]), "segmap-t-delete", deleted] in table, text
            assert ["replaced", str(old[0]), "segmap-t-replac", replaced] in table, text
            assert [deleted, "(deleted)", "code", "2"] in [words[:4] for words in table], text
            assert [replaced, "(replaced)", "code", "1"] in [words[:4] for words in table], text
            assert [replaced, "code", "1"] in [words[:3] for words in table], text
            assert not any(str(new.pid) in words for words in table)
        # Where notes would break the form they are on standard error.
        raw = segtest.segmap("--all", "--raw")
        assert raw.status == 0 and "deleted; mapped by" in raw.error_text
        assert len({len(line.split(" ")) for line in raw.text.splitlines()}) == 1


@segtest.claim
def json_has_a_document_for_each_process_and_none_for_segmap():
    with copies("segmap-t-json", 2) as (_, pids):
        with subprocess.Popen([segtest.SEGMAP, "--all", "--json"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE) as segmap:
            out, _ = segmap.communicate(timeout=60)
        assert segmap.returncode == 0, segmap.returncode
        found = [json.loads(line) for line in out.decode().splitlines()]
        for document in found:
            segtest.validate(document)
            segtest.check_layout(document)
        assert set(pids) <= {document["pid"] for document in found}
        assert [d["pid"] for d in found] == sorted(d["pid"] for d in found)
        # Other tests run segmap at the same time: they are processes like all others.
        assert segmap.pid not in {document["pid"] for document in found}
        for pid in pids:
            [mine] = [document for document in found if document["pid"] == pid]
            alone = segtest.document(pid)
            assert (mine["images"], mine["vmas"]) == (alone["images"], alone["vmas"])


@segtest.parameters("-x", "-X", "-S")
def tables_of_each_process_where_that_is_asked_for(option):
    with copies("segmap-t-tables", 2) as (_, pids):
        text = segtest.segmap("--all", option).text
        heads = [part.partition(":")[0] for part in text.split("\n\n")]
        assert all(str(pid) in heads for pid in pids), heads


@segtest.claim
def zombie_and_kernel_threads_are_a_note_and_no_failure():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        result = segtest.segmap("--all")
        assert result.status == 0 and f"{pid}: " not in result.error_text, result.error_text
        [note] = [line for line in result.text.splitlines() if "zombies" in line]
        assert int(note.split(": ")[-1].split()[0]) >= 1, note
    finally:
        os.waitpid(pid, 0)


@segtest.claim
def other_peoples_processes_are_counted_once_and_no_failure():
    segtest.need_root()
    with copies("segmap-t-own", 1, user=NOBODY, group=NOBODY) as (path, pids), \
            copies("segmap-t-other", 1):
        found = segtest.segmap("-J", "--all", "--summary", as_user=NOBODY)
        lines = found.error_text.splitlines()
        assert (found.status, len(lines)) == (0, 1) and "permission" in lines[0], lines
        assert int(lines[0].split(": ")[-1].split()[0]) > 1 and "root could" in lines[0], lines
        document = json.loads(found.out)
        segtest.validate(document)
        assert rows_of(document, path)["code"]["processes"] == len(pids)
        assert not [row for row in document["rows"] if row["group"].endswith("segmap-t-other")]
        assert any("without permission" in note for note in document["notes"])


# Starts a process that is what it will be: whoever comes too early sees a shell, or half a map.
SLEEPER = "sleeper() { sleep 600 & until grep -q '(sleep) S' /proc/$!/stat; do sleep .1; done; }; "


def in_namespace(script):
    """What a shell prints where only its own processes are to be seen."""
    segtest.need_root()
    segtest.which("unshare")
    result = subprocess.run([*NAMESPACE, "sh", "-c", SLEEPER + script], capture_output=True, text=True,
                            env=dict(os.environ, SEGMAP=segtest.SEGMAP), check=False, timeout=60)
    assert result.returncode == 0, (result.returncode, result.stdout, result.stderr)
    return result.stdout


@segtest.claim
def all_is_every_process_that_there_is_but_segmap():
    out = in_namespace("sleeper; sleeper; sleeper; "
                       "grep -l . /proc/[0-9]*/maps >/dev/null; "
                       "$SEGMAP --all --json --summary")
    document = json.loads(out)
    assert document["processes"] == 4, document["processes"]  # with the shell
    [code] = [row for row in document["rows"] if row["group"].endswith("/sleep")
              and row["class"] == "code"]
    assert code["processes"] == 3


@segtest.claim
def file_is_opened_once_however_many_processes_map_it():
    segtest.which("strace")
    count = ("strace -e trace=openat -o /proc/self/fd/3 $SEGMAP --all 3>&1 >/dev/null | "
             "grep -c O_NONBLOCK")
    out = in_namespace(f"sleeper; {count}; for i in 1 2 3 4 5 6 7 8; do sleeper; done; {count}")
    before, after = map(int, out.split())
    # strace, sh and sleep, and the libraries of each.
    assert 3 < before == after, (before, after)


@segtest.claim
def few_descriptors_are_enough_for_many_files():
    # It stops when it has all, so that both looks see the same.
    modules = "import json, ssl, sqlite3, os; os.kill(os.getpid(), 19)"
    show = "$SEGMAP --all -r -o MAPPING,CLASS,PROCESSES,SIZE"
    out = in_namespace(f"{segtest.which('python3')} -c '{modules}' & P=$!; bash -c 'kill -STOP $$' & "
                       f"Q=$!; sleeper; until grep -q ') T' /proc/$P/stat && grep -q ') T' /proc/$Q/stat; do sleep .1; "
                       f"done; {show}; echo; ulimit -n 64; {show}")
    many, few = out.split("\n\n")
    assert sorted(many.split("\n")) == sorted(few.rstrip("\n").split("\n")) and "ssl" in many


@segtest.claim
def range_narrows_what_is_added_up():
    with copies("segmap-t-range", 1) as (path, pids):
        start, end = [(row[0], row[1]) for row in segtest.maps(pids[0])
                      if row[6] == path.encode() and row[2] == "r-xp"][0]
        document = segtest.document("--all", "--summary", "-A", f"{start:x},{end - 1:x}")
        assert set(rows_of(document, path)) == {"code"}, document


@segtest.claim
def all_takes_no_targets_and_nothing_that_is_not_run():
    for arguments in (["--all", "1"], ["--all", "--explain"], ["--all", "--at", "0"],
                      ["--all", "--maps", "/proc/self/maps"], ["--all", "--run", "true"], ["--all", "-J", "--sort=RSS"],
                      ["--all", "-x", "--sort=RSS"], ["--all", "-o", "ADDRESS"]):
        result = segtest.segmap(*arguments)
        assert (result.status, result.out) == (2, b""), (arguments, result.error_text)


@segtest.claim
def columns_of_all_are_those_of_a_summary():
    for options in (["-x"], ["-S"], ["-XX"], ["--audit"], ["-J"]):
        assert segtest.segmap("--all", *options, "-H").text == segtest.segmap("-H").text, options
        assert segtest.segmap("-H", *options, "--all").text == segtest.segmap("-H").text, options
    assert segtest.segmap("--all", "-x", "--summary", "-H").text == segtest.segmap("--summary", "-H").text
    text = segtest.segmap("--all", "-H").text
    assert text == segtest.segmap("--summary", "-H").text and "PROCESSES" in text
    rows = segtest.segmap("--all", "-r", "-n", "-b", "-o", "MAPPING,PRIVATE", "--sort=PRIVATE")
    private = [int(line.split()[1]) for line in rows.text.splitlines()]
    assert len(private) > 5 and private == sorted(private, reverse=True)


segtest.main()
