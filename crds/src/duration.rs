//! Durations as people write them in YAML: `300s`, `5m`, `1h30m`, `7d`.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A duration such as `300s`, `5m`, `1h30m` or `7d`: whole numbers, each with one of the units `s`, `m`, `h`, `d`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct DurationText(
    #[schemars(length(min = 2, max = 20), regex(pattern = r"^([0-9]{1,7}[smhd])+$"))] pub String,
);

/// The text is no duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidDuration(pub String);

impl fmt::Display for InvalidDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a duration; write whole numbers with units, as in 300s, 5m, 1h30m or 7d",
            self.0
        )
    }
}

impl std::error::Error for InvalidDuration {}

impl DurationText {
    /// The duration this text stands for.
    ///
    /// # Errors
    /// When the text is not a sequence of whole numbers with units, or is longer than a `u64` of seconds.
    pub fn to_duration(&self) -> Result<Duration, InvalidDuration> {
        let invalid = || InvalidDuration(self.0.clone());
        let mut seconds: u64 = 0;
        let mut number: Option<u64> = None;
        for character in self.0.chars() {
            let factor = match character {
                '0'..='9' => {
                    let digit = u64::from(character as u32 - '0' as u32);
                    let next = number
                        .unwrap_or(0)
                        .checked_mul(10)
                        .and_then(|n| n.checked_add(digit));
                    number = Some(next.ok_or_else(invalid)?);
                    continue;
                }
                's' => 1,
                'm' => 60,
                'h' => 3_600,
                'd' => 86_400,
                _ => return Err(invalid()),
            };
            let amount = number.take().ok_or_else(invalid)?;
            seconds = amount
                .checked_mul(factor)
                .and_then(|s| s.checked_add(seconds))
                .ok_or_else(invalid)?;
        }
        if number.is_some() || self.0.is_empty() {
            return Err(invalid());
        }
        Ok(Duration::from_secs(seconds))
    }
}
