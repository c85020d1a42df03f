//! The definition a pod or a function is given: the JSON the operator wrote into a ConfigMap, plain or gzip where it is large.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use mef_pipeline::definition::Definition;
use mef_pipeline::diagnostics::{Level, Problem};
use mef_pipeline::source::Source;

/// The file of a definition.
pub const DEFINITION: &str = "definition.json";
/// The file of a definition that would not fit a ConfigMap as it is.
pub const DEFINITION_GZIP: &str = "definition.json.gz";

/// The longest definition; schemas of a whole vendor take some megabytes.
const LONGEST: u64 = 64 << 20;

/// Why a definition cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// There is no such file, or it cannot be read.
    #[error("{}: {message}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// It does not compile. The operator compiles it before it rolls it out, so the two are of different versions.
    #[error("the definition does not compile with this version: {0}")]
    Invalid(String),
}

/// Reads and compiles the definition of a folder.
pub(crate) fn read(folder: &Path) -> Result<Source, Unreadable> {
    let plain = folder.join(DEFINITION);
    let zipped = folder.join(DEFINITION_GZIP);
    let (path, text) = if plain.exists() {
        let text = open(&plain).and_then(|file| all(file, &plain))?;
        (plain, text)
    } else if zipped.exists() {
        let text = open(&zipped).and_then(|file| all(GzDecoder::new(file), &zipped))?;
        (zipped, text)
    } else {
        return Err(Unreadable::File {
            path: folder.to_owned(),
            message: format!("holds neither {DEFINITION} nor {DEFINITION_GZIP}"),
        });
    };
    let definition: Definition = serde_json::from_slice(&text).map_err(|error| Unreadable::File {
        path,
        message: format!("is no definition: {error}"),
    })?;
    let (source, problems) = Source::compile(definition);
    source.ok_or_else(|| Unreadable::Invalid(sentences(&problems)))
}

fn open(path: &Path) -> Result<File, Unreadable> {
    File::open(path).map_err(|error| unreadable(path, &error))
}

fn all(from: impl Read, path: &Path) -> Result<Vec<u8>, Unreadable> {
    let mut text = Vec::new();
    let read = from.take(LONGEST + 1).read_to_end(&mut text);
    let length = read.map_err(|error| unreadable(path, &error))? as u64;
    if length > LONGEST {
        return Err(Unreadable::File {
            path: path.to_owned(),
            message: format!("is longer than {LONGEST} bytes"),
        });
    }
    Ok(text)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Unreadable {
    Unreadable::File {
        path: path.to_owned(),
        message: format!("cannot be read: {error}"),
    }
}

/// The errors among problems, each with its field.
pub(crate) fn sentences(problems: &[Problem]) -> String {
    let texts: Vec<_> = problems
        .iter()
        .filter(|problem| problem.level == Level::Error)
        .map(|problem| format!("{}: {}", problem.field, problem.message))
        .collect();
    texts.join("; ")
}
