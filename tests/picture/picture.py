"""Pictures and pages: what they say of a map, that they are well formed, and that they stay as they are.

    SEGMAP_GOLDEN_UPDATE=1 meson test -C build picture    # write the golden pictures anew

The golden pictures are of described programs alone, so that neither compiler nor kernel is in them;
docs/pictures/program.svg, which README shows, is one of them.
"""
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import pictures
import segtest
from picture_names import HOSTILE, hostile_file
from make_elf import PT_DYNAMIC, Elf, Section, Segment, load, relro

HERE = os.path.dirname(os.path.abspath(__file__))
SVG = "{http://www.w3.org/2000/svg}"
OWN = ["--no-aslr", "-A", "555555554000,5555556fffff"]  # the program alone: nothing of the kernel's

CASES = {
    "holed.svg": ["--svg", "--explain", "./libholed.so"],
    "odd-segments.svg": ["--svg", "--explain", "-A", "400000,4fffff", "./odd-segments"],
    "mold.html": ["--html", "--explain", "./libmold.so"],
    "moments.html": ["--html", *OWN, "--explain", "--moment=exec,entry", "./big-bss"],
}


def draw(directory, arguments):
    result = segtest.segmap(*arguments, cwd=directory)
    assert result.status == 0, result.error_text
    return result.out.decode("utf-8").replace(os.path.realpath(directory), "")


@segtest.parameters(*CASES)
def a_picture_is_drawn_as_ever(name):
    with pictures.described_programs() as directory:
        text = draw(directory, CASES[name])
    # Style and script are files of their own; what matters here is what they apply to.
    text = re.sub(r"(?s)<(style|script)>.*?</\1>", r"<\1/>", text)
    segtest.check_golden(os.path.join(HERE, "golden", name), re.sub(r"'sha256-[^']*'", "'sha256'", text))


@segtest.claim
def every_golden_picture_has_its_case():
    assert set(os.listdir(os.path.join(HERE, "golden"))) == set(CASES)


# As /proc/PID/maps has the program of the README, loaded by glibc.
APP = """\
555555554000-555555555000 r--p 00000000 fe:01 1001                       /app
555555555000-555555557000 r-xp 00001000 fe:01 1001                       /app
555555557000-555555558000 r--p 00003000 fe:01 1001                       /app
555555558000-555555559000 r--p 00003000 fe:01 1001                       /app
555555559000-55555555a000 rw-p 00004000 fe:01 1001                       /app
55555555a000-55555555f000 rw-p 00000000 00:00 0 
555555576000-555555597000 rw-p 00000000 00:00 0                          [heap]
"""


@segtest.claim
def the_picture_of_the_readme_is_what_segmap_draws():
    with pictures.described_programs() as directory:
        with open(os.path.join(directory, "a program in memory"), "w", encoding="ascii") as file:
            file.write(APP)
        text = draw(directory, ["--svg", "--maps", file.name, "--sysroot", directory])
        text = text.replace("/a program in memory:", "A program in memory")
    segtest.check_golden(os.path.join(segtest.SOURCE, "docs", "pictures", "program.svg"), text)


def svg(*arguments, **options):
    """A sheet as XML, after what holds for each."""
    result = segtest.segmap("--svg", *arguments, **options)
    assert result.status == 0, result.error_text
    root = xml.etree.ElementTree.fromstring(result.out)
    assert root.tag == SVG + "svg" and root.get("viewBox")
    assert root.find(SVG + "title").text and "Not to scale" in root.find(SVG + "desc").text
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in (
            "svg", "title", "desc", "style", "defs", "pattern", "g", "a", "rect", "path", "text",
            "tspan"), element.tag
        for name, value in element.attrib.items():
            assert not name.startswith("on") and "href" not in name, (name, value)
            assert "url(" not in value or value.startswith("url(#hatch-"), value
    return root


def texts(root):
    return ["".join(text.itertext()) for text in root.iter(SVG + "text")]


@segtest.claim
def a_sheet_has_every_vma_of_a_process_with_address_and_permissions():
    with segtest.running(["sleep", "600"]) as process:
        found = texts(svg(process.pid))
        for start, end, perms, *_ in segtest.maps(process.pid):
            size = end - start
            beside = [text for text in found if text.startswith(f"{start:08x} {perms} ")]
            assert len(beside) == 1, (hex(start), beside)
            number = float(re.search(r" ([\d.]+) [KM]iB", beside[0])[1])
            assert abs(number - size / (1 << 10 if "KiB" in beside[0] else 1 << 20)) < 0.1, beside
        for a, b in zip(segtest.maps(process.pid), segtest.maps(process.pid)[1:]):
            tib = (b[0] - a[1]) / (1 << 40)
            if 1 < tib < 1000:
                assert any(re.fullmatch(rf"{int(tib)}(\.\d)? TiB not mapped", text) for text in found), tib


@segtest.claim
def a_table_has_every_vma_and_the_pieces_that_cover_it():
    with segtest.running([sys.executable, "-c", "import ssl, time; print('ready', flush=True); "
                          "time.sleep(600)"], ready=b"ready") as process:
        page = pictures.page(process.pid)
        document = segtest.document(process.pid)
        rows = iter(page.rows)
        vmas = {row[0]: row for row in segtest.maps(process.pid)}
        row, seen = next(rows), 0
        pieces = {int(vma["start"], 16): vma["pieces"] for vma in document["vmas"]}
        while row:
            if not row.is_vma:  # of the file alone: no segment loads it
                assert not row.cells[2] and "no segment" in row.cells[5], row.cells
                row = next(rows, None)
                continue
            start, end = row.range(2)
            assert (start, end, row.cells[4]) == vmas[start][:3], row.cells
            seen += 1
            for piece in pieces[start]:
                row = next(rows)
                assert row.cells[0] == piece["name"] and row.cells[3] == str(piece["size"]), row.cells
                assert row.range(2) == (int(piece["start"], 16), int(piece["end"], 16))
                assert (row.range(1) or (None,))[0] == piece["offset"], (row.cells, piece)
            row = next(rows, None)
        assert seen == len(vmas), (seen, len(vmas))


@segtest.claim
def every_section_that_readelf_lists_is_in_the_page_with_its_bytes():
    readelf = segtest.which("readelf")
    with tempfile.TemporaryDirectory(prefix="segmap-picture-") as directory:
        source, program = os.path.join(directory, "program.c"), os.path.join(directory, "program")
        with open(source, "w", encoding="ascii") as file:
            file.write("static char zeroes[100000]; char bytes[9000] = {1};\n"
                       "int main(void) { return zeroes[0] + bytes[1]; }\n")
        subprocess.run([segtest.which("gcc"), "-g", "-o", program, source], check=True)
        page = pictures.page("--explain", "--no-deps", program)
        listed = subprocess.run([readelf, "-SW", program], capture_output=True, check=True).stdout.decode()
    first = page.rows[:[row.is_vma for row in page.rows].index(True) + 1]
    assert len(first) == 1
    sections = re.findall(r"^ +\[ *\d+\] (\S+) +(\w+) +([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) \w+ +([WAXMSILGTEop]*) ",
                          listed, re.MULTILINE)
    assert len(sections) > 25, listed
    rows = [row for row in page.rows if not row.is_vma]
    own = rows[:next(i for i, row in enumerate(rows) if row.cells[0] == ".shstrtab") + 2]
    for name, kind, address, offset, size, flags in sections:
        address, offset, size = (int(number, 16) for number in (address, offset, size))
        mine = [row for row in own if row.cells[0] == name and "pages are whole" not in row.cells[5]]
        assert sum(int(row.cells[3]) for row in mine) == size, (name, size, [row.cells for row in mine])
        if "A" in flags:
            assert mine[0].range(2)[0] == address, (name, mine[0].cells)
        else:
            assert all(not row.cells[2] and "no segment loads it" in row.cells[5] for row in mine), name
        if kind == "NOBITS":
            assert all(not row.cells[1] and "no file holds" in row.cells[5] for row in mine), name
        else:
            assert mine[0].range(1)[0] == offset, (name, mine[0].cells)


@segtest.claim
def what_is_mapped_twice_and_what_relro_does_is_said():
    with pictures.described_programs() as directory:
        page = pictures.page("--explain", "./libholed.so", cwd=directory)
    # .text lies at 0x1000 of the file; its page is mapped by LOAD 1, too, at 0x201000.
    [text, again] = [row for row in page.rows if row.cells[0] == ".text"]
    assert "mapped twice: also at B+00201000" in text.cells[5], text.cells
    assert "mapped twice: also at B+00001000" in again.cells[5], again.cells
    assert text.links[0] == again.links[0] and text.links[1] != again.links[1]
    gap = [row for row in page.rows if row.cells[0] == "[gap]"]
    assert len(gap) == 1 and gap[0].cells[4] == "---p" and "without access" in gap[0].cells[5]
    for moment, perms, words in (("exec", "rw-p", "still writable"),
                                 ("entry", "r--p", "GNU_RELRO has made it so")):
        page = pictures.page("--explain", f"--moment={moment}", segtest.which("true"))
        dynamic = next(row for row in page.rows
                       if row.cells[0] == ".dynamic" and "whole" not in row.cells[5])
        assert dynamic.cells[4] == perms and words in dynamic.cells[5], dynamic.cells


@segtest.claim
def of_several_relros_the_last_colours_the_file():
    """As it is the last that dynamic linkers apply; the memory is coloured by what they did."""
    elf = Elf("x", [load("r-x", 0, 0, 0x1000), load("rw-", 0x1000, 0x2000, 0x2000), relro(0x1000, 0x2000, 0x1000),
                    relro(0x2000, 0x3000, 0x1000), Segment(PT_DYNAMIC, "rw-", 0x1000, 0x2000, 0x10, 0x10)],
              [Section(".one", "aw", 0x2000, 0x1000, 0x1000), Section(".two", "aw", 0x3000, 0x2000, 0x1000)])
    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(directory, "libtwo.so"), "wb") as file:
            file.write(elf.build())
        text = draw(directory, ["--html", "--explain", "./libtwo.so"])
    boxes = re.findall(r'<a class="i c-(relro|data)"[^>]* id="m0g0b', text)
    assert boxes == ["data", "relro"], boxes


@segtest.claim
def section_that_relro_has_in_part_is_not_coloured_as_read_only():
    """RELRO ends with the page in which it ends: .got.plt, as it is without -z now."""
    elf = Elf("x", [load("r-x", 0, 0, 0x1000), load("rw-", 0x1000, 0x2000, 0x2000), relro(0x1000, 0x2000, 0x1010),
                    Segment(PT_DYNAMIC, "rw-", 0x1000, 0x2000, 0x10, 0x10)],
              [Section(".got", "aw", 0x2000, 0x1000, 0xf00), Section(".got.plt", "aw", 0x2f00, 0x1f00, 0x200),
               Section(".late", "aw", 0x3100, 0x2100, 8)])
    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(directory, "libpart.so"), "wb") as file:
            file.write(elf.build())
        text = draw(directory, ["--html", "--explain", "./libpart.so"])
    boxes = {name: kind for kind, name in
             re.findall(r'<a class="i c-(\w+)"[^>]* id="m0g0b\d+".*?<text[^>]*>(\.[.a-z]+)<', text)}
    assert (boxes[".got"], boxes[".got.plt"], boxes[".late"]) == ("relro", "data", "data"), boxes


def check_links(page):
    assert len(page.ids) == len(set(page.ids)), "an id stands twice"
    missing = set(page.links) - set(page.ids)
    assert not missing, sorted(missing)[:5]
    assert len(page.links) > 20


@segtest.claim
def every_link_has_its_place_and_every_box_its_row():
    with segtest.running(["sleep", "600"]) as process, pictures.described_programs() as directory:
        for arguments in ([process.pid], ["--explain", segtest.which("true")],
                          ["--explain", "--moment=exec,entry", "./big-bss"], [process.pid, os.getpid()]):
            page = pictures.page(*arguments, cwd=directory)
            check_links(page)
            rows = {row.id: row for row in page.rows}
            boxes = [attributes for tag, attributes in page.tags
                     if tag == "a" and "i" in (attributes.get("class") or "").split()]
            assert len(boxes) > 20
            for box in boxes:
                row = rows[box["href"][1:]]
                assert row.key == box.get("data-k"), (box, row.cells)


@segtest.claim
def a_page_asks_for_nothing_and_allows_only_its_own_script():
    page = pictures.page("--explain", segtest.which("true"))
    assert [tag for tag, _ in page.tags].count("script") == 1
    [policy] = [attributes["content"] for tag, attributes in page.tags
                if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy, policy
    for tag, attributes in page.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "form", "base"), tag
        assert "src" not in attributes and "style" not in attributes, (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert attributes.get("href", "#").startswith("#"), attributes
    for word in ("eval", "innerHTML", "fetch", "import(", "XMLHttp", "document.write"):
        assert word not in page.scripts, word


@segtest.claim
def several_maps_are_one_document():
    with segtest.running(["sleep", "600"]) as one, segtest.running(["sleep", "601"]) as two:
        page = pictures.page(one.pid, two.pid)
        assert [tag for tag, _ in page.tags].count("article") == 2
        sheet = svg(one.pid, two.pid)
        for process in (one, two):
            [place] = [text for text in texts(sheet) if text.startswith(f"{process.pid}: sleep ")]
        result = segtest.segmap("--svg", one.pid, "99999999")
        assert result.status == 64 and xml.etree.ElementTree.fromstring(result.out) is not None
    assert segtest.segmap("--svg", "99999999").out == b""


@segtest.parameters(("exec", "right after execve"), ("entry", "at its entry point"))
def a_program_that_is_run_is_drawn_before_it_writes(case):
    moment, words = case
    result = segtest.segmap("--svg", f"--moment={moment}", "--run", segtest.which("echo"), "hello")
    sheet, newline, rest = result.out.decode().rpartition("</svg>\n")
    assert result.status == 0 and rest == "hello\n", (rest[:100], result.error_text)
    assert any(words in text for text in texts(xml.etree.ElementTree.fromstring(sheet + newline)))


@segtest.claim
def a_prediction_that_is_verified_is_drawn():
    page = pictures.page("--explain", "--verify", segtest.which("true"))
    assert [tag for tag, _ in page.tags].count("article") == 1
    check_links(page)


@segtest.claim
def a_range_narrows_the_picture():
    with segtest.running(["sleep", "600"]) as process:
        third = segtest.maps(process.pid)[2]
        page = pictures.page("-A", f"{third[0]:x}", process.pid)
        assert [row.range(2)[0] for row in page.rows if row.is_vma] == [third[0]]
        check_links(page)


@segtest.claim
def very_many_vmas_are_a_sheet_that_can_be_read():
    lines = [f"{0x10000000 + i * 0x2000:x}-{0x10001000 + i * 0x2000:x} {'r' if i % 2 else '-'}w-p "
             "00000000 00:00 0 \n" for i in range(5000)]
    with tempfile.NamedTemporaryFile("w", prefix="segmap-picture-", suffix=".maps") as file:
        file.write("".join(lines))
        file.flush()
        sheet = svg("--maps", file.name)
        assert int(sheet.get("height")) < 5000, sheet.get("height")
        assert any(re.fullmatch(r"… 49\d\d more VMAs", text) for text in texts(sheet))
        page = pictures.page("--maps", file.name)
        assert sum(row.is_vma for row in page.rows) == 5000


@segtest.claim
def hostile_names_are_names_and_nothing_else():
    with tempfile.TemporaryDirectory(prefix="segmap-picture-") as directory:
        path = hostile_file(directory)
        sheet = svg("--explain", path)
        titles = [title.text for title in sheet.iter(SVG + "title")]
        for name in ("<img src=x onerror=alert(1)>", r"\033[31m\007\015\012\011",
                     r"\357\277\276\357\277\277"):
            assert any(name in title for title in titles), name
        page = pictures.page("--explain", path)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [attributes for _, attributes in page.tags
                if any(name.startswith("on") for name in attributes)]
    names = [row.cells[0] for row in page.rows]
    for name in HOSTILE[:6]:
        assert names.count(name.decode()) >= 2, name
    check_links(page)


segtest.main()
