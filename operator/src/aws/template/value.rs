//! Values of a document: a text that is known, or one that CloudFormation knows once it has made another resource.

use std::collections::BTreeMap;

use serde::Serialize;

/// A text, known now or then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Text {
    /// Known now.
    Plain(String),
    /// What another resource is referred to by: an id, a URL or a name, by its type.
    Ref {
        /// Its logical id.
        #[serde(rename = "Ref")]
        id: String,
    },
    /// An attribute of another resource.
    Attribute {
        /// Its logical id, and the attribute.
        #[serde(rename = "Fn::GetAtt")]
        of: [String; 2],
    },
    /// A text with the ids and attributes of other resources in `${…}`.
    Sub {
        /// The text.
        #[serde(rename = "Fn::Sub")]
        text: String,
    },
}

impl Text {
    /// What a resource is referred to by.
    #[must_use]
    pub fn reference(id: &str) -> Self {
        Self::Ref { id: id.to_owned() }
    }

    /// An attribute of a resource.
    #[must_use]
    pub fn attribute(id: &str, name: &str) -> Self {
        Self::Attribute {
            of: [id.to_owned(), name.to_owned()],
        }
    }

    /// A text with `${…}`.
    #[must_use]
    pub fn sub(text: String) -> Self {
        Self::Sub { text }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

/// A tag, as most types write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A policy of IAM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

impl Policy {
    /// A policy of these statements.
    #[must_use]
    pub fn of(statement: Vec<Statement>) -> Self {
        Self {
            version: "2012-10-17",
            statement,
        }
    }
}

/// A statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    /// Its name within the policy.
    pub sid: &'static str,
    /// `Allow` or `Deny`.
    pub effect: &'static str,
    /// Whom it speaks of; absent in a policy that hangs on a role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
    /// What they may do.
    pub action: Vec<&'static str>,
    /// To what; absent in a role's trust.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource: Vec<Text>,
    /// When.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub condition: BTreeMap<&'static str, BTreeMap<&'static str, Vec<String>>>,
}

impl Statement {
    /// Allows actions on resources.
    #[must_use]
    pub fn allow(sid: &'static str, action: &[&'static str], resource: Vec<Text>) -> Self {
        Self {
            sid,
            effect: "Allow",
            principal: None,
            action: action.to_vec(),
            resource,
            condition: BTreeMap::new(),
        }
    }
}

/// Whom a statement speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Principal {
    /// Everybody: `*`.
    Everybody(&'static str),
    /// A service of AWS.
    Service {
        /// Its name, as `lambda.amazonaws.com`.
        #[serde(rename = "Service")]
        service: &'static str,
    },
}
