//! Why a connection is over, from what either client library says of it, and what to do about it.

use std::io;

use super::client::Version;

/// A connection that ended, or never came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    /// For people.
    pub(super) why: String,
    /// What it says of the version that was tried.
    pub(super) verdict: Verdict,
    /// Nobody is there who could take a connection.
    pub(super) is_away: bool,
}

/// What a lost connection says of its version of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The broker does not speak it: it says so, or in another version.
    Unknown,
    /// The broker ended without an answer, as old ones do, and as any does that is being stopped.
    Silent,
    /// Nothing: it is about something else.
    Nothing,
}

const LOGIN: &str = "it refuses our login: look at the user in `broker` and at broker_password, or IOT_CONTROL__BROKER_PASSWORD";

impl Lost {
    pub(super) fn five(error: &rumqttc_v5::ConnectionError) -> Self {
        use rumqttc_v5::{ConnectionError, StateError, mqttbytes::v5::ConnectReturnCode};
        match error {
            ConnectionError::ConnectionRefused(
                ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
            ) => Self::of(LOGIN.to_owned(), Verdict::Nothing),
            ConnectionError::ConnectionRefused(
                ConnectReturnCode::RefusedProtocolVersion
                | ConnectReturnCode::UnsupportedProtocolVersion,
            ) => Self::of("it does not speak MQTT 5".to_owned(), Verdict::Unknown),
            ConnectionError::MqttState(
                StateError::Deserialization(rumqttc_v5::mqttbytes::Error::Io(error))
                | StateError::Io(error),
            )
            | ConnectionError::Io(error) => Self::io(error),
            ConnectionError::NotConnAck(_)
            | ConnectionError::MqttState(StateError::Deserialization(_)) => {
                Self::of(error.to_string(), Verdict::Unknown)
            }
            ConnectionError::MqttState(StateError::ConnectionAborted) => {
                Self::of(error.to_string(), Verdict::Silent)
            }
            ConnectionError::Tls(error) => Self::tls(error),
            error => Self::of(error.to_string(), Verdict::Nothing),
        }
    }

    pub(super) fn three(error: &rumqttc::ConnectionError) -> Self {
        use rumqttc::{ConnectReturnCode, ConnectionError, StateError};
        match error {
            ConnectionError::ConnectionRefused(
                ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
            ) => Self::of(LOGIN.to_owned(), Verdict::Nothing),
            ConnectionError::ConnectionRefused(ConnectReturnCode::RefusedProtocolVersion) => {
                let why = "it speaks neither MQTT 5 nor 3.1.1";
                Self::of(why.to_owned(), Verdict::Unknown)
            }
            ConnectionError::MqttState(
                StateError::Deserialization(rumqttc::Error::Io(error)) | StateError::Io(error),
            )
            | ConnectionError::Io(error) => Self::io(error),
            ConnectionError::NotConnAck(_)
            | ConnectionError::MqttState(StateError::Deserialization(_)) => {
                Self::of(error.to_string(), Verdict::Unknown)
            }
            ConnectionError::MqttState(StateError::ConnectionAborted) => {
                Self::of(error.to_string(), Verdict::Silent)
            }
            ConnectionError::Tls(error) => Self::tls(error),
            error => Self::of(error.to_string(), Verdict::Nothing),
        }
    }

    fn of(why: String, verdict: Verdict) -> Self {
        Self {
            why,
            verdict,
            is_away: false,
        }
    }

    fn tls(error: &impl std::fmt::Display) -> Self {
        let why = format!(
            "TLS: {error}; where its certificate is of a CA of your own, broker_ca names that"
        );
        Self::of(why, Verdict::Nothing)
    }

    fn io(error: &io::Error) -> Self {
        let ends = [
            io::ErrorKind::UnexpectedEof,
            io::ErrorKind::ConnectionAborted,
            io::ErrorKind::ConnectionReset,
        ];
        let verdict = match ends.contains(&error.kind()) {
            true => Verdict::Silent,
            false => Verdict::Nothing,
        };
        let away = [
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::HostUnreachable,
            io::ErrorKind::NetworkUnreachable,
        ];
        Self {
            is_away: away.contains(&error.kind()),
            ..Self::of(error.to_string(), verdict)
        }
    }
}

/// Which version is spoken with a broker: 5, until it turns out that it does not know that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) version: Version,
    /// How often it was tried since an answer came.
    silences: u8,
}

/// A broker that ends without an answer so often in a row is asked in the other version.
const SILENCES_MAX: u8 = 2;

impl Choice {
    pub(super) const FIRST: Self = Self::of(Version::Five);

    const fn of(version: Version) -> Self {
        Self {
            version,
            silences: 0,
        }
    }

    /// What to try next, after a connection that came about.
    pub(super) const fn answered(self) -> Self {
        Self::of(self.version)
    }

    /// What to try next, after a connection that never came about.
    pub(super) fn after(self, verdict: Verdict) -> Self {
        let silences = match verdict {
            Verdict::Nothing => return self,
            Verdict::Silent => self.silences + 1,
            Verdict::Unknown => SILENCES_MAX,
        };
        match (self.version, silences) {
            (version, silences) if silences < SILENCES_MAX => Self { version, silences },
            (Version::Five, _) => Self::of(Version::Three),
            (Version::Three, _) => Self::of(Version::Five),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(verdicts: &[Verdict]) -> Version {
        let choice = verdicts
            .iter()
            .fold(Choice::FIRST, |choice, verdict| choice.after(*verdict));
        choice.version
    }

    #[test]
    fn a_broker_that_knows_no_five_is_asked_in_three_and_one_that_is_down_is_not() {
        use Verdict::{Nothing, Silent, Unknown};
        assert_eq!(tried(&[]), Version::Five);
        assert_eq!(tried(&[Nothing, Nothing, Nothing]), Version::Five);
        assert_eq!(tried(&[Silent]), Version::Five, "it may be stopping");
        assert_eq!(tried(&[Silent, Nothing, Silent]), Version::Three);
        assert_eq!(tried(&[Unknown]), Version::Three);
        assert_eq!(tried(&[Unknown, Nothing, Silent]), Version::Three);
        assert_eq!(
            tried(&[Unknown, Unknown]),
            Version::Five,
            "it was another one"
        );
        assert_eq!(tried(&[Unknown, Silent, Silent]), Version::Five);
        let answered = Choice::FIRST.after(Silent).answered().after(Silent);
        assert_eq!(answered.version, Version::Five, "it stopped twice");
    }

    #[test]
    fn what_a_broker_of_3_1_1_says_to_mqtt_5_is_about_the_version() {
        use rumqttc_v5::{ConnectionError, mqttbytes::v5::ConnectReturnCode};
        let refused = ConnectReturnCode::RefusedProtocolVersion;
        let lost = Lost::five(&ConnectionError::ConnectionRefused(refused));
        assert_eq!(lost.verdict, Verdict::Unknown);
        let login = ConnectReturnCode::NotAuthorized;
        let lost = Lost::five(&ConnectionError::ConnectionRefused(login));
        assert_eq!(lost.verdict, Verdict::Nothing);
        let down = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(
            Lost::five(&ConnectionError::Io(down)).verdict,
            Verdict::Nothing
        );
    }
}
