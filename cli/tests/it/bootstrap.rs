//! `mef bootstrap`. That its commands make what an operator needs is shown by `make e2e-aws`.

use crate::support::{Place, golden};

const GIVEN: [&str; 11] = [
    "bootstrap",
    "--account-id",
    "111122223333",
    "--region",
    "eu-central-1",
    "--region",
    "us-east-1",
    "--principal",
    "arn:aws:iam::444455556666:role/mef",
    "--external-id",
    "only-we-know",
];

#[test]
fn commands_and_values_are_printed() {
    golden("bootstrap.txt", &Place::new().mef(GIVEN).exits(0).stdout);
}

#[test]
fn the_template_is_the_one_of_the_repository() {
    let template = include_str!("../../../cloudformation/bootstrap.yaml");
    assert_eq!(
        Place::new().mef(["bootstrap", "--template"]).exits(0).stdout,
        template
    );
}

/// What the commands name is what the template makes.
#[test]
fn names_are_those_of_the_template() {
    let printed = Place::new()
        .mef(GIVEN.into_iter().chain(["-o", "json"]))
        .exits(0)
        .json();
    let template = include_str!("../../../cloudformation/bootstrap.yaml");
    let account = &printed["values"]["awsAccounts"]["main"];
    for (field, name) in [
        ("roleArn", "RoleName: mef-operator"),
        ("serviceRoleArn", "RoleName: mef-cloudformation"),
        ("permissionsBoundary", "ManagedPolicyName: mef-function-boundary"),
    ] {
        assert!(template.contains(name), "{name}");
        let arn = account[field].as_str().unwrap();
        assert_eq!(arn.rsplit('/').next(), name.rsplit(' ').next());
    }
    assert!(template.contains("BucketName: !Sub \"mef-artefacts-${AWS::AccountId}-${AWS::Region}\""));
    let bucket = &account["regions"]["us-east-1"]["artefactBucket"];
    assert_eq!(bucket, "mef-artefacts-111122223333-us-east-1");
    for command in printed["commands"].as_array().unwrap() {
        let words = command.as_str().unwrap().split(' ');
        for parameter in words
            .filter_map(|word| word.split_once('='))
            .map(|(name, _)| name)
        {
            assert!(
                template.contains(&format!("\n  {parameter}:\n    Type: String")),
                "{parameter}"
            );
        }
    }
}

/// A word of a shell stays one, whatever it holds.
#[test]
fn what_a_shell_would_read_is_quoted() {
    let more = ["--secret-prefix", "it's; mine/"];
    let printed = Place::new().mef(GIVEN.into_iter().chain(more)).exits(0).stdout;
    assert!(printed.contains(r"'SecretPrefix=it'\''s; mine/'"), "{printed}");
}

#[test]
fn what_cannot_be_is_told_with_what_was_expected() {
    for (option, value, expected) in [
        ("--account-id", "1111", "twelve digits"),
        ("--region", "Frankfurt", "eu-central-1"),
        ("--principal", "arn:aws:iam::444455556666:root", "a role or user"),
        (
            "--principal",
            "arn:aws-cn:iam::444455556666:role/mef",
            "arn:aws:iam::",
        ),
        ("--external-id", "not allowed", "letters, digits"),
    ] {
        let mut given = GIVEN.to_vec();
        let at = given.iter().position(|word| *word == option).unwrap();
        given[at + 1] = value;
        let run = Place::new().mef(given).exits(2).says(option).says(expected);
        // An external id is only told to whom it is for.
        assert_eq!(run.all().contains(value), option != "--external-id");
    }
    Place::new().mef(["bootstrap"]).exits(2).says("--account-id");
}
