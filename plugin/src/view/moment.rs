//! Moments, in the words and the zone of whoever reads them.

use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::tz::TimeZone;

use super::text::{Line, Tone};
use crate::pod::age;

/// A moment as kubectl writes it, in the local zone: `Mon, 23 Nov 2026 17:48:18 +0000`.
pub fn date(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system())
        .strftime("%a, %d %b %Y %H:%M:%S %z")
        .to_string()
}

/// The time of day in the local zone, with milliseconds where they are known.
pub fn clock(time: Timestamp) -> String {
    let zoned = time.to_zoned(TimeZone::system());
    if time.subsec_nanosecond() == 0 {
        zoned.strftime("%H:%M:%S").to_string()
    } else {
        zoned.strftime("%H:%M:%S%.3f").to_string()
    }
}

/// A moment and how long ago it was, or how far ahead it is.
pub fn with_age(time: Timestamp, now: Timestamp) -> Line {
    let ago = if time <= now {
        format!(" ({} ago)", age::between(time, now))
    } else {
        format!(" (in {})", age::between(now, time))
    };
    Line::from(date(time)).tone(Tone::Faint, ago)
}
