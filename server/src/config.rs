//! Configuration: `rondo.toml`, overridden by `RONDO_*` variables, overridden by flags.
//!
//! Every key is a dotted name with a text behind it, wherever it came from, so that all three sources are read by the
//! same code. `docs/configuration.md` explains the keys; a test holds it to [`KEYS`].

mod egress;
mod receivers;
mod witnesses;

use std::{
    collections::BTreeMap,
    env, fs,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use connectors::egress::{Egress, EgressPolicy, Network, Proxy};
use delivery::{Receiver, Way, Witness};
use domain::AuditClass;
use engine::runners::Elsewhere;
use identity::{Secret, vault::KEY_VARIABLE};
use runner::Limits;
use service::{Keep, MailEncryption, MailSettings, Retention};
use url::Url;

/// Every key there is.
pub(crate) const KEYS: &[&str] = &[
    "listen",
    "data",
    "database_url",
    "public_url",
    "key_file",
    "trusted_proxies",
    "metrics_token",
    "workflows",
    "controls",
    "mail.host",
    "mail.port",
    "mail.encryption",
    "mail.user",
    "mail.password",
    "mail.password_file",
    "mail.from",
    "mail.authority",
    "log.format",
    "log.level",
    "egress.loopback",
    "egress.only",
    "egress.exceptions",
    "egress.proxy.url",
    "egress.proxy.user",
    "egress.proxy.password",
    "egress.proxy.password_file",
    "egress.proxy.no_proxy",
    "egress.proxy.names",
    "connections.check_every",
    "sql.sqlite_folder",
    "container.sockets",
    "engine.calls",
    "engine.lease",
    "pools.engine",
    "pools.web",
    "pools.logs",
    "events.retention",
    "audit.checkpoint_file",
    "audit.archive",
    "audit.retention.reading",
    "audit.retention.access",
    "audit.retention.decision",
    "audit.retention.change",
    "runner.user",
    "runner.memory",
    "runner.processor_time",
    "runner.processes",
    "runner.file_size",
    "runner.time",
    "runner.output",
    "runner.elsewhere",
    "runner.lease",
];

/// How long events are kept unless told otherwise.
const DEFAULT_EVENT_RETENTION: Duration = Duration::from_hours(7 * 24);

/// From one check of a connection to the next unless told otherwise.
const DEFAULT_CHECK_PAUSE: Duration = Duration::from_hours(1);

/// Entries of the audit log are never archived sooner.
const SHORTEST_AUDIT_RETENTION: Duration = Duration::from_hours(30 * 24);

/// Variables that begin with `RONDO_` and are no keys.
const OTHER_VARIABLES: &[&str] = &[
    KEY_VARIABLE,
    "RONDO_CONFIG",
    "RONDO_KILL_AT",
    "RONDO_SITE_DIR",
    "RONDO_BINARY",
    "RONDO_CHROMIUM",
    "RONDO_RUNNER_SERVER",
    "RONDO_RUNNER_TOKEN",
    "RONDO_RUNNER_TOKEN_FILE",
    "RONDO_RUNNER_TASKS",
    "RONDO_RUNNER_CA",
];

/// What was given on the command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    /// `--config`.
    pub(crate) config: Option<PathBuf>,
    /// `--data`.
    pub(crate) data: Option<PathBuf>,
    /// `--listen`.
    pub(crate) listen: Option<String>,
}

/// Which database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A server; the address may hold a password.
    Postgres(String),
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// All settings.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) data: PathBuf,
    pub(crate) database: Database,
    /// As people reach the portal; none: as the listening address says.
    pub(crate) public_url: Option<Url>,
    pub(crate) key_file: PathBuf,
    pub(crate) key: Option<Secret>,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) metrics_token: Option<Secret>,
    /// A directory of definitions that are loaded beside those that ship.
    pub(crate) workflows: Option<PathBuf>,
    /// A directory of lists of compliance controls beside those that ship.
    pub(crate) controls: Option<PathBuf>,
    pub(crate) mail: Option<MailSettings>,
    pub(crate) log_format: LogFormat,
    pub(crate) log_level: String,
    /// What may be reached, by all and by the namespaces that have rules.
    pub(crate) egress: Egress,
    /// From one check of a connection to the next.
    pub(crate) check_connections_every: Duration,
    /// A directory of SQLite files that connections may name.
    pub(crate) sqlite_folder: Option<PathBuf>,
    /// Sockets of container engines that connections may name.
    pub(crate) container_sockets: Vec<PathBuf>,
    pub(crate) calls: usize,
    pub(crate) lease: Duration,
    pub(crate) pools: Pools,
    /// How long events are kept for those who listen later.
    pub(crate) event_retention: Duration,
    /// Where the last checkpoint of the audit log is kept outside the database.
    pub(crate) audit_checkpoint_file: PathBuf,
    /// For how long entries of the audit log are kept in the database.
    pub(crate) audit_retention: Retention,
    /// The folder that they are archived in then.
    pub(crate) audit_archive: PathBuf,
    /// Where the audit log is sent.
    pub(crate) receivers: Vec<Receiver>,
    /// Who cosigns the checkpoints of the audit log.
    pub(crate) witnesses: Vec<Witness>,
    /// What is not there and a server cannot do without.
    pub(crate) lacking: Vec<String>,
    /// To whom the processes of workflows belong, if this process belongs to root.
    pub(crate) runner_user: String,
    /// What such a process may use up.
    pub(crate) runner_limits: Limits,
    /// Which processes are for runners elsewhere although their tasks do not say so.
    pub(crate) runner_elsewhere: Elsewhere,
    /// How long a runner elsewhere keeps its tasks without being heard of.
    pub(crate) runner_lease: Duration,
    /// What is odd and does not stop the program.
    pub(crate) remarks: Vec<String>,
}

/// Connections to the database, by what they are for; none: as many as suit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pools {
    pub(crate) engine: Option<u32>,
    pub(crate) web: Option<u32>,
    pub(crate) logs: Option<u32>,
}

/// A value and where it came from, for messages.
struct Given {
    text: String,
    origin: String,
}

/// The given values, not yet understood.
#[derive(Default)]
struct Values {
    keys: BTreeMap<&'static str, Given>,
    /// The tables of `audit.receiver`, which only a file can have.
    receivers: Vec<toml::Table>,
    /// Those of `audit.witness`.
    witnesses: Vec<toml::Table>,
    /// Those of `egress.namespace`.
    namespaces: Vec<toml::Table>,
}

impl Config {
    /// Reads the configuration of this process.
    pub(crate) fn load(flags: &Flags) -> Result<Self> {
        Self::from_sources(flags, &env::vars().collect())
    }

    fn from_sources(flags: &Flags, variables: &BTreeMap<String, String>) -> Result<Self> {
        let variable = |name: &str| variables.get(name).filter(|text| !text.is_empty()).cloned();
        let named = flags.config.clone().or_else(|| variable("RONDO_CONFIG").map(PathBuf::from));
        let mut data = flags.data.clone().or_else(|| variable("RONDO_DATA").map(PathBuf::from));
        let mut values = Values::default();
        let mut remarks = Vec::new();
        match &named {
            Some(path) => values.read_file(path)?,
            None => {
                let path = data.clone().unwrap_or_else(|| PathBuf::from("data")).join("rondo.toml");
                if path.is_file() {
                    values.read_file(&path)?;
                    if values.keys.remove("data").is_some() {
                        bail!("{}: `data` cannot be set by the file that lies in it; use --data", path.display());
                    }
                }
            }
        }
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix("RONDO_") else { continue };
            let key = KEYS.iter().find(|key| key.replace('.', "_").to_uppercase() == rest);
            match key {
                Some(key) if !text.is_empty() => values.set(key, text.clone(), format!("variable {name}")),
                None if !OTHER_VARIABLES.contains(&name.as_str())
                    && !name.starts_with("RONDO_TEST_")
                    && !receivers::name_variable(&values.receivers, name) =>
                {
                    remarks.push(format!("the variable {name} is no setting of Rondo and is ignored"));
                }
                _ => {}
            }
        }
        if let Some(url) = variable("DATABASE_URL") {
            values.set("database_url", url, "variable DATABASE_URL".to_owned());
        }
        if let Some(listen) = &flags.listen {
            values.set("listen", listen.clone(), "--listen".to_owned());
        }
        if data.is_none() {
            data = values.text("data").map(PathBuf::from);
        }
        let data = data.unwrap_or_else(|| PathBuf::from("data"));
        let database = match values.text("database_url") {
            None => Database::Sqlite(data.join("rondo.sqlite")),
            Some(url) => database(url)?,
        };
        let (receivers, lacking) = receivers::receivers(&values.receivers, variables)?;
        let mut config = Self {
            listen: values
                .parsed("listen", "an address and port such as 127.0.0.1:3000")?
                .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 3000))),
            database,
            public_url: values.parsed::<Url>("public_url", "an address such as https://rondo.example.com")?,
            key_file: values.text("key_file").map_or_else(|| data.join("rondo.key"), PathBuf::from),
            key: variable(KEY_VARIABLE).map(Secret::new),
            trusted_proxies: values.list("trusted_proxies", "networks such as 10.0.0.0/8")?,
            metrics_token: values.text("metrics_token").map(|text| Secret::new(text.to_owned())),
            workflows: values.text("workflows").map(PathBuf::from),
            controls: values.text("controls").map(PathBuf::from),
            mail: mail(&values)?,
            log_format: match values.text("log.format") {
                None | Some("text") => LogFormat::Text,
                Some("json") => LogFormat::Json,
                Some(_) => return Err(values.wrong("log.format", "text or json")),
            },
            log_level: values.text("log.level").unwrap_or("info").to_owned(),
            egress: egress(&values)?,
            check_connections_every: match values.text("connections.check_every") {
                None => DEFAULT_CHECK_PAUSE,
                Some(text) => workflow::duration::parse_iso8601(text)
                    .filter(|pause| (Duration::from_mins(1)..=Duration::from_hours(7 * 24)).contains(pause))
                    .ok_or_else(|| values.wrong("connections.check_every", "an ISO 8601 duration from PT1M to P7D"))?,
            },
            sqlite_folder: values.text("sql.sqlite_folder").map(PathBuf::from),
            container_sockets: values.list("container.sockets", "paths such as /run/podman/podman.sock")?,
            calls: values.parsed("engine.calls", "a number from 1 to 10000")?.unwrap_or(64),
            lease: match values.text("engine.lease") {
                None => Duration::from_secs(30),
                Some(text) => workflow::duration::parse_iso8601(text)
                    .filter(|lease| (Duration::from_secs(1)..=Duration::from_hours(1)).contains(lease))
                    .ok_or_else(|| values.wrong("engine.lease", "an ISO 8601 duration from PT1S to PT1H"))?,
            },
            pools: Pools {
                engine: values.connections("pools.engine")?,
                web: values.connections("pools.web")?,
                logs: values.connections("pools.logs")?,
            },
            event_retention: match values.text("events.retention") {
                None => DEFAULT_EVENT_RETENTION,
                Some(text) => workflow::duration::parse_iso8601(text)
                    .filter(|kept| (Duration::from_mins(1)..=Duration::from_hours(366 * 24)).contains(kept))
                    .ok_or_else(|| values.wrong("events.retention", "an ISO 8601 duration from PT1M to P366D"))?,
            },
            audit_checkpoint_file: values
                .text("audit.checkpoint_file")
                .map_or_else(|| data.join("audit-checkpoint"), PathBuf::from),
            audit_retention: audit_retention(&values)?,
            audit_archive: values.text("audit.archive").map_or_else(|| data.join("audit-archive"), PathBuf::from),
            receivers,
            witnesses: witnesses::witnesses(&values.witnesses)?,
            lacking,
            runner_user: values.text("runner.user").unwrap_or("nobody").to_owned(),
            runner_limits: runner_limits(&values)?,
            runner_elsewhere: runner_elsewhere(&values)?,
            runner_lease: match values.text("runner.lease") {
                None => Duration::from_mins(1),
                Some(text) => workflow::duration::parse_iso8601(text)
                    .filter(|lease| (Duration::from_secs(1)..=Duration::from_hours(1)).contains(lease))
                    .ok_or_else(|| values.wrong("runner.lease", "an ISO 8601 duration from PT1S to PT1H"))?,
            },
            data,
            remarks,
        };
        if !(1..=10_000).contains(&config.calls) {
            return Err(values.wrong("engine.calls", "a number from 1 to 10000"));
        }
        if config.mail.is_none()
            && let Some(mailed) = config.receivers.iter().find(|one| matches!(one.way, Way::Mail { .. }))
        {
            bail!("the receiver “{}” of the audit log gets mails, and mail.host is not set", mailed.name);
        }
        if config.pools.logs.is_some() && matches!(config.database, Database::Sqlite(_)) {
            config.remarks.push("`pools.logs` has no meaning on SQLite, which writes over one connection".to_owned());
        }
        if let Some(url) = &mut config.public_url {
            let plain = matches!(url.scheme(), "http" | "https") && url.has_host() && matches!(url.path(), "/" | "");
            if !plain || url.query().is_some() || url.fragment().is_some() {
                return Err(values.wrong("public_url", "an address without a path, such as https://rondo.example.com"));
            }
        }
        Ok(config)
    }

    /// Whether what arrives from this address may say for whom it asks.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(peer))
    }
}

impl Values {
    fn set(&mut self, key: &'static str, text: String, origin: String) {
        self.keys.insert(key, Given { text, origin });
    }

    fn read_file(&mut self, path: &Path) -> Result<()> {
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let table: toml::Table =
            toml::from_str(&text).map_err(|cause| anyhow!("{} is not valid: {cause}", path.display()))?;
        self.read_table("", &table, path)
    }

    fn read_table(&mut self, prefix: &str, table: &toml::Table, path: &Path) -> Result<()> {
        for (name, value) in table {
            let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            if name == receivers::TABLES {
                self.receivers = receivers::tables(&name, value, path)?;
                continue;
            }
            if name == witnesses::TABLES {
                self.witnesses = receivers::tables(&name, value, path)?;
                continue;
            }
            if name == egress::TABLES {
                self.namespaces = receivers::tables(&name, value, path)?;
                continue;
            }
            if let toml::Value::Table(inner) = value
                && KEYS.iter().any(|key| key.strip_prefix(&name).is_some_and(|rest| rest.starts_with('.')))
            {
                self.read_table(&name, inner, path)?;
                continue;
            }
            let Some(key) = KEYS.iter().find(|key| **key == name) else {
                bail!("{}: there is no key `{name}`; did you mean `{}`?", path.display(), nearest(&name));
            };
            self.set(key, plain_text(value), format!("{} in {}", key, path.display()));
        }
        Ok(())
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(|given| given.text.trim())
    }

    fn parsed<T: FromStr>(&self, key: &str, wanted: &str) -> Result<Option<T>> {
        match self.text(key) {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| self.wrong(key, wanted)),
        }
    }

    fn connections(&self, key: &str) -> Result<Option<u32>> {
        let wanted = "a number from 1 to 1000";
        let given = self.parsed(key, wanted)?;
        if given.is_some_and(|number| !(1..=1_000).contains(&number)) {
            Err(self.wrong(key, wanted))
        } else {
            Ok(given)
        }
    }

    fn list<T: FromStr>(&self, key: &str, wanted: &str) -> Result<Vec<T>> {
        let parts = self.text(key).unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| part.parse().map_err(|_| self.wrong(key, wanted))).collect()
    }

    fn wrong(&self, key: &str, wanted: &str) -> anyhow::Error {
        let given = self.keys.get(key);
        let secret = key.contains("password") || key.contains("token");
        let text = given.filter(|_| !secret).map_or("what is given", |given| given.text.as_str());
        let origin = given.map_or(key, |given| given.origin.as_str());
        anyhow!("{origin}: “{text}” is not {wanted}")
    }
}

fn plain_text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => items.iter().map(plain_text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// The proxy that connections go through.
fn proxy(values: &Values) -> Result<Option<Proxy>> {
    let Some(url) = values.parsed::<Url>("egress.proxy.url", "an address such as http://proxy.example.com:3128")?
    else {
        return Ok(None);
    };
    let plain = url.scheme() == "http" && url.username().is_empty() && url.password().is_none();
    let Some(host) = url.host_str().filter(|_| plain && matches!(url.path(), "" | "/") && url.query().is_none()) else {
        bail!(
            "egress.proxy.url is an address such as http://proxy.example.com:3128; whoever signs in there stands in \
             egress.proxy.user and egress.proxy.password_file"
        );
    };
    let password = secret(values, "egress.proxy.password", "egress.proxy.password_file")?;
    let credentials = match (values.text("egress.proxy.user"), password) {
        (Some(user), Some(password)) => Some((user.to_owned(), Secret::new(password))),
        (None, None) => None,
        (Some(_), None) => {
            bail!("egress.proxy.user is set without egress.proxy.password or egress.proxy.password_file")
        }
        (None, Some(_)) => bail!("egress.proxy.password is set without egress.proxy.user"),
    };
    let resolves = match values.text("egress.proxy.names") {
        None | Some("here") => false,
        Some("proxy") => true,
        Some(_) => return Err(values.wrong("egress.proxy.names", "here or proxy")),
    };
    let wanted = "networks such as 10.0.0.0/8, and names such as *.example.com";
    let no_proxy = values.list("egress.proxy.no_proxy", wanted)?;
    Ok(Some(Proxy { host: host.to_owned(), port: url.port().unwrap_or(80), credentials, no_proxy, resolves }))
}

/// A secret that is given as it is, or stands in a file.
fn secret(values: &Values, plain: &str, file: &str) -> Result<Option<String>> {
    match (values.text(plain), values.text(file)) {
        (Some(_), Some(_)) => bail!("{plain} and {file} are both set; keep one"),
        (Some(text), None) => Ok(Some(text.to_owned())),
        (None, Some(path)) => {
            let text = fs::read_to_string(path).with_context(|| format!("{file} {path} cannot be read"))?;
            Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
        }
        (None, None) => Ok(None),
    }
}

fn egress(values: &Values) -> Result<Egress> {
    let policy = EgressPolicy {
        loopback: values.parsed("egress.loopback", "true or false")?.unwrap_or(true),
        only: values.list("egress.only", "networks such as 10.0.0.0/8, and names such as *.example.com")?,
        exceptions: values.list("egress.exceptions", "networks such as 169.254.169.254/32")?,
        proxy: proxy(values)?.map(Arc::new),
        narrowed: None,
    };
    Ok(Egress::new(policy, egress::rules(&values.namespaces)?))
}

fn database(url: &str) -> Result<Database> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            bail!("the database address names no file; write sqlite:PATH");
        }
        return Ok(Database::Sqlite(PathBuf::from(path)));
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Database::Postgres(url.to_owned()));
    }
    bail!("the database address must be sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE")
}

/// For how long entries of each class are kept; one that is not named is kept for ever.
fn audit_retention(values: &Values) -> Result<Retention> {
    let mut retention = Retention::default();
    for (class, key) in [
        (AuditClass::Reading, "audit.retention.reading"),
        (AuditClass::Access, "audit.retention.access"),
        (AuditClass::Decision, "audit.retention.decision"),
        (AuditClass::Change, "audit.retention.change"),
    ] {
        let Some(text) = values.text(key) else { continue };
        let time = workflow::duration::parse_iso8601(text).filter(|time| *time >= SHORTEST_AUDIT_RETENTION);
        let wanted =
            "an ISO 8601 duration of 30 days or more, such as P90D; leave it out to keep these entries for ever";
        let time = time.ok_or_else(|| values.wrong(key, wanted))?;
        retention.0.insert(class, Keep { time, text: text.to_owned() });
    }
    Ok(retention)
}

/// `*` for all namespaces, or some.
fn runner_elsewhere(values: &Values) -> Result<Elsewhere> {
    let wanted = "namespaces such as network, or * for all";
    let names: Vec<String> = values.list("runner.elsewhere", wanted)?;
    match names.as_slice() {
        [] => Ok(Elsewhere::Nothing),
        [all] if all == "*" => Ok(Elsewhere::Everything),
        some => {
            let names = some.iter().map(|name| name.parse().map_err(|_| values.wrong("runner.elsewhere", wanted)));
            Ok(Elsewhere::Namespaces(names.collect::<Result<_>>()?))
        }
    }
}

fn runner_limits(values: &Values) -> Result<Limits> {
    let usual = Limits::default();
    let size = |key: &str, usual: u64| match values.text(key) {
        None => Ok(usual),
        Some(text) => bytes(text).filter(|bytes| *bytes > 0).ok_or_else(|| values.wrong(key, "a size such as 512 MiB")),
    };
    let span = |key: &str, usual: Duration| match values.text(key) {
        None => Ok(usual),
        Some(text) => workflow::duration::parse_iso8601(text)
            .filter(|span| (Duration::from_secs(1)..=Duration::from_hours(24)).contains(span))
            .ok_or_else(|| values.wrong(key, "an ISO 8601 duration from PT1S to PT24H")),
    };
    let processes = values.parsed::<NonZeroU32>("runner.processes", "a number from 1")?;
    Ok(Limits {
        memory: size("runner.memory", usual.memory)?,
        processor_time: span("runner.processor_time", usual.processor_time)?,
        processes: processes.map_or(usual.processes, |processes| processes.get().into()),
        file_size: size("runner.file_size", usual.file_size)?,
        time: span("runner.time", usual.time)?,
        output: size("runner.output", usual.output)?,
    })
}

/// `512 MiB`, `1 GiB`, `64 KiB`, or a plain number of bytes.
fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = [("KiB", 10), ("MiB", 20), ("GiB", 30)]
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?.trim_end(), 1_u64 << shift)))
        .unwrap_or((text, 1));
    number.parse::<u64>().ok()?.checked_mul(unit)
}

fn mail(values: &Values) -> Result<Option<MailSettings>> {
    let Some(host) = values.text("mail.host").filter(|host| !host.is_empty()) else { return Ok(None) };
    let (encryption, usual_port) = match values.text("mail.encryption") {
        None | Some("starttls") => (MailEncryption::StartTls, 587),
        Some("tls") => (MailEncryption::Tls, 465),
        Some("none") => (MailEncryption::None, 25),
        Some(_) => return Err(values.wrong("mail.encryption", "tls, starttls or none")),
    };
    let password = secret(values, "mail.password", "mail.password_file")?;
    let credentials = match (values.text("mail.user"), password) {
        (Some(user), Some(password)) => Some((user.to_owned(), Secret::new(password))),
        (None, None) => None,
        (Some(_), None) => bail!("mail.user is set without mail.password or mail.password_file"),
        (None, Some(_)) => bail!("mail.password is set without mail.user"),
    };
    let authority = match values.text("mail.authority") {
        None => None,
        Some(path) => Some(fs::read(path).with_context(|| format!("mail.authority {path} cannot be read"))?),
    };
    let from = values.text("mail.from").map_or_else(|| format!("Rondo <rondo@{host}>"), ToOwned::to_owned);
    let port = values.parsed("mail.port", "a port number")?.unwrap_or(usual_port);
    Ok(Some(MailSettings { host: host.to_owned(), port, encryption, credentials, from, authority }))
}

/// The key that takes the fewest changes of single letters.
fn nearest(name: &str) -> &'static str {
    let last = name.rsplit('.').next().unwrap_or(name);
    let cost = |key: &str| distance(name, key).min(distance(last, key.rsplit('.').next().unwrap_or(key)) + 1);
    KEYS.iter().copied().min_by_key(|key| cost(key)).unwrap_or("listen")
}

fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((b, above), corner) in other.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or_default();
            next.push((above + 1).min(left + 1).min(corner + usize::from(a != *b)));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, variables: &[(&str, &str)], flags: Flags) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rondo.toml");
        fs::write(&path, file).unwrap();
        let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Config::from_sources(&Flags { config: Some(path), ..flags }, &variables)
    }

    #[test]
    fn flags_outweigh_variables_and_variables_outweigh_the_file() {
        let file = "listen = \"127.0.0.1:1\"\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n[engine]\ncalls = 7\n";
        let config = load(file, &[], Flags::default()).unwrap();
        assert_eq!(config.listen.port(), 1);
        assert_eq!((config.calls, config.trusted_proxies.len()), (7, 2));
        let variables = [("RONDO_LISTEN", "127.0.0.1:2"), ("RONDO_ENGINE_CALLS", "8")];
        let config = load(file, &variables, Flags::default()).unwrap();
        assert_eq!((config.listen.port(), config.calls), (2, 8));
        let flags = Flags { listen: Some("127.0.0.1:3".to_owned()), ..Flags::default() };
        assert_eq!(load(file, &variables, flags).unwrap().listen.port(), 3);
    }

    #[test]
    fn events_are_kept_a_week_unless_told_otherwise() {
        let kept = |file| load(file, &[], Flags::default()).map(|config| config.event_retention);
        assert_eq!(kept("").unwrap(), Duration::from_hours(7 * 24));
        assert_eq!(kept("[events]\nretention = 'P30D'").unwrap(), Duration::from_hours(30 * 24));
        assert!(kept("[events]\nretention = 'PT1S'").is_err());
    }

    #[test]
    fn pools_have_sizes_from_one_up() {
        let file = "[pools]\nengine = 20\nlogs = 2";
        let config = load(file, &[("RONDO_POOLS_WEB", "5")], Flags::default()).unwrap();
        assert_eq!(config.pools, Pools { engine: Some(20), web: Some(5), logs: Some(2) });
        assert!(config.remarks.iter().any(|remark| remark.contains("pools.logs")));
        let postgres = [("DATABASE_URL", "postgres://u@h/d")];
        assert!(load(file, &postgres, Flags::default()).unwrap().remarks.is_empty());
        for wrong in ["engine = 0", "web = 1001", "logs = 'many'"] {
            assert!(load(&format!("[pools]\n{wrong}"), &[], Flags::default()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn limits_of_processes_have_units() {
        let file = "[runner]\nmemory = '64 MiB'\noutput = 4096\ntime = 'PT10S'\nprocesses = 7\nuser = 'www-data'";
        let config = load(file, &[("RONDO_RUNNER_FILE_SIZE", "1KiB")], Flags::default()).unwrap();
        let expected = Limits {
            memory: 64 * 1024 * 1024,
            output: 4096,
            time: Duration::from_secs(10),
            processes: 7,
            file_size: 1024,
            ..Limits::default()
        };
        assert_eq!((config.runner_limits, config.runner_user.as_str()), (expected, "www-data"));
        for wrong in ["memory = '64 MB'", "memory = 0", "time = 'P2D'", "processes = 0", "processor_time = 'PT0S'"] {
            assert!(load(&format!("[runner]\n{wrong}"), &[], Flags::default()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_unknown_key_names_the_nearest_one() {
        for (file, nearest) in [
            ("lissten = 1", "listen"),
            ("[mail]\nencription = 'tls'", "mail.encryption"),
            ("[engine]\nleases = 'PT9S'", "engine.lease"),
            ("[log]\nformt = 'json'", "log.format"),
            ("trusted_proxys = []", "trusted_proxies"),
        ] {
            let error = load(file, &[], Flags::default()).unwrap_err().to_string();
            assert!(error.contains(&format!("did you mean `{nearest}`?")), "{error}");
        }
    }

    #[test]
    fn a_wrong_value_says_where_it_stands_and_what_is_wanted() {
        let error = load("", &[("RONDO_LISTEN", "everywhere")], Flags::default()).unwrap_err().to_string();
        assert_eq!(error, "variable RONDO_LISTEN: “everywhere” is not an address and port such as 127.0.0.1:3000");
        let error = load("public_url = 'https://x.test/portal'", &[], Flags::default()).unwrap_err().to_string();
        assert!(error.contains("without a path"), "{error}");
    }

    #[test]
    fn the_database_is_a_file_in_the_data_directory_unless_named() {
        let flags = || Flags { data: Some(PathBuf::from("/d")), ..Flags::default() };
        assert_eq!(load("", &[], flags()).unwrap().database, Database::Sqlite(PathBuf::from("/d/rondo.sqlite")));
        let variables = [("DATABASE_URL", "postgres://u@h/d")];
        assert_eq!(load("", &variables, flags()).unwrap().database, Database::Postgres("postgres://u@h/d".to_owned()));
        let variables = [("DATABASE_URL", "sqlite:/x/y.sqlite")];
        assert_eq!(load("", &variables, flags()).unwrap().database, Database::Sqlite(PathBuf::from("/x/y.sqlite")));
        assert!(load("", &[("DATABASE_URL", "mysql://h/d")], flags()).is_err());
    }

    const RECEIVERS: &str = r#"
        [audit]
        checkpoint_file = "/c"
        [[audit.receiver]]
        name = "siem"
        kind = "syslog"
        address = "tls://siem.example.com:6514"
        format = "ocsf"
        [[audit.receiver]]
        name = "hook"
        kind = "http"
        address = "https://logs.example.com/in?key=1"
        secret_variable = "RONDO_HOOK_SECRET"
        from = "now"
        sends = ["entries"]
        [[audit.receiver]]
        name = "vault"
        kind = "s3"
        address = "https://s3.example.com"
        bucket = "audit"
        access_key = "AK"
        secret_variable = "RONDO_HOOK_SECRET"
        lock = "compliance"
        retain = "P365D"
    "#;

    #[test]
    fn receivers_are_read_with_their_secrets() {
        let config = load(RECEIVERS, &[("RONDO_HOOK_SECRET", "hunter2")], Flags::default()).unwrap();
        let told: Vec<_> = config.receivers.iter().map(|one| (one.name.as_str(), one.kind(), one.address())).collect();
        let expected = [
            ("siem", "syslog", "tls://siem.example.com:6514".to_owned()),
            ("hook", "http", "https://logs.example.com/in".to_owned()),
            ("vault", "s3", "https://s3.example.com/audit/".to_owned()),
        ];
        assert_eq!(told, expected);
        assert_eq!(config.remarks, Vec::<String>::new());
        let Way::Http { header: Some((name, secret)), .. } = &config.receivers[1].way else { panic!("no header") };
        assert_eq!((name.as_str(), secret.expose()), ("authorization", "Bearer hunter2"));
        let Way::S3(objects) = &config.receivers[2].way else { panic!("no objects") };
        assert_eq!(objects.lock.unwrap().retain, Duration::from_hours(365 * 24));
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn a_receiver_that_cannot_work_says_why() {
        let error = |file: &str| load(file, &[], Flags::default()).unwrap_err().to_string();
        let without = load(RECEIVERS, &[], Flags::default()).unwrap();
        assert_eq!(without.lacking.len(), 2, "both receivers have their secret in it");
        assert!(without.lacking[0].contains("RONDO_HOOK_SECRET"), "{:?}", without.lacking);
        for (keys, why) in [
            ("name = 'a b'\nkind = 'file'\npath = '/x'", "lower-case letters"),
            ("kind = 'file'\npath = '/x'", "missing field `name`"),
            ("name = 'a'\nkind = 'fax'", "unknown variant `fax`"),
            ("name = 'a'\nkind = 'file'\npaths = '/x'", "unknown field `paths`"),
            ("name = 'a'\nkind = 'file'", "missing field `path`"),
            ("name = 'a'\nkind = 'syslog'\naddress = 'udp://x:5'", "tls://HOST:PORT"),
            ("name = 'a'\nkind = 'syslog'\naddress = 'tcp://x:5'\nca = '/y'", "only with tls://"),
            ("name = 'a'\nkind = 'file'\npath = '/x'\nsends = []", "entries, checkpoints or both"),
            ("name = 'a'\nkind = 'mail'\nto = 'x@example.test'", "mail.host"),
            ("name = 'a'\nkind = 'mail'\nto = 'x@example.test'\nsends = ['entries']", "checkpoints only"),
            (
                "name = 'a'\nkind = 's3'\naddress = 'https://x'\nbucket = 'b'\naccess_key = 'k'",
                "secret_file or secret_variable",
            ),
        ] {
            let said = error(&format!("[[audit.receiver]]\n{keys}"));
            assert!(said.contains(why), "{keys}: {said}");
        }
        let twice = "[[audit.receiver]]\nname = 'a'\nkind = 'file'\npath = '/x'\n".repeat(2);
        assert!(error(&twice).contains("more than one"));
        assert!(error("[audit]\nreceiver = 1").contains("[[audit.receiver]]"));
        let open =
            "[[audit.receiver]]\nname = 'a'\nkind = 'http'\naddress = 'http://logs.test/'\nsecret_variable = 'S'";
        let said = load(open, &[("S", "hunter2")], Flags::default()).unwrap_err().to_string();
        assert!(said.contains("in the clear") && !said.contains("hunter2"), "{said}");
    }

    #[test]
    fn witnesses_are_read_with_their_keys() {
        let key = "witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G";
        let table = |name: &str, url: &str, key: &str| {
            format!("[[audit.witness]]\nname = '{name}'\nurl = '{url}'\nkey = '{key}'\n")
        };
        let config = load(&table("auditors", "https://w.test/rondo/", key), &[], Flags::default()).unwrap();
        let read = config.witnesses.first().unwrap();
        assert_eq!((read.address().as_str(), read.key.to_string().as_str()), ("https://w.test/rondo", key));
        for (file, why) in [
            (table("a b", "https://w.test", key), "lower-case letters"),
            (table("a", "ftp://w.test", key), "https://"),
            (table("a", "https://w.test", &key.replace("a3e0", "a3e1")), "not the key of a witness"),
            (table("a", "https://w.test", key).repeat(2), "more than one has this name"),
            (table("a", "https://w.test", key) + &table("b", "https://v.test", key), "given twice"),
            (table("a", "https://w.test", key) + "proxy = 'x'", "unknown field `proxy`"),
            ("[audit]\nwitness = 1".to_owned(), "[[audit.witness]]"),
        ] {
            let said = load(&file, &[], Flags::default()).unwrap_err().to_string();
            assert!(said.contains(why), "{file}: {said}");
        }
    }

    #[test]
    fn namespaces_have_rules_of_what_they_reach() {
        let file = "[egress]\nonly = ['10.0.0.0/8', '*.example.com']\n\
                    [[egress.namespace]]\nname = 'network'\nonly = ['10.1.0.0/16', 'git.example.com']\n";
        let egress = load(file, &[], Flags::default()).unwrap().egress;
        let network = egress.of(&"network".parse().unwrap());
        let only: Vec<_> = network.narrowed.as_ref().unwrap().only.iter().map(ToString::to_string).collect();
        assert_eq!(only, ["10.1.0.0/16", "git.example.com"]);
        assert!(network.permit("10.1.2.3".parse().unwrap()).is_ok());
        assert!(network.permit("10.2.2.3".parse().unwrap()).is_err());
        assert!(egress.of(&"other".parse().unwrap()).permit("10.2.2.3".parse().unwrap()).is_ok());
        assert!(load("[egress]\nonly = '10.0.0.0/40'", &[], Flags::default()).is_err());
        for (keys, why) in [
            ("name = 'A b'\nonly = []", "no namespace"),
            ("name = 'a'", "missing field `only`"),
            ("name = 'a'\nonly = ['http://x']", "a destination is"),
            ("name = 'a'\nonly = []\nexcept = []", "unknown field `except`"),
        ] {
            let said = load(&format!("[[egress.namespace]]\n{keys}"), &[], Flags::default()).unwrap_err().to_string();
            assert!(said.contains(why), "{keys}: {said}");
        }
        let twice = "[[egress.namespace]]\nname = 'a'\nonly = []\n".repeat(2);
        assert!(load(&twice, &[], Flags::default()).unwrap_err().to_string().contains("more than one table"));
    }

    #[test]
    fn a_proxy_has_its_password_beside_its_address() {
        let file =
            "[egress.proxy]\nurl = 'http://proxy.test:3128'\nuser = 'rondo'\nno_proxy = ['10.0.0.0/8', '*.intern']";
        let config = load(file, &[("RONDO_EGRESS_PROXY_PASSWORD", "hunter2")], Flags::default()).unwrap();
        let policy = config.egress.everywhere();
        let proxy = policy.proxy.as_ref().unwrap();
        assert_eq!((proxy.to_string().as_str(), proxy.no_proxy.len(), proxy.resolves), ("proxy.test:3128", 2, false));
        assert_eq!(proxy.credentials.as_ref().unwrap().1.expose(), "hunter2");
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(load("", &[], Flags::default()).unwrap().egress.everywhere().proxy.is_none());
        for (keys, why) in [
            ("url = 'http://u:hunter2@proxy.test'", "egress.proxy.user"),
            ("url = 'socks5://proxy.test'", "such as http://proxy.example.com:3128"),
            ("url = 'http://proxy.test'\nuser = 'rondo'", "without egress.proxy.password"),
            ("url = 'http://proxy.test'\nnames = 'nowhere'", "here or proxy"),
            ("url = 'http://proxy.test'\nno_proxy = 'http://x'", "networks such as"),
        ] {
            let said = load(&format!("[egress.proxy]\n{keys}"), &[], Flags::default()).unwrap_err().to_string();
            assert!(said.contains(why) && !said.contains("hunter2"), "{keys}: {said}");
        }
    }

    #[test]
    fn entries_of_a_class_without_a_time_are_kept_for_ever() {
        let none = load("", &[], Flags::default()).unwrap();
        assert!(none.audit_retention.0.is_empty());
        assert_eq!(none.audit_archive, none.data.join("audit-archive"));
        let file = "[audit]\narchive = '/a'\n[audit.retention]\nreading = 'P90D'\nchange = 'P7Y'";
        let config = load(file, &[], Flags::default()).unwrap();
        let told: Vec<_> = config.audit_retention.0.iter().map(|(class, keep)| (*class, keep.text.as_str())).collect();
        assert_eq!(told, [(AuditClass::Reading, "P90D"), (AuditClass::Change, "P7Y")]);
        assert_eq!(config.audit_archive, PathBuf::from("/a"));
        for wrong in ["P29D", "soon", "", "PT1H"] {
            let said = load(&format!("[audit.retention]\naccess = '{wrong}'"), &[], Flags::default()).unwrap_err();
            assert!(said.to_string().contains("30 days or more"), "{wrong}: {said}");
        }
        assert!(load("[audit.retention]\nall = 'P90D'", &[], Flags::default()).is_err());
    }

    #[test]
    fn a_password_never_stands_in_a_message() {
        let file = "[mail]\nhost = 'mail.test'\npassword = 'hunter2'";
        assert!(!load(file, &[], Flags::default()).unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn every_key_is_explained() {
        let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md")).unwrap();
        for key in KEYS {
            assert!(page.contains(&format!("`{key}`")), "{key} is missing in docs/configuration.md");
        }
        for key in receivers::KEYS {
            assert!(page.contains(&format!("`{key}`")), "{key} of receivers is missing in docs/configuration.md");
        }
        for key in egress::KEYS {
            assert!(page.contains(&format!("`{key}`")), "{key} of egress is missing in docs/configuration.md");
        }
        for key in witnesses::KEYS {
            assert!(page.contains(&format!("`{key}`")), "{key} of witnesses is missing in docs/configuration.md");
        }
    }
}
