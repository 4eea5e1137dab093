//! What is said where nothing that is kept changed what is asked about.

use mapping::{Program, program::Trigger};

use crate::{fate::Fate, history::History, target::Target};

/// In words for people; `at` is the moment that was asked about: as it was written, and as it was read.
#[must_use]
pub fn unanswered(history: &History, text: &str, at: Option<(&str, &str)>) -> String {
    let program = history.program();
    let since = match history.oldest() {
        Some(oldest) => format!("since {}", history.at_home(oldest)),
        None => "in what is kept".to_owned(),
    };
    let by = at.map_or_else(String::new, |(_, read)| format!(" by {read}"));
    let kept = format!("{since}, where the journal begins");
    if at.is_none()
        && let Some(Fate::Gone(gone)) = history.fate(text)
    {
        return gone.unchanged(history, &kept);
    }
    let target = Target::find(program, text);
    if let Some(rule @ Target::Rule(_)) = &target {
        let rule = rule.words(program);
        let name = rule.trim_start_matches("rule.");
        let at = at.map_or_else(String::new, |(written, _)| format!(" --at \"{written}\""));
        let why_not = history.command(&format!("why-not {name}{at}"));
        return format!(
            "{name} has not fired{by}: not once {kept}. {why_not} says what it waits for"
        );
    }
    if target.is_some_and(|target| is_unheard(program, &target)) {
        return format!(
            "no rule waits for {text}, and a gesture that none waits for is not made out"
        );
    }
    format!("nothing changed {text}{by}: not once {kept}")
}

/// A gesture that no rule waits for.
fn is_unheard(program: &Program, target: &Target) -> bool {
    let Target::Gesture(button, wanted) = target else {
        return false;
    };
    let enabled = program.rules.iter().filter(|rule| rule.enabled);
    let mut triggers = enabled.flat_map(|rule| &rule.triggers);
    !triggers.any(|trigger| match trigger {
        Trigger::Gesture { kind, channel, .. } => channel == button && kind == wanted,
        _ => false,
    })
}
