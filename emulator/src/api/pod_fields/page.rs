//! The parts of docs/emulator.md that are written from what the emulator is.

use std::fmt::Write as _;

use serde_json::Value;

use super::verdict::{Section, Verdict, sections};
use crate::{
    api::{discovery, newer},
    features,
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/emulator.md");

/// One section as a table; fields of one parent of which the same is said share a row.
fn table(section: &Section) -> String {
    let mut rows: Vec<(Vec<&str>, String)> = Vec::new();
    for (field, verdict) in &section.rows {
        let (parent, own) = parted(field);
        let said = words(verdict);
        let general = |said: &str, own: &str| said.replace(own.trim_end_matches("[]"), "…");
        match rows.last_mut() {
            Some((fields, before))
                if fields.last().is_some_and(|last| {
                    let (of, other) = parted(last);
                    of == parent && (*before == said || general(before, other) == general(&said, own))
                }) =>
            {
                if *before != said {
                    *before = general(&said, own);
                }
                fields.push(field);
            }
            _ => rows.push((vec![field], said)),
        }
    }
    let mut text = format!("### {}\n\n| field | |\n| --- | --- |\n", capital(&section.title));
    for (fields, said) in rows {
        let names = fields.iter().enumerate().map(|(at, field)| match at {
            0 => format!("`{field}`"),
            _ => format!("`.{}`", parted(field).1),
        });
        let names: Vec<String> = names.collect();
        let below = |(other, _): &(String, Verdict)| fields.iter().any(|field| other.starts_with(&format!("{field}.")));
        let but = if section.rows.iter().any(below) {
            ", but for what is listed here"
        } else {
            ""
        };
        writeln!(text, "| {} | {said}{but} |", names.join(" ")).unwrap();
    }
    text
}

/// The parent of a field and its own name.
fn parted(field: &str) -> (&str, &str) {
    field.rsplit_once('.').unwrap_or(("", field))
}

fn words(verdict: &Verdict) -> String {
    let noted = |verdict: &str, note: &Option<String>| match note {
        Some(note) => format!("{verdict}: {note}"),
        None => verdict.to_owned(),
    };
    match verdict {
        Verdict::Supported(note) => noted("supported", note),
        Verdict::Set(note) => noted("set", note),
        Verdict::Differs(words) => format!("**differs**: {words}"),
        Verdict::Warned { words, .. } => format!("**taken with a warning**: `{words}`"),
        Verdict::Reported { words, .. } => format!("**reported** on the pod: `{words}`"),
        Verdict::Refused { words, .. } => format!("**refused**: `{words}`"),
        Verdict::Unset(words) => format!("never set: {words}"),
        Verdict::As(other) => format!("as `{other}`"),
    }
}

fn capital(title: &str) -> String {
    let (first, rest) = title.split_at(1);
    first.to_uppercase() + rest
}

fn fields() -> String {
    let tables: Vec<String> = sections().iter().map(table).collect();
    tables.join("\n")
}

fn newer() -> String {
    let all: Vec<String> = newer::all().map(|(of, field)| format!("`{field}` of {of}")).collect();
    format!("{}.\n", all.join(", "))
}

fn gates() -> String {
    let mut text = "| gate | as shipped |\n| --- | --- |\n".to_owned();
    for (name, stage, on) in features::shipped() {
        writeln!(text, "| `{name}` | {}, {stage} |", if on { "on" } else { "off" }).unwrap();
    }
    text
}

/// What discovery tells.
fn served() -> String {
    let document = |path: &str| discovery::document(path).unwrap();
    let groups = document("/apis");
    let versions = groups["groups"].as_array().unwrap().iter();
    let versions = versions.map(|group| group["preferredVersion"]["groupVersion"].as_str().unwrap().to_owned());
    let paths = std::iter::once("/api/v1".to_owned()).chain(versions.map(|version| format!("/apis/{version}")));
    let mut rows: Vec<(String, String, Vec<String>)> = Vec::new();
    for path in paths {
        let list = document(&path);
        for resource in list["resources"].as_array().unwrap() {
            let name = resource["name"].as_str().unwrap();
            let verbs = resource["verbs"].as_array().unwrap().iter();
            let verbs: Vec<&str> = verbs.filter_map(Value::as_str).collect();
            let version = list["groupVersion"].as_str().unwrap().to_owned();
            let (verbs, name) = (verbs.join(", "), format!("`{name}`"));
            match rows.iter_mut().find(|row| row.0 == version && row.1 == verbs) {
                Some((.., names)) => names.push(name),
                None => rows.push((version, verbs, vec![name])),
            }
        }
    }
    let mut text = "| API | resources | verbs |\n| --- | --- | --- |\n".to_owned();
    for (version, verbs, names) in rows {
        writeln!(text, "| `{version}` | {} | {verbs} |", names.join(", ")).unwrap();
    }
    text
}

/// The page with the text between `<!-- NAME -->` and `<!-- /NAME -->` made anew.
fn with(page: &str, name: &str, text: &str) -> String {
    let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = page.split_once(&start).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{start}\n{text}\n{end}{after}")
}

/// `UPDATE_PAGES=1 cargo test -p emulator --lib page` writes it.
#[test]
fn the_page_says_what_the_emulator_is() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let mut wanted = page.clone();
    for (name, text) in [
        ("served", served()),
        ("gates", gates()),
        ("fields", fields()),
        ("newer", newer()),
    ] {
        wanted = with(&wanted, name, &text);
    }
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(PAGE, &wanted).unwrap();
    } else {
        assert!(
            page == wanted,
            "docs/emulator.md is behind: UPDATE_PAGES=1 cargo test -p emulator --lib page"
        );
    }
}
