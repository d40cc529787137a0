"""What the forms of output promise: records that can be taken apart, and rows as in maps."""
import os
import re
import subprocess
import sys
import tempfile

import segtest

SLEEP = ["sleep", "600"]
PYTHON = [sys.executable, "-c", "import time, ssl, ctypes; time.sleep(600)"]


def rows(*arguments, columns):
    """The raw records of these columns, each a list."""
    result = segtest.segmap("-r", "-n", "-o", columns, *arguments)
    assert result.status == 0, result.error_text
    return [line.split(" ") for line in result.text.splitlines()]


def all_columns():
    return [line.split()[0] for line in segtest.segmap("-H").text.splitlines()]


@segtest.claim
def columns_are_described_in_a_line_each_and_are_those_of_the_default():
    for option in ("-H", "--list-columns"):
        result = segtest.segmap(option)
        assert result.status == 0
        for line in result.text.splitlines():
            assert re.fullmatch(r"[A-Z][A-Z_-]* +\S.*", line), line
    with segtest.running(SLEEP) as process:
        heading = segtest.segmap("-r", process.pid).text.splitlines()[0].split(" ")
        assert set(heading) <= set(all_columns())
        assert heading[:4] == ["ADDRESS", "SIZE", "PERM", "OFFSET"]


@segtest.claim
def columns_come_in_the_order_that_was_asked_for():
    columns = all_columns()
    with segtest.running(SLEEP) as process:
        for chosen in (columns, columns[::-1], ["SIZE", "SIZE", "ADDRESS"]):
            lines = segtest.segmap("-r", "-o", ",".join(chosen), process.pid).text.splitlines()
            assert lines[0].split(" ") == chosen
            assert all(len(line.split(" ")) == len(chosen) for line in lines)
        plain = segtest.segmap("-r", process.pid).text.splitlines()
        more = segtest.segmap("-r", "-o", "+KIND,BIAS", process.pid).text.splitlines()
        for short, long in zip(plain, more):
            assert long.startswith(short + " ")
            assert len(long.split(" ")) == len(short.split(" ")) + 2


@segtest.claim
def every_column_of_every_row_and_piece_is_one_field():
    columns = all_columns()
    with segtest.running(PYTHON) as process:
        for arguments in (["-S"], [], ["-S", "-b", "-p"]):
            text = segtest.segmap("-r", *arguments, "-o", ",".join(columns), process.pid).text
            lines = text.split("\n")
            assert lines.pop() == ""
            for line in lines:
                fields = line.split(" ")
                assert len(fields) == len(columns) and all(fields), line
                assert line.isprintable() or not line.isascii(), line


@segtest.claim
def raw_columns_say_what_the_document_says():
    with segtest.running(PYTHON) as process:
        document = segtest.document(process.pid)
        shown = rows("-b", "-p", process.pid,
                     columns="ADDRESS,END,SIZE,PERM,OFFSET,KIND,INODE,IMAGE,ROLE,BIAS,PHDR,"
                             "EXPECTED,STATUS,SOURCE")
        assert len(shown) == len(document["vmas"])
        for fields, vma in zip(shown, document["vmas"]):
            image = None if vma.get("image") is None else document["images"][vma["image"]]
            expected = vma.get("expected_perms") or "-"
            segment = vma.get("segment")
            assert [int(fields[0], 16), int(fields[1], 16), int(fields[2])] == [
                int(vma["start"], 16), int(vma["end"], 16), vma["size"]], (fields, vma)
            assert [fields[3], int(fields[4], 16), fields[5]] == [
                vma["perms"], vma["offset"], vma["kind"]], (fields, vma)
            assert fields[6] == str(vma.get("inode") or "-"), (fields, vma)
            assert fields[7] == ("-" if image is None else str(image["id"])), (fields, vma)
            assert fields[8] == (image["role"] if image else "-"), (fields, vma)
            if image and image["bias"]:
                assert int(fields[9], 16) == int(image["bias"], 16), (fields, vma)
            assert fields[10] == ("-" if segment is None else str(segment)), (fields, vma)
            assert fields[11][:3] == expected[:3], (fields, vma)
            if image and image["role"] != "vdso":
                assert fields[12:] == [image["status"], image["opened"]], (fields, vma)


@segtest.claim
def names_with_blanks_are_one_field():
    with tempfile.TemporaryDirectory(prefix="segmap with blanks ") as directory:
        path = os.path.join(directory, "a  b -")
        with open(path, "wb") as file:
            file.write(b"x" * 5000)
        code = ("import mmap, sys, time; f = open(sys.argv[1], 'rb'); "
                "m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); print('ready', flush=True); "
                "time.sleep(600)")
        with segtest.running([sys.executable, "-c", code, path], ready=b"ready") as process:
            names = [fields[0] for fields in rows("-p", process.pid, columns="MAPPING")]
            assert path.replace(" ", "\\x20") in names, names
            names = [fields[0] for fields in rows(process.pid, columns="MAPPING,PATH")]
            assert "a\\x20\\x20b\\x20-" in names, names


@segtest.claim
def section_names_keep_their_blanks():
    names = [" leading", "in the middle", "trailing ", "-"]
    with tempfile.TemporaryDirectory(prefix="segmap-forms-") as directory:
        source, library = os.path.join(directory, "s.s"), os.path.join(directory, "libs.so")
        with open(source, "w", encoding="ascii") as file:
            for name in names:
                file.write(f'.section "{name}","a",%progbits\n.long 1\n')
            file.write('.section .note.GNU-stack,"",%progbits\n')
        compiler = segtest.which("cc", "gcc", "clang")
        subprocess.run([compiler, "-shared", "-o", library, source], check=True)
        code = ("import ctypes, sys, time; ctypes.CDLL(sys.argv[1]); print('ready', flush=True); "
                "time.sleep(600)")
        with segtest.running([sys.executable, "-c", code, library], ready=b"ready") as process:
            pieces = [fields[0] for fields in rows("-S", process.pid, columns="PIECE")]
            mapped = [fields[0] for fields in rows("-S", process.pid, columns="MAPPING")]
            for name in names:
                assert name.replace(" ", "\\x20") in pieces, (name, set(pieces))
            for name in names[1:]:
                assert name.replace(" ", "\\x20") in mapped, (name, set(mapped))


@segtest.claim
def rows_are_those_of_maps():
    with segtest.running(PYTHON) as process:
        expected = [[f"{r[0]:08x}", f"{(r[1] - r[0]) // 1024}K", r[2], f"{r[3]:08x}"]
                    for r in segtest.maps(process.pid)]
        assert rows(process.pid, columns="ADDRESS,SIZE,PERM,OFFSET") == expected
        table = segtest.segmap("-q", "-o", "ADDRESS,SIZE,PERM,OFFSET", process.pid).text
        assert [line.split() for line in table.splitlines()] == expected


@segtest.claim
def quiet_prints_rows_and_nothing_else():
    with segtest.running(SLEEP) as process:
        count = len(segtest.maps(process.pid))
        for arguments in (["-o", "ADDRESS,SIZE"], ["-r"]):
            assert len(segtest.segmap("-q", *arguments, process.pid).text.splitlines()) == count
        both = segtest.segmap("-q", "-o", "ADDRESS", process.pid, process.pid).text.splitlines()
        assert len(both) == 2 * count and all(both)
        noheadings = segtest.segmap("-n", "-o", "ADDRESS", process.pid).text.splitlines()
        assert len(noheadings) == count + 2 and noheadings[-1].startswith("total")


@segtest.claim
def exact_sizes_are_everywhere():
    with segtest.running(SLEEP) as process:
        maps = segtest.maps(process.pid)
        lines = segtest.segmap("-b", "-o", "ADDRESS,SIZE", process.pid).text.splitlines()
        assert [int(line.split()[1]) for line in lines[2:-1]] == [r[1] - r[0] for r in maps]
        assert lines[-1].split() == ["total", str(sum(r[1] - r[0] for r in maps))]
        pieces = rows("-S", "-b", process.pid, columns="SIZE,PIECE")
        assert sum(int(p[0]) for p in pieces if p[1] == "-") == sum(r[1] - r[0] for r in maps)


@segtest.parameters("SIZE", "SIZE,RSS,PSS", "PERM,SIZE", "RSS,SIZE", "PERM,RSS,SIZE", "IMAGE,SIZE", "ADDRESS,DIRTY,PERM")
def totals_end_where_their_columns_do(columns):
    with segtest.running(SLEEP) as process:
        lines = segtest.segmap("-b", "-o", columns, process.pid).text.splitlines()
    ends = {found[0]: found.end() for found in re.finditer(r"\S+", lines[1])}
    summed = [name for name in columns.split(",") if name not in ("PERM", "IMAGE", "ADDRESS")]
    totals = list(re.finditer(r"\S+", lines[-1]))[1:]
    assert [total.end() for total in totals] == [ends[name] for name in summed], "\n".join(lines)
    for name, total in zip(summed, totals):
        amounts = [int(line[:ends[name]].split()[-1]) for line in lines[2:-1]]
        assert int(total[0]) == sum(amounts), (name, total[0], amounts)


@segtest.claim
def what_is_not_known_has_no_total_and_a_note_says_why():
    columns = "ADDRESS,SIZE,RSS,DIRTY,PRIVATE,FILE"
    with segtest.running(SLEEP) as process, tempfile.TemporaryDirectory() as directory:
        size = sum(r[1] - r[0] for r in segtest.maps(process.pid))
        saved = {}
        for name in ("maps", "smaps"):
            saved[name] = os.path.join(directory, name)
            with open(f"/proc/{process.pid}/{name}", "rb") as file, open(saved[name], "wb") as copy:
                copy.write(file.read())
        for arguments, why in ((["--maps", saved["maps"]], True), (["--explain", "--no-deps", "true"], False)):
            lines = segtest.segmap("-b", "-o", columns, *arguments).text.splitlines()
            [total] = [line.split() for line in lines if line.startswith("total")]
            assert total == ["total", str(size)] if why else len(total) == 2, total
            assert any("no figures of memory use" in line for line in lines) == why, lines
        assert "a saved smaps has" in segtest.segmap("-x", "-r", "--maps", saved["maps"]).error_text
        assert "a saved smaps has" not in segtest.segmap("--maps", saved["maps"]).text
        # Of what some rows have the sum is of those.
        lines = segtest.segmap("-b", "-o", columns, "--maps", saved["smaps"]).text.splitlines()
        assert lines[-1].split()[:2] == ["total", str(size)] and len(lines[-1].split()) == 6, lines[-1]


@segtest.claim
def pieces_add_up_to_their_vma():
    with segtest.running(PYTHON) as process:
        left = at = None
        for fields in rows("-S", "-b", process.pid, columns="ADDRESS,END,SIZE,PIECE"):
            address, end, size = int(fields[0], 16), int(fields[1], 16), int(fields[2])
            assert end - address == size
            if fields[3] == "-":
                assert left in (None, 0) or at is None, f"{left} bytes lack before {address:x}"
                left, at, first = size, None, address
                continue
            assert address == (first if at is None else at), f"a hole or overlap before {address:x}"
            at, left = end, left - size
        assert left == 0 or at is None


@segtest.claim
def document_is_one_line_of_utf8_for_each_target():
    with segtest.running(["bash", "-c", "exec -a $'a\\nb\\xff\\u202e' sleep 600"]) as one, \
            segtest.running(SLEEP) as two:
        result = segtest.segmap("-J", one.pid, two.pid)
        text = result.out.decode("utf-8")
        assert text.endswith("\n") and len(text.splitlines()) == 2 and text.count("\n") == 2
        assert not any(ord(c) < 0x20 and c != "\n" or c == "\u202e" for c in text)
        documents = segtest.documents(one.pid, two.pid)
        assert documents[0]["command"] == ["a\nb\ufffd\u202e", "600"], documents[0]["command"]


@segtest.claim
def document_of_a_range_has_only_its_vmas():
    with segtest.running(SLEEP) as process:
        row = segtest.maps(process.pid)[1]
        document = segtest.document("-A", f"{row[0]:x}", process.pid)
        assert [int(v["start"], 16) for v in document["vmas"]] == [row[0]]
        assert segtest.document("-A", "10", process.pid)["vmas"] == []


@segtest.claim
def range_is_the_one_of_pmap():
    pmap = segtest.which("pmap")
    with segtest.running(SLEEP) as process:
        maps = [row for row in segtest.maps(process.pid)]
        edges = sorted({edge + near for row in maps[:6] + maps[-3:] for edge in row[:2]
                        for near in (-1, 0, 1)})
        ranges = [f"{low:x}" for low in edges] + [f"0x{edges[0]:X}"]
        ranges += [f"{low:x},{high:x}" for low, high in zip(edges, edges[3:])]
        ranges += [f"{edges[5]:x},", f",{edges[5]:x}", ",", f"{edges[4]:x},{edges[4]:x}"]
        for text in ranges:
            lines = subprocess.run([pmap, "-q", "-A", text, str(process.pid)], capture_output=True,
                                   text=True, check=False).stdout.splitlines()
            theirs = [int(line.split()[0], 16) for line in lines
                      if not line.startswith(f"{process.pid}:")]
            ours = [int(f[0], 16) for f in rows("-A", text, process.pid, columns="ADDRESS")]
            assert ours == theirs, (text, ours, theirs)


@segtest.claim
def options_can_follow_targets_and_two_dashes_end_them():
    with segtest.running(SLEEP) as process:
        assert segtest.segmap(process.pid, "-q").out == segtest.segmap("-q", process.pid).out
        assert segtest.segmap("-q", "--", process.pid).out == segtest.segmap("-q", process.pid).out
        result = segtest.segmap("--", "-q")
        assert result.status == 1 and "-q: no process has this name" in result.error_text


@segtest.claim
def help_wins_over_targets_and_names_every_option_in_its_own_line():
    text = segtest.segmap("--help", "99999999").text
    assert text.startswith("Usage: segmap ")
    assert segtest.segmap("-h").text == text and max(len(line) for line in text.splitlines()) <= 80
    names = re.findall(r"^ {2,6}(?:-\w, )?--([\w-]+)", text, re.MULTILINE)
    assert len(names) == len(set(names)) and "help" in names and "version" in names
    letters = re.findall(r"^  -(\w)(?:, --| )", text, re.MULTILINE)
    for letter in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789":
        status = segtest.segmap(f"-{letter}", "99999999").status
        assert (status == 2) == (letter not in letters) or letter in "oA", (letter, status)
    version = segtest.segmap("-V").text
    assert version == segtest.segmap("--version", "--nonsense").text
    assert version.startswith("segmap ")


@segtest.parameters(
    "--all", "--diff",
    "--trace", "--no-aslr", "--no-deps", "--moment=exec", "--page-size=4096", "--sysroot=/",
    "--seed=1", "--as=program")
def option_that_does_not_go_with_a_process_is_refused_by_name(option):
    result = segtest.segmap(option, "1")
    lines = result.error_text.splitlines()
    assert (result.status, result.out, len(lines)) == (2, b"", 2), (result.status, lines)
    assert lines[0].startswith("segmap: -") and lines[1] == "Try 'segmap --help'", lines
    named = lines[0].split(": ")[1]
    assert named in (option, option.partition("=")[0], "-" + option[-1]), (option, named)


segtest.main()
