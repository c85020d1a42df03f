//! `mef check --print-merged`: definitions as they would serve, and whose each field is.

use mef_pipeline::definition::Definition;
use mef_pipeline::overlay::{Layers, Origin};
use serde::Serialize;

use crate::failure::Outcome;
use crate::layout::table;
use crate::output::{Output, printable};
use crate::sources::{Compiled, Loaded};
use crate::yaml;

/// A definition with an account of its overlays.
#[derive(Serialize)]
struct WithLayers<'a> {
    #[serde(flatten)]
    definition: &'a Definition,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<&'a Layers>,
}

/// Prints every definition.
pub(super) fn print(loaded: &Loaded, output: Output) -> Outcome {
    output.text_or_json()?;
    for compiled in &loaded.sources {
        let definition = compiled.source.definition();
        let has_layers = !compiled.layers.list.is_empty();
        if output.is_json() {
            output.record(&WithLayers {
                definition,
                layers: has_layers.then_some(&compiled.layers),
            })?;
            continue;
        }
        let account = if has_layers {
            account(compiled)
        } else {
            String::new()
        };
        let text = format!("---\n{account}{}", yaml::text(definition)?);
        output.bytes(text.as_bytes())?;
    }
    Ok(())
}

/// Comments: the layers, then each field with the layer it comes from and those it won over.
fn account(compiled: &Compiled) -> String {
    let file = compiled.manifest.file().display();
    let mut rows = vec![vec![
        "spec".to_owned(),
        format!("{} in {file}", compiled.manifest.object()),
    ]];
    for layer in &compiled.layers.list {
        let digest = layer.digest.as_deref().unwrap_or_default();
        rows.push(vec![
            name(layer.index + 1),
            format!("ConfigMap {}, key {}, digest {digest}", layer.name, layer.key),
        ]);
    }
    let layers = comment(&table(&rows));
    let rows: Vec<Vec<String>> = compiled.layers.origins.iter().map(row).collect();
    format!(
        "# Layers, the last wins:\n{layers}# Fields:\n{}",
        comment(&table(&rows))
    )
}

fn row(origin: &Origin) -> Vec<String> {
    let Origin {
        field,
        layer,
        removed,
        over,
    } = origin;
    let mut whose = name(*layer);
    if *removed {
        whose.insert_str(0, "removed by ");
    }
    if !over.is_empty() {
        let others: Vec<String> = over.iter().map(|layer| name(*layer)).collect();
        whose = format!("{whose} (over {})", others.join(", "));
    }
    vec![field.clone(), whose]
}

fn name(layer: usize) -> String {
    match layer.checked_sub(1) {
        None => "spec".to_owned(),
        Some(index) => format!("overlays[{index}]"),
    }
}

fn comment(text: &str) -> String {
    text.lines()
        .map(|line| format!("#   {}\n", printable(line)))
        .collect()
}
