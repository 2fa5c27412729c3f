//! Text to plan: parses a Dockerfile, resolves its variables, lowers it to a graph of typed operations and freezes that.
//! It does not know files, the environment, the clock, processes, threads or sockets: all it needs is handed to it.
//!
//! The caller finds out about base images, and asks again until there are none to find out about:
//!
//! ```
//! use layercake_compiler::platform::Platform;
//! use layercake_compiler::{BaseImage, Bases, Outcome, Request, compile, parse};
//!
//! let parsed = parse("FROM alpine\nRUN echo hello\n");
//! let request = Request::new(Platform::new("linux", "amd64", ""));
//! let mut bases = Bases::new();
//! let plan = loop {
//!     match compile(&parsed, &request, &bases).expect("nothing is wrong with it") {
//!         Outcome::Compiled(compilation) => break compilation.plan,
//!         Outcome::NeedsBases(requests) => {
//!             for request in &requests {
//!                 let (digest, config, author) = (None, Default::default(), None);
//!                 let platform = request.platform.clone();
//!                 bases.insert(request, BaseImage { digest, platform, config, author });
//!             }
//!         }
//!     }
//! };
//! assert_eq!(plan.steps.len(), 2);
//! println!("{plan}");
//! ```

#![forbid(unsafe_code)]

pub mod address;
pub mod ast;
mod compile;
mod diagnostic;
mod fix;
mod freeze;
mod glob;
pub mod go;
pub mod graph;
pub mod ignore;
mod lex;
pub mod lint;
mod lower;
pub mod oci;
pub mod operation;
mod parse;
pub mod passes;
pub mod path;
mod persistent;
pub mod plan;
pub mod platform;
pub mod program;
pub mod reference;
mod request;
mod resolve;
pub mod shell;
pub mod source;
pub mod subrequest;
mod suggest;
mod verify;
pub mod wildcard;

pub use compile::{Checked, Compilation, Outcome, check, compile, compile_with};
pub use diagnostic::{Code, Diagnostic, Label, Severity};
pub use fix::{Edit, apply, fix};
pub use freeze::freeze;
pub use lower::lower;
pub use parse::{Keyword, MAX_SOURCE, Parsed, parse, parse_device};
pub use request::{BaseImage, BaseRequest, Bases, NamedContext, Request};
pub use resolve::git_context;
pub use verify::{Broken, Maker, Violation, sound, verify};
