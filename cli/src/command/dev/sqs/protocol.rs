//! SQS's JSON protocol: what can be asked, as types, and errors with the codes that clients know. Pure.

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What a client is told went wrong.
#[derive(Debug)]
pub(super) struct Fault {
    /// The shape's name, as SDKs of today read it.
    shape: &'static str,
    /// The code, as it was in the query protocol and as SDKs still show it.
    code: &'static str,
    status: StatusCode,
    message: String,
}

impl Fault {
    fn of(shape: &'static str, code: &'static str, message: String) -> Self {
        Self {
            shape,
            code,
            status: StatusCode::BAD_REQUEST,
            message,
        }
    }

    pub(super) fn no_such_queue(known: &[String]) -> Self {
        Self::of(
            "com.amazonaws.sqs#QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
            format!(
                "The specified queue does not exist; there are {}",
                known.join(", ")
            ),
        )
    }

    pub(super) fn invalid(name: &str, value: &str, expected: &str) -> Self {
        Self::of(
            "com.amazon.coral.service#InvalidParameterValueException",
            "InvalidParameterValue",
            format!("Value {value} for parameter {name} is invalid. Reason: {expected}."),
        )
    }

    pub(super) fn missing(name: &str) -> Self {
        Self::of(
            "com.amazon.coral.service#MissingRequiredParameterException",
            "MissingParameter",
            format!("The request must contain the parameter {name}."),
        )
    }

    pub(super) fn attribute(name: &str) -> Self {
        Self::of(
            "com.amazonaws.sqs#InvalidAttributeName",
            "InvalidAttributeName",
            format!("Unknown Attribute {name}."),
        )
    }

    pub(super) fn handle() -> Self {
        Self::of(
            "com.amazonaws.sqs#ReceiptHandleIsInvalid",
            "ReceiptHandleIsInvalid",
            "The input receipt handle is invalid.".to_owned(),
        )
    }

    pub(super) fn not_in_flight() -> Self {
        Self::of(
            "com.amazonaws.sqs#MessageNotInflight",
            "AWS.SimpleQueueService.MessageNotInflight",
            "The message is not in flight: its visibility timeout is over, or it was deleted.".to_owned(),
        )
    }

    pub(super) fn batch(shape: &'static str, code: &'static str, message: &str) -> Self {
        Self::of(shape, code, message.to_owned())
    }

    pub(super) fn unsupported(operation: &str) -> Self {
        Self::of(
            "com.amazonaws.sqs#UnsupportedOperation",
            "AWS.SimpleQueueService.UnsupportedOperation",
            format!(
                "{operation} is not possible here: this queue is filled by its source alone, and can only be read. To put an \
                 event into it, send it to the source (mef send)."
            ),
        )
    }

    pub(super) fn invalid_action(message: String) -> Self {
        Self::of(
            "com.amazon.coral.service#UnknownOperationException",
            "InvalidAction",
            message,
        )
    }

    pub(super) fn unreadable(message: String) -> Self {
        Self::of(
            "com.amazon.coral.service#SerializationException",
            "MalformedInput",
            message,
        )
    }

    pub(super) fn denied(message: String) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            ..Self::of(
                "com.amazon.coral.service#AccessDeniedException",
                "AccessDenied",
                message,
            )
        }
    }

    pub(super) fn unavailable(message: String) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            ..Self::of(
                "com.amazon.coral.service#ServiceUnavailableException",
                "ServiceUnavailable",
                message,
            )
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// The code and whose fault it is, for SDKs that were made for the query protocol.
    pub(super) fn query_error(&self) -> String {
        let whose = if self.status.is_server_error() {
            "Receiver"
        } else {
            "Sender"
        };
        format!("{};{whose}", self.code)
    }

    pub(super) fn body(&self) -> Vec<u8> {
        json!({"__type": self.shape, "message": self.message})
            .to_string()
            .into_bytes()
    }

    /// As an entry of a batch's `Failed`.
    pub(super) fn entry(&self, id: &str) -> Value {
        json!({
            "Id": id,
            "SenderFault": !self.status.is_server_error(),
            "Code": self.code,
            "Message": self.message,
        })
    }
}

/// Reads a request's body.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Fault::unreadable(error.to_string()))
}

/// A whole number within bounds.
pub(super) fn bounded(
    name: &str,
    value: Option<i64>,
    default: i64,
    bounds: std::ops::RangeInclusive<i64>,
) -> Result<u64, Fault> {
    let value = value.unwrap_or(default);
    if !bounds.contains(&value) {
        let expected = format!(
            "Must be between {} and {}, if provided",
            bounds.start(),
            bounds.end()
        );
        return Err(Fault::invalid(name, &value.to_string(), &expected));
    }
    Ok(value.unsigned_abs())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueues {
    pub(super) queue_name_prefix: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetQueueUrl {
    pub(super) queue_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetQueueAttributes {
    pub(super) queue_url: Option<String>,
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessage {
    pub(super) queue_url: Option<String>,
    pub(super) max_number_of_messages: Option<i64>,
    pub(super) visibility_timeout: Option<i64>,
    pub(super) wait_time_seconds: Option<i64>,
    /// The older name of the next.
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) message_system_attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) message_attribute_names: Vec<String>,
}

/// `DeleteMessage`, and an entry of its batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteMessage {
    pub(super) queue_url: Option<String>,
    pub(super) id: Option<String>,
    pub(super) receipt_handle: Option<String>,
}

/// `ChangeMessageVisibility`, and an entry of its batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeMessageVisibility {
    pub(super) queue_url: Option<String>,
    pub(super) id: Option<String>,
    pub(super) receipt_handle: Option<String>,
    pub(super) visibility_timeout: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<T> {
    pub(super) queue_url: Option<String>,
    #[serde(default = "Vec::new")]
    pub(super) entries: Vec<T>,
}

/// What has an id within a batch.
pub(super) trait Entry {
    fn id(&self) -> Option<&str>;
}

impl Entry for DeleteMessage {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl Entry for ChangeMessageVisibility {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// Entries in a batch at most.
const MOST_ENTRIES: usize = 10;

impl<T: Entry> Batch<T> {
    /// The entries with their ids, where SQS would take them.
    pub(super) fn checked(&self) -> Result<Vec<(&str, &T)>, Fault> {
        let refused =
            |code: &'static str, shape: &'static str, message: &str| Fault::batch(shape, code, message);
        if self.entries.is_empty() {
            return Err(refused(
                "AWS.SimpleQueueService.EmptyBatchRequest",
                "com.amazonaws.sqs#EmptyBatchRequest",
                "There should be at least one entry in the request.",
            ));
        }
        if self.entries.len() > MOST_ENTRIES {
            return Err(refused(
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
                "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
                "Maximum number of entries per request are 10.",
            ));
        }
        let mut found: Vec<(&str, &T)> = Vec::new();
        for entry in &self.entries {
            let id = entry.id().ok_or_else(|| Fault::missing("Id"))?;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if id.is_empty() || id.len() > 80 || !id.bytes().all(plain) {
                return Err(refused(
                    "AWS.SimpleQueueService.InvalidBatchEntryId",
                    "com.amazonaws.sqs#InvalidBatchEntryId",
                    "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
                ));
            }
            if found.iter().any(|(known, _)| *known == id) {
                return Err(refused(
                    "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
                    "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
                    "Two or more batch entries in the request have the same Id.",
                ));
            }
            found.push((id, entry));
        }
        Ok(found)
    }
}
