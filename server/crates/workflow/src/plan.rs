//! [`Definition::plan`]: what a run will do, in words, before it starts.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use domain::view::PlanStep;
use serde_json::{Value, json};

use crate::Definition;
use crate::approval::{Approver, Owned};
use crate::definition::model::{Case, Extension, ListIndex, Task, TaskIndex, TaskKind, Then};
use crate::definition::task_title;
use crate::expression::{Expression, Template, Variables};

/// The most steps of a plan, and how deep they may nest: functions that call functions could make any number.
const MAX_STEPS: usize = 5_000;
const MAX_DEPTH: u32 = 100;

/// What a run will do, step by step.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The steps, in the order of the document.
    pub steps: Vec<PlannedStep>,
}

/// A step with what the service needs to name the people.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep {
    /// The step as pages show it; `approvers` holds the rule in words.
    pub view: PlanStep,
    /// The rule itself, where it is known beforehand.
    pub approvers: Vec<Approver>,
}

impl Definition {
    /// The plan. With an input, ways that are decided by it are decided: up to the first task whose result nobody knows
    /// beforehand.
    pub fn plan(&self, input: Option<&Value>) -> Plan {
        let mut planner = Planner { definition: self, raw: input, steps: Vec::new() };
        let known = input.and_then(|input| match &self.input.transform {
            None => Some(input.clone()),
            Some(template) => planner.evaluate(template, input, input),
        });
        planner.list(self.root, 0, false, known);
        Plan { steps: planner.steps }
    }
}

/// The variables that are known beforehand.
struct Known<'a> {
    input: &'a Value,
    workflow: Value,
}

impl Variables for Known<'_> {
    fn variable(&self, name: &str) -> Option<Cow<'_, Value>> {
        match name {
            "input" => Some(Cow::Borrowed(self.input)),
            "workflow" => Some(Cow::Borrowed(&self.workflow)),
            _ => None,
        }
    }
}

struct Planner<'d> {
    definition: &'d Definition,
    raw: Option<&'d Value>,
    steps: Vec<PlannedStep>,
}

impl<'d> Planner<'d> {
    fn variables<'v>(&self, input: &'v Value) -> Known<'v> {
        Known { input, workflow: json!({"input": self.raw, "definition": self.definition.value()}) }
    }

    fn decidable<'n>(mut names: impl Iterator<Item = &'n str>) -> bool {
        names.all(|name| matches!(name, "input" | "workflow"))
    }

    fn evaluate(&self, template: &Template, dot: &Value, input: &Value) -> Option<Value> {
        let mut names = BTreeSet::new();
        template.variables(&mut names);
        if !Self::decidable(names.iter().map(String::as_str)) {
            return None;
        }
        template.evaluate(dot, &self.variables(input)).ok()
    }

    fn holds(&self, condition: &Expression, input: &Value) -> Option<bool> {
        if !Self::decidable(condition.variables())
            || condition.variables().any(|name| name == "workflow") && self.raw.is_none()
        {
            return None;
        }
        condition.holds(input, &self.variables(input)).ok()
    }

    fn tasks(&self, list: ListIndex) -> Vec<&'d Task> {
        let indices: Vec<TaskIndex> = self.definition.list(list).map(|list| list.tasks.clone()).unwrap_or_default();
        indices.into_iter().filter_map(|index| self.definition.task(index)).collect()
    }

    /// Plans a list; `known` is its input if that is known. Gives its output if that is known.
    fn list(&mut self, list: ListIndex, depth: u32, conditional: bool, known: Option<Value>) -> Option<Value> {
        let tasks = self.tasks(list);
        let mut known = known;
        let mut position = 0;
        let mut visited = BTreeSet::new();
        // As far as the data decide, the way is followed.
        while let (Some(input), Some(task)) = (&known, tasks.get(position)) {
            if !visited.insert(position) {
                break;
            }
            let input = input.clone();
            match task.condition.as_ref().map(|condition| self.holds(condition, &input)) {
                Some(Some(false)) => {
                    position += 1;
                    continue;
                }
                Some(None) => break,
                Some(Some(true)) | None => {}
            }
            let own = match &task.input.transform {
                None => Some(input.clone()),
                Some(template) => self.evaluate(template, &input, &input),
            };
            let mut then = task.then;
            if let TaskKind::Switch(cases) = &task.kind {
                let Some(chosen) = own.as_ref().and_then(|own| self.choose(cases, own)) else { break };
                if chosen != Then::Unset {
                    then = chosen;
                }
            }
            let output = self.task(task, depth, conditional, own.clone());
            known = match (&task.output.transform, output, own) {
                (None, output, _) => output,
                (Some(template), Some(output), Some(own)) => self.evaluate(template, &output, &own),
                _ => None,
            };
            position = match then {
                Then::Unset | Then::Continue => position + 1,
                Then::Task(target) => target,
                Then::Exit | Then::End => return known,
            };
        }
        if position >= tasks.len() {
            return known;
        }
        let next = |position| successors(&tasks, position);
        let reachable = reachable(position, next);
        let unavoidable = unavoidable(position, tasks.len(), next);
        for (index, task) in tasks.iter().enumerate() {
            if !reachable.contains(&index) || visited.contains(&index) && index != position {
                continue;
            }
            let avoidable = unavoidable.as_ref().is_some_and(|unavoidable| !unavoidable.contains(&index));
            self.task(task, depth, conditional || avoidable || task.condition.is_some(), None);
        }
        None
    }

    /// Where the data lead from a switch; `None` if they do not decide.
    fn choose(&self, cases: &[Case], input: &Value) -> Option<Then> {
        for case in cases {
            if let Some(when) = &case.when
                && self.holds(when, input)?
            {
                return Some(case.then);
            }
        }
        Some(cases.iter().find(|case| case.when.is_none()).map_or(Then::Unset, |case| case.then))
    }

    /// Plans a task and what is inside; gives its output if that is known.
    fn task(&mut self, task: &Task, depth: u32, conditional: bool, known: Option<Value>) -> Option<Value> {
        if self.steps.len() >= MAX_STEPS || depth > MAX_DEPTH {
            return None;
        }
        self.step(task, depth, conditional);
        let around = |planner: &mut Self, list: fn(&Extension) -> Option<ListIndex>| {
            for extension in task.extensions.iter().filter_map(|at| planner.definition.extensions.get(*at)) {
                if let Some(list) = list(extension) {
                    planner.list(list, depth + 1, conditional || extension.when.is_some(), None);
                }
            }
        };
        around(self, |extension| extension.before);
        let known = if self.may_be_replaced(task) { None } else { known };
        let output = self.inside(task, depth + 1, conditional, known);
        around(self, |extension| extension.after);
        output
    }

    /// Whether something before the task can take its place, so that nobody knows its output.
    fn may_be_replaced(&self, task: &Task) -> bool {
        let before = task.extensions.iter().filter_map(|at| self.definition.extensions.get(*at)?.before);
        before.flat_map(|list| self.tasks(list)).any(|task| match &task.kind {
            TaskKind::Switch(cases) => cases.iter().any(|case| case.then == Then::Exit),
            _ => task.then == Then::Exit,
        })
    }

    fn inside(&mut self, task: &Task, inside: u32, conditional: bool, known: Option<Value>) -> Option<Value> {
        match &task.kind {
            TaskKind::Do(list) => self.list(*list, inside, conditional, known),
            TaskKind::Set(template) => known.and_then(|known| self.evaluate(template, &known, &known)),
            TaskKind::Switch(_) | TaskKind::Wait(_) => known,
            TaskKind::For(each) => {
                self.list(each.body, inside, conditional, None);
                None
            }
            TaskKind::Try(guard) => {
                self.list(guard.body, inside, conditional, None);
                if let Some(handler) = guard.handler {
                    self.list(handler, inside, true, None);
                }
                None
            }
            TaskKind::Fork(fork) => {
                for branch in self.tasks(fork.branches) {
                    self.task(branch, inside, conditional, None);
                }
                None
            }
            TaskKind::Function(call) => {
                if let Some(body) = self.definition.task(call.body) {
                    self.task(body, inside, conditional, None);
                }
                None
            }
            TaskKind::Listen(_) | TaskKind::Consume(_) => {
                if let Some(body) = task.kind.iterator().and_then(|iterator| iterator.body) {
                    self.list(body, inside, conditional, None);
                }
                None
            }
            TaskKind::Call(_) | TaskKind::Run(_) | TaskKind::Emit(_) | TaskKind::Raise(_) | TaskKind::Unsupported => {
                None
            }
        }
    }

    fn step(&mut self, task: &Task, depth: u32, conditional: bool) {
        let (mut connection, mut system, mut approvers) = (None, None, Vec::new());
        if let Some(call) = task.kind.call() {
            system = self.definition.systems.get(&call.function).cloned();
            connection = part(&call.with, "connection").and_then(Value::as_str).map(str::to_owned);
            approvers = approvers_of(&call.with);
        }
        let words = approvers.iter().map(in_words).collect();
        let view = PlanStep {
            reference: task.reference.to_string(),
            name: task.name.clone(),
            title: task_title(task),
            kind: task.kind.name().to_owned(),
            function: task.kind.function().map(str::to_owned),
            connection,
            system,
            approvers: words,
            conditional,
            compensated: task.metadata.compensate.is_some(),
            depth,
        };
        self.steps.push(PlannedStep { view, approvers });
    }
}

/// An approver in words; the service puts names in their place.
fn in_words(approver: &Approver) -> String {
    match approver {
        Approver::User(login) => login.clone(),
        Approver::Team(team) => format!("team {team}"),
        Approver::Role(role) => format!("role {role}"),
        Approver::ManagerOf(login) if login == Approver::REQUESTER => "the requester's manager".to_owned(),
        Approver::ManagerOf(login) => format!("the manager of {login}"),
        Approver::OwnerOf(Owned::Connection(name)) => format!("the owner of the connection {name}"),
    }
}

/// Whom the arguments of an approval name, stage after stage, as far as they are no expressions.
fn approvers_of(with: &Template) -> Vec<Approver> {
    let stages = part(with, "stages").and_then(Value::as_array).into_iter().flatten();
    let lists = part(with, "approvers").into_iter().chain(stages.filter_map(|stage| stage.get("approvers")));
    let mut approvers = Vec::new();
    for list in lists {
        let many = if list.is_array() { list.clone() } else { json!([list]) };
        approvers.extend(serde_json::from_value::<Vec<Approver>>(many).unwrap_or_default());
    }
    approvers
}

/// A member of a call's arguments, if it is no expression.
fn part<'t>(with: &'t Template, name: &str) -> Option<&'t Value> {
    match with {
        Template::Constant(value) => value.get(name),
        Template::Object(members) => members.iter().find(|(member, _)| member == name)?.1.constant(),
        _ => None,
    }
}

/// The positions to which control can go from a task; beyond the last one is the end.
fn successors(tasks: &[&Task], position: usize) -> Vec<usize> {
    let target = |then: Then| match then {
        Then::Unset | Then::Continue => position + 1,
        Then::Task(target) => target,
        Then::Exit | Then::End => tasks.len(),
    };
    let Some(task) = tasks.get(position) else { return Vec::new() };
    let mut next = Vec::new();
    if let TaskKind::Switch(cases) = &task.kind {
        next.extend(cases.iter().map(|case| target(if case.then == Then::Unset { task.then } else { case.then })));
        if cases.iter().any(|case| case.when.is_none()) {
            return next;
        }
    }
    next.push(target(task.then));
    if task.condition.is_some() {
        next.push(position + 1);
    }
    next
}

/// What can be reached from a position.
fn reachable(from: usize, next: impl Fn(usize) -> Vec<usize>) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(position) = open.pop() {
        if reached.insert(position) {
            open.extend(next(position));
        }
    }
    reached
}

/// The positions that every way to the end goes through; none if no way leads there.
///
/// They all lie on any one way. It is walked along, and a place on it can be avoided if something before it leads past it.
/// So each position is looked at once, and not once for each task of the list.
fn unavoidable(from: usize, end: usize, next: impl Fn(usize) -> Vec<usize> + Copy) -> Option<BTreeSet<usize>> {
    let way = way(from, end, next)?;
    let places: BTreeMap<usize, usize> = way.iter().enumerate().map(|(place, position)| (*position, place)).collect();
    let mut unavoidable = BTreeSet::new();
    let mut aside = BTreeSet::new();
    let mut furthest = 0;
    for (place, position) in way.iter().enumerate() {
        if furthest <= place {
            unavoidable.insert(*position);
        }
        let mut open = next(*position);
        while let Some(reached) = open.pop() {
            match places.get(&reached) {
                Some(place) => furthest = furthest.max(*place),
                None if aside.insert(reached) => open.extend(next(reached)),
                None => {}
            }
        }
    }
    Some(unavoidable)
}

/// A way to the end, if there is one.
fn way(from: usize, end: usize, next: impl Fn(usize) -> Vec<usize>) -> Option<Vec<usize>> {
    let mut before = BTreeMap::from([(from, None)]);
    let mut open = vec![from];
    while let Some(position) = open.pop() {
        for reached in next(position) {
            before.entry(reached).or_insert_with(|| {
                open.push(reached);
                Some(position)
            });
        }
    }
    let mut way = Vec::new();
    let mut at = before.contains_key(&end).then_some(end);
    while let Some(position) = at {
        way.push(position);
        at = before.get(&position).copied().flatten();
    }
    way.reverse();
    (!way.is_empty()).then_some(way)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_cannot_be_avoided_is_what_no_way_leads_around(
            ways in proptest::collection::vec(proptest::collection::vec(0_usize..12, 0..3), 11), from in 0_usize..11,
        ) {
            let end = ways.len();
            let next = |position: usize| ways.get(position).cloned().unwrap_or_default();
            let around = |without: usize| {
                let rest = |position: usize| {
                    if position == without { Vec::new() } else { next(position) }
                };
                without != from && without != end && reachable(from, rest).contains(&end)
            };
            let found = unavoidable(from, end, next);
            prop_assert_eq!(found.is_some(), reachable(from, next).contains(&end));
            for position in 0..end {
                let avoidable = found.as_ref().is_some_and(|found| !found.contains(&position));
                prop_assert_eq!(avoidable, around(position), "{} from {} in {:?}", position, from, ways);
            }
        }
    }
    use crate::FunctionCatalogue;

    fn definition(tasks: &str) -> Definition {
        let mut catalogue = FunctionCatalogue::new();
        catalogue.register("smtp", json!({"type": "object"}), "Mail").unwrap();
        let source = format!("document: {{dsl: 1.0.3, namespace: test, name: plan, version: 1.0.0}}\ndo:\n{tasks}");
        Definition::parse(&source, &catalogue).unwrap()
    }

    fn names(plan: &Plan) -> Vec<String> {
        plan.steps
            .iter()
            .map(|step| format!("{}{}", step.view.name, if step.view.conditional { "?" } else { "" }))
            .collect()
    }

    const BRANCHES: &str = "
- derive: {set: {big: '${ .amount > 10 }'}}
- route:
    switch:
    - big: {when: .big, then: ask}
    - small: {then: mail}
- ask: {call: approval, with: {approvers: [{managerOf: requester}, {team: ops}]}}
- mail: {call: smtp, with: {connection: office, to: '${ .x }'}}
- last: {if: .y, set: {done: true}}
";

    #[test]
    fn without_input_all_ways_are_shown() {
        let plan = definition(BRANCHES).plan(None);
        assert_eq!(names(&plan), ["derive", "route", "ask?", "mail", "last?"]);
        let ask = &plan.steps[2];
        assert_eq!(ask.view.approvers, ["the requester's manager", "team ops"]);
        assert_eq!(ask.approvers, [Approver::ManagerOf("requester".into()), Approver::Team("ops".into())]);
        assert_eq!(plan.steps[3].view.connection.as_deref(), Some("office"));
        assert_eq!(plan.steps[3].view.system.as_deref(), Some("Mail"));
    }

    #[test]
    fn with_input_the_ways_it_decides_are_decided() {
        let definition = definition(BRANCHES);
        assert_eq!(names(&definition.plan(Some(&json!({"amount": 20})))), ["derive", "route", "ask", "mail", "last?"]);
        assert_eq!(names(&definition.plan(Some(&json!({"amount": 2})))), ["derive", "route", "mail", "last?"]);
    }

    #[test]
    fn a_plan_stays_small_whatever_calls_what() {
        let steps = |functions: String, rest: &str| {
            let head = "document: {dsl: 1.0.3, namespace: test, name: plan, version: 1.0.0}";
            let source = format!("{head}\nuse:\n  functions:\n{functions}{rest}\ndo: [{{it: {{call: f0}}}}]\n");
            Definition::parse(&source, &FunctionCatalogue::new()).unwrap().plan(None).steps.len()
        };
        let twice = |level: u32| {
            let next = level + 1;
            format!("    f{level}: {{do: [{{a: {{call: f{next}}}}}, {{b: {{call: f{next}}}}}]}}\n")
        };
        let extended = "    f16: {set: {}}
  extensions: [{x: {extend: all, before: [{y: {set: {}}}], after: [{z: {set: {}}}]}}]";
        assert_eq!(steps((0..16).map(twice).collect(), extended), MAX_STEPS);
        let once = |level: u32| format!("    f{level}: {{call: f{}}}\n", level + 1);
        assert_eq!(steps((0..200).map(once).collect(), "    f200: {set: {}}"), 101);
    }

    #[test]
    fn a_plan_shows_what_extends_a_task() {
        let source = "document: {dsl: 1.0.3, namespace: test, name: plan, version: 1.0.0}
use: {extensions: [{x: {extend: set, when: .y, before: [{early: {wait: PT1S}}], after: [{late: {wait: PT1S}}]}}]}
do: [{it: {set: {n: 1}}}, {route: {switch: [{one: {when: .n == 1, then: end}}]}}, {never: {wait: PT1S}}]
";
        let definition = Definition::parse(source, &FunctionCatalogue::new()).unwrap();
        assert_eq!(names(&definition.plan(Some(&json!({})))), ["it", "early?", "late?", "route"]);
    }

    #[test]
    fn the_graph_shows_each_extension_once_and_apart() {
        let source = "document: {dsl: 1.0.3, namespace: test, name: plan, version: 1.0.0}
use: {extensions: [{watch: {extend: set, before: [{early: {wait: PT1S}}, {soon: {wait: PT1S}}], after: [{late: {wait: PT1S}}]}}]}
do: [{it: {set: {n: 1}}}, {that: {set: {n: 2}}}]
";
        let graph = Definition::parse(source, &FunctionCatalogue::new()).unwrap().graph();
        let place = "/use/extensions/0/watch";
        let box_of = |id: &str| {
            let node = graph.nodes.iter().find(|node| node.id == id).unwrap();
            assert_eq!((node.label.as_str(), node.function.as_deref()), ("watch", Some("set")));
            let inside = graph.nodes.iter().filter(|node| node.parent.as_deref() == Some(id));
            (node.kind.clone(), inside.map(|node| node.label.clone()).collect::<Vec<_>>())
        };
        assert_eq!(box_of(&format!("{place}/before")), ("before".into(), vec!["Early".into(), "Soon".into()]));
        assert_eq!(box_of(&format!("{place}/after")), ("after".into(), vec!["Late".into()]));
        let around: Vec<_> =
            graph.edges.iter().filter(|edge| edge.from.contains(place) || edge.to.contains(place)).collect();
        let [within] = around.as_slice() else { panic!("{around:?}") };
        assert_eq!(within.from, format!("{place}/before/0/early"));
        assert_eq!(within.to, format!("{place}/before/1/soon"));
    }

    #[test]
    fn the_graph_says_on_which_line_a_task_begins() {
        let source = "document: {dsl: 1.0.3, namespace: test, name: plan, version: 1.0.0}
do:
  - one:
      set: {n: 1}
  - two:
      do:
        - three: {wait: PT1S}
";
        let graph = Definition::parse(source, &FunctionCatalogue::new()).unwrap().graph();
        let lines: Vec<_> = graph.nodes.iter().map(|node| (node.label.as_str(), node.line)).collect();
        let expected = [("Start", None), ("One", Some(3)), ("Two", Some(5)), ("Three", Some(7)), ("End", None)];
        assert_eq!(lines, expected);
    }

    #[test]
    fn the_graph_has_every_way() {
        let graph = definition(BRANCHES).graph();
        let edges: Vec<String> =
            graph.edges.iter().map(|edge| format!("{}>{}:{}", edge.from, edge.to, edge.label)).collect();
        assert_eq!(
            edges,
            [
                "start>/do/0/derive:",
                "/do/0/derive>/do/1/route:",
                "/do/1/route>/do/2/ask:big",
                "/do/1/route>/do/3/mail:small",
                "/do/2/ask>/do/3/mail:",
                "/do/3/mail>/do/4/last:",
                "/do/4/last>end:",
            ]
        );
    }
}
