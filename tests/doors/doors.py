"""What the tests of other sources than a live process share."""
import contextlib
import os
import subprocess
import sys
import tempfile

import segtest

sys.path.insert(0, os.path.join(segtest.SOURCE, "tests", "zoo"))
import build as zoo  # noqa: E402


def zoo_entry(name):
    """A variant of the zoo, built if need be; Skip where this machine cannot make it."""
    entry = zoo.build(os.path.join(segtest.BUILD, "zoo"), [name])[name]
    if entry["status"] == "missing":
        raise segtest.Skip(f"{name}: {entry['why']}")
    assert entry["status"] == "built", entry
    return entry


@contextlib.contextmanager
def zoo_running(name):
    """The variant's program, started and waiting."""
    with segtest.running([zoo_entry(name)["program"]], ready=b"ready") as process:
        yield process


@contextlib.contextmanager
def workspace():
    with tempfile.TemporaryDirectory(prefix="segmap-doors-") as directory:
        yield os.path.realpath(directory)


def compiled(path, *flags, source="int main(void) { return 0; }\n", compiler="gcc"):
    """A program or library from this source, at this path."""
    result = subprocess.run([segtest.which(compiler), "-x", "c", "-", "-o", path, *flags],
                            input=source.encode(), capture_output=True, check=False)
    if result.returncode:
        raise segtest.Skip(f"{compiler} {' '.join(flags)}: "
                           + result.stderr.decode("utf-8", "replace").strip()[:200])
    return path


SIMPLE = """int data[1000] = { 1 }; int bss[1000]; const int constant = 4;
void _start(void); void _start(void) { for (;;) data[0] = bss[1] + constant; }
"""


def loads(path):
    """PT_LOADs by readelf: (offset, vaddr, filesz, memsz, flags)."""
    lines = subprocess.run([segtest.which("readelf"), "-lW", path], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    return [(int(f[1], 16), int(f[2], 16), int(f[4], 16), int(f[5], 16), "".join(f[6:-1]))
            for f in (line.split() for line in lines) if f and f[0] == "LOAD"]


def described(document, vma):
    """What is said of a VMA of an image, without what depends on the source."""
    images = document["images"]
    image = vma.get("image")
    pieces = [(p["start"], p["end"], p["kind"], p["name"], p.get("offset"), p.get("clipped", False))
              for p in vma["pieces"]]
    return {"start": vma["start"], "end": vma["end"], "perms": vma["perms"], "kind": vma["kind"],
            "image": None if image is None else images[image]["path"],
            "bias": None if image is None else images[image]["bias"],
            "segment": vma.get("segment"), "pieces": pieces}


def sections(document):
    """(image, section, start, end) of every section and part, joined over VMAs."""
    found = {}
    for vma in document["vmas"]:
        for piece in vma["pieces"]:
            if piece["kind"] != "section":
                continue
            image = document["images"][piece.get("image", vma["image"])]
            key = (image["path"], image["bias"], piece["name"])
            start, end = int(piece["start"], 16), int(piece["end"], 16)
            if key in found and found[key][-1][1] == start:
                found[key][-1] = (found[key][-1][0], end)
            else:
                found.setdefault(key, []).append((start, end))
    return found


def check_message(result, status, *words):
    """One line on standard error that says these words, nothing on standard output."""
    lines = result.error_text.splitlines()
    assert result.status == status, (result.status, lines)
    assert result.out == b"", result.out[:200]
    assert len(lines) == (2 if status == 2 else 1) and lines[0].startswith("segmap: "), lines
    for word in words:
        assert str(word) in lines[0], (word, lines)
