"""A process that does what it is told to its memory: fixtures/scenarios/obedient.c."""
import contextlib
import os
import subprocess

import segtest

PROGRAM = os.environ.get("OBEDIENT") or os.path.join(segtest.BUILD, "tests", "obedient")


class Obedient:
    def __init__(self, process):
        self.process = process
        self.pid = process.pid

    def tell(self, line):
        """Returns once it is done."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer == b"done\n", (line, answer)

    def tell_last(self, line):
        """Something that it does not come back from."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()


@contextlib.contextmanager
def obedient(program=PROGRAM, **options):
    with segtest.running([program], ready=b"ready", stdin=subprocess.PIPE, **options) as process:
        try:
            yield Obedient(process)
        finally:
            process.stdin.close()


def some_library():
    """A library that nothing here has loaded."""
    for name in ("libz.so.1", "libbz2.so.1.0", "liblzma.so.5", "libm.so.6"):
        for directory in ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/lib"):
            path = os.path.join(directory, name)
            if os.path.exists(path):
                return os.path.realpath(path)
    raise segtest.Skip("needs libz, libbz2, liblzma or libm")
