//! `cargo xtask test`: every test there is, ending in one line that counts them.
//!
//! Called by people and `ci`. Runs all parts even where one fails, and the test runner last, so that its
//! summary is what a reader sees. Knows of tests only what runners print.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    metadata::Workspace,
    peers::{self, Peer},
    shell,
};

/// Makes a test fail where it would skip for want of a peer.
const REQUIRE_VARIABLE: &str = "IOT_CONTROL_REQUIRE_PEERS";
/// What a test prints that skips for want of a peer.
const SKIPPED: &str = "skipped: not installed";

/// How many tests went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Count {
    fn of(passed: bool) -> Self {
        Self {
            passed: usize::from(passed),
            failed: usize::from(!passed),
            skipped: 0,
        }
    }

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// So many of those that passed did nothing for want of a peer.
    fn skip(&mut self, tests: usize) {
        let tests = tests.min(self.passed);
        self.passed -= tests;
        self.skipped += tests;
    }
}

/// Builds, then runs example houses, doc tests and the tests of all crates.
///
/// # Errors
/// A test fails, nothing builds, or a peer is missing that is required.
pub(crate) fn run(require_peers: bool) -> Result<()> {
    let peers = peers::all();
    peers::print(&peers);
    if require_peers {
        require(&peers)?;
    }
    shell::run(&mut shell::cargo(["build", "--workspace", "--all-targets"]))?;
    let target = Workspace::read()?.target;

    let mut total = Count::default();
    // The runner's summary comes last; what failed long before it is said again.
    let mut broken: Vec<(String, usize)> = Vec::new();
    let mut book = |step: String, count: Count| {
        total.add(count);
        if count.failed > 0 {
            broken.push((step, count.failed));
        }
    };
    for house in example_houses()? {
        for command in ["check", "test"] {
            let mut command_line = Command::new(target.join("debug/iot-control"));
            command_line
                .arg(command)
                .arg(&house)
                .current_dir(shell::root());
            book(shell::line(&command_line), succeeds(&mut command_line));
        }
    }
    let mut doc_tests = shell::cargo(["test", "--workspace", "--doc", "--no-fail-fast"]);
    book(shell::line(&doc_tests), counted(&mut doc_tests)?);
    book("all crates".to_owned(), all_crates(&target, require_peers)?);
    let Count {
        passed,
        failed,
        skipped,
    } = total;
    for (step, failed) in &broken {
        println!("failed in `{step}`: {failed}");
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed > 0 {
        bail!("{failed} tests failed");
    }
    Ok(())
}

fn require(peers: &[Peer]) -> Result<()> {
    let missing: Vec<&str> = peers
        .iter()
        .filter(|peer| !peer.found)
        .map(|peer| peer.name)
        .collect();
    if !missing.is_empty() {
        bail!("--require-peers, but not installed: {}", missing.join(", "));
    }
    Ok(())
}

/// Folders of examples/ that hold a mapping, in order.
fn example_houses() -> Result<Vec<PathBuf>> {
    let root = shell::root();
    let folder = root.join("examples");
    let entries =
        fs::read_dir(&folder).with_context(|| format!("can't list {}", folder.display()))?;
    let paths: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    let mut houses: Vec<PathBuf> = paths
        .iter()
        .filter(|path| path.join("mapping.toml").is_file())
        .filter_map(|path| Some(path.strip_prefix(&root).ok()?.to_owned()))
        .collect();
    houses.sort();
    Ok(houses)
}

/// One test: it exits 0.
fn succeeds(command: &mut Command) -> Count {
    match shell::run(command) {
        Ok(()) => Count::of(true),
        Err(error) => {
            eprintln!("error: {error:#}");
            Count::of(false)
        }
    }
}

/// The tests of all crates, by nextest where it is installed.
fn all_crates(target: &Path, require_peers: bool) -> Result<Count> {
    let nextest = shell::answers(&mut shell::cargo(["nextest", "--version"]));
    let mut command = if nextest {
        shell::cargo(["nextest", "run", "--workspace", "--no-fail-fast"])
    } else {
        eprintln!(
            "cargo-nextest is not installed: running `cargo test` (slower; `cargo install cargo-nextest --locked`)"
        );
        shell::cargo([
            "test",
            "--workspace",
            "--all-targets",
            "--no-fail-fast",
            "--",
            "--show-output",
        ])
    };
    command.env(peers::FOLDER_VARIABLE, peers::folder());
    peers::with_python(&mut command);
    if require_peers {
        command.env(REQUIRE_VARIABLE, "1");
    }
    let junit = target.join("nextest/default/junit.xml");
    // An old report must not speak for a run that wrote none.
    let _ = fs::remove_file(&junit);
    let mut count = counted(&mut command)?;
    if nextest {
        let report = fs::read_to_string(&junit).unwrap_or_default();
        count.skip(skipped_cases(&report));
    }
    Ok(count)
}

/// Tests of nextest's report that passed because their peer is not here.
fn skipped_cases(junit: &str) -> usize {
    junit
        .split("<testcase")
        .skip(1)
        .filter(|case| case.contains(SKIPPED))
        .count()
}

/// Runs a test runner, shows all it prints as it comes, and counts by its summaries.
fn counted(command: &mut Command) -> Result<Count> {
    let line = shell::line(command);
    eprintln!("$ {line}");
    // nextest sums up on stderr, cargo's own runner on stdout; only one of them is read.
    let on_stderr = line.contains("nextest");
    let command = match on_stderr {
        true => command.stderr(Stdio::piped()),
        false => command.stdout(Stdio::piped()),
    };
    let mut child = command
        .spawn()
        .with_context(|| format!("can't start `{line}`"))?;
    let (mut count, mut said_skipped) = (Count::default(), 0);
    if let Some(stream) = child.stderr.take() {
        for text in BufReader::new(stream).split(b'\n') {
            let text = text?;
            let text = String::from_utf8_lossy(&text);
            eprintln!("{text}");
            count.add(nextest_summary(&text).unwrap_or_default());
        }
    } else if let Some(stream) = child.stdout.take() {
        for text in BufReader::new(stream).split(b'\n') {
            let text = text?;
            let text = String::from_utf8_lossy(&text);
            println!("{text}");
            count.add(cargo_summary(&text));
            said_skipped += usize::from(text.contains(SKIPPED));
        }
    }
    count.skip(said_skipped);
    let status = child.wait()?;
    if !status.success() && count.failed == 0 {
        eprintln!("error: `{line}` failed: {status}");
        count.failed = 1;
    }
    Ok(count)
}

/// `Summary [   1.016s] 9 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 3 skipped`.
fn nextest_summary(line: &str) -> Option<Count> {
    let (_, rest) = line
        .trim()
        .strip_prefix("Summary [")?
        .split_once(" run: ")?;
    let mut count = Count::default();
    // `6 passed (1 slow, 1 leaky)`: what stands in brackets is counted already.
    let rest: String = rest
        .split('(')
        .map(|part| part.split_once(')').map_or(part, |(_, after)| after))
        .collect();
    for part in rest.split(", ") {
        let mut words = part.split_whitespace();
        let number: usize = words.next()?.parse().ok()?;
        match words.next()? {
            "passed" => count.passed += number,
            "skipped" => count.skipped += number,
            // failed, timed out, exec failed
            _ => count.failed += number,
        }
    }
    Some(count)
}

/// `test result: ok. 6 passed; 0 failed; 1 ignored; ..`, and what a test says that skips.
fn cargo_summary(line: &str) -> Count {
    let Some((_, rest)) = line
        .trim()
        .strip_prefix("test result: ")
        .and_then(|rest| rest.split_once(". "))
    else {
        return Count::default();
    };
    let number = |word: &str| {
        let mut parts = rest
            .split("; ")
            .filter_map(|part| part.trim().split_once(' '));
        let (number, _) = parts.find(|(_, what)| *what == word)?;
        number.parse().ok()
    };
    Count {
        passed: number("passed").unwrap_or(0),
        failed: number("failed").unwrap_or(0),
        skipped: number("ignored").unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nextest_is_counted_by_its_summary() {
        let line = "     Summary [   1.016s] 9 tests run: 6 passed (1 slow, 1 leaky), 2 failed, 1 timed out, 3 skipped";
        let expected = Count {
            passed: 6,
            failed: 3,
            skipped: 3,
        };
        assert_eq!(nextest_summary(line), Some(expected));
        assert_eq!(
            nextest_summary("        PASS [   0.003s] broker a_test"),
            None
        );
        let stopped = "     Summary [   0.1s] 3/9 tests run: 3 passed, 0 skipped";
        assert_eq!(
            nextest_summary(stopped),
            Some(Count {
                passed: 3,
                failed: 0,
                skipped: 0
            })
        );
    }

    #[test]
    fn cargos_own_runner_is_counted_by_its_results() {
        let line = "test result: FAILED. 6 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(
            cargo_summary(line),
            Count {
                passed: 6,
                failed: 2,
                skipped: 1
            }
        );
        assert_eq!(cargo_summary("test result is near"), Count::default());
    }

    #[test]
    fn a_test_that_says_it_skipped_counts_as_skipped() {
        let junit = "<testsuite><testcase name=\"a\"/><testcase name=\"b\"><system-out>skipped: not installed (paho)\n\
                     skipped: not installed (paho)</system-out></testcase></testsuite>";
        assert_eq!(skipped_cases(junit), 1);
    }

    #[test]
    fn a_runner_that_fails_without_a_count_is_a_failure() {
        let count = counted(Command::new("false").arg("nextest")).expect("it starts");
        assert_eq!(
            count,
            Count {
                passed: 0,
                failed: 1,
                skipped: 0
            }
        );
    }
}
