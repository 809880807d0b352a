//! The crates of the workspace, as cargo knows them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::read::Root;

/// The workspace.
#[derive(Debug)]
pub struct Workspace {
    /// The directory of its Cargo.toml.
    pub directory: PathBuf,
    /// Its crates, by name.
    pub packages: Vec<Package>,
}

/// A crate of the workspace.
#[derive(Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its directory, relative to the workspace's.
    pub directory: PathBuf,
    /// Its library, then its programs; relative to the workspace's directory.
    pub roots: Vec<Root>,
    /// The crates of the workspace that its library or programs need (not its tests alone).
    pub needs: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<MetadataTarget>,
    dependencies: Vec<MetadataDependency>,
}

#[derive(Deserialize)]
struct MetadataTarget {
    name: String,
    kind: Vec<String>,
    src_path: PathBuf,
}

#[derive(Deserialize)]
struct MetadataDependency {
    name: String,
    kind: Option<String>,
    path: Option<PathBuf>,
}

/// Asks cargo for the workspace of the given manifest, or of the current directory's.
pub fn read(manifest: Option<&Path>) -> Result<Workspace, String> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(["metadata", "--format-version", "1", "--no-deps"]);
    if let Some(manifest) = manifest {
        command.arg("--manifest-path").arg(manifest);
    }
    let output = command.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo metadata failed ({}): {}", output.status, errors.trim_end()));
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    Ok(from_metadata(metadata))
}

fn from_metadata(metadata: Metadata) -> Workspace {
    let directory = metadata.workspace_root;
    let inside = |path: &Path| path.strip_prefix(&directory).unwrap_or(path).to_owned();
    let mut packages: Vec<Package> = metadata
        .packages
        .iter()
        .map(|package| Package {
            name: package.name.clone(),
            directory: inside(package.manifest_path.parent().unwrap_or(Path::new(""))),
            roots: roots(&package.targets, inside),
            needs: package
                .dependencies
                .iter()
                .filter(|need| need.path.is_some() && need.kind.as_deref() != Some("dev"))
                .map(|need| need.name.clone())
                .collect(),
        })
        .collect();
    packages.sort_by_cached_key(|package| package.name.clone());
    Workspace { directory, packages }
}

fn roots(targets: &[MetadataTarget], inside: impl Fn(&Path) -> PathBuf) -> Vec<Root> {
    let mut roots = Vec::new();
    for target in targets {
        let is_library = target.kind.iter().any(|kind| kind == "lib" || kind == "proc-macro");
        if is_library {
            let library = Some(target.name.replace('-', "_"));
            roots.insert(0, Root { library, path: inside(&target.src_path) });
        } else if target.kind.iter().any(|kind| kind == "bin") {
            roots.push(Root { library: None, path: inside(&target.src_path) });
        }
    }
    roots
}
