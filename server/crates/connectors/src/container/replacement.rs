//! New containers, and new ones in place of others.
//!
//! A replacement is many steps, and may be cut off between any two of them. Until the new container bears the name, it can be
//! taken back, and what is left of one that was cut off is: the new one carries what it was to replace, and by which call. So a
//! replacement has happened, or has not, whenever somebody asks.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use workflow::{RunError, StandardError};

use super::{
    command,
    engine::Engine,
    images::{self, Pull},
    making::{self, Before, KEY, Making, REPLACED, Replaced, label, mark},
    ready::Ready,
    shown,
};
use crate::{CallContext, Failure, FailureKind, LogLevel};

/// How long taking a replacement back may take, for each thing that is asked of the engine.
const BACK: Duration = Duration::from_mins(1);
/// How much of a call's time is for taking it back.
const RESERVE: Duration = Duration::from_secs(20);
/// The last lines of a container that did not become ready, for the task's log.
const LINES: u64 = 30;

/// Between a name and the mark of the call that makes a new container of that name.
const NEW: &str = ".new-";

/// In which order the two run.
#[derive(Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Order {
    #[default]
    StopFirst,
    StartFirst,
}

/// What is to come in place of a container.
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) successor: Successor,
    pub(super) pull: Pull,
    pub(super) ready: Ready,
    pub(super) order: Order,
    pub(super) grace: u64,
}

/// How it is made.
pub(super) enum Successor {
    /// As the one before, with this instead.
    With(Making),
    /// As the one was that this one has replaced.
    Predecessor,
}

/// Makes and starts a container that was not there, unless this call has done so already.
pub(super) async fn run(
    engine: &Engine,
    context: &CallContext,
    name: &str,
    making: &Making,
    pull: Pull,
    ready: &Ready,
) -> Result<Value, Failure> {
    let image = making.image()?;
    if pull == Pull::Always {
        images::fetch(engine, image).await?;
    }
    let own_mark = mark(&context.key);
    let own = [(KEY, own_mark.clone())];
    let mut made = create(engine, name, making, &own).await?;
    if let Created::NoImage(said) = &made {
        if pull == Pull::Never {
            return Err(Failure::refused(404, format!("{said}; fetch it, or let the task fetch it (`pull`)")));
        }
        images::provide(engine, image, Pull::Missing).await?;
        made = create(engine, name, making, &own).await?;
    }
    match made {
        Created::Made => {}
        Created::NoImage(said) => return Err(Failure::refused(404, said)),
        Created::Taken => {
            let there = engine.known(name).await?;
            if label(&there, KEY) != Some(own_mark.as_str()) {
                let detail = format!("there is a container {name} already; choose another name, or replace it");
                return Err(Failure::refused(409, detail));
            }
        }
    }
    start_made(engine, context, name, ready).await
}

/// Starts a container that this call has made, and waits for it.
pub(super) async fn start_made(
    engine: &Engine,
    context: &CallContext,
    name: &str,
    ready: &Ready,
) -> Result<Value, Failure> {
    let begun = async {
        engine.tell(name, "start", &[]).await?;
        ready.wait(engine, name, patience(context)).await
    };
    if let Err(failure) = begun.await {
        tell_last_words(engine, context, name).await;
        // It would be in the way of another attempt.
        if !is_uncertain(&failure) {
            engine.repeatable().discard(name).await?;
        }
        return Err(failure);
    }
    let there = engine.known(name).await.map_err(|failure| unread(name, failure))?;
    context.info(format!(
        "{name} runs, from {}",
        there.pointer("/Config/Image").and_then(Value::as_str).unwrap_or_default()
    ));
    Ok(json!({"container": shown::container(&there)}))
}

/// Puts a new container in place of the one that bears the name; what runs in the end is the new one, or the old one.
///
/// `stopped` says that nobody waits for it any more.
pub(super) async fn replace(
    engine: Engine,
    context: CallContext,
    wanted: Wanted,
    stopped: CancellationToken,
) -> Result<Value, Failure> {
    if let Some(done) = settle(&engine, &context, &wanted.name).await? {
        return Ok(done);
    }
    let old = engine.look(&wanted.name).await?;
    undisturbed(&engine, &wanted.name).await?;
    let making = successor(&engine, &wanted, old.as_ref()).await?;
    let image = making.image()?.to_owned();
    images::provide(&engine, &image, wanted.pull).await?;

    let replaced = Replaced { name: wanted.name.clone(), before: old.as_ref().map(Before::of) };
    let new = new_name(&wanted.name, &context.key);
    let own = [(KEY, mark(&context.key)), (REPLACED, replaced.label())];
    let brought_up = async {
        match create(&engine, &new, &making, &own).await? {
            Created::Made => {}
            Created::Taken => {
                return Err(Failure::refused(409, format!("there is a container {new} already; remove it")));
            }
            Created::NoImage(said) => return Err(Failure::refused(404, said)),
        }
        bring_up(&engine, &context, &wanted, &replaced, &new).await
    };
    let brought_up = tokio::select! {
        brought_up = brought_up => brought_up,
        () = stopped.cancelled() => {
            Err(Failure::retryable(RunError::new(StandardError::Runtime, "the call was stopped while it was under way")))
        }
    };
    if let Err(failure) = brought_up {
        tell_last_words(&engine, &context, &new).await;
        return Err(taken_back(&engine, &context, &new, &replaced, failure).await);
    }
    if let Err(failure) = commit(&engine, &context.key, &new, &replaced).await {
        return match settle(&engine.within(BACK), &context, &wanted.name).await {
            Ok(Some(done)) => Ok(done),
            Ok(None) => Err(failure),
            Err(second) => Err(Failure::unknown(*second.error)),
        };
    }
    discard_before(&engine, &context, &replaced).await;
    context.info(format!("{} is replaced, and runs from {image}", wanted.name));
    let there = engine.known(&wanted.name).await.map_err(|failure| unread(&wanted.name, failure))?;
    Ok(replaced_output(&there, &replaced))
}

/// What a replacement gives.
fn replaced_output(there: &Value, replaced: &Replaced) -> Value {
    json!({"container": shown::container(there), "previous": replaced.before.as_ref().map(Before::output)})
}

/// What became of a call's replacement: its output if it has happened. What is left of one that was cut off is taken back.
pub(super) async fn settle(engine: &Engine, context: &CallContext, name: &str) -> Result<Option<Value>, Failure> {
    let engine = engine.repeatable();
    for made in engine.with_labels(&[format!("{KEY}={}", mark(&context.key))], &[]).await? {
        let Some(replaced) = Replaced::read(&made).filter(|replaced| replaced.name == name) else { continue };
        if shown::name(&made) == name {
            discard_before(&engine, context, &replaced).await;
            let there = engine.known(name).await.map_err(|failure| unread(name, failure))?;
            return Ok(Some(replaced_output(&there, &replaced)));
        }
        take_back(&engine, shown::name(&made), &replaced).await?;
    }
    Ok(None)
}

/// Whether nobody else is replacing the same container.
async fn undisturbed(engine: &Engine, name: &str) -> Result<(), Failure> {
    let others = engine.with_labels(&[REPLACED.to_owned()], &[]).await?;
    let other = others.iter().find(|other| {
        shown::name(other) != name
            && shown::name(other).starts_with(&format!("{name}{NEW}"))
            && Replaced::read(other).is_some_and(|replaced| replaced.name == name)
    });
    match other {
        Some(other) => Err(Failure::refused(
            409,
            format!(
                "{name} is being replaced by another call, which has made {}; try again later, or if that call is long over, \
                 remove it and see that {name} runs",
                shown::name(other)
            ),
        )),
        None => Ok(()),
    }
}

/// How the new one is made.
async fn successor(engine: &Engine, wanted: &Wanted, old: Option<&Value>) -> Result<Making, Failure> {
    let changes = match &wanted.successor {
        Successor::With(changes) => changes,
        Successor::Predecessor => {
            let old = old.ok_or_else(|| super::engine::missing(&wanted.name))?;
            return predecessor(engine, &wanted.name, old).await;
        }
    };
    match old.map(Making::remembered) {
        Some(Some(before)) => Ok(before.changed_by(changes.clone())),
        Some(None) if changes.image().is_err() => Err(Failure::refused(
            409,
            format!(
                "{} does not remember how it was made, as others have made it; say all that the new one is made of",
                wanted.name
            ),
        )),
        Some(None) | None => Ok(changes.clone()),
    }
}

/// As the one was made that this one has replaced, from the very image that it was made from.
async fn predecessor(engine: &Engine, name: &str, there: &Value) -> Result<Making, Failure> {
    let before = Replaced::read(there).and_then(|replaced| replaced.before);
    let Some((made, image_id)) = before.and_then(|before| Some((before.made?, before.image_id))) else {
        return Err(Failure::refused(
            409,
            format!(
                "{name} does not remember what it has replaced, or how that was made; replace it by what it was, with all that \
                 it is made of"
            ),
        ));
    };
    // The name may lead to another image by now.
    let leads_there = images::find(engine, made.image()?).await?.is_some_and(|id| images::is_same(&id, &image_id));
    Ok(if leads_there { made } else { made.with_image(&image_id) })
}

/// Stops the old one and starts the new one, in the order that is wanted, up to where the new one is ready.
async fn bring_up(
    engine: &Engine,
    context: &CallContext,
    wanted: &Wanted,
    replaced: &Replaced,
    new: &str,
) -> Result<(), Failure> {
    if wanted.order == Order::StopFirst {
        stop_old(engine, wanted, replaced).await?;
    }
    engine.tell(new, "start", &[]).await?;
    wanted.ready.wait(engine, new, patience(context)).await?;
    if wanted.order == Order::StartFirst {
        stop_old(engine, wanted, replaced).await?;
    }
    Ok(())
}

async fn stop_old(engine: &Engine, wanted: &Wanted, replaced: &Replaced) -> Result<(), Failure> {
    if let Some(old) = replaced.before.as_ref().filter(|before| before.was_running) {
        engine.tell(&old.id, "stop", &[("t", &wanted.grace.to_string())]).await?;
    }
    Ok(())
}

/// Gives the name to the new one.
async fn commit(engine: &Engine, key: &str, new: &str, replaced: &Replaced) -> Result<(), Failure> {
    if let Some(old) = &replaced.before {
        rename(engine, &old.id, &old_name(&replaced.name, key)).await?;
    }
    rename(engine, new, &replaced.name).await
}

/// Removes what was replaced. It has done its work: one that stays is in nobody's way.
async fn discard_before(engine: &Engine, context: &CallContext, replaced: &Replaced) {
    if replaced.before.is_none() {
        return;
    }
    let old = old_name(&replaced.name, &context.key);
    if let Err(failure) = engine.repeatable().discard(&old).await {
        context.warn(format!("{old} is replaced, and could not be removed: {}", failure.detail()));
    }
}

/// Takes a replacement back that has failed, and says so with its failure.
async fn taken_back(
    engine: &Engine,
    context: &CallContext,
    new: &str,
    replaced: &Replaced,
    failure: Failure,
) -> Failure {
    let name = &replaced.name;
    match take_back(&engine.repeatable().within(BACK), new, replaced).await {
        Ok(()) => {
            let now = match &replaced.before {
                Some(before) if before.was_running => format!("{name} runs again as before, from {}", before.image),
                _ => format!("{name} is as it was before"),
            };
            context.warn(format!("{}; {now}", failure.detail()));
            // It is certain now that it did not happen.
            let kind = if is_uncertain(&failure) { FailureKind::Retryable } else { failure.kind };
            let mut error = *failure.error;
            error.detail = Some(format!("{}; {now}", error.detail.unwrap_or_default()));
            Failure { kind, error: Box::new(error) }
        }
        Err(second) => {
            let detail = format!(
                "{}; and {name} could not be put back: {}; look at {name} and {new} on the engine, start the one and remove \
                 the other",
                failure.detail(),
                second.detail()
            );
            context.warn(&detail);
            Failure::unknown(RunError::new(StandardError::Runtime, detail))
        }
    }
}

/// Brings back what was there, and removes the new one last, since it knows what that was.
async fn take_back(engine: &Engine, new: &str, replaced: &Replaced) -> Result<(), Failure> {
    if engine.look(new).await?.is_none() {
        // It was never made, so that nothing was stopped.
        return Ok(());
    }
    // Its ports and volumes are the old one's again. Whether it ran makes no difference.
    engine.ask(Method::POST, &["containers", new, "stop"], &[("t", "0")], None).await?;
    if let Some(before) = &replaced.before
        && let Some(there) = engine.look(&before.id).await?
    {
        if shown::name(&there) != replaced.name {
            rename(engine, &before.id, &replaced.name).await?;
        }
        if before.was_running {
            engine.tell(&before.id, "start", &[]).await?;
        }
    }
    engine.discard(new).await?;
    Ok(())
}

async fn rename(engine: &Engine, container: &str, name: &str) -> Result<(), Failure> {
    engine.tell(container, "rename", &[("name", name)]).await.map(|_| ())
}

/// How asking for a new container has ended, as far as it can be gone on from there.
enum Created {
    Made,
    /// There is one of that name.
    Taken,
    /// The image is not there, in the words of the engine.
    NoImage(String),
}

async fn create(engine: &Engine, name: &str, making: &Making, own: &[(&str, String)]) -> Result<Created, Failure> {
    let body = making.body(own)?;
    let what = format!("a new container {name}");
    let answer = engine.ask(Method::POST, &["containers", "create"], &[("name", name)], Some(&body)).await?;
    let said = || engine.accepted(&what, &answer).err().map(|failure| failure.detail().to_owned()).unwrap_or_default();
    match answer.status {
        409 => Ok(Created::Taken),
        // So says Podman before 6.
        500 if said().contains("is already in use by") => Ok(Created::Taken),
        404 => {
            let said = said();
            // A network or a volume may be missing as well.
            if said.to_ascii_lowercase().contains("image") {
                Ok(Created::NoImage(said))
            } else {
                Err(Failure::refused(404, said))
            }
        }
        _ => {
            let made = engine.document(&what, &answer)?;
            if made.get("Id").is_some_and(Value::is_string) { Ok(Created::Made) } else { Err(engine.garbled(&what)) }
        }
    }
}

/// What a container wrote that did not become ready, for the task's log.
pub(super) async fn tell_last_words(engine: &Engine, context: &CallContext, name: &str) {
    let limit = command::output_limit();
    let Ok(written) = command::logs(&engine.within(BACK), name, LINES, limit).await else { return };
    for (output, level) in [("stdout", LogLevel::Info), ("stderr", LogLevel::Warn)] {
        for line in written.get(output).and_then(Value::as_str).into_iter().flat_map(str::lines) {
            context.log.line(level, line);
        }
    }
}

/// How long a new container may take, so that there is time left to take it back.
fn patience(context: &CallContext) -> Duration {
    let left = context.limit();
    left.saturating_sub((left / 3).min(RESERVE))
}

/// What was made, and cannot be read, is there all the same.
fn unread(name: &str, mut failure: Failure) -> Failure {
    failure.error.detail = Some(format!("{name} was started, and could not be read after it: {}", failure.detail()));
    Failure::unknown(*failure.error)
}

fn is_uncertain(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Unknown | FailureKind::Lost)
}

fn new_name(name: &str, key: &str) -> String {
    format!("{name}{NEW}{}", short(key))
}

fn old_name(name: &str, key: &str) -> String {
    format!("{name}.old-{}", short(key))
}

fn short(key: &str) -> String {
    making::mark(key).get(..8).unwrap_or_default().to_owned()
}
