//! From the words of a preset or a user to a verifier. Everything that can be known to be wrong before the first request
//! is found here, all of it at once, each with the path of its field.

mod body_digest;
mod http_sig;
mod ip_allow;
mod jwt;
mod mtls;
mod parameters;
mod pubkey;
mod signed;
mod token;

use mef_crds::{AllOf, Hash, Parameters, Primitive as Words, Verification, Webhook};
use ring::digest;

pub(crate) use parameters::{reads_allowlist, token_parameters};

use crate::diagnostics::Problem;
use crate::preset::ALLOWLIST;
use crate::verify::pattern::Pattern;
use crate::verify::primitive::{Kind, Primitive};
use crate::verify::signature::Signatures;
use crate::verify::template::{Piece, Template};
use crate::verify::value::ValueSource;
use crate::verify::{Alternative, Requirement, TimestampRule, Verifier};

const ALTERNATIVES: usize = 4;

impl Verifier {
    /// Checks a verification for one source. `verification` is the preset's or the user's own, `webhook` the source's.
    ///
    /// # Errors
    /// Every problem at once, with the path of its field.
    pub fn compile(verification: &Verification, webhook: &Webhook) -> Result<Self, Vec<Problem>> {
        let root = match &webhook.provider {
            Some(name) => format!("preset {name}: verification"),
            None => "spec.webhook.verification".to_owned(),
        };
        let (verifier, mut problems) = Compiler::new(verification, root, webhook.parameters.as_ref()).run();
        let Some(mut verifier) = verifier else {
            return Err(problems);
        };
        verifier.public_url.clone_from(&webhook.public_url);
        verifier.allowlist = webhook
            .parameters
            .as_ref()
            .map(Parameters::allowlist)
            .unwrap_or_default();
        if verifier.public_url.is_none() && verifier.reads_url() {
            problems.push(
                Problem::error(
                    "spec.webhook.publicUrl",
                    "the signature covers the URL, and the URL under which the sender knows the endpoint is not set",
                )
                .help("set spec.webhook.publicUrl; it is never taken from the Host header, which a caller chooses"),
            );
        }
        verifier.set_front(webhook, &mut problems);
        verifier.warn_of_unknown_url(&mut problems);
        verifier.set_tolerance(webhook, &mut problems);
        let (errors, warnings): (Vec<_>, Vec<_>) = problems
            .into_iter()
            .partition(|problem| problem.level == crate::diagnostics::Level::Error);
        if errors.is_empty() {
            verifier.warnings = warnings;
            Ok(verifier)
        } else {
            Err(errors.into_iter().chain(warnings).collect())
        }
    }

    /// Checks a verification by itself: what a source adds (URL, tolerance) is left open.
    pub(crate) fn compile_words(verification: &Verification, root: &str) -> (Option<Self>, Vec<Problem>) {
        Compiler::new(verification, root.to_owned(), None).run()
    }

    fn reads_url(&self) -> bool {
        self.primitives().any(|primitive| {
            primitive.kind.templates().any(Template::reads_url) || primitive.kind.requires_url()
        })
    }

    /// Which components a signature covers is the sender's choice, and most cover the host.
    fn warn_of_unknown_url(&self, problems: &mut Vec<Problem>) {
        let http_sig = |primitive: &Primitive| matches!(primitive.kind, Kind::HttpSig(_));
        if self.public_url.is_none() && !self.reads_url() && self.primitives().any(http_sig) {
            problems.push(
                Problem::warning(
                    "spec.webhook.publicUrl",
                    "is not set, so signatures that cover @authority, @scheme or @target-uri are refused",
                )
                .help("set it to the URL under which the sender knows the endpoint; it is never taken from the Host header"),
            );
        }
    }

    fn set_tolerance(&mut self, webhook: &Webhook, problems: &mut Vec<Problem>) {
        let Some(tolerance) = &webhook.tolerance else {
            return;
        };
        let mut judged = false;
        let primitives = self
            .alternatives
            .iter_mut()
            .flat_map(|alternative| &mut alternative.primitives);
        for primitive in primitives {
            if let (Kind::HttpSig(http_sig), Ok(tolerance)) = (&mut primitive.kind, tolerance.to_duration()) {
                http_sig.max_age = Some(tolerance);
                judged = true;
            }
        }
        match (&mut self.timestamp, tolerance.to_duration()) {
            (Some(rule), Ok(tolerance)) => rule.tolerance = Some(tolerance),
            (None, Ok(_)) if judged => {}
            (None, _) => problems.push(
                Problem::error(
                    "spec.webhook.tolerance",
                    "the sender signs no time, so there is no age to judge",
                )
                .help("remove spec.webhook.tolerance"),
            ),
            (_, Err(error)) => problems.push(Problem::error("spec.webhook.tolerance", error.to_string())),
        }
    }
}

struct Compiler<'w> {
    words: &'w Verification,
    root: String,
    parameters: Option<&'w Parameters>,
    problems: Vec<Problem>,
}

impl<'w> Compiler<'w> {
    fn new(words: &'w Verification, root: String, parameters: Option<&'w Parameters>) -> Self {
        Self {
            words,
            root,
            parameters,
            problems: Vec::new(),
        }
    }

    fn run(mut self) -> (Option<Verifier>, Vec<Problem>) {
        let count = self.words.any.len();
        if count == 0 || count > ALTERNATIVES {
            self.error(
                "any",
                format!(
                    "has {count} alternatives: expected 1 to {ALTERNATIVES}, or nothing proves a request"
                ),
            );
        }
        let timestamp = self.timestamp();
        let id = self.words.id.as_ref().and_then(|text| self.source("id", text));
        let require = self.require();
        let alternatives = (0..count).map(|index| self.alternative(index)).collect();
        let verifier = Verifier {
            alternatives,
            timestamp,
            id,
            require,
            allowlist: Vec::new(),
            public_url: None,
            warnings: Vec::new(),
        };
        self.check_timestamp(&verifier);
        let failed = crate::diagnostics::has_errors(&self.problems);
        ((!failed).then_some(verifier), self.problems)
    }

    fn error(&mut self, field: &str, message: impl Into<String>) {
        self.problems
            .push(Problem::error(format!("{}.{field}", self.root), message));
    }

    fn source(&mut self, field: &str, text: &str) -> Option<ValueSource> {
        match text.parse() {
            Ok(ValueSource::SignatureTimestamp) => {
                self.error(field, "sig.ts is only known to timestamp.from");
                None
            }
            Ok(source) => Some(source),
            Err(error) => {
                self.error(field, error.to_string());
                None
            }
        }
    }

    fn timestamp(&mut self) -> Option<TimestampRule> {
        let words = self.words.timestamp.as_ref()?;
        let source = match words.from.as_str() {
            "sig.ts" => Some(ValueSource::SignatureTimestamp),
            text => self.source("timestamp.from", text),
        };
        let tolerance = match words.tolerance.as_ref().map(mef_crds::DurationText::to_duration) {
            None => None,
            Some(Ok(tolerance)) => Some(tolerance),
            Some(Err(error)) => {
                self.error("timestamp.tolerance", error.to_string());
                None
            }
        };
        Some(TimestampRule {
            source: source?,
            unit: words.unit,
            tolerance,
        })
    }

    fn require(&mut self) -> Vec<(ValueSource, Requirement)> {
        let mut required = Vec::new();
        for (text, regex) in &self.words.require {
            let field = format!("require[{text}]");
            let source = self.source(&field, text);
            if regex == ALLOWLIST {
                required.extend(source.map(|source| (source, Requirement::Allowlist)));
                continue;
            }
            match Pattern::parse(regex) {
                Ok(pattern) => required.extend(source.map(|source| (source, Requirement::Pattern(pattern)))),
                Err(error) => self.error(&field, error.to_string()),
            }
        }
        required
    }

    fn alternative(&mut self, index: usize) -> Alternative {
        let AllOf { all } = &self.words.any[index];
        let field = format!("any[{index}]");
        if all.is_empty() {
            self.error(
                &format!("{field}.all"),
                "is empty: an alternative without a primitive would accept anything",
            );
        }
        let primitives: Vec<Primitive> = all
            .iter()
            .enumerate()
            .filter_map(|(index, words)| self.primitive(&format!("{field}.all[{index}]"), words))
            .collect();
        self.check_hashes(&primitives);
        self.check_addresses(&field, &primitives);
        Alternative { primitives }
    }

    fn primitive(&mut self, field: &str, words: &Words) -> Option<Primitive> {
        let Words {
            hmac,
            digest,
            token,
            body_digest,
            pubkey,
            jwt,
            http_sig,
            mtls,
            ip_allow,
        } = words;
        let given = [
            hmac.is_some(),
            digest.is_some(),
            token.is_some(),
            body_digest.is_some(),
            pubkey.is_some(),
            jwt.is_some(),
            http_sig.is_some(),
            mtls.is_some(),
            ip_allow.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() != 1 {
            self.error(
                field,
                "exactly one of hmac, digest, token, bodyDigest, pubkey, jwt, httpSig, mtls and ipAllow must be set",
            );
            return None;
        }
        let at = |name: &str| format!("{field}.{name}");
        let (name, kind) = if let Some(words) = hmac {
            ("hmac", self.hmac(&at("hmac"), words))
        } else if let Some(words) = digest {
            ("digest", self.digest(&at("digest"), words))
        } else if let Some(words) = token {
            ("token", self.token(&at("token"), words))
        } else if let Some(words) = body_digest {
            ("bodyDigest", self.body_digest(&at("bodyDigest"), words))
        } else if let Some(words) = pubkey {
            ("pubkey", self.pubkey(&at("pubkey"), words))
        } else if let Some(words) = jwt {
            ("jwt", self.jwt(&at("jwt"), words))
        } else if let Some(words) = http_sig {
            ("httpSig", self.http_sig(&at("httpSig"), words))
        } else if let Some(words) = mtls {
            ("mtls", self.mtls(&at("mtls"), words))
        } else {
            let words = ip_allow.as_ref()?;
            ("ipAllow", self.ip_allow(&at("ipAllow"), words))
        };
        Some(Primitive {
            field: format!("{field}.{name}"),
            kind: kind?,
        })
    }

    /// A time that is judged must be signed, or a replay only needs a new one.
    fn check_timestamp(&mut self, verifier: &Verifier) {
        let Some(rule) = &verifier.timestamp else {
            return;
        };
        for (index, alternative) in verifier.alternatives.iter().enumerate() {
            let kinds = || alternative.primitives.iter().map(|primitive| &primitive.kind);
            let field = format!("any[{index}]");
            if rule.source == ValueSource::SignatureTimestamp
                && !kinds()
                    .filter_map(Kind::signatures)
                    .any(Signatures::has_timestamp)
            {
                self.error(
                    &field,
                    "timestamp.from is sig.ts, and no signature.keyed.timestamp of this alternative names its key",
                );
            }
            let covered = kinds().any(|kind| {
                kind.templates()
                    .any(|template| template.has(&Piece::Timestamp) || template.covers(&rule.source))
            });
            if rule.tolerance.is_some() && !covered {
                self.problems.push(
                    Problem::warning(
                        format!("{}.{field}", self.root),
                        format!(
                            "{} is not signed, so a replayed request only needs a new time",
                            rule.source
                        ),
                    )
                    .help("put {ts} into the signed content where the sender signs it"),
                );
            }
        }
    }
}

fn usage(given: Option<&String>, default: &str) -> String {
    given.cloned().unwrap_or_else(|| default.to_owned())
}

fn hash_algorithm(hash: Hash) -> &'static digest::Algorithm {
    match hash {
        Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha512 => &digest::SHA512,
    }
}
