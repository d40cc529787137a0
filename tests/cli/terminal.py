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


segtest.main()
