//! Secrets as the kubelet mounts them: a folder per Secret, a file per key.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use mef_crds::SecretKeyRef;
use mef_pipeline::definition::{Definition, References};
use mef_pipeline::diagnostics::{Level, has_errors};
use mef_pipeline::secret::{KeyRing, Secret};
use mef_pipeline::source::Source;

use crate::definition::sentences;

/// The longest value of a key; a Secret holds a mebibyte in all.
const LONGEST: u64 = 1 << 20;

/// The mounted Secrets of one source.
pub(super) struct SecretFolder {
    folder: PathBuf,
    definition: Definition,
}

impl SecretFolder {
    pub(super) fn new(folder: &Path, definition: Definition) -> Self {
        Self {
            folder: folder.to_owned(),
            definition,
        }
    }

    /// The keys as they lie there now, or what is wrong with them. What is merely suspicious is logged.
    pub(super) fn read(&self, source: &Source) -> Result<KeyRing, String> {
        let mut references = References::default();
        for reference in self.mounted() {
            let name = &reference.name;
            let Ok(files) = fs::read_dir(self.folder.join(name)) else {
                continue;
            };
            let values: BTreeMap<String, Secret> = files
                .filter_map(|file| {
                    let file = file.ok()?;
                    let key = file.file_name().into_string().ok()?;
                    Some((key, value(&file.path())?))
                })
                .collect();
            references
                .secrets
                .insert((self.definition.namespace.clone(), name.clone()), values);
        }
        let (keys, mut problems) = self.definition.key_ring(&references);
        problems.extend(source.verifier().check_keys(&keys));
        if has_errors(&problems) {
            return Err(sentences(&problems));
        }
        for problem in problems.iter().filter(|problem| problem.level == Level::Warning) {
            tracing::warn!(field = problem.field, "{}", problem.message);
        }
        Ok(keys)
    }

    fn mounted(&self) -> impl Iterator<Item = &SecretKeyRef> {
        let entries = self.definition.spec.webhook.secrets.iter();
        entries.filter_map(|entry| entry.secret_ref.as_ref())
    }

    /// A number that changes with what lies there.
    pub(super) fn number(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for reference in self.mounted() {
            let path = self.folder.join(&reference.name).join(&reference.key);
            fs::read(path).ok().hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// A number that changes with the files of a folder.
pub(super) fn number(folder: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = files.map(|file| file.path()).collect();
    files.sort();
    for file in files {
        (&file, fs::read(&file).ok()).hash(&mut hasher);
    }
    hasher.finish()
}

/// A key's value. The kubelet's own links (`..data`) are folders and none.
fn value(path: &Path) -> Option<Secret> {
    let about = fs::metadata(path).ok()?;
    (about.is_file() && about.len() <= LONGEST)
        .then(|| fs::read(path).ok())
        .flatten()
        .map(Secret::new)
}
