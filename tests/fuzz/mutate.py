"""Mutated files through the program itself: no signal, no hang over a second, no invalid JSON.

    SEGMAP_MUTATIONS=100000 SEGMAP_SEED=7 SEGMAP_CPU_LIMIT=1 mutate.py

Each file is one of those of make_seeds.py or a small program of this machine, changed where it hurts:
fields of its headers, dynamic entries and notes get values that parsers fear, or it is cut short, or
spliced with another. They go through segmap ten at a time, half of them by --explain, half by --maps with a map
that names them, in one of the forms. The seed is printed: with it the same files come again.
"""
import json
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time

import segtest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_seeds  # noqa: E402

COUNT = int(os.environ.get("SEGMAP_MUTATIONS", "300"))
SEED = int(os.environ.get("SEGMAP_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
# Seconds of processor time for a batch. By default it only tells what hangs: how fast the machine is, and
# whether there are sanitizers, must not matter. Where it is known, a second is much.
CPU_LIMIT = int(os.environ.get("SEGMAP_CPU_LIMIT", "30"))
STATUSES = {0, 1, 64}
BATCH = 10
VALUES = [0, 1, 2, 7, 0x7f, 0x80, 0xff, 0xfff, 0x1000, 0x1001, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff,
          0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffff, 0x7fffffffffffffff, 0x8000000000000000,
          0xfffffffffffff000, 0xffffffffffffffff]
FORMS = [["-J"], ["-J"], ["-J", "-p"], ["-r", "-S"], ["-S", "-p"]]
CONTROLS = {chr(c) for c in (*range(32), *range(0x7f, 0xa0))} - {"\n"}
OF_MAPS = FORMS + [["--summary"], ["--summary", "-J"]]


def originals():
    """Files to begin with: those of all kinds, and the smallest of this machine's programs."""
    files = [elf.bytes() for _, elf in make_seeds.elves()]
    for path in ("/bin/true", "/bin/echo"):
        with open(path, "rb") as file:
            files.append(file.read())
    return files


class Mutator:
    """Changes to one file; little-endian, whatever it is: the others are for the bytes' sake."""

    def __init__(self, rng, data, others):
        self.rng, self.data, self.others = rng, bytearray(data), others
        self.is_64 = data[4:5] == b"\2"

    def put(self, at, size):
        value = self.rng.choice(VALUES + [len(self.data), len(self.data) - 1, self.rng.getrandbits(64)])
        value = (value + self.rng.choice([0, 0, 0, 1, -1])) % (1 << 8 * size)
        if 0 <= at <= len(self.data) - size:
            self.data[at:at + size] = value.to_bytes(size, "little")

    def table(self, which):
        """(offset, entry size, count) of the program (0) or section (1) headers, as far as they are there."""
        form, places = ("<Q", (32, 40)) if self.is_64 else ("<I", (28, 32))
        if len(self.data) < 64:
            return 0, 1, 0
        at = struct.unpack_from(form, self.data, places[which])[0]
        count = struct.unpack_from("<H", self.data, (56, 60)[which] if self.is_64 else (44, 48)[which])[0]
        size = ((56, 64) if self.is_64 else (32, 40))[which]
        return (at, size, min(count, 64)) if at + size <= len(self.data) else (0, 1, 0)

    def header(self):
        self.put(self.rng.choice([4, 5, 6, 16, 18, 20]) if self.rng.random() < 0.3 else
                 self.rng.randrange(16, 64, 2), self.rng.choice([1, 2, 4, 8]))

    def row(self):
        at, size, count = self.table(self.rng.randrange(2))
        if count:
            width = self.rng.choice([4, 8]) if self.is_64 else 4
            self.put(at + size * self.rng.randrange(count) + self.rng.randrange(0, size, width), width)

    def word(self):
        """In what headers lead to: the dynamic section, notes, versions, strings."""
        at, size, count = self.table(0)
        if not count or not self.is_64:
            self.put(self.rng.randrange(max(1, len(self.data))), self.rng.choice([1, 2, 4, 8]))
            return
        row = at + size * self.rng.randrange(count)
        offset, filesz = struct.unpack_from("<Q16xQ", self.data, row + 8) if row + 56 <= len(self.data) else (0, 1)
        self.put(offset + 4 * self.rng.randrange(max(1, min(filesz, 4096) // 4)), self.rng.choice([4, 8]))

    def cut(self):
        if self.rng.random() < 0.3:
            del self.data[self.rng.randrange(len(self.data) + 1):]

    def splice(self):
        other = self.rng.choice(self.others)
        if self.rng.random() < 0.3:
            start = self.rng.randrange(len(other))
            piece = other[start:start + self.rng.randrange(1, 512)]
            at = self.rng.randrange(len(self.data) + 1)
            self.data[at:at + (len(piece) if self.rng.random() < 0.7 else 0)] = piece

    def mutate(self):
        for _ in range(self.rng.choice([1, 1, 2, 3, 5, 10])):
            self.rng.choice([self.header, self.row, self.row, self.row, self.word, self.word, self.cut,
                             self.splice])()
        return bytes(self.data)


def run(command, directory):
    """Status, standard output and error, and seconds of processor time."""
    with open(os.path.join(directory, "out"), "w+b") as out, open(os.path.join(directory, "err"), "w+b") as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            resource.prlimit(process.pid, resource.RLIMIT_CPU, (60, 60))  # what does not end is ended
        except ProcessLookupError:
            pass
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        return process.returncode, out.read(), err.read(), usage.ru_utime + usage.ru_stime


def no_key_twice(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), keys
    return dict(pairs)


def check(command, numbers, directory):
    """Run it; what it says is checked. Returns the seconds."""
    for _ in range(3):  # on a machine that is very busy a process is now and then charged with what is not its own
        status, out, err, seconds = run(command, directory)
        if seconds <= CPU_LIMIT:
            break
    what = f"numbers {numbers} of seed {SEED}, {' '.join(command[1:])}: "
    assert status in STATUSES, what + f"status {status}\n{err.decode(errors='replace')}"
    assert seconds <= CPU_LIMIT, what + f"{seconds} seconds"
    for text in (out, err):
        assert CONTROLS.isdisjoint(text.decode("utf-8")), what + text.decode("utf-8")
    for line in err.decode().splitlines():
        assert line.startswith("segmap: "), what + line
    if "-J" in command:
        for line in out.decode("utf-8").splitlines():
            document = json.loads(line, object_pairs_hook=no_key_twice)
            if numbers.start % 100 < 2 * BATCH:
                segtest.validate(document)
                # Predicted from a base on, what lies before it has an address modulo 2^64.
                if document.get("source") == "maps":
                    segtest.check_layout(document)
    return seconds


def lines_of(name, data, at):
    """Lines of a map that names the file as a loader would have mapped it at @at, more or less."""
    lines, mutator, end = [], Mutator(random, data, []), at
    start, size, count = mutator.table(0)
    for i in range(count):
        row = bytes(data[start + size * i:start + size * (i + 1)])
        if len(row) < size or not mutator.is_64:
            break
        kind, flags, offset, vaddr, _, filesz = struct.unpack_from("<IIQQQQ", row)
        begin = at + (vaddr & -4096) % (1 << 32)
        if kind == 1 and begin >= end:
            perms = "".join(c if flags & bit else "-" for c, bit in (("r", 4), ("w", 2), ("x", 1))) + "p"
            end = begin + 4096 * max(1, (filesz % (1 << 24) + vaddr % 4096 + 4095) // 4096)
            lines.append(f"{begin:x}-{end:x} {perms} {offset & 0xfffffffff000:08x} 08:01 {at >> 33} /{name}\n")
    return lines or [f"{at:x}-{at + 8192:x} r-xp 00000000 08:01 {at >> 33} /{name}\n"]


def damaged(numbers, files, directory):
    """Make the files of these numbers: their names and bytes."""
    for number in numbers:
        rng = random.Random(SEED << 32 | number)
        data = Mutator(rng, rng.choice(files), files).mutate()
        name = f"file{number % BATCH}"
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)
        os.chmod(file.name, 0o755)
        yield name, data


def command_for(numbers, files, directory):
    """Half of the batches are explained, half are in a map."""
    rng = random.Random(SEED << 32 | numbers.start)
    made = list(damaged(numbers, files, directory))
    if numbers.start // BATCH % 2:
        how = rng.choice(["--as=library", "--as=program", "--no-deps", "--moment=exec,entry"])
        return [segtest.SEGMAP, "--explain", *rng.choice(FORMS), how,
                *(os.path.join(directory, name) for name, _ in made)]
    maps = os.path.join(directory, "maps")
    with open(maps, "w", encoding="ascii") as file:
        for i, (name, data) in enumerate(made):
            file.writelines(lines_of(name, data, 0x7f0000000000 + (i << 33)))
    return [segtest.SEGMAP, *rng.choice(OF_MAPS), "--maps", maps, "--sysroot", directory]


@segtest.claim
def mutated_files_end_in_a_map_or_a_message():
    print(f"seed {SEED}, {COUNT} files", flush=True)
    files = originals()
    began, longest = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="segmap-mutate-") as directory:
        for first in range(0, COUNT, BATCH):
            numbers = range(first, min(first + BATCH, COUNT))
            longest = max(longest, check(command_for(numbers, files, directory), numbers, directory))
            if first % (50 * BATCH) == 0:
                print(f"{numbers.stop} files", flush=True)
    print(f"{COUNT / (time.monotonic() - began):.0f} files a second; the longest run took {longest:.2f} s")


segtest.main()
