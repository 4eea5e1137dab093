//! Where an external broker is: `mqtt://user@host:port`.

use std::fmt;

/// Its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct External {
    /// Whether it is reached through TLS.
    pub(crate) tls: bool,
    /// Name or IP address.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: Option<String>,
}

impl External {
    /// `None`: our own broker.
    ///
    /// # Errors
    /// What is taken instead; never with what may be a password.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, String> {
        if text == "embedded" {
            return Ok(None);
        }
        let takes = "takes 'embedded', 'mqtt://user@host:1883' or 'mqtts://user@host:8883'";
        let (tls, rest) = match text.split_once("://") {
            Some(("mqtt", rest)) => (false, rest),
            Some(("mqtts", rest)) => (true, rest),
            _ => return Err(takes.to_owned()),
        };
        let (user, address) = match rest.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, rest),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(format!(
                "{takes}; the password belongs into `broker_password`, or better into the variable \
                 IOT_CONTROL__BROKER_PASSWORD"
            ));
        }
        let (host, port) = parted(address.trim_end_matches('/')).ok_or(takes)?;
        let port = match port {
            Some(port) => port.parse().ok().filter(|&port: &u16| port > 0),
            None => Some(if tls { 8_883 } else { 1_883 }),
        };
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || !host.chars().all(is_host) || user == Some("") {
            return Err(takes.to_owned());
        }
        Ok(Some(Self {
            tls,
            host: host.to_owned(),
            port: port.ok_or(takes)?,
            user: user.map(str::to_owned),
        }))
    }
}

/// Host and port; an IPv6 address stands in brackets.
fn parted(address: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = address.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return match after {
            "" => Some((host, None)),
            after => Some((host, Some(after.strip_prefix(':')?))),
        };
    }
    match address.split_once(':') {
        Some((host, port)) => Some((host, Some(port))),
        None => Some((address, None)),
    }
}

impl fmt::Display for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        let port = self.port;
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{port}", self.host),
            false => write!(f, "{scheme}://{}:{port}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, Option<&str>)>) {
        let read = External::parse(text).expect("it is one");
        let read = read.map(|it| (it.to_string(), it.user));
        let expected = expected.map(|(it, user)| (it.to_owned(), user.map(str::to_owned)));
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn an_address_has_a_scheme_and_a_host() {
        check("embedded", None);
        check("mqtt://hub.lan", Some(("mqtt://hub.lan:1883", None)));
        check(
            "mqtts://house@hub.lan/",
            Some(("mqtts://hub.lan:8883", Some("house"))),
        );
        check("mqtt://[::1]:2883", Some(("mqtt://[::1]:2883", None)));
        for wrong in [
            "",
            "mosquitto",
            "http://hub",
            "mqtt://",
            "mqtt://hub:0",
            "mqtt://@hub",
            "mqtt://a b",
        ] {
            External::parse(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn a_password_in_the_address_is_refused_and_not_repeated() {
        let refusal = External::parse("mqtt://house:hunter2@hub").expect_err("a password");
        assert!(refusal.contains("broker_password") && !refusal.contains("hunter2"));
    }
}
