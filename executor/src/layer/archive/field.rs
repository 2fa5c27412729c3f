//! The fields of a header block, leniently.

use tar::Header;

/// Text up to the first zero byte.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The path; ustar puts the beginning of a long one in front.
pub(super) fn path(header: &Header) -> Vec<u8> {
    let name = text(&header.as_old().name);
    match header.as_ustar().map(|fields| text(&fields.prefix)) {
        Some(prefix) if !prefix.is_empty() => [prefix, b"/", name].concat(),
        _ => name.to_vec(),
    }
}

/// Major and minor number; V7 headers have none.
pub(super) fn device(header: &Header) -> Option<(u32, u32)> {
    let (major, minor) = match (header.as_ustar(), header.as_gnu()) {
        (Some(fields), _) => (&fields.dev_major, &fields.dev_minor),
        (None, Some(fields)) => (&fields.dev_major, &fields.dev_minor),
        (None, None) => return None,
    };
    Some((u32::try_from(number(major)?).ok()?, u32::try_from(number(minor)?).ok()?))
}

/// A number: octal digits between blanks and zero bytes, or, with the highest bit set, 255 base-256 digits in two's
/// complement (GNU). Blank is 0. `None` if it is neither, or too great.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 == 0 {
        let digits = field.trim_ascii_start();
        let digits = text(digits).trim_ascii();
        return digits.iter().try_fold(0_i64, |number, digit| match digit {
            b'0'..=b'7' => number.checked_mul(8)?.checked_add((digit - b'0').into()),
            _ => None,
        });
    }
    // The sign is the bit after the one that marks the encoding.
    let first = i64::from(first & 0x7f);
    let first = if first & 0x40 == 0 { first } else { first - 0x80 };
    rest.iter().try_fold(first, |number, byte| number.checked_mul(256)?.checked_add((*byte).into()))
}

/// Whether the sum of the header's bytes is the one that it names. Some old writers summed them with signs.
pub(super) fn checksum_is_right(header: &Header) -> bool {
    let bytes = header.as_bytes();
    let counted = |index: usize| if (148..156).contains(&index) { b' ' } else { bytes[index] };
    let unsigned: i64 = (0..bytes.len()).map(|index| i64::from(counted(index))).sum();
    let signed: i64 = (0..bytes.len()).map(|index| i64::from(counted(index).cast_signed())).sum();
    number(&header.as_old().cksum).is_some_and(|sum| sum == unsigned || sum == signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_all_their_spellings() {
        let cases: &[(&[u8], Option<i64>)] = &[
            (b"0000644\0", Some(0o644)),
            (b" 644 \0\0\0", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (b"00000abc", None),
            (b"00000648", None),
            (b"\x80\0\0\0\0\0\0\0\0\0\x01\x02", Some(0x102)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff", Some(-1)),
            (b"\x80\0\0\x7f\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"77777777777", Some(0o77_777_777_777)),
        ];
        for (field, expected) in cases {
            assert_eq!(number(field), *expected, "{field:?}");
        }
    }
}
