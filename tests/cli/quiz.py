"""segmap --quiz: questions, answers in every form that they are typed in, worksheets.

    SEGMAP_GOLDEN_UPDATE=1 meson test -C build quiz    # write the golden quizzes anew

Whether the key is right is the matter of tests/predict/quiz.py.
"""
import difflib
import json
import os
import pty
import re
import subprocess
import sys
import tempfile
import unicodedata

import segtest

GOLDEN = os.path.join(segtest.SOURCE, "tests", "golden", "quizzed")
FIXTURES = os.path.join(segtest.SOURCE, "fixtures", "golden")
PROGRAMS = ("big-bss", "odd-segments", "gold", "libholed.so", "libmold.so", "arm", "ppc")
directory = tempfile.TemporaryDirectory(prefix="segmap-quiz-")
subprocess.run([sys.executable, os.path.join(FIXTURES, "make_programs.py"), directory.name], check=True,
               env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
sys.path.insert(0, FIXTURES)
import make_elf  # noqa: E402


def quiz(program, *arguments, typed=b"", status=0, **environment):
    """What --quiz writes; @typed is its standard input."""
    result = subprocess.run([segtest.SEGMAP, "--quiz", *arguments, f"./{program}"], input=typed,
                            capture_output=True, check=False, cwd=directory.name, timeout=60,
                            env={**os.environ, "COLUMNS": "100", **environment})
    assert result.returncode == status, (result.returncode, result.stderr)
    assert status or not result.stderr, result.stderr
    return result.stdout.decode()


def worksheet(program, seed):
    """The document and (kind, answer, explanation) of each question."""
    document = json.loads(quiz(program, "-J", f"--seed={seed}"))
    segtest.validate(document)
    assert document["document"] == "quiz" and document["seed"] == seed
    ids = [question["id"] for question in document["questions"]]
    assert ids == list(range(1, len(ids) + 1)) == [key["id"] for key in document["key"]]
    return document, [(question["kind"], key["answer"], key["explanation"])
                      for question, key in zip(document["questions"], document["key"])]


def as_typed(answer, hexadecimal=False):
    if isinstance(answer, list):
        return " ".join(answer)
    return hex(answer) if hexadecimal else str(answer)


def verdicts(text):
    """For each question whether it was right, and the lines that say so as one."""
    found = re.findall(r"^   (Right: |No, it is )((?:.|\n(?=   ))*)", text, re.MULTILINE)
    return [(word == "Right: ", " ".join(rest.split())) for word, rest in found]


def score(text):
    return re.search(r"^(\d+) of (\d+) right(?:; (\d+) left)?\.$", text, re.MULTILINE).groups()


@segtest.claim
def what_the_key_says_is_right():
    for program in PROGRAMS:
        for seed in (0, 4294967295):
            _, key = worksheet(program, seed)
            typed = "".join(as_typed(answer) + "\n" for _, answer, _ in key)
            text = quiz(program, f"--seed={seed}", typed=typed.encode())
            assert score(text) == (str(len(key)), str(len(key)), None), text
            assert all(right for right, _ in verdicts(text)) and len(verdicts(text)) == len(key), text


@segtest.claim
def what_is_wrong_is_put_right_and_explained():
    kinds = set()
    for program in PROGRAMS:
        for seed in range(3):
            _, key = worksheet(program, seed)
            text = quiz(program, f"--seed={seed}", typed=b"12345\n" * len(key))
            assert score(text)[0] == "0", text
            for (right, words), (kind, answer, explanation) in zip(verdicts(text), key, strict=True):
                hexadecimal = kind in ("offset", "anonymous")
                expected = f"{as_typed(answer, hexadecimal)}. {' '.join(explanation.split())}"
                assert not right and words == expected, (words, expected)
                kinds.add(kind)
    # RELRO is not applied to any of them: tests/predict/quiz.py asks for its end.
    assert kinds >= {"rows", "rows-at-exec", "rows-with-interpreter", "anonymous", "perms", "offset",
                     "sections", "segment"}, kinds


# What is typed for an answer, by the kind of question: right, and wrong.
FORMS = {
    "perms": (lambda a: [a, a[:3], a.upper(), " " + a, a.replace("-", "") if a.strip("-p") else a],
              lambda a: ["", "s", "rwxp" if a != "rwxp" else "r", a[:3] + "s", "42"]),
    "offset": (lambda a: [f"0x{a:x}", f"{a:x}", f"0X{a:X}", str(a), f" {a:#x}\t", f"{a // 1024}K"],
               lambda a: ["", f"{a + 0x1000:#x}", "x", f"-{a:#x}" if a else "-1", f"{a:#x} 1", "K"]),
    "sections": (lambda a: [" ".join(a), ",".join(a), ", ".join(reversed(a)), " ".join(a).replace(".", ""),
                            "\t".join(a + a)],
                 lambda a: ["", ".nonsense", " ".join(a + [".nonsense"]), " ".join(a[1:]), "." .join(a) + "."]),
    "segment": (lambda a: [str(a), f"LOAD {a}", f"load{a}", f"0{a}"],
                lambda a: ["", str(a + 1), "LOAD", f"0x{a + 1:x}", f"{a} {a}"]),
    "rows": (lambda a: [str(a), f" {a} "], lambda a: ["", str(a + 1), "many", f"{a}.", f"-{a}"]),
    "anonymous": (lambda a: [f"{a:#x}", str(a), f"{a // 1024}k"], lambda a: ["", f"{a + 1:#x}", "?"]),
}


@segtest.parameters(*FORMS)
def answers_are_taken_in_any_form(kind):
    """Each form of an answer in the place of the key's own; the other answers stay empty."""
    tried = 0
    for program in ("big-bss", "odd-segments"):
        for seed in range(2):
            _, key = worksheet(program, seed)
            for index, (of_kind, answer, _) in enumerate(key):
                if of_kind != kind:
                    continue
                for expected, forms in zip((True, False), FORMS[kind]):
                    for form in forms(answer):
                        typed = "\n" * index + form + "\n" + "\n" * (len(key) - index - 1)
                        right = verdicts(quiz(program, f"--seed={seed}", typed=typed.encode()))[index][0]
                        assert right == expected, (program, kind, answer, form)
                        tried += 1
                break
    assert tried >= 8, tried


@segtest.claim
def the_same_seed_asks_the_same_and_others_do_not():
    texts = [quiz("big-bss", f"--seed={seed}", "-q") for seed in range(10)]
    assert texts == [quiz("big-bss", f"--seed={seed}", "-q") for seed in range(10)]
    bodies = {text[text.index("\n1. "):] for text in texts}
    assert len(bodies) > 7, len(bodies)
    assert all("\n1. How many rows of /proc/PID/maps will show the file big-bss" in text for text in texts)


@segtest.claim
def without_a_seed_there_is_one_to_ask_again():
    text = quiz("big-bss", "-q")
    seed = re.search(r"--seed (\d+)\.", text)[1]
    assert quiz("big-bss", "-q", "--seed", seed) == text
    assert len({quiz("big-bss", "-q") for _ in range(4)}) > 1


@segtest.claim
def the_end_of_input_ends_it_with_the_score():
    for typed, answered in ((b"", 0), (b"4\n", 1), (b"4\nnothing", 2), (b"4\n\0\n", 2)):
        text = quiz("big-bss", "--seed=1", typed=typed)
        right, of, left = score(text)
        assert (int(right), int(of), int(left)) == (min(1, answered), answered, 10 - answered), text
    nobody = segtest.segmap("--quiz", "./big-bss", cwd=directory.name)  # /dev/null
    assert nobody.status == 0 and score(nobody.text) == ("0", "0", "10"), nobody.error_text
    endless = quiz("big-bss", "--seed=1", typed=b"x" * 100000 + b"\n" * 10)
    assert score(endless) == ("0", "10", None), endless


@segtest.claim
def on_a_terminal_the_answer_is_not_written_twice():
    master, slave = pty.openpty()
    with os.fdopen(master, "r+b", buffering=0) as terminal:
        with subprocess.Popen([segtest.SEGMAP, "--quiz", "--seed=1", "./big-bss"], stdin=slave,
                              stdout=subprocess.PIPE, cwd=directory.name) as process:
            os.close(slave)
            terminal.write(b"4\n" + b"5\n" * 9)
            text = process.stdout.read().decode()
    assert score(text)[1] == "10" and text.count("> ") == 10 and "> 4" not in text, text


@segtest.claim
def questions_alone_are_a_worksheet():
    document, key = worksheet("big-bss", 3)
    text = quiz("big-bss", "-q", "--seed=3")
    flat = " ".join(text.split())
    for question in document["questions"]:
        assert f"{question['id']}. {' '.join(question['text'].split())}" in flat, question
    assert not any(" ".join(explanation.split()) in flat for _, _, explanation in key)
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "worksheet")
        assert quiz("big-bss", "-q", "--seed=3", "--output-file", path) == ""
        with open(path, encoding="utf-8") as file:
            assert file.read() == text


@segtest.claim
def what_cannot_be_asked_about_is_an_error():
    def refused(*arguments, status):
        result = segtest.segmap("--quiz", *arguments, cwd=directory.name)
        assert (result.status, result.out) == (status, b""), (arguments, result.status, result.out)
        return result.error_text

    assert "no such program" in refused("not-there-at-all", status=1)
    assert "the kernel will kill it" in refused("./unaligned", status=1)
    assert "./not-here" in refused("./no-interpreter", status=1)
    with open(os.path.join(directory.name, "text"), "w", encoding="ascii") as file:
        file.write("no program")
    os.chmod(file.name, 0o755)
    assert "ELF" in refused("./text", status=1)
    for arguments in ([], ["./big-bss", "./gold"], ["-x", "./big-bss"], ["-S", "./big-bss"],
                      ["-r", "./big-bss"], ["-o", "SIZE", "./big-bss"], ["-A", "0", "./big-bss"],
                      ["--explain", "./big-bss"], ["--no-aslr", "./big-bss"], ["--moment=exec", "./big-bss"],
                      ["--page-size=4096", "./big-bss"], ["--seed=-1", "./big-bss"], ["--summary", "./big-bss"],
                      ["--seed=x", "./big-bss"], ["--seed=4294967296", "./big-bss"], ["--all"],
                      ["--at=0", "./big-bss"], ["--output-file", "/dev/null", "./big-bss"]):
        assert refused(*arguments, status=2).endswith("Try 'segmap --help'\n"), arguments
    assert segtest.segmap("--seed=1", "1").status == 2


@segtest.claim
def hostile_names_do_nothing_to_a_terminal():
    names = ["\x1b[31mred", "new\nline", "two words", "a,b", "\u202egpj", "%s%n", ".plain", ""]
    sections = [make_elf.Section(name, "a", 0x200 + 0x10 * i, 0x200 + 0x10 * i, 0x10)
                for i, name in enumerate(names)]
    hostile = make_elf.Elf("red\x1b[31m\u202e", [make_elf.load("r-x", 0, 0x400000, 0x1000)],
                           [make_elf.Section(s.name, "a", s.address + 0x400000, s.offset, s.size)
                            for s in sections] +
                           [make_elf.Section(".other", "a", 0x401000, 0x1000, 0x10)],
                           kind=make_elf.ET_EXEC, entry=0x400800)
    hostile.segments.append(make_elf.load("r--", 0x1000, 0x401000, 0x10))
    path = os.path.join(directory.name, hostile.path)
    with open(path, "wb") as file:
        file.write(hostile.build())
    os.chmod(path, 0o755)
    try:
        seen = set()
        for seed in range(6):
            for arguments in ([], ["-q"], ["-J"]):
                text = quiz(hostile.path, f"--seed={seed}", *arguments, typed="\x1b[0m\u202e\n".encode() * 20)
                bad = {c for c in text.replace("\n", "") if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")}
                assert not bad, (bad, text)
                # No line of its own for a name with a newline: only "N. ", "> " and so on begin one.
                assert "\nline" not in text
            seen |= {answer for kind, answer, _ in worksheet(hostile.path, seed)[1] if kind == "sections"
                     for answer in answer}
        # The row whose names cannot all be typed is not asked for.
        assert seen == {".other"}, seen
    finally:
        os.unlink(path)


@segtest.parameters("odd-segments", "gold")
def a_quiz_is_held_as_ever(name):
    document, key = worksheet(name, 7)
    typed = [as_typed(answer) if index % 2 else "" for index, (_, answer, _) in enumerate(key)]
    got = quiz(name, "--seed=7", typed="".join(line + "\n" for line in typed[:-1]).encode())
    got = got.replace(os.path.realpath(directory.name), "@DIRECTORY@")
    golden = os.path.join(GOLDEN, name)
    if os.environ.get("SEGMAP_GOLDEN_UPDATE") == "1":
        with open(golden, "w", encoding="utf-8") as file:
            file.write(got)
    with open(golden, encoding="utf-8") as file:
        expected = file.read()
    assert got == expected, "\n" + "".join(difflib.unified_diff(
        expected.splitlines(True), got.splitlines(True), name, "what came out", n=2))


segtest.main()
