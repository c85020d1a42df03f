//! The document: as committed, clean under cfn-lint, and never a danger to a queue or a URL.
//!
//! `UPDATE_GOLDEN=1 cargo test -p mef-operator --lib rendering` writes the files anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::world::Dice;
use crate::aws::names::Names;
use crate::aws::template::{LARGEST, template};
use crate::aws::wanted::{
    Api, Architecture, Front, FunctionSettings, Package, Place, QueueSettings, Route, Throttle, Wanted,
};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn texts<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.map(str::to_owned).into()
}

pub(in crate::aws) fn least(api: Api) -> Wanted {
    Wanted {
        names: Names::new("prod", "security", "zoom", None),
        place: Place {
            account: "111122223333".to_owned(),
            region: "eu-central-1".to_owned(),
            partition: "aws".to_owned(),
            permissions_boundary: "arn:aws:iam::111122223333:policy/mef-function-boundary".to_owned(),
        },
        front: Front {
            api,
            throttle: Throttle { rate: 50, burst: 100 },
            allowed_cidrs: Vec::new(),
            domain: None,
        },
        route: Route {
            methods: texts(["POST"]),
            path: "/zoom".to_owned(),
        },
        queue: QueueSettings {
            retention: 604_800,
            visibility_timeout: 60,
            max_receive_count: 10,
            max_message_bytes: 262_144,
            kms_key_arn: None,
        },
        function: FunctionSettings {
            architecture: Architecture::X86,
            reserved_concurrency: None,
            package: Package {
                bucket: "mef-artefacts-111122223333-eu-central-1".to_owned(),
                key: format!("functions/{}.zip", "0123456789abcdef".repeat(4)),
            },
            secrets: texts(["arn:aws:secretsmanager:eu-central-1:111122223333:secret:mef/zoom-AbCdEf"]),
            parameters: BTreeSet::new(),
        },
        alarm_topic: None,
        tags: BTreeMap::from([("events.mozdef.io/source".to_owned(), "security/zoom".to_owned())]),
        closed: false,
    }
}

fn most(api: Api) -> Wanted {
    let mut wanted = least(api);
    wanted.names = Names::new("prod", "security", "okta", Some("mozdef-okta"));
    wanted.front.throttle = Throttle {
        rate: 500,
        burst: 1_000,
    };
    wanted.front.domain = Some(("hooks.example.org".to_owned(), Some("in".to_owned())));
    if api == Api::Rest {
        wanted.front.allowed_cidrs = vec!["192.0.2.0/24".to_owned(), "2001:db8::/32".to_owned()];
    }
    wanted.route.methods = texts(["POST", "GET"]);
    wanted.route.path = "/hooks/okta".to_owned();
    wanted.queue.kms_key_arn =
        Some("arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555".to_owned());
    wanted.function.architecture = Architecture::Arm;
    wanted.function.reserved_concurrency = Some(20);
    wanted.function.parameters = texts(["/mef/okta/token"]);
    wanted.alarm_topic = Some("arn:aws:sns:eu-central-1:111122223333:alarms".to_owned());
    wanted
}

fn cases() -> Vec<(&'static str, Wanted)> {
    let mut china = least(Api::Rest);
    china.place = Place {
        account: "444455556666".to_owned(),
        region: "cn-north-1".to_owned(),
        partition: "aws-cn".to_owned(),
        permissions_boundary: "arn:aws-cn:iam::444455556666:policy/mef-function-boundary".to_owned(),
    };
    china.function.secrets = BTreeSet::new();
    let mut closed = least(Api::Rest);
    closed.closed = true;
    let mut closed_http = least(Api::Http);
    closed_http.closed = true;
    vec![
        ("rest", least(Api::Rest)),
        ("rest-everything", most(Api::Rest)),
        ("rest-china", china),
        ("rest-closed", closed),
        ("http", least(Api::Http)),
        ("http-everything", most(Api::Http)),
        ("http-closed", closed_http),
    ]
}

fn rendered(wanted: &Wanted) -> Value {
    serde_json::to_value(template(wanted)).unwrap()
}

#[test]
fn every_case_makes_the_committed_document() {
    let golden = repository().join("cloudformation/golden");
    for (name, wanted) in cases() {
        let template = template(&wanted);
        let made = serde_json::to_string_pretty(&template).unwrap() + "\n";
        let committed = golden.join(name).join("template.json");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(committed.parent().unwrap()).unwrap();
            std::fs::write(&committed, &made).unwrap();
        }
        let before = std::fs::read_to_string(&committed).unwrap_or_default();
        pretty_assertions::assert_str_eq!(before, made);
        assert!(
            template.text().unwrap().len() < LARGEST / 2,
            "{name} is too large to send"
        );
    }
    let folders = std::fs::read_dir(golden).unwrap().count();
    assert_eq!(folders, cases().len(), "a folder of no case");
}

/// Skipped where it cannot be fetched; `make test` fetches it.
fn cfn_lint() -> Option<PathBuf> {
    let fetched = Command::new(repository().join("tests/bed/aws/cfn-lint"))
        .output()
        .ok()?;
    let folder = String::from_utf8(fetched.stdout).ok()?;
    let there = fetched.status.success();
    assert!(
        there || std::env::var_os("CI").is_none(),
        "cfn-lint cannot be fetched"
    );
    there.then(|| PathBuf::from(folder.trim()).join("bin"))
}

#[test]
fn every_document_is_clean_under_cfn_lint() {
    let Some(tools) = cfn_lint() else {
        println!("skipped: cfn-lint is not here");
        return;
    };
    let run = |region: &str, templates: &[PathBuf]| {
        let mut command = Command::new(tools.join("cfn-lint"));
        let lint = command
            .args(["--regions", region, "--"])
            .args(templates)
            .output()
            .unwrap();
        (
            lint.status.success(),
            String::from_utf8_lossy(&lint.stdout).into_owned(),
        )
    };
    let root = repository().join("cloudformation");
    // One run per region: it takes long to start.
    let mut by_region: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    by_region.insert("eu-central-1".to_owned(), vec![root.join("bootstrap.yaml")]);
    for (name, wanted) in cases() {
        let template = root.join("golden").join(name).join("template.json");
        by_region.entry(wanted.place.region).or_default().push(template);
    }
    for (region, templates) in by_region {
        let (clean, said) = run(&region, &templates);
        assert!(clean, "{said}");
    }
    // That it would notice.
    let folder = tempfile::tempdir().unwrap();
    let mut broken = rendered(&least(Api::Rest));
    broken["Resources"]["EventQueue"]["Properties"]["VisibilityTimeoutt"] = 1.into();
    let path = folder.path().join("template.json");
    std::fs::write(&path, broken.to_string()).unwrap();
    assert!(!run("eu-central-1", &[path]).0, "cfn-lint notices nothing");
}

#[test]
fn the_table_of_replacements_is_that_of_the_published_schemas() {
    let Some(tools) = cfn_lint() else {
        println!("skipped: cfn-lint is not here");
        return;
    };
    let made = Command::new(tools.join("python"))
        .arg(repository().join("tests/bed/aws/create-only.py"))
        .output()
        .unwrap();
    pretty_assertions::assert_str_eq!(
        include_str!("../template/create-only.yaml"),
        String::from_utf8_lossy(&made.stdout)
    );
}

/// Types whose loss loses events, or changes the URL.
const PRECIOUS: [&str; 4] = [
    "AWS::SQS::Queue",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Stage",
    "AWS::ApiGatewayV2::Api",
];

/// What an update from one document to another would replace or delete of what is precious.
fn losses(before: &Value, after: &Value) -> Vec<String> {
    let table: BTreeMap<String, Vec<String>> =
        serde_yaml::from_str(include_str!("../template/create-only.yaml")).unwrap();
    let mut losses = Vec::new();
    for (id, old) in before["Resources"].as_object().unwrap() {
        let kind = old["Type"].as_str().unwrap();
        let create_only = table
            .get(kind)
            .unwrap_or_else(|| panic!("the table has no {kind}"));
        if !PRECIOUS.contains(&kind) {
            continue;
        }
        let new = &after["Resources"][id];
        if new["Type"] != old["Type"] {
            losses.push(format!("{id} goes"));
        }
        for property in create_only {
            if new["Properties"][property] != old["Properties"][property] {
                losses.push(format!("{id}.{property} changes"));
            }
        }
    }
    losses
}

/// A source with everything another that a user may change: what is immutable stays.
fn edited(dice: &mut Dice, source: &Wanted) -> Wanted {
    let mut wanted = source.clone();
    let any = |dice: &mut Dice, from: u64, to: u64| from + dice.roll(to - from);
    wanted.front.throttle = Throttle {
        rate: u32::try_from(any(dice, 1, 10_000)).unwrap(),
        burst: u32::try_from(any(dice, 1, 5_000)).unwrap(),
    };
    if wanted.front.api == Api::Rest {
        wanted.front.allowed_cidrs = (0..dice.roll(3)).map(|n| format!("192.0.2.{n}/32")).collect();
    }
    wanted.front.domain = match dice.roll(3) {
        0 => None,
        1 => Some(("hooks.example.org".to_owned(), None)),
        _ => Some(("hooks.example.net".to_owned(), Some(format!("b{}", dice.roll(3))))),
    };
    wanted.route.methods = [
        texts(["POST"]),
        texts(["POST", "GET"]),
        texts(["POST", "HEAD", "OPTIONS"]),
    ][usize::try_from(dice.roll(3)).unwrap()]
    .clone();
    wanted.queue = QueueSettings {
        retention: any(dice, 60, 1_209_600),
        visibility_timeout: any(dice, 1, 43_200),
        max_receive_count: u16::try_from(any(dice, 1, 1_000)).unwrap(),
        max_message_bytes: u32::try_from(any(dice, 1_024, 1_048_576)).unwrap(),
        kms_key_arn: dice
            .one_in(2)
            .then(|| "arn:aws:kms:eu-central-1:111122223333:key/a".to_owned()),
    };
    wanted.function = FunctionSettings {
        architecture: [Architecture::X86, Architecture::Arm][usize::from(dice.one_in(2))],
        reserved_concurrency: dice.one_in(2).then_some(10),
        package: Package {
            bucket: format!("bucket-{}", dice.roll(2)),
            key: format!("functions/{}.zip", dice.roll(1_000)),
        },
        secrets: (0..dice.roll(3))
            .map(|n| format!("arn:aws:secretsmanager:eu-central-1:111122223333:secret:s{n}"))
            .collect(),
        parameters: (0..dice.roll(3)).map(|n| format!("/mef/p{n}")).collect(),
    };
    wanted.alarm_topic = dice
        .one_in(2)
        .then(|| "arn:aws:sns:eu-central-1:111122223333:alarms".to_owned());
    wanted.closed = dice.one_in(5);
    wanted
}

#[test]
fn no_change_that_is_allowed_replaces_or_deletes_a_queue_or_an_api() {
    for seed in 0..2_000 {
        let mut dice = Dice(seed);
        let api = [Api::Rest, Api::Http][usize::from(dice.one_in(2))];
        let source = [least(api), most(api)][usize::from(dice.one_in(2))].clone();
        let (before, after) = (edited(&mut dice, &source), edited(&mut dice, &source));
        let losses = losses(&rendered(&before), &rendered(&after));
        assert!(losses.is_empty(), "seed {seed}: {losses:?}");
    }
    // That it would notice what the CRD's rules forbid.
    let mut renamed = least(Api::Rest);
    renamed.names = Names::new("prod", "security", "zoom", Some("mef-another"));
    assert_eq!(losses(&rendered(&least(Api::Rest)), &rendered(&renamed)).len(), 2);
    assert!(!losses(&rendered(&least(Api::Rest)), &rendered(&least(Api::Http))).is_empty());
}

#[test]
fn a_deployment_is_another_exactly_when_the_api_is() {
    let id = |wanted: &Wanted| {
        let document = rendered(wanted);
        let resources = document["Resources"].as_object().unwrap();
        let mut ids = resources.keys().filter(|id| id.starts_with("Deployment"));
        let id = ids.next().unwrap().clone();
        assert_eq!(
            document["Resources"]["Stage"]["Properties"]["DeploymentId"]["Ref"],
            id.as_str()
        );
        assert!(ids.next().is_none());
        id
    };
    let source = least(Api::Rest);
    let mut other = source.clone();
    other.function.package.key = "functions/another.zip".to_owned();
    other.queue.retention = 60;
    other.front.throttle.rate = 1;
    other.tags.insert("a".to_owned(), "b".to_owned());
    assert_eq!(id(&source), id(&other), "nothing of the API changed");
    let mut methods = source.clone();
    methods.route.methods.insert("GET".to_owned());
    let mut policy = source.clone();
    policy.front.allowed_cidrs.push("192.0.2.0/24".to_owned());
    assert_ne!(id(&source), id(&methods));
    assert_ne!(id(&source), id(&policy));
    // Back again is the one there was.
    assert_eq!(id(&source), id(&source.clone()));
}

#[test]
fn no_document_holds_a_condition_a_parameter_or_a_partition_of_its_own() {
    for (name, wanted) in cases() {
        let text = template(&wanted).text().unwrap();
        for word in [
            "\"Conditions\":",
            "\"Parameters\":",
            "Fn::If",
            "{{resolve:",
            "AWS::AccountId",
        ] {
            assert!(!text.contains(word), "{name} holds {word}");
        }
        if name == "rest-china" {
            assert!(!text.contains("arn:aws:"), "another partition");
            assert!(text.contains(".amazonaws.com.cn/v1/zoom"));
        }
    }
}

/// Whoever reads the log group's rights finds no way to make one anew.
#[test]
fn a_function_may_do_what_it_does_and_nothing_else() {
    let document = rendered(&most(Api::Rest));
    let statements =
        &document["Resources"]["FunctionRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"];
    let mut actions: Vec<&str> = statements
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|statement| statement["Action"].as_array().unwrap())
        .map(|action| action.as_str().unwrap())
        .collect();
    actions.sort_unstable();
    assert_eq!(
        actions,
        [
            "kms:Decrypt",
            "kms:GenerateDataKey",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            "secretsmanager:GetSecretValue",
            "sqs:SendMessage",
            "ssm:GetParameter",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        ]
    );
}
