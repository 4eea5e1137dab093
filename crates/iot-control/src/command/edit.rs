//! `iot-control edit` and `rename`: a house's files changed, line by line.

use std::{path::Path, process::ExitCode};

use anyhow::{anyhow, bail};
use edit::{Change, Edit, House, Model, Pointer};
use mapping::{
    index::Symbol,
    program::{Carrier, Succession},
};
use replay::changes::other_names;
use types::Shown;

use super::{house, outcome::Outcome};
use crate::{cli, printer};

/// Changes a value or a rule.
pub(crate) fn edit(command: cli::Edit) -> anyhow::Result<ExitCode> {
    let (words, house, how, edit) = match command {
        cli::Edit::Set {
            house,
            path,
            value,
            how,
        } => {
            let at = Pointer::read(&path)?;
            // `1 per 30s` needs no quotes of its own in a shell.
            let value = edit::read_json(&value).unwrap_or(Model::Text(value));
            (
                "iot-control edit set HOUSE ..",
                house,
                how,
                Edit::Set { at, value },
            )
        }
        cli::Edit::Remove { house, path, how } => {
            let at = Pointer::read(&path)?;
            (
                "iot-control edit remove HOUSE ..",
                house,
                how,
                Edit::Remove { at },
            )
        }
        cli::Edit::Enable { house, rule, how } => (
            "iot-control edit enable HOUSE ..",
            house,
            how,
            Edit::Enable { rule, on: true },
        ),
        cli::Edit::Disable { house, rule, how } => (
            "iot-control edit disable HOUSE ..",
            house,
            how,
            Edit::Enable { rule, on: false },
        ),
        cli::Edit::AddRule {
            house,
            name,
            rule,
            after,
            how,
        } => {
            let rule = edit::read_json(&rule).map_err(|problem| anyhow!("the rule: {problem}"))?;
            (
                "iot-control edit add-rule HOUSE ..",
                house,
                how,
                Edit::AddRule { name, rule, after },
            )
        }
    };
    house::is_there(&house, words)?;
    let before = House::open(&house);
    let change = before.edit(&edit)?;
    finish(&house, &before, &change, how)
}

/// Gives something another name.
pub(crate) fn rename(options: &cli::Rename) -> anyhow::Result<ExitCode> {
    house::is_there(&options.house, "iot-control rename HOUSE ..")?;
    let house = House::open(&options.house);
    let symbol = house.symbol(&options.old)?;
    let to = edit::bare_name(&symbol, &options.new);
    if let (Symbol::Channel(device, name), Some((other, _))) = (&symbol, to.split_once('.')) {
        bail!("`{name}` stays a channel of `{device}`: a rename can't move it to `{other}`");
    }
    let edit = Edit::Rename {
        symbol: symbol.clone(),
        to: to.to_owned(),
    };
    let change = house.edit(&edit)?;
    let code = finish(&options.house, &house, &change, options.how)?;
    if !change.is_empty() {
        tell_of_topics(&house, &symbol, to);
    }
    Ok(code)
}

/// Completes an edit of the house that was interrupted. Called once, before the command that reads the house; what `lsp`
/// opens it completes itself.
pub(crate) fn finish_edit(folder: &Path) -> anyhow::Result<()> {
    let missing = edit::finish(folder)?;
    if missing > 0 {
        printer::tell(format_args!(
            "an edit of {} was interrupted; the {missing} files that were missing are in place now",
            folder.display()
        ));
    }
    Ok(())
}

/// Writes the lines, and shows them.
pub(super) fn finish(
    folder: &Path,
    before: &House,
    change: &Change,
    how: cli::How,
) -> anyhow::Result<ExitCode> {
    let lines = change.lines();
    if lines.is_empty() {
        printer::tell("it is so already; nothing is written");
        return Ok(ExitCode::SUCCESS);
    }
    // What could not be written is not shown as if it were.
    if !how.dry_run {
        change.write(folder)?;
    }
    show(&lines);
    if how.dry_run {
        printer::tell("nothing is written: --dry-run");
    }
    let loaded = [before.analysis(), change.analysis()].map(|it| it.loaded.program.as_ref());
    if let [Some(old), Some(new)] = loaded {
        // What runs goes on under these names.
        let others = other_names(&Succession::new(old, new));
        if !others.is_empty() {
            printer::tell(others.trim_start_matches("; "));
        }
    }
    let outcome = Outcome::of(&change.analysis().loaded);
    outcome.tell(how.dry_run, Some(&before.analysis().loaded));
    Ok(outcome.code())
}

/// Where each line stands, what it was and what it is.
fn show(lines: &[edit::Line]) {
    let mut place = String::new();
    for line in lines {
        let here = format!("{}:{}", line.file, line.number);
        if here != place {
            printer::result(&here);
        }
        place = here;
        if let Some(old) = &line.old {
            printer::result(format_args!("- {}", Shown(old)));
        }
        if let Some(new) = &line.new {
            printer::result(format_args!("+ {}", Shown(new)));
        }
    }
}

/// Modules of ours are addressed by name: the mapping alone does not rename them.
fn tell_of_topics(house: &House, symbol: &Symbol, to: &str) {
    let (device, new) = match symbol {
        Symbol::Device(device) => (device, format!("iot/{to}/..")),
        Symbol::Channel(device, _) => (device, format!("iot/{device}/{to}/..")),
        _ => return,
    };
    let program = &house.analysis().draft;
    let own = program
        .device(device)
        .is_some_and(|device| program[device].carrier == Carrier::Own);
    if !own {
        return;
    }
    printer::tell(format_args!(
        "its topics are {new} now: a module that speaks MQTT by itself must use them"
    ));
    if matches!(symbol, Symbol::Device(_)) {
        printer::tell(format_args!(
            "a login made with --device {device} is for the old name: iot-control user add NAME --device {to}"
        ));
    }
}
