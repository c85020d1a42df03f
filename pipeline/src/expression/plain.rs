//! A function of VRL without its manual.
//!
//! Summary, usage, rules, notices and examples are texts for VRL's own website, and nothing here prints them. Behind this type
//! no table of methods names them, so they are not linked: 0.1 MB of a function's program, which every cold start fetches.

use vrl::compiler::function::closure::Definition;
use vrl::compiler::function::{ArgumentList, Compiled, Example, Function, FunctionCompileContext, Parameter};
use vrl::compiler::state::TypeState;

/// What a program needs of a function.
#[derive(Debug)]
pub(super) struct Plain<F>(pub(super) F);

impl<F: Function> Function for Plain<F> {
    fn identifier(&self) -> &'static str {
        self.0.identifier()
    }

    fn usage(&self) -> &'static str {
        ""
    }

    fn category(&self) -> &'static str {
        ""
    }

    fn return_kind(&self) -> u16 {
        self.0.return_kind()
    }

    fn pure(&self) -> bool {
        self.0.pure()
    }

    fn examples(&self) -> &'static [Example] {
        &[]
    }

    fn compile(
        &self,
        state: &TypeState,
        context: &mut FunctionCompileContext,
        arguments: ArgumentList,
    ) -> Compiled {
        self.0.compile(state, context, arguments)
    }

    fn parameters(&self) -> &'static [Parameter] {
        self.0.parameters()
    }

    fn closure(&self) -> Option<Definition> {
        self.0.closure()
    }
}
