//! Boards: each is a workspace of its own below `firmware/`, and has room for so much.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use object::{
    Object, ObjectSection, SectionKind,
    read::elf::{ElfFile32, ProgramHeader},
};

use super::{Toolchain, target_folder};
use crate::shell;

/// A board whose firmware is built here.
pub(super) struct Board {
    /// Its folder below `firmware/`, and its program.
    pub(super) name: &'static str,
    /// Its processor.
    pub(super) target: &'static str,
    /// Code and data that it may take of its flash, bytes.
    flash_max: u64,
    /// Static variables, bytes; the stack has what is left.
    ram_max: u64,
}

pub(super) const ALL: &[Board] = &[Board {
    name: "qemu-riscv",
    target: "riscv32imc-unknown-none-elf",
    flash_max: 220 << 10,
    ram_max: 128 << 10,
}];

impl Board {
    /// Builds its image and says how large it is.
    ///
    /// # Errors
    /// It does not build, or is too large.
    pub(super) fn build(&self, toolchain: &Toolchain) -> Result<()> {
        let mut command = toolchain.build();
        command.arg("--release");
        command.current_dir(shell::root().join("firmware").join(self.name));
        shell::run(&mut command)?;
        let image = target_folder().join(self.target).join("release");
        self.measure(&image.join(self.name))
    }

    fn measure(&self, image: &Path) -> Result<()> {
        let bytes = fs::read(image).with_context(|| format!("can't read {}", image.display()))?;
        let size = Size::of(&bytes).with_context(|| format!("{} is no image", image.display()))?;
        let (flash, ram) = (size.flash, size.ram);
        println!(
            "{}: {flash} bytes of flash (at most {}), {ram} of memory (at most {})",
            self.name, self.flash_max, self.ram_max
        );
        if flash > self.flash_max || ram > self.ram_max {
            bail!("the firmware of {} is too large", self.name);
        }
        Ok(())
    }
}

/// What a program takes.
struct Size {
    /// Bytes that lie in flash.
    flash: u64,
    /// Bytes of static variables.
    ram: u64,
}

impl Size {
    fn of(elf: &[u8]) -> Result<Self> {
        let elf = ElfFile32::<object::Endianness>::parse(elf)?;
        let endian = elf.endian();
        let loaded = { elf.elf_program_headers().iter() }
            .filter(|header| header.p_type(endian) == object::elf::PT_LOAD);
        let flash = loaded
            .map(|header| u64::from(header.p_filesz(endian)))
            .sum();
        let variables = elf.sections().filter(|section| {
            let is_stack = section.name().is_ok_and(|name| name == ".stack");
            let kinds = [SectionKind::Data, SectionKind::UninitializedData];
            kinds.contains(&section.kind()) && !is_stack
        });
        let ram = variables.map(|section| section.size()).sum();
        Ok(Self { flash, ram })
    }
}
