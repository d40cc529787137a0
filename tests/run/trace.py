#!/usr/bin/env python3
"""segmap --run --trace: the calls are those that strace sees, and each is said to be what it is."""
import json
import os
import re
import subprocess
import sys
import tempfile

import segtest

GUEST = os.environ.get("RUN_GUEST", "")
ENTRY_GUEST = os.environ.get("ENTRY_GUEST", "")
BEFORE_ENTRY = os.environ.get("BEFORE_ENTRY", "")
PAGE = os.sysconf("SC_PAGESIZE")
NAMES = "execve,mmap,mmap2,mprotect,munmap,mremap,brk"
ERRORS = {"ENOENT": "No such file or directory", "ENOMEM": "Cannot allocate memory",
          "EINVAL": "Invalid argument", "EACCES": "Permission denied"}


def trace(*arguments, env=None, expect=0, options=()):
    """The document of a program that is run with its calls."""
    result = segtest.segmap("-J", "--no-aslr", "--trace", *options, "--run", *arguments, env=env)
    if "trace it" in result.error_text:
        raise segtest.Skip("needs to trace its own process")
    assert result.status == expect, (result.status, result.error_text)
    documents = [json.loads(line) for line in result.out.splitlines() if line.startswith(b'{"segmap"')]
    assert len(documents) == 1, result.text
    segtest.validate(documents[0])
    segtest.check_layout(documents[0])
    return documents[0]


def perms(text, flags=""):
    return "".join(("r" if "PROT_READ" in text else "-", "w" if "PROT_WRITE" in text else "-",
                    "x" if "PROT_EXEC" in text else "-", "s" if "MAP_SHARED" in flags else "p"))


def up(size):
    return (size + PAGE - 1) // PAGE * PAGE


def strace_calls(log):
    """strace's lines of the main thread, in the form in which our_calls() has ours."""
    calls, end = [], None
    for line in log.splitlines():
        match = re.match(r"(\w+)\((.*)\)\s+= (-?\w+)(?: (E\w+))?", line)
        if not match or match[1] not in NAMES.split(","):
            continue
        name, arguments, result = match[1].replace("mmap2", "mmap"), match[2].split(", "), match[3]
        failed = result == "-1"
        if name == "execve":
            calls.append((name, None, None, None, None, failed))
        elif name == "brk":
            now = int(result, 16)
            before = now if end is None else end
            calls.append((name, min(before, now), max(before, now), None, None, False))
            end = now
        elif name == "mremap":
            start = int(result, 16)
            calls.append((name, start, start + up(int(arguments[2])), None, None, failed))
        else:
            start = int(result if name == "mmap" and not failed else arguments[0].replace("NULL", "0"), 16)
            shown = name != "munmap"
            file = name == "mmap" and "MAP_ANONYMOUS" not in arguments[3]
            calls.append((name, start, start + up(int(arguments[1])),
                          perms(arguments[2], arguments[3] if name == "mmap" else "") if shown else None,
                          int(arguments[5], 16) if file else None, failed))
    return calls


def our_calls(document):
    return [(call["name"], *(int(call[key], 16) if call.get(key) else None for key in ("start", "end")),
             call.get("perms"), call.get("offset"), (call.get("result") or "0x0")[:2] != "0x")
            for call in document["calls"]]


def strace(*arguments, env=None):
    """What strace sees of a program without randomization, up to its end or for a second."""
    program, setarch = segtest.which("strace"), segtest.which("setarch")
    with tempfile.TemporaryDirectory() as directory:
        log = os.path.join(directory, "log")
        # Not -f: children and threads are left alone here, too.
        subprocess.run(["timeout", "-s", "KILL", "5", setarch, "-R", program, "-o", log, "-X", "abbrev", "-e",
                        "trace=" + NAMES + ",pause", *arguments], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False,
                       env=dict(os.environ, **(env or {})))
        with open(log, encoding="utf-8", errors="replace") as file:
            return file.read()


def check_against_strace(*arguments, env=None, expect=0):
    document = trace(*arguments, env=env, expect=expect)
    ours, theirs = our_calls(document), strace_calls(strace(*arguments, env=env))
    assert theirs, "strace saw nothing"
    assert len(ours) <= len(theirs), (len(ours), len(theirs))
    for index, (mine, other) in enumerate(zip(ours, theirs)):
        assert mine == other, (arguments, index, mine, other, document["calls"][index])
    return document, len(theirs)


def summary(document):
    """(made, predicted, more) from the note that says it."""
    found = [re.match(r"trace: (\d+) of (\d+) predicted calls were made; (\d+) more", note)
             for note in document["notes"]]
    found = [tuple(map(int, match.groups())) for match in found if match]
    assert len(found) == 1, document["notes"]
    return found[0]


def check_all_predicted(document):
    made, predicted, more = summary(document)
    matched = [call.get("matched") for call in document["calls"]]
    assert made == predicted > 0 and matched.count(True) >= made, (made, predicted, document["notes"])
    assert matched.count(False) == more and matched[0] is None
    assert any(note.startswith("trace: at exec, what the kernel has mapped is as predicted")
               for note in document["notes"]), document["notes"]
    for call in document["calls"]:
        if call.get("matched"):
            check_place(document, call)


def check_place(document, call):
    """A predicted call is about the image and segment that the map has there."""
    if call.get("image") is None or call.get("segment") is None or "gap" in call["reason"]:
        return
    image = document["images"][call["image"]]
    start = int(call["start"], 16) - int(image["bias"], 16)
    segment = [s for s in image["segments"] if s["index"] == call["segment"]]
    assert len(segment) == 1, call
    low = int(segment[0]["vaddr"], 16) // PAGE * PAGE
    assert low <= start < low + up(segment[0]["memsz"] + PAGE), (call, segment)
    assert os.path.basename(image["path"]) in call["reason"], (call, image["path"])


def build(directory, *flags, source="int main(void) { return 0; }\n"):
    compiler = segtest.which("cc", "gcc", "clang")
    path = os.path.join(directory, "program")
    with open(path + ".c", "w", encoding="ascii") as file:
        file.write(source)
    result = subprocess.run([compiler, "-o", path, path + ".c", *flags], capture_output=True, check=False)
    if result.returncode:
        raise segtest.Skip(f"cannot build with {' '.join(flags)}: {result.stderr.decode()[:100]}")
    return path


@segtest.claim
def calls_up_to_the_entry_point_are_all_and_no_more():
    # Its entry point waits, so what strace has seen until then is exactly what is to be seen.
    process = subprocess.Popen([segtest.SEGMAP, "-J", "--no-aslr", "--trace", "--run", ENTRY_GUEST],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        document = json.loads(process.stdout.readline())
    finally:
        process.kill()
        error = process.communicate()[1]
    segtest.validate(document)
    ours, theirs = our_calls(document), strace_calls(strace(ENTRY_GUEST))
    assert ours == theirs and len(ours) > 10, (ours, theirs, error)
    check_all_predicted(document)


@segtest.parameters("true", "ls", "python3", "bash", "git", "perl", "cc", "gdb")
def calls_are_those_that_strace_sees(name):
    document, _ = check_against_strace(segtest.which(name), "--version")
    check_all_predicted(document)


@segtest.parameters("-m32", "-static", "-static-pie", "-no-pie", "-Wl,-z,norelro", "-Wl,-z,noseparate-code",
                    "-Wl,-z,now", "-Wl,-z,max-page-size=0x200000", "-fuse-ld=lld", "-fuse-ld=mold", "-fuse-ld=gold")
def programs_of_all_kinds_are_traced(flag):
    with tempfile.TemporaryDirectory() as directory:
        path = build(directory, flag)
        document, _ = check_against_strace(path)
        made, predicted, _ = summary(document)
        assert made == predicted, document["notes"]
        relro = [call for call in document["calls"] if call["reason"] == "RELRO of program"]
        assert len(relro) == (flag != "-Wl,-z,norelro"), (flag, [c["reason"] for c in document["calls"]])
        if flag.startswith("-static"):
            assert {call["actor"] for call in document["calls"][1:]} == {"start-up"}


@segtest.claim
def musl_is_traced():
    compiler = segtest.which("musl-gcc")
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "program")
        with open(path + ".c", "w", encoding="ascii") as file:
            file.write("int main(void) { return 0; }\n")
        subprocess.run([compiler, "-o", path, path + ".c"], check=True, capture_output=True)
        document, _ = check_against_strace(path)
        made, predicted, _ = summary(document)
        assert made == predicted, document["notes"]


@segtest.claim
def each_call_has_its_reason():
    document = trace(segtest.which("ls"), "--version")
    by_reason = [call["reason"] for call in document["calls"]]
    assert by_reason[0] == "the program " + os.path.realpath(segtest.which("ls"))
    cache = [call for call in document["calls"] if "ld.so.cache" in call["reason"]]
    assert [call["name"] for call in cache] == ["mmap", "munmap"] and not any(c["matched"] for c in cache)
    assert cache[0]["start"] == cache[1]["start"]
    for image in document["images"]:
        name = os.path.basename(image["path"])
        if image["role"] == "vdso":
            continue
        relro = [s for s in image["segments"] if s["type"] == "GNU_RELRO"]
        # Both ends are rounded down to pages.
        covers = [s for s in relro if int(s["vaddr"], 16) // PAGE < (int(s["vaddr"], 16) + s["memsz"]) // PAGE]
        assert by_reason.count("RELRO of " + name) == bool(covers), (name, by_reason)
        if image["role"] == "library":
            loads = [s["index"] for s in image["segments"] if s["type"] == "LOAD"]
            for load in loads:
                assert any(reason.startswith(f"{name} LOAD {load}") for reason in by_reason), (name, load)
    text = [call for call in document["calls"] if call["reason"].startswith("libc.so.6 LOAD")
            and " .text" in call["reason"]]
    assert len(text) == 1 and text[0]["perms"] == "r-xp" and text[0]["actor"] == "ld.so" and text[0]["source"]
    thread = [call for call in document["calls"] if call["reason"].startswith("TLS block")]
    assert len(thread) >= 1 and thread[0]["name"] == "mmap" and thread[0]["perms"] == "rw-p"


@segtest.claim
def gaps_between_segments_are_named():
    with tempfile.TemporaryDirectory() as directory:
        library = os.path.join(directory, "libholed.so")
        compiler = segtest.which("cc", "gcc", "clang")
        with open(library + ".c", "w", encoding="ascii") as file:
            file.write("int data = 3; int holed(void) { return data; }\n")
        subprocess.run([compiler, "-shared", "-fPIC", "-Wl,-z,max-page-size=0x10000", "-o", library,
                        library + ".c"], check=True)
        path = build(directory, library, f"-Wl,-rpath,{directory}", "-Wl,--no-as-needed",
                     source="int holed(void); int main(void) { return holed() - 3; }\n")
        document, _ = check_against_strace(path)
        check_all_predicted(document)
        gaps = [call for call in document["calls"] if "gap" in call["reason"]]
        assert [(g["name"], g["perms"]) for g in gaps] == [("mprotect", "---p")], gaps
        assert "libholed.so" in gaps[0]["reason"]


@segtest.claim
def what_constructors_do_is_not_predicted_and_said_whose_it_is():
    if not BEFORE_ENTRY:
        raise segtest.Skip("needs the fixture before_entry")
    library = "libm.so.6"
    env = {"DO": "open", "LIBRARY": library}
    document, _ = check_against_strace(BEFORE_ENTRY, env=env, expect=7)
    made, predicted, more = summary(document)
    assert made == predicted and more > 5
    opened = [call for call in document["calls"] if library in call["reason"]]
    assert len(opened) >= 4 and not any(call["matched"] for call in opened), opened
    assert all("not predicted" in call["reason"] for call in opened), opened
    for what in ("thread", "wait", "handle"):
        document, _ = check_against_strace(BEFORE_ENTRY, env={"DO": what}, expect=7)
        made, predicted, _ = summary(document)
        assert made == predicted
        if what == "thread":
            stack = [call for call in document["calls"] if call["reason"].startswith("stack")]
            assert [call["name"] for call in stack] == ["mmap", "mprotect"], stack


# A static program that looks like one of glibc's: it has its ABI note and RELRO, which it never applies.
NEVER_PROTECTED = r"""
__asm__(".section .note.ABI-tag,\"a\",@note\n.long 4,16,1\n.asciz \"GNU\"\n.long 0,3,2,0\n.previous");
int target;
int *const table[2048] __attribute__((section(".data.rel.ro"))) = { &target };
void _start(void)
{
#if defined(__x86_64__)
	__asm__("mov $231, %eax\n mov $7, %edi\n syscall");
#else
	__asm__("mov x8, #94\n mov x0, #7\n svc #0");
#endif
}
"""


@segtest.claim
def what_is_predicted_and_not_made_is_said():
    with tempfile.TemporaryDirectory() as directory:
        path = build(directory, "-nostdlib", "-static", "-Wl,-z,relro", source=NEVER_PROTECTED)
        document, _ = check_against_strace(path, expect=7)
        assert summary(document) == (0, 1, 0), document["notes"]
        assert "trace: predicted and not made: mprotect RELRO of program" in document["notes"]


@segtest.claim
def calls_of_a_program_that_dies_before_its_entry_point_are_shown():
    if not BEFORE_ENTRY:
        raise segtest.Skip("needs the fixture before_entry")
    for what, status in (("exit", 41), ("abort", -6)):
        document, _ = check_against_strace(BEFORE_ENTRY, env={"DO": what}, expect=status)
        assert document["moment"] == "exit" and document["calls"], document
        made, predicted, _ = summary(document)
        assert made == predicted and any("before its entry point" in note for note in document["notes"])
    with tempfile.TemporaryDirectory() as directory:
        # The dynamic linker gives up: its second library is not there any more.
        compiler = segtest.which("cc", "gcc", "clang")
        for name in ("liba.so", "libb.so"):
            subprocess.run([compiler, "-shared", "-o", os.path.join(directory, name), "-x", "c", os.devnull],
                           check=True)
        path = build(directory, "-Wl,--no-as-needed", "-L" + directory, "-la", "-lb", "-Wl,-rpath," + directory)
        os.unlink(os.path.join(directory, "libb.so"))
        document, _ = check_against_strace(path, expect=127)
        assert document["moment"] == "exit" and any("liba.so" in call["reason"] for call in document["calls"])


@segtest.claim
def table_and_document_say_the_same():
    path = segtest.which("ls")
    document = trace(path, "--version")
    lines = segtest.segmap("--no-aslr", "--trace", "--run", path, "--version").text.splitlines()
    assert lines[0].split() == ["NR", "CALL", "START", "END", "PERM", "OFFSET", "PREDICTED", "FOR"]
    for number, (line, call) in enumerate(zip(lines[1:], document["calls"]), 1):
        assert line.split()[:2] == [str(number), call["name"]] and line.endswith(call["reason"]), (line, call)
        if call.get("start"):
            assert line.split()[2:4] == [f"{int(call[key], 16):016x}" for key in ("start", "end")]
    assert lines[len(document["calls"]) + 1] == ""


if not (GUEST and ENTRY_GUEST):
    print("needs the fixtures run_guest and entry_guest")
    sys.exit(77)
segtest.main()
