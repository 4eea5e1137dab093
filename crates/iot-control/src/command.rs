//! The commands besides `run`: each a function from its options to an exit code.

mod acl;
mod ask;
mod backup;
mod check;
mod counters;
mod discover;
mod doctor;
mod edit;
pub(crate) mod house;
mod identity;
mod json;
mod lsp;
mod outcome;
mod past;
mod schema;
mod status;
mod test;
mod tls;
mod unread;
mod user;

pub(crate) use acl::acl;
pub(crate) use ask::{device, press, set};
pub(crate) use backup::{backup, restore};
pub(crate) use check::check;
pub(crate) use doctor::doctor;
pub(crate) use edit::{edit, finish_edit, rename};
pub(crate) use json::{export, import};
pub(crate) use lsp::lsp;
pub(crate) use past::{events, history, replay, state, why, why_not};
pub(crate) use schema::schema;
pub(crate) use status::status;
pub(crate) use test::test;
pub(crate) use tls::tls;
pub(crate) use user::user;
