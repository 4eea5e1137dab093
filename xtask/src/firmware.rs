//! `cargo xtask firmware`: the crates that modules' firmware holds are built for the modules' processors. Called by
//! `check` and by people.
//!
//! Uses the toolchain's own targets where they are installed, else a compiler of the system that brings its sources
//! (Debian: `rustc-web`, `cargo-web`, `rust-web-src`), else says that it was skipped.

use std::{path::Path, process::Command};

use anyhow::Result;

use crate::shell;

/// ESP32-C3's and STM32F4's.
const TARGETS: &[&str] = &["riscv32imc-unknown-none-elf", "thumbv7em-none-eabihf"];

/// What goes into firmware.
const CRATES: &[&str] = &["wire", "link", "device"];

/// Where Debian has its compiler.
const SYSTEM: &str = "/usr/bin";

/// Builds them; libraries need no linker.
///
/// # Errors
/// A crate does not build: it uses std, or something that a module does not have.
pub(crate) fn run() -> Result<()> {
    for target in TARGETS {
        let Some(mut command) = compiler(target) else {
            let how = "rustup target add riscv32imc-unknown-none-elf thumbv7em-none-eabihf";
            eprintln!("$ cargo build --target {target}\nskipped: no core library for it; {how}");
            continue;
        };
        command.args(["--locked", "--target", target]);
        command.args(CRATES.iter().flat_map(|name| ["--package", name]));
        command.arg("--no-default-features");
        // A compiler of another version must not rebuild what is there.
        command.args(["--target-dir", "target/firmware"]);
        shell::run(&mut command)?;
    }
    Ok(())
}

/// A cargo that can build for this target.
fn compiler(target: &str) -> Option<Command> {
    let core = |sysroot: &str| Path::new(sysroot).join("lib/rustlib").join(target).is_dir();
    let own = shell::output(Command::new("rustc").args(["--print", "sysroot"])).ok()?;
    if core(own.trim()) {
        return Some(shell::cargo(["build"]));
    }
    let rustc = Path::new(SYSTEM).join("rustc");
    let sysroot = shell::output(Command::new(&rustc).args(["--print", "sysroot"])).ok()?;
    let sources = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core");
    if !core(sysroot.trim()) && !sources.is_dir() {
        return None;
    }
    let mut command = Command::new(Path::new(SYSTEM).join("cargo"));
    command.current_dir(shell::root()).env("RUSTC", rustc);
    command
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTUP_TOOLCHAIN");
    command.args(["build", "-Zbuild-std=core,alloc"]);
    Some(command)
}
