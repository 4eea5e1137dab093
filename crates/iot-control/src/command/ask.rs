//! Commands that ask a running dispatcher: `press`, `set`, `device`.

use std::process::ExitCode;

use serde_json::Value as Json;
use types::Shown;

use super::{
    counters::{note_of, refusal_of},
    identity,
    past::with_what_became,
};
use crate::{
    cli::{Device, Press, SetVar},
    control::{Request, client},
    printer,
};

/// `iot-control press CHANNEL [EVENT] [field=value ..]`.
pub(crate) fn press(options: Press) -> anyhow::Result<ExitCode> {
    let Press {
        channel,
        words,
        state,
    } = options;
    let mut connection = client::connect(state.folder.as_deref())?;
    let names = [channel.clone()];
    let said = connection.ask(&Request::Press { channel, words });
    let said = said.map_err(|why| with_what_became(why, state.folder.as_deref(), &names))?;
    printer::result(said.as_str().unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}

/// `iot-control set NAME VALUE`.
pub(crate) fn set(options: SetVar) -> anyhow::Result<ExitCode> {
    let SetVar { name, value, state } = options;
    let mut connection = client::connect(state.folder.as_deref())?;
    let bare = name.strip_prefix("var.").unwrap_or(&name);
    let names = [format!("var.{bare}"), name.clone()];
    let said = connection.ask(&Request::Set { name, value });
    let said = said.map_err(|why| with_what_became(why, state.folder.as_deref(), &names))?;
    printer::result(said.as_str().unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}

/// `iot-control device ..`.
pub(crate) fn device(command: Device) -> anyhow::Result<ExitCode> {
    let (state, json, request, show): (_, _, _, fn(&Json)) = match command {
        Device::Add {
            name,
            out,
            replace,
            state,
        } => return identity::add(&name, out, replace, &state),
        Device::List { json, state } => (state, json, Request::Devices, show_list),
        Device::Show { name, json, state } => (state, json, Request::Device { name }, show_device),
        Device::Block {
            name,
            direction,
            why,
            state,
        } => {
            let request = Request::Block {
                name,
                direction,
                why,
            };
            (state, false, request, show_word)
        }
        Device::Unblock { name, state } => (state, false, Request::Unblock { name }, show_word),
        Device::Import(options) => return super::discover::import(&options),
    };
    let answer = if request == Request::Devices {
        identity::list(&state)?
    } else {
        let folder = state.folder.as_deref();
        let answer = client::connect(folder)?.ask(&request);
        answer.map_err(|why| with_what_became(why, folder, named(&request).as_slice()))?
    };
    if json {
        printer::result(answer);
    } else {
        show(&answer);
    }
    Ok(ExitCode::SUCCESS)
}

/// The device that a request names.
fn named(request: &Request) -> Option<String> {
    match request {
        Request::Device { name } | Request::Block { name, .. } | Request::Unblock { name } => {
            Some(name.clone())
        }
        _ => None,
    }
}

fn show_word(answer: &Json) {
    printer::result(answer.as_str().unwrap_or_default());
}

/// All devices, under headings.
fn show_list(answer: &Json) {
    let devices = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let width = width_of(devices);
    printer::result(format!("{:>5}  {:<width$}  is", "id", "name"));
    show_rows(devices);
}

fn width_of(devices: &[Json]) -> usize {
    let names = devices.iter().map(|device| text(device, "name").len());
    names.max().unwrap_or(0).max("name".len())
}

fn show_rows(devices: &[Json]) {
    let width = width_of(devices);
    for device in devices {
        let name = text(device, "name");
        let blocked = match text(device, "blocked") {
            "" => String::new(),
            direction => format!("  blocked as {direction}"),
        };
        let id = match device["id"].as_u64() {
            Some(id) if id > 0 => id.to_string(),
            _ => "-".to_owned(),
        };
        let online = match device["online"].as_bool() {
            Some(true) => "online",
            Some(false) => "offline",
            // No dispatcher runs.
            None => "known",
        };
        let sealed = match device["sealed"].is_string() {
            true => "  sealed",
            // Anybody at an external broker may be speaking for it.
            false if device["verified"] == false => "  unverified",
            false => "",
        };
        let way = device["way"].as_str();
        let way = way.map_or_else(String::new, |way| format!(" by {way}"));
        printer::result(format!(
            "{id:>5}  {name:<width$}  {online}{sealed}{way}{blocked}"
        ));
    }
}

fn show_device(answer: &Json) {
    show_rows(std::slice::from_ref(answer));
    let channels = answer["channels"].as_object();
    for (name, channel) in channels.into_iter().flatten() {
        printer::result(format!("       {name} ({})", text(channel, "kind")));
        for key in ["reported", "target"] {
            let fields = channel[key].as_object();
            let fields: Vec<String> = fields
                .into_iter()
                .flatten()
                .map(|(name, value)| format!("{name}={}", Shown(&value.to_string())))
                .collect();
            let assumed = key == "reported" && channel["assumed"] == true;
            let assumed = if assumed { " (assumed)" } else { "" };
            if !fields.is_empty() {
                printer::result(format!("         {key:<9}{}{assumed}", fields.join(" ")));
            }
        }
        for (key, what) in [
            ("held_s", "kept from rules for"),
            ("ends_s", "off by itself in"),
        ] {
            if let Some(seconds) = channel[key].as_f64() {
                printer::result(format!("         {what} {seconds} s"));
            }
        }
    }
    let counters = answer["counters"].as_object();
    let counters = counters.into_iter().flatten();
    let counters: Vec<_> = counters.filter(|(_, count)| **count != 0).collect();
    for (heading, is_note) in [("noted", true), ("refused", false)] {
        let counted = counters.iter().filter_map(|(code, count)| {
            let note = note_of(code);
            match (is_note, note) {
                (true, Some(words)) => Some(format!("{words}: {count}")),
                (false, None) => Some(format!("{}: {count}", refusal_of(code))),
                _ => None,
            }
        });
        let counted: Vec<String> = counted.collect();
        if !counted.is_empty() {
            printer::result(format!("       {heading:<9}{}", counted.join(", ")));
        }
    }
    if let Some(refusal) = answer["last_refusal"].as_str() {
        printer::result(format!("       last refusal: {refusal}"));
    }
}

fn text<'a>(object: &'a Json, key: &str) -> &'a str {
    object[key].as_str().unwrap_or_default()
}
