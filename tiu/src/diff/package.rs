//! Installed packages and their package manager.

use serde::Serialize;

/// The package manager of a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageManager {
    /// dpkg(1).
    Dpkg,
    /// rpm(8).
    Rpm,
}

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Architecture, as the manager names it.
    pub arch: String,
    /// `[epoch:]version[-release]`.
    pub version: String,
}
/// The installed packages of a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageDatabase {
    /// The package manager.
    pub manager: PackageManager,
    /// Packages, in any order.
    pub packages: Vec<Package>,
}
