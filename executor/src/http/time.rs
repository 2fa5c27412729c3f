//! Times in HTTP headers.

use jiff::Timestamp;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;

/// Seconds since 1970 of a date in any of the three forms that servers may send; `None` if it is none of them.
///
/// Source: RFC 9110, 5.6.7.
pub(super) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    // Which day of the week it was is not the point.
    if let Ok(time) = rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text) {
        return Some(time.as_second());
    }
    let obsolete = |format: &str, text: &str| -> Option<Timestamp> {
        let time = strtime::parse(format, text).ok()?.to_datetime().ok()?;
        time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
    };
    let time = obsolete("%A, %d-%b-%y %H:%M:%S GMT", text).or_else(|| obsolete("%a %b %e %H:%M:%S %Y", text));
    time.map(Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_forms_are_read() {
        // The RFC's own examples.
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parse(text), Some(784_111_777), "{text}");
        }
        assert_eq!(parse("Mon, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777), "it was a Sunday");
        assert_eq!(parse("Sat, 02 Jan 1960 03:04:05 GMT"), Some(-315_521_755));
        for text in ["", "yesterday", "0", "784111777"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
