//! What came of a command: when its consumer acknowledged it, and what it reported then.

use std::{sync::Arc, time::Duration};

use dispatcher::Observed;
use engine::{Cause, Disposition};
use mapping::{
    Program,
    program::{Carrier, ChannelIx, Succession},
};
use types::Now;

use super::{Found, Hop, What};
use crate::{
    history::{History, Until},
    lineage,
    player::Fed,
    target::Target,
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
        for way in &mut ways {
            let Some(Target::Channel(channel)) = Target::find(&program, &way.channel) else {
                continue;
            };
            if way.since.is_none() && step.house.online(program[channel].device) {
                way.since = Some(step.record.now);
            }
            match &step.fed {
                Fed::Observed(Observed::Target(by) | Observed::Command(by))
                    if *by == channel && !way.acknowledged =>
                {
                    way.acknowledged = true;
                    hops.push(Hop {
                        now: step.record.now,
                        what: What::Acknowledged(way.device.clone()),
                    });
                }
                Fed::Applied if step.record.no > found.no && !way.reported => {
                    let mut causes = step.effects.engine.decisions.iter().flat_map(|d| &d.steps);
                    let fields = causes.find_map(|step| match &step.cause {
                        Cause::Report(by, fields) if *by == channel => Some(fields),
                        _ => None,
                    });
                    if let Some(fields) = fields {
                        let as_told = fields.iter().all(|(slot, value)| {
                            let wanted = step.house.engine().target(*slot);
                            wanted.is_none_or(|wanted| wanted == value)
                        });
                        let shown: Vec<String> = fields
                            .iter()
                            .map(|(slot, value)| format!("{}={value}", program[*slot].name))
                            .collect();
                        way.reported = as_told;
                        hops.push(Hop {
                            now: step.record.now,
                            what: What::Reported {
                                text: format!("{} {}", way.channel, shown.join(" ")),
                                as_told,
                            },
                        });
                    }
                }
                _ => {}
            }
        }
        let now = step.record.now;
        let is_over = |way: &Way| {
            let answered = way.acknowledged && (way.reported || !way.reports);
            answered
                || way
                    .since
                    .is_some_and(|since| now.at.since(since.at) > PATIENCE)
        };
        if ways.iter().all(is_over) || records > RECORDS_MAX {
            break;
        }
    }
    let missing = ways
        .iter()
        .filter(|way| way.acknowledges && !way.acknowledged);
    hops.extend(missing.map(|way| Hop {
        now: last,
        what: What::Missing(match way.since {
            None => format!("{} was away and has not come back since", way.device),
            Some(since) if last.at.since(since.at) <= PATIENCE => {
                format!("{} has not acknowledged it yet", way.device)
            }
            Some(_) => format!(
                "{} did not acknowledge it; a client that subscribes at QoS 0 never does",
                way.device
            ),
        }),
    }));
    Ok(hops)
}

impl Way {
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
        Disposition::Waiting => None,
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
        since,
    })
}

fn is_reported(program: &Program, channel: ChannelIx) -> bool {
    !program[channel].slots.is_empty()
}
