//! A version: its text with what is said of it, its graph, its siblings, and the next step of its life.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use domain::{
    Operation, VersionState,
    view::{CommentView, DefinitionLife, Graph},
};
use leptos::prelude::*;

use super::{
    StateBadge,
    actions::{ActionButtons, ActionDialogs, Actions, Refusals, Subject},
    changes::Changes,
    checks::{Diagnostics, line_id},
    comments::{Conversation, Talk},
    outcomes::{TestLink, Tests},
    side::{Facts, Uses, Versions},
    source::Source,
    version_in_address,
};
use crate::{
    api::definitions::{DefinitionData, VersionAddress, VersionLine, definition},
    components::{
        Banner, Card, DownloadLink, FilterChip, Glyph, LinkButton, PageHeader, ProblemView, Skeleton, Tone,
        graph::{GraphView, NodeHref},
        load,
    },
    data::Data,
    errors::AppError,
    i18n::{DefinitionsTexts, use_texts},
    session::{may, use_me},
    url_state::query_text,
    view,
};

/// How many earlier versions one can compare with by a click.
const COMPARED: usize = 4;

/// The page of a version.
#[component]
pub fn DefinitionPage() -> impl IntoView {
    let at = version_in_address();
    let compare = query_text("compare");
    let actions = Actions::new();
    let data = Data::new(move || (at.get(), compare.get(), actions.done()), |(at, compare, _)| definition(at, compare));
    load(
        data,
        || view! { <div class="definition"><Skeleton lines=20/><Skeleton lines=12/></div> },
        move |data| view! { <Definition data at=at.get_untracked() actions/> },
    )
}

#[component]
fn Definition(data: DefinitionData, at: VersionAddress, actions: Actions) -> impl IntoView {
    let t = use_texts();
    let DefinitionData { definition, state, versions, comments, checked, tests, uses, difference } = data;
    // Who may not know how it came to be does not come here: the comments would have been refused.
    let Some(life) = definition.life.clone() else {
        let AppError(problem) = AppError::internal();
        return view! { <ProblemView problem/> };
    };
    let item = &definition.item;
    let subject = Subject {
        at: at.clone(),
        title: format!("{} {}", item.title, item.version),
        state,
        digest: definition.digest.clone(),
        allowed: life.actions.clone(),
        uses: uses.clone().unwrap_or_default(),
    };
    let talk = Talk::new(&at, &definition.digest, &life, actions);
    let wrong = checked.map(|checked| checked.diagnostics).unwrap_or_default();
    let wrong_lines: BTreeSet<u64> = wrong.iter().map(|wrong| wrong.line).collect();
    let lines = u64::try_from(definition.source.lines().count()).unwrap_or(u64::MAX);
    let (of_lines, of_all) = by_line(comments, lines);
    let line = query_text("line");
    let chosen = Memo::new(move |_| line.with(|line| line.parse().unwrap_or_default()));
    let text = match difference {
        Some(difference) => view! { <Changes difference version=at.version.clone()/> },
        None => view! { <Source text=definition.source.clone() wrong=wrong_lines comments=of_lines chosen talk/> },
    };
    let story = story(t.definitions, state, &life);
    let marks = view! { <StateBadge state/> };
    let buttons = subject.clone();
    let tried = matches!(state, VersionState::Draft | VersionState::InReview) && wrong.is_empty();
    let has_form = item.input_schema.is_some();
    let graph = definition.graph.clone();
    let has_graph = graph.nodes.len() > 2;
    let page = at.href();
    view! {
        <PageHeader
            title=item.title.clone()
            subtitle=format!("{}/{} · {}", at.namespace, at.name, at.version)
            marks=marks
        >
            <ActionButtons subject=buttons actions/>
        </PageHeader>
        <div class="definition__notes">
            <Refusals actions/>
            {story.map(|words| view! { <Banner tone=Tone::Info title=words/> })}
            {life.ships_otherwise.then(|| view! { <ShipsOtherwise page=page.clone()/> })}
            {(!life.warnings.is_empty())
                .then(|| {
                    let warnings: Vec<_> =
                        life.warnings.iter().map(|warning| view! { <li>{warning.clone()}</li> }).collect();
                    view! {
                        <Banner tone=Tone::Warning title=t.definitions.warnings()>
                            <ul class="uses">{warnings}</ul>
                        </Banner>
                    }
                })}
        </div>
        <div class="definition">
            <div class="definition__main">
                <div class="list-bar">
                    <Comparisons versions=versions.clone() at=at.clone()/>
                    <div class="button-row">
                        <LinkButton href=at.trial_href() small=true icon=Glyph::Runs>{t.definitions.dry_run()}</LinkButton>
                        {may(Operation::DefinitionExport)
                            .then(|| view! { <DownloadLink href=at.source_href()>{t.definitions.download()}</DownloadLink> })}
                        {has_form
                            .then(|| {
                                view! {
                                    <LinkButton href=format!("{}/form", at.href()) small=true icon=Glyph::Eye>
                                        {t.definitions.form_preview()}
                                    </LinkButton>
                                }
                            })}
                    </div>
                </div>
                {(!wrong.is_empty())
                    .then(|| view! { <Card title=t.definitions.errors(wrong.len())><Diagnostics found=wrong/></Card> })}
                {text}
                <Conversation comments=of_all talk/>
            </div>
            <aside class="definition__side" aria-label=t.common.details()>
                {has_graph
                    .then(|| view! { <Card title=t.catalogue.as_graph()><LinkedGraph graph page chosen/></Card> })}
                {tried.then(|| view! { <Tests tests link=TestLink::Steps(at.trial_href())/> })}
                <Facts definition=definition.clone() life/>
                <Versions versions at/>
                {uses.map(|uses| view! { <Uses uses/> })}
            </aside>
        </div>
        <ActionDialogs subject actions/>
    }
}

/// That a file ships under this number which was not taken, and the way to see it.
#[component]
fn ShipsOtherwise(page: String) -> impl IntoView {
    let t = use_texts().definitions;
    view! {
        <Banner tone=Tone::Warning title=t.ships_otherwise()>
            <p>{t.ships_otherwise_text()}</p>
            <LinkButton href=format!("{page}?compare=shipped") small=true>{t.compare_shipped()}</LinkButton>
        </Banner>
    }
}

/// The graph, whose tasks lead to their lines. The task of the line that the address names is marked.
#[component]
fn LinkedGraph(graph: Graph, page: String, chosen: Memo<u64>) -> impl IntoView {
    let lines: HashMap<String, u64> =
        graph.nodes.iter().filter_map(|node| Some((node.id.clone(), node.line?))).collect();
    let href: NodeHref = Arc::new(move |id: &str| match lines.get(id) {
        Some(line) => format!("{page}?line={line}#{}", line_id(*line)),
        None => page.clone(),
    });
    move || {
        let selected = task_at(&graph, chosen.get()).unwrap_or_default().to_owned();
        view! { <GraphView graph=graph.clone() selected href=href.clone()/> }
    }
}

/// The task within whose text a line is: the last one that begins before its end.
fn task_at(graph: &Graph, line: u64) -> Option<&str> {
    let begun = graph.nodes.iter().filter_map(|node| Some((node.line?, node.id.as_str())));
    begun.filter(|(first, _)| *first <= line).max_by_key(|(first, _)| *first).map(|(_, id)| id)
}

/// The text, or what differs from an earlier version: a link each. Versions come newest first.
#[component]
fn Comparisons(versions: Vec<VersionLine>, at: VersionAddress) -> impl IntoView {
    let t = use_texts().definitions;
    let others: Vec<_> = versions
        .into_iter()
        .skip_while(|other| other.version != at.version)
        .skip(1)
        .take(COMPARED)
        .map(|VersionLine { version, .. }| {
            let label = t.changes_since(&version);
            view! { <FilterChip param="compare" value=version label/> }
        })
        .collect();
    (!others.is_empty()).then(|| {
        view! {
            <div class="chips" role="group" aria-label=t.compare()>
                <FilterChip param="compare" value="" label=t.source()/>
                {others}
            </div>
        }
    })
}

/// Comments by the line that they are about, and those about the whole, or about a line that there is no more.
fn by_line(comments: Vec<CommentView>, lines: u64) -> (BTreeMap<u64, Vec<CommentView>>, Vec<CommentView>) {
    let mut of_lines: BTreeMap<u64, Vec<CommentView>> = BTreeMap::new();
    let mut of_all = Vec::new();
    for comment in comments {
        match comment.line.map(u64::from).filter(|line| *line <= lines) {
            Some(line) => of_lines.entry(line).or_default().push(comment),
            None => of_all.push(comment),
        }
    }
    (of_lines, of_all)
}

/// What a version waits for, and why the person cannot do it.
fn story(t: DefinitionsTexts, state: VersionState, life: &DefinitionLife) -> Option<&'static str> {
    let mine = use_me().is_some_and(|me| life.authors.iter().any(|author| author.login == me.login));
    match state {
        VersionState::InReview if life.authors.is_empty() && life.changed_by.is_none() => Some(t.shipped_waits()),
        VersionState::InReview if life.actions.contains(&Operation::DefinitionPublish) => Some(t.waits_for_you()),
        VersionState::InReview if mine && may(Operation::DefinitionPublish) => Some(t.own_text()),
        VersionState::InReview => Some(t.waits_for_publisher()),
        VersionState::Retired => Some(t.is_retired()),
        VersionState::Draft | VersionState::Published => None,
    }
}

#[cfg(test)]
mod tests {
    use domain::view::{CommentView, Graph, GraphNode, Person};

    use super::{by_line, task_at};

    #[test]
    fn a_line_belongs_to_the_task_that_has_begun_last() {
        let node = |id: &str, line| GraphNode {
            id: id.to_owned(),
            label: String::new(),
            kind: String::new(),
            function: None,
            parent: None,
            line,
        };
        let nodes = vec![node("start", None), node("a", Some(4)), node("b", Some(7)), node("end", None)];
        let graph = Graph { nodes, edges: Vec::new() };
        assert_eq!(
            [0, 3, 4, 6, 7, 99].map(|line| task_at(&graph, line)),
            [None, None, Some("a"), Some("a"), Some("b"), Some("b")]
        );
    }

    #[test]
    fn comments_on_lines_that_are_gone_are_about_the_whole() {
        let comment = |line| CommentView {
            id: "019b0000-0000-7000-8000-000000000001".parse().unwrap(),
            digest: String::new(),
            line,
            text: String::new(),
            written_by: Person {
                id: "019b0000-0000-7000-8000-000000000002".parse().unwrap(),
                login: "mina".to_owned(),
                name: "Mina".to_owned(),
            },
            written_at: "2026-11-22T15:04:05Z".parse().unwrap(),
            resolved_by: None,
            resolved_at: None,
        };
        let (of_lines, of_all) = by_line(vec![comment(Some(2)), comment(None), comment(Some(3)), comment(Some(2))], 2);
        assert_eq!(of_lines.iter().map(|(line, said)| (*line, said.len())).collect::<Vec<_>>(), [(2, 2)]);
        assert_eq!(of_all.iter().map(|comment| comment.line).collect::<Vec<_>>(), [None, Some(3)]);
    }
}
