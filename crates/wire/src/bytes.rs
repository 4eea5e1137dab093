//! Fixed places in bytes whose length was checked. Called by the decoders of this crate; must not be given a place
//! beyond the end of an array, which the compiler refuses.

/// The `N` bytes from `AT` on of an array: a place beyond its end does not compile.
pub(crate) const fn part<const AT: usize, const N: usize, const LEN: usize>(
    bytes: &[u8; LEN],
) -> [u8; N] {
    const { assert!(AT + N <= LEN) };
    let mut out = [0; N];
    let mut i = 0;
    while i < N {
        out[i] = bytes[AT + i];
        i += 1;
    }
    out
}

/// Fills an array or a slice from its start; what does not fit is a mistake of the caller.
pub(crate) struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

/// There is no room for the rest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<&mut Self, Full> {
        let end = self.len + bytes.len();
        let room = self.out.get_mut(self.len..end).ok_or(Full)?;
        room.copy_from_slice(bytes);
        self.len = end;
        Ok(self)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

/// CRC-32 as in Ethernet and zlib, bit by bit: 256 bytes once a boot are not worth a table in flash.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_zlib() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
