//! The server: one message in, answers out. No threads, no clock, no sockets.

mod requests;

use std::{collections::BTreeSet, path::PathBuf};

use lsp_server::{Message, Notification, Request, RequestId, Response};
use lsp_types::{
    DidChangeTextDocumentParams, DidChangeWatchedFilesParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, DidSaveTextDocumentParams,
};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use types::ShownLines;

use crate::{Values, diagnostics, houses::Houses, uri};

/// Errors of JSON-RPC and of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    InvalidRequest = -32600,
    MethodNotFound = -32601,
    InvalidParams = -32602,
    NotInitialized = -32002,
    RequestFailed = -32803,
}

/// An answer that is none, and why.
type Refused = (Fault, String);

/// How far the conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Greeting,
    Running,
    ShutDown,
    Over { after_shutdown: bool },
}

/// A language server.
///
/// [`Server::handle`] takes a message; [`Server::idle`] is called when none waits, and says what is wrong with
/// the houses that changed. Both give messages for the editor.
pub struct Server {
    stage: Stage,
    houses: Houses,
    values: Box<dyn Values>,
    /// Whether diagnostics may have changed.
    stale: bool,
    /// Whether the editor can be asked to tell of files that change on the disk.
    can_watch: bool,
    /// Files that were told to be wrong.
    told: BTreeSet<PathBuf>,
}

impl Server {
    /// A server; `values` knows what a running house says.
    #[must_use]
    pub fn new(values: Box<dyn Values>) -> Self {
        Self {
            stage: Stage::Greeting,
            houses: Houses::default(),
            values,
            stale: false,
            can_watch: false,
            told: BTreeSet::new(),
        }
    }

    /// Whether the editor said `exit`.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over { .. })
    }

    /// Whether the editor said `shutdown`.
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        matches!(
            self.stage,
            Stage::ShutDown
                | Stage::Over {
                    after_shutdown: true
                }
        )
    }

    /// Takes a message.
    #[must_use]
    pub fn handle(&mut self, message: Message) -> Vec<Json> {
        match message {
            Message::Request(request) => {
                let id = request.id.clone();
                let answer = match self.request(request) {
                    Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
                    Err((fault, message)) => error(&id, fault, &message),
                };
                vec![answer]
            }
            Message::Notification(notification) => {
                let greeted = notification.method == "initialized";
                self.notification(notification);
                let asks = greeted && std::mem::take(&mut self.can_watch);
                asks.then(watch_files).into_iter().collect()
            }
            // It is asked for one thing, and a refusal changes nothing.
            Message::Response(Response { .. }) => Vec::new(),
        }
    }

    /// Says what is wrong with houses that changed.
    #[must_use]
    pub fn idle(&mut self) -> Vec<Json> {
        if !std::mem::take(&mut self.stale) || self.stage != Stage::Running {
            return Vec::new();
        }
        let mut out = Vec::new();
        let mut told = BTreeSet::new();
        for folder in self.houses.folders() {
            for (path, found) in diagnostics::of(self.houses.house(&folder)) {
                if found.is_empty() && !self.told.contains(&path) {
                    continue;
                }
                if !found.is_empty() {
                    told.insert(path.clone());
                }
                self.told.remove(&path);
                out.push(publish(&path, found));
            }
        }
        // Files that no house reads any more.
        for path in std::mem::replace(&mut self.told, told) {
            out.push(publish(&path, Vec::new()));
        }
        out
    }

    fn request(&mut self, request: Request) -> Result<Json, Refused> {
        let Request { method, params, .. } = request;
        match (self.stage, method.as_str()) {
            (Stage::Greeting, "initialize") => {
                self.stage = Stage::Running;
                let can = params
                    .pointer("/capabilities/workspace/didChangeWatchedFiles/dynamicRegistration");
                self.can_watch = can == Some(&Json::Bool(true));
                Ok(capabilities())
            }
            (Stage::Greeting, _) => Err((Fault::NotInitialized, "say initialize first".to_owned())),
            (Stage::Running, "initialize") => Err((
                Fault::InvalidRequest,
                "it is initialized already".to_owned(),
            )),
            (Stage::Running, "shutdown") => {
                self.stage = Stage::ShutDown;
                Ok(Json::Null)
            }
            (Stage::Running, method) => self.ask(method, params),
            (Stage::ShutDown | Stage::Over { .. }, _) => {
                Err((Fault::InvalidRequest, "it is shut down".to_owned()))
            }
        }
    }

    fn notification(&mut self, notification: Notification) {
        let Notification { method, params } = notification;
        if method == "exit" {
            let after_shutdown = self.is_shut_down();
            self.stage = Stage::Over { after_shutdown };
        }
        if self.stage != Stage::Running {
            return;
        }
        // Whoever sends nonsense is not answered: notifications have no answers.
        let _ = self.note(&method, params);
    }

    fn note(&mut self, method: &str, params: Json) -> Option<()> {
        match method {
            "textDocument/didOpen" => {
                let params: DidOpenTextDocumentParams = params_of(params).ok()?;
                let document = params.text_document;
                let path = uri::to_path(document.uri.as_str())?;
                self.houses.put(path, document.text);
            }
            "textDocument/didChange" => {
                let params: DidChangeTextDocumentParams = params_of(params).ok()?;
                let path = uri::to_path(params.text_document.uri.as_str())?;
                // Only whole texts were asked for; the last one counts.
                let last = params.content_changes.into_iter().rev();
                let whole = { last }.find(|change| change.range.is_none())?;
                self.houses.text(&path)?;
                self.houses.put(path, whole.text);
            }
            "textDocument/didClose" => {
                let params: DidCloseTextDocumentParams = params_of(params).ok()?;
                self.houses
                    .close(&uri::to_path(params.text_document.uri.as_str())?);
            }
            "textDocument/didSave" => {
                let params: DidSaveTextDocumentParams = params_of(params).ok()?;
                self.houses
                    .changed(&uri::to_path(params.text_document.uri.as_str())?);
            }
            "workspace/didChangeWatchedFiles" => {
                let params: DidChangeWatchedFilesParams = params_of(params).ok()?;
                for change in params.changes {
                    if let Some(path) = uri::to_path(change.uri.as_str()) {
                        self.houses.changed(&path);
                    }
                }
            }
            _ => return None,
        }
        self.stale = true;
        Some(())
    }
}

fn params_of<T: DeserializeOwned>(params: Json) -> Result<T, Refused> {
    serde_json::from_value(params).map_err(|error| (Fault::InvalidParams, error.to_string()))
}

fn error(id: &RequestId, fault: Fault, message: &str) -> Json {
    let message = ShownLines(message).to_string();
    let error = json!({ "code": fault as i32, "message": message });
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
}

fn publish(path: &std::path::Path, diagnostics: Vec<Json>) -> Json {
    let mut params = json!({ "uri": uri::of_path(path) });
    params["diagnostics"] = Json::Array(diagnostics);
    json!({ "jsonrpc": "2.0", "method": "textDocument/publishDiagnostics", "params": params })
}

/// Asks to be told of files that change on the disk: an edit on the command line, a checkout.
fn watch_files() -> Json {
    let options = json!({ "watchers": [{ "globPattern": "**/*.toml" }] });
    let registration = json!({
        "id": "files",
        "method": "workspace/didChangeWatchedFiles",
        "registerOptions": options,
    });
    json!({
        "jsonrpc": "2.0",
        "id": "watch",
        "method": "client/registerCapability",
        "params": { "registrations": [registration] },
    })
}

fn capabilities() -> Json {
    json!({
        "capabilities": {
            "positionEncoding": "utf-16",
            "textDocumentSync": { "openClose": true, "change": 1, "save": true },
            "completionProvider": { "triggerCharacters": [".", "\"", "'", "{", "[", "="] },
            "hoverProvider": true,
            "definitionProvider": true,
            "referencesProvider": true,
            "renameProvider": { "prepareProvider": true },
        },
        "serverInfo": { "name": "iot-control", "version": env!("CARGO_PKG_VERSION") },
    })
}
