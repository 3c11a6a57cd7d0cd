//! The one connection that writes. Units take turns at it, and those that wait for each other become durable together.
//!
//! A commit costs a write to the disk, whatever it holds. So a unit is a savepoint in a transaction that stays open while
//! other units wait for their turn: each is told that it is durable when the transaction is. A unit that nobody waits
//! behind commits at once, so that being alone costs nothing. A unit that fails takes back its savepoint only.
//!
//! Turns are given in the order of asking, and so is the one that ends the transaction: no unit waits for more than those
//! that had asked before it ended.
//!
//! SQLite works on a thread of its own, and each statement is handed there and back. So units that are one batch each are
//! collected while they wait, and have one turn together, in as few statements as can be prepared beforehand.

use std::{
    fmt, mem,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sqlx::{Pool, pool::PoolConnection};
use store::{Result, StoreError};
use tokio::{
    sync::{Mutex, Notify, OwnedMutexGuard, oneshot},
    task::JoinHandle,
};

use crate::{
    db::{self, Connection, Db},
    statement::{Statement, query_of},
};

/// What takes back a unit that shares a transaction.
const TAKE_BACK: &str = "ROLLBACK TO unit; RELEASE unit";
/// So many batches are written by one statement at most. There is one to be prepared for each number.
const TOGETHER: usize = 8;
/// How long a unit waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Gives turns at the connection.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Shared>);

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

struct Shared {
    group: Arc<Mutex<Group>>,
    queue: Arc<Queue>,
}

/// Who waits for a turn, and for the end of the transaction.
#[derive(Default)]
struct Queue {
    /// Units of one batch each, which will have one turn together.
    batches: std::sync::Mutex<Vec<Waiter>>,
    /// Units that wait for a turn.
    units: AtomicUsize,
    /// Rung when the transaction should end after the turns that are asked for now.
    end: Notify,
}

/// A unit of one batch that waits to be written.
struct Waiter {
    batch: Statement,
    tell: oneshot::Sender<Result<()>>,
}

/// The transaction that units share.
#[derive(Debug)]
struct Group {
    pool: Pool<Db>,
    /// Opened when it is needed.
    connection: Option<PoolConnection<Db>>,
    /// Whether the transaction has begun.
    open: bool,
    /// Those who have had their turn and wait until it is durable.
    members: Vec<oneshot::Sender<Result<()>>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the transaction that this unit of work shared was lost: {0}")]
struct Lost(String);

#[derive(Debug, thiserror::Error)]
#[error("no turn at the database within {} seconds", PATIENCE.as_secs())]
struct NoTurn;

impl Writer {
    /// With the one connection of this pool.
    pub(crate) fn new(pool: Pool<Db>) -> Self {
        let group = Group { pool, connection: None, open: false, members: Vec::new() };
        let (group, queue) = (Arc::new(Mutex::new(group)), Arc::new(Queue::default()));
        let (shared, bell) = (Arc::downgrade(&group), Arc::clone(&queue));
        tokio::spawn(async move {
            loop {
                bell.end.notified().await;
                let Some(group) = shared.upgrade() else { return };
                // Those whom it concerns are told.
                let _ = group.lock().await.end("COMMIT").await;
            }
        });
        Self(Arc::new(Shared { group, queue }))
    }

    /// A turn, which is waited for when it begins.
    pub(crate) fn turn(&self) -> Turn {
        Turn { writer: self.clone(), group: None, begun: false }
    }

    /// Waits until nobody writes, and gives the connection, in no transaction.
    pub(crate) async fn alone(&self) -> Result<Alone> {
        let mut group = self.wait().await?;
        let _ = group.end("COMMIT").await;
        group.connect().await?;
        Ok(Alone(group))
    }

    /// Units that wait for a turn.
    pub(crate) fn waiting(&self) -> usize {
        self.0.queue.units.load(Ordering::Relaxed)
    }

    /// Units of one batch that wait to be written.
    #[cfg(test)]
    pub(crate) fn collected(&self) -> usize {
        self.0.queue.batches().len()
    }

    /// Closes the connection.
    pub(crate) async fn close(&self) {
        let mut group = self.0.group.lock().await;
        let _ = group.end("COMMIT").await;
        group.connection = None;
        group.pool.close().await;
    }

    async fn wait(&self) -> Result<OwnedMutexGuard<Group>> {
        let _waiting = Waiting::begin(&self.0.queue);
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.0.group).lock_owned()).await;
        turn.map_err(|_| StoreError::Unavailable(Box::new(NoTurn)))
    }

    /// Writes a batch as the whole of a unit, and waits until it is durable.
    async fn write(&self, batch: Statement) -> Result<()> {
        batch.check()?;
        let (tell, told) = oneshot::channel();
        let is_first = {
            let mut batches = self.0.queue.batches();
            batches.push(Waiter { batch, tell });
            batches.len() == 1
        };
        if is_first {
            // In a task, for others depend on it.
            tokio::spawn(self.clone().write_batches());
        }
        told.await.unwrap_or_else(|_| lost("nobody wrote it"))
    }

    /// Writes what has been collected until the turn comes.
    async fn write_batches(self) {
        let begun = async {
            let mut group = self.wait().await?;
            group.connect().await?;
            Ok(group)
        };
        let begun = begun.await;
        let mut waiters = mem::take(&mut *self.0.queue.batches());
        let mut group = match begun {
            Ok(group) => group,
            Err(error) => return tell_all(waiters, &error),
        };
        // None of them can depend on another, for none has been told that it is written.
        waiters.sort_by(|one, other| one.batch.text.cmp(&other.batch.text));
        while let Some(first) = waiters.first() {
            let alike =
                waiters.iter().take(TOGETHER).take_while(|waiter| waiter.batch.text == first.batch.text).count();
            let chunk = waiters.drain(..alike).collect();
            let is_last = waiters.is_empty() && self.waiting() == 0;
            if let Err(error) = group.write(chunk, is_last).await {
                return tell_all(waiters, &error);
            }
        }
        if group.open {
            self.end_soon();
        }
    }

    /// Has the transaction end after the turns that are asked for now.
    fn end_soon(&self) {
        self.0.queue.end.notify_one();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.end.notify_one();
    }
}

impl Queue {
    fn batches(&self) -> std::sync::MutexGuard<'_, Vec<Waiter>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell_all(waiters: impl IntoIterator<Item = Waiter>, error: &StoreError) {
    for waiter in waiters {
        let _ = waiter.tell.send(lost(&error.to_string()));
    }
}

/// Counts a unit that waits, also when it gives up.
struct Waiting<'a>(&'a Queue);

impl<'a> Waiting<'a> {
    fn begin(queue: &'a Queue) -> Self {
        queue.units.fetch_add(1, Ordering::Relaxed);
        Self(queue)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.units.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The writing connection, for what cannot be in a transaction with others.
pub(crate) struct Alone(OwnedMutexGuard<Group>);

impl Alone {
    pub(crate) fn connection(&mut self) -> Result<&mut Connection> {
        self.0.connection.as_deref_mut().ok_or_else(|| StoreError::Unavailable(Box::new(NoTurn)))
    }
}

/// A unit's turn. Taken back on drop unless committed.
pub(crate) struct Turn {
    writer: Writer,
    /// Only while the turn lasts.
    group: Option<OwnedMutexGuard<Group>>,
    /// Whether the savepoint stands; if it may or may not, the transaction is given up.
    begun: bool,
}

/// What became of a unit at the end of its turn.
enum Over {
    /// It is durable, or lost.
    Known(Result<()>),
    /// It will be told.
    Later(oneshot::Receiver<Result<()>>),
}

impl Turn {
    /// Waits for the turn, unless it has begun.
    pub(crate) async fn begin(&mut self) -> Result<()> {
        let beginning = self.begin_with().await?;
        match &mut self.group {
            Some(group) if !beginning.is_empty() => group.control(beginning).await,
            _ => Ok(()),
        }
    }

    /// The same, with the statement that this text is put before.
    pub(crate) async fn begin_with(&mut self) -> Result<&'static str> {
        if self.group.is_some() {
            return Ok("");
        }
        let group = self.group.insert(self.writer.wait().await?);
        group.connect().await?;
        self.begun = true;
        let is_first = !group.open;
        group.open = true;
        Ok(if is_first { "BEGIN IMMEDIATE; SAVEPOINT unit; " } else { "SAVEPOINT unit; " })
    }

    pub(crate) fn connection(&mut self) -> Option<&mut Connection> {
        self.group.as_mut()?.connection.as_deref_mut()
    }

    /// Ends the turn, and waits until what was written is durable.
    pub(crate) async fn commit(self) -> Result<()> {
        if self.group.is_none() {
            return Ok(());
        }
        until_durable(tokio::spawn(self.keep())).await
    }

    /// Writes a batch as the last of the turn, or as all of it, and waits until it is durable.
    pub(crate) async fn write(self, batch: Statement) -> Result<()> {
        if self.group.is_none() {
            return self.writer.write(batch).await;
        }
        until_durable(tokio::spawn(self.keep_batch(batch))).await
    }

    async fn keep(mut self) -> Over {
        let Some(mut group) = self.group.take() else { return Over::Known(lost("its turn was over")) };
        if self.writer.waiting() == 0 {
            return Over::Known(group.end("RELEASE unit; COMMIT").await);
        }
        if let Err(error) = group.control("RELEASE unit").await {
            group.give_up(&error.to_string());
            return Over::Known(Err(error));
        }
        self.later(&mut group)
    }

    async fn keep_batch(mut self, batch: Statement) -> Over {
        let Some(group) = &mut self.group else { return Over::Known(lost("its turn was over")) };
        let is_last = self.writer.waiting() == 0;
        let after = if is_last { "; RELEASE unit; COMMIT" } else { "; RELEASE unit" };
        if let Err(error) = group.execute(&[batch], "", after).await {
            let _ = self.rollback().await;
            return Over::Known(Err(error));
        }
        let Some(mut group) = self.group.take() else { return Over::Known(lost("its turn was over")) };
        if is_last {
            group.ended();
            return Over::Known(Ok(()));
        }
        self.later(&mut group)
    }

    /// Has the unit told when the transaction ends.
    fn later(&self, group: &mut Group) -> Over {
        let (tell, told) = oneshot::channel();
        group.members.push(tell);
        self.writer.end_soon();
        Over::Later(told)
    }

    pub(crate) async fn rollback(mut self) -> Result<()> {
        if let Some(taken_back) = self.taken_back() {
            // In a task, for others depend on it.
            let _ = tokio::spawn(taken_back).await;
        }
        Ok(())
    }

    pub(crate) fn distrust(&mut self) {
        self.begun = false;
    }

    fn taken_back(&mut self) -> Option<impl Future<Output = ()> + use<>> {
        let group = self.group.take()?;
        Some(take_back(group, self.begun.then_some(TAKE_BACK), self.writer.clone()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(taken_back) = self.taken_back() {
            tokio::spawn(taken_back);
        }
    }
}

/// Waits in a task, for others depend on a unit, whether it is still waited for or not.
async fn until_durable(unit: JoinHandle<Over>) -> Result<()> {
    match unit.await.unwrap_or(Over::Known(lost("its task was ended"))) {
        Over::Known(outcome) => outcome,
        Over::Later(told) => told.await.unwrap_or_else(|_| lost("nobody ended it")),
    }
}

/// Takes back what a unit has written by this statement, and nothing of what others have.
async fn take_back(mut group: OwnedMutexGuard<Group>, how: Option<&'static str>, writer: Writer) {
    let taken_back = match how {
        Some(statement) => group.control(statement).await.is_ok(),
        None => false,
    };
    if !taken_back {
        // After some errors SQLite has rolled everything back by itself.
        group.give_up("another unit of work could not be taken back");
    } else if writer.waiting() == 0 {
        let _ = group.end("COMMIT").await;
    } else {
        writer.end_soon();
    }
}

impl Group {
    async fn connect(&mut self) -> Result<()> {
        if self.connection.is_none() {
            self.connection = Some(self.pool.acquire().await.map_err(db::error)?);
        }
        Ok(())
    }

    async fn control(&mut self, text: &'static str) -> Result<()> {
        match self.connection.as_deref_mut() {
            Some(connection) => sqlx::raw_sql(text).execute(connection).await.map(|_| ()).map_err(db::error),
            None => lost("its connection was closed"),
        }
    }

    /// Writes batches that differ only in their values. Each is told what becomes of it; an error says that all is lost.
    async fn write(&mut self, waiters: Vec<Waiter>, is_last: bool) -> Result<()> {
        let before = if self.open { "SAVEPOINT unit; " } else { "BEGIN IMMEDIATE; SAVEPOINT unit; " };
        let after = if is_last { "; RELEASE unit; COMMIT" } else { "; RELEASE unit" };
        let (batches, tells): (Vec<_>, Vec<_>) = waiters.into_iter().map(|one| (one.batch, one.tell)).unzip();
        let outcome = self.execute(&batches, before, after).await;
        self.open = true;
        let waiters = batches.into_iter().zip(tells).map(|(batch, tell)| Waiter { batch, tell });
        let Err(error) = outcome else {
            self.members.extend(waiters.map(|waiter| waiter.tell));
            if is_last {
                self.ended();
            }
            return Ok(());
        };
        if self.control(TAKE_BACK).await.is_err() {
            // The transaction did not begin, could not end, or SQLite has rolled everything back by itself.
            tell_all(waiters, &error);
            self.give_up(&error.to_string());
            return Err(error);
        }
        let mut waiters: Vec<_> = waiters.collect();
        if waiters.len() > 1 {
            for waiter in waiters {
                Box::pin(self.write(vec![waiter], false)).await?;
            }
        } else if let Some(waiter) = waiters.pop() {
            let _ = waiter.tell.send(Err(error));
        }
        Ok(())
    }

    async fn execute(&mut self, statements: &[Statement], before: &'static str, after: &'static str) -> Result<()> {
        let query = query_of(statements, before, after)?;
        match self.connection.as_deref_mut() {
            Some(connection) => query.execute(connection).await.map(|_| ()).map_err(db::error),
            None => lost("its connection was closed"),
        }
    }

    /// Ends the transaction by this statement, and tells its members.
    async fn end(&mut self, statement: &'static str) -> Result<()> {
        if !self.open {
            return Ok(());
        }
        let outcome = self.control(statement).await;
        match &outcome {
            Ok(()) => self.ended(),
            Err(error) => self.give_up(&error.to_string()),
        }
        outcome
    }

    /// The transaction is durable: tells its members.
    fn ended(&mut self) {
        self.open = false;
        for member in self.members.drain(..) {
            // An error only says that the unit is not waited for any more.
            let _ = member.send(Ok(()));
        }
    }

    /// Closes the connection, by which the transaction is rolled back, and tells its members.
    fn give_up(&mut self, why: &str) {
        self.open = false;
        if let Some(mut connection) = self.connection.take() {
            connection.close_on_drop();
        }
        for member in self.members.drain(..) {
            let _ = member.send(lost(why));
        }
    }
}

fn lost(why: &str) -> Result<()> {
    Err(StoreError::Unavailable(Box::new(Lost(why.to_owned()))))
}
