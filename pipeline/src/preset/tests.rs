use super::load::EMBEDDED;
use super::*;

#[test]
fn every_embedded_preset_passes_every_check_and_bears_the_name_of_its_file() {
    for (name, text) in EMBEDDED {
        match Preset::from_yaml(text) {
            Ok(preset) => assert_eq!(preset.name, *name),
            Err(problems) => {
                let sentences: Vec<String> = problems.iter().map(ToString::to_string).collect();
                panic!("{name}:\n{}", sentences.join("\n"));
            }
        }
    }
}

#[test]
fn every_preset_in_the_folder_is_embedded() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/presets");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    let embedded: Vec<&str> = EMBEDDED.iter().map(|(name, _)| *name).collect();
    assert_eq!(files, embedded);
    let loaded: Vec<&str> = Preset::all().iter().map(|preset| preset.name.as_str()).collect();
    assert_eq!(loaded, embedded);
    assert!(Preset::get("zoom").is_some() && Preset::get("zooom").is_none());
}
