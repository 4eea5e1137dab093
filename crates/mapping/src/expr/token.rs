//! Text -> tokens.
//!
//! Called by the parser. Reports what is no token and goes on, so that one slip hides nothing behind it.
//! Must not know grammar or names.

use std::{ops::Range, sync::Arc};

use super::report::Report;
use crate::units;

/// One token and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) range: Range<usize>,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    /// A finite number without a sign.
    Number(f64),
    /// A text, escapes resolved.
    Text(Arc<str>),
    /// A value that can't be read; reported.
    Broken,
    /// A name or a word of the language.
    Word,
    /// An operator or a bracket, as it is written.
    Symbol(&'static str),
    /// Behind the last token; its range is empty.
    End,
}

/// Longer symbols stand before their beginnings.
const SYMBOLS: [&str; 22] = [
    "||", "&&", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",",
    "(", ")", "[", "]",
];

/// Symbols of other languages, and what stands for them here.
const MISTAKEN: [(&str, &str); 8] = [
    ("===", "=="),
    ("<>", "!="),
    ("=>", ">="),
    ("=<", "<="),
    ("=", "=="),
    ("&", "&&"),
    ("|", "||"),
    ("≠", "!="),
];

/// All tokens of `text`; the last one is [`TokenKind::End`].
pub(super) fn tokens(text: &str, report: &mut Report<'_>) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let start = at;
        let kind = match first {
            _ if first.is_whitespace() => {
                at += first.len_utf8();
                continue;
            }
            '0'..='9' => number(text, &mut at, report),
            '\'' | '"' => quoted(text, &mut at, first, report),
            '“' | '”' | '„' | '‘' | '’' | '‚' => typographic(text, &mut at, report),
            _ if first.is_alphabetic() || first == '_' => {
                at += word_length(&text[at..]);
                Some(TokenKind::Word)
            }
            _ => symbol(text, &mut at, first, report),
        };
        tokens.extend(kind.map(|kind| Token {
            kind,
            range: start..at,
        }));
    }
    tokens.push(Token {
        kind: TokenKind::End,
        range: at..at,
    });
    tokens
}

fn word_length(text: &str) -> usize {
    text.find(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .unwrap_or(text.len())
}

fn digits(text: &str) -> usize {
    text.find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len())
}

/// `12`, `12.5`, `1e3`; a number that runs into letters is reported and read as far as it is one.
fn number(text: &str, at: &mut usize, report: &mut Report<'_>) -> Option<TokenKind> {
    let start = *at;
    *at += digits(&text[*at..]);
    if let Some(rest) = text[*at..].strip_prefix('.') {
        match digits(rest) {
            0 => {
                let range = start..*at + 1;
                let written = &text[start..*at];
                report.error(
                    "syntax",
                    &range,
                    "a digit is missing behind the point",
                    |e| e.help(format!("write `{written}` or `{written}.0`")),
                );
                *at += 1;
            }
            length => *at += 1 + length,
        }
    }
    if let Some(rest) = text[*at..].strip_prefix(['e', 'E']) {
        let sign = usize::from(rest.starts_with(['+', '-']));
        let length = digits(&rest[sign..]);
        if length > 0 {
            *at += 1 + sign + length;
        }
    }
    let value = text[start..*at].trim_end_matches('.').parse::<f64>().ok();
    let letters = word_length(&text[*at..]);
    if letters > 0 {
        let end = *at + letters;
        let written = &text[start..end];
        let help = match seconds(written) {
            Some(seconds) => format!("times are in seconds here: write {seconds}"),
            None => "a name begins with a letter, a number holds digits and one point".to_owned(),
        };
        report.error(
            "syntax",
            &(start..end),
            format!("`{written}` is neither a number nor a name"),
            |e| e.help(help),
        );
        *at = end;
        return Some(TokenKind::Broken);
    }
    match value {
        Some(value) if value.is_finite() => Some(TokenKind::Number(value)),
        _ => {
            report.error("syntax", &(start..*at), "this number is too large", |e| e);
            Some(TokenKind::Broken)
        }
    }
}

/// The seconds in a duration as the rest of the mapping writes it: `5m`.
pub(super) fn seconds(written: &str) -> Option<f64> {
    units::meant(written).map(|span| span.as_secs_f64())
}

/// `'text'` or `"text"` with `\\`, `\'`, `\"`, `\n`, `\t`.
fn quoted(text: &str, at: &mut usize, quote: char, report: &mut Report<'_>) -> Option<TokenKind> {
    let start = *at;
    let mut value = String::new();
    let mut letters = text[start + 1..].char_indices();
    while let Some((offset, letter)) = letters.next() {
        let here = start + 1 + offset;
        if letter == quote {
            *at = here + 1;
            return Some(TokenKind::Text(value.into()));
        }
        if letter != '\\' {
            value.push(letter);
            continue;
        }
        match letters.next().map(|(_, escaped)| escaped) {
            Some(escaped @ ('\\' | '\'' | '"')) => value.push(escaped),
            Some('n') => value.push('\n'),
            Some('t') => value.push('\t'),
            Some(escaped) => {
                let range = here..here + 1 + escaped.len_utf8();
                report.error(
                    "syntax",
                    &range,
                    format!("`\\{escaped}` stands for nothing"),
                    |e| e.help("after a backslash: \\ ' \" n t"),
                );
            }
            None => break,
        }
    }
    *at = text.len();
    report.error(
        "syntax",
        &(start..text.len()),
        "this text has no end",
        |e| {
            e.label("begins here")
                .help(format!("close it with {quote}"))
        },
    );
    Some(TokenKind::Broken)
}

/// `“text”`: a text all the same, so that it is no further mistake.
fn typographic(text: &str, at: &mut usize, report: &mut Report<'_>) -> Option<TokenKind> {
    let is_quote = |letter: char| "“”„‘’‚".contains(letter);
    let inner = text[*at..].trim_start_matches(is_quote);
    let start = text.len() - inner.len();
    let end = inner.find(is_quote).map_or(text.len(), |end| start + end);
    let closing = text[end..].chars().next().map_or(0, char::len_utf8);
    let word = &text[start..end];
    let message = "texts stand in straight quotes, not in typographic ones";
    report.error("syntax", &(*at..end + closing), message, |e| {
        e.help(format!("write '{word}'"))
    });
    *at = end + closing;
    Some(TokenKind::Broken)
}

fn symbol(text: &str, at: &mut usize, first: char, report: &mut Report<'_>) -> Option<TokenKind> {
    let rest = &text[*at..];
    if rest.starts_with("//") || rest.starts_with("/*") {
        let message = "no comment can stand in an expression";
        report.error("syntax", &(*at..text.len()), message, |e| {
            e.help("put it behind the closing quote, as # comment")
        });
        *at = text.len();
        return None;
    }
    let exact = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
    let mistaken = MISTAKEN
        .iter()
        .find(|(wrong, _)| rest.starts_with(wrong))
        .filter(|(wrong, _)| exact.is_none_or(|symbol| symbol.len() < wrong.len()));
    if let Some((wrong, right)) = mistaken {
        let range = *at..*at + wrong.len();
        report.error("syntax", &range, format!("`{wrong}` is no operator"), |e| {
            e.help(format!("write `{right}`"))
        });
        *at = range.end;
        return Some(TokenKind::Symbol(right));
    }
    if let Some(symbol) = exact {
        *at += symbol.len();
        return Some(TokenKind::Symbol(symbol));
    }
    let range = *at..*at + first.len_utf8();
    report.error(
        "syntax",
        &range,
        format!("`{}` has no meaning here", first.escape_debug()),
        |e| {
            if first == '`' {
                e.help("texts stand in straight quotes: 'text'")
            } else if first == ';' {
                e.help("leave it away; conditions are joined by && and ||")
            } else if matches!(first, '{' | '}') {
                e.help("braces only stand around a computed value: \"${..}\"")
            } else {
                e
            }
        },
    );
    *at = range.end;
    None
}
