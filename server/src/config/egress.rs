//! `[[egress.namespace]]`: what runs of a namespace may reach.

use anyhow::{Result, anyhow, bail};
use connectors::egress::{Destination, Narrowed};
use domain::Name;
use serde::Deserialize;

use super::receivers::read;

/// The name of the tables.
pub(super) const TABLES: &str = "egress.namespace";

/// Every key that such a table can have.
#[cfg(test)]
pub(super) const KEYS: &[&str] = &["name", "only"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    name: String,
    only: Vec<String>,
}

/// What the tables say.
pub(super) fn rules(tables: &[toml::Table]) -> Result<Vec<Narrowed>> {
    let mut rules: Vec<Narrowed> = Vec::with_capacity(tables.len());
    for (index, table) in tables.iter().enumerate() {
        let which = match table.get("name").and_then(toml::Value::as_str) {
            Some(name) => format!("egress of the namespace “{name}”"),
            None => format!("table {} of {TABLES}", index + 1),
        };
        let rule = rule(table).map_err(|cause| anyhow!("{which}: {cause:#}"))?;
        if rules.iter().any(|known| known.namespace == rule.namespace) {
            bail!("{which}: there is more than one table for it");
        }
        rules.push(rule);
    }
    Ok(rules)
}

fn rule(table: &toml::Table) -> Result<Narrowed> {
    let keys: Keys = read(table.clone())?;
    let namespace: Name = keys.name.parse().map_err(|_| {
        anyhow!("name: “{}” is no namespace; those have lower-case letters, digits and hyphens", keys.name)
    })?;
    let only: Result<Vec<Destination>> =
        keys.only.iter().map(|text| text.parse().map_err(|cause| anyhow!("only: “{text}”: {cause}"))).collect();
    Ok(Narrowed { namespace, only: only? })
}
