"""Processes that never stand still: row 26 of the hard cases.

segmap is run many times on processes that start, exec, map and exit all the time. It may say that
there is nothing to show, or that the process changed while it was read; it may not crash, hang,
print what is no JSON, or show two moments as one. SEGMAP_STRESS is how many runs there are in all
(300); every kind of process has its share, an exec the largest: it is met by one run in a hundred.
"""
import contextlib
import itertools
import json
import os
import random
import shutil
import subprocess

import segtest
from situations import (Seen, assert_error_lines, assert_safe, library, own, scenario_program,
                        situation, uid_of, workspace)

RUNS = int(os.environ.get("SEGMAP_STRESS", "300"))
SECONDS = 20  # for one run of segmap: far more than it needs, and no hang

# The schema check takes ten times as long as segmap itself: not every document has it.
check_schema = itertools.cycle([True] + [False] * 9)


def share(part):
    return range(max(1, int(RUNS * part)))


def run(*arguments, who="any"):
    """Run segmap; check what holds whatever became of the process; return the documents."""
    as_json = "-J" in arguments
    result = segtest.segmap(*arguments, as_user=uid_of(who), timeout=SECONDS)
    assert result.status in (0, 1, 64), (
        f"{arguments}: exit status {result.status}: {result.error_text}")
    assert_error_lines(result)
    assert bool(result.err) == (result.status != 0), (
        f"{arguments}: status {result.status}, standard error {result.error_text!r}")
    assert bool(result.out) == (result.status != 1), (
        f"{arguments}: status {result.status}, standard output {result.text[:200]!r}")
    if not as_json:
        assert_safe(result.out)
        return []
    documents = [json.loads(line) for line in result.out.decode("utf-8").splitlines()]
    for document in documents:
        if next(check_schema):
            segtest.validate(document)
        segtest.check_layout(document)
    return documents


@contextlib.contextmanager
def two_programs(who):
    """Two programs that execute each other: (process, {program: its library})."""
    with workspace(who) as directory:
        apple, pear = (os.path.join(directory, name) for name in ("apple", "pear"))
        libraries = {apple: library(apple + ".so"), pear: library(pear + ".so", tag="pear")}
        for path in libraries:
            shutil.copy(scenario_program(), path)
            own(who, path, libraries[path])
        with situation("exec-loop", apple, libraries[apple], pear, libraries[pear],
                       executable=apple, who=who) as running:
            yield running, libraries


def assert_one_moment(document, libraries):
    """What is shown is of one of the two programs, or is said to be mixed; is it of one?"""
    if document.get("changed"):
        assert document.get("notes"), "changed, and no word about it"
        return False
    seen = Seen(document)
    shown_of = {"command": set((document.get("command") or [])[:1]),
                "comm": {os.path.join(os.path.dirname(program), document["comm"] or "")
                         for program in libraries},
                "images": {i["path"] for i in seen.images},
                "vmas": {v.get("name") for v in seen.vmas}}
    found = {what: sorted(program for program, its_library in libraries.items()
                          if {program, its_library} & names)
             for what, names in shown_of.items()}
    programs = set().union(*found.values())
    assert len(programs) <= 1, f"two moments in one answer: {found}"
    return bool(programs)


@segtest.parameters("root", "user")
def exec_while_reading_is_said_or_does_not_show(who):
    whole = 0
    with two_programs(who) as (running, libraries):
        for _ in share(0.35):
            for document in run("-J", str(running.pid), who=who):
                whole += assert_one_moment(document, libraries)
    assert whole, "not one answer shows the process: what was tested?"


@segtest.claim
def maps_that_change_while_they_are_read_break_nothing():
    with workspace() as directory:
        path = library(os.path.join(directory, "lib.so"))
        with situation("map-loop", path) as running:
            for index in share(0.1):
                run(*(["-J"] if index % 4 else []), str(running.pid))


@segtest.claim
def process_that_exits_while_it_is_read_is_shown_or_reported():
    dice = random.Random(3)
    statuses = set()
    with workspace() as directory:
        path = library(os.path.join(directory, "lib.so"))
        for index in share(0.1):
            # Microseconds; with sanitizers segmap itself takes longer.
            life = dice.randrange(dice.choice((500, 5000, 100000)))
            process = subprocess.Popen(
                [scenario_program(), "short-lived", path, str(life)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            try:
                documents = run(*(["-J"] if index % 4 else []), str(process.pid))
                statuses.add(bool(documents))
            finally:
                process.wait()
    assert True in statuses or RUNS < 100, "not one answer shows a process: what was tested?"


@segtest.claim
def some_of_many_restless_processes_are_shown():
    with two_programs("any") as (execs, libraries), workspace() as directory:
        path = library(os.path.join(directory, "lib.so"))
        with situation("map-loop", path) as maps, situation("plain") as still:
            for _ in share(0.1):
                brief = subprocess.Popen([scenario_program(), "short-lived", path, "500"],
                                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
                try:
                    targets = (execs.pid, maps.pid, brief.pid, still.pid)
                    found = run("-J", *map(str, targets))
                finally:
                    brief.wait()
                assert still.pid in [d["pid"] for d in found], "it stood still"
                for document in found:
                    assert_one_moment(document, libraries)


if __name__ == "__main__":
    segtest.main()
