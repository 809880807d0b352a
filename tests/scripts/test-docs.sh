#!/bin/bash
# Checks the documentation and the texts that users see:
#
#   links   every relative link in a *.md file names a file and a heading that exist
#   width   prose in *.md files has lines of at most 100 characters; tables, code and links can be longer
#   errors  messages in the tables of docs/guide/troubleshooting.md are messages of the programs
#   words   no pattern of the list in docs/style.md occurs in *.md files, in messages and help texts of the programs, or
#           in a doc comment
#   clauses no doc comment begins with What, Whether, Who, Which, Why or How: it states a fact
#
#   tests/scripts/test-docs.sh              checks the whole tree
#   tests/scripts/test-docs.sh self-test    proves that each check finds what it is for
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/tiu-docs.XXXXXX")
trap 'rm -rf "$work"' EXIT

# check DIR: prints one line for each fault in the files whose names are on standard input, and fails if there are any.
check() {
    (cd "$1" && perl -CSD "$work/check.pl" "$top/docs/style.md")
}

cat >"$work/check.pl" <<'END'
use strict;
use warnings;
use File::Basename;
use Cwd;

my $MAX = 100;
my $faults = 0;
sub fault { my ($file, $line, $text) = @_; print "$file:$line: $text\n"; $faults++ }
sub lines_of { my ($file) = @_; open my $in, '<', $file or die "$file: $!\n"; my @lines = <$in>; chomp @lines; @lines }

# The patterns of the style page, one a line.
my @patterns;
{
    my $inside = 0;
    for (lines_of(shift @ARGV)) {
        if (/^```avoid$/) { $inside = 1 } elsif (/^```/) { $inside = 0 } elsif ($inside) { push @patterns, qr/$_/i }
    }
    die "docs/style.md has no list of patterns\n" unless @patterns;
}

# Searches text that wraps over lines: [line number, text] each; an empty text ends a paragraph.
sub words {
    my ($file, @parts) = @_;
    my ($text, @starts) = ('');
    for (@parts, [0, '']) {
        my ($number, $part) = @$_;
        if ($part !~ /\S/) {
            for my $pattern (@patterns) {
                while ($text =~ /$pattern/g) {
                    my ($at, $found) = ($-[0], $&);
                    my ($line) = map { $_->[1] } grep { $_->[0] <= $at } reverse @starts;
                    fault($file, $line, "\"$found\": see docs/style.md");
                }
            }
            ($text, @starts) = ('');
            next;
        }
        $part =~ s/^\s+|\s+$//g;
        push @starts, [length $text, $number];
        $text .= "$part ";
    }
}

# Names of a document's headings in links, as GitHub makes them.
my %anchors;
sub anchors {
    my ($file) = @_;
    return $anchors{$file} if $anchors{$file};
    my (%found, $code);
    for (lines_of($file)) {
        $code = !$code if /^\s*```/;
        next if $code or not /^#+\s+(.*?)\s*$/;
        my $name = lc $1;
        $name =~ s/\[([^\]]*)\]\([^)]*\)/$1/g;
        $name =~ s/[^\w\- ]//g;
        $name =~ s/ /-/g;
        my $times = $found{$name}++;
        $found{"$name-$times"}++ if $times;
    }
    return $anchors{$file} = \%found;
}

sub links {
    my ($file, $number, $text) = @_;
    while ($text =~ /\]\(<?([^)>\s]+)>?(?:\s+"[^"]*")?\)/g) {
        my $link = $1;
        next if $link =~ /^[a-z][a-z+.-]*:/i;
        my ($path, $anchor) = split /#/, $link, 2;
        my $target = $path eq '' ? $file : dirname($file) . "/$path";
        1 while $target =~ s{(^|/)\./}{$1} or $target =~ s{(^|/)(?!\.\./)[^/]+/\.\./}{$1};
        if (!-e $target) { fault($file, $number, "the link $link leads nowhere"); next }
        next unless defined $anchor;
        fault($file, $number, "the link $link names no heading") unless $target =~ /\.md$/ and anchors($target)->{$anchor};
    }
}

sub document {
    my ($file) = @_;
    my ($number, $code, @prose) = (0);
    for (lines_of($file)) {
        $number++;
        if (/^\s*(```|~~~)/) { $code = !$code; push @prose, [$number, '']; next }
        next if $code;
        my $text = $_;
        (my $plain = $text) =~ s/`[^`]*`/x/g;
        links($file, $number, $plain);
        my $table = $text =~ /^\s*\|/;
        # What a reader sees of a link is its text; a word that is too long cannot be broken.
        (my $shown = $text) =~ s/\]\([^)]*\)/]/g;
        $shown =~ s{^\[[^\]]+\]: \S+}{};
        $shown =~ s{https?://\S+}{}g;
        fault($file, $number, "the line has " . length($shown) . " characters, more than $MAX")
            if !$table and length $shown > $MAX and $shown =~ /\S\s+\S/;
        # Each cell of a table is a text of its own.
        if ($table) { push @prose, map { ([$number, $_], [$number, '']) } split /\|/, $plain }
        else {
            push @prose, [$number, ''] if /^\s*(?:[-*]|\d+\.|#+)\s/;
            push @prose, [$number, $plain];
        }
    }
    words($file, @prose) unless $file =~ m{(^|/)style\.md$};
}

# Texts in a Rust source that reach a user: string literals with blanks, and doc comments where clap makes help texts of them.
sub source {
    my ($file) = @_;
    my $text = join "\n", lines_of($file), '';
    # Unit tests stand at the end.
    $text =~ s/\n#\[cfg\(test\)\]\s*(?:mod\s+\w+\s*\{|use\s).*//s;
    my $help = $text =~ /\bclap::|derive\([^)]*\b(?:Parser|Args|Subcommand|ValueEnum)\b/;
    my @found;
    my $number = 1;
    while ($text =~ m{
        \G(?: (?<doc>///[^\n]*) | //[^\n]* | /\*.*?\*/ | r(?<h>\#+)"(?<raw>.*?)"\g{h} | '(?:\\.|[^'\\\n])'
          | "(?<string>(?:\\.|[^"\\])*)" | . )
    }gsx) {
        my $here = $number;
        my ($doc, $string) = ($+{doc}, $+{string} // $+{raw});
        $number += $& =~ tr/\n//;
        if (defined $doc) {
            next unless $help;
            push @found, [$here, ''] unless @found and $found[-1][0] == $here - 1;
            push @found, [$here, substr $doc, 3];
        }
        elsif (defined $string) {
            push @found, [$here, ''];
            next unless $string =~ /\w \w/;
            $string =~ s/\\\n\s*//g;
            $string =~ s/\\n/\n/g;
            $string =~ s/`[^`]*`/x/g;
            push @found, map { ([$here, $_], [$here, '']) } split /\n/, $string;
        }
    }
    words($file, @found);
}

# Comments for readers of the code, in every Rust file. A block begins after another line or an empty one.
sub comments {
    my ($file) = @_;
    my ($number, $code, @found) = (0);
    for (lines_of($file)) {
        $number++;
        my ($text) = m{^\s*//[/!](?!/) ?(.*)$};
        if (!defined $text) { $code = 0; push @found, [$number, '']; next }
        if ($text =~ /^```/) { $code = !$code; push @found, [$number, '']; next }
        next if $code;
        push @found, [$number, ''] if $text =~ /^\s*(?:[-*|]|\d+\.|#+)\s/;
        fault($file, $number, "\"$1\" begins a comment: state a fact, see docs/style.md")
            if (!@found or $found[-1][1] eq '') and $text =~ /^(What|Whether|Who|Whom|Whose|Which|Why|How)\b/;
        $text =~ s/`[^`]*`/x/g;
        push @found, [$number, $text];
    }
    words($file, @found);
}

# The first column of a table under the heading `message`: code in which `...` stands for what differs from case to case.
sub errors {
    my ($file, $sources) = @_;
    my ($number, $inside) = (0);
    for (lines_of($file)) {
        $number++;
        $inside = /^\|/ && ($inside || /^\| *message *\|/);
        next unless $inside and /^\|([^|]*)\|/;
        for my $message ($1 =~ /`([^`]*)`/g) {
            my ($lost) = grep { /\w/ and index($sources, $_) < 0 } map { s/^\s+|\s+$//gr } split /\.\.\./, $message;
            fault($file, $number, "no program says \"$lost\"") if defined $lost;
        }
    }
}

my @files = map { chomp; $_ } <STDIN>;
my $tests = qr{^(fuzz|tests)/|/tests\.rs$|/tests/};
my $sources = join '', map { join "\n", lines_of($_) } grep { /\.rs$/ and !/$tests/ } @files;
$sources =~ s/\\\n\s*//g;
for my $file (@files) {
    if ($file =~ /\.md$/) { document($file) } else { source($file) unless $file =~ /$tests/; comments($file) }
    errors($file, $sources) if $file =~ m{(^|/)troubleshooting\.md$};
}
exit($faults ? 1 : 0);
END

# What is checked of a tree: documents, and sources of the programs.
files() {
    git -C "$1" ls-files --cached --others --exclude-standard '*.md' '*.rs'
}

self_test() {
    local tree=$work/tree failed=0
    mkdir -p "$tree/docs" "$tree/tiu/src"
    # expect TEXT FILE LINES...: the check of a tree with this file alone says TEXT, or nothing if that is empty.
    expect() {
        local text=$1 file=$2 said
        shift 2
        rm -f "$tree"/docs/*.md "$tree"/tiu/src/*.rs
        printf '# A heading, and more\n' >"$tree/docs/other.md"
        printf '%s\n' "$@" >"$tree/$file"
        echo 'const B: &str = "found {} of it";' >"$tree/tiu/src/b.rs"
        said=$(printf '%s\n' "$file" tiu/src/b.rs | check "$tree") || true
        case $text in
            '') [ -z "$said" ] && return ;;
            *) case $said in *"$text"*) return ;; esac ;;
        esac
        printf 'FAILED  %s: expected "%s", it said "%s"\n' "$*" "$text" "$said" >&2
        failed=1
    }
    # shellcheck disable=SC1003,SC2016 # quotes of other languages
    {
        expect 'leads nowhere' docs/a.md 'See [this](gone.md).'
        expect 'names no heading' docs/a.md 'See [this](other.md#a-heading).'
        expect 'names no heading' docs/a.md 'See [this](#nothing).'
        expect '' docs/a.md '## Here' 'See [this](other.md#a-heading-and-more), [that](../docs/other.md), [here](#here), [there](https://example.org/x).'
        expect '' docs/a.md 'Code: `[x](gone.md)`.' '```' '[x](gone.md)' '```'
        expect 'more than 100' docs/a.md "$(printf 'word %.0s' {1..30})"
        expect '' docs/a.md "| $(printf 'word %.0s' {1..30})|" '```' "$(printf 'word %.0s' {1..30})" '```' "$(printf 'x%.0s' {1..120})"
        expect '"for ever"' docs/a.md 'It stays for ever.'
        expect 'docs/a.md:1: "for ever"' docs/a.md 'It stays for' '  ever.'
        expect '"is no "' docs/a.md 'This is no list.'
        expect '' docs/a.md 'There is no list, it is no longer here, and `for ever` is code.' '' 'It waits for' '' 'ever.'
        expect 'tiu/src/a.rs:1: "for ever"' tiu/src/a.rs 'const A: &str = "it stays for ever";'
        expect 'tiu/src/a.rs:2: "boots next already"' tiu/src/a.rs 'fn a() {' '    b("it boots \' '       next already")' '}'
        expect '"for ever"' tiu/src/a.rs '#[derive(clap::Args)]' 'struct A {' '    /// Stays for' '    /// ever' '    a: u8,' '}'
        expect '' docs/troubleshooting.md '| message | do |' '|---|---|' '| `found ... of it` | `run` |'
        expect 'no program says "of this"' docs/troubleshooting.md '| message | do |' '|---|---|' '| `found ... of this` | `run` |'
        expect '"for ever"' tiu/src/a.rs '/// Stays for' '/// ever.' 'struct A;'
        expect 'tiu/src/a.rs:1: "Whether" begins' tiu/src/a.rs '/// Whether it is set.' 'a: bool,'
        expect 'tiu/src/a.rs:3: "What" begins' tiu/src/a.rs '//! A fact.' '//!' '//! What it is.'
        expect '' tiu/src/a.rs '/// The file, and' '/// what is in it.' '/// ```' '/// How is that?' '/// ```' 'struct A;'
        expect '' tiu/src/a.rs '// It stays for ever.' '/// It stays.' 'const A: char = '"'\"'"';' '#[cfg(test)]' 'mod tests {' '    const B: &str = "for ever";' '}'
    }
    return "$failed"
}

case ${1:-} in
    '')
        files "$top" | check "$top"
        echo "$(files "$top" | grep -c '\.md$') documents and $(files "$top" | grep -c '\.rs$') sources are in order"
        ;;
    self-test) self_test && echo "each check finds what it is for" ;;
    *)
        sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
esac
