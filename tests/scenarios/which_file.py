"""Which file is behind a VMA: rows 18 to 24 of the hard cases.

Names are in hostile_names.py, memory that is no file in memory_kinds.py.
"""
import os
import shutil
import subprocess

import segtest
from situations import (Elf, assert_bias, assert_error_lines, assert_kinds, assert_safe,
                        assert_sections, btrfs, for_root_and_user, library, look, maps, own,
                        program, scenario_program, situation, started, tmpfs, uid_of, workspace)


def apple_and_pear(directory, who="any", name="lib.so"):
    """A library of apples to load, another of pears to put in its way; readelf's view of both."""
    apple = library(os.path.join(directory, name))
    pear = library(os.path.join(directory, "new.so"), tag="pear", linker="lld")
    own(who, apple, pear)
    return apple, pear, Elf(apple), Elf(pear)


def assert_apples(seen, image, elf, bias):
    """Sections of the file that was mapped, at their addresses."""
    assert image["sections"] == "headers", image
    assert image["build_id"] == elf.build_id, image
    assert_sections(seen, image, elf, bias)


def assert_parts(seen, image, elf, bias):
    """What the process's memory tells of a file that cannot be had: its headers, no sections."""
    assert image["opened"] == "memory" and image["sections"] == "parts", image
    assert_bias(image, bias)
    assert not seen.names_of(image)
    assert "[dynamic]" in seen.names_of(image, "part")
    assert image["build_id"] == elf.build_id, "the note with it is in memory, too"
    assert_kinds(seen, image, elf, bias)


def assert_no_pears(seen, pid, who="any"):
    """No section of another file, in no form of output."""
    text = segtest.segmap("-S", str(pid), as_user=uid_of(who)).text
    text += segtest.segmap(str(pid), as_user=uid_of(who)).text
    assert "pear" not in text and "pear" not in str(seen.document), "a section of another file"


# Deleted.

@segtest.claim
def deleted_library_keeps_its_sections():
    with workspace("root") as directory:
        path, _, elf, _ = apple_and_pear(directory)
        with situation("deleted-library", path, who="root") as running:
            seen = look(running.pid, "root")
            image = seen.image(path)
            assert image["status"] == "deleted" and image["opened"] == "map_files", image
            assert_apples(seen, image, elf, running.address("bias"))
            for vma in seen.vmas_of(image):
                assert vma["name"] in (path + " (deleted)", None), "as in maps"


@segtest.claim
def deleted_library_of_an_ordinary_user_has_parts_and_one_note():
    with workspace("user") as directory:
        path, _, elf, _ = apple_and_pear(directory, "user")
        with situation("deleted-library", path, who="user") as running:
            seen = look(running.pid, "user")
            image = seen.image(path)
            assert image["status"] == "deleted", image
            assert_parts(seen, image, elf, running.address("bias"))
            assert len(seen.notes_on(path)) == 1, seen.notes


@for_root_and_user
def deleted_library_held_open_keeps_its_sections(who):
    with workspace(who) as directory:
        path, _, elf, _ = apple_and_pear(directory, who)
        with situation("deleted-library-held-open", path, who=who) as running:
            seen = look(running.pid, who)
            image = seen.image(path)
            assert image["status"] == "deleted", image
            assert image["opened"] == {"root": "map_files", "user": "fd"}[who], image
            assert_apples(seen, image, elf, running.address("bias"))


@for_root_and_user
def deleted_program_keeps_its_sections(who):
    with workspace(who) as directory:
        path = shutil.copy(scenario_program(), os.path.join(directory, "program"))
        elf = Elf(path)
        with situation("deleted-program", executable=path, who=who) as running:
            seen = look(running.pid, who)
            image = seen.image(path, role="program")
            assert image["status"] == "deleted", image
            assert image["opened"] in ("exe", "map_files"), image
            assert_apples(seen, image, elf, running.address("program_bias"))


@segtest.parameters("SYSVprogram", "SYSV0000002a")
def deleted_program_that_is_called_as_shared_memory_is_a_program(name):
    """The second has the name and, on tmpfs, the kind of device that shared memory has; but it is mapped private."""
    with workspace() as directory, tmpfs(directory) as point:
        path = shutil.copy(scenario_program(), os.path.join(point, name))
        elf = Elf(path)
        with situation("deleted-program", executable=path) as running:
            # What is mounted nowhere any more has paths that begin with its own root.
            subprocess.run(["umount", "-l", point], check=True)
            assert any(r[6] == b"/%s (deleted)" % name.encode() for r in maps(running.pid)), "the point of this claim"
            seen = look(running.pid, "root")
            image = seen.image("/" + name, role="program")
            assert image["status"] == "deleted", image
            assert_apples(seen, image, elf, running.address("program_bias"))


@for_root_and_user
def name_that_ends_in_deleted_is_no_deleted_file(who):
    with workspace(who) as directory:
        path, _, elf, _ = apple_and_pear(directory, who, "lib.so (deleted)")
        with situation("plain", path, who=who) as running:
            seen = look(running.pid, who)
            image = seen.image(path)
            assert image["status"] == "ok", image
            assert_apples(seen, image, elf, running.address("bias"))


@segtest.claim
def deleted_file_whose_name_ends_in_deleted_keeps_its_name():
    with workspace("root") as directory:
        path, _, elf, _ = apple_and_pear(directory, "root", "lib.so (deleted)")
        with situation("deleted-library", path, who="root") as running:
            seen = look(running.pid, "root")
            image = seen.image(path)
            assert image["status"] == "deleted", image
            assert_apples(seen, image, elf, running.address("bias"))


@for_root_and_user
def another_file_with_the_kernels_mark_in_its_name_is_never_taken(who):
    with workspace(who) as directory:
        path, pear, elf, _ = apple_and_pear(directory, who)
        os.rename(pear, path + " (deleted)")
        with situation("deleted-library", path, who=who) as running:
            seen = look(running.pid, who)
            image = seen.image(path)
            assert image["status"] == "deleted", image
            assert_no_pears(seen, running.pid, who)
            if who == "root":
                assert_apples(seen, image, elf, running.address("bias"))


@for_root_and_user
def another_hard_link_makes_a_deleted_library_no_less_deleted(who):
    with workspace(who) as directory:
        path, _, elf, _ = apple_and_pear(directory, who)
        os.link(path, os.path.join(directory, "other-name.so"))
        with situation("deleted-library", path, who=who) as running:
            seen = look(running.pid, who)
            image = seen.image(path)
            assert image["status"] == "deleted", image
            if who == "root":
                assert_apples(seen, image, elf, running.address("bias"))


# Replaced.

@for_root_and_user
def replaced_library_never_shows_its_successors_sections(who):
    with workspace(who) as directory:
        path, pear, elf, pear_elf = apple_and_pear(directory, who)
        with situation("replaced-library", path, pear, who=who) as running:
            seen = look(running.pid, who)
            image = seen.image(path)
            assert image["status"] == "replaced", image
            assert image["build_id"] == elf.build_id, image
            assert image["path_build_id"] == pear_elf.build_id, image
            assert_no_pears(seen, running.pid, who)
            if who == "root":
                assert_apples(seen, image, elf, running.address("bias"))
            else:
                assert_parts(seen, image, elf, running.address("bias"))
                assert len(seen.notes_on(path)) == 1, seen.notes


@for_root_and_user
def fifo_at_the_path_is_not_waited_for(who):
    with workspace(who) as directory:
        path, _, elf, _ = apple_and_pear(directory, who)
        with situation("replaced-by-fifo", path, who=who) as running:
            seen = look(running.pid, who)
            image = seen.image(path)
            assert image["status"] == "replaced" and not image.get("path_build_id"), image
            if who == "root":
                assert_apples(seen, image, elf, running.address("bias"))
            else:
                assert_parts(seen, image, elf, running.address("bias"))


@for_root_and_user
def file_bind_mounted_over_a_library_is_never_taken(who):
    with workspace(who) as directory:
        path, pear, elf, _ = apple_and_pear(directory, who)
        with situation("bind-mounted-over", path, pear, who=who) as running:
            seen = look(running.pid, who)
            image = seen.image(path)
            assert_no_pears(seen, running.pid, who)
            # Where segmap runs, the path still is the right file: a user can have it, too.
            if who == "root" or image["opened"] != "memory":
                assert_apples(seen, image, elf, running.address("bias"))
            else:
                assert_parts(seen, image, elf, running.address("bias"))
            assert image["status"] == "replaced", image


# Changed in place.

@for_root_and_user
def library_rewritten_in_place_is_noted_with_may(who):
    with workspace(who) as directory:
        path, pear, _, _ = apple_and_pear(directory, who)
        with situation("rewritten-library", path, pear, who=who) as running:
            seen = look(running.pid, who)
            image = seen.image(path)
            assert image["status"] == "rewritten", image
            notes = seen.notes_on(path)
            assert len(notes) == 1 and " may " in notes[0], seen.notes


@segtest.parameters(4096, 1000)
def library_truncated_in_place_is_shown_by_its_program_headers(size):
    with workspace() as directory:
        path, _, elf, _ = apple_and_pear(directory)
        with situation("truncated-library", path, str(size)) as running:
            seen = look(running.pid)
            image = seen.image(path)
            assert image["status"] == "truncated", image
            assert_bias(image, running.address("bias"))
            assert_kinds(seen, image, elf, running.address("bias"))
            assert len(seen.notes_on(path)) == 1, seen.notes


@segtest.parameters(10, 0)
def library_truncated_to_less_than_a_header_is_noted(size):
    with workspace() as directory:
        path, _, _, _ = apple_and_pear(directory)
        with situation("truncated-library", path, str(size)) as running:
            seen = look(running.pid)
            assert len(seen.notes_on(path)) == 1, seen.notes
            if seen.has_image(path):  # nothing in it says any more that it is one
                assert seen.image(path)["status"] == "truncated", seen.image(path)


@for_root_and_user
def library_that_nobody_touched_is_ok_and_without_note(who):
    with workspace(who) as directory:
        path, _, elf, _ = apple_and_pear(directory, who)
        with situation("plain", path, who=who) as running:
            seen = look(running.pid, who)
            assert {i["status"] for i in seen.images} == {"ok"}, seen.images
            assert not seen.notes, seen.notes
            assert_apples(seen, seen.image(path), elf, running.address("bias"))


# Who may read what.

@segtest.claim
def ordinary_user_gets_the_same_annotations_as_root():
    with workspace("user") as directory:
        path, _, elf, _ = apple_and_pear(directory, "user")
        with situation("plain", path, who="user") as running:
            by_user, by_root = look(running.pid, "user"), look(running.pid, "root")
            assert by_user.vmas == by_root.vmas
            for mine, roots in zip(by_user.images, by_root.images):
                assert dict(mine, opened=None) == dict(roots, opened=None)
                if mine["role"] == "program":
                    assert mine["opened"] == "exe", mine
                elif mine["role"] != "vdso":
                    assert mine["opened"] in ("root", "path"), mine
                    assert roots["opened"] == "map_files", roots
            assert_apples(by_user, by_user.image(path), elf, running.address("bias"))


@segtest.claim
def file_that_may_not_be_read_is_one_note_with_the_reason():
    with workspace("user") as directory:
        path, _, elf, _ = apple_and_pear(directory, "user")
        with situation("plain", path, who="user") as running:
            os.chmod(path, 0)
            seen = look(running.pid, "user")
            image = seen.image(path)
            assert_bias(image, running.address("bias"))
            assert image["opened"] == "memory" and image["sections"] == "parts", image
            notes = seen.notes_on(path)
            assert len(notes) == 1 and "ermission denied" in notes[0], seen.notes
            assert_kinds(seen, image, elf, running.address("bias"))


@segtest.claim
def columns_tell_where_the_bytes_came_from():
    with workspace("root") as directory:
        path, pear, elf, _ = apple_and_pear(directory, "root")
        with situation("replaced-library", path, pear, who="root") as running:
            result = segtest.segmap("-p", "-o", "+SOURCE,STATUS,BUILD-ID", str(running.pid))
            assert result.status == 0, result.error_text
            assert_safe(result.out)
            rows = [line for line in result.text.splitlines() if path in line]
            assert rows, result.text
            assert any("replaced" in row and "map_files" in row and elf.build_id in row
                       for row in rows), rows


# Device numbers that differ.

@for_root_and_user
def library_on_overlayfs_has_sections(who):
    with workspace(who) as directory:
        lower, upper, work, on = (os.path.join(directory, n) for n in ("l", "u", "w", "on"))
        for each in (lower, upper, work, on):
            os.mkdir(each)
            own(who, each)
        elf = Elf(library(os.path.join(lower, "lib.so")))
        # The same name under the mount point, outside of the namespace: another file.
        library(os.path.join(on, "lib.so"), tag="pear")
        path = os.path.join(on, "lib.so")
        with situation("overlay", lower, upper, work, on, path, who=who) as running:
            seen = look(running.pid, who)
            image = seen.image(path)
            assert image["status"] == "ok", image
            assert_apples(seen, image, elf, running.address("bias"))
            assert_no_pears(seen, running.pid, who)


@for_root_and_user
def library_on_btrfs_has_sections(who):
    with workspace(who) as directory, btrfs(directory) as point:
        path, _, elf, _ = apple_and_pear(point, who)
        with situation("plain", path, who=who) as running:
            dev = next(r[4] for r in maps(running.pid) if r[6] == os.fsencode(path))
            major, minor = (int(x, 16) for x in dev.split(":"))
            assert os.makedev(major, minor) != os.stat(path).st_dev, "the point of this claim"
            seen = look(running.pid, who)
            image = seen.image(path)
            assert image["status"] == "ok", image
            assert_apples(seen, image, elf, running.address("bias"))
            if who == "user":
                assert len(seen.notes_on(path)) == 1, f"accepted, but not noted: {seen.notes}"
            else:
                assert_saved_map_says_the_same(running.pid, directory, path, seen)


def assert_saved_map_says_the_same(pid, directory, path, seen):
    """Of the library that has this path. The other files are where maps and stat() have one device."""
    saved = os.path.join(directory, "saved")
    with open(f"/proc/{pid}/maps", "rb") as source, open(saved, "wb") as file:
        file.write(source.read())
    document = segtest.document("--maps", saved)
    image = next(i for i in document["images"] if i["path"] == path)
    assert image["status"] == "ok" and image["sections"] == "headers", (image, document["notes"])
    assert image["bias"] == seen.image(path)["bias"], image
    assert any("1 of " in n and "by their paths alone" in n for n in document["notes"]), document["notes"]


NO_BUILD_ID = ("-Wl,--build-id=none",)


@for_root_and_user
def program_without_a_build_id_on_btrfs_has_sections(who):
    """/proc/PID/exe leads to it, whatever its device is."""
    with workspace(who) as directory, btrfs(directory) as point:
        path = program(os.path.join(point, "program"), flags=NO_BUILD_ID)
        with started([path], who) as running:
            seen = look(running.pid, who)
            image = seen.image(path, role="program")
            assert image["status"] == "ok" and image["sections"] == "headers", image
            assert image["opened"] == {"root": "map_files", "user": "exe"}[who], image
            assert_sections(seen, image, Elf(path), int(image["bias"], 16))
            assert not seen.notes_on(path), seen.notes


@for_root_and_user
def without_a_build_id_on_btrfs_the_same_inode_is_neither_believed_nor_another_file(who):
    with workspace(who) as directory, btrfs(directory) as point:
        path = library(os.path.join(point, "lib.so"), flags=NO_BUILD_ID)
        own(who, path)
        elf = Elf(path)
        with situation("plain", path, who=who) as running:
            seen = look(running.pid, who)
            image = seen.image(path)
            assert image["status"] == "ok" and elf.build_id is None, image
            if who == "root":
                assert_apples(seen, image, elf, running.address("bias"))
            else:
                assert_parts(seen, image, elf, running.address("bias"))
                notes = seen.notes_on(path)
                assert len(notes) == 1 and "whether the file at its path is the mapped one" in notes[0], notes
            found = segtest.segmap("--audit", "-J", str(running.pid), as_user=uid_of(who))
            assert "file-replaced" not in found.text, found.text


@segtest.claim
def file_on_btrfs_that_may_not_be_read_is_said_to_be_that():
    """Memory has its build-id."""
    with workspace("user") as directory, btrfs(directory) as point:
        path = library(os.path.join(point, "lib.so"))
        own("user", path)
        with situation("plain", path, who="user") as running:
            os.chmod(path, 0)
            notes = look(running.pid, "user").notes_on(path)
            assert len(notes) == 1 and "that file cannot be read" in notes[0], notes
            assert "build-id" not in notes[0], notes


@segtest.parameters(*((who, flags) for who in ("root", "user") for flags in ((), NO_BUILD_ID)))
def same_inode_on_btrfs_is_not_enough(case):
    """With build-ids or, by other headers, without."""
    who, flags = case
    with workspace(who) as directory, btrfs(directory) as point:
        for name in ("a", "b"):
            subprocess.run([segtest.which("btrfs"), "-q", "subvolume", "create",
                            os.path.join(point, name)], check=True, stdout=subprocess.DEVNULL)
        path = library(os.path.join(point, "a", "lib.so"), flags=flags)
        pear = library(os.path.join(point, "b", "lib.so"), tag="pear", linker="lld", flags=flags)
        own(who, path, pear)
        elf = Elf(path)
        assert os.stat(path).st_ino == os.stat(pear).st_ino, "the point of this claim"
        with situation("plain", path, who=who) as running:
            subprocess.run(["mount", "--bind", os.path.dirname(pear), os.path.dirname(path)],
                           check=True)
            try:
                seen = look(running.pid, who)
                image = seen.image(path)
                assert_no_pears(seen, running.pid, who)
                assert image["status"] == "replaced", image
                if who == "root":
                    assert_apples(seen, image, elf, running.address("bias"))
                else:
                    assert_parts(seen, image, elf, running.address("bias"))
            finally:
                subprocess.run(["umount", os.path.dirname(path)], check=True)


# Other views of the file system.

@for_root_and_user
def path_in_another_mount_namespace_means_that_namespaces_file(who):
    with workspace(who) as directory:
        inside, on = os.path.join(directory, "inside"), os.path.join(directory, "on")
        for each in (inside, on):
            os.mkdir(each)
        elf = Elf(library(os.path.join(inside, "lib.so")))
        path = library(os.path.join(on, "lib.so"), tag="pear")
        with situation("mount-namespace", inside, on, path, who=who) as running:
            seen = look(running.pid, who)
            image = seen.image(path)
            assert image["status"] == "ok", image
            assert image["opened"] == {"root": "map_files", "user": "root"}[who], image
            assert_apples(seen, image, elf, running.address("bias"))
            assert_no_pears(seen, running.pid, who)


@for_root_and_user
def library_of_a_process_in_a_chroot_has_sections(who):
    with workspace(who) as directory:
        path, pear, elf, _ = apple_and_pear(directory, who)
        # Seen from the process's root, the name that maps shows here is another file.
        decoy = directory + os.path.dirname(path)
        os.makedirs(decoy)
        shutil.copy(pear, os.path.join(decoy, "lib.so"))
        with situation("chroot", directory, "/lib.so", who=who) as running:
            seen = look(running.pid, who)
            name = next(r[6] for r in maps(running.pid) if r[6].endswith(b"/lib.so"))
            image = seen.image(os.fsdecode(name))
            assert image["status"] == "ok", image
            assert_apples(seen, image, elf, running.address("bias"))
            assert_no_pears(seen, running.pid, who)


@for_root_and_user
def process_in_another_pid_namespace_is_shown_by_its_pid_here(who):
    with workspace(who) as directory:
        path, _, elf, _ = apple_and_pear(directory, who)
        with situation("pid-namespace", path, who=who) as running:
            assert running.values[b"inner_pid"] == b"1"
            seen = look(running.pid, who)
            assert_apples(seen, seen.image(path), elf, running.address("bias"))


# Files without a path.

@for_root_and_user
def library_in_a_memfd_has_sections(who):
    with workspace(who) as directory:
        path, _, elf, _ = apple_and_pear(directory, who)
        with situation("memfd-library", path, who=who) as running:
            seen = look(running.pid, who)
            image = seen.image("/memfd:in memory")
            assert image["status"] in ("ok", "deleted"), image
            assert image["opened"] == {"root": "map_files", "user": "fd"}[who], image
            assert_apples(seen, image, elf, running.address("bias"))
            assert_kinds(seen, image, elf, running.address("bias"))


@for_root_and_user
def library_in_a_closed_memfd_has_what_can_be_had(who):
    with workspace(who) as directory:
        path, _, elf, _ = apple_and_pear(directory, who)
        with situation("memfd-library", path, "closed", who=who) as running:
            seen = look(running.pid, who)
            image = seen.image("/memfd:in memory")
            if who == "root":
                assert_apples(seen, image, elf, running.address("bias"))
            else:
                assert_parts(seen, image, elf, running.address("bias"))
                assert len(seen.notes_on("/memfd:in memory")) == 1, seen.notes


@for_root_and_user
def program_run_from_a_memfd_has_sections(who):
    with situation("memfd-program", "plain", who=who) as running:
        seen = look(running.pid, who)
        image = seen.image("/memfd:in memory", role="program")
        assert image["opened"] in ("exe", "map_files"), image
        assert_apples(seen, image, Elf(scenario_program()), running.address("program_bias"))


@segtest.claim
def notes_stand_once_in_text_too():
    with workspace("user") as directory:
        path, _, _, _ = apple_and_pear(directory, "user")
        with situation("deleted-library", path, who="user") as running:
            note = look(running.pid, "user").notes_on(path)[0]
            result = segtest.segmap(str(running.pid), as_user=uid_of("user"))
            assert_error_lines(result)
            assert (result.text + result.error_text).count(note) == 1, (
                note, result.text, result.error_text)


if __name__ == "__main__":
    segtest.main()
