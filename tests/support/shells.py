"""What a shell offers when the Tab key is pressed: one context for each shell.

Each takes the shell's path, the folder with the completions of segmap, the
directory to work in and the environment, in which ZDOTDIR is a directory for
the start-up files of zsh. It yields a function from a command
line, whose last word is to be completed, to the set of words that are offered.
"""
import contextlib
import os
import pty
import subprocess

# As readline parts the line: at blanks, and at "=".
BASH = r"""
source "$FOLDER/segmap.bash"
line=${LINE//=/ = }
read -ra COMP_WORDS <<<"$line"
case $line in *" ") COMP_WORDS+=("") ;; esac
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$LINE COMP_POINT=${#LINE}
function=$(complete -p segmap)
function=${function#*-F } function=${function%% *}
$function
printf '%s\n' "${COMPREPLY[@]}"
"""

# Each word that is offered goes to a file; the key ^G forgets the line and says so.
ZSH = r"""
unsetopt beep list_beep auto_list auto_menu
PROMPT= RPROMPT=
fpath=($FOLDER $fpath)
autoload -Uz compinit
compinit -u -D
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return $?
    fi
    local -a offered
    local suffix=
    builtin compadd -A offered "$@"
    (( ${@[(I)-*f*]} && $#offered == 1 )) && [[ -d $offered[1] ]] && suffix=/
    print -rl -- ${(@)offered/%/$suffix} >>$OFFERED
    builtin compadd "$@"
}
forget() { BUFFER= ; print -n zle:${:-ready} }
zle -N forget
zle -N zle-line-init forget
bindkey -e
bindkey '^I' complete-word
bindkey '^G' forget
"""


@contextlib.contextmanager
def _each_time(command, folder, directory, environment):
    """A shell of its own for each line."""
    def complete(line):
        shell = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60, check=True,
                               env=dict(environment, LINE=line, FOLDER=folder))
        return {offered.partition("\t")[0] for offered in shell.stdout.split("\n")} - {""}
    yield complete


def bash(path, *where):
    return _each_time([path, "--norc", "--noprofile", "-c", BASH], *where)


def fish(path, *where):
    return _each_time([path, "--no-config", "-c", 'source $FOLDER/segmap.fish; complete -C "$LINE"'], *where)


@contextlib.contextmanager
def zsh(path, folder, directory, environment):
    """In a pseudo-terminal, which the completion of zsh cannot do without."""
    offered = os.path.join(directory, "offered")
    with open(os.path.join(environment["ZDOTDIR"], ".zshrc"), "w", encoding="utf-8") as file:
        file.write(ZSH)
    leader, follower = pty.openpty()
    shell = subprocess.Popen([path, "-d", "-i"], cwd=directory, stdin=follower, stdout=follower, stderr=follower,
                             start_new_session=True, env=dict(environment, FOLDER=folder, OFFERED=offered))
    os.close(follower)

    def wait_until_ready():
        seen = b""
        while b"zle:ready" not in seen:
            seen += os.read(leader, 4096)

    def complete(line):
        with open(offered, "w+", encoding="utf-8") as file:
            os.write(leader, line.encode() + b"\t\x07")
            wait_until_ready()
            return set(file.read().split("\n")) - {""}

    try:
        wait_until_ready()
        yield complete
    finally:
        shell.kill()
        shell.wait()
        os.close(leader)
