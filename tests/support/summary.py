"""Count what meson's test logs say; the last line is "N passed, N failed, N skipped".

    python3 summary.py build/meson-logs/testlog.json...

A test program that counts its own claims (segtest.py, Check) counts as those,
any other as one. What was skipped and what failed is named. The exit status is
1 if anything failed, if nothing ran or, under SEGMAP_TEST_REQUIRE_ALL=1, if
anything was skipped.
"""
import json
import os
import re
import sys

SEGTEST = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
SEGTEST_SKIP = re.compile(r"^skip (.*)$", re.MULTILINE)
SEGTEST_FAIL = re.compile(r"^FAIL (.*)$", re.MULTILINE)
CHECK_FAIL = re.compile(r"^.*?:\d+:[FE]:(.*)$", re.MULTILINE)
CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.MULTILINE)

GOOD = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP", "IGNORED"}


def count(test):
    """(passed, failed, skipped) of one line of a test log."""
    output = test.get("stdout") or ""
    segtest, check = SEGTEST.findall(output), CHECK.findall(output)
    if segtest:
        passed, failed, skipped = map(int, segtest[-1])
    elif check:
        bad = sum(int(failures) + int(errors) for _, failures, errors in check)
        passed, failed, skipped = sum(int(checks) for checks, _, _ in check) - bad, bad, 0
    else:
        passed, failed, skipped = int(test["result"] in GOOD), 0, 0
    if test["result"] in SKIPPED:
        skipped += not (passed or failed or skipped)
    elif test["result"] not in GOOD:
        # Killed, timed out, or failed in a way that its own count does not show.
        failed = failed or 1
    return passed, failed, skipped


def failures(test):
    """What failed in this test, as far as its output tells."""
    output = test.get("stdout") or ""
    return (SEGTEST_FAIL.findall(output) + CHECK_FAIL.findall(output)) or [test["result"]]


def reasons(test):
    """Why something of this test was skipped, as far as its output tells."""
    output = test.get("stdout") or ""
    words = (output.strip() or (test.get("stderr") or "").strip()).splitlines()
    return SEGTEST_SKIP.findall(output) or words[-1:] or ["gave no reason"]


def show(what, name, details, most=12):
    for detail in details[:most]:
        print(f"{what}: {name}: {detail}")
    if len(details) > most:
        print(f"{what}: {name}: and {len(details) - most} more")


def read(path):
    """The tests of one log; none if it was never written."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return [json.loads(line) for line in file if line.strip()]
    except FileNotFoundError:
        print(f"no test log {path}")
        return []


def main():
    sys.stdout.reconfigure(errors="backslashreplace")
    total = [0, 0, 0]
    paths = sys.argv[1:]
    for path in paths:
        of = f" in {path.split('/')[0]}" if len(paths) > 1 else ""
        for test in read(path):
            counted = count(test)
            total = [a + b for a, b in zip(total, counted)]
            if counted[1]:
                show("failed", test["name"] + of, failures(test))
            if counted[2]:
                show("skipped", test["name"] + of, reasons(test))
    passed, failed, skipped = total
    if not passed and not failed:
        print("no test ran")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    require_all = os.environ.get("SEGMAP_TEST_REQUIRE_ALL") == "1"
    sys.exit(1 if failed or not passed or (skipped and require_all) else 0)


main()
