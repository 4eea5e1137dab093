//! What is known about one consumer channel's target on its way: sent, acknowledged, confirmed.
//!
//! Lives in memory only, but for what was dropped. After a restart nothing is known, everything retained is
//! published again and the reports that follow say what is missing; that is why acknowledgements need no journal.
//! What was dropped stays so: it follows from the journal, and a report must not bring it back.

use std::{collections::BTreeSet, time::Duration};

use mapping::program::{ChannelIx, Deliver};
use types::{Instant, Now};

use crate::{config::Config, effects::Token, observed::Observed};

/// One channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery {
    /// When the target was sent last.
    pub(crate) sent_at: Option<Instant>,
    /// A report before this instant that differs means "not done yet"; after it, somebody's hand.
    pub(crate) confirm_until: Instant,
    /// A `fade` lasts until then: what is reported meanwhile is on its way.
    pub(crate) fading_until: Instant,
    /// Whether the newest message carries a `fade`, which is not part of what is recovered.
    pub(crate) faded: bool,
    /// The send whose acknowledgement counts.
    pub(crate) pending: Option<Token>,
    /// The newest momentary command, until it is acknowledged.
    pub(crate) momentary: Option<Token>,
    /// Whether the newest target was acknowledged.
    pub(crate) acked: bool,
    /// Whether the newest target lies retained in the broker.
    pub(crate) retained: bool,
    /// The newest target was dropped: it is not what the consumer should have. Only where it is not to wait
    /// ([`Deliver::Now`]).
    pub(crate) dropped: bool,
    /// Sends since the target was confirmed last, beyond the first.
    pub(crate) tries: u32,
    /// When it is sent again.
    resend_at: Option<Instant>,
    /// Whether that is only to take a `fade` out of the retained target.
    pub(crate) plain: bool,
}

/// All channels, and which are due.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deliveries {
    rows: Vec<Delivery>,
    due: BTreeSet<(Instant, ChannelIx)>,
    serial: u64,
}

impl Deliveries {
    pub(crate) fn new(channels: usize) -> Self {
        Self {
            rows: vec![Delivery::default(); channels],
            due: BTreeSet::new(),
            serial: 0,
        }
    }

    pub(crate) fn row(&self, channel: ChannelIx) -> &Delivery {
        &self.rows[channel.index()]
    }

    pub(crate) fn row_mut(&mut self, channel: ChannelIx) -> &mut Delivery {
        &mut self.rows[channel.index()]
    }

    /// The token of the next send of `channel`.
    pub(crate) fn token(&mut self, channel: ChannelIx) -> Token {
        self.serial += 1;
        Token::new(self.serial, channel)
    }

    /// The consumer acknowledged; says nothing where something newer is under way.
    pub(crate) fn acknowledged(&mut self, channel: ChannelIx, token: Token) -> Option<Observed> {
        let row = self.row_mut(channel);
        if row.pending == Some(token) {
            self.taken(channel);
            return Some(Observed::Target(channel));
        }
        let command = row.momentary.take_if(|newest| *newest == token);
        command.map(|_| Observed::Command(channel))
    }

    /// The newest target was acknowledged.
    pub(crate) fn taken(&mut self, channel: ChannelIx) {
        let row = self.row_mut(channel);
        row.pending = None;
        row.acked = true;
    }

    /// A target leaves.
    pub(crate) fn sent(
        &mut self,
        config: &Config,
        now: Now,
        channel: ChannelIx,
        token: Token,
        fade: Option<Duration>,
    ) {
        self.unschedule(channel);
        let travel = fade.unwrap_or_default();
        let row = self.row_mut(channel);
        row.sent_at = Some(now.at);
        row.confirm_until = now.at.after(config.confirm_within + travel);
        row.pending = Some(token);
        row.acked = false;
        row.dropped = false;
        row.fading_until = now.at.after(travel);
        row.faded = fade.is_some();
        self.schedule_plain(channel, now.at);
    }

    /// The target is let go: nobody is there, and it is not to wait. Nothing of an earlier one counts for it.
    pub(crate) fn drop_target(&mut self, channel: ChannelIx) {
        self.unschedule(channel);
        let row = self.row_mut(channel);
        (row.dropped, row.acked, row.pending) = (true, false, None);
    }

    /// The target was confirmed: it is not sent again, but for taking a fade out.
    pub(crate) fn confirmed(&mut self, now: Now, channel: ChannelIx) {
        self.row_mut(channel).tries = 0;
        self.unschedule(channel);
        self.schedule_plain(channel, now.at);
    }

    fn schedule_plain(&mut self, channel: ChannelIx, now: Instant) {
        let row = self.row(channel);
        if row.faded {
            let at = row.fading_until.max(now);
            self.schedule(channel, at, true);
        }
    }

    /// A session of the consumer starts: what it reports first shows whether it has its target. What is told now
    /// or never is over by then: a report that differs is how things are.
    pub(crate) fn session_started(
        &mut self,
        config: &Config,
        now: Now,
        channel: ChannelIx,
        deliver: Deliver,
    ) {
        let row = self.row_mut(channel);
        row.sent_at = None;
        row.tries = 0;
        if deliver == Deliver::Latest {
            let until = now.at.after(config.confirm_within);
            row.confirm_until = row.confirm_until.max(until);
        }
    }

    /// Nobody is connected after a restart: what was under way is not known any more, what was dropped is.
    pub(crate) fn restarted(&mut self) {
        for channel in ChannelIx::all(self.rows.len()) {
            self.reset(channel);
        }
        self.serial = 0;
    }

    /// For house tests: what was told was told long ago. What is reported from now on is no answer to it.
    pub(crate) fn settle(&mut self) {
        for row in &mut self.rows {
            (row.sent_at, row.confirm_until) = (None, Instant::default());
        }
    }

    /// Sends again at `at`; an earlier date stays. `plain`: only to take a fade out.
    pub(crate) fn schedule(&mut self, channel: ChannelIx, at: Instant, plain: bool) {
        let row = &mut self.rows[channel.index()];
        if row.resend_at.is_some_and(|known| known <= at && !row.plain) {
            return;
        }
        if let Some(known) = row.resend_at.replace(at) {
            self.due.remove(&(known, channel));
        }
        self.rows[channel.index()].plain = plain;
        self.due.insert((at, channel));
    }

    /// Nothing is sent again.
    pub(crate) fn unschedule(&mut self, channel: ChannelIx) {
        if let Some(known) = self.rows[channel.index()].resend_at.take() {
            self.due.remove(&(known, channel));
        }
    }

    pub(crate) fn next_due(&self) -> Option<(Instant, ChannelIx)> {
        self.due.first().copied()
    }

    /// Forgets everything about `channel`, but that its target was dropped.
    pub(crate) fn reset(&mut self, channel: ChannelIx) {
        self.unschedule(channel);
        let row = self.row_mut(channel);
        *row = Delivery {
            dropped: row.dropped,
            ..Delivery::default()
        };
    }

    /// The rows after a reload: `place` says where each channel stood before.
    pub(crate) fn moved(
        &self,
        channels: usize,
        place: impl Fn(ChannelIx) -> Option<ChannelIx>,
    ) -> Self {
        let mut moved = Self::new(channels);
        moved.serial = self.serial;
        for channel in ChannelIx::all(channels) {
            let Some(before) = place(channel) else {
                continue;
            };
            let mut row = self.row(before).clone();
            // Tokens name places of the old program. A target whose acknowledgement was under way counts
            // as unacknowledged: at worst it is sent once more.
            row.pending = None;
            row.momentary = None;
            let resend_at = row.resend_at.take();
            let plain = row.plain;
            *moved.row_mut(channel) = row;
            if let Some(at) = resend_at {
                moved.schedule(channel, at, plain);
            }
        }
        moved
    }
}
