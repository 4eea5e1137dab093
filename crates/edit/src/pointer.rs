//! JSON pointers (RFC 6901): how programs say which value they mean, and how mistakes in JSON are placed.

use std::fmt;

use toml::de::{DeTable, DeValue};

pub(crate) use mapping::outline::Step;

use crate::refusal::Refusal;

/// A path into the model: `/rule/hall-motion/do/0`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer(pub Vec<Step>);

impl Pointer {
    /// Reads a pointer, or the same path as the files write it: `rule."hall motion".do.0`. A part of digits is a number; where
    /// it stands in a table it is a name.
    ///
    /// # Errors
    /// It is neither: a `~` stands for nothing, a quote has no end.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let steps = match text.strip_prefix('/') {
            Some(rest) => {
                let step = |part| Some(number(part).unwrap_or(Step::Key(unescaped(part)?.into())));
                rest.split('/').map(step).collect()
            }
            None => dotted(text),
        };
        steps
            .map(Self)
            .ok_or_else(|| Refusal::BadPointer(text.to_owned()))
    }
}

fn number(part: &str) -> Option<Step> {
    let digits = part.bytes().all(|digit| digit.is_ascii_digit());
    let digits = digits && (part == "0" || !part.starts_with('0'));
    part.parse().ok().filter(|_| digits).map(Step::Item)
}

/// The steps of a dotted key of TOML; `None`: it is none.
fn dotted(text: &str) -> Option<Vec<Step>> {
    let pair = format!("{text} = 0");
    let table = DeTable::parse(&pair).ok()?;
    let mut steps = Vec::new();
    let mut inner = table.get_ref();
    loop {
        let mut entries = inner.iter();
        let (key, value) = entries.next().filter(|_| entries.len() == 0)?;
        let name = &**key.get_ref();
        steps.push(number(name).unwrap_or_else(|| Step::Key(name.into())));
        match value.get_ref() {
            DeValue::Table(below) => inner = below,
            // Else the text is more than a key.
            _ if value.span() == (pair.len() - 1..pair.len()) => return Some(steps),
            _ => return None,
        }
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
        for text in [
            "", "rule.", "rule.\"x", "/a~2", "/a~", "a = 1\nb", "a=1#", "a.\nb", "a b",
        ] {
            assert!(Pointer::read(text).is_err(), "{text}");
        }
        for (text, pointer) in [
            ("rule", "/rule"),
            ("rule.hall-motion.do.0", "/rule/hall-motion/do/0"),
            (r#"rule."x y".if"#, "/rule/x y/if"),
            ("scene.'a.b'.hall.lamp", "/scene/a.b/hall/lamp"),
            ("a.\"b/c\"", "/a/b~1c"),
        ] {
            assert_eq!(Pointer::read(text).unwrap().to_string(), pointer);
        }
        let pointer = Pointer::read("/x/12").unwrap();
        assert_eq!(pointer.0, [Step::from("x"), Step::Item(12)]);
    }
}
