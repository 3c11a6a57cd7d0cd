//! Policies that administrators write: they may permit more and forbid more, and weaken nothing that separates duties.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{ActionConstraint, Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use domain::{Name, Operation};
use miette::Diagnostic;

use crate::{
    load::{Rules, Text},
    pieces::{Piece, pieces, place},
};

/// What lists that are cut into pages filter by in the database, where no policy is asked (`Policies::run_visibility`,
/// `Policies::definition_visibility`). A policy about them would make lists show other things than their pages.
const CUT: [Operation; 3] = [Operation::RunRead, Operation::ApprovalRead, Operation::DefinitionRead];

/// Something that is wrong with a text of policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what was expected.
    pub message: String,
}

/// The policies of a text, under their ids, with what they look like; or all that is wrong with it, in order of the text.
pub(crate) fn read<'t>(
    text: &'t str,
    schema: &Schema,
    rules: &BTreeMap<Operation, Rules>,
    known: &BTreeSet<String>,
) -> Result<Vec<Text<'t>>, Vec<Fault>> {
    let parsed: PolicySet = text.parse().map_err(|errors: cedar_policy::ParseErrors| {
        errors.iter().map(|error| fault(text, error, 0)).collect::<Vec<_>>()
    })?;
    let mut faults = Vec::new();
    let mut places = BTreeMap::new();
    let mut texts = Vec::new();
    let mut ids = BTreeSet::new();
    for (number, piece) in pieces(text).into_iter().enumerate() {
        let numbered = PolicyId::new(format!("policy{number}"));
        let mut wrong = |message: &str| faults.push(at(text, piece.offset, message.to_owned()));
        let Some(policy) = parsed.policy(&numbered) else {
            wrong("a template has no meaning here; write a policy without ?principal and ?resource");
            continue;
        };
        for message in broken_rules(policy, rules) {
            wrong(&message);
        }
        match id_of(policy) {
            Err(message) => wrong(&message),
            Ok(id) if known.contains(&id) || !ids.insert(id.clone()) => {
                wrong(&format!("there is a policy {id:?} already; give this one another @id"));
            }
            Ok(id) => texts.push(Text { policy: policy.new_id(PolicyId::new(id)), file: None, piece }),
        }
        places.insert(numbered, piece);
    }
    faults.extend(validate(text, schema, &parsed, &places));
    faults.sort_by_key(|fault| (fault.line, fault.column));
    faults.dedup();
    if faults.is_empty() { Ok(texts) } else { Err(faults) }
}

fn id_of(policy: &Policy) -> Result<String, String> {
    let id = policy.annotation("id").unwrap_or_default();
    match id.parse::<Name>() {
        Ok(_) => Ok(id.to_owned()),
        Err(_) if id.is_empty() => Err("it has no @id, by which refusals and the audit log would name it".to_owned()),
        Err(_) => Err(format!(
            "{id:?} is no id of a policy: 1 to 63 lower-case letters, digits and hyphens, beginning and ending with a \
             letter or digit"
        )),
    }
}

/// What a policy of the program's own is trusted with, and one of the administrators is not.
fn broken_rules(policy: &Policy, rules: &BTreeMap<Operation, Rules>) -> Vec<String> {
    let mut broken = Vec::new();
    let (annotation, sense) = match policy.effect() {
        Effect::Permit => ("needs", "what a refused person would need, as in “the role operator {scope}”"),
        Effect::Forbid => ("because", "what it asks for instead, as in “another person than the requester”"),
    };
    if policy.annotation(annotation).unwrap_or_default().is_empty() {
        broken.push(format!("it has no @{annotation}: {sense}"));
    }
    let actions = match policy.action_constraint() {
        ActionConstraint::Any => {
            broken.push("it has to name the actions that it is about".to_owned());
            Vec::new()
        }
        ActionConstraint::Eq(action) => vec![action],
        ActionConstraint::In(actions) => actions,
    };
    for action in actions {
        // What is no operation is for the schema to refuse.
        let name: &str = action.id().as_ref();
        let Ok(operation) = name.parse::<Operation>() else { continue };
        let Some(rules) = rules.get(&operation) else { continue };
        if rules.anonymous {
            broken.push(format!("{operation} is a way into the portal, which stays open to everybody"));
        } else if CUT.contains(&operation) {
            broken.push(format!(
                "{operation} is what lists are cut by in the database, which asks no policy; give or take a role instead"
            ));
        } else if rules.separates_duties && policy.effect() == Effect::Permit {
            broken.push(format!(
                "{operation} is among the separated duties: it can be forbidden further, and not be permitted to others"
            ));
        }
    }
    broken
}

fn validate(text: &str, schema: &Schema, parsed: &PolicySet, places: &BTreeMap<PolicyId, Piece<'_>>) -> Vec<Fault> {
    let offset = |policy: &PolicyId| places.get(policy).map_or(0, |piece| piece.offset);
    let result = Validator::new(schema.clone()).validate(parsed, ValidationMode::Strict);
    let errors = result.validation_errors().map(|error| fault(text, error, offset(error.policy_id())));
    let warnings = result.validation_warnings().map(|warning| fault(text, warning, offset(warning.policy_id())));
    errors.chain(warnings).collect()
}

/// What Cedar has to say, at the place that it names, or else at `offset`.
fn fault(text: &str, diagnostic: &dyn Diagnostic, offset: usize) -> Fault {
    let label = diagnostic.labels().and_then(|mut labels| labels.next());
    let help = diagnostic.help().map(|help| format!(" ({help})")).unwrap_or_default();
    at(text, label.map_or(offset, |label| label.offset()), format!("{diagnostic}{help}"))
}

fn at(text: &str, offset: usize, message: String) -> Fault {
    let (line, column) = place(text, offset);
    Fault { line, column, message }
}
