//! What a person can do about an error.

/// Errors that a user can meet say what to do next.
///
/// `Display` tells what happened with the found and the expected value; `hint` tells the next step.
pub trait Hint: std::error::Error {
    /// One sentence for the person at the terminal, or `None` when there is nothing useful to add.
    fn hint(&self) -> Option<String>;
}
