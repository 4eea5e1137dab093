//! A secret on its way through the control socket: hexadecimal there, and printed nowhere.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use wire::Secret;
use zeroize::Zeroizing;

use crate::hex;

/// 32 bytes; wiped when dropped.
#[derive(Clone)]
pub(crate) struct Hidden(pub(crate) Secret);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(..)")
    }
}

/// For tests of requests; not in constant time.
impl PartialEq for Hidden {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose() == other.0.expose()
    }
}

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(hex::of(self.0.expose()));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        // What it holds is not repeated.
        let bytes =
            hex::read(&text).ok_or_else(|| de::Error::custom("no 64 hexadecimal digits"))?;
        Ok(Self(Secret::new(*Zeroizing::new(bytes))))
    }
}
