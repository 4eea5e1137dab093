//! `[home]`: where the house stands.

use jiff::tz::TimeZoneDatabase;

use super::House;
use crate::{
    diagnostic::Diagnostic,
    grammar::HOME,
    read::{Key, Node, Table},
    report::Report,
};

/// Reads the one `[home]`; a second one is reported.
pub(super) fn read(house: &mut House<'_>, homes: &[(Key<'_>, Node<'_>)]) {
    let Some(((first, node), more)) = homes.split_first() else {
        return;
    };
    for (key, _) in more {
        let error = Diagnostic::error("duplicate-name", key.span.clone(), "there is one home only")
            .also(first.span.clone(), "first here");
        house.report.push(error);
    }
    house.home_span = Some(first.span.clone());
    let report = &mut house.report;
    let Some(table) = node.table(report, "`home`") else {
        report.declare_broken("home");
        return;
    };
    table.reject_unknown(report, HOME.what, HOME.names);
    let before = report.len();
    let home = &mut house.program.home;
    home.latitude = degrees(report, &table, "latitude", 90.0);
    home.longitude = degrees(report, &table, "longitude", 180.0);
    if let Some(text) = table
        .field("timezone")
        .and_then(|node| node.text(report, "`timezone`"))
    {
        if TimeZoneDatabase::bundled().get(text.text).is_ok() {
            home.timezone = Some(text.text.into());
        } else {
            let message = format!("there is no time zone \"{}\"", text.text);
            let error = Diagnostic::error("unknown-timezone", text.span(), message);
            let known: Vec<String> = TimeZoneDatabase::bundled()
                .available()
                .map(|zone| zone.to_string())
                .collect();
            let names = known.iter().map(String::as_str);
            report.push(match crate::suggest::closest(text.text, names) {
                Some(near) => error.help(format!("did you mean \"{near}\"?")),
                None => error.help("write its IANA name, for example \"Europe/Berlin\""),
            });
        }
    }
    if report.len() > before || table.misspells("timezone", HOME.names) {
        report.declare_broken("home");
    }
}

fn degrees(report: &mut Report, table: &Table<'_>, key: &str, max: f64) -> Option<f64> {
    let node = table.field(key)?;
    let degrees = node.number(report, &format!("`{key}`"))?;
    if degrees.abs() <= max {
        return Some(degrees);
    }
    let message = format!("`{key}` must be from -{max} to {max} degrees");
    report.push(
        Diagnostic::error("out-of-range", node.span(), message).label(format!("is {degrees}")),
    );
    None
}
