//! The comma-separated fields of `--mount` and `--device`, as one CSV record (RFC 4180 with Go's strictness about quotes).

/// Why a text is no record. The texts are those of Go's `encoding/csv`, which BuildKit shows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotFields {
    /// Nothing is there.
    #[error("EOF")]
    Empty,
    /// A quote in a field that does not begin with one.
    #[error("parse error on line 1, column {0}: bare \" in non-quoted field")]
    BareQuote(usize),
    /// A quoted field that goes on after its quote, or does not end.
    #[error("parse error on line 1, column {0}: extraneous or missing \" in quoted-field")]
    Quote(usize),
}

/// The fields of a record.
pub(crate) fn read(text: &str) -> Result<Vec<String>, NotFields> {
    if text.is_empty() {
        return Err(NotFields::Empty);
    }
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let column = text.len() - rest.len() + 1;
        let Some(quoted) = rest.strip_prefix('"') else {
            let (field, after) = rest.split_once(',').map_or((rest, None), |(field, after)| (field, Some(after)));
            if let Some(quote) = field.find('"') {
                return Err(NotFields::BareQuote(column + quote));
            }
            fields.push(field.to_owned());
            match after {
                Some(after) => rest = after,
                None => return Ok(fields),
            }
            continue;
        };
        let mut field = String::new();
        let mut inside = quoted;
        loop {
            let Some((before, after)) = inside.split_once('"') else { return Err(NotFields::Quote(text.len() + 1)) };
            field.push_str(before);
            match after.strip_prefix('"') {
                Some(more) => {
                    field.push('"');
                    inside = more;
                }
                None => {
                    inside = after;
                    break;
                }
            }
        }
        fields.push(field);
        match inside.strip_prefix(',') {
            Some(after) => rest = after,
            None if inside.is_empty() => return Ok(fields),
            None => return Err(NotFields::Quote(text.len() - inside.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_protect_commas() {
        assert_eq!(read(r#"a=b,"c=d,""e""",f"#).unwrap(), ["a=b", r#"c=d,"e""#, "f"]);
        assert_eq!(read("a,").unwrap(), ["a", ""]);
        assert_eq!(read(""), Err(NotFields::Empty));
        assert_eq!(read("a\"b"), Err(NotFields::BareQuote(2)));
        assert!(matches!(read("\"a\"b"), Err(NotFields::Quote(_))));
        assert!(matches!(read("\"a"), Err(NotFields::Quote(_))));
    }
}
