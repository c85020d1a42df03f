//! The functions' programs as the operator's image brings them: read once, and again where the file is another.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;

/// What tells one file from another without reading it.
type Mark = (u64, SystemTime);

/// Programs that were read, by path.
#[derive(Debug, Default)]
pub struct Programs(Mutex<HashMap<PathBuf, (Mark, Bytes)>>);

impl Programs {
    /// The bytes of a program.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self, path: &Path) -> io::Result<Bytes> {
        let metadata = std::fs::metadata(path)?;
        let mark = (metadata.len(), metadata.modified()?);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = known.get(path).filter(|(known, _)| *known == mark) {
            return Ok(bytes.clone());
        }
        let bytes = Bytes::from(std::fs::read(path)?);
        known.insert(path.to_owned(), (mark, bytes.clone()));
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_read_once_and_again_when_it_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bootstrap.zip");
        let programs = Programs::default();
        assert!(programs.read(&path).is_err());
        std::fs::write(&path, "one").unwrap();
        let first = programs.read(&path).unwrap();
        assert_eq!(first, "one");
        // The very same bytes: nothing was read.
        assert_eq!(programs.read(&path).unwrap().as_ptr(), first.as_ptr());
        std::fs::write(&path, "another").unwrap();
        assert_eq!(programs.read(&path).unwrap(), "another");
        std::fs::remove_file(&path).unwrap();
        assert!(programs.read(&path).is_err());
    }
}
