//! `cargo xtask fuzz`: libFuzzer on every parser, for a while each. Called by people.
//!
//! Instruments with flags that the stable compiler has, so that it needs no other tool. What a target found lies in
//! `fuzz/found`, and what reached something new in `target/fuzz/corpus`.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::shell;

/// What libFuzzer needs of the compiler: counters at each branch and comparisons that it can see.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// Longest input, bytes: limits on sizes have tests of their own.
const LEN_MAX: usize = 4_096;

/// Memory that one input may take, MiB.
const MEMORY_MIB_MAX: usize = 2_048;

/// Time that one input may take: a second is a house's worth of rules many times over; the rest is for slow machines.
const INPUT_SECONDS_MAX: usize = 20;

/// What to try, and for how long.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    /// All where empty.
    targets: Vec<String>,
    each: Duration,
    /// Seconds each, as on every change: built sooner, and slower at each input.
    quick: bool,
}

/// How long each runs in the short form.
const QUICK: Duration = Duration::from_secs(3);

impl Options {
    /// Takes the words after `fuzz`.
    ///
    /// # Errors
    /// There is no such target, or no such time.
    pub(crate) fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self {
            targets: Vec::new(),
            each: Duration::from_secs(60),
            quick: false,
        };
        let known = targets()?;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if *word == "--quick" {
                (options.quick, options.each) = (true, QUICK);
            } else if *word == "--seconds" {
                let seconds = words.next().context("--seconds needs a number")?;
                options.each =
                    Duration::from_secs(seconds.parse().context("--seconds needs a number")?);
            } else if known.iter().any(|target| target == word) {
                options.targets.push((*word).to_owned());
            } else {
                bail!("no target '{word}'; there are {}", known.join(", "));
            }
        }
        Ok(options)
    }
}

/// The targets, by their files.
fn targets() -> Result<Vec<String>> {
    let folder = shell::root().join("fuzz/src/bin");
    let mut names = Vec::new();
    for entry in
        fs::read_dir(&folder).with_context(|| format!("can't list {}", folder.display()))?
    {
        let path = entry?.path();
        names.extend(
            path.file_stem()
                .map(|stem| stem.to_string_lossy().into_owned()),
        );
    }
    names.sort();
    Ok(names)
}

/// Builds the targets, then lets each run.
///
/// # Errors
/// A target can't be built, or it found something: its input is kept, and named by libFuzzer.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = shell::root();
    let built = root.join("target/fuzz");
    let host = host()?;
    let profile = if options.quick { "quick" } else { "release" };
    let mut build = shell::cargo([
        "build",
        "--profile",
        profile,
        "--locked",
        "--bins",
        "--manifest-path",
        "fuzz/Cargo.toml",
    ]);
    // With a target named, build scripts and macros are not instrumented.
    build
        .args(["--target", &host])
        .arg("--target-dir")
        .arg(&built);
    shell::run(build.env("RUSTFLAGS", FLAGS))?;
    let targets = if options.targets.is_empty() {
        targets()?
    } else {
        options.targets.clone()
    };
    let binaries = built.join(host).join(profile);
    // A target has one thread, and the machine usually more.
    let lanes = thread::available_parallelism().map_or(1, usize::from);
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..lanes.min(targets.len()) {
            scope.spawn(|| {
                while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let binary = binaries.join(target);
                    if let Err(error) = fuzz(&root, &built, &binary, target, options.each) {
                        eprintln!("error: {error:#}");
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        failed.push(target.as_str());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !failed.is_empty() {
        bail!("input was found for {}", failed.join(", "));
    }
    println!(
        "fuzz: {} found nothing in {} s each",
        targets.join(", "),
        options.each.as_secs()
    );
    Ok(())
}

/// Lets one target run; what it says is shown in one piece, where several run at once.
fn fuzz(root: &Path, built: &Path, binary: &Path, target: &str, each: Duration) -> Result<()> {
    let corpus = built.join("corpus").join(target);
    let seeds = root.join("fuzz/seeds").join(target);
    let found = root.join("fuzz/found");
    for folder in [&corpus, &found] {
        fs::create_dir_all(folder).with_context(|| format!("can't create {}", folder.display()))?;
    }
    let mut command = Command::new(binary);
    command.arg(&corpus).arg(&seeds);
    command.arg(format!("-max_total_time={}", each.as_secs()));
    command.arg(format!("-max_len={LEN_MAX}"));
    command.arg(format!("-timeout={INPUT_SECONDS_MAX}"));
    command.arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"));
    command.arg(format!("-artifact_prefix={}/{target}-", found.display()));
    command.args(["-print_final_stats=1", "-verbosity=1"]);
    let words = root.join("fuzz/words.dict");
    command.arg(format!("-dict={}", words.display()));
    let line = shell::line(&command);
    let said = command.stdin(Stdio::null()).output();
    let said = said.with_context(|| format!("can't start `{line}`"))?;
    let text = String::from_utf8_lossy(&said.stderr);
    eprintln!("$ {line}\n{text}");
    if !said.status.success() {
        bail!("`{line}` failed: {}", said.status);
    }
    Ok(())
}

/// The machine that is compiled for.
fn host() -> Result<String> {
    let version = shell::output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names no host")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_time_are_taken() {
        let options = Options::parse(&["files", "--seconds", "7", "mqtt"]).expect("they are there");
        assert_eq!(options.targets, ["files", "mqtt"]);
        assert_eq!(options.each, Duration::from_secs(7));
        let error = Options::parse(&["fils"]).expect_err("there is none");
        let said = error.to_string();
        assert!(said.starts_with("no target 'fils'; there are "), "{said}");
        assert!(said.contains(", files, "), "{said}");
        assert!(Options::parse(&["--seconds"]).is_err());
        let quick = Options::parse(&["--quick"]).expect("it is there");
        assert!(quick.quick && quick.each == QUICK && !options.quick);
    }

    #[test]
    fn every_target_has_seeds() {
        for target in targets().expect("they can be listed") {
            let folder = shell::root().join("fuzz/seeds").join(&target);
            let seeds = fs::read_dir(&folder).map_or(0, Iterator::count);
            assert!(seeds > 0, "{}", folder.display());
        }
    }
}
