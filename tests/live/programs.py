"""The programs that the tests of this folder look at: the zoo, and some that people run."""
import functools
import os
import signal
import sys

import segtest

sys.path.insert(0, os.path.join(segtest.SOURCE, "tests", "zoo"))
import build as zoo  # noqa: E402

PYTHON_MODULES = ("ssl sqlite3 ctypes _decimal json lzma bz2 hashlib curses readline zlib multiprocessing "
                  "_multiprocessing mmap _asyncio _queue _uuid _dbm termios resource")
PROGRAMS = {
    "bash": ["bash", "--norc", "--noprofile", "-c", "echo ready; read line"],
    "perl": ["perl", "-e", "use POSIX; use Socket; use Fcntl; $| = 1; print qq(ready\\n); sleep 600"],
    # Modules that a distribution leaves out are left out here too; a claim below wants a dozen of them.
    "python3": ["/usr/bin/python3", "-I", "-c", f"""
import importlib, time
for name in {PYTHON_MODULES!r}.split():
    try:
        importlib.import_module(name)
    except ImportError:
        pass
print("ready", flush=True)
time.sleep(600)"""],
    "node": ["node", "-e",
             "require('crypto'); require('zlib'); console.log('ready'); setInterval(() => {}, 1e6)"],
}
ZOO = segtest.some(row.name for row in zoo.TABLE)
ALL = ZOO + list(PROGRAMS)



@functools.lru_cache(maxsize=1)
def zoo_manifest():
    return zoo.build(os.path.join(segtest.BUILD, "zoo"))


def zoo_variant(name):
    variant = zoo_manifest()[name]
    if variant["status"] == "missing":
        raise segtest.Skip(variant["why"])
    assert variant["status"] == "built", variant["why"]
    return variant


def command_of(name):
    if name in PROGRAMS:
        return [segtest.which(PROGRAMS[name][0]), *PROGRAMS[name][1:]]
    return [zoo_variant(name)["program"]]


def stop(pid):
    """Stop all threads, so that a program with work of its own does not change between two looks."""
    def stopped(task):
        with open(f"/proc/{pid}/task/{task}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()[0] in "Tt"
    os.kill(pid, signal.SIGSTOP)
    segtest.wait_until(lambda: all(map(stopped, os.listdir(f"/proc/{pid}/task"))), "all threads stopped")
