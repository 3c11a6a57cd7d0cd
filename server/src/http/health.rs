//! Whether the server lives, whether it can work, and what it counts.

use std::net::SocketAddr;

use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use identity::tokens;
use serde_json::json;

use super::{Portal, identify, problem};

/// The process answers.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// The database answers, the engine is at work, and the server is not about to stop.
pub(super) async fn ready(State(portal): State<Portal>) -> Response {
    let database = portal.service.store().ping().await.is_ok();
    let engine = portal.pulse.beats();
    let stopping = portal.stop.is_cancelled();
    let ready = database && engine && !stopping;
    let word = |fine: bool| if fine { "ok" } else { "failed" };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": ready, "database": word(database), "engine": word(engine), "stopping": stopping})))
        .into_response()
}

/// Prometheus metrics, for the machine itself, or for whoever has the configured token.
pub(super) async fn metrics(
    State(portal): State<Portal>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    let allowed = match portal.metrics_token() {
        Some(token) => identify::bearer(&headers).is_some_and(|given| tokens::same(given, token.expose())),
        // A proxy on this machine asks for somebody else.
        None => peer.ip().to_canonical().is_loopback() && !headers.contains_key("x-forwarded-for"),
    };
    if !allowed {
        return problem::empty(StatusCode::NOT_FOUND);
    }
    measure(&portal).await;
    portal.metrics.run_upkeep();
    let mut response = portal.metrics.render().into_response();
    let form = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, form);
    response
}

/// What is counted only when somebody looks.
async fn measure(portal: &Portal) {
    for pool in portal.service.store().pools() {
        let gauge = |state| metrics::gauge!("rondo_database_connections", "pool" => pool.name, "state" => state);
        gauge("held").set(f64::from(pool.held));
        gauge("limit").set(f64::from(pool.limit));
    }
    let counts = async {
        let mut unit = portal.service.store().snapshot().await?;
        let runs = unit.count_runs().await?;
        let outbox = unit.count_outgoing().await?;
        measure_receivers(portal).await?;
        measure_witnesses(portal).await?;
        measure_connections(portal).await?;
        measure_runners(portal).await?;
        measure_watches(portal).await?;
        let failing = portal.service.archiving_failure().await?.is_some();
        metrics::gauge!("rondo_audit_archiving_failing").set(if failing { 1.0 } else { 0.0 });
        store::Result::Ok((runs, outbox))
    };
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and 2^53 runs are far away")]
    match counts.await {
        Ok((runs, (unsent, given_up))) => {
            metrics::gauge!("rondo_database_up").set(1.0);
            for status in domain::RunStatus::ALL {
                let count = runs.iter().find(|(known, _)| known == status).map_or(0, |(_, count)| *count);
                metrics::gauge!("rondo_runs", "status" => status.as_str()).set(count as f64);
            }
            metrics::gauge!("rondo_outbox", "state" => "unsent").set(unsent as f64);
            metrics::gauge!("rondo_outbox", "state" => "given-up").set(given_up as f64);
        }
        Err(error) => {
            metrics::gauge!("rondo_database_up").set(0.0);
            metrics::counter!("rondo_database_errors_total").increment(1);
            tracing::warn!(error = &error as &dyn std::error::Error, "the database cannot be measured");
        }
    }
}

/// How far the receivers of the audit log are.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and 2^53 entries are far away")]
async fn measure_receivers(portal: &Portal) -> store::Result<()> {
    for receiver in portal.service.receivers_now().await? {
        let gauge = |name: &'static str| metrics::gauge!(name, "receiver" => receiver.name.clone());
        gauge("rondo_audit_receiver_lag").set(receiver.lag as f64);
        gauge("rondo_audit_receiver_lag_seconds").set(receiver.lag_seconds as f64);
        gauge("rondo_audit_receiver_failing").set(if receiver.failing_since.is_some() { 1.0 } else { 0.0 });
    }
    Ok(())
}

/// Whether the connections work.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and 2^53 connections are far away")]
async fn measure_connections(portal: &Portal) -> store::Result<()> {
    for (state, count) in portal.service.connections_now().await? {
        metrics::gauge!("rondo_connections", "state" => state.as_str()).set(count as f64);
    }
    Ok(())
}

/// Whether the triggers that nobody calls can look for what has come.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and 2^53 triggers are far away")]
async fn measure_watches(portal: &Portal) -> store::Result<()> {
    let (working, failing) = portal.service.watches_now().await?;
    metrics::gauge!("rondo_trigger_watches", "state" => "working").set(working as f64);
    metrics::gauge!("rondo_trigger_watches", "state" => "failing").set(failing as f64);
    Ok(())
}

/// How far the witnesses of the audit log are.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and 2^53 entries are far away")]
async fn measure_witnesses(portal: &Portal) -> store::Result<()> {
    for witness in portal.service.witnesses_now().await? {
        let gauge = |name: &'static str| metrics::gauge!(name, "witness" => witness.name.clone());
        gauge("rondo_audit_witness_lag").set(witness.lag as f64);
        gauge("rondo_audit_witness_lag_seconds").set(witness.lag_seconds as f64);
        gauge("rondo_audit_witness_failing").set(if witness.failing_since.is_some() { 1.0 } else { 0.0 });
        gauge("rondo_audit_witness_refuses").set(if witness.refused_at.is_some() { 1.0 } else { 0.0 });
    }
    Ok(())
}

/// How many runners there are near the systems, and what there is for them.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and 2^53 tasks are far away")]
async fn measure_runners(portal: &Portal) -> store::Result<()> {
    let figures = portal.service.runner_figures().await?;
    for (state, count) in figures.runners {
        metrics::gauge!("rondo_runners", "state" => state).set(count as f64);
    }
    for (state, count) in figures.tasks {
        metrics::gauge!("rondo_runner_tasks", "state" => state.as_str()).set(count as f64);
    }
    Ok(())
}

/// Says what the metrics mean, in the exposition itself.
pub(crate) fn describe() {
    metrics::describe_counter!("rondo_http_requests_total", "Answered requests by route, method and status");
    metrics::describe_histogram!(
        "rondo_http_request_seconds",
        metrics::Unit::Seconds,
        "Time to the head of the answer"
    );
    metrics::describe_counter!("rondo_runs_ended_total", "Runs that ended, by status");
    metrics::describe_counter!("rondo_calls_total", "Calls of connectors by function and outcome");
    metrics::describe_counter!("rondo_log_lines_dropped_total", "Lines of task logs lost because they came too fast");
    metrics::describe_gauge!("rondo_runs", "Runs by status");
    metrics::describe_gauge!("rondo_runners", "Runners near the systems, by what they do");
    metrics::describe_gauge!("rondo_runner_tasks", "Processes for runners that are not done, by where they stand");
    metrics::describe_counter!("rondo_runner_tasks_total", "Processes that runners are done with, by outcome");
    metrics::describe_gauge!("rondo_outbox", "Mails that wait, and mails that were given up");
    metrics::describe_gauge!("rondo_database_connections", "Connections by pool: held, and at most");
    metrics::describe_gauge!("rondo_connections", "Connections to other systems: working, failing, untested");
    metrics::describe_gauge!("rondo_trigger_watches", "Triggers that look for what has come: working, failing");
    metrics::describe_gauge!("rondo_database_up", "1 while the database answers");
    metrics::describe_counter!("rondo_database_errors_total", "Failures to read the database for these metrics");
    metrics::describe_gauge!("rondo_audit_receiver_lag", "Entries of the audit log that a receiver does not have yet");
    metrics::describe_gauge!(
        "rondo_audit_receiver_lag_seconds",
        metrics::Unit::Seconds,
        "For how long the oldest of what a receiver of the audit log does not have has waited"
    );
    metrics::describe_gauge!("rondo_audit_receiver_failing", "1 while a receiver of the audit log takes nothing");
    metrics::describe_gauge!(
        "rondo_audit_witness_lag",
        "Signed entries of the audit log that a witness has not cosigned"
    );
    metrics::describe_gauge!(
        "rondo_audit_witness_lag_seconds",
        metrics::Unit::Seconds,
        "For how long the oldest checkpoint of the audit log that a witness has not cosigned has waited"
    );
    metrics::describe_gauge!("rondo_audit_witness_failing", "1 while a witness of the audit log cosigns nothing");
    metrics::describe_gauge!(
        "rondo_audit_witness_refuses",
        "1 while a witness says that the audit log has not grown from what it has cosigned: an alarm"
    );
    metrics::describe_gauge!("rondo_audit_archiving_failing", "1 while entries of the audit log cannot be archived");
    delivery::describe_metrics();
}
