//! One file's text while it is being changed: read once, however many of its values an edit writes.
//!
//! Changes are gathered and put into the text together. One that hangs on what another one did, because both are about the
//! same place, waits until that stands in the text.

use mapping::outline::{Outline, Step};

use crate::{
    place,
    splice::{Overlap, Splices},
};

/// A text, what it is made of, and what is to change.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    outline: Outline,
    splices: Splices,
    /// How often it was read.
    reads: usize,
}

/// What an operation of [`crate::place`] makes of a text.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) splices: Splices,
    /// It makes a table, which what comes next may belong into.
    pub(crate) is_new_table: bool,
}

impl From<Splices> for Planned {
    fn from(splices: Splices) -> Self {
        Self {
            splices,
            is_new_table: false,
        }
    }
}

impl Page {
    pub(crate) fn new(text: String) -> Self {
        Self {
            outline: Outline::read(&text),
            text,
            splices: Splices::default(),
            reads: 1,
        }
    }

    /// Whether something is written at `path` or below it.
    pub(crate) fn holds(&self, path: &[Step]) -> bool {
        place::holds(&self.outline, path)
    }

    /// Does what `plan` says, where it says anything. It is asked again where the text has changed meanwhile.
    ///
    /// # Errors
    /// It can't be put together with what stands there.
    pub(crate) fn change(
        &mut self,
        plan: impl Fn(&str, &Outline) -> Option<Planned>,
    ) -> Result<bool, Overlap> {
        let Some(mut planned) = plan(&self.text, &self.outline) else {
            return Ok(false);
        };
        if self.splices.meet(&planned.splices, &self.text) {
            self.write()?;
            match plan(&self.text, &self.outline) {
                Some(again) => planned = again,
                None => return Ok(false),
            }
        }
        self.splices.extend(planned.splices);
        if planned.is_new_table {
            self.write()?;
        }
        Ok(true)
    }

    /// Puts the changes so far into the text.
    pub(crate) fn write(&mut self) -> Result<(), Overlap> {
        if !self.splices.is_empty() {
            self.text = self.splices.apply(&self.text)?;
            self.outline = Outline::read(&self.text);
            self.splices = Splices::default();
            self.reads += 1;
        }
        Ok(())
    }

    /// The text with all changes, and how often it was read on the way.
    pub(crate) fn into_text(self) -> Result<(String, usize), Overlap> {
        Ok((self.splices.apply(&self.text)?, self.reads))
    }
}
