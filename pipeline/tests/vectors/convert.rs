//! `webhook-presets.json`, the data of fifty providers, put into the words of a preset without a thought: field by
//! field. What the words do not know stays as it is, so that loading refuses it.

use std::collections::BTreeSet;

use mef_pipeline::diagnostics::Problem;
use mef_pipeline::preset::Preset;
use serde_json::{Map, Value, json};

/// How the data names algorithms of public keys, and how we do.
const ALGORITHMS: [(&str, &str); 4] = [
    ("ed25519", "Ed25519"),
    ("ecdsa-p256-sha256-der", "EcdsaP256Der"),
    ("rsa-pkcs1-sha1", "RsaPkcs1Sha1"),
    ("rsa-pkcs1-sha256", "RsaPkcs1Sha256"),
];

pub fn all() -> Vec<(String, Result<Preset, Vec<Problem>>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/webhook-presets.json");
    let text = std::fs::read_to_string(path).unwrap();
    let presets: Map<String, Value> = serde_json::from_str(&text).unwrap();
    presets
        .into_iter()
        .map(|(name, words)| {
            let preset = convert(&name, &words);
            let loaded = Preset::from_yaml(&serde_json::to_string(&preset).unwrap());
            (name, loaded)
        })
        .collect()
}

#[test]
fn the_format_takes_all_of_them() {
    let presets = all();
    assert_eq!(presets.len(), 50);
    for (name, loaded) in presets {
        if let Err(problems) = loaded {
            let sentences: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("{name} does not load:\n{}", sentences.join("\n"));
        }
    }
}

fn convert(name: &str, words: &Value) -> Value {
    let verification = verification(words);
    let challenges: Vec<Value> = list(words, "challenge").iter().map(challenge).collect();
    let mut preset = json!({
        "name": name,
        "title": name,
        "description": name,
        "setup": ["Enter {url}."],
        "secrets": uses(&verification, &challenges)
            .iter()
            .map(|usage| json!({"use": usage, "issuedBy": "Vendor", "description": usage}))
            .collect::<Vec<_>>(),
        "verification": verification,
        "challenges": challenges,
        "ack": {
            "status": words["ack"]["status"].as_u64().unwrap_or(200),
            "deadlineMilliseconds": words["ack"]["deadline_ms"].as_u64().unwrap_or(10_000),
            "source": "converted",
        },
        "retry": {"description": "converted", "source": "converted"},
        "examples": [],
    });
    let tokens = words["verify"].to_string().matches(r#"{"jwt":"#).count();
    let of_tokens = ["audience", "issuer"].into_iter().filter(|_| tokens > 0);
    let optional = tokens == 0 || words["verify"].get("any").is_some();
    preset["parameters"] = list_parameter(words)
        .into_iter()
        .chain(of_tokens)
        .map(|name| json!({"name": name, "description": name, "optional": optional}))
        .collect();
    if let Some(key) = vendor_key(words) {
        preset["vendorKey"] = key;
    }
    if let Some(body) = body(words) {
        preset["body"] = body;
    }
    preset
}

fn verification(words: &Value) -> Value {
    let verify = &words["verify"];
    let alternatives = match verify.get("any") {
        Some(any) => any.as_array().unwrap().clone(),
        None => vec![verify.clone()],
    };
    let any: Vec<Value> = alternatives
        .iter()
        .map(|alternative| match alternative.get("all") {
            Some(all) => json!({"all": all.as_array().unwrap().iter().map(primitive).collect::<Vec<_>>()}),
            None => json!({"all": [primitive(alternative)]}),
        })
        .collect();
    let mut verification = json!({"any": any});
    for key in ["id", "require"] {
        if let Some(value) = words.get(key) {
            verification[key] = value.clone();
        }
    }
    for alternative in &alternatives {
        let inside = alternative.as_object().unwrap().values().next().unwrap();
        if let Some(require) = inside.get("require") {
            verification["require"] = require.clone();
        }
    }
    if let Some(ts) = words.get("ts") {
        let unit = match ts["unit"].as_str().unwrap() {
            "s" => "Seconds",
            "ms" => "Milliseconds",
            _ => "Iso8601",
        };
        verification["timestamp"] = json!({"from": ts["from"], "unit": unit});
        if let Some(tolerance) = ts["tolerance"].as_u64() {
            verification["timestamp"]["tolerance"] = json!(format!("{tolerance}s"));
        }
    }
    verification
}

fn primitive(words: &Value) -> Value {
    let (name, words) = words.as_object().unwrap().iter().next().unwrap();
    match name.as_str() {
        "pubkey" => return json!({"pubkey": pubkey(words)}),
        "jwt" => return json!({"jwt": jwt(words)}),
        "http_sig" => return json!({"httpSig": http_sig(words)}),
        _ => {}
    }
    let name = if name == "body_digest" { "bodyDigest" } else { name };
    let mut fields = Map::new();
    for (key, value) in words.as_object().unwrap() {
        let (key, value) = match key.as_str() {
            "hash" => (
                "hash",
                rename(
                    value,
                    &[("sha1", "Sha1"), ("sha256", "Sha256"), ("sha512", "Sha512")],
                ),
            ),
            "enc" => ("encoding", rename(value, &[("hex", "Hex"), ("base64", "Base64")])),
            "decode" => ("decode", rename(value, &[("base64", "Base64")])),
            "key" if value.get("template").is_some() => ("keyTemplate", value["template"].clone()),
            "key" => (
                "key",
                rename(value, &[("whsec", "Whsec"), ("whpk", "Whpk"), ("hex", "Hex")]),
            ),
            "sig" => ("signature", signature(value)),
            // The URL as it is is always tried.
            "url_variants" => (
                "urlVariants",
                value
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|variant| *variant != "as_is")
                    .map(|variant| {
                        rename(
                            variant,
                            &[
                                ("add_default_port", "AddDefaultPort"),
                                ("strip_port", "StripPort"),
                            ],
                        )
                    })
                    .collect(),
            ),
            other => (other, value.clone()),
        };
        fields.insert(key.to_owned(), value);
    }
    json!({name: fields})
}

fn pubkey(words: &Value) -> Value {
    let mut fields = json!({
        "sign": words["sign"],
        "signature": signature(&words["sig"]),
        "encoding": rename(&words["enc"], &[("hex", "Hex"), ("base64", "Base64")]),
    });
    if let Some(by) = words.get("alg_by") {
        let values = by.as_object().unwrap().iter().filter(|(key, _)| *key != "from");
        let values: Map<String, Value> = values
            .map(|(value, name)| (value.clone(), rename(name, &ALGORITHMS)))
            .collect();
        fields["algorithmBy"] = json!({"from": by["from"], "values": values});
    } else {
        fields["algorithm"] = rename(&words["alg"], &ALGORITHMS);
    }
    if let Some(url) = words.get("keyset") {
        fields["keySet"] = json!({"url": url, "format": "GitHub", "keyId": words["key_id"]});
    } else if let Some(certificate) = words.get("x509_url") {
        fields["x509Url"] = certificate.clone();
    } else {
        // Where the data names no encoding it means the base64 of a SubjectPublicKeyInfo.
        let named = words.get("key").unwrap_or(&Value::Null);
        fields["key"] = rename(named, &[("whpk", "Whpk"), ("hex", "Hex")]);
        if named.is_null() {
            fields["key"] = json!("Spki");
        }
    }
    fields
}

/// The data says nothing of where keys are; a resolver finds them by their id.
fn jwt(words: &Value) -> Value {
    let mut fields = json!({
        "from": words["from"],
        "algorithms": words["alg"],
        "keySetUrl": "https://keys.example.org/keys",
    });
    for (from, to) in [("scheme", "scheme"), ("typ", "type")] {
        if let Some(value) = words.get(from) {
            fields[to] = value.clone();
        }
    }
    // Security event tokens have no exp (RFC 8417 2.2).
    if words["typ"] == "secevent+jwt" {
        fields["withoutExpiry"] = json!(true);
    }
    fields
}

/// The data's keys say their algorithms; ours are taken by their kind.
fn http_sig(words: &Value) -> Value {
    let components = words["require_components"].as_array().unwrap();
    let mut fields = json!({
        "algorithms": ["Ed25519", "EcdsaP256Sha256", "RsaPssSha512", "RsaV15Sha256"],
        "maxAge": format!("{}s", words["max_age"]),
    });
    if !components.is_empty() {
        fields["components"] = json!(components);
    }
    fields
}

fn signature(words: &Value) -> Value {
    let mut source = Map::new();
    for (key, value) in words.as_object().unwrap() {
        match key.as_str() {
            "kv" => {
                let mut keyed = json!({"pair": value["pair"], "eq": value["eq"], "signature": value["sig"]});
                keyed["timestamp"] = value["ts"].clone();
                source.insert("keyed".to_owned(), keyed);
            }
            "any_of" => {
                source.insert("anyOf".to_owned(), value.clone());
            }
            "series" => {
                source.insert("series".to_owned(), json!({"header": value, "max": words["max"]}));
            }
            "max" => {}
            _ => {
                source.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(source)
}

/// What the data's `allowlist` lists: origins in a handshake, topics in an event.
fn list_parameter(words: &Value) -> Option<&'static str> {
    let listed = |values: &Value| {
        let values = values.as_object();
        values.is_some_and(|values| values.values().any(|text| text == "allowlist"))
    };
    let primitive = |words: &Value| words.get("require").is_some_and(listed);
    if list(words, "challenge")
        .iter()
        .any(|challenge| listed(&challenge["guard"]))
    {
        return Some("origins");
    }
    let verify = words["verify"].as_object()?;
    (listed(&words["require"]) || verify.values().any(primitive)).then_some("topics")
}

fn challenge(words: &Value) -> Value {
    let mut challenge = Map::new();
    if let Some(source) = words["act"].get("capture") {
        // The data leaves the guard to whoever captures.
        challenge.insert(
            "guard".to_owned(),
            json!({source.as_str().unwrap(): "^[!-~]{8,256}$"}),
        );
    }
    for (key, value) in words.as_object().unwrap() {
        let value = match key.as_str() {
            "auth" => rename(
                value,
                &[
                    ("none", "None"),
                    ("verified", "Verified"),
                    ("if_signed", "IfSigned"),
                ],
            ),
            "when" => {
                let renamed = value.as_object().unwrap().iter().map(|(key, value)| {
                    let key = if key == "json_has" { "jsonHas" } else { key };
                    let value = rename(value, &[("no_secret_configured", "NoSecretConfigured")]);
                    (key.to_owned(), value)
                });
                renamed.collect::<Map<_, _>>().into()
            }
            "act" => {
                let mut act = value.clone();
                // The data's expression says where a URL begins, ours the whole of it.
                if let Some(allow) = act.get("allow").and_then(Value::as_str) {
                    act["allow"] = json!(format!("{allow}[!-~]*$"));
                }
                act
            }
            _ => value.clone(),
        };
        challenge.insert(key.clone(), value);
    }
    Value::Object(challenge)
}

/// A key that is made of the body, or of a token's claims, is none of the vendor's.
fn vendor_key(words: &Value) -> Option<Value> {
    let request: Vec<Value> = list(words, "dedup")
        .iter()
        .filter(|source| *source != "body_sha256")
        // The claims are the event, so a claim is a value of the body.
        .map(|source| rename(source, &[("jwt:jti", "json:/jti")]))
        .collect();
    let item: Vec<&Value> = words["body"].get("item_dedup").into_iter().collect();
    (!request.is_empty() || !item.is_empty()).then(|| json!({"request": request, "item": item}))
}

fn body(words: &Value) -> Option<Value> {
    if words["verify"]["jwt"]["from"] == "body" {
        return Some(json!({"formats": ["Jwt"]}));
    }
    Some(match words["body"]["split"].as_str()? {
        "json_array" => json!({"split": {"pointer": ""}}),
        "jsonl|json_array" => json!({"formats": ["Json", "Ndjson"], "split": {"pointer": ""}}),
        "json_stream" => json!({"formats": ["JsonStream"]}),
        pointer => json!({"split": {"pointer": pointer.strip_prefix("json:").unwrap()}}),
    })
}

fn uses(verification: &Value, challenges: &[Value]) -> BTreeSet<String> {
    let mut uses = BTreeSet::new();
    let alternatives = verification["any"].as_array().unwrap().iter();
    for primitive in alternatives.flat_map(|alternative| alternative["all"].as_array().unwrap()) {
        for name in primitive.as_object().unwrap().keys() {
            match name.as_str() {
                "token" => uses.insert("token".to_owned()),
                "pubkey" if primitive["pubkey"].get("key").is_none() => false,
                "hmac" | "digest" | "pubkey" | "httpSig" => uses.insert("signing".to_owned()),
                _ => false,
            };
        }
    }
    for guard in challenges
        .iter()
        .filter_map(|challenge| challenge["guard"].as_object())
    {
        let named = guard
            .values()
            .filter_map(|text| text.as_str().unwrap().strip_prefix("secret:"));
        uses.extend(named.map(str::to_owned));
    }
    uses
}

fn list<'v>(words: &'v Value, key: &str) -> &'v [Value] {
    words
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn rename(value: &Value, names: &[(&str, &str)]) -> Value {
    let found = names.iter().find(|(from, _)| value == from);
    found.map_or_else(|| value.clone(), |(_, to)| json!(to))
}
