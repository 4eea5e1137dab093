//! Topics of the link on MQTT. Called by the device's runtime and by the dispatcher's broker side. Must not know
//! who may use which: that is the broker's.
//!
//! | topic | from | payload |
//! |---|---|---|
//! | `ic1/<site>/up/<handle>` | device | frames |
//! | `ic1/<site>/dn/<handle>` | dispatcher | frames |
//! | `ic1/<site>/w/<handle>` | the device's last will | [`crate::Will`] |
//! | `ic1/<site>/epoch` | dispatcher, retained | its epoch, 8 bytes: it started again |
//!
//! The site is 16 hexadecimal digits, the handle [`Handle::text`].

use core::{fmt, str};

use crate::{Handle, Site};

/// A topic, without its site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// To the dispatcher.
    Up(Handle),
    /// To the device.
    Down(Handle),
    /// The device's last will.
    Will(Handle),
    /// The dispatcher's epoch.
    Epoch,
}

/// `ic1/` and 16 digits, a kind, a handle.
const LEN_MAX: usize = 4 + 16 + 4 + Handle::TEXT_LEN;

/// A topic as MQTT has it.
#[derive(Clone, Copy)]
pub struct TopicText {
    bytes: [u8; LEN_MAX],
    len: usize,
}

impl TopicText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII was put there.
        str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

impl fmt::Debug for TopicText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Topic {
    /// The topic in this house.
    #[must_use]
    pub fn text(self, site: Site) -> TopicText {
        let mut out = TopicText {
            bytes: [0; LEN_MAX],
            len: 0,
        };
        out.put(b"ic1/");
        for byte in site.0 {
            let digit = |half: u8| b"0123456789abcdef"[usize::from(half & 15)];
            out.put(&[digit(byte >> 4), digit(byte)]);
        }
        let (kind, handle): (&[u8], _) = match self {
            Self::Up(handle) => (b"/up/", Some(handle)),
            Self::Down(handle) => (b"/dn/", Some(handle)),
            Self::Will(handle) => (b"/w/", Some(handle)),
            Self::Epoch => (b"/epoch", None),
        };
        out.put(kind);
        if let Some(handle) = handle {
            out.put(&handle.text());
        }
        out
    }

    /// Reads a topic of this house; `None` for any other.
    #[must_use]
    pub fn parse(text: &str, site: Site) -> Option<Self> {
        let epoch = Self::Epoch.text(site);
        if text == epoch.as_str() {
            return Some(Self::Epoch);
        }
        let below = epoch.as_str().strip_suffix("epoch")?;
        let (kind, handle) = text.strip_prefix(below)?.split_once('/')?;
        let handle = Handle::parse(handle)?;
        match kind {
            "up" => Some(Self::Up(handle)),
            "dn" => Some(Self::Down(handle)),
            "w" => Some(Self::Will(handle)),
            _ => None,
        }
    }
}
