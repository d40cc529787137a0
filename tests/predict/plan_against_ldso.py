#!/usr/bin/env python3
"""Which libraries the plan names, and in which order, compared with the dynamic linkers' own lists.

    PLAN_SYSTEM=N    programs of /usr/bin and so on (default 0: all)
"""
import os
import re
import shutil
import struct
import subprocess
import tempfile

import segtest

DRIVER = os.environ.get("PLAN_DRIVER") or os.path.join(segtest.BUILD, "tests/predict/plan-driver")
N_SYSTEM = int(os.environ.get("PLAN_SYSTEM", "0"))
GLIBC = "/lib64/ld-linux-x86-64.so.2"
GLIBC_32 = "/lib/ld-linux.so.2"
MUSL = "/lib/ld-musl-x86_64.so.1"
MISSING = "not found"


def environment(variables):
    """This process's environment without what changes a search, and with these variables."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("LD_") and name != "GLIBC_TUNABLES"}
    return {**kept, **variables}


# ---- what is real ----

def interpreter_of(path):
    """PT_INTERP of an ELF program; None if it is none, or has none."""
    with open(path, "rb") as file:
        head = file.read(64)
        if head[:4] != b"\x7fELF" or head[5] != 1:
            return None
        wide = head[4] == 2
        offset = struct.unpack_from("<Q" if wide else "<I", head, 32 if wide else 28)[0]
        size, count = struct.unpack_from("<HH", head, 54 if wide else 42)
        file.seek(offset)
        table = file.read(size * count)
        for i in range(count):
            if struct.unpack_from("<I", table, i * size)[0] != 3:
                continue
            at = struct.unpack_from("<Q" if wide else "<I", table, i * size + (8 if wide else 4))[0]
            length = struct.unpack_from("<Q" if wide else "<I", table, i * size + (32 if wide else 16))[0]
            file.seek(at)
            return file.read(length).rstrip(b"\0").decode()
    return None


def list_of(command, variables, cwd=None):
    """The (name, path) pairs that a dynamic linker prints; path is MISSING, or without links."""
    result = subprocess.run(command, env=environment(variables), stdout=subprocess.PIPE, cwd=cwd,
                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60, check=False)
    pairs = []
    for line in result.stdout.decode("utf-8", "surrogateescape").splitlines():
        found = re.fullmatch(r"\t(.*?)(?: => (.*?))?(?: \(0x[0-9a-f]+\))?", line)
        if not found:
            continue
        name, path = found.group(1), found.group(2) or found.group(1)
        if name.startswith("linux-") or name == "statically linked":
            continue
        if path != MISSING:
            path = os.path.realpath(os.path.join(cwd or ".", path))
        pairs.append((name, path))
    return pairs, result.stderr.decode("utf-8", "surrogateescape")


# ---- what is planned ----

class Plan:
    def __init__(self, text):
        self.objects, self.missing, self.notes, self.refused, self.flags = [], {}, [], None, set()
        for line in text.splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "object":
                index, needed_by, rest = rest.split(" ", 2)
                preloaded = rest.startswith("preloaded ")
                name, rest = rest.removeprefix("preloaded ").split(" ", 1)
                path, found = rest.split(": ", 1)
                self.objects.append((name, path, found, int(needed_by), preloaded))
            elif kind == "missing":
                needed_by, rest = rest.split(" ", 1)
                name, why = rest.split(": ", 1)
                self.missing[name] = why
            elif kind == "note":
                self.notes.append(rest)
            elif kind == "refused":
                self.refused = rest
            elif kind == "libc":
                self.libc = rest
            else:
                self.flags.add(kind)

    def libraries(self):
        """(name, path) of the libraries, without the program and its interpreter."""
        return [(name, path) for name, path, found, _, _ in self.objects if found != "-"]

    def found(self, name):
        return next(found for known, _, found, _, _ in self.objects if known == name)


def plans_of(paths, variables=None, options=(), cwd=None):
    """The Plan of each path, by one call of the driver."""
    result = subprocess.run([DRIVER, *options, *paths], env=environment(variables or {}), cwd=cwd,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, check=False)
    assert result.returncode == 0, result.stderr.decode(errors="replace")
    text = result.stdout.decode("utf-8", "surrogateescape")
    if len(paths) == 1:
        return [Plan(text)]
    return [Plan(part) for part in re.split(r"^program .*\n", text, flags=re.M)[1:]]


def plan_of(path, variables=None, options=(), cwd=None):
    return plans_of([path], variables, options, cwd)[0]


# ---- the comparison ----

def differences(plan, pairs, interpreter):
    """Where a plan and a dynamic linker's list differ, as text; "" if nowhere.

    The plan names what is missing apart, and the interpreter, which the list has wherever it was needed.
    """
    own = os.path.realpath(interpreter)
    wanted = [path for _, path in pairs if path not in (own, MISSING)]
    planned = [path for _, path in plan.libraries()]
    lines = []
    if wanted != planned:
        lines.append(f"planned {planned}, is {wanted}")
    missing = {name for name, path in pairs if path == MISSING}
    if missing != set(plan.missing):
        lines.append(f"planned to miss {sorted(plan.missing)}, missing is {sorted(missing)}")
    return "; ".join(lines)


def compare(program, variables=None, cwd=None, libc=None):
    """A plan, after it was compared with what the program's own dynamic linker lists."""
    plan = plan_of(program, variables, cwd=cwd)
    interpreter = interpreter_of(os.path.join(cwd or ".", program))
    pairs, errors = list_of([program if "/" in program else "./" + program],
                            {**(variables or {}), "LD_TRACE_LOADED_OBJECTS": "1"}, cwd)
    if libc:
        pairs, errors = list_of([interpreter, "--list", program], variables or {}, cwd)
    lines = differences(plan, pairs, interpreter)
    assert not lines, f"{program} {variables}: {lines} {errors}"
    return plan


# ---- system programs ----

@segtest.claim
def system_programs_have_the_libraries_that_ld_so_lists():
    paths = []
    for directory in ("/usr/bin", "/usr/sbin", "/usr/libexec", "/usr/games"):
        for entry in sorted(os.scandir(directory), key=lambda e: e.name) if os.path.isdir(directory) else []:
            path = os.path.realpath(entry.path)
            if os.path.isfile(path) and os.access(path, os.X_OK | os.R_OK) and path not in paths \
                    and interpreter_of(path) in (GLIBC, GLIBC_32):
                paths.append(path)
    paths = paths[::max(1, len(paths) // N_SYSTEM) if N_SYSTEM else 1]
    if not paths:
        raise segtest.Skip("needs programs of glibc")
    wrong, libraries = [], 0
    for path, plan in zip(paths, plans_of(paths)):
        pairs, errors = list_of([interpreter_of(path), "--list", path], {})
        if not pairs:
            wrong.append(f"{path}: no list: {errors.strip()}")
            continue
        lines = differences(plan, pairs, interpreter_of(path))
        libraries += len(plan.libraries())
        # The list names what is there although a version is missing; then it says so.
        if bool(plan.refused) != ("version `" in errors and "not found" in errors):
            lines += f" refused: {plan.refused!r}, said: {errors!r}"
        if lines:
            wrong.append(f"{path}: {lines}")
    print(f"    {len(paths) - len(wrong)} of {len(paths)} programs, {libraries} libraries")
    assert not wrong, "\n".join(wrong[:20])


segtest.main()
