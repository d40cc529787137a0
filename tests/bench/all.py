"""How long segmap --all takes beside cat of all smaps files, and pmap -X. It reports; it judges nothing.

    meson test -C build --benchmark --verbose
    SEGMAP=build/segmap tests/bench/all.py [NUMBER]

500 processes of three kinds (sleep, bash, python3 with a few extension modules) run in a PID
namespace of their own, so that --all means those. pmap takes at most 255 processes at a
time. The commands run in turn; a ratio is the median of the rounds' own.

Exits 0, 77 where pmap or the right to make a PID namespace is missing, 1 where
something could not run.
"""
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time

SEGMAP = os.environ.get("SEGMAP") or "segmap"
NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
BATCH = 250
KINDS = [
    ["sleep", "100000"],
    ["sleep", "100000"],
    [sys.executable, "-c", "import json, ssl, sqlite3, time; time.sleep(100000)"],
    ["bash", "-c", "kill -STOP $$; :"],
]


def state(pid):
    with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
        return file.read().rpartition(")")[2].split()[0]


def wait_until_all_rest(pids):
    """Asleep or stopped, several times in a row: python3 sleeps while it reads modules, too."""
    calm = 0
    for _ in range(600):
        calm = calm + 1 if all(state(pid) in "ST" for pid in pids) else 0
        if calm == 10:
            return
        time.sleep(0.1)
    raise RuntimeError("the processes do not come to rest")


def used():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def once(command):
    """Seconds by the clock and of processor time."""
    before, began = used(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began, used() - before


def measure(commands, runs):
    """In turn, so that whatever else the machine does falls on all of them; the first warms up."""
    rounds = [[once(command) for command in commands] for _ in range(runs + 1)]
    return rounds[1:]


def peak(command):
    result = subprocess.run(["/usr/bin/time", "-f", "%M", *command], stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, check=True)
    return result.stderr.split()[-1]


def compare(pids, runs):
    batches = [pids[at:at + BATCH] for at in range(0, len(pids), BATCH)]
    pmap = "; ".join("pmap -X " + " ".join(map(str, batch)) for batch in batches)
    named = {
        "cat of their smaps": ["cat", *(f"/proc/{pid}/smaps" for pid in pids)],
        "segmap --all": [SEGMAP, "--all"],
        f"pmap -X, {len(batches)} times": ["sh", "-c", pmap],
        "segmap --all --json": [SEGMAP, "--all", "--json"],
    }
    rounds = measure(list(named.values()), runs)
    print(f"{len(pids)} processes, {runs} rounds, load {os.getloadavg()[0]:.2f} "
          f"on {os.cpu_count()} processors")
    for i, name in enumerate(named):
        wall = statistics.median(each[i][0] for each in rounds)
        ratios = [statistics.median(each[i][k] / each[0][k] for each in rounds) for k in (0, 1)]
        print(f"  {name:22} median {wall * 1000:7.1f} ms  ratio {ratios[0]:5.2f}  "
              f"of processor time {ratios[1]:5.2f}")
    if os.access("/usr/bin/time", os.X_OK):
        print(f"  segmap --all: peak memory {peak([SEGMAP, '--all'])} KiB")
    sys.stdout.flush()


def run(number, runs):
    processes = [subprocess.Popen(KINDS[i % len(KINDS)], stdin=subprocess.DEVNULL)
                 for i in range(number)]
    try:
        wait_until_all_rest([process.pid for process in processes])
        compare([process.pid for process in processes], runs)
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def main():
    if sys.argv[1:2] == ["--inside"]:
        run(int(sys.argv[2]), int(sys.argv[3]))
        return 0
    for program in ("pmap", "unshare", "bash"):
        if not shutil.which(program):
            print(f"{program} is missing: --all is not measured")
            return 77
    if subprocess.run([*NAMESPACE, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("a PID namespace cannot be made: --all is not measured")
        return 77
    number = sys.argv[1] if sys.argv[1:] else "500"
    return subprocess.run([*NAMESPACE, sys.executable, os.path.abspath(__file__), "--inside", number,
                           os.environ.get("SEGMAP_BENCH_RUNS", "20")], check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        print(f"bench: {error.cmd[0]} failed: {error.returncode}", file=sys.stderr)
        sys.exit(1)
    except (OSError, RuntimeError) as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)
