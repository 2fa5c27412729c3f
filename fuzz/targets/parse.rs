//! Any bytes: reading them ends, and every place that is named lies in the text.

#![no_main]

use layercake_compiler::platform::Platform;
use layercake_compiler::{Bases, Request, check, parse};
use layercake_fuzz::spans;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let parsed = parse(&text);
    spans::hold(&parsed);
    drop((parsed.syntax(), parsed.check()));
    drop(check(&parsed, &Request::new(Platform::new("linux", "amd64", "")), &Bases::new()));
});
