#!/usr/bin/env python3
"""Which libraries the plan names, and in which order, compared with the dynamic linkers' own lists.

    PLAN_SYSTEM=N    programs of /usr/bin and so on (default 0: all)
"""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

import segtest

sys.path.insert(1, os.path.join(segtest.SOURCE, "tests", "scenarios"))
import elfpatch     # noqa: E402

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
    # A sanitizer wants to be the driver's first library, which a preloaded one is instead.
    kept["ASAN_OPTIONS"] = kept.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
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
    given = [f"--env={name}={value}" for name, value in (variables or {}).items()]
    result = subprocess.run([DRIVER, *options, *given, *paths], env=environment({}), cwd=cwd,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, check=False)
    assert result.returncode == 0, result.stderr.decode(errors="replace")
    text = result.stdout.decode("utf-8", "surrogateescape")
    if len(paths) == 1:
        return [Plan(text)]
    return [Plan(part) for part in re.split(r"^program .*\n", text, flags=re.M)[1:]]


def plan_of(path, variables=None, options=(), cwd=None):
    return plans_of([path], variables, options, cwd)[0]


# ---- the comparison ----

def differences(plan, pairs, interpreter, errors):
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
    missing |= set(re.findall(r"^Error loading shared library (.*?): ", errors, flags=re.M))    # musl
    if missing != set(plan.missing):
        lines.append(f"planned to miss {sorted(plan.missing)}, missing is {sorted(missing)}")
    return "; ".join(lines)


def compare(program, variables=None, cwd=None, silent=()):
    """A plan, after it was compared with what the program's own dynamic linker lists.

    silent are names that are missing and of which the dynamic linker does not speak.
    """
    plan = plan_of(program, variables, cwd=cwd)
    interpreter = interpreter_of(os.path.join(cwd or ".", program))
    if interpreter == MUSL:
        pairs, errors = list_of([interpreter, "--list", program], variables or {}, cwd)
    else:
        pairs, errors = list_of([program], {**(variables or {}), "LD_TRACE_LOADED_OBJECTS": "1"}, cwd)
    assert pairs, f"{program} {variables}: nothing is listed: {errors}"
    assert set(silent) <= set(plan.missing), f"{plan.missing} lacks one of {silent}"
    missing, plan.missing = plan.missing, {name: why for name, why in plan.missing.items() if name not in silent}
    lines = differences(plan, pairs, interpreter, errors)
    plan.missing = missing
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
        lines = differences(plan, pairs, interpreter_of(path), errors)
        libraries += len(plan.libraries())
        # The list names what is there although a version is missing; then it says so.
        if bool(plan.refused) != ("version `" in errors and "not found" in errors):
            lines += f" refused: {plan.refused!r}, said: {errors!r}"
        if lines:
            wrong.append(f"{path}: {lines}")
    print(f"    {len(paths) - len(wrong)} of {len(paths)} programs, {libraries} libraries")
    assert not wrong, "\n".join(wrong[:20])


# ---- what is made for it ----

class Makers:
    """A directory in which programs and libraries are made, each of one line of C."""

    def __init__(self, directory, compiler="gcc", flags=()):
        self.root = os.path.realpath(directory)
        self.compiler, self.flags = segtest.which(compiler), list(flags)

    def path(self, name):
        return os.path.join(self.root, name)

    def _make(self, name, source, flags):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        result = subprocess.run([self.compiler, *self.flags, "-x", "c", "-", "-o", path, "-x", "none",
                                 "-Wl,--no-as-needed", *flags], input=source.encode(), check=False,
                                stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        if result.returncode:
            raise segtest.Skip(f"{self.compiler} cannot make it: {result.stderr.decode().strip()[:200]}")
        return path

    def library(self, name, *flags, soname=True):
        """A library; its soname is its base name, or what is given."""
        base = os.path.basename(name) if soname is True else soname
        named = [f"-Wl,-soname,{base}"] if base else []
        return self._make(name, f"int {re.sub('[^a-z0-9]', '_', name.lower())}_is_here;",
                          ["-shared", "-fPIC", *named, *flags])

    def program(self, name, *flags, source="int main(void) { return 0; }"):
        return self._make(name, source, ["-Wl,--allow-shlib-undefined", *flags])


RUNPATH = "-Wl,--enable-new-dtags,-rpath,"
RPATH = "-Wl,--disable-new-dtags,-rpath,"


def with_makers(compiler="gcc", flags=()):
    """Run the function with a Makers of its own."""
    def register(function):
        def claim():
            with tempfile.TemporaryDirectory() as directory:
                function(Makers(directory, compiler, flags))
        claim.__name__ = function.__name__
        return segtest.claim(claim)
    return register


def assert_found(plan, name, *words):
    found = plan.found(name)
    assert all(word in found for word in words), f"{name} is found by {found!r}"


@with_makers()
def runpath_with_tokens_leads_to_libraries(make):
    library = make.library("lib/libone.so")
    for index, path in enumerate(("$ORIGIN/../lib", "${ORIGIN}/../lib", "/nowhere:$ORIGIN/../lib//")):
        plan = compare(make.program(f"bin/runpath{index}", library, RUNPATH + path))
        assert_found(plan, "libone.so", "RUNPATH", f"of runpath{index}", make.path("bin/../lib"))
    for index, path in enumerate(("$ORIGINAL/../lib", "${ORIGIN/../lib", "$ORIGIN_/../lib", "$ORIGIN$UNKNOWN/lib")):
        assert "libone.so" in compare(make.program(f"bin/bad{index}", library, RUNPATH + path)).missing


@with_makers()
def runpath_is_not_inherited_and_rpath_is(make):
    make.library("lib/libdeep.so")
    upper = make.library("lib/libupper.so", make.path("lib/libdeep.so"))
    plan = compare(make.program("with_rpath", upper, RPATH + "$ORIGIN/lib"))
    assert_found(plan, "libdeep.so", "RPATH $ORIGIN/lib of with_rpath")
    plan = compare(make.program("with_runpath", upper, RUNPATH + "$ORIGIN/lib"))
    assert "RUNPATH" not in plan.missing["libdeep.so"] and "ld.so.cache" in plan.missing["libdeep.so"]
    # A RUNPATH of the library's own makes it deaf to the program's RPATH.
    upper = make.library("lib/libupper.so", make.path("lib/libdeep.so"), RUNPATH + "/nowhere")
    assert "libdeep.so" in compare(make.program("deaf", upper, RPATH + "$ORIGIN/lib")).missing


@with_makers()
def rpath_goes_up_the_chain_of_loaders(make):
    make.library("c/libc3.so")
    b = make.library("b/libb2.so", make.path("c/libc3.so"))
    a = make.library("a/liba1.so", b, RPATH + make.path("b") + ":" + make.path("c"))
    plan = compare(make.program("chain", a, RPATH + make.path("a")))
    assert_found(plan, "libc3.so", "RPATH", "of liba1.so")
    assert_found(plan, "liba1.so", "RPATH", "of chain")


@with_makers()
def library_path_is_between_rpath_and_runpath(make):
    library = make.library("lib/libone.so")
    make.library("env/libone.so")
    variables = {"LD_LIBRARY_PATH": "/nowhere:" + make.path("env")}
    plan = compare(make.program("with_rpath", library, RPATH + make.path("lib")), variables)
    assert_found(plan, "libone.so", "RPATH")
    plan = compare(make.program("with_runpath", library, RUNPATH + make.path("lib")), variables)
    assert_found(plan, "libone.so", "LD_LIBRARY_PATH " + make.path("env"))


@with_makers()
def library_path_has_many_spellings(make):
    make.library("lib/libone.so")
    program = make.program("program", make.path("lib/libone.so"))
    there, name = make.path("lib"), make.path("program")
    for text, cwd in ((f"/nowhere;{there}", "/"), (there + "/", "/"), (":/nowhere", there), ("/nowhere:", there),
                      ("$ORIGIN/lib", "/"), (".", there), ("lib", make.root), ("..", make.root), ("", there)):
        compare(name, {"LD_LIBRARY_PATH": text}, cwd)
    plan = compare(program, {"LD_LIBRARY_PATH": ":/nowhere"}, there)
    assert_found(plan, "libone.so", "LD_LIBRARY_PATH", "working directory")


@with_makers()
def origin_of_a_library_is_where_it_was_found(make):
    make.library("real/libdeep.so")
    make.library("other/libdeep.so")
    make.library("real/libone.so", make.path("real/libdeep.so"), RUNPATH + "$ORIGIN")
    os.symlink("../real/libone.so", make.path("other/libone.so"))
    program = make.program("program", make.path("real/libone.so"))
    plan = compare(program, {"LD_LIBRARY_PATH": make.path("other")})
    assert ("libdeep.so", make.path("other/libdeep.so")) in plan.libraries()
    # The program's own is where the kernel found it; and a relative one counts from the working directory.
    os.symlink(make.program("apps/real", make.path("real/libdeep.so"), RUNPATH + "$ORIGIN/../real"), make.path("link"))
    compare(make.path("link"))
    compare(program, {"LD_LIBRARY_PATH": "other"}, make.root)


@with_makers()
def hwcaps_subdirectories_come_first(make):
    library = make.library("lib/libone.so")
    program = make.program("program", library, RUNPATH + make.path("lib"))
    levels = [f"glibc-hwcaps/x86-64-v{level}" for level in (2, 3, 4)]
    for place in ("haswell", "x86_64", "tls", "tls/x86_64", *levels):
        make.library(f"lib/{place}/libone.so")
        compare(program)
    for tunable in ("glibc.cpu.hwcaps=-AVX512F", "glibc.cpu.hwcaps=-AVX2", "glibc.cpu.hwcaps=-SSE4_2",
                    "glibc.malloc.check=0:glibc.cpu.hwcaps=-BMI2,-ERMS", "glibc.cpu.hwcaps=-CX8"):
        compare(program, {"GLIBC_TUNABLES": tunable})


@with_makers()
def features_that_a_tunable_takes_away_make_no_subdirectory(make):
    words = ("-AVX2", "-LZCNT", "-ERMS,-MOVBE", "-AVX", "-AVX512F", "-AVX512DQ", "-SSE2", "-CMOV", "AVX2")
    masked = ({}, {"LD_HWCAP_MASK": "0"}, {"LD_HWCAP_MASK": "0x2"}, {"LD_HWCAP_MASK": ""},
              {"LD_HWCAP_MASK": "0", "GLIBC_TUNABLES": "glibc.cpu.hwcap_mask=6"},
              {"GLIBC_TUNABLES": "glibc.cpu.hwcap_mask=0"}, {"GLIBC_TUNABLES": "glibc.cpu.hwcap_mask=4"},
              *({"GLIBC_TUNABLES": "glibc.cpu.hwcaps=" + word} for word in words))
    for makers in (make, Makers(make.path("narrow"), "gcc", ["-m32"])):
        # For each place a library of its own: all are also where no word is needed.
        libraries = []
        for place in ("haswell", "x86_64", "avx512_1", "tls", "haswell/avx512_1", "haswell/x86_64", "i686", "sse2"):
            name = f"lib{place.replace('/', '_')}.so"
            libraries.append(makers.library(f"lib/{name}"))
            os.makedirs(makers.path(f"lib/{place}"), exist_ok=True)
            shutil.copy(libraries[-1], makers.path(f"lib/{place}"))
        libraries.append(makers.library("on/haswell/libplatform.so"))
        for platform in ("x86_64", "i686"):
            shutil.copytree(makers.path("on/haswell"), makers.path(f"on/{platform}"))
        program = makers.program("program", *libraries, RUNPATH + "$ORIGIN/lib:$ORIGIN/on/$PLATFORM")
        for variables in masked:
            compare(program, variables)


@with_makers()
def what_is_loaded_is_not_loaded_again(make):
    make.library("lib/libone.so")
    os.link(make.path("lib/libone.so"), make.path("lib/libhard.so"))
    os.symlink("libone.so", make.path("lib/libsoft.so"))
    make.library("lib/libother.so", soname="libone.so")
    make.library("stub/libhard.so")
    make.library("stub/libsoft.so")
    flags = [make.path("stub/libhard.so"), make.path("stub/libsoft.so"), make.path("lib/libone.so")]
    program = make.program("program", *flags, RUNPATH + make.path("lib"))
    plan = compare(program)
    assert [name for name, _ in plan.libraries()] == ["libhard.so", "libc.so.6"], plan.libraries()
    # Preloaded by a path, it answers to its soname.
    plan = compare(program, {"LD_PRELOAD": make.path("lib/libother.so")})
    assert [name for name, _ in plan.libraries()] == [make.path("lib/libother.so"), "libhard.so", "libc.so.6"]


@with_makers()
def the_order_is_breadth_first(make):
    make.library("lib/libleaf.so")
    make.library("lib/liba.so", make.path("lib/libleaf.so"), RUNPATH + "$ORIGIN")
    make.library("lib/libdeep.so", make.path("lib/liba.so"), RUNPATH + "$ORIGIN")
    make.library("lib/libb.so", make.path("lib/libdeep.so"), make.path("lib/liba.so"), RUNPATH + "$ORIGIN")
    program = make.program("program", make.path("lib/libb.so"), make.path("lib/liba.so"), RUNPATH + "$ORIGIN/lib")
    assert [name for name, _ in compare(program).libraries()] == [
        "libb.so", "liba.so", "libc.so.6", "libdeep.so", "libleaf.so"]


@with_makers()
def preloaded_libraries_come_first(make):
    make.library("lib/liba.so")
    make.library("lib/libfirst.so", make.path("lib/liba.so"), RUNPATH + "$ORIGIN")
    program = make.program("program", make.path("lib/liba.so"), RUNPATH + "$ORIGIN/lib")
    first = make.path("lib/libfirst.so")
    for text in (first, f"{first}:liba.so", f"{first} libnone.so libm.so.6", f" :{first}::", "libm.so.6:libm.so.6",
                 "$ORIGIN/lib/libfirst.so", "libc.so.6", program):
        plan = plan_of(program, {"LD_PRELOAD": text})
        pairs, errors = list_of([program], {"LD_PRELOAD": text, "LD_TRACE_LOADED_OBJECTS": "1"})
        preload_missing = set(re.findall(r"object '(.*?)' from LD_PRELOAD cannot be preloaded", errors))
        assert set(plan.missing) == preload_missing, f"{text}: {plan.missing}, {errors}"
        wanted = [path for _, path in pairs if path != os.path.realpath(GLIBC)]
        assert [path for _, path in plan.libraries()] == wanted, f"{text}: {plan.libraries()}, is {wanted}"
    assert_found(plan_of(program, {"LD_PRELOAD": "libm.so.6"}), "libm.so.6", "LD_PRELOAD, ld.so.cache")


@with_makers()
def names_with_a_slash_are_paths(make):
    make.library("lib/liba.so", soname=make.path("lib/liba.so"))
    make.library("lib/libb.so", soname="$ORIGIN/lib/libb.so")
    make.library("lib/libc1.so", soname="lib/libc1.so")
    program = make.program("program", make.path("lib/liba.so"), make.path("lib/libb.so"), make.path("lib/libc1.so"))
    compare(program, cwd=make.root)
    assert "lib/libc1.so" in compare(program, cwd="/").missing


@with_makers()
def nodeflib_leaves_the_default_directories_out(make):
    make.library("lib/libone.so")
    program = make.program("program", "-lm", "-Wl,-z,nodefaultlib", make.path("lib/libone.so"),
                           RUNPATH + make.path("lib"))
    plan = compare(program)
    assert "libc.so.6" in plan.missing and "DF_1_NODEFLIB" in plan.missing["libc.so.6"], plan.missing


@with_makers()
def filters_are_loaded_and_come_before_the_next(make):
    make.library("lib/libreal.so", "-lm")
    make.library("lib/libaux.so", "-Wl,-f,libreal.so", "-Wl,-f,libnone.so", RUNPATH + "$ORIGIN")
    make.library("lib/libfilter.so", "-Wl,-F,libaux.so", RUNPATH + "$ORIGIN")
    make.library("lib/libz1.so", "-lresolv")
    for libraries in (("libfilter.so", "libz1.so"), ("libz1.so", "libaux.so"), ("libaux.so", "libfilter.so")):
        program = make.program("program", *(make.path("lib/" + name) for name in libraries), RUNPATH + make.path("lib"))
        # The list is in the order of symbol lookup; what it says of its steps is in that of loading.
        result = subprocess.run([program], env=environment({"LD_DEBUG": "files"}), stderr=subprocess.PIPE, check=True)
        real = re.findall(rb"file=(\S+) \[0\];  generating link map", result.stderr)
        plan = plan_of(program)
        assert [name.encode() for name, _ in plan.libraries()] == real, f"{plan.libraries()}, is {real}"
        assert not plan.missing


@with_makers()
def filtee_that_would_be_next_anyway_is_followed_by_the_next_one(make):
    for name in ("p", "q"):
        make.library(f"lib{name}.so")
    for number, needs in (("1", "p"), ("2", "q")):
        make.library(f"liba{number}.so", make.path(f"lib{needs}.so"), RUNPATH + "$ORIGIN")
    make.library("libl.so", "-Wl,-f,liba1.so", "-Wl,-f,liba2.so", RUNPATH + "$ORIGIN")
    program = make.program("program", make.path("libl.so"), make.path("liba1.so"), RUNPATH + "$ORIGIN")
    # In the order in which they are loaded, as filters_are_loaded_and_come_before_the_next().
    result = subprocess.run([program], env=environment({"LD_DEBUG": "files"}), stderr=subprocess.PIPE, check=True)
    real = re.findall(r"file=(\S+) \[0\];  generating link map", result.stderr.decode())
    assert [name for name, _ in plan_of(program).libraries()] == real, f"{plan_of(program).libraries()}, is {real}"


@with_makers()
def a_missing_library_is_missed_with_the_places(make):
    library = make.library("lib/libgone.so")
    program = make.program("program", library, RUNPATH + make.path("lib") + ":/nowhere")
    os.unlink(library)
    why = compare(program, {"LD_LIBRARY_PATH": "/env"}).missing["libgone.so"]
    for place in ("LD_LIBRARY_PATH /env", f"RUNPATH {make.path('lib')} of program", "RUNPATH /nowhere", "ld.so.cache",
                  "default directory /lib"):
        assert place in why, why


@with_makers()
def a_file_that_is_no_library_ends_the_search(make):
    library = make.library("lib/libone.so")
    program = make.program("program", library, RUNPATH + make.path("bad") + ":" + make.path("lib"))
    os.mkdir(make.path("bad"))
    # What execve takes for a program, and is too short for a library.
    tiny = elfpatch.smallest()
    for content in (b"text, and longer than an ELF header would be " * 4, b"", tiny, None):
        if content is None:
            os.mkdir(make.path("bad/libone.so"))
        else:
            with open(make.path("bad/libone.so"), "wb") as file:
                file.write(content)
        result = subprocess.run([program], env=environment({}), stderr=subprocess.PIPE, check=False)
        assert result.returncode == 127 and b"libone.so" in result.stderr, result
        why = plan_of(program).missing["libone.so"]
        assert make.path("bad/libone.so") in why
        if content is tiny:
            assert b"file too short" in result.stderr and "file too short" in why, (result, why)
        if content is not None:
            os.unlink(make.path("bad/libone.so"))


@with_makers()
def an_elf_header_that_glibc_does_not_take_is_found_out(make):
    library = make.library("libone.so", soname=False)
    program = make.program("program", library)
    ident_class, byte_order, ident_version, os_abi, abi_version, padding, version = 4, 5, 6, 7, 8, 9, 20
    with open(library, "rb") as file:
        good = file.read()
    for changes in ({}, {byte_order: 0}, {byte_order: 2}, {ident_version: 0}, {ident_version: 2, os_abi: 9},
                    {ident_class: 1}, {ident_class: 9, byte_order: 2}, {os_abi: 9}, {os_abi: 3}, {os_abi: 64},
                    {abi_version: 5}, {abi_version: 1},
                    *({os_abi: 3, abi_version: n} for n in range(1, 6)), {padding: 1}, {15: 1}, {version: 2}):
        content = bytearray(good)
        for at, value in changes.items():
            content[at] = value
        with open(library, "wb") as file:
            file.write(content)
        result = subprocess.run([program], env=environment({}), stderr=subprocess.PIPE, check=False)
        missing = plan_of(program).missing
        assert (library in missing) == (result.returncode == 127), (changes, missing, result)
        if missing and ident_class not in changes:
            assert missing[library].split('"')[1].encode() in result.stderr, (changes, missing, result)


@with_makers()
def a_library_for_another_machine_is_passed_over_as_ld_so_does(make):
    library = make.library("d2/libone.so")
    program = make.program("program", library, RUNPATH + "$ORIGIN/d1:$ORIGIN/d2")
    first = make.path("d1/libone.so")
    os.mkdir(make.path("d1"))
    ident_class, byte_order, ident_version, os_abi, abi_version, padding, kind, machine, version = \
        4, 5, 6, 7, 8, 12, 16, 18, 20
    with open(library, "rb") as file:
        good = file.read()
    for changes in ({}, {os_abi: 9}, {abi_version: 7}, {padding: 1}, {byte_order: 2}, {version: 2},
                    {os_abi: 9, version: 2}, {byte_order: 2, kind: 0, kind + 1: 3}, {byte_order: 0},
                    {ident_version: 3}, {ident_class: 1}, {ident_class: 0}, {ident_class: 1, byte_order: 2}):
        for more in ({}, {machine: 183}):
            content = bytearray(good)
            for at, value in {**changes, **more}.items():
                content[at] = value
            with open(first, "wb") as file:
                file.write(content)
            result = subprocess.run([program], env=environment({}), stderr=subprocess.PIPE, check=False)
            plan = plan_of(program)
            # Debian's goes on where others give up.
            assert bool(plan.missing) == (result.returncode == 127), (changes, more, plan.missing, result)
            if '"' in plan.missing.get("libone.so", ""):
                assert plan.missing["libone.so"].split('"')[1].encode() in result.stderr, (plan.missing, result)
            if not plan.missing:
                taken = library if more or ident_class in changes else first
                assert ("libone.so", taken) in plan.libraries(), (changes, more, plan.libraries())


@with_makers("musl-gcc")
def musl_takes_an_elf_header_that_glibc_does_not(make):
    library = make.library("libone.so", soname=False)
    program = make.program("program", library)
    for at, value in ((7, [9, 5, 1]), (4, [1]), (4, [0, 2, 0])):
        with open(library, "r+b") as file:
            file.seek(at)
            file.write(bytes(value))
        assert subprocess.run([program], env=environment({}), check=False).returncode == 0
        assert not plan_of(program).missing


def check_dynamic_that_lies(make, is_glibc):
    """The dynamic section is read from memory, wherever in the file its header says that it is."""
    library = make.library("lib/libtwo.so", make.library("lib/libone.so"), RUNPATH + "$ORIGIN", soname=False)
    program = make.program("program", library, RUNPATH + make.path("lib"))
    for path in (program, library):
        with open(path, "rb") as file:
            good = file.read()
        for changes in ({"p_offset": 0}, {"p_offset": 1 << 40}, {"p_filesz": 16}, {"p_filesz": 24, "p_offset": 1},
                        {"p_filesz": 1 << 40}, {"p_filesz": 0}):
            with elfpatch.Patch(path) as patch:
                header = patch.phdr(elfpatch.PT_DYNAMIC)
                for field, value in changes.items():
                    setattr(header, field, value)
            result = subprocess.run([program], env=environment({}), stderr=subprocess.PIPE, check=False)
            plan = plan_of(program)
            # Of a library glibc takes this for debugging information that was split off.
            refused = is_glibc and path == library and changes.get("p_filesz") == 0
            assert bool(result.returncode) == refused, (path, changes, result)
            if not refused:
                compare(program)
                assert not plan.missing and plan.libraries(), (path, changes, plan.missing)
            else:
                assert b"object file has no dynamic section" in result.stderr, (path, changes, result)
                explained = segtest.document("--explain", program, expect=1)
                assert "object file has no dynamic section" in explained["outcome"]["reason"], explained["outcome"]
            with open(path, "wb") as file:
                file.write(good)


def check_dynamic_in_pages(make):
    """Of a page that two PT_LOADs have the last one's bytes are there, and whole pages are."""
    library = make.library("pages/libtwo.so", make.library("pages/libone.so"), RUNPATH + "$ORIGIN", "-Wl,-z,norelro",
                           soname=False)
    program = make.program("in-pages", library, RUNPATH + make.path("pages"))
    with open(library, "rb") as file:
        good = file.read()
    for how in ("", "overlap", "tail"):
        with elfpatch.Patch(library) as patch:
            dynamic = patch.phdr(elfpatch.PT_DYNAMIC)
            loads = [phdr for phdr in patch.phdrs if phdr.p_type == elfpatch.PT_LOAD]
            last = next(i for i, load in enumerate(loads) if 0 <= dynamic.p_vaddr - load.p_vaddr < load.p_filesz)
            if how == "overlap":
                load, end = loads[last - 1], dynamic.p_vaddr + 0x100
            else:
                load, end = loads[last], dynamic.p_vaddr + 0x30
            if how:
                load.p_filesz = load.p_memsz = end - load.p_vaddr
            patch.data += bytes(0x10000 - len(patch.data) % 0x10000)
        plan = compare(program)
        assert not plan.missing and "libone.so" in dict(plan.libraries()), (how, plan.libraries())
        with open(library, "wb") as file:
            file.write(good)


@with_makers()
def a_dynamic_section_is_where_memory_has_it(make):
    check_dynamic_that_lies(make, True)
    check_dynamic_in_pages(make)


@with_makers("musl-gcc")
def a_dynamic_section_is_where_memory_has_it_for_musl_too(make):
    check_dynamic_that_lies(make, False)
    check_dynamic_in_pages(make)


@with_makers()
def a_missing_version_is_found_out(make):
    script = make.path("map")
    for version in ("V1", "V2"):
        with open(script, "w", encoding="ascii") as file:
            file.write("V1 { global: *; };" if version == "V1" else "V1 { global: one; }; V2 { global: two; } V1;")
        make._make(f"{version}/libv.so", "int one(void){return 1;} int two(void){return 2;}",
                   ["-shared", "-fPIC", "-Wl,-soname,libv.so", "-Wl,--version-script," + script])
    program = make.program("program", make.path("V2/libv.so"), RUNPATH + make.path("lib"),
                           source="int two(void); int main(void) { return two() - 2; }")
    for version, refused in (("V1", True), ("V2", False)):
        variables = {"LD_LIBRARY_PATH": make.path(version)}
        result = subprocess.run([program], env=environment(variables), stderr=subprocess.PIPE, check=False)
        plan = plan_of(program, variables)
        assert bool(result.returncode) == refused, result
        if refused:
            assert b"version `V2' not found" in result.stderr, result.stderr
            assert plan.refused == f"{make.path('V1/libv.so')}: version V2 not found, which program requires"
        else:
            assert plan.refused is None


@with_makers()
def relr_that_is_not_marked_is_found_out(make):
    pointers = "char c[8]; char *pointers[] = { c, c + 1, c + 2, c + 3 };"
    main = pointers + "int main(void) { return 0; }"
    packed = ["-fuse-ld=lld", "-Wl,--pack-dyn-relocs=relr"]
    refused = make.program("refused", "-fPIE", "-pie", *packed, source=main)
    plain = make._make("libplain.so", pointers, ["-shared", "-fPIC", *packed, "-nostdlib"])
    wants = make._make("libwants.so", pointers + "int puts(const char *); int f(void) { return puts(c); }",
                       ["-shared", "-fPIC", *packed])
    for program, wrong in ((refused, refused), (make.program("program", plain), None),
                           (make.program("other", wants), wants)):
        result = subprocess.run([program], env=environment({}), stderr=subprocess.PIPE, check=False)
        # A glibc before 2.36 does not know of it.
        found = b"DT_RELR without GLIBC_ABI_DT_RELR" in result.stderr
        assert bool(plan_of(program).refused) == found == bool(result.returncode), (result, plan_of(program).refused)
        assert not found or plan_of(program).refused.startswith(f"{wrong}: "), plan_of(program).refused


@with_makers()
def auditing_libraries_are_noted_whoever_asks_for_them(make):
    library = make._make("libaudit.so", "unsigned la_version(unsigned v) { return v; }", ["-shared", "-fPIC"])
    plain = make.program("plain")
    for program, variables in ((make.program("audit", "-Wl,--audit=" + library), {}),
                               (make.program("depaudit", "-Wl,--depaudit=" + library), {}),
                               (plain, {"LD_AUDIT": library}), (plain, {})):
        result = subprocess.run([program], env=environment({**variables, "LD_DEBUG": "files"}), check=True,
                                stderr=subprocess.PIPE)
        noted = any("auditing libraries" in note for note in plan_of(program, variables).notes)
        assert noted == (library.encode() in result.stderr), (program, variables, noted)


def set_property(path, bits, alignment=None):
    """Set GNU_PROPERTY_X86_ISA_1_NEEDED, which is there, in a copy of the file at path; the copy."""
    with open(path, "rb") as file:
        content = bytearray(file.read())
    at = content.find(bytes.fromhex("028000c004000000"))
    assert at > 0, path
    struct.pack_into("<I", content, at + 8, bits)
    phoff, (size, count) = struct.unpack_from("<Q", content, 32)[0], struct.unpack_from("<HH", content, 54)
    for header in range(phoff, phoff + size * count, size):
        if alignment and struct.unpack_from("<I", content, header)[0] in (4, 0x6474e553):    # PT_NOTE, PT_GNU_PROPERTY
            struct.pack_into("<Q", content, header + 48, alignment)
    copied = f"{path}-{bits:x}-{alignment}"
    with open(copied, "wb") as file:
        file.write(content)
    os.chmod(copied, 0o755)
    return copied


@with_makers()
def a_processor_of_a_lower_level_is_found_out(make):
    library = make.library("lib/libone.so", "-Wl,-z,x86-64-v4")
    program = make.program("program", "-Wl,-z,x86-64-v4", library, RUNPATH + "$ORIGIN/lib")
    plain = make.program("plain", library, RUNPATH + "$ORIGIN/lib")
    programs = [set_property(program, bits) for bits in (0, 1, 2, 4, 8, 16)]
    programs += [program, plain, set_property(program, 16, 4)]
    for variables in ({}, {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-CX8"}):
        for path in programs:
            result = subprocess.run([path], env=environment(variables), stderr=subprocess.PIPE, check=False)
            refused = b"CPU ISA level is lower than required" in result.stderr
            assert refused == bool(result.returncode), (path, result)
            planned = plan_of(path, variables).refused
            assert bool(planned) == refused, (path, planned, result)
            assert not refused or planned.split(":")[0].encode() in result.stderr, (planned, result)
    os.rename(set_property(library, 16), library)
    result = subprocess.run([plain], env=environment({}), stderr=subprocess.PIPE, check=False)
    planned = plan_of(plain).refused
    assert result.returncode == 127 and planned.split(":")[0].encode() in result.stderr, (planned, result)


@with_makers()
def a_program_is_no_library(make):
    pie = make.program("pie", "-pie")
    fixed = make.program("fixed", "-no-pie")
    for path in (pie, fixed):
        result = subprocess.run([pie], env=environment({"LD_PRELOAD": path}), stderr=subprocess.PIPE, check=False)
        assert b"cannot be preloaded" in result.stderr, result.stderr
        assert "cannot be loaded as a library" in plan_of(pie, {"LD_PRELOAD": path}).missing[path]


@with_makers()
def an_executable_stack_is_foreseen(make):
    show = r"""
#include <stdio.h>
#include <string.h>
int main(void)
{
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[stack]"))
			return line[strcspn(line, " ") + 3] == 'x';
	return 2;
}
"""
    with_x = make.library("lib/libx.so", "-Wl,-z,execstack")
    without = make.library("lib/libn.so", "-Wl,-z,noexecstack")
    for flags in ((with_x,), (without,), (with_x, "-Wl,-z,execstack"), (without, "-Wl,-z,execstack")):
        program = make.program("program", *flags, RUNPATH + make.path("lib"), source=show)
        real = subprocess.run([program], env=environment({}), check=False).returncode
        planned = "stack-needs-exec" in plan_of(program).flags
        assert real == (planned or "-Wl,-z,execstack" in flags), f"{flags}: {real}, planned {planned}"


@with_makers("gcc", ["-m32"])
def programs_of_32_bits_have_libraries_of_32_bits(make):
    library = make.library("lib/libone.so")
    program = make.program("program", library, "-lm", RUNPATH + "$ORIGIN/$LIB:$ORIGIN/lib")
    plan = compare(program)
    wide = Makers(make.path("wide"))
    assert_found(plan, "libone.so", "RUNPATH")
    # Those of the other class are passed over, in a path as in the cache.
    wide.library("lib/libone.so")
    plan = compare(program, {"LD_LIBRARY_PATH": wide.path("lib")})
    assert_found(plan, "libone.so", "RUNPATH")
    only = compare(make.program("only", library), {"LD_LIBRARY_PATH": wide.path("lib")})
    assert "another kind of machine or process" in only.missing["libone.so"]
    for place in ("sse2", "i686", "tls/i686/sse2", "glibc-hwcaps/x86-64-v2"):
        make.library(f"lib/{place}/libone.so")
        compare(program)
    program = make.program("platform", library, RUNPATH + "$ORIGIN/on/$PLATFORM")
    for place in ("haswell", "x86_64", "i686"):
        make.library(f"on/{place}/libone.so")
        compare(program)


# The lists of musl's dynamic linker name each library once, where it was loaded.
@with_makers("musl-gcc")
def musl_finds_them_in_its_own_way(make):
    make.library("lib/libdeep.so")
    library = make.library("lib/libone.so", make.path("lib/libdeep.so"))
    make.library("env/libone.so")
    program = make.program("program", library, RUNPATH + "$ORIGIN/lib")
    plan = compare(program)
    assert plan.libc.startswith("musl") and "interpreter-is-needed" in plan.flags
    assert_found(plan, "libdeep.so", "RUNPATH", "of program")       # inherited, as glibc's RPATH
    plan = compare(program, {"LD_LIBRARY_PATH": "/nowhere:" + make.path("env")})
    assert_found(plan, "libone.so", "LD_LIBRARY_PATH")
    compare(make.program("none", library))
    compare(make.program("tokens", library, RUNPATH + "$ORIGIN/lib:$LIB"))
    none = "/nowhere/libnone.so"
    compare(program, {"LD_PRELOAD": make.path("env/libone.so") + " " + none}, silent={none})
    by_path = make.library("lib/libpath.so", soname="lib/libpath.so")
    compare(make.program("bypath", by_path, RUNPATH + make.path("lib")), cwd=make.root)


@with_makers("musl-gcc")
def musl_names_what_it_finds_again_by_its_path(make):
    library = make.library("d/libreal.so", soname="d/libreal.so")
    os.symlink("libreal.so", make.path("d/libsym.so"))
    make.library("stub/libsym.so")
    make.library("e/libreal.so")
    second = make.library("lib2.so", make.path("e/libreal.so"), RUNPATH + "$ORIGIN/e", soname="./lib2.so")
    make.program("program", library, make.path("stub/libsym.so"), second, RUNPATH + "$ORIGIN/d")
    plan = compare("./program", cwd=make.root)
    assert [name for name, _ in plan.libraries()] == ["d/libreal.so", "./lib2.so"], plan.libraries()


@with_makers()
def etc_ld_so_preload_is_obeyed(make):
    segtest.need_root()
    first, second = make.library("lib/libfirst.so"), make.library("lib/libsecond.so")
    program = make.program("program")
    os.mkdir(make.path("etc"))
    shutil.copy("/etc/ld.so.cache", make.path("etc/ld.so.cache"))
    inside = ["unshare", "--mount", "sh", "-c", f"mount --bind {make.path('etc')} /etc && exec \"$@\"", "sh"]
    if subprocess.run([*inside, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        raise segtest.Skip("needs to mount in a namespace of its own")
    texts = (f"{first}\n", f"{first} {second}", f"# all of it {first}\n\t{second}:{first} # one\nlibm.so.6",
             f"{second}#{first}\n", "\n# nothing\n", "libnone.so")
    for text in texts:
        with open(make.path("etc/ld.so.preload"), "w", encoding="ascii") as file:
            file.write(text)
        pairs, errors = list_of([*inside, "env", "LD_TRACE_LOADED_OBJECTS=1", program], {})
        result = subprocess.run([*inside, DRIVER, program], env=environment({}), stdout=subprocess.PIPE, check=True,
                                stderr=subprocess.DEVNULL)
        plan = Plan(result.stdout.decode())
        wanted = [path for _, path in pairs if path != os.path.realpath(GLIBC)]
        assert wanted and [path for _, path in plan.libraries()] == wanted, f"{text!r}: {plan.libraries()}, {wanted}"
        assert bool(plan.missing) == (text == "libnone.so"), plan.missing
        if first in text.split("#")[0]:
            assert_found(plan, first, "/etc/ld.so.preload")


# ---- the world that is asked ----

def world(*paths, driver=DRIVER, behind=(), **options):
    """The lines of the driver's world, as lists of words by the first; it is run by the command @behind."""
    result = subprocess.run([*behind, driver, "--world", *paths], stdout=subprocess.PIPE, check=True,
                            env=environment({}), **options)
    found = {}
    for line in result.stdout.decode().splitlines():
        kind, *words = line.split()
        found.setdefault(kind, []).append(words)
    return found


@segtest.claim
def the_processor_is_what_ld_so_takes_it_for():
    if not os.path.exists(GLIBC):
        raise segtest.Skip("needs " + GLIBC)
    here = world()
    said = subprocess.run([GLIBC, "--help"], stdout=subprocess.PIPE, check=True, env=environment({})).stdout.decode()
    real = re.findall(r"^  (x86-64-v\d) \(supported, searched\)", said, flags=re.M)
    assert [words[0] for words in here.get("hwcap", [])] == real, f"{here.get('hwcap')}, is {real}"
    said = subprocess.run([GLIBC, "--list-diagnostics"], stdout=subprocess.PIPE, check=True,
                          env=environment({})).stdout.decode()
    assert f'dl_platform="{here["platform"][0][0]}"' in said
    with open("/proc/cpuinfo", encoding="ascii") as file:
        assert (here["pkeys"] == [["1"]]) == (" ospke" in file.read())


@segtest.claim
def the_kernel_is_what_it_says():
    here = world()
    assert here["kernel"] == [[".".join(re.match(r"(\d+)\.(\d+)", os.uname().release).groups())]]
    assert here["page-size"] == [[str(os.sysconf("SC_PAGESIZE"))]]
    with open("/proc/sys/kernel/randomize_va_space", encoding="ascii") as file:
        assert (here["randomizes"] == [["0"]]) == (file.read().strip() == "0")
    with open("/proc/self/maps", encoding="ascii") as file:
        rows = [line.split() for line in file if re.search(r"\[(vvar|vdso|vsyscall)", line)]
    real = []
    for row in rows:
        start, end = (int(word, 16) for word in row[0].split("-"))
        prot = sum(bit for bit, letter in ((1, "r"), (2, "w"), (4, "x")) if letter in row[1])
        real.append([row[5], str(end - start), f"{start:x}" if row[5] == "[vsyscall]" else "0", str(prot)])
    assert here["area"] == real, f"{here['area']}, is {real}"
    assert here["vdso"] == [["linux-vdso.so.1"]]


@segtest.claim
def files_are_opened_as_open_and_execve_would():
    with tempfile.TemporaryDirectory() as directory:
        directory = os.path.realpath(directory)
        plain, program, link, fifo = (os.path.join(directory, name) for name in ("plain", "program", "link", "fifo"))
        for path, mode in ((plain, 0o644), (program, 0o755)):
            with open(path, "wb") as file:
                file.write(b"#!/bin/sh\n")
            os.chmod(path, mode)
        os.symlink("program", link)
        os.mkfifo(fifo)
        lines = world(plain, program, link, fifo, directory, plain + "/x", directory + "/none", "/dev/null")["file"]
        wanted = [["0", "13", "-", plain], ["0", "0", "-", program], ["0", "0", "-", program], ["13", "13", "-", "-"],
                  ["21", "21", "-", "-"], ["20", "20", "-", "-"], ["2", "2", "-", "-"], ["13", "13", "-", "-"]]
        assert lines == wanted, f"{lines}, should be {wanted}"


@with_makers()
def who_would_run_with_other_rights_is_secure(make):
    segtest.need_root()
    path = make.program("program")
    os.chmod(make.root, 0o755)
    if os.statvfs(path).f_flag & os.ST_NOSUID:
        raise segtest.Skip("needs a file system without nosuid")
    for owner, group, mode, secure in ((0, 0, 0o4755, False), (65534, 0, 0o4755, True), (65534, 0, 0o755, False),
                                       (0, 65534, 0o2755, True), (0, 65534, 0o2745, False), (0, 0, 0o2755, False)):
        os.chown(path, owner, group)
        os.chmod(path, mode)
        said = world(path)["file"][0][2]
        assert said == ("secure" if secure else "-"), f"{owner} {group} {mode:o}: {said}"
        # AT_SECURE, as the kernel gives it.
        shown = subprocess.run([path], env=environment({"LD_SHOW_AUXV": "1"}), stdout=subprocess.PIPE, check=False)
        assert (b"AT_SECURE:            1" in shown.stdout or b"AT_SECURE" not in shown.stdout) == secure, shown.stdout
    os.chown(path, 0, 0)
    os.chmod(path, 0o755)
    if not shutil.which("setcap") or subprocess.run(["setcap", "cap_net_raw+ep", path], check=False).returncode:
        print("    without file capabilities: setcap is not there, or may not")
        return
    assert world(path)["file"][0][2] == "-"                      # root has them already
    # Where another user can run it.
    driver = shutil.copy(DRIVER, make.path("driver"))
    assert world(path, driver=driver, **NOBODY)["file"][0][2] == "secure"


NOBODY = {"cwd": "/", "user": 65534, "group": 65534, "extra_groups": []}


def file_capabilities(words, root=None):
    """What security.capability is for these words of cap_from_text(3): e, i and p of cap_net_raw."""
    net_raw = 1 << 13
    data = struct.pack("<5I", (0x2000000 if root is None else 0x3000000) | ("e" in words),
                       net_raw if "p" in words else 0, net_raw if "i" in words else 0, 0, 0)
    return data + (b"" if root is None else struct.pack("<I", root))


@with_makers()
def a_user_namespace_has_privileges_of_its_own(make):
    """Nothing is set to a user or group that it does not know; capabilities of another one are none."""
    segtest.need_root()
    path, driver = make.program("program"), shutil.copy(DRIVER, make.path("driver"))
    os.chmod(make.root, 0o755)
    if os.statvfs(path).f_flag & os.ST_NOSUID:
        raise segtest.Skip("needs a file system without nosuid")
    unshare, setpriv = segtest.which("unshare"), segtest.which("setpriv")
    if subprocess.run([unshare, "-Ur", "true"], check=False, stderr=subprocess.DEVNULL, **NOBODY).returncode:
        raise segtest.Skip("needs user namespaces that a user may make")
    for owner, group, mode, capabilities in (
            (0, 0, 0o4755, None), (0, 65534, 0o4755, None), (65534, 0, 0o2755, None), (1, 1, 0o6755, None),
            (0, 0, 0o755, file_capabilities("ep")), (0, 0, 0o755, file_capabilities("p")),
            (0, 0, 0o755, file_capabilities("ei")), (0, 0, 0o755, file_capabilities("i")),
            (0, 0, 0o755, file_capabilities("ep", root=65534)), (0, 0, 0o755, file_capabilities("ep", root=1))):
        os.chown(path, owner, group)
        os.chmod(path, mode)
        if capabilities:
            os.setxattr(path, "security.capability", capabilities)
        for behind in ((), (unshare, "-U"), (unshare, "-Ur"), (setpriv, "--no-new-privs")):
            shown = subprocess.run([*behind, "env", "LD_SHOW_AUXV=1", path], env=environment({}),
                                   stdout=subprocess.PIPE, check=False, **NOBODY).stdout
            said = world(path, driver=driver, behind=behind, **NOBODY)["file"][0][2]
            secure = b"AT_SECURE:            0" not in shown
            assert said == ("secure" if secure else "-"), (owner, group, oct(mode), capabilities, behind, said)


SHOW_FILES = r"""
#include <stdio.h>
int main(void)
{
	char line[4096];
	FILE *maps = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof(line), maps))
		fputs(line, stdout);
	return 0;
}
"""


@with_makers()
def a_set_user_id_program_ignores_the_environment(make):
    segtest.need_root()
    library, mine = make.library("lib/libone.so"), make.library("env/libone.so")
    os.chmod(make.root, 0o755)
    trusted = tempfile.mkdtemp(dir="/usr/lib")
    try:
        os.chmod(trusted, 0o755)
        makers = Makers(trusted)
        makers.library("libone.so")
        paths = [make.program("absolute", library, RUNPATH + make.path("lib"), source=SHOW_FILES),
                 make.program("origin", library, RUNPATH + "$ORIGIN/lib", source=SHOW_FILES),
                 make.program("both", library, RUNPATH + "$ORIGIN/lib:" + make.path("env"), source=SHOW_FILES),
                 makers.program("origin", library, RUNPATH + "$ORIGIN", source=SHOW_FILES),
                 makers.program("middle", library, RUNPATH + "/usr/lib/../$ORIGIN", source=SHOW_FILES)]
        for path in paths:
            os.chown(path, 65534, 65534)
            os.chmod(path, 0o4755)
            variables = {"LD_LIBRARY_PATH": make.path("env"), "LD_PRELOAD": mine + ":libm.so.6"}
            result = subprocess.run([path], env=environment(variables), check=False, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE)
            plan = plan_of(path, variables)
            if os.statvfs(path).f_flag & os.ST_NOSUID:
                raise segtest.Skip("needs a file system without nosuid")
            assert "secure" in plan.flags and any("LD_LIBRARY_PATH is ignored" in note for note in plan.notes)
            assert bool(result.returncode) == ("libone.so" in plan.missing), (path, plan.missing, result)
            real = {line.split(None, 5)[5] for line in result.stdout.decode().splitlines() if "/lib" in line}
            if not result.returncode:
                planned = {library for _, library in plan.libraries()}
                assert planned == {name for name in real if ".so" in name and "/ld-" not in name}, (path, planned, real)
    finally:
        shutil.rmtree(trusted)


segtest.main()
