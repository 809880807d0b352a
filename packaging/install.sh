#!/bin/bash
# Installs the files of packages as packaging/manifest lists them.
#
#   packaging/install.sh PROGRAMS DESTINATION [PACKAGE...]   installs into DESTINATION; PROGRAMS is the folder of built programs
#   packaging/install.sh --packages                          the names of all packages
#
# It prints the path of each file that it installed, as it is on a host.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

lines() { grep -vE '^(#|$)' "$top/packaging/manifest"; }

if [ "${1:-}" = --packages ]; then
    lines | awk '{ print $1 }' | sort -u
    exit
fi
if [ $# -lt 2 ]; then
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
programs=$1 destination=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# put SOURCE PATH MODE
put() {
    install -D -m "$3" "$1" "$destination$2"
    echo "$2"
}

lines | while read -r package source path mode; do
    if [ $# -gt 0 ]; then
        case " $* " in *" $package "*) ;; *) continue ;; esac
    fi
    case $source in
        bin:*) put "$programs/${source#bin:}" "$path" "$mode" ;;
        man:*)
            "$programs/${source#man:}" man "$work/man"
            for page in "$work"/man/*; do
                gzip -9 -n <"$page" >"$page.gz"
                put "$page.gz" "$path/${page##*/}.gz" "$mode"
            done
            rm -rf "$work/man"
            ;;
        completions:*)
            program=${source#completions:}
            "$programs/$program" completions bash >"$work/shell"
            put "$work/shell" "$path/bash-completion/completions/$program" "$mode"
            "$programs/$program" completions zsh >"$work/shell"
            put "$work/shell" "$path/zsh/site-functions/_$program" "$mode"
            "$programs/$program" completions fish >"$work/shell"
            put "$work/shell" "$path/fish/vendor_completions.d/$program.fish" "$mode"
            ;;
        *) put "$top/$source" "$path" "$mode" ;;
    esac
done
