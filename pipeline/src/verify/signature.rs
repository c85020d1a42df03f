//! Signature sources: how a request carries its signatures. Text of the request in, candidates out. The word before a
//! signature selects candidates; it never selects an algorithm.

use mef_crds::{Encoding, KeyedSignature, SignatureSource};

use crate::diagnostics::Problem;
use crate::verify::Unverified;
use crate::verify::encoding::decode;
use crate::verify::value::{Unreadable, ValueSource, View};

/// More than a sender needs in a rotation; a bound on what a forger can make us compute.
const MAX_CANDIDATES: usize = 16;

/// A checked signature source.
#[derive(Clone, Debug)]
pub(crate) struct Signatures {
    pub(crate) places: Vec<ValueSource>,
    pub(crate) shape: Shape,
}

/// How a value is taken apart.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    One { prefix: String },
    List { separator: String, item: String },
    Keyed(KeyedSignature),
}

/// The signatures of one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Candidates {
    /// Their texts, at most 16.
    pub(crate) texts: Vec<String>,
    /// The timestamp beside them.
    pub(crate) timestamp: Option<String>,
}

/// There are no usable signatures.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoCandidates {
    #[error("{0} has no signature")]
    Missing(String),
    #[error("{place} does not start with {prefix:?}")]
    Prefix { place: ValueSource, prefix: String },
    #[error("{0} holds several values joined with a comma")]
    Joined(ValueSource),
    #[error("{place} names its timestamp {key:?} more than once")]
    TimestampTwice { place: ValueSource, key: String },
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl Signatures {
    /// Checks a source; problems at fields below `field`.
    pub(crate) fn compile(
        source: &SignatureSource,
        field: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let SignatureSource {
            from,
            prefix,
            list,
            item,
            keyed,
            any_of,
            series,
        } = source;
        let given = [from.is_some(), !any_of.is_empty(), series.is_some()];
        if given.into_iter().filter(|given| *given).count() != 1 {
            problems.push(Problem::error(
                field,
                "exactly one of from, anyOf and series must say where the signatures are",
            ));
            return None;
        }
        let before = problems.len();
        let mut place = |text: &str, field: String| match text.parse() {
            Ok(ValueSource::SignatureTimestamp) => {
                problems.push(Problem::error(field, "sig.ts is a timestamp, not a signature"));
                None
            }
            Ok(source) => Some(source),
            Err(error) => {
                problems.push(Problem::error(field, error.to_string()));
                None
            }
        };
        let mut places: Vec<ValueSource> = Vec::new();
        places.extend(
            from.iter()
                .filter_map(|text| place(text, format!("{field}.from"))),
        );
        for (index, text) in any_of.iter().enumerate() {
            places.extend(place(text, format!("{field}.anyOf[{index}]")));
        }
        if let Some(series) = series {
            if !series.header.contains("{n}") {
                problems.push(Problem::error(
                    format!("{field}.series.header"),
                    format!("{:?} has no {{n}} where the number stands", series.header),
                ));
                return None;
            }
            for number in 1..=series.max {
                let text = format!("header:{}", series.header.replace("{n}", &number.to_string()));
                places.extend(place(&text, format!("{field}.series.header")));
            }
        }
        let shape = shape(
            prefix.as_ref(),
            list.as_ref(),
            item.as_ref(),
            keyed.as_ref(),
            field,
            problems,
        )?;
        if from.is_none() && !matches!(shape, Shape::One { .. }) {
            problems.push(Problem::error(
                field,
                "list and keyed take one value apart: they need from",
            ));
        }
        (problems.len() == before).then_some(Self { places, shape })
    }

    /// The signatures of a request.
    pub(crate) fn read(&self, view: &View<'_>) -> Result<Candidates, NoCandidates> {
        let mut candidates = Candidates::default();
        for place in &self.places {
            if let Some(value) = view.read(place)? {
                self.shape.take_apart(place, &value, &mut candidates)?;
            }
        }
        if candidates.texts.is_empty() {
            let places: Vec<String> = self.places.iter().take(3).map(ToString::to_string).collect();
            return Err(NoCandidates::Missing(places.join(", ")));
        }
        candidates.texts.truncate(MAX_CANDIDATES);
        Ok(candidates)
    }

    /// The bytes of the candidates, `None` for one that is not of the encoding.
    pub(crate) fn decode(
        &self,
        candidates: &Candidates,
        encoding: Encoding,
    ) -> Result<Vec<Option<Vec<u8>>>, Unverified> {
        let decoded: Vec<_> = candidates
            .texts
            .iter()
            .map(|text| decode(encoding, text))
            .collect();
        if decoded.iter().any(Option::is_some) {
            return Ok(decoded);
        }
        let place = self.places.first().map(ToString::to_string).unwrap_or_default();
        Err(Unverified::malformed(format!(
            "no signature of {place} is written in {encoding:?}"
        )))
    }

    /// Whether there is anything where signatures stand, usable or not.
    pub(crate) fn present(&self, view: &View<'_>) -> bool {
        self.places.iter().any(|place| view.has(place))
    }

    /// Whether the value holds a timestamp too.
    pub(crate) fn has_timestamp(&self) -> bool {
        matches!(
            &self.shape,
            Shape::Keyed(KeyedSignature {
                timestamp: Some(_),
                ..
            })
        )
    }
}

fn shape(
    prefix: Option<&String>,
    list: Option<&String>,
    item: Option<&String>,
    keyed: Option<&KeyedSignature>,
    field: &str,
    problems: &mut Vec<Problem>,
) -> Option<Shape> {
    let text = |value: Option<&String>| value.cloned().unwrap_or_default();
    match (list, keyed) {
        (Some(_), Some(_)) => {
            problems.push(Problem::error(field, "list and keyed exclude each other"));
            None
        }
        (_, _) if prefix.is_some() && (list.is_some() || keyed.is_some()) => {
            problems.push(Problem::error(
                format!("{field}.prefix"),
                "prefix stands before a single signature; with list use item, with keyed name the key in keyed.signature",
            ));
            None
        }
        (None, _) if item.is_some() => {
            problems.push(Problem::error(
                format!("{field}.item"),
                "item is only read with list",
            ));
            None
        }
        (Some(separator), None) if separator.is_empty() => {
            problems.push(Problem::error(format!("{field}.list"), "the separator is empty"));
            None
        }
        (Some(separator), None) => Some(Shape::List {
            separator: separator.clone(),
            item: text(item),
        }),
        (None, Some(keyed)) if keyed.pair.is_empty() || keyed.eq.is_empty() => {
            problems.push(Problem::error(format!("{field}.keyed"), "a separator is empty"));
            None
        }
        (None, Some(keyed)) => Some(Shape::Keyed(keyed.clone())),
        (None, None) => Some(Shape::One { prefix: text(prefix) }),
    }
}

impl Shape {
    fn take_apart(
        &self,
        place: &ValueSource,
        value: &str,
        into: &mut Candidates,
    ) -> Result<(), NoCandidates> {
        match self {
            Self::One { prefix } => {
                let text = value
                    .strip_prefix(prefix.as_str())
                    .ok_or_else(|| NoCandidates::Prefix {
                        place: place.clone(),
                        prefix: prefix.clone(),
                    })?;
                if text.contains(',') {
                    return Err(NoCandidates::Joined(place.clone()));
                }
                into.texts.push(text.to_owned());
            }
            Self::List { separator, item } => {
                for entry in value.split(separator.as_str()).map(trim) {
                    // A proxy that joins two headers puts a comma where the format has none.
                    let joined = |text: &str| !separator.contains(',') && text.contains(',');
                    let Some(text) = entry.strip_prefix(item.as_str()) else {
                        if !separator.contains(',') && entry.ends_with(',') {
                            return Err(NoCandidates::Joined(place.clone()));
                        }
                        continue;
                    };
                    if joined(text) {
                        return Err(NoCandidates::Joined(place.clone()));
                    }
                    into.texts.push(text.to_owned());
                }
            }
            Self::Keyed(keyed) => {
                for pair in value.split(keyed.pair.as_str()).map(trim) {
                    let Some((key, text)) = pair.split_once(keyed.eq.as_str()) else {
                        continue;
                    };
                    let key = trim(key);
                    if key == keyed.signature {
                        into.texts.push(text.to_owned());
                    } else if keyed.timestamp.as_deref() == Some(key)
                        && into.timestamp.replace(text.to_owned()).is_some()
                    {
                        return Err(NoCandidates::TimestampTwice {
                            place: place.clone(),
                            key: key.to_owned(),
                        });
                    }
                }
            }
        }
        Ok(())
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

#[cfg(test)]
mod tests;
