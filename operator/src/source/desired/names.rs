//! What the children of a source are called, and how they are marked.
//!
//! A source's name has at most 40 characters, so that every name and label made of it fits 63. No two sources of a namespace
//! share a name: all children are `mef-<name>`, and what is per definition ends in its digest, which holds no `-`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use mef_crds::EventSource;

/// The label that tells whose child an object is.
pub const SOURCE_LABEL: &str = "events.mozdef.io/source";
/// The label every child has; the operator watches nothing without it.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "mef-operator");

/// Names and marks of a source's children.
#[derive(Clone, Debug)]
pub struct Names {
    /// The source's own name.
    pub source: String,
    /// Its namespace.
    pub namespace: String,
    /// The name of every child that is there once.
    pub common: String,
    owner: Option<OwnerReference>,
}

impl Names {
    /// The names of a source's children.
    #[must_use]
    pub fn of(object: &EventSource) -> Self {
        let source = object.metadata.name.clone().unwrap_or_default();
        Self {
            common: format!("mef-{source}"),
            namespace: object.metadata.namespace.clone().unwrap_or_default(),
            owner: object.controller_owner_ref(&()),
            source,
        }
    }

    /// The name of a child that belongs to one definition.
    #[must_use]
    pub fn of_definition(&self, digest: &str) -> String {
        format!("{}-{digest}", self.common)
    }

    /// Labels by which pods are found. They never change: a Deployment's selector cannot.
    #[must_use]
    pub fn selector(&self) -> BTreeMap<String, String> {
        labels([
            ("app.kubernetes.io/name", "mef-receiver"),
            (SOURCE_LABEL, &self.source),
        ])
    }

    /// All labels of a child.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.selector();
        labels.insert(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned());
        labels.insert("app.kubernetes.io/instance".to_owned(), self.source.clone());
        labels
    }

    /// The metadata of a child.
    #[must_use]
    pub fn metadata(&self, name: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.namespace.clone()),
            labels: Some(self.labels()),
            owner_references: self.owner.clone().map(|owner| vec![owner]),
            ..ObjectMeta::default()
        }
    }
}

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
