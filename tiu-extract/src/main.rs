//! The `tiu-extract` program.
mod command;

fn main() -> std::process::ExitCode {
    command::main()
}
