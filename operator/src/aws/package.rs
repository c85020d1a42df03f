//! The package of a function: the program, and beside it the definition, so that both roll out and back as one. Pure.
//!
//! The program comes zipped. The definition is added to that archive as it is, by the format's own rules (PKWARE's APPNOTE:
//! local headers and contents, then the directory, then its end), and the name of the whole is the digest of its bytes.

use ring::digest::{SHA256, digest};

use super::names::hex;

/// Signatures and lengths of the parts of an archive.
const LOCAL: u32 = 0x0403_4b50;
const ENTRY: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_LENGTH: usize = 22;
/// The format's first day: an archive of the same things must be the same bytes.
const DATE: u16 = 0x21;
/// Readable by everybody.
const MODE: u32 = 0o100_644 << 16;
/// Made by Unix, by version 2.0 of the format, which also reads it.
const VERSION: u16 = 20;
const MADE_BY: u16 = (3 << 8) | VERSION;

/// What should be the function's program is no archive that can be added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the function's program is no zip archive, or one that holds a comment or more than four gigabytes")]
pub struct NoArchive;

/// A package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Where it lies in a bucket: named by its content.
    pub key: String,
}

/// Adds a file to the function's program.
///
/// # Errors
/// When the program is no archive.
pub fn pack(program: &[u8], name: &str, content: &[u8]) -> Result<Packed, NoArchive> {
    let end = program.len().checked_sub(END_LENGTH).ok_or(NoArchive)?;
    let (before, tail) = program.split_at(end);
    if number(tail, 0)? != END {
        return Err(NoArchive);
    }
    let count = u16::from_le_bytes([tail[10], tail[11]]);
    let (length, start) = (number(tail, 12)?, number(tail, 16)?);
    let start = usize::try_from(start).map_err(|_| NoArchive)?;
    let directory = before
        .get(start..)
        .filter(|part| u32::try_from(part.len()) == Ok(length))
        .ok_or(NoArchive)?;
    let mut bytes = before[..start].to_vec();
    let at = u32::try_from(start).map_err(|_| NoArchive)?;
    let size = u32::try_from(content.len()).map_err(|_| NoArchive)?;
    let name_length = u16::try_from(name.len()).map_err(|_| NoArchive)?;
    let mut common = Vec::new();
    // Version, flags, stored as it is, time, date.
    for field in [VERSION, 0, 0, 0, DATE] {
        common.extend(field.to_le_bytes());
    }
    for field in [crc32fast::hash(content), size, size] {
        common.extend(field.to_le_bytes());
    }
    common.extend(name_length.to_le_bytes());
    common.extend(0_u16.to_le_bytes());
    bytes.extend(LOCAL.to_le_bytes());
    bytes.extend(&common);
    bytes.extend(name.as_bytes());
    bytes.extend(content);
    let directory_start = u32::try_from(bytes.len()).map_err(|_| NoArchive)?;
    bytes.extend(directory);
    bytes.extend(ENTRY.to_le_bytes());
    bytes.extend(MADE_BY.to_le_bytes());
    bytes.extend(&common);
    // No comment, the first disk, no attributes within.
    bytes.extend([0; 6]);
    bytes.extend(MODE.to_le_bytes());
    bytes.extend(at.to_le_bytes());
    bytes.extend(name.as_bytes());
    let directory_length = u32::try_from(bytes.len()).map_err(|_| NoArchive)? - directory_start;
    let count = count.checked_add(1).ok_or(NoArchive)?;
    bytes.extend(END.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(directory_length.to_le_bytes());
    bytes.extend(directory_start.to_le_bytes());
    bytes.extend([0; 2]);
    let key = format!("functions/{}.zip", hex(digest(&SHA256, &bytes).as_ref()));
    Ok(Packed { bytes, key })
}

fn number(bytes: &[u8], at: usize) -> Result<u32, NoArchive> {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map(u32::from_le_bytes).ok_or(NoArchive)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// An archive somebody else's program makes, and somebody else's reads.
    fn python(script: &str, arguments: &[&str]) -> String {
        let run = Command::new("python3")
            .arg("-c")
            .arg(script)
            .args(arguments)
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8_lossy(&run.stdout).into_owned()
    }

    #[test]
    fn another_program_reads_what_was_added() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let make = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED)\ni = zipfile.ZipInfo('bootstrap'); i.external_attr = 0o100755 << 16\nz.writestr(i, b'program' * 1000)\nz.close()";
        python(make, &[&path("in.zip")]);
        let program = std::fs::read(path("in.zip")).unwrap();
        let packed = pack(&program, "definition.json", "{\"ä\": 1}".as_bytes()).unwrap();
        std::fs::write(path("out.zip"), &packed.bytes).unwrap();
        let read = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\nfor i in z.infolist(): print(i.filename, oct(i.external_attr >> 16), len(z.read(i)))\nprint(z.read('definition.json').decode())";
        let said = python(read, &[&path("out.zip")]);
        assert_eq!(
            said,
            "bootstrap 0o100755 7000\ndefinition.json 0o100644 9\n{\"ä\": 1}\n"
        );
        // The same things are the same package; another definition is another.
        assert_eq!(
            pack(&program, "definition.json", "{\"ä\": 1}".as_bytes()).unwrap(),
            packed
        );
        assert_ne!(pack(&program, "definition.json", b"{}").unwrap().key, packed.key);
        assert!(packed.key.starts_with("functions/") && packed.key.len() == 10 + 64 + 4);
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        for bytes in [&b""[..], b"PK", &[0; 64]] {
            assert_eq!(pack(bytes, "a", b""), Err(NoArchive));
        }
    }
}
