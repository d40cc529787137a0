"""How long segmap takes beside pmap and cat. It reports; it judges nothing.

    meson test -C build --benchmark --verbose
    SEGMAP=build/segmap tests/bench/bench.py build/tests/bench/many_vmas build/tests/bench/reserved

For each process the commands are timed by hyperfine as whole processes, and
their peak memory is time(1)'s. A ratio
means little on a busy machine: look at the minimum beside the median.

Exits 0, 77 where hyperfine is missing, 1 where something could not run.
"""
import contextlib
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile

SEGMAP = os.environ.get("SEGMAP") or "segmap"
MANY = 60000

# What a script with a dozen extension modules has mapped; those that are missing are left out.
MODULES = ["ssl", "sqlite3", "ctypes", "decimal", "json", "lzma", "bz2", "hashlib", "curses",
           "readline", "zlib", "multiprocessing", "asyncio"]
PYTHON_PROGRAM = f"""
import importlib, time
for name in {MODULES!r}:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
print("ready", flush=True)
time.sleep(600)
"""


@contextlib.contextmanager
def running(command, says_ready):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        if says_ready and process.stdout.readline().strip() != b"ready":
            raise RuntimeError(f"{command[0]} did not start")
        if not says_ready:
            wait_for_exec(process.pid, command[0])
        yield process.pid
    finally:
        process.kill()
        process.wait()


def wait_for_exec(pid, name):
    """Popen returns behind the exec, but the dynamic linker still has work to do."""
    for _ in range(1000):
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)
        if fields[0].endswith(f"({os.path.basename(name)}") and fields[1].split()[0] == "S":
            return
    raise RuntimeError(f"{name} does not come to rest")


def peak(command):
    """Peak memory of one run. A child of Python's would show Python's own: ask time(1)."""
    if not shutil.which("/usr/bin/time"):
        return "unknown"
    result = subprocess.run(["/usr/bin/time", "-f", "%M"] + command, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, check=True)
    return result.stderr.split()[-1] + " KiB"


def time_all(commands, runs):
    """hyperfine's results, one for each command."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run(["hyperfine", "-N", "--warmup", "5", "--runs", str(runs), "--style", "none",
                        "--export-json", file.name] + [shlex.join(c) for c in commands],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return json.load(file)["results"]


def compare(title, yardstick, command, runs):
    results = time_all([yardstick, command], runs)
    base = results[0]
    print(f"{title}, {runs} runs")
    for argv, result in zip((yardstick, command), results):
        name = " ".join([os.path.basename(argv[0])] + argv[1:])
        print(f"  {name:28} median {result['median'] * 1000:7.2f} ms  "
              f"min {result['min'] * 1000:7.2f} ms  "
              f"ratio {result['median'] / base['median']:5.2f} (min {result['min'] / base['min']:5.2f})  "
              f"peak {peak(argv):>10}")
    sys.stdout.flush()


def max_map_count():
    with open("/proc/sys/vm/max_map_count") as file:
        return int(file.read())


def compare_addresses(pid):
    """10,000 addresses all over the mapped files."""
    chosen = random.Random(1)
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        rows = [line.split()[0].split("-") for line in maps if "/" in line and "r-xp" in line]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        for _ in range(10000):
            start, end = (int(x, 16) for x in chosen.choice(rows))
            file.write(f"{chosen.randrange(start, end):#x}\n")
        file.flush()
        compare("10,000 addresses in python3",
                ["sh", "-c", f"eu-addr2line -S -p {pid} <{file.name}"],
                ["sh", "-c", f"{SEGMAP} -r --at - {pid} <{file.name}"], 10)


def measure_reserved(program):
    """A tebibyte of address space, and as much of 10 GiB in memory as leaves the machine the rest."""
    with open("/proc/meminfo") as file:
        available = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))
    mebibytes = min(10240, available // 1024 // 3)
    with running([program, "1024", str(mebibytes)], True) as pid:
        smaps = ["cat", f"/proc/{pid}/smaps"]
        for arguments in (["-x"], ["-S", "-x"], ["--summary"], ["-o", "+PAGES"]):
            compare(f"1 TiB reserved, {mebibytes} MiB in memory", smaps,
                    [SEGMAP, *arguments, str(pid)], 20)


def main():
    if not shutil.which("hyperfine"):
        print("hyperfine is missing: nothing is measured")
        return 77
    many = sys.argv[1] if len(sys.argv) > 1 else None
    load = os.getloadavg()[0]
    print(f"load of this machine: {load:.2f} on {os.cpu_count()} processors")
    if shutil.which("pmap"):
        with running(["sleep", "600"], False) as pid:
            compare("sleep", ["pmap", str(pid)], [SEGMAP, str(pid)], 300)
        with running([sys.executable, "-c", PYTHON_PROGRAM], True) as pid:
            compare("python3 with extension modules", ["pmap", str(pid)], [SEGMAP, str(pid)], 200)
    else:
        print("pmap is missing: sleep and python3 are not measured")
    if shutil.which("ldd"):
        compare("bash, explained with its libraries", ["ldd", "/bin/bash"],
                [SEGMAP, "--explain", "/bin/bash"], 100)
    if shutil.which("readelf"):
        compare("bash, explained without its libraries", ["readelf", "-lW", "/bin/bash"],
                [SEGMAP, "--explain", "--no-deps", "/bin/bash"], 200)
    if shutil.which("strace"):
        calls = ["strace", "-D", "-o", "/dev/null", "-e", "trace=execve,mmap,mprotect,munmap,mremap,brk"]
        compare("true, run and shown", [*calls, "/bin/true"], [SEGMAP, "--run", "/bin/true"], 100)
        compare("true, run with its calls", [*calls, "/bin/true"], [SEGMAP, "--trace", "--run", "/bin/true"], 100)
    if shutil.which("eu-addr2line"):
        with running([sys.executable, "-c", PYTHON_PROGRAM], True) as pid:
            compare_addresses(pid)
    if not many:
        print("many_vmas is not given: no long map is measured")
    elif max_map_count() < MANY + 1000:
        print(f"vm.max_map_count is below {MANY}: no long map is measured")
    else:
        with running([many, str(MANY)], True) as pid:
            compare(f"{MANY} VMAs", ["cat", f"/proc/{pid}/maps"], [SEGMAP, str(pid)], 40)
            for option in ("-x", "-X", "-XX"):
                compare(f"{MANY} VMAs, {option}", ["cat", f"/proc/{pid}/smaps"],
                        [SEGMAP, option, str(pid)], 20)
            if shutil.which("pmap"):
                compare(f"{MANY} VMAs, pmap -X", ["cat", f"/proc/{pid}/smaps"],
                        ["pmap", "-X", str(pid)], 3)
    if len(sys.argv) > 2:
        measure_reserved(sys.argv[2])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)
