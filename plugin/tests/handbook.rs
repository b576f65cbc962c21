//! The handbook on the web, `docs/handbook`, is made from the pages that `explain` shows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use kubectl_pod::knowledge::handbook::{PAGES, Page, find};
use kubectl_pod::knowledge::language::Language;
use unicode_width::UnicodeWidthChar;

/// Characters of pictures; other code blocks hold commands and manifests.
const DRAWING: [char; 4] = ['─', '│', '▶', '█'];

/// The words around a page.
struct Words {
    folder: &'static str,
    title: &'static str,
    intro: &'static str,
    see: &'static str,
    source: &'static str,
    since: &'static str,
    picture: &'static str,
    other: &'static str,
}

const LANGUAGES: [(Language, Words); 2] = [
    (
        Language::English,
        Words {
            folder: "en",
            title: "Handbook of pods",
            intro: "The pages that `kubectl pod explain TOPIC` shows, without a network.",
            see: "See also",
            source: "Source",
            since: "since",
            picture: "Picture",
            other: "[한국어](../ko/README.md)",
        },
    ),
    (
        Language::Korean,
        Words {
            folder: "ko",
            title: "파드 핸드북",
            intro: "`kubectl pod explain 주제`가 네트워크 없이 보여 주는 페이지다.",
            see: "함께 보기",
            source: "출처",
            since: "도입 버전",
            picture: "그림",
            other: "[English](../en/README.md)",
        },
    ),
];

/// `UPDATE_PAGES=1 cargo test -p kubectl-pod --test handbook` writes the files.
#[test]
fn handbook_on_the_web_matches_the_pages() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/handbook");
    let mut wanted = BTreeMap::new();
    for (language, words) in &LANGUAGES {
        index(*language, words, &mut wanted);
        for page in PAGES {
            web_page(page, *language, words, &mut wanted);
        }
    }
    if std::env::var_os("UPDATE_PAGES").is_some() {
        let _ = std::fs::remove_dir_all(&folder);
        for (name, text) in &wanted {
            let file = folder.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        return;
    }
    let advice = "run: UPDATE_PAGES=1 cargo test -p kubectl-pod --test handbook";
    for (name, text) in &wanted {
        let file = folder.join(name);
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(found == *text, "{} is out of date; {advice}", file.display());
    }
    for language in ["en", "ko"] {
        for file in std::fs::read_dir(folder.join(language)).unwrap().flatten() {
            let name = Path::new(language).join(file.file_name());
            assert!(wanted.contains_key(&name), "{} has no page; {advice}", name.display());
        }
    }
}

fn index(language: Language, words: &Words, files: &mut BTreeMap<PathBuf, String>) {
    let mut text = format!("# {}\n\n{}\n\n{}\n", words.title, words.intro, words.other);
    let mut kind = "";
    for page in PAGES {
        if page.kind != kind {
            kind = page.kind;
            let _ = write!(text, "\n## {kind}\n\n");
        }
        let _ = writeln!(text, "- [{}]({}.md)", page.text(language).title, page.file);
    }
    files.insert(Path::new(words.folder).join("README.md"), text);
}

fn web_page(page: &Page, language: Language, words: &Words, files: &mut BTreeMap<PathBuf, String>) {
    let own = page.text(language);
    let mut text = format!("# {}\n\n*{}", own.title, page.kind);
    if !page.since.is_empty() {
        let _ = write!(text, " · {} {}", words.since, page.since);
    }
    text.push_str("*\n\n");
    let mut picture: Option<Vec<&str>> = None;
    let mut number = 0;
    for line in own.body().lines() {
        match picture.as_mut() {
            None if line.starts_with("```") => picture = Some(Vec::new()),
            None => {
                let _ = writeln!(text, "{line}");
            }
            Some(lines) if line.starts_with("```") => {
                if lines.iter().any(|line| line.contains(DRAWING)) {
                    number += 1;
                    let name = format!("{}-{number}.svg", page.file);
                    let _ = writeln!(text, "![{}: {}]({name})", words.picture, own.title);
                    files.insert(Path::new(words.folder).join(&name), svg(lines));
                } else {
                    let _ = writeln!(text, "```text\n{}\n```", lines.join("\n"));
                }
                picture = None;
            }
            Some(lines) => lines.push(line),
        }
    }
    if !page.see.is_empty() {
        let links = page.see.iter().filter_map(|name| {
            let other = find(name)?;
            Some(format!("[{}]({}.md)", other.text(language).title, other.file))
        });
        let _ = write!(text, "\n{}: {}\n", words.see, links.collect::<Vec<_>>().join(", "));
    }
    if !page.source.is_empty() {
        let _ = write!(text, "\n{}: {}\n", words.source, page.source);
    }
    files.insert(Path::new(words.folder).join(format!("{}.md", page.file)), text);
}

/// A picture of characters as SVG; every character has its own place, since fonts differ in the width of lines and Hangul.
fn svg(lines: &[&str]) -> String {
    const COLUMN: usize = 9;
    const ROW: usize = 20;
    let width = |line: &str| line.chars().filter_map(UnicodeWidthChar::width).sum::<usize>();
    let columns = lines.iter().map(|line| width(line)).max().unwrap_or(0) + 2;
    let (wide, high) = (columns * COLUMN, (lines.len() + 1) * ROW);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" width=\"{wide}\" height=\"{high}\" \
         font-family=\"ui-monospace, Menlo, Consolas, 'Noto Sans Mono CJK KR', monospace\" font-size=\"15\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#f6f8fa\"/>\n<g fill=\"#1f2328\">\n"
    );
    for (row, line) in lines.iter().enumerate() {
        let (mut places, mut shown, mut column) = (String::new(), String::new(), 1);
        for letter in line.chars() {
            if letter != ' ' {
                let _ = write!(places, "{} ", column * COLUMN);
                match letter {
                    '<' => shown.push_str("&lt;"),
                    '>' => shown.push_str("&gt;"),
                    '&' => shown.push_str("&amp;"),
                    letter => shown.push(letter),
                }
            }
            column += letter.width().unwrap_or(0);
        }
        if !shown.is_empty() {
            let _ = writeln!(
                text,
                "<text x=\"{}\" y=\"{}\">{shown}</text>",
                places.trim_end(),
                (row + 1) * ROW
            );
        }
    }
    text.push_str("</g>\n</svg>\n");
    text
}
