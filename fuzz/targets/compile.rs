//! A Dockerfile and what it is compiled with: it compiles to a sound plan, or there is an error.

#![no_main]

use layercake_fuzz::case::Case;
use layercake_fuzz::{plan, spans};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let case = Case::of(&text);
    match case.compile() {
        Ok(compilation) => {
            plan::holds(&compilation.plan);
            spans::lie_in(&compilation.warnings, &case.parsed);
        }
        Err(findings) => {
            assert!(!findings.is_empty(), "refused without a reason");
            spans::lie_in(&findings, &case.parsed);
        }
    }
    spans::lie_in(&case.check(), &case.parsed);
    case.subrequests();
});
