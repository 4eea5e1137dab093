//! Where tables begin in a text that may be broken: at lines such as `[device.hall]`, and not at lines that only look so, in a text
//! of several lines, a list or a comment.
//!
//! Goes by the parser's own tokens. Where a text of several lines has no end, all that follows is turned inside out; it is then
//! taken to end before the first table that it swallowed. Must not know what the tables mean.

use std::ops::Range;

use toml_parser::{
    Source,
    lexer::{Token, TokenKind},
};

/// Texts without an end that are looked for in one file. Each costs as much as its letters.
const ENDLESS_MAX: usize = 20;

/// Words in brackets that are values: a list in a list.
const VALUES: [&str; 4] = ["true", "false", "inf", "nan"];

/// Offsets of the brackets that open a table's header.
pub(super) fn headers(text: &str) -> Vec<usize> {
    let (mut found, mut from) = (Vec::new(), 0);
    for _ in 0..ENDLESS_MAX {
        let scan = Scan::of(text, from);
        let Some(cut) = scan.cut(text) else {
            found.extend(scan.headers);
            return found;
        };
        found.extend(scan.headers.into_iter().filter(|header| *header < cut));
        from = cut;
    }
    found.extend(Scan::of(text, from).headers);
    found
}

/// A part of a text as its tokens have it.
#[derive(Default)]
struct Scan {
    headers: Vec<usize>,
    /// Texts of several lines.
    texts: Vec<LongText>,
}

/// A text of several lines.
struct LongText {
    start: usize,
    /// It stands where a value may stand.
    is_value: bool,
    /// It is a value, has an end, and nothing follows that can't.
    is_sound: bool,
    /// The first line in it that could be a table's header.
    swallows: Option<usize>,
}

impl Scan {
    fn of(text: &str, from: usize) -> Self {
        let tokens = Source::new(&text[from..]).lex().into_vec();
        let mut scan = Self::default();
        // Brackets that are open; the first of a line is none where it begins a header.
        let mut depth = 0_usize;
        let mut before = TokenKind::Newline;
        let mut starts_line = true;
        for (place, token) in tokens.iter().enumerate() {
            let span = from + token.span().start()..from + token.span().end();
            match token.kind() {
                TokenKind::Whitespace | TokenKind::Comment => continue,
                TokenKind::Newline => {
                    starts_line = true;
                    // A list goes on; a value stands in its key's line.
                    if depth == 0 {
                        before = TokenKind::Newline;
                    }
                    continue;
                }
                TokenKind::LeftSquareBracket
                    if starts_line && begins_table(text, span.start, depth) =>
                {
                    scan.headers.push(span.start);
                    depth = 0;
                }
                TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => depth += 1,
                TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                    depth = depth.saturating_sub(1);
                }
                TokenKind::MlBasicString | TokenKind::MlLiteralString => {
                    let is_value = may_precede(before);
                    let ends_well =
                        is_closed(&text[span.clone()]) && may_follow(&tokens[place + 1..]);
                    scan.texts.push(LongText {
                        start: span.start,
                        is_value,
                        is_sound: is_value && ends_well,
                        swallows: header_in(text, span),
                    });
                }
                _ => {}
            }
            before = token.kind();
            starts_line = false;
        }
        scan
    }

    /// Where a text that has no end is to end. It shows only behind it: what follows is text where there should be keys.
    fn cut(&self, text: &str) -> Option<usize> {
        let wrong = self.texts.iter().position(|text| !text.is_sound)?;
        let before = wrong.checked_sub(1);
        // What opens where no value may stand are the closing quotes of another.
        let [first, second] = match self.texts[wrong].is_value {
            true => [Some(wrong), before],
            false => [before, Some(wrong)],
        };
        [first, second].into_iter().flatten().find_map(|endless| {
            let endless = &self.texts[endless];
            let cut = endless.swallows?;
            let wrong = self.wrong_from(endless.start);
            // A text that only holds such a line turns what follows inside out when it is cut.
            (Scan::of(text, cut).wrong_from(cut) < wrong).then_some(cut)
        })
    }

    fn wrong_from(&self, start: usize) -> usize {
        let behind = self.texts.iter().filter(|text| text.start >= start);
        behind.filter(|text| !text.is_sound).count()
    }
}

/// Whether a text may stand behind this.
fn may_precede(kind: TokenKind) -> bool {
    use TokenKind::{Comma, Equals, LeftSquareBracket};
    matches!(kind, Equals | Comma | LeftSquareBracket)
}

/// Whether these may stand behind a text.
fn may_follow(tokens: &[Token]) -> bool {
    let mut kinds = tokens.iter().map(Token::kind);
    let next = kinds.find(|kind| *kind != TokenKind::Whitespace);
    matches!(
        next,
        Some(
            TokenKind::Newline
                | TokenKind::Comment
                | TokenKind::Comma
                | TokenKind::RightSquareBracket
                | TokenKind::RightCurlyBracket
                | TokenKind::Eof
        ) | None
    )
}

/// Whether a text of several lines has closing quotes.
fn is_closed(raw: &str) -> bool {
    let (open, body) = raw.split_at(3);
    let Some(body) = body.strip_suffix(open) else {
        return false;
    };
    let escapes = body.len() - body.trim_end_matches('\\').len();
    open == "'''" || escapes % 2 == 0
}

/// The first line that begins in `span`, behind its first, and is a table's header by the looks of it.
fn header_in(text: &str, span: Range<usize>) -> Option<usize> {
    let mut at = span.start;
    let mut lines = text[span].split_inclusive('\n');
    at += lines.next()?.len();
    for line in lines {
        let start = at + line.len() - line.trim_start().len();
        at += line.len();
        if line.trim_start().starts_with('[') && begins_table(text, start, 1) {
            return Some(start);
        }
    }
    None
}

/// Whether the bracket at `at`, the first of its line and behind `depth` open ones, begins a table: a letter follows, and within
/// a list nothing that only a list has.
fn begins_table(text: &str, at: usize, depth: usize) -> bool {
    let line = text[at..].lines().next().unwrap_or_default();
    let name = line.strip_prefix("[[").or_else(|| line.strip_prefix('['));
    let name = name.unwrap_or_default().trim_start();
    if !name.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        return false;
    }
    let Some((name, behind)) = name.split_once(']') else {
        return depth == 0;
    };
    let behind = behind.trim_start_matches(']').trim_start();
    let is_list = name.contains(',')
        || VALUES.contains(&name.trim_end())
        || !(behind.is_empty() || behind.starts_with('#'));
    depth == 0 || !is_list
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines at which tables begin.
    fn found(text: &str) -> Vec<&str> {
        let lines = headers(text).into_iter();
        lines.filter_map(|at| text[at..].lines().next()).collect()
    }

    #[test]
    fn lines_that_only_look_like_headers_begin_no_table() {
        for (text, expected) in [
            (
                "[a]\nb = 1\n[[c.d]]\n [e] # f\n",
                &["[a]", "[[c.d]]", "[e] # f"][..],
            ),
            ("a = \"\"\"\n[b]\n\"\"\"\n[c]\n", &["[c]"]),
            ("a = '''\n[b]\n\"\"\"\n'''\n[c]\n", &["[c]"]),
            ("# it's \"\"\"\n[a]\n# [b]\n[c]\n", &["[a]", "[c]"]),
            ("a = [\n[true, false],\n[inf]\n]\n[b]\n", &["[b]"]),
            (
                "a = [ # [\n\"]\",\n\"\"\"\n[b]\\\"\"\"\n[c]\n\"\"\"]\n[d]\n",
                &["[d]"],
            ),
            ("a = \"\"\"\"x\"\"\"\"\"\n[b]\n", &["[b]"]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_closed_ends_before_the_next_table() {
        for (text, expected) in [
            ("[a]\nb = [ \"x\",\n[c]\n", &["[a]", "[c]"][..]),
            ("[a]\nb = { c = \"x,\n[[d]]\n", &["[a]", "[[d]]"]),
            ("[a\n[b]\n", &["[a", "[b]"]),
            ("a = \"\"\"\n[b]\n[c]\n", &["[b]", "[c]"]),
            (
                "[a]\nx = \"\"\"\ny\n[b]\nx = \"\"\"\nz\n\"\"\"\n[c]\n",
                &["[a]", "[b]", "[c]"],
            ),
            (
                "[a]\nx = '''\ny\n[b]\nx = '''z'''\n[c]\n",
                &["[a]", "[b]", "[c]"],
            ),
            (
                "[a]\nx = \"\"\"\ny\n[b]\nx = '''\n[z]\n'''\n[c]\n",
                &["[a]", "[b]", "[c]"],
            ),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn a_sound_text_with_such_a_line_stays_whole_beside_one_that_is_not_closed() {
        let sound = "[a]\nx = \"\"\"\n[y]\n\"\"\"\n";
        let endless = "[b]\nx = \"\"\"\ny\n[c]\nx = \"\"\"\nz\n\"\"\"\n[d]\n";
        let expected = ["[a]", "[b]", "[c]", "[d]"];
        assert_eq!(found(&format!("{sound}{endless}")), expected);
        let no_sign = "[b]\nx \"\"\"y\"\"\"\n[c]\n";
        assert_eq!(found(&format!("{sound}{no_sign}")), expected[..3]);
    }
}
