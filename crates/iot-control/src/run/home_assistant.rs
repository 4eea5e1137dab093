//! Tells Home Assistant of the house: when, and what was told before. What is told is the dispatcher's to know.
//!
//! Topics that were published are kept in the state folder, so that entities which went while the dispatcher was off are taken
//! back. The file is written before the start and, by whoever reloads, off the hot thread.

use std::{path::Path, sync::Arc, time::Duration};

use dispatcher::{Send, home_assistant::Discovery};
use mapping::Program;
use store::contents::HOME_ASSISTANT;
use types::{Instant, Now};

use crate::{
    printer,
    settings::{HomeAssistant, Switch},
    whole,
};

/// Largest such file in bytes: some ten thousand entities.
const BYTES_MAX: u64 = 1 << 20;

/// How long after its start Home Assistant is told again: it says that it started before it listens, and one that starts again
/// and again is not told more often.
const AFTER_BIRTH: Duration = Duration::from_secs(1);

/// Tells of the house.
pub(super) struct Announcer {
    discovery: Discovery,
    prefix: Arc<str>,
    /// Off: it only takes back what was told when it was on.
    is_on: bool,
    /// When everything is to be told again.
    due: Option<Instant>,
}

impl Announcer {
    /// As the settings say; `None`: they don't ask for it, and nothing has to be taken back.
    pub(super) fn begin(settings: &HomeAssistant, folder: &Path) -> Option<Self> {
        let path = folder.join(HOME_ASSISTANT);
        let before = mapping::disk::text_or_empty(&path, BYTES_MAX).unwrap_or_else(|why| {
            printer::tell(format_args!(
                "{why}; entities that Home Assistant was told of before and that are gone stay there until you delete them"
            ));
            String::new()
        });
        let is_on = settings.discovery == Switch::On;
        if !is_on && before.is_empty() {
            return None;
        }
        Some(Self {
            discovery: Discovery::new(&settings.prefix, before.lines().map(Arc::from)),
            prefix: Arc::clone(&settings.prefix),
            is_on,
            due: None,
        })
    }

    /// Where Home Assistant may read and say that it started.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// From now on it tells of `program`; gives what has to be said about that.
    pub(super) fn go_by(&mut self, program: &Program) -> Vec<Send> {
        match self.is_on {
            true => self.discovery.go_by(program),
            false => Vec::new(),
        }
    }

    /// The file for the next process.
    pub(super) fn text(&self) -> String {
        let topics = self.discovery.topics();
        topics.flat_map(|topic| [&**topic, "\n"]).collect()
    }

    /// A message that passed; it may be Home Assistant's, which started.
    pub(super) fn hear(&mut self, now: Now, topic: &str, payload: &[u8]) {
        if self.discovery.is_birth(topic, payload) {
            self.due.get_or_insert(now.at.after(AFTER_BIRTH));
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.due
    }

    /// What has to be told by now.
    pub(super) fn due(&mut self, now: Now) -> Vec<Send> {
        match self.due.take_if(|at| *at <= now.at) {
            Some(_) => self.discovery.all(),
            None => Vec::new(),
        }
    }
}

/// Keeps what [`Announcer::text`] gave. One that can't be kept is told, and costs no more than that.
pub(super) fn keep(folder: &Path, text: &str) {
    let path = folder.join(HOME_ASSISTANT);
    if let Err(error) = whole::write(&path, text) {
        printer::tell(format_args!(
            "{} can't be written ({error}); what the house loses until the next start may stay in Home Assistant",
            path.display()
        ));
    }
}
