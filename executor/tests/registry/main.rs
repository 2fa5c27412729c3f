//! Pulling, pushing and logging in: with a real registry, and with servers that do everything wrong.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/fixture.rs"]
mod fixture;
#[path = "../support/http.rs"]
mod http;
#[path = "../support/registry.rs"]
mod registry;
#[path = "../support/tools.rs"]
mod tools;

mod credentials;
mod fake;
mod faults;
mod network;
mod real;
mod uploads;

use std::sync::Mutex;
use std::time::Duration;

use layercake_executor::registry::client::Client;
use layercake_executor::registry::event::{Event, How};
use layercake_executor::registry::settings::Settings;

/// Settings under which nothing waits long.
fn settings() -> Settings {
    Settings {
        first_wait: Duration::from_millis(5),
        longest_wait: Duration::from_millis(1500),
        connect_timeout: Duration::from_secs(5),
        stall_timeout: Duration::from_secs(5),
        ..Settings::default()
    }
}

fn client() -> Client {
    Client::new(settings())
}

/// Keeps events.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<Event>>);

impl Notes {
    fn take(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }

    fn ends(&self) -> Vec<How> {
        let how = |event: &Event| if let Event::Finished { how, .. } = event { Some(how.clone()) } else { None };
        self.0.lock().unwrap().iter().filter_map(how).collect()
    }

    fn retries(&self) -> Vec<String> {
        let reason =
            |event: &Event| if let Event::Retrying { reason, .. } = event { Some(reason.clone()) } else { None };
        self.0.lock().unwrap().iter().filter_map(reason).collect()
    }
}
