//! The committed YAML is what the types say.

#[test]
fn the_committed_definitions_are_those_of_the_types() {
    for (name, yaml) in mef_crds::generate().unwrap() {
        let path = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
        let committed = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            committed, yaml,
            "{path} is not what the types say: run `make generate`"
        );
    }
}

#[test]
fn the_committed_schemas_for_editors_are_those_of_the_definitions() {
    let definitions = mef_crds::generate().unwrap();
    for (name, schema) in mef_crds::editor_schemas(&definitions).unwrap() {
        let path = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            committed, schema,
            "{path} is not what the types say: run `make generate`"
        );
    }
}

#[test]
fn client_side_apply_can_hold_the_definition_in_its_annotation() {
    // `kubectl apply` keeps the whole object in an annotation, and annotations end at 256 KiB.
    let object: serde_json::Value = serde_yaml::from_str(mef_crds::EVENT_SOURCE_YAML).unwrap();
    assert!(object.to_string().len() < 256 * 1024);
}

#[test]
fn a_status_nobody_has_looked_at_speaks_of_generation_minus_one() {
    let object: serde_json::Value = serde_yaml::from_str(mef_crds::EVENT_SOURCE_YAML).unwrap();
    let default = object.pointer(
        "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/observedGeneration/default",
    );
    assert_eq!(default, Some(&serde_json::json!(-1)));
}
