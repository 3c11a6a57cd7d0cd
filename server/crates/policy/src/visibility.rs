use std::collections::BTreeSet;

use domain::Name;

/// Of which namespaces somebody may see definitions that are not published. It says the same as the policies for
/// `definition.read`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefinitionVisibility {
    /// Of all.
    Everywhere,
    /// Of these.
    Within(BTreeSet<Name>),
}

impl DefinitionVisibility {
    /// Whether the definitions of `namespace` are among them.
    pub fn includes(&self, namespace: &Name) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Within(namespaces) => namespaces.contains(namespace),
        }
    }
}

/// Which runs somebody may see, in a form that a database can filter by. It says the same as the policies for
/// `run.read`, so that a list shows exactly what its detail pages would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunVisibility {
    /// All runs.
    pub everywhere: bool,
    /// All runs of these namespaces; sorted, without repetitions.
    pub namespaces: Vec<Name>,
    /// Runs that the person asked for or is asked about.
    pub own: bool,
}

impl RunVisibility {
    /// Whether a run of `namespace` is among them; `own`: the person asked for it or is asked about it.
    pub fn includes(&self, namespace: &Name, own: bool) -> bool {
        self.everywhere || (own && self.own) || self.namespaces.binary_search(namespace).is_ok()
    }
}
