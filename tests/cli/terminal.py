"""What a terminal gets: widths, colours, names that are cut and what is never cut."""
import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import unicodedata

import segtest
from colours import contrast

SGR = re.compile(r"\033\[([0-9;]*)m")
MODULES = "ssl,ctypes,decimal,json,lzma,bz2,hashlib,sqlite3,zlib,multiprocessing"


def on_terminal(columns, *arguments, env=None, locale="C.UTF-8"):
    """What segmap writes to a terminal of this width, decoded."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "LC_ALL": locale, **(env or {})}
    for name in ("COLUMNS", "NO_COLOR"):
        if name not in (env or {}):
            environment.pop(name, None)
    output = b""
    with subprocess.Popen([segtest.SEGMAP, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=follower, stderr=subprocess.PIPE, env=environment) as process:
        os.close(follower)
        with contextlib.suppress(OSError):  # the terminal's end
            while chunk := os.read(leader, 65536):
                output += chunk
        errors = process.stderr.read()
    os.close(leader)
    assert process.returncode == 0 and not errors, (process.returncode, errors)
    return output.replace(b"\r\n", b"\n").decode("utf-8")


def python_with(modules):
    code = "import importlib, time\n" + "".join(
        f"try: importlib.import_module({name!r})\nexcept ImportError: pass\n"
        for name in modules.split(",")) + "print('ready', flush=True); time.sleep(600)"
    directory = tempfile.TemporaryDirectory(prefix="segmap-terminal-")
    with open(os.path.join(directory.name, "s.py"), "w", encoding="ascii") as file:
        file.write(code)
    return directory, segtest.running([sys.executable, "s.py"], ready=b"ready", cwd=directory.name)


def width(line):
    """Columns that a line takes."""
    return sum(0 if unicodedata.combining(c) else
               2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


@segtest.parameters(80, 90, 132, 200, 400)
def no_line_is_wider_than_the_terminal(columns):
    directory, running = python_with(MODULES)
    with directory, running as process:
        for arguments in ([], ["--color=never"], ["-S"], ["-b"], ["-n"]):
            text = SGR.sub("", on_terminal(columns, *arguments, process.pid))
            widest = max(text.splitlines(), key=width)
            assert width(widest) <= columns, (arguments, width(widest), widest)
            starts = re.findall(r"^([0-9a-f]{8,16}) ", text, re.MULTILINE)
            vmas = [f"{row[0]:08x}" for row in segtest.maps(process.pid)]
            assert starts == vmas or "-S" in arguments and set(vmas) <= set(starts)


@segtest.claim
def wide_terminal_shows_everything_that_a_pipe_gets():
    directory, running = python_with(MODULES)
    with directory, running as process:
        arguments = ["--color=never", "-o", "ADDRESS,SIZE,PERM,MAPPING,SEGMENT", process.pid]
        piped = segtest.segmap(*arguments, env={"LC_ALL": "C.UTF-8"}).text
        assert on_terminal(500, *arguments) == piped


@contextlib.contextmanager
def mapped_file(name):
    """A process that has mapped a file of this name."""
    with tempfile.TemporaryDirectory(prefix="segmap-terminal-") as directory:
        path = os.path.join(directory, name)
        with open(path, "wb") as file:
            file.write(b"x" * 4096)
        code = ("import mmap, sys, time; f = open(sys.argv[1], 'rb'); "
                "m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); print('ready', flush=True); "
                "time.sleep(600)")
        with segtest.running([sys.executable, "-c", code, path], ready=b"ready") as process:
            [row] = [row for row in segtest.maps(process.pid) if row[6] == os.fsencode(path)]
            yield process.pid, f"{row[0]:08x}", path


def row_of(text, address):
    [line] = [line for line in SGR.sub("", text).splitlines() if line.startswith(address)]
    return line


@segtest.claim
def long_name_is_cut_in_its_middle():
    name = "libbeginning-" + "middle-" * 20 + "ending.so.1.2.3"
    with mapped_file(name) as (pid, address, _):
        line = row_of(on_terminal(80, pid), address)
        assert "libb" in line and ".1.2.3" in line and "…" in line and width(line) <= 80, line
        line = row_of(on_terminal(80, pid, locale="C"), address)
        assert "libb" in line and ".2.3" in line and ".." in line, line
        assert line.isascii() and len(line) <= 80, line
        # A pipe, and a terminal that is wide enough, get all of it.
        assert name in row_of(segtest.segmap(pid).text, address)
        assert name in row_of(on_terminal(300, pid), address)


@segtest.parameters([], ["-S"], ["-r"], ["--summary"], ["--audit"], ["--at", "0x0"], ["-q", "-p"])
def without_utf8_text_is_ascii(options):
    # Byte 0x9b, the second of this letter, begins a sequence of controls where characters have 8 bits.
    with mapped_file("lib\u00db31m\u6587.so") as (pid, _, path):
        told = segtest.segmap(*options, pid, env={"LC_ALL": "C"})
        assert told.status in (0, 3) and (told.out + told.err).isascii(), told
        if options not in (["--audit"], ["--at", "0x0"]):
            assert b"lib\\303\\23331m\\346\\226\\207.so" in told.out, told.text
            assert os.path.basename(path) in segtest.segmap(*options, pid, env={"LC_ALL": "C.UTF-8"}).text
        missing = segtest.segmap(*options, path + "x", env={"LC_ALL": "C"})
        assert missing.status == 1 and missing.err.isascii(), missing


@segtest.parameters("-J", "--svg", "--html")
def documents_have_their_own_character_set(form):
    with mapped_file("lib\u00db31m\u6587.so") as (pid, _, path):
        for locale in ("C", "C.UTF-8"):
            assert os.path.basename(path) in segtest.segmap(form, pid, env={"LC_ALL": locale}).out.decode(), locale


@segtest.claim
def wide_characters_are_cut_whole_and_counted_twice():
    with mapped_file("文" * 60 + ".so") as (pid, address, _):
        for columns in (80, 81, 82):
            line = row_of(on_terminal(columns, pid), address)
            assert "…" in line and "�" not in line and width(line) <= columns, line
        heading, row = None, None
        for line in segtest.segmap(pid, env={"LC_ALL": "C.UTF-8"}).text.splitlines():
            heading = line if line.startswith("ADDRESS") else heading
            row = line if line.startswith(address) else row
        assert "文" * 60 + ".so" in row
        assert width(row[:row.index("文")]) == heading.index("MAPPING")


@segtest.claim
def full_paths_raw_records_and_documents_are_never_cut():
    name = "x" * 150
    with mapped_file(name) as (pid, address, path):
        assert path in row_of(on_terminal(80, "-p", pid), address)
        piped = segtest.segmap("-r", pid, env={"LC_ALL": "C.UTF-8"}).text
        assert on_terminal(80, "-r", pid) == piped
        document = segtest.json.loads(on_terminal(80, "-J", pid))
        assert path in [vma.get("name") for vma in document["vmas"]]


@segtest.claim
def columns_in_the_environment_say_the_width():
    name = "libbeginning-" + "middle-" * 20 + "ending.so.1.2.3"
    with mapped_file(name) as (pid, address, _):
        for columns in ("80", "120"):
            text = segtest.segmap(pid, env={"COLUMNS": columns, "LC_ALL": "C.UTF-8"}).text
            assert max(map(width, text.splitlines()[1:])) <= int(columns)
            text = on_terminal(300, pid, env={"COLUMNS": columns})
            assert max(map(width, SGR.sub("", text).splitlines()[1:])) <= int(columns)
        for nonsense in ("", "x", "0", "-1", "99999999999"):
            assert name in row_of(segtest.segmap(pid, env={"COLUMNS": nonsense}).text, address)


@segtest.claim
def colours_are_sgr_codes_and_end_before_each_line_does():
    with segtest.running(["sleep", "600"]) as process:
        text = segtest.segmap("--color=always", process.pid).text
        assert len(SGR.findall(text)) > 20
        assert "\033" not in SGR.sub("", text)
        for line in text.splitlines():
            codes = SGR.findall(line)
            assert not codes or codes[-1] in ("", "0"), line
            assert all(re.fullmatch(r"(\d{1,3}(;\d{1,3})*)?", code) for code in codes), line
        assert SGR.sub("", text) == segtest.segmap(process.pid).text


@segtest.parameters(
    ("auto", {}, True), ("auto", {"NO_COLOR": "1"}, False), ("auto", {"NO_COLOR": ""}, True),
    ("auto", {"TERM": "dumb"}, False), ("always", {"NO_COLOR": "1"}, True),
    ("always", {"TERM": "dumb"}, True), ("never", {}, False), (None, {}, True),
    (None, {"NO_COLOR": "0"}, False))
def colour_on_a_terminal(case):
    when, env, expected = case
    with segtest.running(["sleep", "600"]) as process:
        arguments = [] if when is None else [f"--color={when}"]
        assert ("\033[" in on_terminal(80, *arguments, process.pid, env=env)) == expected


@segtest.claim
def colour_is_never_in_a_pipe_a_record_or_a_document():
    with segtest.running(["sleep", "600"]) as process:
        for arguments in ([], ["--color=auto"], ["--color=never"]):
            assert "\033" not in segtest.segmap(*arguments, process.pid).text
        for form in ("-r", "-J"):
            assert "\033" not in segtest.segmap(form, "--color=always", process.pid).text
            assert "\033" not in on_terminal(80, form, process.pid)
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "out")
            on_terminal(80, "--output-file", path, process.pid)
            with open(path, encoding="utf-8") as file:
                assert "\033" not in file.read()


CODES = {"code": "1;97;44", "read-only": "30;46", "relocated": "4;97;45", "data": "30;43",
         "bss": "1;33;40", "odd": "1;97;41"}
FAINT = "2"  # a gap: the whole row


def tone_of(vma):
    """By what the document says of it: the name of its colour, or None."""
    if "w" in vma["perms"] and "x" in vma["perms"]:
        return "odd"
    if vma["kind"] in ("segment", "vdso"):
        return "code" if "x" in vma["perms"] else "data" if "w" in vma["perms"] else "read-only"
    return {"relro": "relocated", "bss": "bss", "gap": "gap"}.get(vma["kind"])


def check_colours(*arguments):
    """Which colours there are; each row has its own, on its permissions alone."""
    document = segtest.document(*arguments)
    rows = segtest.segmap("--color=always", "-q", *arguments).text.splitlines()
    rows = [row for row in rows if re.search(r"[0-9a-f]{8}.* [rw?-]{2}[x?-][ps?]", SGR.sub("", row))]
    assert len(rows) == len(document["vmas"]) > 4, (len(rows), len(document["vmas"]))
    seen = set()
    for row, vma in zip(rows, document["vmas"]):
        tone = tone_of(vma)
        seen.add(tone)
        if tone == "gap":
            assert row.startswith(f"\033[{FAINT}m") and row.endswith("\033[0m"), row
            assert SGR.findall(row) == [FAINT, "0"], row
        elif tone:
            assert f" \033[{CODES[tone]}m{vma['perms']}\033[0m " in row, (tone, row)
            assert SGR.findall(row) == [CODES[tone], "0"], row
        else:
            assert "\033" not in row, row
    return seen


@segtest.claim
def permissions_of_a_process_have_the_colour_of_what_they_are_for():
    directory, running = python_with(MODULES)
    with directory, running as process:
        seen = check_colours(process.pid)
        assert seen >= {"code", "read-only", "relocated", "data", "bss", None}, seen


@segtest.claim
def gaps_are_faint_and_what_is_odd_stands_out():
    with tempfile.TemporaryDirectory(prefix="segmap-terminal-") as directory:
        generator = os.path.join(segtest.SOURCE, "fixtures", "golden", "make_programs.py")
        subprocess.run([sys.executable, generator, directory], check=True)
        for name, tone in (("libholed.so", "gap"), ("odd-segments", "odd")):
            seen = check_colours("--explain", os.path.join(directory, name))
            assert tone in seen, (name, seen)


@segtest.claim
def sections_have_their_colour_beneath_the_permissions():
    with segtest.running(["sleep", "600"]) as process:
        text = segtest.segmap("--color=always", "-S", "-q", process.pid).text
        for section, tone in ((".text", "code"), (".rodata", "read-only"), (".dynamic", "relocated"),
                              (".data", "data"), (".bss", "bss")):
            # The program's own stands first; the vdso has all of its sections in one PT_LOAD.
            row = re.search(rf"^.* {re.escape(section)}>?$", text, re.MULTILINE)[0]
            assert f"\033[{CODES[tone]}m    \033[0m" in row, row


@segtest.claim
def where_no_permissions_are_shown_the_first_column_is_coloured():
    with segtest.running(["sleep", "600"]) as process:
        text = segtest.segmap("--color=always", "-q", "-o", "KIND,SIZE", process.pid).text
        assert re.search(r"^\033\[4;97;45mrelro *\033\[0m", text, re.MULTILINE), text


@segtest.claim
def every_colour_brings_its_own_ground_and_is_readable_on_it():
    """So that it does not matter whether the terminal is dark or light."""
    palettes = {
        "VGA": [(0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170),
                (0, 170, 170), (170, 170, 170)],
        "xterm": [(0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205),
                  (0, 205, 205), (229, 229, 229)],
    }
    for tone, codes in CODES.items():
        numbers = [int(code) for code in codes.split(";")]
        ground = [n - 40 for n in numbers if 40 <= n <= 47]
        for name, palette in palettes.items():
            [ink] = [palette[n - 30] for n in numbers if 30 <= n <= 37] or \
                [(255, 255, 255) for n in numbers if n == 97]
            assert contrast(ink, palette[ground[0]]) >= 3, (tone, name)
    assert len({codes.split(";")[-1] for codes in CODES.values()}) == len(CODES)


@segtest.claim
def legend_explains_every_colour_mark_and_kind():
    alone = segtest.segmap("--legend")
    assert alone.status == 0 and "\033" not in alone.text and not alone.err
    coloured = segtest.segmap("--legend", "--color=always").text
    assert SGR.sub("", coloured).replace(" (now off: --color)", "") == \
        alone.text.replace(" (now off: --color)", "")
    for tone, codes in CODES.items():
        assert re.search(rf"\033\[{codes}m[rwxp-]+\033\[0m +{tone}: ", coloured), tone
    assert re.search(rf"\033\[{FAINT}m---p\033\[0m +gap: ", coloured)
    with open(os.path.join(segtest.SOURCE, "docs", "segmap.schema.json"), encoding="utf-8") as file:
        kinds = segtest.json.load(file)["$defs"]["vma"]["properties"]["kind"]["enum"]
    for word in (*kinds, ">.bss", ".bss>", "~", "R", "P", "S", "Z", ".", "*"):
        assert re.search(rf"^  {re.escape(word)} +\w", alone.text, re.MULTILINE), word
    assert max(map(width, alone.text.splitlines())) <= 80
    assert "\033" not in on_terminal(80, "--legend", env={"NO_COLOR": "1"})
    assert on_terminal(80, "--legend").count("\033[0m") >= len(CODES)


@segtest.claim
def legend_stands_before_the_table():
    legend = segtest.segmap("--legend").text
    with segtest.running(["sleep", "600"]) as process:
        assert segtest.segmap("--legend", process.pid).text == legend + segtest.segmap(process.pid).text
    with tempfile.TemporaryDirectory(prefix="segmap-terminal-") as directory:
        path = os.path.join(directory, "out")
        assert segtest.segmap("--legend", "--output-file", path).out == b""
        with open(path, encoding="utf-8") as file:
            assert file.read() == legend
    true = segtest.which("true")
    assert segtest.segmap("--legend", "--run", true).text.startswith(legend)
    assert segtest.segmap("--legend", "--explain", true).text.startswith(legend)


segtest.main()
