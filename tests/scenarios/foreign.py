"""Processes that are not of this machine's kind: row 15 of the hard cases."""
import os
import subprocess

import segtest
from elfpatch import PT_GNU_STACK, PT_NULL, Patch
from situations import (FIXTURES, Elf, assert_kinds, assert_sections, library, look, maps,
                        page_down, scenario_program, situation, started, workspace)


@segtest.parameters("bfd", "lld")
def process_of_32_bits_has_its_sections(linker):
    with workspace() as directory:
        path = library(os.path.join(directory, "lib.so"), linker=linker, flags=("-m32",))
        with situation("plain", path, bits=32) as running:
            segtest.bring_in_vdso(running.pid)
            seen = look(running.pid)
            image = seen.image(path)
            assert image["class"] == 32 and image["machine"] == "386", image
            assert_sections(seen, image, Elf(path), running.address("bias"))
            assert_kinds(seen, image, Elf(path), running.address("bias"))
            program = seen.image(role="program")
            assert_sections(seen, program, Elf(scenario_program(32)),
                            running.address("program_bias"))
            vdso = seen.image(role="vdso")
            assert vdso["class"] == 32 and ".text" in seen.names_of(vdso), vdso


@segtest.claim
def everything_readable_is_executable_without_gnu_stack_in_32_bits():
    """READ_IMPLIES_EXEC: x in every VMA is no reason not to find the images."""
    with workspace() as directory:
        path = os.path.join(directory, "program")
        with open(scenario_program(32), "rb") as source, open(path, "wb") as file:
            file.write(source.read())
        os.chmod(path, 0o755)
        with Patch(path) as patch:
            patch.phdr(PT_GNU_STACK).p_type = PT_NULL
        lib = library(os.path.join(directory, "lib.so"), flags=("-m32",))
        with situation("plain", lib, executable=path) as running:
            rows = [r for r in maps(running.pid) if r[6] == os.fsencode(lib)]
            if any(r[2][2] != "x" for r in rows):
                raise segtest.Skip("a kernel that does not make everything executable")
            seen = look(running.pid)
            assert_sections(seen, seen.image(lib), Elf(lib), running.address("bias"))
            assert_sections(seen, seen.image(path, role="program"), Elf(path),
                            running.address("program_bias"))


# machine, how clang names it, its name in elf.h, flags
GUESTS = {"aarch64": ("aarch64-linux-gnu", "AARCH64", ()),
          "mips": ("mips-linux-gnu", "MIPS", ("-mno-abicalls", "-G0"))}


@segtest.parameters(*GUESTS)
def guest_of_an_emulator_has_its_sections_and_no_drift(machine):
    target, name, flags = GUESTS[machine]
    emulator = segtest.which(f"qemu-{machine}", f"qemu-{machine}-static")
    with workspace() as directory:
        path = os.path.join(directory, "guest")
        result = subprocess.run([segtest.which("clang"), f"--target={target}", "-O1", "-fno-pic",
                                 "-ffreestanding", "-nostdlib", "-static", "-fuse-ld=lld", *flags,
                                 "-Wl,--build-id=sha1", "-DTAG=guest", "-DPAGES=2",
                                 os.path.join(FIXTURES, "guest.c"),
                                 os.path.join(FIXTURES, "library.c"), "-o", path],
                                stdin=subprocess.DEVNULL, capture_output=True)
        if result.returncode != 0:
            raise segtest.Skip(f"needs clang and lld for {machine}: "
                               + result.stderr.decode("utf-8", "replace").splitlines()[0])
        with started([emulator, path]) as running:
            elf = Elf(path)
            rows = [r for r in maps(running.pid) if r[6] == os.fsencode(path)]
            assert not any("x" in r[2] for r in rows), "the point of this claim"
            seen = look(running.pid)
            image = seen.image(path)
            assert image["machine"] == name and image["build_id"] == elf.build_id, image
            # Where the emulator put address 0 of its guest.
            assert_sections(seen, image, elf, rows[0][0] - page_down(elf.loads[0].vaddr))
            for vma in seen.vmas_of(image):
                for piece in vma["pieces"]:
                    expected = piece.get("expected_perms", vma.get("expected_perms"))
                    assert expected in (None, vma["perms"]), f"drift of a guest: {vma}"
            assert seen.image(os.path.realpath(emulator), role="program")


if __name__ == "__main__":
    segtest.main()
