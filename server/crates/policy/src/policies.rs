use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Authorizer, Decision as Verdict};
use domain::{
    ApprovalId, ConnectionId, EmergencyId, GrantId, Name, Operation, Role, RunId, Scope, TeamId, UserId, WorkflowRef,
    view::PolicyView,
};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{
    Decision, DefinitionVisibility, PolicyError, Principal, Resource, ResourceKind, RunVisibility,
    load::{self, Loaded, Rules},
    question::EntityTypes,
};

/// The policies, ready to decide. Made once; deciding needs no lock and no I/O.
pub struct Policies {
    rules: BTreeMap<Operation, Rules>,
    written: Vec<PolicyView>,
    digest: String,
    types: EntityTypes,
    authorizer: Authorizer,
    /// Stands for any namespace in the question what somebody may do somewhere.
    some_namespace: Name,
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policies").field("operations", &self.rules.len()).finish_non_exhaustive()
    }
}

impl Policies {
    /// The policies that are built into this program (`server/policies/`), validated strictly against their schema.
    pub fn builtin() -> Result<Self, PolicyError> {
        Self::with_own("")
    }

    /// The same, and beside them those that administrators have written.
    ///
    /// # Errors
    /// [`PolicyError::Own`] when they do not fit the schema, or break a rule for such policies: each has an `@id` of its own
    /// that is a name, an explanation, and names its actions; none is about a way into the portal, or about what lists are cut
    /// by; none permits what a policy of the program forbids to some.
    pub fn with_own(own: &str) -> Result<Self, PolicyError> {
        let Loaded { rules, written } = load::load(load::SCHEMA, load::POLICIES, own)?;
        Ok(Self {
            rules,
            written,
            digest: digest(own),
            types: EntityTypes::new().map_err(PolicyError::Schema)?,
            authorizer: Authorizer::new(),
            some_namespace: "any".parse().map_err(|error| PolicyError::Schema(Box::new(error)))?,
        })
    }

    /// What this set is known by: the SHA-256 of the schema and of all texts, in lower-case hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// All policies as they are written, the program's own first.
    pub fn written(&self) -> &[PolicyView] {
        &self.written
    }

    /// Whether `principal` may do `operation` to `resource`; `None` stands for somebody who has not signed in.
    ///
    /// Whatever goes wrong on the way is a refusal: a resource of a kind that the operation is not about, and a policy
    /// that cannot be evaluated (it might have been a `forbid`).
    pub fn decide<'a>(
        &self,
        principal: impl Into<Option<&'a Principal>>,
        operation: Operation,
        resource: &Resource,
    ) -> Decision {
        self.decide_by_rules(principal.into(), operation, resource)
    }

    fn decide_by_rules(&self, principal: Option<&Principal>, operation: Operation, resource: &Resource) -> Decision {
        let nothing_helps = |why: &str| Decision::refused(Vec::new(), why.to_owned());
        let Some(rules) = self.rules.get(&operation) else {
            return nothing_helps("a policy about this operation");
        };
        if !rules.kinds.contains(&resource.kind) {
            return nothing_helps("a resource of the kind that this operation is about");
        }
        if principal.is_none() && !rules.anonymous {
            return nothing_helps("to be signed in");
        }
        let Ok((request, entities)) = self.types.question(principal, &rules.action, resource) else {
            return nothing_helps("a complete resource");
        };
        let response = self.authorizer.is_authorized(&request, &rules.policies, &entities);
        if response.diagnostics().errors().next().is_some() {
            return nothing_helps("policies that can be evaluated");
        }
        let mut policies: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
        policies.sort_unstable();
        match response.decision() {
            Verdict::Allow => Decision { allowed: true, policies, missing: String::new() },
            Verdict::Deny => {
                let missing = rules.missing(&policies, resource);
                Decision::refused(policies, missing)
            }
        }
    }

    /// What `principal` may do to something, somewhere: for navigation, so that nothing is offered that can never
    /// succeed. In the order of [`Operation::ALL`]; a permission for a particular resource does not follow from it.
    pub fn operations(&self, principal: &Principal) -> Vec<Operation> {
        let mut scopes: BTreeSet<Scope> = principal.grants.iter().map(|(_, scope)| scope.clone()).collect();
        if scopes.is_empty() {
            scopes.insert(Scope::Everywhere);
        }
        let somewhere = |operation: &Operation| {
            self.rules.get(operation).is_some_and(|rules| {
                rules.kinds.iter().any(|kind| {
                    scopes.iter().any(|scope| {
                        self.favourable(*kind, principal.id, scope)
                            .iter()
                            .any(|resource| self.decide(principal, *operation, resource).allowed)
                    })
                })
            })
        };
        Operation::ALL.iter().copied().filter(somewhere).collect()
    }

    /// Resources of `kind` in `scope` that are as favourable as can be to `person`.
    fn favourable(&self, kind: ResourceKind, person: UserId, scope: &Scope) -> Vec<Resource> {
        let id = person.as_uuid();
        let somebody_else = UserId::from_uuid(Uuid::from_u128(!id.as_u128()));
        let namespace = match scope {
            Scope::Everywhere => &self.some_namespace,
            Scope::Namespace(name) => name,
        };
        match kind {
            ResourceKind::System => vec![Resource::system()],
            ResourceKind::Session
            | ResourceKind::Token
            | ResourceKind::Draft
            | ResourceKind::Notification
            | ResourceKind::Account => vec![Resource::own(kind, person)],
            ResourceKind::Workflow => vec![Resource::workflow(&WorkflowRef {
                namespace: namespace.clone(),
                name: self.some_namespace.clone(),
            })],
            ResourceKind::Definition => {
                let workflow = WorkflowRef { namespace: namespace.clone(), name: self.some_namespace.clone() };
                [vec![], vec![person]].map(|authors| Resource::definition(&workflow, "1.0.0", authors)).into()
            }
            ResourceKind::Run => vec![
                Resource::run(RunId::from_uuid(id), namespace, person, []),
                Resource::run(RunId::from_uuid(id), namespace, somebody_else, [person]),
            ],
            ResourceKind::Approval => vec![
                Resource::approval(ApprovalId::from_uuid(id), namespace, person, [], []),
                Resource::approval(ApprovalId::from_uuid(id), namespace, somebody_else, [person], [person])
                    .confirmed(true),
            ],
            ResourceKind::Connection => {
                vec![Resource::connection(ConnectionId::from_uuid(id), std::slice::from_ref(scope))]
            }
            ResourceKind::Secret => vec![Resource::secret(namespace, "some")],
            ResourceKind::Repository => vec![Resource::repository(namespace, &self.some_namespace)],
            ResourceKind::Trigger => vec![Resource::trigger(namespace, &self.some_namespace)],
            ResourceKind::PolicySet => vec![Resource::policy_set(0, [])],
            ResourceKind::Team => vec![Resource::team(TeamId::from_uuid(id), [])],
            ResourceKind::Emergency => vec![
                Resource::emergency(EmergencyId::from_uuid(id), scope, person, None),
                Resource::emergency(EmergencyId::from_uuid(id), scope, somebody_else, None),
            ],
            ResourceKind::Grant => vec![Resource::grant(GrantId::from_uuid(id), scope, [])],
        }
    }

    /// The namespaces whose definitions `principal` may see in every state, to filter lists by; agrees with
    /// [`Policies::decide`] on `definition.read`.
    pub fn definition_visibility(&self, principal: &Principal) -> DefinitionVisibility {
        if !principal.active {
            return DefinitionVisibility::Within(BTreeSet::new());
        }
        let scopes = principal.scopes(Role::Author).chain(principal.scopes(Role::Publisher));
        let within: Option<BTreeSet<Name>> = scopes
            .map(|scope| match scope {
                Scope::Everywhere => None,
                Scope::Namespace(name) => Some(name.clone()),
            })
            .collect();
        within.map_or(DefinitionVisibility::Everywhere, DefinitionVisibility::Within)
    }

    /// Which runs `principal` may see, to filter lists by; agrees with [`Policies::decide`] on `run.read`.
    pub fn run_visibility(&self, principal: &Principal) -> RunVisibility {
        if !principal.active {
            return RunVisibility::default();
        }
        let namespaces: BTreeSet<Name> = principal
            .scopes(Role::Operator)
            .filter_map(|scope| match scope {
                Scope::Everywhere => None,
                Scope::Namespace(name) => Some(name.clone()),
            })
            .collect();
        RunVisibility {
            everywhere: principal.scopes(Role::Operator).any(|scope| *scope == Scope::Everywhere),
            namespaces: namespaces.into_iter().collect(),
            own: true,
        }
    }
}

/// Each part with its length before it, so that no two sets of parts are alike.
fn digest(own: &str) -> String {
    let files = load::POLICIES.iter().flat_map(|(file, text)| [*file, *text]);
    let mut hash = Sha256::new();
    for part in [load::SCHEMA].into_iter().chain(files).chain([own]) {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

impl Rules {
    /// What a refused person would need: what the forbidding policies ask for, else what any of the permits needs.
    fn missing(&self, forbidding: &[String], resource: &Resource) -> String {
        let forbidden = forbidding.iter().filter_map(|id| self.because.get(id)).map(String::as_str);
        let mut words: Vec<&str> = forbidden.collect();
        if words.is_empty() {
            let about_this = |about: &Option<ResourceKind>| about.is_none_or(|kind| kind == resource.kind);
            words = self.needs.iter().filter(|(about, _)| about_this(about)).map(|(_, text)| text.as_str()).collect();
        }
        let mut seen = BTreeSet::new();
        words.retain(|text| seen.insert(*text));
        let scope = resource.namespace.as_ref().map_or_else(|| "everywhere".to_owned(), |name| format!("on {name}"));
        let separator = if forbidding.is_empty() { ", or " } else { ", and " };
        words.join(separator).replace("{scope}", &scope)
    }
}
