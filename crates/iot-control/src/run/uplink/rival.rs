//! Another dispatcher that has the same house at the same broker: none of the two goes, and people are told.

use std::time::Duration;

use tokio::time::Instant;

use super::{Uplink, claim::Other};
use crate::printer;

/// How long it counts as there after it was heard. Each says that it is there some seconds after it heard the other.
const HEARD_MAX: Duration = Duration::from_secs(30);

/// One that was heard.
#[derive(Debug)]
pub(super) struct Rival {
    house: String,
    heard: Instant,
}

impl Uplink {
    /// What is wrong where another dispatcher has the house too; `None`: none was heard lately.
    pub(in crate::run) fn rival(&self) -> Option<String> {
        let rival = self.rival.borrow();
        let rival = rival.as_ref()?;
        (rival.heard.elapsed() < HEARD_MAX).then(|| {
            format!(
                "another dispatcher says that it has {} too, with the house {}: two answer each event twice. Stop one of them, or \
                 give it a broker of its own",
                self.address, rival.house
            )
        })
    }

    pub(super) fn has_rival(&self, other: &Other) {
        let is_told = self.rival().is_some();
        self.rival.replace(Some(Rival {
            house: other.house(),
            heard: Instant::now(),
        }));
        self.contested.notify_one();
        if let Some(rival) = self.rival().filter(|_| !is_told) {
            printer::tell(format_args!("warning: {rival}"));
        }
    }

    pub(super) fn has_no_rival(&self) {
        self.rival.take();
    }
}
