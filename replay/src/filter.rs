//! The selection's filter: VRL over a letter's frame, bounded in time. It reads the clock, and nothing else of this crate's
//! selection does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mef_pipeline::expression::LetterFilter;

use super::select::FrameFilter;

/// How long the filter may take over one letter.
const LONGEST_FILTER: Duration = Duration::from_secs(1);

/// Compiles a filter: VRL, in which `.` is the dead letter's frame and `.event` its parsed body or null.
///
/// # Errors
/// The first mistake, with its place.
pub fn frame_filter(text: &str) -> Result<FrameFilter, String> {
    let filter = LetterFilter::compile(text).map_err(|problems| {
        let first = problems.first().map(|problem| {
            let place = problem
                .line
                .zip(problem.column)
                .map(|(line, column)| format!("line {line}, column {column}: "));
            format!("{}{}", place.unwrap_or_default(), problem.message)
        });
        first.unwrap_or_default()
    })?;
    Ok(Arc::new(move |letter| {
        let until = Instant::now() + LONGEST_FILTER;
        filter
            .takes(letter, &|| Instant::now() >= until)
            .map_err(|detail| detail.message)
    }))
}
