"""What segmap --watch takes of one core while nothing happens. It reports; it judges nothing.

    meson test -C build --benchmark --verbose
    SEGMAP=build/segmap tests/bench/watch.py [SECONDS]

Processor time by /proc/PID/stat, after the first map was written; once a second, on a pipe and on a
terminal, with figures and without.
"""
import os
import pty
import subprocess
import sys
import time

SEGMAP = os.environ.get("SEGMAP") or "segmap"
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 20
GUEST = [sys.executable, "-c",
         "import json, ssl, sqlite3, time; print('ready', flush=True); time.sleep(100000)"]


def used(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def measure(pid, arguments, on_terminal):
    leader, follower = pty.openpty() if on_terminal else os.pipe()
    with subprocess.Popen([SEGMAP, "--watch", *arguments, str(pid)], stdin=subprocess.DEVNULL,
                          stdout=follower, env={**os.environ, "TERM": "xterm"}) as watcher:
        os.close(follower)
        os.read(leader, 1)
        os.set_blocking(leader, False)
        time.sleep(2)
        before, began = used(watcher.pid), time.monotonic()
        while time.monotonic() - began < SECONDS:
            try:
                os.read(leader, 1 << 20)
            except BlockingIOError:
                pass
            time.sleep(0.2)
        share = (used(watcher.pid) - before) / (time.monotonic() - began)
        watcher.terminate()
        watcher.wait()
    os.close(leader)
    return share


with subprocess.Popen(GUEST, stdout=subprocess.PIPE) as guest:
    try:
        guest.stdout.readline()
        with open(f"/proc/{guest.pid}/maps", encoding="utf-8") as maps:
            print(f"python3 with {len(maps.readlines())} VMAs, looked at once a second for {SECONDS:g} s")
        for name, options, terminal in (("on a pipe", [], False), ("on a terminal", [], True),
                                        ("-x, on a pipe", ["-x"], False)):
            print(f"{name:16} {100 * measure(guest.pid, options, terminal):.3f} % of one core")
    finally:
        guest.kill()
