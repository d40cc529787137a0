"""What the kernel and pmap say about a process's memory, each read without segmap's help.

Figures are bytes, addresses ints. The page of zeros is known here by its frame in /proc/kpageflags, as
root sees it; segmap asks PAGEMAP_SCAN.
"""
import os
import re
import struct
import subprocess

import segtest

PAGE = os.sysconf("SC_PAGE_SIZE")
KPF_ZERO_PAGE = 1 << 24     # <linux/kernel-page-flags.h>


def smaps(pid, name="smaps"):
    """{start of VMA: {field as the kernel has it: bytes or number, "VmFlags": list, "name": str}}."""
    found, current = {}, None
    with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            if match := re.match(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \d+ *(.*)", line):
                current = found[int(match.group(1), 16)] = {"end": int(match.group(2), 16),
                                                           "name": match.group(3)}
                continue
            field, value = line.split(":", 1)
            words = value.split()
            if field == "VmFlags":
                current[field] = words
            else:
                current[field] = int(words[0]) * (1024 if words[1:] == ["kB"] else 1)
    return found


def rollup(pid):
    return next(iter(smaps(pid, "smaps_rollup").values()))


def pages(pid, start, end):
    """(present, anonymous, exclusive, swapped, times mapped) for each page, from pagemap and kpagecount;
    pages of zeros count as absent."""
    segtest.need_root()
    found = []
    with open(f"/proc/{pid}/pagemap", "rb") as file, open("/proc/kpageflags", "rb") as flags, \
            open("/proc/kpagecount", "rb") as counts:
        file.seek(start // PAGE * 8)
        for (word,) in struct.iter_unpack("=Q", file.read((end - start) // PAGE * 8)):
            present, swapped, is_file = word >> 63 & 1, word >> 62 & 1, word >> 61 & 1
            count = 0
            if present:
                counts.seek((word & (1 << 55) - 1) * 8)
                count = struct.unpack("=Q", counts.read(8))[0]
                flags.seek((word & (1 << 55) - 1) * 8)
                if struct.unpack("=Q", flags.read(8))[0] & KPF_ZERO_PAGE:
                    present = 0
            found.append((present, present and not is_file, present and word >> 56 & 1, swapped, count))
    return found


def share(pages_of_vma, vma_start, start, end):
    """How many of the bytes [start, end) lie on pages that are rss, anonymous, private, swap."""
    sums = [0, 0, 0, 0]
    for index in range((start - vma_start) // PAGE, (end - vma_start + PAGE - 1) // PAGE):
        at = vma_start + index * PAGE
        size = min(end, at + PAGE) - max(start, at)
        for i in range(4):
            sums[i] += size if pages_of_vma[index][i] else 0
    return dict(zip(("rss", "anonymous", "private", "swap"), sums))


def pss(pages_of_vma, vma_start, start, end):
    """The share of the bytes [start, end): each page's by how often it is mapped, not rounded."""
    total = 0
    for index in range((start - vma_start) // PAGE, (end - vma_start + PAGE - 1) // PAGE):
        at = vma_start + index * PAGE
        if pages_of_vma[index][0]:
            total += (min(end, at + PAGE) - max(start, at)) / max(1, pages_of_vma[index][4])
    return total


def pmap(option, pid):
    """pmap's headings, and its rows by start address: lists as long as the headings, the last is the name."""
    text = subprocess.run([segtest.which("pmap"), option, "-p", str(pid)], check=True, encoding="utf-8",
                          errors="surrogateescape", stdout=subprocess.PIPE,
                          env=dict(os.environ, LC_ALL="C")).stdout.splitlines()
    headings, rows = text[1].split(), {}
    for line in text[2:]:
        if re.match(r" *[0-9a-f]{8,} ", line):
            fields = line.split(None, len(headings) - 1)
            rows[int(fields[0], 16)] = fields
    return headings, rows
