//! What only events tell.

use k8s_openapi::jiff::Timestamp;

use super::{Entry, Mood, rank, title};
use crate::pod::Facts;
use crate::pod::event::Event;

/// Tells an event, unless the status tells the same, and better.
pub(super) fn entry(facts: &Facts, event: &Event) -> Option<Entry> {
    let container = event.container().and_then(|name| facts.container(name));
    let title = container.map(|container| title(facts, container));
    let about = |words: &str| match &title {
        Some(title) => format!("{title}: {words}"),
        None => words.to_owned(),
    };
    let message = event.message.lines().next().unwrap_or_default();
    // Pulled before its container starts, and after the one before it has ended.
    let pull = container.map_or(rank::PULL, |container| rank::start(container, 0) - 1);
    let (rank, what, mood) = match event.reason.as_str() {
        // Told by the status, and better.
        "Scheduled" | "Created" | "Started" => return None,
        "BackOff" if message.starts_with("Back-off restarting") => return None,
        "Pulling" => (pull, about(message), Mood::Neutral),
        "Pulled" if message.contains("already present") => return None,
        // How long it took is told; that it waited as long for others, and its size, are left to the event.
        "Pulled" => (pull, about(message.split(" (").next().unwrap_or(message)), Mood::Good),
        // It comes before the end that it causes, whichever run that ends.
        "Killing" => (
            container.map_or(rank::EVENT, |container| rank::start(container, 0) + 2),
            about(message),
            Mood::Neutral,
        ),
        _ if event.is_warning() => (rank::EVENT, about(&format!("{}: {message}", event.reason)), Mood::Bad),
        _ => (
            rank::EVENT,
            about(&format!("{}: {message}", event.reason)),
            Mood::Neutral,
        ),
    };
    let times = match event.count {
        ..=1 => String::new(),
        count => format!(" ({count} times, the last at {})", at_second(event.last)),
    };
    let at = event.first.or(event.last);
    // Trouble that goes on is told anew; a step that is repeated is told by what it leads to.
    let repeated = if event.is_warning() { event.count } else { 0 };
    let key = format!("event/{}/{}/{message}/{repeated}", event.reason, event.field_path);
    let mut entry = Entry::new(at, rank, key, format!("{what}{times}")).mood(mood);
    entry.subject = format!("event/{}/{}/{message}", event.reason, event.field_path);
    entry.container = container.map(|container| container.name.clone());
    Some(entry)
}

fn at_second(time: Option<Timestamp>) -> String {
    time.map(|time| time.strftime("%H:%M:%S").to_string())
        .unwrap_or_default()
}
