//! The parameters of a source that a verification's words read.

use std::collections::BTreeMap;

use mef_crds::{ParameterName, Verification};

use crate::preset::{ALLOWLIST, SENDERS};

/// Each parameter that signed tokens and requirements read, and whether no request is accepted without it. What
/// `allowlist` stands for is the preset's to say, so topics and origins are not among them.
pub(crate) fn token_parameters(verification: &Verification) -> BTreeMap<ParameterName, bool> {
    let mut read = BTreeMap::new();
    let one_way = verification.any.len() == 1;
    let primitives = verification.any.iter().flat_map(|all_of| &all_of.all);
    for jwt in primitives.filter_map(|primitive| primitive.jwt.as_ref()) {
        let published = jwt.key_set_url.is_some();
        if jwt.audience.is_none() {
            read.insert(ParameterName::Audience, one_way);
        }
        if jwt.issuer.is_none() {
            read.insert(ParameterName::Issuer, one_way && published);
        }
        if published {
            read.insert(ParameterName::KeySetUrl, false);
        }
        if jwt.claims.values().any(|text| text == SENDERS) {
            read.insert(ParameterName::Senders, one_way);
        }
    }
    read
}

/// Whether a requirement reads the topics or origins.
pub(crate) fn reads_allowlist(verification: &Verification) -> bool {
    verification.require.values().any(|text| text == ALLOWLIST)
}
