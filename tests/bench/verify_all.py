#!/usr/bin/env python3
"""Predict and run every program of this machine: segmap --explain --verify on each of them.

    tests/bench/verify_all.py [DIRECTORY...]     default: /usr/bin /usr/sbin /usr/libexec, and below

SEGMAP names the program under test (default build/segmap). Prints what differs, and the counts. Exits 1 if
anything differs. Every program is really started, with /dev/null for its streams, and killed at its entry
point: constructors of its libraries have run by then.
"""
import collections
import json
import os
import subprocess
import sys
import time

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SEGMAP = os.environ.get("SEGMAP") or os.path.join(SOURCE, "build", "segmap")


def programs(directories):
    """ELF files that may be executed, each once."""
    seen = set()
    for top in directories:
        for directory, _, names in os.walk(top):
            for name in sorted(names):
                path = os.path.join(directory, name)
                if os.path.islink(path) or not os.path.isfile(path) or not os.access(path, os.X_OK | os.R_OK):
                    continue
                info = os.stat(path)
                with open(path, "rb") as file:
                    if file.read(4) == b"\x7fELF" and (info.st_dev, info.st_ino) not in seen:
                        seen.add((info.st_dev, info.st_ino))
                        yield path


def verify(path, counts):
    result = subprocess.run([SEGMAP, "--explain", "--verify", "-J", "--", path], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=300)
    if result.returncode == 2 and b"library" in result.stderr:
        counts["libraries, which are not run"] += 1
        return
    counts["programs"] += 1
    counts[f"  exit status {result.returncode}"] += 1
    documents = [json.loads(line) for line in result.stdout.decode().splitlines()]
    for document in documents:
        for image in document["images"]:
            counts[f"  images at {document['moment']}: {image['role']}"] += 1
        counts["  VMAs of images"] += sum(vma["image"] is not None for vma in document["vmas"])
        counts["  differences"] += len(document["differences"])
        for change in document["differences"]:
            print(f"{path}, {document['moment']}: {change}")
        counts["  opened by constructors"] += sum("dlopen" in note for note in document["notes"])
    if result.returncode and not any(document["differences"] for document in documents):
        print(f"{path}: exit status {result.returncode}: {result.stderr.decode(errors='replace').strip()}")


def main():
    counts, began = collections.Counter(), time.monotonic()
    for path in programs(sys.argv[1:] or ["/usr/bin", "/usr/sbin", "/usr/libexec"]):
        verify(path, counts)
    for what, count in counts.items():
        print(f"{count:7} {what}")
    print(f"{time.monotonic() - began:7.1f} s")
    sys.exit(1 if counts["  differences"] or not counts["programs"] else 0)


if __name__ == "__main__":
    main()
