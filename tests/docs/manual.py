"""The manual pages name what there is: options, columns, kinds, statuses, functions; and are mdoc.

Who adds an option, a column, a word or a public function adds it to docs/segmap.1
(or docs/libsegmap.3): the failure names what is missing where.
"""
import glob
import json
import os
import re
import subprocess

import segtest

MANUAL = os.path.join(segtest.SOURCE, "docs", "segmap.1")
LIBRARY = os.path.join(segtest.SOURCE, "docs", "libsegmap.3")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def part(heading, page=MANUAL):
    """The text of a section (.Sh) or subsection (.Ss) of a page."""
    macro = ".Sh" if f"\n.Sh {heading}\n" in read(page) else ".Ss"
    text = read(page).split(f"\n{macro} {heading}\n")
    assert len(text) == 2, f"{os.path.basename(page)} has no one part \"{heading}\""
    return re.split(r"\n\.Sh " if macro == ".Sh" else r"\n\.S[hs] ", text[1])[0]


def items(heading):
    """The words of a list: .It Cm WORD."""
    return re.findall(r"^\.It (?:Cm )?(\S+)$", part(heading), re.MULTILINE)


def check_same(there, told, what, where):
    missing, surplus = sorted(set(there) - set(told)), sorted(set(told) - set(there))
    assert not missing, f"{where} does not tell of the {what} {', '.join(missing)}: add them there"
    assert not surplus, f"{where} tells of the {what} {', '.join(surplus)}: there are none"
    assert len(told) == len(set(told)), f"{where} tells of a {what} twice: {sorted(told)}"


def options_of_help():
    """{"--name" or "-x": whether it takes an argument} of every option that --help tells of."""
    found = {}
    row = r"^  (?:-(\w)(?:, )?|    )(?:  )?(?:--([\w-]+))?((?:\[=| )[A-Z]\S*(?: [A-Z]\S*)*)?  "
    for letter, name, argument in re.findall(row, segtest.segmap("--help").text, re.MULTILINE):
        for word in (["-" + letter] if letter else []) + (["--" + name] if name else []):
            found[word] = bool(argument)
    assert len(found) > 30, found
    return found


@segtest.claim
def manual_has_every_option_of_help_and_no_other():
    told = {}
    for line in re.findall(r"^\.It (Fl .*)$", part("OPTIONS"), re.MULTILINE):
        for word in re.findall(r"\bFl (Fl [\w-]+|\w)(?= |$)", line):
            told["--" + word[3:] if word.startswith("Fl ") else "-" + word] = " Ar " in line
    there = options_of_help()
    check_same(there, list(told), "options", "docs/segmap.1, OPTIONS,")
    assert there == told, "arguments differ: " + ", ".join(o for o in there if there[o] != told[o])


@segtest.claim
def manual_has_every_column_of_each_table():
    true = segtest.which("true")

    def listed(*arguments):
        return [line.split()[0] for line in segtest.segmap(*arguments, "-H").text.splitlines()]

    def heading(*arguments):
        return segtest.segmap(*arguments).text.splitlines()[0].split()

    for title, there in (("Of a map", listed()), ("Of a summary", listed("--summary")),
                         ("Of a trace", heading("--run", "--trace", true)),
                         ("Of addresses", heading("-r", "--at", "0", os.getpid()))):
        check_same(there, items(title), "columns", f"docs/segmap.1, {title},")


@segtest.claim
def manual_has_every_word_of_the_schema():
    schema = json.loads(read(os.path.join(segtest.SOURCE, "docs", "segmap.schema.json")))["$defs"]

    def words(name, key):
        return [word for word in schema[name]["properties"][key]["enum"] if word]

    which = re.split(r"column\n\.Cm STATUS", part("WHICH FILE IT IS"))
    for there, told, where in (
            (words("vma", "kind"), items("Of VMAs"), "KINDS, Of VMAs,"),
            (words("piece", "kind"), items("Of pieces"), "KINDS, Of pieces,"),
            (words("image", "role"), items("ROLES"), "ROLES,"),
            (words("image", "opened"), re.findall(r"^\.It Cm (\S+)", which[0], re.M), "the words of SOURCE,"),
            (words("image", "status"), re.findall(r"^\.It Cm (\S+)", which[1], re.M), "the words of STATUS,")):
        check_same(there, told, "words", f"docs/segmap.1, {where}")
    classes = schema["summary"]["properties"]["rows"]["items"]["properties"]["class"]["enum"]
    of_class = part("Of a summary").split(".It Cm CLASS")[1].split(".It ")[0]
    check_same(classes, re.findall(r"^\.Cm (\w+)", of_class, re.MULTILINE), "classes", "docs/segmap.1, CLASS,")


@segtest.claim
def manual_has_every_exit_status_of_help():
    text = segtest.segmap("--help").text.split("Exit status:")[1].split("With --run")[0]
    there = re.findall(r"(?:^|; ?)\s*(\d+)\s", text)
    assert len(there) >= 5, text
    check_same(there, items("EXIT STATUS"), "exit statuses", "docs/segmap.1, EXIT STATUS,")


@segtest.parameters("--audit", "--diff")
def manual_has_the_fields_of_records(option):
    with segtest.running(["sleep", "600"]) as process:
        heading = segtest.segmap(option, "-r", process.pid, *([process.pid] if option == "--diff" else [])).text.split("\n")[0]
    text = read(MANUAL)
    part_of = re.search(r"^\.It Fl Fl " + option[2:] + r"\b(.*?)^\.It Fl", text, re.DOTALL | re.MULTILINE)[1]
    there = set(heading.split(" "))
    check_same(there, there & set(re.findall(r"[A-Z][A-Z-]*", part_of)), "fields", f"docs/segmap.1, {option},")


@segtest.claim
def library_manual_has_every_public_function():
    there = []
    for path in glob.glob(os.path.join(segtest.SOURCE, "include", "segmap", "*.h")):
        text = re.sub(r"/\*.*?\*/", "", read(path), flags=re.DOTALL)
        there += re.findall(r"^(?:SEGMAP_API|static inline)\b[^;{]*?\b(segmap_\w+)\(", text,
                            re.MULTILINE | re.DOTALL)
    assert len(there) > 100
    told = re.findall(r"^\.It Fn (\w+)$", part("FUNCTIONS", LIBRARY), re.MULTILINE)
    check_same(there, told, "functions", "docs/libsegmap.3, FUNCTIONS,")


@segtest.claim
def what_headers_and_the_library_manual_refer_to_is_declared():
    texts = {path: read(path) for path in glob.glob(os.path.join(segtest.SOURCE, "include", "segmap", "*.h"))}
    comment = re.compile(r"/\*.*?\*/", re.DOTALL)
    declared = set(re.findall(r"\w+", " ".join(comment.sub("", text) for text in texts.values())))
    told = {path: " ".join(comment.findall(text)) for path, text in texts.items()} | {LIBRARY: read(LIBRARY)}
    for path, text in told.items():
        # "SEGMAP_WANT_…" are several.
        words = set(re.findall(r"\b(?:segmap|SEGMAP)_\w*\w\b(?!…)", text))
        strange = sorted(words - declared)
        assert not strange, f"{os.path.basename(path)} refers to {', '.join(strange)}: there is none"
    assert sum(len(text) for text in told.values()) > 10000


@segtest.parameters(MANUAL, LIBRARY)
def page_is_clean_mdoc_that_fits_a_terminal(page):
    mandoc = segtest.which("mandoc")
    lint = subprocess.run([mandoc, "-Tlint", "-W", "style", page], capture_output=True, text=True, check=False)
    # Whether the pages that it refers to are installed is no matter of the page.
    problems = [line for line in lint.stdout.splitlines() if "referenced manual not found" not in line]
    assert not problems, "\n".join(problems)
    text = subprocess.run([mandoc, "-Tascii", "-O", "width=78", page], capture_output=True, text=True,
                          check=True).stdout
    lines = re.sub(".\b", "", text).splitlines()
    assert len(lines) > 200
    wide = [line for line in lines if len(line) > 80]
    assert not wide, "\n".join(wide)


@segtest.claim
def lists_of_columns_fit_a_terminal():
    for arguments in (["-H"], ["--summary", "-H"]):
        wide = [line for line in segtest.segmap(*arguments).text.splitlines() if len(line) > 80]
        assert not wide, "\n".join(wide)


segtest.main()
