//! Asking for tasks, and carrying them out.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use engine::{
    Redaction,
    runners::protocol::{Assignment, Begin, Hello, Offer, Outcome, Payload, Poll, Report, VERSION, Welcome},
};
use runner::{RunnerProcess, Undone};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use workflow::{RunError, StandardError, process::ProcessResult};

use crate::{
    RunnerError, Settings,
    client::{CallError, Client},
    journal::Journal,
    lines::Wire,
};

/// How long after a failure the server is asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// The same where it does not want the runner now.
const REFUSED: Duration = Duration::from_secs(5);
/// How long nothing is asked while what is to be stopped comes to its end.
const ENDING: Duration = Duration::from_millis(200);

/// A runner at work.
pub(crate) struct Work {
    settings: Settings,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

/// What the tasks of a runner share.
struct Shared {
    journal: Journal,
    client: Arc<Client>,
    program: RunnerProcess,
    wire: Wire,
    tasks: Mutex<BTreeMap<Assignment, Task>>,
    /// Rung when there is less to do than before.
    freed: Notify,
}

/// A task of which the server has not taken a report.
struct Task {
    /// Set when nobody wants it any more.
    unwanted: CancellationToken,
    /// Whether its process is under way, or about to be.
    works: bool,
}

impl Work {
    pub(crate) fn new(
        settings: Settings,
        journal: Journal,
        client: Client,
        program: RunnerProcess,
        stop: CancellationToken,
    ) -> Self {
        let client = Arc::new(client);
        let wire = Wire::to(Arc::clone(&client));
        let tasks = Mutex::default();
        let shared = Arc::new(Shared { journal, client, program, wire, tasks, freed: Notify::new() });
        Self { settings, shared, stop }
    }

    /// Works until told to stop.
    pub(crate) async fn go_on(self) -> Result<(), RunnerError> {
        for (task, outcome) in self.shared.journal.left()? {
            let why = "the runner was ended while the process was under way".to_owned();
            let outcome = outcome.unwrap_or(Outcome::Lost { why });
            self.shared.tasks().insert(task, Task { unwanted: CancellationToken::new(), works: false });
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move { shared.report(task, outcome).await });
        }
        // What is under way when the server does not want this runner any more ends with this process.
        self.sessions().await
    }

    /// Sessions, one after the other.
    async fn sessions(&self) -> Result<(), RunnerError> {
        loop {
            let Some(welcome) = self.begin().await? else { return Ok(()) };
            match self.serve(&welcome).await {
                Ok(()) => return Ok(()),
                Err(CallError::Refused(why)) => {
                    warn!(why, "the server does not want this runner now; what was under way is ended");
                    self.shared.end_all();
                    self.rest(REFUSED).await;
                }
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// Begins a session; none when there is nothing to begin it for any more.
    async fn begin(&self) -> Result<Option<Welcome>, RunnerError> {
        let hello = Hello {
            protocol: VERSION,
            instance: self.shared.journal.instance.clone(),
            version: self.settings.version.clone(),
            capacity: self.settings.tasks,
        };
        let mut told = false;
        loop {
            if self.stop.is_cancelled() && self.shared.tasks().is_empty() {
                return Ok(None);
            }
            let pause = match self.shared.client.hello(&hello).await {
                Ok(welcome) => {
                    let labels: Vec<String> = welcome.labels.iter().map(ToString::to_string).collect();
                    info!(name = %welcome.name, labels = labels.join(","), server = %self.settings.server, "at work");
                    return Ok(Some(welcome));
                }
                Err(CallError::Away(why)) => {
                    if !told {
                        warn!(why, "waiting for the server");
                    }
                    PAUSE
                }
                Err(CallError::Refused(why)) => {
                    if !told {
                        warn!(why, "the server does not want this runner now; trying again");
                    }
                    REFUSED
                }
                Err(other) => return Err(other.into()),
            };
            told = true;
            if self.stop.is_cancelled() {
                // Whoever stops a runner while the server is away waits for no answer: the journal keeps it.
                return Ok(None);
            }
            self.rest(pause).await;
        }
    }

    async fn rest(&self, pause: Duration) {
        tokio::select! {
            () = sleep(pause) => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Asks for tasks until told to stop and everything is done.
    async fn serve(&self, welcome: &Welcome) -> Result<(), CallError> {
        let session = welcome.session;
        // Half as long again as it waits: there is half a lease left then, to be heard of on another connection.
        let limit = Duration::from_millis(welcome.patience.saturating_mul(3) / 2);
        let mut turn = 0;
        let mut away = false;
        loop {
            let stopping = self.stop.is_cancelled();
            let poll = {
                let tasks = self.shared.tasks();
                if stopping && tasks.is_empty() {
                    return Ok(());
                }
                let busy = u32::try_from(tasks.values().filter(|task| task.works).count()).unwrap_or(u32::MAX);
                let free = if stopping { 0 } else { self.settings.tasks.saturating_sub(busy) };
                turn += 1;
                Poll { session, turn, free, load: load(), tasks: tasks.keys().copied().collect() }
            };
            let told = async { if stopping { pending::<()>().await } else { self.stop.cancelled().await } };
            // What is answered to a poll that was given up is never looked at: the server gives such tasks out again.
            let answer = tokio::select! {
                biased;
                answer = self.shared.client.poll(&poll, limit) => answer,
                () = self.shared.freed.notified() => continue,
                () = told => {
                    info!("stopping: no new tasks, those under way are finished");
                    continue;
                }
            };
            let is_silent = matches!(answer, Ok(None));
            let silent = || CallError::Away("the server does not answer".to_owned());
            match answer.and_then(|orders| orders.ok_or_else(silent)) {
                Ok(orders) => {
                    if away {
                        info!("the server is back");
                    }
                    away = false;
                    let nothing_new = orders.tasks.is_empty() && !self.shared.stop(&orders.stop);
                    for offer in orders.tasks {
                        self.accept(offer);
                    }
                    if nothing_new && !orders.stop.is_empty() {
                        sleep(ENDING).await;
                    }
                }
                Err(CallError::Away(why)) => {
                    if !away {
                        warn!(why, "the server is away; what is under way goes on");
                    }
                    away = true;
                    if stopping && self.shared.tasks().values().all(|task| !task.works) {
                        return Ok(());
                    }
                    // Whoever was waited for in vain is asked anew at once, on another connection.
                    if !is_silent {
                        sleep(PAUSE).await;
                    }
                }
                Err(other) => return Err(other),
            }
        }
    }

    fn accept(&self, offer: Offer) {
        let task = offer.task;
        let unwanted = CancellationToken::new();
        self.shared.tasks().insert(task, Task { unwanted: unwanted.clone(), works: true });
        let shared = Arc::clone(&self.shared);
        info!(run = %task.run, reference = offer.reference, "given a task");
        tokio::spawn(async move { shared.carry_out(task, offer.payload, &unwanted).await });
    }
}

impl Shared {
    fn tasks(&self) -> MutexGuard<'_, BTreeMap<Assignment, Task>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody wants these any more; whether one of them was wanted until now.
    fn stop(&self, tasks: &[Assignment]) -> bool {
        let known = self.tasks();
        let mut news = false;
        for task in tasks.iter().filter_map(|task| known.get(task)) {
            news |= !task.unwanted.is_cancelled();
            task.unwanted.cancel();
        }
        news
    }

    fn end_all(&self) {
        self.tasks().values().for_each(|task| task.unwanted.cancel());
    }

    fn drop_task(&self, task: Assignment) {
        if let Err(error) = self.journal.forget(task) {
            // It is reported once more by the next process, and the server does not take it.
            warn!(%error, "the journal of the runner cannot be written");
        }
        self.tasks().remove(&task);
        self.freed.notify_one();
    }

    async fn carry_out(&self, task: Assignment, payload: Payload, unwanted: &CancellationToken) {
        if let Err(error) = self.journal.begin(task) {
            let why = format!("the journal of the runner cannot be written: {error}");
            warn!(why, "a task is not begun");
            return self.report(task, Outcome::NotBegun { why }).await;
        }
        if !self.may_begin(task, unwanted).await {
            return self.drop_task(task);
        }
        let Payload { process, redact } = payload;
        let redaction = Redaction::of(redact);
        let ear = self.wire.of(task, redaction.clone());
        let outcome = tokio::select! {
            ended = self.program.run(process, &ear) => outcome_of(ended, &redaction),
            // What is left of it is killed with the other branch.
            () = unwanted.cancelled() => Outcome::Stopped,
        };
        self.wire.flush().await;
        if let Err(error) = self.journal.end(task, &outcome) {
            warn!(%error, "the journal of the runner cannot be written");
        }
        self.report(task, outcome).await;
    }

    /// Asks the server whether the task may be begun, until it says so or nobody wants it any more.
    async fn may_begin(&self, task: Assignment, unwanted: &CancellationToken) -> bool {
        let begin = Begin { task };
        loop {
            let asked = tokio::select! {
                asked = self.client.begin(&begin) => asked,
                () = unwanted.cancelled() => return false,
            };
            match asked {
                Ok(verdict) => return verdict.agreed,
                Err(CallError::Away(_)) => sleep(PAUSE).await,
                Err(_) => return false,
            }
        }
    }

    /// Tells the server what became of a task, until it says that it has heard.
    async fn report(&self, task: Assignment, mut outcome: Outcome) {
        if let Some(task) = self.tasks().get_mut(&task) {
            task.works = false;
        }
        self.freed.notify_one();
        loop {
            match self.client.report(&Report { task, outcome: outcome.clone() }).await {
                Ok(verdict) => {
                    if !verdict.agreed {
                        info!(run = %task.run, "the server does not wait for the task any more");
                    }
                    return self.drop_task(task);
                }
                Err(CallError::TooLarge) => {
                    let error = "the process has written more than the server takes from a runner";
                    outcome = Outcome::Failed { error: RunError::new(StandardError::Runtime, error) };
                }
                // The journal keeps it, for the next time that the server wants this runner.
                Err(CallError::Unknown(_) | CallError::Wrong(_)) => return,
                Err(CallError::Refused(_)) => sleep(REFUSED).await,
                Err(CallError::Away(_)) => sleep(PAUSE).await,
            }
        }
    }
}

fn outcome_of(ended: Result<ProcessResult, Undone>, redaction: &Redaction) -> Outcome {
    match ended {
        Ok(result) => {
            let ProcessResult { code, stdout, stderr } = result;
            let (stdout, stderr) = (redaction.text(&stdout), redaction.text(&stderr));
            Outcome::Ended { result: ProcessResult { code, stdout, stderr } }
        }
        Err(Undone::Failed(mut error)) => {
            redaction.error(&mut error);
            Outcome::Failed { error }
        }
        Err(undone @ (Undone::NotStarted(_) | Undone::Stillborn)) => Outcome::NotBegun { why: undone.to_string() },
        Err(undone @ Undone::Lost) => Outcome::Lost { why: undone.to_string() },
    }
}

/// How busy this machine is, in percent of its processors.
fn load() -> u32 {
    let Ok(text) = std::fs::read_to_string("/proc/loadavg") else { return 0 };
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    percent(&text, processors).unwrap_or_default()
}

/// `0.42 0.30 …` of so many processors.
fn percent(text: &str, processors: usize) -> Option<u32> {
    let (whole, part) = text.split_whitespace().next()?.split_once('.')?;
    let hundredths = whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(part.get(..2)?.parse().ok()?)?;
    u32::try_from(hundredths / u64::try_from(processors.max(1)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn the_load_is_a_part_of_the_processors() {
        assert_eq!(percent("0.42 0.30 0.10 1/100 1", 1), Some(42));
        assert_eq!(percent("3.00 0.30 0.10 1/100 1", 2), Some(150));
        assert_eq!(percent("nothing", 2), None);
    }
}
