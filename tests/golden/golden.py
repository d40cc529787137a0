"""Saved maps of kernels and machines that are not here, annotated, against golden files.

    SEGMAP_GOLDEN_UPDATE=1 meson test -C build golden    # write the golden files anew

For each NAME.maps in this directory there is a NAME.expected. The files that
the maps speak of are written by fixtures/golden/make_elf.py, the same on every
machine; driver.c annotates, with the library alone.
"""
import glob
import os
import subprocess
import sys
import tempfile

import segtest

DRIVER = sys.argv.pop(1)
HERE = os.path.dirname(os.path.abspath(__file__))
GENERATOR = os.path.join(segtest.SOURCE, "fixtures", "golden", "make_elf.py")
NAMES = sorted(os.path.basename(path)[:-len(".maps")]
               for path in glob.glob(os.path.join(glob.escape(HERE), "*.maps")))

directory = tempfile.TemporaryDirectory(prefix="segmap-golden-")
subprocess.run([sys.executable, GENERATOR, directory.name], check=True)


def annotate(path):
    """What the driver makes of a saved map."""
    result = subprocess.run([DRIVER, directory.name, path], capture_output=True, check=False)
    assert result.returncode == 0 and not result.stderr, result.stderr.decode(errors="replace")
    return result.stdout.decode("utf-8")


@segtest.parameters(*NAMES)
def saved_map_is_annotated_as_ever(name):
    got = annotate(os.path.join(HERE, name + ".maps"))
    segtest.check_golden(os.path.join(HERE, name + ".expected"), got)


@segtest.claim
def every_map_has_its_golden_file_and_no_other_is_there():
    golden = sorted(os.path.basename(path)[:-len(".expected")]
                    for path in glob.glob(os.path.join(glob.escape(HERE), "*.expected")))
    assert golden == NAMES and len(NAMES) >= 10, (golden, NAMES)


@segtest.claim
def the_generator_writes_the_same_again():
    with tempfile.TemporaryDirectory(prefix="segmap-golden-") as again:
        subprocess.run([sys.executable, GENERATOR, again], check=True)
        for path in ("usr/bin/app", "bin/arm", "guest/program", "data/app/base.apk"):
            with open(os.path.join(again, path), "rb") as a, \
                    open(os.path.join(directory.name, path), "rb") as b:
                assert a.read() == b.read(), path


@segtest.claim
def readelf_takes_the_files_for_well_formed():
    readelf = segtest.which("readelf")
    checked = 0
    for root, _, files in os.walk(directory.name):
        for name in files:
            path = os.path.join(root, name)
            # Not what is made to be odd: no ELF file at offset 0, or sections that lie, or a
            # name that is too long.
            if len(path) > 1000 or name in ("base.apk", "liblying.so"):
                continue
            result = subprocess.run([readelf, "-lSnW", path], capture_output=True, check=False)
            assert result.returncode == 0 and not result.stderr, (path, result.stderr)
            checked += 1
    assert checked >= 15, checked


segtest.main()
