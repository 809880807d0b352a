//! Outputs that can be compared as a whole: values that differ between two runs or two machines are
//! replaced by names.
//!
//! Replaced are paths of the test, the machine's architecture, UUIDs, digests, times of today,
//! durations, sizes and counts that depend on the filesystem or on the programs that a small system
//! borrows from the machine.

use regex::Regex;
use std::path::Path;
use std::sync::LazyLock;

/// The replacements that are made everywhere, in this order.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rules = [
        (r"[0-9a-f]{64}", "DIGEST"),
        (r#""modified": "[0-9]+\.[0-9]{9}""#, r#""modified": "MTIME""#),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
        // Fixtures are of 2023 and 2024 and valid until 2100.
        (r"20(2[5-9]|[3-9][0-9])-[0-9]{2}-[0-9]{2}T[0-9:.]{8,}Z", "TIME"),
        (r"20(2[5-9]|[3-9][0-9])-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}(:[0-9]{2})?", "TODAY, NOW      "),
        (r"[0-9]+\.[0-9] s\b", "N.N s"),
        (r#"("seconds": )[0-9.e-]+"#, "${1}SECONDS"),
        (r"[0-9]+(\.[0-9]+)? ([KMG]iB|B)\b", "SIZE"),
    ];
    compiled(&rules)
});

/// Files that a small system borrows, and how many there are.
static BORROWED: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rules = [
        (r"(usr/bin/(cat|dd|sh|sleep|touch)) \([0-9]+ bytes\)", "$1 (N bytes)"),
        (r"(?m)^.*(/ld-linux|\.so\b|lib64|-linux-gnu).*\n", ""),
        (r"[0-9]+ (of its files and directories stayed|files written)", "N $1"),
        (r"([0-9]+ of )?[0-9]+ inodes are what was signed", "N inodes are what was signed"),
        (
            r#"("(unchanged|written|made|metadata|reflinked|entries|compared|files|bytes_[a-z]+|size|image|hash_tree|cms)": )[1-9][0-9]*"#,
            "${1}N",
        ),
    ];
    compiled(&rules)
});

fn compiled(rules: &[(&str, &'static str)]) -> Vec<(Regex, &'static str)> {
    rules.iter().map(|(pattern, name)| (Regex::new(pattern).unwrap(), *name)).collect()
}

/// The text with names for what is not the same everywhere; `known` are paths of the test, and
/// their names.
pub fn stable(text: &str, known: &[(&Path, &str)]) -> String {
    let mut text = text.to_owned();
    for (path, name) in known {
        text = text.replace(path.to_str().unwrap(), name);
    }
    text = text.replace(std::env::consts::ARCH, "ARCH");
    for (pattern, name) in RULES.iter().chain(&*BORROWED) {
        text = pattern.replace_all(&text, *name).into_owned();
    }
    text
}

/// The same of a JSON document, indented.
#[track_caller]
pub fn stable_json(text: &str, known: &[(&Path, &str)]) -> String {
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}:\n{text}"));
    stable(&format!("{value:#}\n"), known)
}

/// Compares a whole output with the one that was reviewed: `snapshots/CRATE__MODULE__NAME.snap`
/// next to the test.
#[macro_export]
macro_rules! assert_output {
    ($name:literal, $text:expr) => {
        $crate::insta::with_settings!({ omit_expression => true }, {
            $crate::insta::assert_snapshot!($name, $text)
        })
    };
}
