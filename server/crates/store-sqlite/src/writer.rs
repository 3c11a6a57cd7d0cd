//! The one connection that writes. Units take turns at it, and those that wait for each other become durable together.
//!
//! A commit costs a write to the disk, whatever it holds. So a unit is a savepoint in a transaction that stays open while
//! other units wait for their turn: each is told that it is durable when the transaction is. A unit that nobody waits
//! behind commits at once, so that being alone costs nothing. A unit that fails takes back its savepoint only.
//!
//! Turns are given in the order of asking, and so is the one that ends the transaction: no unit waits for more than those
//! that had asked before it ended.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sqlx::{Pool, pool::PoolConnection};
use store::{Result, StoreError};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, oneshot};

use crate::db::{self, Connection, Db};

/// How long a unit waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Gives turns at the connection.
#[derive(Debug)]
pub(crate) struct Writer {
    group: Arc<Mutex<Group>>,
    queue: Arc<Queue>,
}

/// Who waits for a turn, and for the end of the transaction.
#[derive(Debug, Default)]
struct Queue {
    /// Units that wait for a turn.
    units: AtomicUsize,
    /// Rung when the transaction should end after the turns that are asked for now.
    end: Notify,
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
        Self { group, queue }
    }

    /// Waits for a turn.
    pub(crate) async fn turn(&self) -> Result<Turn> {
        let group = self.wait().await?;
        let mut turn = Turn { group: Some(group), queue: Arc::clone(&self.queue), begun: false };
        turn.begin().await?;
        Ok(turn)
    }

    /// Waits until nobody writes, and gives the connection, in no transaction.
    pub(crate) async fn alone(&self) -> Result<Alone> {
        let mut group = self.wait().await?;
        let _ = group.end("COMMIT").await;
        group.connect().await?;
        Ok(Alone(group))
    }

    /// Units that wait for a turn.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.queue.units.load(Ordering::Relaxed)
    }

    /// Closes the connection.
    pub(crate) async fn close(&self) {
        let mut group = self.group.lock().await;
        let _ = group.end("COMMIT").await;
        group.connection = None;
        group.pool.close().await;
    }

    async fn wait(&self) -> Result<OwnedMutexGuard<Group>> {
        let _waiting = Waiting::begin(&self.queue);
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.group).lock_owned()).await;
        turn.map_err(|_| StoreError::Unavailable(Box::new(NoTurn)))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.end.notify_one();
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
    /// Gone once the turn is over.
    group: Option<OwnedMutexGuard<Group>>,
    queue: Arc<Queue>,
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
    async fn begin(&mut self) -> Result<()> {
        let Some(group) = self.group.as_mut() else { return Ok(()) };
        group.connect().await?;
        if group.open {
            group.control("SAVEPOINT unit").await?;
        } else {
            group.control("BEGIN IMMEDIATE; SAVEPOINT unit").await?;
            group.open = true;
        }
        self.begun = true;
        Ok(())
    }

    pub(crate) fn connection(&mut self) -> Option<&mut Connection> {
        self.group.as_mut()?.connection.as_deref_mut()
    }

    /// Ends the turn, and waits until what was written is durable.
    pub(crate) async fn commit(self) -> Result<()> {
        // In a task, for others depend on it, whether this unit is still waited for or not.
        let over = tokio::spawn(self.keep()).await.unwrap_or(Over::Known(lost("its task was ended")));
        match over {
            Over::Known(outcome) => outcome,
            Over::Later(told) => told.await.unwrap_or_else(|_| lost("nobody ended it")),
        }
    }

    async fn keep(mut self) -> Over {
        let Some(mut group) = self.group.take() else { return Over::Known(lost("its turn was over")) };
        if self.queue.units.load(Ordering::Relaxed) == 0 {
            return Over::Known(group.end("RELEASE unit; COMMIT").await);
        }
        if let Err(error) = group.control("RELEASE unit").await {
            group.give_up(&error.to_string());
            return Over::Known(Err(error));
        }
        let (tell, told) = oneshot::channel();
        group.members.push(tell);
        self.queue.end.notify_one();
        Over::Later(told)
    }

    pub(crate) async fn rollback(mut self) -> Result<()> {
        if let Some(group) = self.group.take() {
            // In a task for the same reason.
            let _ = tokio::spawn(take_back(group, self.begun, Arc::clone(&self.queue))).await;
        }
        Ok(())
    }

    pub(crate) fn distrust(&mut self) {
        self.begun = false;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(group) = self.group.take() {
            tokio::spawn(take_back(group, self.begun, Arc::clone(&self.queue)));
        }
    }
}

/// Takes back what a unit has written, and nothing of what others have.
async fn take_back(mut group: OwnedMutexGuard<Group>, begun: bool, queue: Arc<Queue>) {
    if !begun || group.control("ROLLBACK TO unit; RELEASE unit").await.is_err() {
        // After some errors SQLite has rolled everything back by itself.
        group.give_up("another unit of work could not be taken back");
    } else if queue.units.load(Ordering::Relaxed) == 0 {
        let _ = group.end("COMMIT").await;
    } else {
        queue.end.notify_one();
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

    /// Ends the transaction by this statement, and tells its members.
    async fn end(&mut self, statement: &'static str) -> Result<()> {
        if !self.open {
            return Ok(());
        }
        let outcome = self.control(statement).await;
        match &outcome {
            Ok(()) => {
                self.open = false;
                for member in self.members.drain(..) {
                    // An error only says that the unit is not waited for any more.
                    let _ = member.send(Ok(()));
                }
            }
            Err(error) => self.give_up(&error.to_string()),
        }
        outcome
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
