//! `iot-control test --record NAME`: what happened as a house test, which is run before it is written.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context, bail};
use dispatcher::rehearsal;
use mapping::suggest;
use replay::{
    Target, Until,
    record::{Recording, Wanted, record},
};

use crate::{cli::Test, printer};

use super::{UNORDERED, look};

/// Where a house's tests stand, and how their files end.
const FOLDER: &str = "tests";
const ENDING: &str = ".test.toml";

/// Longest name of a test, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Writes `tests/NAME.test.toml`.
pub(crate) fn record_test(options: &Test, name: &str) -> anyhow::Result<ExitCode> {
    let house = &options.house.house;
    if !is_name(name) {
        bail!(
            "'{}' can't be a test's name: take small letters, digits and hyphens, a letter first",
            name.escape_default()
        );
    }
    let file = format!("{FOLDER}/{name}{ENDING}");
    let path = house.join(&file);
    if path.exists() {
        bail!("{} is there already; take another name", path.display());
    }
    let recording = recorded(options, name)?;
    let Some(came) = try_out(house, &file, name, &recording)? else {
        return Ok(ExitCode::FAILURE);
    };
    let folder = house.join(FOLDER);
    std::fs::create_dir_all(&folder)
        .and_then(|()| write_new(&path, &recording.text))
        .with_context(|| format!("writing {}", path.display()))?;
    printer::result(path.display());
    printer::tell(format_args!(
        "{} steps, {} commands; {came}. Read it before you keep it",
        recording.steps, recording.commands
    ));
    Ok(ExitCode::SUCCESS)
}

/// All of it, or nothing: half a test would fail the house's.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    written.inspect_err(|_| drop(std::fs::remove_file(path)))
}

fn recorded(options: &Test, name: &str) -> anyhow::Result<Recording> {
    let recorded = &options.recorded;
    let looked = look(&recorded.past())?;
    let since = recorded.since.as_deref();
    let since =
        since.context("--record needs to know from when on: --since 07:00, --since -10m")?;
    let since = looked.since(since)?;
    let until = looked.until(recorded.until.as_deref())?;
    if let Until::Wall(until) = until
        && since >= until
    {
        bail!(UNORDERED);
    }
    for rule in &recorded.rule {
        let names = &looked.history.program().names.rules;
        if !names.contains_key(rule.as_str()) {
            if let Some(became) = looked.history.became(&format!("rule.{rule}")) {
                bail!(became);
            }
            let near = suggest::closest(rule, names.keys().map(|name| &**name));
            let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            bail!("the house has no rule {rule}{near}");
        }
    }
    let program = looked.history.program();
    let rules = recorded.rule.iter().map(|rule| format!("rule.{rule}"));
    let only: Vec<String> = rules.chain(recorded.device.iter().cloned()).collect();
    let only = only.iter().flat_map(|path| Target::filters(program, path));
    for path in &recorded.device {
        if let Some(became) = looked.history.became(path) {
            bail!(became);
        }
        Target::expect(program, path)?;
    }
    let wanted = Wanted {
        name: name.to_owned(),
        since,
        until,
        only: only.collect(),
    };
    let recording = record(&looked.history, &wanted);
    looked.tell_troubles();
    Ok(recording?)
}

/// Runs a test that stands in no file yet: what came of it, where it may be written, else says why it may not.
fn try_out(
    house: &Path,
    file: &str,
    name: &str,
    recording: &Recording,
) -> anyhow::Result<Option<String>> {
    let texts = BTreeMap::from([(file.to_owned(), recording.text.clone())]);
    let loaded = mapping::analyze(Some(house), &texts).loaded;
    let test = loaded.tests.iter().find(|test| &*test.name == name);
    let (Some(program), Some(test), false) = (&loaded.program, test, loaded.has_errors()) else {
        let colors = printer::has_colors();
        printer::tell_drawn(
            mapping::render(&loaded.sources, &loaded.diagnostics, colors).trim_end(),
        );
        bail!(
            "{}: with the recorded test it does not check, so the test was not written",
            house.display()
        );
    };
    let verdict = rehearsal::run(program, test);
    if !verdict.failed() {
        let lack = verdict.lack();
        return Ok(Some(lack.unwrap_or_else(|| "it passes".to_owned())));
    }
    printer::results(&verdict);
    printer::tell(
        "The recorded test does not pass, so it was not written. Either the mapping means something else by now, or what \
         happened hung on something that a test does not know: how long ago something was reported, devices that \
         answered late, what rules counted before. Another --since, or less of it with --rule or --device, may do.",
    );
    Ok(None)
}

fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    let first = letters
        .next()
        .is_some_and(|first| first.is_ascii_lowercase());
    let others = |letter: char| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '_')
    };
    first && name.len() <= NAME_BYTES_MAX && letters.all(others)
}
