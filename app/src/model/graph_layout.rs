//! Where the tasks of a workflow stand in its picture, and how the ways between them run.
//!
//! A layered layout: the order of tasks goes down, tasks that can happen instead of each other stand side by side, and
//! tasks with tasks inside are boxes around them. The same graph always gives the same picture, on the server and in
//! the browser.

mod layers;

use std::fmt::Write as _;

use domain::view::{Graph, GraphNode};

/// Sizes of the picture, in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    /// Width of a task.
    pub node_width: f64,
    /// Height of a task.
    pub node_height: f64,
    /// Width and height of the beginning and of the end.
    pub terminal: (f64, f64),
    /// Least space between things side by side.
    pub column_gap: f64,
    /// Space between things one below the other.
    pub rank_gap: f64,
    /// The same where the way between them has a label.
    pub labelled_gap: f64,
    /// Space between a box and the tasks in it.
    pub padding: f64,
    /// Height of a box's title.
    pub header: f64,
    /// Space for each way back up.
    pub lane: f64,
}

impl Metrics {
    /// For wide screens.
    pub const WIDE: Self = Self {
        node_width: 208.0,
        node_height: 56.0,
        terminal: (88.0, 32.0),
        column_gap: 24.0,
        rank_gap: 32.0,
        labelled_gap: 52.0,
        padding: 16.0,
        header: 36.0,
        lane: 20.0,
    };
    /// For narrow ones: two tasks stand side by side on a phone.
    pub const NARROW: Self = Self { node_width: 152.0, column_gap: 12.0, rank_gap: 28.0, padding: 10.0, ..Self::WIDE };
}

/// A picture of a graph; all coordinates are in CSS pixels from its upper left corner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
    /// Boxes around tasks, outer before inner.
    pub groups: Vec<Placed>,
    /// Tasks, in the order of reading.
    pub nodes: Vec<Placed>,
    /// Ways.
    pub ways: Vec<Way>,
}

/// A task or a box.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Its place among the graph's nodes.
    pub index: usize,
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// A way from one thing to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// The graph's edges that it stands for.
    pub edges: Vec<usize>,
    /// The corners that it passes.
    pub points: Vec<(f64, f64)>,
    /// Whether it goes back to something that comes earlier.
    pub is_loop: bool,
    /// Its label, which may be empty.
    pub label: String,
    /// The middle of its label.
    pub label_at: (f64, f64),
}

impl Way {
    /// The way as the `d` of an SVG path.
    pub fn path(&self) -> String {
        if self.is_loop { rounded(&self.points) } else { flowing(&self.points) }
    }
}

/// The picture of a graph.
pub fn layout(graph: &Graph, metrics: &Metrics) -> Layout {
    let tree = Tree::new(graph);
    let mut picture = Layout::default();
    let level = Level::arrange(graph, &tree, None, metrics);
    (picture.width, picture.height) = (level.width, level.height);
    level.draw(0.0, 0.0, metrics, &mut picture);
    let by_place = |one: &Placed, other: &Placed| {
        one.y.round().total_cmp(&other.y.round()).then(one.x.round().total_cmp(&other.x.round()))
    };
    picture.nodes.sort_by(by_place);
    picture
}

/// Which node lies in which.
struct Tree {
    parents: Vec<Option<usize>>,
}

impl Tree {
    fn new(graph: &Graph) -> Self {
        let index_of = |id: &str| graph.nodes.iter().position(|node| node.id == id);
        let mut parents: Vec<Option<usize>> = graph
            .nodes
            .iter()
            .enumerate()
            .map(|(index, node)| node.parent.as_deref().and_then(index_of).filter(|parent| *parent != index))
            .collect();
        // A node that lies in itself, at whatever distance, would never be drawn: it stands at the top instead.
        for index in 0..parents.len() {
            let mut above = parents.get(index).copied().flatten();
            for _ in 0..parents.len() {
                above = above.and_then(|parent| parents.get(parent).copied().flatten());
            }
            if above.is_some()
                && let Some(parent) = parents.get_mut(index)
            {
                *parent = None;
            }
        }
        Self { parents }
    }

    fn parent(&self, index: usize) -> Option<usize> {
        self.parents.get(index).copied().flatten()
    }

    fn children(&self, parent: Option<usize>) -> Vec<usize> {
        (0..self.parents.len()).filter(|index| self.parent(*index) == parent).collect()
    }

    /// The node and what it lies in, from the inside out.
    fn line(&self, index: usize) -> Vec<usize> {
        std::iter::successors(Some(index), |index| self.parent(*index)).collect()
    }

    /// What stands for `index` directly within `level`, if it lies there at all.
    fn within(&self, index: usize, level: Option<usize>) -> Option<usize> {
        self.line(index).into_iter().find(|ancestor| self.parent(*ancestor) == level)
    }
}

/// The inside of one box, or the whole.
struct Level {
    index: Option<usize>,
    width: f64,
    height: f64,
    items: Vec<Item>,
    ways: Vec<Way>,
}

struct Item {
    index: usize,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    inside: Option<Level>,
}

impl Level {
    fn arrange(graph: &Graph, tree: &Tree, level: Option<usize>, metrics: &Metrics) -> Self {
        let members = tree.children(level);
        let mut items: Vec<Item> = Vec::with_capacity(members.len());
        for index in &members {
            let inside =
                (!tree.children(Some(*index)).is_empty()).then(|| Self::arrange(graph, tree, Some(*index), metrics));
            let (width, height) = match (&inside, graph.nodes.get(*index)) {
                (Some(inside), _) => (
                    (inside.width + 2.0 * metrics.padding).max(metrics.node_width),
                    inside.height + metrics.header + metrics.padding,
                ),
                (None, Some(node)) if is_terminal(node) => metrics.terminal,
                (None, _) => (metrics.node_width, metrics.node_height),
            };
            items.push(Item { index: *index, x: 0.0, y: 0.0, width, height, inside });
        }

        let bundles = bundles(graph, tree, level, &members);
        let sizes: Vec<(f64, f64)> = items.iter().map(|item| (item.width, item.height)).collect();
        let mut links: Vec<layers::Link> = bundles
            .iter()
            .map(|bundle| layers::Link { from: bundle.from, to: bundle.to, labelled: !bundle.label.is_empty() })
            .collect();
        if level.is_none() {
            stack_what_stands_alone(graph, &members, &mut links);
        }
        let arranged = layers::arrange(&sizes, &links, metrics);
        for (item, (x, y)) in items.iter_mut().zip(&arranged.places) {
            (item.x, item.y) = (*x, *y);
        }
        let ways = bundles
            .into_iter()
            .zip(arranged.routes)
            .map(|(bundle, route)| Way {
                edges: bundle.edges,
                label_at: route.label_at,
                points: route.points,
                is_loop: route.is_loop,
                label: bundle.label,
            })
            .collect();
        Self { index: level, width: arranged.width, height: arranged.height, items, ways }
    }

    /// Puts everything at its place; `x` and `y` are where this level begins.
    fn draw(self, x: f64, y: f64, metrics: &Metrics, picture: &mut Layout) {
        let moved = |(a, b): (f64, f64)| (a + x, b + y);
        for mut way in self.ways {
            way.points = way.points.into_iter().map(moved).collect();
            way.label_at = moved(way.label_at);
            picture.ways.push(way);
        }
        for item in self.items {
            let (left, top) = moved((item.x, item.y));
            let placed = Placed { index: item.index, x: left, y: top, width: item.width, height: item.height };
            match item.inside {
                None => picture.nodes.push(placed),
                Some(inside) => {
                    picture.groups.push(placed);
                    let indent = (item.width - inside.width) / 2.0;
                    debug_assert_eq!(inside.index, Some(item.index));
                    inside.draw(left + indent, top + metrics.header, metrics, picture);
                }
            }
        }
    }
}

/// Edges that run between the same two things of one level, with the same label.
struct Bundle {
    from: usize,
    to: usize,
    label: String,
    edges: Vec<usize>,
}

/// The edges of one level. An edge that leaves or enters a box is drawn from or to the box; one between a box and what
/// lies in it is not drawn, since the box says it.
fn bundles(graph: &Graph, tree: &Tree, level: Option<usize>, members: &[usize]) -> Vec<Bundle> {
    let index_of = |id: &str| graph.nodes.iter().position(|node| node.id == id);
    let mut bundles: Vec<Bundle> = Vec::new();
    for (number, edge) in graph.edges.iter().enumerate() {
        let ends = index_of(&edge.from).zip(index_of(&edge.to));
        let lifted = ends.and_then(|(from, to)| Some((from, to, tree.within(from, level)?, tree.within(to, level)?)));
        let Some((from, to, outer_from, outer_to)) = lifted else { continue };
        if outer_from == outer_to && from != to {
            continue;
        }
        let place = |index| members.iter().position(|member| *member == index);
        let Some((outer_from, outer_to)) = place(outer_from).zip(place(outer_to)) else { continue };
        let same =
            |bundle: &&mut Bundle| bundle.from == outer_from && bundle.to == outer_to && bundle.label == edge.label;
        match bundles.iter_mut().find(same) {
            Some(bundle) => bundle.edges.push(number),
            None => {
                bundles.push(Bundle { from: outer_from, to: outer_to, label: edge.label.clone(), edges: vec![number] });
            }
        }
    }
    bundles
}

/// What no way leads to or from, as what is done around tasks, stands below the end and one below the other: ways that are
/// not drawn keep it there.
fn stack_what_stands_alone(graph: &Graph, members: &[usize], links: &mut Vec<layers::Link>) {
    let is_end = |index: &usize| graph.nodes.get(*index).is_some_and(|node| node.kind == "end");
    let Some(mut above) = members.iter().position(is_end) else { return };
    for item in 0..members.len() {
        if item != above && links.iter().all(|link| link.from != item && link.to != item) {
            links.push(layers::Link { from: above, to: item, labelled: false });
            above = item;
        }
    }
}

/// Whether the node is the beginning or the end.
pub fn is_terminal(node: &GraphNode) -> bool {
    matches!(node.kind.as_str(), "start" | "end")
}

/// A line that leaves and arrives vertically.
fn flowing(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    let mut before: Option<(f64, f64)> = None;
    for &(x, y) in points {
        match before {
            None => _ = write!(path, "M{x:.1} {y:.1}"),
            Some((from_x, _)) if (from_x - x).abs() < 0.5 => _ = write!(path, "V{y:.1}"),
            Some((from_x, from_y)) => {
                let middle = f64::midpoint(from_y, y);
                _ = write!(path, "C{from_x:.1} {middle:.1} {x:.1} {middle:.1} {x:.1} {y:.1}");
            }
        }
        before = Some((x, y));
    }
    path
}

/// A line of straight pieces with rounded corners.
fn rounded(points: &[(f64, f64)]) -> String {
    const RADIUS: f64 = 8.0;
    let towards = |(x, y): (f64, f64), (to_x, to_y): (f64, f64)| {
        let (dx, dy) = (to_x - x, to_y - y);
        let length = dx.hypot(dy).max(1.0);
        let step = RADIUS.min(length / 2.0) / length;
        (x + dx * step, y + dy * step)
    };
    let mut path = points.first().map(|(x, y)| format!("M{x:.1} {y:.1}")).unwrap_or_default();
    for corner in points.windows(3) {
        if let [before, at, after] = corner {
            let ((x1, y1), (x2, y2)) = (towards(*at, *before), towards(*at, *after));
            let (x, y) = at;
            _ = write!(path, "L{x1:.1} {y1:.1}Q{x:.1} {y:.1} {x2:.1} {y2:.1}");
        }
    }
    if let Some((x, y)) = points.last() {
        _ = write!(path, "L{x:.1} {y:.1}");
    }
    path
}

#[cfg(test)]
mod tests {
    use domain::view::GraphEdge;

    use super::*;

    fn node(id: &str, parent: Option<&str>) -> GraphNode {
        GraphNode {
            id: id.to_owned(),
            label: id.to_owned(),
            kind: if matches!(id, "start" | "end") { id } else { "call" }.to_owned(),
            function: None,
            parent: parent.map(str::to_owned),
            line: None,
        }
    }

    fn graph(nodes: &[(&str, Option<&str>)], edges: &[(&str, &str, &str)]) -> Graph {
        Graph {
            nodes: nodes.iter().map(|(id, parent)| node(id, *parent)).collect(),
            edges: edges
                .iter()
                .map(|(from, to, label)| GraphEdge {
                    from: (*from).to_owned(),
                    to: (*to).to_owned(),
                    label: (*label).to_owned(),
                })
                .collect(),
        }
    }

    /// What must hold for every picture.
    fn assert_readable(graph: &Graph) {
        for metrics in [Metrics::WIDE, Metrics::NARROW] {
            let picture = layout(graph, &metrics);
            assert_eq!(picture, layout(graph, &metrics), "the same graph gives the same picture");
            assert_eq!(picture.nodes.len() + picture.groups.len(), graph.nodes.len());
            let parent = |placed: &Placed| graph.nodes[placed.index].parent.clone();
            let all: Vec<&Placed> = picture.groups.iter().chain(&picture.nodes).collect();
            for (number, one) in all.iter().enumerate() {
                assert!(one.x >= -0.01 && one.y >= -0.01, "{one:?}");
                assert!(one.x + one.width <= picture.width + 0.1, "{one:?} {}", picture.width);
                assert!(one.y + one.height <= picture.height + 0.1, "{one:?} {}", picture.height);
                for other in &all[number + 1..] {
                    let apart = one.x + one.width <= other.x + 0.01
                        || other.x + other.width <= one.x + 0.01
                        || one.y + one.height <= other.y + 0.01
                        || other.y + other.height <= one.y + 0.01;
                    let nested = is_within(graph, one.index, other.index) || is_within(graph, other.index, one.index);
                    assert!(apart || nested, "{one:?} overlaps {other:?}");
                }
                if let Some(outer) = parent(one).and_then(|id| all.iter().find(|p| graph.nodes[p.index].id == id)) {
                    assert!(one.x >= outer.x && one.x + one.width <= outer.x + outer.width, "{one:?} leaves {outer:?}");
                    assert!(one.y >= outer.y && one.y + one.height <= outer.y + outer.height);
                }
            }
            for way in picture.ways.iter().filter(|way| !way.is_loop) {
                assert!(way.points.windows(2).all(|pair| pair[0].1 <= pair[1].1 + 0.01), "{way:?} goes up");
                assert!(way.points.last().unwrap().1 > way.points[0].1);
            }
            for way in &picture.ways {
                assert!(
                    way.points.iter().all(|(x, _)| (-0.1..=picture.width + 0.1).contains(x)),
                    "{way:?} leaves the picture"
                );
            }
        }
    }

    fn is_within(graph: &Graph, inner: usize, outer: usize) -> bool {
        let mut at = graph.nodes[inner].parent.clone();
        while let Some(id) = at {
            let Some(found) = graph.nodes.iter().position(|node| node.id == id) else { return false };
            if found == outer {
                return true;
            }
            at = graph.nodes[found].parent.clone();
        }
        false
    }

    #[test]
    fn a_chain_goes_straight_down() {
        let graph = graph(
            &[("start", None), ("a", None), ("b", None), ("end", None)],
            &[("start", "a", ""), ("a", "b", ""), ("b", "end", "")],
        );
        assert_readable(&graph);
        let picture = layout(&graph, &Metrics::WIDE);
        let order: Vec<&str> = picture.nodes.iter().map(|node| graph.nodes[node.index].id.as_str()).collect();
        assert_eq!(order, ["start", "a", "b", "end"]);
        assert!((picture.width - Metrics::WIDE.node_width).abs() < 0.1);
        assert!(picture.ways.iter().all(|way| !way.path().contains('C')), "no bends");
    }

    #[test]
    fn a_chain_stays_straight_above_branches_of_different_width() {
        let graph = graph(
            &[
                ("start", None),
                ("a", None),
                ("b", None),
                ("s", None),
                ("x", None),
                ("y", None),
                ("z", None),
                ("z2", None),
                ("end", None),
            ],
            &[
                ("start", "a", ""),
                ("a", "b", ""),
                ("b", "s", ""),
                ("s", "x", "one"),
                ("s", "y", "two"),
                ("s", "z", "three"),
                ("z", "z2", ""),
                ("y", "end", "error"),
                ("z2", "end", ""),
                ("x", "a", "again"),
            ],
        );
        assert_readable(&graph);
        let picture = layout(&graph, &Metrics::WIDE);
        let middle = |id: &str| {
            let node = picture.nodes.iter().find(|node| graph.nodes[node.index].id == id).unwrap();
            node.x + node.width / 2.0
        };
        for (above, below) in [("start", "a"), ("a", "b"), ("b", "s"), ("z", "z2")] {
            assert!(
                (middle(above) - middle(below)).abs() < 0.5,
                "{above} {}, {below} {}",
                middle(above),
                middle(below)
            );
        }
    }

    #[test]
    fn branches_stand_side_by_side_and_meet_again() {
        let graph = graph(
            &[("start", None), ("s", None), ("a", None), ("b", None), ("c", None), ("end", None)],
            &[
                ("start", "s", ""),
                ("s", "a", "one"),
                ("s", "b", "two"),
                ("s", "end", "otherwise"),
                ("a", "c", ""),
                ("b", "c", ""),
                ("c", "end", ""),
            ],
        );
        assert_readable(&graph);
        let picture = layout(&graph, &Metrics::WIDE);
        let place = |id: &str| picture.nodes.iter().find(|node| graph.nodes[node.index].id == id).unwrap();
        assert!((place("a").y - place("b").y).abs() < 0.1);
        assert!((place("a").x - place("b").x).abs() >= Metrics::WIDE.node_width);
    }

    #[test]
    fn a_way_back_is_a_loop() {
        let graph = graph(
            &[("start", None), ("a", None), ("b", None), ("end", None)],
            &[("start", "a", ""), ("a", "b", ""), ("b", "a", "taken"), ("b", "b", "again"), ("b", "end", "free")],
        );
        assert_readable(&graph);
        let picture = layout(&graph, &Metrics::WIDE);
        assert_eq!(picture.ways.iter().filter(|way| way.is_loop).count(), 2);
    }

    #[test]
    fn boxes_hold_what_lies_in_them() {
        let graph = graph(
            &[
                ("start", None),
                ("try", None),
                ("try/a", Some("try")),
                ("try/for", Some("try")),
                ("try/for/b", Some("try/for")),
                ("try/for/c", Some("try/for")),
                ("catch", None),
                ("fork", None),
                ("fork/x", Some("fork")),
                ("fork/y", Some("fork")),
                ("end", None),
            ],
            &[
                ("start", "try", ""),
                ("try", "try/a", ""),
                ("try/a", "try/for", ""),
                ("try/for", "try/for/b", ""),
                ("try/for/b", "try/for/c", ""),
                ("try/for/c", "try/for", "each"),
                ("try/for/c", "fork", ""),
                ("try", "catch", "error"),
                ("catch", "fork", ""),
                ("fork", "end", ""),
            ],
        );
        assert_readable(&graph);
        let picture = layout(&graph, &Metrics::WIDE);
        assert_eq!(picture.groups.len(), 3);
        assert_eq!(picture.ways.iter().filter(|way| way.label == "error").count(), 1);
    }

    #[test]
    fn what_is_done_around_tasks_stands_below_the_end_without_a_way() {
        let graph = graph(
            &[
                ("start", None),
                ("a", None),
                ("end", None),
                ("before", None),
                ("before/x", Some("before")),
                ("before/y", Some("before")),
                ("after", None),
                ("after/z", Some("after")),
            ],
            &[("start", "a", ""), ("a", "end", ""), ("before/x", "before/y", "")],
        );
        assert_readable(&graph);
        let picture = layout(&graph, &Metrics::WIDE);
        let place = |id: &str| {
            let mut all = picture.groups.iter().chain(&picture.nodes);
            all.find(|placed| graph.nodes[placed.index].id == id).unwrap().clone()
        };
        let bottom = |placed: Placed| placed.y + placed.height;
        assert!(bottom(place("end")) < place("before").y);
        assert!(bottom(place("before")) < place("after").y);
        assert_eq!(picture.ways.len(), 3, "none of them leads to a box");
    }

    #[test]
    fn forty_tasks_with_random_ways_stay_readable() {
        let mut seed = 0x2545_F491_4F6C_DD1D_u64;
        let mut draw = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed % below as u64).unwrap()
        };
        for round in 0..40 {
            let names: Vec<String> = (0..40).map(|number| format!("t{number}")).collect();
            let parents: Vec<Option<String>> =
                (0..40).map(|number| (number > 4 && draw(4) == 0).then(|| names[draw(number)].clone())).collect();
            let nodes: Vec<(&str, Option<&str>)> =
                names.iter().zip(&parents).map(|(name, parent)| (name.as_str(), parent.as_deref())).collect();
            let mut edges: Vec<(&str, &str, &str)> =
                names.windows(2).map(|pair| (pair[0].as_str(), pair[1].as_str(), "")).collect();
            for _ in 0..12 {
                edges.push((names[draw(40)].as_str(), names[draw(40)].as_str(), "case"));
            }
            println!("round {round}");
            assert_readable(&graph(&nodes, &edges));
        }
    }

    #[test]
    fn broken_graphs_are_drawn_as_far_as_they_go() {
        assert_readable(&Graph::default());
        let odd =
            graph(&[("a", Some("b")), ("b", Some("a")), ("c", Some("nowhere"))], &[("a", "x", ""), ("c", "a", "")]);
        assert_eq!(layout(&odd, &Metrics::WIDE).nodes.len() + layout(&odd, &Metrics::WIDE).groups.len(), 3);
    }
}
