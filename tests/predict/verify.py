#!/usr/bin/env python3
"""segmap --explain --verify: what it finds, what it must not find, and what it leaves behind.

    VERIFY_SYSTEM=N   programs of /usr/bin and so on (default 60; 0: all)
    VERIFY_RANDOM=N   random executables (default 40), from
    VERIFY_SEED=N     this seed on (default 0)
"""
import collections
import contextlib
import ctypes
import functools
import json
import os
import platform
import resource
import shutil
import struct
import signal
import subprocess
import sys
import tempfile

import segtest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(1, os.path.join(segtest.SOURCE, "tests", "scenarios"))
import elfpatch     # noqa: E402
import random_elf   # noqa: E402

N_SYSTEM = int(os.environ.get("VERIFY_SYSTEM", "60"))
N_RANDOM = int(os.environ.get("VERIFY_RANDOM", "40"))
SEED = int(os.environ.get("VERIFY_SEED", "0"))
MUSL = "/lib/ld-musl-x86_64.so.1"
BEFORE_ENTRY = os.environ.get("BEFORE_ENTRY", "")
OTHER_RUN = os.environ.get("OTHER_RUN", "")
# A sanitizer wants to be the first library of segmap, which a preloaded one is instead.
ANY_ORDER = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


def verify(program, *options, env=None, timeout=120, **more):
    """(exit status, documents, standard error) of one program that is verified."""
    result = segtest.segmap("--explain", "--verify", "-J", *options, "--", program, env=env, timeout=timeout,
                            **more)
    documents = [json.loads(line) for line in result.out.decode().splitlines()]
    for document in documents:
        segtest.validate(document)
        assert document["source"] == "prediction"
    if result.status == 1 and not documents and "trace it" in result.error_text:
        raise segtest.Skip("needs to trace its own children")
    return result.status, documents, result.error_text


def changes(documents):
    return [(document["moment"], change["what"], change["image"], change["why"])
            for document in documents for change in document["differences"]]


def check_verified(program, *options, **more):
    """Nothing differs; the documents."""
    status, documents, error = verify(program, *options, **more)
    assert status == 0 and not changes(documents), (program, status, changes(documents), error)
    return documents


def elf_files(*directories):
    """Programs in directories that can be executed, and are ELF files."""
    found = []
    for directory in directories:
        for entry in sorted(os.scandir(directory), key=lambda e: e.name) if os.path.isdir(directory) else []:
            if entry.is_file() and not entry.is_symlink() and os.access(entry.path, os.X_OK | os.R_OK):
                with open(entry.path, "rb") as file:
                    head = file.read(18)
                if head[:4] == b"\x7fELF" and not entry.name.endswith(".so"):
                    found.append(entry.path)
    return found


def zoo():
    sys.path.insert(0, os.path.join(segtest.SOURCE, "tests", "zoo"))
    import build
    return build.build(os.path.join(segtest.BUILD, "zoo"))


def gone(pid):
    """The process has ended; whoever has adopted it may not have waited for it yet."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@contextlib.contextmanager
def before_entry(what, **settings):
    """(environment in which BEFORE_ENTRY does this, file to which its processes write their pids)."""
    with tempfile.TemporaryDirectory() as directory:
        pids = os.path.join(directory, "pids")
        yield dict(settings, DO=what, PIDS=pids), pids


def read_pids(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="ascii") as file:
        return [int(line) for line in file if line.endswith("\n")]


# ---- predictions that are right ----

@segtest.claim
def the_zoo_is_verified():
    wrong, count = [], 0
    for name, entry in sorted(zoo().items()):
        if entry["status"] == "built":
            status, documents, error = verify(entry["program"])
            count += 1
            if status or changes(documents) or len(documents) != 2:
                wrong.append((name, status, changes(documents), error))
    print(f"    {count - len(wrong)} of {count}")
    assert count and not wrong, wrong


@segtest.claim
def system_programs_are_verified():
    paths = elf_files("/usr/bin", "/usr/sbin", "/usr/libexec")
    step = max(1, len(paths) // N_SYSTEM) if N_SYSTEM else 1
    wrong = []
    for path in paths[::step]:
        status, documents, error = verify(path)
        if status or changes(documents):
            wrong.append((path, status, changes(documents), error))
    print(f"    {len(paths[::step]) - len(wrong)} of {len(paths[::step])}")
    assert paths and not wrong, wrong


@segtest.claim
def random_executables_are_verified_refusals_and_deaths_included():
    wrong, ends = [], collections.Counter()
    with tempfile.TemporaryDirectory() as directory:
        for seed in range(SEED, SEED + N_RANDOM):
            path = os.path.join(os.path.realpath(directory), f"random-{seed}")
            with open(path, "wb") as file:
                file.write(random_elf.executable(seed))
            os.chmod(path, 0o755)
            status, documents, error = verify(path, "--as=program")
            outcome = documents[-1]["outcome"] if documents else {"error": error}
            ends[(outcome or {"error": "runs"})["error"] or "given up"] += 1
            if changes(documents) or status != (1 if outcome else 0):
                wrong.append((seed, status, changes(documents), error))
            os.unlink(path)
    print("    " + ", ".join(f"{count} {end}" for end, count in sorted(ends.items(), key=str)))
    assert not wrong, wrong


@segtest.claim
def addresses_are_verified_without_randomization():
    for program in ("/bin/true", "/bin/sh"):
        documents = check_verified(program, "--no-aslr")
        rows = [vma for vma in documents[0]["vmas"] if vma["kind"] in ("segment", "relro") and not vma["base"]]
        assert rows, "nothing has an address"
    for _, entry in sorted(zoo().items()):
        if entry["status"] == "built":
            check_verified(entry["program"], "--no-aslr")


@segtest.claim
def large_static_pie_has_no_address_that_its_file_system_can_change():
    source = "const char big[5 << 20] = {1, 2, 3}; int main(int c, char **v) { return !big[c] && !v; }"
    for parent in sorted({tempfile.gettempdir(), segtest.BUILD}):    # perhaps a tmpfs, which aligns nothing
        with tempfile.TemporaryDirectory(dir=parent) as directory:
            path = os.path.join(os.path.realpath(directory), "big")
            subprocess.run([segtest.which("gcc"), "-x", "c", "-", "-static-pie", "-fPIE", "-o", path],
                           input=source.encode(), check=True)
            if os.statvfs(path).f_flag & os.ST_NOEXEC:
                continue
            for document in check_verified(path, "--no-aslr"):
                based = {vma["name"]: vma["base"] for vma in document["vmas"]}
                assert based[path] and based["[vdso]"] and not based["[stack]"], based


@segtest.claim
def heap_of_a_static_pie_has_no_address_before_linux_6_15():
    uname26 = 0x0020000    # of personality(2): the release is 2.6.something
    entry = zoo()["gcc-static-pie"]
    if entry["status"] != "built":
        raise segtest.Skip("needs a static-pie program")
    release = tuple(int(number) for number in os.uname().release.replace("-", ".").split(".")[:2])
    for persona, known in ((0, release >= (6, 15)), (uname26, False)):
        document = check_verified(entry["program"], "--no-aslr",
                                  preexec_fn=lambda persona=persona: ctypes.CDLL(None).personality(persona))[1]
        based = {vma["name"]: vma["base"] for vma in document["vmas"]}
        assert bool(based["[heap]"]) != known and not based["[stack]"], (persona, based)


def check_placed(prepare):
    """One program of each class with an interpreter, one without, in a process that is prepared so."""
    programs = [zoo()[name] for name in ("gcc-static-pie", "gcc-pie", "gcc-m32-static-pie", "gcc-m32-pie")]
    return [check_verified(entry["program"], "--no-aslr", preexec_fn=prepare)[0]
            for entry in programs if entry["status"] == "built"]


@segtest.claim
def addresses_follow_the_limit_of_the_stack():
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    for limit in (128 << 20, 4000 << 20, resource.RLIM_INFINITY):
        if hard not in (resource.RLIM_INFINITY, limit) and not 0 <= limit < hard:
            continue
        for document in check_placed(lambda limit=limit: resource.setrlimit(resource.RLIMIT_STACK, (limit, hard))):
            assert all(not vma["base"] for vma in document["vmas"]), (limit, document["target"])


@segtest.claim
def stack_is_no_longer_than_its_limit():
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    for kib in (96, 124, 132, 1024):
        def prepare(kib=kib):
            resource.setrlimit(resource.RLIMIT_STACK, (kib << 10, hard))
        documents = check_verified("/bin/cat", preexec_fn=prepare)
        maps = subprocess.run(["/bin/cat", "/proc/self/maps"], env={}, preexec_fn=prepare, check=True,
                              stdout=subprocess.PIPE).stdout.decode()
        start, end = (int(text, 16) for line in maps.splitlines() if line.endswith("[stack]")
                      for text in line.split()[0].split("-"))
        for document in documents:
            stack, = [vma for vma in document["vmas"] if vma["name"] == "[stack]"]
            assert stack["size"] == end - start == min(kib, 132) << 10, (kib, stack, maps)


@segtest.claim
def limit_of_the_stack_can_be_more_than_there_is_memory_for():
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    limit = 500000000 << 10
    if hard != resource.RLIM_INFINITY and hard < limit:
        print("    not tried: the hard limit is lower")
        return
    result = segtest.segmap("--explain", "--verify", "-q", "/bin/true",
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (limit, hard)))
    assert "make a thread" not in result.error_text, result
    assert result.status == 0 or "trace it" in result.error_text, result


@segtest.claim
def addresses_are_left_open_where_mappings_go_elsewhere():
    compat_layout, limit_3gb = 0x0200000, 0x8000000    # of personality(2)
    for persona in (compat_layout, limit_3gb):
        for document in check_placed(lambda persona=persona: ctypes.CDLL(None).personality(persona)):
            assert any(vma["base"] for vma in document["vmas"]), (persona, document["target"])


@segtest.claim
def script_is_verified_as_the_program_that_it_names():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "script")
        with open(path, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\nexit 3\n")
        os.chmod(path, 0o755)
        documents = check_verified(path)
        assert documents[0]["images"][0]["path"] == os.path.realpath("/bin/sh")


@segtest.claim
def program_headers_can_overlap_the_elf_header():
    with open("/bin/true", "rb") as file:
        ident, _, machine = struct.unpack("16sHH", file.read(20))
    if ident[4:6] != b"\2\1":
        raise segtest.Skip("its fields are those of 64 bits, little-endian")
    # The last eight bytes of the ELF header are the first of the only program header: PT_LOAD, r-x.
    base, size = 0x400000, 0x100
    start = ident[:7].ljust(16, b"\0") + struct.pack("<HHIQQQIHH", 2, machine, 1, base + 112, 56, 0, 0, 64, 56)
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(os.path.realpath(directory), "smallest")
        with open(path, "wb") as file:
            file.write((start + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096)).ljust(size, b"\0"))
        os.chmod(path, 0o755)
        documents = check_verified(path)
        assert [vma["perms"] for vma in documents[0]["vmas"] if vma["kind"] == "segment"][:1] == ["r-xp"]


@segtest.parameters("1 1 1", "2 2 1", "0 0 0", "1 2 255", "255 255 2")
def ident_that_misleads_others_is_verified(text):
    ident = bytes(int(word) for word in text.split())
    entries = zoo()
    with tempfile.TemporaryDirectory() as directory:
        names = [name for name in ("gcc-pie", "gcc-no-pie", "gcc-static", "gcc-m32-pie", "gcc-m32-static", "musl-pie")
                 if "program" in entries.get(name, {})]
        if not names:
            raise segtest.Skip("needs a compiler")
        for name in names:
            path = os.path.join(os.path.realpath(directory), name)
            shutil.copy(entries[name]["program"], path)
            with elfpatch.Patch(path) as patch:
                patch.set_ident(ident)
            documents = check_verified(path)
            honest = segtest.document("--explain", entries[name]["program"])
            image = next(image for image in documents[-1]["images"] if image["path"] == path)
            with open(path, "rb") as file:
                misleads = file.read(7)[4:] != (b"\1\1\1" if "m32" in name else b"\2\1\1")
            assert image["sections"] == "headers" and image["build_id"] == honest["images"][0]["build_id"]
            note = f"(EI_CLASS {ident[0]}, EI_DATA {ident[1]}, EI_VERSION {ident[2]}, e_machine "
            assert any(note in each for each in documents[-1]["notes"]) == misleads, documents[-1]["notes"]


@segtest.claim
def program_for_a_486_is_verified():
    entry = zoo().get("gcc-m32-static")
    if not entry:
        raise segtest.Skip("needs a compiler for 32 bits")
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(os.path.realpath(directory), "program")
        shutil.copy(entry["program"], path)
        with elfpatch.Patch(path) as patch:
            patch.data[18] = 6      # e_machine
        documents = check_verified(path)
        assert documents[0]["images"][0]["machine"] == "386", documents[0]["images"]


@segtest.claim
def program_of_45_bytes_is_verified():
    if platform.machine() != "x86_64":
        raise segtest.Skip("its code is that of i386")
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(os.path.realpath(directory), "teensy")
        with open(path, "wb") as file:
            file.write(elfpatch.smallest())
        os.chmod(path, 0o755)
        assert os.path.getsize(path) == 45
        if subprocess.run([path], check=False).returncode != 42:
            raise segtest.Skip("needs a kernel that runs programs of 32 bits")
        documents = check_verified(path)
        assert [(vma["start"], vma["perms"]) for vma in documents[0]["vmas"] if vma["kind"] == "segment"][:1] == \
            [("0x10000", "r-xp")], documents[0]["vmas"]


@segtest.claim
def moment_narrows_it():
    for moments in (["exec"], ["entry"], ["entry", "exec"], ["exec", "entry"]):
        documents = check_verified("/bin/true", "--moment=" + ",".join(moments))
        assert [document["moment"] for document in documents] == moments
        assert all(document["differences"] == [] for document in documents)


@segtest.claim
def table_says_what_was_compared():
    for options in ([], ["--moment=exec,entry"], ["--color=always"]):
        result = segtest.segmap("--explain", "--verify", *options, "/bin/true")
        lines = result.text.splitlines()
        assert result.status == 0 and lines[-2].startswith("verified at exec: 2 images, "), lines[-3:]
        assert lines[-1].startswith("verified at entry: 3 images, "), lines[-3:]
        assert all(line.endswith(" VMAs, no difference") for line in lines[-2:]), lines[-3:]
        # The map at exec is shown if it was asked for.
        assert result.text.count("[stack]") >= 1 + bool(options and "moment" in options[0])
    result = segtest.segmap("--explain", "--verify", "-q", "/bin/true")
    assert "verified" not in result.text and result.status == 0


@segtest.claim
def not_verified_has_no_differences_at_all():
    document = segtest.document("--explain", "/bin/true")
    assert "differences" not in document


# ---- predictions that are wrong ----

def check_wrong(how, program, env=None):
    """The documents of a program that is run in another way than predicted."""
    if not OTHER_RUN:
        raise segtest.Skip("OTHER_RUN names no library")
    still = verify(program, env=dict(env or {}, LD_PRELOAD=OTHER_RUN, HOW="still:", **ANY_ORDER))
    assert still[0] == 0, still
    status, documents, error = verify(program, env=dict(env or {}, LD_PRELOAD=OTHER_RUN, HOW=how, **ANY_ORDER))
    assert status == 3, (status, changes(documents), error)
    return documents


@segtest.claim
def library_that_only_the_run_preloads_is_noticed():
    library = zoo()["gcc-library"]["library"]
    documents = check_wrong(f"preload:{library}", "/bin/true")
    assert changes(documents) == [("entry", "added", os.path.realpath(library), "loaded, and not predicted")]


@segtest.claim
def library_that_was_replaced_is_noticed():
    entries = zoo()
    with tempfile.TemporaryDirectory() as directory:
        directory = os.path.realpath(directory)
        program = os.path.join(directory, "gcc-library")
        library = os.path.join(directory, "libgcc-library.so")
        other = os.path.join(directory, "other.so")
        for source in (entries["gcc-library"]["program"], entries["gcc-library"]["library"]):
            shutil.copy(source, directory)
        shutil.copy(entries["gcc-library-norelro"]["library"], other)
        documents = check_wrong(f"replace:{library}:{other}", program)
    found = changes(documents)
    assert {moment for moment, *_ in found} == {"entry"} and {image for _, _, image, _ in found} == {library}
    # Another file, and it has no RELRO: what was one VMA of three pages is cut in another place.
    assert "image" in [what for _, what, _, _ in found] and len(found) > 1, found


@segtest.claim
def program_that_was_another_is_noticed():
    entries = zoo()
    documents = check_wrong(f"program:{entries['gcc-no-pie']['program']}", entries["gcc-pie"]["program"])
    assert {moment for moment, *_ in changes(documents)} == {"exec", "entry"}
    status, documents, error = verify("/bin/true", env=dict(
        LD_PRELOAD=OTHER_RUN, HOW="program:/nowhere", **ANY_ORDER))
    assert status == 3 and documents[0]["differences"][0]["b"] == "refused: ENOENT", error


@segtest.claim
def differences_are_shown_in_a_table_and_told_elsewhere():
    library = zoo()["gcc-library"]["library"]
    env = dict(LD_PRELOAD=OTHER_RUN, HOW=f"preload:{library}", **ANY_ORDER)
    result = segtest.segmap("--explain", "--verify", "/bin/true", env=env)
    line = f"  added {os.path.realpath(library)}: loaded, and not predicted"
    assert result.status == 3 and result.text.splitlines()[-1] == line, result.text
    assert result.text.splitlines()[-2].endswith(" VMAs, 1 difference")
    for options in (["-r"], ["-q"]):
        result = segtest.segmap("--explain", "--verify", *options, "/bin/true", env=env)
        assert result.status == 3 and line.strip() in result.error_text, result.error_text


# ---- what parses, as if somebody had taken it over ----

@segtest.parameters("elsewhere/program", "second/program", "program")
def only_the_file_that_a_name_stands_for_is_run(asked):
    """Another file of that name is not: anywhere, further on in PATH, or in the working directory."""
    need_before_entry()
    if not OTHER_RUN:
        raise segtest.Skip("OTHER_RUN names no library")
    with before_entry("nothing") as (env, pids):
        here = os.path.realpath(os.path.dirname(pids))
        for name in ("first", "second", "elsewhere"):
            os.mkdir(os.path.join(here, name))
            shutil.copy(BEFORE_ENTRY, os.path.join(here, name, "program"))
        shutil.copy(BEFORE_ENTRY, os.path.join(here, "program"))
        named = os.path.join(here, "first", "program")
        env.update(LD_PRELOAD=OTHER_RUN, HOW=f"ask:{named}:{os.path.join(here, asked) if '/' in asked else asked}",
                   PATH=f"{here}/first:{here}/second:{os.environ['PATH']}",
                   LD_LIBRARY_PATH=os.path.dirname(BEFORE_ENTRY), **ANY_ORDER)
        status, documents, error = verify("program", env=env, cwd=here)
        assert status == 1 and not documents and "the command line does not name it" in error, (status, error)
        assert not read_pids(pids)
        env.update(HOW=f"ask:{named}:{named}")
        status, documents, error = verify("program", env=env, cwd=here)
        assert status == 0 and not changes(documents) and len(read_pids(pids)) == 1, (status, error)


# ---- programs that do not get there, or do more on the way ----

def need_before_entry():
    if not BEFORE_ENTRY:
        raise segtest.Skip("BEFORE_ENTRY names no program")


@segtest.claim
def program_that_ends_before_its_entry_is_not_verified():
    need_before_entry()
    with before_entry("exit") as (env, pids):
        status, documents, error = verify(BEFORE_ENTRY, env=env)
        assert status == 1 and not changes(documents), (status, error)
        assert "not verified at entry: exits with status 41" in error, error
        assert len(read_pids(pids)) == 1
        text = segtest.segmap("--explain", "--verify", BEFORE_ENTRY, env=env).text
        assert text.splitlines()[-1] == "not verified at entry: exits with status 41", text
    with before_entry("abort") as (env, _):
        status, documents, _ = verify(BEFORE_ENTRY, env=env)
        assert status == 3 and documents[1]["differences"][0]["b"] == "killed: SIGABRT"


@segtest.parameters(*[closed for closed in ((0,), (0, 2), (0, 1, 2))])
def closed_streams_are_no_difference(closed):
    def close_them():
        for fd in closed:
            os.close(fd)
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "out")
        result = subprocess.run([segtest.SEGMAP, "-J", "--explain", "--verify", "--output-file", path, "/bin/true"],
                                preexec_fn=close_them, check=False, timeout=60)
        assert result.returncode == 0, result
        with open(path, encoding="utf-8") as file:
            assert len(file.read().splitlines()) == 2


@segtest.claim
def nothing_of_it_is_left():
    need_before_entry()
    for what, count in (("nothing", 1), ("read", 1), ("thread", 1), ("fork", 2), ("leave", 2), ("wait", 1)):
        with before_entry(what) as (env, pids):
            status, documents, error = verify(BEFORE_ENTRY, env=env)
            assert status == 0 and not changes(documents), (what, changes(documents), error)
            found = read_pids(pids)
            assert len(found) == count and all(gone(pid) for pid in found), (what, found)


# In a pid namespace of its own: somebody else gets the number of a thread that has executed a program.
REUSE = """
mkfifo gate
"$SEGMAP" --explain --verify "$BEFORE_ENTRY" >/dev/null 2>&1 &
verifies=$!
until [ -s pids ] && [ "$(wc -l <pids)" = 2 ]; do sleep 0.05; done
thread=$(tail -n 1 pids)
for try in 1 2 3 4 5; do
    while [ -d /proc/$thread ]; do sleep 0.05; done
    echo $((thread - 1)) >/proc/sys/kernel/ns_last_pid || exit 77
    sleep 600 &
    [ $! = $thread ] && break
done
[ $! = $thread ] || exit 77
: >gate
wait $verifies
kill -0 $thread
"""


@segtest.claim
def number_of_a_thread_that_is_gone_is_nobody_s_to_kill():
    need_before_entry()
    segtest.need_root()
    with tempfile.TemporaryDirectory() as directory:
        result = subprocess.run(
            [segtest.which("unshare"), "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", REUSE],
            cwd=directory, check=False, timeout=120, capture_output=True,
            env=dict(os.environ, DO="fork-thread", PIDS=os.path.join(directory, "pids"),
                     GATE=os.path.join(directory, "gate"), SEGMAP=segtest.SEGMAP, BEFORE_ENTRY=BEFORE_ENTRY))
        if result.returncode == 77 or b"unshare" in result.stderr:
            raise segtest.Skip("needs a pid namespace in which the next number can be chosen")
        assert result.returncode == 0, result


@segtest.claim
def nothing_outlives_segmap_however_it_ends():
    need_before_entry()
    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with before_entry("ignore") as (env, pids):
            with subprocess.Popen([segtest.SEGMAP, "--explain", "--verify", BEFORE_ENTRY],
                                  env=dict(os.environ, **env), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                segtest.wait_until(lambda pids=pids: read_pids(pids) or process.poll() is not None,
                                   "the program is on its way", 60)
                if process.poll() is not None:
                    raise segtest.Skip("needs to trace its own children")
                found = read_pids(pids)
                assert not any(gone(pid) for pid in found)
                process.send_signal(number)
                assert process.wait(30) == -number
            segtest.wait_until(lambda found=found: all(gone(pid) for pid in found), "its end", 30)


@segtest.claim
def library_that_a_constructor_opens_is_a_note():
    need_before_entry()
    library = os.path.realpath(zoo()["gcc-library"]["library"])
    with before_entry("open", LIBRARY=library) as (env, _):
        documents = check_verified(BEFORE_ENTRY, env=env)
        notes = [note for note in documents[1]["notes"] if note.startswith(library)]
        assert len(notes) == 1 and "dlopen" in notes[0], documents[1]["notes"]


@segtest.claim
def privileges_of_a_set_user_id_program_are_spoken_of():
    segtest.need_root()
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        path = os.path.join(directory, "privileged")
        shutil.copy("/bin/true", path)
        os.chmod(path, 0o4755)
        if os.statvfs(directory).f_flag & os.ST_NOSUID:
            raise segtest.Skip("needs a file system without nosuid")
        documents = check_verified(path, as_user=65534)
        assert any("set-user-ID" in note for note in documents[0]["notes"]), documents[0]["notes"]
        # The privileges are lost under a tracer, and AT_SECURE is set all the same.
        library = os.path.join(directory, "library.so")
        shutil.copy(zoo()["gcc-library"]["library"], library)
        documents = check_verified(path, as_user=65534, env={"LD_PRELOAD": library, **ANY_ORDER})
        assert library not in [image["path"] for image in documents[1]["images"]]


@segtest.claim
def interpreter_shorter_than_a_header_is_an_error_of_reading():
    with tempfile.TemporaryDirectory() as directory:
        here = os.path.realpath(directory)
        interpreter = os.path.join(here, "short.so")
        for width, ehdr in (("-m64", 64), ("-m32", 52)):
            program = os.path.join(here, "program" + width)
            if subprocess.run([segtest.which("gcc"), width, "-x", "c", "-fPIC", "-nostdlib", "-pie", "-", "-o",
                               program, "-Wl,-e,f", f"-Wl,--dynamic-linker={interpreter}"],
                              input=b"void f(void) { __builtin_trap(); }", check=False).returncode:
                raise segtest.Skip(f"needs gcc {width}")
            for size in (0, ehdr - 1, ehdr):
                with open(interpreter, "wb") as file:
                    file.write(b"\x7fELF".ljust(size, b"\1")[:size])
                os.chmod(interpreter, 0o755)
                status, documents, error = verify(program)
                assert status == 1 and not changes(documents), (status, changes(documents), error)
                assert documents[0]["outcome"]["error"] == ("ELIBBAD" if size == ehdr else "EIO"), documents[0]


# A dynamic linker that does nothing but jump to AT_ENTRY.
JUMP = r"""
__asm__(".globl _start\n_start: mov %rsp,%rdi; mov (%rdi),%rax; lea 16(%rdi,%rax,8),%rdi\n"
        "1: mov (%rdi),%rax; add $8,%rdi; test %rax,%rax; jnz 1b\n"
        "2: cmpq $9,(%rdi); je 3f; add $16,%rdi; jmp 2b\n3: jmp *8(%rdi)");
"""
LEAVE = 'void leave(void) { __asm__("mov $60,%eax; xor %edi,%edi; syscall"); }'


@segtest.claim
def unknown_dynamic_linker_is_not_said_to_give_up():
    with tempfile.TemporaryDirectory() as directory:
        here = os.path.realpath(directory)
        for source, *flags in ((JUMP, "-shared", "-Wl,-e,_start", "-o", f"{here}/jump.so"),
                               ("int e;", "-shared", "-Wl,-soname,libe.so", "-o", f"{here}/libe.so"),
                               (LEAVE, "-pie", "-Wl,-e,leave", "-Wl,--no-as-needed", f"{here}/libe.so",
                                f"-Wl,--dynamic-linker={here}/jump.so", "-o", f"{here}/program")):
            subprocess.run([segtest.which("gcc"), "-x", "c", "-fPIC", "-nostdlib", "-", "-x", "none", *flags],
                           input=source.encode(), check=True)
        for document in check_verified(f"{here}/program"):
            assert document["outcome"] is None, document["outcome"]
        assert any("what it will do is not known" in note for note in document["notes"]), document["notes"]
        assert any(note.startswith("libe.so") for note in document["notes"]), document["notes"]


@segtest.parameters("4755", "2755", "2745", "capabilities", "4755 no_new_privs", "capabilities no_new_privs")
def privileged_program_is_randomized_all_the_same(how):
    """PER_CLEAR_ON_SETID: where it is somewhere else each time, the prediction has no numbers."""
    segtest.need_root()
    with open("/proc/sys/kernel/randomize_va_space", encoding="ascii") as file:
        if not int(file.read()):
            raise segtest.Skip("needs a kernel that randomizes")
    no_randomize = 0x0040000    # ADDR_NO_RANDOMIZE
    kind, _, no_new_privs = how.partition(" ")
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        path = os.path.join(directory, "privileged")
        shutil.copy(shutil.which("cat"), path)
        if os.statvfs(directory).f_flag & os.ST_NOSUID:
            raise segtest.Skip("needs a file system without nosuid")
        if kind == "capabilities":
            # struct vfs_cap_data: cap_net_raw+ep
            os.setxattr(path, "security.capability", struct.pack("<5I", 0x2000001, 1 << 13, 0, 0, 0))
        else:
            os.chmod(path, int(kind, 8))

        def prepare():
            ctypes.CDLL(None).personality(no_randomize)
            if no_new_privs:
                ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)    # PR_SET_NO_NEW_PRIVS
            os.setgroups([])
            if kind == "capabilities":
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
        starts = {subprocess.run([path, "/proc/self/maps"], preexec_fn=prepare, check=True,
                                 stdout=subprocess.PIPE).stdout.split(b"-")[0] for _ in range(3)}
        cleared = len(starts) > 1
        assert cleared == (kind != "2745" and how != "4755 no_new_privs"), starts
        # What segmap has been told itself is enough.
        for document in check_verified(path, *([] if kind == "2755" else ["--no-aslr"]), preexec_fn=prepare):
            program = [vma for vma in document["vmas"] if vma["kind"] in ("segment", "relro")]
            assert all(bool(vma["base"]) == cleared for vma in program if vma["name"] == path), program
            assert any("all the same" in note for note in document["notes"]) == cleared, document["notes"]
        result = segtest.segmap("-J", "--run", "--no-aslr", path, "/dev/null", preexec_fn=prepare)
        notes = json.loads(result.out)["notes"]
        assert any("all the same" in note for note in notes) == cleared, (result, notes)


# ---- wrong usage ----

@segtest.claim
def what_cannot_be_verified_is_refused():
    library = zoo()["gcc-library"]["library"]
    for arguments in (["--verify", "1"], ["--verify", "--explain", library],
                      ["--verify", "--explain", "--as=library", "/bin/true"],
                      ["--verify", "--explain", "--no-deps", "/bin/true"],
                      ["--verify", "--explain", "--page-size=65536", "/bin/true"]):
        result = segtest.segmap(*arguments)
        lines = result.error_text.splitlines()
        assert result.status == 2 and len(lines) == 2 and lines[1] == "Try 'segmap --help'", (arguments, lines)
        assert "verify" in lines[0], lines


@segtest.claim
def program_that_is_not_there_is_status_1():
    status, documents, error = verify("/no/such/program")
    assert status == 1 and not documents and "/no/such/program" in error


# ---- what only some programs meet ----

def small_program(directory, name, *segments, kind=2):
    """A program of these PT_LOADs (flags, p_offset, p_vaddr, p_filesz, p_memsz); it begins to run and dies."""
    path = os.path.join(directory, name)
    entry = next(vaddr + 0x800 for flags, offset, vaddr, filesz, _ in segments if flags & 1 and filesz > 0x800)
    data = b"\x7fELF\2\1\1".ljust(16, b"\0")
    data += struct.pack("<HHIQQQIHHHHHH", kind, 62, 1, entry, 64, 0, 0, 64, 56, len(segments) + 1, 0, 0, 0)
    data += struct.pack("<IIQQQQQQ", 0x6474e551, 6, 0, 0, 0, 0, 0, 16)
    for flags, offset, vaddr, filesz, memsz in segments:
        data += struct.pack("<IIQQQQQQ", 1, flags, offset, vaddr, vaddr, filesz, memsz, 0x1000)
    data = data.ljust(0x800, b"\0") + b"\x0f\x0b" * 0x400
    with open(path, "wb") as file:
        file.write(data.ljust(max(offset + filesz for _, offset, _, filesz, _ in segments), b"\0"))
    os.chmod(path, 0o755)
    return path


@segtest.claim
def more_memory_than_there_is_is_refused_as_predicted():
    code = (5, 0, 0x400000, 0x1000, 0x1000)
    with tempfile.TemporaryDirectory() as directory:
        much = small_program(directory, "much", code, (6, 0x1000, 0x10000000, 0x10, 1 << 46))
        with open("/proc/sys/vm/overcommit_memory", encoding="ascii") as file:
            refused = file.read().strip() == "0"
        status, (*_, found), error = verify(much)
        assert not found["differences"], (found["differences"], error)
        assert status == (1 if refused else 0), (status, error)
        if refused:
            assert found["outcome"]["error"] == "SIGSEGV" and "Cannot allocate" in found["outcome"]["reason"]


@segtest.claim
def low_addresses_are_for_those_who_may_have_them():
    segtest.need_root()
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        low = small_program(directory, "low", (5, 0, 0x1000, 0x1000, 0x1000))
        with open("/proc/sys/vm/mmap_min_addr", encoding="ascii") as file:
            bound = int(file.read()) > 0x1000
        for user, dies in ((None, False), (65534, bound)):
            status, (*_, found), error = verify(low, as_user=user)
            assert not found["differences"], (user, found["differences"], error)
            assert status == (1 if dies else 0), (user, status, error)
            assert not dies or found["outcome"]["error"] == "SIGSEGV"


@segtest.claim
def neighbours_of_execute_only_memory_are_told_apart_by_its_key():
    # rw- and --x pages of .bss and file in turn, so that anon_vmas could be shared.
    with tempfile.TemporaryDirectory() as directory:
        for flags in (1, 5):
            program = small_program(
                directory, f"keys-{flags}", (5, 0, 0x400000, 0x1000, 0x1000),
                (6, 0x1000, 0x401000, 0x800, 0x1000), (flags, 0x2000, 0x402000, 0x1000, 0x1000),
                (6, 0x3000, 0x403000, 0x800, 0x1000))
            check_verified(program)


@segtest.claim
def preloaded_library_that_cannot_be_mapped_is_left_out():
    with tempfile.TemporaryDirectory() as directory:
        # A library as far as its header goes, whose offset and address do not agree within a page.
        odd = small_program(directory, "libodd.so", (5, 0, 0, 0x1000, 0x1000), (6, 0x1010, 0x2000, 0x10, 0x10),
                            kind=3)
        documents = check_verified("/bin/true", env={"LD_PRELOAD": odd, **ANY_ORDER})
        notes = " ".join(documents[-1]["notes"])
        assert "libodd.so" in notes, notes


@segtest.claim
def of_several_dynamic_sections_the_last_is_what_is_linked():
    with tempfile.TemporaryDirectory() as directory:
        path = shutil.copy(zoo()["gcc-pie"]["program"], directory)
        with elfpatch.Patch(path) as patch:
            first, last = patch.phdr(elfpatch.PT_DYNAMIC), patch.phdr(elfpatch.PT_GNU_EH_FRAME)
            last.copy(first)
            # The first has DT_NULL alone, and so needs no library.
            end = first.p_offset
            while any(patch.data[end:end + 16]):
                end += 16
            first.p_vaddr += end - first.p_offset
            first.p_offset, first.p_filesz, first.p_memsz = end, 16, 16
        libraries = [image for image in check_verified(path)[1]["images"] if image["role"] == "library"]
        assert libraries, "the point of this claim"


@segtest.claim
def musl_protects_itself_where_it_is_needed():
    compiler = segtest.which("gcc")
    if not os.path.exists(MUSL):
        raise segtest.Skip("needs musl's dynamic linker")
    with tempfile.TemporaryDirectory() as directory:
        path = functools.partial(os.path.join, os.path.realpath(directory))
        with open(path("x.c"), "w", encoding="ascii") as file:
            file.write('int d[10] = { 1 };\nvoid _start(void) { for (;;) __builtin_trap(); }\n')
        for name, flags in (("libother.so", ["-shared"]), ("libc.so", ["-shared", "-Wl,-soname,libc.so"])):
            subprocess.run([compiler, "-nostdlib", "-fPIC", path("x.c"), "-o", path(name), *flags], check=True)
        for name, libraries in (("nothing", []), ("other", ["libother.so"]), ("libc", ["libc.so"])):
            subprocess.run([compiler, "-nostdlib", "-fPIE", "-pie", path("x.c"), "-o", path(name),
                            "-Wl,--no-as-needed", "-Wl,-rpath," + directory, "-Wl,-dynamic-linker," + MUSL,
                            *map(path, libraries)], check=True)
            document = check_verified(path(name))[1]
            kinds = {vma["kind"] for vma in document["vmas"] if vma["name"] == os.path.realpath(MUSL)}
            assert ("relro" in kinds) == (name == "libc"), (name, kinds)


@segtest.claim
def library_on_a_noexec_mount_is_not_mapped():
    segtest.need_root()
    unshare, mount = segtest.which("unshare"), segtest.which("mount")
    with tempfile.TemporaryDirectory() as directory:
        path = functools.partial(os.path.join, os.path.realpath(directory))
        os.mkdir(path("mnt"))
        entries = [zoo()[name] for name in ("gcc-library", "musl-library") if zoo()[name]["status"] == "built"]
        for entry in entries:
            shutil.copy(entry["program"], directory)
            # The program looks for it beside itself.
            os.symlink(path("mnt", os.path.basename(entry["library"])), path(os.path.basename(entry["library"])))
        programs = [os.path.basename(entry["program"]) for entry in entries]
        # Other users of the machine never see this file system: it is in a namespace of its own.
        script = f"""cd {directory} && {mount} -t tmpfs -o noexec none mnt &&
                cp {' '.join(entry['library'] for entry in entries)} mnt || exit 99
            for program in {' '.join(programs)}; do
                {segtest.SEGMAP} --explain --verify -J --moment=entry $program; echo "status $?"
            done
            LD_PRELOAD=mnt/libgcc-library.so {segtest.SEGMAP} --explain --verify -J --moment=entry /bin/true"""
        result = subprocess.run([unshare, "--mount", "--propagation", "private", "sh", "-c", script], check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = result.stdout.splitlines()
        assert len(lines) == 2 * len(programs) + 1, result
        for line, status in zip(lines[::2], lines[1::2]):
            document = json.loads(line)
            assert document["differences"] == [] and status == "status 1", (document["differences"], result.stderr)
            assert document["outcome"]["error"] == "EPERM" and "noexec" in document["outcome"]["reason"]
        document = json.loads(lines[-1])
        assert document["differences"] == [] and not document["outcome"], (document, result.stderr)
        assert any("goes on without it" in note for note in document["notes"]), document["notes"]


@segtest.claim
def stack_is_executable_where_a_library_wants_it():
    compiler = segtest.which("gcc")
    with tempfile.TemporaryDirectory() as directory:
        source = os.path.join(directory, "x.c")
        with open(source, "w", encoding="ascii") as file:
            file.write("int x(void){return 0;}\n#ifdef MAIN\nint main(void){return x();}\n#endif\n")
        library = os.path.join(directory, "libx.so")
        for flag, perms in (("execstack", "rwxp"), ("noexecstack", "rw-p")):
            subprocess.run([compiler, "-shared", "-fPIC", source, "-o", library, "-Wl,-z," + flag], check=True,
                           stderr=subprocess.DEVNULL)
            program = os.path.join(directory, flag)
            subprocess.run([compiler, "-DMAIN", "-Dx=y", "-Wl,--no-as-needed", source, "-o", program, "-L" + directory,
                            "-lx", "-Wl,-rpath,$ORIGIN"], check=True)
            for document in check_verified(program):
                stack, = [vma for vma in document["vmas"] if vma["name"] == "[stack]"]
                assert stack["perms"] == (perms if document["moment"] == "entry" else "rw-p"), (flag, stack)
            # The story has the call, and a real run makes it.
            traced = json.loads(segtest.segmap("-J", "--run", "--trace", program, env={"ASAN_OPTIONS": ""}).out)
            made = [call for call in traced["calls"] if call["name"] == "mprotect" and call["perms"] == "rwxp"]
            assert len(made) == (flag == "execstack") and all(call["matched"] for call in made), made
            assert not any("not made" in note for note in traced["notes"]), traced["notes"]
            text = segtest.segmap("--explain", program).text
            assert ("wants an executable stack" in text) == ("can stay rw-" in text) == (flag == "execstack"), text


segtest.main()
