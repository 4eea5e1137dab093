//! Names and numbers for new devices: valid, free, and as near as can be to what the device is called.

use std::collections::BTreeSet;

use mapping::{Program, grammar, is_name};

/// Longest name, in letters.
const NAME_MAX: usize = 32;

/// What is taken in a house, and by the devices that were found.
#[derive(Debug)]
pub(super) struct Names {
    names: BTreeSet<String>,
    ids: BTreeSet<u16>,
    identities: BTreeSet<String>,
}

impl Names {
    pub(super) fn of(program: &Program, blocked: &BTreeSet<u16>) -> Self {
        let names = &program.names;
        let taken = names
            .devices
            .keys()
            .chain(names.groups.keys())
            .chain(names.scenes.keys());
        let devices = program.devices.iter();
        let ids = devices
            .map(|device| device.id.0)
            .chain(blocked.iter().copied());
        Self {
            names: taken.map(ToString::to_string).collect(),
            ids: ids.filter(|id| *id > 0).collect(),
            identities: BTreeSet::new(),
        }
    }

    /// Whether something with one of these identities was found before.
    pub(super) fn is_taken(&self, identities: &[String]) -> bool {
        identities.iter().any(|one| self.identities.contains(one))
    }

    /// A free name like `wish`, and a free number behind all others.
    pub(super) fn next(&self, wish: &str) -> (String, u16) {
        let name = unique(&word(wish, "device"), grammar::Names::Device, |name| {
            self.names.contains(name)
        });
        let behind = self.ids.last().map_or(1, |last| last.saturating_add(1));
        let free = (1..u16::MAX)
            .find(|id| !self.ids.contains(id))
            .unwrap_or(u16::MAX);
        (
            name,
            if self.ids.contains(&behind) {
                free
            } else {
                behind
            },
        )
    }

    pub(super) fn take(&mut self, name: &str, identities: Vec<String>) {
        let (_, id) = self.next(name);
        self.ids.insert(id);
        self.names.insert(name.to_owned());
        self.identities.extend(identities);
    }
}

/// A free name of a channel like `wish`.
pub(super) fn channel(wish: &str, taken: impl Fn(&str) -> bool) -> String {
    unique(&word(wish, "channel"), grammar::Names::Channel, taken)
}

/// `Küche: Licht 1` as `kueche_licht_1`.
fn word(wish: &str, other: &str) -> String {
    let mut word = String::new();
    for letter in wish.chars().flat_map(char::to_lowercase) {
        match letter {
            'a'..='z' | '0'..='9' => word.push(letter),
            'ä' | 'æ' => word.push_str("ae"),
            'ö' | 'ø' | 'œ' => word.push_str("oe"),
            'ü' => word.push_str("ue"),
            'ß' => word.push_str("ss"),
            'à' | 'á' | 'â' | 'ã' | 'å' => word.push('a'),
            'è' | 'é' | 'ê' | 'ë' => word.push('e'),
            'ì' | 'í' | 'î' | 'ï' => word.push('i'),
            'ò' | 'ó' | 'ô' | 'õ' => word.push('o'),
            'ù' | 'ú' | 'û' => word.push('u'),
            'ç' => word.push('c'),
            'ñ' => word.push('n'),
            _ if word.ends_with('_') || word.is_empty() => {}
            _ => word.push('_'),
        }
        if word.len() >= NAME_MAX {
            break;
        }
    }
    word.truncate(NAME_MAX);
    let word = word.trim_end_matches('_');
    match word.chars().next() {
        None => other.to_owned(),
        Some(first) if first.is_ascii_digit() => short(&format!("{other}_{word}"), NAME_MAX),
        Some(_) => word.to_owned(),
    }
}

fn short(word: &str, letters: usize) -> String {
    let end = word.len().min(letters);
    word[..end].trim_end_matches('_').to_owned()
}

fn unique(word: &str, of: grammar::Names, taken: impl Fn(&str) -> bool) -> String {
    let fits = |name: &str| is_name(of, name) && !taken(name);
    if fits(word) {
        return word.to_owned();
    }
    let mut numbered = (2..).map(|number: u32| {
        let tail = format!("_{number}");
        format!("{}{tail}", short(word, NAME_MAX - tail.len()))
    });
    numbered.find(|name| fits(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_the_device_is_called_as_far_as_a_name_can_be() {
        for (wish, expected) in [
            ("hall_lamp", "hall_lamp"),
            ("Living room/Ceiling", "living_room_ceiling"),
            ("Küche: Licht 1", "kueche_licht_1"),
            ("0x00158d0001dc126a", "device_0x00158d0001dc126a"),
            ("  ", "device"),
            ("客厅", "device"),
            ("state", "state_2"),
            ("a\u{0}b\u{1b}[31m", "a_b_31m"),
            ("-=*=-", "device"),
            (&"x".repeat(1_000), &"x".repeat(32)),
        ] {
            let names = Names::of(&Program::default(), &BTreeSet::new());
            assert_eq!(names.next(wish).0, expected, "{wish}");
        }
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number_and_numbers_go_on_behind_the_last() {
        let mut names = Names::of(&Program::default(), &BTreeSet::from([7]));
        for (expected, id) in [("lamp", 8), ("lamp_2", 9), ("lamp_3", 10)] {
            let next = names.next("Lamp");
            assert_eq!(next, (expected.to_owned(), id));
            names.take(&next.0, Vec::new());
        }
        let full = Names::of(&Program::default(), &BTreeSet::from([u16::MAX]));
        assert_eq!(full.next("lamp").1, 1);
    }
}
