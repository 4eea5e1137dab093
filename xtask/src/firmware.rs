//! `cargo xtask firmware`: the crates that modules' firmware holds are built for the modules' processors, and each board's
//! image as a whole, which must stay within its size. Called by `check` and by people.
//!
//! Uses the toolchain's own targets where they are installed, else a compiler of the system that brings its sources
//! (Debian: `rustc-web`, `cargo-web`, `rust-web-src`, and `lld` of its LLVM), else says that it was skipped.

mod board;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::shell;

/// ESP32-C3's and STM32F4's.
const TARGETS: &[&str] = &["riscv32imc-unknown-none-elf", "thumbv7em-none-eabihf"];

/// What goes into firmware.
const CRATES: &[&str] = &["wire", "link", "device"];

/// Where Debian has its compiler.
const SYSTEM: &str = "/usr/bin";

/// A compiler of another version must not rebuild what is there.
fn target_folder() -> PathBuf {
    shell::root().join("target/firmware")
}

/// Builds crates, which need no linker, and boards.
///
/// # Errors
/// A crate does not build: it uses std, or something that a module does not have; or a board's image is too large.
pub(crate) fn run() -> Result<()> {
    for target in TARGETS {
        let Some(toolchain) = Toolchain::of(target) else {
            skip(target);
            continue;
        };
        let mut command = toolchain.build();
        command.arg("--target").arg(target);
        command.args(CRATES.iter().flat_map(|name| ["--package", name]));
        command.arg("--no-default-features");
        if toolchain.is_system {
            command.arg("-Zbuild-std=core,alloc");
        }
        shell::run(&mut command)?;
    }
    for board in board::ALL {
        match Toolchain::of(board.target) {
            Some(toolchain) if toolchain.can_link() => board.build(&toolchain)?,
            _ => skip(board.name),
        }
    }
    Ok(())
}

fn skip(what: &str) {
    let targets = TARGETS.join(" ");
    let how = format!("rustup target add {targets}; on Debian see .ci/run");
    eprintln!("$ cargo build ({what})\nskipped: no compiler, core library or linker for it; {how}");
}

/// A cargo that can build for a module's processor.
struct Toolchain {
    /// It is not the one that builds everything else, and builds the core library itself.
    is_system: bool,
}

impl Toolchain {
    fn of(target: &str) -> Option<Self> {
        let core = |sysroot: &str| Path::new(sysroot).join("lib/rustlib").join(target).is_dir();
        let own = shell::output(Command::new("rustc").args(["--print", "sysroot"])).ok()?;
        if core(own.trim()) {
            return Some(Self { is_system: false });
        }
        let mut rustc = Command::new(Path::new(SYSTEM).join("rustc"));
        let sysroot = shell::output(rustc.args(["--print", "sysroot"])).ok()?;
        let sources = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core");
        let is_there = core(sysroot.trim()) || sources.is_dir();
        is_there.then_some(Self { is_system: true })
    }

    /// rustup's toolchains bring their linker; the system's is that of the LLVM it was built with.
    fn can_link(&self) -> bool {
        if !self.is_system {
            return true;
        }
        let mut rustc = Command::new(Path::new(SYSTEM).join("rustc"));
        let Ok(version) = shell::output(rustc.arg("-vV")) else {
            return false;
        };
        let mut lines = version.lines();
        let llvm = lines.find_map(|line| line.strip_prefix("LLVM version: "));
        let major = llvm.and_then(|llvm| llvm.split('.').next());
        let lld = major.map(|major| Path::new(SYSTEM).join(format!("ld.lld-{major}")));
        lld.is_some_and(|lld| lld.is_file())
    }

    /// `cargo build` into the folder of firmware.
    fn build(&self) -> Command {
        let mut command = if self.is_system {
            let mut command = Command::new(Path::new(SYSTEM).join("cargo"));
            let rustc = Path::new(SYSTEM).join("rustc");
            command.arg("build").env("RUSTC", rustc);
            command
                .env("RUSTC_BOOTSTRAP", "1")
                .env_remove("RUSTUP_TOOLCHAIN")
                .current_dir(shell::root());
            command
        } else {
            shell::cargo(["build"])
        };
        command
            .args(["--locked", "--target-dir"])
            .arg(target_folder());
        command
    }
}
