//! The counters of a house as words, for `device show` and `status`: what was taken with a note, and what was refused.

/// What a counter of something that was taken means; `None`: it counts what was not.
pub(super) fn note_of(code: &str) -> Option<&'static str> {
    Some(match code {
        "first-report" => "first reports, taken as they should be",
        "adopted" => "changed at the device",
        "resent" => "targets sent again",
        "duplicate" => "copies dropped",
        _ => return None,
    })
}

/// What a counter of refusals means; the code itself says most.
pub(super) fn refusal_of(code: &str) -> &str {
    match code {
        "value" => "values that do not fit",
        "bare-value" => "bare values for several fields",
        "nothing-there" => "messages with nothing where `from` reads",
        "not-json" => "not JSON",
        "not-yours" => "topics of others",
        "unknown-event" => "unknown events",
        "unknown-field" => "unknown fields",
        "unknown-command" => "unknown commands",
        "missing-field" => "missing fields",
        "not-settable" => "fields that are only reported",
        "blocked-in" => "blocked",
        other => other,
    }
}
