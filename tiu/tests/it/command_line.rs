//! The command line itself: help with examples, manual pages, exit codes of wrong usage.

use tiu_testing::program::run;

#[test]
fn every_command_explains_itself_with_an_example() {
    for command in ["apply", "status", "list", "rollback", "verify", "cleanup"] {
        let help = run("tiu", [command, "--help"]).succeeded().stdout;
        assert!(help.contains("Example"), "{command}:\n{help}");
        assert!(help.contains(&format!("  tiu {command}")), "{command}:\n{help}");
        assert!(help.contains("--root"), "{command}:\n{help}");
    }
    let help = run("tiu", ["--help"]).succeeded().stdout;
    assert!(help.contains("Exit codes") && !help.contains("in-target"), "{help}");
}

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [&["apply"][..], &["rollback", "seven"], &["unknown"], &["status", "--yaml"], &[]] {
        assert_eq!(run("tiu", arguments).code, Some(2), "{arguments:?}");
    }
}

#[test]
fn manual_pages_are_written() {
    let dir = tempfile::tempdir().unwrap();
    run("tiu", ["man".as_ref(), dir.path().as_os_str()]).succeeded();
    for page in ["tiu.1", "tiu-apply.1", "tiu-status.1", "tiu-verify.1"] {
        let text = std::fs::read_to_string(dir.path().join(page)).unwrap_or_else(|e| panic!("{page}: {e}"));
        assert!(text.contains(".TH"), "{page}");
    }
}
