//! What editors ask.

use std::{collections::BTreeMap, path::PathBuf};

use edit::Edit;
use lsp_types::{
    CompletionParams, GotoDefinitionParams, HoverParams, ReferenceParams, RenameParams,
    TextDocumentPositionParams,
};
use mapping::{
    Span,
    index::{Mention, Symbol},
};
use serde_json::{Value as Json, json};
use types::ShownLines;

use super::{Fault, Refused, Server, params_of};
use crate::{complete, houses::House, hover, position, position::Lines, uri};

/// A place that an editor asks about.
struct Place {
    path: PathBuf,
    /// The file's name in its house.
    name: String,
    text: String,
    offset: usize,
}

impl Server {
    pub(super) fn ask(&mut self, method: &str, params: Json) -> Result<Json, Refused> {
        match method {
            "textDocument/completion" => {
                let params: CompletionParams = params_of(params)?;
                let place = self.place(&params.text_document_position);
                Ok(self.about(place, |house, place, _| {
                    let (range, proposals) =
                        complete::at(house, &place.name, &place.text, place.offset);
                    Some(complete::as_json(
                        &Lines::of(&place.text),
                        &range,
                        &proposals,
                    ))
                }))
            }
            "textDocument/hover" => {
                let params: HoverParams = params_of(params)?;
                let place = self.place(&params.text_document_position_params);
                Ok(self.about(place, |house, place, values| {
                    let (bytes, said) =
                        hover::at(house, &place.name, &place.text, place.offset, values)?;
                    Some(json!({
                        "contents": { "kind": "markdown", "value": ShownLines(&said).to_string() },
                        "range": Lines::of(&place.text).range(&bytes),
                    }))
                }))
            }
            "textDocument/definition" => {
                let params: GotoDefinitionParams = params_of(params)?;
                let place = self.place(&params.text_document_position_params);
                Ok(self.about(place, |house, place, _| {
                    let all = symbols(house, &place);
                    let places = all.iter().filter_map(|symbol| declaration(house, symbol));
                    let mut places: Vec<Json> = places.map(|span| location(house, span)).collect();
                    places.dedup();
                    Some(Json::Array(places))
                }))
            }
            "textDocument/references" => {
                let params: ReferenceParams = params_of(params)?;
                let with_declaration = params.context.include_declaration;
                let place = self.place(&params.text_document_position);
                Ok(self.about(place, |house, place, _| {
                    let all = symbols(house, &place);
                    let index = &house.analysis.index;
                    let mentions = index.mentions().iter();
                    let mentions = mentions.filter(|mention| {
                        all.contains(&mention.symbol) && (with_declaration || !mention.declares)
                    });
                    let mut places: Vec<Json> =
                        mentions.map(|found| location(house, &found.span)).collect();
                    places.dedup();
                    Some(Json::Array(places))
                }))
            }
            "textDocument/prepareRename" => {
                let params: TextDocumentPositionParams = params_of(params)?;
                let place = self.place(&params);
                Ok(self.about(place, |house, place, _| {
                    let mention = renamed(house, &place)?;
                    let bytes = without_quotes(&place.text, &mention.span);
                    Some(json!({
                        "range": Lines::of(&place.text).range(&bytes),
                        "placeholder": &**mention.symbol.word(),
                    }))
                }))
            }
            "textDocument/rename" => {
                let params: RenameParams = params_of(params)?;
                let place = self.place(&params.text_document_position);
                self.rename(place, &params.new_name)
            }
            _ => Err((Fault::MethodNotFound, format!("{method} is not known here"))),
        }
    }

    /// The place; `None`: the file is not open, or belongs to no house.
    fn place(&mut self, at: &TextDocumentPositionParams) -> Option<Place> {
        let path = uri::to_path(at.text_document.uri.as_str())?;
        let text = self.houses.text(&path)?.to_owned();
        let offset = position::offset(&text, at.position);
        let name = self.houses.house_of(&path)?.name(&path)?;
        Some(Place {
            path,
            name,
            text,
            offset,
        })
    }

    /// Answers a question about a place; where nothing is known the answer is `null`.
    fn about(
        &mut self,
        place: Option<Place>,
        answer: impl FnOnce(&House, Place, &mut dyn crate::Values) -> Option<Json>,
    ) -> Json {
        let Some(place) = place else {
            return Json::Null;
        };
        let Some(house) = self.houses.house_of(&place.path) else {
            return Json::Null;
        };
        answer(house, place, self.values.as_mut()).unwrap_or(Json::Null)
    }

    fn rename(&mut self, place: Option<Place>, to: &str) -> Result<Json, Refused> {
        let failed = |why: String| (Fault::RequestFailed, why);
        let nothing = || failed("nothing that has a name of its own stands there".to_owned());
        let place = place.ok_or_else(nothing)?;
        let house = self.houses.house_of(&place.path).ok_or_else(nothing)?;
        let symbol = renamed(house, &place).ok_or_else(nothing)?.symbol.clone();
        let blocklist = house.blocklist_text().map(str::to_owned);
        let files = edit::House::from_analysis(house.analysis.clone(), blocklist);
        let to = to.to_owned();
        let change = files
            .edit(&Edit::Rename { symbol, to })
            .map_err(|refusal| failed(refusal.to_string()))?;
        let mut changes: BTreeMap<String, Vec<Json>> = BTreeMap::new();
        let lines = change.lines();
        for of_file in lines.chunk_by(|a, b| a.file == b.file) {
            let file = of_file[0].file.as_str();
            let uri = uri::of_path(&house.folder.join(file));
            let is_line_by_line = of_file
                .iter()
                .all(|line| line.old.is_some() && line.new.is_some());
            let edits = match is_line_by_line {
                true => of_file.iter().map(new_line).collect(),
                // Lines come or go: the whole text says it.
                false => vec![new_text(house, &change, file)],
            };
            changes.insert(uri, edits);
        }
        Ok(json!({ "changes": changes }))
    }
}

/// A line that another one takes the place of.
fn new_line(line: &edit::Line) -> Json {
    let number = line.number.saturating_sub(1);
    let old = line.old.as_deref().unwrap_or_default();
    json!({
        "range": {
            "start": { "line": number, "character": 0 },
            "end": { "line": number, "character": old.encode_utf16().count() },
        },
        "newText": line.new.as_deref().unwrap_or_default(),
    })
}

/// All of a file, and what it is after `change`.
fn new_text(house: &House, change: &edit::Change, file: &str) -> Json {
    let mut sources = house.analysis.loaded.sources.iter();
    let old = sources.find(|(_, source)| *source.name == *file);
    let old = old.map_or("", |(_, source)| source.text.as_str());
    json!({
        "range": Lines::of(old).range(&(0..old.len())),
        "newText": change.text(file).unwrap_or_default(),
    })
}

/// Everything that the word at a place stands for.
fn symbols(house: &House, place: &Place) -> Vec<Symbol> {
    let Some(file) = house.file(&place.path) else {
        return Vec::new();
    };
    let mentions = house.analysis.index.at(file, place.offset);
    mentions.map(|mention| mention.symbol.clone()).collect()
}

/// What can be renamed at a place.
fn renamed<'h>(house: &'h House, place: &Place) -> Option<&'h Mention> {
    let file = house.file(&place.path)?;
    let index = &house.analysis.index;
    let mut mentions = index.at(file, place.offset);
    mentions.find(|mention| {
        let parts = matches!(
            mention.symbol,
            Symbol::Event(..) | Symbol::Command(..) | Symbol::Field(..) | Symbol::EventField(..)
        );
        !parts && index.declaration(&mention.symbol).is_some()
    })
}

fn without_quotes(text: &str, span: &Span) -> std::ops::Range<usize> {
    let bytes = span.bytes.clone();
    match text.get(bytes.clone()) {
        Some(word) if word.starts_with(['"', '\'']) => {
            bytes.start + 1..bytes.end.max(bytes.start + 2) - 1
        }
        _ => bytes,
    }
}

/// Where a symbol is declared; what belongs to a channel stands with the channel, or with its own kind.
fn declaration<'h>(house: &'h House, symbol: &Symbol) -> Option<&'h Span> {
    let index = &house.analysis.index;
    let channel = |device: &std::sync::Arc<str>, channel: &std::sync::Arc<str>| {
        let program = &house.analysis.draft;
        let kind = program
            .channel_by_path(&format!("{device}.{channel}"))
            .map(|channel| Symbol::Kind(program[channel].kind.clone()));
        let own_kind = kind.and_then(|kind| index.declaration(&kind));
        own_kind.or_else(|| index.declaration(&Symbol::Channel(device.clone(), channel.clone())))
    };
    match symbol {
        Symbol::Event(device, name, _)
        | Symbol::Command(device, name, _)
        | Symbol::Field(device, name, _) => channel(device, name),
        Symbol::EventField(event, _) => {
            let mut parts = event.split('.').map(std::sync::Arc::from);
            let (device, second, third) = (parts.next()?, parts.next()?, parts.next());
            match third {
                Some(_) => channel(&device, &second),
                None => index.declaration(&Symbol::Device(device)),
            }
        }
        other => index.declaration(other),
    }
}

fn location(house: &House, span: &Span) -> Json {
    let file = house.analysis.loaded.sources.file(span.file);
    json!({
        "uri": uri::of_path(&house.folder.join(&*file.name)),
        "range": Lines::of(&file.text).range(&span.bytes),
    })
}
