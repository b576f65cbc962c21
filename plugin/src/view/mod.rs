//! What the user sees: text, its cleaning, and the one printer that all output goes through.

pub mod clean;
pub mod printer;
pub mod text;
