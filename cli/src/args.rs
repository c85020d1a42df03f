//! Values that several commands take on the command line, as types: what cannot be read never reaches a command.

use std::ffi::OsStr;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{TypedValueParser, ValueParserFactory};
use clap::error::ErrorKind;
use clap::{Arg, Command};
use jiff::Timestamp;
use mef_crds::DurationText;
use mef_pipeline::dead_letter::DeadReason;
use mef_receiver::{Clock as _, SystemClock};

use crate::data::DataFolder;

/// Where `mef dev` keeps queues and secrets.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DataArg {
    /// Folder of `mef dev`: queues, generated secrets, and how to reach the running process
    #[arg(long, value_name = "FOLDER", default_value = ".mef")]
    data: PathBuf,
}

impl DataArg {
    pub(crate) fn folder(&self) -> DataFolder {
        DataFolder::new(self.data.clone())
    }
}

/// Presets of the user's own beside the FILEs.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PresetArg {
    /// A file or folder with presets of your own; may be given several times. They may stand among the FILEs as well
    #[arg(long, value_name = "FILE")]
    preset: Vec<PathBuf>,
}

impl PresetArg {
    /// The FILEs and those of the presets: what they hold is told apart when they are read.
    pub(crate) fn with(&self, files: &[PathBuf]) -> Vec<PathBuf> {
        files.iter().chain(&self.preset).cloned().collect()
    }
}

/// A moment: RFC 3339 (`2026-11-25T03:00:00Z`), Unix seconds, or for `--since` and `--until` a duration (`10m`: so long ago).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    At(Timestamp),
    Ago(Duration),
}

impl Moment {
    /// The moment, seen from now.
    pub(crate) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.checked_sub(ago).unwrap_or(Timestamp::MIN),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(duration) = DurationText(text.to_owned()).to_duration() {
            return Ok(Self::Ago(duration));
        }
        timestamp(text)
            .map(Self::At)
            .map_err(|error| format!("{error}, or how long ago (90s, 10m, 2h, 1d)"))
    }
}

/// The time now, read at the edge.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// Reads RFC 3339 or Unix seconds.
pub(crate) fn timestamp(text: &str) -> Result<Timestamp, String> {
    let seconds = text
        .parse::<i64>()
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok());
    match seconds {
        Some(at) => Ok(at),
        None => text.parse().map_err(|_| {
            format!("{text:?} is no time; write RFC 3339 (2026-11-25T03:00:00Z) or Unix seconds")
        }),
    }
}

/// Reads the word of a dead letter's reason.
pub(crate) fn dead_reason(text: &str) -> Result<DeadReason, String> {
    DeadReason::ALL
        .into_iter()
        .find(|reason| reason.as_str() == text)
        .ok_or_else(|| {
            let known = DeadReason::ALL.map(DeadReason::as_str).join(", ");
            format!("{text:?} is no reason of a dead letter; expected one of {known}")
        })
}

/// `NAME=@FILE` or `NAME/KEY=@FILE`: where the value of a Secret's key is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretFile {
    /// The Secret's name.
    pub(crate) name: String,
    /// Its key; without one every key the sources read.
    pub(crate) key: Option<String>,
    /// The file that holds the value.
    pub(crate) path: PathBuf,
}

impl FromStr for SecretFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The text may hold a secret, so no message repeats it.
        let expected = "expected NAME=@FILE or NAME/KEY=@FILE, as in zoom-webhook/secretToken=@token.txt";
        let (target, value) = text.split_once('=').ok_or(expected)?;
        let path = value.strip_prefix('@').ok_or_else(|| {
            format!("{expected}; a value on the command line would be visible to every user of this machine")
        })?;
        let (name, key) = match target.split_once('/') {
            Some((name, key)) => (name, Some(key.to_owned())),
            None => (target, None),
        };
        if name.is_empty() || path.is_empty() || key.as_deref() == Some("") {
            return Err(expected.to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            key,
            path: PathBuf::from(path),
        })
    }
}

/// `@FILE`: where a secret is read from that no source names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretPath(pub(crate) PathBuf);

impl FromStr for SecretPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The text may be the secret, so no message repeats it.
        match text.strip_prefix('@') {
            Some(path) if !path.is_empty() => Ok(Self(PathBuf::from(path))),
            _ => Err(
                "expected @FILE; a value on the command line would be visible to every user of this machine"
                    .to_owned(),
            ),
        }
    }
}

/// Reads an option whose text may be a secret: the usual complaint repeats what was typed.
#[derive(Clone)]
pub(crate) struct Concealed<T>(PhantomData<fn() -> T>);

impl<T: FromStr<Err = String> + Clone + Send + Sync + 'static> TypedValueParser for Concealed<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        let text = value.to_str().ok_or_else(|| "it is not UTF-8".to_owned());
        text.and_then(str::parse).map_err(|message| {
            let option = arg.map(ToString::to_string).unwrap_or_default();
            let message = format!("the value of '{option}' is not what is meant: {message}\n");
            clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

impl ValueParserFactory for SecretFile {
    type Parser = Concealed<Self>;

    fn value_parser() -> Self::Parser {
        Concealed(PhantomData)
    }
}

impl ValueParserFactory for SecretPath {
    type Parser = Concealed<Self>;

    fn value_parser() -> Self::Parser {
        Concealed(PhantomData)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Moment, SecretFile, dead_reason, timestamp};

    #[test]
    fn moments_are_dates_seconds_or_durations_ago() {
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        assert_eq!("1700000000".parse(), Ok(Moment::At(at)));
        assert_eq!("2023-11-14T22:13:20Z".parse(), Ok(Moment::At(at)));
        assert_eq!("10m".parse(), Ok(Moment::Ago(Duration::from_secs(600))));
        assert_eq!(
            "10s".parse::<Moment>().unwrap().resolve(at).as_second(),
            1_699_999_990
        );
        assert!("yesterday".parse::<Moment>().unwrap_err().contains("10m"));
        assert!(timestamp("10m").is_err());
    }

    #[test]
    fn secrets_come_from_files_only_and_are_never_repeated() {
        let parsed: SecretFile = "zoom/token=@a=b".parse().unwrap();
        assert_eq!(
            (parsed.key.as_deref(), parsed.path),
            (Some("token"), PathBuf::from("a=b"))
        );
        assert_eq!("zoom=@f".parse::<SecretFile>().unwrap().key, None);
        let error = "zoom=hunter2".parse::<SecretFile>().unwrap_err();
        assert!(error.contains("visible") && !error.contains("hunter2"), "{error}");
        for broken in ["zoom", "=@f", "zoom=@", "zoom/=@f"] {
            assert!(broken.parse::<SecretFile>().is_err(), "{broken}");
        }
    }

    #[test]
    fn an_unknown_reason_lists_the_known_ones() {
        assert!(dead_reason("schema").is_ok());
        assert!(dead_reason("shema").unwrap_err().contains("unparsable, schema"));
    }
}
