//! The runner process by itself.

fn main() -> std::process::ExitCode {
    runner::main(&std::env::args_os().skip(1).collect::<Vec<_>>())
}
