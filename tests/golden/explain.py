"""Predicted maps and stories of programs that are described header by header, against golden files.

    SEGMAP_GOLDEN_UPDATE=1 meson test -C build golden    # write the golden files anew

What the kernel adds of its own ([vvar], [vdso], [vsyscall]) differs from one to the next and is
left out; so are totals.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

import segtest

HERE = os.path.dirname(os.path.abspath(__file__))
GENERATOR = os.path.join(segtest.SOURCE, "fixtures", "golden", "make_programs.py")

# Golden file: arguments, exit status.
CASES = {
    "big-bss": (["./big-bss"], 0),
    "big-bss-exec": (["--moment=exec", "-q", "./big-bss"], 0),
    "big-bss-64k": (["--page-size", "65536", "./big-bss"], 1),
    "big-bss-no-aslr": (["--no-aslr", "-q", "--no-deps", "./big-bss"], 0),
    "big-bss-sections": (["-q", "-S", "./big-bss"], 0),
    "odd-segments": (["./odd-segments"], 0),
    "unaligned": (["./unaligned"], 1),
    "filesz-over-memsz": (["./filesz-over-memsz"], 1),
    "zero-past-end": (["./zero-past-end"], 1),
    "no-interpreter": (["./no-interpreter"], 1),
    "libholed": (["./libholed.so"], 0),
    "libmold": (["./libmold.so"], 0),
    "static-pie": (["--as=program", "./static-pie"], 0),
    "gold": (["./gold"], 0),
    "arm": (["-q", "./arm"], 0),
    "ppc": (["./ppc"], 0),
}

directory = tempfile.TemporaryDirectory(prefix="segmap-golden-")
subprocess.run([sys.executable, GENERATOR, directory.name], check=True,
               env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})


def explain(arguments):
    """Status and text, without what is another on each machine."""
    result = subprocess.run([segtest.SEGMAP, "--explain", *arguments], capture_output=True, check=False,
                            cwd=directory.name, env={"PATH": os.environ["PATH"], "COLUMNS": "100"})
    text = (result.stdout + result.stderr).decode()
    lines, inside = [], False
    for line in text.splitlines(True):
        kernels = re.search(r"\[v(var|dso|syscall)", line) and not line.startswith(" " * 6 + "The")
        # The names of the vdso's sections stand under it.
        under = inside and line.startswith("    ") and not re.search(r"[rw-][w-][x-]p ", line)
        inside = bool(kernels) or under
        if not inside and not line.startswith("total"):
            lines.append(line)
    text = re.sub(r"^bases:.*?at each run\n", "", "".join(lines), flags=re.S | re.M)
    text = re.sub(r"^ +\d+  vdso .*?map_vdso\)\n", "", text, flags=re.S | re.M)
    text = text.replace(os.confstr("CS_GNU_LIBC_VERSION"), "glibc 2.36")
    return result.returncode, text.replace(os.path.realpath(directory.name), "@DIRECTORY@")


@segtest.parameters(*CASES)
def a_program_is_explained_as_ever(name):
    arguments, status = CASES[name]
    got_status, got = explain(arguments)
    segtest.check_golden(os.path.join(HERE, "explained", name), got)
    assert got_status == status, got_status


@segtest.claim
def every_case_has_its_golden_file_and_no_other_is_there():
    golden = {os.path.basename(path) for path in glob.glob(os.path.join(glob.escape(HERE), "explained", "*"))}
    assert golden == set(CASES), golden ^ set(CASES)


segtest.main()
