//! Runs that end badly while calls are under way: what happened all the same is taken back (ADR 17).

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use domain::{RunId, RunStatus, TaskStatus};
use engine::{NoObserver, Observer};
use serde_json::json;
use store::{runs::Task, workflows::VersionState};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use workflow::{CallId, EventKind, Resolution, RunError};

use crate::lab::Lab;

/// Another system: a `POST` makes something once it is let, a `DELETE` takes it back.
struct Counterpart {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
    gate: Arc<Semaphore>,
}

impl Counterpart {
    /// With `answers` it answers to what it makes, else it hangs up.
    async fn start(answers: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, gate) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(Semaphore::new(0)));
        let (told, let_go) = (Arc::clone(&seen), Arc::clone(&gate));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&told), Arc::clone(&let_go), answers));
            }
        });
        Self { url, seen, gate }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn let_one_happen(&self) {
        self.gate.add_permits(1);
    }

    /// A task that makes something and says how it is taken back.
    fn task(&self) -> String {
        let url = &self.url;
        format!(
            "
  - make:
      call: http
      with: {{method: post, endpoint: '{url}/things'}}
      metadata: {{rondo: {{compensate: [{{unmake: {{call: http, with: {{method: delete, endpoint: '${{ \"{url}/things/\" + $output.id }}'}}}}}}]}}}}
"
        )
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, gate: Arc<Semaphore>, answers: bool) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let asked: String = head.split(' ').take(2).collect::<Vec<_>>().join(" ");
    seen.lock().unwrap().push(asked.clone());
    if asked.starts_with("POST") {
        gate.acquire().await.unwrap().forget();
        seen.lock().unwrap().push("made".to_owned());
        if !answers {
            return;
        }
    }
    let body = r#"{"id":"7"}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn cancel() -> EventKind {
    EventKind::CancelRequested { by: "operator".to_owned(), reason: None }
}

async fn task(lab: &Lab, run: RunId, name: &str) -> Task {
    lab.tasks(run).await.into_iter().find(|task| task.name == name).unwrap()
}

async fn is_cancelling(lab: &Lab, run: RunId) {
    lab.wait(run, |run| run.error.as_ref().is_some_and(|error| error.contains("cancelled"))).await;
}

async fn resolve(lab: &Lab, run: RunId, name: &str, resolution: Resolution) {
    let call = CallId(task(lab, run, name).await.call.unwrap());
    lab.push(run, EventKind::CallResolved { call, resolution, by: "operator".to_owned() }).await;
}

/// Also run on PostgreSQL.
pub(crate) async fn what_happens_after_a_cancel_is_taken_back(lab: &Lab) {
    let other = Counterpart::start(true).await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(&other.task()).await;
    lab.wait(id, |_| other.seen() == ["POST /things"]).await;
    lab.push(id, cancel()).await;
    is_cancelling(lab, id).await;
    assert_eq!(lab.run(id).await.status, RunStatus::Running);
    assert_eq!(task(lab, id, "make").await.status, TaskStatus::Running);
    other.let_one_happen();
    let run = lab.wait_for(id, RunStatus::Cancelled).await;
    assert!(run.compensated && !run.needs_attention, "{run:?}");
    assert_eq!(other.seen(), ["POST /things", "made", "DELETE /things/7"]);
    assert_eq!(task(lab, id, "make").await.status, TaskStatus::Completed);
    engine.shut_down().await;
}

#[tokio::test]
async fn what_happens_after_a_cancel_is_taken_back_on_sqlite() {
    what_happens_after_a_cancel_is_taken_back(&Lab::new().await).await;
}

#[tokio::test]
async fn of_what_nobody_can_tell_an_operator_is_asked() {
    for happened in [true, false] {
        let lab = Lab::new().await;
        let other = Counterpart::start(false).await;
        let engine = lab.start(Arc::new(NoObserver));
        let id = lab.launch(&other.task()).await;
        lab.wait(id, |_| other.seen() == ["POST /things"]).await;
        lab.push(id, cancel()).await;
        is_cancelling(&lab, id).await;
        other.let_one_happen();
        let run = lab.wait(id, |run| run.needs_attention).await;
        assert_eq!(run.status, RunStatus::Running);
        assert_eq!(task(&lab, id, "make").await.status, TaskStatus::Unknown);
        let resolution = if happened {
            Resolution::Done { output: json!({"id": "8"}) }
        } else {
            Resolution::Failed { error: RunError::communication(500, "it is not there") }
        };
        resolve(&lab, id, "make", resolution).await;
        let run = lab.wait_for(id, RunStatus::Cancelled).await;
        assert_eq!((run.compensated, run.needs_attention), (happened, false));
        assert_eq!(other.seen().last().unwrap() == "DELETE /things/8", happened, "{:?}", other.seen());
        engine.shut_down().await;
    }
}

/// Kills the actor once, when its journal is so long.
struct KilledAt {
    version: i64,
    struck: AtomicBool,
}

impl Observer for KilledAt {
    fn after_commit(&self, _run: RunId, version: i64) {
        if version == self.version && !self.struck.swap(true, Ordering::SeqCst) {
            std::panic::resume_unwind(Box::new("killed by the test"));
        }
    }
}

/// The next owner asks the other system, and makes nothing only to take it back.
#[tokio::test]
async fn a_node_that_dies_after_a_cancel_leaves_it_to_the_next_to_find_out() {
    let undo = "metadata: {rondo: {compensate: [{undo: {call: scripted, with: {step: undo}}}]}}";
    for mode in ["probe", "once"] {
        let lab = Lab::new().await;
        // Started, and, where it cannot be probed, begun; then cancelled.
        let version = if mode == "once" { 3 } else { 2 };
        let engine = lab.start(Arc::new(KilledAt { version, struck: AtomicBool::new(false) }));
        let id = lab
            .launch(&format!(
                "\n  - one: {{call: scripted, with: {{step: one, mode: {mode}, pause: 60000}}, {undo}}}\n"
            ))
            .await;
        lab.wait(id, |run| run.journal_version == version - 1).await;
        lab.push(id, cancel()).await;
        if mode == "once" {
            lab.wait(id, |run| run.needs_attention).await;
            resolve(&lab, id, "one", Resolution::Done { output: json!({}) }).await;
        }
        let run = lab.wait_for(id, RunStatus::Cancelled).await;
        assert_eq!(run.compensated, mode == "once");
        let steps = lab.script.steps();
        assert_eq!(steps, if mode == "once" { vec!["undo"] } else { vec![] }, "{mode}");
        engine.shut_down().await;
    }
}

/// What has not been begun when its run is over is not begun any more.
#[tokio::test]
async fn a_call_that_waits_for_its_turn_is_not_made() {
    let lab = Lab::new().await;
    let engine = lab.start_with(Arc::new(NoObserver), |settings| settings.calls = 1);
    let holder =
        lab.define("holder", "1.0.0", VersionState::Published, "\n  - hold: {call: gated, with: {step: hold}}\n");
    let holder = lab.launch_version(&holder.await).await;
    lab.wait(holder, |_| lab.gate.under_way() == 1).await;
    let id = lab
        .launch(
            "\n  - one: {call: scripted, with: {step: one}, metadata: {rondo: {compensate: [{undo: {call: scripted, with: {step: undo}}}]}}}\n",
        )
        .await;
    lab.wait(id, |run| run.status == RunStatus::Running).await;
    lab.push(id, cancel()).await;
    let run = lab.wait_for(id, RunStatus::Cancelled).await;
    assert!(!run.compensated);
    assert_eq!(lab.script.steps(), Vec::<String>::new());
    lab.gate.let_end(1);
    lab.wait_for(holder, RunStatus::Completed).await;
    engine.shut_down().await;
}

#[tokio::test]
async fn a_process_that_was_ended_may_have_done_its_work() {
    let lab = Lab::new().await;
    lab.permit_processes().await;
    let engine = lab.start(Arc::new(NoObserver));
    let undo = "metadata: {rondo: {idempotent: true, compensate: [{undo: {call: scripted, with: {step: undo}}}]}}";
    let id =
        lab.launch(&format!("\n  - sh: {{run: {{shell: {{command: 'echo $$; exec sleep 1000'}}}}, {undo}}}\n")).await;
    let pid = crate::processes::lines(&lab, id, 1).await.remove(0).text;
    lab.push(id, cancel()).await;
    lab.wait(id, |run| run.needs_attention).await;
    crate::processes::ended(&pid).await;
    resolve(&lab, id, "sh", Resolution::Done { output: json!({"code": 0, "stdout": "", "stderr": ""}) }).await;
    assert!(lab.wait_for(id, RunStatus::Cancelled).await.compensated);
    assert_eq!(lab.script.steps(), ["undo"]);
    engine.shut_down().await;
}

/// A run that another one has started takes itself back, and says that it came to nothing.
#[tokio::test]
async fn a_run_within_is_cancelled_and_waited_for() {
    let lab = Lab::new().await;
    let inner = "
  - one: {call: scripted, with: {step: one}, metadata: {rondo: {compensate: [{undo: {call: scripted, with: {step: undo one}}}]}}}
  - wait: {wait: {hours: 1}}
";
    lab.define("inner", "1.0.0", VersionState::Published, inner).await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab
        .launch(
            "\n  - in: {run: {workflow: {namespace: test, name: inner, version: 1.0.0}}, metadata: {rondo: {compensate: [{undo: {call: scripted, with: {step: undo in}}}]}}}\n",
        )
        .await;
    lab.wait(id, |_| lab.script.steps() == ["one"]).await;
    lab.push(id, cancel()).await;
    assert!(!lab.wait_for(id, RunStatus::Cancelled).await.compensated);
    let inner = lab.runs_of("inner").await.remove(0);
    assert_eq!((inner.status, inner.compensated), (RunStatus::Cancelled, true));
    assert_eq!(lab.script.steps(), ["one", "undo one"]);
    engine.shut_down().await;
}
