//! The language server as an editor sees it.

mod completion;
mod conversation;
mod diagnostics;
mod harness;
mod hostile;
mod hovers;
mod navigation;
