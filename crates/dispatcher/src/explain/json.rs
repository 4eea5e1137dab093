//! A decision as JSON, for `events --json` and tools. Keys are stable; new ones may come.

use engine::{Decision, Did, Seen, Sent};
use types::{InputNo, Now};

use super::{Explainer, disposition, outcome};
use crate::{
    effects::Note,
    payload::{write_text, write_value},
};

pub(super) fn decision(
    explainer: &Explainer<'_>,
    no: Option<InputNo>,
    decision: &Decision,
) -> String {
    let mut out = Vec::with_capacity(256);
    head(explainer, &mut out, no, decision.now);
    out.extend_from_slice(b",\"steps\":[");
    list(&mut out, &decision.steps, |out, step| {
        out.extend_from_slice(format!("{{\"depth\":{},\"cause\":", step.depth).as_bytes());
        write_text(out, &explainer.cause(&step.cause));
        out.push(b'}');
    });
    out.extend_from_slice(b"],\"rules\":[");
    list(&mut out, &decision.rules, |out, trace| {
        let rule = &explainer.program[trace.rule];
        out.extend_from_slice(b"{\"rule\":");
        write_text(out, &rule.name);
        out.extend_from_slice(b",\"file\":");
        write_text(out, &rule.origin.file);
        out.extend_from_slice(format!(",\"line\":{}", rule.origin.line).as_bytes());
        out.extend_from_slice(format!(",\"step\":{},\"outcome\":", trace.step).as_bytes());
        write_text(out, outcome(trace.outcome));
        out.extend_from_slice(b",\"seen\":{");
        let cause = decision.steps.get(usize::from(trace.step));
        let range = trace.seen.0 as usize..trace.seen.1 as usize;
        let seen = decision.seen.get(range).unwrap_or_default();
        if let Some(step) = cause {
            // An expression may read a thing twice; a key stands once.
            let mut once: Vec<(String, &Seen)> = Vec::with_capacity(seen.len());
            for read in seen {
                let term = explainer.term(read.term, trace.rule, &step.cause);
                if once.iter().all(|(known, _)| *known != term) {
                    once.push((term, read));
                }
            }
            list(out, &once, |out, (term, read)| {
                write_text(out, term);
                out.push(b':');
                match &read.value {
                    Some(value) => write_value(out, value),
                    None => out.extend_from_slice(b"null"),
                }
            });
        }
        out.extend_from_slice(b"}}");
    });
    out.extend_from_slice(b"],\"deeds\":[");
    list(&mut out, &decision.deeds, |out, deed| {
        out.extend_from_slice(b"{\"rule\":");
        match deed.rule {
            Some(rule) => write_text(out, &explainer.program[rule].name),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(format!(",\"step\":{},\"did\":", deed.step).as_bytes());
        write_text(out, &explainer.did(decision.now, &deed.what));
        if let Did::Starts(timer, span) = &deed.what {
            let due = decision.now.after(*span).wall;
            out.extend_from_slice(b",\"timer\":");
            write_text(out, &explainer.program[*timer].name);
            out.extend_from_slice(format!(",\"due_us\":{},\"due\":", due.0).as_bytes());
            write_text(out, &explainer.time(due));
        }
        out.push(b'}');
    });
    out.extend_from_slice(b"],\"sent\":[");
    list(&mut out, &decision.sent, |out, line| {
        sent(explainer, out, line);
    });
    out.extend_from_slice(b"]}");
    String::from_utf8_lossy(&out).into_owned()
}

pub(super) fn note(explainer: &Explainer<'_>, no: InputNo, now: Now, note: &Note) -> String {
    let mut out = Vec::with_capacity(128);
    head(explainer, &mut out, Some(no), now);
    out.extend_from_slice(b",\"note\":");
    write_text(&mut out, &note.render(explainer.program));
    out.push(b'}');
    String::from_utf8_lossy(&out).into_owned()
}

/// `{"no":7,"wall_us":..,"time":".."`.
fn head(explainer: &Explainer<'_>, out: &mut Vec<u8>, no: Option<InputNo>, now: Now) {
    out.push(b'{');
    if let Some(no) = no {
        out.extend_from_slice(format!("\"no\":{no},").as_bytes());
    }
    out.extend_from_slice(format!("\"wall_us\":{},\"time\":", now.wall.0).as_bytes());
    write_text(out, &explainer.time(now.wall));
}

fn sent(explainer: &Explainer<'_>, out: &mut Vec<u8>, sent: &Sent) {
    out.extend_from_slice(b"{\"channel\":");
    match sent.channel {
        Some(channel) => write_text(out, &explainer.program.channel_path(channel)),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"text\":");
    write_text(out, &sent.text);
    out.extend_from_slice(b",\"by\":");
    match sent.by {
        Some(rule) => write_text(out, &explainer.program[rule].name),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"disposition\":");
    write_text(out, disposition(sent.disposition));
    out.push(b'}');
}

fn list<T>(out: &mut Vec<u8>, items: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(out, item);
    }
}
