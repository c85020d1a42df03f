//! The data folder of `mef dev`: what lies where in it. Everything in it is its owner's alone.
//!
//! ```text
//! .mef/queues/NAMESPACE/NAME/       the queues of one source
//! .mef/secrets/NAMESPACE/NAME/KEY   generated secrets, one file each
//! .mef/dev.json                     how to reach the running process
//! ```

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};

/// The data folder.
#[derive(Clone, Debug)]
pub(crate) struct DataFolder {
    root: PathBuf,
}

impl DataFolder {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The queue folder of a source, by its id `namespace/name`.
    pub(crate) fn queue(&self, source: &str) -> PathBuf {
        self.root.join("queues").join(source)
    }

    /// Where the value of a Secret's key lies, or `None` where the names could lead elsewhere.
    pub(crate) fn secret(&self, namespace: &str, name: &str, key: &str) -> Option<PathBuf> {
        let safe = [namespace, name, key].into_iter().all(is_plain);
        safe.then(|| self.root.join("secrets").join(namespace).join(name).join(key))
    }

    /// Where the digest of a secret that was made up lies. Kubernetes names do not begin with a dot.
    pub(crate) fn made_mark(&self, namespace: &str, name: &str, key: &str) -> Option<PathBuf> {
        let safe = [namespace, name, key].into_iter().all(is_plain);
        safe.then(|| {
            self.root
                .join("secrets/.made")
                .join(namespace)
                .join(name)
                .join(key)
        })
    }

    /// How to reach the running `mef dev`.
    pub(crate) fn dev_file(&self) -> PathBuf {
        self.root.join("dev.json")
    }

    /// The sources that have a queue here, as `namespace/name`, sorted.
    pub(crate) fn sources(&self) -> Outcome<Vec<String>> {
        let mut sources = Vec::new();
        for namespace in folders(&self.root.join("queues"))? {
            for name in folders(&self.root.join("queues").join(&namespace))? {
                sources.push(format!("{namespace}/{name}"));
            }
        }
        Ok(sources)
    }

    /// The sources a reader asked for: all, or the ones of this `name` or `namespace/name`.
    pub(crate) fn select(&self, wanted: Option<&str>) -> Outcome<Vec<String>> {
        let all = self.sources()?;
        if all.is_empty() {
            return Err(Failure::Unreachable(format!(
                "{}: no queue here; start `mef dev FILE` first, or name its folder with --data",
                self.root.display()
            )));
        }
        let Some(wanted) = wanted else { return Ok(all) };
        let chosen: Vec<_> = all
            .iter()
            .filter(|id| *id == wanted || id.split_once('/').is_some_and(|(_, name)| name == wanted))
            .cloned()
            .collect();
        if chosen.is_empty() {
            return Err(Failure::Usage(format!(
                "{}: no queue of a source {wanted:?}; there are {}",
                self.root.display(),
                all.join(", ")
            )));
        }
        Ok(chosen)
    }

    /// Makes the folder, for its owner alone, and sees whether it can be written.
    pub(crate) fn create(&self) -> Outcome {
        create_private_folder(&self.root)?;
        let probe = self.root.join(".writable");
        std::fs::write(&probe, b"")
            .and_then(|()| std::fs::remove_file(&probe))
            .map_err(|error| unwritable(&self.root, &error))
    }
}

/// Makes a folder and those above it, readable by its owner alone.
pub(crate) fn create_private_folder(path: &Path) -> Outcome {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| unwritable(path, &error))
}

/// Writes a file that its owner alone may read; whole or not at all, whoever reads meanwhile.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Outcome {
    let folder = path.parent().unwrap_or(Path::new("."));
    create_private_folder(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = folder.join(name);
    write_new(&temporary, bytes)
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(|error| unwritable(path, &error))
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Unreachable(format!(
        "{}: cannot be written: {error}; make it writable for this user, or choose another folder with --data",
        path.display()
    ))
}

/// A file name that stays in its folder.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

fn folders(path: &Path) -> Outcome<Vec<String>> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(crate::files::unreadable(path, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| crate::files::unreadable(path, &error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_plain(&name) && entry.path().is_dir() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::{DataFolder, write_private};
    use crate::failure::Failure;

    #[test]
    fn a_secret_reference_cannot_leave_the_folder() {
        let data = DataFolder::new("d".into());
        assert!(data.secret("security", "zoom-webhook", "secretToken").is_some());
        for (name, key) in [
            ("..", "a"),
            ("a", ".."),
            ("a/b", "c"),
            ("a", "../../x"),
            ("", "a"),
            (".made", "a"),
        ] {
            assert_eq!(data.secret("security", name, key), None, "{name} {key}");
        }
    }

    #[test]
    fn a_source_is_chosen_by_name_or_by_namespace_and_name() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::new(folder.path().to_owned());
        assert!(matches!(data.select(None), Err(Failure::Unreachable(_))));
        for id in ["a/zoom", "b/zoom", "b/okta"] {
            std::fs::create_dir_all(data.queue(id)).unwrap();
        }
        assert_eq!(data.select(None).unwrap(), ["a/zoom", "b/okta", "b/zoom"]);
        assert_eq!(data.select(Some("zoom")).unwrap(), ["a/zoom", "b/zoom"]);
        assert_eq!(data.select(Some("b/zoom")).unwrap(), ["b/zoom"]);
        let error = data.select(Some("zom")).unwrap_err().to_string();
        assert!(error.contains("b/okta"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn private_files_are_readable_by_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets/a/b");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let parent = std::fs::metadata(path.parent().unwrap()).unwrap();
        assert_eq!(parent.permissions().mode() & 0o777, 0o700);
    }
}
