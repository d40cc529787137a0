#!/usr/bin/env python3
"""Build the zoo: one program, by every linker and in every layout that this machine can make.

    build.py OUTPUT_DIRECTORY [NAME...]

TABLE says what there is. A variant whose compiler, linker or C library is not here is reported as
missing, which is an error only under SEGMAP_TEST_REQUIRE_ALL=1. OUTPUT_DIRECTORY/manifest.json says
what came of each variant; one that is up to date is not built again.
"""
import collections
import concurrent.futures
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys

SOURCES = os.path.join(os.environ.get("SEGMAP_SOURCE") or os.path.abspath(
    os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")), "fixtures", "zoo")
REQUIRE_ALL = os.environ.get("SEGMAP_TEST_REQUIRE_ALL") == "1"

# name: of the variant and of its program. compiler: what is run. flags: of the layout. form: how the
# program is linked, see FORMS. library: the program needs a shared library of its own, made with the
# same flags and found by an $ORIGIN rpath. needs: programs besides the compiler, without which the
# variant is missing. source: see INPUTS. relro_growth: bytes by which PT_GNU_RELRO is made longer.
Row = collections.namedtuple("Row", "name compiler flags form library needs source relro_growth",
                             defaults=(False, (), "libc", 0))

FORMS = {
    "pie": "-fPIE -pie",
    "no-pie": "-fno-pie -no-pie",
    "static": "-fno-pie -no-pie -static",
    "static-pie": "-fPIE -static-pie",
    # musl-gcc's own -static-pie makes a dynamic program, so take its start file by name.
    "musl-static-pie": "-fPIE -static -nostartfiles -Wl,-pie,--no-dynamic-linker "
                       "-l:rcrt1.o -l:crti.o -l:crtn.o",
}

INPUTS = {
    "libc": ("program.c",),
    "freestanding": ("freestanding.c", "start.S"),
}

LIBRARY = ("library.c",)
LIBRARY_FLAGS = "-fPIC -shared"
COMMON_FLAGS = "-O1 -Wall -Wextra"
FREESTANDING = "-nostdlib -ffreestanding -fno-stack-protector"

LLD, MOLD, GOLD = ("ld.lld",), ("mold",), ("ld.gold",)
USE_LLD, USE_MOLD, USE_GOLD = "-fuse-ld=lld", "-fuse-ld=mold", "-fuse-ld=gold"
PAGES_64K = " -Wl,-z,max-page-size=65536"
PAGES_2M = " -Wl,-z,max-page-size=2097152"

TABLE = [
    # GNU ld
    Row("gcc-pie", "gcc", "", "pie"),
    Row("gcc-no-pie", "gcc", "", "no-pie"),
    Row("gcc-static", "gcc", "", "static"),
    Row("gcc-static-pie", "gcc", "", "static-pie"),
    Row("gcc-m32-pie", "gcc", "-m32", "pie"),
    Row("gcc-m32-no-pie", "gcc", "-m32", "no-pie"),
    Row("gcc-m32-static", "gcc", "-m32", "static"),
    Row("gcc-m32-static-pie", "gcc", "-m32", "static-pie"),
    Row("gcc-norelro", "gcc", "-Wl,-z,norelro", "pie"),
    Row("gcc-now", "gcc", "-Wl,-z,now", "pie"),
    Row("gcc-lazy", "gcc", "-Wl,-z,lazy", "pie"),
    Row("gcc-noseparate-code", "gcc", "-Wl,-z,noseparate-code", "pie"),
    Row("gcc-max-page-64k", "gcc", PAGES_64K, "pie"),
    Row("gcc-max-page-2m", "gcc", PAGES_2M, "pie"),
    Row("gcc-common-page-64k", "gcc", "-Wl,-z,common-page-size=65536" + PAGES_64K, "pie"),
    Row("gcc-static-max-page-2m", "gcc", PAGES_2M, "static"),
    # Headers not at offset 0 of a segment, and text not where it usually is.
    Row("gcc-text-segment", "gcc", "-Wl,-Ttext-segment=0x10000000", "no-pie"),
    # .lbss, .lrodata and .ldata: a read-only PT_LOAD that comes after .bss.
    Row("gcc-medium-model", "gcc", "-mcmodel=medium -mlarge-data-threshold=4096", "no-pie"),
    Row("gcc-no-build-id", "gcc", "-Wl,--build-id=none", "pie"),
    Row("gcc-section-per-object", "gcc", "-fdata-sections -ffunction-sections -Wl,--unique=.data*", "pie"),
    # lld: one PT_LOAD for RELRO and one for data, which can share a file page
    Row("lld-pie", "clang", USE_LLD, "pie", False, LLD),
    Row("lld-no-pie", "clang", USE_LLD, "no-pie", False, LLD),
    Row("lld-static", "clang", USE_LLD, "static", False, LLD),
    Row("lld-static-pie", "clang", USE_LLD, "static-pie", False, LLD),
    Row("lld-separate-segments", "clang", USE_LLD + " -Wl,-z,separate-loadable-segments", "pie", False, LLD),
    Row("lld-separate-code", "clang", USE_LLD + " -Wl,-z,separate-code", "pie", False, LLD),
    Row("lld-noseparate-code", "clang", USE_LLD + " -Wl,-z,noseparate-code", "pie", False, LLD),
    Row("lld-norelro", "clang", USE_LLD + " -Wl,-z,norelro", "pie", False, LLD),
    Row("lld-now", "clang", USE_LLD + " -Wl,-z,now", "pie", False, LLD),
    Row("lld-max-page-64k", "clang", USE_LLD + PAGES_64K, "pie", False, LLD),
    Row("lld-max-page-2m", "clang", USE_LLD + PAGES_2M, "pie", False, LLD),
    # The lowest address of a position independent program is not 0.
    Row("lld-image-base", "clang", USE_LLD + " -Wl,--image-base=0x200000", "pie", False, LLD),
    Row("lld-no-rosegment", "clang", USE_LLD + " -Wl,--no-rosegment", "pie", False, LLD),
    # No PT_GNU_STACK: the kernel then makes all that is readable executable, in a 32-bit process.
    Row("lld-m32-no-gnu-stack", "clang", USE_LLD + " -m32 -Wl,-z,nognustack", "pie", False, LLD),
    Row("lld-m32-pie", "clang", USE_LLD + " -m32", "pie", False, LLD),
    # mold
    Row("mold-pie", "gcc", USE_MOLD, "pie", False, MOLD),
    Row("mold-no-pie", "gcc", USE_MOLD, "no-pie", False, MOLD),
    Row("mold-static", "gcc", USE_MOLD, "static", False, MOLD),
    Row("mold-static-pie", "gcc", USE_MOLD, "static-pie", False, MOLD),
    Row("mold-norelro", "gcc", USE_MOLD + " -Wl,-z,norelro", "pie", False, MOLD),
    Row("mold-now", "gcc", USE_MOLD + " -Wl,-z,now", "pie", False, MOLD),
    Row("mold-separate-code", "gcc", USE_MOLD + " -Wl,-z,separate-code", "pie", False, MOLD),
    Row("mold-noseparate-code", "gcc", USE_MOLD + " -Wl,-z,noseparate-code", "pie", False, MOLD),
    Row("mold-max-page-64k", "gcc", USE_MOLD + PAGES_64K, "pie", False, MOLD),
    Row("mold-m32-pie", "gcc", USE_MOLD + " -m32", "pie", False, MOLD),
    # gold
    Row("gold-pie", "gcc", USE_GOLD, "pie", False, GOLD),
    Row("gold-no-pie", "gcc", USE_GOLD, "no-pie", False, GOLD),
    Row("gold-static", "gcc", USE_GOLD, "static", False, GOLD),
    Row("gold-now", "gcc", USE_GOLD + " -Wl,-z,now", "pie", False, GOLD),
    Row("gold-norelro", "gcc", USE_GOLD + " -Wl,-z,norelro", "pie", False, GOLD),
    Row("gold-rosegment", "gcc", USE_GOLD + " -Wl,--rosegment", "pie", False, GOLD),
    Row("gold-max-page-64k", "gcc", USE_GOLD + PAGES_64K, "pie", False, GOLD),
    Row("gold-m32-pie", "gcc", USE_GOLD + " -m32", "pie", False, GOLD),
    # musl: its dynamic linker is its C library
    Row("musl-pie", "musl-gcc", "", "pie"),
    Row("musl-no-pie", "musl-gcc", "", "no-pie"),
    Row("musl-static", "musl-gcc", "", "static"),
    Row("musl-static-pie", "musl-gcc", "", "musl-static-pie"),
    Row("musl-lld-pie", "musl-gcc", USE_LLD, "pie", False, LLD),
    Row("musl-mold-pie", "musl-gcc", USE_MOLD, "pie", False, MOLD),
    # with a shared library by the same linker
    Row("gcc-library", "gcc", "", "pie", True),
    Row("gcc-library-norelro", "gcc", "-Wl,-z,norelro", "pie", True),
    Row("gcc-library-noseparate-code", "gcc", "-Wl,-z,noseparate-code", "no-pie", True),
    Row("gcc-library-max-page-64k", "gcc", PAGES_64K, "pie", True),
    Row("gcc-library-max-page-2m", "gcc", PAGES_2M, "pie", True),
    Row("gcc-library-m32", "gcc", "-m32", "pie", True),
    Row("lld-library", "clang", USE_LLD, "pie", True, LLD),
    Row("lld-library-max-page-64k", "clang", USE_LLD + PAGES_64K, "pie", True, LLD),
    Row("lld-library-m32", "clang", USE_LLD + " -m32", "pie", True, LLD),
    Row("mold-library", "gcc", USE_MOLD, "pie", True, MOLD),
    Row("mold-library-norelro", "gcc", USE_MOLD + " -Wl,-z,norelro", "pie", True, MOLD),
    Row("gold-library", "gcc", USE_GOLD, "pie", True, GOLD),
    Row("gold-library-max-page-64k", "gcc", USE_GOLD + PAGES_64K, "pie", True, GOLD),
    Row("musl-library", "musl-gcc", "", "pie", True),
    Row("musl-library-max-page-64k", "musl-gcc", PAGES_64K, "pie", True),
    Row("musl-lld-library", "musl-gcc", USE_LLD, "pie", True, LLD),
    # RELRO that ends within a page, of which the dynamic linker then leaves the last page writable. Go's
    # linker makes it so; here it is done by hand, since a C linker cannot be asked to.
    Row("gcc-odd-relro", "gcc", "", "pie", True, (), "libc", 0x30),
    Row("lld-odd-relro", "clang", USE_LLD, "no-pie", True, LLD, "libc", 0x30),
    Row("musl-odd-relro", "musl-gcc", "", "pie", True, (), "libc", 0x30),
    # without a C library; the PIE has ld.so all the same, which then does not protect its own RELRO
    Row("freestanding-pie", "gcc", FREESTANDING, "pie", False, (), "freestanding"),
    Row("freestanding-static", "gcc", FREESTANDING, "static", False, (), "freestanding"),
    Row("freestanding-static-pie", "gcc", FREESTANDING, "static-pie", False, (), "freestanding"),
    # One PT_LOAD, readable, writable and executable, with everything in it.
    Row("freestanding-omagic", "gcc", FREESTANDING + " -Wl,--omagic", "static", False, (), "freestanding"),
    Row("freestanding-m32-static", "gcc", FREESTANDING + " -m32", "static", False, (), "freestanding"),
    Row("freestanding-lld-static", "clang", FREESTANDING + " " + USE_LLD, "static", False, LLD,
        "freestanding"),
    Row("freestanding-mold-static", "gcc", FREESTANDING + " " + USE_MOLD, "static", False, MOLD,
        "freestanding"),
    Row("freestanding-gold-static", "gcc", FREESTANDING + " " + USE_GOLD, "static", False, GOLD,
        "freestanding"),
]

assert len({row.name for row in TABLE}) == len(TABLE)


def library_name(row):
    return f"lib{row.name}.so"


def commands(row, out):
    """The (command, output) steps of a row. Each writes to output, which is renamed when all went well."""
    flags = COMMON_FLAGS.split() + row.flags.split()
    program = os.path.join(out, row.name)
    steps = []
    extra = []
    if row.library:
        library = os.path.join(out, library_name(row))
        steps.append(([row.compiler, *flags, *LIBRARY_FLAGS.split(), f"-Wl,-soname,{library_name(row)}",
                       "-o", library + ".new", *sources(LIBRARY)], library))
        extra = ["-DZOO_LIBRARY", library, "-Wl,-rpath,$ORIGIN"]
    steps.append(([row.compiler, *flags, *FORMS[row.form].split(), "-o", program + ".new",
                   *sources(INPUTS[row.source]), *extra], program))
    return steps


def sources(names):
    return [os.path.join(SOURCES, name) for name in names]


def stamp(row):
    """What the result depends on: sources, this table, and the tools by path, size and time."""
    digest = hashlib.sha256(repr(row).encode())
    for path in [os.path.abspath(__file__), *(entry.path for entry in sorted(os.scandir(SOURCES), key=str))]:
        with open(path, "rb") as file:
            digest.update(file.read())
    for tool in (row.compiler, "ld", *row.needs):
        path = shutil.which(tool)
        info = os.stat(path) if path else None
        digest.update(repr((tool, path, info and (info.st_size, info.st_mtime_ns))).encode())
    return digest.hexdigest()


def run(command):
    """None if the command succeeds, else the end of what it said."""
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=300)
    if result.returncode == 0:
        return None
    return f"{' '.join(command)}: " + result.stdout.decode(errors="replace").strip()[-2000:]


def grow_relro(path, growth):
    """Make PT_GNU_RELRO of a little-endian ELF64 file longer."""
    with open(path, "r+b") as file:
        data = file.read()
        assert data[:6] == b"\x7fELF\x02\x01", path
        table, = struct.unpack_from("<Q", data, 0x20)
        size, count = struct.unpack_from("<HH", data, 0x36)
        for at in range(table, table + size * count, size):
            if struct.unpack_from("<I", data, at)[0] == 0x6474e552:     # PT_GNU_RELRO
                file.seek(at + 0x28)                                    # p_memsz
                file.write(struct.pack("<Q", struct.unpack_from("<Q", data, at + 0x28)[0] + growth))
                return
    raise AssertionError(f"{path} has no PT_GNU_RELRO")


def cannot_build_anything(row, out):
    """Why not even an empty program can be built this way: then the tool is missing and the zoo is right."""
    probe = os.path.join(out, row.name + ".probe.c")
    with open(probe, "w", encoding="ascii") as file:
        file.write("int main(void) { return 0; }\nvoid _start(void);\nvoid _start(void) { }\n"
                   if row.source == "freestanding" else "int main(void) { return 0; }\n")
    command = [row.compiler, *row.flags.split(), *FORMS[row.form].split(), "-o", probe + ".out", probe]
    try:
        return run(command)
    finally:
        for path in (probe, probe + ".out"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def build_row(row, out):
    """Build one row; return its entry in the manifest."""
    entry = {"name": row.name, "program": None, "library": None, "status": "missing", "why": None,
             "stamp": stamp(row)}
    absent = [tool for tool in (row.compiler, *row.needs) if not shutil.which(tool)]
    if absent:
        entry["why"] = "needs " + ", ".join(absent)
        return entry
    for command, output in commands(row, out):
        failure = run(command)
        if failure:
            nothing = cannot_build_anything(row, out)
            entry["status"] = "missing" if nothing else "failed"
            entry["why"] = nothing or failure
            return entry
        if row.relro_growth:
            grow_relro(output + ".new", row.relro_growth)
        os.replace(output + ".new", output)
    entry.update(status="built", program=os.path.join(out, row.name),
                 library=os.path.join(out, library_name(row)) if row.library else None)
    return entry


def up_to_date(old, row):
    return (old is not None and old["status"] == "built" and old["stamp"] == stamp(row)
            and all(os.path.exists(path) for path in (old["program"], old["library"]) if path))


def read_manifest(path):
    try:
        with open(path, encoding="utf-8") as file:
            return {entry["name"]: entry for entry in json.load(file)["variants"]}
    except (OSError, ValueError, KeyError):
        return {}


def build(out, names=None):
    """Bring the zoo in out up to date; return {name: entry of the manifest}. Safe to call from several
    processes at once: one builds, the others wait and find it done."""
    out = os.path.abspath(out)
    os.makedirs(out, exist_ok=True)
    manifest = os.path.join(out, "manifest.json")
    with open(os.path.join(out, ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        entries = {name: old for name, old in read_manifest(manifest).items()
                   if any(row.name == name for row in TABLE)}
        todo = [row for row in TABLE if (not names or row.name in names)
                and not up_to_date(entries.get(row.name), row)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for entry in pool.map(lambda row: build_row(row, out), todo):
                entries[entry["name"]] = entry
        if todo:
            ordered = [entries[row.name] for row in TABLE if row.name in entries]
            with open(manifest + ".new", "w", encoding="utf-8") as file:
                json.dump({"variants": ordered}, file, indent=1)
                file.write("\n")
            os.replace(manifest + ".new", manifest)
    return entries


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__.strip())
    entries = build(sys.argv[1], sys.argv[2:])
    bad = 0
    for entry in entries.values():
        if entry["status"] != "built":
            bad += entry["status"] == "failed" or REQUIRE_ALL
            print(f"{entry['status']} {entry['name']}: {entry['why']}")
    built = sum(entry["status"] == "built" for entry in entries.values())
    print(f"{built} of {len(entries)} variants are in {sys.argv[1]}")
    sys.exit(1 if bad or not built else 0)


if __name__ == "__main__":
    main()
