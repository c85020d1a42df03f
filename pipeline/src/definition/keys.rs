//! Collects a source's keys from the Secrets at hand. Values are looked at, never shown and never changed.

use mef_crds::{Reason, SecretEntry, SecretKeyRef};

use super::{Definition, References};
use crate::diagnostics::{Level, Problem};
use crate::manifest::messages::nearest;
use crate::secret::{KeyRing, Secret};

pub(super) fn collect(definition: &Definition, references: &References) -> (KeyRing, Vec<Problem>) {
    let mut keys = Vec::new();
    let mut problems = Vec::new();
    for (index, entry) in definition.spec.webhook.secrets.iter().enumerate() {
        let Some(reference) = &entry.secret_ref else {
            problems.push(elsewhere(index));
            continue;
        };
        let field = format!("spec.webhook.secrets[{index}].secretRef");
        match find(&field, &definition.namespace, reference, references) {
            Ok(secret) => {
                problems.extend(doubts(&field, reference, secret));
                keys.push(definition.key(index, entry, secret.clone()));
            }
            // The sender tells it in its handshake; until then the source has none.
            Err(problem) if definition.preset.captures(definition.usage(entry)) => {
                problems.push(Problem {
                    level: Level::Warning,
                    ..problem.help(
                        "this sender tells the secret in its first request: open a window for it, press the button at the \
                         sender, and compare what was captured",
                    )
                });
            }
            Err(problem) => problems.push(problem.reason(Reason::ReferenceNotFound)),
        }
    }
    (KeyRing::new(keys), problems)
}

/// The keys of a source in AWS: for each entry, in order, its versions that are valid now, with what is wrong with them.
pub(super) fn fetched(definition: &Definition, versions: &[Vec<Secret>]) -> (KeyRing, Vec<Problem>) {
    let mut keys = Vec::new();
    let mut problems = Vec::new();
    for (index, entry) in definition.spec.webhook.secrets.iter().enumerate() {
        let found = versions.get(index).map(Vec::as_slice).unwrap_or_default();
        let usable = found.iter().filter(|secret| !secret.is_empty());
        let before = keys.len();
        keys.extend(usable.map(|secret| definition.key(index, entry, secret.clone())));
        if keys.len() == before {
            problems.push(
                Problem::error(
                    format!("spec.webhook.secrets[{index}]"),
                    format!(
                        "{} is empty, and an empty secret would let anybody sign",
                        place(entry)
                    ),
                )
                .help("put the value into it"),
            );
        }
    }
    (KeyRing::new(keys), problems)
}

/// How people name where a secret is.
fn place(entry: &SecretEntry) -> String {
    match (&entry.secrets_manager, &entry.ssm_parameter) {
        (Some(secret), _) => format!("the secret {:?} of Secrets Manager", secret.arn),
        (None, Some(parameter)) => format!("the parameter {:?} of Parameter Store", parameter.name),
        (None, None) => "it".to_owned(),
    }
}

/// A secret that only a function in AWS reads.
fn elsewhere(index: usize) -> Problem {
    Problem::error(
        format!("spec.webhook.secrets[{index}]"),
        "this secret is in AWS, where only the source's function reads it",
    )
    .help("to run the source here, name a Secret with secretRef")
    .reason(Reason::ReferenceNotFound)
}

fn find<'a>(
    field: &str,
    namespace: &str,
    reference: &SecretKeyRef,
    references: &'a References,
) -> Result<&'a Secret, Problem> {
    let SecretKeyRef { name, key } = reference;
    let Some(values) = references.secrets.get(&(namespace.to_owned(), name.clone())) else {
        let problem = Problem::error(
            format!("{field}.name"),
            format!("there is no Secret {name:?} in namespace {namespace:?}"),
        );
        let known = references
            .secrets
            .keys()
            .filter(|(other, _)| other == namespace)
            .map(|(_, name)| name.as_str());
        return Err(match nearest(name, known) {
            Some(near) => problem.help(format!("did you mean {near:?}?")),
            None => problem.help(format!(
                "make it: kubectl create secret generic {name} -n {namespace} --from-file={key}=FILE"
            )),
        });
    };
    let Some(secret) = values.get(key) else {
        let known: Vec<&str> = values.keys().map(String::as_str).collect();
        return Err(Problem::error(
            format!("{field}.key"),
            format!("the Secret {name:?} has no key {key:?}"),
        )
        .help(if known.is_empty() {
            "it holds no key that could be read".to_owned()
        } else {
            format!("its keys: {}", known.join(", "))
        }));
    };
    if secret.is_empty() {
        return Err(Problem::error(
            format!("{field}.key"),
            format!(
                "the key {key:?} of the Secret {name:?} is empty, and an empty secret would let anybody sign"
            ),
        )
        .help("put the value into the Secret"));
    }
    Ok(secret)
}

/// A line break at the end is what `echo` leaves; whether it belongs to the secret only the user knows.
fn doubts(field: &str, reference: &SecretKeyRef, secret: &Secret) -> Option<Problem> {
    let bytes = secret.expose();
    let blank = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
    (blank(bytes.first()) || blank(bytes.last())).then(|| {
        Problem::warning(
            format!("{field}.key"),
            format!(
                "the key {:?} of the Secret {:?} begins or ends with a blank or a line break, which counts as part of it",
                reference.key, reference.name
            ),
        )
        .help("write it again without: printf %s VALUE instead of echo VALUE")
    })
}
