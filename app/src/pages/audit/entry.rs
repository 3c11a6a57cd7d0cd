//! One entry: a sentence, and on demand all there is to know.

use domain::{NamedPolicy, view::AuditEntryView};
use ledger::personal::{self, Disclosed};
use leptos::prelude::*;
use serde_json::{Value, json};

use super::prove::Prove;
use crate::{
    components::{Badge, CopyButton, DefinitionList, Glyph, Icon, Moment, PolicyNames, Tone},
    i18n::{Texts, sentence, use_texts},
    view,
};

#[component]
pub(super) fn Entry(entry: AuditEntryView) -> impl IntoView {
    let t = use_texts();
    if let Some(segment) = &entry.archived {
        return archived(t, &entry, segment);
    }
    let words = words_of(t, &with_marks(t, entry.clone()));
    let (glyph, tone) = match entry.outcome.as_str() {
        "refused" => (Glyph::CircleSlash, Tone::Warning),
        "failed" => (Glyph::Octagon, Tone::Danger),
        _ => (Glyph::Check, Tone::Neutral),
    };
    let badge = (entry.outcome != "done").then(|| {
        let label = t.audit.by_key(&format!("outcome_{}", entry.outcome)).unwrap_or_default();
        view! { <Badge tone glyph label/> }
    });
    let in_emergency = entry.detail.get("emergency").is_some().then(|| {
        view! { <Badge tone=Tone::Danger glyph=Glyph::Warning label=t.audit.in_emergency()/> }
    });
    let at = entry.at;
    let seq = entry.seq;
    view! {
        <li>
            <details class="entry">
                <summary class="entry__line">
                    <span class="entry__time"><Moment at exact=true/></span>
                    <span class="entry__words">{words}</span>
                    <span class="entry__side">
                        {in_emergency}
                        {badge}
                        <span class="entry__seq">"#"{seq}</span>
                        <Icon glyph=Glyph::ChevronDown/>
                    </span>
                </summary>
                <Details entry/>
            </details>
        </li>
    }
}

/// The entry with a word in the place of all that was erased.
fn with_marks(t: Texts, mut entry: AuditEntryView) -> AuditEntryView {
    let word = || t.audit.erased().to_owned();
    let mark = |pointer: &String| (pointer.clone(), Disclosed { key: String::new(), value: word().into() });
    let mut whole = json!({"detail": entry.detail});
    personal::put_back(&mut whole, &entry.erased.iter().map(mark).collect());
    entry.detail = whole.get_mut("detail").map(Value::take).unwrap_or_default();
    for pointer in &entry.erased {
        match pointer.as_str() {
            "/actor/login" => (entry.actor, entry.actor_name) = (word(), word()),
            "/address" => entry.address = Some(word()),
            "/resource/name" => entry.resource_name = word(),
            _ => {}
        }
    }
    entry
}

/// Of an entry that was archived, all that is here is where it is.
fn archived(t: Texts, entry: &AuditEntryView, segment: &str) -> AnyView {
    let (at, seq, hash) = (entry.at, entry.seq, entry.hash.clone());
    view! {
        <li>
            <div class="entry">
                <div class="entry__line">
                    <span class="entry__time"><Moment at exact=true/></span>
                    <span class="entry__words">{t.audit.archived_in(segment)}</span>
                    <span class="entry__side">
                        <span class="entry__hash"><CopyButton text=hash/></span>
                        <span class="entry__seq">"#"{seq}</span>
                    </span>
                </div>
            </div>
        </li>
    }
}

fn words_of(t: Texts, entry: &AuditEntryView) -> Vec<AnyView> {
    let key = entry.action.replace(['.', '-'], "_");
    let label = t.audit.by_key(&format!("do_{key}")).map_or_else(|| entry.action.clone(), str::to_owned);
    let template = match entry.outcome.as_str() {
        "done" => t.audit.by_key(&format!("did_{key}")).unwrap_or_else(|| plain(t, "did_other")),
        "refused" => plain(t, if entry.resource_name.is_empty() { "refused" } else { "refused_on" }),
        _ => plain(t, if entry.resource_name.is_empty() { "failed" } else { "failed_on" }),
    };
    let (actor, is_person) = match (entry.actor.as_str(), entry.door.as_str(), entry.actor_name.as_str()) {
        ("system", ..) => (t.audit.system().to_owned(), false),
        ("schedule", "engine", _) => (t.audit.schedule().to_owned(), false),
        ("trigger", "engine", _) => (t.audit.trigger().to_owned(), false),
        (login, _, "") => (login.to_owned(), true),
        (.., name) => (name.to_owned(), true),
    };
    let template = if is_person { template.to_owned() } else { impersonal(template, t.audit.honorific()) };
    let resource = if entry.resource_name.is_empty() { entry.resource_id.clone() } else { entry.resource_name.clone() };
    sentence(&template, |place| match place {
        "actor" => view! { <strong>{actor.clone()}</strong> },
        "action" => view! { <span>{label.clone()}</span> },
        // No link: the sentence itself is what opens the details, where the link is.
        _ => view! { <span class="entry__object">{resource.clone()}</span> },
    })
}

/// What is said of an actor who is no person: without what follows the name of one.
fn impersonal(template: &str, honorific: &str) -> String {
    template.replacen(&format!("{{actor}}{honorific}"), "{actor}", 1)
}

fn plain(t: Texts, key: &str) -> &'static str {
    t.audit.by_key(key).unwrap_or_default()
}

#[component]
fn Details(entry: AuditEntryView) -> impl IntoView {
    let t = use_texts();
    let code = |text: String| view! { <code>{text}</code> };
    let related = related(t, &entry);
    let prove = view! { <Prove entry=entry.clone()/> };
    let entry = with_marks(t, entry);
    let mut items = vec![
        (t.audit.field_actor().to_owned(), code(entry.actor)),
        (t.audit.field_action().to_owned(), code(entry.action)),
        (t.audit.door().to_owned(), {
            let door = t.audit.by_key(&format!("door_{}", entry.door)).map_or(entry.door, str::to_owned);
            match entry.address {
                Some(address) => view! { {door} " · " <code>{address}</code> },
                None => door.into_any(),
            }
        }),
    ];
    if !entry.resource_id.is_empty() {
        let page = match entry.resource_kind.as_str() {
            "run" => Some(format!("/runs/{}", entry.resource_id)),
            "approval" => Some(format!("/approvals/{}", entry.resource_id)),
            "policies" => Some(format!("/policies/sets/{}", entry.resource_id)),
            _ => None,
        };
        let name = code(format!("{} {}", entry.resource_kind, entry.resource_id));
        let resource = match page {
            Some(href) => view! { <a href=href>{name}</a> },
            None => name,
        };
        items.push((t.audit.field_resource().to_owned(), resource));
    }
    if let Some(namespace) = entry.namespace {
        items.push((t.audit.field_namespace().to_owned(), code(namespace)));
    }
    if !entry.policies.is_empty() {
        items.push((
            t.audit.policies().to_owned(),
            view! { <PolicyNames policies=entry.policies.into_iter().map(NamedPolicy::of).collect()/> },
        ));
    }
    if let Some(digest) = entry.policy_set {
        let words = digest.chars().take(12).collect::<String>();
        items.push((
            t.audit.policy_set().to_owned(),
            view! { <span class="entry__hash"><code>{words}</code><CopyButton text=digest/></span> },
        ));
    }
    items.push((t.audit.related().to_owned(), view! { <span class="entry__related">{related}</span> }));
    let changes = changes_of(&entry.detail);
    let detail =
        if changes.is_empty() && !entry.detail.is_null() && entry.detail != Value::Object(serde_json::Map::new()) {
            let text = serde_json::to_string_pretty(&entry.detail).unwrap_or_default();
            Some(view! { <pre class="code">{text}</pre> })
        } else {
            None
        };
    let hash = entry.hash.clone();
    items.push((
        t.audit.hash().to_owned(),
        view! { <span class="entry__hash"><code>{entry.hash}</code><CopyButton text=hash/></span> },
    ));
    items.push((t.audit.proof().to_owned(), prove));
    let changed = (!changes.is_empty()).then(|| {
        let rows: Vec<_> = changes
            .into_iter()
            .map(|(name, before, after)| {
                view! {
                    <tr>
                        <th scope="row"><code>{name}</code></th>
                        <td class="change__before" data-label=t.audit.before()>{before}</td>
                        <td class="change__after" data-label=t.audit.after()>{after}</td>
                    </tr>
                }
            })
            .collect();
        view! {
            <table class="table table--small">
                <caption class="visually-hidden">{t.audit.changes()}</caption>
                <thead>
                    <tr>
                        <th scope="col">{t.audit.what()}</th>
                        <th scope="col">{t.audit.before()}</th>
                        <th scope="col">{t.audit.after()}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        }
    });
    view! {
        <div class="entry__details">
            <DefinitionList items/>
            {changed}
            {detail}
        </div>
    }
}

/// The stories that the entry is part of: of its object, its actor, its session.
fn related(t: Texts, entry: &AuditEntryView) -> Vec<AnyView> {
    let link = |name: &str, value: &str, label: String| {
        let href = format!("/audit?{name}={}", urlencoding::encode(value));
        view! { <a href=href>{label}</a> }
    };
    let mut links = Vec::new();
    let object = if entry.resource_name.is_empty() { &entry.resource_id } else { &entry.resource_name };
    if let Some(run) = &entry.run {
        let is_run = entry.resource_kind == "run";
        let label = if is_run { t.audit.related_object(object) } else { t.audit.related_run().to_owned() };
        links.push(link("run", if is_run { object } else { run }, label));
    } else if !object.is_empty() {
        links.push(link("resource", object, t.audit.related_object(object)));
    }
    let actor = if entry.actor_name.is_empty() { &entry.actor } else { &entry.actor_name };
    if !entry.actor.is_empty() {
        links.push(link("actor", &entry.actor, t.audit.related_actor(actor)));
    }
    if let Some(credential) = &entry.credential {
        links.push(link("credential", credential, t.audit.related_credential().to_owned()));
    }
    if let Some(address) = &entry.address {
        links.push(link("address", address, t.audit.related_address(address)));
    }
    links
}

/// What differs between `before` and `after` in a detail: name, then the two values as text.
fn changes_of(detail: &Value) -> Vec<(String, String, String)> {
    let empty = serde_json::Map::new();
    let part = |key: &str| detail.get(key).map(|value| value.as_object().unwrap_or(&empty));
    let (Some(before), Some(after)) = (part("before"), part("after")) else { return Vec::new() };
    let text = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| (name.clone(), text(before.get(name)), text(after.get(name))))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use domain::Operation;
    use serde_json::json;

    use super::{changes_of, impersonal};
    use crate::i18n::{Locale, Texts};

    #[test]
    fn every_operation_is_said_in_words() {
        let t = Texts::new(Locale::En);
        for operation in Operation::ALL {
            let key = operation.as_str().replace(['.', '-'], "_");
            for form in ["did", "do"] {
                assert!(t.audit.by_key(&format!("{form}_{key}")).is_some(), "{form}_{key}");
            }
        }
    }

    /// What the code of a crate enters in the log: what is written there as the name of an action.
    fn entered(folder: &Path, found: &mut BTreeSet<String>) {
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let areas: BTreeSet<_> = Operation::ALL.iter().filter_map(|it| it.as_str().split_once('.')).collect();
        let of_events = ["demonstration", "directory", "schedule", "task"];
        let is_area = |area: &str| of_events.contains(&area) || areas.iter().any(|(of, _)| *of == area);
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            // What settings are called is no action.
            if path.file_stem().is_some_and(|name| name == "config") {
                continue;
            }
            if path.is_dir() {
                entered(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let actions = code
                .split('"')
                .filter(|piece| piece.split_once('.').is_some_and(|(area, what)| is_area(area) && is_word(what)));
            found.extend(actions.map(str::to_owned));
        }
    }

    #[test]
    fn every_event_is_said_in_words() {
        let server = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../server"));
        let mut found = BTreeSet::new();
        for crate_ in ["crates/engine/src", "crates/service/src", "src"] {
            entered(&server.join(crate_), &mut found);
        }
        let schema = std::fs::read_to_string(server.join("crates/connectors/src/directory/schema.rs")).unwrap();
        let operations = schema.split("OperationEntry {").filter(|entry| entry.contains("reads: false"));
        found.extend(operations.map(|entry| {
            let name = entry.split("name: \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
            let hyphens =
                name.chars().flat_map(|c| [c.is_ascii_uppercase().then_some('-'), Some(c.to_ascii_lowercase())]);
            format!("directory.{}", hyphens.flatten().collect::<String>())
        }));
        for known in ["approval.stage", "demonstration.load", "directory.create-user", "run.end", "workflow.publish"] {
            assert!(found.contains(known), "{known} is not found in {found:?}");
        }
        for locale in [Locale::En, Locale::Ko] {
            let t = Texts::new(locale);
            for action in &found {
                let key = action.replace(['.', '-'], "_");
                for form in ["did", "do"] {
                    assert!(t.audit.by_key(&format!("{form}_{key}")).is_some(), "{form}_{key}");
                }
            }
        }
    }

    #[test]
    fn nobody_calls_a_schedule_by_the_title_of_a_person() {
        let said = |locale, key: &str| {
            let t = Texts::new(locale);
            impersonal(t.audit.by_key(key).unwrap(), t.audit.honorific()).replace("{actor}", t.audit.schedule())
        };
        assert_eq!(said(Locale::Ko, "did_run_launch"), "일정이 {resource}을(를) 시작했습니다");
        assert_eq!(said(Locale::Ko, "refused"), "일정의 시도가 거부되었습니다: {action}");
        assert_eq!(said(Locale::En, "did_run_launch"), "A schedule launched {resource}");
        for operation in Operation::ALL {
            let said = said(Locale::Ko, &format!("did_{}", operation.as_str().replace(['.', '-'], "_")));
            assert!(!said.contains('님'), "{said}");
        }
    }

    #[test]
    fn only_what_differs_is_a_change() {
        let detail =
            json!({"before": {"name": "A", "email": "a@x"}, "after": {"name": "B", "email": "a@x", "manager": 1}});
        let expected = [("manager", "–", "1"), ("name", "A", "B")];
        let expected: Vec<_> =
            expected.into_iter().map(|(n, b, a)| (n.to_owned(), b.to_owned(), a.to_owned())).collect();
        assert_eq!(changes_of(&detail), expected);
        assert_eq!(changes_of(&json!({"reason": "x"})), []);
    }
}
