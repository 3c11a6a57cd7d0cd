//! The conformance kit of the specification, and our own features of the same form, by `rondo run`.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{
    counterpart::Counterpart,
    feature::{Scenario, Step, scenarios},
    local_run::{Ran, Setting},
    server::repository,
};

/// Names the folder of the specification, where it does not stand beside the repository.
const PLACE: &str = "RONDO_SPEC";

#[tokio::test]
async fn our_own_features_hold() {
    hold(&repository().join("server/tests/features")).await;
}

#[tokio::test]
async fn the_conformance_kit_holds() {
    let specification = std::env::var_os(PLACE).map_or_else(|| repository().join("../shared/spec"), PathBuf::from);
    let features = specification.join("ctk/features");
    if !features.is_dir() {
        eprintln!("skipped: {} is not there; {PLACE} can name the folder of the specification", features.display());
        return;
    }
    hold(&features).await;
}

/// Runs every scenario of a folder; fails with all that do not hold.
async fn hold(folder: &Path) {
    let counterpart = Counterpart::start().await;
    let found = scenarios(folder);
    assert!(!found.is_empty(), "there are no scenarios in {}", folder.display());
    let mut failures = Vec::new();
    for scenario in &found {
        if let Err(reason) = check(scenario, &counterpart).await {
            failures.push(format!("{}\n    {reason}", scenario.name));
        }
    }
    eprintln!("{} scenarios of {} hold", found.len() - failures.len(), found.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

async fn check(scenario: &Scenario, counterpart: &Counterpart) -> Result<(), String> {
    let mut setting = Setting::default();
    let mut ran = None;
    for step in &scenario.steps {
        let text = || counterpart.stands_in(step.text.as_deref().unwrap_or_default());
        match step.words.as_str() {
            "a workflow with definition:" => setting.definition = text(),
            "the workflow input is:" => setting.input = Some(text()),
            "the events are:" => setting.events = Some(text()),
            "a workflow beside it with definition:" => setting.beside.push(text()),
            "the workflow is executed" => ran = Some(setting.run().await),
            words => match words.strip_prefix("the secret ").and_then(|rest| rest.split_once(" is ")) {
                Some((name, value)) => setting.secrets.push(format!("{name}={value}")),
                None => {
                    let ran = ran.as_ref().ok_or("it was not executed")?;
                    judge(step, ran).map_err(|reason| format!("{words}: {reason}\n    {}", ran.stderr))?;
                }
            },
        }
    }
    ran.map(|_| ()).ok_or_else(|| "it was not executed".to_owned())
}

fn judge(step: &Step, ran: &Ran) -> Result<(), String> {
    let expected = || -> Value { serde_saphyr::from_str(step.text.as_deref().unwrap_or("null")).unwrap() };
    let equal = |found: &Value, expected: &Value| {
        if same(found, expected) { Ok(()) } else { Err(format!("found {found}, expected {expected}")) }
    };
    let words = step.words.as_str();
    let quoted: Vec<&str> = words.split('\'').skip(1).step_by(2).collect();
    match words {
        "the workflow should complete" => ends(ran, "completed", 0),
        "the workflow should cancel" => ends(ran, "cancelled", 1),
        "the workflow should fault" => ends(ran, "faulted", 1),
        "the workflow should complete with output:" => {
            ends(ran, "completed", 0)?;
            equal(&ran.report["output"], &expected())?;
            equal(&serde_json::from_str(&ran.stdout).map_err(|error| error.to_string())?, &expected())
        }
        "the workflow should fault with error:" => {
            ends(ran, "faulted", 1)?;
            // Only what is named is compared: the rest is words.
            for (name, value) in expected().as_object().unwrap() {
                equal(&ran.report["error"][name], value)?;
            }
            Ok(())
        }
        "the emitted types should be:" => {
            let types = ran.report["emitted"].as_array().unwrap().iter().map(|event| event["type"].clone()).collect();
            equal(&Value::Array(types), &expected())
        }
        _ if words.starts_with("the workflow output should have properties") => {
            quoted.iter().try_for_each(|path| property(&ran.report["output"], path).map(|_| ()))
        }
        _ if words.starts_with("the workflow output should have a '") => {
            let found = property(&ran.report["output"], quoted[0])?;
            match words.split_once(" containing ") {
                Some((_, count)) => {
                    let count: usize = count.trim_end_matches(" items").parse().unwrap();
                    let items = found.as_array().map(Vec::len);
                    if items == Some(count) { Ok(()) } else { Err(format!("found {found}")) }
                }
                None => equal(found, &expected()),
            }
        }
        _ => match words.split_once(" should ") {
            Some((task, rest)) => judge_task(task, rest, ran),
            None => Err("this step is not known".to_owned()),
        },
    }
}

fn judge_task(task: &str, rest: &str, ran: &Ran) -> Result<(), String> {
    let order: Vec<&str> = ran.tasks().iter().map(|task| task["name"].as_str().unwrap()).collect();
    let place = |name: &str| order.iter().position(|found| *found == name).ok_or(format!("{name} did not run"));
    let holds = match rest.split_once(' ') {
        Some(("run", "first")) => place(task)? == 0,
        Some(("run", "last")) => place(task)? + 1 == order.len(),
        Some(("run", relation)) => match relation.split_once(' ') {
            Some(("before", other)) => place(task)? < place(other)?,
            Some(("after", other)) => place(task)? > place(other)?,
            _ => return Err("this step is not known".to_owned()),
        },
        _ => {
            let status = match rest {
                "complete" => "completed",
                "cancel" => "cancelled",
                "fault" => "faulted",
                _ => return Err("this step is not known".to_owned()),
            };
            ran.tasks()[place(task)?]["status"] == status
        }
    };
    if holds { Ok(()) } else { Err(format!("{:?}", ran.tasks())) }
}

fn ends(ran: &Ran, status: &str, code: i32) -> Result<(), String> {
    if ran.report["status"] == status && ran.code == code {
        return Ok(());
    }
    Err(format!("it is {} and exited with {}", ran.report["status"], ran.code))
}

fn property<'v>(value: &'v Value, path: &str) -> Result<&'v Value, String> {
    let pointer = format!("/{}", path.replace('.', "/"));
    value.pointer(&pointer).ok_or_else(|| format!("{value} has no {path}"))
}

/// Whether two values mean the same: 1 and 1.0 do.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, value)| right.get(name).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}
