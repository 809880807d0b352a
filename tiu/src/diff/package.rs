//! Installed packages, and who installed them.

use serde::Serialize;

/// Who installed a system's packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Manager {
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
/// What is installed in a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Who installed it.
    pub manager: Manager,
    /// Packages, in any order.
    pub packages: Vec<Package>,
}
