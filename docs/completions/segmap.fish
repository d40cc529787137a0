# fish completion for segmap(1). tests/docs runs it and compares its options with --help.

# The columns that go with what stands on the line: segmap lists them itself.
function __segmap_columns
    set -l kind (string match -r -- '^(?:--(?:summary|all|extended|sections)|-[SXbnpqrx]+)$' (commandline -opc))
    if string match -qr -- '^--sort' (commandline -opc)
        set -a kind --summary
    end
    segmap $kind --list-columns 2>/dev/null | string replace -r '\s+' '\t'
end

# The words of a comma list: what is there already stays.
function __segmap_column_list
    set -l chosen (string match -r '.*[,+]' -- (commandline -ct | string replace -r '^(--output=|-o)' ''))
    for column in (__segmap_columns)
        echo "$chosen$column"
    end
end

function __segmap_moments
    set -l chosen (string match -r '.*,' -- (commandline -ct | string replace -r '^--moment=' ''))
    printf "$chosen%s\n" exec entry exit
end

function __segmap_processes
    for pid in (string match -rg '^/proc/(\d+)$' /proc/*)
        set -l name (cat /proc/$pid/comm 2>/dev/null)
        and printf '%s\t%s\n%s\n' $pid "$name" "$name"
    end
end

function __segmap_has
    string match -qr -- "^--($argv[1])\$" (commandline -opc)
end

complete -c segmap -f
complete -c segmap -n 'not __segmap_has "run|explain|quiz|all|maps|core"' -a '(__segmap_processes)'
complete -c segmap -n '__segmap_has "explain|quiz"' -F -a '(__fish_complete_command)'
# What follows a program under --run is the program's own; these options take an argument before it.
complete -c segmap -n '__segmap_has run' -x -a '(__fish_complete_subcommand -- -o --output -A --range --as \
    --at --core --maps --moment --output-file --page-size --seed --sort --sysroot)'
complete -c segmap -l all -d 'Every process: one summary of them'
complete -c segmap -l as -x -a 'program library' -d 'Take the file for a program, or for a library'
complete -c segmap -l at -x -d 'What is at this address or symbol'
complete -c segmap -s b -l bytes -d 'Exact sizes in bytes'
complete -c segmap -l color -f -a 'auto always never' -d 'In colour'
complete -c segmap -l core -r -F -d 'A core dump'
complete -c segmap -l diff -d 'What differs between two maps but for load bases'
complete -c segmap -l explain -d 'Predict the map of programs or libraries'
complete -c segmap -s x -l extended -d 'Memory use'
complete -c segmap -s h -l help -d 'Show a help'
complete -c segmap -l html -d 'A page with pictures and a table'
complete -c segmap -s J -l json -d 'One JSON document a line'
complete -c segmap -l legend -d 'What colours and marks mean'
complete -c segmap -s H -l list-columns -d 'Describe all columns'
complete -c segmap -l maps -r -F -d 'A saved /proc/PID/maps or smaps'
complete -c segmap -l moment -x -a '(__segmap_moments)' -d 'Of a program'
complete -c segmap -l no-aslr -d 'Without address randomization'
complete -c segmap -l no-deps -d 'The program and its interpreter only'
complete -c segmap -l no-sandbox -d 'Give up no privileges'
complete -c segmap -s n -l noheadings -d 'No line with the names of the columns'
complete -c segmap -s o -l output -x -a '(__segmap_column_list)' -d 'Show these columns'
complete -c segmap -l output-file -r -F -d 'Write there'
complete -c segmap -l page-size -x -a '4096 16384 65536' -d 'Of the machine in question'
complete -c segmap -s q -l quiet -d 'No header and footer lines'
complete -c segmap -l quiz -d 'Ask about a predicted map'
complete -c segmap -s A -l range -x -d 'Only these addresses'
complete -c segmap -s r -l raw -d 'One record a line'
complete -c segmap -l run -d 'Run a program and show it at its entry point'
complete -c segmap -s S -l sections -d 'A row for each section'
complete -c segmap -l seed -x -d 'With --quiz: the same questions again'
complete -c segmap -s p -l show-path -d 'Full paths'
complete -c segmap -l sort -x -a '(__segmap_columns)' -d 'With --summary: by this column'
complete -c segmap -l summary -d 'What the memory is made of'
complete -c segmap -l audit -d 'What is not as the files promise'
complete -c segmap -l svg -d 'A picture'
complete -c segmap -l sysroot -x -a '(__fish_complete_directories)' -d 'Look for the files below this directory'
complete -c segmap -l trace -d 'With --run: the calls that made its memory'
complete -c segmap -l verify -d 'With --explain: run the program and compare'
complete -c segmap -s V -l version -d 'Show the version'
complete -c segmap -l watch -d 'Again and again, marking what changed'
complete -c segmap -s X -d 'The columns of pmap -X'
