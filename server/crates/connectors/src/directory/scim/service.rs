//! Questions to a SCIM service, and what its answers mean (RFC 7644).

use reqwest::{Method, header::AUTHORIZATION};
use serde_json::{Value, json};
use workflow::{RunError, StandardError};

use super::{resource::Resource, settings::Settings};
use crate::{
    Failure,
    http::{
        Http,
        exchange::refused,
        plain::{Answered, Plain, Terms, excerpt},
    },
    sigv4::set_query,
};

/// What is asked for at once.
const PAGE: &str = "100";
/// More than these are never read.
const MOST: usize = 1_000;
/// So often a change is tried, on what others left who were quicker.
pub(super) const ATTEMPTS: usize = 3;
const MEDIA_TYPE: &str = "application/scim+json";

/// What is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Group,
}

impl Kind {
    const fn place(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }
}

/// What became of a new resource.
pub(super) enum Created {
    Made(Resource),
    /// There is one already that the service takes for the same.
    Taken,
}

/// What became of a change.
#[derive(PartialEq, Eq)]
pub(super) enum Changed {
    Done,
    /// Others have changed it since it was read.
    Outdated,
}

/// Others were quicker each time.
pub(super) fn contended() -> Failure {
    let words = format!("others changed the same entry {ATTEMPTS} times meanwhile; try again later");
    Failure::retryable(RunError::communication(412, words))
}

/// A service that is being asked.
pub(super) struct Service<'a> {
    pub(super) http: &'a Http,
    pub(super) settings: &'a Settings,
    pub(super) terms: Terms<'a>,
}

impl Service<'_> {
    /// The same for what only reads, and may be asked again whatever becomes of it.
    fn reads(&self) -> Service<'_> {
        Service { terms: Terms { repeatable: true, ..self.terms }, ..*self }
    }

    /// An answer, whatever its status.
    async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
        version: Option<&str>,
    ) -> Result<Answered, Failure> {
        let mut url = self.settings.base_url.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::configuration("the address of the connection is none of a web service"))?
            .pop_if_empty()
            .extend(path);
        set_query(&mut url, query.iter().copied());
        let mut plain = Plain::new(method, url).header("accept", MEDIA_TYPE)?;
        plain.headers.insert(AUTHORIZATION, self.settings.authorization()?);
        if let Some(version) = version {
            plain = plain.header("if-match", version)?;
        }
        if let Some(body) = body {
            plain = plain.header("content-type", MEDIA_TYPE)?.body(body.to_string().into_bytes());
        }
        self.http.ask(plain, &self.terms).await
    }

    /// One by its id; none where it is not there.
    pub(super) async fn get(&self, kind: Kind, id: &str) -> Result<Option<Resource>, Failure> {
        let what = "the question for an entry";
        let answer = self.reads().ask(Method::GET, &[kind.place(), id], &[], None, None).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let document = self.reads().document(what, &answer)?;
        Resource::read(document).map(Some).ok_or_else(|| self.reads().garbled(what))
    }

    /// All of a kind that meet the condition, page by page.
    pub(super) async fn search(&self, kind: Kind, condition: Option<&str>) -> Result<Vec<Resource>, Failure> {
        let (reads, what) = (self.reads(), "the search");
        let mut found: Vec<Resource> = Vec::new();
        loop {
            let start = (found.len() + 1).to_string();
            let mut query = vec![("startIndex", start.as_str()), ("count", PAGE)];
            query.extend(condition.map(|condition| ("filter", condition)));
            let answer = reads.ask(Method::GET, &[kind.place()], &query, None, None).await?;
            let mut page = reads.document(what, &answer)?;
            let total = page.get("totalResults").and_then(Value::as_u64).ok_or_else(|| reads.garbled(what))?;
            let listed = match page.get_mut("Resources").map(Value::take) {
                Some(Value::Array(listed)) => listed,
                // Services may leave an empty list out.
                None | Some(Value::Null) => Vec::new(),
                Some(_) => return Err(reads.garbled(what)),
            };
            let is_last = listed.is_empty();
            for document in listed {
                found.push(Resource::read(document).ok_or_else(|| reads.garbled(what))?);
            }
            if usize::try_from(total).unwrap_or(usize::MAX).max(found.len()) > MOST {
                let words = format!("the service lists {total} at once, and no more than {MOST} are read");
                return Err(Failure::refused(413, format!("{words}; ask for one person or group at a time")));
            }
            if is_last || found.len() as u64 >= total {
                return Ok(found);
            }
        }
    }

    /// The one that meets the condition.
    pub(super) async fn only(&self, kind: Kind, condition: &str, whom: &str) -> Result<Option<Resource>, Failure> {
        let mut found = self.search(kind, Some(condition)).await?;
        if found.len() > 1 {
            return Err(Failure::refused(409, format!("{} entries are {whom}", found.len())));
        }
        Ok(found.pop())
    }

    pub(super) async fn create(&self, kind: Kind, document: &Value) -> Result<Created, Failure> {
        let what = "the new entry";
        let answer = self.ask(Method::POST, &[kind.place()], &[], Some(document), None).await?;
        if answer.status == 409 {
            return Ok(Created::Taken);
        }
        let made = self.document(what, &answer)?;
        Resource::read(made).map(Created::Made).ok_or_else(|| self.garbled(what))
    }

    /// Changes a resource as it was read (RFC 7644, section 3.5.2).
    pub(super) async fn patch(
        &self,
        kind: Kind,
        resource: &Resource,
        operations: &[Value],
    ) -> Result<Changed, Failure> {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        let path = [kind.place(), resource.id.as_str()];
        let answer = self.ask(Method::PATCH, &path, &[], Some(&body), resource.version()).await?;
        if answer.status == 412 {
            return Ok(Changed::Outdated);
        }
        self.accepted("the change", &answer)?;
        Ok(Changed::Done)
    }

    /// Whether it was there.
    pub(super) async fn delete(&self, kind: Kind, id: &str) -> Result<bool, Failure> {
        let answer = self.ask(Method::DELETE, &[kind.place(), id], &[], None, None).await?;
        if answer.status == 404 {
            return Ok(false);
        }
        self.accepted("the deletion", &answer).map(|()| true)
    }

    /// Whether the service says that it can do this. One that says nothing about itself is tried.
    pub(super) async fn offers(&self, feature: &str) -> Result<bool, Failure> {
        let what = "the question what it offers";
        let answer = self.reads().ask(Method::GET, &["ServiceProviderConfig"], &[], None, None).await?;
        if matches!(answer.status, 404 | 501) {
            return Ok(true);
        }
        let document = self.reads().document(what, &answer)?;
        let supported = document.get(feature).and_then(|feature| feature.get("supported"));
        Ok(supported.and_then(Value::as_bool).unwrap_or(true))
    }

    /// Whether people can be read and changed; in words, what was seen.
    pub(super) async fn try_rights(&self) -> Result<String, Failure> {
        let answer = self.ask(Method::GET, &["Users"], &[("count", "1")], None, None).await?;
        let page = self.document("the search", &answer)?;
        let total = page.get("totalResults").and_then(Value::as_u64).ok_or_else(|| self.garbled("the search"))?;
        if !self.offers("patch").await? {
            return Err(Failure::permanent(RunError::new(
                StandardError::Authorization,
                "this service takes no changes by PATCH, without which people cannot be changed; use another kind of \
                 connection for it",
            )));
        }
        let passwords = if self.offers("changePassword").await? { "can" } else { "cannot" };
        Ok(format!("{total} people can be read; passwords {passwords} be set"))
    }

    /// The document of an answer that must have gone well; `what` was asked.
    fn document(&self, what: &str, answer: &Answered) -> Result<Value, Failure> {
        self.accepted(what, answer)?;
        serde_json::from_slice(&answer.content).map_err(|_| self.garbled(what))
    }

    /// An answer was not what such a service answers.
    fn garbled(&self, what: &str) -> Failure {
        self.terms.unusable(format!(
            "the answer to {what} is none of SCIM 2.0; check that the connection's address is what stands before /Users, and \
             no sign-in page"
        ))
    }

    /// Whether it went well; else what that means.
    fn accepted(&self, what: &str, answer: &Answered) -> Result<(), Failure> {
        if answer.is_success() {
            return Ok(());
        }
        let said = self.said(answer);
        let permanent = |kind, words: &str| Failure::permanent(RunError::new(kind, format!("{what}: {said}: {words}")));
        Err(match answer.status {
            401 => permanent(
                StandardError::Authentication,
                "the service does not accept the account; enter its credentials into the connection again",
            ),
            403 => permanent(
                StandardError::Authorization,
                "the service does not let the account do this; give it the right there",
            ),
            429 => {
                let after = answer.header("retry-after").and_then(|after| after.parse::<u32>().ok());
                let after = after.map_or_else(|| "later".to_owned(), |seconds| format!("after {seconds} seconds"));
                Failure::retryable(RunError::communication(
                    429,
                    format!(
                        "the service takes no more requests now; try again {after}, or limit the calls of the connection"
                    ),
                ))
            }
            // Nothing that another attempt would get, unlike the other statuses of servers.
            501 => Failure::refused(501, format!("{what}: {said}: the service does not offer this")),
            status => refused(status, format!("the service refused {what} with status {status}: {said}")),
        })
    }

    /// What the service says for itself.
    fn said(&self, answer: &Answered) -> String {
        let document = serde_json::from_slice::<Value>(&answer.content).unwrap_or_default();
        let words: Vec<&str> = ["scimType", "detail"].iter().filter_map(|name| document.get(name)?.as_str()).collect();
        let words = match (words.is_empty(), answer.content.trim_ascii().is_empty()) {
            (false, _) => words.join(": "),
            (true, false) => String::from_utf8_lossy(&answer.content).into_owned(),
            (true, true) => format!("status {}", answer.status),
        };
        excerpt(&words, self.settings.secrets())
    }
}
