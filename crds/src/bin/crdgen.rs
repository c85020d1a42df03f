//! Prints the CustomResourceDefinitions, writes each to its file in a folder and its JSON Schema for editors to `schemas` below
//! it, or says which of these files are not what the types say: `crdgen [--write FOLDER | --check FOLDER]`.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crdgen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let definitions = mef_crds::generate()?;
    let schemas = mef_crds::editor_schemas(&definitions)?;
    let files = definitions
        .iter()
        .map(|(name, yaml)| (*name, yaml))
        .chain(schemas.iter().map(|(name, schema)| (name.as_str(), schema)));
    match arguments {
        [] => {
            for (_, yaml) in &definitions {
                std::io::stdout().write_all(format!("---\n{yaml}").as_bytes())?;
            }
        }
        ["--write", folder] => {
            for (name, text) in files {
                let path = Path::new(folder).join(name);
                path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                std::fs::write(path, text)?;
            }
        }
        ["--check", folder] => {
            for (name, text) in files {
                let path = Path::new(folder).join(name);
                // A file that cannot be read is no more up to date than one that differs.
                if std::fs::read_to_string(&path).ok().as_ref() != Some(text) {
                    let path = path.display();
                    return Err(format!("{path} is not what the types say: run `make generate`").into());
                }
            }
        }
        _ => return Err("usage: crdgen [--write FOLDER | --check FOLDER]".into()),
    }
    Ok(())
}
