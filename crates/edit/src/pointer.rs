//! JSON pointers (RFC 6901): how programs say which value they mean, and how mistakes in JSON are placed.

use std::fmt;

pub(crate) use mapping::outline::Step;

use crate::refusal::Refusal;

/// A path into the model: `/rule/hall-motion/do/0`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer(pub Vec<Step>);

impl Pointer {
    /// Reads a pointer. A part of digits is a number; where it stands in a table it is a name.
    ///
    /// # Errors
    /// It does not begin with `/`, or a `~` stands for nothing.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err(Refusal::BadPointer(text.to_owned()));
        };
        let step = |part: &str| {
            let digits = part.bytes().all(|digit| digit.is_ascii_digit());
            let digits = digits && (part == "0" || !part.starts_with('0'));
            match part.parse() {
                Ok(number) if digits => Some(Step::Item(number)),
                _ => Some(Step::Key(unescaped(part)?.into())),
            }
        };
        let steps: Option<Vec<Step>> = rest.split('/').map(step).collect();
        steps
            .map(Self)
            .ok_or_else(|| Refusal::BadPointer(text.to_owned()))
    }
}

fn unescaped(part: &str) -> Option<String> {
    let mut out = String::with_capacity(part.len());
    let mut letters = part.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '~' => match letters.next()? {
                '0' => out.push('~'),
                '1' => out.push('/'),
                _ => return None,
            },
            letter => out.push(letter),
        }
    }
    Some(out)
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            let part = step.to_string().replace('~', "~0").replace('/', "~1");
            write!(f, "/{part}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_reads_as_it_was_written() {
        for text in [
            "/rule/hall-motion/do/0",
            "/a~1b/m~0n",
            "/",
            "/device/",
            "/x/007",
        ] {
            assert_eq!(Pointer::read(text).unwrap().to_string(), text);
        }
        for text in ["", "rule", "/a~2", "/a~"] {
            assert!(Pointer::read(text).is_err(), "{text}");
        }
        let pointer = Pointer::read("/x/12").unwrap();
        assert_eq!(pointer.0, [Step::from("x"), Step::Item(12)]);
    }
}
