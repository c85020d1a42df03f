//! Answers of the page's API: JSON, and errors as a sentence.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;
use tokio::task::spawn_blocking;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// What was asked makes no sense.
    #[error("{0}")]
    Asked(String),
    /// There is no such thing, or no longer.
    #[error("{0}")]
    Gone(String),
    /// The files on the disk have mistakes.
    #[error("{}", .0.join("\n"))]
    Files(Vec<String>),
    /// Too many at once.
    #[error("{0}")]
    Busy(String),
    /// What it needs cannot be had.
    #[error("{0}")]
    Failed(String),
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Self::Asked(_) => StatusCode::BAD_REQUEST,
            Self::Gone(_) => StatusCode::NOT_FOUND,
            Self::Files(_) => StatusCode::CONFLICT,
            Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

#[derive(Serialize)]
struct Sentence {
    error: String,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response<Body> {
        let sentence = Sentence {
            error: self.to_string(),
        };
        (self.status(), Json(sentence)).into_response()
    }
}

/// A value as JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response<Body> {
        let kind = HeaderValue::from_static("application/json");
        match serde_json::to_vec(&self.0) {
            Ok(text) => ([(CONTENT_TYPE, kind)], text).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// Does what reads files or goes through much memory on a thread that may take its time.
pub(super) async fn at_leisure<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<Json<T>, Refused> {
    spawn_blocking(work)
        .await
        .unwrap_or_else(|_| {
            Err(Refused::Failed(
                "a defect of the program; please report it".to_owned(),
            ))
        })
        .map(Json)
}
