"""--output-file: what is there is replaced whole, or not at all, or written through."""
import contextlib
import os
import resource
import shutil
import signal
import stat
import subprocess
import tempfile

import segtest

NOBODY = 65534
BEFORE = b"what was there before\n" * 10


@contextlib.contextmanager
def workspace(for_nobody=False):
    """A directory, and a process to show."""
    options = {"user": NOBODY, "group": NOBODY} if for_nobody else {}
    with tempfile.TemporaryDirectory(prefix="segmap-output-") as directory, \
            segtest.running(["sleep", "600"], **options) as process:
        yield directory, process.pid


def write(path, data=BEFORE, mode=0o644):
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def check_failure(result, *words):
    lines = result.error_text.splitlines()
    assert result.status == 1 and result.out == b"", (result.status, result.out)
    assert len(lines) == 1 and lines[0].startswith("segmap: "), lines
    for word in words:
        assert word in lines[0], (word, lines)


@segtest.parameters("", "-J", "-r", "-S")
def every_form_is_the_same_as_on_standard_output(form):
    with workspace() as (directory, pid):
        path = os.path.join(directory, "out")
        arguments = [form] if form else []
        result = segtest.segmap(*arguments, "--output-file", path, pid)
        assert (result.status, result.out, result.err) == (0, b"", b"")
        expected = segtest.segmap(*arguments, pid).out
        if form == "-J":
            assert segtest.json.loads(read(path))["vmas"] == segtest.json.loads(expected)["vmas"]
        else:
            assert read(path) == expected


@segtest.parameters(0o022, 0o077, 0o002)
def absent_file_gets_the_usual_mode(mask):
    with workspace() as (directory, pid):
        path = os.path.join(directory, "out")
        assert segtest.segmap("--output-file", path, pid, umask=mask).status == 0
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o666 & ~mask
        assert os.listdir(directory) == ["out"]


@segtest.parameters(0o600, 0o644, 0o664, 0o755, 0o4711, 0o000)
def file_that_is_replaced_keeps_its_mode(mode):
    with workspace() as (directory, pid):
        path = os.path.join(directory, "out")
        write(path, mode=mode)
        assert segtest.segmap("--output-file", path, pid, umask=0o027).status == 0
        assert stat.S_IMODE(os.stat(path).st_mode) == mode
        os.chmod(path, 0o600)
        assert read(path) == segtest.segmap(pid).out


@segtest.claim
def file_that_is_replaced_keeps_its_owner_where_root_can_see_to_it():
    segtest.need_root()
    with workspace() as (directory, pid):
        path = os.path.join(directory, "out")
        write(path, mode=0o640)
        os.chown(path, 12345, 54321)
        assert segtest.segmap("--output-file", path, pid).status == 0
        now = os.stat(path)
        assert (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) == (12345, 54321, 0o640)


@segtest.claim
def whoever_reads_the_old_file_still_has_all_of_it():
    with workspace() as (directory, pid):
        path, link = os.path.join(directory, "out"), os.path.join(directory, "hard link")
        write(path)
        os.link(path, link)
        with open(path, "rb") as reader:
            assert reader.read(5) == BEFORE[:5]
            assert segtest.segmap("--output-file", path, pid).status == 0
            assert reader.read() == BEFORE[5:]
        assert read(link) == BEFORE and read(path) == segtest.segmap(pid).out


@segtest.claim
def links_are_followed_to_a_file_that_is_there_or_not():
    with workspace() as (directory, pid):
        expected = segtest.segmap(pid).out
        inner = os.path.join(directory, "inner")
        os.mkdir(inner)
        targets = ["inner/file", os.path.join(inner, "file"), "inner/../inner/file"]
        for number, target in enumerate(targets):
            link = os.path.join(directory, f"link{number}")
            second = os.path.join(inner, f"second{number}")
            os.symlink(target, link)
            os.symlink(f"../link{number}", second)  # relative to where it is
            for name in (link, second):
                for there in (False, True):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(os.path.join(inner, "file"))
                    if there:
                        write(os.path.join(inner, "file"))
                    assert segtest.segmap("--output-file", name, pid).status == 0
                    assert read(os.path.join(inner, "file")) == expected
                    assert os.path.islink(link) and os.path.islink(second)
        assert sorted(os.listdir(inner)) == ["file", "second0", "second1", "second2"]


@segtest.claim
def link_of_another_in_a_sticky_directory_is_not_followed():
    """As the kernel does where fs.protected_symlinks is set: what a link in /tmp says is anybody's word."""
    segtest.need_root()
    with workspace(for_nobody=True) as (directory, pid):
        os.chmod(directory, 0o755)
        for name, mode in (("sticky", 0o1777), ("open", 0o777), ("closed", 0o1755)):
            inner = os.path.join(directory, name)
            path, link = os.path.join(inner, "file"), os.path.join(inner, "link")
            os.mkdir(inner)
            os.chmod(inner, mode)
            os.symlink("file", link)
            # The owner of: the directory, the link; who follows it; whether that is refused.
            for of_directory, of_link, user, refused in (
                    (0, NOBODY, 0, True), (0, NOBODY, NOBODY, False), (NOBODY, NOBODY, 0, False),
                    (NOBODY, 12345, 0, True), (NOBODY, 0, 0, False), (0, 12345, NOBODY, True)):
                os.chown(inner, of_directory, of_directory)
                os.lchown(link, of_link, of_link)
                if user and user != of_directory and not mode & 0o002:
                    continue  # nothing can be made there
                write(path)
                os.chown(path, user, user)
                result = segtest.segmap("--output-file", link, pid, as_user=user or None)
                case = name, of_directory, of_link, user, result.error_text
                if refused and name == "sticky":
                    check_failure(result, link, "ermission denied")
                    assert read(path) == BEFORE, case
                else:
                    assert result.status == 0 and read(path) != BEFORE, case


@segtest.claim
def group_of_a_file_of_another_is_kept_or_has_no_rights():
    segtest.need_root()
    with workspace(for_nobody=True) as (directory, pid):
        os.chmod(directory, 0o777)
        path = os.path.join(directory, "out")
        for groups, mode, expected in (([54321], 0o664, (54321, 0o664)), ([], 0o664, (NOBODY, 0o604)),
                                       ([54321], 0o6755, (54321, 0o2755)), ([], 0o6755, (NOBODY, 0o705))):
            write(path)
            os.chown(path, 11111, 54321)
            os.chmod(path, mode)
            result = segtest.segmap("--output-file", path, pid, user=NOBODY, group=NOBODY,
                                    extra_groups=groups)
            now = os.stat(path)
            assert (result.status, now.st_uid) == (0, NOBODY), (result.error_text, now)
            assert (now.st_gid, stat.S_IMODE(now.st_mode)) == expected, (groups, oct(mode), now)


@segtest.claim
def link_into_nowhere_and_loop_are_errors():
    with workspace() as (directory, pid):
        nowhere, loop = os.path.join(directory, "nowhere"), os.path.join(directory, "loop")
        os.symlink("no/such/directory", nowhere)
        os.symlink("loop", loop)
        check_failure(segtest.segmap("--output-file", nowhere, pid), nowhere)
        check_failure(segtest.segmap("--output-file", loop, pid), loop, "symbolic links")
        assert sorted(os.listdir(directory)) == ["loop", "nowhere"]


@segtest.claim
def directory_is_an_error():
    with workspace() as (directory, pid):
        inner = os.path.join(directory, "inner")
        os.mkdir(inner)
        check_failure(segtest.segmap("--output-file", inner, pid), inner)
        check_failure(segtest.segmap("--output-file", inner + "/", pid), inner)
        check_failure(segtest.segmap("--output-file", os.path.join(directory, "out/"), pid), "out/")
        assert os.listdir(directory) == ["inner"] and os.listdir(inner) == []


@segtest.claim
def name_that_is_empty_is_wrong_usage():
    result = segtest.segmap("--output-file=", "1")
    assert result.status == 2, result.status
    assert result.error_text.endswith("Try 'segmap --help'\n"), result.error_text


@segtest.claim
def base_name_alone_is_in_the_current_directory():
    with workspace() as (directory, pid):
        assert segtest.segmap("--output-file", "out", pid, cwd=directory).status == 0
        assert read(os.path.join(directory, "out")) == segtest.segmap(pid).out


@segtest.claim
def directory_that_cannot_be_written_is_said_and_nothing_is_left():
    segtest.need_root()
    with workspace(for_nobody=True) as (directory, pid):
        path = os.path.join(directory, "out")
        os.chmod(directory, 0o755)
        check_failure(segtest.segmap("--output-file", path, pid, as_user=NOBODY), path,
                      "ermission denied")
        assert os.listdir(directory) == []
        # A file that may be written in a directory that may not cannot be replaced.
        write(path, mode=0o666)
        check_failure(segtest.segmap("--output-file", path, pid, as_user=NOBODY), path,
                      "ermission denied")
        assert read(path) == BEFORE and os.listdir(directory) == ["out"]


@segtest.claim
def write_that_fails_leaves_the_old_file():
    with workspace() as (directory, pid):
        path = os.path.join(directory, "out")
        write(path)

        def limit():
            # More than nothing can be written, and less than all; the signal would end it.
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))

        result = segtest.segmap("-S", "--output-file", path, pid, preexec_fn=limit,
                                restore_signals=False)
        check_failure(result, path, "write", "too large")
        assert read(path) == BEFORE and os.listdir(directory) == ["out"]


@segtest.claim
def being_killed_leaves_the_old_file_and_no_other():
    with workspace() as (directory, pid):
        path = os.path.join(directory, "out")
        write(path)

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        # As if it had been killed in the middle of its writing.
        result = segtest.segmap("-S", "--output-file", path, pid, preexec_fn=limit,
                                restore_signals=False)
        assert result.status == -signal.SIGXFSZ, (result.status, result.error_text)
        assert read(path) == BEFORE and os.listdir(directory) == ["out"]


@segtest.claim
def nothing_shown_leaves_it_alone_something_shown_does_not():
    with workspace() as (directory, pid):
        path = os.path.join(directory, "out")
        for there in (False, True):
            if there:
                write(path)
            assert segtest.segmap("--output-file", path, "99999999").status == 1
            assert segtest.segmap("--output-file", path, "no-such-process-here").status == 1
            assert segtest.segmap("--output-file", path, "--nonsense", pid).status == 2
            assert os.listdir(directory) == (["out"] if there else [])
            assert not there or read(path) == BEFORE
        assert segtest.segmap("--output-file", path, "99999999", pid).status == 64
        assert read(path) == segtest.segmap(pid).out


@segtest.claim
def devices_and_pipes_are_written_through():
    with workspace() as (directory, pid):
        expected = segtest.segmap(pid).out
        assert segtest.segmap("--output-file", "/dev/null", pid).status == 0
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
        assert segtest.segmap("--output-file", "/dev/stdout", pid).out == expected
        link = os.path.join(directory, "link")
        os.symlink("/dev/stdout", link)
        assert segtest.segmap("--output-file", link, pid).out == expected
        assert os.listdir(directory) == ["link"]
        check_failure(segtest.segmap("--output-file", "/dev/full", pid), "/dev/full", "No space")


def shell(script, directory, pid):
    """Standard output and error of a script in which $show shows the process."""
    return subprocess.run(["sh", "-c", script], cwd=directory, check=True, timeout=60, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=dict(os.environ, LC_ALL="C", pid=str(pid),
                                                             show=segtest.SEGMAP)).stdout


@segtest.claim
def open_descriptor_is_written_as_it_is_open():
    with workspace() as (directory, pid):
        expected, path = segtest.segmap(pid).out, os.path.join(directory, "file")
        write(path)
        for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
            # Another file is not what it was; what is written before and after stays.
            shell(f'(echo a; "$show" --output-file {name} "$pid"; echo b) >file', directory, pid)
            assert read(path) == b"a\n" + expected + b"b\n", name
            shell(f'"$show" --output-file {name} "$pid" >>file', directory, pid)
            assert read(path) == b"a\n" + expected + b"b\n" + expected, name
            # It has no name any more; its name is another's.
            shell(f'exec 5<>gone >&5; rm gone; "$show" --output-file {name} "$pid"; cat /dev/fd/5 >copy', directory, pid)
            assert read(directory + "/copy") == expected, name
            assert sorted(os.listdir(directory)) == ["copy", "file"], os.listdir(directory)
            shell(f'(exec >gone; mv gone kept; echo other >gone; "$show" --output-file {name} "$pid")', directory, pid)
            assert read(directory + "/gone") == b"other\n" and read(directory + "/kept") == expected, name
            os.unlink(directory + "/gone")
            os.unlink(directory + "/kept")


@segtest.claim
def descriptor_of_another_process_is_added_to():
    with workspace() as (directory, pid):
        path = os.path.join(directory, "file")
        write(path)
        with open(path, "r+b") as file:
            name = f"/proc/{os.getpid()}/fd/{file.fileno()}"
            assert segtest.segmap("--output-file", name, pid).status == 0
        assert read(path) == BEFORE + segtest.segmap(pid).out


@segtest.claim
def descriptor_that_segmap_has_opened_itself_is_not_open():
    """Never as root, who may write to every library that is mapped."""
    user = NOBODY if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="segmap-output-") as directory:
        library = os.path.join(directory, "libc.so.6")
        with segtest.running(["sleep", "600"]) as process:
            shutil.copy(next(os.fsdecode(row[6]) for row in segtest.maps(process.pid)
                             if b"/libc.so.6" in row[6]), library)
        for path in (directory, library):
            os.chmod(path, 0o755)
            os.chown(path, *(2 * [user]) if user else (-1, -1))
        before = read(library)
        with segtest.running(["sleep", "600"], env=dict(os.environ, LD_LIBRARY_PATH=directory),
                             **{"user": user, "group": user} if user else {}) as process:
            assert os.fsencode(library) in [row[6] for row in segtest.maps(process.pid)]
            link, said = os.path.join(directory, "link"), set()
            for number in range(3, 24):
                os.symlink(f"/dev/fd/{number}", link)
                for name in (f"/dev/fd/{number}", f"/proc/thread-self/fd/{number}", link):
                    result = segtest.segmap("--output-file", name, process.pid, as_user=user)
                    check_failure(result, name)
                    said.add(result.error_text.rpartition(": ")[2])
                os.unlink(link)
        assert "Bad file descriptor\n" in said, said
        assert read(library) == before


@segtest.claim
def descriptor_that_was_handed_over_to_read_is_not_written():
    with workspace() as (directory, pid):
        write(directory + "/file")
        for name in ("/dev/fd/5", "/dev/stdin"):
            said = shell(f'"$show" --output-file {name} "$pid" 5<file <file; test $? = 1', directory, pid)
            assert said == f"segmap: {name}: open for writing: Bad file descriptor\n".encode(), said
            assert read(directory + "/file") == BEFORE


@segtest.claim
def messages_never_come_into_the_file():
    arguments = "--explain --no-deps --no-aslr nosuch true"
    with workspace() as (directory, pid):
        for _ in ("absent", "there"):
            shell(f'"$show" {arguments} --output-file file 2>&-; test $? = 64', directory, pid)
            assert read(directory + "/file") == segtest.segmap(*arguments.split()).out
        os.mkfifo(directory + "/fifo")
        shell(f'cat fifo >read & "$show" {arguments} --output-file fifo 2>&- <&-; wait', directory, pid)
        assert read(directory + "/read") == read(directory + "/file")


@segtest.claim
def directory_that_may_not_be_written_is_what_is_told_of():
    segtest.need_root()
    with workspace(for_nobody=True) as (directory, pid):
        path = os.path.join(directory, "file")
        write(path, mode=0o666)
        os.chmod(directory, 0o755)
        check_failure(segtest.segmap("--output-file", path, pid, as_user=NOBODY), path,
                      "make a new file in its directory: Permission denied")


@segtest.claim
def help_version_and_columns_that_cannot_be_written_are_status_1():
    for option in ("--help", "--version", "--list-columns"):
        with open("/dev/full", "wb") as full:
            result = subprocess.run([segtest.SEGMAP, option], stdout=full, stderr=subprocess.PIPE,
                                    check=False)
        assert result.returncode == 1, (option, result)
        assert result.stderr == b"segmap: standard output: write: No space left on device\n", result


@segtest.claim
def closed_standard_output_is_status_1():
    with workspace() as (_, pid):
        for arguments in ([str(pid)], ["-J", str(pid)], ["--help"]):
            result = subprocess.run([segtest.SEGMAP, *arguments], stderr=subprocess.PIPE,
                                    check=False, preexec_fn=lambda: os.close(1))
            assert result.returncode == 1, (arguments, result)
            assert result.stderr.startswith(b"segmap: "), (arguments, result)


@segtest.claim
def small_disk_that_is_full_leaves_the_old_file():
    segtest.need_root()
    unshare, mount = segtest.which("unshare"), segtest.which("mount")
    with workspace() as (directory, pid):
        # Other users of the machine never see this file system: it is in a namespace of its own.
        script = f"""{mount} -t tmpfs -o size=16k none {directory} && cd {directory} || exit 99
            printf before > out; ln -s out link; head -c 8192 /dev/zero > rest
            {segtest.SEGMAP} -J --output-file link {pid}; echo "status $?"
            {segtest.SEGMAP} -J --output-file new {pid}; echo "status $?"
            cat out; echo; ls -A"""
        result = subprocess.run(
            [unshare, "--mount", "--propagation", "private", "sh", "-c", script],
            capture_output=True, text=True, check=False)
        assert result.stdout.split() == ["status", "1", "status", "1", "before",
                                         "link", "out", "rest"], result
        assert result.stderr.splitlines() == [
            f"segmap: {name}: write: No space left on device" for name in ("link", "new")], result


segtest.main()
