//! What a house remembers: the journal of inputs and the database, in one state folder.
pub mod disk;
pub mod journal;
