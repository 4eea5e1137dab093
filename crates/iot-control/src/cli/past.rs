//! Commands that look into the past of a state folder, whether a dispatcher runs on it or not.

use std::path::PathBuf;

use clap::Args;

use super::State;

/// What all of them take.
#[derive(Debug, Args)]
pub(crate) struct Past {
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: State,
}

#[derive(Debug, Args)]
pub(crate) struct Why {
    /// What: hall.lamp, hall, hall.motion.start, a group, a rule, var.night, timer.hall-off, notify
    pub(crate) target: String,
    /// As of this time, in the home's zone: 07:02, "yesterday 21:00", "2026-03-28 21:00", -2h
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) at: Option<String>,
    #[command(flatten)]
    pub(crate) past: Past,
}

#[derive(Debug, Args)]
pub(crate) struct WhyNot {
    /// The rule that did not fire
    pub(crate) rule: String,
    /// When it should have: 07:02, "yesterday 21:00", -2h [default: now, looking back a day]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) at: Option<String>,
    #[command(flatten)]
    pub(crate) past: Past,
}

#[derive(Debug, Args)]
pub(crate) struct StateAt {
    /// A part of the house: hall, hall.lamp, a group, var.night [default: all of it]
    pub(crate) path: Option<String>,
    /// When: 07:02, "yesterday 21:00", "2026-03-28 21:00", -2h [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) at: Option<String>,
    #[command(flatten)]
    pub(crate) past: Past,
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// From this time on: yesterday, 07:00, -2h, "5 minutes ago" [default: from now on]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Up to this time
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "follow"
    )]
    pub(crate) until: Option<String>,
    /// Goes on with what happens now, until Ctrl-C; without --since and --until this is what it does
    #[arg(long)]
    pub(crate) follow: bool,
    /// Only what is about this: a device, a channel, a rule, var.night; may stand several times
    #[arg(long, value_name = "PATH")]
    pub(crate) filter: Vec<String>,
    #[command(flatten)]
    pub(crate) past: Past,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryOf {
    /// What: living.temp, living.temp.temperature, living
    pub(crate) target: String,
    /// From this time on: yesterday, "2026-03-01", -7d
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        default_value = "-1d"
    )]
    pub(crate) since: String,
    /// Up to this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    #[command(flatten)]
    pub(crate) past: Past,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Folder of the house whose mapping is tried
    #[arg(long, value_name = "HOUSE")]
    pub(crate) mapping: PathBuf,
    /// From this time on: yesterday, 07:00, -2h
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) since: String,
    /// Up to this time [default: all that is there]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    #[command(flatten)]
    pub(crate) past: Past,
}

/// What `test --record` takes.
#[derive(Debug, Args)]
pub(crate) struct Recorded {
    /// Writes what happened as a test of this name instead, tests/NAME.test.toml, if it passes
    #[arg(long, value_name = "NAME", requires = "since", conflicts_with_all = ["filter", "json"])]
    pub(crate) record: Option<String>,
    /// With --record: from this time on: 07:00, "yesterday 21:00", -10m
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        requires = "record"
    )]
    pub(crate) since: Option<String>,
    /// With --record: up to this time [default: all that is there]
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        requires = "record"
    )]
    pub(crate) until: Option<String>,
    /// With --record: only what this rule needs: what it reads, and what else writes its outputs; may stand several times
    #[arg(long, value_name = "RULE", requires = "record")]
    pub(crate) rule: Vec<String>,
    /// With --record: the same for a device, channel or group
    #[arg(long, value_name = "DEVICE", requires = "record")]
    pub(crate) device: Vec<String>,
    #[command(flatten)]
    pub(crate) state: State,
}

impl Recorded {
    /// Where to look.
    pub(crate) fn past(&self) -> Past {
        Past {
            json: false,
            state: State {
                folder: self.state.folder.clone(),
            },
        }
    }
}
