//! `strace`, which lets system calls of a dispatcher fail: from its start, or for a while in the middle of its work.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::super::findings::Unable;
use crate::shell;

/// Calls that change files. The dispatcher's sockets are read and written with others.
pub(crate) const FILE_CHANGES: &str = "pwrite64,ftruncate,fallocate,fsync,fdatasync,mkdir,rename,renameat,renameat2,\
                                       unlink,unlinkat,fchmod";

/// Lets calls of a running process fail until it is dropped.
pub(crate) struct Tracer {
    strace: Child,
}

impl Tracer {
    /// All of `calls` fail with `error` from now on.
    ///
    /// # Errors
    /// [`Unable`] where there is no strace, or it may not.
    pub(crate) fn attach(process: u32, calls: &str, error: &str) -> Result<Self> {
        let mut strace = Command::new(strace()?)
            .args(["-f", "-o", "/dev/null", "-e"])
            .arg(format!("trace={calls}"))
            .arg("-e")
            .arg(format!("inject={calls}:error={error}"))
            .args(["-p", &process.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("can't start strace")?;
        let said = strace.stderr.take().context("it has its pipe")?;
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        let tracer = Self { strace };
        if line.contains("attached") {
            Ok(tracer)
        } else {
            Err(Unable(line.trim().to_owned()).into())
        }
    }

    /// Words before a command some of whose `calls` fail with `error`: those that `when` says, which counts each name in each thread for itself. Only
    /// calls on these files count; a line for each of them goes to `log`, with the paths of what is open. The command is the process that we start, and
    /// strace its child, so that whoever kills the one does not leave the other.
    ///
    /// # Errors
    /// [`Unable`] where there is no strace.
    pub(crate) fn from_start(
        calls: &str,
        (error, when): (&str, &str),
        files: &[impl AsRef<Path>],
        log: &Path,
    ) -> Result<Vec<String>> {
        let mut words = vec![strace()?];
        words.extend(["-D", "-f", "-y", "--seccomp-bpf", "-o"].map(str::to_owned));
        words.push(log.display().to_string());
        words.extend(["-e".to_owned(), format!("trace={calls}")]);
        words.push("-e".to_owned());
        words.push(format!("inject={calls}:error={error}:when={when}"));
        for file in files {
            words.extend(["-P".to_owned(), file.as_ref().display().to_string()]);
        }
        words.push("--".to_owned());
        Ok(words)
    }
}

/// The calls succeed again.
impl Drop for Tracer {
    fn drop(&mut self) {
        // It ends in order and lets the process go.
        let _ = kill_process(Pid::from_child(&self.strace), Signal::TERM);
        let _ = self.strace.wait();
    }
}

fn strace() -> Result<String> {
    let found = shell::installed("strace").map(|path| path.display().to_string());
    found.ok_or_else(|| Unable("strace is not installed".to_owned()).into())
}
