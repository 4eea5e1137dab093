//! Who is blocked, by name or number, whether the mapping knows the device or not.
//!
//! A block by number holds through renames; a block by name holds for whoever bears the name. The mapping
//! can't lift one.

use std::collections::BTreeMap;

use mapping::{
    Program,
    program::{Device, DeviceIx},
};
use types::DeviceId;

/// Whom a block is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, minicbor::Encode, minicbor::Decode)]
pub enum Subject {
    /// Whoever bears this name.
    #[n(0)]
    Name(#[n(0)] String),
    /// The device with this number.
    #[n(1)]
    Id(#[n(0)] DeviceId),
}

/// Which of its roles a device loses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Sides {
    /// What it says is acknowledged, journalled and never matched.
    #[n(0)]
    pub producer: bool,
    /// Nothing is sent to it.
    #[n(1)]
    pub consumer: bool,
}

impl Sides {
    /// Neither.
    pub const NONE: Self = Self {
        producer: false,
        consumer: false,
    };
    /// Both: its session ends and does not start again.
    pub const BOTH: Self = Self {
        producer: true,
        consumer: true,
    };
    /// It is not heard.
    pub const PRODUCER: Self = Self {
        producer: true,
        consumer: false,
    };
    /// It is not told anything.
    pub const CONSUMER: Self = Self {
        producer: false,
        consumer: true,
    };

    fn or(self, other: Self) -> Self {
        Self {
            producer: self.producer || other.producer,
            consumer: self.consumer || other.consumer,
        }
    }
}

/// One block.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Block {
    /// Whom.
    #[n(0)]
    pub subject: Subject,
    /// As what.
    #[n(1)]
    pub sides: Sides,
}

/// All blocks. One for each subject: a later one replaces an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocklist {
    blocks: BTreeMap<Subject, Sides>,
}

impl Blocklist {
    /// A list of these blocks.
    pub fn new(blocks: impl IntoIterator<Item = Block>) -> Self {
        let mut list = Self::default();
        for block in blocks {
            list.block(block);
        }
        list
    }

    /// Adds or replaces one.
    pub fn block(&mut self, block: Block) {
        self.blocks.insert(block.subject, block.sides);
    }

    /// Removes one; says whether there was one.
    pub fn unblock(&mut self, subject: &Subject) -> bool {
        self.blocks.remove(subject).is_some()
    }

    /// All blocks in order.
    pub fn iter(&self) -> impl Iterator<Item = Block> {
        self.blocks.iter().map(|(subject, sides)| Block {
            subject: subject.clone(),
            sides: *sides,
        })
    }

    /// What `device` lost.
    #[must_use]
    pub fn sides(&self, device: &Device) -> Sides {
        let by = |subject: &Subject| self.blocks.get(subject).copied().unwrap_or_default();
        let by_name = by(&Subject::Name(device.name.to_string()));
        // 0 is no number: earlier versions blocked by it, which must not be a block of all that have none.
        let by_number = device.number().map(|id| by(&Subject::Id(id)));
        by_name.or(by_number.unwrap_or_default())
    }

    /// [`Self::sides`] for every device of a program.
    pub(crate) fn resolve(&self, program: &Program) -> Vec<Sides> {
        DeviceIx::all(program.devices.len())
            .map(|ix| self.sides(&program[ix]))
            .collect()
    }

    /// What this list blocks, and what `other` does.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let mut either = self.clone();
        for block in other.iter() {
            let sides = either.blocks.entry(block.subject).or_default();
            *sides = sides.or(block.sides);
        }
        either
    }

    /// The inputs that lead from this list to `other`: what an edited file changes.
    #[must_use]
    pub fn changes_to(&self, other: &Self) -> Vec<crate::Input> {
        let lifted = self
            .blocks
            .keys()
            .filter(|subject| !other.blocks.contains_key(subject))
            .map(|subject| crate::Input::Unblock(subject.clone()));
        let new = other
            .iter()
            .filter(|block| self.blocks.get(&block.subject) != Some(&block.sides))
            .map(crate::Input::Block);
        lifted.chain(new).collect()
    }
}
