//! `[[audit.receiver]]`: where the audit log is sent.

use std::{collections::BTreeMap, fs, path::Path, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail};
use delivery::{Format, Lock, Locking, Objects, Receiver, Start, Takes, Trust, Way};
use identity::Secret;
use serde::{Deserialize, de::DeserializeOwned};
use url::{Host, Url};

/// The name of the tables.
pub(super) const TABLES: &str = "audit.receiver";

/// Every key that such a table can have.
#[cfg(test)]
pub(super) const KEYS: &[&str] = &[
    "name",
    "kind",
    "sends",
    "from",
    "format",
    "path",
    "address",
    "ca",
    "certificate",
    "key",
    "enterprise",
    "header",
    "secret_file",
    "secret_variable",
    "bucket",
    "prefix",
    "region",
    "path_style",
    "access_key",
    "lock",
    "retain",
    "every",
    "to",
];

/// Those that all kinds have.
const COMMON: [&str; 5] = ["name", "kind", "sends", "from", "format"];

const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_NAME: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Common {
    name: String,
    kind: Kind,
    sends: Option<Vec<What>>,
    from: Option<From>,
    format: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    File,
    Syslog,
    Http,
    S3,
    Mail,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Entries,
    Checkpoints,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum From {
    First,
    Now,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileKeys {
    path: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SyslogKeys {
    address: Url,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    enterprise: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpKeys {
    address: Url,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    header: Option<String>,
    secret_file: Option<PathBuf>,
    secret_variable: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct S3Keys {
    address: Url,
    bucket: String,
    prefix: Option<String>,
    region: Option<String>,
    path_style: Option<bool>,
    access_key: String,
    secret_file: Option<PathBuf>,
    secret_variable: Option<String>,
    ca: Option<PathBuf>,
    lock: Option<LockMode>,
    retain: Option<String>,
    every: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LockMode {
    Compliance,
    Governance,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MailKeys {
    to: String,
    every: Option<String>,
}

type Variables = BTreeMap<String, String>;

/// What the tables are read with, and what is not there.
struct Surroundings<'a> {
    variables: &'a Variables,
    lacking: Vec<String>,
}

/// The tables of this name as they stand in a file.
pub(super) fn tables(name: &str, value: &toml::Value, path: &Path) -> Result<Vec<toml::Table>> {
    let tables = value.as_array().map(|items| items.iter().map(|item| item.as_table().cloned()).collect());
    let tables: Option<Option<Vec<_>>> = tables;
    tables.flatten().ok_or_else(|| anyhow!("{}: {name} stands in tables, each begins with [[{name}]]", path.display()))
}

/// Whether a receiver has its secret in this variable.
pub(super) fn name_variable(tables: &[toml::Table], name: &str) -> bool {
    tables.iter().any(|table| table.get("secret_variable").and_then(toml::Value::as_str) == Some(name))
}

/// What the tables say, and what a server cannot deliver without: commands beside it need none of its secrets.
pub(super) fn receivers(tables: &[toml::Table], variables: &Variables) -> Result<(Vec<Receiver>, Vec<String>)> {
    let mut around = Surroundings { variables, lacking: Vec::new() };
    let mut receivers: Vec<Receiver> = Vec::with_capacity(tables.len());
    for (index, table) in tables.iter().enumerate() {
        let which = match table.get("name").and_then(toml::Value::as_str) {
            Some(name) => format!("the receiver “{name}” of the audit log"),
            None => format!("receiver {} of the audit log", index + 1),
        };
        let receiver = receiver(table, &mut around).map_err(|cause| anyhow!("{which}: {cause:#}"))?;
        if receivers.iter().any(|known| known.name == receiver.name) {
            bail!("{which}: more than one has this name");
        }
        receivers.push(receiver);
    }
    Ok((receivers, around.lacking))
}

fn receiver(table: &toml::Table, around: &mut Surroundings<'_>) -> Result<Receiver> {
    let is_common = |name: &str| COMMON.contains(&name);
    let (common, own): (toml::Table, toml::Table) = table.clone().into_iter().partition(|(name, _)| is_common(name));
    let common: Common = read(common)?;
    check_name(&common.name)?;
    let format = match &common.format {
        Some(text) => text.parse()?,
        None => Format::Rondo,
    };
    Ok(Receiver {
        takes: takes(&common)?,
        start: match common.from {
            None | Some(From::First) => Start::First,
            Some(From::Now) => Start::Now,
        },
        format,
        way: way(common.kind, own, around)?,
        name: common.name,
    })
}

pub(super) fn check_name(name: &str) -> Result<()> {
    let in_order = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(in_order) {
        bail!("a name is of lower-case letters, digits and hyphens, 1 to {LONGEST_NAME} of them");
    }
    Ok(())
}

fn takes(common: &Common) -> Result<Takes> {
    let usual: &[What] =
        if common.kind == Kind::Mail { &[What::Checkpoints] } else { &[What::Entries, What::Checkpoints] };
    let sends = common.sends.as_deref().unwrap_or(usual);
    let takes = Takes { entries: sends.contains(&What::Entries), checkpoints: sends.contains(&What::Checkpoints) };
    match common.kind {
        _ if sends.is_empty() => bail!("sends names entries, checkpoints or both"),
        Kind::Mail if takes.entries => bail!("a receiver of mails gets checkpoints only"),
        _ => Ok(takes),
    }
}

fn way(kind: Kind, own: toml::Table, around: &mut Surroundings<'_>) -> Result<Way> {
    Ok(match kind {
        Kind::File => Way::File(read::<FileKeys>(own)?.path),
        Kind::Syslog => syslog(&read(own)?)?,
        Kind::Http => http(read(own)?, around)?,
        Kind::S3 => Way::S3(Box::new(objects(read(own)?, around)?)),
        Kind::Mail => {
            let keys: MailKeys = read(own)?;
            Way::Mail {
                every: duration("every", keys.every.as_deref())?.unwrap_or(Duration::from_hours(24)),
                to: keys.to,
            }
        }
    })
}

fn syslog(keys: &SyslogKeys) -> Result<Way> {
    let is_encrypted = match keys.address.scheme() {
        "tls" => true,
        "tcp" => false,
        _ => bail!("the address is tls://HOST:PORT or tcp://HOST:PORT"),
    };
    let (Some(host), Some(port)) = (keys.address.host_str(), keys.address.port()) else {
        bail!("the address is tls://HOST:PORT or tcp://HOST:PORT");
    };
    if !is_encrypted && (keys.ca.is_some() || keys.certificate.is_some()) {
        bail!("ca, certificate and key have a meaning only with tls://");
    }
    let trust = trust(keys.ca.as_deref(), keys.certificate.as_deref(), keys.key.as_deref())?;
    Ok(Way::Syslog { host: host.to_owned(), port, tls: is_encrypted.then_some(trust), enterprise: keys.enterprise })
}

fn http(keys: HttpKeys, around: &mut Surroundings<'_>) -> Result<Way> {
    check_web(&keys.address)?;
    let secret = secret(keys.secret_file.as_deref(), keys.secret_variable.as_deref(), around)?;
    let header = match (keys.header, secret) {
        (None, Some(token)) => Some(("authorization".to_owned(), Secret::new(format!("Bearer {}", token.expose())))),
        (Some(name), Some(value)) => Some((name, value)),
        (Some(_), None) => bail!("header is set without secret_file or secret_variable"),
        (None, None) => None,
    };
    if header.is_some() && keys.address.scheme() == "http" && !is_near(&keys.address) {
        bail!("the secret would be sent in the clear; use https://");
    }
    let trust = trust(keys.ca.as_deref(), keys.certificate.as_deref(), keys.key.as_deref())?;
    Ok(Way::Http { url: keys.address, trust, header })
}

fn objects(keys: S3Keys, around: &mut Surroundings<'_>) -> Result<Objects> {
    check_web(&keys.address)?;
    let secret = secret(keys.secret_file.as_deref(), keys.secret_variable.as_deref(), around)?;
    let secret = secret.ok_or_else(|| anyhow!("secret_file or secret_variable names where the secret key stands"))?;
    let lock = match (keys.lock, duration("retain", keys.retain.as_deref())?) {
        (None, None) => None,
        (Some(mode), Some(retain)) => {
            let mode = match mode {
                LockMode::Compliance => Locking::Compliance,
                LockMode::Governance => Locking::Governance,
            };
            Some(Lock { mode, retain })
        }
        _ => bail!("lock and retain go together"),
    };
    Ok(Objects {
        endpoint: keys.address,
        bucket: keys.bucket,
        prefix: keys.prefix.unwrap_or_default(),
        region: keys.region.unwrap_or_else(|| "us-east-1".to_owned()),
        in_path: keys.path_style.unwrap_or(false),
        access_key: keys.access_key,
        secret,
        trust: trust(keys.ca.as_deref(), None, None)?,
        lock,
        every: duration("every", keys.every.as_deref())?.unwrap_or(Duration::from_mins(5)),
    })
}

pub(super) fn check_web(address: &Url) -> Result<()> {
    if matches!(address.scheme(), "http" | "https") && address.has_host() && address.password().is_none() {
        return Ok(());
    }
    bail!("the address begins with https:// or http://, and holds no password");
}

fn is_near(address: &Url) -> bool {
    match address.host() {
        Some(Host::Ipv4(v4)) => v4.is_loopback(),
        Some(Host::Ipv6(v6)) => v6.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn trust(ca: Option<&Path>, certificate: Option<&Path>, key: Option<&Path>) -> Result<Trust> {
    let shown = match (certificate, key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some((text("certificate", certificate)?, Secret::new(text("key", key)?))),
        _ => bail!("certificate and key go together"),
    };
    Ok(Trust { authority: ca.map(|path| text("ca", path)).transpose()?, shown })
}

fn secret(file: Option<&Path>, variable: Option<&str>, around: &mut Surroundings<'_>) -> Result<Option<Secret>> {
    let given = match (file, variable) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => bail!("secret_file and secret_variable are both set; keep one"),
        (Some(path), None) => text("secret_file", path)?.trim_end_matches(['\r', '\n']).to_owned(),
        (None, Some(name)) => match around.variables.get(name) {
            Some(text) => text.clone(),
            None => {
                around
                    .lacking
                    .push(format!("the variable {name}, which a receiver of the audit log has its secret in"));
                return Ok(Some(Secret::new(String::new())));
            }
        },
    };
    if given.is_empty() {
        bail!("the secret is empty");
    }
    Ok(Some(Secret::new(given)))
}

pub(super) fn text(key: &str, path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{key} {} cannot be read", path.display()))
}

fn duration(key: &str, text: Option<&str>) -> Result<Option<Duration>> {
    let Some(text) = text else { return Ok(None) };
    let read = workflow::duration::parse_iso8601(text).filter(|span| *span >= SHORTEST_WAIT);
    read.map(Some)
        .ok_or_else(|| anyhow!("{key}: “{text}” is not an ISO 8601 duration from PT1S, such as PT5M or P365D"))
}

pub(super) fn read<T: DeserializeOwned>(table: toml::Table) -> Result<T> {
    // In one line, and without the place: it is that in a copy.
    table.try_into().map_err(|cause: toml::de::Error| anyhow!("{}", cause.message()))
}
