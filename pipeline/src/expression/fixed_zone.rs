//! `parse_timestamp` and `format_timestamp` without the machine's own time zone.
//!
//! VRL takes `local` (and the empty text) for the zone of the machine it runs on; the same event would then differ from
//! machine to machine. The zone must stand in the program as a literal, so that this can be told when it is compiled.

use vrl::compiler::Function;
use vrl::compiler::function::{ArgumentList, Compiled, Error, Example, FunctionCompileContext, Parameter};
use vrl::compiler::state::TypeState;

/// A function with an optional parameter `timezone`, which may not be the machine's.
#[derive(Debug)]
pub(super) struct FixedZone<F>(pub(super) F);

impl<F: Function> Function for FixedZone<F> {
    fn identifier(&self) -> &'static str {
        self.0.identifier()
    }

    fn usage(&self) -> &'static str {
        self.0.usage()
    }

    fn category(&self) -> &'static str {
        self.0.category()
    }

    fn return_kind(&self) -> u16 {
        self.0.return_kind()
    }

    fn examples(&self) -> &'static [Example] {
        self.0.examples()
    }

    fn parameters(&self) -> &'static [Parameter] {
        self.0.parameters()
    }

    fn compile(
        &self,
        state: &TypeState,
        context: &mut FunctionCompileContext,
        arguments: ArgumentList,
    ) -> Compiled {
        if let Some(zone) = arguments.optional_literal("timezone", state)?
            && matches!(zone.to_str(), Some("" | "local"))
        {
            return Err(Box::new(Error::InvalidArgument {
                keyword: "timezone",
                value: zone,
                error: "the machine's own time zone differs from machine to machine; name one, as \"UTC\"",
            }));
        }
        self.0.compile(state, context, arguments)
    }
}
