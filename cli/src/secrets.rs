//! Where a source's secrets come from on this machine: files named on the command line, Secret objects among the FILEs, the
//! data folder. What is missing is made up where the command may do so. No value leaves this file but in a `Secret`.
//!
//! A secret that the vendor issues cannot be made up; a stand-in in its place lets `mef send` work, and its digest is kept
//! beside it, so that it counts as a stand-in only until the user pastes the vendor's into the file.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mef_crds::{SecretEntry, SecretKeyRef};
use mef_pipeline::definition::{Definition, References};
use mef_pipeline::hex;
use mef_pipeline::preset::{GeneratedSecret, Issuer, PresetSecret};
use mef_pipeline::secret::Secret;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use crate::args::SecretFile;
use crate::data::{DataFolder, write_private};
use crate::failure::{Failure, Outcome};
use crate::files;

/// How a secret came to its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From a Secret object among the FILEs.
    Object,
    /// From a file the user named or pasted it into.
    Given,
    /// Made by `mef dev`; the user may choose it.
    Generated,
    /// Made by `mef dev` in the place of one that the vendor issues.
    StandIn,
    /// From nowhere: it has no value.
    Missing,
}

/// What is known about one secret of a source.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// Name of the Secret.
    pub(crate) name: String,
    /// Key in it.
    pub(crate) key: String,
    /// What the preset says about it, where it does.
    pub(crate) preset: Option<PresetSecret>,
    /// How it came to its value.
    pub(crate) origin: Origin,
    /// The file that holds the value.
    pub(crate) file: Option<PathBuf>,
}

/// Where to look for secrets.
pub(crate) struct Vault<'a> {
    pub(crate) data: &'a DataFolder,
    pub(crate) given: &'a [SecretFile],
    /// Whether what is missing is made up and what is given is kept in the data folder: `mef dev` does.
    pub(crate) keeps: bool,
}

impl Vault<'_> {
    /// Adds the values of a definition's secrets to `references`, and says where each came from.
    pub(crate) fn find(&self, definition: &Definition, references: &mut References) -> Outcome<Vec<Known>> {
        let mut found = Vec::new();
        for entry in &definition.spec.webhook.secrets {
            // What is in AWS only the function there reads; the definition's own check says so.
            let Some(reference) = &entry.secret_ref else {
                continue;
            };
            let (known, value) = self.find_one(definition, entry, reference, references)?;
            if let Some(value) = value {
                let object = (definition.namespace.clone(), known.name.clone());
                let keys: &mut BTreeMap<String, Secret> = references.secrets.entry(object).or_default();
                keys.insert(known.key.clone(), value);
            }
            found.push(known);
        }
        Ok(found)
    }

    /// Refuses a `--secret` that no source asks for: it is a slip of the pen, and the source would go on without it.
    pub(crate) fn refuse_unused<'d>(&self, definitions: impl Iterator<Item = &'d Definition>) -> Outcome {
        let wanted: Vec<_> = definitions
            .flat_map(|definition| &definition.spec.webhook.secrets)
            .filter_map(|entry| entry.secret_ref.as_ref())
            .map(|reference| (&reference.name, &reference.key))
            .collect();
        for given in self.given {
            if !wanted.iter().any(|(name, key)| is_for(given, name, key)) {
                let names: Vec<_> = wanted.iter().map(|(name, key)| format!("{name}/{key}")).collect();
                return Err(Failure::Usage(format!(
                    "--secret {}: no source asks for this secret; they ask for {}",
                    given.name,
                    names.join(", ")
                )));
            }
        }
        Ok(())
    }

    fn find_one(
        &self,
        definition: &Definition,
        entry: &SecretEntry,
        SecretKeyRef { name, key }: &SecretKeyRef,
        references: &References,
    ) -> Outcome<(Known, Option<Secret>)> {
        let mut known = Known {
            name: name.clone(),
            key: key.clone(),
            preset: preset_secret(definition, entry).cloned(),
            origin: Origin::Missing,
            file: None,
        };
        let place = self.data.secret(&definition.namespace, name, key);
        if let Some(given) = self.given.iter().find(|given| is_for(given, name, key)) {
            let value = without_line_end(files::read_bytes(&given.path)?);
            if self.keeps
                && let Some(place) = &place
            {
                write_private(place, &value)?;
            }
            known.origin = Origin::Given;
            known.file = Some(given.path.clone());
            return Ok((known, Some(Secret::new(value))));
        }
        let object = (definition.namespace.clone(), name.clone());
        if references
            .secrets
            .get(&object)
            .is_some_and(|keys| keys.contains_key(key))
        {
            known.origin = Origin::Object;
            return Ok((known, None));
        }
        let Some(place) = place else {
            return Ok((known, None));
        };
        self.kept_or_made(definition, known, place)
    }

    fn kept_or_made(
        &self,
        definition: &Definition,
        mut known: Known,
        place: PathBuf,
    ) -> Outcome<(Known, Option<Secret>)> {
        let marks = self
            .data
            .made_mark(&definition.namespace, &known.name, &known.key);
        let value = match read(&place)? {
            Some(value) => without_line_end(value),
            None if self.keeps && can_be_made(definition, known.preset.as_ref()) => {
                let value = make(known.preset.as_ref().and_then(|preset| preset.generate))?;
                // The mark first: a mark without its secret means nothing, a secret without its mark would count as given.
                if let Some(marks) = &marks {
                    write_private(marks, digest(&SHA256, &value).as_ref())?;
                }
                write_private(&place, &value)?;
                value
            }
            None => {
                // It may be told yet, and whoever watches files looks for it there.
                if is_told(definition, known.preset.as_ref()) {
                    known.file = Some(place);
                }
                return Ok((known, None));
            }
        };
        let made = match &marks {
            Some(marks) => read(marks)?.is_some_and(|mark| mark == digest(&SHA256, &value).as_ref()),
            None => false,
        };
        known.origin = match (made, known.preset.as_ref().map(|preset| preset.issued_by)) {
            (false, _) => Origin::Given,
            (true, Some(Issuer::Vendor)) => Origin::StandIn,
            (true, _) => Origin::Generated,
        };
        known.file = Some(place);
        Ok((known, Some(Secret::new(value))))
    }
}

fn is_for(given: &SecretFile, name: &str, key: &str) -> bool {
    given.name == name && given.key.as_deref().is_none_or(|given| given == key)
}

/// What the preset says about an entry: by its use, or the only one there is.
fn preset_secret<'d>(definition: &'d Definition, entry: &SecretEntry) -> Option<&'d PresetSecret> {
    match (&entry.usage, definition.preset.secrets.as_slice()) {
        (Some(usage), secrets) => secrets.iter().find(|secret| secret.usage == *usage),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

/// Whether the sender tells it in a handshake: only to a source that has none.
fn is_told(definition: &Definition, secret: Option<&PresetSecret>) -> bool {
    definition.preset.captures(usage_of(secret))
}

fn usage_of(secret: Option<&PresetSecret>) -> &str {
    secret.map_or("signing", |secret| secret.usage.as_str())
}

/// Nobody but the vendor can make the other half of a public key.
fn can_be_made(definition: &Definition, secret: Option<&PresetSecret>) -> bool {
    let usage = usage_of(secret);
    if is_told(definition, secret) {
        return false;
    }
    let primitives = definition.preset.verification.any.iter().flat_map(|all| &all.all);
    !primitives
        .filter_map(|primitive| primitive.pubkey.as_ref())
        .any(|pubkey| pubkey.secret.as_deref().unwrap_or("signing") == usage)
}

fn read(path: &Path) -> Outcome<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(files::unreadable(path, &error)),
    }
}

/// Editors and `echo` end a file with a line end; no vendor's secret does.
pub(crate) fn without_line_end(mut value: Vec<u8>) -> Vec<u8> {
    if value.last() == Some(&b'\n') {
        value.pop();
        if value.last() == Some(&b'\r') {
            value.pop();
        }
    }
    value
}

fn make(shape: Option<GeneratedSecret>) -> Outcome<Vec<u8>> {
    let random = random_bytes()?;
    let text = match shape.unwrap_or(GeneratedSecret::Hex) {
        GeneratedSecret::Hex => hex::encode(&random),
        GeneratedSecret::Whsec => format!("whsec_{}", STANDARD.encode(random)),
        GeneratedSecret::UserPassword => format!("mef:{}", hex::encode(&random)),
    };
    Ok(text.into_bytes())
}

/// A secret nobody knows, in the shape the preset asks for.
pub(crate) fn another(preset: Option<&PresetSecret>) -> Outcome<Vec<u8>> {
    make(preset.and_then(|preset| preset.generate))
}

/// 32 random bytes in hexadecimal: a token nobody guesses.
pub(crate) fn random_token() -> Outcome<String> {
    Ok(hex::encode(&random_bytes()?))
}

fn random_bytes() -> Outcome<[u8; 32]> {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Failure::Unreachable("the system gives no random bytes".to_owned()))?;
    Ok(bytes)
}
