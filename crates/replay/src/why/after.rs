//! What came of a command: when its consumer acknowledged it, and what it reported then.

use std::{sync::Arc, time::Duration};

use dispatcher::Observed;
use engine::{Cause, Disposition};
use mapping::{
    Program,
    program::{Carrier, ChannelIx, Succession},
};
use types::{InputNo, Now};

use super::{Found, Hop, What};
use crate::{
    history::{History, Until},
    lineage,
    player::Fed,
    target::Target,
    travel::Step,
    trouble::HistoryError,
};

/// What has not come so long after the command left, or its consumer came back, does not belong to it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Records that are looked through for a consumer that is away.
const RECORDS_MAX: u64 = 200_000;

/// Channels that a scene told something.
pub(super) type Told = (ChannelIx, Disposition);

/// One consumer on the way.
struct Way {
    channel: String,
    device: String,
    reports: bool,
    acknowledges: bool,
    acknowledged: bool,
    reported: bool,
    /// It is blocked as consumer, and not told anything.
    blocked: bool,
    /// Since when it could have answered.
    since: Option<Now>,
}

/// Acknowledgements and reports of what `told` names, in the order in which they came.
pub(super) fn hops(
    history: &History,
    program: &Arc<Program>,
    found: &Found,
    told: &[Told],
) -> Result<Vec<Hop>, HistoryError> {
    let mut ways: Vec<Way> = told
        .iter()
        .filter_map(|told| way(program, found, *told))
        .collect();
    let mut hops = Vec::new();
    if ways.is_empty() {
        return Ok(hops);
    }
    let mut travel = history.from_input(found.no, Until::End)?;
    // What is told by the input itself is told under the mapping that it brought.
    let mut before = Arc::clone(program);
    let mut records = 0;
    let mut last = found.now;
    while let Some(step) = travel.next()? {
        records += 1;
        last = step.record.now;
        let program = Arc::clone(step.program());
        if step.fed == Fed::Reloaded {
            let succession = Succession::new(&before, &program);
            for way in &mut ways {
                way.is_renamed(&succession);
            }
            before = Arc::clone(&program);
        }
        let answers = ways
            .iter_mut()
            .filter_map(|way| way.answer(&step, found.no));
        hops.extend(answers);
        if ways.iter().all(|way| way.is_over(last)) || records > RECORDS_MAX {
            break;
        }
    }
    hops.extend(ways.iter().filter_map(|way| way.missing(last)));
    Ok(hops)
}

impl Way {
    /// What comes of a step for it: it acknowledges, or reports for the first time as it was told. `no`: what told it.
    fn answer(&mut self, step: &Step<'_>, no: InputNo) -> Option<Hop> {
        let program = step.program();
        let Some(Target::Channel(channel)) = Target::find(program, &self.channel) else {
            return None;
        };
        let now = step.record.now;
        let device = program[channel].device;
        if self.blocked {
            if step.house.blocked(device).consumer {
                return None;
            }
            self.blocked = false;
            self.since = step.house.online(device).then_some(now);
            let what = What::Unblocked(self.device.clone());
            return Some(Hop { now, what });
        }
        if self.since.is_none() && step.house.online(device) {
            self.since = Some(now);
        }
        let what = match &step.fed {
            Fed::Observed(Observed::Target(by) | Observed::Command(by))
                if *by == channel && !self.acknowledged =>
            {
                self.acknowledged = true;
                What::Acknowledged(self.device.clone())
            }
            Fed::Applied if step.record.no > no && !self.reported => self.report(step, channel)?,
            _ => return None,
        };
        Some(Hop { now, what })
    }

    /// What it reports with this step.
    fn report(&mut self, step: &Step<'_>, channel: ChannelIx) -> Option<What> {
        let program = step.program();
        let mut causes = step.effects.engine.decisions.iter().flat_map(|d| &d.steps);
        let fields = causes.find_map(|step| match &step.cause {
            Cause::Report(by, fields) if *by == channel => Some(fields),
            _ => None,
        })?;
        let as_told = fields.iter().all(|(slot, value)| {
            let wanted = step.house.engine().target(*slot);
            wanted.is_none_or(|wanted| wanted == value)
        });
        let shown = fields
            .iter()
            .map(|(slot, value)| format!("{}={value}", program[*slot].name));
        let shown = shown.collect::<Vec<_>>().join(" ");
        self.reported = as_told;
        Some(What::Reported {
            text: format!("{} {shown}", self.channel),
            as_told,
        })
    }

    /// Whether it has answered by `now`, or does not answer any more.
    fn is_over(&self, now: Now) -> bool {
        let answered = self.acknowledged && (self.reported || !self.reports);
        answered || self.has_had_time(now)
    }

    fn has_had_time(&self, now: Now) -> bool {
        self.since
            .is_some_and(|since| now.at.since(since.at) > PATIENCE)
    }

    /// That it has not acknowledged by `now` what it was told.
    fn missing(&self, now: Now) -> Option<Hop> {
        let device = &self.device;
        let text = match self.since {
            _ if self.acknowledged || !self.acknowledges => return None,
            None if self.blocked => format!("{device} is blocked still, and is not told"),
            None => format!("{device} was away and has not come back since"),
            Some(_) if self.has_had_time(now) => {
                format!(
                    "{device} did not acknowledge it; a client that subscribes at QoS 0 never does"
                )
            }
            Some(_) => format!("{device} has not acknowledged it yet"),
        };
        let what = What::Missing(text);
        Some(Hop { now, what })
    }

    /// What has another name answers under that one.
    fn is_renamed(&mut self, succession: &Succession<'_>) {
        for name in [&mut self.channel, &mut self.device] {
            if let Some(is) = lineage::path_after(succession, name) {
                *name = is;
            }
        }
    }
}

fn way(program: &Program, found: &Found, (channel, disposition): Told) -> Option<Way> {
    let device = &program[program[channel].device];
    let since = match disposition {
        Disposition::Sent => Some(found.now),
        Disposition::Waiting | Disposition::Blocked => None,
        _ => return None,
    };
    // A virtual device does at once what it is told, and a bridge answers for a foreign one.
    let (acknowledges, reports) = match &device.carrier {
        Carrier::Own => (true, is_reported(program, channel)),
        Carrier::Virtual => return None,
        Carrier::Foreign(foreign) => (false, !foreign.states.is_empty()),
    };
    Some(Way {
        channel: program.channel_path(channel),
        device: device.name.to_string(),
        reports,
        acknowledges,
        acknowledged: !acknowledges,
        reported: false,
        blocked: disposition == Disposition::Blocked,
        since,
    })
}

fn is_reported(program: &Program, channel: ChannelIx) -> bool {
    !program[channel].slots.is_empty()
}
