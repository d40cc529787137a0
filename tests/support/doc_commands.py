"""The commands that the documentation shows: found, run, compared with what it says of them.

In Markdown a session is a block between ``` lines whose first word is "console":

    ```console masked status=1
    $ segmap --explain \\
    > /bin/true
    what it writes
    …
    ```

A line with "$ " is a command, "> " goes on with it, the lines below are what it
writes. Without any line below it, what a command writes is not compared, unless a
word says that it is nothing. A line
"…" (or "...") stands for any number of lines, at the end of a line for the rest
of it. A ```sh block is commands without "$ ": one a line, with or without a comment
behind it (two blanks, "# "); nothing is compared.
Other blocks (c, json, text) are not run. An indented block with "$ " is an
error, so that nothing is left out by accident.

In mdoc a session is a literal display (.Bd -literal … .Ed) whose first line
begins with "$ "; its words stand in a comment before it: .\\" session masked.

The words, behind "console" or "sh":

    exact      what is written is what is shown, to the byte
    masked     the default: the same with numbers and runs of blanks masked (see mask())
    columns    the same headings (lines of words in capitals); for figures that differ from
               run to run
    once       one line of what is shown must be there (masked); for a machine-dependent table
    silent     what has no line below it writes nothing
    status=N   the last command's exit status, or several as N,M; the others' is 0. A pipe's is
               that of the last of its commands that fails
    needs=X    the programs X,Y must be there, else the document's test is skipped; "root"
               means to be root
    only-shown not run: for what changes the machine (an installation, a test run of
               everything). Tests say why in their own list, see check()

A document is one session of one shell, from top to bottom, beginning in a
directory of its own: variables, "cd" and background jobs stay. Behind each
command the shell waits until its background jobs sleep in a program of their
own, so "sleep 600 &" and "segmap $!" need no pause in between. At the end they
are killed and waited for. "segmap" is the program under test.

What is shown is of Debian 12 on x86-64: other systems have other programs and
libraries. There only "exact" and "columns" are compared, and "masked" by its headings;
and status 1 will do, since a grep can find nothing.
"""
import contextlib
import os
import platform
import re
import shutil
import signal
import subprocess
import tempfile

import segtest

COMPARISONS = ("exact", "masked", "columns", "once")
ELLIPSES = ("…", "...")

# Run each command in this shell; then wait for the jobs that it has started.
DRIVER = r"""
ended() { kill $(jobs -p) 2>/dev/null; wait; }
trap ended EXIT
set -o pipefail
own=$(tr '\0' ' ' </proc/$$/cmdline)
asleep() {
    state=$(cut -d')' -f2- "/proc/$1/stat" 2>/dev/null) || return 0
    case $state in " R"* | " D"*) return 1 ;; esac
    [ "$(tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline")" != "$own" ]
}
settle() { for job in $(jobs -p); do until asleep "$job"; do sleep 0.01; done; done; }
i=0
while [ -e "$SESSION/$i.command" ]; do
    eval "$(cat "$SESSION/$i.command")" >"$SESSION/$i.output" 2>&1 </dev/null
    status=$?
    # What writes more than head takes is ended by SIGPIPE, or not.
    [ $status = 141 ] && status=0
    echo $status >"$SESSION/$i.status"
    settle
    i=$((i + 1))
done
"""


class Example:
    """A command, what the document shows of its output, and how they are compared."""

    def __init__(self, path, line, command, words):
        self.path = path
        self.line = line  # of the command, from 1
        self.command = command
        self.shown = []  # lines
        self.first_shown = 0  # number of the first of them in the document, from 1
        self.words = words
        self.last = False  # in its block: the one that status= is about

    @property
    def comparison(self):
        return next((word for word in self.words if word in COMPARISONS), "masked")

    def value(self, name):
        return [v for word in self.words if word.startswith(name + "=")
                for v in word.partition("=")[2].split(",")]

    @property
    def statuses(self):
        return [int(v) for v in self.value("status")] if self.last and self.value("status") else [0]

    @property
    def runs(self):
        return "only-shown" not in self.words

    def __str__(self):
        return f"{os.path.relpath(self.path, segtest.SOURCE)}:{self.line}: $ {self.command}"


def unescape(line):
    """What mandoc prints for a line of a literal display."""
    for escape, text in (("\\(ha", "^"), ("\\(ti", "~"), ("\\(ga", "`"), ("\\(aq", "'"), ("\\&", ""),
                         ("\\-", "-"), ("\\e", "\\")):
        line = line.replace(escape, text)
    return line


def escape(line):
    """A line of text as it stands in a literal display of mdoc."""
    for text, escaped in (("\\", "\\e"), ("-", "\\-"), ("^", "\\(ha"), ("~", "\\(ti"), ("`", "\\(ga"),
                          ("'", "\\(aq")):
        line = line.replace(text, escaped)
    return "\\&" + line if line.startswith(".") else line


def _blocks_of_markdown(path, lines):
    """(words, number of the first line, lines) of each session."""
    words, first = None, 0
    for number, line in enumerate(lines, 1):
        if line.startswith("```") and words is None:
            words, first = line[3:].split() or ["text"], number + 1
        elif line.startswith("```"):
            if words[0] in ("console", "sh"):
                yield words, first, lines[first - 1:number - 1]
            words = None
        else:
            assert words is not None or not re.match(r"( {4,}|\t)\$ ", line), \
                f"{path}:{number}: a command in an indented block; use ```console"
    assert words is None, f"{path}: the block that begins before line {first} does not end"


def _blocks_of_mdoc(lines):
    words, first = ["console"], None
    for number, line in enumerate(lines, 1):
        if line.startswith('.\\" session'):
            words = ["console", *line.split()[2:]]
        elif line.startswith(".Bd -literal"):
            first = number + 1
        elif line.startswith(".Ed") and first:
            block = [unescape(text) for text in lines[first - 1:number - 1]]
            if block and block[0].startswith("$ "):
                yield words, first, block
            words, first = ["console"], None


def examples(path):
    """The commands of a document (NAME.md, or a manual page), from top to bottom."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    found = []
    blocks = _blocks_of_markdown(path, lines) if path.endswith(".md") else _blocks_of_mdoc(lines)
    for words, first, block in blocks:
        of_block = []
        for number, line in enumerate(block, first):
            if words[0] == "sh":
                if line.strip() and not line.startswith("#"):
                    of_block.append(Example(path, number, re.sub(r"\s{2,}# .*", "", line), words))
            elif line.startswith("$ "):
                of_block.append(Example(path, number, line[2:], words))
            elif line.startswith("> ") and of_block and not of_block[-1].shown:
                of_block[-1].command += "\n" + line[2:]
            else:
                assert of_block, f"{path}:{number}: a session begins with \"$ \""
                of_block[-1].first_shown = of_block[-1].first_shown or number
                of_block[-1].shown.append(line)
        if of_block:
            of_block[-1].last = True
        found += of_block
    return found


NUMBERS = (
    r"\b0x[0-9a-f]+\b",
    r"\b[0-9a-f]{8,}\b",
    r"\b(?=[a-f]*[0-9])[0-9a-f]{4,}\b",
    r"[0-9][0-9a-f]*[0-9](?![0-9A-Za-z])",
    r"[0-9][0-9,.]*[0-9]",
    r"[0-9]",
)


def mask(line):
    """The line with what differs from run to run taken out: numbers and runs of blanks.

    Addresses, numbers with or without 0x, commas and a point become "#"; their
    unit stays. A word of eight hexadecimal digits is a number too, and one of four or
    more if one of them is decimal. What stays is which PT_LOAD it is: "LOAD 5".
    """
    parts = re.split(r"(\bLOAD [0-9]+(?:\+[0-9]+)*)", line)
    parts[::2] = [re.sub("|".join(NUMBERS), "#", part) for part in parts[::2]]
    return re.sub(r"\s+", " ", "".join(parts)).strip()


def _same(shown, line, comparison):
    prepare = (lambda text: text) if comparison == "exact" else mask
    for ellipsis in ELLIPSES:
        if shown.endswith(ellipsis):
            return prepare(line).startswith(prepare(shown[:-len(ellipsis)]))
    return prepare(shown) == prepare(line)


def match(shown, lines, comparison):
    """For each shown line the index of the line that it is; None for an ellipsis.

    ValueError names the first shown line that is not there. What follows an
    ellipsis is looked for from there on, the first time that it fits.
    """
    found, at, elided = [], 0, False
    for text in shown:
        if text.strip() in ELLIPSES:
            found.append(None)
            elided = True
            continue
        while elided and at < len(lines) and not _same(text, lines[at], comparison):
            at += 1
        if at == len(lines) or not _same(text, lines[at], comparison):
            instead = repr(lines[at]) if at < len(lines) else "the end"
            raise ValueError(f"{text!r} is not there, but {instead}")
        found.append(at)
        at, elided = at + 1, False
    if at < len(lines) and not elided:
        raise ValueError(f"{lines[at]!r} is there and not shown")
    return found


def _headings(lines):
    """The lines of column names, each once."""
    found = [line.split() for line in lines if re.fullmatch(r"[A-Z][A-Z_ -]+[A-Z]", line.strip())]
    return [heading for index, heading in enumerate(found) if heading not in found[:index]]


def is_reference_system():
    """Whether this is the system whose files the documentation shows: Debian 12 on x86-64."""
    with contextlib.suppress(OSError):
        release = platform.freedesktop_os_release()
        return (release.get("ID"), release.get("VERSION_ID"), platform.machine()) == ("debian", "12", "x86_64")
    return False


def difference(example, output):
    """What is wrong with what the document shows of this output; None if nothing is."""
    lines = output.rstrip("\n").split("\n") if output.strip() else []
    if not example.shown:
        return "it is to write nothing" if "silent" in example.words and output else None
    if example.comparison == "columns" or not (example.comparison == "exact" or is_reference_system()):
        expected, there = _headings(example.shown), _headings(lines)
        if example.comparison != "columns":     # what is shown can be a part
            there = [heading for heading in there if heading in expected]
        return None if expected == there else f"headings {there}, not {expected}"
    if example.comparison == "once":
        there = {mask(line) for line in lines}
        return None if any(mask(line) in there for line in example.shown) else "no shown line is there"
    try:
        match(example.shown, lines, example.comparison)
    except ValueError as error:
        return str(error)
    return None


def _check_needs(chosen):
    for example in chosen:
        for need in example.value("needs"):
            segtest.need_root() if need == "root" else segtest.which(need)


def run(chosen, directory=None, timeout=150, **environment):
    """Run these examples in one shell that begins in @directory; yield (example, status, output).

    Without a directory it is an empty one of its own. Skip, if a need is missing.
    """
    _check_needs(chosen)
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(tempfile.TemporaryDirectory(prefix="segmap-session-"))
        for index, example in enumerate(chosen):
            with open(os.path.join(session, f"{index}.command"), "w", encoding="utf-8") as file:
                file.write(example.command + "\n")
        os.makedirs(os.path.join(session, "bin"))
        os.makedirs(os.path.join(session, "home"))
        os.symlink(segtest.SEGMAP, os.path.join(session, "bin", "segmap"))
        variables = dict(os.environ, SESSION=session, LC_ALL="C.UTF-8", HOME=session,
                         PATH=f"{session}/bin:" + os.environ.get("PATH", "/usr/bin:/bin"), **environment)
        for name in ("COLUMNS", "NO_COLOR", "PYTHONPATH"):
            variables.pop(name, None) if name not in environment else None
        shell = subprocess.Popen([shutil.which("bash") or "/bin/bash", "-c", DRIVER], env=variables,
                                 cwd=directory or os.path.join(session, "home"), stdin=subprocess.DEVNULL,
                                 start_new_session=True)
        try:
            shell.wait(timeout)
        except subprocess.TimeoutExpired:
            pass  # the command that hangs has no status below
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
        for index, example in enumerate(chosen):
            output = os.path.join(session, f"{index}.output")
            status = os.path.join(session, f"{index}.status")
            assert os.path.exists(status), f"{example}: it did not end within {timeout} s"
            with open(output, encoding="utf-8", errors="surrogateescape") as file:
                text = file.read()
            with open(status, encoding="ascii") as file:
                yield example, int(file.read()), text


def check(path, only_shown=(), **options):
    """Run all commands of a document; AssertionError lists what is not as it says.

    @only_shown are the commands that may be marked "only-shown", no others.
    Returns how many commands were run.
    """
    found = examples(path)
    marked = {example.command for example in found if not example.runs}
    assert marked == set(only_shown), f"{path}: not run: {sorted(marked ^ set(only_shown))}"
    chosen = [example for example in found if example.runs]
    wrong = []
    for example, status, output in run(chosen, **options):
        problem = difference(example, output)
        # Elsewhere a grep can find nothing.
        if status not in example.statuses + ([] if is_reference_system() else [1]):
            wrong.append(f"{example}\n  status {status}, not {example.statuses}; it wrote:\n{output[:2000]}")
        elif problem:
            wrong.append(f"{example}\n  {problem}; it wrote:\n{output[:6000]}")
    assert not wrong, "\n".join(wrong)
    return len(chosen)


def _renewed(shown, line):
    """The line that is there now, cut off where the shown one is."""
    for ellipsis in ELLIPSES:
        if shown.endswith(ellipsis):
            start = shown[:-len(ellipsis)]
            length = max(n for n in range(len(line) + 1) if mask(line[:n]) == mask(start))
            blanks = len(start) - len(start.rstrip())
            return line[:length].rstrip() + " " * blanks + ellipsis
    return line


def rewritten(path, **options):
    """The document's text with what its commands write now, as a string.

    Lines that stand for others (an ellipsis) stay; the lines between them are
    found again by their masked text. ValueError names a block that has to be
    edited by hand, since its lines are no longer there.
    """
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    chosen = [example for example in examples(path) if example.runs]
    outcomes = [(e, s, o) for e, s, o in run(chosen, **options)]
    for example, _, output in reversed(outcomes):
        if not example.shown:
            continue
        now = output.rstrip("\n").split("\n")
        if any(text.endswith(ELLIPSES) for text in example.shown):
            try:
                where = match(example.shown, now, "masked")
            except ValueError as error:
                raise ValueError(f"{example}: to be edited by hand: {error}") from error
            now = [text if at is None else _renewed(text, now[at])
                   for text, at in zip(example.shown, where)]
        if not path.endswith(".md"):
            now = [escape(text) for text in now]
        lines[example.first_shown - 1:example.first_shown - 1 + len(example.shown)] = now
    return "\n".join(lines)
