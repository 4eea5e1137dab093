//! How many mistakes a text has, found out before it is parsed: the parser keeps each of them for far longer
//! than its letters.
//!
//! Used by [`super::Document`]. Counts with the parser's own grammar and decoder, and builds nothing.

use toml_parser::{
    ErrorSink, ParseError, Raw, Source, Span,
    decoder::Encoding,
    parser::{EventReceiver, RecursionGuard, parse_document},
};

/// How deep the parser itself follows brackets.
pub(super) const DEPTH_MAX: u32 = 80;

/// Where the mistake with the number `max` stands; `None`: there are fewer. A key or table that stands twice
/// is none: that shows only once the tree is there.
pub(super) fn many(text: &str, max: usize) -> Option<usize> {
    let mut counter = Counter {
        left: max,
        last: None,
    };
    let source = Source::new(text);
    let tokens = source.lex().into_vec();
    let mut decoder = Decoder { source };
    parse_document(
        &tokens,
        &mut RecursionGuard::new(&mut decoder, DEPTH_MAX),
        &mut counter,
    );
    counter.last.filter(|_| counter.left == 0)
}

struct Counter {
    left: usize,
    last: Option<usize>,
}

impl ErrorSink for Counter {
    fn report_error(&mut self, error: ParseError) {
        if self.left > 0 {
            self.left -= 1;
            let span = error.unexpected().or(error.context());
            self.last = span.map(|span| span.start()).or(self.last);
        }
    }
}

/// Decodes what stands in the text, and drops it.
struct Decoder<'t> {
    source: Source<'t>,
}

impl<'t> Decoder<'t> {
    fn raw(&self, span: Span, encoding: Option<Encoding>) -> Option<Raw<'t>> {
        let raw = self.source.get(span)?;
        Some(Raw::new_unchecked(raw.as_str(), encoding, span))
    }
}

impl EventReceiver for Decoder<'_> {
    fn simple_key(&mut self, span: Span, kind: Option<Encoding>, error: &mut dyn ErrorSink) {
        if let Some(raw) = self.raw(span, kind) {
            raw.decode_key(&mut (), error);
        }
    }

    fn scalar(&mut self, span: Span, kind: Option<Encoding>, error: &mut dyn ErrorSink) {
        if let Some(raw) = self.raw(span, kind) {
            // What it is does not matter here.
            let _ = raw.decode_scalar(&mut (), error);
        }
    }

    fn comment(&mut self, span: Span, error: &mut dyn ErrorSink) {
        if let Some(raw) = self.raw(span, None) {
            raw.decode_comment(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_the_last_mistake_that_counts_is_found() {
        let text = "a = 1\n= 2\nb = x\nc = \"d\n[e\n";
        let places: Vec<_> = (1..=5).map(|max| many(text, max)).collect();
        let expected = ["= 2", "x\nc", "\n[e", "\n"].map(|word| text.rfind(word));
        assert_eq!(places[..4], expected);
        assert_eq!(places[4], None);
    }

    #[test]
    fn a_sound_text_has_none() {
        let text = include_str!("../../tests/fixtures/house/house.toml");
        assert_eq!(many(text, 1), None);
        assert_eq!(many(&format!("{text}\n="), 1), Some(text.len() + 1));
    }
}
