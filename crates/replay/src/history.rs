//! A house's past: opened once, then looked at from any moment on.
//!
//! ```text
//!   snapshot        snapshot              snapshot
//!      |---- inputs ----|------ inputs -------|---- inputs ---> now
//!                       ^ a travel starts here, and runs forward to the moment that is asked about
//! ```

use std::{
    cell::{Cell, RefCell},
    path::Path,
    sync::Arc,
};

use dispatcher::{Blocklist, Config, Dispatcher};
use jiff::tz::TimeZone;
use mapping::Program;
use store::{MappingHash, Past, Record, SnapshotInfo};
use types::{InputNo, Instant, Now, UnixTime};

use crate::{
    heirs::{Heirs, Toward},
    player::Player,
    programs::{KEPT_MAX, Programs},
    recent::Recent,
    restore::{from_nothing, is_beginning, restore},
    travel::Travel,
    trouble::{HistoryError, Trouble, Troubles},
    words::{clock_of, from_here, minute_of},
};

/// A search backwards looks at stretches of at least so many inputs at once, but for the newest one: restoring a
/// snapshot costs as much as replaying some hundred.
const WINDOW_INPUTS_MIN: u64 = 5_000;

/// The past of one house.
#[derive(Debug)]
pub struct History {
    past: Past,
    /// What of the settings was in force stands in the snapshots and in the journal; the rest sends nothing here.
    config: Config,
    /// Oldest first.
    snapshots: Vec<SnapshotInfo>,
    newest: Arc<Program>,
    /// The mappings that were in force, oldest first, each with the first snapshot under it.
    mappings: Vec<(InputNo, MappingHash)>,
    zone: TimeZone,
    /// The clock of this house was synchronised at least once: only then what unsynchronised clocks showed
    /// counts for nothing.
    has_clock: bool,
    programs: RefCell<Programs>,
    /// From mappings to the next ones, by their places.
    steps: RefCell<Recent<usize, Arc<Heirs>>>,
    to_last: RefCell<Toward>,
    troubles: RefCell<Troubles>,
    replayed: Cell<u64>,
    /// With what the commands that an answer names find this house.
    options: String,
}

/// Where a travel ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// With the newest input.
    End,
    /// With this input, and what was seen until the next one.
    No(InputNo),
    /// Before the first input that was taken at this time of the wall or later.
    Wall(UnixTime),
}

/// A stretch of history between two snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The snapshot that it starts from.
    pub after: InputNo,
    /// Where it ends.
    pub until: Until,
}

impl History {
    /// Opens the past in a state folder; a dispatcher may run on it.
    ///
    /// # Errors
    /// It is no state folder, can't be read, or holds nothing yet.
    pub fn open(folder: &Path) -> Result<Self, HistoryError> {
        let past = Past::open(folder)?;
        let mut programs = Programs::default();
        let database = past.database();
        let newest = database.newest_mapping()?.ok_or(HistoryError::Empty)?;
        let newest = programs
            .find(database, newest)
            .map_err(HistoryError::NoMapping)?;
        let mut snapshots = database.snapshots()?;
        snapshots.reverse();
        // From an older one the journal can't be read on.
        if let Some(before_oldest) = past.before_oldest() {
            let usable = |info: &&SnapshotInfo| info.no >= before_oldest;
            if snapshots.iter().any(|info| usable(&info)) {
                snapshots.retain(|info| usable(&info));
            }
        }
        if snapshots.is_empty() && past.last() == InputNo(0) {
            return Err(HistoryError::Empty);
        }
        let has_clock = snapshots.iter().any(|info| info.now.synced)
            || past.last_now().is_some_and(|now| now.synced);
        let mut troubles = Troubles::default();
        for damage in past.damaged() {
            troubles.add(Trouble::Gap(damage.to_string()));
        }
        Ok(Self {
            config: Config::default(),
            mappings: mappings(&snapshots, MappingHash(newest.hash)),
            snapshots,
            zone: newest.home.zone(),
            newest,
            has_clock,
            programs: RefCell::new(programs),
            steps: RefCell::new(Recent::new(KEPT_MAX)),
            to_last: RefCell::default(),
            troubles: RefCell::new(troubles),
            replayed: Cell::new(0),
            options: String::new(),
            past,
        })
    }

    /// Answers name commands with these options behind them, as ` --state /home/ada/house`: with them this house is found.
    #[must_use]
    pub fn found_with(self, options: String) -> Self {
        Self { options, ..self }
    }

    /// A command as somebody can type it who wants to know more: `` `iot-control why-not night` ``.
    pub(crate) fn command(&self, command: &str) -> String {
        format!("`iot-control {command}{}`", self.options)
    }

    /// The mapping that came into force last.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.newest
    }

    /// The home's time zone; UTC where it has none.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// A moment for people at home, `2026-03-28 21:04`.
    #[must_use]
    pub fn at_home(&self, wall: UnixTime) -> String {
        minute_of(&self.zone, wall)
    }

    /// The time of day for people at home, `21:04:12.310`.
    #[must_use]
    pub fn clock(&self, wall: UnixTime) -> String {
        clock_of(&self.zone, wall)
    }

    /// The same, with its date where that is not the day of the newest input.
    #[must_use]
    pub fn moment(&self, wall: UnixTime) -> String {
        let newest = self.last_now().map_or(wall, |now| now.wall);
        from_here(&self.zone, newest, wall)
    }

    /// The number of the newest input.
    #[must_use]
    pub fn last(&self) -> InputNo {
        let snapshot = self.snapshots.last().map_or(InputNo(0), |info| info.no);
        self.past.last().max(snapshot)
    }

    /// When the newest input was taken.
    #[must_use]
    pub fn last_now(&self) -> Option<Now> {
        let snapshot = self.snapshots.last().map(|info| info.now);
        let record = self.past.last_now();
        record.into_iter().chain(snapshot).max_by_key(|now| now.at)
    }

    /// The oldest moment that can be told.
    #[must_use]
    pub fn oldest(&self) -> Option<UnixTime> {
        let mut all = self.snapshots.iter();
        all.find(|info| self.shows(info.now))
            .map(|info| info.now.wall)
    }

    /// How many inputs were replayed so far; what a look costs.
    #[must_use]
    pub fn replayed(&self) -> u64 {
        self.replayed.get()
    }

    /// How many compiled mappings lie in memory; what a look costs beside its inputs.
    #[doc(hidden)]
    #[must_use]
    pub fn held(&self) -> usize {
        self.programs.borrow().held()
    }

    /// How many mappings were compiled so far; what a look costs beside its inputs.
    #[doc(hidden)]
    #[must_use]
    pub fn compiled(&self) -> usize {
        self.programs.borrow().compiled()
    }

    /// Everything that was missing or doubtful so far.
    #[must_use]
    pub fn troubles(&self) -> Vec<Trouble> {
        let mut troubles = self.troubles.borrow().all();
        let stand_ins = self.programs.borrow().stand_ins().to_vec();
        troubles.extend(stand_ins.into_iter().map(Trouble::StandIn));
        troubles
    }

    /// The house right before `wall`, and a travel from there on until `until`.
    ///
    /// # Errors
    /// `wall` lies before everything that is kept, or nothing can be read.
    pub fn from(&self, wall: UnixTime, until: Until) -> Result<Travel<'_>, HistoryError> {
        let mut travel = self.after(self.snapshot_before(wall)?, until)?;
        travel.go_to(Until::Wall(wall))?;
        Ok(travel)
    }

    /// The house at the end of `until`.
    ///
    /// # Errors
    /// It lies before everything that is kept, or nothing can be read.
    pub fn travel_to(&self, until: Until) -> Result<Travel<'_>, HistoryError> {
        let windows = self.windows(until, None)?;
        let window = windows.first().copied().unwrap_or(Window {
            after: InputNo(0),
            until,
        });
        let mut travel = self.window(window)?;
        travel.go_to(until)?;
        Ok(travel)
    }

    /// As [`Self::from`]; where `wall` lies before everything that is kept, from the oldest moment on.
    ///
    /// # Errors
    /// Nothing can be read.
    pub fn from_or_oldest(&self, wall: UnixTime, until: Until) -> Result<Travel<'_>, HistoryError> {
        match self.from(wall, until) {
            Err(HistoryError::TooOld { .. }) => self.all(until),
            other => other,
        }
    }

    /// The house right before input `no`, and a travel from there on until `until`.
    ///
    /// # Errors
    /// Nothing can be read.
    pub fn from_input(&self, no: InputNo, until: Until) -> Result<Travel<'_>, HistoryError> {
        let before = self.snapshots.iter().rfind(|info| info.no < no);
        let mut travel = self.after(before.map_or(InputNo(0), |info| info.no), until)?;
        let before = InputNo(no.0.saturating_sub(1));
        travel.go_to(Until::No(before))?;
        Ok(travel)
    }

    /// The house after the newest snapshot that was taken by `at`, and a travel from there on until `until`.
    pub(crate) fn after_snapshot_at(
        &self,
        at: Instant,
        until: Until,
    ) -> Result<Travel<'_>, HistoryError> {
        self.after(self.snapshot_at(at).0, until)
    }

    /// All that is kept.
    ///
    /// # Errors
    /// Nothing can be read.
    pub fn all(&self, until: Until) -> Result<Travel<'_>, HistoryError> {
        let oldest = self.snapshots.first();
        self.after(oldest.map_or(InputNo(0), |info| info.no), until)
    }

    /// The stretches before `until`, newest first, for whoever looks for the last time that something happened.
    /// Those that end before `since` are left out.
    ///
    /// # Errors
    /// `until` lies before everything that is kept.
    pub fn windows(
        &self,
        until: Until,
        since: Option<UnixTime>,
    ) -> Result<Vec<Window>, HistoryError> {
        let last = match until {
            Until::End => self.snapshots.len(),
            Until::No(no) => self.snapshots.partition_point(|info| info.no < no),
            Until::Wall(wall) => {
                let start = self.snapshot_before(wall)?;
                self.snapshots.partition_point(|info| info.no <= start)
            }
        };
        let mut windows = Vec::new();
        let (mut until, mut end) = (until, self.last());
        for info in self.snapshots[..last].iter().rev() {
            let inputs = end.0.saturating_sub(info.no.0);
            let is_long = inputs >= WINDOW_INPUTS_MIN || (windows.is_empty() && inputs > 0);
            let is_first = info.no == self.snapshots[0].no;
            let is_past = since.is_some_and(|since| self.shows(info.now) && info.now.wall <= since);
            if is_long || is_first || is_past {
                windows.push(Window {
                    after: info.no,
                    until,
                });
                (until, end) = (Until::No(info.no), info.no);
            }
            if is_past {
                return Ok(windows);
            }
        }
        if windows.is_empty() {
            windows.push(Window {
                after: InputNo(0),
                until,
            });
        }
        Ok(windows)
    }

    /// Travels through one stretch.
    ///
    /// # Errors
    /// Nothing can be read.
    pub fn window(&self, window: Window) -> Result<Travel<'_>, HistoryError> {
        self.after(window.after, window.until)
    }

    /// Whether `now` is past `wall`, as far as its clock can be trusted.
    pub(crate) fn is_past(&self, now: Now, wall: UnixTime) -> bool {
        self.shows(now) && now.wall >= wall
    }

    /// Notes where the clock was put back over `wall` after it had shown `past`, as far as snapshots and the newest input show.
    pub(crate) fn note_put_back(&self, past: Now, wall: UnixTime) {
        let known = self.snapshots.iter().map(|info| info.now);
        let mut known = known.chain(self.last_now());
        let is_back = |now: Now| now.at > past.at && self.shows(now) && now.wall < wall;
        if known.any(is_back) {
            let twice = Trouble::ShownTwice(self.at_home(wall));
            self.trouble(|troubles| troubles.add(twice));
        }
    }

    /// Whether the clock can be trusted that `now` was read from.
    pub(crate) fn is_timed(&self, now: Now) -> bool {
        self.shows(now)
    }

    /// Whether `record` lies behind the end of a travel.
    pub(crate) fn is_behind(&self, record: &Record, until: Until) -> bool {
        match until {
            Until::End => false,
            Until::No(no) => record.no > no,
            Until::Wall(wall) => self.is_past(record.now, wall),
        }
    }

    /// The number of the newest snapshot that was taken by `at`, and when it was; of the oldest, where none was.
    pub(crate) fn snapshot_at(&self, at: Instant) -> (InputNo, Option<Now>) {
        let before = self.snapshots.iter().rfind(|info| info.now.at <= at);
        let before = before.or(self.snapshots.first());
        let none = (InputNo(0), None);
        before.map_or(none, |info| (info.no, Some(info.now)))
    }

    /// The number of the newest snapshot.
    pub(crate) fn newest_snapshot(&self) -> InputNo {
        self.snapshots.last().map_or(InputNo(0), |info| info.no)
    }

    /// The number of the oldest snapshot that can be used.
    pub(crate) fn oldest_snapshot(&self) -> InputNo {
        self.snapshots.first().map_or(InputNo(0), |info| info.no)
    }

    pub(crate) fn past(&self) -> &Past {
        &self.past
    }

    /// The mappings that were in force, oldest first; the last one is [`Self::program`]. Each with the number of the
    /// first snapshot under it. What was in force too shortly for one is left out.
    pub(crate) fn mappings(&self) -> &[(InputNo, MappingHash)] {
        &self.mappings
    }

    /// The mapping at this place of [`Self::mappings`].
    pub(crate) fn mapping(&self, at: usize) -> Arc<Program> {
        let hash = self.mappings[at].1;
        let mut programs = self.programs.borrow_mut();
        programs.find_or(self.past.database(), hash, &self.newest)
    }

    /// The place in [`Self::mappings`] of the one with this hash that was in force after input `no`; of the one before,
    /// where it is not among them.
    pub(crate) fn mapping_after(&self, no: InputNo, hash: [u8; 32]) -> usize {
        let before = self.mappings.partition_point(|(from, _)| *from <= no);
        let before = before.saturating_sub(1);
        // The snapshot under it may have been taken some inputs later.
        let mut near = self.mappings.iter().enumerate().skip(before).take(2);
        let found = near.find(|(_, (_, known))| known.0 == hash);
        found.map_or(before, |(at, _)| at)
    }

    pub(crate) fn count_input(&self) {
        self.replayed.set(self.replayed.get() + 1);
    }

    pub(crate) fn steps(&self) -> &RefCell<Recent<usize, Arc<Heirs>>> {
        &self.steps
    }

    pub(crate) fn to_last(&self) -> &RefCell<Toward> {
        &self.to_last
    }

    pub(crate) fn programs(&self) -> &RefCell<Programs> {
        &self.programs
    }

    pub(crate) fn trouble(&self, add: impl FnOnce(&mut Troubles)) {
        add(&mut self.troubles.borrow_mut());
    }

    /// The newest snapshot in this range of numbers.
    pub(crate) fn snapshot_within(&self, from: InputNo, before: InputNo) -> Option<InputNo> {
        let mut all = self.snapshots.iter().rev();
        let found = all.find(|info| from <= info.no && info.no < before);
        found.map(|info| info.no)
    }

    /// The house after the newest snapshot up to `up_to` that can be used.
    pub(crate) fn restore(&self, up_to: InputNo) -> Result<(Dispatcher, InputNo), HistoryError> {
        let database = self.past.database();
        let (newest, rejected) = database.newest_snapshot(up_to)?;
        self.trouble(|troubles| troubles.rejected(rejected));
        let programs = &mut *self.programs.borrow_mut();
        let passed = |text| self.trouble(|troubles| troubles.add(Trouble::Snapshot(text)));
        let restored = restore(
            newest,
            database,
            (programs, &self.newest),
            &self.config,
            passed,
        )?;
        if let Some(restored) = restored {
            return Ok((restored.house, restored.no));
        }
        self.trouble(|troubles| troubles.add(Trouble::FromNothing));
        let first = self.past.reader(InputNo(1)).find_map(Result::ok);
        let dispatcher = from_nothing(
            Arc::clone(&self.newest),
            self.config.clone(),
            Blocklist::default(),
            first.as_ref(),
            Now::default(),
        );
        Ok((dispatcher, InputNo(0)))
    }

    fn after(&self, snapshot: InputNo, until: Until) -> Result<Travel<'_>, HistoryError> {
        let (dispatcher, no) = self.restore(snapshot)?;
        Ok(Travel::new(self, Player::new(dispatcher), no, until))
    }

    /// The newest snapshot that was taken before `wall`.
    fn snapshot_before(&self, wall: UnixTime) -> Result<InputNo, HistoryError> {
        let before = self
            .snapshots
            .iter()
            .rfind(|info| self.shows(info.now) && info.now.wall <= wall);
        match (before, self.oldest()) {
            (Some(info), _) => Ok(info.no),
            // The house's first moments: its clock was not right before.
            (None, Some(_)) if self.is_complete() && !self.began_in_time() => {
                Ok(self.snapshots.first().map_or(InputNo(0), |info| info.no))
            }
            (None, Some(oldest)) => Err(HistoryError::TooOld {
                oldest: self.at_home(oldest),
                is_begin: self.is_complete(),
            }),
            (None, None) => Ok(self.snapshots.first().map_or(InputNo(0), |info| info.no)),
        }
    }

    /// Whether nothing of the house's past was dropped.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.past.before_oldest().is_none_or(|no| no == InputNo(0))
    }

    /// Whether the house begins with the input behind `no`: what it was before is nothing that anybody saw.
    pub(crate) fn begins_after(&self, no: InputNo) -> bool {
        let next = (no == InputNo(0)).then(|| self.past.reader(InputNo(1)).next());
        matches!(next, Some(Some(Ok(record))) if is_beginning(&self.newest, &record))
    }

    /// Whether the clock was right when the oldest snapshot was taken.
    fn began_in_time(&self) -> bool {
        let first = self.snapshots.first();
        first.is_some_and(|info| self.shows(info.now))
    }

    /// Whether the wall of `now` says what time it was.
    fn shows(&self, now: Now) -> bool {
        now.synced || !self.has_clock
    }
}

/// Which mappings were in force one after the other; the snapshots are sorted, oldest first.
fn mappings(snapshots: &[SnapshotInfo], newest: MappingHash) -> Vec<(InputNo, MappingHash)> {
    let mut all: Vec<(InputNo, MappingHash)> = Vec::new();
    let of_snapshots = snapshots.iter().map(|info| (info.no, info.mapping));
    // A snapshot under the newest may not have been taken yet.
    for (no, hash) in of_snapshots.chain([(InputNo(u64::MAX), newest)]) {
        if all.last().is_none_or(|(_, last)| *last != hash) {
            all.push((no, hash));
        }
    }
    all
}
