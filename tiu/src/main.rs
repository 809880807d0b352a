//! The `tiu` program.
#![forbid(unsafe_code)]

mod command;

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(command::main())
}
