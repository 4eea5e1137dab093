//! What happens every so often: a cron where that is the same schedule, a timer that starts itself again elsewhere.

use std::time::Duration;

use crate::{
    program::Cron,
    read::{Node, Table},
    units,
};

/// What to write for what happens once in every `span`, which is longer than nothing.
pub(super) fn every(span: Duration) -> String {
    match cron(span) {
        Some(cron) => format!("write {{ cron = \"{cron}\" }}"),
        None => format!("write {}", timer(&units::written(span))),
    }
}

/// As [`every`], for `every 5m`, `every 5 minutes`; `None`: it names no time.
pub(super) fn sentence(text: &str) -> Option<String> {
    let span = text.strip_prefix("every")?.trim();
    let span = units::parse(span).or_else(|| units::meant(span))?;
    (!span.is_zero()).then(|| every(span))
}

/// As [`every`], for `{ every = "5m" }` and `{ minutes = "/5" }`. `is_pattern`: the table says that it is one of the clock,
/// so that `minutes = 5` is the fifth minute of each hour.
pub(super) fn table(table: &Table<'_>, is_pattern: bool) -> String {
    let span = ["every", "interval"]
        .iter()
        .find_map(|key| table.field(key));
    let said = match span {
        Some(node) => time(node).map(every),
        None => pattern(table, is_pattern).map(|cron| format!("write {{ cron = \"{cron}\" }}")),
    };
    said.unwrap_or_else(|| {
        format!(
            "what happens at times of the clock is {{ cron = \"*/5 * * * *\" }}; what happens every so often is {}",
            timer("7m")
        )
    })
}

/// The rule of a timer that starts itself. Nothing begins a timer that only does that, and a rule that sets itself off has to say
/// that this is meant.
pub(super) fn timer(span: &str) -> String {
    format!(
        "when = [{{ timer = \"again\" }}, \"DEVICE.online\"], do = [.., {{ start = \"again\", for = \"{span}\" }}] and allow = [\"cycle\"]: the timer starts itself again, and the other event starts it first"
    )
}

/// The time of `5m`, `5 minutes`, `00:05:00`, `{ minutes = 5 }`, or of a number of seconds.
fn time(node: Node<'_>) -> Option<Duration> {
    let ours = super::span(node).and_then(|written| units::parse(&written));
    let span = ours.or_else(|| units::meant(node.as_text()?.text))?;
    (!span.is_zero()).then_some(span)
}

/// The cron that comes once in every `span`; `None`: cron begins anew with each minute, hour and day, and `span` doesn't
/// divide these.
fn cron(span: Duration) -> Option<String> {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = span.as_secs();
    if span.subsec_nanos() > 0 || seconds == 0 {
        return None;
    }
    let step = |count: u64| match count {
        1 => "*".to_owned(),
        count => format!("*/{count}"),
    };
    match seconds {
        ..MINUTE if MINUTE.is_multiple_of(seconds) => Some(format!("{} * * * * *", step(seconds))),
        MINUTE..HOUR if HOUR.is_multiple_of(seconds) && seconds.is_multiple_of(MINUTE) => {
            Some(format!("{} * * * *", step(seconds / MINUTE)))
        }
        HOUR..DAY if DAY.is_multiple_of(seconds) && seconds.is_multiple_of(HOUR) => {
            Some(format!("0 {} * * *", step(seconds / HOUR)))
        }
        DAY => Some("0 0 * * *".to_owned()),
        _ => None,
    }
}

/// The cron of `{ hours = 7, minutes = "/5" }`: what is smaller than all that is named is 0, what is larger is any.
fn pattern(table: &Table<'_>, is_pattern: bool) -> Option<String> {
    let mut fields = Vec::new();
    let mut is_named = false;
    for key in ["seconds", "minutes", "hours"] {
        fields.push(match table.field(key) {
            Some(node) => {
                is_named = true;
                let value = super::scalar(node)?;
                match value.strip_prefix('/') {
                    Some(step) => format!("*/{step}"),
                    None if is_pattern || value == "*" => value.to_owned(),
                    None => return None,
                }
            }
            None if is_named => "*".to_owned(),
            None => "0".to_owned(),
        });
    }
    let fields = fields.join(" ");
    let cron = format!("{} * * *", fields.strip_prefix("0 ").unwrap_or(&fields));
    Cron::parse(&cron).ok().filter(|_| is_named)?;
    Some(cron)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a rule with this `when`.
    fn help(when: &str) -> String {
        let house = "[device.hall]\nid = 1\nio.lamp = { kind = \"dimmer\" }\n";
        let text = format!("{house}[rule.a]\nwhen = {when}\ndo = \"hall.lamp.on\"\n");
        let loaded = crate::load_texts([("mapping.toml", text)]);
        assert!(loaded.program.is_none(), "{when}");
        let found = loaded.diagnostics.into_iter();
        let help: Vec<String> = found.flat_map(|found| found.help).collect();
        help.join("\n")
    }

    #[test]
    fn a_cron_is_named_only_where_it_is_that_schedule() {
        for (when, expected) in [
            (r#""every 5m""#, "*/5 * * * *"),
            (r#""every 1 minute""#, "* * * * *"),
            (r#""every 2h""#, "0 */2 * * *"),
            (r#""every 30s""#, "*/30 * * * * *"),
            (r#"{ every = "60m" }"#, "0 * * * *"),
            (r#"{ every = "1d" }"#, "0 0 * * *"),
            (r#"{ every = "00:20:00" }"#, "*/20 * * * *"),
            (r#"{ every = { minutes = 15 } }"#, "*/15 * * * *"),
            (r#"{ interval = 600 }"#, "*/10 * * * *"),
            (r#"{ minutes = "/5" }"#, "*/5 * * * *"),
            (
                r#"{ platform = "time_pattern", seconds = "/10" }"#,
                "*/10 * * * * *",
            ),
            (r#"{ platform = "time_pattern", seconds = 0 }"#, "* * * * *"),
            (
                r#"{ platform = "time_pattern", hours = "/2" }"#,
                "0 */2 * * *",
            ),
            (
                r#"{ platform = "time_pattern", hours = 7, minutes = "/7", seconds = 30 }"#,
                "30 */7 7 * * *",
            ),
        ] {
            let said = help(when);
            assert_eq!(said, format!("write {{ cron = \"{expected}\" }}"), "{when}");
            assert!(Cron::parse(expected).is_ok(), "{expected}");
        }
    }

    #[test]
    fn what_no_cron_does_is_done_by_a_timer() {
        for (when, expected) in [
            (r#""every 90s""#, "1m30s"),
            (r#""every 5m30s""#, "5m30s"),
            (r#""every 7 minutes""#, "7m"),
            (r#"{ every = "7m" }"#, "7m"),
            (r#"{ every = "90m" }"#, "1h30m"),
            (r#"{ every = "5h" }"#, "5h"),
            (r#"{ every = "36h" }"#, "1d12h"),
            (r#"{ every = "500ms" }"#, "500ms"),
            (r#"{ interval = 420 }"#, "7m"),
        ] {
            let start = format!("{{ start = \"again\", for = \"{expected}\" }}");
            let said = help(when);
            assert!(said.contains(&start), "{when}: {said}");
            assert!(!said.contains("cron"), "{when}: {said}");
        }
    }

    #[test]
    fn what_names_no_time_is_told_of_both() {
        for when in [
            r#"{ every = "often" }"#,
            r#"{ every = "0s" }"#,
            r#"{ minutes = 7 }"#,
            r#"{ platform = "time_pattern" }"#,
            r#"{ platform = "time_pattern", minutes = "/seven" }"#,
        ] {
            let said = help(when);
            assert!(said.starts_with("what happens at times"), "{when}: {said}");
        }
    }

    #[test]
    fn a_timer_that_starts_itself_checks_as_it_is_told() {
        let told = timer("7m").replace("DEVICE", "hall");
        let (rule, _) = told.split_once(": ").expect("the form stands in front");
        let rule = rule
            .replace(", do", "\ndo")
            .replace(" and ", "\n")
            .replace("..", "\"hall.lamp.on\"");
        let house = "[device.hall]\nid = 1\nio.lamp = { kind = \"dimmer\" }\n";
        let text = format!("format = 1\n{house}[rule.a]\n{rule}\n");
        let loaded = crate::load_texts([("mapping.toml", text)]);
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        assert!(loaded.program.is_some());
    }
}
