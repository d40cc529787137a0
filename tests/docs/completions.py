"""The completions of bash, zsh and fish: asked as a user asks, in the shells themselves.

They complete the options of --help, no others, and their values.
"""
import contextlib
import os
import re
import tempfile

import segtest
import shells

FOLDER = os.path.join(segtest.SOURCE, "docs", "completions")
SHELLS = ("bash", "zsh", "fish")


@contextlib.contextmanager
def completing(shell, working_directory=None):
    """What @shell offers for the last word of a line, as a function; segmap is the one under test."""
    path = segtest.which(shell)
    with tempfile.TemporaryDirectory(prefix="segmap-complete-") as directory:
        with open(os.path.join(directory, "saved.maps"), "w", encoding="ascii"):
            pass
        os.mkdir(os.path.join(directory, "folder"))
        os.mkdir(os.path.join(directory, "bin"))
        os.symlink(segtest.SEGMAP, os.path.join(directory, "bin", "segmap"))
        environment = dict(os.environ, HOME=directory, ZDOTDIR=directory, XDG_CONFIG_HOME=directory, LC_ALL="C.UTF-8",
                           PATH=f"{directory}/bin:" + os.environ.get("PATH", "/usr/bin:/bin"), TERM="dumb")
        with getattr(shells, shell)(path, FOLDER, working_directory or directory, environment) as complete:
            yield complete


def options_of_help():
    text = segtest.segmap("--help").text
    found = set(re.findall(r"^ {2,6}(?:-\w, )?(--[\w-]+)", text, re.MULTILINE))
    return found | set(re.findall(r"^  (-\w)\b", text, re.MULTILINE))


@segtest.parameters(*SHELLS)
def options_are_those_of_help_and_no_others(shell):
    with completing(shell) as complete:
        found = {word.rstrip("=") for word in complete("segmap --") | complete("segmap -")}
    there = options_of_help()
    missing, surplus = sorted(there - found), sorted(found - there)
    assert not missing, f"docs/completions/ of {shell} lack {missing}"
    assert not surplus, f"docs/completions/ of {shell} have {surplus}, which segmap has not"


@segtest.parameters(*SHELLS)
def values_are_those_that_segmap_takes(shell):
    with completing(shell) as complete:
        def offers(line, *words):
            found = complete(line)
            assert set(words) <= found, f"{line}: {sorted(found)[:40]} lack {words}"
            return found

        def last(line, *words):
            """Of a list, or of --option=value, some shells offer the whole and some the last word."""
            found = {re.split("[=,+]", word)[-1] for word in complete(line)}
            assert found == set(words), f"{line}: {sorted(found)[:40]}, not {words}"

        last("segmap --color=", "auto", "always", "never")
        last("segmap --as ", "program", "library")
        last("segmap --as=p", "program")
        last("segmap --moment ", "exec", "entry", "exit")
        last("segmap --moment=exec,en", "entry")
        last("segmap -o BUILD", "BUILD-ID")
        last("segmap --output +BUILD", "BUILD-ID")
        last("segmap --output=ADDRESS,BUILD", "BUILD-ID")
        last("segmap --summary --sort PROC", "PROCESSES")
        last("segmap --summary -o SIZE,CLA", "CLASS")
        last("segmap --sysroot fol", "folder" if shell == "bash" else "folder/")
        if shell != "zsh":  # which keeps what stands before the last word to itself
            offers("segmap -o +SIZE,BUILD", "+SIZE,BUILD-ID")
            offers("segmap --moment exec,en", "exec,entry")
        for option in ("maps", "core", "output-file"):
            offers(f"segmap --{option} sav", "saved.maps")
        listed = {line.split()[0] for line in segtest.segmap("-H").text.splitlines()}
        assert offers("segmap -o ") == listed
        # --all is a summary, unless each process is shown by itself.
        last("segmap --all -o SIZE,PROC", "PROCESSES")
        for option in ("-x", "-nS", "--extended", "-XX"):
            last(f"segmap --all {option} -o BUILD", "BUILD-ID")
            last(f"segmap {option} --summary -o SIZE,PROC", "PROCESSES")


@segtest.claim
def names_with_blanks_are_one_word_of_bash():
    """The other shells escape them."""
    with completing("bash") as complete, tempfile.TemporaryDirectory() as directory:
        expected = {os.path.join(directory, name) for name in ("spaced one", "spaced two")}
        for path in expected:
            os.mkdir(path)
        for before in ("--maps ", "--core=", "--sysroot ", "--explain ", "--run true "):
            found = complete(f"segmap {before}{directory}/spa")
            assert found == expected, (before, found)


@segtest.parameters(*SHELLS)
def targets_are_processes_or_programs_as_the_options_say(shell):
    with tempfile.TemporaryDirectory() as directory:
        program = os.path.join(directory, "quaint-name")
        with open(segtest.which("sleep"), "rb") as source, open(program, "wb") as copy:
            copy.write(source.read())
        os.chmod(program, 0o755)
        with segtest.running([program, "600"]) as process, completing(shell) as complete:
            assert complete("segmap quaint") == {"quaint-name"}
            assert str(process.pid) in complete(f"segmap {str(process.pid)[:-1]}")
            # A program's own arguments follow it.
            for line in ("segmap --explain trunca", "segmap --run trunca", "segmap --moment=exec --run trunca"):
                assert "truncate" in complete(line), line
            assert complete("segmap --run quaint") == set()
            assert complete("segmap --run truncate sav") == {"saved.maps"}


@segtest.parameters(*SHELLS)
def names_of_processes_are_not_executed(shell):
    with tempfile.TemporaryDirectory() as directory:
        witness = os.path.join(directory, "x")
        name = "$(>x)`>x`'\""
        program = os.path.join(directory, name)
        with open(segtest.which("sleep"), "rb") as source, open(program, "wb") as copy:
            copy.write(source.read())
        os.chmod(program, 0o755)
        with segtest.running([program, "600"]), completing(shell, directory) as complete:
            offered = {word.replace("\\", "") for word in complete("segmap ")}
            assert name in offered, sorted(offered)
        assert not os.path.exists(witness)


segtest.main()
