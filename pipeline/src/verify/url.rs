//! The URL as the sender knows it: the configured one with the request's query. The `Host` header is never looked at.

use mef_crds::UrlVariant;

/// The public URL with the query, in one of its spellings.
pub(crate) fn full(public_url: &str, query: &str, variant: Option<UrlVariant>) -> String {
    let mut url = match variant {
        None => public_url.to_owned(),
        Some(UrlVariant::StripPort) => with_port(public_url, |_, _| None),
        Some(UrlVariant::AddDefaultPort) => with_port(public_url, |scheme, port| {
            port.or(Some(if scheme == "http" { "80" } else { "443" }))
        }),
    };
    if !query.is_empty() {
        url.push('?');
        url.push_str(query);
    }
    url
}

/// HubSpot signs the URL with these characters decoded and all others as they are.
pub(crate) fn hubspot(url: &str) -> String {
    const DECODED: [(&str, char); 12] = [
        ("3A", ':'),
        ("2F", '/'),
        ("3F", '?'),
        ("40", '@'),
        ("21", '!'),
        ("24", '$'),
        ("27", '\''),
        ("28", '('),
        ("29", ')'),
        ("2A", '*'),
        ("2C", ','),
        ("3B", ';'),
    ];
    let mut decoded = String::with_capacity(url.len());
    let mut parts = url.split('%');
    decoded.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let code = part.get(..2).unwrap_or_default();
        match DECODED.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)) {
            Some((_, character)) => {
                decoded.push(*character);
                decoded.push_str(&part[2..]);
            }
            None => {
                decoded.push('%');
                decoded.push_str(part);
            }
        }
    }
    decoded
}

/// The URL with the port that `choose` makes of its scheme and the port it has.
fn with_port<'u>(url: &'u str, choose: impl FnOnce(&str, Option<&'u str>) -> Option<&'u str>) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = match authority.rsplit_once(':') {
        // Inside brackets a colon belongs to an IPv6 address.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    match choose(scheme, port) {
        Some(port) => format!("{scheme}://{host}:{port}{path}"),
        None => format!("{scheme}://{host}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, variant: Option<UrlVariant>, expected: &str) {
        assert_eq!(full(url, "a=1", variant), expected);
    }

    #[test]
    fn ports_are_added_and_stripped() {
        check("https://h/p", None, "https://h/p?a=1");
        check(
            "https://h/p",
            Some(UrlVariant::AddDefaultPort),
            "https://h:443/p?a=1",
        );
        check("http://h", Some(UrlVariant::AddDefaultPort), "http://h:80?a=1");
        check(
            "http://h:8/p:9",
            Some(UrlVariant::AddDefaultPort),
            "http://h:8/p:9?a=1",
        );
        check("https://h:8443/p", Some(UrlVariant::StripPort), "https://h/p?a=1");
        check(
            "https://[::1]/p",
            Some(UrlVariant::StripPort),
            "https://[::1]/p?a=1",
        );
        check(
            "https://[::1]:1/p",
            Some(UrlVariant::StripPort),
            "https://[::1]/p?a=1",
        );
        assert_eq!(full("https://h/p", "", None), "https://h/p");
    }

    #[test]
    fn hubspot_decodes_its_twelve_characters_and_no_other() {
        assert_eq!(
            hubspot("https://h/%3a%2F%3F%40%21%24%27%28%29%2a%2C%3B?q=%20%25%3A%"),
            "https://h/:/?@!$'()*,;?q=%20%25:%"
        );
    }
}
