//! The lint rules: each in a file of its own or with its family, as functions from what they look at to findings.
//!
//! Rules report everything they see; what a file asks to be skipped is taken out afterwards ([`Config`]).
//! [`Rule`]s are BuildKit's, and every build follows them; [`Advice`] is our own, and only `check` gives it.

mod advice;
mod cache_mount;
pub(crate) mod casing;
pub(crate) mod command;
mod config;
mod copy_before_install;
pub(crate) mod description;
pub(crate) mod expose;
pub(crate) mod ignored;
mod installer;
pub(crate) mod platform;
mod rule;
mod script;
mod secret_in_layer;
pub(crate) mod secrets;
pub(crate) mod stages;
mod typo;
mod unused_stage;
pub(crate) mod variables;

pub use advice::Advice;
pub(crate) use advice::advise;
pub use config::{Config, InvalidCheck};
pub use installer::{Fetched, fetches};
pub use rule::Rule;
pub use secrets::is_secret;
