//! Runs a program of the running system that reads data of an image: with the capabilities of its
//! profile, and without network.

use super::profile::Profile;
use rustix::thread::CapabilitySet;
use tiu_system::program::{Program, Run, RunError, SETPRIV, UNSHARE, find};

/// The namespaces that every program gets which runs with data of an image, as options of
/// unshare(1). A namespace for processes is not among them: as process 1, programs of systemd log
/// to the journal instead of standard error, where their complaints are read.
pub(super) const NAMESPACES: [&str; 3] = ["--net", "--ipc", "--uts"];

/// Returns a run of `program`, to which its arguments are still to be added.
pub fn run(profile: Profile, program: &'static Program) -> Result<Run<'static>, RunError> {
    let list = capabilities(profile.capabilities());
    let (unshare, setpriv) = (Run::new(&UNSHARE).args(NAMESPACES).arg("--"), find(&SETPRIV)?);
    Ok(unshare
        .arg(setpriv)
        .arg(format!("--bounding-set={list}"))
        .args(["--inh-caps=-all", "--no-new-privs", "--"])
        .arg(find(program)?))
}

/// The set as setpriv(1) takes it.
fn capabilities(set: CapabilitySet) -> String {
    let mut list = String::from("-all");
    for (name, _) in set.iter_names() {
        list.push_str(",+");
        list.push_str(&name.to_ascii_lowercase());
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;

    static SH: Program = Program { name: "sh", candidates: &["/bin/sh"], package: "dash" };

    #[test]
    fn a_program_has_no_capability_and_no_network() {
        let script = "while read -r l; do case $l in Cap*|NoNew*) echo $l;; esac; done </proc/self/status; echo /sys/class/net/*; while read -r l; do echo $l; done </proc/net/dev;";
        let run = run(Profile::Sysusers, &SH).unwrap().args(["-c", script]);
        let output = run.output().unwrap().stdout;
        let zero = "0000000000000000";
        for line in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            assert!(output.contains(&format!("{line} {zero}")), "{output}");
        }
        assert!(output.contains("NoNewPrivs: 1"), "{output}");
        let interfaces: Vec<_> = output.lines().filter(|line| line.contains(": 0 0")).collect();
        assert!(interfaces.iter().all(|line| line.starts_with("lo:")), "{output}");
    }

    #[test]
    fn its_input_is_the_one_that_was_set() {
        let file: OwnedFd = std::fs::File::open("/proc/self/mounts").unwrap().into();
        let run = run(Profile::Sysusers, &SH).unwrap().args(["-c", "read -r line && echo read"]).stdin(file);
        assert_eq!(run.output().unwrap().stdout, "read\n");
    }

    #[test]
    fn capabilities_are_listed_as_setpriv_takes_them() {
        assert_eq!(capabilities(CapabilitySet::CHOWN | CapabilitySet::MKNOD), "-all,+chown,+mknod");
    }
}
