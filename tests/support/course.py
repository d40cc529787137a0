"""The course in docs/course: its lessons, and the place in which their commands are typed."""
import contextlib
import glob
import os
import shutil
import subprocess
import tempfile

import segtest

DIRECTORY = os.path.join(segtest.SOURCE, "docs", "course")
LESSONS = sorted(os.path.basename(path) for path in glob.glob(os.path.join(glob.escape(DIRECTORY), "[0-9]*.md")))
PAGES = ["README.md", *LESSONS]


@contextlib.contextmanager
def programs():
    """A directory with fixtures/course in it, and the programs built there as a student builds them."""
    segtest.which("gcc")
    with tempfile.TemporaryDirectory(prefix="segmap-course-") as directory:
        place = os.path.join(directory, "fixtures", "course")
        shutil.copytree(os.path.join(segtest.SOURCE, "fixtures", "course"), place,
                        ignore=lambda _, names: [name for name in names if not is_source(name)])
        subprocess.run([os.path.join(place, "build")], check=True, stdout=subprocess.DEVNULL, timeout=240)
        yield directory


def is_source(name):
    """Not what a build in the tree has left there."""
    return name.endswith(".c") or name == "build"


@contextlib.contextmanager
def place_of(page, built):
    """Where the commands of @page begin: in a copy of the programs, for they change them."""
    with tempfile.TemporaryDirectory(prefix="segmap-course-") as directory:
        shutil.copytree(os.path.join(built, "fixtures"), os.path.join(directory, "fixtures"))
        yield directory if page == "README.md" else os.path.join(directory, "fixtures", "course")
