//! The `tiu-create` program.
#![forbid(unsafe_code)]

mod command;

fn main() -> std::process::ExitCode {
    tiu_cli::main::<command::Cli>()
}
