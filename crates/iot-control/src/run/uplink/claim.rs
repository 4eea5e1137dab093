//! Which dispatcher has the house at an external broker, where two were set up by mistake. Whoever comes to a broker asks who
//! is there, and listens for a while; whoever has the house answers, and stays. Only text in and a verdict out.

use serde_json::{Value as Json, json};

/// Where a claim lies.
pub(super) const CLAIM: &str = "iot/dispatcher/claim";

/// Where a dispatcher asks who else is there.
pub(super) const ASK: &str = "iot/dispatcher/ask";

/// What one dispatcher says of itself. Of two that come at once the earlier one gets the house.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    /// When it started, by its clock.
    pub(super) since_ms: u64,
    /// Of its state folder: the same after a restart.
    pub(super) id: String,
    /// The folder of its house, for people.
    pub(super) house: String,
}

/// What another dispatcher says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Other {
    pub(super) claim: Claim,
    /// It has just come, and does not have the house yet.
    pub(super) is_newcomer: bool,
}

impl Other {
    /// The folder of its house, for people: it is a text from outside.
    pub(super) fn house(&self) -> String {
        let house: String = self.claim.house.chars().take(200).collect();
        house.escape_debug().to_string()
    }
}

impl Claim {
    /// Of one that has the house.
    pub(super) fn text(&self) -> String {
        json!({ "id": self.id, "house": self.house, "since_ms": self.since_ms }).to_string()
    }

    /// Of one that would like to have it.
    fn newcomers_text(&self) -> String {
        json!({ "id": self.id, "house": self.house, "since_ms": self.since_ms, "newcomer": true })
            .to_string()
    }

    /// The claim of another dispatcher; `None`: our own, or none at all.
    pub(super) fn of_other(&self, payload: &[u8]) -> Option<Other> {
        let read: Json = serde_json::from_slice(payload).ok()?;
        let claim = Self {
            since_ms: read["since_ms"].as_u64()?,
            id: read["id"].as_str()?.to_owned(),
            house: read["house"].as_str().unwrap_or_default().to_owned(),
        };
        let is_newcomer = read["newcomer"] == true;
        (claim.id != self.id).then_some(Other { claim, is_newcomer })
    }
}

/// One that came to a broker and listens whether somebody has the house there.
pub(super) struct Newcomer<'c> {
    claim: &'c Claim,
    is_alone: bool,
}

/// What a newcomer does about what it heard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Goes on listening.
    Listens,
    /// Says this on [`CLAIM`], to whoever listens now.
    Says(String),
    /// Hears its own question: what lay there before came before it.
    Asked,
    /// Goes, for this reason.
    Yields(String),
}

impl<'c> Newcomer<'c> {
    pub(super) fn new(claim: &'c Claim) -> Self {
        Self {
            claim,
            is_alone: true,
        }
    }

    /// Whether there is no sign of another one: a claim may be that of one who died.
    pub(super) fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Hears what was said on `topic`, before it came where it is `retained`.
    pub(super) fn hears(&mut self, topic: &str, payload: &[u8], retained: bool) -> Step {
        if topic == ASK {
            return self.is_asked(payload, retained);
        }
        let Some(other) = self.claim.of_other(payload) else {
            return Step::Listens;
        };
        self.is_alone = false;
        if retained {
            return Step::Listens;
        }
        if other.is_newcomer && *self.claim < other.claim {
            return Step::Says(self.claim.newcomers_text());
        }
        Step::Yields(format!(
            "another dispatcher has this broker already, with the house {}; two would answer each event twice. Stop \
             one of them, or give it a broker of its own",
            other.house()
        ))
    }

    fn is_asked(&mut self, by: &[u8], retained: bool) -> Step {
        if by == self.claim.id.as_bytes() {
            return Step::Asked;
        }
        if retained {
            return Step::Listens;
        }
        self.is_alone = false;
        Step::Says(self.claim.newcomers_text())
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

    fn yields(newcomer: &mut Newcomer<'_>, text: &str) -> bool {
        matches!(
            newcomer.hears(CLAIM, text.as_bytes(), false),
            Step::Yields(_)
        )
    }

    #[test]
    fn a_newcomer_yields_to_one_that_has_the_house_whatever_the_clocks_say() {
        for since_ms in [0, 1, 2, u64::MAX] {
            let (new, old) = (claim("a", 1), claim("b", since_ms));
            assert!(yields(&mut Newcomer::new(&new), &old.text()), "{since_ms}");
        }
    }

    #[test]
    fn of_two_that_come_at_once_exactly_one_goes() {
        for (one, two) in [
            (claim("a", 1), claim("b", 2)),
            (claim("a", 1), claim("b", 1)),
        ] {
            let (mut first, mut second) = (Newcomer::new(&one), Newcomer::new(&two));
            assert!(first.is_alone());
            // Either hears the other ask, and says who it is.
            let Step::Says(text) = first.hears(ASK, b"b", false) else {
                panic!("it answers");
            };
            assert!(yields(&mut second, &text));
            let Step::Says(text) = second.hears(ASK, b"a", false) else {
                panic!("it answers");
            };
            let Step::Says(text) = first.hears(CLAIM, text.as_bytes(), false) else {
                panic!("it is the earlier one, and says so");
            };
            assert!(yields(&mut second, &text));
            assert!(!first.is_alone());
        }
    }

    #[test]
    fn what_lies_there_makes_a_newcomer_wait_and_not_go() {
        let (new, old) = (claim("a", 2), claim("b", 1));
        let mut newcomer = Newcomer::new(&new);
        let step = newcomer.hears(CLAIM, old.text().as_bytes(), true);
        assert_eq!(step, Step::Listens);
        assert!(!newcomer.is_alone());
        assert_eq!(newcomer.hears(ASK, b"a", false), Step::Asked);
        assert_eq!(newcomer.hears(ASK, b"b", true), Step::Listens);
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
