//! Every command in the documents runs, in order, as a reader would type it.
//!
//! In fenced `console` blocks a line that begins with `$ ` is a command, in `sh` blocks every line is one. It must exit with
//! 0, or with N where it ends in `# exits with N`. `mef dev` is started in the background on free ports and stopped at the end of its document.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mef_e2e::{Dev, Run, mef_binary, repository};
use tempfile::TempDir;

/// README and everything under docs/.
fn documents() -> Vec<PathBuf> {
    let root = repository();
    let mut found = vec![root.join("README.md"), root.join("examples/README.md")];
    for entry in fs::read_dir(root.join("docs")).expect("there are documents") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The commands of a document with the exit code each must have.
fn commands(text: &str) -> Vec<(String, i32)> {
    let mut block: Option<&str> = None;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(language) = line.strip_prefix("```") {
            block = if block.is_some() { None } else { Some(language) };
            continue;
        }
        let command = match block {
            Some("console") => line.strip_prefix("$ "),
            Some("sh") => (!line.is_empty() && !line.starts_with('#')).then_some(line),
            _ => None,
        };
        if let Some(command) = command {
            let (command, code) = match command.split_once("# exits with ") {
                Some((command, code)) => (command, code.trim().parse().expect("an exit code")),
                None => (command, 0),
            };
            found.push((command.trim().to_owned(), code));
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

#[test]
fn every_command_in_the_documents_runs() {
    let path = format!(
        "{}:{}",
        mef_binary().parent().expect("a folder").display(),
        std::env::var("PATH").expect("a PATH")
    );
    let mut count = 0;
    for document in documents() {
        let folder = TempDir::new().expect("a folder");
        copy(&repository().join("examples"), &folder.path().join("examples"));
        let mut dev = None;
        for (command, code) in commands(&fs::read_to_string(&document).expect("a document")) {
            println!("{}: {command}", document.display());
            count += 1;
            if let Some(arguments) = command.strip_prefix("mef dev ") {
                drop(dev.take());
                dev = Some(Dev::start(
                    folder.path(),
                    &arguments.split_whitespace().collect::<Vec<_>>(),
                ));
                continue;
            }
            let output = Command::new("bash")
                .args(["-euo", "pipefail", "-c", &command])
                .current_dir(folder.path())
                .env("PATH", &path)
                .output()
                .expect("bash runs");
            let _ = Run::from(output).exits(code);
        }
    }
    assert!(
        count > 10,
        "only {count} commands were found: is the format of the documents another?"
    );
    println!("{count} commands ran");
}

#[test]
fn the_two_commands_of_the_readme_are_words_of_the_makefile() {
    let makefile = fs::read_to_string(repository().join("Makefile")).expect("a Makefile");
    let readme = fs::read_to_string(repository().join("README.md")).expect("a README");
    for word in ["run", "test"] {
        assert!(
            readme.contains(&format!("make {word}")),
            "README does not name make {word}"
        );
        assert!(
            makefile.contains(&format!("\n{word}:")),
            "the Makefile has no {word}"
        );
    }
}

#[test]
fn the_preset_of_ones_own_in_the_documents_is_the_example() {
    let page = fs::read_to_string(repository().join("docs/presets.md")).expect("the page");
    let example = repository().join("examples/own-preset/acme-preset.yaml");
    let example = fs::read_to_string(example).expect("the example");
    let (_, preset) = example.split_once('\n').expect("a comment in its first line");
    assert!(
        page.contains(&format!("```yaml\n{preset}```\n")),
        "docs/presets.md shows another preset:\n{preset}"
    );
    assert_eq!(preset.lines().count(), 10, "it is called ten lines");
}
