//! Start: newest good snapshot plus the journal's tail, through the very code that ran then; then the
//! mapping of today.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use dispatcher::{Blocklist, Config, Dispatcher, Effects};
use mapping::Program;
use replay::{Fed, Player, Programs};
use store::{
    Options, Store,
    db::MappingHash,
    journal::{Record, Retention},
};
use types::{InputNo, Now};

use super::{
    app::App,
    clock::{Clock, Downtime, TimeLine},
    house::{self, House},
    users::Users,
};
use crate::{cli, printer, settings::Settings};

/// Name of the file that carries the time line from one start to the next.
const TIME_LINE: &str = "time-line";

/// A house as it was, ready to go on.
pub(super) struct Recovered {
    pub(super) app: App,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) folder: PathBuf,
}

/// Opens the state folder and brings the house back.
pub(super) fn recover(
    options: &cli::Run,
    settings: &Settings,
    house: &House,
) -> anyhow::Result<Recovered> {
    let folder = settings.state_folder(options.simulate);
    let (mut store, found) = Store::open(&folder, store_options(settings))
        .with_context(|| format!("state folder {}", folder.display()))?;
    say_what_was_wrong(&found);
    let (clock, downtime) = clock(&folder, found.last_now)?;
    if downtime == Downtime::Unknown {
        printer::tell(
            "the clock is not synchronised: timers go on as if no time had passed while the machine was off",
        );
    }
    let blocklist = read_blocklist(&options.house)?;
    let last = found.last;
    let config = Config {
        firings_per_s_max: settings.engine.fuse.get(),
        ..Config::default()
    };
    let dispatcher = bring_back(&mut store, found, house, &blocklist, config, clock.now())?;
    store
        .database()
        .archive_mapping(&house.archived(clock.now().at))?;
    let users = Users::new(&store.database().read().users()?);
    let mut app = App::new(
        dispatcher,
        users,
        settings.mqtt.anonymous,
        last,
        clock.now(),
    );
    app.adopt(house, &blocklist, clock.now());
    Ok(Recovered {
        app,
        store,
        clock,
        folder,
    })
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
        ..Options::default()
    }
}

fn say_what_was_wrong(found: &store::Recovered) {
    for rejected in &found.rejected {
        printer::tell(rejected);
    }
    if let Some(torn) = &found.torn {
        printer::tell(torn);
    }
    for damage in &found.damaged {
        printer::tell(damage);
    }
}

fn clock(folder: &std::path::Path, last: Option<Now>) -> anyhow::Result<(Clock, Downtime)> {
    let path = folder.join(TIME_LINE);
    let (clock, downtime) = Clock::go_on(TimeLine::read(&path), last);
    clock
        .line()
        .write(&path)
        .with_context(|| format!("{}", path.display()))?;
    Ok((clock, downtime))
}

/// The blocks of blocklist.toml. One that can't be read stops a start: nobody would know whom it
/// should have kept out.
fn read_blocklist(house: &std::path::Path) -> anyhow::Result<Blocklist> {
    let path = house::blocklist_path(house);
    let text = house::read_or_empty(&path).with_context(|| format!("{}", path.display()))?;
    house::blocklist(&text).map_err(|why| anyhow::anyhow!("{}", why.trim_end()))
}

/// Snapshot and tail, each input under the mapping that was in force when it came.
fn bring_back(
    store: &mut Store,
    found: store::Recovered,
    house: &House,
    blocklist: &Blocklist,
    config: Config,
    now: Now,
) -> anyhow::Result<Dispatcher> {
    let today = &house.program;
    let database = store.database().read();
    let mut programs = Programs::knowing([Arc::clone(today)]);
    let dispatcher = match found.snapshot {
        None => {
            let then = found.last_now.unwrap_or(now);
            Dispatcher::new(Arc::clone(today), config, blocklist.clone(), then)
        }
        Some(snapshot) => {
            let program = programs.find_or(database, snapshot.mapping, today);
            let restored = Dispatcher::restore(program, config, &snapshot.body, snapshot.now);
            let (dispatcher, notes) =
                restored.with_context(|| format!("the snapshot of input {}", snapshot.no))?;
            for note in notes {
                tracing::info!("{}", note.render(dispatcher.program()));
            }
            dispatcher
        }
    };
    let dispatcher = replay_tail(dispatcher, found.tail, |hash| {
        programs.find_or(database, hash, today)
    });
    for stand_in in programs.stand_ins() {
        tracing::warn!("{stand_in}");
    }
    dispatcher
}

fn replay_tail(
    dispatcher: Dispatcher,
    tail: impl Iterator<Item = Result<Record, store::journal::ReadError>>,
    mut program_of: impl FnMut(MappingHash) -> Arc<Program>,
) -> anyhow::Result<Dispatcher> {
    let mut player = Player::new(dispatcher);
    let mut effects = Effects::default();
    let (mut replayed, mut skipped, mut newest) = (0_u64, 0_u64, InputNo(0));
    for record in tail {
        let record = record.context("the journal")?;
        effects.clear();
        match player.feed(&record, |hash, _| program_of(hash), &mut effects) {
            Fed::Passed | Fed::Observed(_) => continue,
            Fed::Applied | Fed::Reloaded => {}
            Fed::Unreadable(why) => {
                skipped += 1;
                tracing::warn!(input = %record.no, %why, "an input of the past can't be replayed");
            }
        }
        newest = record.no;
        replayed += 1;
    }
    if replayed > 0 {
        tracing::info!(replayed, skipped, %newest, "replayed the journal");
    }
    Ok(player.into_dispatcher())
}
