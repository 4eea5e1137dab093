//! A module as it is built for a board: the firmware's image on QEMU's virtual machine, with a flash chip that is a file
//! and pins that a test sets and reads over the serial line.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use wire::{Identity, Net, Transport};

use super::wait::Log;

/// QEMU's name for the machine, and for what it is made of.
const QEMU: &str = "qemu-system-riscv32";
/// Where `cargo xtask firmware` builds it, from this crate on.
const IMAGE: &str = "../../target/firmware/riscv32imc-unknown-none-elf/release/qemu-riscv";
/// How the machine sees the host that it runs on.
const HOST: &str = "10.0.2.2";
/// Of the machine's flash chip.
const FLASH_LEN: u64 = 32 << 20;
const SECTOR: usize = 256 << 10;
/// Identity, network, and two that the module writes.
const SECTORS: usize = 4;

/// The firmware's image, where it was built and QEMU is installed; else says what is missing.
pub fn image() -> Option<PathBuf> {
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join(IMAGE);
    if Command::new(QEMU).arg("--version").output().is_err() {
        println!("skipped: not installed ({QEMU})");
        return None;
    }
    if !image.is_file() {
        println!("skipped: not built (cargo xtask firmware)");
        return None;
    }
    Some(image)
}

/// A flash chip: it keeps what it holds while there is no power.
#[derive(Debug)]
pub struct Flash {
    folder: TempDir,
}

impl Flash {
    /// As a module is flashed: with who it is, and where its dispatcher is.
    pub fn new(identity: &Identity, to: SocketAddr) -> Self {
        let net = Net {
            transport: Transport::Udp,
            host: HOST,
            port: to.port(),
            ..Net::default()
        };
        let flash = Self::erased();
        let mut bytes = vec![0xFF; 2 * SECTOR];
        let block = identity.encode();
        bytes[..block.len()].copy_from_slice(&block);
        net.encode(&mut bytes[SECTOR..]).unwrap();
        let mut file = File::options().write(true).open(flash.file()).unwrap();
        file.write_all(&bytes).unwrap();
        flash
    }

    /// As it comes from its maker.
    pub fn erased() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let flash = Self { folder };
        fs::write(flash.file(), vec![0xFF; SECTORS * SECTOR]).unwrap();
        let file = File::options().write(true).open(flash.file()).unwrap();
        file.set_len(FLASH_LEN).unwrap();
        flash
    }

    /// What is used of it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = fs::read(self.file()).unwrap();
        bytes.truncate(SECTORS * SECTOR);
        bytes
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("flash")
    }
}

/// A board with power.
pub struct Board {
    machine: Child,
    serial: ChildStdin,
    said: Log<String>,
}

impl Board {
    /// Power on.
    pub fn boot(image: &Path, flash: &Flash) -> Self {
        let flash = flash.file();
        let chip = format!("if=pflash,unit=1,format=raw,file={}", flash.display());
        // `-kernel` beside a flash chip is for firmware that lies in it.
        let program = format!("loader,file={}", image.display());
        let mut machine = Command::new(QEMU)
            .args(["-machine", "virt", "-m", "8M", "-bios", "none"])
            .args(["-display", "none", "-monitor", "none", "-serial", "stdio"])
            .args(["-global", "virtio-mmio.force-legacy=false"])
            .args(["-netdev", "user,id=net", "-device"])
            .args([
                "virtio-net-device,netdev=net",
                "-device",
                "virtio-rng-device",
            ])
            .args(["-drive", &chip, "-device", &program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let serial = machine.stdin.take().unwrap();
        let out = machine.stdout.take().unwrap();
        let said = Log::default();
        let lines = said.clone();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                lines.push(line);
            }
        });
        Self {
            machine,
            serial,
            said,
        }
    }

    /// A place in what it says, to look from.
    pub fn mark(&self) -> usize {
        self.said.len()
    }

    /// Waits until it says a line with this in it.
    pub fn says(&self, mark: usize, text: &str) -> String {
        let is = |line: &String| line.contains(text).then(|| line.clone());
        self.said.find(mark, text, is)
    }

    /// All it said from there on.
    pub fn said(&self, mark: usize) -> Vec<String> {
        self.said.since(mark)
    }

    /// Does something to its pins, as the firmware's list of such lines has it.
    pub fn wire(&mut self, line: &str) {
        writeln!(self.serial, "{line}").unwrap();
    }

    /// It stands still, and goes on.
    pub fn freeze(&self) {
        kill_process(Pid::from_child(&self.machine), Signal::STOP).unwrap();
    }

    /// After [`Self::freeze`].
    pub fn thaw(&self) {
        kill_process(Pid::from_child(&self.machine), Signal::CONT).unwrap();
    }

    /// No power any more.
    pub fn cut_off(self) {}
}

impl Drop for Board {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.machine.kill());
        drop(self.machine.wait());
    }
}
