//! What must hold of a preset beyond its types: everything it reads is declared, everything it declares is read, nothing
//! it keeps is a secret, and every claim has its source.

use std::collections::{BTreeMap, BTreeSet};

use mef_crds::{ParameterName, Primitive, Verification};

use super::{
    ALLOWLIST, Ack, BodyFormat, BodyRules, EventFacts, Example, KeyParts, Preset, PresetParameter,
    PresetSecret, Retry, VendorKey, examples,
};
use crate::challenge::Challenges;
use crate::diagnostics::Problem;
use crate::verify::value::{ValueSource, is_header_name, is_pointer};
use crate::verify::{Proofs, Verifier, token_parameters};

impl Preset {
    /// What is wrong with it; all problems at once. What a source adds (URL, secrets, tolerance) is checked by
    /// [`Verifier::compile`].
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        let root = format!("preset {}: ", self.name);
        let mut check = Check {
            root,
            problems: Vec::new(),
        };
        let Self {
            name,
            title,
            description,
            links,
            setup,
            secrets,
            parameters,
            verification,
            keep_headers,
            event,
            vendor_key,
            body,
            challenges: _,
            ack,
            retry,
            message_profile: _,
            examples,
        } = self;
        check.name(name);
        check.text("title", title);
        check.text("description", description);
        for (index, link) in links.iter().enumerate() {
            if !link.starts_with("https://") {
                check.error(&format!("links[{index}]"), format!("{link:?} is no https link"));
            }
        }
        for (index, step) in setup.iter().enumerate() {
            check.setup(&format!("setup[{index}]"), step);
        }
        if !setup.iter().any(|step| step.contains("{url}")) {
            check.error("setup", "no step says where {url} is entered");
        }
        let (verifier, problems) =
            Verifier::compile_words(verification, &format!("{}verification", check.root));
        check.problems.extend(problems);
        if let Err(problems) = Challenges::compile(self) {
            check.problems.extend(problems);
        }
        if let Some(verifier) = &verifier {
            check.secrets(secrets, &self.uses(verifier));
            check.no_secret_in_examples(examples, &verifier.secret_headers());
        }
        let proofs = Proofs::of(verification);
        check.keep_headers(keep_headers, &proofs);
        check.kept_sources("event.type", &event.kind, &proofs);
        let times: Vec<String> = event.time.iter().map(|time| time.from.clone()).collect();
        check.kept_sources("event.time", &times, &proofs);
        if let Some(key) = vendor_key {
            let texts: Vec<String> = key.request.iter().flat_map(|key| key.parts().to_vec()).collect();
            check.kept_sources("vendorKey.request", &texts, &proofs);
        }
        check.parameters(parameters, self.reads_allowlist());
        check.token_parameters(parameters, &token_parameters(verification));
        check.event(event);
        if let Some(key) = vendor_key {
            check.vendor_key(key);
        }
        check.body(body);
        check.token_body(body, verification);
        check.ack(ack);
        check.retry(retry);
        check.examples(examples);
        if check.problems.is_empty() {
            for (field, message) in examples::check(self) {
                check.error(&field, message);
            }
        }
        check.problems
    }

    /// Every use of a secret that it reads, in verification, guards and keyed answers.
    fn uses(&self, verifier: &Verifier) -> BTreeSet<String> {
        let mut uses: BTreeSet<String> = verifier.uses().into_iter().map(str::to_owned).collect();
        for challenge in &self.challenges {
            let guards = challenge
                .guard
                .values()
                .filter_map(|text| text.strip_prefix("secret:"));
            uses.extend(guards.map(str::to_owned));
            let json = challenge.respond.json.iter().flat_map(|fields| fields.values());
            let texts = json
                .chain(&challenge.respond.text)
                .chain(challenge.respond.headers.values());
            if texts.into_iter().any(|text| text.contains("{hmac.")) {
                uses.insert(crate::challenge::SIGNING.to_owned());
            }
        }
        uses
    }
}

struct Check {
    root: String,
    problems: Vec<Problem>,
}

impl Check {
    fn error(&mut self, field: &str, message: impl Into<String>) {
        self.problems
            .push(Problem::error(format!("{}{field}", self.root), message));
    }

    fn text(&mut self, field: &str, text: &str) {
        if text.trim().is_empty() {
            self.error(field, "is empty");
        }
    }

    fn name(&mut self, name: &str) {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let edge = |byte: Option<&u8>| byte.is_some_and(|byte| *byte != b'-');
        let bytes = name.as_bytes();
        let fits = bytes.len() <= 63 && bytes.iter().all(|byte| allowed(*byte));
        if !fits || !edge(bytes.first()) || !edge(bytes.last()) {
            self.error(
                "name",
                format!("{name:?} is no name: expected lower-case letters, digits and -, at most 63"),
            );
        }
    }

    /// Only `{url}` is filled in; a secret is never printed.
    fn setup(&mut self, field: &str, step: &str) {
        self.text(field, step);
        if step.replace("{url}", "").contains(['{', '}']) {
            self.error(field, "only {url} is filled in; a secret is never printed");
        }
    }

    fn secrets(&mut self, secrets: &[PresetSecret], read: &BTreeSet<String>) {
        let mut declared = BTreeSet::new();
        for (index, secret) in secrets.iter().enumerate() {
            let field = format!("secrets[{index}]");
            self.text(&format!("{field}.description"), &secret.description);
            if !declared.insert(secret.usage.clone()) {
                self.error(
                    &format!("{field}.use"),
                    format!("{:?} is declared twice", secret.usage),
                );
            }
            if !read.contains(&secret.usage) {
                self.error(
                    &format!("{field}.use"),
                    format!(
                        "{:?} is read by nothing; the preset reads {}",
                        secret.usage,
                        list(read)
                    ),
                );
            }
        }
        for usage in read.difference(&declared) {
            self.error("secrets", format!("{usage:?} is read and not declared"));
        }
    }

    /// `allowlist` must have one meaning only.
    fn parameters(&mut self, parameters: &[PresetParameter], reads_allowlist: bool) {
        let mut declared = BTreeSet::new();
        for (index, parameter) in parameters.iter().enumerate() {
            let field = format!("parameters[{index}]");
            self.text(&format!("{field}.description"), &parameter.description);
            if !declared.insert(parameter.name) {
                let name = parameter.name.as_str();
                self.error(&format!("{field}.name"), format!("{name:?} is declared twice"));
            }
        }
        let lists = [ParameterName::Topics, ParameterName::Origins];
        let lists = lists.iter().filter(|name| declared.contains(name)).count();
        match (reads_allowlist, lists) {
            (true, 1) | (false, 0) => {}
            (true, _) => self.error(
                "parameters",
                format!("{ALLOWLIST:?} is read, so exactly one of topics and origins must be declared"),
            ),
            (false, _) => self.error(
                "parameters",
                format!("topics or origins are declared, and no requirement or guard reads {ALLOWLIST:?}"),
            ),
        }
    }

    /// A preset may fix what the words leave to the source by needing it, never the other way round.
    fn token_parameters(&mut self, parameters: &[PresetParameter], read: &BTreeMap<ParameterName, bool>) {
        for (index, parameter) in parameters.iter().enumerate() {
            let lists = [ParameterName::Topics, ParameterName::Origins];
            if !lists.contains(&parameter.name) && !read.contains_key(&parameter.name) {
                let name = parameter.name.as_str();
                self.error(
                    &format!("parameters[{index}].name"),
                    format!("{name:?} is read by nothing"),
                );
            }
        }
        for (name, needed) in read {
            let declared = parameters.iter().find(|parameter| parameter.name == *name);
            match declared {
                None if *needed => self.error(
                    "parameters",
                    format!("{:?} is read and not declared", name.as_str()),
                ),
                Some(parameter) if *needed && parameter.optional => self.error(
                    "parameters",
                    format!(
                        "without {:?} no request is accepted, so it is not optional",
                        name.as_str()
                    ),
                ),
                _ => {}
            }
        }
    }

    /// The claims that are read must be those that were verified.
    fn token_body(&mut self, body: &BodyRules, verification: &Verification) {
        let whole = |primitive: &Primitive| primitive.jwt.as_ref().is_some_and(|jwt| jwt.from == "body");
        let verified = verification.any.iter().all(|all_of| all_of.all.iter().any(whole));
        if body.formats.contains(&BodyFormat::Jwt) && !verified {
            self.error(
                "body.formats",
                "Jwt reads claims that nothing has verified: each alternative needs a jwt primitive with from: body",
            );
        }
    }

    fn keep_headers(&mut self, names: &[String], proofs: &Proofs) {
        for (index, name) in names.iter().enumerate() {
            let field = format!("keepHeaders[{index}]");
            if !is_header_name(name) || *name != name.to_ascii_lowercase() {
                self.error(&field, format!("{name:?} is no header name in lower case"));
            }
            self.kept(&field, name, proofs);
        }
    }

    /// Values that later stages read out of headers are kept like those that are listed.
    fn kept_sources(&mut self, field: &str, sources: &[String], proofs: &Proofs) {
        for (index, text) in sources.iter().enumerate() {
            if let Ok(ValueSource::Header(name)) = text.parse() {
                self.kept(&format!("{field}[{index}]"), &name, proofs);
            }
        }
    }

    fn kept(&mut self, field: &str, name: &str, proofs: &Proofs) {
        let name = name.to_ascii_lowercase();
        if proofs.is_credential_header(&name) {
            self.error(
                field,
                format!("{name:?} holds a secret and would be written into every message"),
            );
        } else if proofs.has_header(&name) {
            self.error(
                field,
                format!("{name:?} proves who sent the request and would be written into every message"),
            );
        }
    }

    fn sources(
        &mut self,
        field: &str,
        sources: &[String],
        allowed: fn(&ValueSource) -> bool,
        expected: &str,
    ) {
        for (index, text) in sources.iter().enumerate() {
            let field = format!("{field}[{index}]");
            match text.parse::<ValueSource>() {
                Ok(source) if allowed(&source) => {}
                Ok(_) => self.error(&field, format!("{text:?} is not read here: expected {expected}")),
                Err(error) => self.error(&field, error.to_string()),
            }
        }
    }

    fn event(&mut self, event: &EventFacts) {
        let EventFacts { kind, time } = event;
        self.sources("event.type", kind, of_event, OF_EVENT);
        for (index, time) in time.iter().enumerate() {
            let field = format!("event.time[{index}].from");
            self.sources(&field, std::slice::from_ref(&time.from), of_event, OF_EVENT);
        }
    }

    fn vendor_key(&mut self, key: &VendorKey) {
        let VendorKey {
            request,
            item,
            unique,
            source,
        } = key;
        let texts =
            |keys: &[KeyParts]| -> Vec<String> { keys.iter().flat_map(|key| key.parts().to_vec()).collect() };
        if request.iter().chain(item).any(|key| key.parts().is_empty()) {
            self.error("vendorKey", "has a key of no value");
        }
        self.sources("vendorKey.request", &texts(request), of_event, OF_EVENT);
        self.sources(
            "vendorKey.item",
            &texts(item),
            |source| matches!(source, ValueSource::Json(_)),
            "json:/POINTER into the item",
        );
        if request.is_empty() && item.is_empty() {
            self.error(
                "vendorKey",
                "names no key: leave it out where the vendor sends none",
            );
        }
        if *unique && source.as_ref().is_none_or(|source| source.trim().is_empty()) {
            self.error(
                "vendorKey.source",
                "unique needs the vendor's word for it: without it the bytes count too, so that no event is taken for another",
            );
        }
    }

    fn body(&mut self, body: &BodyRules) {
        let BodyRules {
            formats: _,
            form_field,
            split,
            required_keys,
        } = body;
        if form_field.as_ref().is_some_and(String::is_empty) {
            self.error("body.formField", "is empty");
        }
        if let Some(split) = split
            && !is_pointer(&split.pointer)
        {
            self.error(
                "body.split.pointer",
                format!("{:?} is no JSON pointer", split.pointer),
            );
        }
        if required_keys.iter().any(String::is_empty) {
            self.error("body.requiredKeys", "has an empty key");
        }
    }

    fn ack(&mut self, ack: &Ack) {
        let Ack {
            status,
            body,
            content_type,
            deadline_milliseconds,
            unverified_status,
            invalid,
            source,
        } = ack;
        if !(200..300).contains(status) {
            self.error(
                "ack.status",
                format!("{status} is no success: expected 200 to 299"),
            );
        }
        if body.is_some() != content_type.is_some() {
            self.error("ack", "body and contentType belong together");
        }
        if !(500..=60_000).contains(deadline_milliseconds) {
            self.error(
                "ack.deadlineMilliseconds",
                format!("{deadline_milliseconds} is out of bounds: expected 500 to 60000"),
            );
        }
        for (field, status) in [
            ("ack.unverifiedStatus", *unverified_status),
            ("ack.invalid.status", invalid.as_ref().map(|answer| answer.status)),
        ] {
            if let Some(status) = status
                && !(400..500).contains(&status)
            {
                self.error(field, format!("{status} is no refusal: expected 400 to 499"));
            }
        }
        self.text("ack.source", source);
    }

    fn retry(&mut self, retry: &Retry) {
        let Retry {
            never: _,
            description,
            source,
        } = retry;
        self.text("retry.description", description);
        self.text("retry.source", source);
    }

    /// A token is put there when the example is signed; one that stands in a file is somebody's.
    fn no_secret_in_examples(&mut self, examples: &[Example], secret: &[&str]) {
        for (index, example) in examples.iter().enumerate() {
            let holds = |name: &&String| secret.iter().any(|secret| name.eq_ignore_ascii_case(secret));
            if let Some(name) = example.headers.keys().find(holds) {
                self.error(
                    &format!("examples[{index}].headers"),
                    format!("{name:?} holds a secret, which is put there when the example is signed"),
                );
            }
        }
    }

    fn examples(&mut self, examples: &[Example]) {
        let mut names = BTreeSet::new();
        for (index, example) in examples.iter().enumerate() {
            let Example {
                event,
                headers,
                body: _,
            } = example;
            let field = format!("examples[{index}]");
            self.text(&format!("{field}.event"), event);
            if !names.insert(event) {
                self.error(&format!("{field}.event"), format!("{event:?} names two examples"));
            }
            for name in headers.keys().filter(|name| !is_header_name(name)) {
                self.error(&format!("{field}.headers"), format!("{name:?} is no header name"));
            }
        }
    }
}

const OF_EVENT: &str = "header:NAME, query:NAME, json:/POINTER or member:/POINTER";

fn of_event(source: &ValueSource) -> bool {
    matches!(
        source,
        ValueSource::Header(_) | ValueSource::Query(_) | ValueSource::Json(_) | ValueSource::Member(_)
    )
}

fn list(uses: &BTreeSet<String>) -> String {
    uses.iter()
        .map(|usage| format!("{usage:?}"))
        .collect::<Vec<_>>()
        .join(", ")
}
