//! One request to a web server: redirects, time-outs, and what an answer must be.

mod answer;
mod client;
mod error;
mod pace;
mod retry;

pub(crate) use client::{Answer, Client, Wanted};
pub use error::FetchError;
pub(crate) use retry::Retry;
