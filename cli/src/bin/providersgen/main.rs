//! Prints the list of providers, writes it to a file, or says that the file is not what the presets say:
//! `providersgen [--write FILE | --check FILE]`.

mod page;
mod words;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use mef_pipeline::preset::Preset;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("providersgen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let page = page::of(Preset::all());
    match arguments {
        [] => std::io::stdout().write_all(page.as_bytes())?,
        ["--write", file] => std::fs::write(file, page)?,
        // A file that cannot be read is no more up to date than one that differs.
        ["--check", file] => {
            if std::fs::read_to_string(file).ok().as_ref() != Some(&page) {
                return Err(format!("{file} is not what the presets say: run `make generate`").into());
            }
        }
        _ => return Err("usage: providersgen [--write FILE | --check FILE]".into()),
    }
    Ok(())
}
