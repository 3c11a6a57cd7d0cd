//! [`Definition::graph`]: the tasks of a definition and the ways between them, for the run page.

use std::collections::BTreeSet;

use domain::view::{Graph, GraphEdge, GraphNode};

use crate::Definition;
use crate::definition::model::{ListIndex, Task, TaskIndex, TaskKind, Then};
use crate::definition::task_title;

/// Where a way begins: a node, and what is written on the way.
type Exit = (String, String);

impl Definition {
    /// The graph: a node for each task, `start` and `end`, and an edge for each way that control can take. A task that
    /// contains others is a node before them, and their `parent`. What takes back is not part of it. What extends tasks is
    /// there once, with no way to it: a node `before` or `after` for each list of an extension, whose `function` is the
    /// kind of task that it extends.
    pub fn graph(&self) -> Graph {
        let mut builder = Builder { definition: self, graph: Graph::default() };
        builder.node("start", "Start", "start", None, None, None);
        let exits = builder.list(self.root, vec![("start".to_owned(), String::new())], None);
        builder.node("end", "End", "end", None, None, None);
        builder.connect(exits, "end");
        builder.extensions();
        let mut seen = BTreeSet::new();
        builder.graph.edges.retain(|edge| seen.insert((edge.from.clone(), edge.to.clone(), edge.label.clone())));
        builder.graph
    }
}

struct Builder<'d> {
    definition: &'d Definition,
    graph: Graph,
}

impl<'d> Builder<'d> {
    fn node(
        &mut self,
        id: &str,
        label: &str,
        kind: &str,
        function: Option<String>,
        parent: Option<&str>,
        line: Option<u64>,
    ) {
        self.graph.nodes.push(GraphNode {
            id: id.to_owned(),
            label: label.to_owned(),
            kind: kind.to_owned(),
            function,
            parent: parent.map(str::to_owned),
            line,
        });
    }

    fn connect(&mut self, exits: Vec<Exit>, to: &str) {
        for (from, label) in exits {
            self.graph.edges.push(GraphEdge { from, to: to.to_owned(), label });
        }
    }

    /// Adds a list that is entered from `entries`; gives the ways out of it.
    fn list(&mut self, list: ListIndex, entries: Vec<Exit>, parent: Option<&str>) -> Vec<Exit> {
        let tasks = self.tasks(list);
        let mut exits = Vec::new();
        match tasks.first() {
            Some(first) => self.connect(entries, &first.reference),
            None => exits = entries,
        }
        for (position, task) in tasks.iter().enumerate() {
            let outs = self.task(task, parent);
            let mut go = |builder: &mut Self, outs: Vec<Exit>, then: Then| match then {
                Then::End => builder.connect(outs, "end"),
                Then::Exit => exits.extend(outs),
                Then::Unset | Then::Continue | Then::Task(_) => {
                    let next = if let Then::Task(target) = then { target } else { position + 1 };
                    match tasks.get(next) {
                        Some(next) => builder.connect(outs, &next.reference),
                        None => exits.extend(outs),
                    }
                }
            };
            if let TaskKind::Switch(cases) = &task.kind {
                for case in cases {
                    let then = if case.then == Then::Unset { task.then } else { case.then };
                    let label = case.name.clone();
                    go(self, vec![(task.reference.to_string(), label)], then);
                }
                if cases.iter().all(|case| case.when.is_some()) {
                    go(self, vec![(task.reference.to_string(), "otherwise".to_owned())], task.then);
                }
            } else if !matches!(task.kind, TaskKind::Raise(_)) {
                go(self, outs, task.then);
            }
        }
        exits
    }

    fn extensions(&mut self) {
        for extension in &self.definition.extensions {
            for (kind, list) in [("before", extension.before), ("after", extension.after)] {
                let Some(list) = list else { continue };
                let id = format!("{}/{kind}", extension.reference);
                self.node(&id, &extension.name, kind, extension.target.clone(), None, None);
                // Where it ends, the task goes on that it extends, or what comes after that.
                let _ = self.list(list, Vec::new(), Some(&id));
            }
        }
    }

    fn tasks(&self, list: ListIndex) -> Vec<&'d Task> {
        let indices: Vec<TaskIndex> = self.definition.list(list).map(|list| list.tasks.clone()).unwrap_or_default();
        indices.into_iter().filter_map(|index| self.definition.task(index)).collect()
    }

    /// Adds a task and what is inside it; gives the ways out.
    fn task(&mut self, task: &Task, parent: Option<&str>) -> Vec<Exit> {
        let function = task.kind.function().map(str::to_owned);
        let id = task.reference.to_string();
        self.node(&id, &task_title(task), task.kind.name(), function, parent, u64::try_from(task.line).ok());
        let enter = |label: &str| vec![(id.clone(), label.to_owned())];
        match &task.kind {
            TaskKind::Do(list) => self.list(*list, enter(""), Some(&id)),
            TaskKind::For(each) => self.list(each.body, enter("each"), Some(&id)),
            TaskKind::Try(guard) => {
                let mut exits = self.list(guard.body, enter(""), Some(&id));
                match guard.handler {
                    Some(handler) => exits.extend(self.list(handler, enter("error"), Some(&id))),
                    None if guard.retry.is_none() => exits.extend(enter("error")),
                    None => {}
                }
                exits
            }
            TaskKind::Fork(fork) => {
                let mut exits = Vec::new();
                for branch in self.definition.list(fork.branches).map(|list| list.tasks.clone()).unwrap_or_default() {
                    let Some(branch) = self.definition.task(branch) else { continue };
                    self.connect(enter(""), &branch.reference);
                    exits.extend(self.task(branch, Some(&id)));
                }
                exits
            }
            TaskKind::Listen(_) | TaskKind::Consume(_) => match task.kind.iterator().and_then(|each| each.body) {
                Some(body) => self.list(body, enter("each"), Some(&id)),
                None => enter(""),
            },
            TaskKind::Raise(_) => {
                self.connect(enter("error"), "end");
                Vec::new()
            }
            _ => enter(""),
        }
    }
}
