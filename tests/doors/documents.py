"""Saved JSON documents are read back as what they are, and nothing else is taken for one."""
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile

import segtest

REREAD = os.environ["REREAD"]


@contextlib.contextmanager
def scratch():
    with tempfile.TemporaryDirectory(prefix="segmap-documents-") as directory:
        yield directory


def reread(*paths):
    return subprocess.run([REREAD, *paths], capture_output=True, timeout=120, check=False)


def write(directory, name, data):
    path = os.path.join(directory, name)
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else json.dumps(data).encode())
    return path


def check_round_trip(directory, *arguments):
    """Every document of this command line comes out byte for byte as it went in."""
    result = segtest.segmap("-J", *arguments)
    lines = result.out.splitlines(keepends=True)
    assert lines, result.error_text
    paths = [write(directory, f"{number}.json", line) for number, line in enumerate(lines)]
    again = reread(*paths)
    assert again.returncode == 0, again.stderr
    for before, after in zip(lines, again.stdout.splitlines(keepends=True), strict=True):
        assert before == after, (arguments, before[:200])


@segtest.parameters("", "-x", "-X", "-XX")
def live_map_comes_back_byte_for_byte(figures):
    options = [figures] if figures else []
    code = "import threading; e = threading.Event(); threading.Thread(target=e.wait).start(); " \
           "import ssl; print('ready', flush=True); input()"
    with scratch() as directory, segtest.running(
            [sys.executable, "-c", code], ready=b"ready", stdin=subprocess.PIPE) as process:
        check_round_trip(directory, *options, process.pid)


@segtest.claim
def saved_maps_and_cores_come_back_too():
    gcore = segtest.which("gcore")
    with scratch() as directory, segtest.running(["sleep", "600"]) as process:
        check_round_trip(directory, "--maps", f"/proc/{process.pid}/maps")
        check_round_trip(directory, "-X", "--maps", f"/proc/{process.pid}/smaps")
        core = os.path.join(directory, "core")
        subprocess.run([gcore, "-o", core, str(process.pid)], check=True, capture_output=True)
        check_round_trip(directory, "--core", f"{core}.{process.pid}")


@segtest.claim
def prediction_comes_back_but_for_its_calls():
    with scratch() as directory:
        for arguments in (["bash"], ["--moment=exec", "bash"], ["--no-aslr", "bash"]):
            document = segtest.document("--explain", *arguments)
            again = reread(write(directory, "a.json", document))
            assert again.returncode == 0, again.stderr
            document["calls"] = []
            assert json.loads(again.stdout) == document


def a_document():
    """A small map with all that can stand in one."""
    with segtest.running(["sleep", "600"]) as process:
        return segtest.document("-XX", process.pid)


def at(document, *path):
    for step in path:
        document = document[step]
    return document


@segtest.claim
def machine_without_a_name_is_its_number():
    document = a_document()
    with scratch() as directory:
        for machine in ("0", "4660", "65535", "386", "SPARCV9"):
            document["images"][0]["machine"] = machine
            again = reread(write(directory, "a.json", document))
            assert again.returncode == 0, again.stderr
            assert json.loads(again.stdout)["images"][0]["machine"] == machine


# What is put where, and the words that the message must have.
BAD_VALUES = [
    (("segmap",), 2, "segmap: this version"),
    (("document",), "summary", "document: it is another document"),
    (("source",), "dream", "source: no document of this version has this word"),
    (("page_size",), 4095, "page_size: no size of a page"),
    (("page_size",), 0, "page_size: no size of a page"),
    (("pid",), 2**31, "pid: the number is too great"),
    (("pid",), "7", "pid: it is no number"),
    (("time",), "yesterday", "time: no time"),
    (("command",), ["a", 1], "command: a list of texts has something else"),
    (("answers",), [], "answers: it has the answers of --at"),
    (("news",), 1, "news: no document of this version has this key"),
    (("images", 0, "id"), 1, "images[0].id: it is not"),
    (("images", 0, "alias_of"), 99, "images[0].alias_of: there is nothing of this number"),
    (("images", 0, "role"), "king", "images[0].role: no document"),
    (("images", 0, "bias"), "0x", "images[0].bias: no address"),
    (("images", 0, "bias"), "0x12345678901234567", "images[0].bias: no address"),
    (("images", 0, "bias"), "0xABC", "images[0].bias: no address"),
    (("images", 0, "bias"), "12", "images[0].bias: no address"),
    (("images", 0, "build_id"), "../x", "images[0].build_id: no build-id"),
    (("images", 0, "dev"), "fe00", "images[0].dev: no device"),
    (("images", 0, "class"), 16, "images[0].class: neither 32 nor 64"),
    *((("images", 0, "machine"), wrong, "images[0].machine: no machine")
      for wrong in ("PDP12", "", "62", "065534", "65536", "-2", "65534 ", "0xfffe")),
    (("images", 0, "type"), "REL", "images[0].type: neither EXEC nor DYN"),
    (("images", 0, "segments", 0, "type"), "NOTE", "images[0].segments[0].type: neither"),
    (("images", 0, "segments", 0, "flags"), "rwxp", "images[0].segments[0].flags: no permissions"),
    (("images", 0, "segments", 0, "vaddr"), "0xfffffffffffff000",
     "images[0].segments[0].memsz: it reaches beyond"),
    (("images", 0, "segments", 0, "news"), 1, "images[0].segments[0].news: no document"),
    (("vmas", 1, "start"), "0x0", "vmas[1].size: it is not end minus start"),
    (("vmas", 1, "end"), "0x0", "vmas[1].end: start and end are not"),
    (("vmas", 1, "size"), 1, "vmas[1].size: it is not end minus start"),
    (("vmas", 1, "perms"), "rwx", "vmas[1].perms: no permissions"),
    (("vmas", 1, "perms"), "r-xq", "vmas[1].perms: no permissions"),
    (("vmas", 1, "kind"), "nothing", "vmas[1].kind: no document"),
    (("vmas", 1, "image"), 99, "vmas[1].image: there is nothing of this number"),
    (("vmas", 1, "segment"), 99, "vmas[1].segment: its image has no such segment"),
    (("vmas", 1, "base"), "image", "vmas[1].base: only a predicted VMA"),
    (("vmas", 1, "pieces"), [], "vmas[1].pieces: they do not cover"),
    (("vmas", 1, "pieces", 1, "start"), "0x0", "vmas[1].pieces[1].start: the pieces do not cover"),
    (("vmas", 1, "pieces", 0, "size"), 0, "vmas[1].pieces[0].size: it is not"),
    (("vmas", 1, "pieces", 0, "image"), 99, "vmas[1].pieces[0].image: there is nothing"),
    (("vmas", 1, "pieces", 0, "segment"), 99, "vmas[1].pieces[0].segment: its image"),
    (("vmas", 1, "pieces", 0, "memory"), {"rss": "1"}, "vmas[1].pieces[0].memory.rss: it is no number"),
    (("vmas", 1, "memory", "rss"), None, "vmas[1].memory.rss: it is no number"),
    (("vmas", 1, "vm_flags"), ["readable"], "vmas[1].vm_flags: no flags"),
    (("totals", "rss"), [], "totals.rss: it is no number"),
    (("notes",), [None], "notes: a list of texts has something else"),
]


@segtest.claim
def wrong_value_is_refused_with_its_place():
    base = json.dumps(a_document())
    with scratch() as directory:
        for path, value, words in BAD_VALUES:
            document = json.loads(base)
            at(document, *path[:-1])[path[-1]] = value
            result = reread(write(directory, "bad.json", document))
            assert result.returncode == 1 and words in result.stderr.decode(), (path, value, result.stderr)


@segtest.claim
def missing_key_is_refused_with_its_place():
    base = json.dumps(a_document())
    with scratch() as directory:
        for path in (("segmap",), ("source",), ("vmas",), ("images", 0, "bias"), ("vmas", 1, "kind"),
                     ("images", 0, "segments", 0, "align"), ("vmas", 1, "pieces", 0, "name")):
            document = json.loads(base)
            del at(document, *path[:-1])[path[-1]]
            result = reread(write(directory, "bad.json", document))
            assert result.returncode == 1, path
            assert f"{path[-1]}: it is missing" in result.stderr.decode(), (path, result.stderr)


@segtest.claim
def vmas_out_of_order_are_refused():
    document = a_document()
    vmas = document["vmas"]
    vmas[1], vmas[2] = vmas[2], vmas[1]
    with scratch() as directory:
        result = reread(write(directory, "bad.json", document))
    assert b"vmas[2].start: it overlaps or precedes" in result.stderr, result.stderr


HEAD = b'{"segmap":1,"source":"maps","page_size":4096,"images":[],"vmas":[]'
# What json-c would let pass, or turn into something else, and what is no JSON at all.
BAD_TEXTS = [
    (b"", "begins with {"), (b"[]", "begins with {"), (b"\xef\xbb\xbf" + HEAD + b"}", "begins with {"),
    (HEAD, "cut off"), (HEAD + b"}}", "something behind"), (HEAD + b"}\n" + HEAD + b"}", "a second document"),
    (HEAD + b',"segmap":1}', "stands twice"), (HEAD + b',"\\u0073egmap":2}', "a key with an escape"),
    (HEAD + b',"pid":NaN}', "no JSON"), (HEAD + b',"pid":Infinity}', "no JSON"),
    (HEAD + b',"pid":-1}', "whole number"), (HEAD + b',"pid":1.0}', "whole number"),
    (HEAD + b',"pid":1e3}', "whole number"), (HEAD + b',"pid":01}', "begins with 0"),
    (HEAD + b',"pid":18446744073709551616}', "64 bits"), (HEAD + b',"pid":' + b"9" * 400 + b"}", "64 bits"),
    (HEAD + b',"pid":18446744073709551615}', "too great"),
    (HEAD + b',"comm":"a\\u0000b"}', "a NUL"), (HEAD + b',"comm":"a\nb"}', "control character"),
    (HEAD + b',"comm":"\xff"}', "not UTF-8"), (HEAD + b',"comm":"\xed\xa0\x80"}', "not UTF-8"),
    (HEAD + b',"comm":"a}', "does not end"), (HEAD + b",'comm':'a'}", "no JSON"),
    (HEAD + b",}", "nothing behind a comma"), (HEAD + b',"notes":["a", ]}', "nothing behind a comma"),
    (HEAD + b',"notes":[,]}', "nothing behind a comma"), (HEAD + b',"notes":["a" "b"]}', "no JSON"),
    (HEAD + b',"notes":["a",,"b"]}', "no JSON"), (HEAD + b',"comm"::"a"}', "no JSON"),
    (HEAD + b"/* */}", "no JSON"), (HEAD + b',"pid" 1}', "no JSON"),
    (HEAD + b',"pid":true}', "it is no number"), (HEAD + b',"notes":["a":1]}', "a key outside"),
    (HEAD + b',"notes":' + b"[" * 100000, "nested deeper"),
    (HEAD + b',"notes":[' + b"[]," * 100000 + b"[]]}", "more objects and lists"),
    (b"{" + b",".join(b'"%d":1' % n for n in range(1000)) + b"}", "more keys"),
    (HEAD + b"\0}", "no JSON"),
]


@segtest.claim
def what_json_c_would_let_pass_is_refused():
    with scratch() as directory:
        assert reread(write(directory, "good.json", HEAD + b"} \r\n")).returncode == 0
        letters = "\u00a0\u00fc\u4e2d\ufffd\U0001f600"
        good = reread(write(directory, "letters.json", HEAD + f',"comm":"{letters}"}}\n'.encode()))
        assert good.returncode == 0 and letters in json.loads(good.stdout)["comm"], good.stderr
        for text, words in BAD_TEXTS:
            result = reread(write(directory, "bad.json", text))
            assert result.returncode == 1 and words in result.stderr.decode(), (text[:120], words, result.stderr)


@segtest.claim
def only_regular_files_of_a_sane_size_are_read():
    with scratch() as directory:
        for path, words in (("/dev/zero", "no regular file"), (directory, "no regular file"),
                            (os.path.join(directory, "none"), "No such file")):
            result = reread(path)
            assert result.returncode == 1 and words in result.stderr.decode(), result.stderr
        os.mkfifo(os.path.join(directory, "pipe"))
        assert b"no regular file" in reread(os.path.join(directory, "pipe")).stderr
        large = write(directory, "large.json", b"")
        os.truncate(large, 64 * 1024 * 1024 + 1)
        assert b"larger than" in reread(large).stderr


def mutate(text, chance):
    """The document with a few things done to it that could slip through."""
    text = bytearray(text)
    words = [b"18446744073709551615", b"0", b'"0x0"', b"null", b"[]", b"{}", b"-1", b'"alias"', b'""',
             b'"0xffffffffffffffff"', b"true", b'"prediction"', b'"anon"', b'"vdso"']
    for _ in range(chance.choice((1, 1, 2, 5))):
        place = chance.randrange(len(text))
        kind = chance.randrange(4)
        if kind == 0:
            text[place] = chance.randrange(256)
        elif kind == 1:
            del text[place:place + chance.choice((1, 7, 200))]
        elif kind == 2:  # another value for some key
            colon = text.find(b":", place)
            end = min(p for p in (text.find(b",", colon), text.find(b"}", colon), len(text)) if p >= 0)
            if colon >= 0:
                text[colon + 1:end] = chance.choice(words)
        else:  # something that stood elsewhere
            other = chance.randrange(len(text))
            text[place:place] = text[other:other + chance.choice((10, 100, 1000))]
    return bytes(text)


@segtest.claim
def damaged_documents_are_refused_or_read_and_never_crash():
    """What is read in spite of the damage must be written again, and compare with itself."""
    chance = random.Random(20261122)
    texts = [json.dumps(a_document(), separators=(",", ":")).encode(),
             json.dumps(segtest.document("--explain", "true"), separators=(",", ":")).encode()]
    taken = 0
    with scratch() as directory:
        for round_number in range(4):
            paths = [write(directory, f"{n}.json", mutate(chance.choice(texts), chance)) for n in range(100)]
            result = reread(*paths)
            assert result.returncode in (0, 1), (round_number, result.returncode, result.stderr[-2000:])
            lines = result.stdout.splitlines()
            taken += len(lines)
            assert len(lines) + len(result.stderr.splitlines()) == len(paths), result.stderr[-2000:]
            if not lines:
                continue
            good = write(directory, "good.json", lines[0])
            diff = segtest.segmap("--diff", good, good)
            assert diff.status == 0, diff.error_text
            for line in lines[1:6]:
                diff = segtest.segmap("--diff", "-q", good, write(directory, "other.json", line))
                assert diff.status in (0, 3), (diff.status, diff.error_text)
    assert taken > 10, taken


segtest.main()
