# bash completion for segmap(1). tests/docs runs it and compares its options with --help.

# The columns that go with what stands on the line: segmap lists them itself.
_segmap_columns()
{
    local word kind=()
    for word in "${COMP_WORDS[@]:1}"; do
        [[ $word =~ ^(--summary|--all|--extended|--sections|-[SXbnpqrx]+)$ ]] && kind+=("$word")
    done
    "${COMP_WORDS[0]}" "${kind[@]}" --list-columns 2>/dev/null | cut -d' ' -f1
}

# Complete the last word of a comma list from $1; what stands before it stays.
_segmap_list()
{
    local chosen=${cur%"${cur##*[,+]}"} word
    local IFS=$'\n'
    COMPREPLY=($(compgen -W "$1" -- "${cur##*[,+]}"))
    for word in "${!COMPREPLY[@]}"; do COMPREPLY[word]=$chosen${COMPREPLY[word]}; done
    compopt -o nospace 2>/dev/null
}

# Files (-f) or directories (-d), whose names can hold blanks.
_segmap_files()
{
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

# Programs: in PATH, or a file.
_segmap_programs()
{
    if [[ $cur == */* ]]; then
        _segmap_files -f
    else
        COMPREPLY=($(compgen -c -- "$cur"))
    fi
}

# Pids, and the names of processes. compgen -W would expand what a name holds: $(command).
_segmap_targets()
{
    local directory name word
    local -A seen=()
    for directory in /proc/[0-9]*; do
        read -r name 2>/dev/null <"$directory/comm" || continue
        for word in "${directory#/proc/}" "$name"; do
            [[ $word == "$cur"* && -z ${seen[x$word]} ]] || continue
            seen[x$word]=1
            printf -v word %q "$word"
            COMPREPLY+=("$word")
        done
    done
}

_segmap()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word programs=false i IFS=$' \t\n'
    COMPREPLY=()

    # Readline parts --option=value at the "=".
    if [[ $cur == "=" ]]; then
        cur=
    elif [[ $prev == "=" ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi

    # What follows a program under --run is the program's own.
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        --run) programs=run ;;
        --explain | --quiz) programs=explain ;;
        -*) ;;
        *)
            case ${COMP_WORDS[i - 1]} in
            -o | -A | = | --as | --at | --core | --maps | --moment | --output | --output-file | --page-size | \
                --range | --seed | --sort | --sysroot) ;;
            *)
                if [[ $programs == run && $word != "=" ]]; then
                    _segmap_files -f
                    return
                fi
                ;;
            esac
            ;;
        esac
    done

    case $prev in
    -o | --output)
        _segmap_list "$(_segmap_columns)"
        return
        ;;
    --sort)
        COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" --summary --list-columns 2>/dev/null | cut -d' ' -f1)" -- "$cur"))
        return
        ;;
    --color)
        COMPREPLY=($(compgen -W 'auto always never' -- "$cur"))
        return
        ;;
    --as)
        COMPREPLY=($(compgen -W 'program library' -- "$cur"))
        return
        ;;
    --moment)
        _segmap_list $'exec\nentry\nexit'
        return
        ;;
    --page-size)
        COMPREPLY=($(compgen -W '4096 16384 65536' -- "$cur"))
        return
        ;;
    --sysroot)
        _segmap_files -d
        return
        ;;
    --maps | --core | --output-file)
        _segmap_files -f
        return
        ;;
    -A | --range | --at | --seed)
        return
        ;;
    esac

    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W '
            --all
            --as
            --at
            --audit
            --bytes -b
            --color
            --core
            --diff
            --explain
            --extended -x
            --help -h
            --html
            --json -J
            --legend
            --list-columns -H
            --maps
            --moment
            --no-aslr
            --no-deps
            --no-sandbox
            --noheadings -n
            --output -o
            --output-file
            --page-size
            --quiet -q
            --quiz
            --range -A
            --raw -r
            --run
            --sections -S
            --seed
            --show-path -p
            --sort
            --summary
            --svg
            --sysroot
            --trace
            --verify
            --version -V
            --watch
            -X
            ' -- "$cur"))
    elif [[ $programs == false ]]; then
        _segmap_targets
    else
        _segmap_programs
    fi
}

complete -F _segmap segmap
