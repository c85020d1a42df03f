//! One compiled program, and one run of it within its limits.
//!
//! A run is bounded by [`MAX_STEPS`] expressions, by the caller's clock (stages have none, so the caller hands in a check),
//! and by the size of the result. Loops in VRL go over a collection, so a program ends by itself; the step limit is for
//! large collections. What is not bounded is the memory a program takes that doubles a text in such a loop; its author
//! would do that, no sender can.
//!
//! A panic inside VRL is caught and becomes a failure. Rust prints a panic's message before it can be caught, and that
//! message may hold parts of the event: a binary must install a panic hook that prints the place
//! (`PanicHookInfo::location`) and never the message, and it must be built with `panic = "unwind"`.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use vrl::compiler::runtime::{Runtime, Terminate};
use vrl::compiler::state::{ExternalEnv, RuntimeState};
use vrl::compiler::{
    CompileConfig, ExpressionError, Program as Compiled, TargetValue, TimeZone, compile_with_external,
};
use vrl::diagnostic::DiagnosticMessage as _;
use vrl::diagnostic::Span;
use vrl::path::PathPrefix;
use vrl::value::kind::Collection;
use vrl::value::{Kind, Secrets, Value};

use super::{depth, functions, problems};
use crate::dead_letter::Detail;
use crate::diagnostics::Problem;

/// How many expressions one run may evaluate: a few microseconds each at most for events of usual size.
pub const MAX_STEPS: u32 = 200_000;

/// How many of those pass between two looks at the caller's clock.
const STEPS_BETWEEN_CHECKS: u32 = 64;

/// The longest sentence taken over from VRL, which may quote the event.
const MAX_MESSAGE_CHARS: usize = 500;

/// A compiled program with its text (for positions) and what the compiler warned of.
pub(super) struct Program {
    text: String,
    compiled: Compiled,
    warnings: Vec<Problem>,
}

/// What a run leaves.
pub(super) struct Left {
    /// The value of the whole program.
    pub(super) result: Value,
    /// `.` at the end.
    pub(super) event: Value,
    /// `%` at the end.
    pub(super) metadata: Value,
}

impl Program {
    /// Compiles a program whose `.` is an object of any shape.
    pub(super) fn compile(field: &str, text: &str, config: CompileConfig) -> Result<Self, Vec<Problem>> {
        if let Some(byte) = depth::too_deep(text) {
            let (line, column) = problems::position(text, byte);
            let message = format!("the program is nested more than {} deep", depth::MAX_DEPTH);
            let problem = Problem::error(field, message).at(line, column);
            return Err(vec![problem.help(
                "each bracket counts, and each operator of one expression: take it apart into several assignments, or \
                 write includes([\"a\", \"b\"], .event) in place of many ==",
            )]);
        }
        let functions = functions::allowed();
        let external = ExternalEnv::new_with_kind(Kind::any_object(), metadata_kind());
        // A panic of the compiler must not take other definitions with it.
        let compiled = catch_unwind(AssertUnwindSafe(|| {
            compile_with_external(text, &functions, &external, config)
        }));
        match compiled {
            Ok(Ok(compiled)) => Ok(Self {
                text: text.to_owned(),
                compiled: compiled.program,
                warnings: problems::problems(field, text, compiled.warnings),
            }),
            Ok(Err(diagnostics)) => Err(problems::problems(field, text, diagnostics)),
            Err(_) => Err(vec![Problem::error(
                field,
                "the VRL compiler gave up on this program; simplify the part you changed last",
            )]),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    pub(super) fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Runs it. `interrupted` is asked now and then and ends the run once it says `true`.
    pub(super) fn run(
        &self,
        event: Value,
        metadata: Value,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Left, Detail> {
        let mut target = TargetValue {
            value: event,
            metadata,
            secrets: Secrets::new(),
        };
        let mut steps = 0;
        let mut out_of_time = false;
        let mut control = || {
            steps += 1;
            out_of_time = steps % STEPS_BETWEEN_CHECKS == 0 && interrupted();
            if steps > MAX_STEPS || out_of_time {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            Runtime::new(RuntimeState::default()).resolve_with_control(
                &mut target,
                &self.compiled,
                &TimeZone::Named(Default::default()),
                &mut control,
            )
        }));
        match outcome {
            Ok(Ok(result)) => Ok(Left {
                result,
                event: target.value,
                metadata: target.metadata,
            }),
            Ok(Err(Terminate::Interrupted)) if out_of_time => Err(Detail::message(
                "it ran longer than it may; it goes over too much of a large event",
            )),
            Ok(Err(Terminate::Interrupted)) => Err(Detail::message(format!(
                "it took more than {MAX_STEPS} steps; it goes over too much of a large event"
            ))),
            Ok(Err(Terminate::Abort(error) | Terminate::Error(error))) => Err(self.detail(&error)),
            Err(_) => Err(Detail::message(
                "VRL itself failed (a defect in it, which this event brings out); replay the event once the program avoids it",
            )),
        }
    }

    fn detail(&self, error: &ExpressionError) -> Detail {
        let mut detail = Detail::message(shorten(&without_offsets(&error.message())));
        let labels = error.labels();
        if let Some(label) = labels.iter().find(|label| label.span != Span::default()) {
            let (line, column) = problems::position(&self.text, label.span.start());
            (detail.line, detail.column) = (Some(line), Some(column));
        }
        detail
    }
}

/// What a program may read under `%`.
fn metadata_kind() -> Kind {
    let event = Collection::empty().with_known("type", Kind::bytes().or_null());
    let headers = Kind::object(Collection::empty().with_unknown(Kind::bytes()));
    let request = Collection::empty().with_known("headers", headers);
    Kind::object(
        Collection::any()
            .with_known("event", Kind::object(event))
            .with_known("request", Kind::object(request)),
    )
}

/// The fields under one name of `%` that a program assigns to, with nothing below them.
pub(super) fn assigned_below<'a>(program: &'a Compiled, name: &'a str) -> impl Iterator<Item = String> + 'a {
    program
        .info()
        .target_assignments
        .iter()
        .filter_map(move |target| {
            if target.prefix != PathPrefix::Metadata {
                return None;
            }
            let mut segments = target.path.segments.iter().map(ToString::to_string);
            (segments.next()? == name).then(|| segments.next()).flatten()
        })
}

/// VRL names places as byte offsets (` at (4:20)`); line and column stand beside the message.
fn without_offsets(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, after)) = rest.split_once(" at (") {
        out.push_str(before);
        let end = after.find(')').filter(|end| {
            let inside = after.split_at(*end).0;
            inside.contains(':') && inside.bytes().all(|byte| byte.is_ascii_digit() || byte == b':')
        });
        match end {
            Some(end) => rest = after.split_at(end + 1).1,
            None => {
                out.push_str(" at (");
                rest = after;
            }
        }
    }
    out + rest
}

fn shorten(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", message.split_at(end).0),
        None => message.to_owned(),
    }
}
