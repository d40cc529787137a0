"""Pages in a real browser: what lights up, the keyboard, light and dark, print, and that nothing is amiss."""
import base64
import contextlib
import functools
import os
import re
import sys
import tempfile

import chromium
import pictures
import segtest
from colours import contrast, luminance
from picture_names import hostile_file

directory = tempfile.TemporaryDirectory(prefix="segmap-browser-")
resources = contextlib.ExitStack()


@functools.cache
def browser():
    """One for all claims: to start it takes as long as all that is done with it."""
    return resources.enter_context(chromium.running())


def written(name, *arguments):
    """A document in a file."""
    path = os.path.join(directory.name, name)
    form = "--svg" if name.endswith(".svg") else "--html"
    result = segtest.segmap(form, "--output-file", path, *arguments)
    assert result.status == 0, result.error_text
    return path


MANY = ("import ssl, ctypes, decimal, json, lzma, bz2, hashlib, sqlite3, time; "
        "print('ready', flush=True); time.sleep(600)")


def center_of(page, selector):
    """Bring an element into view, and where its middle is then."""
    return page.value(f"""(() => {{
        const element = document.querySelector({selector!r});
        element.scrollIntoView({{ block: "center", behavior: "instant" }});
        const box = element.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2];
    }})()""")


# Whether two lines of text in one picture stand on one another, by what the browser has drawn.
OVERLAPS = """(() => {
    const found = [];
    for (const details of document.querySelectorAll("details"))
        details.open = true;
    for (const svg of document.querySelectorAll("svg.picture")) {
        const frame = svg.viewBox.baseVal;
        const boxes = [...svg.querySelectorAll("text")].map((text) => [text.getBBox(), text.textContent])
            .sort((a, b) => a[0].y - b[0].y);
        for (let i = 0; i < boxes.length; i++) {
            const [a, name] = boxes[i];
            if (frame.width && (a.x < frame.x || a.x + a.width > frame.x + frame.width ||
                                a.y + a.height > frame.y + frame.height + 1))
                found.push("outside: " + name);
            for (let j = i + 1; j < boxes.length && boxes[j][0].y < a.y + a.height - 3; j++) {
                const b = boxes[j][0];
                if (b.x < a.x + a.width - 1 && a.x < b.x + b.width - 1)
                    found.push(name + " / " + boxes[j][1]);
            }
        }
    }
    return found;
})()"""

# Bands whose ends are not at boxes of their own bytes. On the left a band begins in the box; what is
# one piece of padding in memory can go on behind it in the file.
ASTRAY = """(() => {
    const found = [], near = (a, b) => Math.abs(a - b) < 1.01;
    for (const band of document.querySelectorAll("path.b")) {
        const boxes = [...band.closest("svg").querySelectorAll('a[data-k="' + band.dataset.k + '"] .f')]
            .map((rect) => rect.getBBox());
        const numbers = band.getAttribute("d").match(/-?[0-9]+/g).map(Number);
        const [x, top, right, toTop, toBottom, bottom] = [numbers[0], numbers[1], numbers[6], numbers[7],
                                                         numbers[8], numbers[14]];
        const isLeft = boxes.some((box) => near(box.x + box.width, x) && top >= box.y - 1 &&
                                           top <= box.y + box.height + 1 && top <= bottom);
        const isRight = boxes.some((box) => near(box.x, right) && near(box.y, toTop) &&
                                            near(box.y + box.height, toBottom));
        if (!isLeft || !isRight)
            found.push(band.dataset.k + " " + band.getAttribute("d"));
    }
    return found;
})()"""


def check_page(page):
    assert page.complaints() == [], page.complaints()
    assert page.value("document.querySelectorAll('path.b').length") > 5
    for trouble in (OVERLAPS, ASTRAY):
        found = page.value(trouble)
        assert not found, found[:5]


@segtest.claim
def pages_of_every_source_are_drawn_without_complaint_or_overlap():
    with pictures.described_programs() as programs:
        with segtest.running([sys.executable, "-c", MANY], ready=b"ready") as process:
            page = browser().open(written("many.html", process.pid))
            check_page(page)
            assert page.value("document.querySelectorAll('details').length") > 20
        check_page(browser().open(written("predicted.html", "--explain", segtest.which("bash"))))
        for name in ("libholed.so", "libmold.so", "odd-segments", "ppc"):
            check_page(browser().open(written(name + ".html", "--explain", os.path.join(programs, name))))


@segtest.claim
def what_is_pointed_at_lights_up_on_both_sides_and_is_told():
    page = browser().open(written("true.html", "--explain", segtest.which("true")))
    box = next(row for row in pictures.page("--explain", segtest.which("true")).rows
               if row.cells[0] == ".text")
    [left, right] = box.links
    x, y = center_of(page, "#" + left)
    page.point_at(x, y)
    segtest.wait_until(lambda: page.value("document.querySelectorAll('.lit').length") >= 4, "light")
    for there in (left, right, box.id):
        assert page.value(f"document.getElementById('{there}').classList.contains('lit')"), there
    assert page.value(f"document.querySelectorAll('path.b.lit').length") == 1
    told = page.value("document.getElementById('told').innerText")
    start, end = box.range(1)
    assert f".text: file 0x{start:x} to 0x{end:x}" in told, told
    assert all(address in told for address in box.cells[2].split("–")), (told, box.cells)
    assert page.value("document.getElementById('told').getAttribute('aria-live')") == "polite"
    page.point_at(*center_of(page, "h1"))
    page.press("Escape", 27)
    assert page.value("document.querySelectorAll('.lit').length") == 0
    assert page.complaints() == []


@segtest.claim
def the_keyboard_leads_through_pictures_and_to_the_table_and_back():
    page = browser().open(written("keys.html", "--explain", segtest.which("true")))

    def focused():
        return page.value("document.activeElement.id")

    def is_lit(there):
        return page.value(f"document.getElementById('{there}').classList.contains('lit')")

    page.press("Tab", 9)  # the first picture's summary
    assert page.value("document.activeElement.tagName") == "SUMMARY"
    page.press("Tab", 9)
    first = focused()
    assert first == "m0g0b0", first
    page.press("ArrowDown", 40)
    assert focused() == "m0g0b1" and is_lit("m0g0b1")
    page.press("ArrowRight", 39)
    across = focused()
    assert re.fullmatch(r"m0p\d+", across) and is_lit("m0g0b1") and is_lit(across), across
    page.press("ArrowLeft", 37)
    assert focused() == "m0g0b1"
    page.press("End", 35)
    last = focused()
    assert re.fullmatch(r"m0g0b\d+", last) and last != "m0g0b1"
    page.press("Home", 36)
    assert focused() == "m0g0b0"
    page.press("Enter", 13)
    row = page.value("location.hash")
    assert re.fullmatch(r"#m0r\d+", row), row
    # From a row to a box that is folded away: it is unfolded, and has the focus.
    page.value("[...document.querySelectorAll('details:not(.facts)')].forEach(d => d.open = false)")
    page.value("document.querySelector('tbody tr a').focus()")
    page.press("Enter", 13)
    segtest.wait_until(lambda: focused() == "m0g0b0", "focus on the box")
    assert page.value("document.getElementById('m0g0b0').closest('details').open")
    assert page.complaints() == []


@segtest.claim
def light_dark_and_paper_are_readable():
    page = browser().open(written("themes.html", "--explain", segtest.which("true")))

    def colours():
        """Ink and ground, of the page and of every class of box."""
        found = page.value("""[["body", getComputedStyle(document.body).color,
                                getComputedStyle(document.body).backgroundColor],
            ...[...document.querySelectorAll("main a.i")].filter((box) => box.querySelector(".t"))
                .map((box) => [box.getAttribute("class"),
                    getComputedStyle(box.querySelector(".t")).fill,
                    getComputedStyle(box.querySelector(".f")).fill])]""")
        page_ground = found[0][2]
        return {name: [list(map(int, re.findall(r"\d+", colour if "rgb" in colour else page_ground)[:3]))
                       for colour in pair] for name, *pair in found}

    grounds = {}
    for theme, media in (("light", "screen"), ("dark", "screen"), ("dark", "print")):
        page.call("Emulation.setEmulatedMedia", media=media,
                  features=[{"name": "prefers-color-scheme", "value": theme}])
        found = colours()
        assert len(found) >= 7, found
        grounds[theme, media] = luminance(found["body"][1])
        for name, (ink, ground) in found.items():
            assert contrast(ink, ground) >= 4.5, (theme, media, name, ink, ground)
    assert grounds["light", "screen"] > 0.9 > 0.1 > grounds["dark", "screen"]
    assert grounds["dark", "print"] > 0.9


@segtest.claim
def what_is_folded_is_printed_open_and_folded_again():
    page = browser().open(written("print.html", "--explain", "--no-deps", segtest.which("true")))
    closed = "document.querySelectorAll('details:not([open])').length"
    before = page.value(closed)
    assert before > 1
    page.value(f"addEventListener('beforeprint', () => {{ window.left = {closed}; }})")
    paper = base64.b64decode(page.call("Page.printToPDF", printBackground=True)["data"])
    assert paper.startswith(b"%PDF") and page.value("window.left") == 0
    assert page.value(closed) == before
    assert page.complaints() == []


@segtest.claim
def a_narrow_window_scrolls_the_picture_and_not_the_page():
    page = browser().open(written("narrow.html", "--explain", segtest.which("true")), width=380, height=700)
    assert page.value("document.documentElement.scrollWidth") <= 380
    assert page.value("document.querySelector('main figure').scrollWidth") > 700


@segtest.claim
def a_sheet_is_an_image():
    path = written("sheet.svg", "--explain", segtest.which("true"))
    holder = os.path.join(directory.name, "holder.html")
    with open(holder, "w", encoding="utf-8") as file:
        file.write("<!DOCTYPE html><title>x</title><img src='sheet.svg'>")
    page = browser().open(holder)
    assert page.value("document.images[0].naturalWidth") == 1200
    assert page.value("document.images[0].naturalHeight") > 800
    page = browser().open(path)
    assert page.complaints() == []
    assert page.value("document.documentElement.querySelectorAll('script').length") == 0


@segtest.claim
def hostile_names_run_nothing_and_ask_for_nothing():
    path = hostile_file(directory.name)
    for name in ("hostile.html", "hostile.svg"):
        page = browser().open(written(name, "--explain", path))
        assert page.value("document.querySelectorAll('img, iframe, [onload], [onerror], [onfocus], "
                          "[onmouseover]').length") == 0
        assert page.value("document.querySelectorAll('script').length") == name.endswith("html")
        names = page.value("[...document.querySelectorAll('title')].map(title => title.textContent)")
        assert any("<img src=x onerror=alert(1)>" in name for name in names), names
        if name.endswith("html"):
            page.point_at(*center_of(page, "#m0g0b4"))
            assert page.value(OVERLAPS) == []
        assert page.complaints() == [], page.complaints()


@segtest.claim
def the_policy_forbids_what_is_not_the_pages_own():
    """If a name ever became markup, it would still do nothing."""
    path = written("policy.html", "--explain", segtest.which("true"))
    with open(path, encoding="utf-8") as file:
        text = file.read()
    injected = os.path.join(directory.name, "injected.html")
    with open(injected, "w", encoding="utf-8") as file:
        file.write(text.replace("<main>", "<script>window.injected = 1</script>"
                                "<img src='x' onerror='window.injected = 1'><main>", 1))
    page = browser().open(injected)
    assert page.value("window.injected === undefined")
    assert any("Content Security Policy" in text for text in page.complaints())


with resources:
    segtest.main()
