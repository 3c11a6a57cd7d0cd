//! The tasks of a workflow as a picture: where each stands, and which way was taken.

use std::collections::HashMap;

use domain::{
    TaskStatus,
    view::{Graph, GraphNode, TaskView},
};
use leptos::prelude::*;

use super::{Glyph, Icon, Tone, badge::task_state};
use crate::{
    i18n::{Texts, use_texts},
    model::graph_layout::{Layout, Metrics, Placed, Way, is_terminal, layout},
    view,
};

/// How many characters of a way's label are shown.
const LABEL: usize = 22;
/// A picture wider than this is not made narrower than it; the style sheet's 28rem.
const READABLE_WIDTH: f64 = 28.0 * 15.0;

/// Where the tasks of a run stand, by reference.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progression {
    latest: HashMap<String, (TaskStatus, u32)>,
    begun: bool,
    ended: bool,
}

impl Progression {
    /// From the executions of a run's tasks, in order of start. `ended` where the run has come to its end as defined.
    pub fn of(tasks: &[TaskView], ended: bool) -> Self {
        let mut latest: HashMap<String, (TaskStatus, u32)> = HashMap::new();
        for task in tasks {
            latest.insert(task.reference.clone(), (task.status, task.occurrence));
        }
        Self { latest, begun: !tasks.is_empty(), ended }
    }

    fn status(&self, node: &GraphNode) -> Option<TaskStatus> {
        match node.kind.as_str() {
            "start" => self.begun.then_some(TaskStatus::Completed),
            "end" => self.ended.then_some(TaskStatus::Completed),
            _ => self.latest.get(&node.id).map(|(status, _)| *status),
        }
    }

    fn times(&self, node: &GraphNode) -> u32 {
        self.latest.get(&node.id).map_or(0, |(_, times)| *times)
    }

    fn passed(&self, node: &GraphNode) -> bool {
        self.status(node).is_some_and(|status| !matches!(status, TaskStatus::Pending | TaskStatus::Skipped))
    }
}

/// What a node leads to: the address for a reference.
pub type NodeHref = std::sync::Arc<dyn Fn(&str) -> String + Send + Sync>;

/// The picture of a workflow, or of a run where `progression` is given. The same in words follows for screen readers.
#[component]
pub fn GraphView(
    /// The tasks and ways.
    graph: Graph,
    /// Where each task stands.
    #[prop(optional)]
    progression: Option<Progression>,
    /// The task whose details are shown.
    #[prop(optional, into)]
    selected: String,
    /// Makes tasks links.
    #[prop(optional)]
    href: Option<NodeHref>,
) -> impl IntoView {
    let t = use_texts();
    let picture = layout(&graph, &Metrics::WIDE);
    let Layout { width, height, .. } = picture;
    let drawing = Drawing { t, graph: &graph, progression: progression.as_ref(), selected: &selected, href };
    let ways: Vec<_> = picture.ways.iter().map(|way| drawing.way(way)).collect();
    let groups: Vec<_> = picture.groups.iter().map(|placed| drawing.group(placed)).collect();
    let nodes: Vec<_> = picture.nodes.iter().map(|placed| drawing.node(placed)).collect();
    let words = drawing.words(&picture);
    // Room for outlines and arrow heads at the edges.
    let view_box = format!("-8 -8 {:.0} {:.0}", width + 16.0, height + 16.0);
    view! {
        <figure class="graph">
            <div class="graph__scroll" role="region" aria-label=t.runs.graph() tabindex="0">
                <svg
                    class="graph__picture"
                    class:graph__picture--wide={width > READABLE_WIDTH}
                    width=format!("{:.0}", width + 16.0)
                    height=format!("{:.0}", height + 16.0)
                    viewBox=view_box
                    role="group"
                    aria-label=t.runs.graph()
                >
                    <defs aria-hidden="true">
                        <marker
                            id="graph-arrow"
                            viewBox="0 0 8 8"
                            refX="7"
                            refY="4"
                            markerWidth="7"
                            markerHeight="7"
                            orient="auto"
                        >
                            <path class="graph__arrow" d="M0 0.5 8 4 0 7.5z"></path>
                        </marker>
                        <marker
                            id="graph-arrow-taken"
                            viewBox="0 0 8 8"
                            refX="7"
                            refY="4"
                            markerWidth="7"
                            markerHeight="7"
                            orient="auto"
                        >
                            <path class="graph__arrow graph__arrow--taken" d="M0 0.5 8 4 0 7.5z"></path>
                        </marker>
                    </defs>
                    {groups}
                    {ways}
                    {nodes}
                </svg>
            </div>
            <figcaption class="visually-hidden">
                <p>{t.runs.graph_in_words()}</p>
                <ol>{words}</ol>
            </figcaption>
        </figure>
    }
}

struct Drawing<'a> {
    t: Texts,
    graph: &'a Graph,
    progression: Option<&'a Progression>,
    selected: &'a str,
    href: Option<NodeHref>,
}

impl Drawing<'_> {
    fn node_at(&self, placed: &Placed) -> Option<&GraphNode> {
        self.graph.nodes.get(placed.index)
    }

    fn passed(&self, id: &str) -> bool {
        let node = self.graph.nodes.iter().find(|node| node.id == id);
        node.zip(self.progression).is_some_and(|(node, progression)| progression.passed(node))
    }

    fn way(&self, way: &Way) -> AnyView {
        let taken = way
            .edges
            .iter()
            .filter_map(|edge| self.graph.edges.get(*edge))
            .any(|edge| self.passed(&edge.from) && self.passed(&edge.to));
        let arrow = if taken { "url(#graph-arrow-taken)" } else { "url(#graph-arrow)" };
        let (x, y) = way.label_at;
        let label = (!way.label.is_empty()).then(|| {
            let short = shortened(&way.label);
            view! {
                <text class="graph__label" class:graph__label--taken=taken x=format!("{x:.1}") y=format!("{y:.1}")>
                    {short}
                </text>
            }
        });
        view! {
            <g aria-hidden="true">
                <path
                    class="graph__way"
                    class:graph__way--taken=taken
                    class:graph__way--loop=way.is_loop
                    d=way.path()
                    marker-end=arrow
                ></path>
                {label}
            </g>
        }
    }

    fn group(&self, placed: &Placed) -> AnyView {
        let Some(node) = self.node_at(placed) else { return ().into_any() };
        let status = self.progression.and_then(|progression| progression.status(node));
        let (glyph, tone, _) = status.map_or((Glyph::CircleDashed, Tone::Neutral, ""), |s| task_state(self.t, s));
        let around = self.around(node);
        let (title, kind) = match &around {
            Some(words) => (words.clone(), node.label.clone()),
            None => (node.label.clone(), self.kind(&node.kind).to_owned()),
        };
        let state = (self.progression.is_some() && around.is_none())
            .then(|| view! { <span class=tone_class(tone)><Icon glyph spin=glyph == Glyph::Spinner/></span> });
        let inner = view! {
            {state}
            <span class="graph__group-title">{title}</span>
            <span class="graph__kind">{kind}</span>
        };
        let head = self.linked(node, status, "graph__group-head", inner.into_any());
        let Placed { x, y, width, height, .. } = placed;
        view! {
            <g>
                <rect
                    class="graph__group"
                    class:graph__group--selected=node.id == self.selected
                    x=format!("{x:.1}")
                    y=format!("{y:.1}")
                    width=format!("{width:.1}")
                    height=format!("{height:.1}")
                    rx="10"
                    aria-hidden="true"
                ></rect>
                <foreignObject
                    x=format!("{x:.1}")
                    y=format!("{y:.1}")
                    width=format!("{width:.1}")
                    height=format!("{:.1}", Metrics::WIDE.header)
                >
                    <div class="graph__cell">{head}</div>
                </foreignObject>
            </g>
        }
    }

    fn node(&self, placed: &Placed) -> AnyView {
        let Some(node) = self.node_at(placed) else { return ().into_any() };
        let Placed { x, y, width, height, .. } = placed;
        let cell = if is_terminal(node) { self.terminal(node) } else { self.task(node) };
        view! {
            <foreignObject
                x=format!("{x:.1}")
                y=format!("{y:.1}")
                width=format!("{width:.1}")
                height=format!("{height:.1}")
            >
                <div class="graph__cell">{cell}</div>
            </foreignObject>
        }
    }

    fn terminal(&self, node: &GraphNode) -> AnyView {
        let passed = self.progression.is_some_and(|progression| progression.passed(node));
        view! {
            <div class="graph__terminal" class:graph__terminal--passed=passed>
                {self.title(node)}
            </div>
        }
    }

    fn title(&self, node: &GraphNode) -> String {
        match node.kind.as_str() {
            "start" => self.t.runs.graph_start().to_owned(),
            "end" => self.t.runs.graph_end().to_owned(),
            _ => self.around(node).unwrap_or_else(|| node.label.clone()),
        }
    }

    fn kind(&self, kind: &str) -> &'static str {
        self.t.runs.by_key(&format!("kind_{kind}")).unwrap_or_default()
    }

    /// Around which tasks that is done which is in the box of an extension, in words.
    fn around(&self, node: &GraphNode) -> Option<String> {
        let kind = self.kind(node.function.as_deref().unwrap_or("any"));
        match node.kind.as_str() {
            "before" => Some(self.t.runs.before(kind)),
            "after" => Some(self.t.runs.after(kind)),
            _ => None,
        }
    }

    fn task(&self, node: &GraphNode) -> AnyView {
        let status = self.progression.and_then(|progression| progression.status(node));
        let times = self.progression.map_or(0, |progression| progression.times(node));
        let state = self.progression.map(|_| {
            let (glyph, tone, word) = status
                .map_or((Glyph::CircleDashed, Tone::Neutral, self.t.runs.not_reached()), |s| task_state(self.t, s));
            let again = (times > 1).then(|| view! { <span class="graph__times">{format!("× {times}")}</span> });
            view! {
                <span class=format!("graph__state {}", tone_class(tone))>
                    <Icon glyph spin=glyph == Glyph::Spinner/>
                    <span>{word}</span>
                    {again}
                </span>
            }
        });
        let kind = self.progression.is_none().then(|| {
            let kind = node.function.clone().unwrap_or_else(|| self.kind(&node.kind).to_owned());
            view! { <span class="graph__kind">{kind}</span> }
        });
        let inner = view! {
            <span class="graph__title">{node.label.clone()}</span>
            {state}
            {kind}
        };
        self.linked(node, status, "graph__task", inner.into_any())
    }

    /// The content as a link to the task's details, or alone where there are none.
    fn linked(&self, node: &GraphNode, status: Option<TaskStatus>, class: &'static str, inner: AnyView) -> AnyView {
        let state = status.map_or("none", TaskStatus::as_str);
        let selected = node.id == self.selected;
        let class = format!("{class} {class}--{state}");
        match self.href.as_ref().filter(|_| self.around(node).is_none()) {
            Some(href) => {
                let href = href(&node.id);
                view! {
                    <a class=class href=href aria-current=selected.then_some("true") title=node.label.clone()>
                        {inner}
                    </a>
                }
            }
            None => view! { <div class=class title=node.label.clone()>{inner}</div> },
        }
    }

    /// The picture in words: each task with its state and what comes after it.
    fn words(&self, picture: &Layout) -> Vec<AnyView> {
        let title_of = |id: &str| self.graph.nodes.iter().find(|node| node.id == id).map(|node| self.title(node));
        let mut placed: Vec<&Placed> = picture.groups.iter().chain(&picture.nodes).collect();
        placed.sort_by_key(|placed| placed.index);
        placed
            .into_iter()
            .filter_map(|placed| self.node_at(placed))
            .map(|node| {
                let status = self.progression.and_then(|progression| progression.status(node));
                let state = status.map(|status| task_state(self.t, status).2);
                let next: Vec<String> = self
                    .graph
                    .edges
                    .iter()
                    .filter(|edge| edge.from == node.id)
                    .filter_map(|edge| {
                        let title = title_of(&edge.to)?;
                        Some(if edge.label.is_empty() { title } else { format!("{title} ({})", edge.label) })
                    })
                    .collect();
                let title = self.title(node);
                let head = state.map_or_else(|| title.clone(), |state| format!("{title}: {state}"));
                let then = (!next.is_empty()).then(|| self.t.runs.then(next.join(", ")));
                view! { <li>{head} " " {then}</li> }
            })
            .collect()
    }
}

fn tone_class(tone: Tone) -> String {
    format!("tone tone--{}", tone.as_str())
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= LABEL {
        return label.to_owned();
    }
    label.chars().take(LABEL - 1).chain(['…']).collect()
}
