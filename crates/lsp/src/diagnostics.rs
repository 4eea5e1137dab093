//! What `check` says, for an editor.

use std::{collections::BTreeMap, path::PathBuf};

use mapping::{Diagnostic, Severity, Sources};
use serde_json::{Value as Json, json};
use types::ShownLines;

use crate::{houses::House, position::Lines, uri};

/// All complaints about a house by file; files without any are there too, so that old ones go.
pub(crate) fn of(house: &House) -> BTreeMap<PathBuf, Vec<Json>> {
    let mut all = BTreeMap::new();
    let loaded = &house.analysis.loaded;
    collect(house, &loaded.sources, &loaded.diagnostics, &mut all);
    let blocks = &house.blocklist;
    collect(house, &blocks.sources, &blocks.diagnostics, &mut all);
    all
}

fn collect(
    house: &House,
    sources: &Sources,
    diagnostics: &[Diagnostic],
    all: &mut BTreeMap<PathBuf, Vec<Json>>,
) {
    let lines: Vec<Lines<'_>> = sources
        .iter()
        .map(|(_, file)| Lines::of(&file.text))
        .collect();
    let path = |file: mapping::FileIx| house.folder.join(&*sources.file(file).name);
    for (file, _) in sources.iter() {
        all.entry(path(file)).or_default();
    }
    let range = |span: &mapping::Span| lines[span.file.0 as usize].range(&span.bytes);
    for found in diagnostics {
        let Some((first, others)) = found.labels.split_first() else {
            continue;
        };
        let mut message = found.message.clone();
        if !first.text.is_empty() {
            message.push_str(&format!(" ({})", first.text));
        }
        for help in &found.help {
            message.push_str(&format!("\n{help}"));
        }
        let related: Vec<Json> = others
            .iter()
            .map(|label| {
                let uri = uri::of_path(&path(label.span.file));
                json!({
                    "location": { "uri": uri, "range": range(&label.span) },
                    "message": ShownLines(&label.text).to_string(),
                })
            })
            .collect();
        let diagnostic = json!({
            "range": range(&first.span),
            "severity": if found.severity == Severity::Error { 1 } else { 2 },
            "code": found.code,
            "source": "iot-control",
            "message": ShownLines(&message).to_string(),
            "relatedInformation": related,
        });
        all.entry(path(first.span.file))
            .or_default()
            .push(diagnostic);
    }
}
