//! `mef preset new`: what somebody knows of a sender, asked or given as options → a preset file, tried on a captured request.

use std::io::stdin;
use std::path::PathBuf;

use clap::ValueEnum;
use jiff::Timestamp;
use mef_crds::{Encoding, Hash, KeyEncoding, SignatureSource, TimeUnit, TokenScheme};
use mef_pipeline::diagnostics::{Problem, has_errors};
use mef_pipeline::manifest::{Manifests, SourceText};
use mef_pipeline::preset::{Issuer, Preset};

use super::questions::Questions;
use super::trying::Capture;
use super::wanted::{Places, Proof, Wanted};
use crate::args::{SecretPath, timestamp};
use crate::failure::{Failure, Outcome};
use crate::output::{Output, printable};
use crate::yaml;

/// Write a preset of your own
///
/// Asks what it needs and is not told by options, and prints the preset on stdout; questions and findings go to stderr. With
/// --request and --secret the preset is tried on a captured request before it is printed. With --guess it is found out of
/// them how the sender signs: hash, encoding, prefix and what is signed are tried in all common combinations.
///
/// What is printed is short and complete. Correct in it what only you know: the set-up steps, how long the sender waits,
/// whether it tries again. Then check it with `mef check`, and name the file to other commands with --preset.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mef preset new > acme.yaml                                    asks
  mef preset new --name acme --header x-acme-signature --encoding hex --sign '{body}' > acme.yaml
  mef preset new --name acme --header x-acme-signature --sign '{ts}.{body}' --timestamp x-acme-time \\
      --request captured.http --secret @secret.txt > acme.yaml
  mef preset new --name acme --guess --request captured.http --secret @secret.txt > acme.yaml

Exit codes: 1 the captured request is refused, or nothing that was tried fits it.")]
pub(crate) struct New {
    /// The value of spec.webhook.provider, as acme
    #[arg(long)]
    pub(super) name: Option<String>,
    /// The sender's name as people write it; default: the name
    #[arg(long)]
    pub(super) title: Option<String>,
    /// Where the proof stands: a header's name, query:NAME or json:/POINTER
    #[arg(long, value_name = "HEADER")]
    pub(super) header: Option<String>,
    /// What the proof is [default: hmac]
    #[arg(long, value_enum)]
    pub(super) proof: Option<ProofArg>,
    /// The word before a token
    #[arg(long, value_enum)]
    pub(super) scheme: Option<SchemeArg>,
    /// The text before the signature, as sha256=
    #[arg(long, value_name = "TEXT")]
    pub(super) prefix: Option<String>,
    /// How the signature is written [default: hex]
    #[arg(long, value_enum)]
    pub(super) encoding: Option<EncodingArg>,
    /// The hash function of the HMAC [default: sha256]
    #[arg(long, value_enum)]
    pub(super) hash: Option<HashArg>,
    /// How the secret's text becomes the key [default: utf8]
    #[arg(long, value_enum)]
    pub(super) key: Option<KeyArg>,
    /// What is signed, as '{body}' or '{ts}.{body}' [default: {body}]
    #[arg(long, value_name = "TEMPLATE")]
    pub(super) sign: Option<String>,
    /// Where {ts} stands: a header's name, query:NAME or json:/POINTER
    #[arg(long, value_name = "HEADER")]
    pub(super) timestamp: Option<String>,
    /// How {ts} is written [default: seconds]
    #[arg(long, value_enum)]
    pub(super) timestamp_unit: Option<UnitArg>,
    /// Where {id} stands: a header's name, query:NAME or json:/POINTER
    #[arg(long, value_name = "HEADER")]
    pub(super) id: Option<String>,
    /// Where the event's type stands: a pointer into the JSON body, as /type, or header:NAME
    #[arg(long, value_name = "POINTER")]
    pub(super) event_type: Option<String>,
    /// Who makes the secret up [default: user]
    #[arg(long, value_enum)]
    pub(super) issued_by: Option<IssuerArg>,
    /// The URL under which the sender knows the endpoint, where {url} is signed
    #[arg(long, value_name = "URL")]
    pub(super) public_url: Option<String>,
    /// A captured request to try it on, as `mef explain` reads it
    #[arg(long, value_name = "REQUEST", requires = "secret")]
    pub(super) request: Option<PathBuf>,
    /// The file that holds the secret of that request, as @secret.txt
    #[arg(long, value_name = "@FILE", requires = "request")]
    pub(super) secret: Option<SecretPath>,
    /// The time at which the request is judged, RFC 3339 or Unix seconds; default: now
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    pub(super) at: Option<Timestamp>,
    /// Find out of the captured request how it is signed
    #[arg(long, requires_all = ["request", "secret"],
          conflicts_with_all = ["proof", "scheme", "prefix", "encoding", "hash", "key", "sign", "timestamp", "timestamp_unit", "id"])]
    pub(super) guess: bool,
}

/// An option's words and what each stands for.
macro_rules! words {
    ($name:ident, $of:ty, $($word:ident),+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
        pub(super) enum $name { $($word),+ }

        impl From<$name> for $of {
            fn from(word: $name) -> Self {
                match word { $($name::$word => Self::$word),+ }
            }
        }
    };
}

words!(EncodingArg, Encoding, Hex, Base64);
words!(HashArg, Hash, Sha1, Sha256, Sha512);
words!(KeyArg, KeyEncoding, Utf8, Hex, Base64, Whsec);
words!(UnitArg, TimeUnit, Seconds, Milliseconds, Iso8601);
words!(IssuerArg, Issuer, User, Vendor);
words!(SchemeArg, TokenScheme, Bearer, Basic, Splunk);

/// What the proof is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProofArg {
    /// A keyed MAC of what is signed.
    Hmac,
    /// The secret itself.
    Token,
}

impl New {
    pub(crate) fn run(&self, output: Output) -> Outcome {
        let capture = self.capture()?;
        let asks = self.name.is_none() || (self.header.is_none() && !self.guess);
        let wanted = if asks {
            let mut questions = Questions::new(stdin().lock(), output);
            self.asked(&mut questions)?.told(capture.as_ref(), output)?
        } else {
            self.told(capture.as_ref(), output)?
        };
        let preset = wanted.preset();
        let text = written(&preset)?;
        refuse_unsound(&wanted.name, &text, output)?;
        if let Some(capture) = capture {
            self.try_on(&wanted, &capture, output)?;
        }
        if output.is_json() {
            return output.document(&preset);
        }
        output.bytes(text.as_bytes())
    }

    /// Everything from options and their defaults.
    fn told(&self, capture: Option<&Capture>, output: Output) -> Outcome<Wanted> {
        let name = self.name.clone().unwrap_or_default();
        let (proof, places) = match capture {
            Some(capture) if self.guess => self.guessed(capture, output)?,
            _ => (self.proof(), self.places()),
        };
        Ok(Wanted {
            title: self.title.clone().unwrap_or_else(|| titled(&name)),
            name,
            proof,
            places,
            event_type: self.event_type.as_deref().map(in_body),
            issued_by: self.issued_by.map_or(Issuer::User, Issuer::from),
        })
    }

    fn proof(&self) -> Proof {
        let from = in_header(self.header.as_deref().unwrap_or_default());
        if self.proof == Some(ProofArg::Token) {
            return Proof::Token {
                from,
                scheme: self.scheme.map(TokenScheme::from),
            };
        }
        Proof::Hmac {
            hash: self.hash.map_or(Hash::Sha256, Hash::from),
            key: self.key.map_or(KeyEncoding::Utf8, KeyEncoding::from),
            sign: self.sign.clone().unwrap_or_else(|| "{body}".to_owned()),
            signature: Box::new(SignatureSource {
                from: Some(from),
                prefix: self.prefix.clone().filter(|prefix| !prefix.is_empty()),
                ..SignatureSource::default()
            }),
            encoding: self.encoding.map_or(Encoding::Hex, Encoding::from),
        }
    }

    fn places(&self) -> Places {
        let unit = self.timestamp_unit.map_or(TimeUnit::Seconds, TimeUnit::from);
        Places {
            timestamp: self.timestamp.as_deref().map(|from| (in_header(from), unit)),
            id: self.id.as_deref().map(in_header),
        }
    }
}

/// A header's name becomes a value source; a value source stays one.
fn in_header(text: &str) -> String {
    match text.split_once(':') {
        Some(("header", name)) => format!("header:{}", name.trim().to_ascii_lowercase()),
        Some(("query" | "json" | "form", _)) => text.to_owned(),
        _ => format!("header:{}", text.to_ascii_lowercase()),
    }
}

/// A pointer becomes a value source; a value source stays one.
fn in_body(text: &str) -> String {
    match text.split_once(':') {
        Some(("header" | "query" | "json", _)) => text.to_owned(),
        _ => format!("json:/{}", text.trim_start_matches('/')),
    }
}

/// `acme-doors` → `Acme doors`.
pub(super) fn titled(name: &str) -> String {
    let text = name.replace('-', " ");
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// The preset as a file, without what says nothing.
fn written(preset: &Preset) -> Outcome<String> {
    let unwritable = |error| Failure::Unreachable(format!("cannot write YAML: {error}"));
    let mut value = serde_yaml::to_value(preset).map_err(unwritable)?;
    if let Some(fields) = value.as_mapping_mut() {
        fields.retain(|_, field| field.as_mapping().is_none_or(|fields| !fields.is_empty()));
    }
    yaml::text(&value)
}

/// What is printed is what `mef check` takes: it is read again as it would read it.
fn refuse_unsound(name: &str, text: &str, output: Output) -> Outcome {
    let manifests = Manifests::read(&[SourceText {
        file: PathBuf::from("preset"),
        text: text.to_owned(),
    }]);
    let problems = manifests.problems().iter().map(|problem| Problem {
        file: None,
        ..problem.clone()
    });
    let problems: Vec<_> = problems.collect();
    for problem in &problems {
        output.note(printable(&problem.to_string()));
    }
    if has_errors(&problems) {
        return Err(Failure::Usage(printable(&format!(
            "{name:?} cannot be written as a preset"
        ))));
    }
    Ok(())
}
