//! Many pods in a list: what is wrong, the worst first, and how many are well.

use super::findings::{lines_in, mark, verdict};
use super::sheet::table;
use super::text::{Line, Tone};
use crate::cluster::survey::Survey;
use crate::findings::message::say;
use crate::findings::reading::Reading;
use crate::findings::{Verdict, failed_create};
use crate::knowledge::language::Language;
use crate::manifest::OwnerOfFile;

/// Pods of one owner with the same trouble.
struct Group<'a> {
    first: &'a Reading,
    topic: &'a str,
    owner: Option<String>,
    count: usize,
}

/// The ranked list.
pub fn lines(survey: &Survey, language: Language) -> Vec<Line> {
    let count = |verdict| survey.counts.get(&verdict).copied().unwrap_or(0);
    let total: usize = survey.counts.values().sum();
    let (healthy, done) = (count(Verdict::Healthy), count(Verdict::Done));
    let unwell = total - healthy - done;
    if total == 0 {
        return vec![Line::from(say("survey.none").in_language(language))];
    }
    if unwell == 0 {
        let words = say("survey.well").with("total", total.to_string());
        return vec![Line::new().tone(Tone::Good, words.in_language(language))];
    }
    let heading = say("survey.some")
        .with("unwell", unwell.to_string())
        .with("total", total.to_string());
    let mut lines = vec![Line::new().tone(Tone::Heading, heading.in_language(language))];
    let rows = groups(&survey.unwell)
        .iter()
        .flat_map(|group| rows(group, language))
        .collect();
    // What the columns are can be seen.
    lines.extend(table(2, &["", "", ""], rows).into_iter().skip(1));
    let rest = say("survey.rest")
        .with("healthy", healthy.to_string())
        .with("done", done.to_string());
    lines.push(Line::new().tone(Tone::Faint, rest.in_language(language)));
    lines
}

/// An object whose pods cannot be created, and why.
pub fn owner_lines(owner: &OwnerOfFile, language: Language, columns: Option<usize>) -> Vec<Line> {
    let told = failed_create::newest(&owner.events);
    let finding = told.map(|told| failed_create::finding(&owner.namespace, &owner.kind, &owner.name, told));
    let heading = format!("{}/{}  {}", owner.namespace, owner.name, owner.kind);
    let mut lines = vec![Line::new().tone(Tone::Heading, heading)];
    lines.extend(lines_in(language, Verdict::Broken, finding.as_slice(), &[], columns));
    lines
}

fn groups(unwell: &[Reading]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for reading in unwell {
        let owner = reading
            .facts
            .controller()
            .map(|owner| format!("{}/{}", owner.kind, owner.name));
        let topic = reading.findings.first().map_or("", |finding| finding.topic.as_str());
        let same = groups.iter_mut().find(|group| {
            owner.is_some()
                && group.owner == owner
                && group.topic == topic
                && group.first.facts.namespace == reading.facts.namespace
                && group.first.verdict == reading.verdict
        });
        match same {
            Some(group) => group.count += 1,
            None => groups.push(Group {
                first: reading,
                topic,
                owner,
                count: 1,
            }),
        }
    }
    groups
}

fn rows(group: &Group<'_>, language: Language) -> Vec<Vec<Line>> {
    let reading = group.first;
    let name = Line::from(format!("{}/{}", reading.facts.namespace, reading.facts.name));
    let (word, what) = match reading.findings.first() {
        Some(finding) => {
            let (tone, word) = mark(finding.severity, language);
            (
                Line::new().tone(tone, word),
                Line::from(finding.what.in_language(language)).tone(Tone::Faint, format!("  [{}]", finding.topic)),
            )
        }
        None => (Line::from("-"), verdict(reading.verdict, language)),
    };
    let mut rows = vec![vec![word, name, what]];
    if let Some(owner) = group.owner.as_deref().filter(|_| group.count > 1) {
        let more = say("survey.more")
            .with("count", (group.count - 1).to_string())
            .with("owner", owner);
        rows.push(vec![
            Line::new(),
            Line::new().tone(Tone::Faint, more.in_language(language)),
            Line::new(),
        ]);
    }
    rows
}
