#!/usr/bin/env python3
"""The key of --quiz, compared with what it was not made from.

Rows, permissions, offsets and anonymous memory: the maps of a real run (stop.c). Sections, program
headers and where RELRO ends: readelf.
"""
import json
import os
import re
import subprocess
import sys

import segtest

STOP = os.path.join(segtest.BUILD, "tests/predict/predict-stop")
SEEDS = range(5)  # enough that each question is asked of most programs
PAGE = os.sysconf("SC_PAGE_SIZE")


def zoo():
    sys.path.insert(0, os.path.join(segtest.SOURCE, "tests", "zoo"))
    import build
    return build.build(os.path.join(segtest.BUILD, "zoo"))


def down(address):
    return address & -PAGE


def up(address):
    return down(address + PAGE - 1)


class File:
    """What readelf says of a program."""

    def __init__(self, path):
        text = subprocess.run(["readelf", "-lSW", path], stdout=subprocess.PIPE, check=True, timeout=60,
                              stderr=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"}).stdout.decode()
        number = r"(?:0x)?([0-9a-f]+)"
        # Name, type, address, offset, size, entry size, flags.
        self.sections = [(m[1], int(m[3], 16), int(m[5], 16)) for m in re.finditer(
            rf"^ +\[ *\d+\] (\S+) +(\S+) +{number} {number} {number} [0-9a-f]+ +(\w*)", text, re.MULTILINE)
            if "A" in m[6] and not ("T" in m[6] and m[2] == "NOBITS") and int(m[5], 16)]
        self.headers = [(m[1], *(int(m[i], 16) for i in (2, 3, 4, 5))) for m in re.finditer(
            rf"^  ([A-Z_]+) +{number} {number} 0x[0-9a-f]+ {number} {number} ", text, re.MULTILINE)]
        interpreter = re.search(r"Requesting program interpreter: (.*)\]", text)
        self.interpreter = os.path.realpath(interpreter[1]) if interpreter else None
        self.relocatable = re.search(r"Elf file type is (\w+)", text)[1] == "DYN"

    def loads(self):
        """(number in the table, offset, vaddr, filesz, memsz) of each PT_LOAD."""
        return [(i, *header[1:]) for i, header in enumerate(self.headers) if header[0] == "LOAD"]


def run(program, *options):
    """By moment the rows of its map as (start, end, perms, offset, path)."""
    text = subprocess.run([STOP, *options, program], stdout=subprocess.PIPE, check=True, timeout=60,
                          stdin=subprocess.DEVNULL).stdout.decode("utf-8", "surrogateescape")
    moments = {}
    for line in text.splitlines():
        words = line.split(None, 5)
        if words[0] == "moment":
            rows = moments.setdefault(words[1], [])
        elif "-" in words[0]:
            start, end = (int(x, 16) for x in words[0].split("-"))
            rows.append((start, end, words[1], int(words[2], 16), words[5] if len(words) > 5 else ""))
    return moments


class Witness:
    """What is right, for each kind of question."""

    def __init__(self, program):
        self.path, self.file = os.path.realpath(program), File(program)
        # A static program protects its RELRO itself, after its entry point, unless it has no C library.
        starts = not self.file.interpreter and "freestanding" not in program
        moments = run(program, *(["-s"] if starts else []))
        self.exec, self.entry = moments["exec"], moments.get("started", moments["entry"])
        first = min(vaddr for _, _, vaddr, _, _ in self.file.loads())
        mapped = next(row for row in self.exec if row[4] == self.path or self.is_first(row))
        self.bias = mapped[0] - down(first)

    def is_first(self, row):
        """Its lowest segment can have no bytes in the file."""
        first = min(self.file.loads(), key=lambda load: load[2])
        return not first[3] and row[4] == "" and row[1] - row[0] == up(first[4])

    def rows(self, question):
        return sum(row[4] == self.path for row in self.entry)

    def rows_at_exec(self, question):
        return sum(row[4] == self.path for row in self.exec)

    def rows_with_interpreter(self, question):
        return sum(row[4] in (self.path, self.file.interpreter) for row in self.entry)

    def anonymous(self, question):
        """What lies unnamed among and behind its segments."""
        low = min(down(vaddr) for _, _, vaddr, _, _ in self.file.loads()) + self.bias
        high = max(up(vaddr + memsz) for _, _, vaddr, _, memsz in self.file.loads()) + self.bias
        return sum(min(end, high) - max(start, low) for start, end, _, _, path in self.entry
                   if path == "" and start < high and end > low)

    def relro_end(self, question):
        _, _, vaddr, _, memsz = next(h for h in self.file.headers if h[0] == "GNU_RELRO")
        end = down(vaddr + memsz) + self.bias
        assert any(row[0] <= end - 1 < row[1] and row[2][:2] == "r-" for row in self.entry), self.entry
        return hex(end - self.bias if self.file.relocatable else end)

    def range(self, question):
        """Of the question's row, in the file's own addresses."""
        start, end = (int(question["row"][side], 16) for side in ("start", "end"))
        assert (question["row"]["base"] == "image") == self.file.relocatable, question
        return start, end

    def real(self, question):
        start, end = self.range(question)
        return next(row for row in self.entry if row[:2] == (start + self.bias, end + self.bias))

    def perms(self, question):
        return self.real(question)[2]

    def offset(self, question):
        return self.real(question)[3]

    def segment(self, question):
        start, _ = self.range(question)
        return next(i for i, _, vaddr, _, memsz in self.file.loads()
                    if down(vaddr) <= start < up(vaddr + memsz))

    def sections(self, question):
        start, end = self.range(question)
        return sorted({name for name, address, size in self.file.sections
                       if address < end and address + size > start})


def check(program, seen):
    witness = Witness(program)
    for seed in segtest.some(SEEDS):
        result = segtest.segmap("--quiz", "-J", f"--seed={seed}", program)
        assert result.status == 0, result.error_text
        document = json.loads(result.text)
        segtest.validate(document)
        for question, key in zip(document["questions"], document["key"], strict=True):
            right = getattr(witness, question["kind"].replace("-", "_"))(question)
            answer = sorted(key["answer"]) if question["kind"] == "sections" else key["answer"]
            assert answer == right, (program, seed, question, key["answer"], right)
            seen.add(question["kind"])


def may_trace():
    return subprocess.run([STOP, "/bin/true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          stdin=subprocess.DEVNULL, check=False, timeout=60).returncode == 0


@segtest.claim
def the_key_is_what_readelf_and_a_real_run_say():
    segtest.which("readelf")
    if not may_trace():
        raise segtest.Skip("needs to trace its own children")
    seen, wrong, n = set(), [], 0
    for name, entry in sorted(zoo().items()):
        if entry["status"] != "built":
            continue
        n += 1
        try:
            check(entry["program"], seen)
        except (AssertionError, StopIteration) as error:
            wrong.append(f"{name}: {error!r}")
    assert not wrong, "\n".join(wrong)
    assert n >= 20 and len(seen) == 9, (n, seen)


segtest.main()
