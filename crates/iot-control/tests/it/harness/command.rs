//! Commands of the binary that end by themselves.

use std::{
    ffi::OsStr,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value as Json;

use super::{kind::say_if_missing, wait::until};

/// What a command printed and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// Exit code; `None`: killed.
    pub code: Option<i32>,
    /// For results.
    pub stdout: String,
    /// For people.
    pub stderr: String,
}

impl Output {
    /// What stdout holds, as JSON.
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: not JSON: {self:?}"))
    }

    /// Itself, if it ended with 0.
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }
}

/// The binary with a clean environment: what the tester's shell sets must not decide a test.
pub fn iot_control() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iot-control"));
    command.env_clear();
    for kept in ["PATH", "HOME", "TMPDIR", "RUST_BACKTRACE"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command
}

/// Runs a command to its end, with `input` on its stdin.
pub fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>, input: &str) -> Output {
    let mut command = iot_control();
    command.args(args);
    finish(command, input)
}

/// As [`run`], of a command that is ready to start.
pub fn finish(mut command: Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that needs no input may have ended already.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    Output {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Starts a command and kills it with `kill -9` as soon as `is` says so.
pub fn kill_when(mut command: Command, what: &str, is: impl Fn() -> bool) {
    let mut child = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until(what, || is().then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// `command` where some of its calls on `file` fail: `calls` as strace has it after `inject=`. `None`: strace is not installed, or
/// may not look at a process of ours.
pub fn failing(command: &Command, calls: &str, file: &Path) -> Option<Command> {
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-f", "-o", "/dev/null"]);
    let can = strace.arg("true").output();
    if !say_if_missing("strace", can.is_ok_and(|can| can.status.success())) {
        return None;
    }
    let mut failing = Command::new("strace");
    // The command stays our own child: what ends it ends no tracer.
    failing.args(["-D", "-qq", "-f", "-o", "/dev/null", "-P"]);
    failing.arg(file).args(["-e", &format!("inject={calls}")]);
    failing.arg(command.get_program()).args(command.get_args());
    failing.env_clear();
    let envs = command.get_envs();
    failing.envs(envs.filter_map(|(key, value)| Some((key, value?))));
    Some(failing)
}
