//! Packs a tree into a bundle. The content of each file is read once.
//!
//! The files' content digests are computed while the files stream into the squashfs writer. The
//! index with these digests is the last file of the stream. The hash tree, the manifest and the
//! signature follow. Everything is written to a temporary file in the directory of the result,
//! which gets its name when it is complete on the disk. A crash leaves the old file or the new one,
//! and at worst a file named `.NAME.XXXXXX`.

mod error;
mod reader;
mod squash;
mod stream;
mod tar;

pub use error::PackError;

use self::squash::Squash;
use crate::factory::{Loss, LossCount};
use crate::facts::{self, TreeFacts};
use crate::files::{self, beside, publish};
use crate::lost_flags::LostFlags;
use crate::plan::{self, LeftOut, PlanInput};
use crate::recipe::Recipe;
use crate::rules::{LeftOutReason, PackRules};
use crate::sign::{SignerWarning, SigningIdentity, read_back};
use crate::tree::{self, Root};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;
use tempfile::NamedTempFile;
use tiu_bundle::content_digest::Digest;
use tiu_bundle::hash_tree::{self, Salt};
use tiu_bundle::host_files;
use tiu_bundle::index::{IndexError, text_limit};
use tiu_bundle::manifest::{FORMAT, Manifest, Meta};
use tiu_bundle::read_at::FileSource;
use tiu_bundle::selinux::Unlabelled;
use tiu_bundle::{BLOCK_SIZE, bundle};
use tiu_system::glob::Glob;
use tiu_system::progress::{Progress, Watch};

/// The options of [`pack`].
pub struct Options {
    /// The tree.
    pub root: PathBuf,
    /// The bundle to write.
    pub out: PathBuf,
    /// The recipe.
    pub recipe: Recipe,
    /// Threads that compress.
    pub threads: usize,
    /// Time of the image in seconds since 1970. Nothing in it is younger.
    pub created: i64,
    /// True if a tree with files that belong to one host is refused, and a version that is only
    /// `VERSION_ID`. Otherwise such files are left out, and both are reported.
    pub strict: bool,
}

/// The result of [`pack`]. Sizes are in bytes.
#[derive(Clone, Debug)]
pub struct Packed {
    /// Its manifest.
    pub manifest: Manifest,
    /// Size of the bundle.
    pub bundle_size: u64,
    /// Size of the squashfs image.
    pub image_size: u64,
    /// Subject of the signer's certificate; `None` if the bundle is not signed yet.
    pub signer: Option<String>,
    /// The facts about the signature that its maker may not expect.
    pub signer_warnings: Vec<SignerWarning>,
    /// True if the version is `VERSION_ID`, because neither the recipe nor `IMAGE_VERSION` says
    /// one.
    pub shared_version: bool,
    /// The entries that are not in the image, by reason.
    pub left_out: BTreeMap<LeftOutReason, LeftOut>,
    /// The entries of the image that lie below mount points of its own fstab.
    pub at_mount_points: BTreeMap<Vec<u8>, LeftOut>,
    /// The properties of the defaults of `/var` that hosts do not get.
    pub var_losses: BTreeMap<Loss, LossCount>,
    /// The entries without a label, if the tree has a policy of SELinux.
    pub unlabelled: Option<Unlabelled>,
    /// Inode flags of the tree, which no index has.
    pub lost_flags: LostFlags,
    /// Patterns of the recipe that matched nothing.
    pub unused_patterns: Vec<String>,
    /// Mount points in the tree. Their content is not in the image.
    pub mounted: Vec<String>,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// Packs a tree. Without `identity` the bundle holds the bare manifest where the signature goes,
/// for [`UnsignedBundle`](crate::UnsignedBundle).
pub fn pack(
    options: &Options,
    identity: Option<&SigningIdentity>,
    watch: Watch,
) -> Result<Packed, PackError> {
    let start = Instant::now();
    let recipe = &options.recipe;
    let root = Root::open(&options.root)?;
    let facts = TreeFacts::read(&root, recipe)?;
    if options.strict && facts.shared_version {
        return Err(PackError::SharedVersion { version: facts.version });
    }
    // An error is found now rather than after minutes of packing.
    manifest(recipe, &facts, options.created, &Made::default())?.to_checked_text()?;
    let policy = recipe.policy()?;
    let rules = PackRules {
        exclude: recipe.globs()?,
        persistent: policy.persistent().to_vec(),
        factory_var: recipe.factory_var,
        identity: host_files::identity_patterns(),
        images: policy.always_image().iter().filter_map(|path| Glob::new(&format!("/{path}")).ok()).collect(),
        blank_machine_ids: facts::blank_machine_ids(&root)?,
    };
    let out = Output::new(&options.out, &options.root)?;

    let tree = tree::scan(&root, &rules, watch)?;
    let mounted = tree.mounted.iter().map(|path| crate::shown(path)).collect();
    let owners = facts::owners(&root)?;
    let mount_points = facts::mount_points(&root)?;
    let input = PlanInput {
        rules: &rules,
        newest: options.created,
        owners,
        mount_points,
        selinux: facts::selinux(&root)?,
        policy: policy.to_text(),
    };
    let mut plan = plan::plan(tree, &input)?;

    if options.strict
        && let Some(found) = plan.left_out.get(&LeftOutReason::Identity)
    {
        return Err(PackError::Identity {
            files: found.files,
            first: found.first.iter().map(|path| format!("/{}", crate::shown(path))).collect(),
        });
    }

    let squash = Squash::start(
        &recipe.compression,
        options.threads,
        options.created,
        out.file.path(),
        watch.cancel(),
    )?;
    let left_out = std::mem::take(&mut plan.left_out);
    let at_mount_points = std::mem::take(&mut plan.at_mount_points);
    let var_losses = std::mem::take(&mut plan.var_losses);
    let unlabelled = plan.unlabelled.take();
    let unused_patterns =
        plan.unused_patterns.iter().filter_map(|i| recipe.exclude.get(*i).cloned()).collect();
    let index = stream::stream(&root, plan, squash, options.created, watch)
        .map_err(|e| out.or_full(e, recipe.compression.block_size.0))?;

    let mut made = Made { files: index.entries, size: index.size, index_digest: index.digest, ..out.pad()? };
    made.salt = salt(&made.index_digest);
    let limit = text_limit(index.entries, hash_tree::tree_size(made.image_size));
    if index.text_size > limit {
        return Err(IndexError::TooLarge { limit }.into());
    }
    out.hash(&mut made, watch.progress())?;
    watch.check()?;
    let manifest = manifest(recipe, &facts, options.created, &made)?;
    let text = manifest.to_checked_text()?;
    let (tail, signer, signer_warnings) = match identity {
        Some(identity) => {
            let cms = identity.sign(text.as_bytes())?;
            let (signed, warnings) = identity.hosts().judge_signature(&cms)?;
            (cms, Some(signed.signer.subject), warnings)
        }
        None => (text.into_bytes(), None, Vec::new()),
    };
    let bundle_size = out.finish(&tail, signer.is_some())?;
    Ok(Packed {
        manifest,
        bundle_size,
        image_size: made.image_size,
        signer,
        shared_version: facts.shared_version,
        signer_warnings,
        left_out,
        at_mount_points,
        var_losses,
        unlabelled,
        lost_flags: index.lost_flags,
        unused_patterns,
        mounted,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// The manifest's values that packing finds.
#[derive(Clone, Copy)]
struct Made {
    files: u64,
    size: u64,
    index_digest: Digest,
    salt: Salt,
    root_hash: Digest,
    image_size: u64,
    tree_size: u64,
}

impl Default for Made {
    /// Returns values that a manifest can have.
    fn default() -> Self {
        let digest = Digest([0; 32]);
        Made {
            files: 1,
            size: 0,
            index_digest: digest,
            salt: [0; 32],
            root_hash: digest,
            image_size: 2 * BLOCK_SIZE as u64,
            tree_size: BLOCK_SIZE as u64,
        }
    }
}

fn manifest(recipe: &Recipe, facts: &TreeFacts, created: i64, made: &Made) -> Result<Manifest, PackError> {
    let created = time::OffsetDateTime::from_unix_timestamp(created)
        .ok()
        .and_then(|time| time.format(&time::format_description::well_known::Rfc3339).ok())
        .ok_or(PackError::Created { found: created.to_string() })?;
    Ok(Manifest {
        compatible: recipe.compatible.clone(),
        version: facts.version.clone(),
        description: recipe.description.clone(),
        build: facts.build.clone(),
        verity_hash: made.root_hash,
        verity_salt: made.salt,
        verity_size: made.tree_size,
        tiu: Meta {
            format: FORMAT,
            arch: facts.arch.clone(),
            os_id: facts.os_id.clone(),
            kernel: facts.kernel.clone(),
            files: made.files,
            size: made.size,
            index_digest: made.index_digest,
            created,
            min_version: recipe.min_version.clone(),
        },
    })
}

/// The hash tree's salt. It must differ between images, so that work to find a colliding block for
/// one is of no use for another. It does not have to be secret. The index's digest covers every
/// byte of the image's files, so what is derived from it differs as a random number would, and the
/// same input gives the same bundle.
fn salt(index: &Digest) -> Salt {
    openssl::sha::sha256(&[b"tiu hash tree salt 1\n", index.0.as_slice()].concat())
}

/// The bundle while it is written.
struct Output {
    file: NamedTempFile,
    /// As it was given.
    path: PathBuf,
    /// The file that it names.
    target: PathBuf,
}

impl Output {
    fn new(path: &Path, root: &Path) -> Result<Self, PackError> {
        let fail = |source| PackError::Write { path: path.to_owned(), source };
        let target = files::output(path)?;
        let folder = files::parent_directory(&target);
        let (inside, outside) = (folder.canonicalize().map_err(fail)?, root.canonicalize().map_err(fail)?);
        if inside.starts_with(&outside) {
            return Err(PackError::InsideTree { path: path.to_owned(), root: root.to_owned() });
        }
        Ok(Output { file: beside(&target).map_err(fail)?, path: path.to_owned(), target })
    }

    fn fail(&self) -> impl Fn(std::io::Error) -> PackError + '_ {
        |source| PackError::Write { path: self.path.clone(), source }
    }

    /// The squashfs writer only reports "I/O error" when the disk is full; this examines the disk.
    fn or_full(&self, error: PackError, block_size: u32) -> PackError {
        let room =
            rustix::fs::fstatvfs(self.file.as_file()).map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize));
        match error {
            PackError::Program(_) if room.is_ok_and(|room| room < 2 * u64::from(block_size)) => {
                self.fail()(std::io::ErrorKind::StorageFull.into())
            }
            other => other,
        }
    }

    /// Fills the image up to whole blocks, at least two: a hash tree of fewer blocks has no level.
    fn pad(&self) -> Result<Made, PackError> {
        let file = self.file.as_file();
        let size = file.metadata().map_err(self.fail())?.len();
        let image_size = size.next_multiple_of(BLOCK_SIZE as u64).max(2 * BLOCK_SIZE as u64);
        file.set_len(image_size).map_err(self.fail())?;
        Ok(Made { image_size, ..Made::default() })
    }

    /// Appends the hash tree.
    fn hash(&self, made: &mut Made, progress: &dyn Progress) -> Result<(), PackError> {
        let fail = self.fail();
        let source = FileSource::new(self.file.as_file().try_clone().map_err(&fail)?).map_err(&fail)?;
        let mut end: &File = self.file.as_file();
        end.seek(SeekFrom::Start(made.image_size)).map_err(&fail)?;
        let mut out = BufWriter::with_capacity(1 << 20, end);
        made.root_hash =
            hash_tree::build(&source, made.image_size, &made.salt, &mut out, progress).map_err(&fail)?;
        out.flush().map_err(&fail)?;
        made.tree_size = hash_tree::tree_size(made.image_size);
        Ok(())
    }

    /// Appends the signed (or the bare) manifest, makes everything durable, and gives the bundle
    /// its name. What was signed is read back first. Returns its size in bytes.
    fn finish(self, tail: &[u8], signed: bool) -> Result<u64, PackError> {
        let fail = |source| PackError::Write { path: self.path.clone(), source };
        let mut file: &File = self.file.as_file();
        file.seek(SeekFrom::End(0)).map_err(fail)?;
        bundle::append(file, tail)?;
        let size = file.metadata().map_err(fail)?.len();
        if signed {
            read_back(file, tail)?;
        }
        publish(self.file, &self.target).map_err(fail)?;
        Ok(size)
    }
}
