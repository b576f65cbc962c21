//! Ages as kubectl writes them: `17s`, `3m20s`, `5d`.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// The time from `then` to `now`, in two units at most. Counted from second to second: most times of the API are whole
/// seconds, and the few that are finer must not seem younger than what followed them.
pub fn between(then: Timestamp, now: Timestamp) -> String {
    human(SignedDuration::from_secs(now.as_second() - then.as_second()))
}

/// A duration in two units at most, the finer one only where it still matters.
pub fn human(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let years = days / 365;
    let pair = |major: i64, unit: &str, minor: i64, minor_unit: &str| match minor {
        0 => format!("{major}{unit}"),
        _ => format!("{major}{unit}{minor}{minor_unit}"),
    };
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => pair(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => pair(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => pair(days, "d", hours % 24, "h"),
        () if years < 2 => format!("{days}d"),
        () if years < 8 => pair(years, "y", days % 365, "d"),
        () => format!("{years}y"),
    }
}

/// A short duration with the precision that it was measured with: `240ms`, `1.4s`, `12s`, `3m20s`.
pub fn precise(duration: SignedDuration) -> String {
    let milliseconds = duration.as_millis();
    match milliseconds {
        ..=-1 => "0s".to_owned(),
        0..1_000 => format!("{milliseconds}ms"),
        1_000..10_000 if milliseconds % 1_000 >= 50 => format!("{:.1}s", duration.as_secs_f64()),
        _ => human(duration),
    }
}

/// The time since a start: `0s`, `240ms`, `1.4s`, `10m30s`, `2h5m`, `5d2h`.
pub fn elapsed(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let pair = |major: i64, unit: &str, minor: i64, minor_unit: &str| match minor {
        0 => format!("{major}{unit}"),
        _ => format!("{major}{unit}{minor}{minor_unit}"),
    };
    match seconds {
        ..=0 if duration.as_millis() <= 0 => "0s".to_owned(),
        ..60 => precise(duration),
        60..3_600 => pair(seconds / 60, "m", seconds % 60, "s"),
        3_600..86_400 => pair(seconds / 3_600, "h", seconds % 3_600 / 60, "m"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// A length that may have been measured in whole seconds alone: zero of them is less than one.
pub fn measured(duration: SignedDuration) -> String {
    if duration.is_zero() {
        return "<1s".to_owned();
    }
    precise(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_kubectl_writes_them() {
        for (seconds, said) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (200, "3m20s"),
            (600, "10m"),
            (3 * 3600, "3h"),
            (3 * 3600 + 61, "3h1m"),
            (8 * 3600 + 61, "8h"),
            (3 * 86_400 + 7200, "3d2h"),
            (30 * 86_400, "30d"),
            (800 * 86_400, "2y70d"),
            (-5, "<invalid>"),
        ] {
            assert_eq!(human(SignedDuration::from_secs(seconds)), said);
        }
    }

    #[test]
    fn the_time_since_a_start_loses_no_seconds_in_the_first_hour() {
        for (milliseconds, said) in [
            (0, "0s"),
            (240, "240ms"),
            (1_430, "1.4s"),
            (62_000, "1m2s"),
            (630_000, "10m30s"),
            (7_500_000, "2h5m"),
            (180_000_000, "2d2h"),
        ] {
            assert_eq!(elapsed(SignedDuration::from_millis(milliseconds)), said);
        }
    }

    #[test]
    fn short_durations_keep_their_precision() {
        assert_eq!(precise(SignedDuration::from_millis(240)), "240ms");
        assert_eq!(precise(SignedDuration::from_millis(1_430)), "1.4s");
        assert_eq!(precise(SignedDuration::from_millis(2_000)), "2s");
        assert_eq!(precise(SignedDuration::from_millis(12_900)), "12s");
    }
}
