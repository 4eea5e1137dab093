//! Which dispatcher has the house at an external broker, where two were set up by mistake: each says what it claims, retained,
//! and asks whoever claimed before. Only text in and a verdict out.

use serde_json::{Value as Json, json};

/// Where a claim lies.
pub(super) const CLAIM: &str = "iot/dispatcher/claim";

/// Where a dispatcher asks who else is there.
pub(super) const ASK: &str = "iot/dispatcher/ask";

/// What one dispatcher says of itself. The earlier one has the house.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    /// When it started, by its clock.
    pub(super) since_ms: u64,
    /// Of its state folder: the same after a restart.
    pub(super) id: String,
    /// The folder of its house, for people.
    pub(super) house: String,
}

impl Claim {
    pub(super) fn text(&self) -> String {
        json!({ "id": self.id, "house": self.house, "since_ms": self.since_ms }).to_string()
    }

    /// The claim of another dispatcher; `None`: our own, or none at all.
    pub(super) fn of_other(&self, payload: &[u8]) -> Option<Self> {
        let read: Json = serde_json::from_slice(payload).ok()?;
        let other = Self {
            since_ms: read["since_ms"].as_u64()?,
            id: read["id"].as_str()?.to_owned(),
            house: read["house"].as_str().unwrap_or_default().to_owned(),
        };
        (other.id != self.id).then_some(other)
    }

    /// Why we have to go where `other`, which is alive, was there before.
    pub(super) fn yields_to(&self, other: &Self) -> Option<String> {
        (other < self).then(|| {
            let house: String = other.house.chars().take(200).collect();
            format!(
                "another dispatcher has this broker already, with the house {}; two would answer each event twice. Stop \
                 one of them, or give it a broker of its own",
                house.escape_debug()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(id: &str, since_ms: u64) -> Claim {
        Claim {
            since_ms,
            id: id.to_owned(),
            house: "/etc/iot-control".to_owned(),
        }
    }

    #[test]
    fn of_two_dispatchers_exactly_one_goes() {
        for (one, two) in [
            (claim("a", 1), claim("b", 2)),
            (claim("a", 1), claim("b", 1)),
        ] {
            let seen = one.of_other(two.text().as_bytes());
            assert_eq!(seen.as_ref(), Some(&two));
            assert!(one.yields_to(&two).is_none());
            assert!(two.yields_to(&one).is_some());
        }
    }

    #[test]
    fn an_own_claim_of_before_a_restart_and_rubbish_are_no_others() {
        let now = claim("a", 2);
        assert_eq!(now.of_other(claim("a", 1).text().as_bytes()), None);
        for rubbish in ["", "{", "[]", "{\"id\":1}"] {
            assert_eq!(now.of_other(rubbish.as_bytes()), None, "{rubbish}");
        }
    }
}
