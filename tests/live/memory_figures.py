#!/usr/bin/env python3
"""smaps, pagemap and pmap against segmap's figures of memory, on stopped programs.

Each program is started, waited for and stopped; then segmap and the witnesses look at it in turn. What
depends on who else maps a file is compared where nobody comes and goes: not for files that segmap, pmap
or a look at them map or read themselves.
"""
import functools
import os
import re
import shutil
import subprocess
import tempfile

import memory_witness
import segtest
from programs import ALL, command_of, stop

NOBODY = 65534
SOME = [name for name in ALL[::9]] + ["python3", "node"]
# Who else maps a page, and whether it was used of late, is not the process's own doing.
OF_OTHERS = {"Pss", "Pss_Dirty", "Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty",
             "Referenced", "SwapPss"}
FEW = {"rss": "Rss", "pss": "Pss", "anonymous": "Anonymous", "swap": "Swap"}


@functools.lru_cache(maxsize=1)
def restless_files():
    """Files that segmap and pmap map while they look."""
    names = set()
    for command in ([segtest.SEGMAP], [segtest.which("pmap")]):
        text = subprocess.run(["ldd", *command], stdout=subprocess.PIPE, encoding="utf-8").stdout
        names |= {os.path.realpath(path) for path in re.findall(r"(/\S+) \(", text)}
    names |= {os.path.realpath(segtest.SEGMAP), os.path.realpath(segtest.which("pmap"))}
    names |= {os.path.realpath(p) for p in re.findall(r"(/\S*libjson-c\S*)", open_maps_with_json())}
    return names


def open_maps_with_json():
    return subprocess.run(["ldconfig", "-p"], stdout=subprocess.PIPE, encoding="utf-8").stdout


def is_restless(figures):
    name = figures["name"]
    return name.startswith("/") and (os.path.realpath(name) in restless_files() | own_files() or
                                     "locale" in name or "gconv" in name)


def is_ours(figures):
    """Memory that nobody else on the machine maps or unmaps, or a file that only these tests do."""
    return not figures["name"] or figures["name"].startswith(os.path.join(segtest.BUILD, "zoo"))


def own_files():
    """What this script maps; that grows while it runs."""
    return {os.path.realpath(os.fsdecode(row[6])) for row in segtest.maps("self")}


class Look:
    def __init__(self, pid):
        self.pid = pid
        self.smaps = memory_witness.smaps(pid)
        self.all = segtest.document("-XX", pid)
        self.few = segtest.document("-x", pid)
        self.rollup = memory_witness.rollup(pid)
        self.summary = segtest.document("--summary", pid)
        self.pmap = {option: memory_witness.pmap(option, pid) for option in ("-x", "-X")}
        # The columns of pmap, by segmap: {option: {start: {heading: text}}}.
        self.columns = {option: raw(option, pid) for option in ("-x", "-X")}
        self.pages = {start: memory_witness.pages(pid, start, vma["end"])
                      for start, vma in self.smaps.items() if vma["name"] != "[vsyscall]"}


def raw(option, pid):
    lines = segtest.segmap("-r", "-p", "-b", option, pid).text.splitlines()
    headings = lines[0].split(" ")
    rows = [dict(zip(headings, line.split(" "))) for line in lines[1:]]
    return {int(row["ADDRESS"], 16): row for row in rows}


_looks = {}


def look(name, again=False):
    if name not in _looks or again:
        try:
            with segtest.running(command_of(name), ready=b"ready", stdin=subprocess.PIPE) as process:
                stop(process.pid)
                _looks[name] = Look(process.pid)
        except Exception as problem:
            _looks[name] = problem
    if isinstance(_looks[name], Exception):
        raise _looks[name].with_traceback(None)
    return _looks[name]


def on_stopped_programs(check):
    """A claim for each program. Elsewhere on the machine the same files are mapped and unmapped: what
    does not agree is looked at again, and has to agree then."""
    def checked(name):
        for again in range(3):
            try:
                return check(look(name, again > 0))
            except AssertionError:
                if again == 2:
                    raise
    checked.__name__ = check.__name__
    segtest.parameters(*SOME)(checked)
    return check


def by_start(document):
    return {int(vma["start"], 16): vma for vma in document["vmas"]}


def compared(figures):
    """The fields of a VMA that two looks must see alike."""
    left_out = {"end", "name", "VmFlags"} | (OF_OTHERS if is_restless(figures) else set())
    if figures["name"].startswith("/"):
        left_out |= {"Referenced"}  # segmap reads the file
    return {field: value for field, value in figures.items() if field not in left_out}


@on_stopped_programs
def every_figure_of_every_vma_is_the_one_of_smaps(seen):
    vmas = by_start(seen.all)
    assert list(vmas) == list(seen.smaps)
    for start, figures in seen.smaps.items():
        shown = vmas[start]["memory"]
        assert set(shown) == {f.lower() for f in figures} - {"end", "name", "vmflags"}, hex(start)
        for field, value in compared(figures).items():
            assert shown[field.lower()] == value, (hex(start), figures["name"], field, value, shown)
        assert vmas[start]["vm_flags"] == figures["VmFlags"], hex(start)
    assert len([f for f in seen.smaps.values() if not is_restless(f)]) > 3


@on_stopped_programs
def the_five_figures_of_x_are_the_ones_of_smaps(seen):
    for start, vma in by_start(seen.few).items():
        figures = compared(seen.smaps[start])
        assert set(vma["memory"]) == {"rss", "pss", "dirty", "anonymous", "swap"}
        for key, field in FEW.items():
            assert vma["memory"][key] == figures.get(field, vma["memory"][key]), (hex(start), key)
        if "Shared_Dirty" in figures:
            assert vma["memory"]["dirty"] == figures["Shared_Dirty"] + figures["Private_Dirty"]
        assert "vm_flags" not in vma


@on_stopped_programs
def totals_are_sums_and_equal_smaps_rollup(seen):
    for document in (seen.few, seen.all):
        for key, total in document["totals"].items():
            assert total == sum(vma["memory"][key] for vma in document["vmas"]), key
    for key in ("rss", "anonymous", "swap", "locked", "lazyfree", "anonhugepages"):
        field = next(f for f in seen.rollup if f.lower() == key)
        assert seen.all["totals"][key] == seen.rollup[field], key
    # The kernel cuts off what is less than 1 KiB in each VMA.
    assert 0 <= seen.rollup["Size" if "Size" in seen.rollup else "Rss"]
    assert "kernelpagesize" not in seen.all["totals"] and "thpeligible" not in seen.all["totals"]


@on_stopped_programs
def each_piece_is_what_the_page_map_says(seen):
    checked = 0
    for start, vma in by_start(seen.few).items():
        for piece in vma["pieces"]:
            expected = memory_witness.share(seen.pages[start], start, int(piece["start"], 16),
                                            int(piece["end"], 16))
            if is_restless(seen.smaps[start]):
                expected.pop("private")
            shown = piece["memory"]
            assert {key: shown[key] for key in expected} == expected, (vma["start"], piece)
            assert shown["file"] == shown["rss"] - shown["anonymous"], piece
            if is_ours(seen.smaps[start]):
                share = memory_witness.pss(seen.pages[start], start, int(piece["start"], 16),
                                           int(piece["end"], 16))
                # A fraction of a byte for each page is rounded off.
                assert abs(shown["pss"] - share) <= 1 + piece["size"] / memory_witness.PAGE, piece
            checked += shown["rss"] > 0
    assert checked or not seen.few["images"], "no piece is in memory: what was tested?"


@on_stopped_programs
def pieces_add_up_to_smaps_to_the_byte(seen):
    for document in (seen.few, seen.all):
        assert not [n for n in document.get("notes", []) if "about" in n], document["notes"]
        for start, vma in by_start(document).items():
            for key in ("rss", "anonymous", "swap") if vma["pieces"] else ():
                total = sum(piece["memory"][key] for piece in vma["pieces"])
                assert total == seen.smaps[start][FEW[key]], (vma["start"], vma["name"], key, total)
    private = [(vma, sum(piece["memory"]["private"] for piece in vma["pieces"]))
               for vma in seen.all["vmas"] if vma["pieces"]]
    for vma, total in private:
        if not is_restless(seen.smaps[int(vma["start"], 16)]):
            memory = vma["memory"]
            assert total == memory["private_clean"] + memory["private_dirty"], vma["start"]


@on_stopped_programs
def columns_of_x_equal_pmap_x(seen):
    headings, rows = seen.pmap["-x"]
    assert headings == ["Address", "Kbytes", "RSS", "Dirty", "Mode", "Mapping"], headings
    columns = {"Kbytes": "SIZE", "RSS": "RSS", "Dirty": "DIRTY"}
    assert list(rows) == list(seen.columns["-x"])
    for start, row in rows.items():
        shown = seen.columns["-x"][start]
        for heading, column in columns.items():
            if heading == "Dirty" and is_restless(seen.smaps[start]):
                continue
            value = int(row[headings.index(heading)]) * 1024
            assert int(shown[column]) == value, (hex(start), heading, value, shown)
        assert shown["PERM"][:3] == row[4][:3], (hex(start), row, shown)


@on_stopped_programs
def columns_of_X_equal_pmap_X(seen):
    headings, rows = seen.pmap["-X"]
    renamed = {"Device": "DEV", "Address": "ADDRESS", "Perm": "PERM"}
    shown_headings = list(next(iter(seen.columns["-X"].values())))
    expected = [renamed.get(h, h.upper()) for h in headings]
    assert shown_headings == expected + ["SEGMENT"], (shown_headings, expected)
    assert list(rows) == list(seen.columns["-X"])
    for start, row in rows.items():
        shown = seen.columns["-X"][start]
        figures = compared(seen.smaps[start])
        for heading, text in zip(headings, row):
            if heading not in figures:
                continue
            unit = 1 if heading in ("THPeligible", "ProtectionKey") else 1024
            assert int(shown[heading.upper()]) == int(text) * unit, (hex(start), heading, text, shown)
        assert shown["PERM"] == row[1] and int(shown["OFFSET"], 16) == int(row[2], 16)
        assert int(shown["INODE"].replace("-", "0")) == int(row[4])
        if int(row[4]):
            assert shown["DEV"] == row[3]


def class_of(piece, image, vma):
    """What the piece is for, by the headers in the document."""
    index = piece.get("segment", vma["segment"])
    segments = {s["index"]: s["flags"] for s in image["segments"]}
    expected = piece.get("expected_perms", vma["expected_perms"])
    if piece["kind"] == "gap" or index is None:
        return "other"
    if "x" in segments[index]:
        return "code"
    if "w" not in segments[index]:
        return "rodata"
    if expected and "w" not in expected:
        return "relro"
    return "bss" if piece["offset"] is None else "data"


@on_stopped_programs
def the_summary_is_the_sum_of_pieces_and_vmas(seen):
    expected = {}

    def add(group, name, size, memory):
        row = expected.setdefault((group, name), {"size": 0, "rss": 0, "anonymous": 0, "swap": 0})
        row["size"] += size
        for key in ("rss", "anonymous", "swap"):
            row[key] += memory[key]

    for vma in seen.few["vmas"]:
        if not vma["pieces"]:
            add(vma["kind"], "other", vma["size"], vma["memory"])
        for piece in vma["pieces"]:
            image = seen.few["images"][piece.get("image", vma["image"])]
            if piece["kind"] == "anon":
                add("anon", "other", piece["size"], piece["memory"])
            else:
                add(image["path"], class_of(piece, image, vma), piece["size"], piece["memory"])
    shown = {(row["group"], row["class"]): row for row in seen.summary["rows"]}
    assert len(shown) == len(seen.summary["rows"]), "a row stands twice"
    assert set(shown) == set(expected), set(shown) ^ set(expected)
    for key, row in expected.items():
        assert shown[key]["size"] == row["size"], key
        for figure in ("rss", "anonymous", "swap"):
            assert shown[key]["memory"][figure] == row[figure], (key, figure)


@on_stopped_programs
def the_totals_of_the_summary_are_smaps_rollup(seen):
    totals, rows = seen.summary["totals"], seen.summary["rows"]
    for key, field in (("rss", "Rss"), ("anonymous", "Anonymous"), ("swap", "Swap")):
        assert totals[key] == seen.rollup[field] == sum(row["memory"][key] for row in rows), key
    assert sum(row["size"] for row in rows) == sum(v["end"] - s for s, v in seen.smaps.items())
    if not any(is_restless(figures) and figures["Rss"] for figures in seen.smaps.values()
               if figures["name"] != "[vdso]"):
        assert totals["pss"] == seen.rollup["Pss"]
        assert totals["private"] == seen.rollup["Private_Clean"] + seen.rollup["Private_Dirty"]
        assert totals["dirty"] == seen.rollup["Shared_Dirty"] + seen.rollup["Private_Dirty"]
    # What a row says of Pss is what smaps says, as far as it says it: the rest is left out.
    known = [row["memory"]["pss"] for row in rows if "pss" in row["memory"]]
    assert known and sum(known) <= totals["pss"] + 1024 * len(seen.smaps)


@segtest.claim
def the_summary_is_sorted_by_any_column():
    def rows(*arguments):
        lines = segtest.segmap("-r", "-b", "--summary", *arguments, process.pid).text.splitlines()
        return lines[0].split(" "), [line.split(" ") for line in lines[1:]]

    with segtest.running(command_of("python3"), ready=b"ready", stdin=subprocess.PIPE) as process:
        stop(process.pid)
        headings, unsorted = rows("-o", "+DIRTY,FILE")
        assert headings == ["MAPPING", "CLASS", "SIZE", "RSS", "PSS", "PRIVATE", "ANONYMOUS", "SWAP",
                            "DIRTY", "FILE"]
        for index, heading in enumerate(headings):
            found = rows("-o", "+DIRTY,FILE", "--sort", heading.lower())[1]
            assert sorted(map(tuple, found)) == sorted(map(tuple, unsorted)) or heading, heading
            keys = [row[index] for row in found]
            if heading == "MAPPING":
                assert keys == sorted(keys, key=os.fsencode), heading
            elif heading != "CLASS":
                numbers = [-1 if key == "-" else int(key) for key in keys]
                assert numbers == sorted(numbers, reverse=True), heading
        # Without --sort, a file's rows stand together, the greatest group first.
        groups = {}
        for row in unsorted:
            groups.setdefault(row[0], []).append(int(row[3]))
        together = [row[0] for row in unsorted]
        assert list(groups) == [g for i, g in enumerate(together) if i == 0 or together[i - 1] != g]
        sums = [sum(rss) for rss in groups.values()]
        assert sums == sorted(sums, reverse=True), sums


@segtest.claim
def pages_that_two_processes_map_count_half_in_pss():
    """Root is told how many map a page; for others it is left out where there are several."""
    segtest.need_root()
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        program = shutil.copy(segtest.which("sleep"), os.path.join(directory, "both"))
        segmap = shutil.copy(segtest.SEGMAP, directory)
        options = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/"}
        with segtest.running([program, "600"], **options) as one, \
                segtest.running([program, "600"], **options):
            vma = next(v for v in segtest.document("-x", one.pid)["vmas"]
                       if v["name"] == program and v["perms"] == "r-xp")
            assert vma["memory"]["rss"] and vma["memory"]["pss"] * 2 == vma["memory"]["rss"]
            for piece in vma["pieces"]:
                assert abs(piece["memory"]["pss"] * 2 - piece["memory"]["rss"]) <= 1, piece
            command = [segmap, "-r", "-n", "-S", "-b", "-o", "ADDRESS,PIECE,RSS,PSS", str(one.pid)]
            lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8",
                                   **options).stdout.splitlines()
            (text,) = [line.split(" ") for line in lines
                       if line.split(" ")[1] == ".text" and
                       line.split(" ")[0] in [p["start"][2:].zfill(8) for p in vma["pieces"]]]
            assert int(text[2]) > 0 and text[3] == "-", text


@segtest.parameters("python3", "perl")
def an_ordinary_user_gets_the_same_figures_of_their_own(name):
    segtest.need_root()
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        copy = shutil.copy(segtest.SEGMAP, directory)
        with segtest.running(command_of(name), ready=b"ready", stdin=subprocess.PIPE, cwd="/",
                             user=NOBODY, group=NOBODY, extra_groups=[]) as process:
            stop(process.pid)
            figures = memory_witness.smaps(process.pid)
            result = subprocess.run([copy, "-r", "-n", "-b", "-S", "-o",
                                     "ADDRESS,PIECE,RSS,ANONYMOUS,SWAP,PSS", str(process.pid)],
                                    user=NOBODY, group=NOBODY, extra_groups=[], check=True,
                                    stdout=subprocess.PIPE, encoding="utf-8")
    vma, sums = None, {}
    for line in result.stdout.splitlines():
        address, piece, *numbers = line.split(" ")
        if piece == "-":
            vma = int(address, 16)
            assert [int(n) for n in numbers[:3]] == [figures[vma][f] for f in ("Rss", "Anonymous", "Swap")]
        else:
            assert numbers[3] in ("-", numbers[0]), "Pss of shared pages takes privilege"
            sums[vma] = [a + int(n) for a, n in zip(sums.get(vma, [0, 0, 0]), numbers[:3])]
    assert len(sums) > 10
    for vma, numbers in sums.items():
        assert numbers == [figures[vma][f] for f in ("Rss", "Anonymous", "Swap")], hex(vma)


@segtest.claim
def memory_is_in_json_only_where_it_is_asked_for():
    with segtest.running(["sleep", "600"]) as process:
        document = segtest.document(process.pid)
        text = str(document["vmas"])
        assert "'memory'" not in text and "'vm_flags'" not in text and "totals" not in document
        assert "totals" in segtest.document("-X", process.pid)


if __name__ == "__main__":
    segtest.main()
