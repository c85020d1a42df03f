use super::*;

const TOKEN: &str = "the-token";

fn access() -> Access {
    Access {
        session: Secret::new("the-session"),
        ..Access::new(&Running {
            pid: 1,
            listen: "127.0.0.1:8080".to_owned(),
            page: "127.0.0.1:8081".to_owned(),
            token: TOKEN.to_owned(),
            started_at: String::new(),
            public_url: None,
            sqs: None,
        })
        .unwrap()
    }
}

fn judge(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<bool, Stranger> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    access().judge(&method.parse().unwrap(), path, query, &map)
}

const HERE: (&str, &str) = ("host", "127.0.0.1:8081");
const SESSION: (&str, &str) = ("cookie", "a=b; mef-page-8081=the-session");

#[test]
fn the_token_opens_and_the_cookie_keeps_open() {
    assert_eq!(judge("GET", "/?token=the-token", &[HERE]), Ok(true));
    assert_eq!(judge("GET", "/", &[HERE, SESSION]), Ok(false));
    assert_eq!(
        judge("GET", "/page/state", &[("host", "localhost:8081"), SESSION]),
        Ok(false)
    );
    assert_eq!(
        judge(
            "GET",
            "/page/state",
            &[HERE, ("authorization", "Bearer the-token")]
        ),
        Ok(false)
    );
    for wrong in ["/?token=the-toke", "/?token=", "/?token=the-session"] {
        assert_eq!(judge("GET", wrong, &[HERE]), Err(Stranger::Token), "{wrong}");
    }
    for target in [
        "/",
        "/assets/page.js",
        "/page/state",
        "/page/state?token=the-token",
    ] {
        assert_eq!(
            judge("GET", target, &[HERE]),
            Err(Stranger::NoSession),
            "{target}"
        );
    }
    let other = ("cookie", "mef-page-8082=the-session; mef-page-8081=the-token");
    assert_eq!(judge("GET", "/", &[HERE, other]), Err(Stranger::NoSession));
}

#[test]
fn a_foreign_host_is_refused_before_anything_else() {
    for host in [
        "attacker.example:8081",
        "127.0.0.1",
        "127.0.0.1:8080",
        "localhost:80",
        "127.0.0.1:8081.attacker.example",
    ] {
        for target in ["/", "/?token=the-token", "/page/state"] {
            assert_eq!(
                judge("GET", target, &[("host", host), SESSION]),
                Err(Stranger::Host),
                "{host}"
            );
        }
    }
    assert_eq!(judge("GET", "/", &[SESSION]), Err(Stranger::Host));
    assert_eq!(
        judge("GET", "/", &[HERE, ("host", "127.0.0.1:8081"), SESSION]),
        Err(Stranger::Host)
    );
}

#[test]
fn another_site_is_refused_even_with_the_cookie() {
    for origin in [
        "http://attacker.example",
        "null",
        "https://127.0.0.1:8081",
        "http://127.0.0.1:8080",
        "http://localhost:8081",
    ] {
        for method in ["GET", "POST"] {
            let asked = judge(method, "/page/replay", &[HERE, SESSION, ("origin", origin)]);
            assert_eq!(asked, Err(Stranger::Site), "{method} {origin}");
        }
    }
    let own = ("origin", "http://127.0.0.1:8081");
    assert_eq!(judge("POST", "/page/replay", &[HERE, SESSION, own]), Ok(false));
    assert_eq!(
        judge("POST", "/page/replay", &[HERE, own]),
        Err(Stranger::NoSession)
    );
    assert_eq!(
        judge("POST", "/page/replay", &[HERE, SESSION]),
        Err(Stranger::Site),
        "it must say where it comes from"
    );
    for site in ["cross-site", "same-site"] {
        let asked = judge("GET", "/page/state", &[HERE, SESSION, ("sec-fetch-site", site)]);
        assert_eq!(asked, Err(Stranger::Site), "{site}");
    }
    assert_eq!(
        judge(
            "GET",
            "/?token=the-token",
            &[HERE, ("sec-fetch-site", "cross-site")]
        ),
        Ok(true)
    );
}
