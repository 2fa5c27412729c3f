//! Secrets and credentials are in no record, and where they change, that is told all the same.

use std::fs;
use std::path::Path;

use crate::case::Case;
use crate::support::Home;

/// Whether any file below a folder has this text in it.
fn is_in(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_in(&path, text);
        }
        fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[test]
fn no_record_has_a_secret() {
    let Some(home) = Home::with_base() else { return };
    home.write("secret", "from-the-file");
    let text =
        "FROM base\nARG NPM_TOKEN\nARG PLAIN\nRUN --mount=type=secret,id=s echo https://ann:in-the-url@example.org\n";
    let case = Case::new(&home, "secrets", text);
    let arguments = |token: &'static str| [token, "--build-arg=PLAIN=seen", "--secret=id=s,src=secret"];
    case.build(&arguments("--build-arg=NPM_TOKEN=in-the-argument"));
    case.build(&arguments("--build-arg=NPM_TOKEN=in-another"));
    let reasons = case.reasons();
    let [reason] = reasons.as_slice() else { panic!("{reasons:?}") };
    assert!(reason.starts_with("4 argument NPM_TOKEN: (hidden, "), "{reason}");
    assert!(is_in(&home.path("store/records"), "seen"), "the records are where this test looks");
    for secret in ["from-the-file", "in-the-url", "in-the-argument", "in-another"] {
        for folder in ["store/records", "store/names"] {
            assert!(!is_in(&home.path(folder), secret), "{folder}: {secret}");
        }
    }
}
