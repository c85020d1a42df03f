//! Points in time as senders write them: text in, a timestamp out. It reads no clock.

use jiff::Timestamp;
use mef_crds::TimeUnit;

/// The text is no point in time in the unit that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", match .0 {
    TimeUnit::Seconds => "seconds since 1970 in decimal digits, as 1767323045",
    TimeUnit::Milliseconds => "milliseconds since 1970 in decimal digits, as 1767323045000",
    TimeUnit::Iso8601 => "an RFC 3339 time with its offset, as 2026-01-02T03:04:05Z",
})]
pub struct InvalidTime(pub TimeUnit);

/// Reads a point in time.
///
/// Numbers are decimal digits and nothing else: no sign, fraction, exponent, space or word.
///
/// # Errors
/// When the text is not of that kind, or lies outside the years -9999 to 9999.
pub fn parse(text: &str, unit: TimeUnit) -> Result<Timestamp, InvalidTime> {
    let invalid = InvalidTime(unit);
    match unit {
        TimeUnit::Seconds => Timestamp::from_second(digits(text).ok_or(invalid)?).map_err(|_| invalid),
        TimeUnit::Milliseconds => {
            Timestamp::from_millisecond(digits(text).ok_or(invalid)?).map_err(|_| invalid)
        }
        TimeUnit::Iso8601 => text.parse().map_err(|_| invalid),
    }
}

/// Reads the time of an event. It proves nothing, so seconds and milliseconds may have a fraction, as `1767323045.678`.
///
/// # Errors
/// As [`parse`].
pub fn parse_event(text: &str, unit: TimeUnit) -> Result<Timestamp, InvalidTime> {
    let (whole, fraction) = match (unit, text.split_once('.')) {
        (TimeUnit::Seconds | TimeUnit::Milliseconds, Some(parts)) => parts,
        _ => return parse(text, unit),
    };
    let invalid = InvalidTime(unit);
    digits(fraction).ok_or(invalid)?;
    let per_unit = if unit == TimeUnit::Seconds { 9 } else { 6 };
    // What is finer than a nanosecond is cut off.
    let nanoseconds = format!("{fraction:0<per_unit$}");
    let nanoseconds = nanoseconds.get(..per_unit).and_then(digits).ok_or(invalid)?;
    parse(whole, unit)?
        .checked_add(jiff::SignedDuration::from_nanos(nanoseconds))
        .map_err(|_| invalid)
}

/// Writes a point in time as a sender would.
#[must_use]
pub fn format(time: Timestamp, unit: TimeUnit) -> String {
    match unit {
        TimeUnit::Seconds => time.as_second().to_string(),
        TimeUnit::Milliseconds => time.as_millisecond().to_string(),
        TimeUnit::Iso8601 => time.to_string(),
    }
}

/// `i64::from_str` alone would take a sign.
fn digits(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, unit: TimeUnit, expected: Option<&str>) {
        let found = parse(text, unit).ok().map(|time| time.to_string());
        assert_eq!(found.as_deref(), expected, "{text:?}");
    }

    #[test]
    fn numbers_are_read_in_their_unit() {
        check("1700000000", TimeUnit::Seconds, Some("2023-11-14T22:13:20Z"));
        check(
            "1700000000123",
            TimeUnit::Milliseconds,
            Some("2023-11-14T22:13:20.123Z"),
        );
        check("0", TimeUnit::Seconds, Some("1970-01-01T00:00:00Z"));
    }

    #[test]
    fn an_rfc_3339_time_needs_its_offset() {
        check(
            "2020-01-01T00:00:00-07:00",
            TimeUnit::Iso8601,
            Some("2020-01-01T07:00:00Z"),
        );
        check(
            "2021-04-26T17:36:27.458Z",
            TimeUnit::Iso8601,
            Some("2021-04-26T17:36:27.458Z"),
        );
        check("2020-01-01T00:00:00", TimeUnit::Iso8601, None);
        check("1700000000", TimeUnit::Iso8601, None);
    }

    #[test]
    fn what_is_no_plain_number_is_refused() {
        for unit in [TimeUnit::Seconds, TimeUnit::Milliseconds] {
            for text in [
                "",
                "-1",
                "+1",
                "1.5",
                "1e9",
                " 1",
                "1 ",
                "hello",
                "Infinity",
                "NaN",
                "0x10",
                "1,1",
                "１",
                "12345678901234567890",
                "9223372036854775807",
            ] {
                check(text, unit, None);
            }
        }
    }

    #[test]
    fn the_time_of_an_event_may_have_a_fraction() {
        let read = |text, unit| parse_event(text, unit).ok().map(|time| time.to_string());
        let expected = |text: &str| Some(text.to_owned());
        assert_eq!(
            read("1700000000.5", TimeUnit::Seconds),
            expected("2023-11-14T22:13:20.5Z")
        );
        assert_eq!(
            read("1700000000123.0004567899", TimeUnit::Milliseconds),
            expected("2023-11-14T22:13:20.123000456Z")
        );
        assert_eq!(
            read("1700000000", TimeUnit::Seconds),
            expected("2023-11-14T22:13:20Z")
        );
        assert_eq!(
            read("2023-11-14T22:13:20.5Z", TimeUnit::Iso8601),
            expected("2023-11-14T22:13:20.5Z")
        );
        for text in ["1.", ".5", "1.-5", "1.5.5", "-1.5", "1.５", "1.5e3"] {
            assert_eq!(read(text, TimeUnit::Seconds), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let time = Timestamp::from_millisecond(1_700_000_000_000).unwrap();
        for unit in [TimeUnit::Seconds, TimeUnit::Milliseconds, TimeUnit::Iso8601] {
            assert_eq!(parse(&format(time, unit), unit), Ok(time));
        }
    }
}
