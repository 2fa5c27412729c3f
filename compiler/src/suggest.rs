//! Near names: what someone probably meant who wrote a name that does not exist.

/// The option nearest to `name`, at most two edits away; the first of equally near ones.
///
/// `None` also where `name` is an option itself: then what is wrong is something else. The bound and the order are
/// BuildKit's (`util/suggest`).
pub(crate) fn nearest<'a>(name: &str, options: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const BOUND: usize = 3;
    let wanted: Vec<char> = name.chars().collect();
    let mut best = (BOUND, None);
    for option in options {
        if option == name {
            return None;
        }
        // A difference in length is a lower bound of the distance, and names can be as long as a file.
        if option.len().abs_diff(name.len()) >= BOUND * 4 {
            continue;
        }
        let distance = edits(&wanted, option);
        if distance < best.0 {
            best = (distance, Some(option));
        }
    }
    best.1
}

/// As [`nearest`], for names whose case does not matter: the suggestion is in the case that `name` has.
pub(crate) fn nearest_any_case(name: &str, options: &[&str]) -> Option<String> {
    // Names can be as long as a file; one that is much longer than every option is near none.
    if options.iter().all(|option| name.len() > 4 * (option.len() + 3)) {
        return None;
    }
    let lower = name.to_lowercase();
    let wanted = letters(&lower);
    let options: Vec<String> = options.iter().map(|option| option.to_lowercase()).collect();
    // Swapped letters are the likeliest slip, though each swap counts as two edits.
    let swapped = options.iter().map(String::as_str).filter(|option| letters(option) == wanted);
    let found = nearest(&lower, swapped).or_else(|| nearest(&lower, options.iter().map(String::as_str)))?;
    Some(if name == name.to_uppercase() && name != lower { found.to_uppercase() } else { found.to_owned() })
}

/// The letters of a name, sorted.
fn letters(name: &str) -> Vec<char> {
    let mut letters: Vec<char> = name.chars().collect();
    letters.sort_unstable();
    letters
}

/// The Levenshtein distance.
fn edits(a: &[char], b: &str) -> usize {
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (line, other) in b.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, own) in a.iter().enumerate() {
            let replaced = diagonal + usize::from(*own != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[a.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_at_most_two_edits_away() {
        assert_eq!(nearest("biulder", ["base", "builder"]), Some("builder"));
        assert_eq!(nearest("xyz", ["base", "builder"]), None);
        assert_eq!(nearest("base", ["bass", "base"]), None);
        assert_eq!(nearest_any_case("FOO", &["from"]).as_deref(), Some("FROM"));
        assert_eq!(nearest_any_case("RNU", &["env", "run"]).as_deref(), Some("RUN"));
        assert_eq!(nearest_any_case("foo", &["from"]).as_deref(), Some("from"));
    }
}
