//! FILE arguments → bytes with their names: files, folders (every `.yaml`, `.yml` and `.json` below them, sorted) and
//! `-` for stdin. Says nothing about what is in them.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};

/// The largest manifest that is read. etcd refuses objects above 1.5 MiB; a file may hold several.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// How deep folders are followed: deeper is a loop of links.
const MAX_DEPTH: usize = 32;

/// One file's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    /// As the user would name it; `-` for stdin.
    pub(crate) name: PathBuf,
    /// What it holds.
    pub(crate) bytes: Vec<u8>,
    /// The user named this very file, and not a folder above it.
    pub(crate) named: bool,
}

/// Reads every FILE, in the order given and each file once.
pub(crate) fn read(arguments: &[PathBuf]) -> Outcome<Vec<Input>> {
    let mut inputs = Vec::new();
    for path in list(arguments)? {
        let bytes = read_bytes(&path)?;
        let named = arguments.contains(&path);
        inputs.push(Input {
            name: path,
            bytes,
            named,
        });
    }
    Ok(inputs)
}

/// The files that FILE arguments stand for, each once.
pub(crate) fn list(arguments: &[PathBuf]) -> Outcome<Vec<PathBuf>> {
    let mut seen = BTreeSet::new();
    let mut files = Vec::new();
    for argument in arguments {
        let mut found = Vec::new();
        if argument == Path::new("-") || !is_folder(argument)? {
            found.push(argument.clone());
        } else {
            walk(argument, 0, &mut found)?;
            if found.is_empty() {
                return Err(Failure::Usage(format!(
                    "{}: no .yaml, .yml or .json file in this folder",
                    argument.display()
                )));
            }
        }
        files.extend(found.into_iter().filter(|path| seen.insert(path.clone())));
    }
    Ok(files)
}

/// Reads a file, or stdin for `-`.
pub(crate) fn read_bytes(path: &Path) -> Outcome<Vec<u8>> {
    if path == Path::new("-") {
        return read_all(std::io::stdin().lock(), path);
    }
    let file = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    read_all(file, path)
}

/// What to say about a path that cannot be read.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let name = path.display();
    match error.kind() {
        ErrorKind::NotFound => Failure::Usage(format!("{name}: there is no such file or folder")),
        _ => Failure::Unreachable(format!("{name}: cannot be read: {error}")),
    }
}

fn is_folder(path: &Path) -> Outcome<bool> {
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    Ok(metadata.is_dir())
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Outcome {
    if depth > MAX_DEPTH {
        return Err(Failure::Usage(format!(
            "{}: folders nested deeper than {MAX_DEPTH}; is there a loop of links?",
            folder.display()
        )));
    }
    let mut children = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        children.push(entry.map_err(|error| unreadable(folder, &error))?.path());
    }
    children.sort();
    for child in children {
        // `.git`, `.mef` and the `..data` of a mounted ConfigMap hold nothing a user wrote there.
        let hidden = child
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if is_folder(&child)? {
            walk(&child, depth + 1, found)?;
        } else if is_manifest(&child) {
            found.push(child);
        }
    }
    Ok(())
}

fn is_manifest(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| matches!(extension, "yaml" | "yml" | "json"))
}

fn read_all(reader: impl Read, path: &Path) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    reader
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Failure::Usage(format!(
            "{}: larger than {MAX_BYTES} bytes",
            path.display()
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{list, read};
    use crate::failure::Failure;

    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "b.yaml",
            "a.yml",
            "c.json",
            "notes.md",
            "deep/er/d.yaml",
            ".mef/secret.yaml",
        ] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "kind: EventSource\n").unwrap();
        }
        folder
    }

    #[test]
    fn a_folder_stands_for_the_manifests_below_it_in_order() {
        let folder = tree();
        let found = list(&[folder.path().to_owned()]).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["a.yml", "b.yaml", "c.json", "deep/er/d.yaml"]);
    }

    #[test]
    fn a_file_named_twice_is_read_once() {
        let folder = tree();
        let file = folder.path().join("b.yaml");
        assert_eq!(read(&[file.clone(), file]).unwrap().len(), 1);
    }

    #[test]
    fn a_file_that_is_not_there_is_a_mistake_in_the_command() {
        let error = read(&[PathBuf::from("/nonexistent/x.yaml")]).unwrap_err();
        assert!(
            matches!(&error, Failure::Usage(text) if text.contains("/nonexistent/x.yaml")),
            "{error}"
        );
    }

    #[test]
    fn a_folder_without_manifests_is_a_mistake_in_the_command() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            list(&[folder.path().to_owned()]),
            Err(Failure::Usage(_))
        ));
    }
}
