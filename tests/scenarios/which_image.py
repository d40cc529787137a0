"""Which image and which segment a VMA is: rows 1 to 17 and 33 of the hard cases."""
import os
import re
import subprocess

import segtest
from elfpatch import PT_GNU_RELRO, PT_LOAD, Patch
from situations import (LINKERS, PAGE, Elf, assert_bias, assert_kinds, assert_no_drift,
                        assert_sections, btrfs, for_root_and_user, library, look, maps, own,
                        page_down, page_up, program, scenario_program, situation, started,
                        workspace)


def loaded(directory, name="lib.so", **options):
    """A library for a situation, and readelf's view of it."""
    path = library(os.path.join(directory, name), **options)
    return path, Elf(path)


# One bias for the whole load.

@segtest.parameters(*LINKERS)
def sections_of_every_linkers_library_are_placed_by_one_bias(linker):
    with workspace() as directory:
        path, elf = loaded(directory, linker=linker)
        with situation("plain", path) as running:
            seen = look(running.pid)
            image = seen.image(path)
            assert image["role"] == "library" and image["status"] == "ok"
            assert image["sections"] == "headers" and image["build_id"] == elf.build_id
            assert image.get("elf_offset", 0) == 0
            assert_sections(seen, image, elf, running.address("bias"))
            assert_kinds(seen, image, elf, running.address("bias"))


@segtest.parameters(*LINKERS)
def sections_of_every_linkers_program_are_placed_by_one_bias(linker):
    with workspace() as directory:
        path = program(os.path.join(directory, "program"), flags=(f"-fuse-ld={linker}",))
        with started([path]) as running:
            elf = Elf(path)
            seen = look(running.pid)
            image = seen.image(path, role="program")
            rows = [r for r in maps(running.pid) if r[6] == os.fsencode(path)]
            bias = rows[0][0] - elf.span[0]
            assert_sections(seen, image, elf, bias)
            assert_kinds(seen, image, elf, bias)


@segtest.parameters("bfd", "lld")
def lowest_address_need_not_be_zero(linker):
    base = {"bfd": "-Wl,-Ttext-segment=0x40000", "lld": "-Wl,--image-base=0x40000"}[linker]
    with workspace() as directory:
        path, elf = loaded(directory, linker=linker, flags=(base,))
        assert elf.span[0] == 0x40000
        with situation("plain", path) as running:
            seen = look(running.pid)
            assert_sections(seen, seen.image(path), elf, running.address("bias"))
            assert_kinds(seen, seen.image(path), elf, running.address("bias"))


@segtest.parameters("bfd", "lld")
def program_at_a_fixed_address_has_bias_zero(linker):
    with workspace() as directory:
        path = program(os.path.join(directory, "program"),
                       flags=("-no-pie", "-fno-pie", f"-fuse-ld={linker}"))
        with started([path]) as running:
            seen = look(running.pid)
            image = seen.image(path, role="program")
            assert image["type"] == "EXEC"
            assert_sections(seen, image, Elf(path), 0)


# A file that is there more than once.

@segtest.claim
def library_loaded_twice_is_two_images():
    with workspace() as directory:
        path, elf = loaded(directory)
        with situation("loaded-twice", path) as running:
            seen = look(running.pid)
            for key in ("bias", "another_bias"):
                image = seen.image(path, bias=running.address(key))
                assert image["role"] == "library"
                assert_sections(seen, image, elf, running.address(key))
                assert_kinds(seen, image, elf, running.address(key))


@segtest.claim
def library_mapped_twice_without_the_dynamic_linker_is_two_images():
    with workspace() as directory:
        path, elf = loaded(directory)
        with situation("by-hand", path, "0", "0") as running:
            seen = look(running.pid)
            for key in ("bias_0", "bias_1"):
                assert_sections(seen, seen.image(path, bias=running.address(key)), elf,
                                running.address(key))


@segtest.parameters(*LINKERS)
def elf_file_mapped_as_data_is_no_image(linker):
    with workspace() as directory:
        path, _ = loaded(directory, linker=linker)
        with situation("mapped-as-data", path) as running:
            seen = look(running.pid)
            assert not seen.has_image(path), "a file that nobody loaded is an image"
            for key in ("private", "shared"):
                assert seen.vma_at(running.range(key)[0])["kind"] == "file"
                assert seen.vma_at(running.range(key)[0]).get("image") is None


@segtest.parameters(*LINKERS)
def loaded_file_mapped_as_data_is_one_image_and_a_file(linker):
    with workspace() as directory:
        path, elf = loaded(directory, linker=linker)
        with situation("mapped-as-data", path, "loaded") as running:
            seen = look(running.pid)
            assert_sections(seen, seen.image(path), elf, running.address("bias"))
            assert_kinds(seen, seen.image(path), elf, running.address("bias"))
            for key in ("private", "shared"):
                vma = seen.vma_at(running.range(key)[0])
                assert vma["kind"] == "file" and vma.get("image") is None, vma


@segtest.claim
def second_mapping_of_text_is_an_alias():
    with situation("text-alias") as running:
        elf = Elf(scenario_program())
        seen = look(running.pid)
        original = seen.image(role="program")
        alias = seen.image(role="alias")
        start, end = running.range("alias")
        assert alias["alias_of"] == original["id"] and alias["path"] == original["path"]
        vma = seen.vma_at(start)
        assert vma["kind"] == "alias" and vma["image"] == alias["id"], vma
        shift = start - running.address("of")
        text = elf.section(".scenario_text")
        bias = running.address("program_bias")
        assert bias + text.vaddr < running.address("of") < bias + text.vaddr + text.size
        for address in (start, end - 1):
            assert seen.piece_at(address)["name"] == ".scenario_text", seen.piece_at(address)
        assert int(alias["bias"], 16) == (bias + shift) % (1 << 64), alias
        # The program itself is where it was, and no larger.
        assert_sections(seen, original, elf, bias)
        low, high = bias + elf.span[0], bias + elf.span[1]
        for vma in seen.vmas_of(original):
            assert low <= int(vma["start"], 16) and int(vma["end"], 16) <= high, vma


# What the process itself has changed.

@segtest.claim
def text_on_anonymous_pages_is_remapped():
    with workspace() as directory:
        path, elf = loaded(directory)
        with situation("remapped-text", path) as running:
            seen = look(running.pid)
            image = seen.image(path)
            start, end = running.range("remapped")
            vma = seen.vma_at(start)
            assert (int(vma["start"], 16), int(vma["end"], 16)) == (start, end)
            assert vma["kind"] == "remapped" and vma["image"] == image["id"], vma
            assert [(p["kind"], p["name"]) for p in vma["pieces"]] == [("section", ".apple_text")]
            assert seen.segment_at(start) == seen.segment_at(start - 1)
            assert_sections(seen, image, elf, running.address("bias"))


@segtest.claim
def hole_in_text_is_no_vma_and_both_sides_keep_their_sections():
    with workspace() as directory:
        path, elf = loaded(directory)
        with situation("hole-in-text", path) as running:
            seen = look(running.pid)
            start, end = running.range("hole")
            for address in (start - 1, end):
                piece = seen.piece_at(address)
                assert piece["name"] == ".apple_text" and piece.get("clipped") is True, piece
            assert_sections(seen, seen.image(path), elf, running.address("bias"),
                            without=[(start, end)])
            assert_kinds(seen, seen.image(path), elf, running.address("bias"))


def _assert_drift(seen, running, image, perms, expected):
    """In the changed range, and only there, permissions are not the expected ones."""
    start, end = running.range("changed")
    for vma in seen.vmas_of(image):
        for piece in vma["pieces"]:
            address = int(piece["start"], 16)
            if start <= address < end:
                assert vma["perms"] == perms, vma
                assert seen.expected_at(address) == expected, (
                    f"{piece}: expected {seen.expected_at(address)}, not {expected}")
            else:
                assert seen.expected_at(address) in (None, vma["perms"]), (piece, vma["perms"])
    assert seen.vma_at(start)["perms"] == perms


@segtest.parameters(*LINKERS)
def mprotect_inside_data_shows_as_drift(linker):
    with workspace() as directory:
        path, elf = loaded(directory, linker=linker)
        with situation("data-read-only", path) as running:
            seen = look(running.pid)
            image = seen.image(path)
            start, _ = running.range("changed")
            _assert_drift(seen, running, image, "r--p", "rw-p")
            assert seen.vma_at(start)["kind"] == "segment", "read-only, but not because of RELRO"
            assert_sections(seen, image, elf, running.address("bias"))


@segtest.claim
def mprotect_of_text_shows_as_drift():
    with workspace() as directory:
        path, elf = loaded(directory)
        with situation("text-writable", path) as running:
            seen = look(running.pid)
            image = seen.image(path)
            _assert_drift(seen, running, image, "rwxp", "r-xp")
            assert seen.vma_at(running.range("changed")[0])["kind"] == "segment"
            assert_sections(seen, image, elf, running.address("bias"))


@segtest.parameters(*LINKERS)
def relro_made_writable_shows_as_drift(linker):
    with workspace() as directory:
        path, elf = loaded(directory, linker=linker)
        with situation("relro-writable", path) as running:
            seen = look(running.pid)
            image = seen.image(path)
            start, _ = running.range("changed")
            _assert_drift(seen, running, image, "rw-p", "r--p")
            assert seen.vma_at(start)["kind"] == "segment", "not read-only: no relro any more"
            assert_sections(seen, image, elf, running.address("bias"))


# Files inside files.

def _container(path, libraries, first):
    """Libraries one after another in one file, from page-aligned offsets; return the offsets."""
    offsets = []
    with open(path, "wb") as file:
        file.write(first)
        for library_path in libraries:
            file.seek(page_up(file.tell()))
            offsets.append(file.tell())
            with open(library_path, "rb") as part:
                file.write(part.read())
        file.write(b"PK\5\6 and what else an archive ends with")
    return offsets


@segtest.parameters("zip", "elf")
def libraries_inside_an_archive_are_images_at_their_offsets(first):
    with workspace() as directory:
        parts = [loaded(directory, "apple.so"),
                 loaded(directory, "pear.so", tag="pear", linker="lld")]
        path = os.path.join(directory, "base.apk")
        offsets = _container(path, [p for p, _ in parts],
                             b"PK\3\4 not an ELF file" if first == "zip" else b"")
        assert (offsets[0] == 0) == (first == "elf")
        with situation("by-hand", path, *map(str, offsets)) as running:
            seen = look(running.pid)
            for index, (offset, (_, elf)) in enumerate(zip(offsets, parts)):
                bias = running.address(f"bias_{index}")
                image = seen.image(path, bias=bias)
                assert image.get("elf_offset", 0) == offset, image
                assert image["role"] == "library" and image["build_id"] == elf.build_id
                assert_sections(seen, image, elf, bias, elf_off=offset)
                for piece in seen.pieces_of(image):
                    if piece["kind"] == "section" and piece.get("offset") is not None:
                        section = elf.section(piece["name"])
                        expected = (offset + section.off - section.vaddr
                                    + int(piece["start"], 16) - bias)
                        assert piece["offset"] == expected, (
                            f"{piece}: in the file that is mapped it is at {expected}")


@for_root_and_user
def libraries_inside_an_archive_on_btrfs_are_images_at_their_offsets(who):
    with workspace(who) as directory, btrfs(directory) as point:
        part, elf = loaded(directory)
        path = os.path.join(point, "base.apk")
        (offset,) = _container(path, [part], b"PK\3\4 not an ELF file")
        own(who, path)
        with situation("by-hand", path, str(offset), who=who) as running:
            # Unlike the dynamic linker it has read the headers nowhere but in the file.
            with open(f"/proc/{running.pid}/mem", "rb", buffering=0) as memory:
                memory.seek(running.address("bias_0"))
                assert memory.read(4) == b"\x7fELF"
            seen = look(running.pid, who)
            image = seen.image(path)
            assert (image["status"], image.get("elf_offset")) == ("ok", offset), (image, seen.notes)
            assert image["build_id"] == elf.build_id and image["sections"] == "headers", image
            assert_sections(seen, image, elf, running.address("bias_0"), elf_off=offset)


# .bss, and what lies behind it.

@segtest.parameters(*LINKERS)
def memory_merged_with_bss_is_a_piece_of_its_own(linker):
    with workspace() as directory:
        path, elf = loaded(directory, linker=linker)
        with situation("bss-merged", path) as running:
            seen = look(running.pid)
            image = seen.image(path)
            start, end = running.range("anonymous")
            vma = seen.vma_at(start)
            if int(vma["start"], 16) == start:
                raise segtest.Skip("a kernel that merges neighbours")
            assert vma["kind"] == "bss" and vma["image"] == image["id"], vma
            assert seen.piece_at(start - PAGE)["name"] == ".bss"
            piece = seen.piece_at(start)
            assert (piece["kind"], piece["name"]) == ("anon", "[anon]"), piece
            assert (int(piece["start"], 16), int(piece["end"], 16)) == (start, end), piece
            assert_sections(seen, image, elf, running.address("bias"))


@segtest.claim
def heap_behind_bss_is_not_bss():
    with situation("no-randomization", "heap") as running:
        seen = look(running.pid)
        image = seen.image(role="program")
        bss_start, bss_end = running.range("bss")
        for address in (bss_start, bss_end - 1):
            assert seen.piece_at(address)["name"] == ".bss"
        heap = seen.vma_at(running.address("heap"))
        assert heap["name"] == "[heap]"
        if heap.get("image") is None:
            assert heap["kind"] == "heap"
        else:  # merged by a kernel before 6.1
            assert seen.piece_at(running.address("heap"))["kind"] == "anon"
        assert_sections(seen, image, Elf(scenario_program()), running.address("program_bias"))


@segtest.parameters(*LINKERS)
def pages_held_between_segments_are_gaps(linker):
    with workspace() as directory:
        path, elf = loaded(directory, linker=linker, flags=("-Wl,-z,max-page-size=0x20000",))
        with situation("plain", path) as running:
            seen = look(running.pid)
            image, bias = seen.image(path), running.address("bias")
            gaps = [(r[0], r[1]) for r in maps(running.pid)
                    if r[2] == "---p" and r[6] == os.fsencode(path)]
            assert gaps, "the point of this claim"
            for start, end in gaps:
                vma = seen.vma_at(start)
                assert vma["kind"] == "gap" and vma["image"] == image["id"], vma
                assert [(p["kind"], p["name"], p["size"]) for p in vma["pieces"]] == [
                    ("gap", "[gap]", end - start)], vma
            assert_sections(seen, image, elf, bias)
            assert_kinds(seen, image, elf, bias)


def musl_program(directory, path):
    """A program of musl that loads the library at this path."""
    return program(os.path.join(directory, "program"), compiler=("musl-gcc",),
                   flags=("-Wl,--no-as-needed", path, f"-Wl,-rpath,{directory}"))


@segtest.parameters("bfd", "lld")
def holes_that_musl_leaves_in_the_first_mapping_are_gap_pieces(linker):
    """musl maps the whole span as the first segment, and puts the others over it."""
    with workspace() as directory:
        path, elf = loaded(directory, linker=linker, flags=("-Wl,-z,max-page-size=0x20000",))
        with started([musl_program(directory, path)]) as running:
            seen = look(running.pid)
            bias = next(r[0] for r in maps(running.pid) if r[6] == os.fsencode(path))
            image = seen.image(path, bias=bias - elf.span[0])
            first, second = elf.loads[:2]
            start = page_up(bias + first.vaddr + first.filesz)
            end = page_down(bias + second.vaddr)
            assert int(seen.vma_at(bias)["end"], 16) == end > start, "the point of this claim"
            gaps = [p for p in seen.vma_at(bias)["pieces"] if p["kind"] == "gap"]
            assert [(int(p["start"], 16), int(p["end"], 16), p["name"]) for p in gaps] == [
                (start, end, "[gap]")], seen.vma_at(bias)
            assert_sections(seen, image, elf, bias)


@segtest.parameters("separate-code", "noseparate-code")
def holes_in_a_library_whose_segments_are_not_sorted_are_gap_pieces(layout):
    """musl alone loads such a library, and has the lowest segment in its holes."""
    with workspace() as directory:
        path, _ = loaded(directory, flags=("-Wl,-z,max-page-size=0x20000", f"-Wl,-z,{layout}"))
        path_of_program = musl_program(directory, path)
        with Patch(path) as patch:
            patch.reverse_loads()
        with started([path_of_program]) as running:
            seen = look(running.pid)
            image = seen.image(path)
            rows = [r for r in maps(running.pid) if r[6] == os.fsencode(path)]
            kinds = {p["kind"] for r in rows for p in seen.vma_at(r[0])["pieces"]}
            assert "gap" in kinds and "anon" not in kinds, kinds
            assert all(seen.vma_at(r[0])["image"] == image["id"] for r in rows)
            assert_sections(seen, image, Elf(path), int(image["bias"], 16))
            assert segtest.segmap("--audit", running.pid).status == 0


@segtest.parameters("separate-code", "noseparate-code")
def what_musl_maps_behind_a_library_is_a_gap(layout):
    """Its mapping of the whole span is too long by the lowest segment's offset."""
    with workspace() as directory:
        path, _ = loaded(directory, flags=(f"-Wl,-z,{layout}",))
        path_of_program = musl_program(directory, path)
        with Patch(path) as patch:
            patch.put_before(3 * PAGE)
        with started([path_of_program]) as running:
            seen = look(running.pid)
            image = seen.image(path)
            last = [r for r in maps(running.pid) if r[6] == os.fsencode(path)][-1]
            assert last[1] - last[0] == 3 * PAGE, "the point of this claim"
            vma = seen.vma_at(last[0])
            assert vma["kind"] == "gap" and vma["image"] == image["id"], vma
            assert [(p["kind"], p["size"]) for p in vma["pieces"]] == [("gap", 3 * PAGE)], vma
            assert_sections(seen, image, Elf(path), int(image["bias"], 16))
            assert segtest.segmap("--audit", running.pid).status == 0


@segtest.claim
def library_that_musl_leaves_writable_as_a_whole_has_sections():
    """With text relocations and without RELRO: one VMA, rwxp."""
    with workspace() as directory:
        source, path = os.path.join(directory, "textrel.c"), os.path.join(directory, "libtextrel.so")
        with open(source, "w", encoding="ascii") as file:
            file.write('int value; __asm__(".text\\n.dc.a value\\n");\n')
        subprocess.run([segtest.which("gcc", "clang"), "-shared", "-fPIC", "-nostdlib", "-Wl,-z,notext",
                        "-Wl,-z,norelro", source, "-o", path], check=True, stdin=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        with started([musl_program(directory, path)]) as running:
            assert {r[2] for r in maps(running.pid) if r[6] == os.fsencode(path)} == {"rwxp"}, "the point"
            seen = look(running.pid)
            image = seen.image(path)
            assert_sections(seen, image, Elf(path), int(image["bias"], 16))
            table = segtest.segmap(running.pid).text  # for which no file's dynamic section is read
            assert re.search(r"rwxp.* libtextrel.so +LOAD 0", table), table


# Sections that are not there, bytes that are another's.

@segtest.parameters(*LINKERS)
def thread_local_bss_is_never_shown(linker):
    with workspace() as directory:
        path, elf = loaded(directory, linker=linker)
        assert elf.section(".tbss").size > 2 * PAGE
        with situation("plain", path) as running:
            names = (seen := look(running.pid)).names_of(seen.image(path))
            assert ".tbss" not in names and ".tdata" in names
            assert not any(s.name in names for s in elf.sections if s.size == 0)


@segtest.claim
def bytes_of_a_shared_page_are_spill_named_after_their_section():
    with workspace() as directory:
        path, elf = loaded(directory, linker="lld")
        rodata, text = elf.section(".apple_rodata"), elf.section(".apple_text")
        assert page_down(rodata.off + rodata.size) == page_down(text.off), "they share a page"
        with situation("plain", path) as running:
            seen = look(running.pid)
            image, bias = seen.image(path), running.address("bias")
            start = page_down(bias + text.vaddr)
            piece = seen.piece_at(start)
            assert (piece["kind"], piece["name"]) == ("spill", ".apple_rodata"), piece
            assert piece["offset"] == page_down(text.off), piece
            assert_sections(seen, image, elf, bias)


# RELRO.

@segtest.claim
def relro_end_is_rounded_down():
    with workspace() as directory:
        path = library(os.path.join(directory, "lib.so"))
        with Patch(path) as patch:
            patch.phdr(PT_GNU_RELRO).p_memsz -= PAGE // 2
        elf = Elf(path)
        with situation("plain", path) as running:
            seen = look(running.pid)
            image, bias = seen.image(path), running.address("bias")
            end = page_down(bias + elf.relro.vaddr + elf.relro.memsz)
            assert end != bias + elf.relro.vaddr + elf.relro.memsz
            assert seen.vma_at(end - 1)["kind"] == "relro"
            assert seen.expected_at(end - 1) == "r--p"
            assert seen.vma_at(end)["kind"] == "segment"
            assert seen.expected_at(end) == "rw-p"
            assert_sections(seen, image, elf, bias)
            assert_kinds(seen, image, elf, bias)


@segtest.claim
def relro_that_static_musl_never_applies_is_missed():
    with workspace() as directory:
        path = program(os.path.join(directory, "program"), compiler=("musl-gcc",),
                       flags=("-static", "-no-pie", "-Wl,-z,relro"))
        with started([path]) as running:
            elf = Elf(path)
            seen = look(running.pid)
            address = page_down(elf.relro.vaddr + elf.relro.memsz) - 1
            vma = seen.vma_at(address)
            assert vma["perms"] == "rw-p" and vma["kind"] == "segment", vma
            assert seen.expected_at(address) == "r--p", seen.piece_at(address)
            assert_sections(seen, seen.image(path), elf, 0)


# Section headers that are missing or lie.

def _assert_parts(seen, image, elf, bias, kinds):
    """Without section headers, what the program headers point to has names of its own."""
    assert image["sections"] == "parts" and image["status"] == "ok", image
    assert not seen.names_of(image), "sections without section headers"
    names = {"DYNAMIC": "[dynamic]", "INTERP": "[interp]", "GNU_EH_FRAME": "[eh_frame_hdr]"}
    for kind in kinds:
        segment = next(s for s in elf.segments if s.kind == kind)
        # Its bytes can be in a neighbour's page as well; there they are a spill.
        pieces = [p for p in seen.pieces_of(image)
                  if p["name"] == names[kind] and p["kind"] != "spill"]
        assert [(int(p["start"], 16), int(p["end"], 16), p["kind"]) for p in pieces] == [
            (bias + segment.vaddr, bias + segment.vaddr + segment.memsz, "part")], (
            names[kind], pieces)


@segtest.parameters(*LINKERS)
def library_without_section_headers_has_parts(linker):
    with workspace() as directory:
        path = library(os.path.join(directory, "lib.so"), linker=linker)
        with Patch(path) as patch:
            patch.strip_section_headers()
        elf = Elf(path)
        with situation("plain", path) as running:
            seen = look(running.pid)
            image = seen.image(path)
            _assert_parts(seen, image, elf, running.address("bias"), ["DYNAMIC"])
            assert image["build_id"] == elf.build_id
            assert_kinds(seen, image, elf, running.address("bias"))


@segtest.claim
def program_without_section_headers_has_parts():
    with workspace() as directory:
        path = program(os.path.join(directory, "program"))
        with Patch(path) as patch:
            patch.strip_section_headers()
        with started([path]) as running:
            elf = Elf(path)
            seen = look(running.pid)
            bias = maps(running.pid)[0][0]
            _assert_parts(seen, seen.image(path, role="program"), elf, bias,
                          ["DYNAMIC", "INTERP", "GNU_EH_FRAME"])


def _overlap(patch):
    patch.shdr(b".apple_rodata").sh_size = 0x100000


def _overlap_all(patch):
    for shdr in patch.shdrs:
        if shdr.sh_flags & 2:
            shdr.sh_addr, shdr.sh_size = 0, 1 << 62


def _wrap_around(patch):
    patch.shdr(b".apple_data").sh_addr = (1 << 64) - 16


def _outside(patch):
    patch.shdr(b".apple_data").sh_addr = 1 << 40


def _wrong_offset(patch):
    patch.shdr(b".apple_data").sh_offset = 1 << 60


def _wrong_string_table(patch):
    patch.ehdr.e_shstrndx = next(i for i, s in enumerate(patch.shdrs)
                                 if patch.name_of(s) == b".apple_text")


def _no_such_string_table(patch):
    patch.ehdr.e_shstrndx = 0xfffe


def _names_beyond_the_table(patch):
    for shdr in patch.shdrs:
        shdr.sh_name = 0xfffffff0


def _headers_beyond_the_file(patch):
    patch.ehdr.e_shoff = len(patch.data) + 4096


def _headers_misaligned_at_the_end(patch):
    patch.ehdr.e_shoff = len(patch.data) - 65


def _wrong_entry_size(patch):
    patch.ehdr.e_shentsize = 1


LIES = {function.__name__[1:]: function for function in (
    _overlap, _overlap_all, _wrap_around, _outside, _wrong_offset, _wrong_string_table,
    _no_such_string_table, _names_beyond_the_table, _headers_beyond_the_file,
    _headers_misaligned_at_the_end, _wrong_entry_size)}


def _assert_placed_by_program_headers(seen, path, elf, bias):
    """Whatever section headers say: the image is where it is, and each VMA is of its segment."""
    image = seen.image(path)
    assert_bias(image, bias)
    rows = [r for r in maps(seen.document["pid"]) if r[6] == os.fsencode(path)]
    assert rows
    for start, end, perms, *_ in rows:
        vma = seen.vma_at(start)
        assert vma.get("image") == image["id"], vma
        holds = [s.index for s in elf.loads
                 if page_down(bias + s.vaddr) <= start and end <= page_up(bias + s.vaddr + s.memsz)]
        assert vma.get("segment") in holds, vma
    for piece in seen.pieces_of(image):
        if piece["kind"] == "section":
            start, end = int(piece["start"], 16) - bias, int(piece["end"], 16) - bias
            assert any(s.holds(start, end - start) for s in elf.loads), (
                f"{piece} is in no segment")
    return image


@segtest.parameters(*LIES)
def lying_section_headers_change_names_at_most(lie):
    with workspace() as directory:
        path, elf = loaded(directory)
        with Patch(path) as patch:
            LIES[lie](patch)
        with situation("plain", path) as running:
            seen = look(running.pid)
            image = _assert_placed_by_program_headers(seen, path, elf, running.address("bias"))
            assert_no_drift(seen, image)
            if lie in ("outside", "wrap_around"):
                assert ".apple_data" not in seen.names_of(image), "shown where it is not mapped"
            if lie.startswith("headers_") or lie == "wrong_entry_size":
                assert image["sections"] != "headers", image


@segtest.claim
def huge_number_of_sections_in_a_sparse_file_costs_nothing():
    with workspace() as directory:
        path, elf = loaded(directory)
        with Patch(path) as patch:
            # More than 65,279 sections: the number is the size of section 0, and the table holes.
            at = page_up(len(patch.data))
            patch.data += bytes(at - len(patch.data))
            patch.data += patch.data[patch.ehdr.e_shoff:patch.ehdr.e_shoff + 64]
            patch.ehdr.e_shoff, patch.ehdr.e_shnum = at, 0
            patch.shdrs  # readable
            patch.ehdr.e_shnum = 1
            patch.shdrs[0].sh_size = 1 << 32
            patch.ehdr.e_shnum = 0
        os.truncate(path, at + (64 << 32))
        with situation("plain", path) as running:
            usage = _cost(running.pid)
            assert usage.ru_maxrss < 256 << 10, f"{usage.ru_maxrss} KiB for one small library"
            assert usage.ru_utime + usage.ru_stime < 5, usage
            seen = look(running.pid)
            _assert_placed_by_program_headers(seen, path, elf, running.address("bias"))


def _cost(pid):
    """What one run of segmap used."""
    process = subprocess.Popen([segtest.SEGMAP, "-J", str(pid)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"exit status {process.returncode}"
    return usage


# Kinds of programs.

STYLES = {"static": (("gcc", "clang", "cc"), ("-static",)),
          "static-pie": (("gcc", "clang", "cc"), ("-static-pie", "-fPIE")),
          "musl": (("musl-gcc",), ()),
          "musl-static": (("musl-gcc",), ("-static",))}


@segtest.parameters(*STYLES)
def sections_do_not_depend_on_the_kind_of_program(style):
    compiler, flags = STYLES[style]
    with workspace() as directory:
        path = program(os.path.join(directory, "program"), compiler=compiler, flags=flags)
        with started([path]) as running:
            elf = Elf(path)
            seen = look(running.pid)
            image = seen.image(path)
            assert image["role"] == "program"
            rows = [r for r in maps(running.pid) if r[6] == os.fsencode(path)]
            assert_sections(seen, image, elf, rows[0][0] - elf.span[0])
            interpreter = [i for i in seen.images if i["role"] == "interpreter"]
            assert len(interpreter) == (1 if style == "musl" else 0)


@segtest.claim
def vdso_has_the_sections_that_are_in_memory():
    with situation("plain") as running, workspace() as directory:
        start, end = next((r[0], r[1]) for r in maps(running.pid) if r[6] == b"[vdso]")
        path = os.path.join(directory, "vdso")
        with open(f"/proc/{running.pid}/mem", "rb", buffering=0) as memory:
            memory.seek(start)
            with open(path, "wb") as file:
                file.write(memory.read(end - start))
        elf = Elf(path)
        seen = look(running.pid)
        image = seen.image(role="vdso")
        assert image["path"] == "[vdso]" and image["opened"] in ("memory", "self"), image
        assert seen.vma_at(start)["kind"] == "vdso" and seen.vma_at(start)["name"] == "[vdso]"
        assert ".text" in seen.names_of(image)
        assert_sections(seen, image, elf, start - elf.span[0])


@segtest.claim
def page_for_uprobes_is_labelled_and_the_probed_text_stays_text():
    segtest.need_root()
    with situation("uprobe") as running:
        seen = look(running.pid)
        page = [v for v in seen.vmas if v.get("name") == "[uprobes]"]
        assert len(page) == 1 and page[0]["kind"] == "other", page
        assert_sections(seen, seen.image(role="program"), Elf(scenario_program()),
                        running.address("program_bias"))


# VMAs that are more than one thing.

@segtest.claim
def pieces_of_merged_segments_carry_their_own_segment():
    """lld has a PT_LOAD for RELRO and one for data: writable both, they are one VMA."""
    with workspace() as directory:
        path, elf = loaded(directory, linker="lld", flags=("-Wl,-z,separate-loadable-segments",))
        relro, data = [s for s in elf.loads if "W" in s.flags]
        with situation("relro-writable", path) as running:
            seen = look(running.pid)
            image, bias = seen.image(path), running.address("bias")
            vma = seen.vma_at(bias + data.vaddr)
            if int(vma["start"], 16) > bias + relro.vaddr:
                raise segtest.Skip("a kernel that merges neighbours")
            assert vma["segment"] == relro.index and vma["kind"] == "segment", vma
            for segment, expected in ((relro, "r--p"), (data, "rw-p")):
                assert seen.segment_at(bias + segment.vaddr) == segment.index
                assert seen.expected_at(bias + segment.vaddr) == expected, vma
            assert_sections(seen, image, elf, bias)


@segtest.claim
def section_across_two_segments_is_shown_in_both():
    with workspace() as directory:
        path = library(os.path.join(directory, "lib.so"))
        with Patch(path) as patch:
            text = next(p for p in patch.phdrs if p.p_type == PT_LOAD and p.p_flags & 1)
            first, second = patch.split_load(text, 3, PAGE)
        elf = Elf(path)
        with situation("plain", path) as running:
            seen = look(running.pid)
            bias = running.address("bias")
            border = bias + elf.segments[second].vaddr
            vma = seen.vma_at(border)
            if int(vma["start"], 16) == border:
                raise segtest.Skip("a kernel that merges neighbours")
            assert vma["segment"] == first and vma["perms"] == "r-xp", vma
            assert seen.segment_at(border - 1) == first
            assert seen.segment_at(border) == second
            for address in (border - 1, border):
                assert seen.piece_at(address)["name"] == ".apple_text", seen.piece_at(address)
                assert seen.expected_at(address) == "r-xp"
            # The rest of the file is as it was.
            assert seen.names_of(seen.image(path)) == {s.name for s in elf.mapped} | {".apple_text"}


if __name__ == "__main__":
    segtest.main()
