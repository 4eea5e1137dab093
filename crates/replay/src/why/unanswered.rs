//! What is said where nothing that is kept changed what is asked about.

use crate::{history::History, target::Target};

/// In words for people; `at` is the moment that was asked about, as it was written.
#[must_use]
pub fn unanswered(history: &History, text: &str, at: Option<&str>) -> String {
    let since = match history.oldest() {
        Some(oldest) => format!("since {}", history.at_home(oldest)),
        None => "in what is kept".to_owned(),
    };
    let by = at.map_or_else(String::new, |at| format!(" by {at}"));
    let kept = format!("{since}, where the journal begins");
    if let Some(rule @ Target::Rule(_)) = Target::find(history.program(), text) {
        let rule = rule.words(history.program());
        let name = rule.trim_start_matches("rule.");
        let at = at.map_or_else(String::new, |at| format!(" --at \"{at}\""));
        return format!(
            "{name} has not fired{by}: not once {kept}. `iot-control why-not {name}{at}` says what it waits for"
        );
    }
    format!("nothing changed {text}{by}: not once {kept}")
}
