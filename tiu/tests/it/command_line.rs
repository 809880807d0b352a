//! The command line itself: help with examples, manual pages, exit codes of wrong usage.

use tiu_testing::host::LoopHost;
use tiu_testing::program::{json, run};

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

#[test]
fn global_options_are_accepted_before_and_after_the_command() {
    let host = LoopHost::new();
    let (root, nowhere) = (host.root().to_str().unwrap().to_owned(), "/nowhere.pem");
    let root = root.as_str();
    for arguments in [["--root", root, "--json", "list"], ["list", "--root", root, "--json"]] {
        let listed = json(&run("tiu", arguments).succeeded());
        assert_eq!(listed["snapshots"][0]["number"], 1, "{arguments:?}");
    }
    for arguments in
        [["--json", "etc", "--root", root, "report"], ["etc", "report", "--json", "--root", root]]
    {
        run("tiu", arguments).refused(&["snapshot 1", "report"]);
    }
    for arguments in [
        ["--root", root, "--keyring", nowhere, "-v", "status"],
        ["status", "-v", "--keyring", nowhere, "--root", root],
    ] {
        run("tiu", arguments).refused(&[nowhere]);
    }
    // Given in both places, the option after the command counts.
    run("tiu", ["--root", "/nowhere", "list", "--root", root]).succeeded();
}

#[test]
fn a_command_that_does_not_use_a_global_option_says_so() {
    for (option, arguments) in
        [("--json", &["--json"][..]), ("--root", &["--root", "/"]), ("--keyring", &["--keyring", "x"])]
    {
        for command in [["man", "/nowhere"], ["completions", "bash"]] {
            for arguments in [[arguments, &command].concat(), [&command, arguments].concat()] {
                let outcome = run("tiu", &arguments);
                assert_eq!(outcome.code, Some(2), "{arguments:?}: {outcome:?}");
                let said = format!("cannot be used with '{}'", command[0]);
                assert!(outcome.stderr.contains(option) && outcome.stderr.contains(&said), "{outcome:?}");
                assert!(outcome.stderr.contains("Usage") && outcome.stdout.is_empty(), "{outcome:?}");
            }
        }
    }
}

#[test]
fn completions_are_printed_for_each_shell() {
    for program in ["tiu", "tiu-extract", "tiu-create"] {
        for shell in ["bash", "zsh", "fish"] {
            let text = run(program, ["completions", shell]).succeeded().stdout;
            assert!(text.contains(program) && text.contains("progress") && text.contains("json"), "{shell}");
        }
    }
}
