//! What the user sees: text, its cleaning, and the one printer that all output goes through.

pub mod clean;
pub mod describe;
pub mod explanation;
pub mod findings;
pub mod handbook;
pub mod knowledge;
pub mod lifecycle;
pub mod machine;
pub mod manifest;
pub mod moment;
pub mod printer;
pub mod sheet;
pub mod survey;
pub mod text;
pub mod width;
pub mod wrap;
