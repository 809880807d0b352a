//! The `tiu-extract` program.
fn main() -> std::process::ExitCode {
    tiu_extract::command::main()
}
