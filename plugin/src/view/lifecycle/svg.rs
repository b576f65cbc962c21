//! The chart as a picture (SVG), for documents and browsers.

use std::fmt::Write;

use crate::pod::age;
use crate::pod::axis::Axis;
use crate::pod::chart::{self, Chart, Look, Row, Sign};
use crate::pod::history::History;
use crate::view::clean::clean;

const ROW: f64 = 22.0;
const TOP: f64 = 34.0;
const LEFT: f64 = 210.0;
const BAR: f64 = 720.0;
const RIGHT: f64 = 250.0;
const FOLD: f64 = 26.0;
/// Anything shorter would not be seen.
const LEAST: f64 = 3.0;

/// The charts of some pods, below each other, as one picture.
pub fn document(histories: &[History]) -> String {
    let width = LEFT + BAR + RIGHT;
    let mut body = String::new();
    let mut top = 0.0;
    for history in histories {
        let facts = &history.facts;
        let status = match history.gone {
            Some(_) => "deleted",
            None => facts.computed.status.as_str(),
        };
        let title = format!("{}/{}  {status}", facts.namespace, facts.name);
        let _ = write!(
            body,
            r#"<text x="12" y="{}" class="title">{}</text>"#,
            top + 24.0,
            escaped(&title)
        );
        top += 32.0;
        match chart::of(history) {
            Some(chart) => {
                let _ = write!(body, r#"<g transform="translate(0 {top})">{}</g>"#, drawing(&chart));
                top += height(&chart) + 12.0;
            }
            None => {
                let _ = write!(
                    body,
                    r#"<text x="12" y="{}">nothing has happened yet</text>"#,
                    top + 16.0
                );
                top += 32.0;
            }
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {top}\" width=\"{width}\" height=\"{top}\">\n\
         <style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{body}\n</svg>\n"
    )
}

/// One chart as an element of a web page, as wide as its place.
pub fn element(chart: &Chart, label: &str) -> String {
    let (width, height) = (LEFT + BAR + RIGHT, height(chart));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {width} {height}\">\
         <style>{STYLE}</style>{}</svg>",
        escaped(label),
        drawing(chart)
    )
}

/// Text for XML: cleaned of what no document may hold, and of what would be markup.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in clean(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

const STYLE: &str = "text{font:13px system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1f2933}\
.title{font-size:15px;font-weight:600}.tick{font-size:11px;fill:#66727f}.note{font-size:12px;fill:#3e4c59}\
.grid{stroke:#e4e7eb}.stage{fill:#5b7cfa}.waiting{fill:#dde3ea}.unready{fill:#f0b429}.running{fill:#3ebd93}\
.backoff{fill:#fadb9a}.unknown{fill:url(#unknown)}.fold{fill:#fff;stroke:#9aa5b1;stroke-dasharray:3 3}\
.well{stroke:#147d64;fill:none;stroke-width:2.4}.badly{stroke:#cf1124;fill:none;stroke-width:2.4}.failure{fill:#de6f00}";

fn height(chart: &Chart) -> f64 {
    let rows = u32::try_from(chart.rows.len()).unwrap_or(u32::MAX);
    TOP + f64::from(rows) * ROW + 34.0
}

fn drawing(chart: &Chart) -> String {
    let Some(axis) = Axis::of(chart.moments(), BAR, FOLD) else {
        return String::new();
    };
    let mut out = String::from(
        "<defs><pattern id=\"unknown\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><rect width=\"8\" height=\"8\" fill=\"#f5f7fa\"/>\
         <rect width=\"3\" height=\"8\" fill=\"#cbd2d9\"/></pattern></defs>",
    );
    let bottom = height(chart) - 34.0;
    for tick in axis.ticks(chart.from, 74.0) {
        let x = LEFT + tick.position;
        let _ = write!(
            out,
            r#"<line class="grid" x1="{x:.1}" x2="{x:.1}" y1="{}" y2="{bottom:.1}"/><text class="tick" x="{x:.1}" y="20" text-anchor="middle">{}</text>"#,
            TOP - 6.0,
            age::elapsed(tick.after)
        );
    }
    for (number, row) in chart.rows.iter().enumerate() {
        let y = TOP + f64::from(u32::try_from(number).unwrap_or(u32::MAX)) * ROW;
        draw_row(&mut out, chart, &axis, row, y);
    }
    for (from, to) in axis.folds() {
        let _ = write!(
            out,
            r#"<rect class="fold" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" fill-opacity="0.75"><title>time folded</title></rect>"#,
            LEFT + from + 4.0,
            TOP - 8.0,
            (to - from - 8.0).max(2.0),
            bottom - TOP + 10.0
        );
    }
    legend(&mut out, chart, bottom + 22.0);
    out
}

fn draw_row(out: &mut String, chart: &Chart, axis: &Axis, row: &Row, y: f64) {
    let middle = y + ROW / 2.0;
    let text = middle + 4.5;
    let _ = write!(
        out,
        r#"<text x="12" y="{text:.1}">{}</text><text class="note" x="{:.1}" y="{text:.1}">{}</text>"#,
        escaped(&short(row.label.trim(), 28)),
        LEFT + BAR + 14.0,
        escaped(&short(&row.note, 38))
    );
    for span in &row.spans {
        let x = LEFT + axis.position(span.from);
        let width = (LEFT + axis.position(span.to) - x).max(LEAST);
        let (inset, class) = (if row.is_stage { 7.0 } else { 3.0 }, class(span.look));
        let _ = write!(
            out,
            r#"<rect class="{class}" x="{x:.1}" y="{:.1}" width="{width:.1}" height="{:.1}" rx="2"><title>{}</title></rect>"#,
            y + inset,
            ROW - 2.0 * inset,
            escaped(&format!(
                "{}: {}, from +{} to +{}",
                row.label.trim(),
                words(span.look),
                age::elapsed(span.from.duration_since(chart.from)),
                age::elapsed(span.to.duration_since(chart.from))
            ))
        );
    }
    for mark in &row.marks {
        let x = LEFT + axis.position(mark.at);
        let after = age::elapsed(mark.at.duration_since(chart.from));
        let (shape, said) = shape(mark.sign, x, middle);
        let _ = write!(out, "<g>{shape}<title>{said} at +{after}</title></g>");
    }
}

/// A sign around its middle, and what it means.
fn shape(sign: Sign, x: f64, middle: f64) -> (String, &'static str) {
    match sign {
        Sign::Well => (
            format!(r#"<path class="well" d="M{:.1} {middle:.1}l4 4l7 -9"/>"#, x - 5.0),
            "ended well",
        ),
        Sign::Badly => (
            format!(
                r#"<path class="badly" d="M{:.1} {:.1}l9 9m0 -9l-9 9"/>"#,
                x - 4.5,
                middle - 4.5
            ),
            "ended badly",
        ),
        Sign::Failure => (
            format!(r#"<path class="failure" d="M{x:.1} {:.1}l5 9h-10z"/>"#, middle - 5.0),
            "probe failed",
        ),
    }
}

/// About how wide some words are in the legend.
fn letters(words: &str) -> f64 {
    6.6 * f64::from(u32::try_from(words.len()).unwrap_or(0))
}

fn short(text: &str, most: usize) -> String {
    crate::view::wrap::cut(text, most)
}

fn class(look: Look) -> &'static str {
    match look {
        Look::Stage => "stage",
        Look::Waiting => "waiting",
        Look::Unready => "unready",
        Look::Running => "running",
        Look::BackOff => "backoff",
        Look::Unknown => "unknown",
    }
}

fn words(look: Look) -> &'static str {
    match look {
        Look::Stage => "stage",
        Look::Waiting => "waits",
        Look::Unready => "runs, not ready",
        Look::Running => "runs",
        Look::BackOff => "backs off",
        Look::Unknown => "not kept",
    }
}

fn legend(out: &mut String, chart: &Chart, y: f64) {
    let mut x = LEFT;
    for look in [
        Look::Stage,
        Look::Waiting,
        Look::Unready,
        Look::Running,
        Look::BackOff,
        Look::Unknown,
    ] {
        if !chart
            .rows
            .iter()
            .flat_map(|row| &row.spans)
            .any(|span| span.look == look)
        {
            continue;
        }
        let _ = write!(
            out,
            r#"<rect class="{}" x="{x:.1}" y="{:.1}" width="14" height="10" rx="2"/><text class="tick" x="{:.1}" y="{y:.1}">{}</text>"#,
            class(look),
            y - 9.0,
            x + 19.0,
            words(look)
        );
        x += 34.0 + letters(words(look));
    }
    for sign in [Sign::Well, Sign::Badly, Sign::Failure] {
        if !chart
            .rows
            .iter()
            .flat_map(|row| &row.marks)
            .any(|mark| mark.sign == sign)
        {
            continue;
        }
        let (shape, said) = shape(sign, x + 6.0, y - 4.0);
        let _ = write!(
            out,
            r#"{shape}<text class="tick" x="{:.1}" y="{y:.1}">{said}</text>"#,
            x + 17.0
        );
        x += 32.0 + letters(said);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::saved;

    #[test]
    fn a_picture_shows_every_row_and_explains_what_is_pointed_at() {
        let picture = document(&[saved::history("liveness-http")]);
        for word in [
            "saved-liveness-http/liveness-http",
            "schedule",
            ">app<",
            "probe failed at",
            "ended badly",
        ] {
            assert!(picture.contains(word), "{word}: {picture}");
        }
        assert_eq!(picture.matches("<svg").count(), 1);
    }

    #[test]
    fn what_a_cluster_says_is_text_and_no_markup() {
        let mut history = saved::history("seed-pod");
        history.facts.name = "<script>alert(1)</script>\u{1b}[2J".into();
        history.facts.containers[0].name = "\"><img src=x>".into();
        let picture = document(&[history]);
        assert!(!picture.contains("<script") && !picture.contains("<img"), "{picture}");
        assert!(!picture.contains('\u{1b}'));
    }
}
