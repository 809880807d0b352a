//! snapper(8) as a program, and its table of snapshots.
//!
//! The running system's snapper is called over D-Bus if there is a system bus, so that its daemon
//! knows about changes. Without a bus, and for any other root, it is called with `--no-dbus`. Its
//! exit codes are not relied on: for example, deleting the default snapshot prints an error and
//! ends with 0. Callers read back what they asked for.

use super::held::HeldFile;
use crate::namespace::snapper_without_plugins;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use tiu_system::program::{Output, Run, RunError, SNAPPER};

/// snapper's configuration for the root filesystem.
pub const CONFIG: &str = "root";
/// Socket of the system bus.
const SYSTEM_BUS: &str = "/run/dbus/system_bus_socket";

/// A line of snapper's table.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Row {
    /// Number; snapper uses 0 for the running system.
    pub number: u32,
    /// Creation time, UTC, `YYYY-MM-DD HH:MM:SS`; empty for number 0.
    #[serde(default)]
    pub date: String,
    /// Description.
    #[serde(default)]
    pub description: String,
    /// Cleanup algorithm.
    #[serde(default)]
    pub cleanup: String,
    /// Userdata.
    #[serde(default)]
    pub userdata: Option<BTreeMap<String, String>>,
}

/// A host's snapper.
#[derive(Clone, Debug)]
pub struct Snapper {
    /// The root, unless it is the running system's.
    root: Option<PathBuf>,
    bus: bool,
    /// The open file of the host's lock.
    held: HeldFile,
}

impl Snapper {
    /// Returns the snapper of the running system (`None`) or of the host at `root`. `held` is the
    /// open file of the host's lock.
    pub(super) fn new(root: Option<&Path>, held: HeldFile) -> Self {
        let bus = root.is_none() && Path::new(SYSTEM_BUS).exists();
        Snapper { root: root.map(Path::to_owned), bus, held }
    }

    /// Runs snapper with `arguments`.
    fn run(&self, arguments: &[&str]) -> Result<Output, RunError> {
        let run = match &self.root {
            Some(root) => snapper_without_plugins()?.arg("--no-dbus").arg("--root").arg(root),
            None if self.bus => Run::new(&SNAPPER),
            None => Run::new(&SNAPPER).arg("--no-dbus"),
        };
        // A killed tiu does not end its snapper. flock(2) locks open files, not processes: the lock
        // stays until snapper, which has that file as standard input, has ended too. The next run
        // does not see a half-made snapshot.
        let held = self.held.descriptor();
        let run = match held.map_err(|source| RunError::Start { command: "snapper".into(), source })? {
            Some(file) => run.stdin(file),
            None => run,
        };
        run.args(["--config", CONFIG]).args(arguments).output()
    }

    /// Returns the table as JSON text for [`parse_list`].
    pub fn list(&self) -> Result<String, RunError> {
        self.run(&["--utc", "--iso", "--jsonout", "list", "--disable-used-space"]).map(|output| output.stdout)
    }

    /// Makes a read-write snapshot of `base` that no clean-up of snapper removes. Returns what
    /// snapper printed: its number.
    pub fn create(&self, base: u32, description: &str, userdata: &str) -> Result<String, RunError> {
        let base = base.to_string();
        let arguments = ["create", "--from", &base, "--read-write"];
        let described = ["--print-number", "--description", description, "--userdata", userdata];
        self.run(&[&arguments[..], &described].concat()).map(|output| output.stdout)
    }

    /// Changes userdata (`key=value,...`; a key without value is removed).
    pub fn set_userdata(&self, number: u32, userdata: &str) -> Result<(), RunError> {
        self.run(&["modify", "--userdata", userdata, &number.to_string()]).map(drop)
    }

    /// Changes the cleanup algorithm (empty for none) and userdata in one write.
    pub fn set_cleanup(&self, number: u32, algorithm: &str, userdata: &str) -> Result<(), RunError> {
        let arguments =
            ["modify", "--cleanup-algorithm", algorithm, "--userdata", userdata, &number.to_string()];
        self.run(&arguments).map(drop)
    }

    /// Deletes a snapshot. The caller checks whether it is gone. Returns what snapper printed.
    pub fn delete(&self, number: u32) -> Result<Output, RunError> {
        self.run(&["delete", &number.to_string()])
    }

    /// Returns whether this snapper can set the default (`modify --default`, since 0.10.5), for
    /// which it runs its plugins.
    pub fn knows_default(&self) -> Result<bool, RunError> {
        Ok(help_knows_default(&Run::new(&SNAPPER).arg("--help").output()?.stdout))
    }

    /// Makes snapshot `number` the default.
    pub fn set_default(&self, number: u32) -> Result<(), RunError> {
        self.run(&["modify", "--default", &number.to_string()]).map(drop)
    }
}

/// Returns whether snapper's help has `--default` among the options of `modify`.
fn help_knows_default(help: &str) -> bool {
    help.lines()
        .skip_while(|line| !line.trim_start().starts_with("snapper modify"))
        .skip(1)
        .take_while(|line| !line.trim_start().starts_with("snapper "))
        .any(|line| line.trim_start().starts_with("--default"))
}

/// A table that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("snapper's list of snapshots cannot be parsed: {0}")]
pub struct ListError(String);

/// Reads the JSON that `snapper --jsonout list` prints: one array for each configuration.
pub fn parse_list(json: &str) -> Result<Vec<Row>, ListError> {
    let mut configs: HashMap<String, Vec<Row>> =
        serde_json::from_str(json).map_err(|e| ListError(e.to_string()))?;
    let mut rows =
        configs.remove(CONFIG).ok_or_else(|| ListError(format!("it has no configuration {CONFIG:?}")))?;
    rows.retain(|row| row.number != 0);
    rows.sort_by_key(|row| row.number);
    Ok(rows)
}

/// Returns a value that can be part of snapper's `key=value,key=value`, which has no quoting.
pub fn userdata_value(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, ',' | '=') { '_' } else { c }).take(128).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"{ "root": [
        { "subvolume": "/", "number": 0, "default": false, "active": false, "type": "single", "pre-number": null, "date": "",
          "user": "root", "cleanup": "", "description": "current", "userdata": null },
        { "subvolume": "/", "number": 12, "default": true, "active": true, "type": "single", "pre-number": null,
          "date": "2024-01-01 00:00:00", "user": "root", "used-space": null, "cleanup": "number", "description": "hello \"w\"",
          "userdata": { "tiu-state": "done", "x": "" } },
        { "number": 3 } ] }"#;

    #[test]
    fn the_table_is_read_in_order_without_the_running_system() {
        let rows = parse_list(LIST).unwrap();
        assert_eq!(rows.iter().map(|r| r.number).collect::<Vec<_>>(), [3, 12]);
        assert_eq!(rows[1].description, "hello \"w\"");
        assert_eq!(rows[1].userdata.as_ref().unwrap()["tiu-state"], "done");
        assert_eq!(rows[0].userdata, None);
    }

    #[test]
    fn what_is_not_a_table_is_an_error() {
        for text in ["", "{}", "[]", r#"{"root": [{}]}"#, r#"{"root": [{"number": -1}]}"#, r#"{"home": []}"#]
        {
            assert!(parse_list(text).is_err(), "{text}");
        }
    }

    #[test]
    fn modify_with_and_without_the_default_is_recognized() {
        let old = "  Modify snapshot:\n\tsnapper modify <number>\n\n\t--userdata\n  Delete:\n\tsnapper delete <number>\n\t--default\n";
        let new = old.replace("--userdata", "--userdata\n\t--default, -d   Set default snapshot");
        assert!(!help_knows_default(old));
        assert!(help_knows_default(&new));
    }

    #[test]
    fn userdata_cannot_be_broken_by_a_version() {
        assert_eq!(userdata_value("1.0,tiu-state=done\n"), "1.0_tiu-state_done_");
        assert_eq!(userdata_value(&"x".repeat(1000)).len(), 128);
    }
}
