//! How large a text is for a parser, found out without building anything: the tree of a text takes up to a
//! thousand times its bytes, so that what must not be built is counted first.
//!
//! Used by the reader of files before anything is parsed. The text is cut into words by the very lexer that
//! the parser runs, so that nothing is counted another way than it is read.

use std::ops::Range;

use toml_parser::{Source, lexer::TokenKind};

/// A bound and how it is said.
struct Limit {
    max: usize,
    said: &'static str,
}

/// What a text, or several, may hold.
struct Limits {
    bytes: Limit,
    tokens: Limit,
    tables: Limit,
}

/// A word or sign takes about 100 bytes while its file is parsed, a table with one entry a kilobyte.
const FILE: Limits = Limits {
    bytes: Limit {
        max: 4_000_000,
        said: "4 MB of text",
    },
    tokens: Limit {
        max: 1_000_000,
        said: "1,000,000 words and signs",
    },
    tables: Limit {
        max: 100_000,
        said: "100,000 tables",
    },
};

/// Texts are kept as long as the house is, a few times over while it is read. A rule has about 30 words and signs,
/// and three tables.
const HOUSE: Limits = Limits {
    bytes: Limit {
        max: 32_000_000,
        said: "32 MB of text",
    },
    tokens: Limit {
        max: 4_000_000,
        said: "4,000,000 words and signs",
    },
    tables: Limit {
        max: 320_000,
        said: "320,000 tables",
    },
};

/// How large a text, or several, are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    bytes: usize,
    tokens: usize,
    /// Each brace, header and dot in a key makes one.
    tables: usize,
    /// Where a key first has more than [`Size::KEY_PARTS_MAX`] parts.
    too_deep: Option<usize>,
}

/// Which bound is broken, e.g. `32 MB of text`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMuch(pub(crate) &'static str);

impl Size {
    /// Most parts of a key, `a.b.c`: each is a table inside of the one before.
    pub(crate) const KEY_PARTS_MAX: usize = 16;

    /// Most bytes of a file.
    pub(crate) const FILE_BYTES_MAX: usize = FILE.bytes.max;

    /// Takes time in proportion to the text, and no memory.
    pub(crate) fn of(text: &str) -> Self {
        let mut size = Self {
            bytes: text.len(),
            ..Self::default()
        };
        let (mut parts, mut line_start) = (1, true);
        for token in Source::new(text).lex() {
            size.tokens += 1;
            match token.kind() {
                TokenKind::Dot => {
                    size.tables += 1;
                    parts += 1;
                    if parts > Self::KEY_PARTS_MAX {
                        size.too_deep.get_or_insert(token.span().start());
                    }
                }
                TokenKind::LeftCurlyBracket => size.tables += 1,
                TokenKind::LeftSquareBracket if line_start => size.tables += 1,
                _ => {}
            }
            match token.kind() {
                TokenKind::Newline => (parts, line_start) = (1, true),
                TokenKind::Whitespace => {}
                TokenKind::Dot
                | TokenKind::Atom
                | TokenKind::BasicString
                | TokenKind::LiteralString => line_start = false,
                _ => (parts, line_start) = (1, false),
            }
        }
        size
    }

    /// Whether one file may be so large.
    ///
    /// # Errors
    /// It is more than a file may hold.
    pub(crate) fn fits_a_file(&self) -> Result<(), TooMuch> {
        self.within(&FILE)
    }

    /// The size of both together.
    ///
    /// # Errors
    /// They are more than a house may hold.
    pub(crate) fn plus(&self, other: &Self) -> Result<Self, TooMuch> {
        let both = Self {
            bytes: self.bytes + other.bytes,
            tokens: self.tokens + other.tokens,
            tables: self.tables + other.tables,
            too_deep: None,
        };
        both.within(&HOUSE).map(|()| both)
    }

    fn within(&self, limits: &Limits) -> Result<(), TooMuch> {
        let broken = [
            (self.bytes, &limits.bytes),
            (self.tokens, &limits.tokens),
            (self.tables, &limits.tables),
        ]
        .into_iter()
        .find(|(count, limit)| *count > limit.max);
        match broken {
            Some((_, limit)) => Err(TooMuch(limit.said)),
            None => Ok(()),
        }
    }

    /// The dot at which a key gets too many parts.
    pub(crate) fn too_deep(&self) -> Option<Range<usize>> {
        self.too_deep.map(|at| at..at + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_a_tree_large_is_counted() {
        for (text, tables) in [
            ("", 0),
            ("# a.b.c {{{ [[[", 0),
            ("a = 'b.c.d {{ [['\n", 0),
            ("a = 1.5\n", 1),
            ("a.b.c = 1\n", 2),
            ("a = [[1], [2]]\n", 0),
            ("a = { b = {} }\n", 2),
            ("[a]\n  [a.b]\n", 3),
        ] {
            assert_eq!(Size::of(text).tables, tables, "{text}");
        }
    }

    #[test]
    fn a_key_of_too_many_parts_is_found_where_it_gets_too_deep() {
        let parts = |count: usize| vec!["a"; count].join(" . ");
        let enough = Size::KEY_PARTS_MAX;
        assert_eq!(Size::of(&parts(enough)).too_deep(), None);
        let lines = format!("{}\n{} = 1\n", parts(enough), parts(enough));
        assert_eq!(Size::of(&lines).too_deep(), None);
        let deep = format!("b = 1\n{} = 1\n", parts(enough + 1));
        let at = 6 + 4 * enough - 2;
        assert_eq!(Size::of(&deep).too_deep(), Some(at..at + 1));
    }

    #[test]
    fn sizes_add_up_to_a_bound() {
        let half = Size {
            tables: HOUSE.tables.max / 2,
            ..Size::default()
        };
        let whole = half.plus(&half).expect("as much as may be");
        assert_eq!(
            whole.plus(&Size::of("a.b = 1")),
            Err(TooMuch("320,000 tables"))
        );
    }
}
