//! A small disk of its own for a dispatcher: a tmpfs in a mount namespace that nobody else sees.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::{Context, Result, bail};

use super::super::findings::Unable;
use crate::shell;

/// The disk; it goes with the process that holds its namespace.
pub(crate) struct SmallDisk {
    holder: Child,
    /// The holder ends with it.
    _held: ChildStdin,
    folder: PathBuf,
    /// A user namespace goes with it.
    has_users: bool,
}

impl SmallDisk {
    /// Mounts a tmpfs of `size` bytes on `folder`.
    ///
    /// # Errors
    /// [`Unable`] where this machine does not let us.
    pub(crate) fn mount(folder: &Path, size: u64) -> Result<Self> {
        Self::hold(
            folder,
            &format!("mount -t tmpfs -o size={size},mode=700 small \"$0\""),
        )
    }

    /// A namespace in which this script of a shell mounts something; `$0` is `folder`.
    ///
    /// # Errors
    /// [`Unable`] where this machine does not let us.
    pub(crate) fn hold(folder: &Path, mount: &str) -> Result<Self> {
        Self::hold_as(&["-Urm"], folder, mount)
    }

    /// As [`Self::hold`], as the machine's own root, who may mount more.
    ///
    /// # Errors
    /// [`Unable`] where we are not root, or it may not.
    pub(crate) fn hold_as_root(folder: &Path, mount: &str) -> Result<Self> {
        Self::hold_as(&["-m"], folder, mount)
    }

    fn hold_as(unshare: &'static [&'static str], folder: &Path, mount: &str) -> Result<Self> {
        let unable = || Unable("this machine gives us no disk of our own".to_owned());
        let mut holder = Command::new("unshare")
            .args(unshare)
            .args(["sh", "-c"])
            .arg(format!("{mount} && echo mounted && exec cat >/dev/null"))
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|_| unable())?;
        let (held, said) = (holder.stdin.take(), holder.stdout.take());
        let (held, said) = held.zip(said).context("it has its pipes")?;
        let disk = Self {
            holder,
            _held: held,
            folder: folder.to_owned(),
            has_users: unshare[0].contains('U'),
        };
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        if line.trim() != "mounted" {
            return Err(unable().into());
        }
        Ok(disk)
    }

    /// Words before a command that is to see the disk.
    pub(crate) fn within(&self) -> Vec<String> {
        let holder = self.holder.id().to_string();
        let mut words = vec!["nsenter", "-m"];
        if self.has_users {
            words.extend(["-U", "--preserve-credentials"]);
        }
        words.extend(["-t", &holder, "--"]);
        words.into_iter().map(str::to_owned).collect()
    }

    /// Remounts it: read-only, or not.
    ///
    /// # Errors
    /// Somebody has files open for writing on it.
    pub(crate) fn remount(&self, how: &str) -> Result<()> {
        let words = self.within();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["mount", "-o"]);
        shell::output(command.arg(format!("remount,{how}")).arg(&self.folder))?;
        Ok(())
    }

    /// Takes all the room that is left.
    ///
    /// # Errors
    /// There is room without end.
    pub(crate) fn fill(&self) -> Result<()> {
        let mut file = fs::File::create(self.filler()).context("can't begin to fill it")?;
        // Single pages at the end: what is left is less than one.
        for bytes in [64 * 1024, 4096] {
            let zeros = vec![0; bytes];
            let mut writes = 0;
            while file.write_all(&zeros).is_ok() {
                writes += 1;
                if writes > 100_000 {
                    bail!("it does not get full");
                }
            }
        }
        Ok(())
    }

    /// Gives that room back.
    ///
    /// # Errors
    /// It was never taken.
    pub(crate) fn make_room(&self) -> Result<()> {
        fs::remove_file(self.filler()).context("can't make room")
    }

    /// Writes a file that only those within see.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn write(&self, path: &Path, text: &str) -> Result<()> {
        fs::write(self.seen(path), text).with_context(|| format!("can't write {}", path.display()))
    }

    fn filler(&self) -> PathBuf {
        self.seen(&self.folder.join("filler"))
    }

    /// A file that is within, as we see it from outside.
    fn seen(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It may have ended already; nobody is left to tell.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
