//! The story as one web page without any other file: to attach to an incident.

use std::fmt::Write;

use k8s_openapi::jiff::Timestamp;

use super::svg::{element, escaped};
use super::table;
use crate::pod::history::History;
use crate::pod::next;
use crate::pod::percentiles;
use crate::pod::timeline::Mood;
use crate::pod::{age, chart};
use crate::view::moment;
use crate::view::text::{Line, Span, Tone};

/// A pod with what was found wrong with it.
pub struct Chapter<'a> {
    /// Its life.
    pub history: &'a History,
    /// What stands above the lines below: `Findings`, `Answers`.
    pub title: &'static str,
    /// The verdict, for the table of all pods.
    pub verdict: Option<Line>,
    /// The verdict and the findings, or a simulation's answers, as they are printed.
    pub findings: Vec<Line>,
}

/// The page.
pub fn page(chapters: &[Chapter<'_>], now: Timestamp) -> String {
    let names: Vec<String> = chapters
        .iter()
        .map(|chapter| format!("{}/{}", chapter.history.facts.namespace, chapter.history.facts.name))
        .collect();
    let title = match names.as_slice() {
        [name] => format!("Pod {name}"),
        names => format!("{} pods", names.len()),
    };
    let mut body = String::new();
    if chapters.len() > 1 {
        overview(&mut body, chapters, &title);
    }
    for (number, chapter) in chapters.iter().enumerate() {
        section(&mut body, chapter, number);
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}<footer>written {} by kubectl pod lifecycle \
         {}</footer>\n</body>\n</html>\n",
        escaped(&title),
        escaped(&moment::date(now)),
        env!("CARGO_PKG_VERSION"),
    )
}

const STYLE: &str = "body{font:15px/1.5 system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;color:#1f2933;margin:2rem \
auto;max-width:1180px;padding:0 1rem;background:#fff}h1{font-size:1.5rem;margin:0 0 .6rem}h2{font-size:1.1rem;margin:1.6rem 0 \
.5rem}.status{display:inline-block;padding:.1rem .6rem;border-radius:1rem;background:#e4e7eb;font-weight:600;margin-left:\
.6rem}.good{color:#147d64}.bad{color:#ba2525}.faint,footer{color:#66727f}footer{margin-top:3rem;font-size:.85rem}table{\
border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .7rem .25rem 0;vertical-align:top;border-bottom:\
1px solid #eef1f4}th{font-weight:600;color:#66727f}td.time{white-space:nowrap;font-variant-numeric:tabular-nums}pre{\
background:#f5f7fa;border-radius:6px;padding:.8rem 1rem;overflow:auto;font-size:.9rem;white-space:pre-wrap}svg{width:100%;\
height:auto;display:block}section{margin-bottom:3rem;border-top:3px solid #e4e7eb;padding-top:1.2rem}section:first-child{\
border:0}@media(max-width:640px){td{overflow-wrap:anywhere}}\
@media print{body{margin:0}section{break-inside:avoid-page}}";

fn overview(body: &mut String, chapters: &[Chapter<'_>], title: &str) {
    let _ = write!(
        body,
        "<section><h1>{}</h1>\n<table><tr><th>pod</th><th>status</th><th>ready</th><th>verdict</th></tr>\n",
        escaped(title)
    );
    for (number, chapter) in chapters.iter().enumerate() {
        let facts = &chapter.history.facts;
        let _ = writeln!(
            body,
            "<tr><td><a href=\"#pod-{number}\">{}</a></td><td>{}</td><td>{}/{}</td><td>{}</td></tr>",
            escaped(&format!("{}/{}", facts.namespace, facts.name)),
            escaped(&facts.computed.status),
            facts.computed.ready,
            facts.computed.total,
            chapter.verdict.as_ref().map(painted).unwrap_or_default(),
        );
    }
    body.push_str("</table>\n");
    let spreads = percentiles::of(chapters.iter().map(|chapter| chapter.history));
    if !spreads.is_empty() {
        body.push_str(
            "<h2>Stages, over all pods</h2>\n<table><tr><th>stage</th><th>pods</th><th>p50</th><th>p90</th><th>p99</th>\
             <th>max</th><th>slowest</th></tr>\n",
        );
        for spread in spreads {
            let _ = writeln!(
                body,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escaped(&spread.stage),
                spread.count,
                age::measured(spread.p50),
                age::measured(spread.p90),
                age::measured(spread.p99),
                age::measured(spread.max),
                escaped(&spread.slowest)
            );
        }
        body.push_str("</table>\n");
    }
    body.push_str("</section>\n");
}

fn section(body: &mut String, chapter: &Chapter<'_>, number: usize) {
    let history = chapter.history;
    let facts = &history.facts;
    let name = format!("{}/{}", facts.namespace, facts.name);
    let status = match history.gone {
        Some(_) => "deleted",
        None => facts.computed.status.as_str(),
    };
    let _ = write!(
        body,
        "<section id=\"pod-{number}\">\n<h1>{}<span class=\"status\">{}</span></h1>\n<p class=\"faint\">{}/{} ready",
        escaped(&name),
        escaped(status),
        facts.computed.ready,
        facts.computed.total
    );
    if let (Some(created), false) = (facts.created(), history.is_simulated) {
        let _ = write!(
            body,
            ", created {}, seen {} later",
            escaped(&moment::date(created)),
            age::between(created, history.now())
        );
    }
    body.push_str("</p>\n");
    if !chapter.findings.is_empty() {
        let _ = write!(body, "<h2>{}</h2>\n<pre>", chapter.title);
        for line in &chapter.findings {
            body.push_str(&painted(line));
            body.push('\n');
        }
        body.push_str("</pre>\n");
    }
    if let Some(chart) = chart::of(history) {
        let _ = write!(
            body,
            "<h2>Chart</h2>\n{}\n",
            element(&chart, &format!("The life of {name}"))
        );
    }
    timeline(body, history);
    if history.gone.is_none() {
        upcoming(body, history);
    }
    events(body, history);
    body.push_str("</section>\n");
}

fn painted(line: &Line) -> String {
    let span = |span: &Span| format!("<span class=\"{}\">{}</span>", class(span.tone), escaped(&span.text));
    line.spans().iter().map(span).collect()
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Bad | Tone::Warning => "bad",
        Tone::Faint => "faint",
        Tone::Plain | Tone::Heading => "",
    }
}

fn timeline(body: &mut String, history: &History) {
    body.push_str("<h2>What happened</h2>\n<table><tr><th>time</th><th>after</th><th>known</th><th>what</th></tr>\n");
    let start = history.start();
    for entry in &history.entries {
        let at = entry.moment();
        let after = table::after(entry, start, history.is_whole);
        let class = match entry.mood {
            Mood::Good => "good",
            Mood::Neutral => "",
            Mood::Bad => "bad",
        };
        let _ = writeln!(
            body,
            "<tr><td class=\"time\">{}</td><td class=\"time\">{}</td><td class=\"faint\">{}</td><td class=\"{class}\">{}</td></tr>",
            at.filter(|_| !history.is_simulated)
                .map(moment::clock)
                .unwrap_or_default(),
            after,
            entry.source.word(),
            escaped(&entry.what)
        );
    }
    body.push_str("</table>\n");
}

fn upcoming(body: &mut String, history: &History) {
    body.push_str("<h2>What comes next</h2>\n<ul>\n");
    for next in next::with_events(&history.facts, &history.events) {
        let at = next.at.map(|at| format!("{}: ", moment::clock(at))).unwrap_or_default();
        let _ = writeln!(body, "<li>{}{}</li>", at, escaped(&next.what.to_string()));
    }
    body.push_str("</ul>\n");
}

fn events(body: &mut String, history: &History) {
    if history.events.is_empty() {
        return;
    }
    body.push_str(
        "<h2>Events</h2>\n<table><tr><th>last</th><th>count</th><th>reason</th><th>from</th><th>message</th></tr>\n",
    );
    for event in &history.events {
        let class = if event.is_warning() { "bad" } else { "" };
        let _ = writeln!(
            body,
            "<tr><td class=\"time\">{}</td><td>{}</td><td class=\"{class}\">{}</td><td class=\"faint\">{}</td><td>{}</td></tr>",
            event.last.map(moment::clock).unwrap_or_default(),
            event.count,
            escaped(&event.reason),
            escaped(&event.source),
            escaped(&event.message)
        );
    }
    body.push_str("</table>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::saved;

    #[test]
    fn a_page_is_one_file_and_runs_nothing() {
        let mut history = saved::history("crashloop");
        history.facts.computed.status = "<script>alert(1)</script>".into();
        let chapter = Chapter {
            history: &history,
            title: "Findings",
            verdict: None,
            findings: vec![Line::from("<b>bold</b>")],
        };
        let page = page(&[chapter], history.now());
        assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
        assert!(
            !page.contains("http://") || page.matches("http://").count() == page.matches("http://www.w3.org").count()
        );
        for word in [
            "saved-crashloop/crashloop",
            "What happened",
            "recorded",
            "expired",
            "<svg",
            "Events",
        ] {
            assert!(page.contains(word), "{word}");
        }
    }

    #[test]
    fn several_pods_are_compared() {
        let histories = ["seed-init", "seed-pod"].map(saved::history);
        let chapters: Vec<Chapter<'_>> = histories
            .iter()
            .map(|history| Chapter {
                history,
                title: "Findings",
                verdict: Some(Line::from("healthy")),
                findings: Vec::new(),
            })
            .collect();
        let page = page(&chapters, histories[0].now());
        assert!(
            page.contains("Stages, over all pods") && page.contains("id=\"pod-1\""),
            "{page}"
        );
    }
}
