//! A verification in words, for people who compare vendors.

use mef_crds::{
    Encoding, Hash, Hmac, HttpSig, Jwt, KeyEncoding, Primitive, Pubkey, SignatureSource, TimeUnit, Token,
    TokenScheme, Verification,
};

/// The kinds of proof, each once.
pub(crate) fn kinds(verification: &Verification) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for primitive in verification.any.iter().flat_map(|all| &all.all) {
        let kind = kind(primitive);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds.join(", ")
}

fn kind(primitive: &Primitive) -> &'static str {
    match primitive {
        Primitive { hmac: Some(_), .. } => "HMAC",
        Primitive { digest: Some(_), .. } => "hash with the secret",
        Primitive { token: Some(_), .. } => "token",
        Primitive {
            body_digest: Some(_), ..
        } => "hash of the body",
        Primitive { pubkey: Some(_), .. } => "public key",
        Primitive { jwt: Some(_), .. } => "signed token",
        Primitive {
            http_sig: Some(_), ..
        } => "HTTP message signature",
        Primitive { mtls: Some(_), .. } => "client certificate",
        _ => "addresses",
    }
}

/// How a request proves itself: each alternative, its age, and what must stand in it besides.
pub(crate) fn proof(verification: &Verification) -> String {
    let alternatives: Vec<String> = verification
        .any
        .iter()
        .map(|all| {
            all.all
                .iter()
                .map(primitive)
                .collect::<Vec<_>>()
                .join(", together with ")
        })
        .collect();
    let mut text = alternatives.join("; or ");
    if let Some(timestamp) = &verification.timestamp {
        let unit = match timestamp.unit {
            TimeUnit::Seconds => "seconds",
            TimeUnit::Milliseconds => "milliseconds",
            TimeUnit::Iso8601 => "RFC 3339",
        };
        let from = value(&timestamp.from);
        text += &match &timestamp.tolerance {
            Some(tolerance) => format!(". The time in {from} ({unit}) may be {} from now", tolerance.0),
            None => format!(". The time in {from} ({unit}) is signed; its age is not judged"),
        };
    }
    if let Some(id) = &verification.id {
        text += &format!(". `{{id}}` is {}", value(id));
    }
    if !verification.require.is_empty() {
        let required: Vec<String> = verification
            .require
            .iter()
            .map(|(source, pattern)| format!("{} `{pattern}`", value(source)))
            .collect();
        text += &format!(". Must match: {}", required.join(", "));
    }
    text + "."
}

fn primitive(primitive: &Primitive) -> String {
    if let Some(words) = &primitive.hmac {
        return hmac(words);
    }
    if let Some(words) = &primitive.digest {
        let (hash, sign) = (hash(words.hash), shown(&words.sign));
        return format!(
            "{hash} over {sign} in {}, {}",
            signature(&words.signature),
            encoding(words.encoding)
        );
    }
    if let Some(words) = &primitive.token {
        return token(words);
    }
    if let Some(words) = &primitive.body_digest {
        return format!(
            "{} of the body in {}, {}",
            hash(words.hash),
            value(&words.expect),
            encoding(words.encoding)
        );
    }
    if let Some(words) = &primitive.pubkey {
        return pubkey(words);
    }
    if let Some(words) = &primitive.jwt {
        return jwt(words);
    }
    if let Some(words) = &primitive.http_sig {
        return http_sig(words);
    }
    match (&primitive.mtls, &primitive.ip_allow) {
        (Some(_), _) => "a client certificate, told by the front".to_owned(),
        (_, Some(addresses)) => format!("an address among {}", addresses.cidrs.join(", ")),
        _ => "nothing".to_owned(),
    }
}

fn hmac(words: &Hmac) -> String {
    let key = match (&words.key_template, words.key.unwrap_or_default()) {
        (Some(template), _) => format!(" with the key {}", shown(template)),
        (None, KeyEncoding::Utf8) => String::new(),
        (None, KeyEncoding::Whsec) => " with a key in base64 after `whsec_`".to_owned(),
        (None, KeyEncoding::Base64) => " with a key in base64".to_owned(),
        (None, KeyEncoding::Hex) => " with a key in hexadecimal".to_owned(),
    };
    format!(
        "HMAC-{} over {}{key} in {}, {}",
        hash(words.hash),
        shown(&words.sign),
        signature(&words.signature),
        encoding(words.encoding)
    )
}

fn token(words: &Token) -> String {
    let scheme = match words.scheme {
        Some(TokenScheme::Bearer) => " after `Bearer`",
        Some(TokenScheme::Basic) => " as user and password after `Basic`",
        Some(TokenScheme::Splunk) => " after `Splunk`",
        None => "",
    };
    format!("the secret itself in {}{scheme}", value(&words.from))
}

fn pubkey(words: &Pubkey) -> String {
    let algorithm = match (&words.algorithm, &words.algorithm_by) {
        (Some(algorithm), _) => format!("{algorithm:?}"),
        (None, Some(by)) => {
            let names: Vec<String> = by
                .values
                .values()
                .map(|algorithm| format!("{algorithm:?}"))
                .collect();
            format!("{} as {} says", names.join(" or "), value(&by.from))
        }
        (None, None) => "a signature".to_owned(),
    };
    let key = match (&words.key_set, &words.x509_url) {
        (Some(set), _) => format!("keys published at <{}>", set.url),
        (None, Some(certificate)) => format!("the certificate that {} points to", value(&certificate.from)),
        (None, None) => "the public key in the secret entry".to_owned(),
    };
    format!(
        "{algorithm} over {} in {}, {key}",
        shown(&words.sign),
        signature(&words.signature)
    )
}

fn jwt(words: &Jwt) -> String {
    let algorithms: Vec<String> = words
        .algorithms
        .iter()
        .map(|algorithm| format!("{algorithm:?}"))
        .collect();
    let key = match (&words.key_set_url, &words.shared_key) {
        (Some(url), _) if url.contains('{') => format!("keys published at `{url}`"),
        (Some(url), _) => format!("keys published at <{url}>"),
        (None, Some(_)) => "a shared key".to_owned(),
        (None, None) => "the public key in the secret entry".to_owned(),
    };
    let from = if words.from == "body" {
        "the body".to_owned()
    } else {
        value(&words.from)
    };
    format!("a signed token in {from} ({}), {key}", algorithms.join(", "))
}

fn http_sig(words: &HttpSig) -> String {
    let algorithms: Vec<&str> = words
        .algorithms
        .iter()
        .map(|algorithm| algorithm.name())
        .collect();
    let components: Vec<String> = words.components.iter().map(|name| format!("`{name}`")).collect();
    format!(
        "an HTTP message signature ({}) that covers {}",
        algorithms.join(", "),
        components.join(", ")
    )
}

fn encoding(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Hex => "in hexadecimal",
        Encoding::Base64 => "in base64",
    }
}

fn hash(hash: Hash) -> &'static str {
    match hash {
        Hash::Sha1 => "SHA-1",
        Hash::Sha256 => "SHA-256",
        Hash::Sha512 => "SHA-512",
    }
}

fn signature(source: &SignatureSource) -> String {
    let mut places: Vec<String> = source
        .from
        .iter()
        .chain(&source.any_of)
        .map(|from| value(from))
        .collect();
    if let Some(series) = &source.series {
        places.push(format!("headers `{}`", series.header));
    }
    let places = places.join(" or ");
    if let Some(keyed) = &source.keyed {
        return format!("{places} as `{}{}…`", keyed.signature, keyed.eq);
    }
    match source.prefix.as_ref().or(source.item.as_ref()) {
        Some(prefix) => format!("{places} after `{prefix}`"),
        None => places,
    }
}

fn value(source: &str) -> String {
    match source.split_once(':') {
        Some(("header", name)) => format!("the header `{name}`"),
        Some(("query", name)) => format!("the query parameter `{name}`"),
        Some(("form", name)) => format!("the form field `{name}`"),
        Some(("json", pointer)) => format!("the body at `{pointer}`"),
        _ if source == "sig.ts" => "the signature's value".to_owned(),
        _ => format!("`{source}`"),
    }
}

/// A template as code; line ends would break the line.
fn shown(template: &str) -> String {
    format!("`{}`", template.replace('\n', "\\n"))
}
