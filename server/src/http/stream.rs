//! Live streams by server-sent events. They tell that something may have changed; what, the page asks itself.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::{
        Sse,
        sse::{Event, KeepAlive},
    },
};
use domain::{RunId, RunStatus};
use engine::Topic;
use serde::{Deserialize, Serialize};
use service::Caller;
use tokio::{
    sync::{broadcast::error::RecvError, mpsc},
    time::{Instant, MissedTickBehavior, interval_at, sleep},
};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;

use super::{
    Portal,
    identify::SignedIn,
    problem::Answer,
    rest::{Asked, Place},
};

/// A comment is sent this often, and it is looked whether the reader may still read.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Changes that follow each other within this time are told as one.
const GATHER: Duration = Duration::from_millis(100);
/// Log lines read at once.
const LINES: u32 = 500;
/// Events that wait for a slow reader; then the stream waits, and tells the newest state afterwards.
const QUEUE: usize = 64;

type Events = mpsc::Sender<Result<Event, Infallible>>;
type EventStream = Sse<axum::response::sse::KeepAliveStream<ReceiverStream<Result<Event, Infallible>>>>;

fn sse(events: ReceiverStream<Result<Event, Infallible>>) -> EventStream {
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT))
}

/// The reader has gone.
struct Gone;

async fn send(events: &Events, name: &str, data: &impl Serialize) -> Result<(), Gone> {
    let event = Event::default().event(name).json_data(data).map_err(|_| Gone)?;
    events.send(Ok(event)).await.map_err(|_| Gone)
}

/// What a run's stream says of it.
#[derive(Serialize)]
struct RunState {
    version: i64,
    status: RunStatus,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct RunStreamQuery {
    /// Log lines after this place (`seq`); 0 for all.
    #[serde(default)]
    after: i64,
}

/// Follow a run: event `run` (`{version, status}`) at once and on each change, event `log` (a log line) for each line.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/stream",
    tag = "runs",
    operation_id = "streamRun",
    params(("id" = String, Path, description = "The run's id"), RunStreamQuery),
    responses((status = 200, description = "Server-sent events `run` and `log`", content_type = "text/event-stream", body = String)),
    extensions(("x-rondo-operation" = json!("run.read")))
)]
pub(super) async fn run(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<RunId>,
    Asked(query): Asked<RunStreamQuery>,
) -> Answer<EventStream> {
    // Refused here, with a status that clients understand, rather than in the stream.
    portal.service.run_state(&caller, id).await?;
    let (events, stream) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        // The reader's going ends it, as every other end does.
        let _ = follow_run(&portal, caller, id, query.after, &events).await;
    });
    Ok(sse(ReceiverStream::new(stream)))
}

async fn follow_run(
    portal: &Portal,
    mut caller: Caller,
    id: RunId,
    mut after: i64,
    events: &Events,
) -> Result<(), Gone> {
    let mut changes = portal.service.live().runs();
    let mut logs = portal.service.live().logs();
    let mut beat = heartbeat();
    let mut told: Option<i64> = None;
    loop {
        // Loaded anew each time: hints may be lost, and rights may have changed.
        let Some(now) = portal.service.caller_now(&caller).await.map_err(|_| Gone)? else { return Ok(()) };
        caller = now;
        let state = portal.service.run_state(&caller, id).await.map_err(|_| Gone)?;
        if told != Some(state.version) {
            send(events, "run", &RunState { version: state.version, status: state.status }).await?;
            told = Some(state.version);
        }
        loop {
            let lines = portal.service.run_logs(&caller, id, None, after, Some(LINES)).await.map_err(|_| Gone)?;
            let full = lines.len() >= LINES as usize;
            for line in lines {
                send(events, "log", &line).await?;
                after = line.seq;
            }
            if !full {
                break;
            }
        }
        loop {
            tokio::select! {
                () = portal.stop.cancelled() => return Ok(()),
                () = events.closed() => return Ok(()),
                _ = beat.tick() => break,
                change = changes.recv() => match change {
                    Ok(change) if change.run != id => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return Ok(()),
                },
                logged = logs.recv() => match logged {
                    Ok(run) if run != id => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return Ok(()),
                },
            }
        }
    }
}

/// All that a person's stream tells of.
const EVERYTHING: [&str; 7] =
    ["runs", "approvals", "notifications", "repositories", "connections", "triggers", "runners"];

#[derive(Default, Serialize)]
struct Changed {
    topics: Vec<&'static str>,
}

impl Changed {
    fn add(&mut self, topic: &'static str) {
        if !self.topics.contains(&topic) {
            self.topics.push(topic);
        }
    }
}

/// Follow everything of the signed-in person: event `changed` with `{topics}`.
pub(super) async fn person(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> EventStream {
    let (events, stream) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let _ = follow_person(&portal, &caller, &events).await;
    });
    sse(ReceiverStream::new(stream))
}

async fn follow_person(portal: &Portal, caller: &Caller, events: &Events) -> Result<(), Gone> {
    let mut runs = portal.service.live().runs();
    let mut topics = portal.service.live().topics();
    let mut beat = heartbeat();
    // Tells the client's library that the stream stands.
    let hello = Event::default().comment("following");
    events.send(Ok(hello)).await.map_err(|_| Gone)?;
    let mut gathered = Changed::default();
    let gather = sleep(GATHER);
    tokio::pin!(gather);
    loop {
        let waiting = !gathered.topics.is_empty();
        tokio::select! {
            () = portal.stop.cancelled() => return Ok(()),
            () = events.closed() => return Ok(()),
            _ = beat.tick() => {
                if portal.service.caller_now(caller).await.map_err(|_| Gone)?.is_none() {
                    return Ok(());
                }
            }
            () = &mut gather, if waiting => {
                // Rights are looked at again when the page asks for what has changed.
                if portal.service.caller_now(caller).await.map_err(|_| Gone)?.is_none() {
                    return Ok(());
                }
                send(events, "changed", &std::mem::take(&mut gathered)).await?;
            }
            change = runs.recv() => {
                if matches!(change, Err(RecvError::Closed)) {
                    return Ok(());
                }
                gathered.add("runs");
            }
            topic = topics.recv() => match topic {
                Ok(Topic::Approvals) => gathered.add("approvals"),
                Ok(Topic::Repositories) => gathered.add("repositories"),
                Ok(Topic::Connections) => gathered.add("connections"),
                Ok(Topic::Triggers) => gathered.add("triggers"),
                Ok(Topic::Runners) => gathered.add("runners"),
                Ok(Topic::Notifications(user)) if user == caller.user => gathered.add("notifications"),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => EVERYTHING.into_iter().for_each(|topic| gathered.add(topic)),
                Err(RecvError::Closed) => return Ok(()),
            },
        }
        if !waiting && !gathered.topics.is_empty() {
            gather.as_mut().reset(Instant::now() + GATHER);
        }
    }
}

fn heartbeat() -> tokio::time::Interval {
    let mut beat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat
}
