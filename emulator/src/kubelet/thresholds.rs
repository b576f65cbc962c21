//! What must be left of the node's resources (`--eviction-hard` of the kubelet): pure.

use crate::quantity;

/// What is measured. Images and containers lie on the node's one file system: `imagefs` is `nodefs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// `memory.available`
    Memory,
    /// `nodefs.available` and `imagefs.available`
    Disk,
    /// `nodefs.inodesFree` and `imagefs.inodesFree`
    Inodes,
}

/// How much must be left.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Least {
    /// In bytes, or inodes.
    Amount(i128),
    /// Of what there is, in hundredths.
    Percent(f64),
}

/// Too little is left where less than this is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// Of what.
    pub signal: Signal,
    least: Least,
}

impl Threshold {
    /// How much must be left of `capacity`.
    pub fn quantity(&self, capacity: u64) -> u64 {
        match self.least {
            Least::Amount(amount) => u64::try_from(amount).unwrap_or(0),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a share of a size, cut to whole bytes as the kubelet does"
            )]
            Least::Percent(share) => (capacity as f64 * share / 100.0) as u64,
        }
    }
}

/// All thresholds; memory first, as that is reclaimed first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thresholds(Vec<Threshold>);

/// Why a threshold is refused, in the kubelet's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// It is no comparison.
    #[error("invalid eviction threshold syntax {0}, expected <signal>[<]<value>, as in memory.available<100Mi")]
    Syntax(String),
    /// It is about something else.
    #[error(
        "unsupported eviction signal {0} (known here: memory.available, nodefs.available, nodefs.inodesFree, imagefs.available, imagefs.inodesFree)"
    )]
    Signal(String),
    /// It says no amount.
    #[error("eviction threshold {signal} must be a positive quantity or a percentage: {value}")]
    Value {
        /// Of what.
        signal: String,
        /// What was given.
        value: String,
    },
}

impl Thresholds {
    /// Reads `memory.available<100Mi,nodefs.available<10%`.
    ///
    /// # Errors
    /// The first one that is none.
    pub fn parse(text: &str) -> Result<Self, ThresholdError> {
        let statements = text.split(',').map(str::trim).filter(|statement| !statement.is_empty());
        let mut all = statements.map(statement).collect::<Result<Vec<_>, _>>()?;
        all.sort_by_key(|threshold| threshold.signal);
        Ok(Self(all))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each.
    pub fn iter(&self) -> impl Iterator<Item = &Threshold> {
        self.0.iter()
    }
}

fn statement(text: &str) -> Result<Threshold, ThresholdError> {
    let (signal, value) = text
        .split_once('<')
        .ok_or_else(|| ThresholdError::Syntax(text.to_owned()))?;
    let fault = || ThresholdError::Value {
        signal: signal.to_owned(),
        value: value.to_owned(),
    };
    let least = match value.strip_suffix('%') {
        Some(share) => {
            let share = share.parse().map_err(|_| fault())?;
            if !(0.0..=100.0).contains(&share) {
                return Err(fault());
            }
            Least::Percent(share)
        }
        None => {
            let amount = quantity::milli(value).ok_or_else(fault)?;
            if amount <= 0 {
                return Err(fault());
            }
            Least::Amount(amount / 1000)
        }
    };
    let signal = match signal {
        "memory.available" => Signal::Memory,
        "nodefs.available" | "imagefs.available" => Signal::Disk,
        "nodefs.inodesFree" | "imagefs.inodesFree" => Signal::Inodes,
        _ => return Err(ThresholdError::Signal(signal.to_owned())),
    };
    Ok(Threshold { signal, least })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_percentages_are_read() {
        let read = Thresholds::parse("nodefs.available<10%, memory.available<100Mi").unwrap();
        let all: Vec<(Signal, u64)> = read.iter().map(|one| (one.signal, one.quantity(2000))).collect();
        assert_eq!(all, [(Signal::Memory, 100 << 20), (Signal::Disk, 200)]);
        assert!(Thresholds::parse("").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, expected) in [
            (
                "memory.available>1",
                "invalid eviction threshold syntax memory.available>1",
            ),
            ("cpu.available<1", "unsupported eviction signal cpu.available"),
            (
                "memory.available<-5%",
                "eviction threshold memory.available must be a positive quantity or a percentage: -5%",
            ),
            (
                "nodefs.available<0",
                "eviction threshold nodefs.available must be a positive quantity or a percentage: 0",
            ),
        ] {
            let said = Thresholds::parse(text).unwrap_err().to_string();
            assert!(said.starts_with(expected), "{said}");
        }
    }
}
