# shellcheck shell=bash
# One flipped bit anywhere makes both ways fail, and leaves no wrong content.

bundle=$DATA/large.tiu
layout "$bundle"
equal "levels of the hash tree" ${#LEVELS[@]} 3

# damaged WHAT OFFSET PATTERN
damaged() {
    local way
    step "$1: byte $2"
    cp --reflink "$bundle" bad.tiu
    flip bad.tiu "$2"
    for way in kernel user; do
        fails 1 "$3" extract "$way" bad.tiu "target-$way"
        ! grep -q . <(find "target-$way" -name '*.tiu*' -newer bad.tiu 2>/dev/null) || die "a temporary file was left"
        no_wrong_content "target-$way" large
        nothing_held "an error the $way way"
        rm -rf "target-$way"
    done
    rm bad.tiu
}

blocks='input/output error|damaged'
damaged "first block of the image" 5 "$blocks"
damaged "middle of the image" $((IMAGE_SIZE / 2 + 1000)) "$blocks"
damaged "last block of the image" $((IMAGE_SIZE - 4096)) "$blocks"
damaged "last byte of the image" $((IMAGE_SIZE - 1)) "$blocks"
damaged "lowest hash level, its start" "${LEVELS[0]}" "$blocks"
damaged "lowest hash level, its middle" $((LEVELS[0] + 65 * 4096 + 100)) "$blocks"
damaged "middle hash level" "${LEVELS[1]}" "$blocks"
damaged "highest hash level" "${LEVELS[2]}" "$blocks"
damaged "CMS" $((IMAGE_SIZE + TREE_SIZE + CMS_SIZE / 2)) 'CMS|signature|manifest|certificate'
damaged "length of the CMS" $((IMAGE_SIZE + TREE_SIZE + CMS_SIZE + 7)) 'CMS|signature'

step "an undamaged copy is good"
cp --reflink "$bundle" good.tiu
extract kernel good.tiu good
good_tree good large
