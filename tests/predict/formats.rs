//! How a prediction is shown.

use serde_json::Value;

use crate::support::Home;

const FORMATS: [&str; 6] = ["json", "toml", "dot", "mermaid", "svg", "html"];

/// A home in which all but the last step is there, and that is slow.
fn half_built() -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", "FROM base\nRUN sleep 0.2\nCOPY a.txt /\nRUN cat /a.txt\n").write("ctx/a.txt", "1");
    home.build(["ctx"]);
    home.write("ctx/a.txt", "2");
    Some(home)
}

#[test]
fn the_text_has_a_column_beside_what_it_always_says() {
    let Some(home) = half_built() else { return };
    let plain = home.layercake(["compile", "ctx"]).ok().stdout;
    let predicted = home.layercake(["compile", "--predict", "ctx"]).ok().stdout;
    let (column, rest) = predicted.split_once("\n\nthe next build: ").unwrap();
    let right: Vec<&str> = column.lines().map(|line| line.split_once("│ ").unwrap().1).collect();
    assert_eq!(right.join("\n"), plain.trim_end());
    let (summary, misses) = rest.split_once("\n\n").unwrap();
    assert!(summary.starts_with("1 hit, 1 miss, 1 unknown; "), "{rest}");
    assert!(misses.starts_with("miss %3   line 3    COPY a.txt /\n     `a.txt` has changed: blake3:"), "{misses}");
    let left: Vec<&str> = column.lines().map(|line| line.split_once('│').unwrap().0).collect();
    assert!(left.iter().all(|cell| cell.chars().count() == left[0].chars().count()), "{predicted}");
    let said: Vec<&str> = left.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(said.len(), 5, "{said:?}");
    assert_eq!((said[0], said[2], said[4]), ("hit      %1", "`a.txt` has changed", "it depends on %3"));
    assert!(
        said[1].starts_with("miss     %3 ") && said[3].starts_with("unknown  %4 ") && said[3].ends_with(" ms"),
        "{said:?}"
    );
}

#[test]
fn every_format_shows_it() {
    let Some(home) = half_built() else { return };
    for format in FORMATS {
        let plain = shown(&home.layercake(["compile", &format!("--format={format}"), "ctx"]).ok().stdout);
        let predicted = home.layercake(["compile", &format!("--format={format}"), "--predict", "ctx"]).ok().stdout;
        let predicted = shown(&predicted);
        for word in ["hit", "miss", "unknown"] {
            assert!(predicted.contains(word), "{format}: {word}");
            assert!(!plain.contains(&format!("{word} ")), "{format} without a prediction: {word}");
        }
    }
    for format in ["svg", "html"] {
        let picture = home.layercake(["compile", &format!("--format={format}"), "--predict", "ctx"]).ok().stdout;
        assert!(picture.contains("`a.txt` has changed"), "{format}");
    }
    let json = home.layercake(["compile", "--format=json", "--predict", "ctx"]).ok().stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    let keys = json["steps"].as_array().unwrap().iter().map(|step| step["key"].as_str().map(str::len));
    assert_eq!(keys.collect::<Vec<_>>(), [None, Some(64), None, Some(64), None]);
    let reasons = json["steps"][3]["reasons"].as_array().unwrap();
    let named: Vec<_> = ["kind", "name", "change"].iter().map(|field| reasons[0][field].as_str().unwrap()).collect();
    assert_eq!((reasons.len(), named), (1, vec!["file", "a.txt", "content"]));
    let forecast = &json["forecast"];
    assert_eq!([&forecast["hits"], &forecast["misses"], &forecast["unknown"]], [1, 1, 1]);
    assert!(forecast["most_seconds"].as_f64() > forecast["least_seconds"].as_f64(), "{forecast}");
    let toml = home.layercake(["compile", "--format=toml", "--predict", "ctx"]).ok().stdout;
    let toml: toml::Table = toml.parse().unwrap();
    assert_eq!(toml["forecast"]["misses"].as_integer(), Some(1));
}

/// A picture or a page without its style and script, which know all that could be shown.
fn shown(text: &str) -> String {
    let without = |text: &str, open: &str, close: &str| {
        let mut parts = text.split(open);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |shown, part| shown + part.split_once(close).map_or("", |(_, rest)| rest))
    };
    without(&without(text, "<style>", "</style>"), "<script>", "</script>")
}
