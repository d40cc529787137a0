"""Every command that README and manual show is run, and does what they say."""
import os

import doc_commands
import segtest

# What is shown and cannot be run here: it installs packages, or runs all tests.
ONLY_SHOWN = {"README.md": ["./bootstrap && build/segmap $$", "./bootstrap test"]}


@segtest.parameters("README.md", "docs/segmap.1")
def commands_do_what_the_document_shows(name):
    path = os.path.join(segtest.SOURCE, name)
    assert doc_commands.check(path, ONLY_SHOWN.get(name, ())) > 5


@segtest.claim
def what_is_shown_can_be_wrong():
    """The comparison finds what differs, so that the claims above are claims."""
    example = doc_commands.Example("x.md", 1, "true", ["console", "masked"])
    example.shown = ["16387: sleep 600", "…", "total   2924K"]
    assert doc_commands.difference(example, "1: sleep 600\nx\ny\ntotal 17K\n") is None
    for output in ("1: sleep 600\nx\ntotal 17\n", "sleep 600\ntotal 17K\n", "1: sleep 600\ntotal 17K\nx\n", ""):
        if doc_commands.is_reference_system():
            assert doc_commands.difference(example, output), output
    example = doc_commands.Example("x.md", 1, "true", ["console", "silent"])
    assert doc_commands.difference(example, "") is None and doc_commands.difference(example, "a\n")
    for word, output in (("exact", "a  1\n"), ("columns", "ADDRESS SIZES\n")):
        example = doc_commands.Example("x.md", 1, "true", ["console", word])
        example.shown = ["a 1"] if word == "exact" else ["ADDRESS SIZE", "1 2"]
        assert doc_commands.difference(example, output), output


@segtest.claim
def a_command_that_fails_in_a_pipe_fails_but_one_that_writes_too_much_does_not():
    commands = ("false | cat", "yes | head -1", "(exit 3) | cat | cat", "true | cat")
    found = [doc_commands.Example("x.md", line, command, ["console"]) for line, command in enumerate(commands, 1)]
    assert [status for _, status, _ in doc_commands.run(found)] == [1, 0, 3, 0]


@segtest.claim
def a_session_is_one_shell_and_its_jobs_end_with_it():
    found = [doc_commands.Example("x.md", line, command, ["console"]) for line, command in enumerate(
        ("sleep 600 &", "pid=$!; cat /proc/$pid/comm", "cd /; false", "pwd; echo $pid"), 1)]
    outcomes = [(status, output) for _, status, output in doc_commands.run(found)]
    directory, pid = outcomes[3][1].split()
    assert [o[0] for o in outcomes] == [0, 0, 1, 0] and outcomes[1][1] == "sleep\n", outcomes
    assert directory == "/" and not os.path.exists(f"/proc/{pid}")


segtest.main()
