#!/bin/sh
# archive.sh NM OBJCOPY AR FROM TO: make TO, the archive that others link with, of FROM.
#
# The library's parts call one another by some 180 names that no header declares. In the shared library they are
# hidden; an archive has no such thing, and a program with a function of such a name could not be linked with it.
# So they get a prefix of the library's own.
set -eu

nm=$1 objcopy=$2 ar=$3 from=$4 to=$5
names=$to.names
trap 'rm -f "$names"' EXIT
"$nm" -g --defined-only "$from" |
	sed -n -e 's/^[0-9a-f]* [A-Z] //' -e '/^segmap_/d' -e '/^__/d' -e 's/^[^ :]*$/& segmap_private_&/p' |
	sort -u >"$names"

# FROM can be thin, which objcopy would leave it: a list of files.
rm -f "$to"
"$ar" t "$from" | xargs "$ar" rcs "$to"
"$objcopy" --redefine-syms="$names" "$to"
