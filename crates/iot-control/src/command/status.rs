//! `iot-control status`: the counters of a running dispatcher as words.

use std::process::ExitCode;

use serde_json::Value as Json;

use super::counters::{note_of, refusal_of};
use crate::{
    cli::Status,
    control::{Request, client},
    printer,
};

/// Counters of the broker that tell of no trouble: gauges, traffic, and what clients did on purpose.
const USUAL: [&str; 20] = [
    "connections",
    "sessions",
    "subscriptions",
    "retained",
    "queued_bytes",
    "partial_bytes",
    "stuck_bytes",
    "peers",
    "unconnected",
    "accepted",
    "tls_handshakes",
    "websockets",
    "takeovers",
    "wills",
    "messages_in",
    "messages_out",
    "bytes_in",
    "bytes_out",
    "expired",
    "coalesced",
];

/// `iot-control status [--json]`.
pub(crate) fn status(options: &Status) -> anyhow::Result<ExitCode> {
    let folder = options.state.folder.as_deref();
    let answer = client::connect(folder)?.ask(&Request::Status)?;
    if options.json {
        printer::result(answer);
    } else {
        lines(&answer).into_iter().for_each(printer::result);
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(status: &Json) -> Vec<String> {
    let (broker, store, inputs) = (&status["broker"], &status["store"], &status["inputs"]);
    let count = |of: &Json, name: &str| of[name].as_u64().unwrap_or_default();
    let text = |of: &Json, name: &str| of[name].as_str().unwrap_or_default().to_owned();
    let mut lines = vec![
        format!(
            "up for {}, version {}",
            span(count(status, "up_s")),
            text(status, "version")
        ),
        format!(
            "clients   {} connected, {} sessions, {} subscriptions, {} retained messages",
            count(broker, "connections"),
            count(broker, "sessions"),
            count(broker, "subscriptions"),
            count(broker, "retained"),
        ),
        format!(
            "messages  {} in, {} out, {} bytes wait for clients",
            count(broker, "messages_in"),
            count(broker, "messages_out"),
            count(broker, "queued_bytes"),
        ),
        format!("inputs    {} so far", count(inputs, "last")),
        format!("store     {}", text(store, "state")),
        format!(
            "          {} bytes of journal, {} batches wait",
            count(store, "journal_bytes"),
            count(store, "waiting_batches"),
        ),
    ];
    if status["files_in_force"] == false {
        let how = match status["files_wait"].as_str() {
            Some(why) => format!(
                "the house's files are not in force, an earlier mapping goes on: {why}; {}",
                match status["files_watched"] == false {
                    true => "they are taken up at a start once it can be: `reload.watch` is false",
                    false => "they are taken up once it can be",
                }
            ),
            None => "the house's files are not in force, an earlier mapping goes on: `iot-control check` and `iot-control test` say what to mend".to_owned(),
        };
        lines.insert(1, format!("house     {how}"));
    }
    if let missed @ 1.. = count(inputs, "missed") {
        lines.push(format!("          {missed} inputs are not in the journal"));
    }
    if let gone @ 1.. = count(store, "segments_sacrificed") {
        lines.push(format!(
            "          {gone} segments of the oldest history went early, because the disk was full"
        ));
    }
    if let Some(why) = store["retention_trouble"].as_str() {
        lines.push(format!("          old data can't be dropped: {why}"));
    }
    let outside = &status["external_broker"];
    if let Some(address) = outside["address"].as_str() {
        let how = match outside["trouble"].as_str() {
            None => "is reached".to_owned(),
            Some(why) => format!("is not reached, what it should hear waits: {why}"),
        };
        lines.push(format!("broker    {address} {how}"));
        if let Some(rival) = outside["rival"].as_str() {
            lines.push(format!("          {rival}"));
        }
    }
    let sealed = &status["sealed"];
    if let Some(sessions) = sealed["sessions"].as_u64() {
        let all = sealed.as_object().into_iter().flatten();
        let refused = all.filter(|(name, _)| {
            !["sessions", "cookies", "resets", "repeated_events"].contains(&name.as_str())
        });
        let refused: Vec<String> = refused
            .filter(|(_, count)| **count != 0)
            .map(|(name, count)| format!(", {count} {}", name.replace('_', " ")))
            .collect();
        lines.push(format!("sealed    {sessions} sessions{}", refused.concat()));
    }
    let certificate = &status["certificate"];
    if let Some(file) = certificate["file"].as_str() {
        let days = certificate["days_left"].as_i64().unwrap_or_default();
        let until = match days {
            ..0 => "is over: clients that check it stay out".to_owned(),
            days => format!("holds for {days} days more"),
        };
        lines.push(format!("TLS       {file} {until}"));
        if let Some(why) = certificate["trouble"].as_str() {
            lines.push(format!(
                "          what stands in the files now is not in force: {why}"
            ));
        }
    }
    let trouble = troubles(broker, &status["refusals"]);
    if trouble.is_empty() {
        lines.push("refused   nothing".to_owned());
    }
    for (heading, counts) in [("refused", trouble), ("noted", notes(&status["refusals"]))] {
        for (ix, (name, count)) in counts.into_iter().enumerate() {
            let head = if ix == 0 { heading } else { "" };
            lines.push(format!("{head:<10}{count} {name}"));
        }
    }
    lines
}

/// What was refused, dropped or cut, by the broker and by the house: every counter that is not zero.
fn troubles(broker: &Json, refusals: &Json) -> Vec<(String, u64)> {
    let of_broker = broker.as_object().into_iter().flatten();
    let of_broker = of_broker.filter(|(name, _)| !USUAL.contains(&name.as_str()));
    let of_broker = of_broker.map(|(name, count)| (name.replace('_', " "), count));
    let of_house = refusals.as_object().into_iter().flatten();
    let of_house = of_house.filter(|(code, _)| note_of(code).is_none());
    let of_house = of_house.map(|(code, count)| (refusal_of(code).replace('-', " "), count));
    of_broker
        .chain(of_house)
        .filter_map(|(name, count)| Some((name, count.as_u64()?)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// What the house took, and counts all the same: no trouble.
fn notes(refusals: &Json) -> Vec<(String, u64)> {
    let counts = refusals.as_object().into_iter().flatten();
    counts
        .filter_map(|(code, count)| Some((note_of(code)?.to_owned(), count.as_u64()?)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// `3 days 4 h`, `5 min`, `7 s`: as exact as people ask.
fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (1, hours, _) => format!("1 day {} h", hours % 24),
        (days, hours, _) => format!("{days} days {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_span_is_as_exact_as_people_ask() {
        let spans = [0, 61, 3_600, 90_000, 180_000].map(span);
        assert_eq!(
            spans,
            ["0 s", "1 min", "1 h 0 min", "1 day 1 h", "2 days 2 h"]
        );
    }

    #[test]
    fn files_that_wait_are_said_to_need_a_start_where_nobody_looks_at_them() {
        for (is_watched, said, unsaid) in [
            (true, "up once it can be", "at a start"),
            (false, "at a start once it can be", "taken up once"),
        ] {
            let status = json!({
                "files_in_force": false,
                "files_wait": "no room",
                "files_watched": is_watched,
            });
            let lines = lines(&status).join("\n");
            assert!(lines.contains(said) && !lines.contains(unsaid), "{lines}");
        }
    }

    #[test]
    fn what_went_wrong_is_said_and_what_did_not_is_not() {
        let mut status = json!({
            "up_s": 5,
            "broker": { "messages_in": 7, "refused_connects": 2, "stalls": 0 },
            "refusals": { "not-yours": 1, "resent": 1 },
            "inputs": { "last": 9, "missed": 3 },
            "store": {
                "state": "inputs are being kept",
                "segments_sacrificed": 1,
                "retention_trouble": "it is read-only",
            },
        });
        let said = lines(&status).join("\n");
        for part in [
            "3 inputs are not in the journal",
            "1 segments of the oldest history went early",
            "old data can't be dropped: it is read-only",
            "refused   2 refused connects\n          1 topics of others\nnoted     1 targets sent again",
        ] {
            assert!(said.contains(part), "{part} is missing in\n{said}");
        }
        assert!(!said.contains("stalls"), "{said}");
        status["broker"]["refused_connects"] = json!(0);
        status["refusals"] = json!({ "resent": 3, "first-report": 0 });
        let said = lines(&status).join("\n");
        assert!(
            said.ends_with("refused   nothing\nnoted     3 targets sent again"),
            "{said}"
        );
    }
}
