//! A way through history: one record after the other, with the house as it is after each.

use std::sync::Arc;

use dispatcher::{Dispatcher, Effects, Input};
use mapping::Program;
use store::{Class, Gap, JournalReader, ReadError, Record};
use types::{InputNo, Now};

use crate::{
    history::{History, Until},
    player::{Fed, Player},
    trouble::{HistoryError, Trouble},
};

/// Goes through history from a snapshot on. Holds one record and the house, however long the way is.
#[derive(Debug)]
pub struct Travel<'h> {
    history: &'h History,
    player: Player,
    reader: JournalReader,
    /// Read already, and not part of the way yet.
    ahead: Option<Record>,
    /// The last step's.
    here: Option<Record>,
    until: Until,
    effects: Effects,
    last: InputNo,
    now: Now,
    /// Inputs up to this number are missing: the house is not quite what it was.
    doubtful_up_to: Option<InputNo>,
}

/// One record, and what came of it.
#[derive(Debug)]
pub struct Step<'t> {
    /// The record.
    pub record: &'t Record,
    /// What became of it.
    pub fed: Fed,
    /// Decisions, outputs and notes.
    pub effects: &'t mut Effects,
    /// The house after it.
    pub house: &'t Dispatcher,
    /// False: inputs before it are missing.
    pub is_certain: bool,
}

impl Step<'_> {
    /// The mapping in force.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        self.house.program()
    }

    /// The input, where it is one that can be read.
    #[must_use]
    pub fn input(&self) -> Option<Input> {
        if self.record.class != Class::Input || self.fed != Fed::Applied {
            return None;
        }
        Input::decode(self.program(), &self.record.body).ok()
    }
}

impl<'h> Travel<'h> {
    pub(crate) fn new(history: &'h History, player: Player, after: InputNo, until: Until) -> Self {
        Self {
            now: player.dispatcher().engine().now(),
            reader: history.past().reader(after.next()),
            history,
            player,
            ahead: None,
            here: None,
            until,
            effects: Effects::default(),
            last: after,
            doubtful_up_to: None,
        }
    }

    /// The house as it is after the last step.
    #[must_use]
    pub fn house(&self) -> &Dispatcher {
        self.player.dispatcher()
    }

    /// When the last record was taken, or the snapshot where there was none yet.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// The number of the last input.
    #[must_use]
    pub fn last(&self) -> InputNo {
        self.last
    }

    /// From now on this rule always looks; see [`Dispatcher::watch`].
    pub fn watch(&mut self, rule: Option<Arc<str>>) {
        self.player.watch(rule);
    }

    /// Goes on to another end.
    pub fn until(&mut self, until: Until) {
        self.until = until;
    }

    /// The next record and what comes of it; `None` at the end. No iterator: a step is looked at before the
    /// next one is taken.
    ///
    /// # Errors
    /// The journal can't be read on. Damage that can be passed is noted in [`History::troubles`] instead.
    #[expect(
        clippy::should_implement_trait,
        reason = "a step borrows from the travel"
    )]
    pub fn next(&mut self) -> Result<Option<Step<'_>>, HistoryError> {
        let Some(record) = self.take()? else {
            return Ok(None);
        };
        self.settle_doubt(record.no)?;
        self.effects.clear();
        let history = self.history;
        let program_of = |hash, in_force: &Arc<Program>| {
            let mut programs = history.programs().borrow_mut();
            programs.find_or(history.past().database(), hash, in_force)
        };
        let fed = self.player.feed(&record, program_of, &mut self.effects);
        match &fed {
            Fed::Applied | Fed::Reloaded => history.count_input(),
            Fed::Unreadable(why) => {
                history.trouble(|troubles| troubles.unreadable(record.no, why.clone()));
            }
            Fed::Observed(_) | Fed::Passed => {}
        }
        if let Some(differing) = self.player.differing() {
            history.trouble(|troubles| troubles.differing(differing));
        }
        self.last = record.no;
        self.now = record.now;
        let record = self.here.insert(record);
        Ok(Some(Step {
            record,
            fed,
            effects: &mut self.effects,
            house: self.player.dispatcher(),
            is_certain: self.doubtful_up_to.is_none(),
        }))
    }

    /// Goes on until `until`, unseen; then the travel's own end holds again.
    pub(crate) fn go_to(&mut self, until: Until) -> Result<(), HistoryError> {
        let end = std::mem::replace(&mut self.until, until);
        while self.next()?.is_some() {}
        self.until = end;
        Ok(())
    }

    /// The next record before the end.
    fn take(&mut self) -> Result<Option<Record>, HistoryError> {
        while self.ahead.is_none() {
            match self.reader.next() {
                None => return Ok(None),
                Some(Ok(record)) => self.ahead = Some(record),
                Some(Err(ReadError::Gap(gap))) => self.cross(&gap),
                Some(Err(error)) => return Err(HistoryError::Read(error)),
            }
        }
        let ahead = self.ahead.as_ref();
        let is_end = ahead.is_some_and(|record| self.history.is_behind(record, self.until));
        if is_end && let (Until::Wall(wall), Some(record)) = (self.until, ahead) {
            self.history.note_put_back(record.now, wall);
        }
        Ok(if is_end { None } else { self.ahead.take() })
    }

    fn cross(&mut self, gap: &Gap) {
        if !gap.is_felt() {
            return;
        }
        self.player.miss();
        if let Some(until) = gap.until {
            self.doubtful_up_to = Some(InputNo(until.0.saturating_sub(1)));
        }
        let trouble = Trouble::Gap(gap.to_string());
        self.history.trouble(|troubles| troubles.add(trouble));
    }

    /// Before input `no`: a snapshot that was taken behind the missing inputs ends all doubt.
    fn settle_doubt(&mut self, no: InputNo) -> Result<(), HistoryError> {
        let Some(up_to) = self.doubtful_up_to else {
            return Ok(());
        };
        let Some(snapshot) = self.history.snapshot_within(up_to, no) else {
            return Ok(());
        };
        let (house, restored) = self.history.restore(snapshot)?;
        if restored == snapshot {
            self.player.go_on_with(house);
            self.doubtful_up_to = None;
        }
        Ok(())
    }
}
