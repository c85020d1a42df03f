//! Numbers on their way through VRL, which knows `i64` and `f64` only, without losing their digits.
//!
//! An integer that fits is handed over as one. Every other number becomes the nearest double, and its text is remembered
//! under the bits of that double; a double that comes back with those bits is written with that text. Where two numbers
//! that differ (`12345678901234567890` and `…891`) have the same nearest double, the later one takes the next free double,
//! so that both come back as they were. Numbers that are equal but spelled differently (`1.5`, `1.50`) share a double, and
//! the place decides: the spelling that stood at this path, else the first.
//!
//! The limits: a program sees such a number as a double (and, in the case of a collision, as one a few units in the last
//! place away); a double that a program computes and that happens to equal a remembered one is written with the remembered
//! text, which is the same number to a double's precision.

use std::collections::HashMap;

use vrl::prelude::NotNan;
use vrl::value::Value;

use crate::json::Number;

/// The numbers of one event.
#[derive(Default)]
pub(super) struct Numbers {
    by_bits: HashMap<u64, Remembered>,
}

/// The spellings of one number, each with the path where it stood.
struct Remembered {
    decimal: Decimal,
    spellings: Vec<(String, String)>,
}

impl Numbers {
    /// The value a program sees for this text at this path.
    pub(super) fn hand_over(&mut self, text: &str, path: &str) -> Value {
        if let Ok(integer) = text.parse::<i64>()
            && text != "-0"
        {
            return Value::Integer(integer);
        }
        let nearest: f64 = text.parse().unwrap_or_default();
        let decimal = Decimal::of(text);
        let mut double = nearest;
        // Ends: there are fewer numbers in an event than doubles between here and the largest.
        while let Some(other) = self.by_bits.get(&double.to_bits())
            && other.decimal != decimal
        {
            double = if double == f64::MAX {
                nearest.next_down()
            } else {
                double.next_up()
            };
        }
        self.by_bits
            .entry(double.to_bits())
            .or_insert_with(|| Remembered {
                decimal,
                spellings: Vec::new(),
            })
            .spellings
            .push((path.to_owned(), text.to_owned()));
        NotNan::new(double).map_or(Value::Null, Value::Float)
    }

    /// The text of a double that comes back at this path; `None` for the infinities, which JSON has not.
    pub(super) fn take_back(&self, double: f64, path: &str) -> Option<Number> {
        let Some(remembered) = self.by_bits.get(&double.to_bits()) else {
            return Number::from_f64(double);
        };
        let same_place = remembered.spellings.iter().find(|(place, _)| place == path);
        let (_, text) = same_place.or(remembered.spellings.first())?;
        Number::parse(text.as_str())
    }
}

/// A number's exact value: sign, digits without zeros at either end, and the power of ten of the last digit.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn of(text: &str) -> Self {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        // An exponent beyond i64 belongs to 0 or underflows to it; saturating keeps unequal texts unequal enough.
        let exponent = exponent.trim_start_matches('+').parse().unwrap_or(i64::MIN);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: String = [whole, fraction].concat();
        let significant = all.trim_end_matches('0');
        let dropped = all.len() - significant.len();
        let digits = significant.trim_start_matches('0').to_owned();
        let shift =
            i64::try_from(dropped).unwrap_or_default() - i64::try_from(fraction.len()).unwrap_or_default();
        let exponent = if digits.is_empty() {
            0
        } else {
            i64::saturating_add(exponent, shift)
        };
        Self {
            negative,
            digits,
            exponent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn equal(a: &str, b: &str, expected: bool) {
        assert_eq!(Decimal::of(a) == Decimal::of(b), expected, "{a} and {b}");
    }

    #[test]
    fn equal_numbers_are_told_from_unequal_ones_whatever_their_spelling() {
        equal("1.5", "1.50", true);
        equal("100", "1E2", true);
        equal("1e+2", "1E2", true);
        equal("0.10", "1e-1", true);
        equal("0", "0.000e9", true);
        equal("0", "-0", false);
        equal("12345678901234567890", "12345678901234567891", false);
        equal("1e-400", "0", false);
        equal("10", "1", false);
    }
}
