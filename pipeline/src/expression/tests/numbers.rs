//! Numbers keep every digit through a program.

use proptest::prelude::*;

use super::*;

/// Every spelling comes back, moved or not, beside a program that changes something else.
#[test]
fn numbers_keep_their_digits() {
    for number in [
        "12345678901234567890",
        "-98765432109876543210",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "0.10",
        "1.0",
        "1E2",
        "1e+2",
        "-0",
        "-0.0",
        "0e5",
        "1e308",
        "1.7976931348623157e308",
        "1e-400",
        "5e-324",
        "123456789.123456789123",
        "100000000000000000000000000000000",
        "3",
    ] {
        becomes(
            ".b = 1",
            &format!("{{\"a\":{number}}}"),
            &format!("{{\"a\":{number},\"b\":1}}"),
        );
        becomes(
            ".b = del(.a)",
            &format!("{{\"a\":{number}}}"),
            &format!("{{\"b\":{number}}}"),
        );
    }
}

#[test]
fn numbers_with_the_same_nearest_double_stay_apart_even_when_moved() {
    becomes(
        ".y = del(.a)\n.x = del(.b)\n.z = del(.c)",
        r#"{"a":12345678901234567890,"b":12345678901234567891,"c":12345678901234567892}"#,
        r#"{"x":12345678901234567891,"y":12345678901234567890,"z":12345678901234567892}"#,
    );
    becomes(
        ".a = del(.a)",
        r#"{"a":1e-400,"b":0.0,"c":-0.0}"#,
        r#"{"a":1e-400,"b":0.0,"c":-0.0}"#,
    );
}

#[test]
fn equal_numbers_keep_the_spelling_of_their_place() {
    becomes(
        ".c = 1",
        r#"{"a":1.5,"b":1.50,"d":15e-1}"#,
        r#"{"a":1.5,"b":1.50,"c":1,"d":15e-1}"#,
    );
}

#[test]
fn a_number_that_is_computed_is_written_as_one() {
    becomes(
        ".b = 0.5 + 0.25\n.c = 7 / 2\n.d = 2 * 3",
        r#"{"a":0.10}"#,
        r#"{"a":0.10,"b":0.75,"c":3.5,"d":6}"#,
    );
}

/// A JSON number in one of its spellings.
fn number() -> impl Strategy<Value = String> {
    let digits = "(0|[1-9][0-9]{0,24})";
    let fraction = proptest::option::of("[0-9]{1,20}");
    let exponent = proptest::option::of("[eE][+-]?[0-9]{1,2}");
    (any::<bool>(), digits, fraction, exponent).prop_map(|(negative, digits, fraction, exponent)| {
        let sign = if negative { "-" } else { "" };
        let fraction = fraction.map_or_else(String::new, |fraction| format!(".{fraction}"));
        format!("{sign}{digits}{fraction}{}", exponent.unwrap_or_default())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A transform that leaves the numbers alone leaves every digit.
    #[test]
    fn no_digit_is_lost(numbers in proptest::collection::vec(number(), 1..12)) {
        let event = format!("{{\"n\":[{}]}}", numbers.join(","));
        let (payload, _) = transform(".x = true", &event).unwrap();
        prop_assert_eq!(payload, format!("{{\"n\":[{}],\"x\":true}}", numbers.join(",")));
    }
}
