//! The doors: REST, pages, server functions, live streams, the embedded site, health and metrics.
//!
//! # What a request goes through
//! 1. [`trace`]: a trace id and a log span; panics become problems; what was answered is counted.
//! 2. [`headers`]: the security headers of every answer.
//! 3. [`origin_check`]: unsafe methods come from our own pages, or bring a bearer token.
//! 4. The session middleware of `identity`, and [`identify`]: who asks, from where.
//! 5. [`body`]: bodies are read here, up to their limit, and [`idempotency`] answers what was asked before.
//! 6. The route.
//!
//! [`runner`] has the doors of runners elsewhere, who show tokens of their own; [`hooks`] those of triggers, which other systems call.
//!
//! Whatever refuses says so with a [`problem::Rejection`]; [`problem`] makes the answer of it that the client can read.

mod body;
mod error_page;
mod headers;
mod health;
mod hooks;
mod idempotency;
mod identify;
mod origin_check;
mod pages;
mod prefer;
mod problem;
mod rest;
mod runner;
mod site;
mod stream;
mod trace;
mod upload;

use std::{future::ready, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
    routing::{any, get},
};
use domain::Ids;
use engine::{Pulse, runners::Runners};
use identity::{Secret, sessions::StoredSessions};
use metrics_exporter_prometheus::PrometheusHandle;
use service::Service;
use tokio_util::sync::CancellationToken;

use crate::config::Config;

pub(crate) use self::health::describe as describe_metrics;

/// What the doors share.
#[derive(Clone)]
pub(crate) struct Portal(Arc<Inner>);

/// The parts of [`Portal`].
pub(crate) struct Inner {
    pub(crate) service: Arc<Service>,
    pub(crate) config: Config,
    pub(crate) ids: Arc<dyn Ids>,
    /// As people reach the portal, without a slash at the end.
    pub(crate) base_url: String,
    /// Open streams end when it is cancelled.
    pub(crate) stop: CancellationToken,
    /// Whether the engine is at work.
    pub(crate) pulse: Pulse,
    /// Where runners elsewhere ask for work.
    pub(crate) runners: Runners,
    pub(crate) metrics: PrometheusHandle,
}

impl Portal {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Whether people reach the portal by TLS.
    fn is_secure(&self) -> bool {
        self.base_url.starts_with("https://")
    }

    fn metrics_token(&self) -> Option<&Secret> {
        self.config.metrics_token.as_ref()
    }
}

impl std::ops::Deref for Portal {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// Everything that the server answers.
pub(crate) fn router(portal: Portal, sessions: StoredSessions) -> Router {
    pages::prepare();
    let (rest, document) = rest::routes();
    let document = Arc::new(document);
    let api = rest
        .route("/api/v1/openapi.json", get(move || ready(rest::serve_document(&document))))
        .route("/api/v1/stream", get(stream::person))
        .layer(from_fn_with_state(portal.clone(), idempotency::answer_once));
    let identified = api
        .route("/ui/{*function}", any(pages::server_function))
        .route(pages::IMPORT, any(pages::import))
        .fallback(pages::page)
        // In place of the framework's own limit.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(body::limit))
        .layer(from_fn_with_state(portal.clone(), identify::identify))
        .layer(identity::sessions::layer(sessions, portal.is_secure()))
        .layer(from_fn_with_state(portal.clone(), origin_check::check));
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(site::routes())
        .merge(runner::routes())
        .merge(hooks::routes())
        .merge(identified)
        .layer(from_fn_with_state(portal.clone(), headers::add))
        .layer(from_fn_with_state(portal.clone(), trace::observe))
        .with_state(portal)
}
