//! Holds the parameters of a source against what its preset reads.

use mef_crds::{ParameterName, Parameters};

use crate::diagnostics::Problem;
use crate::preset::Preset;

/// Parameters the preset does not read, and those it needs and nobody gives.
pub(super) fn check(given: Option<&Parameters>, preset: &Preset, problems: &mut Vec<Problem>) {
    let has = |name| given.is_some_and(|given| given.has(name));
    let read = |name| preset.parameters.iter().any(|parameter| parameter.name == name);
    for name in ParameterName::ALL {
        if has(name) && !read(name) {
            let field = format!("spec.webhook.parameters.{}", name.as_str());
            let problem = Problem::error(field, format!("{} does not read it", preset.name));
            let known: Vec<&str> = preset
                .parameters
                .iter()
                .map(|parameter| parameter.name.as_str())
                .collect();
            problems.push(if known.is_empty() {
                problem.help(format!("remove it; {} reads no parameters", preset.name))
            } else {
                problem.help(format!("{} reads: {}", preset.name, known.join(", ")))
            });
        }
    }
    for parameter in &preset.parameters {
        if !parameter.optional && !has(parameter.name) {
            let name = parameter.name.as_str();
            problems.push(
                Problem::error(
                    "spec.webhook.parameters",
                    format!("{name} is missing, which {} needs", preset.name),
                )
                .help(parameter.description.clone()),
            );
        }
    }
}
