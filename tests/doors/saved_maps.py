"""segmap --maps: saved maps and smaps against the live process they were saved of."""
import os
import re
import shutil
import subprocess

import segtest
from doors import (SIMPLE, check_message, compiled, described, loads, workspace,
                   zoo_running)

VARIANTS = ["gcc-pie", "gcc-no-pie", "gcc-static", "gcc-m32-pie", "lld-library", "mold-library",
            "musl-pie", "gold-library"]


def save(pid, path, name="maps"):
    with open(f"/proc/{pid}/{name}", "rb") as source, open(path, "wb") as file:
        file.write(source.read())
    return path


def unlike(live, saved):
    """VMAs of which a saved map says something else than the live process, without the vdso, whose
    bytes no saved map has."""
    return [(a, b) for a, b in zip([described(live, v) for v in live["vmas"]],
                                   [described(saved, v) for v in saved["vmas"]])
            if a != b and a["kind"] != "vdso"]


@segtest.parameters(*VARIANTS)
def saved_maps_and_smaps_say_what_the_live_process_says(variant):
    with workspace() as directory, zoo_running(variant) as process:
        live = segtest.document(process.pid)
        for name in ("maps", "smaps"):
            path = save(process.pid, os.path.join(directory, name), name)
            saved = segtest.document("--maps", path)
            assert saved["source"] == "maps" and saved["target"] == path and not saved.get("pid")
            assert saved["page_size"] == os.sysconf("SC_PAGESIZE")
            assert len(saved["vmas"]) == len(live["vmas"])
            assert not unlike(live, saved), unlike(live, saved)[:2]
            roles = {i["path"]: i["role"] for i in saved["images"]}
            assert all(roles[i["path"]] == i["role"] for i in live["images"] if i["role"] != "vdso"), roles
            assert saved["notes"] == [], saved["notes"]


@segtest.claim
def standard_input_and_pipes_are_read():
    with segtest.running(["sleep", "600"]) as process:
        with open(f"/proc/{process.pid}/maps", "rb") as file:
            text = file.read()
        expected = len(text.splitlines())
        for arguments in (["--maps", "-"], ["--maps", "/dev/stdin"], ["--maps=-"]):
            result = subprocess.run([segtest.SEGMAP, "-q", "-r", *arguments], input=text,
                                    capture_output=True, check=False)
            assert result.returncode == 0 and not result.stderr, result
            assert len(result.stdout.splitlines()) == expected
        # As it comes through a slow pipe, in pieces that are no lines.
        with subprocess.Popen([segtest.SEGMAP, "-q", "-r", "--maps", "-"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as reader:
            for at in range(0, len(text), 37):
                reader.stdin.write(text[at:at + 37])
                reader.stdin.flush()
            reader.stdin.close()
            assert len(reader.stdout.read().splitlines()) == expected
        assert reader.returncode == 0


@segtest.claim
def files_are_found_below_the_sysroot_and_nowhere_else():
    with workspace() as directory:
        root = os.path.join(directory, "root")
        program = compiled(os.path.join(directory, "program"), "-Wl,--build-id=sha1",
                           source='#include <stdio.h>\n#include <unistd.h>\n'
                                  'int main(void) { puts("ready"); fflush(stdout); pause(); }\n')
        with segtest.running([program], ready=b"ready") as process:
            live = segtest.document(process.pid)
            path = save(process.pid, os.path.join(directory, "maps"))
        files = {i["path"] for i in live["images"] if i["role"] != "vdso"}
        for name in files:
            os.makedirs(os.path.dirname(root + name), exist_ok=True)
            # One behind an absolute link, which leads below the root.
            if name == program:
                os.symlink("/kept", root + name)
                shutil.copy(name, root + "/kept")
            else:
                shutil.copy(name, root + name)
        os.unlink(program)
        saved = segtest.document("--maps", path, "--sysroot", root)
        assert not unlike(live, saved), unlike(live, saved)[:2]
        assert any("by their paths alone" in note for note in saved["notes"]), saved["notes"]
        os.unlink(root + "/kept")
        saved = segtest.document("--maps", path, "--sysroot", root)
        gone = next(i for i in saved["images"] if i["path"] == program)
        assert gone["status"] == "unreadable" and gone["sections"] == "none", gone
        assert [n for n in saved["notes"] if program in n and root in n], saved["notes"]
        assert all(v["pieces"] == [] for v in saved["vmas"] if v["name"] == program)


def saved_sleep(directory):
    """A program in this directory, what its process was when it was saved, and its saved map."""
    program = os.path.join(directory, "program")
    shutil.copy(segtest.which("sleep"), program)
    with segtest.running([program, "600"]) as process:
        return program, segtest.document(process.pid), save(process.pid, os.path.join(directory, "maps"))


@segtest.claim
def file_replaced_since_is_not_shown_for_the_mapped_one():
    with workspace() as directory:
        program, _, path = saved_sleep(directory)
        shutil.copy(segtest.which("cat"), program + ".new")
        os.rename(program + ".new", program)
        saved = segtest.document("--maps", path)
        image = next(i for i in saved["images"] if i["path"] == program)
        assert image["status"] == "replaced" and image["sections"] == "none", image
        witness = subprocess.run([segtest.which("readelf"), "-n", program], capture_output=True,
                                 text=True, check=True).stdout
        assert image["path_build_id"] == re.search(r"Build ID: (\w+)", witness)[1], image
        assert any("another file has its path now" in n for n in saved["notes"]), saved["notes"]


@segtest.claim
def another_device_alone_is_not_another_file():
    """As btrfs, and overlayfs of several file systems, have one in maps and another in stat()."""
    with workspace() as directory:
        program, live, path = saved_sleep(directory)
        with open(path, encoding="utf-8") as file:
            rows = [row.split(None, 5) for row in file]
        for row in rows:
            if row[-1].strip() == program:
                row[3] = "fff:fffff"
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(" ".join(row).rstrip() + "\n" for row in rows)
        saved = segtest.document("--maps", path)
        assert not unlike(live, saved), unlike(live, saved)[:2]
        image = next(i for i in saved["images"] if i["path"] == program)
        assert image["status"] == "ok" and image["sections"] == "headers", image
        (note,) = saved["notes"]
        assert note.startswith("1 of ") and "by their paths alone" in note, note
        # Deleted, and its inode another file's: that one is not believed.
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(" ".join(row).rstrip() + " (deleted)" * (row[-1].strip() == program)
                            + "\n" for row in rows)
        saved = segtest.document("--maps", path)
        assert "replaced" in [i["status"] for i in saved["images"] if i["path"] == program], saved
        assert any_note(saved, "another file has its path now") and len(saved["notes"]) == 1, saved["notes"]


@segtest.claim
def deleted_file_is_not_looked_for_under_its_old_name():
    with workspace() as directory:
        program = os.path.join(directory, "program")
        shutil.copy(segtest.which("sleep"), program)
        with segtest.running([program, "600"]) as process:
            os.unlink(program)
            path = save(process.pid, os.path.join(directory, "maps"))
        shutil.copy(segtest.which("sleep"), program)
        saved = segtest.document("--maps", path)
        image = next(i for i in saved["images"] if i["path"] == program)
        assert image["status"] == "replaced" and image["sections"] == "none", image
        saved = segtest.document("--maps", path, "--sysroot", "/")
        image = next(i for i in saved["images"] if i["path"] == program)
        assert image["status"] == "deleted" and image["sections"] == "headers", image
        assert any("deleted when the map was saved" in n for n in saved["notes"])


@segtest.claim
def heap_that_is_one_vma_with_bss_is_heap_behind_it():
    """As kernels before Linux 6.1 merged them: an anonymous .bss that is called [heap] and is longer."""
    with workspace() as directory, zoo_running("gcc-static") as process:
        live = segtest.document(process.pid)
        bss, = (v for v in live["vmas"] if v["kind"] == "bss")
        path = save(process.pid, os.path.join(directory, "maps"))
        start, end = int(bss["start"], 16), int(bss["end"], 16)
        with open(path, encoding="utf-8") as file:
            lines = [line for line in file if "[heap]" not in line]
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{start:x}-{end + 0x100000:x} rw-p 00000000 00:00 0 [heap]\n"
                            if line.startswith(f"{start:08x}-") else line for line in lines)
        summary = segtest.document("--summary", "--maps", path)
        assert summary["scope"] == path, summary
        rows = summary["rows"]
        assert [r["size"] for r in rows if r["group"] == "heap"] == [0x100000], rows
        assert not any(r["group"] == "anon" for r in rows), rows
        saved = segtest.segmap("-J", "--maps", path)
        with open(os.path.join(directory, "saved.json"), "wb") as file:
            file.write(saved.out)
        bases = segtest.segmap("--diff", file.name, file.name).text
        assert re.search(rf"\[heap\] +0*{end:x} +0*{end:x} ", bases), bases


@segtest.claim
def permissions_of_a_shared_mapping_are_expected_private_in_every_form():
    with workspace() as directory, zoo_running("gcc-static") as process:
        live = segtest.document(process.pid)
        code, = (v for v in live["vmas"] if v["perms"] == "r-xp" and v["kind"] == "segment")
        path = save(process.pid, os.path.join(directory, "maps"))
        with open(path, encoding="utf-8") as file:
            lines = file.readlines()
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(line.replace("r-xp", "rwxs", 1) if int(line.split("-")[0], 16) == int(code["start"], 16)
                            else line for line in lines)
        found, = (v for v in segtest.document("--maps", path)["vmas"] if v["start"] == code["start"])
        assert (found["perms"], found["expected_perms"]) == ("rwxs", "r-xp"), found
        table = segtest.segmap("-r", "-q", "-o", "PERM,EXPECTED,SEGMENT", "--maps", path).text
        assert re.search(r"^rwxs r-xp .*expected\\x20r-xp$", table, re.MULTILINE), table
        finding, = (f for f in segtest.document("--audit", "--maps", path, expect=3)["findings"]
                    if f["id"] == "text-writable")
        assert (finding["expected"], finding["actual"]) == ("r-xp", "rwxs"), finding


def guest_map(path, page):
    """The map that a guest's own kernel would show."""
    rows = []
    for off, vaddr, filesz, _, flags in loads(path):
        start, end = vaddr & -page, -(-(vaddr + filesz) // page) * page
        perms = "".join(c if c.upper() in flags.replace("E", "X") else "-" for c in "rwx") + "p"
        rows.append(f"{start:08x}-{end:08x} {perms} {off & -page:08x} b3:02 4711       /guest")
    return "\n".join(rows) + "\n"


@segtest.parameters("aarch64-linux-gnu", "mips-linux-gnu", "powerpc64-linux-gnu")
def map_of_another_machine_is_that_machines_own(target):
    """Of either byte order; its code is executed there, so it is expected to be executable."""
    flags = {"mips-linux-gnu": ["-mno-abicalls", "-G0"]}.get(target, [])
    page = {"powerpc64-linux-gnu": 65536, "mips-linux-gnu": 16384}.get(target, 4096)
    with workspace() as directory:
        guest = compiled(os.path.join(directory, "guest"), f"--target={target}", "-fno-pic",
                         "-ffreestanding", "-nostdlib", "-static", "-fuse-ld=lld", *flags,
                         "-Wl,-z,max-page-size=65536", source=SIMPLE, compiler="clang")
        path = os.path.join(directory, "maps")
        with open(path, "w", encoding="ascii") as file:
            file.write(guest_map(guest, page))
        saved = segtest.document("--maps", path, "--sysroot", directory)
        (image,) = saved["images"]
        assert (saved["page_size"], image["path"], image["role"]) == (page, "/guest", "program"), saved
        assert image["machine"] in any_note(saved, "page size"), saved["notes"]
        assert all(v["kind"] in ("segment", "relro") for v in saved["vmas"]), saved["vmas"]
        code = [v for v in saved["vmas"] if "x" in v["perms"]]
        assert code and all(v["expected_perms"] == "r-xp" for v in code), code
        assert any(p["name"] == ".text" for v in code for p in v["pieces"])
        # What the user says is not argued with, and needs no note.
        given = segtest.document("--maps", path, "--sysroot", directory, "--page-size", "4096")
        assert given["page_size"] == 4096 and not any("page size" in n for n in given["notes"])


def any_note(document, words):
    return next((n for n in document["notes"] if words in n), "")


@segtest.claim
def smaps_tell_their_page_size():
    text = ("10000-30000 r--p 00000000 00:00 0\nSize: 128 kB\nKernelPageSize: 64 kB\n"
            "MMUPageSize: 64 kB\nFrobnicated: 7 kB\nVmFlags: rd mr zz\n"
            "40000000-60000000 rw-p 00000000 00:00 0\nKernelPageSize: 524288 kB\n\n")
    with workspace() as directory:
        path = os.path.join(directory, "smaps")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        saved = segtest.document("--maps", path)
        assert saved["page_size"] == 65536 and len(saved["vmas"]) == 2, saved
        assert segtest.document("--maps", path, "--page-size=16384")["page_size"] == 16384


GARBAGE = {
    "text": (b"this is no map\n", "line 1"),
    "empty": (b"", "no map in it"),
    "blank": (b"\n\n", "no map in it"),
    "nul": (b"1000-2000 r--p 00000000 00:00 0\n\0\0\0\n", "line 2"),
    "late": (b"1000-2000 r--p 00000000 00:00 0\n" * 1 + b"3000-2000 r--p 00000000 00:00 0\n", "line 2"),
    "overlap": (b"1000-3000 r--p 00000000 00:00 0\n2000-4000 r--p 00000000 00:00 0\n", "line 2"),
    "after smaps": (b"1000-3000 r--p 00000000 00:00 0\nRss: 4 kB\nSize: 4 kB\nrubbish\n", "line 4"),
    "perms": (b"1000-3000 rwxq 00000000 00:00 0\n", "line 1"),
    "rollup": (b"1000-3000 ---p 00000000 00:00 0                  [rollup]\nRss: 1 kB\n", "smaps_rollup"),
    "cut": (b"1000-3000 r--p 00000000 00:00 0\n3000-40", "line 2"),
    "fields alone": (b"Rss: 12 kB\n", "line 1"),
    "long line": (b"x" * 3_000_000, "line 1"),
    "random": (bytes(range(1, 256)) * 100, "line 1"),
}


@segtest.parameters(*GARBAGE)
def garbage_is_an_error_with_its_line_and_status_1(name):
    bytes_, words = GARBAGE[name]
    with workspace() as directory:
        path = os.path.join(directory, "maps")
        with open(path, "wb") as file:
            file.write(bytes_)
        check_message(segtest.segmap("--maps", path), 1, path, words)
        check_message(segtest.segmap("-J", "--maps", path), 1, path, words)


@segtest.claim
def what_cannot_be_opened_is_named():
    with workspace() as directory:
        check_message(segtest.segmap("--maps", directory), 1, directory, "directory")
        check_message(segtest.segmap("--maps", directory + "/none"), 1, "/none", "No such file")
        path = os.path.join(directory, "maps")
        with open(path, "w", encoding="ascii") as file:
            file.write("1000-2000 r--p 00000000 00:00 0\n")
        check_message(segtest.segmap("--maps", path, "--sysroot", directory + "/none"), 1, "/none")
        check_message(segtest.segmap("--maps", path, "--sysroot", path), 1, path, "directory")


@segtest.claim
def wrong_usage_is_status_2():
    for arguments in (["--maps", "a", "--maps", "b"], ["--maps", "a", "1"], ["--maps", ""],
                      ["--maps", "a", "--core", "b"], ["--sysroot", "/", "1"],
                      ["--page-size", "4096", "1"], ["--maps", "a", "--page-size", "5000"],
                      ["--maps", "a", "--page-size", "2048"], ["--maps", "a", "--page-size", "32M"],
                      ["--maps", "a", "--page-size", ""], ["--maps", "a", "--page-size", "-4096"],
                      ["--maps", "a", "--page-size", "4096x"], ["--maps"], ["--sysroot"]):
        check_message(segtest.segmap(*arguments), 2)


@segtest.claim
def sixty_thousand_rows_are_read():
    rows = "".join(f"{0x7f0000000000 + i * 0x2000:x}-{0x7f0000001000 + i * 0x2000:x} rw-p 00000000 "
                   "00:00 0 \n" for i in range(60000))
    result = subprocess.run([segtest.SEGMAP, "-q", "-r", "--maps", "-"], input=rows.encode(),
                            capture_output=True, check=True)
    assert len(result.stdout.splitlines()) == 60000


segtest.main()
