//! Which pages may reach the broker from a browser. A browser lets any page of the internet open a WebSocket to any
//! machine that it can reach itself, and says in the request where the page came from (`Origin`, RFC 6455, section 10.2).
//! Programs that are no browser send none.
//!
//! Called by [`super::websocket`] with what a request says. Knows no sockets.

use std::{fmt, net::IpAddr, rc::Rc, str::FromStr};

/// Endings of names that nobody can register on the internet: RFC 6762 (`local`), RFC 8375 (`home.arpa`), `internal` and
/// `lan` by agreement.
const HOME: [&str; 4] = [".local", ".lan", ".home.arpa", ".internal"];

/// Pages of the host that is asked, and of these. Clones share the list.
///
/// ```
/// use broker::tcp::{Origin, Origins};
///
/// let panel: Origin = "https://panel.example.org".parse()?;
/// let _origins: Origins = [panel].into_iter().collect();
/// assert!("panel.example.org".parse::<Origin>().is_err(), "without a scheme it is none");
/// # Ok::<(), broker::tcp::NoOrigin>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Origins(Rc<[Origin]>);

impl FromIterator<Origin> for Origins {
    fn from_iter<I: IntoIterator<Item = Origin>>(listed: I) -> Self {
        Self(listed.into_iter().collect())
    }
}

impl Origins {
    /// Whether a page of `origin` may ask for `host`, as the two headers have them.
    ///
    /// A host that is asked by a name which somebody can register is not known by it: the page's own name may lead here
    /// (DNS rebinding). Such a page has to be listed.
    pub(super) fn admit(&self, origin: &str, host: Option<&str>) -> bool {
        let Ok(origin) = origin.parse::<Origin>() else {
            return false;
        };
        let is_own = || {
            let asked = host.and_then(|host| format!("http://{host}").parse::<Origin>().ok());
            asked.is_some_and(|asked| asked.host == origin.host && is_of_home(&asked.host))
        };
        self.0.contains(&origin) || is_own()
    }
}

fn is_of_home(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
        || !host.contains('.')
        || HOME.iter().any(|ending| host.ends_with(ending))
}

/// Where a page comes from: `https://panel.example.org`, `http://192.168.1.5:1880`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    /// A name, or an address without brackets.
    host: String,
    port: Option<u16>,
}

/// A text is no origin of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoOrigin;

impl fmt::Display for NoOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is no origin of a page, such as https://panel.example.org or http://192.168.1.5:1880")
    }
}

impl std::error::Error for NoOrigin {}

impl FromStr for Origin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        let text = text.to_ascii_lowercase();
        let (scheme, place) = text.split_once("://").ok_or(NoOrigin)?;
        let (host, rest) = match place.strip_prefix('[') {
            Some(inside) => inside.split_once(']').ok_or(NoOrigin)?,
            None => place.split_at(place.find(':').unwrap_or(place.len())),
        };
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(port.parse().map_err(|_| NoOrigin)?),
            None if rest.is_empty() => None,
            None => return Err(NoOrigin),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let is_address = host.parse::<IpAddr>().is_ok();
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        if host.is_empty() || !is_scheme || !(is_address || host.chars().all(is_name)) {
            return Err(NoOrigin);
        }
        let usual = match scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        Ok(Self {
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            port: port.filter(|port| Some(*port) != usual),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(listed: &[&str], origin: &str, host: &str) -> bool {
        let listed = listed.iter().map(|text| text.parse::<Origin>().unwrap());
        let origins: Origins = listed.collect();
        origins.admit(origin, Some(host))
    }

    #[test]
    fn a_page_of_the_host_that_is_asked_may_come_in_by_any_port() {
        for (origin, host) in [
            ("http://192.168.1.5:1880", "192.168.1.5:8083"),
            ("http://192.168.1.5", "192.168.1.5"),
            ("http://[fd00::5]:1880", "[fd00::5]:8083"),
            ("http://localhost:3000", "LOCALHOST:8083"),
            ("https://pi", "pi:8084"),
            ("https://Pi.local", "pi.local:8084"),
        ] {
            assert!(admits(&[], origin, host), "{origin} at {host}");
        }
    }

    #[test]
    fn a_page_from_elsewhere_may_not_nor_one_whose_own_name_leads_here() {
        for (origin, host) in [
            ("https://evil.example", "192.168.1.5:8083"),
            ("http://192.168.1.6", "192.168.1.5:8083"),
            ("http://localhost", "127.0.0.1:8083"),
            ("https://evil.example", "evil.example:8083"),
            ("https://192.168.1.5.evil.example", "192.168.1.5"),
            ("https://pi.local.evil.example", "pi.local"),
            ("null", "null"),
            ("null", "192.168.1.5"),
            ("file://", "192.168.1.5"),
            ("", ""),
            ("192.168.1.5", "192.168.1.5"),
            ("http://192.168.1.5 http://evil.example", "192.168.1.5"),
            ("http://192.168.1.5@evil.example", "192.168.1.5"),
            ("http://192.168.1.5/page", "192.168.1.5"),
            ("http://192.168.1.5:99999", "192.168.1.5"),
        ] {
            assert!(!admits(&[], origin, host), "{origin} at {host}");
        }
        assert!(!Origins::default().admit("http://192.168.1.5", None));
    }

    #[test]
    fn a_page_that_is_listed_may_come_in_whatever_the_host_is_called() {
        let listed = ["https://panel.example.org", "http://192.168.1.6:1880"];
        for origin in [
            "https://panel.example.org",
            "https://PANEL.example.org:443",
            "http://192.168.1.6:1880",
        ] {
            assert!(admits(&listed, origin, "house.example.org"), "{origin}");
        }
        for origin in [
            "http://panel.example.org",
            "https://panel.example.org:8443",
            "https://a.panel.example.org",
            "http://192.168.1.6",
        ] {
            assert!(!admits(&listed, origin, "house.example.org"), "{origin}");
        }
    }
}
