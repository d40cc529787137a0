"""Names that want to be something else: row 25 of the hard cases.

Paths, comm, command lines, section names and sonames are bytes that anyone may choose. Printed they
must do nothing to a terminal; in JSON they must be valid UTF-8 that a parser gives back.
"""
import json
import os
import shutil
import unicodedata

import segtest
from elfpatch import Patch
from situations import (Elf, assert_error_lines, assert_safe, assert_sections, for_root_and_user,
                        has_option, library, look, maps, own, same_text, scenario_program,
                        situation, uid_of, workspace)

# Every byte but NUL and / may stand in a file name.
HOSTILE = {
    "newline": b"new\nline",
    "carriage return": b"good\rbad",
    "tab": b"tab\tulator",
    "bell and backspace": b"\a\b\b\bbell",
    "delete": b"del\x7fete",
    "escape sequence": b"\x1b[31mred\x1b[0m",
    "title": b"\x1b]0;title\x07",
    "C1 control": "\u009b31mred".encode(),
    "C1 byte": b"\x9b31mred",
    "not UTF-8": b"in\xff\xfevalid",
    "overlong": b"over\xc0\xaflong",
    "surrogate": b"sur\xed\xa0\x80rogate",
    "beyond Unicode": b"be\xf4\x90\x80\x80yond",
    "cut off": b"cut\xe2\x82",
    "bidi override": "\u202egpj.exe".encode(),
    "bidi isolate": "\u2066x\u2069".encode(),
    "invisible": "in\u200bvis\u00adible\ufeff".encode(),
    "line separators": "line\u2028separators\u2029".encode(),
    "tag characters": "\U000e0041tag".encode(),
    "backslash": b"back\\slash\\n\\x1b[31m",
    "octal": b"new\\012line",
    "quotes": b"\"quo'te`s$(true)",
    "JSON": b"\",\"status\":\"ok\\",
    "format": b"%s%n%d",
    "dash": b"--help",
    "blanks": b"  two  blanks  and no more ",
    "mark": b"lib.so (deleted) ",
    "row": b"x\n7f0000000000-7f0000001000 r-xp 00000000 fe:00 1 ",
    "label": b"[vdso]",
}


def assert_clean_json(result):
    """Valid UTF-8, one document a line, every control character escaped."""
    assert result.status == 0, result.error_text
    for line in result.out.decode("utf-8").split("\n"):
        controls = [c for c in line if unicodedata.category(c) == "Cc"]
        assert not controls, f"{controls} stand in {line!r}"
        if line:
            segtest.validate(json.loads(line))


# Files.

@for_root_and_user
def files_of_any_name_have_their_sections_and_harmless_names(who):
    with workspace(who) as directory:
        directory = os.fsencode(directory)
        paths = [os.path.join(directory, name) for name in HOSTILE.values()]
        for path in paths:
            own(who, library(path))
        elf = Elf(paths[0])
        with situation("plain", *paths, who=who) as running:
            seen = look(running.pid, who)
            wrong = []
            for index, (kind, path) in enumerate(zip(HOSTILE, paths)):
                bias = running.address(f"bias_{index}" if index else "bias")
                row = next(r for r in maps(running.pid) if r[0] == bias)
                image = seen.image(bias=bias)
                try:
                    # As the kernel shows it, which writes a newline as \012.
                    assert same_text(image["path"], row[6]), (image["path"], row[6])
                    assert row[6] == path.replace(b"\n", b"\\012")
                    assert image["status"] == "ok", image
                    assert_sections(seen, image, elf, bias)
                except AssertionError as error:
                    wrong.append(f"{kind}: {error}")
            assert not wrong, "\n".join(wrong)
            assert not seen.notes, seen.notes
            assert_clean_json(segtest.segmap("-J", str(running.pid), as_user=uid_of(who)))
            for option in filter(has_option, ("-p", "-x", "-X", "-S", "-r")):
                result = segtest.segmap(option, str(running.pid), as_user=uid_of(who))
                assert result.status == 0, (option, result.error_text)
                assert_safe(result.out, f"output with {option}")
                assert_error_lines(result)


@segtest.claim
def valid_utf8_names_are_shown_as_they_are():
    name = "größe-日本語-\U0001f600.so"
    with workspace() as directory:
        path = library(os.path.join(directory, name))
        with situation("plain", path) as running:
            look(running.pid)
            assert name in segtest.segmap("-p", str(running.pid)).text


@for_root_and_user
def deleted_files_of_any_name_are_told_from_their_neighbours(who):
    """Beside it are living files with the names that maps shows for it."""
    with workspace(who) as directory:
        path = os.path.join(directory, "new\nline")
        own(who, library(path), library(path.replace("\n", "\\012"), tag="pear"),
            library(path + " (deleted)", tag="pear"))
        elf = Elf(path)
        with situation("deleted-library", path, who=who) as running:
            seen = look(running.pid, who)
            image = seen.image(bias=running.address("bias"))
            assert image["path"] == path.replace("\n", "\\012"), image
            assert image["build_id"] == elf.build_id, image
            assert "pear" not in str(seen.document)
            if who == "root":
                assert image["status"] in ("deleted", "replaced"), image
                assert_sections(seen, image, elf, running.address("bias"))


# Paths longer than any buffer.

def _deep_directory(directory, length):
    """Open a directory whose path has more than this many bytes; return path and descriptor."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    while len(directory) < length:
        name = "d" * 240
        os.mkdir(name, dir_fd=fd)
        deeper = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd, directory = deeper, os.path.join(directory, name)
    return directory, fd


def _copy_to(fd, name, path):
    with open(path, "rb") as source, open(
            name, "wb", opener=lambda n, flags: os.open(n, flags, 0o755, dir_fd=fd)) as target:
        shutil.copyfileobj(source, target)


@for_root_and_user
def path_longer_than_any_buffer_has_its_sections(who):
    with workspace(who) as directory:
        plain = library(os.path.join(directory, "lib.so"))
        deep, fd = _deep_directory(directory, 6000)
        # Asked for the name of such a directory, ld.so of glibc 2.41 waits for ever.
        libraries = ["./lib.so"] if os.confstr("CS_GNU_LIBC_VERSION") == "glibc 2.36" else []
        try:
            _copy_to(fd, "lib.so", plain)
            _copy_to(fd, "program", scenario_program())
            with situation("plain", *libraries, who=who, executable="./program",
                           preexec_fn=lambda: os.fchdir(fd)) as running:
                seen = look(running.pid, who)
                for name, elf, key, role in (("program", Elf(scenario_program()), "program_bias", "program"),
                                             ("lib.so", Elf(plain), "bias", "library"))[:1 + len(libraries)]:
                    image = seen.image(os.path.join(deep, name), role=role)
                    assert len(image["path"]) > 6000 and image["status"] == "ok", image
                    assert_sections(seen, image, elf, running.address(key))
                assert not seen.notes, seen.notes
        finally:
            os.close(fd)


# Processes.

@segtest.claim
def arguments_of_any_bytes_are_harmless():
    names = list(HOSTILE.values())
    with situation("arguments", *names, "", "/") as running:
        seen = look(running.pid)
        command = seen.document["command"]
        assert len(command) == len(names) + 4, command
        for got, name in zip(command[2:], names):
            assert same_text(got, name), (got, name)
        assert command[-2:] == ["", "/"]
        assert_clean_json(segtest.segmap("-J", str(running.pid)))


@segtest.parameters(*HOSTILE)
def comm_of_any_bytes_is_harmless(kind):
    name = HOSTILE[kind][:15]
    with situation("hostile-comm", name) as running:
        seen = look(running.pid)
        assert same_text(seen.document["comm"], name), (seen.document["comm"], name)
        assert_clean_json(segtest.segmap("-J", str(running.pid)))


@segtest.parameters(*HOSTILE)
def target_of_any_bytes_is_harmless_in_an_error(kind):
    result = segtest.segmap("--", b"no such process " + HOSTILE[kind])
    assert result.status == 1 and result.out == b"", (result.status, result.out)
    assert_error_lines(result)
    assert len(result.error_text.splitlines()) == 1, result.error_text


# Inside files.

@segtest.claim
def section_names_of_any_bytes_are_harmless():
    with workspace() as directory:
        for kind, name in [*HOSTILE.items(), ("empty", b""), ("long", b"long" * 30000)]:
            path = library(os.path.join(directory, "lib.so"))
            elf = Elf(path)
            text = elf.section(".apple_text")
            with Patch(path) as patch:
                patch.rename_section(b".apple_text", name)
            with situation("plain", path) as running:
                seen = look(running.pid)
                piece = seen.piece_at(running.address("bias") + text.vaddr)
                assert piece["kind"] == "section" and piece["size"] == text.size, (kind, piece)
                assert same_text(piece["name"], name), (kind, piece["name"][:100])
                assert_clean_json(segtest.segmap("-J", str(running.pid)))


@segtest.parameters(*HOSTILE)
def soname_of_any_bytes_is_harmless(kind):
    name = HOSTILE[kind]
    holder = b"soname-" + b"x" * (len(name) - 7) if len(name) > 7 else b"s" * len(name)
    with workspace() as directory:
        path = library(os.path.join(directory, "lib.so"),
                       flags=(f"-Wl,-soname,{holder.decode()}",))
        with Patch(path) as patch:
            patch.replace(b"\0" + holder + b"\0", b"\0" + name + b"\0")
        with situation("plain", path) as running:
            seen = look(running.pid)
            assert same_text(seen.image(path)["soname"], name), seen.image(path)["soname"]
            assert_clean_json(segtest.segmap("-J", str(running.pid)))


if __name__ == "__main__":
    segtest.main()
