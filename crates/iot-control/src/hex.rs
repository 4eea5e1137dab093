//! Bytes as hexadecimal digits: hashes, public keys, and secrets on their way.

/// Two digits for each byte.
pub(crate) fn of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text
}

/// Reads what [`of`] writes; `None` for anything else.
pub(crate) fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_as_they_were_written_and_nothing_else_reads() {
        assert_eq!(of(&[0, 0x1f, 0xa0, 0xff]), "001fa0ff");
        assert_eq!(read(&of(&[7, 255, 0])), Some([7, 255, 0]));
        for text in ["", "0", "000", "0g", "FF", "0000", "é"] {
            assert_eq!(read::<1>(text), None, "{text:?}");
        }
    }
}
