//! Findings in lines.

use super::text::{Line, Tone};
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

/// The verdict, and each finding with its evidence, cause and next steps, in English.
pub fn lines(judged: Verdict, findings: &[Finding]) -> Vec<Line> {
    lines_in(Language::English, judged, findings, &[])
}

/// The same in a language, and what could not be looked at.
pub fn lines_in(language: Language, judged: Verdict, findings: &[Finding], unread: &[String]) -> Vec<Line> {
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
        lines.extend(finding_lines(finding, language));
    }
    for unread in unread {
        lines.push(
            Line::from("  ")
                .tone(Tone::Faint, told("view.unread"))
                .plain(" ")
                .tone(Tone::Faint, unread.as_str()),
        );
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

fn finding_lines(finding: &Finding, language: Language) -> Vec<Line> {
    let (tone, mark) = mark(finding.severity, language);
    let mut lines = vec![
        Line::from("  ")
            .tone(tone, mark)
            .plain("  ")
            .tone(Tone::Heading, finding.what.in_language(language))
            .tone(Tone::Faint, format!("  [{}]", finding.topic)),
    ];
    let labelled = |key| {
        let label = say(key).in_language(language);
        Line::from("    ").plain(label).pad_to(11)
    };
    for evidence in &finding.evidence {
        let quote = evidence.quote.lines().next().unwrap_or_default();
        lines.push(
            labelled("view.seen")
                .tone(Tone::Faint, format!("{}: ", evidence.place))
                .plain(quote),
        );
    }
    for cause in &finding.causes {
        lines.push(labelled("view.cause").plain(cause.in_language(language)));
    }
    for next in &finding.next {
        let words = match next {
            Step::Command(command) => command.clone(),
            Step::Advice(advice) => advice.in_language(language),
        };
        lines.push(labelled("view.next").plain(words));
    }
    lines
}
