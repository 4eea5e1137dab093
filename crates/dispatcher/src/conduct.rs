//! The settings that influence what an input leads to: they are part of the past like the inputs themselves.
//!
//! The binary reads them and journals them as [`crate::Input::Config`] where others are in force;
//! snapshots hold them. So a replay goes by what was in force then, whatever the settings say today.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use engine::Disposition;
use minicbor::{Decode, Encode};

/// Stands for every carrier.
pub const ALL: &str = "all";

/// The settings in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conduct {
    /// Devices that count as gone when they say nothing for this long, by name: those that sleep, and whose
    /// sessions say nothing. The others are watched by their session's keep-alive. Whole milliseconds.
    pub silence: BTreeMap<Arc<str>, Duration>,
    /// A device with a channel that promises a report every so often (`report_every`) and leaves out so many
    /// of them counts as gone; `None`: its session says whether it is there.
    pub reports_missed_max: Option<u32>,
    /// Firings of one rule within a second before it is cut.
    pub firings_per_s_max: u32,
    /// Who carries texts to people, by name; `None`: that is not known, as in house tests and in what was written down
    /// before it was kept.
    pub carriers: Option<BTreeSet<Arc<str>>>,
}

impl Conduct {
    /// What becomes of a text for people that is to go by `to`.
    pub(crate) fn carried(&self, to: &str) -> Disposition {
        let Some(carriers) = &self.carriers else {
            return Disposition::Sent;
        };
        match to {
            ALL if carriers.is_empty() => Disposition::Shown,
            ALL => Disposition::Queued,
            name if carriers.contains(name) => Disposition::Queued,
            _ => Disposition::NoCarrier,
        }
    }
}

/// Also what was in force wherever a journal or a snapshot says nothing of it.
impl Default for Conduct {
    fn default() -> Self {
        Self {
            silence: BTreeMap::new(),
            reports_missed_max: None,
            firings_per_s_max: 100,
            carriers: None,
        }
    }
}

/// As in settings.toml.
impl fmt::Display for Conduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missed = self.reports_missed_max.unwrap_or(0);
        write!(
            f,
            "engine.fuse = {}, presence.reports_missed_max = {missed}",
            self.firings_per_s_max
        )?;
        for (name, span) in &self.silence {
            let seconds = span.as_secs_f64();
            write!(f, ", presence.silence_max.{name} = {seconds} s")?;
        }
        for name in self.carriers.iter().flatten() {
            write!(f, ", notify.{name}")?;
        }
        Ok(())
    }
}

/// [`Conduct`] as it is written.
#[derive(Encode, Decode)]
struct Written {
    #[n(0)]
    firings_per_s_max: u32,
    #[n(1)]
    reports_missed_max: Option<u32>,
    #[n(2)]
    silence_ms: BTreeMap<String, u64>,
    #[n(3)]
    carriers: Option<Vec<String>>,
}

impl<C> Encode<C> for Conduct {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let silence = self.silence.iter();
        let written = Written {
            firings_per_s_max: self.firings_per_s_max,
            reports_missed_max: self.reports_missed_max,
            silence_ms: silence
                .map(|(name, span)| (name.to_string(), span.as_millis() as u64))
                .collect(),
            carriers: self.carriers.as_ref().map(|carriers| {
                let names = carriers.iter();
                names.map(ToString::to_string).collect()
            }),
        };
        written.encode(e, ctx)
    }
}

impl<'b, C> Decode<'b, C> for Conduct {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let written = Written::decode(d, ctx)?;
        let silence = written.silence_ms.into_iter();
        Ok(Self {
            silence: silence
                .map(|(name, ms)| (name.into(), Duration::from_millis(ms)))
                .collect(),
            reports_missed_max: written.reports_missed_max,
            firings_per_s_max: written.firings_per_s_max,
            carriers: written.carriers.map(|names| {
                let names = names.into_iter();
                names.map(Arc::from).collect()
            }),
        })
    }
}
