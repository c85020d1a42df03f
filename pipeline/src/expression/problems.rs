//! What VRL says about a program, as problems with line and column inside the program's text.

use vrl::diagnostic::{Diagnostic, DiagnosticList, Label, Note, Span};

use super::functions;
use crate::diagnostics::{Level, Problem};

/// The problems of a list, each at its place.
pub(super) fn problems(field: &str, program: &str, list: DiagnosticList) -> Vec<Problem> {
    list.into_iter()
        .map(|diagnostic| problem(field, program, &diagnostic))
        .collect()
}

fn problem(field: &str, program: &str, diagnostic: &Diagnostic) -> Problem {
    let label = place(&diagnostic.labels);
    let mut problem = explain_left_out(field, program, diagnostic).unwrap_or_else(|| {
        let problem = Problem::error(field, sentence(program, diagnostic));
        match help(&diagnostic.notes) {
            Some(help) => problem.help(help),
            None => problem,
        }
    });
    if let Some(label) = label {
        let (line, column) = position(program, label.span.start());
        problem = problem.at(line, column);
    }
    if !diagnostic.is_problem() {
        problem.level = Level::Warning;
    }
    problem
}

/// A call of a function that VRL has and programs here may not use.
fn explain_left_out(field: &str, program: &str, diagnostic: &Diagnostic) -> Option<Problem> {
    let label = place(&diagnostic.labels)?;
    let name = called_name(program.get(label.span.range())?);
    let undefined = diagnostic.message.contains("undefined function");
    let reason = undefined.then(|| functions::left_out(name)).flatten()?;
    let message = format!("the function `{name}` is left out on purpose: {reason}");
    Some(
        Problem::error(field, message)
            .help("see the list of functions in the documentation of filter and transform"),
    )
}

/// The name at the start of a call.
fn called_name(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    text.split_at(end).0
}

/// The label that says where: the primary one that has a place.
fn place(labels: &[Label]) -> Option<&Label> {
    labels
        .iter()
        .filter(|label| label.span != Span::default())
        .max_by_key(|label| label.primary)
        .or(labels.first())
}

/// Message and labels as one sentence on one line. VRL does not name the function it does not know.
fn sentence(program: &str, diagnostic: &Diagnostic) -> String {
    let mut sentence = diagnostic.message.clone();
    if sentence.contains("undefined function")
        && let Some(call) = place(&diagnostic.labels).and_then(|label| program.get(label.span.range()))
    {
        let named = format!("undefined function `{}`", called_name(call));
        sentence = sentence.replace("undefined function", &named);
    }
    let variable = sentence.contains("undefined variable");
    if variable
        && let Some(name) = place(&diagnostic.labels).and_then(|label| program.get(label.span.range()))
    {
        sentence = sentence.replace("undefined variable", &format!("undefined variable `{name}`"));
    }
    for label in &diagnostic.labels {
        // Of variables that are equally near VRL names one by chance, another each time: a status would never rest.
        if variable && (label.message.starts_with("did you mean") || label.message == "undefined variable") {
            continue;
        }
        if !label.message.is_empty() && !sentence.contains(&label.message) {
            sentence.push_str("; ");
            sentence.push_str(&label.message);
        }
    }
    sentence.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// VRL's notes on one line.
fn help(notes: &[Note]) -> Option<String> {
    let notes: Vec<String> = notes
        .iter()
        .map(|note| note.to_string().trim().to_owned())
        .filter(|note| !note.is_empty())
        .collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// Line and column (in characters) of a byte, both from 1.
pub(super) fn position(program: &str, byte: usize) -> (u32, u32) {
    let mut end = byte.min(program.len());
    while !program.is_char_boundary(end) {
        end -= 1;
    }
    let before = program.split_at(end).0;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.split_at(line_start).1.chars().count() + 1;
    (
        u32::try_from(line).unwrap_or(u32::MAX),
        u32::try_from(column).unwrap_or(u32::MAX),
    )
}
