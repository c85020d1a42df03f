//! A source in AWS: one CloudFormation stack of its own. CloudFormation alone changes resources; the operator decides which
//! document and when.
//!
//! Everything here is pure: names, the document, and the decision what to do about a stack are values made of values.

pub mod cause;
pub mod decide;
pub mod memory;
pub mod names;
pub mod observe;
pub mod refusal;
pub mod requests;
pub(crate) mod rules;
pub mod stack;
pub mod template;
pub mod token;
pub mod wanted;

#[cfg(test)]
mod tests;
