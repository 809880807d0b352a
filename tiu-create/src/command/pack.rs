//! `tiu-create pack`: packs a root tree into a bundle.

use super::name::NAME;
use super::signer::SignerArguments;
use serde_json::json;
use std::path::PathBuf;
use tiu_cli::{CommandResult, CommonArguments, ProgressMode, SecondSignal, cancel_on_signals, exit};
use tiu_create::{LeftOut, LeftOutReason, Options, PackError, Packed, Recipe, pack};
use tiu_system::progress::Watch;
use tiu_system::text::bytes;

/// Pack a root tree into a bundle
///
/// The tree is read once and never changed. Directories of the running kernel and of the host are
/// left out (/proc, /home, ...). /var becomes defaults for the parts that a host's own /var lacks.
/// The same tree, recipe and SOURCE_DATE_EPOCH produce the same bytes up to the signature.
#[derive(clap::Args)]
#[command(after_help = "Example:
  tiu-create pack --recipe bundle.yaml --cert keys/signer.cert.pem \\
      --key keys/signer.key.pem root/ example-1.tiu")]
pub struct PackArguments {
    /// Recipe, which describes the image (see examples/bundle.yaml)
    #[arg(long, value_name = "FILE")]
    recipe: PathBuf,
    #[command(flatten)]
    signer: SignerArguments,
    /// Leave the signature to `tiu-create sign`
    #[arg(long, conflicts_with = "cert", required_unless_present = "cert")]
    unsigned: bool,
    /// Version of the image, instead of the one in the recipe or in the tree
    #[arg(long, value_name = "VERSION")]
    image_version: Option<String>,
    /// Refuse a tree with files of one host (machine ID, SSH host keys and similar), and a version
    /// that comes from VERSION_ID of os-release
    #[arg(long)]
    strict: bool,
    /// Number of threads that compress [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Form of the progress on standard error
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    progress: ProgressMode,
    /// Directory that holds the system
    root: PathBuf,
    /// Bundle to write; replaced as a whole if it exists
    out: PathBuf,
}

impl PackArguments {
    pub fn run(self, common: &CommonArguments) -> CommandResult {
        let cancel = cancel_on_signals(SecondSignal::Ends)?;
        let mut recipe = Recipe::read(&self.recipe)?;
        recipe.version = self.image_version.or(recipe.version);
        // Before anybody is asked for a passphrase.
        tiu_create::check_output(&self.out, self.signer.files().chain([&*self.recipe]))?;
        let created = created(std::env::var_os("SOURCE_DATE_EPOCH"))?;
        let identity = self.signer.load()?;
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        let options = Options {
            root: self.root,
            out: self.out,
            recipe,
            threads: self.threads.map_or_else(processors, usize::from),
            created,
            strict: self.strict,
        };
        let progress = tiu_cli::progress(self.progress);
        let packed = pack(&options, identity.as_ref(), Watch::new(&*progress, cancel))?;
        if !common.json {
            warnings(&options.recipe, &packed).iter().for_each(|text| tiu_cli::warn(NAME, text));
        }
        common.print_done(NAME, &document(&options, &packed), || summary(&options, &packed));
        Ok(exit::DONE)
    }
}

/// Returns the time of the build in seconds since 1970: `epoch`, the value of `SOURCE_DATE_EPOCH`,
/// or now.
///
/// Source: <https://reproducible-builds.org/specs/source-date-epoch/>.
fn created(epoch: Option<std::ffi::OsString>) -> Result<i64, PackError> {
    let now =
        || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |t| t.as_secs());
    match epoch {
        // A squashfs has 32 bits for times.
        Some(text) => text
            .to_str()
            .and_then(|text| text.parse::<u32>().ok())
            .map(i64::from)
            .ok_or_else(|| PackError::Created { found: text.to_string_lossy().into_owned() }),
        None => Ok(i64::from(u32::try_from(now()).unwrap_or(u32::MAX))),
    }
}

fn reason_name(reason: LeftOutReason, recipe: &Recipe) -> String {
    match reason {
        LeftOutReason::Runtime => "runtime".to_owned(),
        LeftOutReason::Builder => "builder".to_owned(),
        LeftOutReason::Identity => "identity".to_owned(),
        LeftOutReason::LostFound => "lost+found".to_owned(),
        LeftOutReason::Snapshots => "snapshots".to_owned(),
        LeftOutReason::ClientState => "client-state".to_owned(),
        LeftOutReason::Host(directory) => directory.absolute().to_string(),
        LeftOutReason::Persistent(i) => persistent(recipe, i),
        LeftOutReason::Excluded(i) => recipe.exclude.get(i).cloned().unwrap_or_default(),
        LeftOutReason::Var => "/var".to_owned(),
    }
}

/// Returns the recipe's persistent directory number `i`, as the rules count them.
fn persistent(recipe: &Recipe, i: usize) -> String {
    let path = recipe.persistent().ok().and_then(|paths| paths.get(i).cloned());
    path.map(|path| path.absolute().to_string()).unwrap_or_default()
}

fn paths(left: &LeftOut) -> Vec<String> {
    left.first.iter().map(|path| format!("/{}", tiu_create::shown(path))).collect()
}

fn first_few(left: &LeftOut) -> String {
    let more = if left.files > left.first.len() as u64 { ", ..." } else { "" };
    paths(left).join(", ") + more
}

/// Returns the document of `--json`.
fn document(options: &Options, packed: &Packed) -> serde_json::Value {
    let manifest = &packed.manifest;
    let left_out = packed.left_out.iter().map(|(reason, left)| {
        json!({
            "reason": reason_name(*reason, &options.recipe),
            "files": left.files,
            "bytes": left.bytes,
            "first": paths(left).first(),
            "paths": paths(left),
        })
    });
    let at_mount_points = packed.at_mount_points.iter().map(|(path, left)| {
        json!({
            "path": format!("/{}", tiu_create::shown(path)),
            "files": left.files,
            "bytes": left.bytes,
            "paths": paths(left),
        })
    });
    let var_losses = packed.var_losses.iter().map(|(loss, lost)| {
        json!({
            "what": loss.key(),
            "entries": lost.entries,
            "first": format!("/var/{}", tiu_create::shown(&lost.first)),
        })
    });
    let lost_flags = packed.lost_flags.iter().map(|(flag, lost)| {
        json!({
            "flag": flag.letter.to_string(),
            "name": flag.name,
            "files": lost.files,
            "bytes": lost.bytes,
            "paths": paths(lost),
        })
    });
    json!({
        "bundle": options.out.to_string_lossy(),
        "compatible": manifest.compatible,
        "image_version": manifest.version,
        "build": manifest.build,
        "arch": manifest.tiu.arch,
        "os_id": manifest.tiu.os_id,
        "kernel": manifest.tiu.kernel,
        "created": manifest.tiu.created,
        "files": manifest.tiu.files,
        "size": manifest.tiu.size,
        "image_size": packed.image_size,
        "bundle_size": packed.bundle_size,
        "root_hash": manifest.verity_hash.to_string(),
        "index_digest": manifest.tiu.index_digest.to_string(),
        "signer": packed.signer,
        "signer_warnings": packed.signer_warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "seconds": packed.seconds,
        "left_out": left_out.collect::<Vec<_>>(),
        "at_mount_points": at_mount_points.collect::<Vec<_>>(),
        "var_losses": var_losses.collect::<Vec<_>>(),
        "unlabelled": packed.unlabelled.as_ref().map(|unlabelled| json!({
            "entries": unlabelled.entries,
            "first": unlabelled.first.absolute().to_string(),
        })),
        "lost_flags": lost_flags.collect::<Vec<_>>(),
        "unused_patterns": packed.unused_patterns,
        "mounted": packed.mounted,
    })
}

fn summary(options: &Options, packed: &Packed) -> String {
    let manifest = &packed.manifest;
    let optional = |before: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!("{before}{value}")).unwrap_or_default()
    };
    let percent = packed.bundle_size.saturating_mul(100).checked_div(manifest.tiu.size).unwrap_or(100);
    let signed = match &packed.signer {
        Some(signer) => format!("signed by {signer}"),
        None => "not signed yet: run `tiu-create sign`".to_owned(),
    };
    format!(
        "{}: version {}{} for {}\n  {} {}{}, {} files of {}\n  {} ({percent} %) in {:.1} s, root hash {}\n  {signed}\n",
        options.out.display(),
        manifest.version,
        optional(" build ", &manifest.build),
        manifest.compatible,
        manifest.tiu.os_id,
        manifest.tiu.arch,
        optional(", kernel ", &manifest.tiu.kernel),
        manifest.tiu.files,
        bytes(manifest.tiu.size),
        bytes(packed.bundle_size),
        packed.seconds,
        manifest.verity_hash,
    )
}

/// Returns a text for each fact that the builder of an image may not expect.
fn warnings(recipe: &Recipe, packed: &Packed) -> Vec<String> {
    let mut texts: Vec<String> = packed.signer_warnings.iter().map(ToString::to_string).collect();
    if packed.shared_version {
        texts.push(format!(
            "version {} is VERSION_ID of os-release, which many images share: give each image its own in the recipe \
             (`version: \"...\"`) or in IMAGE_VERSION; if that is intended, set `version-from: VERSION_ID`",
            packed.manifest.version
        ));
    }
    for (reason, left) in &packed.left_out {
        let why = match reason {
            LeftOutReason::Host(directory) => format!("{} belongs to the host", directory.absolute()),
            LeftOutReason::Persistent(i) => {
                format!("{} is persistent and belongs to the host", persistent(recipe, *i))
            }
            LeftOutReason::Identity => "these belong to one host, and an image is for many".to_owned(),
            LeftOutReason::Var => "/var is left out, as the recipe says".to_owned(),
            _ => continue,
        };
        texts.push(format!(
            "{why}: {} files ({}) are not in the image: {}",
            left.files,
            bytes(left.bytes),
            first_few(left)
        ));
    }
    for (path, left) in &packed.at_mount_points {
        texts.push(format!(
            "/{} is a mount point in the tree's own fstab: hosts that mount something there do not get {} files \
             ({}) of the image: {}",
            tiu_create::shown(path),
            left.files,
            bytes(left.bytes),
            first_few(left)
        ));
    }
    for (loss, lost) in &packed.var_losses {
        texts.push(format!(
            "/var reaches hosts through tmpfiles.d(5), which cannot express everything: {loss}: {} in \
             total, the first is /var/{}",
            lost.entries,
            tiu_create::shown(&lost.first)
        ));
    }
    if let Some(unlabelled) = &packed.unlabelled {
        let what = match unlabelled.entries {
            1 => "1 file or directory has".to_owned(),
            n => format!("{n} files and directories have"),
        };
        texts.push(format!(
            "the tree has an SELinux policy, but {what} no label ({}), and hosts with SELinux refuse the \
             image: the first is {}; run setfiles on the tree before it is packed",
            tiu_bundle::selinux::LABEL,
            unlabelled.first.absolute()
        ));
    }
    for (flag, lost) in &packed.lost_flags {
        texts.push(format!(
            "images do not keep inode flags: {} files and directories lose the flag {} ({}) on hosts: {}",
            lost.files,
            flag.letter,
            flag.name,
            first_few(lost)
        ));
    }
    let unused = packed.unused_patterns.iter();
    texts.extend(unused.map(|pattern| format!("the recipe's exclude pattern {pattern} matches nothing")));
    let mounted = packed.mounted.iter();
    texts.extend(
        mounted.map(|path| format!("something is mounted on /{path} in the tree: it is not in the image")),
    );
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_build() {
        assert_eq!(created(Some("1700000000".into())).expect("a time"), 1_700_000_000);
        for bad in ["", "-1", "x", "4294967296", "1.5"] {
            let error = created(Some(bad.into())).expect_err("no time");
            assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
        }
        assert!(created(None).expect("now") > 1_700_000_000);
    }
}
