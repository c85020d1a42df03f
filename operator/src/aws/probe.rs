//! Whether the URL of a stack is answered by its source: the request to send, and what its answer means. Pure.
//!
//! A stack that is complete may still not be reached: a custom domain that points elsewhere, a stage nobody deployed, a
//! function that does not start. One request tells, which a receiver refuses and never takes for an event.

use mef_crds::{DEFINITION_HEADER, Reason};

use crate::source::status::Aspect;

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// The definition it says it is of, where a receiver answered.
    pub definition: Option<String>,
}

/// The gateway takes no more requests just now: nothing is known of what stands behind it.
const TOO_MANY: u16 = 429;
/// Characters of a definition's short digest.
const SHORT_DIGEST: usize = 12;

/// The method to ask with: one that events come with.
#[must_use]
pub fn method(methods: &[String]) -> &str {
    let events = methods.iter().find(|method| *method == "POST");
    events.or(methods.first()).map_or("POST", String::as_str)
}

/// Where to ask. Emulators do not have the names of gateways in DNS; both that we know serve them under this path of their own
/// address (<https://docs.localstack.cloud/aws/services/apigateway/>, "path-based routing").
#[must_use]
pub fn address(url: &str, endpoint: Option<&str>) -> String {
    let emulated = endpoint.and_then(|endpoint| {
        let (host, path) = url.strip_prefix("https://")?.split_once('/')?;
        let (id, _) = host.split_once(".execute-api.")?;
        let endpoint = endpoint.trim_end_matches('/');
        Some(format!("{endpoint}/_aws/execute-api/{id}/{path}"))
    });
    emulated.unwrap_or_else(|| url.to_owned())
}

/// The definition an answer's header names, where it is a receiver's.
#[must_use]
pub fn definition(header: Option<&[u8]>) -> Option<String> {
    let text = std::str::from_utf8(header?).ok()?;
    let is_digest = text.len() == SHORT_DIGEST && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| text.to_owned())
}

/// What an answer, or none, says of the endpoint; nothing, where it says nothing new.
#[must_use]
pub fn judge(answered: &Result<Answer, String>) -> Option<Aspect> {
    match answered {
        Ok(Answer {
            definition: Some(definition),
            ..
        }) => Some(Aspect::yes(
            Reason::Answering,
            format!("the definition {definition} answers at the URL"),
        )),
        Ok(Answer { status: TOO_MANY, .. }) => None,
        Ok(Answer { status, .. }) => Some(Aspect::no(
            Reason::ProbeFailed,
            format!(
                "the URL answers {status} without {DEFINITION_HEADER}: {}",
                likely(*status)
            ),
        )),
        Err(why) => Some(Aspect::no(
            Reason::ProbeFailed,
            format!(
                "the operator cannot reach the URL: {why}; look at its DNS name and at the operator's way out, or set \
                 probeEndpoints: false in the chart's values"
            ),
        )),
    }
}

/// The likely cause, by how API Gateway answers for itself
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>).
fn likely(status: u16) -> &'static str {
    match status {
        403 | 404 => {
            "no route of the source's API is there; does the domain's mapping lead to another API or stage?"
        }
        500..=599 => "the gateway gets no answer of the function; its log group says why",
        _ => "somebody else's server answers; does the domain's name lead elsewhere?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_sent_as_events_are() {
        let methods = |list: &[&str]| list.iter().map(|method| (*method).to_owned()).collect::<Vec<_>>();
        assert_eq!(method(&methods(&["GET", "POST"])), "POST");
        assert_eq!(method(&methods(&["PUT"])), "PUT");
        assert_eq!(method(&[]), "POST");
    }

    #[test]
    fn an_emulator_is_asked_at_its_own_address_and_a_domain_of_ones_own_never() {
        let url = "https://a1b2.execute-api.eu-central-1.amazonaws.com/v1/zoom";
        assert_eq!(address(url, None), url);
        assert_eq!(
            address(url, Some("http://127.0.0.1:4566/")),
            "http://127.0.0.1:4566/_aws/execute-api/a1b2/v1/zoom"
        );
        let own = "https://hooks.example.org/zoom";
        assert_eq!(address(own, Some("http://127.0.0.1:4566")), own);
    }

    #[test]
    fn only_a_digest_names_a_definition() {
        assert_eq!(definition(Some(b"3fa1c0ffee00")).as_deref(), Some("3fa1c0ffee00"));
        for other in [&b""[..], b"yes", b"3fa1c0ffee0g", b"3fa1c0ffee001", b"\xff\xff"] {
            assert_eq!(definition(Some(other)), None, "{other:?}");
        }
        assert_eq!(definition(None), None);
    }

    #[test]
    fn an_answer_is_the_sources_or_it_is_not() {
        let answered = |status, definition: Option<&str>| {
            judge(&Ok(Answer {
                status,
                definition: definition.map(str::to_owned),
            }))
        };
        let aspect = answered(401, Some("3fa1c0ffee00")).unwrap();
        assert_eq!((aspect.holds, aspect.reason), (Some(true), Reason::Answering));
        for (status, cause) in [(403, "mapping"), (502, "log group"), (200, "elsewhere")] {
            let aspect = answered(status, None).unwrap();
            assert_eq!((aspect.holds, aspect.reason), (Some(false), Reason::ProbeFailed));
            assert!(aspect.message.contains(cause), "{}", aspect.message);
        }
        // Busy is not broken.
        assert_eq!(answered(429, None), None);
        let away = judge(&Err("no answer within 10 s".to_owned())).unwrap();
        assert_eq!(away.reason, Reason::ProbeFailed);
        assert!(away.message.contains("within 10 s"), "{}", away.message);
    }
}
