//! Filter and transform: programs in VRL. `Valid → Event`, or a failure with the event kept.
//!
//! In come an event that is valid and a compiled program; out go the event with its new payload and what the program said
//! about the envelope, or why not. `.` is the event, an object: a body that is none is `{"message": BODY}` to a program.
//! `%event.type` and `%request.headers` (the headers the preset keeps) can be read; `%mozdef.*` and `%cloudevents.*` set
//! fields of the envelope. The functions are an explicit list ([`functions`]): no clock, randomness, environment, network,
//! log, key or file, so that a replay gives the same result. A run is bounded ([`MAX_STEPS`], the caller's clock, the size
//! of the result), and a panic in VRL is a failure of this event alone.
//!
//! A definition without programs never builds a VRL value: [`Event::unchanged`].

mod convert;
mod depth;
mod fixed_zone;
pub mod functions;
mod input;
mod letter;
mod numbers;
mod overrides;
mod plain;
mod problems;
mod program;

use crate::dead_letter::Detail;
use crate::diagnostics::Problem;
use crate::envelope::Facts;
use crate::json::Value as Json;
use crate::validate::Valid;
use vrl::compiler::CompileConfig;

use convert::ToJson;
use input::Input;
use numbers::Numbers;
pub(crate) use overrides::Overrides;
pub use program::MAX_STEPS;
use program::{Left, Program, assigned_below};

pub(crate) use input::MESSAGE;
pub use letter::LetterFilter;

/// A compiled filter: a boolean expression that changes nothing.
pub struct Filter(Program);

/// A compiled transform: a program whose `.` at the end is the payload.
pub struct Transform(Program);

/// An event on its way into an envelope. Only this stage makes one.
#[derive(Clone, Debug)]
pub struct Event {
    valid: Valid,
    payload: Payload,
    overrides: Overrides,
}

/// What is wrapped.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// The item's document, byte for byte.
    Unchanged,
    /// What a transform left: an object.
    Changed(Json),
}

/// A transform that failed, with the event it failed on.
#[derive(Debug)]
pub struct Failed {
    /// The event.
    pub valid: Valid,
    /// Why: one entry.
    pub detail: Vec<Detail>,
}

impl Filter {
    /// Compiles `spec.filter`. It must be boolean whatever the event, and may not change the event.
    ///
    /// # Errors
    /// Every problem, with line and column inside the program.
    pub fn compile(text: &str) -> Result<Self, Vec<Problem>> {
        let mut config = CompileConfig::default();
        config.set_read_only();
        boolean("spec.filter", text, config).map(Self)
    }

    /// What the compiler warned of.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        self.0.warnings()
    }

    /// Whether the event is kept. `interrupted` is asked now and then and ends the run once it says `true`: a receiver
    /// hands in its clock.
    ///
    /// # Errors
    /// When the program fails or aborts, or runs too long.
    pub fn keeps(
        &self,
        valid: &Valid,
        facts: &Facts,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<bool, Vec<Detail>> {
        self.decide(&Input::of(valid.item(), facts), interrupted)
            .map_err(|detail| vec![detail])
    }

    fn decide(&self, input: &Input<'_>, interrupted: &dyn Fn() -> bool) -> Result<bool, Detail> {
        let left = self.0.run(
            input.event(&mut Numbers::default()),
            input.metadata(),
            interrupted,
        )?;
        left.result.as_boolean().ok_or_else(|| {
            // The type checker has ruled it out; an event must not be dropped or kept by mistake if it erred.
            Detail::message(format!(
                "the filter gave {} and not true or false",
                left.result.kind_str()
            ))
        })
    }
}

impl Transform {
    /// Compiles `spec.transform`.
    ///
    /// # Errors
    /// Every problem, with line and column inside the program.
    pub fn compile(text: &str) -> Result<Self, Vec<Problem>> {
        const FIELD: &str = "spec.transform";
        let program = Program::compile(FIELD, text, CompileConfig::default())?;
        let mut problems = unknown_fields(FIELD, program.text(), &program);
        let target = program
            .compiled()
            .final_type_info()
            .state
            .external
            .target_kind()
            .clone();
        if !target.contains_object() {
            let (line, column) = problems::position(text, last_line(text));
            let message = format!("the event must be an object at the end, and here `.` is {target}");
            problems.push(Problem::error(FIELD, message).at(line, column));
        }
        if problems.is_empty() {
            Ok(Self(program))
        } else {
            Err(problems)
        }
    }

    /// What the compiler warned of.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        self.0.warnings()
    }

    /// Transforms the event. `interrupted` is as for [`Filter::keeps`].
    ///
    /// # Errors
    /// When the program fails, aborts, runs too long, leaves no object or one that is too large, or sets a field of the
    /// envelope to something it cannot be. The event comes back with the reason.
    pub fn run(
        &self,
        valid: Valid,
        facts: &Facts,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Event, Box<Failed>> {
        match self.change(&Input::of(valid.item(), facts), interrupted) {
            Ok((payload, overrides)) => Ok(Event {
                valid,
                payload: Payload::Changed(payload),
                overrides,
            }),
            Err(detail) => Err(Box::new(Failed {
                valid,
                detail: vec![detail],
            })),
        }
    }

    fn change(&self, input: &Input<'_>, interrupted: &dyn Fn() -> bool) -> Result<(Json, Overrides), Detail> {
        let mut numbers = Numbers::default();
        let event = input.event(&mut numbers);
        let Left { event, metadata, .. } = self.0.run(event, input.metadata(), interrupted)?;
        if !event.is_object() {
            let message = format!(
                "the transform left no object but {}; give `.` fields, as .message = \"…\"",
                event.kind_str()
            );
            return Err(Detail::message(message));
        }
        let overrides = Overrides::read(&metadata)?;
        let payload = ToJson::new(&numbers).convert(&event).map_err(Detail::message)?;
        Ok((payload, overrides))
    }
}

impl Event {
    /// The event as it came in: there is no transform.
    #[must_use]
    pub fn unchanged(valid: Valid) -> Self {
        Self {
            valid,
            payload: Payload::Unchanged,
            overrides: Overrides::default(),
        }
    }

    /// The event as it was validated.
    #[must_use]
    pub fn valid(&self) -> &Valid {
        &self.valid
    }

    pub(crate) fn payload(&self) -> &Payload {
        &self.payload
    }

    pub(crate) fn overrides(&self) -> &Overrides {
        &self.overrides
    }
}

/// Assignments to fields of the envelope that do not exist, which would otherwise do nothing in silence.
fn unknown_fields(field: &str, text: &str, program: &Program) -> Vec<Problem> {
    [
        ("mozdef", overrides::MOZDEF_FIELDS),
        ("cloudevents", overrides::CLOUDEVENTS_FIELDS),
    ]
    .into_iter()
    .flat_map(|(object, known)| {
        assigned_below(program.compiled(), object)
            .filter(|name| !known.contains(&name.as_str()))
            .map(move |name| {
                let path = format!("%{object}.{name}");
                let (line, column) = problems::position(text, text.find(&path).unwrap_or_default());
                Problem::error(
                    field,
                    format!("{path} sets nothing; known are {}", known.join(", ")),
                )
                .at(line, column)
            })
    })
    .collect()
}

/// Compiles a program that is true or false whatever its input.
fn boolean(field: &str, text: &str, config: CompileConfig) -> Result<Program, Vec<Problem>> {
    let program = Program::compile(field, text, config)?;
    let result = program.compiled().final_type_info().result;
    if result.is_fallible() || !result.kind().is_boolean() {
        let message = if result.kind().contains_boolean() {
            format!(
                "the filter must be true or false whatever the event, and this may also be {}",
                other_kinds(&result)
            )
        } else {
            format!("the filter must be true or false, and this is {}", result.kind())
        };
        let (line, column) = problems::position(text, last_line(text));
        let problem = Problem::error(field, message)
            .help("compare with something, as .event == \"user.created\", or give a default, as bool(.enabled) ?? false")
            .at(line, column);
        return Err(vec![problem]);
    }
    Ok(program)
}

/// What a filter's result may be beside a boolean.
fn other_kinds(result: &vrl::compiler::TypeDef) -> String {
    let mut kind = result.kind().clone();
    kind.remove_boolean();
    kind.to_string()
}

/// Byte where the last line with something on it begins.
fn last_line(text: &str) -> usize {
    let end = text.trim_end();
    let start = end.rfind('\n').map_or(0, |at| at + 1);
    let indent = end.split_at(start).1.len() - end.split_at(start).1.trim_start().len();
    start + indent
}

#[cfg(test)]
mod tests;
