//! Devices that are added all at once, as a program found them: each with a line above that says what it is, and lines
//! below of what could not be said of it.

use mapping::{outline::Step, toml_text::key};
use types::Shown;

use crate::{export, house::House, model::Model, refusal::Refusal, toml_text::inline};

/// Longest line of a comment, in letters: who announces a device may say anything.
const COMMENT_MAX: usize = 160;

/// A device that is to be added.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDevice {
    /// Its name in the house.
    pub name: String,
    /// Its keys; `io` is a table of channels.
    pub table: Model,
    /// One line for people above it.
    pub about: String,
    /// Lines for people below it.
    pub unsaid: Vec<String>,
}

impl NewDevice {
    /// Its table with its comments, as it stands in a file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}[device.{}]\n", comment(&self.about), key(&self.name));
        let Model::Table(keys) = &self.table else {
            return text;
        };
        let line = |name: &str, value: &Model| format!("{name} = {}\n", inline(value));
        for (name, value) in keys {
            match value {
                Model::Table(channels) if name == "io" => {
                    let names = channels.iter().map(|(channel, _)| key(channel));
                    let names: Vec<String> = names.map(|channel| format!("io.{channel}")).collect();
                    let width = names.iter().map(String::len).max().unwrap_or_default();
                    for (name, (_, channel)) in names.iter().zip(channels) {
                        text.push_str(&line(&format!("{name:<width$}"), channel));
                    }
                }
                value => text.push_str(&line(&key(name), value)),
            }
        }
        text.extend(self.unsaid.iter().map(|line| comment(line)));
        text
    }
}

fn comment(line: &str) -> String {
    let shown = Shown(line).to_string();
    let short: String = shown.chars().take(COMMENT_MAX).collect();
    let rest = if short.len() < shown.len() { ".." } else { "" };
    match short.is_empty() {
        true => String::new(),
        false => format!("# {short}{rest}\n"),
    }
}

/// The file with the house's last device, and its text with these behind it; the model that must come out.
pub(crate) fn added(
    house: &House,
    devices: &[NewDevice],
) -> Result<(String, String, Model), Refusal> {
    let mut wanted = export(house.analysis());
    for device in devices {
        let path = [
            Step::Key("device".into()),
            Step::Key(device.name.as_str().into()),
        ];
        if wanted.at(&path).is_some() {
            return Err(Refusal::Taken("device", device.name.clone()));
        }
        if wanted.set(&path, device.table.clone()).is_none() {
            return Err(Refusal::TooTangled(format!("/device/{}", device.name)));
        }
    }
    let last = house.analysis().draft.devices.last();
    let file = last.map_or_else(
        || "mapping.toml".to_owned(),
        |device| device.origin.file.to_string(),
    );
    let mut text = house.texts().remove(&file).unwrap_or_default();
    for device in devices {
        let gap = match &*text {
            "" => "",
            text if text.ends_with('\n') => "\n",
            _ => "\n\n",
        };
        text.push_str(gap);
        text.push_str(&device.text());
    }
    Ok((file, text, wanted))
}
