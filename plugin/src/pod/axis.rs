//! The time axis of a chart: linear, but for long stretches in which nothing happened, which are folded.
//!
//! A pod starts within seconds and runs for days: on a linear axis its start would be one dot.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// Nothing shorter is folded.
const LEAST_FOLD: f64 = 60.0;
/// What is not folded stands for this many seconds at least.
const LEAST_LINEAR: f64 = 1.0;
/// A stretch is folded when it and all longer ones are so many times longer than all others.
const FOLD_RATIO: f64 = 20.0;

/// Maps moments to positions between 0 and a width.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    stretches: Vec<Stretch>,
}

/// A part of the axis.
#[derive(Clone, Debug, PartialEq)]
struct Stretch {
    from: Timestamp,
    to: Timestamp,
    left: f64,
    right: f64,
    is_folded: bool,
}

/// A place on the axis with its time since the start.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where.
    pub position: f64,
    /// How long after the start.
    pub after: SignedDuration,
}

impl Axis {
    /// An axis from the first to the last of some moments, `width` wide; each fold takes `fold` of it.
    pub fn of(moments: impl IntoIterator<Item = Timestamp>, width: f64, fold: f64) -> Option<Self> {
        let mut moments: Vec<Timestamp> = moments.into_iter().collect();
        moments.sort_unstable();
        moments.dedup();
        let first = *moments.first()?;
        let last = *moments.last()?;
        if first == last {
            moments.push(first.checked_add(SignedDuration::from_secs(1)).ok()?);
        }
        let lengths: Vec<f64> = moments.windows(2).map(|pair| seconds(pair[0], pair[1])).collect();
        let threshold = fold_threshold(&lengths);
        let folds = lengths.iter().filter(|length| **length >= threshold).count();
        let linear: f64 = lengths.iter().filter(|length| **length < threshold).sum();
        let folds_width = f64::from(u32::try_from(folds).unwrap_or(u32::MAX));
        let fold = fold.min(width / 2.0 / folds_width.max(1.0));
        // Beside what is folded, a moment stays a moment: less than a second does not fill the axis.
        let least = if folds > 0 { LEAST_LINEAR } else { f64::MIN_POSITIVE };
        let scale = (width - fold * folds_width) / linear.max(least);
        let fold = if folds > 0 {
            (width - linear * scale) / folds_width
        } else {
            fold
        };
        let mut left = 0.0;
        let mut stretches: Vec<Stretch> = Vec::new();
        for (pair, length) in moments.windows(2).zip(&lengths) {
            let is_folded = *length >= threshold;
            let right = left + if is_folded { fold } else { length * scale };
            match stretches.last_mut() {
                Some(before) if !before.is_folded && !is_folded => (before.to, before.right) = (pair[1], right),
                _ => stretches.push(Stretch {
                    from: pair[0],
                    to: pair[1],
                    left,
                    right,
                    is_folded,
                }),
            }
            left = right;
        }
        Some(Self { stretches })
    }

    /// Where a moment stands; before and after the axis, at its ends.
    pub fn position(&self, at: Timestamp) -> f64 {
        let stretch = self.stretches.iter().find(|stretch| at <= stretch.to);
        let Some(stretch) = stretch.or(self.stretches.last()) else {
            return 0.0;
        };
        let part = seconds(stretch.from, at) / seconds(stretch.from, stretch.to).max(f64::MIN_POSITIVE);
        stretch.left + (stretch.right - stretch.left) * part.clamp(0.0, 1.0)
    }

    /// The folded parts, from where to where.
    pub fn folds(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let folded = self.stretches.iter().filter(|stretch| stretch.is_folded);
        folded.map(|stretch| (stretch.left, stretch.right))
    }

    /// Ticks at round times since `start`, no closer than `apart`; the ends of the axis and of its folds come first.
    pub fn ticks(&self, start: Timestamp, apart: f64) -> Vec<Tick> {
        let mut ticks: Vec<Tick> = Vec::new();
        let mut offer = |at: Timestamp, position: f64| {
            if ticks.iter().all(|tick| (tick.position - position).abs() >= apart) {
                let after = at.duration_since(start);
                ticks.push(Tick { position, after });
            }
        };
        if let Some(first) = self.stretches.first() {
            offer(first.from, first.left);
        }
        for folded in self.stretches.iter().filter(|stretch| stretch.is_folded) {
            offer(folded.to, folded.right);
        }
        for stretch in self.stretches.iter().filter(|stretch| !stretch.is_folded) {
            let length = seconds(stretch.from, stretch.to);
            let room = ((stretch.right - stretch.left) / apart).floor();
            let Some(step) = STEPS.iter().find(|step| length / **step <= room) else {
                continue;
            };
            let first = (seconds(start, stretch.from) / step).ceil();
            for number in 0..MOST_TICKS {
                let after = (first + f64::from(number)) * step;
                let Some(at) = SignedDuration::try_from_secs_f64(after)
                    .ok()
                    .and_then(|after| start.checked_add(after).ok())
                    .filter(|at| *at <= stretch.to)
                else {
                    break;
                };
                offer(at, self.position(at));
            }
        }
        ticks.sort_by(|a, b| a.position.total_cmp(&b.position));
        ticks
    }
}

/// Round steps in seconds.
const STEPS: [f64; 22] = [
    0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0,
    3600.0, 7200.0, 21_600.0, 86_400.0,
];
const MOST_TICKS: u32 = 400;

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// The length from which on stretches are folded: there is a gap in the lengths below it.
fn fold_threshold(lengths: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = lengths.iter().map(|length| length.max(1.0)).collect();
    sorted.sort_by(f64::total_cmp);
    sorted
        .windows(2)
        .filter(|pair| pair[1] >= LEAST_FOLD && pair[1] / pair[0] >= FOLD_RATIO)
        .map(|pair| pair[1])
        .next()
        .unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    #[test]
    fn seconds_and_days_are_both_seen() {
        let axis = Axis::of([0, 1, 3, 6, 5 * 86_400].map(at), 100.0, 4.0).unwrap();
        assert_eq!(axis.folds().collect::<Vec<_>>(), [(96.0, 100.0)]);
        assert_eq!(axis.position(at(3)), 48.0);
        assert_eq!(axis.position(at(5 * 86_400)), 100.0);
    }

    #[test]
    fn a_moment_before_a_fold_does_not_fill_the_axis() {
        let soon = at(0).checked_add(SignedDuration::from_micros(5)).unwrap();
        let axis = Axis::of([at(0), soon, at(3600)], 100.0, 4.0).unwrap();
        assert!(axis.position(soon) < 0.1, "{axis:?}");
        assert_eq!(axis.position(at(3600)), 100.0);
    }

    #[test]
    fn a_back_off_that_doubles_is_not_folded() {
        let moments = [0, 1, 11, 12, 32, 33, 73, 74, 154, 155, 315, 316, 616].map(at);
        let axis = Axis::of(moments, 80.0, 4.0).unwrap();
        assert_eq!(axis.folds().count(), 0);
        assert_eq!(axis.position(at(308)), 40.0);
    }

    #[test]
    fn ticks_are_round_and_keep_their_distance() {
        let axis = Axis::of([at(0), at(60)], 60.0, 4.0).unwrap();
        let ticks: Vec<i64> = axis
            .ticks(at(0), 10.0)
            .iter()
            .map(|tick| tick.after.as_secs())
            .collect();
        assert_eq!(ticks, [0, 10, 20, 30, 40, 50, 60]);
    }

    #[test]
    fn one_moment_is_enough() {
        let axis = Axis::of([at(0)], 10.0, 4.0).unwrap();
        assert_eq!(axis.position(at(0)), 0.0);
        assert_eq!(Axis::of([], 10.0, 4.0), None);
    }
}
