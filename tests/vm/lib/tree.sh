# shellcheck shell=bash
# tree_facts DIR: prints everything about a tree, so that two listings are equal when the trees are. Runs on the host and in the
# guest; needs only the usual tools, so that no program under test takes part in the comparison.
#
# Path, type, mode, owners, device number, names of the same inode, modification time and link target; size of what is not a
# directory; xattrs; SHA-256 of content.
tree_facts() (
    set -e -o pipefail
    export LC_ALL=C
    cd "$1"
    # Inode numbers differ between trees: an inode is named by its first path.
    find . -print0 | sort -z | xargs -0 stat --printf '%i\t%h\t%N\t%F\t%a\t%u\t%g\t%t:%T\t%.9Y\t%s\n' | awk -F '\t' -v OFS='\t' '
        { inode = $1; names = $2; size = $10 }
        $4 == "directory" { names = 1; size = 0 }
        !(inode in first) { first[inode] = $3 }
        { print $3, $4, $5, $6, $7, $8, $9, size, names, (names > 1 ? first[inode] : "") }'
    find . -print0 | sort -z | xargs -0 getfattr --no-dereference --absolute-names --dump --match=- --encoding=hex 2>/dev/null
    find . -type f -print0 | sort -z | xargs -0 sha256sum
)
