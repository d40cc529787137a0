"""The command line: what is promised of options, exit statuses, messages and output files."""
import contextlib
import fcntl
import os
import pty
import re
import signal
import stat
import struct
import subprocess
import tempfile
import termios

import segtest

SLEEP = ["sleep", "600"]


def check_usage_error(*arguments):
    result = segtest.segmap(*arguments)
    lines = result.error_text.splitlines()
    assert (result.status, result.out) == (2, b""), (arguments, result.status, result.out)
    assert len(lines) == 2 and lines[0].startswith("segmap: "), lines
    assert lines[1] == "Try 'segmap --help'", lines
    return lines[0]


def check_message(result, status, *words):
    lines = result.error_text.splitlines()
    assert result.status == status, (result.status, lines)
    assert len(lines) == 1 and lines[0].startswith("segmap: "), lines
    for word in words:
        assert str(word) in lines[0], (word, lines)


def options():
    """(letter or None, name, argument or "") of every option that --help tells of."""
    found = re.findall(r"^  (?:-(\w), |    )--([\w-]+)(\[=\w+\]| [A-Z][\w\[\],]*)?",
                       segtest.segmap("--help").text, re.MULTILINE)
    assert len(found) >= 14, found
    return found


def rows(*arguments, columns):
    """The raw records of these columns, each a list."""
    result = segtest.segmap("-r", "-n", "-o", columns, *arguments)
    assert result.status == 0, result.error_text
    return [line.split(" ") for line in result.text.splitlines()]


def smallest_core(path):
    """A core dump of one page of memory that was left out of it."""
    ident = b"\x7fELF\2\1\1".ljust(16, b"\0")
    with open(path, "wb") as file:
        file.write(ident + struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
                   + struct.pack("<IIQQQQQQ", 1, 4, 120, 0x1000, 0, 0, 0x1000, 0x1000))
    return path


@segtest.claim
def every_option_of_help_is_known_and_no_other_is():
    arguments = {"output": "SIZE", "range": "0", "color": "never", "moment": "exec", "page-size": "4096",
                 "as": "program", "sort": "RSS", "seed": "1"}
    of_explain = ("explain", "verify", "moment", "no-deps", "no-aslr", "page-size", "as")
    of_run = ("run", "trace")
    with segtest.running(SLEEP) as process, tempfile.TemporaryDirectory() as directory:
        arguments["output-file"] = os.path.join(directory, "out")
        arguments["maps"] = saved = f"/proc/{process.pid}/maps"
        arguments.update({"sysroot": "/", "at": "0"})
        arguments["core"] = smallest_core(os.path.join(directory, "core"))
        # What goes with them instead of a process.
        instead = {"all": [], "maps": [], "core": [], "sysroot": ["--maps", saved]}
        for letter, name, argument in options():
            value = arguments.get(name)
            long = f"--{name}={value}" if argument else f"--{name}"
            if name in of_explain:
                assert segtest.segmap(long, "--explain", segtest.which("true")).status == 0, long
                continue
            if name in ("quiz", "seed"):
                assert segtest.segmap(long, "--quiz", segtest.which("true")).status == 0, long
                continue
            if name == "diff":
                assert segtest.segmap("--diff", process.pid, process.pid).status == 0
                continue
            if name == "watch":
                continue  # it does not end: watch.py has it
            if name in of_run:
                assert segtest.segmap(long, "--run", segtest.which("true")).status == 0, long
                continue
            with_it = ["--summary"] if name == "sort" else []
            assert segtest.segmap(long, *with_it, *instead.get(name, [process.pid])).status == 0, long
            if letter:
                short = ["-" + letter] + ([value] if argument else [])
                assert segtest.segmap(*short, process.pid).status == 0, short
    for name in ("nonsense", "audits"):
        assert f"--{name}" in check_usage_error(f"--{name}", "1")
    for letter in "wZ":
        assert f"-{letter}" in check_usage_error(f"-{letter}", "1")


@segtest.claim
def wrong_usage_is_one_line_and_status_2():
    check_usage_error()
    check_usage_error("-o", "ADDRESS,NONSENSE", "1")
    check_usage_error("-o", "", "1")
    check_usage_error("-o")
    check_usage_error("--color=sometimes", "1")
    check_usage_error("--json=yes", "1")
    check_usage_error("-J", "-r", "1")
    check_usage_error("--sort=RSS", "1")
    check_usage_error("--summary", "--sort=NONSENSE", "1")
    check_usage_error("--summary", "-o", "ADDRESS", "1")
    check_usage_error("--summary", "-o", ",".join(["RSS"] * 40), "1")
    check_usage_error("-J", "-o", "+KIND", "1")
    for form in ("--svg", "--html"):
        for other in ("-r", "-J", "-x", "-XX", "--summary", "--at=0", "-o+KIND", "--legend", "--all"):
            check_usage_error(form, other, *([] if other == "--all" else ["1"]))
        check_usage_error(form)
        check_usage_error(form, "--run", "--trace", "true")
        check_usage_error(form, "--moment=exec,entry", "--run", "true")
    check_usage_error("--svg", "--html", "1")
    for other in ("-r", "-J", "--summary", "--at=0"):
        check_usage_error("--legend", other, "1")
    for other in ("--watch", "--diff"):
        check_usage_error("--audit", other, "1", *(["1"] if other == "--diff" else []))
    check_usage_error("--legend", "--watch", "1")
    check_usage_error("--legend", "--diff", "1", "1")
    for mode in (["1"], ["--all"], ["--watch", "1"], ["--diff", "1", "1"], ["--quiz", "true"], ["--explain", "true"]):
        check_usage_error("--sysroot=/", *mode)
        check_usage_error("--trace", *mode)
    check_usage_error("--sysroot=/", "--run", "true")
    for source in ("--maps", "--core"):
        check_usage_error("--trace", source, "/proc/self/maps")
    for bad in ("", "g", "0x", "1,0", "12345678901234567", "1,2,3", "-1", " 1"):
        check_usage_error("-A", bad, "1")


@segtest.claim
def what_is_wrong_is_named_and_not_what_stands_before_it():
    for arguments, word in ((["--json", "-zS"], "-z"), (["--json", "-Sz"], "-z"), (["-S", "--nonsense", "-q"], "--nonsense"),
                            (["-S", "--json=1", "-q"], "--json=1"), (["-q", "-So"], "-o"), (["-q", "--maps"], "--maps")):
        assert check_usage_error(*arguments).startswith(f"segmap: {word}: "), arguments
    for arguments in (["--summary", "-o", "ADDRESS", "1"], ["--all", "-o", "ADDRESS"],
                      ["--summary", "--sort", "ADDRESS", "1"]):
        assert "(--summary --list-columns has all)" in check_usage_error(*arguments), arguments


@segtest.claim
def columns_of_a_summary_are_listed_wherever_that_stands():
    listed = segtest.segmap("--summary", "-H").text
    assert listed == segtest.segmap("-H", "--summary").text != segtest.segmap("-H").text


@segtest.claim
def target_that_is_not_there_is_status_1_and_named():
    check_message(segtest.segmap("99999999"), 1, "99999999", "no such process")
    check_message(segtest.segmap("/proc/99999999"), 1, "99999999", "no such process")
    check_message(segtest.segmap("0"), 1, "0")
    check_message(segtest.segmap("123456789012345678901234567890"), 1, "1234567890")
    check_message(segtest.segmap("no-process-has-this"), 1, "no-process-has-this")


@segtest.claim
def some_shown_and_some_not_is_status_64():
    with segtest.running(SLEEP) as process:
        for order in ([process.pid, 99999999], [99999999, process.pid]):
            result = segtest.segmap(*order)
            check_message(result, 64, "99999999")
            assert result.text.startswith(f"{process.pid}: sleep 600\n")


@segtest.claim
def process_is_named_by_pid_by_directory_and_by_name():
    with tempfile.TemporaryDirectory() as directory:
        long_name = "a-name-longer-than-fifteen"
        program = os.path.join(directory, long_name)
        with open(segtest.which("sleep"), "rb") as source, open(program, "wb") as copy:
            copy.write(source.read())
        os.chmod(program, 0o755)
        with segtest.running([program, "600"]) as one, segtest.running([program, "600"]) as two:
            expected = segtest.segmap(one.pid).text
            for name in (f"/proc/{one.pid}", f"/proc/{one.pid}/"):
                assert segtest.segmap(name).text == expected
            both = segtest.documents(long_name)
            assert [d["pid"] for d in both] == sorted([one.pid, two.pid])
            assert all(d["target"] == long_name and d["comm"] == long_name[:15] for d in both)
            check_message(segtest.segmap(long_name + "x"), 1, long_name + "x")


@segtest.claim
def other_peoples_process_needs_root_or_the_owner():
    segtest.need_root()
    with segtest.running(SLEEP) as process:
        check_message(segtest.segmap(process.pid, as_user=65534), 1, process.pid, "root or the owner")


@segtest.claim
def closed_pipe_ends_it_silently():
    with segtest.running(SLEEP) as process:
        for disposition in (signal.SIG_DFL, signal.SIG_IGN):
            result = subprocess.run(
                ["bash", "-c", f"{segtest.SEGMAP} -S {' '.join([str(process.pid)] * 40)} | head -1"],
                capture_output=True, check=False,
                preexec_fn=lambda: signal.signal(signal.SIGPIPE, disposition))
            assert result.stderr == b"" and result.stdout.count(b"\n") == 1, result
        # Where the caller blocks the signal, too.
        for arguments in ([process.pid], ["-J", process.pid], ["--summary", process.pid], ["--svg", process.pid],
                          ["--at", "0x0", process.pid], ["--explain", "true"], ["--watch", process.pid],
                          ["--explain", "--verify", "true"], ["--quiz", "true"], ["--diff", process.pid, process.pid],
                          ["--help"], ["--version"], ["-H"]):
            reader, writer = os.pipe()
            os.close(reader)
            with os.fdopen(writer, "wb") as closed:
                result = subprocess.run(
                    [segtest.SEGMAP, *map(str, arguments)], stdout=closed, stderr=subprocess.PIPE, check=False, timeout=60,
                    preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPIPE]))
            assert result.stderr == b"", (arguments, result)
            assert result.returncode == (1 if "--verify" in arguments else -signal.SIGPIPE), (arguments, result)


@segtest.claim
def output_that_cannot_be_written_is_status_1():
    with segtest.running(SLEEP) as process, open("/dev/full", "wb") as full:
        result = subprocess.run([segtest.SEGMAP, str(process.pid)], stdout=full,
                                stderr=subprocess.PIPE, check=False)
        assert result.returncode == 1, result
        assert result.stderr == b"segmap: standard output: write: No space left on device\n"
        check_message(segtest.segmap("--output-file", "/dev/full", process.pid), 1, "/dev/full")
        check_message(segtest.segmap("--output-file", "/nowhere/at/all", process.pid), 1,
                      "/nowhere/at/all", "No such file")


@segtest.claim
def what_was_found_counts_more_than_that_it_could_not_be_written():
    with segtest.running(SLEEP) as process, segtest.running(["cat"], stdin=subprocess.PIPE) as other, \
            open("/dev/full", "wb") as full:
        for arguments, status in ((["--diff", process.pid, other.pid], 3), ([process.pid, "99999999"], 1),
                                  (["--explain", "--no-deps", "true", "no-such-program"], 1)):
            result = subprocess.run([segtest.SEGMAP, *map(str, arguments)], stdout=full, stderr=subprocess.PIPE,
                                    check=False)
            assert result.returncode == status and b"No space left" in result.stderr, (arguments, result)


@segtest.claim
def output_file_is_replaced_whole_and_keeps_its_mode():
    with segtest.running(SLEEP) as process, tempfile.TemporaryDirectory() as directory:
        path, link = os.path.join(directory, "out"), os.path.join(directory, "link")
        os.symlink("out", link)
        expected = segtest.segmap(process.pid).out
        for target in (link, path):
            # First absent, then there with a mode of its own.
            result = segtest.segmap("--output-file", target, process.pid)
            assert (result.status, result.out) == (0, b""), result.error_text
            with open(path, "rb") as file:
                assert file.read() == expected
            os.chmod(path, 0o640)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
        assert os.path.islink(link) and sorted(os.listdir(directory)) == ["link", "out"]


@segtest.claim
def output_file_stays_as_it_was_when_nothing_is_shown():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "out")
        with open(path, "w", encoding="ascii") as file:
            file.write("before")
        assert segtest.segmap("--output-file", path, "99999999").status == 1
        with open(path, encoding="ascii") as file:
            assert file.read() == "before"
        assert os.listdir(directory) == ["out"]


@segtest.claim
def full_disk_leaves_the_old_output_file():
    segtest.need_root()
    unshare, mount = segtest.which("unshare"), segtest.which("mount")
    with segtest.running(SLEEP) as process, tempfile.TemporaryDirectory() as directory:
        script = f"""{mount} -t tmpfs -o size=64k none {directory} && cd {directory} || exit 99
            echo before > out; dd if=/dev/zero of=rest bs=1k 2>/dev/null; sync
            {segtest.SEGMAP} -S --output-file out {" ".join([str(process.pid)] * 20)}
            echo "status $?"; cat out; ls -A"""
        result = subprocess.run([unshare, "--mount", "sh", "-c", script], capture_output=True,
                                text=True, check=False)
        assert result.stdout.splitlines() == ["status 1", "before", "out", "rest"], result
        assert result.stderr == "segmap: out: write: No space left on device\n", result


@segtest.claim
def pipe_is_written_through():
    with segtest.running(SLEEP) as process, tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "pipe")
        os.mkfifo(path)
        with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as reader:
            assert segtest.segmap("--output-file", path, process.pid).status == 0
            assert reader.stdout.read() == segtest.segmap(process.pid).out
        assert stat.S_ISFIFO(os.stat(path).st_mode)


@segtest.claim
def the_columns_of_a_summary_have_a_list_of_their_own():
    listed = [line.split()[0] for line in segtest.segmap("--summary", "-H").text.splitlines()]
    with segtest.running(SLEEP) as process:
        result = segtest.segmap("--summary", "-r", "-o", ",".join(listed), process.pid)
        assert result.text.splitlines()[0].split(" ") == listed
        for column in listed:
            assert segtest.segmap("--summary", "--sort", column, process.pid).status == 0
        shown = segtest.segmap("--summary", process.pid).text.splitlines()
        assert shown[1].split()[0] == "MAPPING" and shown[-1].split()[0] == "total", shown


@segtest.claim
def every_column_can_be_chosen_and_added():
    listed = [line.split()[0] for line in segtest.segmap("-H").text.splitlines()]
    assert len(listed) >= 20 and len(set(listed)) == len(listed)
    with segtest.running(SLEEP) as process:
        for name in listed:
            heading = segtest.segmap("-r", "-o", name.lower(), process.pid).text.splitlines()[0]
            assert heading == name
            heading = segtest.segmap("-r", "-o", "+" + name, process.pid).text.splitlines()[0]
            assert heading.startswith("ADDRESS SIZE PERM OFFSET MAPPING SEGMENT")
            assert heading.endswith(name)


@segtest.claim
def raw_records_have_one_field_for_each_column():
    with segtest.running(["bash", "-c", "exec -a 'a b' sleep 600"]) as process:
        heading, *lines = segtest.segmap("-r", process.pid).text.splitlines()
        maps = segtest.maps(process.pid)
        assert len(lines) == len(maps)
        for line, row in zip(lines, maps):
            fields = line.split(" ")
            assert len(fields) == len(heading.split(" ")) and "" not in fields, line
            assert (int(fields[0], 16), fields[2], int(fields[3], 16)) == (row[0], row[2], row[3])
        assert any("\\x20" in line for line in lines) and any(" - " in line for line in lines)


@segtest.claim
def sizes_are_kib_or_exact_bytes_and_add_up():
    with segtest.running(SLEEP) as process:
        sizes = [row[1] - row[0] for row in segtest.maps(process.pid)]
        assert [r[0] for r in rows(process.pid, columns="SIZE")] == [f"{s // 1024}K" for s in sizes]
        assert [int(r[0]) for r in rows("-b", process.pid, columns="SIZE")] == sizes
        assert segtest.segmap(process.pid).text.splitlines()[-1].split() == [
            "total", f"{sum(sizes) // 1024}K"]
        pmap = subprocess.run([segtest.which("pmap"), str(process.pid)], capture_output=True, text=True,
                              check=True).stdout.splitlines()
        assert pmap[-1].split() == ["total", f"{sum(sizes) // 1024}K"]


@segtest.claim
def range_selects_what_pmap_selects():
    pmap = segtest.which("pmap")
    with segtest.running(SLEEP) as process:
        maps = segtest.maps(process.pid)
        first, middle, last = maps[0], maps[len(maps) // 2], maps[-2]
        for low, high in ((first[0], None), (middle[0], last[0]), (middle[0] + 1, middle[1] - 1),
                          (middle[1] - 1, middle[1]), (0, first[0]), (first[0] - 1, None)):
            for form in ("%x", "0x%x"):
                text = form % low + ("" if high is None else "," + form % high)
                theirs = [int(line.split()[0], 16) for line in subprocess.run(
                    [pmap, "-q", "-A", text, str(process.pid)], capture_output=True, text=True,
                    check=False).stdout.splitlines()[1:]]
                ours = [int(r[0], 16) for r in rows("-A", text, process.pid, columns="ADDRESS")]
                expected = [row[0] for row in maps
                            if row[1] > low and row[0] <= (low if high is None else high)]
                assert ours == expected, (text, ours, expected)
                assert [a for a in theirs if a in expected] == theirs, (text, theirs)


@segtest.claim
def quiet_has_rows_alone_and_noheadings_no_heading():
    with segtest.running(SLEEP) as process:
        full = segtest.segmap(process.pid).text.splitlines()
        assert full[0] == f"{process.pid}: sleep 600" and full[1].startswith("ADDRESS ")
        assert segtest.segmap("-q", process.pid).text.splitlines() == full[2:-1]
        assert segtest.segmap("-n", process.pid).text.splitlines() == full[:1] + full[2:]


@segtest.claim
def paths_are_base_names_or_whole():
    with segtest.running(SLEEP) as process:
        names = {os.fsdecode(r[6]) for r in segtest.maps(process.pid) if r[6].startswith(b"/")}
        whole = {r[0] for r in rows("-p", process.pid, columns="MAPPING")}
        short = {r[0] for r in rows(process.pid, columns="MAPPING")}
        assert names <= whole and {os.path.basename(n) for n in names} <= short
        assert not any("/" in name for name in short)


@segtest.claim
def pieces_have_rows_of_their_own():
    with segtest.running(SLEEP) as process:
        document = segtest.document(process.pid)
        expected = []
        for vma in document["vmas"]:
            expected.append([vma["start"], vma["size"], "-"])
            expected += [[p["start"], p["size"], p["name"]] for p in vma["pieces"]]
        shown = rows("-S", "-b", process.pid, columns="ADDRESS,SIZE,PIECE")
        assert [[hex(int(a, 16)), int(s), n.replace("\\x20", " ")] for a, s, n in shown] == expected


@segtest.claim
def colour_is_for_terminals_or_on_demand():
    with segtest.running(SLEEP) as process:
        plain = segtest.segmap(process.pid).out
        assert b"\033" not in plain
        for option in ("--color", "--color=always"):
            coloured = segtest.segmap(option, process.pid, env={"NO_COLOR": "1"}).out
            assert coloured.count(b"\033[") > 20
            assert re.sub(rb"\033\[[0-9;]*m", b"", coloured) == plain
        assert b"\033" not in segtest.segmap("--color=never", process.pid).out
        assert b"\033[" in on_terminal(80, str(process.pid))
        assert b"\033[" not in on_terminal(80, str(process.pid), env={"NO_COLOR": "1"})


def on_terminal(columns, *arguments, env=None):
    """What segmap writes to a terminal of this width."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = dict(os.environ, TERM="xterm", LANG="C.UTF-8", LC_ALL="C.UTF-8", **(env or {}))
    environment.pop("COLUMNS", None)
    output = b""
    with subprocess.Popen([segtest.SEGMAP, *arguments], stdout=follower, env=environment) as process:
        os.close(follower)
        with contextlib.suppress(OSError):  # the terminal's end
            while chunk := os.read(leader, 65536):
                output += chunk
    os.close(leader)
    assert process.returncode == 0
    return output.replace(b"\r\n", b"\n")


@segtest.parameters(80, 100, 200)
def table_is_never_wider_than_the_terminal(columns):
    modules = "ssl,ctypes,decimal,json,lzma,bz2,hashlib,curses,readline,zlib,multiprocessing,_bisect"
    python = segtest.which("python3")
    with segtest.running([python, "-uc", f"import {modules}; print('ready'); input()"],
                         ready=b"ready", stdin=subprocess.PIPE) as process:
        text = on_terminal(columns, "--color=never", str(process.pid)).decode().splitlines()
        widest = max(len(line) for line in text[1:])
        assert columns - 45 < widest <= columns, widest
        # Nothing is lost by it but the middle of long names.
        assert len([line for line in text if re.match("[0-9a-f]{8}", line)]) == len(
            segtest.maps(process.pid))


@segtest.claim
def version_is_the_one_of_the_build():
    assert re.fullmatch(r"segmap \d+\.\d+\.\d+\nsandbox: .+\n",
                        segtest.segmap("--version").text)


segtest.main()
