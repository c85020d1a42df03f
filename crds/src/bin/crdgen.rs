//! Prints the CustomResourceDefinitions, or writes each to its file in a folder: `crdgen [FOLDER]`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(std::env::args_os().nth(1).as_deref().map(Path::new)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crdgen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: Option<&Path>) -> Result<(), Box<dyn std::error::Error>> {
    for (name, yaml) in mef_crds::generate()? {
        match folder {
            Some(folder) => std::fs::write(folder.join(name), yaml)?,
            None => std::io::stdout().write_all(format!("---\n{yaml}").as_bytes())?,
        }
    }
    Ok(())
}
