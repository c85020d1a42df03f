//! `parse_timestamp` and `format_timestamp` without the machine's own time zone.
//!
//! VRL takes `local` (and the empty text) for the zone of the machine it runs on; the same event would then differ from
//! machine to machine. The zone must stand in the program as a literal, so that this can be told when it is compiled.

use vrl::compiler::function::{ArgumentList, Error};
use vrl::compiler::state::TypeState;

/// The optional argument `timezone` is a literal, and not the machine's own zone.
pub(super) fn fixed_zone(arguments: &ArgumentList, state: &TypeState) -> Result<(), Error> {
    match arguments.optional_literal("timezone", state)? {
        Some(zone) if matches!(zone.to_str(), Some("" | "local")) => Err(Error::InvalidArgument {
            keyword: "timezone",
            value: zone,
            error: "the machine's own time zone differs from machine to machine; name one, as \"UTC\"",
        }),
        _ => Ok(()),
    }
}
