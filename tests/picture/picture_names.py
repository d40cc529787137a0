"""Names that want to be markup, and a file that has them."""
import os
import sys

import pictures

sys.path.insert(0, pictures.FIXTURES)
from make_elf import PT_DYNAMIC, Elf, Section, Segment, load, relro  # noqa: E402

HOSTILE = [
    b"</title></svg></script><script>alert(1)</script>", b"\" onmouseover=\"alert(1)\" x=\"",
    b"' onfocus='alert(1)", b"<img src=x onerror=alert(1)>", b"]]><!--", b"&#x3c;&lt;&amp;&", b"\x1b[31m\x07\r\n\t",
    b"\xff\xfe\xc0\xaf", "\ufffe\uffff".encode(), "\u202e\u2028\u009b".encode(), b"javascript:alert(1)",
    b"<svg/onload=alert(1)>" * 20, "文".encode() * 50, b"${alert(1)}{{1}}`", b"%n%s",
]


def hostile_file(directory):
    """A library whose name and whose sections want to be markup."""
    path = os.path.join(os.fsencode(directory), b"lib<p><script>alert(2)<x\" onload='alert(3)'>.so")
    sections = [Section(os.fsdecode(name), "a", 0x400 + 16 * i, 0x400 + 16 * i, 16)
                for i, name in enumerate(HOSTILE)]
    sections += [Section(os.fsdecode(name), "", 0, 0x3000 + 16 * i, 16) for i, name in enumerate(HOSTILE)]
    sections.append(Section(os.fsdecode(HOSTILE[0]), "awn", 0x2800, 0x1800, 0x1000))
    elf = Elf("x", [load("r-x", 0, 0, 0x1000), load("rw-", 0x1000, 0x2000, 0x800, 0x1800),
                    relro(0x1000, 0x2000, 0x400),
                    Segment(PT_DYNAMIC, "rw-", 0x1000, 0x2000, 0x10, 0x10)], sections)
    with open(path, "wb") as file:
        file.write(elf.build())
    return path
