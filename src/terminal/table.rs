//! Tables in docker's style: headings in capitals, columns three blanks apart and ten wide at least.

/// The least width of a column with the blanks behind it.
const LEAST: usize = 10;

/// Rows of equal length, the first with the headings.
#[must_use]
pub fn render(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let padding = (width + 3).max(LEAST) - cell.chars().count();
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', padding));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A size as docker writes it: decimal units, three digits.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut unit = 0;
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = bytes as f64;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = match value {
        _ if unit == 0 => 0,
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    let number = format!("{value:.decimals$}");
    let number = if decimals > 0 { number.trim_end_matches('0').trim_end_matches('.') } else { &number };
    format!("{number}{}", UNITS[unit])
}

/// How long ago, as docker writes it.
#[must_use]
pub fn ago(seconds: i64) -> String {
    let (minute, hour, day) = (60, 3600, 86_400);
    let (count, unit) = match seconds {
        ..1 => return "Less than a second ago".to_owned(),
        1..60 => (seconds, "second"),
        60..3600 => (seconds / minute, "minute"),
        3600..172_800 => (seconds / hour, "hour"),
        172_800..1_209_600 => (seconds / day, "day"),
        1_209_600..5_184_000 => (seconds / (7 * day), "week"),
        5_184_000..63_072_000 => (seconds / (30 * day), "month"),
        _ => (seconds / (365 * day), "year"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        // As `docker images` prints them.
        let cases = [
            (0, "0B"),
            (999, "999B"),
            (1000, "1kB"),
            (4_260_000, "4.26MB"),
            (77_900_000, "77.9MB"),
            (1_240_000_000, "1.24GB"),
            (999_999, "1MB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(render(&[row(["NAME", "TAG"]), row(["a", "b"])]), "NAME      TAG\na         b\n");
    }
}
