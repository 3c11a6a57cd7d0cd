/// What the policies say to one operation of one principal on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a decision that nobody looks at protects nothing"]
pub struct Decision {
    /// Whether it may be done.
    pub allowed: bool,
    /// Ids of the policies that determined this, sorted: those that permit it, or those that forbid it. Empty when it
    /// is refused because none permits it.
    pub policies: Vec<String>,
    /// For a refusal: what would be needed, in plain words that stand after "needed:". Empty when allowed.
    pub missing: String,
}

impl Decision {
    pub(crate) fn refused(policies: Vec<String>, missing: String) -> Self {
        Self { allowed: false, policies, missing }
    }
}
