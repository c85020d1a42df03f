//! Times as MozDef reads them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Whether a time can be written with a year of four digits: MozDef drops an event whose time it cannot read.
#[must_use]
pub(crate) fn is_writable(time: &Timestamp) -> bool {
    (1..=9999).contains(&TimeZone::UTC.to_datetime(*time).year())
}

/// ISO 8601 in UTC with `+00:00` and at most microseconds, as `2026-01-02T03:04:05.123456+00:00`. A leap second cannot
/// appear: the type has none.
#[must_use]
pub(crate) fn iso8601(time: Timestamp) -> String {
    let utc = TimeZone::UTC.to_datetime(time);
    let (date, clock) = (utc.date(), utc.time());
    let mut text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        date.year(),
        date.month(),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    );
    let micros = clock.subsec_nanosecond() / 1000;
    if micros != 0 {
        text.push_str(format!(".{micros:06}").trim_end_matches('0'));
    }
    text + "+00:00"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: &str) {
        let time: Timestamp = input.parse().unwrap();
        assert_eq!(iso8601(time), expected);
    }

    #[test]
    fn times_are_written_in_utc_with_at_most_microseconds() {
        check("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00");
        check("2026-01-02T03:04:05.120Z", "2026-01-02T03:04:05.12+00:00");
        check(
            "2026-01-02T03:04:05.123456789Z",
            "2026-01-02T03:04:05.123456+00:00",
        );
        check("2026-01-02T03:04:05.000000999Z", "2026-01-02T03:04:05+00:00");
        check("2026-01-02T03:04:05+05:30", "2026-01-01T21:34:05+00:00");
        check("2016-12-31T23:59:60Z", "2016-12-31T23:59:59+00:00");
        check("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5+00:00");
    }

    #[test]
    fn a_year_without_four_digits_cannot_be_written() {
        for (text, expected) in [("2026-01-01T00:00:00Z", true), ("-000001-01-01T00:00:00Z", false)] {
            let time: Timestamp = text.parse().unwrap();
            assert_eq!(is_writable(&time), expected, "{text}");
        }
    }
}
