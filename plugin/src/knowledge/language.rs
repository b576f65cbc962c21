//! The languages that the catalogue is written in.

use clap::ValueEnum;

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// English.
    #[value(name = "en")]
    English,
    /// Korean.
    #[value(name = "ko")]
    Korean,
}

impl Language {
    /// The language of a locale such as `ko_KR.UTF-8`; English for all that are not known.
    pub fn of_locale(locale: &str) -> Self {
        if locale == "ko" || locale.starts_with("ko_") || locale.starts_with("ko.") {
            Self::Korean
        } else {
            Self::English
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides() {
        assert_eq!(Language::of_locale("ko_KR.UTF-8"), Language::Korean);
        assert_eq!(Language::of_locale("kok_IN"), Language::English);
        assert_eq!(Language::of_locale("C"), Language::English);
    }
}
