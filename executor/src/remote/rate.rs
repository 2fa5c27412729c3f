//! How fast bytes come from a registry and get there, as it was the last times.

use std::time::Duration;

use layercake_cache::{Error as StoreError, Store};
use serde::{Deserialize, Serialize};

use crate::registry::event::Direction;

/// The shelf of the store on which this is kept.
const SHELF: &str = "rates";
/// Bytes per second where nothing is known: what a build machine has to a registry nearby.
const ASSUMED: f64 = 30e6;
/// What each blob takes however small it is.
const LATENCY: Duration = Duration::from_millis(100);
/// Transfers of fewer bytes say more of the latency than of the rate.
const TELLING: u64 = 1 << 20;

/// Bytes per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    down: Option<f64>,
    up: Option<f64>,
}

impl Rates {
    /// What is known of a registry.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn of(store: &Store, host: &str) -> Result<Self, StoreError> {
        let kept = store.named(SHELF, host)?;
        Ok(kept.and_then(|kept| serde_json::from_slice(&kept).ok()).unwrap_or_default())
    }

    /// How long it takes to fetch so many bytes. What is not known of the one way is taken from the other.
    #[must_use]
    pub fn time(&self, bytes: u64) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "it is an estimate")]
        let seconds = bytes as f64 / self.down.or(self.up).unwrap_or(ASSUMED).max(1.0);
        LATENCY + Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 2)
    }
}

/// Remembers how long a transfer took. Half of what is remembered is the last one, so that neither a slow day nor a fast
/// one counts for long.
///
/// # Errors
/// If the store cannot be read or written.
pub fn learn(store: &Store, host: &str, direction: Direction, bytes: u64, took: Duration) -> Result<(), StoreError> {
    if bytes < TELLING || took.is_zero() {
        return Ok(());
    }
    let mut rates = Rates::of(store, host)?;
    #[expect(clippy::cast_precision_loss, reason = "it is an estimate")]
    let new = bytes as f64 / took.as_secs_f64();
    let rate = if direction == Direction::Down { &mut rates.down } else { &mut rates.up };
    *rate = Some(rate.map_or(new, |old| f64::midpoint(old, new)));
    store.put_named(SHELF, host, &serde_json::to_vec(&rates).expect("numbers are always JSON"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn what_was_measured_counts() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let time = |bytes| Rates::of(&store, "here").unwrap().time(bytes);
        let assumed = time(30_000_000);
        assert!(assumed > Duration::from_secs(1) && assumed < Duration::from_millis(1200), "{assumed:?}");
        learn(&store, "here", Direction::Up, 2_000_000, Duration::from_secs(2)).unwrap();
        assert_eq!(time(5_000_000), Duration::from_millis(5100));
        learn(&store, "here", Direction::Down, 9_000_000, Duration::from_secs(1)).unwrap();
        assert_eq!(time(9_000_000), Duration::from_millis(1100));
        // Of a few bytes nothing is learned.
        learn(&store, "here", Direction::Down, 9, Duration::from_secs(1)).unwrap();
        assert_eq!(time(9_000_000), Duration::from_millis(1100));
    }
}
