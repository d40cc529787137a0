#!/usr/bin/env python3
"""Run the fuzzers in turn, and keep count of what they did.

    cycle.py BUILD WORK [--seconds N] [--rounds N] [--until HH:MM] [TARGET...]

BUILD is a build directory that was made with -Dfuzz=true. Each TARGET (all, if none is named) runs for
--seconds (60), then the next, for --rounds (1) rounds or until a time of day. Inputs are in WORK/TARGET,
and begin with those of corpus/ and make_seeds.py; what fails is in WORK/found/TARGET. WORK/figures.csv
gets a line for each run: target, seconds of processor time, executions, covered edges, inputs kept, and how it
ended. Several can run at once with the same WORK.
"""
import argparse
import csv
import datetime
import os
import re
import resource
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# More than this many bytes only makes inputs slow; those of several parts need room.
LENGTHS = {"correlate": 16384, "explain": 16384, "core": 8192, "elf": 8192, "smaps": 8192}
ENVIRONMENT = dict(os.environ, UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
                   ASAN_OPTIONS="detect_leaks=1:malloc_context_size=4")


def figures(log):
    def last(pattern):
        found = re.findall(pattern, log)
        return int(found[-1]) if found else 0
    return [last(r"stat::number_of_executed_units: (\d+)"), last(r"cov: (\d+)"), last(r"corp: (\d+)/")]


def processor_time():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(options, target):
    """Fuzz one target once; the line for the figures."""
    work, found = os.path.join(options.work, target), os.path.join(options.work, "found", target)
    os.makedirs(work, exist_ok=True)
    os.makedirs(found, exist_ok=True)
    corpora = [work, os.path.join(HERE, "corpus", target), os.path.join(options.work, "seeds", target)]
    before = processor_time()
    ended = subprocess.run(
        [os.path.join(options.build, "tests", "fuzz", "fuzz_" + target), f"-max_total_time={options.seconds}",
         f"-max_len={LENGTHS.get(target, 4096)}", "-timeout=60", "-rss_limit_mb=1024", "-malloc_limit_mb=512",
         "-entropic=0", "-print_final_stats=1", "-reload=0", f"-artifact_prefix={found}/",
         *[corpus for corpus in corpora if os.path.isdir(corpus)]],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT, check=False)
    log = ended.stdout.decode(errors="replace")
    if ended.returncode:
        with open(os.path.join(found, f"log-{int(time.time())}"), "w", encoding="utf-8") as file:
            file.write(log[-20000:])
    how = "ended" if not ended.returncode else f"status {ended.returncode}"
    return [target, round(processor_time() - before), *figures(log), how]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("work")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--until")
    parser.add_argument("targets", nargs="*")
    options = parser.parse_intermixed_args()
    targets = options.targets or sorted(os.listdir(os.path.join(HERE, "corpus")))
    subprocess.run([sys.executable, os.path.join(HERE, "make_seeds.py"), os.path.join(options.work, "seeds")],
                   check=True)
    rounds = 0
    while rounds < options.rounds or options.until:
        for target in targets:
            if options.until and datetime.datetime.now().strftime("%H:%M") >= options.until:
                return
            row = run(options, target)
            print(*row, flush=True)
            with open(os.path.join(options.work, "figures.csv"), "a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(row)
        rounds += 1


if __name__ == "__main__":
    main()
