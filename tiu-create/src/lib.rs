//! Packs a root tree into a signed tiu bundle.
//!
//! - [`pack()`] makes a bundle of a tree, as a [`Recipe`] says. It reads the tree's metadata once,
//!   decides on data alone what the image will hold, and carries that out in one pass through
//!   the files' content. [`Packed`] reports what was packed and what was left out.
//! - [`UnsignedBundle`] is a bundle to be signed or signed again, with a [`SigningIdentity`] or
//!   with a signature that was made elsewhere.
//! - [`keygen()`] makes keys for development.
//!
//! # Examples
//!
//! Packs a tree without a signature:
//!
//! ```no_run
//! use tiu_create::{Options, Recipe, pack};
//! use tiu_system::progress::Watch;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = Options {
//!     root: "image-root".into(),
//!     out: "system-1.tiu".into(),
//!     recipe: Recipe::read("bundle.yaml".as_ref())?,
//!     threads: 4,
//!     created: 1_767_225_600, // 2026-01-01T00:00:00Z
//!     strict: false,
//! };
//! let packed = pack(&options, None, Watch::silent())?;
//! println!("version {}, {} bytes", packed.manifest.version, packed.bundle_size);
//! # Ok(())
//! # }
//! ```
//!
//! Reads a recipe:
//!
//! ```
//! use tiu_create::Recipe;
//! use tiu_system::path::TreePath;
//!
//! let text = "compatible: example\npersistent: [/data]\n";
//! let recipe = Recipe::parse(text, "bundle.yaml".as_ref())?;
//! assert_eq!(recipe.persistent()?, [TreePath::literal("data").to_owned()]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod factory;
mod facts;
mod files;
mod keygen;
mod lost_flags;
mod pack;
mod plan;
mod recipe;
mod rules;
mod sign;
mod tree;

pub use factory::{Loss, LossCount, TMPFILES_PATH};
pub use facts::FactsError;
pub use files::OutputError;
pub use keygen::{FILES as KEY_FILES, KeygenError, keygen};
pub use lost_flags::LostFlags;
pub use pack::{Options, PackError, Packed, pack};
pub use plan::{LeftOut, PlanError};
pub use recipe::{BlockSize, Compression, Compressor, EtcLists, Recipe, RecipeError, VersionFrom};
pub use rules::LeftOutReason;
pub use sign::{Hosts, KeySource, Secret, SignError, SignerWarning, SigningIdentity, UnsignedBundle};
pub use tiu_system::text::printable_bytes as shown;
pub use tree::{Flag, ScanError};

/// Checks that an output named `path` would make or replace a regular file, and none of `inputs`,
/// which the command reads.
pub fn check_output<'a>(
    path: &std::path::Path,
    inputs: impl IntoIterator<Item = &'a std::path::Path>,
) -> Result<(), OutputError> {
    files::output(path)?;
    files::check_inputs(path, inputs)
}
