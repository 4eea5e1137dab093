//! A cursor over a packet's body that never reads past its end.

use crate::reason::Reason;

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Reason> {
        let (taken, rest) = self
            .0
            .split_at_checked(len)
            .ok_or(Reason::MalformedPacket)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Reason> {
        let (&first, rest) = self.0.split_first().ok_or(Reason::MalformedPacket)?;
        self.0 = rest;
        Ok(first)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Reason> {
        let (bytes, rest) = self
            .0
            .split_first_chunk::<2>()
            .ok_or(Reason::MalformedPacket)?;
        self.0 = rest;
        Ok(u16::from_be_bytes(*bytes))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Reason> {
        let (bytes, rest) = self
            .0
            .split_first_chunk::<4>()
            .ok_or(Reason::MalformedPacket)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    pub(crate) fn varint(&mut self) -> Result<u32, Reason> {
        let mut value = 0;
        for ix in 0..4 {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7F) << (7 * ix);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Reason::MalformedPacket)
    }

    pub(crate) fn binary(&mut self) -> Result<&'a [u8], Reason> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// A UTF-8 text; U+0000 is not allowed in any of MQTT's (section 1.5.4).
    pub(crate) fn text(&mut self) -> Result<&'a str, Reason> {
        let text = std::str::from_utf8(self.binary()?).map_err(|_| Reason::MalformedPacket)?;
        if text.as_bytes().contains(&0) {
            return Err(Reason::MalformedPacket);
        }
        Ok(text)
    }
}
