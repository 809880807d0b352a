//! passwd and shadow.
//!
//! An update does not let anybody log in who could not log in before. A user that the image adds
//! gets a locked password (`!*`, as systemd-sysusers sets it), whatever the image has: a password
//! that is locked with a leading `!` could be unlocked again. The user gets no shell either,
//! because a key that the image ships would be enough to use it. Only a host without root gets the
//! image's root as it is.

use super::file::{AccountFile, AccountFiles};
use super::note::{Note, NoteKind};
use super::numbers::Numbers;
use super::table::{Line, LineKind};
use super::three_tables::{ThreeTables, is_locked, put_result};
use std::collections::HashSet;

/// No password; no password hashes to it.
const LOCKED: &[u8] = b"!*";
/// The password is in shadow.
const SHADOWED: &[u8] = b"x";
/// The shell of users who must not log in.
const NOLOGIN: &[u8] = b"/usr/sbin/nologin";
/// Programs that stand for "no shell".
const NO_SHELLS: [&[u8]; 6] =
    [NOLOGIN, b"/sbin/nologin", b"/usr/bin/nologin", b"/bin/nologin", b"/bin/false", b"/usr/bin/false"];

/// Merges users into `files`. Returns the names of all users of the new system.
pub(super) fn merge(
    mut passwd: ThreeTables,
    mut shadow: ThreeTables,
    uids: &Numbers,
    gids: &Numbers,
    files: &mut AccountFiles,
    notes: &mut Vec<Note>,
) -> HashSet<Vec<u8>> {
    note_differences(&passwd, notes);
    let with_shadow = shadow.there || shadow.shipped;
    let mut lines = Vec::new();
    let mut locked = Vec::new();
    for (i, number) in uids.added().filter_map(|i| Some((i, uids.added_number(i)?))) {
        let Some(line) = passwd.image.line(i) else { continue };
        let secret = shadow.image.find(line.name()).map(|(_, line)| line);
        let login = may_log_in(line, secret);
        let mut shell = line.field(6);
        if number != 0 && !NO_SHELLS.contains(&shell) {
            shell = NOLOGIN;
        }
        let mut gone = Vec::new();
        gone.extend(login.then_some("password"));
        gone.extend((shell != line.field(6)).then_some("shell"));
        if !gone.is_empty() {
            let text = format!("added without the {} that it has in the image", gone.join(" and the "));
            notes.push(Note::new(NoteKind::Disarmed, AccountFile::Passwd, line.name(), text));
        }
        let gid = line.number(3).map(|gid| gids.host(gid)).unwrap_or_default().to_string();
        let password = if with_shadow { SHADOWED } else { LOCKED };
        let uid = number.to_string();
        let (gecos, home) = (line.field(4), line.field(5));
        lines.push([line.name(), password, uid.as_bytes(), gid.as_bytes(), gecos, home, shell].join(&b':'));
        // An entry that the host has for a user without an account stays as it is.
        if shadow.host.find(line.name()).is_none() {
            locked.push(locked_line(line.name(), secret));
        }
    }
    passwd.host.insert(lines);
    if with_shadow && !shadow.closed {
        if !shadow.there {
            let known: HashSet<&[u8]> =
                locked.iter().filter_map(|line| line.split(|c| *c == b':').next()).collect();
            let missing = |line: &&Line| {
                line.kind() == LineKind::Entry && line.field(1) == SHADOWED && !known.contains(line.name())
            };
            let host: Vec<Vec<u8>> =
                passwd.host.readable().filter(missing).map(|line| locked_line(line.name(), None)).collect();
            shadow.host.insert(host);
        }
        shadow.host.insert(locked);
    }
    let names = passwd.host.readable().map(|line| line.name().to_vec()).collect();
    put_result(passwd, files);
    put_result(shadow, files);
    names
}

/// Returns whether the user could log in with a password in the image.
fn may_log_in(line: &Line, shadow: Option<&Line>) -> bool {
    let password = match (line.field(1), shadow) {
        (SHADOWED, Some(shadow)) => shadow.field(1),
        // No password hashes to it.
        (SHADOWED, None) => return false,
        (password, _) => password,
    };
    !matches!(password.first(), Some(b'!' | b'*'))
}

/// Returns a line of shadow without a password; all other fields are as in `from`.
fn locked_line(name: &[u8], from: Option<&Line>) -> Vec<u8> {
    let from =
        from.filter(|line| line.kind() == LineKind::Entry && !line.bytes().iter().any(u8::is_ascii_control));
    let password = from.map(|line| line.field(1)).filter(|password| is_locked(password)).unwrap_or(LOCKED);
    let mut fields = vec![name, password];
    fields.extend((2..9).map(|i| from.map_or(&b""[..], |line| line.field(i))));
    fields.join(&b':')
}

/// Adds notes about entries that the image changed or dropped and that stay as the host has them.
fn note_differences(passwd: &ThreeTables, notes: &mut Vec<Note>) {
    let Some(base) = &passwd.base else { return };
    for (_, old) in base.entries() {
        let (Some((_, host)), new) = (passwd.host.find(old.name()), passwd.image.find(old.name())) else {
            continue;
        };
        let Some((_, new)) = new else {
            let text = "the image no longer has this user; it stays, because files may belong to it";
            notes.push(Note::new(NoteKind::Dropped, AccountFile::Passwd, old.name(), text));
            continue;
        };
        let changed: Vec<&str> = [(5, "home directory"), (6, "shell")]
            .into_iter()
            .filter(|(i, _)| old.field(*i) != new.field(*i) && host.field(*i) != new.field(*i))
            .map(|(_, what)| what)
            .collect();
        if !changed.is_empty() {
            let text = format!("the image changed its {}; the host's stays", changed.join(" and its "));
            notes.push(Note::new(NoteKind::Unlike, AccountFile::Passwd, old.name(), text));
        }
    }
}
