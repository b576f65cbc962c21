//! `-o`: the forms an answer can have.

use clap::ValueEnum;

/// The form of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For people, with more in it.
    Wide,
    /// For programs.
    Json,
    /// For programs and people.
    Yaml,
    /// `pod/NAME`, one a line.
    Name,
}
