//! Users and groups in an update: the three sides are read and merged with the rest of `/etc`
//! before anything is touched. Fill writes the result, and check compares it.
//!
//! The image's side is what its files say together with what its sysusers.d asks for, as
//! systemd-sysusers makes it in private. The same rules hold for users who are only asked for.

use super::decision::{DecisionReason, EtcSides, Merge, Side};
use super::entries_at;
use super::error::MergeError;
use super::lists::Lists;
use super::pristine::PRISTINE_PATH;
use super::report::EtcReport;
use super::state::{Inode, InodeFacts, States};
use super::update::EtcUpdate;
use crate::accounts::sysusers::{self, LOCAL, SysusersFiles, VENDOR};
use crate::accounts::{self, AccountFile, AccountFiles, AccountSides, Limits, Note, UsedNumbers};
use crate::config::Config;
use crate::incoming::IncomingImage;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use tiu_bundle::content_digest::digest_bytes;
use tiu_bundle::index::{Entry, Index, Kind, STATE_DIR};
use tiu_extract::{Difference, Image, ImageError};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::program::{SYSUSERS, find};
use tiu_system::tree::{Attributes, Tree};

/// Largest file that is read, in bytes.
const LIMIT: u64 = 64 << 20;
/// Permission bits of files that neither side has.
const MODE: u32 = 0o644;
/// The same of those with secrets.
const SECRET_MODE: u32 = 0o640;

/// The plan for users and groups.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// Contents of the files that are merged.
    files: AccountFiles,
    /// Image's numbers of users that are others on the host, to the host's.
    pub uids: HashMap<u32, u32>,
    /// The same of groups.
    pub gids: HashMap<u32, u32>,
    /// The attributes of new files that the host does not have.
    new: BTreeMap<AccountFile, Attributes>,
    /// For the report.
    notes: Vec<Note>,
    /// Further warnings for the administrator.
    pub warnings: Vec<String>,
}

/// The merge of `/etc` before owners are known: enough to tell what is whose there.
pub struct EtcMerge<'a> {
    /// The sides, the image's in its own numbers.
    pub sides: EtcSides<'a>,
    /// The plan for paths.
    pub merge: &'a Merge,
}

/// Merges the accounts of the system with those of the image. Nothing is written.
pub fn decide(update: &EtcUpdate, etc: &EtcMerge) -> Result<Accounts, MergeError> {
    let EtcUpdate { tree, incoming, .. } = *update;
    check_kinds("host", etc.sides.host)?;
    check_kinds("image", etc.sides.image)?;
    let host = read_from_tree(tree, TreePath::ROOT)?;
    let own = read_from_image(incoming)?;
    // Kept since the base was filled; there is none in snapshots that were not made from an image.
    let base = match (etc.sides.base, tree.stat(PRISTINE_PATH)) {
        (Some(_), Some(_)) => Some(read_from_tree(tree, STATE_DIR)?),
        _ => None,
    };
    let mut warnings = always_image(update.config);
    let asked = sysusers_files(incoming, etc, &mut warnings)?;
    let (image, broken) = match make(&own, &asked, update, &mut warnings)? {
        // The program drops what it cannot read.
        Some(made) => (made, accounts::broken_lines(&own)),
        None => (own, Vec::new()),
    };
    let closed = |file: &AccountFile| {
        let decision = etc.merge.decision(file.path());
        decision.is_some_and(|decision| {
            matches!(decision.reason, DecisionReason::AlwaysHost | DecisionReason::Mount)
        })
    };
    let closed: Vec<AccountFile> = AccountFile::ALL.into_iter().filter(closed).collect();
    let text =
        ["etc/login.defs", "usr/etc/login.defs"].into_iter().find_map(|path| tree.read(path, LIMIT).ok()?);
    let limits = Limits::parse(&text.unwrap_or_default());
    let sides = AccountSides { base: base.as_ref(), host: &host, image: &image, closed: &closed };
    let mut merged =
        accounts::merge(&sides, &owner_numbers(incoming.index), &limits).map_err(MergeError::Accounts)?;
    merged.files.retain(|file, _| !closed.contains(file));
    merged.notes.extend(broken);
    let accounts::Merged { files, uids, gids, notes } = merged;
    Ok(Accounts { files, uids, gids, new: BTreeMap::new(), notes, warnings })
}

/// Returns the files of the system in the directory `top` of `tree`.
fn read_from_tree(tree: &Tree, top: &TreePath) -> Result<AccountFiles, MergeError> {
    let mut files = AccountFiles::new();
    for file in AccountFile::ALL {
        files.extend(tree.read(top.join(file.path()), LIMIT)?.map(|text| (file, text)));
    }
    Ok(files)
}

fn read_from_image(incoming: IncomingImage) -> Result<AccountFiles, MergeError> {
    let there = |file: AccountFile| Some((file, incoming.index.find(file.path())?));
    let read = |(file, i)| Ok((file, content(incoming.image, incoming.index, &incoming.index.entry(i))?));
    AccountFile::ALL.into_iter().filter_map(there).map(read).collect()
}

/// Anything but a regular file is an error.
fn check_kinds(whose: &'static str, states: &States) -> Result<(), MergeError> {
    for file in AccountFile::ALL {
        match states.get(file.path()) {
            Some(inode) if inode.kind != Kind::File => {
                return Err(MergeError::AccountFile { whose, path: file.path(), found: inode.kind });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Content of a regular file of the image.
fn content(image: &dyn Image, index: &Index, entry: &Entry) -> Result<Vec<u8>, MergeError> {
    let inode = index.inode_of(entry);
    let failed = |source| ImageError::Read { path: inode.path.to_string().into(), source };
    if inode.size > LIMIT {
        return Err(failed(std::io::Error::other(format!("larger than {LIMIT} bytes"))).into());
    }
    let mut text = Vec::new();
    let mut content = image.open(&inode.path)?.take(LIMIT);
    content.read_to_end(&mut text).map_err(|source| ImageError::of_content(&inode.path, source))?;
    Ok(text)
}

/// Returns warnings: the host's list of what is always the image's does not hold for accounts.
fn always_image(config: &Config) -> Vec<String> {
    let lists = Lists::from_config(config);
    let listed = AccountFile::ALL.into_iter().filter(|file| lists.side(file.path()) == Some(Side::Image));
    let warning = |file: AccountFile| {
        format!(
            "etc: always-image in tiu.yaml names /{}, but accounts are merged by entry all the same",
            file.path()
        )
    };
    listed.map(warning).collect()
}

/// Returns the image's files of sysusers.d. A file that the administrator has in `/etc/sysusers.d`
/// is the host's, and masks the image's of that name: the new system reads it when it boots.
fn sysusers_files(
    incoming: IncomingImage,
    etc: &EtcMerge,
    warnings: &mut Vec<String>,
) -> Result<SysusersFiles, MergeError> {
    let name = |path: &TreePath, directory: &TreePath| {
        let name = path.strip_prefix(directory)?.as_bytes();
        sysusers::is_read(name).then(|| name.to_vec())
    };
    let theirs = etc.sides.host.keys().filter(|path| etc.merge.is_hosts(path));
    let mut seen: BTreeSet<Vec<u8>> = theirs.filter_map(|path| name(path, LOCAL)).collect();
    let mut asked = SysusersFiles::new();
    for directory in [LOCAL, VENDOR] {
        for entry in entries_at(incoming.index, directory) {
            let name = name(&entry.path, directory);
            let Some(name) = name.filter(|_| !etc.merge.is_hosts(&entry.path)) else {
                continue;
            };
            if !seen.insert(name.clone()) {
                continue;
            }
            let inode = incoming.index.inode_of(&entry);
            match (inode.kind, inode.target.as_deref()) {
                (Kind::File, _) => {
                    asked.insert(name, content(incoming.image, incoming.index, &entry)?);
                }
                // Asks for nothing.
                (Kind::Symlink, Some(b"/dev/null")) => {}
                (kind, _) => warnings.push(format!(
                    "/{} of the image is a {kind}, not a regular file: what it asks for is left to the new system",
                    entry.path
                )),
            }
        }
    }
    Ok(asked)
}

/// Lets systemd-sysusers make what is asked for; none if nothing is to be made.
fn make(
    own: &AccountFiles,
    asked: &SysusersFiles,
    update: &EtcUpdate,
    warnings: &mut Vec<String>,
) -> Result<Option<AccountFiles>, MergeError> {
    if asked.is_empty() || update.config.sysusers == crate::config::Sysusers::None {
        return Ok(None);
    }
    if let Err(missing) = find(&SYSUSERS) {
        warnings.push(format!(
            "{missing}: users and groups of the image's sysusers.d are left to the new system's first boot"
        ));
        return Ok(None);
    }
    match sysusers::run(own, asked, update.watch.cancel()) {
        Ok((made, complaints)) => {
            warnings.extend(complaints.into_iter().map(|line| format!("systemd-sysusers: {line}")));
            Ok(Some(made))
        }
        Err(e) => Err(e.into()),
    }
}

/// Returns the numbers of the owners of the image's files.
pub(crate) fn owner_numbers(index: &Index) -> UsedNumbers {
    let mut used = UsedNumbers::default();
    for entry in index.iter() {
        used.uids.insert(entry.uid);
        used.gids.insert(entry.gid);
        for (number, group) in
            entry.xattrs.iter().flat_map(|(name, value)| tiu_extract::acl_owners(name, value))
        {
            if group { &mut used.gids } else { &mut used.uids }.insert(number);
        }
    }
    used
}

fn attributes_of(inode: &Inode) -> Attributes {
    Attributes { mode: inode.mode, uid: inode.uid, gid: inode.gid, xattrs: inode.xattrs.clone() }
}

impl Accounts {
    /// Adds to `report` what there will be. `host` and `image` are the sides, in the host's
    /// numbers.
    pub fn add_to(&mut self, report: &mut EtcReport, host: &States, image: &States) {
        for (file, text) in &self.files {
            let path = file.path();
            let new = image.get(path).map_or_else(|| self.attributes(*file), attributes_of);
            let there = host.get(path).or_else(|| image.get(path));
            let like =
                there.map_or_else(|| InodeFacts::regular_file(new.mode, new.uid, new.gid), InodeFacts::from);
            report.set_result(path, InodeFacts { digest: Some(digest_bytes(text).to_string()), ..like });
            self.new.insert(*file, new);
        }
        report.accounts.clone_from(&self.notes);
    }

    /// Returns the attributes of a file that neither side has.
    fn attributes(&self, file: AccountFile) -> Attributes {
        let (mut mode, mut gid) = (MODE, 0);
        if matches!(file, AccountFile::Shadow | AccountFile::Gshadow) {
            let groups = self.files.get(&AccountFile::Group).map_or(&b""[..], Vec::as_slice);
            let table = accounts::Table::parse(AccountFile::Group, groups);
            gid = table.find(b"shadow").and_then(|(_, line)| line.number(2)).unwrap_or_default();
            mode = SECRET_MODE;
        }
        Attributes { mode, gid, ..Attributes::default() }
    }

    /// Writes the merged files into the filled target; those that are right stay as they are. The
    /// engine leaves all of them alone.
    ///
    /// A crash leaves an unfinished snapshot, as everywhere in fill.
    pub fn write(&self, tree: &Tree) -> Result<(), MergeError> {
        for (file, text) in &self.files {
            if tree.read(file.path(), LIMIT)?.is_none_or(|there| there != *text) {
                tree.replace(file.path(), text, self.new.get(file).unwrap_or(&Attributes::default()))?;
            }
        }
        Ok(())
    }

    /// Returns the merged content of `file`, or `None` if there will be no such file.
    pub fn content(&self, file: AccountFile) -> Option<&[u8]> {
        self.files.get(&file).map(Vec::as_slice)
    }

    /// Paths of the files that are neither side's, but merged.
    pub fn paths(&self) -> impl Iterator<Item = TreePathBuf> {
        self.files.keys().map(|file| file.path().to_owned())
    }

    /// In what the files in `tree` differ from what was decided.
    pub fn check(&self, tree: &Tree, report: &EtcReport) -> Result<Vec<Difference>, MergeError> {
        let mut differences = Vec::new();
        for file in self.files.keys() {
            let Some(expected) = report.decided(file.path()).and_then(|decided| decided.result.as_ref())
            else {
                continue;
            };
            let digest = tree.read(file.path(), LIMIT)?.map(|text| digest_bytes(&text).to_string());
            let stat = tree.stat(file.path());
            let mode = stat.map(|stat| format!("{:04o}", stat.st_mode & 0o7777));
            let owner = stat.map(|stat| format!("{}:{}", stat.st_uid, stat.st_gid));
            let pairs = [
                ("content", digest, expected.digest.clone()),
                ("mode", mode, expected.mode.clone()),
                ("owner", owner, Some(format!("{}:{}", expected.uid, expected.gid))),
            ];
            differences.extend(pairs.into_iter().filter(|(_, found, expected)| found != expected).map(
                |(what, found, expected)| Difference {
                    path: file.path().to_owned(),
                    what,
                    found: found.unwrap_or_else(|| "nothing".into()),
                    expected: expected.unwrap_or_default(),
                },
            ));
        }
        Ok(differences)
    }
}
