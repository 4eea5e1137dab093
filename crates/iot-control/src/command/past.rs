//! Commands that look into the past: `why`, `why-not`, `state`, `events`, `history`, `replay`. A running dispatcher is asked to hand over what it
//! has taken last; then the state folder is read, and the dispatcher is left alone.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::anyhow;
use replay::{History, HistoryError, Paint, Trouble, Until, When};
use types::UnixTime;

use crate::{
    cli::past,
    control::{
        Request,
        client::{self, Connection, Unanswered},
    },
    printer, settings, shell, whose,
};

mod events;
mod record;
mod series;
mod trial;

pub(crate) use events::events;
pub(crate) use record::record_test;
pub(crate) use series::history;
pub(crate) use trial::replay;

/// The stretch of time that somebody named ends before it begins.
const UNORDERED: &str =
    "--until lies before --since; of both, a time of day alone is the last one that came";

/// A state folder that is looked at.
struct Looked {
    history: History,
    now: UnixTime,
    /// A dispatcher runs on it.
    is_live: bool,
    /// Where it lies, where nobody named that.
    found: Option<PathBuf>,
}

/// `iot-control why TARGET`.
pub(crate) fn why(options: &past::Why) -> anyhow::Result<ExitCode> {
    let looked = look(&options.past)?;
    let when = looked.at(options.at.as_deref())?;
    let answer = replay::why::why(&looked.history, &options.target, when)?;
    looked.tell_troubles();
    looked.tell_off();
    let Some(why) = answer else {
        let read = when.map(|when| when.words(looked.now, looked.history.zone()));
        let at = options.at.as_deref().zip(read.as_deref());
        printer::tell(replay::why::unanswered(
            &looked.history,
            &options.target,
            at,
        ));
        if options.past.json {
            printer::result(serde_json::Value::Null);
        }
        return Ok(ExitCode::SUCCESS);
    };
    if options.past.json {
        printer::result(why.json(looked.history.zone()));
    } else {
        printer::painted(&why.text(looked.history.zone(), looked.now, paint()));
    }
    Ok(ExitCode::SUCCESS)
}

/// `iot-control why-not RULE`.
pub(crate) fn why_not(options: &past::WhyNot) -> anyhow::Result<ExitCode> {
    let looked = look(&options.past)?;
    let when = looked.at(options.at.as_deref())?;
    let answer = replay::why_not::why_not(&looked.history, &options.rule, when, looked.now)?;
    looked.tell_troubles();
    looked.tell_off();
    if options.past.json {
        printer::result(answer.json(looked.history.zone()));
    } else {
        printer::painted(&answer.text(looked.history.zone(), paint()));
    }
    Ok(ExitCode::SUCCESS)
}

/// `iot-control state [PATH]`.
pub(crate) fn state(options: &past::StateAt) -> anyhow::Result<ExitCode> {
    let looked = look(&options.past)?;
    let when = looked.at(options.at.as_deref())?;
    // While a dispatcher runs, nothing came since its last input, whatever the clock showed then.
    let now = looked.is_live.then_some(looked.now);
    let answer = replay::state::state(&looked.history, options.path.as_deref(), when, now)?;
    looked.tell_troubles();
    if options.past.json {
        printer::result(answer.json(looked.history.zone()));
    } else {
        printer::painted(&answer.text(looked.history.zone(), paint()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The past in the named folder, or in that where a dispatcher keeps its state.
fn open(named: Option<&Path>) -> Result<History, HistoryError> {
    past_in(&state_folder(named), named)
}

/// The past in `state`, which is the `named` folder, or was found without a name.
fn past_in(state: &Path, named: Option<&Path>) -> Result<History, HistoryError> {
    let history = History::open(state)?;
    Ok(history.found_with(named.map_or_else(String::new, shell::state_option)))
}

fn look(options: &past::Past) -> anyhow::Result<Looked> {
    let named = options.state.folder.as_deref();
    let state = state_folder(named);
    let live = client::connect(Some(&state));
    let is_live = live.is_ok_and(|mut dispatcher| hand_over(&mut dispatcher));
    Ok(Looked {
        history: past_in(&state, named)?,
        now: now(),
        is_live,
        found: named.is_none().then_some(state),
    })
}

/// Lets a running dispatcher write what it has taken so far; says whether it still runs. What it can't write is
/// said and left out.
pub(super) fn hand_over(dispatcher: &mut Connection) -> bool {
    let unkept = match dispatcher.ask(&Request::HandOver) {
        Ok(done) => done["unkept"].as_str().map(str::to_owned),
        Err(Unanswered::Refused(why)) => Some(why),
        Err(_) => return false,
    };
    if let Some(why) = unkept {
        printer::tell(format_args!(
            "note: the newest inputs are not in the journal: {why}"
        ));
    }
    true
}

/// Why a running dispatcher refused; where its past knows the first of `names` that nothing is called today, what became of that
/// instead: who has the answer needs no list of what there is.
pub(super) fn with_what_became(
    why: Unanswered,
    folder: Option<&Path>,
    names: &[String],
) -> anyhow::Error {
    let became = || {
        if !matches!(why, Unanswered::Refused(_)) {
            return None;
        }
        let history = open(folder).ok()?;
        names.iter().find_map(|name| history.became(name))
    };
    match became() {
        Some(became) => anyhow!("{became}"),
        None => why.into(),
    }
}

/// The named folder; else that of the house in whose folder somebody stands; else, of the places where a dispatcher keeps its state,
/// the one where one runs, or the first that holds a house.
fn state_folder(named: Option<&Path>) -> PathBuf {
    if let Some(named) = named {
        return named.to_owned();
    }
    let mut here = client::folders_of_here().into_iter();
    if let Some(here) = here.find(|place| place.join("house.db").exists()) {
        return here;
    }
    let places = client::folders(None);
    let live = places
        .iter()
        .find(|place| client::connect(Some(place)).is_ok());
    let kept = places.iter().find(|place| place.join("house.db").exists());
    live.or(kept)
        .cloned()
        .unwrap_or_else(settings::default_state_folder)
}

/// A moment that somebody names. All of them are read here, and it is told how: a time of day alone may be
/// yesterday's, and the home's zone is not the reader's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    At,
    Since,
    Until,
}

impl Named {
    fn read(self, text: &str, now: UnixTime, history: &History) -> anyhow::Result<When> {
        let zone = history.zone();
        let when = When::parse(text, now, zone)?;
        let (word, when) = match self {
            Self::At if when.is_day => ("on", when),
            Self::At => ("at", when),
            Self::Since => ("from", when.begin()),
            Self::Until => ("until", when.end()),
        };
        printer::tell(format_args!("{word} {}", when.words(now, zone)));
        Ok(when)
    }
}

impl Looked {
    fn at(&self, text: Option<&str>) -> anyhow::Result<Option<When>> {
        text.map(|text| Named::At.read(text, self.now, &self.history))
            .transpose()
    }

    fn since(&self, text: &str) -> anyhow::Result<UnixTime> {
        let since = Named::Since.read(text, self.now, &self.history)?;
        Ok(since.from)
    }

    fn until(&self, text: Option<&str>) -> anyhow::Result<Until> {
        let Some(text) = text else {
            return Ok(Until::End);
        };
        let until = Named::Until.read(text, self.now, &self.history)?;
        Ok(Until::Wall(until.from))
    }

    /// That no dispatcher runs, so that nothing has happened since.
    fn tell_off(&self) {
        if let (false, Some(last)) = (self.is_live, self.history.last_now()) {
            let at = self.history.at_home(last.wall);
            let found = self.found.as_deref();
            match found.map(|state| (whose::house_of(state), state.display())) {
                None => printer::tell(format_args!(
                    "note: no dispatcher runs here; its last input came at {at}"
                )),
                Some((house, state)) => printer::tell(format_args!(
                    "note: no dispatcher runs here; this is about {}, with its state in {state}, whose last input came at {at}",
                    house.as_deref().unwrap_or("the house")
                )),
            }
        }
    }

    /// What is missing or doubtful; results stay clean.
    fn tell_troubles(&self) {
        for trouble in self.history.troubles() {
            tell(&trouble);
        }
    }
}

fn tell(trouble: &Trouble) {
    printer::tell(format_args!("note: {trouble}"));
}

fn paint() -> Paint {
    if printer::is_terminal() {
        Paint::Ansi
    } else {
        Paint::None
    }
}

fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.map_or(0, |since| since.as_micros());
    UnixTime(i64::try_from(since).unwrap_or(i64::MAX))
}
