//! `rondo audit witness`: a witness for the logs of others.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use axum::serve;
use clap::Args;
use identity::random::{OsRandom, Random as _};
use ledger::checkpoint::PublicKey;
use tokio::net::TcpListener;
use tracing::info;
use witness::Witness;

use crate::{clock::SystemClock, commands::stop_on_signal, logging};

#[derive(Debug, Args)]
pub(in crate::commands) struct Options {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The public key of a log to cosign for, as `rondo audit key` prints it; once for each log, and for each key of a log
    #[arg(long, value_name = "VKEY", required = true)]
    log: Vec<String>,
    /// What the witness is called, at its first start [default: witness/ and random letters]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// Cosigns until told to stop.
pub(in crate::commands) async fn run(data: Option<PathBuf>, options: Options) -> Result<ExitCode> {
    logging::start_plain()?;
    let folder = data.context("name the directory of the witness with --data")?;
    let logs = options.log.iter().map(|text| {
        PublicKey::parse(text)
            .with_context(|| format!("“{text}” is no key of a log; `rondo audit key` prints the right one"))
    });
    let logs: Vec<_> = logs.collect::<Result<_>>()?;
    let make = || {
        let (mut seed, mut letters) = ([0; 32], [0; 4]);
        OsRandom.fill(&mut seed);
        OsRandom.fill(&mut letters);
        let usual = || format!("witness/{:08x}", u32::from_be_bytes(letters));
        (options.name.clone().unwrap_or_else(usual), seed)
    };
    let witness = Witness::open(&folder, &logs, Arc::new(SystemClock), make)?;
    if let Some(name) = &options.name {
        let known = witness.key().name();
        ensure!(known == name, "the key in {} is of the witness “{known}”; leave --name away", folder.display());
    }
    let stop = stop_on_signal()?;
    let listener = TcpListener::bind(options.listen).await;
    let listener = listener.with_context(|| format!("{} cannot be listened on", options.listen))?;
    let bound = listener.local_addr().context("the listening address cannot be read")?;
    println!("Its key, for the configuration of the logs and for whoever verifies them:");
    println!("  {}", witness.key());
    println!("The witness is at http://{bound}");
    let router = witness::router(Arc::new(witness));
    serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await.context("the listener failed")?;
    info!("stopped");
    Ok(ExitCode::SUCCESS)
}
