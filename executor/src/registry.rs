//! Registries: bringing images from them and to them, over HTTP.
//!
//! Protocol: the OCI distribution specification, with docker's token authentication. It does not read the environment:
//! all it needs to know comes in with [`settings::Settings`].

mod auth;
mod certificate_folder;
mod challenge;
pub mod client;
pub mod credentials;
pub(crate) mod download;
mod endpoint;
pub mod error;
pub mod event;
mod forward;
mod helper;
mod hosts_toml;
pub mod login;
pub(crate) mod parallel;
mod pull;
mod push;
mod registries_conf;
pub mod repository;
pub(crate) mod response;
pub(crate) mod retry;
mod routes;
pub mod send;
pub mod settings;
pub mod sources;
pub mod tls;
pub(crate) mod transport;
mod upload;
mod uri;
pub(crate) mod way;
