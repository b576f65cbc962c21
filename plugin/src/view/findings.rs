//! Findings in lines.

use std::borrow::Cow;

use super::text::{Line, Tone};
use super::wrap::hang;
use crate::findings::message::say;
use crate::findings::{Finding, Severity, Step, Verdict};
use crate::knowledge::language::Language;

/// The verdict in a word or two, in the tone that it deserves.
pub fn verdict(verdict: Verdict, language: Language) -> Line {
    let (tone, words) = match verdict {
        Verdict::Healthy => (Tone::Good, say("verdict.healthy")),
        Verdict::Done => (Tone::Good, say("verdict.done")),
        Verdict::AtRisk => (Tone::Warning, say("verdict.at-risk")),
        Verdict::Broken => (Tone::Bad, say("verdict.broken")),
        Verdict::OnItsWay => (Tone::Warning, say("verdict.on-its-way")),
        Verdict::Unknown => (Tone::Warning, say("verdict.unknown")),
    };
    Line::new().tone(tone, words.in_language(language))
}

/// The verdict, each finding with its evidence, cause and next steps, and what could not be looked at; in `columns`, where
/// there is a terminal. What is to be pasted is never broken.
pub fn lines_in(
    language: Language,
    judged: Verdict,
    findings: &[Finding],
    unread: &[String],
    columns: Option<usize>,
) -> Vec<Line> {
    let told = |key| say(key).in_language(language);
    let mut lines = vec![
        Line::new()
            .tone(Tone::Heading, told("view.verdict"))
            .pad_to(18)
            .join(verdict(judged, language)),
    ];
    if !findings.is_empty() {
        lines.push(Line::new().tone(Tone::Heading, told("view.findings")));
    }
    for finding in findings {
        lines.extend(finding_lines(finding, language, columns));
    }
    for unread in unread {
        let label = Line::from("  ").tone(Tone::Faint, told("view.unread")).plain(" ");
        lines.extend(hang(label, &Line::new().tone(Tone::Faint, unread.as_str()), columns));
    }
    lines
}

/// How bad a finding is, in a word.
pub fn mark(severity: Severity, language: Language) -> (Tone, String) {
    let (tone, word) = match severity {
        Severity::Error => (Tone::Bad, say("view.error")),
        Severity::Warning => (Tone::Warning, say("view.warning")),
        Severity::Note => (Tone::Plain, say("view.note")),
    };
    (tone, word.in_language(language))
}

/// A quote as long as somebody reads it: a message may be of a megabyte. For programs it is whole.
fn cut(quote: &str) -> Cow<'_, str> {
    const MOST: usize = 1000;
    match quote.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &quote[..end]).into(),
        None => quote.into(),
    }
}

fn finding_lines(finding: &Finding, language: Language, columns: Option<usize>) -> Vec<Line> {
    let (tone, mark) = mark(finding.severity, language);
    let what = Line::new()
        .tone(Tone::Heading, finding.what.in_language(language))
        .tone(Tone::Faint, format!("  [{}]", finding.topic));
    let mut lines = hang(Line::from("  ").tone(tone, mark).plain("  "), &what, columns);
    let labelled = |key| {
        let label = say(key).in_language(language);
        Line::from("    ").plain(label).pad_to(11)
    };
    for evidence in &finding.evidence {
        let quote = cut(&evidence.quote);
        let mut quoted = quote.lines();
        let seen = Line::new()
            .tone(Tone::Faint, format!("{}: ", evidence.place))
            .plain(quoted.next().unwrap_or_default());
        lines.extend(hang(labelled("view.seen"), &seen, columns));
        for more in quoted.filter(|line| !line.trim().is_empty()) {
            lines.extend(hang(Line::new().pad_to(11), &more.into(), columns));
        }
    }
    for cause in &finding.causes {
        lines.extend(hang(
            labelled("view.cause"),
            &cause.in_language(language).into(),
            columns,
        ));
    }
    for next in &finding.next {
        match next {
            Step::Command(command) => lines.push(labelled("view.next").plain(command.as_str())),
            Step::Advice(advice) => {
                lines.extend(hang(
                    labelled("view.next"),
                    &advice.in_language(language).into(),
                    columns,
                ));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_cut_where_nobody_reads_on() {
        assert_eq!(cut("파드"), "파드");
        let long = cut(&"파".repeat(5000)).into_owned();
        assert_eq!((long.chars().count(), long.chars().last()), (1001, Some('…')));
    }
}
