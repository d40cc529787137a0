"""libsegmap as it is installed: its headers, its pkg-config file, shared and static."""
import os
import re
import subprocess
import tempfile

import doc_commands
import segtest


def _run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


def _install(directory):
    _run(segtest.which("meson"), "install", "-C", segtest.BUILD, "--no-rebuild", "--destdir", directory)


def _program_of_the_manual():
    """The complete program that libsegmap(3) shows: its literal display that begins with #include."""
    with open(os.path.join(segtest.SOURCE, "docs", "libsegmap.3"), encoding="utf-8") as file:
        displays = re.findall(r"^\.Bd -literal\n(#include.*?)^\.Ed$", file.read(), re.MULTILINE | re.DOTALL)
    assert len(displays) == 1
    return "".join(doc_commands.unescape(line) + "\n" for line in displays[0].splitlines())


def _sanitizers():
    """A library with sanitizers in it needs them in the program, too."""
    options = _run(segtest.which("meson"), "introspect", "--buildoptions", segtest.BUILD)
    import json
    chosen = next(o["value"] for o in json.loads(options) if o["name"] == "b_sanitize")
    return [] if chosen == "none" else [f"-fsanitize={chosen}"]


@segtest.parameters("shared", "static")
def program_outside_of_the_tree_sees_the_sections_that_segmap_shows(kind):
    compiler, pkg_config = segtest.which("gcc", "cc"), segtest.which("pkg-config")
    with tempfile.TemporaryDirectory(prefix="segmap-library-") as directory:
        _install(directory)
        found = _run("find", directory, "-name", "libsegmap.pc").split()
        assert len(found) == 1, found
        environment = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(found[0]),
                           PKG_CONFIG_SYSROOT_DIR=directory)
        arguments = ["--cflags", "--libs"] + (["--static"] if kind == "static" else [])
        flags = _run(pkg_config, *arguments, "libsegmap", env=environment).split()
        library = os.path.dirname(os.path.dirname(found[0]))
        if kind == "static":
            flags = [os.path.join(library, "libsegmap.a") if f == "-lsegmap" else f for f in flags]
        # The system's own libraries are not below the directory that stands for the root.
        flags = [f[:2] + f[2 + len(directory):] if f[:2] in ("-L", "-I")
                 and not os.path.isdir(f[2:]) else f for f in flags]
        program = os.path.join(directory, "sections")
        with open(program + ".c", "w", encoding="utf-8") as file:
            file.write(_program_of_the_manual())
        _run(compiler, "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-o", program,
             program + ".c", *_sanitizers(), *flags)
        with segtest.running(["sleep", "600"]) as process:
            shown = _run(program, str(process.pid), env=dict(os.environ, LD_LIBRARY_PATH=library))
            document = segtest.document(process.pid)
        expected = [f"{p['start'][2:]} {p['end'][2:]} {p['name']}" for vma in document["vmas"]
                    for p in vma["pieces"] if p["kind"] == "section"]
        assert len(expected) > 60 and shown.splitlines() == expected


@segtest.claim
def all_that_users_need_is_installed():
    with tempfile.TemporaryDirectory(prefix="segmap-install-") as directory:
        _install(directory)
        found = {os.path.relpath(os.path.join(folder, name), directory)
                 for folder, _, names in os.walk(directory) for name in names}
        headers = os.listdir(os.path.join(segtest.SOURCE, "include", "segmap"))
        for name in ("bin/segmap", "libsegmap.so", "libsegmap.a", "pkgconfig/libsegmap.pc",
                     "share/segmap/segmap.schema.json", "share/man/man1/segmap.1", "share/man/man3/libsegmap.3",
                     "share/bash-completion/completions/segmap", "share/zsh/site-functions/_segmap",
                     "share/fish/vendor_completions.d/segmap.fish", *(f"include/segmap/{h}" for h in headers)):
            assert any(path.endswith("/" + name) for path in found), f"{name} is not among {sorted(found)}"
        program = next(os.path.join(directory, path) for path in found if path.endswith("/bin/segmap"))
        assert _run(program, "--version") == segtest.segmap("--version").text


@segtest.claim
def shared_library_exports_only_what_its_headers_declare():
    library = os.path.join(segtest.BUILD, "libsegmap.so")
    names = {line.split()[-1] for line in
             _run("nm", "-D", "--defined-only", library).splitlines()}
    foreign = {n for n in names if not n.startswith("segmap_") and not n.startswith("__")}
    assert not foreign, foreign
    headers = ""
    folder = os.path.join(segtest.SOURCE, "include/segmap")
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            headers += file.read()
    assert names and all(n + "(" in headers for n in names if n.startswith("segmap_")), names


@segtest.claim
def archive_is_in_the_way_of_no_name_of_a_program():
    defined = {line.split()[-1]: line.split()[-2] for line in
               _run("nm", "-g", "--defined-only", os.path.join(segtest.BUILD, "libsegmap.a")).splitlines()
               if len(line.split()) == 3}
    exported = {line.split()[-1] for line in
                _run("nm", "-D", "--defined-only", os.path.join(segtest.BUILD, "libsegmap.so")).splitlines()}
    foreign = {name for name in defined if not name.startswith(("segmap_", "__"))}
    assert not foreign, foreign
    # What is not exported is there, too, under names that no header declares.
    private = {name for name in defined if name.startswith("segmap_private_")}
    assert private and {name for name in exported if name.startswith("segmap_")} <= defined.keys() - private


segtest.main()
