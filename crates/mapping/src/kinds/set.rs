//! All kinds of one house: the built-in ones and its own, which nothing tells apart any more.
//!
//! Filled by the reader of `[kind.K]`, asked by everything that reads or shows a channel.

use std::sync::Arc;

use super::{ALL, Kind};

/// The kinds of a house.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    own: Vec<Arc<Kind>>,
}

impl Kinds {
    /// The kind called `name`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<Kind>> {
        self.all().find(|kind| *kind.name == *name)
    }

    /// The built-in kinds, then the house's own in file order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Kind>> + Clone {
        ALL.iter().chain(&self.own)
    }

    /// Those of `[kind.K]`, in file order.
    #[must_use]
    pub fn own(&self) -> &[Arc<Kind>] {
        &self.own
    }

    /// Names, in the order of [`Self::all`].
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.all().map(|kind| &*kind.name)
    }

    pub(crate) fn add(&mut self, kind: Kind) {
        self.own.push(Arc::new(kind));
    }
}
