//! External programs: found by absolute path in the system's own folders, run without a shell, their standard error in the error.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use tiu_system::Hint;

/// Where programs are looked for, in this order. The caller's PATH does not count.
const FOLDERS: [&str; 4] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
/// How much of a program's standard error is shown, in bytes from its end.
const SHOWN: usize = 4096;

/// A program that could not be run, or that failed.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// Not installed.
    #[error("the program `{name}` is missing: looked in {}", FOLDERS.join(", "))]
    Missing {
        /// File name.
        name: &'static str,
        /// Package that has it.
        package: &'static str,
    },
    /// Could not be started, or its output could not be read.
    #[error("{}: {source}", program.display())]
    Run {
        /// Absolute path.
        program: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// Ended with an error.
    #[error("{} failed ({status}): {}", program.display(), said(stderr))]
    Failed {
        /// Absolute path.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The end of its standard error.
        stderr: String,
    },
}

fn said(stderr: &str) -> &str {
    match stderr.trim() {
        "" => "it said nothing",
        text => text,
    }
}

impl Hint for ExternalError {
    fn hint(&self) -> Option<String> {
        match self {
            ExternalError::Missing { package, .. } => Some(format!("install the package {package}")),
            ExternalError::Failed { .. } => {
                Some("what the program said tells the reason; a full disk is the most common one".into())
            }
            ExternalError::Run { .. } => None,
        }
    }
}

/// Absolute path of the program `name`, which `package` has.
pub fn find(name: &'static str, package: &'static str) -> Result<PathBuf, ExternalError> {
    FOLDERS
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.is_file())
        .ok_or(ExternalError::Missing { name, package })
}

/// Runs `command` to its end; anything but success is an error.
pub fn run(command: &mut Command) -> Result<Output, ExternalError> {
    let program = PathBuf::from(command.get_program());
    let output =
        command.output().map_err(|source| ExternalError::Run { program: program.clone(), source })?;
    match output.status.success() {
        true => Ok(output),
        false => Err(ExternalError::Failed { program, status: output.status, stderr: tail(&output.stderr) }),
    }
}

/// The end of what a program wrote.
pub fn tail(stderr: &[u8]) -> String {
    let start = stderr.len().saturating_sub(SHOWN);
    String::from_utf8_lossy(stderr.get(start..).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_its_package() {
        let error = find("no-such-program", "the-package").expect_err("there is none");
        assert!(error.to_string().contains("no-such-program"));
        assert_eq!(error.hint().as_deref(), Some("install the package the-package"));
    }

    #[test]
    fn a_failure_shows_what_the_program_said() {
        let error = run(Command::new("/bin/ls").arg("/no/such/file")).expect_err("ls fails");
        assert!(error.to_string().contains("/no/such/file"), "{error}");
        assert!(error.to_string().contains("exit status: 2"), "{error}");
    }
}
