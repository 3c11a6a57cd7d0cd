//! `[[audit.witness]]`: who cosigns the checkpoints of the audit log.

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use delivery::{Trust, Witness};
use ledger::cosignature::{Quorum, WitnessKey};
use serde::Deserialize;
use url::Url;

use super::receivers::{check_name, check_web, read, text};

/// The name of the tables.
pub(super) const TABLES: &str = "audit.witness";

/// Every key that such a table can have.
#[cfg(test)]
pub(super) const KEYS: &[&str] = &["name", "url", "key", "ca"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    name: String,
    url: Url,
    key: String,
    ca: Option<PathBuf>,
}

/// What the tables say.
pub(super) fn witnesses(tables: &[toml::Table]) -> Result<Vec<Witness>> {
    let mut witnesses: Vec<Witness> = Vec::with_capacity(tables.len());
    for (index, table) in tables.iter().enumerate() {
        let which = match table.get("name").and_then(toml::Value::as_str) {
            Some(name) => format!("the witness “{name}” of the audit log"),
            None => format!("witness {} of the audit log", index + 1),
        };
        let witness = witness(table).map_err(|cause| anyhow!("{which}: {cause:#}"))?;
        if witnesses.iter().any(|known| known.name == witness.name) {
            bail!("{which}: more than one has this name");
        }
        witnesses.push(witness);
    }
    let keys: Vec<_> = witnesses.iter().map(|witness| witness.key.clone()).collect();
    if !keys.is_empty() {
        Quorum::new(keys, None).map_err(|cause| anyhow!("the witnesses of the audit log: {cause}"))?;
    }
    Ok(witnesses)
}

fn witness(table: &toml::Table) -> Result<Witness> {
    let keys: Keys = read(table.clone())?;
    check_name(&keys.name)?;
    check_web(&keys.url)?;
    let key = WitnessKey::parse(&keys.key).map_err(|cause| anyhow!("key: {cause}"))?;
    let authority = keys.ca.as_deref().map(|path| text("ca", path)).transpose()?;
    Ok(Witness { name: keys.name, url: keys.url, key, trust: Trust { authority, shown: None } })
}
