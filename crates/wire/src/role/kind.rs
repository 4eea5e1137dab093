//! Which kinds of channels there are, by number. Called by the role's codec, by the runtime, which has a state
//! machine for each, and by the dispatcher, which knows them by name.

/// The kinds that the mapping has built in. A number is never given to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ChannelKind {
    /// On or off.
    Switch = 0,
    /// A lamp with a brightness.
    Dimmer = 1,
    /// A lamp with a colour.
    Light = 2,
    /// A blind, a shutter, a garage door.
    Cover = 3,
    /// An angle.
    Servo = 4,
    /// A sound.
    Buzzer = 5,
    /// A push button.
    Button = 6,
    /// A knob without end, with a button in it.
    Encoder = 7,
    /// A matrix of keys.
    Keyboard = 8,
    /// A MIDI instrument at the uart.
    Midi = 9,
    /// A motion detector.
    Motion = 10,
    /// A door or window contact.
    Contact = 11,
    /// Whether a person is at home.
    Presence = 12,
    /// Brightness of the surroundings, lx.
    Lux = 13,
    /// Degrees Celsius.
    Temperature = 14,
    /// Relative, %.
    Humidity = 15,
    /// Of the air, hPa.
    Pressure = 16,
    /// Any number.
    Analog = 17,
    /// Pulses of a meter.
    Counter = 18,
}

impl ChannelKind {
    /// All of them; the place of each is its number.
    pub const ALL: [Self; 19] = [
        Self::Switch,
        Self::Dimmer,
        Self::Light,
        Self::Cover,
        Self::Servo,
        Self::Buzzer,
        Self::Button,
        Self::Encoder,
        Self::Keyboard,
        Self::Midi,
        Self::Motion,
        Self::Contact,
        Self::Presence,
        Self::Lux,
        Self::Temperature,
        Self::Humidity,
        Self::Pressure,
        Self::Analog,
        Self::Counter,
    ];

    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    pub(super) fn from_number(number: u16) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Its name in the mapping.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Switch => "switch",
            Self::Dimmer => "dimmer",
            Self::Light => "light",
            Self::Cover => "cover",
            Self::Servo => "servo",
            Self::Buzzer => "buzzer",
            Self::Button => "button",
            Self::Encoder => "encoder",
            Self::Keyboard => "keyboard",
            Self::Midi => "midi",
            Self::Motion => "motion",
            Self::Contact => "contact",
            Self::Presence => "presence",
            Self::Lux => "lux",
            Self::Temperature => "temperature",
            Self::Humidity => "humidity",
            Self::Pressure => "pressure",
            Self::Analog => "analog",
            Self::Counter => "counter",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it takes targets.
    #[must_use]
    pub const fn is_consumer(self) -> bool {
        (self as u8) < (Self::Button as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kinds_place_is_its_number_and_its_name_finds_it() {
        for (number, kind) in (0..).zip(ChannelKind::ALL) {
            assert_eq!(kind.number(), number);
            assert_eq!(ChannelKind::from_number(number.into()), Some(kind));
            assert_eq!(ChannelKind::find(kind.name()), Some(kind));
        }
        assert_eq!(ChannelKind::from_number(19), None);
        assert_eq!(ChannelKind::find("toaster"), None);
    }
}
