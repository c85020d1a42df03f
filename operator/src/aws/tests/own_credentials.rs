//! Where the operator's own credentials come from, by the chain as it is: what it reads of its environment is given to a child,
//! which is this program again with one test chosen.

use std::env;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use aws_config::Region;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use jiff::{SignedDuration, Timestamp};

use super::wire::{AGENT, Fault, Server};
use crate::aws::clients::{Own, own_credentials};
use crate::aws::edge::{Client, Http, Identity};
use crate::aws::refusal::Kind;

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-central-1";
/// What an operator's environment says of its own cluster's region, which is not that of every source.
const ELSEWHERE: &str = "us-east-1";
const ROLE: &str = "arn:aws:iam::111122223333:role/mef";
const NAME: &str = "mef-security-zoom-9e743b18";
/// What a child is to do, and against which server.
const DUTY: &str = "MEF_CHILD_DUTY";
const SERVER: &str = "MEF_CHILD_SERVER";

fn minute(minute: i64) -> Timestamp {
    let start: Timestamp = "2026-01-02T03:00:00Z".parse().unwrap();
    start + SignedDuration::from_mins(minute)
}

fn client(url: String, role: Option<&str>) -> Arc<Client> {
    let identity = Identity {
        base: own_credentials(REGION),
        role_arn: role.map(str::to_owned),
        external_id: None,
        session: "mef-tests".to_owned(),
    };
    Client::new(
        Http::new(Some(url)).unwrap(),
        identity,
        REGION.to_owned(),
        "amazonaws.com",
    )
}

/// Does nothing but in a child.
#[tokio::test]
async fn a_child_of_the_tests_below() {
    let Ok(duty) = env::var(DUTY) else { return };
    let url = env::var(SERVER).unwrap();
    match duty.as_str() {
        // Fifty-five looks, and one shortly before the credentials end.
        "look" | "look in a role" => {
            let client = client(url, (duty == "look in a role").then_some(ROLE));
            for at in (0..55).chain([56]) {
                assert_eq!(client.describe(NAME, minute(at)).await.unwrap(), None);
            }
        }
        "see a file change" => {
            let client = client(url, None);
            let mut keys = Vec::new();
            for at in [0, 1, 4, 6] {
                if at == 1 {
                    profile(Path::new(&env::var("AWS_CONFIG_FILE").unwrap()), "SECOND");
                }
                let credentials = client.credentials(minute(at)).await.unwrap();
                keys.push(credentials.access_key_id().to_owned());
            }
            assert_eq!(keys, ["FIRST", "FIRST", "FIRST", "SECOND"]);
        }
        "ask AWS itself" => {
            let asked = Asked::default();
            let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
            let own = Own {
                region: Region::new(REGION),
                http: http.build_with_resolver(asked.clone()),
            };
            own.provide_credentials().await.unwrap_err();
            let mut hosts = asked.0.lock().unwrap().clone();
            hosts.dedup();
            assert_eq!(hosts, ["sts.eu-central-1.amazonaws.com"]);
        }
        other => panic!("no duty: {other}"),
    }
}

/// Knows no host, and remembers which were asked for.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl ResolveDns for Asked {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        self.0.lock().unwrap().push(name.to_owned());
        DnsFuture::ready(Err(ResolveDnsError::new("there is no network in this test")))
    }
}

fn profile(path: &Path, key: &str) {
    let text = format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = x\n");
    std::fs::write(path, text).unwrap();
}

/// A server whose credentials last an hour, and a folder for files.
struct Bed {
    server: Server,
    folder: tempfile::TempDir,
}

impl Bed {
    async fn start() -> Self {
        let server = Server::start(ACCOUNT, REGION, minute(0)).await;
        server.end(minute(60));
        Self {
            server,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Has a child do something with this environment and no other.
    #[track_caller]
    fn child(&self, duty: &str, environment: &[(&str, String)]) {
        let output = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "aws::tests::own_credentials::a_child_of_the_tests_below",
            ])
            .env_clear()
            .env("HOME", self.folder.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_REGION", ELSEWHERE)
            .env(DUTY, duty)
            .env(SERVER, self.server.url())
            .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{duty}: {said}"
        );
    }

    fn count(&self, action: &str) -> usize {
        self.server
            .asked()
            .iter()
            .filter(|asked| *asked == action)
            .count()
    }
}

fn web_identity(bed: &Bed) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_WEB_IDENTITY_TOKEN_FILE", bed.file("token", "a.web.token")),
        ("AWS_ROLE_ARN", ROLE.to_owned()),
        ("AWS_ENDPOINT_URL_STS", bed.server.url()),
    ]
}

/// As with IRSA. Every look would ask STS else.
#[tokio::test(flavor = "multi_thread")]
async fn a_web_identity_is_shown_once_an_hour() {
    let bed = Bed::start().await;
    bed.child("look", &web_identity(&bed));
    assert_eq!(
        (
            bed.count("DescribeStacks"),
            bed.count("AssumeRoleWithWebIdentity")
        ),
        (56, 2)
    );
    let bed = Bed::start().await;
    bed.child("look in a role", &web_identity(&bed));
    let counts = ["AssumeRoleWithWebIdentity", "AssumeRole"].map(|action| bed.count(action));
    assert_eq!(counts, [2, 2]);
}

/// Without an endpoint of one's own the region is in the host's name.
#[tokio::test(flavor = "multi_thread")]
async fn a_web_identity_is_shown_in_the_region_of_the_source() {
    let bed = Bed::start().await;
    let mut environment = web_identity(&bed);
    environment.pop();
    bed.child("ask AWS itself", &environment);
    assert!(bed.server.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_of_a_profile_is_taken_once_an_hour_in_the_region_of_the_source() {
    let bed = Bed::start().await;
    let text = format!(
        "[profile operator]\nrole_arn = {ROLE}\nsource_profile = person\nregion = {ELSEWHERE}\n\n[profile person]\n\
         aws_access_key_id = PERSON\naws_secret_access_key = x\n"
    );
    bed.child(
        "look",
        &[
            ("AWS_CONFIG_FILE", bed.file("config", &text)),
            ("AWS_PROFILE", "operator".to_owned()),
            ("AWS_ENDPOINT_URL_STS", bed.server.url()),
        ],
    );
    assert_eq!((bed.count("DescribeStacks"), bed.count("AssumeRole")), (56, 2));
    let asked = (bed.server.signers("AssumeRole"), bed.server.regions("AssumeRole"));
    assert_eq!(asked, (["PERSON".to_owned()].into(), [REGION.to_owned()].into()));
    assert_eq!(
        bed.server.signers("DescribeStacks"),
        ["ASSUMED".to_owned()].into()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_of_a_pods_identity_is_asked_once_an_hour() {
    let bed = Bed::start().await;
    bed.child(
        "look",
        &[
            (
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                format!("{}{AGENT}", bed.server.url()),
            ),
            (
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                bed.file("token", "a-pods-token"),
            ),
        ],
    );
    assert_eq!((bed.count("DescribeStacks"), bed.count("agent")), (56, 2));
    assert_eq!(bed.server.signers("DescribeStacks"), ["AGENT".to_owned()].into());
}

/// Keys that do not say when they end: the file they stand in, as a mounted Secret, may be another after five minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_changed_is_seen_within_five_minutes() {
    let bed = Bed::start().await;
    let path = bed.folder.path().join("config");
    profile(&path, "FIRST");
    let path = path.to_str().unwrap().to_owned();
    bed.child("see a file change", &[("AWS_CONFIG_FILE", path)]);
}

/// What AWS does not take is not kept: the next look asks for other credentials, and whose they are.
#[tokio::test]
async fn credentials_that_aws_refuses_are_forgotten() {
    let bed = Bed::start().await;
    let identity = Identity {
        base: aws_credential_types::provider::SharedCredentialsProvider::new(
            aws_credential_types::Credentials::new("KEY", "secret", None, None, "test"),
        ),
        role_arn: Some(ROLE.to_owned()),
        external_id: None,
        session: "mef-tests".to_owned(),
    };
    let http = Http::new(Some(bed.server.url())).unwrap();
    let client = Client::new(http, identity, REGION.to_owned(), "amazonaws.com");
    client.caller(minute(0)).await.unwrap();
    client.describe(NAME, minute(1)).await.unwrap();
    assert_eq!((bed.count("AssumeRole"), bed.count("GetCallerIdentity")), (1, 1));
    bed.server.fault(
        "DescribeStacks",
        Fault::Refuse(403, "ExpiredToken", "it is expired"),
    );
    let refusal = client.describe(NAME, minute(2)).await.unwrap_err();
    assert_eq!(refusal.kind, Kind::Credentials);
    client.caller(minute(3)).await.unwrap();
    client.describe(NAME, minute(3)).await.unwrap();
    assert_eq!((bed.count("AssumeRole"), bed.count("GetCallerIdentity")), (2, 2));
}
