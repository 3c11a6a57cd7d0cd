//! Of which decisions somebody hands over.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{InvalidName, Name, WorkflowRef};

/// The decisions that a substitute may take.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DelegationScope {
    /// All of them; written `*`.
    Everything,
    /// Those on the workflows of one namespace.
    Namespace(Name),
    /// Those on one workflow, whatever its version; written `NAMESPACE/NAME`.
    Workflow(WorkflowRef),
}

impl DelegationScope {
    /// Whether decisions on runs of this workflow are among them.
    #[must_use]
    pub fn covers(&self, workflow: &WorkflowRef) -> bool {
        match self {
            Self::Everything => true,
            Self::Namespace(namespace) => *namespace == workflow.namespace,
            Self::Workflow(own) => own == workflow,
        }
    }
}

impl fmt::Display for DelegationScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("*"),
            Self::Namespace(namespace) => namespace.fmt(f),
            Self::Workflow(workflow) => workflow.fmt(f),
        }
    }
}

impl FromStr for DelegationScope {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "*" => Ok(Self::Everything),
            workflow if workflow.contains('/') => workflow.parse().map(Self::Workflow),
            namespace => namespace.parse().map(Self::Namespace),
        }
    }
}

impl Serialize for DelegationScope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DelegationScope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for DelegationScope {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        String::schema()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for DelegationScope {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_what_it_names() {
        let workflow = |text: &str| text.parse::<WorkflowRef>().unwrap();
        for (scope, inside, outside) in [
            ("*", vec!["a/x", "b/y"], vec![]),
            ("a", vec!["a/x", "a/y"], vec!["b/x"]),
            ("a/x", vec!["a/x"], vec!["a/y", "b/x"]),
        ] {
            let scope: DelegationScope = scope.parse().unwrap();
            assert!(inside.iter().all(|text| scope.covers(&workflow(text))), "{scope}");
            assert!(!outside.iter().any(|text| scope.covers(&workflow(text))), "{scope}");
            assert_eq!(scope.to_string().parse::<DelegationScope>().unwrap(), scope);
        }
        for bad in ["", "A", "a/", "/x", "a/b/c", "**"] {
            assert!(bad.parse::<DelegationScope>().is_err(), "{bad}");
        }
    }
}
