//! What has another name or number now, in words: for people who edited it.

use std::fmt;

use types::DeviceId;

use super::Succession;
use crate::program::{ChannelIx, DeviceIx, RuleIx, TimerIx, VarIx};

/// Something has another name now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// What it was called, so that nothing else can be meant: `piano`, `hall.lamp`, `var.night`, `timer.off`, `rule.bell`.
    pub was: String,
    /// What it is called now.
    pub is: String,
}

/// A device has another number now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renumbered {
    /// What it is called now.
    pub device: String,
    /// Its number before.
    pub was: DeviceId,
    /// Its number now.
    pub is: DeviceId,
}

impl fmt::Display for Renamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.was, self.is)
    }
}

impl fmt::Display for Renumbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, was, is } = self;
        write!(f, "{device} {} -> {}", was.0, is.0)
    }
}

impl Renamed {
    /// For whoever reads what happens: `piano is called keyboard now`.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{} is called {} now", self.was, self.is)
    }

    /// Whether who follows `path` hears of it: it is that, a part of it, or what it is a part of.
    #[must_use]
    pub fn is_about(&self, path: &str) -> bool {
        let is_in = |whole: &str, part: &str| {
            let rest = part.strip_prefix(whole);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let bare = self.was.split_once('.').map_or("", |(_, bare)| bare);
        let is_bare = ["rule.", "var.", "timer."]
            .iter()
            .any(|kind| self.was.starts_with(kind) && bare == path);
        is_bare || is_in(path, &self.was) || is_in(&self.was, path)
    }
}

impl Succession<'_> {
    /// What has another name now: devices, channels, variables, timers, rules, in the order of the files. A channel of a device
    /// that has another name is told only where its own changed.
    #[must_use]
    pub fn renamed(&self) -> Vec<Renamed> {
        let (old, new) = (self.old, self.new);
        let named = |kind: &str, was: &str, is: Option<&str>| {
            is.filter(|is| *is != was).map(|is| Renamed {
                was: format!("{kind}{was}"),
                is: format!("{kind}{is}"),
            })
        };
        let devices = DeviceIx::all(old.devices.len()).filter_map(|was| {
            let is = self.device(was).map(|is| &*new[is].name);
            named("", &old[was].name, is)
        });
        let channels = ChannelIx::all(old.channels.len()).filter_map(|was| {
            let is = self.channel(was)?;
            (old[was].name != new[is].name).then(|| Renamed {
                was: old.channel_path(was),
                is: new.channel_path(is),
            })
        });
        let vars = VarIx::all(old.vars.len()).filter_map(|was| {
            let is = self.var(was).map(|is| &*new[is].name);
            named("var.", &old[was].name, is)
        });
        let timers = TimerIx::all(old.timers.len()).filter_map(|was| {
            let is = self.timer(was).map(|is| &*new[is].name);
            named("timer.", &old[was].name, is)
        });
        let rules = RuleIx::all(old.rules.len()).filter_map(|was| {
            let is = self.rule(was).map(|is| &*new[is].name);
            named("rule.", &old[was].name, is)
        });
        let things = devices.chain(channels).chain(vars);
        things.chain(timers).chain(rules).collect()
    }

    /// Devices that have another number now.
    #[must_use]
    pub fn renumbered(&self) -> Vec<Renumbered> {
        let devices = DeviceIx::all(self.old.devices.len()).filter_map(|was| {
            let (was, is) = (&self.old[was], &self.new[self.device(was)?]);
            (was.id != is.id).then(|| Renumbered {
                device: is.name.to_string(),
                was: was.id,
                is: is.id,
            })
        });
        devices.collect()
    }
}
