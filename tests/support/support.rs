//! What the whole-program tests stand on: a home of its own for every run of the program, a small image to start from,
//! a look into what comes out, and a rule for what the machine lacks.

#![allow(dead_code, unused_imports, reason = "each test program uses some of it")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

pub(crate) mod archive;
pub(crate) mod base;
pub(crate) mod dockerd;
pub(crate) mod git;
pub(crate) mod home;
pub(crate) mod image;
pub(crate) mod machine;
pub(crate) mod platforms;
pub(crate) mod process;
pub(crate) mod ran;
pub(crate) mod transcript;

#[path = "../../executor/tests/support/http.rs"]
pub(crate) mod http;
#[path = "../../executor/tests/support/registry.rs"]
pub(crate) mod registry;
#[path = "../../executor/tests/support/tools.rs"]
pub(crate) mod tools;

pub(crate) use home::Home;
