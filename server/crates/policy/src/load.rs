//! Reads the policy texts, refuses what is not sound, and sorts the policies by the operation they are about.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
};

use cedar_policy::{
    ActionConstraint, Effect, EntityId, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet, ResourceConstraint,
    Schema, ValidationMode, Validator,
};
use domain::{NamedPolicy, Operation, view::PolicyView};

use crate::{
    Fault, ResourceKind, own,
    pieces::{Piece, pieces, words},
};

/// The schema of the policies built into this program.
pub(crate) const SCHEMA: &str = include_str!("../../../policies/schema.cedarschema");

/// The policies built into this program: file name and text.
pub(crate) const POLICIES: &[(&str, &str)] = &[
    ("everybody.cedar", include_str!("../../../policies/everybody.cedar")),
    ("catalogue.cedar", include_str!("../../../policies/catalogue.cedar")),
    ("definitions.cedar", include_str!("../../../policies/definitions.cedar")),
    ("repositories.cedar", include_str!("../../../policies/repositories.cedar")),
    ("triggers.cedar", include_str!("../../../policies/triggers.cedar")),
    ("runs.cedar", include_str!("../../../policies/runs.cedar")),
    ("value.cedar", include_str!("../../../policies/value.cedar")),
    ("events.cedar", include_str!("../../../policies/events.cedar")),
    ("approvals.cedar", include_str!("../../../policies/approvals.cedar")),
    ("audit.cedar", include_str!("../../../policies/audit.cedar")),
    ("policies.cedar", include_str!("../../../policies/policies.cedar")),
    ("access-reviews.cedar", include_str!("../../../policies/access-reviews.cedar")),
    ("emergencies.cedar", include_str!("../../../policies/emergencies.cedar")),
    ("administration.cedar", include_str!("../../../policies/administration.cedar")),
];

/// Why policies cannot be used. The server does not start with such policies.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The schema is not valid Cedar.
    #[error("the policy schema cannot be read")]
    Schema(#[source] Box<dyn Error + Send + Sync>),
    /// A file is not valid Cedar.
    #[error("the policies in {file} cannot be read")]
    Syntax {
        /// The file.
        file: String,
        /// What Cedar says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A policy has no `@id`, or another has the same.
    #[error("a policy in {file} has no id of its own: {id:?}")]
    Id {
        /// The file.
        file: String,
        /// The repeated id; empty when there is none.
        id: String,
    },
    /// A policy does not say what a refused person would need.
    #[error("the policy {0} has no @needs (permit) or @because (forbid)")]
    Unexplained(String),
    /// The policies do not fit the schema.
    #[error("the policies do not fit their schema: {0}")]
    Invalid(String),
    /// The schema lacks one of Rondo's operations, or has one that Rondo does not.
    #[error("the schema and the program differ in the operation {0}")]
    Operation(String),
    /// The schema has a resource type that the program does not know.
    #[error("the program does not know the resource type {0}")]
    ResourceType(String),
    /// What administrators have written cannot be used; in order of the text.
    #[error("the policies of the administrators cannot be used: {}", in_words(.0))]
    Own(Vec<Fault>),
}

fn in_words(faults: &[Fault]) -> String {
    let faults = faults.iter().map(|Fault { line, column, message }| format!("{line}:{column}: {message}"));
    faults.collect::<Vec<_>>().join("; ")
}

/// A policy and how it is written.
pub(crate) struct Text<'t> {
    pub(crate) policy: Policy,
    /// The file of the program that it is from.
    pub(crate) file: Option<&'t str>,
    pub(crate) piece: Piece<'t>,
}

/// All that is needed to decide on one operation.
pub(crate) struct Rules {
    /// The operation as Cedar names it.
    pub(crate) action: EntityUid,
    /// The policies that can be about this operation, and no others: a decision reads two to five instead of all.
    pub(crate) policies: PolicySet,
    /// What the operation can be done to.
    pub(crate) kinds: BTreeSet<ResourceKind>,
    /// Whether somebody who has not signed in may ask for it.
    pub(crate) anonymous: bool,
    /// What a permit needs, with the kind of resource it is about (`None`: any), in the order of the files.
    pub(crate) needs: Vec<(Option<ResourceKind>, String)>,
    /// What a forbid asks for instead, by policy id.
    pub(crate) because: BTreeMap<String, String>,
    /// Whether a policy of the program forbids it to some: people who do it are kept apart from others.
    pub(crate) separates_duties: bool,
}

/// Policies that fit together.
pub(crate) struct Loaded {
    pub(crate) rules: BTreeMap<Operation, Rules>,
    /// All of them as they are written, the program's own first.
    pub(crate) written: Vec<PolicyView>,
}

/// Parses and validates, strictly: the program's own policies, and beside them the text of the administrators.
pub(crate) fn load(schema: &str, files: &[(&str, &str)], own: &str) -> Result<Loaded, PolicyError> {
    let (schema, _) = Schema::from_cedarschema_str(schema).map_err(|error| PolicyError::Schema(Box::new(error)))?;
    let mut texts = parse(files)?;
    validate(&schema, &texts)?;
    let mut rules = operations(&schema)?;
    for text in &texts {
        sort_in(&text.policy, &mut rules)?;
    }
    let known = texts.iter().map(|text| text.policy.id().to_string()).collect();
    let more = own::read(own, &schema, &rules, &known).map_err(PolicyError::Own)?;
    for text in &more {
        sort_in(&text.policy, &mut rules)?;
    }
    texts.extend(more);
    let written = texts.iter().map(|text| written(text, &rules)).collect();
    Ok(Loaded { rules, written })
}

fn written(text: &Text<'_>, rules: &BTreeMap<Operation, Rules>) -> PolicyView {
    let policy = &text.policy;
    let forbids = policy.effect() == Effect::Forbid;
    let NamedPolicy { id, title } = NamedPolicy::of(policy.id().to_string());
    let needs = policy.annotation(if forbids { "because" } else { "needs" }).unwrap_or_default().to_owned();
    let about = rules.iter().filter(|(_, rules)| rules.policies.policy(policy.id()).is_some());
    PolicyView {
        id,
        title,
        forbids,
        file: text.file.map(ToOwned::to_owned),
        comment: words(text.piece.comment),
        needs,
        text: text.piece.text.to_owned(),
        operations: about.map(|(operation, _)| *operation).collect(),
    }
}

fn parse<'t>(files: &[(&'t str, &'t str)]) -> Result<Vec<Text<'t>>, PolicyError> {
    let mut ids = BTreeSet::new();
    let mut policies = Vec::new();
    for &(file, text) in files {
        let parsed: PolicySet =
            text.parse().map_err(|source| PolicyError::Syntax { file: file.to_owned(), source: Box::new(source) })?;
        // Cedar numbers the policies of a text in order.
        for (number, piece) in pieces(text).into_iter().enumerate() {
            let numbered = parsed.policy(&PolicyId::new(format!("policy{number}")));
            let id = numbered.and_then(|policy| policy.annotation("id")).unwrap_or_default().to_owned();
            let (Some(policy), true) = (numbered, !id.is_empty() && ids.insert(id.clone())) else {
                return Err(PolicyError::Id { file: file.to_owned(), id });
            };
            policies.push(Text { policy: policy.new_id(PolicyId::new(id)), file: Some(file), piece });
        }
    }
    Ok(policies)
}

fn validate(schema: &Schema, texts: &[Text<'_>]) -> Result<(), PolicyError> {
    let all = PolicySet::from_policies(texts.iter().map(|text| text.policy.clone()))
        .map_err(|error| PolicyError::Invalid(error.to_string()))?;
    let result = Validator::new(schema.clone()).validate(&all, ValidationMode::Strict);
    if result.validation_passed_without_warnings() {
        return Ok(());
    }
    let errors = result.validation_errors().map(ToString::to_string);
    let warnings = result.validation_warnings().map(ToString::to_string);
    Err(PolicyError::Invalid(errors.chain(warnings).collect::<Vec<_>>().join("; ")))
}

/// One entry per operation, without policies yet. The schema must have exactly the operations of the program.
fn operations(schema: &Schema) -> Result<BTreeMap<Operation, Rules>, PolicyError> {
    let action_type: EntityTypeName = "Action".parse().map_err(|error| PolicyError::Schema(Box::new(error)))?;
    let mut rules = BTreeMap::new();
    for environment in schema.request_envs() {
        let action = environment.action();
        let name: &str = action.id().as_ref();
        let operation: Operation = name.parse().map_err(|_| PolicyError::Operation(name.to_owned()))?;
        let kind = kind_of(environment.resource())?;
        let rule = rules.entry(operation).or_insert_with(|| Rules {
            action: EntityUid::from_type_name_and_id(action_type.clone(), EntityId::new(operation.as_str())),
            policies: PolicySet::new(),
            kinds: BTreeSet::new(),
            anonymous: false,
            needs: Vec::new(),
            because: BTreeMap::new(),
            separates_duties: false,
        });
        rule.kinds.insert(kind);
        rule.anonymous |= environment.principal().to_string() == "Anonymous";
    }
    match Operation::ALL.iter().find(|operation| !rules.contains_key(operation)) {
        Some(lacking) => Err(PolicyError::Operation(lacking.to_string())),
        None => Ok(rules),
    }
}

fn kind_of(entity_type: &EntityTypeName) -> Result<ResourceKind, PolicyError> {
    let name = entity_type.to_string();
    ResourceKind::ALL.iter().copied().find(|kind| kind.as_str() == name).ok_or(PolicyError::ResourceType(name))
}

/// Puts the policy to every operation whose requests its scope can match. The schema has no action groups, so a list of
/// actions in a policy is the whole truth.
fn sort_in(policy: &Policy, rules: &mut BTreeMap<Operation, Rules>) -> Result<(), PolicyError> {
    let id = policy.id().to_string();
    let kind = match policy.resource_constraint() {
        ResourceConstraint::Is(entity_type) | ResourceConstraint::IsIn(entity_type, _) => Some(kind_of(&entity_type)?),
        ResourceConstraint::Any | ResourceConstraint::In(_) | ResourceConstraint::Eq(_) => None,
    };
    let explanation = match policy.effect() {
        Effect::Permit => policy.annotation("needs"),
        Effect::Forbid => policy.annotation("because"),
    };
    let explanation =
        explanation.filter(|text| !text.is_empty()).ok_or_else(|| PolicyError::Unexplained(id.clone()))?;
    let actions = match policy.action_constraint() {
        ActionConstraint::Any => None,
        ActionConstraint::Eq(action) => Some(vec![action]),
        ActionConstraint::In(actions) => Some(actions),
    };
    for rule in rules.values_mut() {
        if actions.as_ref().is_some_and(|actions| !actions.contains(&rule.action)) {
            continue;
        }
        rule.policies.add(policy.clone()).map_err(|error| PolicyError::Invalid(error.to_string()))?;
        match policy.effect() {
            Effect::Permit => rule.needs.push((kind, explanation.to_owned())),
            Effect::Forbid => {
                rule.because.insert(id.clone(), explanation.to_owned());
                // What disabled people may not do is everything, and separates nothing.
                rule.separates_duties |= actions.is_some();
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policies_fit_their_schema_strictly_and_without_warnings() {
        let rules = load(SCHEMA, POLICIES, "").unwrap().rules;
        assert_eq!(rules.len(), Operation::ALL.len());
    }

    #[test]
    fn every_policy_file_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "schema.cedarschema")
            .collect();
        let mut built_in: Vec<_> = POLICIES.iter().map(|(name, _)| (*name).to_owned()).collect();
        files.sort();
        built_in.sort();
        assert_eq!(built_in, files);
    }

    #[test]
    fn every_operation_has_a_permit_and_the_inactive_forbid() {
        // Whether the branch of a repository counts as a review is for administrators to say.
        let theirs = [Operation::DefinitionMerge];
        for (operation, rules) in load(SCHEMA, POLICIES, "").unwrap().rules {
            assert_eq!(rules.needs.is_empty(), theirs.contains(&operation), "{operation}");
            assert!(rules.because.contains_key("inactive-people-do-nothing"), "{operation}");
            for kind in rules.kinds.iter().filter(|_| !theirs.contains(&operation)) {
                assert!(
                    rules.needs.iter().any(|(about, _)| about.is_none_or(|about| about == *kind)),
                    "{operation} is permitted on no {}",
                    kind.as_str()
                );
            }
        }
    }

    fn refusal(text: &str) -> PolicyError {
        load(SCHEMA, &[("tried.cedar", text)], "").err().unwrap()
    }

    #[test]
    fn unsound_policies_are_refused() {
        let permit = "permit (principal is User, action == Action::\"run.list\", resource is System);";
        assert!(matches!(refusal("permit (principal"), PolicyError::Syntax { .. }));
        assert!(matches!(refusal(permit), PolicyError::Id { .. }));
        assert!(matches!(refusal(&format!("@id(\"a\") {permit}")), PolicyError::Unexplained(_)));
        let twice = format!("@id(\"a\") @needs(\"x\") {permit}").repeat(2);
        assert!(matches!(refusal(&twice), PolicyError::Id { .. }));
        let misspelt = format!("@id(\"a\") @needs(\"x\") {}", permit.replace("run.list", "run.lists"));
        assert!(matches!(refusal(&misspelt), PolicyError::Invalid(_)));
        let wrong_type = format!("@id(\"a\") @needs(\"x\") {}", permit.replace("System", "Run"));
        assert!(matches!(refusal(&wrong_type), PolicyError::Invalid(_)));
    }

    #[test]
    fn a_schema_with_other_operations_is_refused() {
        let lacking = SCHEMA.replace("\"token.list\", ", "");
        assert!(matches!(load(&lacking, &[], "").err().unwrap(), PolicyError::Operation(_)));
        let extra = SCHEMA.replace("\"token.list\", ", "\"token.list\", \"token.lend\", ");
        assert!(matches!(load(&extra, &[], "").err().unwrap(), PolicyError::Operation(_)));
    }
}
