//! Turns a principal and a resource into the entities that Cedar looks at.

use std::{
    collections::{HashMap, HashSet},
    error::Error,
};

use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression};
use domain::{Name, Risk, Role, Scope, UserId};

use crate::{Principal, Resource, ResourceKind};

/// The names of the entity types, read once.
pub(crate) struct EntityTypes {
    user: EntityTypeName,
    anonymous: EntityUid,
    scope: EntityTypeName,
    everywhere: EntityUid,
    resources: HashMap<ResourceKind, EntityTypeName>,
}

type Failure = Box<dyn Error + Send + Sync>;

fn uid(entity_type: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(entity_type.clone(), EntityId::new(id))
}

impl EntityTypes {
    pub(crate) fn new() -> Result<Self, Failure> {
        let scope: EntityTypeName = "Scope".parse()?;
        let mut resources = HashMap::new();
        for kind in ResourceKind::ALL {
            resources.insert(*kind, kind.as_str().parse()?);
        }
        Ok(Self {
            user: "User".parse()?,
            anonymous: uid(&"Anonymous".parse()?, "anonymous"),
            everywhere: uid(&scope, "*"),
            scope,
            resources,
        })
    }

    /// The request and the entities for one decision.
    pub(crate) fn question(
        &self,
        principal: Option<&Principal>,
        action: &EntityUid,
        resource: &Resource,
    ) -> Result<(Request, Entities), Failure> {
        let mut entities = Vec::with_capacity(4);
        let subject = match principal {
            None => self.anonymous.clone(),
            Some(person) => {
                let subject = self.user(person.id);
                entities.push(Entity::new(subject.clone(), self.person(person), HashSet::new())?);
                subject
            }
        };
        let parent = match &resource.namespace {
            None => self.everywhere.clone(),
            Some(namespace) => {
                let namespace = self.namespace(namespace);
                entities.push(Entity::new_no_attrs(namespace.clone(), HashSet::from([self.everywhere.clone()])));
                namespace
            }
        };
        entities.push(Entity::new_no_attrs(self.everywhere.clone(), HashSet::new()));
        let entity_type = self.resources.get(&resource.kind).ok_or("a resource of an unknown kind")?;
        let object = uid(entity_type, &resource.id);
        let parents = if resource.kind.belongs_to_a_scope() { HashSet::from([parent]) } else { HashSet::new() };
        entities.push(Entity::new(object.clone(), self.properties(resource)?, parents)?);

        let request = Request::new(subject, action.clone(), object, Context::empty(), None)?;
        Ok((request, Entities::from_entities(entities, None)?))
    }

    fn user(&self, id: UserId) -> EntityUid {
        uid(&self.user, &id.to_string())
    }

    fn namespace(&self, name: &Name) -> EntityUid {
        uid(&self.scope, name.as_str())
    }

    fn person(&self, principal: &Principal) -> HashMap<String, RestrictedExpression> {
        let held_on = |role: Role| {
            RestrictedExpression::new_set(principal.scopes(role).map(|scope| {
                RestrictedExpression::new_entity_uid(match scope {
                    Scope::Everywhere => self.everywhere.clone(),
                    Scope::Namespace(name) => self.namespace(name),
                })
            }))
        };
        let mut attributes: HashMap<_, _> =
            Role::ALL.iter().map(|role| (role.as_str().to_owned(), held_on(*role))).collect();
        attributes.insert("active".to_owned(), RestrictedExpression::new_bool(principal.active));
        attributes.insert("emergency".to_owned(), RestrictedExpression::new_bool(principal.emergency.is_some()));
        attributes.insert("login".to_owned(), RestrictedExpression::new_string(principal.login.clone()));
        attributes
    }

    fn properties(&self, resource: &Resource) -> Result<HashMap<String, RestrictedExpression>, Failure> {
        let owner = || resource.owner.ok_or("a resource without its owner");
        let person = |id: UserId| RestrictedExpression::new_entity_uid(self.user(id));
        let set = |ids: &[UserId]| RestrictedExpression::new_set(ids.iter().copied().map(person));
        let people = || set(&resource.people);
        let substitutes = || ("substitutes".to_owned(), set(&resource.substitutes));
        Ok(match resource.kind {
            ResourceKind::System
            | ResourceKind::Workflow
            | ResourceKind::Connection
            | ResourceKind::Secret
            | ResourceKind::Repository
            | ResourceKind::Trigger => HashMap::new(),
            ResourceKind::Session
            | ResourceKind::Token
            | ResourceKind::Draft
            | ResourceKind::Notification
            | ResourceKind::Account => HashMap::from([("owner".to_owned(), person(owner()?))]),
            ResourceKind::Definition | ResourceKind::PolicySet => HashMap::from([("authors".to_owned(), people())]),
            ResourceKind::Run => HashMap::from([
                ("requester".to_owned(), person(owner()?)),
                ("asked".to_owned(), people()),
                substitutes(),
            ]),
            ResourceKind::Approval => HashMap::from([
                ("requester".to_owned(), person(owner()?)),
                ("asked".to_owned(), people()),
                ("involved".to_owned(), set(&resource.involved)),
                substitutes(),
                ("changedBy".to_owned(), set(&resource.changers)),
                (
                    "risk".to_owned(),
                    RestrictedExpression::new_string(resource.risk.unwrap_or(Risk::Medium).as_str().to_owned()),
                ),
                ("confirmed".to_owned(), RestrictedExpression::new_bool(resource.confirmed)),
            ]),
            ResourceKind::Emergency => {
                HashMap::from([("person".to_owned(), person(owner()?)), ("agreed".to_owned(), people())])
            }
            ResourceKind::Team | ResourceKind::Grant => HashMap::from([("gaining".to_owned(), people())]),
        })
    }
}

impl ResourceKind {
    /// Whether roles on scopes reach it at all; the others are their owner's alone.
    const fn belongs_to_a_scope(self) -> bool {
        !matches!(self, Self::Session | Self::Token | Self::Draft | Self::Notification)
    }
}
