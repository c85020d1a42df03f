//! What an error of SQS means for a message. Codes come as those of the JSON protocol or as the older ones of the query
//! protocol, which `x-amzn-query-error` still carries; both are known here.

use std::error::Error;

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use crate::{QueueError, SendError};

/// What to do about an error of a call that sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// This message will never be taken.
    Refused(String),
    /// The messages of the call are too large together, or one of them is at fault: they are worth a call each.
    Apart(String),
    /// Not now.
    Unavailable(String),
}

impl Meaning {
    pub(super) fn into_error(self) -> SendError {
        match self {
            Self::Refused(why) | Self::Apart(why) => SendError::Refused(why),
            Self::Unavailable(why) => SendError::Unavailable(why),
        }
    }
}

/// What a code says of a message.
pub(super) fn meaning(code: &str, message: &str) -> Meaning {
    let bare = code.rsplit(['#', '.']).next().unwrap_or(code);
    let text = || format!("{bare}: {message}");
    match bare {
        // Size, characters, attributes.
        "InvalidMessageContents"
        | "InvalidParameterValue"
        | "InvalidAttributeName"
        | "InvalidAttributeValue"
        | "MessageTooLong" => Meaning::Refused(text()),
        "BatchRequestTooLong" | "TooManyEntriesInBatchRequest" => Meaning::Apart(text()),
        "NonExistentQueue" | "QueueDoesNotExist" => Meaning::Unavailable(format!(
            "there is no such queue, or it is in another account or region: {message}"
        )),
        "AccessDenied" | "AccessDeniedException" | "KmsAccessDenied" => {
            Meaning::Unavailable(format!("our role may not do this: {message}"))
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "InvalidSecurity" => {
            Meaning::Unavailable(format!("our credentials are refused ({bare}): {message}"))
        }
        _ => Meaning::Unavailable(text()),
    }
}

/// What a failed call says of every message in it.
pub(super) fn of_call<E>(error: &SdkError<E, HttpResponse>) -> Meaning
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let Some(said) = error.as_service_error() else {
        return Meaning::Unavailable(chain(error));
    };
    let status = error
        .raw_response()
        .map_or(0, |response| response.status().as_u16());
    match said.code() {
        Some(code) if status < 500 => meaning(code, said.message().unwrap_or("it says no more")),
        Some(code) => Meaning::Unavailable(format!("{code} (HTTP {status})")),
        None => Meaning::Unavailable(format!("SQS answered {status}")),
    }
}

/// Why something else than sending failed; `handle` is what it was about, if anything.
pub(super) fn of_read<E>(error: &SdkError<E, HttpResponse>, handle: Option<&str>) -> QueueError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let code = error.as_service_error().and_then(|said| said.code());
    let bare = code.map(|code| code.rsplit(['#', '.']).next().unwrap_or(code));
    match (handle, bare) {
        (
            Some(handle),
            Some(
                "ReceiptHandleIsInvalid" | "MessageNotInflight" | "InvalidParameterValue" | "InvalidIdFormat",
            ),
        ) => QueueError::StaleHandle(handle.to_owned()),
        _ => match of_call(error) {
            Meaning::Refused(why) | Meaning::Apart(why) | Meaning::Unavailable(why) => {
                QueueError::Unavailable(why)
            }
        },
    }
}

/// An error with its causes: the SDK's own sentence alone (`dispatch failure`) tells nobody anything.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_codes_mean_the_same() {
        for code in [
            "InvalidMessageContents",
            "com.amazonaws.sqs#InvalidMessageContents",
            "AWS.SimpleQueueService.InvalidMessageContents",
        ] {
            assert!(matches!(meaning(code, "x"), Meaning::Refused(_)), "{code}");
        }
        for code in [
            "AWS.SimpleQueueService.BatchRequestTooLong",
            "BatchRequestTooLong",
        ] {
            assert!(matches!(meaning(code, "x"), Meaning::Apart(_)), "{code}");
        }
        for code in [
            "ThrottlingException",
            "RequestThrottled",
            "ExpiredToken",
            "KmsDisabled",
            "Unheard",
        ] {
            assert!(matches!(meaning(code, "x"), Meaning::Unavailable(_)), "{code}");
        }
    }
}
