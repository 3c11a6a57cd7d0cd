//! Messages in a folder, for triggers.

use async_trait::async_trait;
use domain::{MailEnd, view::MailsView};
use serde::Deserialize as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use super::{
    ImapConnector, broken,
    letter::{self, Head, is_wanted},
    session::{HEADERS, MESSAGE, Numbering, PATIENCE, Session},
    settings::Settings,
};
use crate::{
    Failure,
    watch::{Found, Item, Look, Reading, Source, Watching},
};

/// The most messages that a look tells of; those after them come later.
const MESSAGES: usize = 1_000;

struct Mailbox {
    session: Session,
    mails: MailsView,
    /// What tells the folder from those at which the trigger looked before: servers number each in the same way.
    folder: String,
}

#[async_trait]
impl Source for ImapConnector {
    async fn open<'a>(&'a self, look: Look<'a>) -> Result<Box<dyn Watching + 'a>, Failure> {
        let settings = look.connection.settings::<Settings>()?;
        let mails = MailsView::deserialize(look.place)
            .map_err(|_| Failure::configuration("which mails it looks for cannot be read; save the trigger anew"))?;
        let stream = timeout(PATIENCE, look.egress.connect(&settings.host, settings.port())).await;
        let stream = stream.map_err(|_| broken(&settings, "it takes no connection"))??;
        let session = Session::enter(&settings, stream).await.map_err(|(_, failure)| failure)?;
        let folder = json!([look.connection.name, mails.folder]).to_string();
        Ok(Box::new(Mailbox { session, mails, folder: hex::encode(Sha256::digest(folder)) }))
    }
}

#[async_trait]
impl Watching for Mailbox {
    async fn find(&mut self, progress: Option<&str>) -> Result<Found, Failure> {
        let folder = &self.mails.folder;
        let Numbering { validity, next } = self.session.select(folder).await?;
        let at = |number: u32| format!("{validity}/{number}");
        let Some((known, last)) = progress.and_then(read_progress) else {
            return Ok(Found { items: Vec::new(), progress: Some(at(next.saturating_sub(1))), lost: None });
        };
        if known != validity {
            let words = format!(
                "the mail server has numbered the messages of the folder {folder} anew (UIDVALIDITY was {known}, and is \
                 {validity}), so that nobody can tell which of them were delivered; save the trigger to begin with what comes \
                 from then on"
            );
            return Ok(Found { items: Vec::new(), progress: None, lost: Some(words) });
        }
        let numbers = self.session.after(last).await?.into_iter().take(MESSAGES);
        let key = |number: u32| format!("{}/{}", self.folder, at(number));
        let item = |number| Item { key: key(number), facts: json!(number), progress: Some(at(number)) };
        Ok(Found { items: numbers.map(item).collect(), progress: None, lost: None })
    }

    async fn read(&mut self, item: &Item) -> Result<Reading, Failure> {
        let Some(number) = number(item) else { return Ok(Reading::Gone) };
        let Some((size, headers)) = self.session.headers(number).await? else { return Ok(Reading::Gone) };
        if headers.len() >= HEADERS {
            let words =
                format!("the headers of the message {number} are larger than 128 KiB; look at it in the mailbox");
            return Ok(Reading::Faulty(words));
        }
        let unread =
            || Reading::Faulty(format!("the message {number} cannot be read as one; look at it in the mailbox"));
        let Some(head) = parsed(move || Head::read(&headers)).await else { return Ok(unread()) };
        if let Some(words) = self.unwanted(&head) {
            return Ok(Reading::KeptOut(words));
        }
        if size > MESSAGE {
            return Ok(Reading::Faulty(format!(
                "the message has {size} bytes, and at most {MESSAGE} are taken; have it sent without its attachments"
            )));
        }
        let Some(raw) = self.session.whole(number).await? else { return Ok(Reading::Gone) };
        Ok(parsed(move || letter::content(&raw)).await.map_or_else(unread, Reading::Said))
    }

    async fn settle(&mut self, item: &Item) -> Result<(), Failure> {
        let Some(number) = number(item) else { return Ok(()) };
        match self.mails.end {
            MailEnd::Seen => self.session.mark(number).await,
            MailEnd::Move => self.session.relocate(number, &self.mails.moved_to).await,
        }
    }

    async fn close(&mut self) {
        self.session.leave().await;
    }
}

impl Mailbox {
    /// Why a message is none of the trigger's business.
    fn unwanted(&self, head: &Head) -> Option<String> {
        let Some(sender) = &head.sender else {
            return Some("it does not say of exactly one address that it is from there".to_owned());
        };
        if !is_wanted(sender, &self.mails.senders) {
            return Some(format!("its sender {sender} is none of those that the trigger takes"));
        }
        let wanted = self.mails.subject.to_lowercase();
        let fits = head.subject.to_lowercase().contains(&wanted);
        (!fits).then(|| "its subject has not in it what the trigger looks for".to_owned())
    }
}

/// What a message says is anybody's: that takes neither the time of others nor, if the parser stumbles over it, the look along.
async fn parsed<T: Send + 'static>(read: impl FnOnce() -> Option<T> + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(read).await.ok().flatten()
}

fn number(item: &Item) -> Option<u32> {
    item.facts.as_u64().and_then(|number| u32::try_from(number).ok())
}

fn read_progress(text: &str) -> Option<(u32, u32)> {
    let (validity, last) = text.split_once('/')?;
    Some((validity.parse().ok()?, last.parse().ok()?))
}
