//! Who may do what: Cedar policies, and the one function that decides by them.
//!
//! The policies and their schema are text in `server/policies/`, written to be read by an auditor and built into the
//! program. Whatever no policy permits is refused, a `forbid` outweighs every `permit`, and every decision names the
//! policies that determined it.
//!
//! # How to use it
//! ```
//! # use domain::{Operation, Role, Scope, UserId, RunId};
//! # use policy::{Policies, Principal, Resource};
//! # let user = UserId::from_uuid(Default::default());
//! # let run = RunId::from_uuid(Default::default());
//! let policies = Policies::builtin()?;
//! let principal = Principal {
//!     id: user,
//!     login: "operator".to_owned(),
//!     active: true,
//!     grants: vec![(Role::Operator, Scope::Everywhere)],
//!     emergency: None,
//! };
//! let namespace = "identity".parse()?;
//! let requester = UserId::from_uuid("0198c0de-0000-7000-8000-000000000001".parse::<UserId>()?.as_uuid());
//! let resource = Resource::run(run, &namespace, requester, []);
//! let decision = policies.decide(&principal, Operation::RunCancel, &resource);
//! assert!(decision.allowed);
//! assert_eq!(decision.policies, ["operators-steer-runs"]);
//!
//! let refusal = policies.decide(&principal, Operation::WorkflowRead, &Resource::workflow(&"identity/x".parse()?));
//! assert_eq!(refusal.missing, "the role requester on identity, or the role author on identity, or the role publisher on identity");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! Pass `None` as the principal for somebody who has not signed in.
//!
//! # How to
//! - **Add an operation**: name it in `schema.cedarschema` with what it is done to, and in a policy; until then it is
//!   refused to everybody and the tests here fail. Then look at the difference in the golden table of
//!   `tests/it/matrix.rs` before accepting it.
//! - **Add a policy**: in the file of its subject, with a comment in plain words, an `@id`, and `@needs` (what a refused
//!   person would need; `{scope}` becomes "on NAMESPACE" or "everywhere") or, for a `forbid`, `@because`.
//! - **Change the visibility of runs**: change `runs.cedar` and [`Policies::run_visibility`] together; a property test
//!   holds them to each other, because a list must show exactly what its detail pages would. Likewise `definitions.cedar`
//!   and [`Policies::definition_visibility`].
//! - **Read what administrators have written**: [`Policies::with_own`]. What such policies may not do, and why, is in
//!   `docs/adr/0023-policies-of-administrators.md`.

mod decision;
mod load;
mod own;
mod pieces;
mod policies;
mod principal;
mod question;
mod resource;
mod visibility;

pub use decision::Decision;
pub use load::PolicyError;
pub use own::Fault;
pub use policies::Policies;
pub use principal::Principal;
pub use resource::{Resource, ResourceKind};
pub use visibility::{DefinitionVisibility, RunVisibility};
