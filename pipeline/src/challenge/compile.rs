//! From a preset's words to handshakes. What could make an answer an oracle or carry foreign text is refused here.

use mef_crds::Encoding;

use super::act::Act;
use super::answer::{Answer, Body};
use super::{Challenges, Guard, Handshake, Piece, SIGNING};
use crate::diagnostics::{self, Problem};
use crate::preset::{self, Challenge, ChallengeAuth, Preset, Respond, SetUpState, When};
use crate::verify::Verifier;
use crate::verify::pattern::{Pattern, names_host};
use crate::verify::template::{Span, spans};
use crate::verify::value::{ValueSource, is_header_name, is_pointer};

impl Challenges {
    /// Checks a preset's handshakes.
    ///
    /// # Errors
    /// Every problem at once, with the path of its field. A keyed answer needs an anchored guard on the value it signs,
    /// and the guard must not accept what a signed message looks like.
    pub fn compile(preset: &Preset) -> Result<Self, Vec<Problem>> {
        let (verifier, _) = Verifier::compile_words(&preset.verification, "");
        let messages = verifier
            .as_ref()
            .map(Verifier::message_shapes)
            .unwrap_or_default();
        let mut problems = Vec::new();
        let challenges = preset
            .challenges
            .iter()
            .enumerate()
            .filter_map(|(index, words)| {
                let mut compiler = Compiler {
                    field: format!("preset {}: challenges[{index}]", preset.name),
                    problems: &mut problems,
                };
                compiler.challenge(words, &messages)
            })
            .collect();
        if diagnostics::has_errors(&problems) {
            return Err(problems);
        }
        Ok(Self {
            challenges,
            allowlist: Vec::new(),
        })
    }
}

struct Compiler<'p> {
    field: String,
    problems: &'p mut Vec<Problem>,
}

impl Compiler<'_> {
    fn error(&mut self, field: &str, message: impl Into<String>) {
        self.problems
            .push(Problem::error(format!("{}.{field}", self.field), message));
    }

    fn challenge(&mut self, words: &Challenge, messages: &[String]) -> Option<Handshake> {
        let before = self.problems.len();
        let Challenge {
            when,
            auth,
            guard,
            act,
            respond,
        } = words;
        let When {
            method,
            header,
            query,
            json,
            json_has,
            state,
        } = when;
        let method = self.method(when, method.as_deref().unwrap_or("POST"));
        for name in header.iter().filter(|name| !is_header_name(name)) {
            self.error("when.header", format!("{name:?} is no header name"));
        }
        for pointer in json.keys().chain(json_has).filter(|pointer| !is_pointer(pointer)) {
            self.error(
                "when",
                format!("{pointer:?} is no JSON pointer: expected / and keys, as /event"),
            );
        }
        let guards: Vec<(ValueSource, Guard)> = guard
            .iter()
            .filter_map(|(source, text)| self.guard(source, text))
            .collect();
        let act = act.as_ref().and_then(|act| self.act(act, *auth, *state, &guards));
        let answer = self.answer(respond);
        let mut signs = Vec::new();
        if let Some(answer) = &answer {
            self.check_echo(answer, &guards);
            signs = self.check_keyed(answer, &guards, messages);
        }
        if *auth == ChallengeAuth::Verified {
            signs.clear();
        }
        (self.problems.len() == before).then_some(Handshake {
            method,
            headers: header.iter().map(|name| name.to_ascii_lowercase()).collect(),
            query: query.clone(),
            json: json.clone().into_iter().collect(),
            json_has: json_has.clone(),
            state: *state,
            auth: *auth,
            guards,
            act,
            answer: answer?,
            signs,
        })
    }

    fn method(&mut self, when: &When, method: &str) -> String {
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            self.error(
                "when.method",
                format!("{method:?} is no method: expected upper case, as GET"),
            );
        }
        let When {
            header,
            query,
            json,
            json_has,
            ..
        } = when;
        if method == "POST" && header.is_empty() && query.is_empty() && json.is_empty() && json_has.is_empty()
        {
            self.error(
                "when",
                "tells no handshake from an event: every POST would be one",
            );
        }
        method.to_owned()
    }

    fn guard(&mut self, source: &str, text: &str) -> Option<(ValueSource, Guard)> {
        let field = format!("guard[{source}]");
        let source = self.source(&field, source)?;
        let guard = match text {
            preset::ALLOWLIST => Guard::Allowlist,
            _ => match text.strip_prefix("secret:") {
                Some("") => {
                    self.error(&field, "secret: names no use, as in secret:verify_token");
                    return None;
                }
                Some(usage) => Guard::Secret(usage.to_owned()),
                None => match Pattern::parse(text) {
                    Ok(pattern) => Guard::Pattern(pattern),
                    Err(error) => {
                        self.error(&field, error.to_string());
                        return None;
                    }
                },
            },
        };
        Some((source, guard))
    }

    /// Nothing is called that an unverified caller names, and no secret is taken in the place of one that is there.
    fn act(
        &mut self,
        words: &preset::Act,
        auth: ChallengeAuth,
        state: Option<SetUpState>,
        guards: &[(ValueSource, Guard)],
    ) -> Option<Act> {
        match words {
            preset::Act {
                get: Some(text),
                allow: Some(allow),
                capture: None,
            } => {
                if auth != ChallengeAuth::Verified {
                    self.error(
                        "act.get",
                        "needs auth: Verified, or anybody could have us call a URL",
                    );
                }
                let source = self.source("act.get", text);
                let allow = match Pattern::parse(allow) {
                    Ok(pattern) if names_host(allow) => Some(pattern),
                    Ok(_) => {
                        self.error(
                            "act.allow",
                            format!("{allow:?} leaves the host open: it must start with ^https:// and a host, then /"),
                        );
                        None
                    }
                    Err(error) => {
                        self.error("act.allow", error.to_string());
                        None
                    }
                };
                Some(Act::Get {
                    source: source?,
                    allow: allow?,
                })
            }
            preset::Act {
                get: None,
                allow: None,
                capture: Some(text),
            } => {
                if state != Some(SetUpState::NoSecretConfigured) {
                    self.error(
                        "act.capture",
                        "needs when.state: NoSecretConfigured, or a caller could put its own secret in the place of yours",
                    );
                }
                let source = self.source("act.capture", text)?;
                let guarded = |(guarded, guard): &(ValueSource, Guard)| {
                    *guarded == source && matches!(guard, Guard::Pattern(_))
                };
                if !guards.iter().any(guarded) {
                    self.error(
                        "guard",
                        format!(
                            "{source} becomes a secret and has no anchored regular expression as its guard"
                        ),
                    );
                }
                Some(Act::Capture(source))
            }
            _ => {
                self.error("act", "expected get and allow, or capture alone");
                None
            }
        }
    }

    fn source(&mut self, field: &str, text: &str) -> Option<ValueSource> {
        match text.parse() {
            Ok(ValueSource::SignatureTimestamp) => {
                self.error(field, "sig.ts is only known to verification.timestamp");
                None
            }
            Ok(source) => Some(source),
            Err(error) => {
                self.error(field, error.to_string());
                None
            }
        }
    }

    fn answer(&mut self, words: &Respond) -> Option<Answer> {
        let Respond {
            status,
            json,
            text,
            headers,
        } = words;
        if !(200..600).contains(status) {
            self.error(
                "respond.status",
                format!("{status} is no status of an answer: expected 200 to 599"),
            );
        }
        let body = match (json, text) {
            (Some(_), Some(_)) => {
                self.error("respond", "json and text exclude each other");
                return None;
            }
            (None, None) => Body::Empty,
            (None, Some(text)) => Body::Text(self.pieces("respond.text", text)?),
            (Some(fields), None) => Body::Json(
                fields
                    .iter()
                    .filter_map(|(key, text)| {
                        Some((key.clone(), self.pieces(&format!("respond.json[{key}]"), text)?))
                    })
                    .collect(),
            ),
        };
        let mut checked = Vec::new();
        for (name, text) in headers {
            let field = format!("respond.headers[{name}]");
            let owned = ["content-type", "x-content-type-options", "content-length"];
            if !is_header_name(name) {
                self.error(&field, format!("{name:?} is no header name"));
            } else if !matches!(body, Body::Empty) && owned.contains(&name.to_ascii_lowercase().as_str()) {
                // What the answer is must not depend on data; presets copied from a vendor's page may name it anyway.
                continue;
            }
            checked.extend(self.pieces(&field, text).map(|pieces| (name.clone(), pieces)));
        }
        Some(Answer {
            status: *status,
            body,
            headers: checked,
        })
    }

    fn pieces(&mut self, field: &str, text: &str) -> Option<Vec<Piece>> {
        let spans = match spans(text) {
            Ok(spans) => spans,
            Err(error) => {
                self.error(field, error.to_string());
                return None;
            }
        };
        spans
            .into_iter()
            .map(|span| match span {
                Span::Literal(literal) => Some(Piece::Literal(literal.to_owned())),
                Span::Placeholder(placeholder) => match placeholder.split_once(':') {
                    Some(("hmac.hex", source)) => {
                        Some(Piece::Hmac(Encoding::Hex, self.source(field, source)?))
                    }
                    Some(("hmac.base64", source)) => {
                        Some(Piece::Hmac(Encoding::Base64, self.source(field, source)?))
                    }
                    Some(("header" | "query" | "json" | "form", _)) => {
                        Some(Piece::Value(self.source(field, placeholder)?))
                    }
                    _ => {
                        self.error(
                            field,
                            format!(
                                "{{{placeholder}}} is no placeholder of an answer: expected {{header:NAME}}, \
                                 {{query:NAME}}, {{json:/POINTER}}, {{form:NAME}}, {{hmac.hex:SOURCE}} or \
                                 {{hmac.base64:SOURCE}}"
                            ),
                        );
                        None
                    }
                },
            })
            .collect()
    }

    /// Text of the request in a text answer or a header needs a guard; a JSON answer is serialised.
    fn check_echo(&mut self, answer: &Answer, guards: &[(ValueSource, Guard)]) {
        let text = match &answer.body {
            Body::Text(pieces) => pieces.as_slice(),
            Body::Empty | Body::Json(_) => &[],
        };
        let headers = answer.headers.iter().flat_map(|(_, pieces)| pieces);
        for piece in text.iter().chain(headers) {
            if let Piece::Value(source) = piece
                && !guards.iter().any(|(guarded, _)| guarded == source)
            {
                self.error("guard", format!("{source} is sent back as text and has no guard"));
            }
        }
    }

    /// The guards of what the answer signs.
    fn check_keyed(
        &mut self,
        answer: &Answer,
        guards: &[(ValueSource, Guard)],
        messages: &[String],
    ) -> Vec<Pattern> {
        let mut signs = Vec::new();
        let body: Vec<&Piece> = match &answer.body {
            Body::Text(pieces) => pieces.iter().collect(),
            Body::Json(fields) => fields.values().flatten().collect(),
            Body::Empty => Vec::new(),
        };
        let headers = answer.headers.iter().flat_map(|(_, pieces)| pieces);
        for piece in body.into_iter().chain(headers) {
            let Piece::Hmac(_, source) = piece else {
                continue;
            };
            let pattern = guards.iter().find_map(|(guarded, guard)| match guard {
                Guard::Pattern(pattern) if guarded == source => Some(pattern),
                Guard::Pattern(_) | Guard::Secret(_) | Guard::Allowlist => None,
            });
            match pattern {
                None => self.error(
                    "guard",
                    format!(
                        "{source} is signed with the {SIGNING} secret and has no anchored regular expression as its \
                         guard: anybody could have events signed"
                    ),
                ),
                Some(pattern) => {
                    if let Some(message) = messages.iter().find(|message| pattern.matches(message)) {
                        self.error(
                            &format!("guard[{source}]"),
                            format!("accepts {message:?}, which is what a signed message looks like"),
                        );
                    }
                    signs.push(pattern.clone());
                }
            }
        }
        signs
    }
}
