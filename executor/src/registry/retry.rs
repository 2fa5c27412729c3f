//! When to try again, and how long to wait before.

use std::thread;
use std::time::Duration;

use crate::registry::error::{Error, Obstacle};
use crate::registry::event::{Event, Events};
use crate::registry::settings::Settings;

/// Attempts at one thing.
pub(crate) struct Attempts<'a> {
    settings: &'a Settings,
    events: Events<'a>,
    made: u32,
}

impl<'a> Attempts<'a> {
    pub(crate) fn new(settings: &'a Settings, events: Events<'a>) -> Self {
        Self { settings, events, made: 0 }
    }

    /// Something has moved, so that what fails next is a new trouble.
    pub(crate) fn progressed(&mut self) {
        self.made = 0;
    }

    /// An attempt has failed: waits if another one is worth it, else gives the error back.
    pub(crate) fn failed(&mut self, error: Error) -> Result<(), Error> {
        let Some(wait) = self.wait(&error) else { return Err(error) };
        (self.events)(Event::Retrying { reason: error.to_string(), wait });
        thread::sleep(wait);
        Ok(())
    }

    /// An attempt has failed: how long to wait before the next one, if another one is worth it.
    pub(crate) fn wait(&mut self, error: &Error) -> Option<Duration> {
        self.made += 1;
        let limit = match Patience::of(error) {
            Patience::None => 0,
            // Somebody without a network should learn that soon.
            Patience::Little => self.settings.attempts.min(2),
            Patience::Much => self.settings.attempts,
        };
        if self.made >= limit {
            return None;
        }
        let backed_off = self.settings.first_wait.saturating_mul(1 << (self.made - 1).min(16));
        match error {
            Error::RateLimited { after: Some(after), .. } | Error::Server { after: Some(after), .. } => {
                (*after <= self.settings.longest_wait).then_some(*after)
            }
            _ => Some(spread(backed_off.min(self.settings.longest_wait))),
        }
    }
}

/// Many clients that a server has thrown out at once must not all come back at once: between half the time and all.
fn spread(wait: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0) >> 40;
    wait.mul_f64(0.5 + random as f64 / f64::from(1 << 25))
}

/// How much trying again may help.
enum Patience {
    None,
    Little,
    Much,
}

impl Patience {
    fn of(error: &Error) -> Self {
        match error {
            Error::Broken { .. } | Error::RateLimited { .. } => Self::Much,
            Error::Server { status, .. } if *status != 501 => Self::Much,
            Error::Unexpected { problem, .. } if problem.starts_with("status 408") => Self::Much,
            Error::Unreachable { why: Obstacle::Refused | Obstacle::NoRoute | Obstacle::Silence, .. } => Self::Little,
            // Another copy of the content may be whole.
            Error::WrongDigest { .. } | Error::WrongSize { .. } => Self::Little,
            _ => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::registry::tls::TlsProblem;

    fn server(status: u16) -> Error {
        Error::Server { host: "r".to_owned(), status, after: None, doing: "x".to_owned(), message: String::new() }
    }

    #[test]
    fn waits_double_up_to_a_limit_and_end() {
        let settings = Settings {
            attempts: 6,
            first_wait: Duration::from_millis(2),
            longest_wait: Duration::from_millis(8),
            ..Settings::default()
        };
        let waits = Mutex::new(Vec::new());
        let note = |event| {
            if let Event::Retrying { wait, .. } = event {
                waits.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(wait.as_micros());
            }
        };
        let mut attempts = Attempts::new(&settings, &note);
        let results: Vec<bool> = (0..6).map(|_| attempts.failed(server(503)).is_ok()).collect();
        assert_eq!(results, [true, true, true, true, true, false]);
        let waits = waits.into_inner().unwrap_or_default();
        for (wait, longest) in waits.iter().zip([2000, 4000, 8000, 8000, 8000]) {
            assert!((longest / 2..=longest).contains(wait), "{waits:?}");
        }
    }

    #[test]
    fn what_will_not_pass_is_not_tried_again() {
        let settings = Settings { first_wait: Duration::ZERO, ..Settings::default() };
        let host = || "r".to_owned();
        let after = Some(Duration::from_secs(3600));
        for error in [
            server(501),
            Error::NotFound { host: host(), what: host(), message: host() },
            Error::Unreachable { host: host(), why: Obstacle::Tls(TlsProblem::NotSpoken) },
            Error::Server { host: host(), status: 503, after, doing: host(), message: host() },
            Error::RateLimited { host: host(), after, allowance: None, message: host() },
        ] {
            assert!(Attempts::new(&settings, &crate::registry::event::ignore).failed(error).is_err());
        }
    }
}
