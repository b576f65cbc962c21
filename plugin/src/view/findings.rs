//! Findings in lines.

use super::text::{Line, Tone};
use crate::findings::{Finding, Severity, Verdict};

/// The verdict, and each finding with its evidence, cause and next steps.
pub fn lines(verdict: Verdict, findings: &[Finding]) -> Vec<Line> {
    let (tone, words) = match verdict {
        Verdict::Healthy => (Tone::Good, "healthy: it is Ready, and all its containers run"),
        Verdict::Done => (Tone::Good, "done: it ended as it should"),
        Verdict::Broken => (Tone::Bad, "broken"),
        Verdict::OnItsWay => (Tone::Warning, "not there yet"),
        Verdict::Unknown => (
            Tone::Warning,
            "unclear: no rule matched, and that it is well is not proven",
        ),
    };
    let mut lines = vec![Line::new().tone(Tone::Heading, "Verdict:").pad_to(18).tone(tone, words)];
    if !findings.is_empty() {
        lines.push(Line::new().tone(Tone::Heading, "Findings:"));
    }
    for finding in findings {
        lines.extend(finding_lines(finding));
    }
    lines
}

fn finding_lines(finding: &Finding) -> Vec<Line> {
    let (tone, mark) = match finding.severity {
        Severity::Error => (Tone::Bad, "ERROR"),
        Severity::Warning => (Tone::Warning, "WARNING"),
        Severity::Note => (Tone::Plain, "NOTE"),
    };
    let mut lines = vec![
        Line::from("  ")
            .tone(tone, mark)
            .plain("  ")
            .tone(Tone::Heading, finding.what.as_str())
            .tone(Tone::Faint, format!("  [{}]", finding.topic)),
    ];
    for evidence in &finding.evidence {
        let quote = evidence.quote.lines().next().unwrap_or_default();
        lines.push(
            Line::from("    seen:  ")
                .tone(Tone::Faint, format!("{}: ", evidence.place))
                .plain(quote),
        );
    }
    if !finding.cause.is_empty() {
        lines.push(Line::from("    cause: ").plain(finding.cause.as_str()));
    }
    for next in &finding.next {
        lines.push(Line::from("    next:  ").plain(next.as_str()));
    }
    lines
}
