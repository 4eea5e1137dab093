//! Start: newest good snapshot plus the journal's tail, through the very code that ran then; then the
//! settings and the mapping of today.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ::broker::Kept;
use anyhow::Context;
use dispatcher::{Blocklist, Conduct, Config, Dispatcher};
use jiff::Timestamp;
use mapping::Program;
use replay::Programs;
use store::{KeyFolder, Options, Retention, StateFolder, Store, contents::TIME_LINE};
use types::{InputNo, Now, UnixTime};

use super::{
    app::App,
    clock::{Clock, Machine, TimeLine},
    configure,
    desk::Waiting,
    house::House,
    keys,
    sealed::Sealed,
    tell::{self, Teller},
    users::{OfNobody, Users},
};
use crate::{
    cli, printer,
    settings::{self, Settings},
    whose,
};

mod archive;
mod blocks;
mod broker;
#[cfg(test)]
mod kills;
mod tail;

/// Lines that a start tells of what it had to forget.
const LINES_MAX: usize = 5;

/// A house as it was, ready to go on.
pub(super) struct Recovered {
    pub(super) app: App,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) folder: PathBuf,
    /// What the broker kept.
    pub(super) kept: Kept,
    /// What is in force.
    pub(super) house: House,
    /// Its files, where the disk does not take their mapping and the one before goes on.
    pub(super) waits: Option<Waiting>,
}

/// Opens the state folder and brings the house back to this moment of `machine`.
pub(super) fn recover(
    options: &cli::Run,
    settings: &Settings,
    house: House,
    machine: &Machine,
) -> anyhow::Result<Recovered> {
    let folder = configure::state_folder(options, settings);
    let (mut store, found) = Store::open(&folder, store_options(settings))
        .with_context(|| format!("state folder {}", folder.display()))?;
    say_what_was_wrong(&found, &house.program);
    let clock = Clock::new(time_line(&folder, found.last_now, machine), machine);
    let now = clock.at(machine);
    let last = found.last;
    let has_past = has_past(&found);
    let blocks = blocks::read(&options.house, &house.program);
    let first = blocks.as_ref().ok().cloned().unwrap_or_default();
    let dispatcher = bring_back(&store, found, &house, &first, settings, now)?;
    let is_at_home = whose::is_at_home(&folder, &options.house);
    let is_another = whose::is_another_house(dispatcher.program(), &house.program, is_at_home);
    if is_another && !options.replace_house {
        anyhow::bail!(whose::another_house(&folder, dispatcher.program()));
    }
    let archive::Start {
        house,
        waits,
        unarchived,
    } = archive::archive(house, &mut store, dispatcher.program(), now);
    if let Some(waits) = &waits
        && options.replace_house
    {
        anyhow::bail!("the house that was in force stays: {}", waits.why);
    }
    remember(&folder, options, &house);
    let blocklist = blocks::of_today(blocks, options, &house, &dispatcher, has_past)?;
    let users = users(&store)?;
    let logins: Vec<_> = users.of_no_device(&house.program).collect();
    let kept = broker::bring_back(&store)?;
    let mut app = App::new(dispatcher, users, settings.mqtt.anonymous, last, now);
    app.teller = Teller::start(&settings.notify).context(settings::FILE)?;
    if !has_past {
        app.is_new(now);
    }
    bring_into_force(&mut app, (&house, unarchived), settings, &blocklist, now);
    tell_of_logins(logins);
    let has_keys = options.sealed || !settings.udp.listen.is_empty();
    app.let_in(sealed(&folder, has_keys, &house, now)?);
    Ok(Recovered {
        app,
        store,
        clock,
        folder,
        kept,
        house,
        waits,
    })
}

/// The mapping, the settings and the blocks of today, and says what that changes. `unarchived`: why the archive has no such
/// mapping.
fn bring_into_force(
    app: &mut App,
    (house, unarchived): (&House, Option<String>),
    settings: &Settings,
    blocklist: &Blocklist,
    now: Now,
) {
    if let Some(why) = unarchived {
        app.is_unarchived(house.archived(now.at), why);
        let why = app.unarchived().unwrap_or_default();
        printer::tell(format_args!("warning: {why}. It is tried again by itself"));
    }
    let others = app.adopt(house, conduct(settings), blocklist, now);
    if !others.is_empty() {
        printer::tell(others.trim_start_matches("; "));
    }
}

/// Notes in the state folder which house it belongs to and what settings that has, so that it can go on where its own folder is
/// gone. A start without is none the worse.
fn remember(folder: &Path, options: &cli::Run, house: &House) {
    if let Err(error) = whose::remember(folder, &options.house) {
        tracing::warn!(%error, "which house the state folder belongs to can't be written down");
    }
    let file = options.house.join(settings::FILE);
    let has_settings = file.symlink_metadata().is_ok();
    if (has_settings || house.goes_on_since.is_none())
        && let Err(error) = configure::keep(folder, &options.house)
    {
        tracing::warn!(%error, "the settings of this start can't be kept");
    }
}

/// Says which logins speak for nobody, and how each gets a device again.
pub(super) fn tell_of_logins(logins: impl IntoIterator<Item = OfNobody>) {
    let lines = logins
        .into_iter()
        .map(|login| format!("{login}: {} says for which one now", login.mend()));
    summed_up(lines).iter().for_each(printer::tell);
}

/// The first lines, and how many more there are.
pub(super) fn summed_up(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    let more = lines.len().saturating_sub(LINES_MAX);
    if more > 1 {
        lines.truncate(LINES_MAX);
        lines.push(format!("and {more} more like these"));
    }
    lines
}

/// What the settings say of how the house goes on.
fn conduct(settings: &Settings) -> Conduct {
    Conduct {
        firings_per_s_max: settings.engine.fuse.get(),
        silence: settings.presence.silence_max.clone(),
        reports_missed_max: Some(settings.presence.reports_missed_max).filter(|max| *max > 0),
        carriers: Some(tell::names(&settings.notify)),
    }
}

/// Everybody who may log in. A row that is damaged keeps nobody else out.
fn users(store: &Store) -> anyhow::Result<Users> {
    let (rows, damaged) = store
        .read()
        .users()
        .with_context(|| format!("{}", store.folder().database().display()))?;
    for row in damaged {
        printer::tell(format_args!("{row}; until then this user can't log in"));
    }
    Ok(Users::new(&rows))
}

/// The devices that have a key. One whose file is damaged keeps no other out. `has_keys`: the house gets its own where it has
/// none yet.
fn sealed(folder: &Path, has_keys: bool, house: &House, now: Now) -> anyhow::Result<Sealed> {
    let keys = KeyFolder::of(&StateFolder::new(folder));
    let own = match keys::known(&keys)? {
        None if has_keys => Some(keys::house(&keys)?),
        known => known,
    };
    let (mut devices, damaged) = keys.devices()?;
    for damaged in damaged {
        printer::tell(format_args!("{damaged}; until then this device stays out"));
    }
    for device in &mut devices {
        keys::follow(&keys, device, &house.program);
    }
    Ok(Sealed::new(own.as_ref(), devices, now))
}

fn store_options(settings: &Settings) -> Options {
    Options {
        sync_interval: settings.journal.sync_every(),
        retention: Retention {
            age_max: std::time::Duration::from_secs(
                u64::from(settings.journal.keep_days.get()) * 24 * 3_600,
            ),
            bytes_max: settings.journal.size_mib_max << 20,
        },
        memory: settings::memory_folder(),
        ..Options::default()
    }
}

fn say_what_was_wrong(found: &store::Recovered, program: &Program) {
    for warning in &found.warnings {
        printer::tell(warning);
    }
    for rejected in &found.rejected {
        printer::tell(rejected);
    }
    if let Some(torn) = &found.torn {
        printer::tell(torn);
    }
    if let Some(cut_off) = &found.cut_off {
        let time = local_time(cut_off.until_wall, program);
        printer::tell(format_args!("{cut_off}; the last of them came on {time}"));
    }
    for damage in &found.damaged {
        printer::tell(damage);
    }
}

/// As `2026-10-25 21:04:12`, at home, or in UTC where the house does not say where that is.
pub(super) fn local_time(wall: UnixTime, program: &Program) -> String {
    match Timestamp::from_microsecond(wall.0) {
        Ok(at) => at
            .to_zoned(program.home.zone())
            .strftime("%Y-%m-%d %H:%M:%S %Z")
            .to_string(),
        Err(_) => "an unknown day".to_owned(),
    }
}

/// The house's time, from where it was. A file that can't be written costs the next start no more than the
/// exact length of its downtime.
fn time_line(folder: &Path, last: Option<Now>, machine: &Machine) -> TimeLine {
    let path = folder.join(TIME_LINE);
    let before = TimeLine::read(&path).unwrap_or_else(|why| {
        printer::tell(format_args!(
            "{} {why}; the length of this downtime is taken from the wall clock, and the file is written anew. Check the disk, or what wrote there",
            path.display()
        ));
        None
    });
    let (line, downtime) = TimeLine::go_on(before, last, machine);
    if let Some(warning) = downtime.warning() {
        printer::tell(warning);
    }
    if let Err(error) = line.write(&path) {
        printer::tell(format_args!(
            "{} can't be written ({error}); the next start takes the length of its downtime from the wall clock",
            path.display()
        ));
    }
    line
}

/// Whether the house began already.
fn has_past(found: &store::Recovered) -> bool {
    found.last > InputNo(0) || found.snapshot.is_some()
}

/// Snapshot and tail, each input under the mapping that was in force when it came; a house that did not begin yet, where there is
/// neither.
fn bring_back(
    store: &Store,
    found: store::Recovered,
    house: &House,
    blocklist: &Blocklist,
    settings: &Settings,
    now: Now,
) -> anyhow::Result<Dispatcher> {
    let today = &house.program;
    // What was in force before goes on until `adopt`: the tail came about under that.
    let config = Config {
        conduct: match has_past(&found) {
            true => Conduct::default(),
            false => conduct(settings),
        },
        ..Config::default()
    };
    let mut programs = Programs::knowing(Arc::clone(today));
    let newest = found.snapshot.as_ref().map_or(InputNo(0), |taken| taken.no);
    let restored = replay::restore(
        found.snapshot,
        store.read(),
        (&mut programs, today),
        &config,
        printer::tell,
    )?;
    let from = restored.as_ref().map_or(InputNo(0), |restored| restored.no);
    let tail = match from == newest {
        true => found.tail,
        false => store.reader(from.next()),
    };
    let dispatcher = match restored {
        Some(restored) => {
            let program = restored.house.program();
            for line in summed_up(restored.notes.iter().map(|note| note.render(program))) {
                printer::tell(line);
            }
            restored.house
        }
        None => {
            let first = store.reader(InputNo(1)).find_map(Result::ok);
            let (program, blocks) = (Arc::clone(today), blocklist.clone());
            replay::from_nothing(program, config, blocks, first.as_ref(), now)
        }
    };
    let dispatcher = tail::replay(dispatcher, tail, store, |hash| {
        programs.find_or(store.read(), hash, today)
    });
    for stand_in in programs.stand_ins() {
        tracing::warn!("{stand_in}");
    }
    dispatcher
}
