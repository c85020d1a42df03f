//! The functions a program may call, and those it may not with the reason.
//!
//! An event must come out the same on every run and every machine (a replay repeats it), and no sender may choose how
//! much time or memory it takes. So the list is explicit: what is not in [`allowed`] is not linked, and what
//! [`LEFT_OUT`] names is explained to whoever calls it.

use vrl::compiler::Function;
use vrl::stdlib;

use super::fixed_zone::fixed_zone;
use super::plain::{Check, Plain};

/// Every function of VRL that is left out on purpose, with the reason.
pub const LEFT_OUT: &[(&[&str], &str)] = &[
    (
        &["now", "parse_syslog", "parse_klog", "parse_linux_authorization"],
        "it reads the clock, and a replay must give the same result as the first run; \
         the time of the request stands in details.mef.receivedAt",
    ),
    (
        &[
            "random_bool",
            "random_bytes",
            "random_float",
            "random_int",
            "uuid_v4",
            "uuid_v7",
        ],
        "its result differs from run to run, and a replay must give the same result as the first run; \
         the event's id is the same on every run",
    ),
    (
        &[
            "get_env_var",
            "get_hostname",
            "get_timezone_name",
            "get_secret",
            "set_secret",
            "remove_secret",
        ],
        "it reads the machine it runs on, and a program must not see the receiver's environment",
    ),
    (
        &["dns_lookup", "reverse_dns", "http_request"],
        "it uses the network, and nothing of an event may leave the receiver but to the queue",
    ),
    (
        &["log"],
        "it writes to the log, and no part of an event may stand there",
    ),
    (
        &[
            "encrypt",
            "decrypt",
            "encrypt_ip",
            "decrypt_ip",
            "hmac",
            "md5",
            "sha1",
            "sha2",
            "sha3",
            "crc",
            "seahash",
            "xxhash",
        ],
        "a key has no place in a program, and a digest without one hides nothing that can be guessed; \
         redact!(.user, filters: [r'.+']) takes a value out",
    ),
    (
        &[
            "encode_proto",
            "parse_proto",
            "parse_etld",
            "validate_json_schema",
            "get_enrichment_table_record",
            "find_enrichment_table_records",
        ],
        "it reads files; schemas belong in spec.schemas",
    ),
    (
        &[
            "decode_gzip",
            "decode_zlib",
            "decode_zstd",
            "decode_snappy",
            "decode_lz4",
        ],
        "its result has no bound, so that a small event could fill the memory",
    ),
    (
        &[
            "encode_gzip",
            "encode_zlib",
            "encode_zstd",
            "encode_snappy",
            "encode_lz4",
            "parse_cbor",
        ],
        "it is for binary data, which has no place in a JSON message",
    ),
    (
        &["decode_charset", "encode_charset", "decode_mime_q"],
        "JSON is UTF-8, and the tables of forty other character sets would lengthen every start of a function in AWS; \
         decode_base64 and decode_percent give text back that is UTF-8",
    ),
    (
        &["parse_yaml", "unnest", "set"],
        "it can make a large value of a small event (aliases, copies, far indexes), \
         so that a sender could fill the memory; parse_json and assignments do what is needed",
    ),
    (
        &["unflatten", "parse_ruby_hash", "parse_xml"],
        "it follows nesting without a bound, so that a sender could exhaust the stack",
    ),
    (
        &[
            "parse_grok",
            "parse_groks",
            "match_datadog_query",
            "parse_user_agent",
            "to_regex",
        ],
        "its matching has no bound in time; parse_regex with a literal pattern is linear",
    ),
    (
        &["type_def"],
        "it is for debugging VRL itself; `mef explain` shows what a program does",
    ),
];

/// Why a function is left out; `None` for one that never was in VRL.
#[must_use]
pub fn left_out(name: &str) -> Option<&'static str> {
    LEFT_OUT
        .iter()
        .find(|(names, _)| names.contains(&name))
        .map(|(_, reason)| *reason)
}

/// The functions a program may call.
#[must_use]
pub(super) fn allowed() -> Vec<Box<dyn Function>> {
    [
        numbers(),
        text(),
        encodings(),
        collections(),
        types(),
        times(),
        networks(),
        formats(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

macro_rules! functions {
    ($($function:expr),* $(,)?) => { vec![$(plain($function, |_, _| Ok(()))),*] };
}

fn plain(function: impl Function + 'static, check: Check) -> Box<dyn Function> {
    Box::new(Plain { function, check })
}

fn numbers() -> Vec<Box<dyn Function>> {
    functions![
        stdlib::Abs,
        stdlib::Ceil,
        stdlib::Floor,
        stdlib::FormatInt,
        stdlib::FormatNumber,
        stdlib::Haversine,
        stdlib::Mod,
        stdlib::ParseFloat,
        stdlib::ParseInt,
        stdlib::Range,
        stdlib::Round,
    ]
}

fn text() -> Vec<Box<dyn Function>> {
    functions![
        stdlib::BaseName,
        stdlib::Camelcase,
        stdlib::Contains,
        stdlib::ContainsAll,
        stdlib::DirName,
        stdlib::Downcase,
        stdlib::EndsWith,
        stdlib::Find,
        stdlib::Join,
        stdlib::Kebabcase,
        stdlib::Match,
        stdlib::MatchAny,
        stdlib::Pascalcase,
        stdlib::Redact,
        stdlib::Replace,
        stdlib::ReplaceWith,
        stdlib::ScreamingSnakecase,
        stdlib::ShannonEntropy,
        stdlib::Sieve,
        stdlib::Slice,
        stdlib::Snakecase,
        stdlib::Split,
        stdlib::SplitPath,
        stdlib::StartsWith,
        stdlib::StripAnsiEscapeCodes,
        stdlib::StripWhitespace,
        stdlib::Strlen,
        stdlib::Truncate,
        stdlib::Upcase,
    ]
}

fn encodings() -> Vec<Box<dyn Function>> {
    functions![
        stdlib::DecodeBase16,
        stdlib::DecodeBase64,
        stdlib::DecodePercent,
        stdlib::DecodePunycode,
        stdlib::EncodeBase16,
        stdlib::EncodeBase64,
        stdlib::EncodeCsv,
        stdlib::EncodeJson,
        stdlib::EncodeKeyValue,
        stdlib::EncodeLogfmt,
        stdlib::EncodePercent,
        stdlib::EncodePunycode,
        stdlib::UuidFromFriendlyId,
    ]
}

fn collections() -> Vec<Box<dyn Function>> {
    functions![
        stdlib::Append,
        stdlib::Chunks,
        stdlib::Compact,
        stdlib::Del,
        stdlib::Exists,
        stdlib::Filter,
        stdlib::Flatten,
        stdlib::ForEach,
        stdlib::FromEntries,
        stdlib::Get,
        stdlib::Includes,
        stdlib::Keys,
        stdlib::Length,
        stdlib::MapKeys,
        stdlib::MapValues,
        stdlib::MatchArray,
        stdlib::Merge,
        stdlib::ObjectFromArray,
        stdlib::Pop,
        stdlib::Push,
        stdlib::Remove,
        stdlib::TagTypesExternally,
        stdlib::Tally,
        stdlib::TallyValue,
        stdlib::ToEntries,
        stdlib::Unique,
        stdlib::Values,
        stdlib::Zip,
    ]
}

fn types() -> Vec<Box<dyn Function>> {
    functions![
        stdlib::Array,
        stdlib::Assert,
        stdlib::AssertEq,
        stdlib::Boolean,
        stdlib::Float,
        stdlib::Integer,
        stdlib::IsArray,
        stdlib::IsBoolean,
        stdlib::IsEmpty,
        stdlib::IsFloat,
        stdlib::IsInteger,
        stdlib::IsJson,
        stdlib::IsNull,
        stdlib::IsNullish,
        stdlib::IsObject,
        stdlib::IsRegex,
        stdlib::IsString,
        stdlib::IsTimestamp,
        stdlib::Object,
        stdlib::String,
        stdlib::Timestamp,
        stdlib::ToBool,
        stdlib::ToFloat,
        stdlib::ToInt,
        stdlib::ToString,
    ]
}

fn times() -> Vec<Box<dyn Function>> {
    let mut functions = functions![
        stdlib::FromUnixTimestamp,
        stdlib::ParseDuration,
        stdlib::ToUnixTimestamp,
    ];
    functions.push(plain(stdlib::FormatTimestamp, fixed_zone));
    functions.push(plain(stdlib::ParseTimestamp, fixed_zone));
    functions
}

fn networks() -> Vec<Box<dyn Function>> {
    functions![
        stdlib::CommunityID,
        stdlib::IpAton,
        stdlib::IpCidrContains,
        stdlib::IpNtoa,
        stdlib::IpNtop,
        stdlib::IpPton,
        stdlib::IpSubnet,
        stdlib::IpToIpv6,
        stdlib::Ipv6ToIpV4,
        stdlib::IsIpv4,
        stdlib::IsIpv6,
    ]
}

fn formats() -> Vec<Box<dyn Function>> {
    functions![
        stdlib::ParseApacheLog,
        stdlib::ParseAwsAlbLog,
        stdlib::ParseAwsCloudWatchLogSubscriptionMessage,
        stdlib::ParseAwsVpcFlowLog,
        stdlib::ParseBytes,
        stdlib::ParseCef,
        stdlib::ParseCommonLog,
        stdlib::ParseCsv,
        stdlib::ParseGlog,
        stdlib::ParseInfluxDB,
        stdlib::ParseJson,
        stdlib::ParseKeyValue,
        stdlib::ParseLogFmt,
        stdlib::ParseNginxLog,
        stdlib::ParseQueryString,
        stdlib::ParseRegex,
        stdlib::ParseRegexAll,
        stdlib::ParseTokens,
        stdlib::ParseUrl,
        stdlib::ToSyslogFacility,
        stdlib::ToSyslogFacilityCode,
        stdlib::ToSyslogLevel,
        stdlib::ToSyslogSeverity,
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A new version of VRL brings new functions; each must be looked at before programs may call it.
    #[test]
    fn every_function_of_vrl_is_either_allowed_or_left_out_with_a_reason() {
        let allowed: BTreeSet<_> = allowed().iter().map(|function| function.identifier()).collect();
        let left_out: BTreeSet<_> = LEFT_OUT
            .iter()
            .flat_map(|(names, _)| names.iter().copied())
            .collect();
        assert_eq!(
            allowed.intersection(&left_out).collect::<Vec<_>>(),
            Vec::<&&str>::new()
        );
        let unknown: Vec<_> = stdlib::all()
            .iter()
            .map(|function| function.identifier())
            .filter(|name| !allowed.contains(name) && !left_out.contains(name))
            .collect();
        assert_eq!(unknown, Vec::<&str>::new(), "decide about these functions");
    }

    #[test]
    fn every_reason_fits_a_sentence_that_begins_with_the_functions_name() {
        for (names, reason) in LEFT_OUT {
            assert!(!names.is_empty() && !reason.ends_with('.'), "{reason}");
        }
    }
}
