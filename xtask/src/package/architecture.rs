//! Architectures other than this machine's: what builds for them, and what runs what was built.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::shell;

/// An architecture of Debian that this machine need not have.
pub(crate) struct Architecture {
    /// As Debian calls it.
    pub(super) debian: &'static str,
    /// As Rust calls it.
    target: &'static str,
    /// Cargo's variable for what links it.
    linker_variable: &'static str,
    linker: &'static str,
    /// What runs its programs, and where the libraries of that are.
    emulator: [&'static str; 3],
    /// Where all of this is.
    packages: &'static str,
}

const ARCHITECTURES: &[Architecture] = &[Architecture {
    debian: "arm64",
    target: "aarch64-unknown-linux-gnu",
    linker_variable: "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER",
    linker: "aarch64-linux-gnu-gcc",
    emulator: ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"],
    packages: "gcc-aarch64-linux-gnu and qemu-user",
}];

impl Architecture {
    /// The one that the options of the command name; `None`: this machine's.
    ///
    /// # Errors
    /// What they say is not known.
    pub(crate) fn parse(options: &[&str]) -> Result<Option<&'static Self>> {
        let known = || {
            let names = ARCHITECTURES.iter().map(|row| row.debian);
            names.collect::<Vec<_>>().join(", ")
        };
        match options {
            [] => Ok(None),
            ["--arch", name] => {
                let found = ARCHITECTURES.iter().find(|row| row.debian == *name);
                let found = found.with_context(|| {
                    format!(
                        "`{name}`: known are {}; without --arch it is this machine's",
                        known()
                    )
                })?;
                Ok(Some(found))
            }
            _ => bail!(
                "package takes --arch NAME and nothing else; known are {}",
                known()
            ),
        }
    }

    /// Looks whether this machine can build for it.
    pub(super) fn prepare(&self) -> Result<()> {
        for program in [self.linker, self.emulator[0]] {
            let version = shell::output(Command::new(program).arg("--version"));
            version
                .with_context(|| format!("{program} is in Debian's packages {}", self.packages))?;
        }
        shell::run(Command::new("rustup").args(["target", "add", self.target]))
    }

    pub(super) fn build_with(&self, cargo: &mut Command) {
        cargo.args(["--target", self.target]);
        cargo.env(self.linker_variable, self.linker);
    }

    /// Runs a program of it.
    pub(super) fn emulate(&self, program: &Path) -> Command {
        let [emulator, arguments @ ..] = self.emulator;
        let mut command = Command::new(emulator);
        command.args(arguments).arg(program);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_is_known_by_debian_s_name() {
        let parse = |options: &[&str]| {
            let found = Architecture::parse(options).map_err(|error| error.to_string())?;
            Ok::<_, String>(found.map(|row| row.target))
        };
        assert_eq!(parse(&[]), Ok(None));
        assert_eq!(
            parse(&["--arch", "arm64"]),
            Ok(Some("aarch64-unknown-linux-gnu"))
        );
        let unknown = parse(&["--arch", "aarch64"]).expect_err("not Debian's name");
        assert!(unknown.contains("known are arm64"), "{unknown}");
        assert!(parse(&["arm64"]).is_err());
    }
}
