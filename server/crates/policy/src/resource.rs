use domain::{ApprovalId, ConnectionId, EmergencyId, GrantId, Name, Risk, RunId, Scope, TeamId, UserId, WorkflowRef};
use serde::{Deserialize, Serialize};

macro_rules! resource_kinds {
    ($($(#[$doc:meta])* $variant:ident),+ $(,)?) => {
        /// What an operation is done to: the entity types of the policy schema.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ResourceKind { $($(#[$doc])* $variant),+ }

        impl ResourceKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name of the entity type in the policy schema.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }
        }
    };
}

resource_kinds! {
    /// The portal as a whole: lists, the audit log, the ways in.
    System,
    /// A signed-in browser.
    Session,
    /// An API token.
    Token,
    /// A request that is being filled in.
    Draft,
    /// A notice in the portal.
    Notification,
    /// A person's account.
    Account,
    /// A workflow, whatever its version.
    Workflow,
    /// One version of a workflow, with those who wrote it.
    Definition,
    /// One execution of a workflow.
    Run,
    /// A task that waits for decisions.
    Approval,
    /// A configured target.
    Connection,
    /// A secret of a namespace.
    Secret,
    /// A repository whose branch brings definitions to a namespace.
    Repository,
    /// What another system calls to have runs of a namespace launched.
    Trigger,
    /// Policies of the administrators, with those who wrote them.
    PolicySet,
    /// A team.
    Team,
    /// A role given to somebody on a scope.
    Grant,
    /// A role for a few hours.
    Emergency,
}

/// What an operation is done to, with what policies look at. Made by one constructor per kind.
///
/// Load what it is made from in the unit of work of the change, so that the decision is about the state that is changed.
///
/// Written as JSON, it can be put to other policies later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    pub(crate) kind: ResourceKind,
    pub(crate) id: String,
    /// `None`: belongs to no namespace, so only roles held everywhere reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<Name>,
    /// The owner of a personal thing; the requester of a run or approval; who asks for emergency access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<UserId>,
    /// The people asked, of runs and approvals; the authors of a definition or of policies; the people gaining roles, of teams
    /// and grants; who has agreed to emergency access.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) people: Vec<UserId>,
    /// The people whom any approval of an approval's run asks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) involved: Vec<UserId>,
    /// Who stands in for those whom an approval, or the pending approvals of a run, ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) substitutes: Vec<UserId>,
    /// Who has put data of their own into an approval's run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) changers: Vec<UserId>,
    /// How much harm what an approval is about can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) risk: Option<Risk>,
    /// Whether whoever asks has said again who they are, a moment ago.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) confirmed: bool,
}

impl Resource {
    fn new(kind: ResourceKind, id: &impl ToString, namespace: Option<Name>) -> Self {
        Self {
            kind,
            id: id.to_string(),
            namespace,
            owner: None,
            people: Vec::new(),
            involved: Vec::new(),
            substitutes: Vec::new(),
            changers: Vec::new(),
            risk: None,
            confirmed: false,
        }
    }

    /// The portal as a whole: for lists (`run.list`, `user.list`, `connection.list` …), `user.create`, the audit log,
    /// and signing in.
    pub fn system() -> Self {
        Self::new(ResourceKind::System, &"rondo", None)
    }

    /// Something that belongs to one person: a session, token, draft or notification, or all of that kind that are
    /// theirs. For `me.read`, `password.change` and `preferences.change` use [`Resource::account`].
    pub fn own(kind: ResourceKind, owner: UserId) -> Self {
        Self { owner: Some(owner), ..Self::new(kind, &owner, None) }
    }

    /// A person's account, the caller's own included.
    pub fn account(person: UserId) -> Self {
        Self::own(ResourceKind::Account, person)
    }

    /// A workflow, whatever its version.
    pub fn workflow(workflow: &WorkflowRef) -> Self {
        Self::new(ResourceKind::Workflow, workflow, Some(workflow.namespace.clone()))
    }

    /// A version of a workflow, and everybody who has saved a change of it.
    pub fn definition(workflow: &WorkflowRef, version: &str, authors: impl IntoIterator<Item = UserId>) -> Self {
        Self {
            people: authors.into_iter().collect(),
            ..Self::new(ResourceKind::Definition, &format!("{workflow} {version}"), Some(workflow.namespace.clone()))
        }
    }

    /// A run: the namespace of its workflow, who launched it, and everybody whom its approvals ask or asked.
    pub fn run(id: RunId, namespace: &Name, requester: UserId, asked: impl IntoIterator<Item = UserId>) -> Self {
        Self {
            owner: Some(requester),
            people: asked.into_iter().collect(),
            ..Self::new(ResourceKind::Run, &id, Some(namespace.clone()))
        }
    }

    /// An approval: the namespace and requester of its run, everybody who is asked to decide, and everybody whom any
    /// approval of its run asks.
    pub fn approval(
        id: ApprovalId,
        namespace: &Name,
        requester: UserId,
        asked: impl IntoIterator<Item = UserId>,
        involved: impl IntoIterator<Item = UserId>,
    ) -> Self {
        Self {
            owner: Some(requester),
            people: asked.into_iter().collect(),
            involved: involved.into_iter().collect(),
            ..Self::new(ResourceKind::Approval, &id, Some(namespace.clone()))
        }
    }

    /// The same run or approval, with those who stand in at the moment for people whom it asks.
    #[must_use]
    pub fn with_substitutes(self, substitutes: impl IntoIterator<Item = UserId>) -> Self {
        Self { substitutes: substitutes.into_iter().collect(), ..self }
    }

    /// The same approval, of a run into which these people have put data of their own.
    #[must_use]
    pub fn changed_by(self, changers: impl IntoIterator<Item = UserId>) -> Self {
        Self { changers: changers.into_iter().collect(), ..self }
    }

    /// The risk of the workflow that it is about, where that was said.
    #[must_use]
    pub const fn risk(&self) -> Option<Risk> {
        self.risk
    }

    /// The same approval, of a workflow with this risk; medium unless said.
    #[must_use]
    pub fn of_risk(mut self, risk: Risk) -> Self {
        self.risk = Some(risk);
        self
    }

    /// The same approval, as it is to somebody who has, or has not, said the password again.
    #[must_use]
    pub fn confirmed(mut self, confirmed: bool) -> Self {
        self.confirmed = confirmed && self.kind == ResourceKind::Approval;
        self
    }

    /// A connection. It belongs to a namespace when that one alone may use it; else only administrators of the whole
    /// portal reach it. Decide on what it was and on what it becomes, when a change moves it.
    pub fn connection(id: ConnectionId, usable_in: &[Scope]) -> Self {
        let namespace = match usable_in {
            [Scope::Namespace(only)] => Some(only.clone()),
            _ => None,
        };
        Self::new(ResourceKind::Connection, &id, namespace)
    }

    /// A secret of a namespace.
    pub fn secret(namespace: &Name, name: &str) -> Self {
        Self::new(ResourceKind::Secret, &format!("{namespace}/{name}"), Some(namespace.clone()))
    }

    /// A repository whose branch brings definitions to a namespace.
    pub fn repository(namespace: &Name, name: &Name) -> Self {
        Self::new(ResourceKind::Repository, &format!("{namespace}/{name}"), Some(namespace.clone()))
    }

    /// What another system calls to have runs of a namespace launched.
    pub fn trigger(namespace: &Name, name: &Name) -> Self {
        Self::new(ResourceKind::Trigger, &format!("{namespace}/{name}"), Some(namespace.clone()))
    }

    /// Policies of the administrators, and everybody who has changed their text.
    pub fn policy_set(version: i64, authors: impl IntoIterator<Item = UserId>) -> Self {
        Self { people: authors.into_iter().collect(), ..Self::new(ResourceKind::PolicySet, &version, None) }
    }

    /// A team, and the people who would hold more roles by the change: those it adds, if the team holds any grant.
    pub fn team(id: TeamId, gaining: impl IntoIterator<Item = UserId>) -> Self {
        Self { people: gaining.into_iter().collect(), ..Self::new(ResourceKind::Team, &id, None) }
    }

    /// A grant on a scope, and the people who would hold it: the person, or all members of the team. Nobody gains from
    /// a grant that is listed or taken back.
    pub fn grant(id: GrantId, scope: &Scope, gaining: impl IntoIterator<Item = UserId>) -> Self {
        Self {
            people: gaining.into_iter().collect(),
            ..Self::new(ResourceKind::Grant, &id, scope.namespace().cloned())
        }
    }

    /// Emergency access to a role on a scope: who asks for it, and who has agreed.
    pub fn emergency(id: EmergencyId, scope: &Scope, person: UserId, agreed: Option<UserId>) -> Self {
        Self {
            owner: Some(person),
            people: agreed.into_iter().collect(),
            ..Self::new(ResourceKind::Emergency, &id, scope.namespace().cloned())
        }
    }

    /// Its kind.
    pub const fn kind(&self) -> ResourceKind {
        self.kind
    }

    /// Its id, as it stands in audit entries.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The namespace it belongs to.
    pub const fn namespace(&self) -> Option<&Name> {
        self.namespace.as_ref()
    }
}
