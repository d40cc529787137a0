#!/usr/bin/env python3
"""gdb, readelf and the kernel against segmap, on every program of the zoo and on some that people run.

Each program is started and waited for, shown by segmap and then looked at by gdb; nothing is resumed in
between. The claims compare what was seen, and a failure shows both sides.
"""
import contextlib
import dataclasses
import functools
import os
import shutil
import subprocess
import tempfile
import unittest.mock

import segtest
import witness
from programs import ALL, PROGRAMS, ZOO, command_of, stop, zoo_manifest, zoo_variant
from witness import VDSO, clip, join, up

NOBODY = 65534
READ_IMPLIES_EXEC = 0x0400000       # <linux/personality.h>

KIND_OF_LABEL = {"[heap]": "heap", "[stack]": "stack", "[vdso]": "vdso", "[vvar]": "vvar",
                 "[vvar_vclock]": "vvar", "[vsyscall]": "vsyscall"}


# ---- one look at each program ----

@dataclasses.dataclass
class Sight:
    """A program as seen by everyone at one moment. It is gone by the time a claim reads this."""
    document: dict      # segmap -J
    maps: list          # segtest.maps
    vm_flags: dict      # witness.vm_flags
    images: list        # of witness.Image
    gdb: dict           # witness.parse_info_files, or Skip
    personality: int

    def image(self, document_image):
        """The witnesses' image for one of the document's, or None."""
        if document_image["role"] == "vdso":
            return next((i for i in self.images if i.role == "vdso"), None)
        key = (parse_dev(document_image.get("dev")), document_image.get("inode"))
        return next((i for i in self.images if i.role != "vdso" and (parse_dev(i.dev), i.inode) == key), None)

    def mapped(self):
        return join([(row[0], row[1]) for row in self.maps])


def parse_dev(text):
    """Major and minor of "fe:00"; None and 00:00 are no device."""
    numbers = tuple(int(part, 16) for part in (text or "0:0").split(":"))
    return None if numbers == (0, 0) else numbers


@functools.lru_cache(maxsize=1)
def scratch():
    """A directory for the time of this run, which every user can search."""
    directory = tempfile.TemporaryDirectory(prefix="segmap-live.")
    os.chmod(directory.name, 0o755)
    return directory    # its name; removed when the interpreter drops it


def look_at(name):
    with segtest.running(command_of(name), ready=b"ready", stdin=subprocess.PIPE) as process:
        pid = process.pid
        if name in PROGRAMS:
            stop(pid)
        for _ in range(3):
            maps = segtest.maps(pid)
            segtest.bring_in_vdso(pid)
            document = segtest.document(pid)
            flags = witness.vm_flags(pid)
            try:
                gdb = witness.parse_info_files(witness.gdb_info_files(pid))
            except segtest.Skip as reason:
                gdb = reason
            if segtest.maps(pid) == maps:
                break
        else:
            raise AssertionError("the maps change all the time")
        with open(f"/proc/{pid}/personality", encoding="ascii") as file:
            personality = int(file.read(), 16)
        return Sight(document, maps, flags, witness.images(pid, maps, scratch().name), gdb, personality)


_sights = {}


def sight(name):
    """The look at a program, taken once for all claims; so is the failure to take it, of which only the
    first claim shows where it happened."""
    if name not in _sights:
        try:
            _sights[name] = look_at(name)
        except Exception as problem:
            _sights[name] = problem
            raise
    seen = _sights[name]
    if isinstance(seen, Exception):
        raise seen.with_traceback(None)
    return seen


# ---- what segmap says, in the witnesses' terms ----

def pieces(document, *kinds):
    """(vma, piece, its image's id, its segment, its expected permissions): a piece has its VMA's unless it
    says otherwise."""
    for vma in document["vmas"]:
        for piece in vma["pieces"]:
            if not kinds or piece["kind"] in kinds:
                inherited = [piece.get(key, vma.get(key)) for key in ("image", "segment", "expected_perms")]
                yield (vma, piece, *inherited)


def extent(thing):
    return int(thing["start"], 16), int(thing["end"], 16)


def sections_by_segmap(seen):
    """{(path, section): [(start, end)]}; an alias is nobody's load, so no witness lists it."""
    found = {}
    for _, piece, number, _, _ in pieces(seen.document, "section"):
        image = seen.document["images"][number]
        if image["role"] != "alias":
            path = VDSO if image["role"] == "vdso" else os.path.realpath(image["path"])
            found.setdefault((path, piece["name"]), []).append(extent(piece))
    return {key: join(ranges) for key, ranges in found.items()}


def sections_by_gdb(seen):
    """The same from gdb, less what gdb lists at an address that it does not have: .tbss, empty sections,
    sections outside every PT_LOAD."""
    if isinstance(seen.gdb, segtest.Skip):
        raise seen.gdb
    known = {image.path: image for image in seen.images}
    found = {}
    for path, sections in seen.gdb.items():
        image = known[path]
        in_memory = {section.name for section in image.file.sections if section.in_memory}
        for section, start, end in sections:
            ranges = clip(clip([(start, end)], image.spans()), seen.mapped())
            if ranges and section in in_memory:
                found.setdefault((path, section), []).extend(ranges)
    return {key: join(ranges) for key, ranges in found.items()}


def sections_by_readelf(seen):
    """The same from the files' section headers and the witnesses' bias."""
    found = {}
    for image in seen.images:
        for section in image.file.sections:
            start = image.address(section.addr)
            ranges = clip(clip([(start, start + section.size)], image.spans()), seen.mapped())
            if ranges and section.in_memory:
                found.setdefault((image.path, section.name), []).extend(ranges)
    return {key: join(ranges) for key, ranges in found.items()}


def same(expected, actual, whose, other="segmap"):
    """Compare two {key: value} and fail with what differs, both sides."""
    lines = []
    for key in sorted(expected.keys() | actual.keys(), key=str):
        if expected.get(key) != actual.get(key):
            lines.append(f"{key}: {whose}: {show(expected.get(key))}; {other}: {show(actual.get(key))}")
    assert not lines, f"{len(lines)} differ:\n  " + "\n  ".join(lines[:40])


def show(value):
    if isinstance(value, list) and all(isinstance(item, tuple) for item in value):
        return "[" + ", ".join(f"{start:#x}-{end:#x}" for start, end in value) + "]"
    return hex(value) if isinstance(value, int) and value > 4096 else repr(value)


# ---- the claims ----

@segtest.parameters(*ALL)
def rows_equal_proc_maps(name):
    seen = sight(name)
    actual = {}
    for vma in seen.document["vmas"]:
        start, end = extent(vma)
        actual[f"{start:x}"] = (end, vma["perms"], vma["offset"], parse_dev(vma.get("dev")),
                                vma.get("inode") or 0, vma.get("name") or "")
    expected = {f"{row[0]:x}": (row[1], row[2], row[3], parse_dev(row[4]), row[5], os.fsdecode(row[6]))
                for row in seen.maps}
    same(expected, actual, "maps")


@segtest.parameters(*ALL)
def sections_lie_where_gdb_shows_them(name):
    seen = sight(name)
    expected = sections_by_gdb(seen)
    assert len(expected) > 10
    actual = {key: value for key, value in sections_by_segmap(seen).items() if key[0] in seen.gdb}
    same(expected, actual, "gdb")


@segtest.parameters(*ALL)
def sections_lie_where_readelf_and_the_bias_put_them(name):
    seen = sight(name)
    same(sections_by_readelf(seen), sections_by_segmap(seen), "readelf")


@segtest.parameters(*ALL)
def the_witnesses_agree_and_gdb_leaves_no_image_out(name):
    """Says nothing of segmap: where this fails, look at the witnesses first."""
    seen = sight(name)
    by_gdb, by_readelf = sections_by_gdb(seen), sections_by_readelf(seen)
    unseen = {image for image in seen.images if image.path not in seen.gdb}
    # gdb follows the dynamic linker's list, and finds that through a C library: without one it does not
    # see ld.so.
    assert all(image.role == "interpreter" and name.startswith("freestanding") for image in unseen), unseen
    same(by_gdb, {key: value for key, value in by_readelf.items() if key[0] in seen.gdb}, "gdb", "readelf")


@segtest.parameters(*ALL)
def section_pieces_say_their_file_offset_segment_and_where_they_go_on(name):
    seen = sight(name)
    lines = []
    for vma, piece, number, segment, _ in pieces(seen.document, "section"):
        image = seen.image(seen.document["images"][number])
        if image is None or seen.document["images"][number]["role"] == "alias":
            continue
        start, end = extent(piece)
        homes = [s for s in image.file.sections if s.in_memory and s.name == piece["name"]
                 and image.address(s.addr) <= start and end <= image.address(s.addr) + s.size]
        if not homes:
            lines.append(f"{piece}: no such section there")
            continue
        home = homes[0]
        offset = None if home.type == "NOBITS" else home.offset + start - image.address(home.addr)
        loads = [s.index for s in image.file.loads
                 if image.address(s.vaddr) <= start and end <= image.address(s.vaddr) + s.memsz]
        # Pieces of one section that only the permissions called for part are all in this VMA.
        vma_start, vma_end = extent(vma)
        clipped = (image.address(home.addr) < vma_start
                   or image.address(home.addr) + home.size > vma_end)
        said = (piece.get("offset"), segment in loads, piece.get("clipped", False))
        if said != (offset, True, clipped):
            lines.append(f"{piece} in segment {segment}: should be offset {offset}, one of segments {loads}, "
                         f"clipped {clipped}")
    assert not lines, f"{len(lines)} wrong:\n  " + "\n  ".join(lines[:20])


@segtest.parameters(*ALL)
def spilled_bytes_are_named_by_what_they_are_in_the_file(name):
    seen = sight(name)
    lines = []
    for vma, piece, number, _, _ in pieces(seen.document, "spill"):
        image = seen.image(seen.document["images"][number])
        if image is None or seen.document["images"][number]["role"] == "alias":
            continue
        start, end = piece["offset"], piece["offset"] + piece["size"]
        row = extent(vma)[0], vma["offset"]
        if start - row[1] != extent(piece)[0] - row[0]:
            lines.append(f"{piece}: its offset does not fit its row {row}")
        homes = {s.name for s in image.file.sections if s.type != "NOBITS" and s.offset <= start
                 and end <= s.offset + s.size}
        bracketed = piece["name"].startswith("[")
        touched = {s.name for s in image.file.sections if s.type != "NOBITS" and s.size
                   and s.offset < end and start < s.offset + s.size}
        if piece["name"] not in homes and not (bracketed and not touched):
            lines.append(f"{piece}: these bytes are of {touched or 'no section'}")
    assert not lines, f"{len(lines)} wrong:\n  " + "\n  ".join(lines[:20])


@segtest.parameters(*ALL)
def images_are_the_loaded_files_each_in_its_role(name):
    seen = sight(name)
    actual = sorted((i["role"], VDSO if i["role"] == "vdso" else i["path"], i["status"])
                    for i in seen.document["images"] if i["role"] != "alias")
    expected = sorted((i.role, i.path, "ok") for i in seen.images)
    assert actual == expected, f"witnesses: {expected}; segmap: {actual}"
    assert [role for role, *_ in actual].count("program") == 1


@segtest.parameters(*ALL)
def bias_type_and_segments_are_as_the_witnesses_say(name):
    seen = sight(name)
    expected, actual = {}, {}
    for said in seen.document["images"]:
        image = seen.image(said)
        if image is None or said["role"] == "alias":
            continue
        expected[image.path, "bias"] = image.bias % (1 << 64)
        actual[image.path, "bias"] = int(said["bias"], 16)
        expected[image.path, "file"] = (image.file.bits, image.file.type)
        actual[image.path, "file"] = (said.get("class"), said.get("type"))
        for segment in image.file.segments:
            expected[image.path, segment.index] = dataclasses.astuple(segment)[1:]
        for segment in said["segments"]:
            actual[image.path, segment["index"]] = (
                segment["type"], segment["offset"], int(segment["vaddr"], 16), segment["filesz"],
                segment["memsz"], segment["flags"], segment["align"])
    same(expected, actual, "witnesses")


@segtest.parameters(*ALL)
def build_ids_equal_readelf(name):
    seen = sight(name)
    expected = {image.path: image.file.build_id for image in seen.images}
    actual = {}
    for said in seen.document["images"]:
        image = seen.image(said)
        if image is not None:
            actual[image.path] = said.get("build_id")
    same(expected, actual, "readelf -n")


@segtest.parameters(*ALL)
def labelled_rows_have_their_kind_and_rows_of_no_image_have_no_image(name):
    seen = sight(name)
    pages = [span for image in seen.images for span in image.pages()]
    files = {(parse_dev(image.dev), image.inode) for image in seen.images}
    lines = []
    for vma in seen.document["vmas"]:
        ours = clip([extent(vma)], pages)
        label = vma.get("name") or ""
        of_file = (parse_dev(vma.get("dev")), vma.get("inode")) in files
        if not ours and not of_file and vma.get("image") is not None:
            lines.append(f"{vma['start']} {label}: image {vma['image']}, but no image is there")
        if ours and vma.get("image") is None:
            lines.append(f"{vma['start']} {label}: no image, but {show(ours)} are of one")
        kind = KIND_OF_LABEL.get(label, vma["kind"])
        if vma["kind"] != kind and not (ours and label == "[heap]"):    # A .bss can merge with the heap.
            lines.append(f"{vma['start']} {label}: kind {vma['kind']}, not {kind}")
    assert not lines, "\n  ".join(lines)


@segtest.parameters(*ALL)
def relro_is_what_was_writable_once_and_is_read_only_now(name):
    """By the program headers, and again by the kernel: `ac` among the VmFlags of a private file mapping
    that cannot be written says that it could be once."""
    seen = sight(name)
    lines = []
    relros = {image: image.relro() for image in seen.images}
    for vma in seen.document["vmas"]:
        start, end = extent(vma)
        inside = any(relro and relro[0] <= start and end <= relro[1] for relro in relros.values())
        flags = seen.vm_flags[start]
        of_image = any(clip([(start, end)], image.pages()) for image in seen.images)
        if not vma.get("inode"):
            # Pages behind the file's last that RELRO covers (padding by mold and lld) are both.
            if vma["kind"] == "relro" and not (inside and "wr" not in flags):
                lines.append(f"{vma['start']} {vma['perms']}: an anonymous row outside RELRO is called relro")
            continue
        by_headers = inside and "wr" not in flags
        by_kernel = of_image and "wr" not in flags and "ac" in flags
        if len({by_headers, by_kernel, vma["kind"] == "relro"}) != 1:
            lines.append(f"{vma['start']} {vma['perms']} {vma.get('name')}: kind {vma['kind']}; in RELRO "
                         f"and not writable: {by_headers}; VmFlags say so: {by_kernel}")
    assert not lines, "\n  ".join(lines)


@segtest.parameters(*ALL)
def anonymous_pages_behind_a_segment_are_its_bss(name):
    seen = sight(name)
    lines = []
    for image in seen.images:
        for segment in image.file.loads:
            start = image.address(segment.vaddr)
            low, high = up(start + segment.filesz), up(start + segment.memsz)
            if low >= high or "w" not in segment.flags:
                continue
            relro = image.relro()
            for vma in seen.document["vmas"]:
                if vma.get("inode") or not clip([extent(vma)], [(low, high)]):
                    continue
                kinds = {"bss", "relro"} if relro and clip([extent(vma)], [relro]) else {"bss"}
                if vma["kind"] not in kinds:
                    lines.append(f"{vma['start']}: kind {vma['kind']}, not bss of {image.path}")
                owners = {seen.image(seen.document["images"][number])
                          for v, piece, number, _, _ in pieces(seen.document)
                          if v is vma and clip([extent(piece)], [(low, high)])}
                if owners != {image}:
                    lines.append(f"{vma['start']}: pieces of {owners}, not of {image.path}")
    assert not lines, "\n  ".join(lines)


@segtest.parameters(*ALL)
def gaps_belong_to_their_image_and_have_no_section(name):
    """glibc's ld.so leaves them without permissions, with the file and an offset that overlaps sections."""
    seen = sight(name)
    lines = []
    files = {(parse_dev(image.dev), image.inode): image for image in seen.images if image.inode}
    for vma in seen.document["vmas"]:
        owner = files.get((parse_dev(vma.get("dev")), vma.get("inode")))
        expected = owner is not None and vma["perms"] == "---p"
        if (vma["kind"] == "gap") != expected:
            lines.append(f"{vma['start']} {vma['perms']} {vma.get('name')}: kind {vma['kind']}")
        if expected:
            if seen.image(seen.document["images"][vma["image"]]) is not owner:
                lines.append(f"{vma['start']}: image {vma['image']}, not {owner.path}")
            if {piece["kind"] for piece in vma["pieces"]} != {"gap"}:
                lines.append(f"{vma['start']}: pieces {vma['pieces']}")
    assert not lines, "\n  ".join(lines)


@segtest.parameters(*ALL)
def gap_pieces_are_what_lies_between_the_pages_of_segments(name):
    """musl leaves the space between segments mapped as part of the first, with its file and permissions."""
    seen = sight(name)
    lines = []
    for vma, piece, number, _, _ in pieces(seen.document):
        image = seen.image(seen.document["images"][number])
        if image is None or seen.document["images"][number]["role"] == "alias" or not vma.get("inode"):
            continue
        inside = clip([extent(piece)], image.pages())
        if inside != ([] if piece["kind"] == "gap" else [extent(piece)]):
            lines.append(f"{piece}: of it, {show(inside)} is in pages of a segment")
    assert not lines, "\n  ".join(lines)


@segtest.parameters(*ALL)
def expected_permissions_are_those_of_the_headers(name):
    """They differ from the row's only where RELRO was never applied (static musl; ld.so in a program
    without a C library). A process in which all that is readable is executable has x everywhere."""
    seen = sight(name)
    lines = []
    for vma, piece, number, segment, perms in pieces(seen.document):
        said = seen.document["images"][number]
        image = seen.image(said)
        if image is None or said["role"] == "alias" or piece["kind"] in ("gap", "anon"):
            continue
        load = next((s for s in image.file.loads if s.index == segment), None)
        if load is None:
            lines.append(f"{piece['start']} {piece['name']}: segment {segment} is no PT_LOAD")
            continue
        relro = image.relro()
        inside = clip([extent(piece)], [relro]) if relro else []
        if inside and inside != [extent(piece)]:
            continue    # Half in: either answer, or none, is right for the whole piece.
        expected = "r--" if inside else load.flags
        # The vdso is not mapped through mmap, where the kernel adds the x.
        if seen.personality & READ_IMPLIES_EXEC and "r" in expected and said["role"] != "vdso":
            expected = expected[:2] + "x"
        expected += "p"
        if perms != expected:
            lines.append(f"{piece['start']}-{piece['end']} {piece['name']} in segment {segment}: {perms}, "
                         f"not {expected}")
        if vma["perms"] != expected and not (inside and "w" in vma["perms"]):
            lines.append(f"{vma['start']} {vma['perms']}: the witness itself expects {expected}")
    assert not lines, f"{len(lines)} wrong:\n  " + "\n  ".join(lines[:20])


@segtest.parameters("musl-static", "freestanding-pie")
def relro_that_nobody_applied_is_expected_and_not_claimed(name):
    """Static musl does not apply it; ld.so protects itself only when a C library needs it (glibc < 2.41)."""
    seen = sight(name)
    writable = [vma for image in seen.images if image.relro() for vma in seen.document["vmas"]
                if "w" in vma["perms"] and clip([extent(vma)], [image.relro()])]
    if not writable:
        raise segtest.Skip("needs a C library that leaves RELRO writable")
    for vma in writable:
        assert vma["kind"] == "segment", vma
        said = {piece.get("expected_perms", vma.get("expected_perms")) for piece in vma["pieces"]}
        assert "r--p" in said, vma


@segtest.claim
def the_second_copy_of_nodes_text_is_an_alias():
    """V8 maps part of the text that it is in again, near its own code, under a bias that no load chose.

    Not every node does; tests/scenarios has the same situation by hand.
    """
    seen = sight("node")
    program = next((image for image in seen.images if "/libnode.so" in image.path),
                   next(image for image in seen.images if image.role == "program"))
    copies = [vma for vma in seen.document["vmas"] if vma.get("inode") == program.inode
              and not clip([extent(vma)], program.pages())]
    assert copies or not any(i["role"] == "alias" for i in seen.document["images"])
    for vma in copies:
        image = seen.document["images"][vma["image"]]
        assert (vma["kind"], image["role"]) == ("alias", "alias"), vma
        assert seen.document["images"][image["alias_of"]]["path"] == program.path, image
        for piece in vma["pieces"]:
            offset = vma["offset"] + extent(piece)[0] - extent(vma)[0]
            assert piece["offset"] == offset, piece
            homes = [section.name for section in program.file.sections if section.type != "NOBITS"
                     and section.offset <= offset and offset + piece["size"] <= section.offset + section.size]
            assert piece["kind"] != "section" or piece["name"] in homes, (piece, homes)
        assert any(piece["kind"] == "section" for piece in vma["pieces"]), vma


@segtest.claim
def python_has_loaded_a_dozen_extension_modules():
    modules = [i for i in sight("python3").document["images"] if "/lib-dynload/" in i["path"]]
    assert len(modules) >= 12, [i["path"] for i in modules]


@segtest.claim
def the_zoo_shows_every_kind_of_row_and_piece_that_it_was_made_for():
    """Or the claims above would hold of nothing."""
    rows, kinds = set(), set()
    for name in ZOO:
        with contextlib.suppress(segtest.Skip):
            for vma in sight(name).document["vmas"]:
                rows.add(vma["kind"])
                kinds |= {piece["kind"] for piece in vma["pieces"]}
    absent = {"segment", "relro", "bss", "gap", "heap", "stack", "vdso", "vvar"} - rows
    assert not absent, f"no row of kind {absent}"
    absent = {"section", "ehdr", "phdrs", "padding", "spill", "gap"} - kinds
    assert not absent, f"no piece of kind {absent}"


# ---- the same for others than root ----

@contextlib.contextmanager
def segmap_for_everyone():
    """segmap itself where every user can reach it, if the build tree is private."""
    try:
        segtest.segmap("--version", as_user=NOBODY)
        yield
    except PermissionError:
        copy = shutil.copy(segtest.SEGMAP, scratch().name)
        os.chmod(copy, 0o755)
        with unittest.mock.patch.object(segtest, "SEGMAP", copy):
            yield


def without_provenance(document):
    """What must not depend on who asks: all but where bytes were read from, when, and what is said of it."""
    rest = {key: value for key, value in document.items() if key not in ("notes", "time")}
    rest["images"] = [{key: value for key, value in image.items() if key != "opened"}
                      for image in document["images"]]
    return rest


@segtest.parameters(*ZOO, "bash", "perl", "python3")
def an_ordinary_user_gets_the_same_annotations_as_root(name):
    segtest.need_root()
    command = command_of(name)
    if name in ZOO:
        # The build tree may be out of reach for other users, and the library must stay next to its program.
        variant = zoo_variant(name)
        for path in filter(None, (variant["program"], variant["library"])):
            shutil.copy(path, scratch().name)
        command = [os.path.join(scratch().name, os.path.basename(command[0]))]
    with segtest.running(command, ready=b"ready", stdin=subprocess.PIPE, cwd="/",
                         user=NOBODY, group=NOBODY, extra_groups=[]) as process:
        segtest.bring_in_vdso(process.pid)
        root = segtest.document(process.pid)
        with segmap_for_everyone():
            user = segtest.document(process.pid, as_user=NOBODY)
    same(without_provenance(root), without_provenance(user), "root")
    notes = len(user.get("notes", [])) - len(root.get("notes", []))
    assert notes <= 1, f"one note about privilege at most, not {notes}: {user['notes']}"


if __name__ == "__main__":
    segtest.main()
