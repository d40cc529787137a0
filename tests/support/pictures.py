"""What the tests of pictures share: the programs that are drawn, and pages taken apart."""
import contextlib
import html.parser
import os
import re
import subprocess
import sys
import tempfile

import segtest

FIXTURES = os.path.join(segtest.SOURCE, "fixtures", "golden")


@contextlib.contextmanager
def described_programs():
    """A directory with what fixtures/golden/make_programs.py describes."""
    with tempfile.TemporaryDirectory(prefix="segmap-picture-") as directory:
        subprocess.run([sys.executable, os.path.join(FIXTURES, "make_programs.py"), directory],
                       check=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        yield directory


class Row:
    """A row of the table: cells as text, what it links to, its classes."""

    def __init__(self, attributes):
        self.id, self.key = attributes.get("id"), attributes.get("data-k")
        self.classes = (attributes.get("class") or "").split()
        self.cells, self.links = [], []

    @property
    def is_vma(self):
        return "v" in self.classes

    def range(self, index):
        """The two hexadecimal numbers of a cell, without their base; None if it is empty."""
        numbers = re.findall(r"(?:^|–|\+)([0-9a-f]+)(?=–|$)", self.cells[index])
        assert len(numbers) in (0, 2), self.cells
        return tuple(int(n, 16) for n in numbers) or None


class Page(html.parser.HTMLParser):
    """A page taken apart: rows of its tables, every id, link, title and tag."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.rows, self.ids, self.links, self.tags, self.titles = [], [], [], [], []
        self.scripts = ""
        self._row = self._cell = self._in = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self._in = tag
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if attributes.get("href", "").startswith("#"):
            self.links.append(attributes["href"][1:])
            if self._row:
                self._row.links.append(attributes["href"][1:])
        if tag == "tr":
            self._row = Row(attributes)
        elif tag in ("td", "th") and self._row:
            self._row.cells.append("")
            self._cell = True
        elif tag == "title":
            self.titles.append("")

    def handle_endtag(self, tag):
        self._in = None
        if tag in ("td", "th"):
            self._cell = None
        elif tag == "tr" and self._row:
            if len(self._row.cells) == 6 and self._row.id:
                self.rows.append(self._row)
            self._row = None

    def handle_data(self, data):
        if self._in == "script":
            self.scripts += data
        elif self._in == "title":
            self.titles[-1] += data
        if self._cell:
            self._row.cells[-1] += data


def page(*arguments, **options):
    """What --html says of these, taken apart."""
    result = segtest.segmap("--html", *arguments, **options)
    assert result.status == 0, result.error_text
    return Page(result.out.decode("utf-8"))
