//! `call: git`: the files of a tag or a branch, as texts, for a workflow that deploys, plans or checks what is in a repository, and
//! its commits, for one that looks for what was changed.
//!
//! What was read stays in the run: what people approve, and what is executed afterwards, is the commit that was read then,
//! wherever the tag or branch has gone since.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{Timestamp, view::CheckStep};
use identity::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use workflow::{RunError, StandardError};

use super::{
    Checkout, Credentials, GitError, Limits, Reach, SkipReason, Wanted, checkout, entries,
    history::{Entry, Span},
    protocol::{self, Tip},
    schema,
    wire::Remote,
};
use crate::{
    CallContext, ConnectionKind, Connector, Failure, FunctionSpec, Outcome, Repetition, Request, ResolvedConnection,
    System, connection::Steps, http::Http, tls::TlsSettings,
};

/// The kind of connection, and the function.
const GIT: &str = "git";
/// How much text the files of one call may have together: what a task gives has to fit into the run.
const CONTENT: u64 = 512 * 1024;
/// How many files one call reads.
const FILES: usize = 200;
/// How many commits one call tells of that does not say how many.
const COMMITS: usize = 100;
/// How long a call may take that has no deadline, and a check.
const LIMIT: Duration = Duration::from_mins(1);

/// Reads repositories for workflows.
pub struct GitConnector {
    http: Arc<Http>,
}

#[derive(Deserialize)]
struct Settings {
    url: Url,
    branch: Option<String>,
    username: Option<String>,
    password: Option<Secret>,
    #[serde(flatten)]
    tls: TlsSettings,
}

impl Settings {
    fn credentials(&self) -> Option<Credentials> {
        let user = self.username.clone()?;
        let password = self.password.as_ref().map_or(String::new(), |password| password.expose().to_owned());
        Some(Credentials { user, password: Secret::new(password) })
    }
}

#[derive(Deserialize)]
struct With {
    operation: String,
    r#ref: Option<String>,
    #[serde(default)]
    folder: String,
    #[serde(default)]
    endings: Vec<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    limit: Option<usize>,
}

/// The function `git`, as definitions are checked against it.
#[must_use]
pub fn function() -> FunctionSpec {
    FunctionSpec {
        name: GIT,
        title: "Read a Git repository",
        system: "Git repository",
        with: schema::with(),
        output: schema::output(),
        operations: schema::operations(),
        needs_connection: true,
        connection_kinds: vec![GIT],
        foresee,
    }
}

fn foresee(with: &Value) -> Option<String> {
    let text = |name: &str| with.get(name).and_then(Value::as_str);
    let what = match text("operation")? {
        schema::READ => "Reads",
        schema::LOG => "Reads the history of",
        _ => "Looks up",
    };
    Some(format!("{what} {} over {}", text("ref").unwrap_or("the branch"), text("connection")?))
}

impl GitConnector {
    /// A connector that shares clients with others.
    #[must_use]
    pub fn new(http: Arc<Http>) -> Self {
        Self { http }
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        let connection =
            request.connection.as_ref().ok_or_else(|| Failure::configuration("git needs a connection of kind git"))?;
        let settings = connection.settings::<Settings>()?;
        // The message of serde may quote a value, and the value may be a secret.
        let with =
            With::deserialize(&request.with).map_err(|_| Failure::configuration("the arguments cannot be read"))?;
        let reach = Reach { egress: Some(&context.egress), ..self.reach(&settings) };
        let limit = if context.deadline.is_some() { context.limit() } else { LIMIT };
        let read = tokio::time::timeout(limit, read(&settings, &with, &reach)).await;
        let (tip, found) = read.unwrap_or(Err(GitError::TooSlow)).map_err(|error| {
            let error = error.without(settings.credentials().as_ref());
            failure(&error)
        })?;
        context.info(format!("{} stands at {}", tip.reference, tip.commit));
        let (commit, reference) = (tip.commit.to_string(), tip.reference);
        Ok(match found {
            Found::Place => json!({"commit": commit, "ref": reference}),
            Found::Files(checkout) => {
                let (files, skipped) = texts(checkout, &with.folder);
                json!({"commit": commit, "ref": reference, "files": files, "skipped": skipped})
            }
            Found::Commits(entries, more) => {
                let commits: Vec<Value> = entries.iter().map(told).collect();
                json!({"commit": commit, "ref": reference, "commits": commits, "more": more})
            }
        })
    }

    fn reach<'a>(&'a self, settings: &'a Settings) -> Reach<'a> {
        let limits = Limits { files: FILES, content: CONTENT, file: CONTENT, ..Limits::default() };
        let (authority, shown) = (settings.tls.authority(), settings.tls.shown());
        Reach { authority, shown, limits, ..Reach::from(self.http.as_ref()) }
    }
}

/// What an operation has found beside where its reference stands.
enum Found {
    Place,
    Files(Checkout),
    /// The newest first, and whether there are more.
    Commits(Vec<Entry>, bool),
}

/// Where what is asked for stands, and its files or commits if they are wanted.
async fn read(settings: &Settings, with: &With, reach: &Reach<'_>) -> Result<(Tip, Found), GitError> {
    let mut remote = Remote::of(&settings.url, settings.credentials().as_ref(), reach).await?;
    let name = with.r#ref.as_deref().or(settings.branch.as_deref()).unwrap_or("main");
    let tip = tip(&mut remote, name).await?;
    let found = match with.operation.as_str() {
        schema::READ => {
            let wanted = Wanted { folder: with.folder.clone(), endings: with.endings.clone(), authors: false };
            Found::Files(checkout(&mut remote, &tip, wanted, &reach.limits).await?)
        }
        schema::LOG => {
            let seconds = |at: Timestamp| at.as_micros().div_euclid(1_000_000);
            let (since, until) = (with.since.map(seconds), with.until.map(seconds));
            let span = Span { since, until, most: with.limit.unwrap_or(COMMITS) };
            let (commits, more) = entries(&mut remote, &tip, span, &reach.limits).await?;
            Found::Commits(commits, more)
        }
        _ => Found::Place,
    };
    Ok((tip, found))
}

fn told(entry: &Entry) -> Value {
    let at = Timestamp::from_micros(entry.at.saturating_mul(1_000_000));
    json!({"id": entry.id.to_string(), "at": at, "author": entry.words.author, "subject": entry.words.subject})
}

async fn tip(remote: &mut Remote, name: &str) -> Result<Tip, GitError> {
    let references = [format!("refs/tags/{name}"), format!("refs/heads/{name}")];
    let found = protocol::tip(remote, name, &references).await?;
    found.ok_or_else(|| GitError::NoRevision { name: name.to_owned() })
}

/// The texts by path from the folder, and what is none or was not read.
fn texts(checkout: Checkout, folder: &str) -> (BTreeMap<String, String>, BTreeMap<String, &'static str>) {
    let folder = folder.trim_matches('/');
    let inside = |path: String| match path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) if !folder.is_empty() => rest.to_owned(),
        _ => path,
    };
    let (mut files, mut skipped) = (BTreeMap::new(), BTreeMap::new());
    for file in checkout.files {
        match String::from_utf8(file.bytes) {
            Ok(text) if !text.contains('\0') => drop(files.insert(inside(file.path), text)),
            _ => drop(skipped.insert(inside(file.path), "binary")),
        }
    }
    for left in checkout.skipped {
        let why = match left.reason {
            SkipReason::TooLarge => "too-large",
            SkipReason::Link => "link",
            SkipReason::Name => "name",
        };
        skipped.insert(inside(left.path), why);
    }
    (files, skipped)
}

/// What a workflow fails with. Reading does no harm, so that whatever was lost can be asked for again.
fn failure(error: &GitError) -> Failure {
    let detail = error.to_string();
    match error {
        GitError::Refused(_) => Failure::permanent(RunError::new(StandardError::Authorization, detail)),
        GitError::Unreachable { .. } => Failure::unreachable(detail),
        GitError::TooSlow => Failure::lost(RunError::new(StandardError::Timeout, detail)),
        GitError::SignIn => Failure::permanent(RunError::new(StandardError::Authentication, detail)),
        GitError::NoRepository | GitError::NoBranch { .. } | GitError::NoRevision { .. } => {
            Failure::refused(404, detail)
        }
        GitError::Tls { .. } | GitError::TooLarge { .. } | GitError::Broken { .. } => Failure::refused(502, detail),
    }
}

#[async_trait]
impl Connector for GitConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![function()]
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        vec![ConnectionKind {
            name: GIT,
            title: "Git repository",
            summary: "A repository that can be cloned over HTTPS.",
            function: GIT,
            settings: schema::settings(),
        }]
    }

    fn repetition(&self, _request: &Request) -> Repetition {
        Repetition::Safe
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    async fn check(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        let settings = match connection.settings::<Settings>() {
            Ok(settings) => settings,
            Err(failure) => return Steps::default().fail("settings", failure.detail()),
        };
        let mut steps = match self.http.try_way(&settings.url, &settings.tls).await {
            Ok(steps) => steps,
            Err(failed) => return failed,
        };
        let branch = settings.branch.as_deref().unwrap_or("main");
        let asked = async {
            let mut remote = Remote::of(&settings.url, settings.credentials().as_ref(), &self.reach(&settings)).await?;
            tip(&mut remote, branch).await
        };
        match tokio::time::timeout(LIMIT, asked).await.unwrap_or(Err(GitError::TooSlow)) {
            Ok(tip) => {
                steps.pass("sign-in", "the repository can be read");
                steps.pass("right", &format!("{} stands at {}", tip.reference, tip.commit));
                steps.done()
            }
            Err(error) => {
                let step = if matches!(error, GitError::NoRevision { .. }) { "right" } else { "sign-in" };
                steps.fail(step, &error.without(settings.credentials().as_ref()).to_string())
            }
        }
    }

    fn describe(&self, with: &Value) -> System {
        let target = self.connection_name(with).unwrap_or_default();
        System { title: "Git repository".to_owned(), target: target.to_owned() }
    }
}
