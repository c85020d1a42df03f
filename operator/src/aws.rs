//! A source in AWS: one CloudFormation stack of its own. CloudFormation alone changes resources; the operator decides which
//! document and when.
//!
//! Everything but `edge` and `clients` is pure: names, the document, and the decision what to do about a stack are values made of values.

pub mod budget;
pub mod cause;
pub mod clients;
pub mod decide;
pub mod edge;
pub mod foresee;
pub mod known;
pub mod memory;
pub mod names;
pub mod observe;
pub mod package;
pub mod place;
pub mod probe;
pub mod record;
pub mod refusal;
pub mod requests;
pub(crate) mod rules;
pub mod site;
pub mod stack;
pub mod template;
pub mod token;
pub mod wanted;

#[cfg(test)]
mod tests;
