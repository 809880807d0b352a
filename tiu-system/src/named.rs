//! Values that have the same names in configuration files and on command lines.
//!
//! ```
//! use tiu_system::named::Named;
//!
//! #[derive(Clone, Copy, Debug, PartialEq)]
//! enum Color {
//!     Red,
//!     Blue,
//! }
//!
//! impl Named for Color {
//!     const NAMES: &'static [(Self, &'static str, &'static str)] =
//!         &[(Color::Red, "red", "As of roses"), (Color::Blue, "blue", "As of violets")];
//! }
//!
//! assert_eq!(Color::from_name("blue"), Some(Color::Blue));
//! assert_eq!(Color::Red.name(), "red");
//! ```

/// A value with a fixed set of names.
pub trait Named: Copy + PartialEq + Send + Sync + 'static {
    /// Every value, its name, and one line of help.
    const NAMES: &'static [(Self, &'static str, &'static str)];

    /// Returns the value that is called `name`.
    fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, found, _)| *found == name).map(|(value, _, _)| *value)
    }

    /// Returns the value's name. Every value must be in [`NAMES`](Self::NAMES).
    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(value, _, _)| *value == self).map_or("", |(_, name, _)| name)
    }
}
