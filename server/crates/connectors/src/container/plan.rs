//! What a call would change on an engine, found by looking at containers alone.

use domain::view::{CallPlan, PlannedField};
use serde_json::Value;

use super::{With, engine::Engine};
use crate::Failure;

/// What an operation would change; none where nothing can be said.
pub(super) async fn plan(engine: &Engine, with: &With) -> Result<Option<CallPlan>, Failure> {
    let name = &with.name;
    Ok(Some(match with.operation.as_str() {
        "run" => {
            if engine.look(name).await?.is_some() {
                let detail = format!("there is a container {name} already; choose another name, or replace it");
                return Err(Failure::refused(409, detail));
            }
            if let Some(like) = &with.like {
                engine.known(like).await?;
            }
            let fields = with.image.clone().map(|image| PlannedField::new("image", None, Some(image)));
            CallPlan::changes(format!("there is no container {name} yet, and it comes to be")).with_fields(fields)
        }
        "replace" => {
            let there = engine.known(name).await?;
            let before = text(&there, "/Config/Image");
            let after = with.image.clone().or_else(|| before.clone());
            let fields = (before != after).then(|| PlannedField::new("image", before, after));
            CallPlan::changes(format!("replaces the container {name}, which {}", state(&there))).with_fields(fields)
        }
        "start" | "stop" => {
            let there = engine.known(name).await?;
            if runs(&there) == (with.operation == "start") {
                return Ok(Some(CallPlan::nothing(format!("the container {name} {} already", state(&there)))));
            }
            let verb = if with.operation == "start" { "starts" } else { "stops" };
            CallPlan::changes(format!("{verb} the container {name}, which {}", state(&there)))
        }
        "restart" => {
            let there = engine.known(name).await?;
            CallPlan::changes(format!("restarts the container {name}, which {}", state(&there)))
        }
        "remove" => match engine.look(name).await? {
            None => CallPlan::nothing(format!("there is no container {name}")),
            Some(there) if runs(&there) && !with.force => CallPlan::fails(format!(
                "would fail: the container {name} runs; stop it before, or remove it with force"
            )),
            Some(there) => {
                let field = PlannedField::new("image", text(&there, "/Config/Image"), None);
                CallPlan::changes(format!("removes the container {name}, which {}", state(&there))).with_fields([field])
            }
        },
        _ => return Ok(None),
    }))
}

fn text(found: &Value, pointer: &str) -> Option<String> {
    found.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

fn runs(found: &Value) -> bool {
    found.pointer("/State/Running") == Some(&Value::Bool(true))
}

fn state(found: &Value) -> &'static str {
    if runs(found) { "runs" } else { "does not run" }
}
