//! Where a verification finds what proves a request. Those values are not written anywhere: a credential among them would
//! let whoever reads it send requests too, and a signature is of no use to anybody else.

use std::collections::BTreeSet;

use mef_crds::{Primitive, SignatureSource, Verification};

/// Headers that carry credentials whatever a definition says.
const CREDENTIAL_HEADERS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "set-cookie"];

/// The places of one verification's proofs, as `header:NAME` or `query:NAME` in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proofs {
    /// Tokens, shared and signed ones: good for another request.
    credentials: BTreeSet<String>,
    /// Signatures and hashes: good for this request.
    signatures: BTreeSet<String>,
}

impl Proofs {
    /// Those of a verification.
    pub(crate) fn of(verification: &Verification) -> Self {
        let mut proofs = Self::default();
        for primitive in verification.any.iter().flat_map(|all_of| &all_of.all) {
            let credential = primitive.token.as_ref().map(|token| &token.from);
            let credential = credential.or(primitive.jwt.as_ref().map(|jwt| &jwt.from));
            proofs
                .credentials
                .extend(credential.map(|from| from.to_lowercase()));
            let signatures = signatures(primitive);
            proofs
                .signatures
                .extend(signatures.iter().map(|from| from.to_lowercase()));
        }
        proofs
    }

    /// Whether a header of this name (in lower case) proves something.
    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.is_credential_header(name)
            || self.signatures.contains(&format!("header:{name}"))
            || numbered(name).is_some_and(|series| self.signatures.contains(&format!("header:{series}")))
    }

    /// Whether a query parameter of this name proves something. Compared without case.
    pub(crate) fn has_parameter(&self, name: &str) -> bool {
        let source = format!("query:{}", name.to_lowercase());
        self.credentials.contains(&source) || self.signatures.contains(&source)
    }

    /// Whether a header of this name (in lower case) holds a token, which would prove other requests too.
    pub(crate) fn is_credential_header(&self, name: &str) -> bool {
        let source = format!("header:{name}");
        let by_custom = CREDENTIAL_HEADERS.contains(&name) && !self.signatures.contains(&source);
        by_custom || self.credentials.contains(&source)
    }

    /// Whether a query parameter of this name holds a token. Compared without case.
    pub(crate) fn is_credential_parameter(&self, name: &str) -> bool {
        self.credentials
            .contains(&format!("query:{}", name.to_lowercase()))
    }
}

/// The name of the series a header belongs to: `x-signature-{n}` of `x-signature-2`.
fn numbered(name: &str) -> Option<String> {
    let series = name.trim_end_matches(|character: char| character.is_ascii_digit());
    (series != name).then(|| format!("{series}{{n}}"))
}

fn signatures(primitive: &Primitive) -> Vec<String> {
    let from = |signature: &SignatureSource| -> Vec<String> {
        let series = signature.series.as_ref();
        let series = series.map(|series| format!("header:{}", series.header));
        let several = signature.from.iter().chain(&signature.any_of).cloned();
        several.chain(series).collect()
    };
    if primitive.http_sig.is_some() {
        return ["header:signature", "header:signature-input"]
            .map(str::to_owned)
            .into();
    }
    let sources = [
        primitive.hmac.as_ref().map(|hmac| &hmac.signature),
        primitive.digest.as_ref().map(|digest| &digest.signature),
        primitive.pubkey.as_ref().map(|pubkey| &pubkey.signature),
    ];
    sources.into_iter().flatten().flat_map(from).collect()
}
