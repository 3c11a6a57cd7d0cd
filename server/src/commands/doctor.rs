//! `rondo doctor`: one line per thing that must be in order, with the remedy where it is not.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Result;
use identity::random::OsRandom;
use service::{Archive as _, Service};
use tokio::net::TcpStream;

use super::in_words;
use crate::{
    archive_folder::ArchiveFolder,
    config::{Config, Database, Flags},
    processes::runner_process,
    wiring::{self, Foundation},
};

/// How long the mail server may take to answer.
const MAIL_LIMIT: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Findings {
    failed: bool,
}

impl Findings {
    fn note(&mut self, what: &str, outcome: Result<String>) -> bool {
        match outcome {
            Ok(words) => {
                println!("ok      {what}: {words}");
                true
            }
            Err(error) => {
                println!("failed  {what}: {}", crate::in_one_line(&error));
                self.failed = true;
                false
            }
        }
    }
}

pub(super) async fn doctor(flags: &Flags) -> Result<ExitCode> {
    let mut findings = Findings::default();
    let config = match Config::load(flags) {
        Ok(config) => config,
        Err(error) => {
            findings.note("configuration", Err(error));
            return Ok(ExitCode::FAILURE);
        }
    };
    crate::logging::start_quiet(&config)?;
    findings.note(
        "configuration",
        Ok(config.remarks.join("; ")).map(|remarks| if remarks.is_empty() { "read".to_owned() } else { remarks }),
    );
    for what in &config.lacking {
        findings.note("configuration", Err(anyhow::anyhow!("{what}, is not set here; see that it is for the server")));
    }
    examine(&config, &mut findings).await;
    Ok(if findings.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn examine(config: &Config, findings: &mut Findings) {
    let data = wiring::prepare_data(&config.data).map(|()| format!("{} can be written to", config.data.display()));
    findings.note("data directory", data);
    if let Database::Sqlite(path) = &config.database
        && !path.exists()
    {
        let words = format!("{} does not exist yet; `rondo serve` or `rondo migrate` makes it", path.display());
        findings.note("database", Err(anyhow::anyhow!(words)));
        return;
    }
    let store = match wiring::open(config).await {
        Ok(shares) => shares.engine,
        Err(error) => {
            findings.note("database", Err(error));
            return;
        }
    };
    let answers = store.ping().await.map(|()| format!("{} answers", store.name())).map_err(anyhow::Error::new);
    findings.note("database", answers);
    let readable = async {
        let mut unit = store.snapshot().await?;
        unit.count_users().await?;
        unit.audit_size().await?;
        unit.count_outgoing().await?;
        unit.last_audit_checkpoint().await?;
        store::Result::Ok(())
    };
    let migrated = readable.await.map(|()| "the tables are there".to_owned());
    let migrated = migrated.map_err(|cause| anyhow::Error::new(cause).context("run `rondo migrate`"));
    let usable = findings.note("migrations", migrated);
    if !usable {
        store.close().await;
        return;
    }
    let vault = wiring::open_vault(config, store.as_ref(), Arc::new(OsRandom)).await;
    let key = vault.map(|vault| format!("{} fits the database", vault.key_id()));
    let fits = findings.note("key", key);
    store.close().await;
    if fits {
        deeper(config, findings).await;
    }
    let runner = runner_process(config.runner_user.clone(), config.runner_limits);
    let words = match runner.user() {
        Ok(Some(_)) => Ok(format!("processes of workflows belong to {}", config.runner_user)),
        Ok(None) => Ok("processes of workflows belong to this user, who can read the key and the database".to_owned()),
        Err(cause) => Err(anyhow::anyhow!("{cause}; set runner.user")),
    };
    findings.note("runner", words);
    match &config.mail {
        None => _ = findings.note("mail", Ok("off; set mail.host to send mails".to_owned())),
        Some(mail) => {
            let place = format!("{}:{}", mail.host, mail.port);
            let reached = tokio::time::timeout(MAIL_LIMIT, TcpStream::connect((mail.host.as_str(), mail.port))).await;
            let words = match reached {
                Ok(Ok(_)) => Ok(format!("{place} can be reached")),
                Ok(Err(cause)) => Err(anyhow::anyhow!("{place}: {cause}; check mail.host and mail.port")),
                Err(_) => Err(anyhow::anyhow!("{place} does not answer; check mail.host and mail.port")),
            };
            findings.note("mail", words);
        }
    }
}

async fn deeper(config: &Config, findings: &mut Findings) {
    let foundation = match Foundation::lay(config).await {
        Ok(foundation) => foundation,
        Err(error) => {
            findings.note("database", Err(error));
            return;
        }
    };
    match foundation.console(config) {
        Err(error) => _ = findings.note("policies", Err(error)),
        Ok(service) => {
            let verdict = match service.console_verify_audit().await {
                // When the log was verified last, and by whom, stands in the log.
                Ok(verdict) => service.console_note_verification(&verdict).await.map(|()| verdict),
                refused => refused,
            };
            let verdict = verdict.map_err(|problem| in_words(&problem));
            let sound = verdict.and_then(|verdict| match verdict.fault {
                None if verdict.archived == 0 => Ok(format!("{} entries, unaltered", verdict.entries)),
                None => Ok(format!("{} entries, unaltered, {} of them archived", verdict.entries, verdict.archived)),
                Some(fault) => Err(anyhow::anyhow!("{fault}; compare it with an export or a backup")),
            });
            findings.note("audit log", sound);
            note_receivers(&service, findings).await;
            note_witnesses(&service, findings).await;
            note_retention(config, &service, findings).await;
            let usable = service.load_policies().await.map_err(|problem| in_words(&problem));
            findings.note("policies", usable.map(|()| "those of the administrators can be used".to_owned()));
            let shipped = service.load_shipped(wiring::SHIPPED.iter().copied()).await;
            let valid = shipped.map(|()| format!("{} shipped definitions are valid", wiring::SHIPPED.len()));
            findings.note("workflows", valid.map_err(anyhow::Error::new));
        }
    }
    foundation.store.close().await;
}

/// What the servers on this database have told of the receivers of the audit log.
async fn note_receivers(service: &Service, findings: &mut Findings) {
    let receivers = match service.receivers_now().await {
        Ok(receivers) if receivers.is_empty() => {
            let words = "the audit log is sent nowhere; see docs/receivers.md";
            findings.note("receivers", Ok(words.to_owned()));
            return;
        }
        Ok(receivers) => receivers,
        Err(cause) => {
            findings.note("receivers", Err(cause.into()));
            return;
        }
    };
    for receiver in receivers {
        let words = match (receiver.failing_since, receiver.failure) {
            (Some(since), failure) => Err(anyhow::anyhow!(
                "has taken nothing since {since}, {} entries behind: {}; check {}",
                receiver.lag,
                failure.unwrap_or_default(),
                receiver.address
            )),
            (None, _) if receiver.succeeded_at.is_none() => Ok("nothing was delivered yet".to_owned()),
            (None, _) => Ok(format!("{} entries behind", receiver.lag)),
        };
        findings.note(&format!("receiver {}", receiver.name), words);
    }
}

/// What the servers on this database have been told by the witnesses of the audit log.
async fn note_witnesses(service: &Service, findings: &mut Findings) {
    let witnesses = match service.witnesses_now().await {
        Ok(witnesses) if witnesses.is_empty() => {
            let words = "nobody cosigns the audit log; see docs/witnesses.md";
            findings.note("witnesses", Ok(words.to_owned()));
            return;
        }
        Ok(witnesses) => witnesses,
        Err(cause) => {
            findings.note("witnesses", Err(cause.into()));
            return;
        }
    };
    for witness in witnesses {
        let failure = witness.failure.unwrap_or_default();
        let words = match (witness.refused_at, witness.failing_since) {
            (Some(since), _) => Err(anyhow::anyhow!(
                "REFUSES TO COSIGN since {since}: {failure}. The audit log was perhaps put back to an older copy, or written anew; \
                 compare it with exports and checkpoints from elsewhere before anything else (docs/witnesses.md)"
            )),
            (None, Some(since)) => Err(anyhow::anyhow!(
                "has cosigned nothing since {since}, {} entries behind: {failure}; check {}",
                witness.lag,
                witness.address
            )),
            (None, None) => Ok(match witness.size {
                None => "nothing was cosigned yet".to_owned(),
                Some(size) => format!("has cosigned {size} entries, {} behind", witness.lag),
            }),
        };
        findings.note(&format!("witness {}", witness.name), words);
    }
}

/// How it goes with archiving the audit log, and whether this node could.
async fn note_retention(config: &Config, service: &Service, findings: &mut Findings) {
    if config.audit_retention.0.is_empty() {
        findings.note("audit retention", Ok("entries of the audit log are kept for ever".to_owned()));
        return;
    }
    let folder = ArchiveFolder(config.audit_archive.clone());
    let words = match (folder.prepare(), service.retention_now().await) {
        (Err(cause), _) => Err(anyhow::anyhow!(
            "{} cannot be written to: {cause}; make it writable, or set audit.archive to a folder that all nodes share",
            folder.folder()
        )),
        (_, Err(cause)) => Err(cause.into()),
        (_, Ok(now)) => match (now.failing_since, now.failure) {
            (Some(since), failure) => {
                Err(anyhow::anyhow!("nothing was archived since {since}: {}", failure.unwrap_or_default()))
            }
            (None, _) => {
                let waiting: u64 = now.classes.iter().map(|class| class.waiting).sum();
                Ok(format!("{waiting} entries wait to be archived in {}", now.folder))
            }
        },
    };
    findings.note("audit retention", words);
}
