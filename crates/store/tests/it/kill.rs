//! kill -9: a child process, which is this test again, appends and prints what was acknowledged until it is
//! killed.

use crate::batch_of;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use store::{Options, Store};

/// In the child's working folder: says that it is the child, and that somebody is there to kill it.
const GUARD: &str = "killed-from-outside";

/// What in the child's working folder stands for a folder in memory, where it is there.
const MEMORY: &str = "memory";

fn options(folder: &Path) -> Options {
    let memory = folder.join(MEMORY).canonicalize().ok();
    Options {
        memory,
        ..Options::default()
    }
}

fn append_until_killed() {
    let options = options(Path::new("."));
    let (store, recovered) = Store::open(Path::new("state"), options).unwrap();
    let (durable, acknowledged) = std::sync::mpsc::sync_channel(1_024);
    let handle = store.start(move |no| durable.send(no).unwrap()).unwrap();
    let mut next = recovered.last.0 + 1;
    loop {
        let size = next % 9;
        handle.submit(batch_of(next..=next + size)).unwrap();
        next += size + 1;
        let mut out = std::io::stdout().lock();
        writeln!(out, "acked {}", acknowledged.recv().unwrap()).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn nothing_that_was_acknowledged_is_lost_by_kill_9() {
    if Path::new(GUARD).exists() {
        return append_until_killed();
    }
    for in_memory in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(GUARD), b"").unwrap();
        if in_memory {
            std::fs::create_dir(folder.path().join(MEMORY)).unwrap();
        }
        kill_again_and_again(folder.path());
    }
}

fn kill_again_and_again(folder: &Path) {
    let mut acknowledged = 0;
    for lines in [1, 40, 400, 3] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "kill::nothing_that_was_acknowledged_is_lost_by_kill_9",
            ])
            .arg("--nocapture")
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let acks = out.lines().filter_map(|line| {
            let line = line.unwrap();
            let number = line.split_once("acked ")?.1;
            Some(number.parse::<u64>().unwrap())
        });
        for (ix, ack) in acks.enumerate() {
            acknowledged = ack;
            if ix == lines {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();

        let (_, recovered) = Store::open(&folder.join("state"), options(folder)).unwrap();
        assert!(recovered.last.0 >= acknowledged && acknowledged > 0);
        let mut expected = 1;
        for record in recovered.tail {
            assert_eq!(record.unwrap(), crate::record(expected));
            expected += 1;
        }
        assert_eq!(expected, recovered.last.0 + 1);
    }
}
