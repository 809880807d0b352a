//! The rules of docs/style.md for help texts, checked on all commands of a program.

use clap::{Arg, Command};
use std::io::Write;
use std::path::Path;
use std::process::{Command as Process, Stdio};

/// Verbs that help texts start with.
const VERBS: &[&str] = &[
    "Accept", "Apply", "Bring", "Check", "Compare", "Create", "Keep", "Leave", "List", "Make", "Mount",
    "Pack", "Print", "Protect", "Remove", "Report", "Resolve", "Show", "Sign", "Take", "Unmount", "Update",
    "Verify", "Write",
];
/// Columns of a help text.
const WIDTH: usize = 100;

/// Fails with a list of all places in the help of `program` and its commands that break a rule.
///
/// - The text of a command starts with a verb in the imperative; that of an option never with
///   `Shows` and the like.
/// - A command has an example that calls it, and no line is longer than 100 columns.
/// - No pattern of the list in docs/style.md occurs.
pub fn check(mut program: Command) {
    program.build();
    let mut faults = Vec::new();
    let mut texts = String::new();
    walk(&program, program.get_name(), &mut faults, &mut texts);
    faults.extend(forbidden(&texts));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn walk(command: &Command, name: &str, faults: &mut Vec<String>, texts: &mut String) {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    if !VERBS.contains(&first_word(&about)) {
        faults.push(format!("{name}: does not start with a verb of the list: {about:?}"));
    }
    for argument in command.get_arguments() {
        check_argument(argument, name, faults);
    }
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let call = format!("  {name} ");
    let calls = |line: &str| format!("{line} ").starts_with(&call);
    if !examples.contains("Example") || !examples.lines().any(calls) {
        faults.push(format!("{name}: no example calls it"));
    }
    let help = command.clone().term_width(WIDTH).render_long_help().to_string();
    for line in help.lines().chain(examples.lines()).filter(|line| line.chars().count() > WIDTH) {
        faults.push(format!("{name}: longer than {WIDTH} columns: {line}"));
    }
    *texts += &format!("{name}\n{help}\n");
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        walk(sub, &format!("{name} {}", sub.get_name()), faults, texts);
    }
}

fn check_argument(argument: &Arg, command: &str, faults: &mut Vec<String>) {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let word = first_word(&help);
    let third_person = VERBS.iter().any(|verb| word == format!("{verb}s") || word == format!("{verb}es"));
    if help.is_empty() || third_person || help.ends_with('.') {
        faults.push(format!("{command}: {}: {help:?}", argument.get_id()));
    }
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default().trim_end_matches(',')
}

/// Returns what the patterns of docs/style.md find in `texts`. They are Perl's.
fn forbidden(texts: &str) -> Vec<String> {
    const SEARCH: &str = r#"
        my ($style) = @ARGV; my ($inside, @patterns);
        open my $in, '<', $style or die "$style: $!\n";
        while (<$in>) { chomp; if (/^```avoid$/) { $inside = 1 } elsif (/^```/) { $inside = 0 }
            elsif ($inside) { push @patterns, qr/$_/i } }
        die "$style has no list of patterns\n" unless @patterns;
        local $/; my $text = <STDIN>; $text =~ s/\s+/ /g;
        for my $pattern (@patterns) { print "$style: \"$1\"\n" while $text =~ /(.{0,40}$pattern)/g }
    "#;
    let style = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/style.md");
    let mut perl = Process::new("perl")
        .args(["-CSD", "-e", SEARCH])
        .arg(style)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("perl starts: install the package perl");
    perl.stdin.take().expect("a pipe").write_all(texts.as_bytes()).expect("perl reads");
    let output = perl.wait_with_output().expect("perl ends");
    assert!(output.status.success(), "perl failed");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
