//! dracut ends with 0 although drivers, files or its own configuration failed. It says so in lines
//! of its output, in several forms:
//!
//! | line | from |
//! |---|---|
//! | `dracut[E]: ...`, `dracut[F]: ...` | dracut since 060, and SUSE's 059: the level is in the line |
//! | `dracut: FAILED: ...`, `dracut: dracut module 'x' cannot be found ...` | dracut up to 059: no level; [`QUIET`] leaves only errors |
//! | `dracut-install: ERROR: ...`, `dracut-install: Failed to find module ...` | its helper |
//! | `/etc/dracut.conf.d/x.conf: line 1: unexpected EOF ...` | bash, which reads the configuration |
//! | `cp: cannot stat ...`, `depmod: ERROR: ...` | programs that it runs |

use std::collections::HashSet;
use tiu_system::program::Output;

/// The options that make dracut print only lines of its levels "error" and "fatal". Other programs
/// print what they like.
pub const QUIET: [&str; 2] = ["--stdlog", "2"];
/// Number of lines that are returned.
const SHOWN_LINES: usize = 20;
/// Length in characters at which a line is cut.
const LINE_LENGTH: usize = 300;
/// The beginnings of lines of dracut without a level that report no error, also with [`QUIET`].
const ORDINARY: [&str; 8] =
    ["*** ", "Executing: ", "Including ", "Skipping ", "Mode: ", "Files: ", "Linked: ", "Duration: "];
/// Words of any program that say that something failed.
const FAILED: [&str; 10] = [
    "ERROR",
    "FATAL",
    "FAILED",
    "CRITICAL",
    ": cannot ",
    "command not found",
    "No space left on device",
    "Permission denied",
    "Operation not permitted",
    "syntax error",
];

/// Returns the lines of dracut's output that say that something failed, without repetitions.
pub fn complaints(output: &Output) -> Vec<String> {
    let lines = output.stderr.lines().chain(output.stdout.lines()).map(str::trim_end);
    let mut seen = HashSet::new();
    let lines: Vec<&str> = lines.filter(|line| is_complaint(line) && seen.insert(*line)).collect();
    let mut found: Vec<String> = lines.iter().take(SHOWN_LINES).map(|line| shortened(line)).collect();
    if lines.len() > SHOWN_LINES {
        found.push(format!("and {} more such lines", lines.len() - SHOWN_LINES));
    }
    found
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(LINE_LENGTH) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}

fn is_complaint(line: &str) -> bool {
    let line = line.trim_start();
    if let Some((level, text)) = line.strip_prefix("dracut[").and_then(|rest| rest.split_once("]: ")) {
        return matches!(level, "E" | "F") || (level.len() != 1 && has_failed(text));
    }
    if let Some(text) = line.strip_prefix("dracut: ") {
        let harmless = ORDINARY.iter().any(|begin| text.starts_with(begin)) || text.starts_with("WARNING");
        return !text.is_empty() && (!harmless || text.contains("failed"));
    }
    line.starts_with("dracut-install: ") || is_of_the_shell(line) || has_failed(line)
}

/// Returns true for a message of bash about a file that it reads: `/path: line 3: ...`.
fn is_of_the_shell(line: &str) -> bool {
    let Some((path, rest)) = line.split_once(": line ") else { return false };
    let digits = rest.split(':').next().unwrap_or_default();
    path.starts_with('/') && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn has_failed(line: &str) -> bool {
    FAILED.iter().any(|word| line.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints_in(text: &str) -> Vec<String> {
        complaints(&Output { stdout: String::new(), stderr: text.into() })
    }

    /// Lines that Debian's dracut 059 printed, and that newer ones do.
    #[test]
    fn lines_that_say_that_something_failed() {
        for line in [
            "dracut-install: Failed to find module 'nosuchdrv'",
            "dracut-install: ERROR: installing '/etc/nosuch'",
            "dracut: FAILED:  /usr/lib/dracut/dracut-install -D /var/tmp/dracut.LAjSkW/initramfs -m nosuchdrv",
            "dracut: dracut module 'nosuchmod' cannot be found or installed.",
            "dracut: Cannot execute compression command 'nosuchcomp', falling back to default",
            "dracut: *** Creating UEFI image file '/boot/x' failed ***",
            "dracut[E]: FAILED: /usr/lib/dracut/dracut-install -a /etc/nosuch",
            "dracut[F]: Creation of /boot/initrd failed",
            "/etc/dracut.conf.d/99.conf: line 1: unexpected EOF while looking for matching `\"'",
            "/etc/dracut.conf.d/99.conf: line 2: syntax error: unexpected end of file",
            "/usr/lib/dracut/modules.d/99x/module-setup.sh: line 7: frob: command not found",
            "cp: cannot stat '/usr/lib/x': No such file or directory",
            "depmod: ERROR: could not open directory /lib/modules/6.1",
            "gzip: stdout: No space left on device",
        ] {
            assert_eq!(complaints_in(line), [line], "{line}");
        }
    }

    #[test]
    fn lines_that_say_what_was_done() {
        let ordinary = "dracut: Executing: /usr/bin/dracut --force /boot/initrd 6.1
dracut: *** Including module: systemd ***
dracut[I]: Executing: /usr/bin/dracut --force
dracut[W]: dracut module 'FAILED' will not be installed
dracut: Mode:                     real
dracut: Skipping udev rule: 40-redhat.rules
dracut: *** Creating initramfs image file '/boot/initrd' done ***
dracut: WARNING: running in hostonly mode in a container!!
Skipping program /usr/bin/x as it cannot be found
";
        assert_eq!(complaints_in(ordinary), [""; 0]);
    }

    #[test]
    fn there_are_not_more_lines_than_a_person_reads() {
        let text: String = (0..50).map(|i| format!("dracut[E]: line {i}\ndracut[E]: line {i}\n")).collect();
        let lines = complaints_in(&text);
        assert_eq!((lines.len(), lines[20].as_str()), (21, "and 30 more such lines"));
        assert_eq!(complaints_in(&format!("dracut[E]: {}", "x".repeat(5000)))[0].len(), 303);
    }
}
