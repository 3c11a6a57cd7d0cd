//! `rondo serve`: everything at work until told to stop.

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use engine::{Engine, EngineSettings, Live, Observer};
use identity::sessions::StoredSessions;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use service::{DecisionLinks, Mailer, Service, demo_organisation};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::{in_words, stop_on_signal};
use crate::{
    config::Config,
    housekeeping,
    http::{self, Inner, Portal},
    logging,
    processes::Executor,
    receivers,
    wiring::{self, Alone, Extras, Foundation},
    witnesses,
};

/// How long requests under way are waited for when the server stops.
const DRAIN: Duration = Duration::from_secs(10);
/// How many places triggers look at, at once.
const LOOKERS: usize = 3;
/// Upper bounds of the buckets of request durations, in seconds.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where to listen [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<String>,
    /// Load the demonstration organisation into an empty database
    #[arg(long)]
    pub(super) demo: bool,
}

pub(super) async fn serve(config: Config, demo: bool) -> Result<ExitCode> {
    logging::start(&config)?;
    for remark in &config.remarks {
        warn!("{remark}");
    }
    if let Some(what) = config.lacking.first() {
        bail!("{what}, is not set");
    }
    let stop = stop_on_signal()?;
    let alone = Alone::on(&config)?;
    let foundation = Foundation::lay(&config).await?;
    if let Some(alone) = &alone {
        alone.take_over(foundation.store.as_ref()).await?;
    }
    let listener = listen(&config).await?;
    let bound = listener.local_addr().context("the listening address cannot be read")?;
    let base_url = wiring::base_url(&config, bound);
    let metrics = start_metrics()?;

    let live = Live::default();
    let engine = start_engine(&config, &foundation, &live, &base_url)?;
    let extras = |demo| Extras { live: live.clone(), waker: Some(engine.waker()), base_url: base_url.clone(), demo };
    let mut service = foundation.service(&config, extras(Vec::new()))?;
    let is_demo = settle_demo(&service, demo).await?;
    if is_demo {
        service = foundation.service(&config, extras(demo_organisation()))?;
        warn_if_public(bound);
    }
    service.load_shipped(wiring::SHIPPED.iter().copied()).await?;
    let own = wiring::own_definitions(&config)?;
    service.load_shipped(own.iter().map(|(file, text)| (file.as_str(), text.as_str()))).await?;
    service.load_policies().await.map_err(|problem| in_words(&problem)).context(
        "the policies of the administrators cannot be used by this version; \
         `rondo policies reset` goes back to those of the program, and the audit log will say so",
    )?;
    let service = Arc::new(service);

    let tasks = TaskTracker::new();
    let (following, told) = (Arc::clone(&service), stop.clone());
    tasks.spawn(async move { following.follow_policies(told).await });
    let (following, told) = (Arc::clone(&service), stop.clone());
    tasks.spawn(async move { following.follow_repositories(told).await });
    let (erasing, told) = (Arc::clone(&service), stop.clone());
    tasks.spawn(async move { erasing.follow_erasures(told).await });
    tasks.spawn(housekeeping::end_access_reviews(Arc::clone(&service), stop.clone()));
    tasks.spawn(housekeeping::answer_questions(Arc::clone(&service), stop.clone()));
    tasks.spawn(housekeeping::check_connections(Arc::clone(&service), stop.clone()));
    tasks.spawn(housekeeping::index_controls(Arc::clone(&service), stop.clone()));
    tasks.spawn(housekeeping::forget_deliveries(Arc::clone(&service), stop.clone()));
    for _ in 0..LOOKERS {
        tasks.spawn(housekeeping::look_for_deliveries(Arc::clone(&service), stop.clone()));
    }
    let (store, clock) = (Arc::clone(&foundation.store), Arc::clone(&foundation.clock));
    let kept = config.event_retention;
    tasks.spawn(housekeeping::keep_house(Arc::clone(&store), Arc::clone(&clock), kept, stop.clone()));
    let (sequenced, keys, told) = (Arc::clone(&store), Arc::clone(&foundation.random), stop.clone());
    tasks.spawn(async move { audit::keep_sequencing(sequenced.as_ref(), keys.as_ref(), told).await });
    let (signed, told) = (Arc::clone(&service), stop.clone());
    tasks.spawn(async move { signed.keep_signing_audit(told).await });
    let (archiving, told) = (Arc::clone(&service), stop.clone());
    let node = foundation.ids.next().simple().to_string();
    tasks.spawn(async move { archiving.keep_archiving_audit(node, told).await });
    if let Some(settings) = &config.mail {
        let links = DecisionLinks::new(Arc::clone(&foundation.vault));
        let mailer = Mailer::new(Arc::clone(&store), Arc::clone(&clock), settings.clone(), base_url.clone(), links)
            .context("the settings of mail are not usable")?;
        tasks.spawn(mailer.run(stop.clone()));
    }
    receivers::deliver(&config, &foundation, &base_url, &tasks, &stop)?;
    witnesses::ask(&config, &foundation, &tasks, &stop)?;
    tasks.close();

    let sessions = StoredSessions::new(Arc::clone(&foundation.web), clock, Arc::clone(&foundation.ids));
    let portal = Portal::new(Inner {
        service: Arc::clone(&service),
        ids: Arc::clone(&foundation.ids),
        base_url: base_url.clone(),
        stop: stop.clone(),
        pulse: engine.pulse(),
        runners: engine.runners(),
        metrics,
        config,
    });
    let router = http::router(portal, sessions);
    greet(&service, &base_url, is_demo).await?;

    let server = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(stop.clone().cancelled_owned());
    let serving = tokio::spawn(std::future::IntoFuture::into_future(server));
    engine.runners().hear();
    stop.cancelled().await;
    info!("stopping: no new requests, those under way are finished");
    match tokio::time::timeout(DRAIN, serving).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => warn!(%error, "the listener failed"),
        Ok(Err(_)) => warn!("the listener panicked"),
        Err(_) => warn!("some requests did not end in time and are cut off"),
    }
    engine.shut_down().await;
    tasks.wait().await;
    service.sign_audit().await;
    store.close().await;
    info!("stopped");
    Ok(ExitCode::SUCCESS)
}

async fn listen(config: &Config) -> Result<TcpListener> {
    TcpListener::bind(config.listen).await.map_err(|cause| {
        let address = config.listen;
        let remedy = match cause.kind() {
            std::io::ErrorKind::AddrInUse => {
                format!("{address} is in use; stop what uses it, or choose another port with --listen")
            }
            std::io::ErrorKind::PermissionDenied => {
                format!("{address} may not be used; choose a port above 1023 with --listen")
            }
            std::io::ErrorKind::AddrNotAvailable => {
                format!("{address} is no address of this machine; choose another with --listen")
            }
            _ => format!("{address} cannot be listened on"),
        };
        anyhow::Error::new(cause).context(remedy)
    })
}

fn start_metrics() -> Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .context("the metrics cannot be set up")?;
    http::describe_metrics();
    Ok(handle)
}

fn start_engine(config: &Config, foundation: &Foundation, live: &Live, base_url: &str) -> Result<Engine> {
    let parts = engine::Parts {
        store: Arc::clone(&foundation.store),
        connectors: Arc::clone(&foundation.connectors),
        definitions: Arc::clone(&foundation.definitions),
        processes: Arc::<Executor>::clone(&foundation.processes),
        vault: Arc::clone(&foundation.vault),
        clock: Arc::clone(&foundation.clock),
        ids: Arc::clone(&foundation.ids),
        live: live.clone(),
        observer: observer()?,
    };
    let settings = EngineSettings {
        node: foundation.ids.next().simple().to_string(),
        lease: config.lease,
        calls: config.calls,
        mail: config.mail.is_some(),
        base_url: base_url.to_owned(),
        elsewhere: config.runner_elsewhere.clone(),
        runner_lease: config.runner_lease,
        ..EngineSettings::default()
    };
    Ok(Engine::start(parts, settings))
}

#[cfg(debug_assertions)]
fn observer() -> Result<Arc<dyn Observer>> {
    crate::kill_switch::observer()
}

#[cfg(not(debug_assertions))]
#[expect(clippy::unnecessary_wraps, reason = "the debug build's can fail")]
fn observer() -> Result<Arc<dyn Observer>> {
    Ok(Arc::new(engine::NoObserver))
}

/// Loads the demonstration where it was asked for and there is nobody; tells whether the database holds it.
async fn settle_demo(service: &Service, wanted: bool) -> Result<bool> {
    if wanted && !service.load_demo().await.map_err(|problem| in_words(&problem))? {
        let is_demo = service.is_demo().await.map_err(|problem| in_words(&problem))?;
        if !is_demo {
            warn!("there are people in this database already, so the demonstration organisation was not loaded");
        }
    }
    service.is_demo().await.map_err(|problem| in_words(&problem))
}

fn warn_if_public(bound: SocketAddr) {
    if !bound.ip().is_loopback() {
        warn!(
            %bound,
            "THE DEMONSTRATION IS REACHABLE FROM OTHER MACHINES: its passwords are public. Listen on 127.0.0.1, or serve another database."
        );
    }
}

/// What whoever started the server needs to know now, on standard output.
async fn greet(service: &Service, base_url: &str, is_demo: bool) -> Result<()> {
    if is_demo {
        println!("The demonstration organisation has these sign-ins:");
        for sign_in in demo_organisation() {
            println!("  {:<10} {}", sign_in.login, sign_in.password);
        }
    } else if let Some(path) = service.first_administrator_link().await.map_err(|problem| in_words(&problem))? {
        println!("Nobody can sign in yet. Create the first administrator within 24 hours at:");
        println!("  {base_url}{path}");
    }
    println!("Rondo is at {base_url}");
    Ok(())
}
