//! What `mef preset new` asks, and in which order: only what no option told, and only what matters after the answers before.

use std::io::BufRead;

use clap::ValueEnum;

use super::new::{New, ProofArg, SchemeArg, titled};
use super::questions::Questions;
use crate::failure::Outcome;

impl New {
    /// Asks for what no option told.
    pub(super) fn asked<R: BufRead>(&self, questions: &mut Questions<R>) -> Outcome<Self> {
        let mut full = Self {
            name: Some(text(
                &self.name,
                questions,
                "The preset's name, as acme",
                "--name",
                None,
            )?),
            ..self.empty()
        };
        let title = titled(full.name.as_deref().unwrap_or_default());
        full.title = Some(text(
            &self.title,
            questions,
            "The sender's name as people write it",
            "--title",
            Some(&title),
        )?);
        if !self.guess {
            full.header = Some(text(
                &self.header,
                questions,
                "The header that carries the proof, as x-acme-signature",
                "--header",
                None,
            )?);
            let question = "Is it a signature of the request (hmac), or the secret itself (token)?";
            full.proof = Some(word(self.proof, questions, question, "--proof", "hmac")?);
            if full.proof == Some(ProofArg::Token) {
                full.ask_token(self, questions)?;
            } else {
                full.ask_hmac(self, questions)?;
            }
        }
        let question =
            "Where the event's type stands: a pointer into the JSON body, as /type, or header:NAME";
        full.event_type = optional(&self.event_type, questions, question, "--event-type")?;
        let question = "Who makes the secret up: user or vendor?";
        full.issued_by = Some(word(self.issued_by, questions, question, "--issued-by", "user")?);
        Ok(full)
    }

    fn ask_token<R: BufRead>(&mut self, given: &Self, questions: &mut Questions<R>) -> Outcome {
        self.scheme = match given.scheme {
            Some(scheme) => Some(scheme),
            None => questions.ask(
                "The word before it: bearer, basic or splunk",
                "--scheme",
                Some(""),
                |answer| {
                    let some = Some(answer).filter(|answer| !answer.is_empty());
                    some.map(|answer| SchemeArg::from_str(answer, true)).transpose()
                },
            )?,
        };
        Ok(())
    }

    fn ask_hmac<R: BufRead>(&mut self, given: &Self, questions: &mut Questions<R>) -> Outcome {
        self.prefix = optional(
            &given.prefix,
            questions,
            "The text before the signature, as sha256=",
            "--prefix",
        )?;
        let question = "How it is written: hex or base64?";
        self.encoding = Some(word(given.encoding, questions, question, "--encoding", "hex")?);
        let question = "The hash function: sha1, sha256 or sha512?";
        self.hash = Some(word(given.hash, questions, question, "--hash", "sha256")?);
        let question = "What is signed, as {body} or {ts}.{body}";
        let sign = text(&given.sign, questions, question, "--sign", Some("{body}"))?;
        if sign.contains("{ts}") {
            let question = "The header with the time, as x-acme-timestamp";
            self.timestamp = Some(text(&given.timestamp, questions, question, "--timestamp", None)?);
            let question = "How the time is written: seconds, milliseconds or iso8601?";
            self.timestamp_unit = Some(word(
                given.timestamp_unit,
                questions,
                question,
                "--timestamp-unit",
                "seconds",
            )?);
        }
        if sign.contains("{id}") {
            let question = "The header with the id, as x-acme-id";
            self.id = Some(text(&given.id, questions, question, "--id", None)?);
        }
        self.sign = Some(sign);
        let question = "How the secret's text becomes the key: utf8 (as it is), hex, base64 or whsec?";
        self.key = Some(word(given.key, questions, question, "--key", "utf8")?);
        Ok(())
    }

    /// What is not asked stays as it was given.
    fn empty(&self) -> Self {
        Self {
            name: None,
            title: None,
            header: self.header.clone(),
            proof: None,
            scheme: None,
            prefix: None,
            encoding: None,
            hash: None,
            key: None,
            sign: None,
            timestamp: None,
            timestamp_unit: None,
            id: None,
            event_type: None,
            issued_by: None,
            public_url: self.public_url.clone(),
            request: self.request.clone(),
            secret: self.secret.clone(),
            at: self.at,
            guess: self.guess,
        }
    }
}

fn text<R: BufRead>(
    given: &Option<String>,
    questions: &mut Questions<R>,
    question: &str,
    option: &str,
    default: Option<&str>,
) -> Outcome<String> {
    match given {
        Some(text) => Ok(text.clone()),
        None => questions.ask(question, option, default, |answer| match answer {
            "" => Err("an answer is needed".to_owned()),
            answer => Ok(answer.to_owned()),
        }),
    }
}

fn optional<R: BufRead>(
    given: &Option<String>,
    questions: &mut Questions<R>,
    question: &str,
    option: &str,
) -> Outcome<Option<String>> {
    match given {
        Some(text) => Ok(Some(text.clone())),
        None => questions.ask(question, option, Some(""), |answer| {
            Ok(Some(answer.to_owned()).filter(|answer| !answer.is_empty()))
        }),
    }
}

fn word<R: BufRead, T: ValueEnum>(
    given: Option<T>,
    questions: &mut Questions<R>,
    question: &str,
    option: &str,
    default: &str,
) -> Outcome<T> {
    match given {
        Some(word) => Ok(word),
        None => questions.ask(question, option, Some(default), |answer| {
            T::from_str(answer, true).map_err(|_| format!("{answer:?} is none of them"))
        }),
    }
}
