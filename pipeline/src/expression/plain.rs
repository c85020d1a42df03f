//! A function of VRL without its manual, and with a check of its arguments where one is needed.
//!
//! Summary, usage, rules, notices and examples are texts for VRL's own website, and nothing here prints them. Behind this type
//! no table of methods names them, so they are not linked: 0.1 MB of a function's program, which every cold start fetches.

use vrl::compiler::function::closure::Definition;
use vrl::compiler::function::{
    ArgumentList, Compiled, Error, Example, Function, FunctionCompileContext, Parameter,
};
use vrl::compiler::state::TypeState;

/// Refuses arguments that the function itself would take.
pub(super) type Check = fn(&ArgumentList, &TypeState) -> Result<(), Error>;

/// What a program needs of a function.
#[derive(Debug)]
pub(super) struct Plain<F> {
    pub(super) function: F,
    pub(super) check: Check,
}

impl<F: Function> Function for Plain<F> {
    fn identifier(&self) -> &'static str {
        self.function.identifier()
    }

    fn usage(&self) -> &'static str {
        ""
    }

    fn category(&self) -> &'static str {
        ""
    }

    fn return_kind(&self) -> u16 {
        self.function.return_kind()
    }

    fn pure(&self) -> bool {
        self.function.pure()
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
        (self.check)(&arguments, state)?;
        self.function.compile(state, context, arguments)
    }

    fn parameters(&self) -> &'static [Parameter] {
        self.function.parameters()
    }

    fn closure(&self) -> Option<Definition> {
        self.function.closure()
    }
}
