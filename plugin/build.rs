//! Collects the pages of the handbook into the program: `handbook/contents` lists them in reading order, and each is a
//! Markdown file with front matter in every language.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The keys that the front matter of a page may have, in the order of the fields of `Page`.
const KEYS: [&str; 5] = ["kind", "since", "source", "see", "example"];

fn main() {
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let handbook = package.join("handbook");
    println!("cargo::rerun-if-changed={}", handbook.display());
    let contents = read(&handbook.join("contents"));
    let names: Vec<&str> = contents
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let mut generated = String::from("/// Every page, in reading order.\npub static PAGES: &[Page] = &[\n");
    for name in &names {
        page(&mut generated, &package, name);
    }
    generated.push_str("];\n");
    for language in ["en", "ko"] {
        let folder = handbook.join(language);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| fail(&folder, &error.to_string()));
        for file in files.flatten() {
            let stem = file.path().file_stem().map(|stem| stem.to_string_lossy().into_owned());
            if !stem.is_some_and(|stem| names.contains(&stem.as_str())) {
                fail(&file.path(), "the page is not listed in handbook/contents");
            }
        }
    }
    let out = Path::new(&variable("OUT_DIR")).join("pages.rs");
    fs::write(&out, generated).unwrap_or_else(|error| fail(&out, &error.to_string()));
}

/// Adds one page in both languages.
fn page(generated: &mut String, package: &Path, name: &str) {
    let english = package.join(format!("handbook/en/{name}.md"));
    let keys = front_matter(&english);
    let value = |key: &str| keys.iter().find(|(own, _)| own == key).map(|(_, value)| value.as_str());
    let [kind, since, source, see, example] = KEYS.map(|key| value(key).unwrap_or_default());
    if kind.is_empty() {
        fail(&english, "the front matter lacks kind");
    }
    let example = if example.is_empty() {
        "None".to_owned()
    } else {
        let file = package.join("../examples").join(example);
        read(&file);
        println!("cargo::rerun-if-changed={}", file.display());
        format!("Some(Example {{ file: {example:?}, manifest: include_str!({file:?}) }})")
    };
    let (english, korean) = (text(&english), text(&package.join(format!("handbook/ko/{name}.md"))));
    let _ = writeln!(
        generated,
        "Page {{ file: {name:?}, kind: {kind:?}, since: {since:?}, source: {source:?}, see: &{:?}, example: {example}, \
         english: {english}, korean: {korean} }},",
        list(see)
    );
}

/// The part of a page that each language has.
fn text(file: &Path) -> String {
    let keys = front_matter(file);
    let value = |key: &str| keys.iter().find(|(own, _)| own == key).map(|(_, value)| value.as_str());
    let Some(title) = value("title") else {
        fail(file, "the front matter lacks title");
    };
    let names = list(value("names").unwrap_or_default());
    format!("Text {{ title: {title:?}, names: &{names:?}, file: include_str!({file:?}) }}")
}

/// The keys and values between the two lines of dashes at the top of a page.
fn front_matter(file: &Path) -> Vec<(String, String)> {
    let text = read(file);
    let Some((front, _)) = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")) else {
        fail(
            file,
            "the page does not begin with front matter between two lines of ---",
        );
    };
    let mut keys = Vec::new();
    for line in front.lines() {
        let Some((key, value)) = line.split_once(": ") else {
            fail(file, &format!("{line:?} is not 'key: value'"));
        };
        if !KEYS.contains(&key) && !["title", "names"].contains(&key) {
            fail(file, &format!("unknown key {key:?} in the front matter"));
        }
        keys.push((key.to_owned(), value.trim().to_owned()));
    }
    keys
}

fn list(text: &str) -> Vec<&str> {
    text.split(", ")
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| fail(file, &error.to_string()))
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|error| fail(Path::new(name), &error.to_string()))
}

/// Ends the build with the file and what is wrong with it.
fn fail(file: &Path, why: &str) -> ! {
    println!("cargo::error={}: {why}", file.display());
    std::process::exit(1)
}
