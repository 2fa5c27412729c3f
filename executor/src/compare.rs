//! Two images side by side: what their files and their configurations differ in.

pub mod config;
pub mod files;
