//! Extended headers: records of a length, a key and a value.
//!
//! Not read with the `tar` crate, which ends a record at the first line break: values of attributes hold any byte.

use super::{Part, Time};

/// What the extended headers before an entry say about it.
#[derive(Debug, Default)]
pub(super) struct Extended {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<i64>,
    pub(super) gid: Option<i64>,
    pub(super) mtime: Option<Time>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// GNU tar's sparse files.
    pub(super) holes: Holes,
}

/// GNU tar's records about a sparse file, of the format's versions 0.0, 0.1 and 1.0.
#[derive(Debug, Default)]
pub(super) struct Holes {
    /// The size with the holes.
    pub(super) size: Option<u64>,
    /// What is stored, by versions 0.0 and 0.1.
    pub(super) parts: Vec<Part>,
    /// The name; the header's is one that unpackers without knowledge of the format use.
    pub(super) name: Option<Vec<u8>>,
    /// Whether the map stands in front of the content (version 1.0).
    pub(super) map_in_content: bool,
}

/// Takes in the records of an extended header. An empty value takes nothing away from the header, as in Go.
pub(super) fn parse(mut records: &[u8], extended: &mut Extended) -> Result<(), &'static str> {
    while !records.is_empty() {
        let (key, value, rest) = record(records).ok_or("an extended header has a record that breaks the format")?;
        records = rest;
        if !value.is_empty() || key.starts_with(b"SCHILY.xattr.") {
            take(key, value, extended).ok_or("an extended header has a value that breaks the format")?;
        }
    }
    if let Some(name) = extended.holes.name.take() {
        extended.path = Some(name);
    }
    Ok(())
}

/// The first record's key and value, and what follows it.
fn record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = records.iter().position(|byte| *byte == b' ')?;
    let length: usize = digits(&records[..space])?.try_into().ok()?;
    let (record, rest) = records.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], rest))
}

fn take(key: &[u8], value: &[u8], extended: &mut Extended) -> Option<()> {
    match key {
        b"path" => extended.path = Some(value.to_vec()),
        b"linkpath" => extended.link = Some(value.to_vec()),
        b"size" => extended.size = Some(digits(value)?),
        b"uid" => extended.uid = Some(digits(value)?.try_into().ok()?),
        b"gid" => extended.gid = Some(digits(value)?.try_into().ok()?),
        b"mtime" => extended.mtime = Some(time(value)?),
        b"GNU.sparse.major" => extended.holes.map_in_content = value == b"1",
        b"GNU.sparse.name" => extended.holes.name = Some(value.to_vec()),
        b"GNU.sparse.size" | b"GNU.sparse.realsize" => extended.holes.size = Some(digits(value)?),
        b"GNU.sparse.offset" => extended.holes.parts.push(Part { offset: digits(value)?, length: 0 }),
        b"GNU.sparse.numbytes" => extended.holes.parts.last_mut()?.length = digits(value)?,
        b"GNU.sparse.map" => {
            let numbers: Vec<u64> = value.split(|byte| *byte == b',').map(digits).collect::<Option<_>>()?;
            extended.holes.parts = numbers
                .chunks(2)
                .map(|pair| Some(Part { offset: pair[0], length: *pair.get(1)? }))
                .collect::<Option<_>>()?;
        }
        _ => {
            if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                extended.xattrs.retain(|(known, _)| known != name);
                extended.xattrs.push((name.to_vec(), value.to_vec()));
            }
        }
    }
    Some(())
}

/// Decimal digits as a number.
pub(super) fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, digit| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add((digit - b'0').into()),
        _ => None,
    })
}

/// Seconds, perhaps negative, perhaps with a fraction, of which nine digits count.
fn time(text: &[u8]) -> Option<Time> {
    let negative = text.first() == Some(&b'-');
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &b""[..]),
    };
    let seconds = i64::try_from(digits(whole)?).ok()?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let padded: Vec<u8> = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(9).collect();
    let nanoseconds = u32::try_from(digits(&padded)?).ok()?;
    Some(match (negative, nanoseconds) {
        (false, nanoseconds) => Time { seconds, nanoseconds },
        (true, 0) => Time { seconds: -seconds, nanoseconds: 0 },
        (true, nanoseconds) => Time { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_value_may_hold_line_breaks_and_equals_signs() {
        let mut extended = Extended::default();
        parse(b"27 SCHILY.xattr.user.a=\n=\0\n12 path=a/b\n", &mut extended).unwrap();
        assert_eq!(extended.xattrs, [(b"user.a".to_vec(), b"\n=\0".to_vec())]);
        assert_eq!(extended.path.unwrap(), b"a/b");
    }

    #[test]
    fn broken_records_are_refused() {
        for records in
            [&b"12 path=a/b"[..], b"13 path=a/b\n", b"path=a/b\n", b"4 x\n", b"99999999999999999999 a=b\n", b"3 \n"]
        {
            assert!(parse(records, &mut Extended::default()).is_err(), "{records:?}");
        }
    }

    #[test]
    fn times_round_down() {
        let at = |seconds, nanoseconds| Some(Time { seconds, nanoseconds });
        assert_eq!(time(b"12"), at(12, 0));
        assert_eq!(time(b"12.5"), at(12, 500_000_000));
        assert_eq!(time(b"12.0123456789"), at(12, 12_345_678));
        assert_eq!(time(b"-12"), at(-12, 0));
        assert_eq!(time(b"-12.25"), at(-13, 750_000_000));
        assert_eq!(time(b"12.x"), None);
        assert_eq!(time(b"x"), None);
    }
}
