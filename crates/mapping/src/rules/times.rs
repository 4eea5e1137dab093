//! Triggers that a clock on the wall fires: `at`, `cron` and `sun`.

use super::{Rules, triggers::Drafts};
use crate::{
    diagnostic::Diagnostic,
    house::House,
    program::{BadCron, Cron, Days, SunEvent, Trigger, cron},
    read::{Table, Text, did_you_mean, list},
    units,
};

const SUN_EVENTS: [SunEvent; 4] = [
    SunEvent::Sunrise,
    SunEvent::Sunset,
    SunEvent::Dawn,
    SunEvent::Dusk,
];

/// What lies further away is nearer to another event of the sun.
const OFFSET_US_MAX: i64 = 12 * 3_600_000_000;

/// `{ at = "07:00", days }`.
pub(super) fn at(
    house: &mut House<'_>,
    all: &mut Rules,
    table: &Table<'_>,
    drafts: &mut Drafts<'_>,
) -> Option<()> {
    let at = table.field("at")?;
    let second = units::time_of_day(at, &mut house.report);
    let days = match table.field("days") {
        Some(node) => units::days(node, &mut house.report),
        None => Some(Days::ALL),
    };
    all.uses.time_of_day(&at.span());
    drafts.triggers.push(Trigger::At {
        second: second?,
        days: days?,
    });
    Some(())
}

/// `{ cron = "0 7 * * mon-fri" }`.
pub(super) fn cron(
    house: &mut House<'_>,
    all: &mut Rules,
    table: &Table<'_>,
    drafts: &mut Drafts<'_>,
) -> Option<()> {
    let text = table.field("cron")?.text(&mut house.report, "`cron`")?;
    all.uses.time_of_day(&text.span());
    match Cron::parse(text.text) {
        Ok(cron) => {
            drafts.triggers.push(Trigger::Cron(cron));
            Some(())
        }
        Err(bad) => {
            house.report.push(bad_cron(&text, bad));
            None
        }
    }
}

fn bad_cron(text: &Text<'_>, bad: BadCron) -> Diagnostic {
    let written = text.text;
    let error = |span, message: String| Diagnostic::error("bad-cron", span, message);
    match bad {
        BadCron::Fields(count) => {
            let fields = match count {
                0 => "is empty".to_owned(),
                1 => "has one field".to_owned(),
                count => format!("has {count} fields"),
            };
            error(text.span(), format!("\"{written}\" {fields}, cron has five"))
                .help("they are: minute, hour, day of the month, month, day of the week; with six the first is the second")
                .help("write for example \"0 7 * * mon-fri\" or \"*/15 * * * *\"")
        }
        BadCron::Short => {
            let names: Vec<&str> = cron::shorthands().collect();
            let error = error(text.span(), format!("cron has no shorthand \"{written}\""));
            let near = did_you_mean(error.clone(), written, names.iter().copied());
            if near.help.is_empty() {
                error.help(format!("it has {}", list(&names)))
            } else {
                near
            }
        }
        BadCron::Field(range, field, takes) => {
            let word = written.get(range.clone()).unwrap_or_default();
            let message = format!("\"{word}\" can't be the {field} of a cron");
            let error = error(text.place(range), message);
            let error = match cron::short_name(word) {
                Some(name) => error.help(format!("did you mean `{name}`?")),
                None => error,
            };
            error.help(format!(
                "it takes {takes}; also `*`, lists `1,3`, spans `1-5`, steps `*/2`"
            ))
        }
        BadCron::Never => Diagnostic::error(
            "cron-never",
            text.span(),
            format!("\"{written}\" never comes: the calendar has no such day"),
        )
        .help("the third field is the day of the month, the fourth the month"),
    }
}

/// `{ sun = "sunset", offset = "-30m" }`.
pub(super) fn sun(
    house: &mut House<'_>,
    all: &mut Rules,
    table: &Table<'_>,
    drafts: &mut Drafts<'_>,
) -> Option<()> {
    let node = table.field("sun")?;
    let words = SUN_EVENTS.map(SunEvent::word);
    let word = node.word(&mut house.report, "`sun`", &words);
    let event = SUN_EVENTS
        .into_iter()
        .find(|event| Some(event.word()) == word);
    let offset = match table.field("offset") {
        Some(node) => {
            let offset = units::signed_duration(node, &mut house.report, "`offset`");
            let far = offset.is_some_and(|us| us.abs() > OFFSET_US_MAX);
            if far {
                let message = "`offset` must be from -12h to 12h";
                house.report.push(
                    Diagnostic::error("out-of-range", node.span(), message)
                        .help("choose another event of the sun, or a time of day"),
                );
            }
            offset.filter(|_| !far)
        }
        None => Some(0),
    };
    all.uses.time_of_day(&node.span());
    let home = &house.program.home;
    if (home.latitude.is_none() || home.longitude.is_none()) && !house.report.is_broken("home") {
        let message = "the sun needs to know where the house stands";
        let error = Diagnostic::error("home-missing", node.span(), message);
        let error = match &house.home_span {
            Some(home) => error.also(home.clone(), "it does not stand here"),
            None => error,
        };
        house
            .report
            .push(error.help("add `latitude` and `longitude` to [home]"));
    }
    drafts.triggers.push(Trigger::Sun {
        event: event?,
        offset_us: offset?,
    });
    Some(())
}
