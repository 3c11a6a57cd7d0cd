//! A receiver that does what it is told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use delivery::{Parcel, Sink, Undelivered};
use tokio::sync::Notify;

/// What a receiver does with what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Takes it.
    Take,
    /// Refuses it.
    Refuse,
    /// Takes so many, and breaks off.
    BreakAfter(usize),
    /// Takes everything, and its answer is lost.
    LoseAnswer,
    /// Takes it once it is let.
    Wait,
}

/// What it has: entries and checkpoints by number, in the order in which they came.
#[derive(Clone, Default)]
pub(crate) struct Scripted(Arc<Shared>);

#[derive(Default)]
struct Shared {
    acts: Mutex<VecDeque<Act>>,
    got: Mutex<Vec<(&'static str, i64)>>,
    asked: Notify,
    let_go: Notify,
}

impl Scripted {
    /// What it will do; it takes whatever comes afterwards.
    pub(crate) fn will(&self, acts: impl IntoIterator<Item = Act>) {
        self.0.acts.lock().unwrap().extend(acts);
    }

    pub(crate) fn got(&self, what: &str) -> Vec<i64> {
        self.all().into_iter().filter(|(kind, _)| *kind == what).map(|(_, number)| number).collect()
    }

    pub(crate) fn all(&self) -> Vec<(&'static str, i64)> {
        self.0.got.lock().unwrap().clone()
    }

    /// Until it has been given something that it waits with.
    pub(crate) async fn asked(&self) {
        self.0.asked.notified().await;
    }

    pub(crate) fn let_go(&self) {
        self.0.let_go.notify_one();
    }

    fn take(&self, parcel: &Parcel, most: usize) {
        let numbers: Vec<i64> = match parcel {
            Parcel::Entries(rows) => rows.iter().map(|row| row.seq).collect(),
            Parcel::Checkpoints(all) => all.iter().map(|one| one.size).collect(),
        };
        self.0.got.lock().unwrap().extend(numbers.into_iter().take(most).map(|number| (parcel.what(), number)));
    }
}

#[async_trait]
impl Sink for Scripted {
    async fn deliver(&mut self, _log: &str, parcel: &Parcel) -> Result<(), Undelivered> {
        let act = self.0.acts.lock().unwrap().pop_front().unwrap_or(Act::Take);
        let no = |why: &str| Err(Undelivered::Refused(why.to_owned()));
        match act {
            Act::Take => {
                self.take(parcel, usize::MAX);
                Ok(())
            }
            Act::Refuse => no("not now"),
            Act::BreakAfter(most) => {
                self.take(parcel, most);
                no("broken")
            }
            Act::LoseAnswer => {
                self.take(parcel, usize::MAX);
                no("no answer")
            }
            Act::Wait => {
                self.0.asked.notify_one();
                self.0.let_go.notified().await;
                self.take(parcel, usize::MAX);
                Ok(())
            }
        }
    }
}
