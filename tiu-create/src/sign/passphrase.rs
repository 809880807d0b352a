//! Passphrases and PINs. They come from a file, or are typed at the terminal without being shown.
//! They never come from the command line or the environment, which others can see.

use super::SignError;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;

/// Longest line that is read of a file, in bytes.
const MAX_LINE: u64 = 4096;

/// The source of a passphrase or PIN.
#[derive(Clone, Debug)]
pub enum Secret {
    /// The first line of this file.
    File(PathBuf),
    /// The user at the terminal.
    Prompt,
}

impl Secret {
    /// Returns the secret. `what` (passphrase, PIN) is the prompt.
    pub fn get(&self, what: &'static str) -> Result<Vec<u8>, SignError> {
        match self {
            Secret::File(path) => {
                let failed = |source| SignError::Read { path: path.clone(), source };
                match File::open(path) {
                    // As openssl(1) takes it. The message must not have it.
                    Err(_) if path.as_os_str().as_encoded_bytes().starts_with(b"pass:") => {
                        Err(SignError::SecretArgument)
                    }
                    file => first_line(&file.map_err(failed)?).map_err(failed),
                }
            }
            Secret::Prompt => ask(what).map_err(|source| SignError::NoTerminal { what, source }),
        }
    }
}

/// Returns the first line of `file`, of at most [`MAX_LINE`] bytes.
pub(super) fn first_line(file: &File) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(file.take(MAX_LINE)).read_until(b'\n', &mut line)?;
    Ok(trimmed(line))
}

fn trimmed(mut line: Vec<u8>) -> Vec<u8> {
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    line
}

fn ask(what: &str) -> std::io::Result<Vec<u8>> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    write!(terminal, "{what}: ")?;
    let quiet = Quiet::new(&terminal)?;
    let mut line = Vec::new();
    BufReader::new(&terminal).read_until(b'\n', &mut line)?;
    drop(quiet);
    writeln!(terminal)?;
    Ok(trimmed(line))
}

/// Turns the terminal's echo off, and on again when it is dropped.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn new(terminal: &'a File) -> std::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO;
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Quiet { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // The error cannot be reported; the shell's `reset` helps.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}
