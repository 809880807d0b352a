//! The `tiu-create` program.
mod command;

fn main() -> std::process::ExitCode {
    command::main()
}
