//! The handbook: pages on concepts, phases, conditions, reasons, events, exit codes and scheduler messages.
//!
//! The pages are Markdown files below `plugin/handbook`, one folder per language; `build.rs` collects them.

use super::language::Language;
use crate::cli::usage::nearest;

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// A page of the handbook.
#[derive(Debug)]
pub struct Page {
    /// The name of its file, without the extension.
    pub file: &'static str,
    /// What it is about: `concept`, `phase`, `condition`, `reason`, `event`, `exit code`, `status` or `scheduler message`.
    pub kind: &'static str,
    /// The release of Kubernetes that brought it; empty where it was there from the beginning.
    pub since: &'static str,
    /// The official page, the enhancement proposal or the file of the kubelet that it rests on.
    pub source: &'static str,
    /// The names of related pages.
    pub see: &'static [&'static str],
    /// The manifest that shows it.
    pub example: Option<Example>,
    english: Text,
    korean: Text,
}

/// A manifest that shows what a page is about.
#[derive(Debug)]
pub struct Example {
    /// Its name in the folder `examples`.
    pub file: &'static str,
    /// Its text.
    pub manifest: &'static str,
}

/// A page in one language.
#[derive(Debug)]
pub struct Text {
    /// The heading.
    pub title: &'static str,
    /// The names by which people of this language ask for it.
    pub names: &'static [&'static str],
    file: &'static str,
}

impl Text {
    /// The Markdown below the front matter.
    pub fn body(&self) -> &'static str {
        self.file
            .split_once("\n---\n")
            .map_or(self.file, |(_, body)| body.trim())
    }

    /// The first paragraph, as one line.
    pub fn summary(&self) -> String {
        one_line(self.body().split("\n\n").next().unwrap_or_default())
    }

    /// The text below a heading, as one line; the items of a list are separated by semicolons.
    pub fn section(&self, heading: Heading, language: Language) -> Option<String> {
        let heading = format!("\n## {}\n", heading.text(language));
        let (_, rest) = self.body().split_once(heading.as_str())?;
        let section = rest.split_once("\n## ").map_or(rest, |(section, _)| section);
        let items: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("- ")).collect();
        Some(if items.is_empty() {
            one_line(section)
        } else {
            items.join("; ")
        })
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A section that many pages have, and that programs ask for.
#[derive(Clone, Copy, Debug)]
pub enum Heading {
    /// What usually causes it.
    Causes,
    /// Where to look for the cause.
    Look,
    /// How to fix it.
    Fix,
}

impl Heading {
    /// The heading as the pages of a language have it.
    fn text(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Causes, Language::English) => "Common causes",
            (Self::Causes, Language::Korean) => "흔한 원인",
            (Self::Look, Language::English) => "Where to look",
            (Self::Look, Language::Korean) => "확인할 곳",
            (Self::Fix, Language::English) => "Fix",
            (Self::Fix, Language::Korean) => "해결 방법",
        }
    }
}

impl Page {
    /// The page in a language.
    pub fn text(&self, language: Language) -> &Text {
        match language {
            Language::English => &self.english,
            Language::Korean => &self.korean,
        }
    }

    /// The name that Kubernetes gives it: the first of its English names.
    pub fn name(&self) -> &'static str {
        self.english.names.first().copied().unwrap_or(self.file)
    }

    /// All names in all languages.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let files = std::iter::once(self.file);
        files.chain(self.english.names.iter().chain(self.korean.names).copied())
    }

    /// The other English names.
    pub fn aliases(&self) -> &'static [&'static str] {
        self.english.names.get(1..).unwrap_or_default()
    }
}

/// Finds a page by one of its names. Case, blanks, hyphens and underscores make no difference.
pub fn find(name: &str) -> Option<&'static Page> {
    let name = fold(name);
    PAGES.iter().find(|page| page.names().any(|own| fold(own) == name))
}

/// The language of the name by which a page was asked for: Korean where only its Korean names have it.
pub fn language_of(page: &Page, name: &str) -> Language {
    let name = fold(name);
    let is_korean = page.korean.names.iter().any(|own| fold(own) == name);
    let is_english = fold(page.file) == name || page.english.names.iter().any(|own| fold(own) == name);
    if is_korean && !is_english {
        Language::Korean
    } else {
        Language::English
    }
}

/// The known name that is nearest to one that no page has.
pub fn suggest(name: &str) -> Option<&'static str> {
    nearest(name, PAGES.iter().flat_map(Page::names))
}

/// The pages that have a name which contains a word of at least three letters.
pub fn containing(word: &str) -> Vec<&'static Page> {
    let word = fold(word);
    if word.chars().count() < 3 && word.is_ascii() {
        return Vec::new();
    }
    let contains = |page: &&Page| page.names().any(|own| fold(own).contains(&word));
    PAGES.iter().filter(contains).collect()
}

/// A page that a search found, and the line that shows it best.
pub struct Hit {
    /// The page.
    pub page: &'static Page,
    /// The line of the page that has most of the words.
    pub line: String,
}

/// The pages that have all the words, best first: in a name, then in a heading, then by how often.
pub fn search(words: &str, language: Language) -> Vec<Hit> {
    let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    let mut found: Vec<(usize, Hit)> = PAGES.iter().filter_map(|page| score(page, &words, language)).collect();
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.into_iter().map(|(_, hit)| hit).collect()
}

fn score(page: &'static Page, words: &[String], language: Language) -> Option<(usize, Hit)> {
    let text = page.text(language);
    let names = page
        .names()
        .chain([text.title])
        .collect::<Vec<_>>()
        .join("\n")
        .to_lowercase();
    let body = text.body().to_lowercase();
    let mut score = 0;
    for word in words {
        let in_names = names.matches(word.as_str()).count();
        let in_body = body.matches(word.as_str()).count();
        if in_names + in_body == 0 {
            return None;
        }
        let headings = body
            .lines()
            .filter(|line| line.starts_with('#') && line.contains(word.as_str()));
        score += 20 * in_names.min(1) + 5 * headings.count() + in_body.min(9);
    }
    let hits = |line: &&str| {
        let line = line.to_lowercase();
        words.iter().filter(|word| line.contains(word.as_str())).count()
    };
    let lines = text.body().lines().filter(|line| !line.trim().is_empty());
    // The first of the best: `max_by_key` would take the last one.
    let line = lines.rev().max_by_key(hits).unwrap_or_default();
    let line = line.trim_start_matches(['#', '-', ' ']).to_owned();
    Some((score, Hit { page, line }))
}

/// A name without what makes no difference.
fn fold(name: &str) -> String {
    let kept = name.chars().filter(|letter| !matches!(letter, '-' | '_' | ' '));
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANGUAGES: [Language; 2] = [Language::English, Language::Korean];

    #[test]
    fn every_page_has_a_text_in_both_languages() {
        assert!(PAGES.len() > 100);
        for page in PAGES {
            for language in LANGUAGES {
                assert!(!page.text(language).summary().is_empty(), "{}", page.file);
            }
            let korean = page.text(Language::Korean).body();
            assert!(
                korean.chars().any(|letter| ('가'..='힣').contains(&letter)),
                "{}",
                page.file
            );
        }
    }

    #[test]
    fn spelling_of_a_name_makes_no_difference() {
        for name in [
            "init-containers",
            "Init containers",
            "initContainers",
            "INIT_CONTAINERS",
            "초기화 컨테이너",
        ] {
            assert_eq!(find(name).map(|page| page.file), Some("init-containers"), "{name}");
        }
        for name in [
            "파드",
            "템플릿",
            "레이블",
            "생명 주기",
            "프로브",
            "핸들러",
            "진단 결과",
            "파드 인프라 컨테이너",
            "스태틱 파드",
        ] {
            let page = find(name).unwrap_or_else(|| panic!("{name} is not found"));
            assert_eq!(language_of(page, name), Language::Korean, "{name}");
        }
        assert_eq!(suggest("CrashLoopBackof"), Some("CrashLoopBackOff"));
    }

    #[test]
    fn a_name_belongs_to_one_page() {
        let mut seen = std::collections::BTreeMap::new();
        for page in PAGES {
            let names: std::collections::BTreeSet<String> = page.names().map(fold).collect();
            for name in names {
                let other = seen.insert(name.clone(), page.file);
                assert_eq!(other, None, "{name} of {}", page.file);
            }
        }
    }

    #[test]
    fn related_pages_exist() {
        for page in PAGES {
            for name in page.see {
                assert!(find(name).is_some(), "{}: there is no page {name}", page.file);
            }
        }
    }

    #[test]
    fn every_reason_condition_event_and_exit_code_has_a_page() {
        let names = include_str!("names.txt");
        for name in names.lines().filter(|line| !line.is_empty()) {
            assert!(find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn trouble_has_causes_a_place_to_look_and_a_fix() {
        for page in PAGES {
            let is_trouble = matches!(page.kind, "reason" | "scheduler message" | "condition")
                || page.name().parse::<u8>().is_ok_and(|code| code > 0);
            // A pod that has completed is no trouble by that alone.
            if !is_trouble || page.file == "pod-completed" {
                continue;
            }
            for language in LANGUAGES {
                for heading in [Heading::Causes, Heading::Look, Heading::Fix] {
                    let section = page.text(language).section(heading, language);
                    assert!(section.is_some(), "{}: {heading:?} {language:?}", page.file);
                }
            }
        }
    }

    #[test]
    fn search_finds_all_words_names_first() {
        let found = search("back-off", Language::English);
        assert_eq!(found.first().map(|hit| hit.page.file), Some("back-off"));
        assert!(found.iter().all(|hit| !hit.line.is_empty()));
        assert!(search("back-off nonsenseword", Language::English).is_empty());
    }
}
