# shellcheck shell=bash
# Both ways to open an image give the tree that was packed, to the last xattr.

for bundle in system large; do
    for way in kernel user; do
        step "$bundle, $way"
        extract "$way" "$DATA/$bundle.tiu" "$bundle-$way"
        good_tree "$bundle-$way" "$bundle"
        nothing_held "extracting the $way way"
    done
    tree_facts "$bundle-kernel" >kernel.facts
    tree_facts "$bundle-user" >user.facts
    # The root's own time and owner too.
    diff kernel.facts user.facts || die "the two ways give different trees"
done
