//! What a registry may take of time and memory, whatever it says: who runs it is not known.

use std::{fmt, time::Duration};

use tokio::time::Instant;

/// The largest document that is read into memory: manifest, index or configuration (about what containerd accepts of a
/// manifest, `core/remotes/docker/resolver.go`).
pub(super) const DOCUMENT_MAX: u64 = 4 << 20;

/// The largest answer of a token service.
pub(super) const TOKEN_MAX: u64 = 1 << 20;

/// How much of a refusal is read.
pub(super) const REFUSAL_MAX: u64 = 8 << 10;

/// How often an answer may be "elsewhere", as in Go's HTTP client.
pub(super) const REDIRECTS_MAX: usize = 10;

/// How long a registry may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Until it begins to answer, and until it sends more.
    pub(super) silence: Duration,
    /// For a document as a whole.
    pub(super) document: Duration,
    /// Within this time a layer has to come on by `least`.
    pub(super) window: Duration,
    /// Bytes of a layer in a window.
    pub(super) least: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(30),
            document: Duration::from_secs(60),
            window: Duration::from_secs(60),
            least: 60 << 10,
        }
    }
}

/// How fast a layer comes: one that comes byte by byte never ends.
#[derive(Debug)]
pub(super) struct Pace {
    patience: Patience,
    since: Instant,
    bytes: u64,
}

impl Pace {
    pub(super) fn new(patience: Patience, now: Instant) -> Self {
        Self {
            patience,
            since: now,
            bytes: 0,
        }
    }

    /// Whether these bytes keep the pace.
    ///
    /// # Errors
    /// Where a window has brought too few.
    pub(super) fn took(&mut self, bytes: usize, now: Instant) -> Result<(), TooSlow> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if now.duration_since(self.since) < self.patience.window {
            return Ok(());
        }
        if self.bytes < self.patience.least {
            return Err(TooSlow {
                bytes: self.bytes,
                window: self.patience.window,
            });
        }
        *self = Self::new(self.patience, now);
        Ok(())
    }
}

/// Too few bytes in a window.
#[derive(Debug)]
pub(super) struct TooSlow {
    bytes: u64,
    window: Duration,
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the registry is too slow: {} bytes in {:?}", self.bytes, self.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_may_come_slowly_but_not_byte_by_byte() {
        let start = Instant::now();
        let second = |number| start + Duration::from_secs(number);
        let mut slow = Pace::new(Patience::default(), start);
        assert!((1..600).all(|now| slow.took(2 << 10, second(now)).is_ok()));
        let mut drip = Pace::new(Patience::default(), start);
        assert!((1..60).all(|now| drip.took(1, second(now)).is_ok()));
        let refused = drip.took(1, second(60)).unwrap_err();
        assert_eq!(refused.to_string(), "the registry is too slow: 60 bytes in 60s");
    }
}
