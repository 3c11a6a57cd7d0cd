//! From configuration to working parts: database, key, policies, connectors, operations.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    num::NonZeroUsize,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, anyhow, bail};
use connectors::{
    Connector, FunctionSpec, Registry,
    asyncapi::AsyncApiConnector,
    aws::{self, AwsConnector},
    chat::{self, ChatConnector},
    container::{self, ContainerConnector},
    directory::{self, DirectoryConnector, Portal},
    dns::{self, DnsConnector},
    egress::{Egress, EgressPolicy},
    git::{self, GitConnector},
    grpc::GrpcConnector,
    http::{Http, HttpConnector},
    imap::ImapConnector,
    kubernetes::{self, KubernetesConnector},
    mcp::McpConnector,
    messaging::{self, MessagingConnector},
    network::{self, NetworkConnector},
    openapi::OpenApiConnector,
    resource::Resources,
    s3::{self, S3Connector},
    smtp::{self, SmtpConnector},
    sql::{self, SqlConnector},
    ssh::{self, SshConnector},
    ticket::{self, TicketConnector},
    wait_for::WaitForConnector,
};
use domain::{Clock, Ids, view::DemoSignIn};
use engine::{Definitions, Live, Waker};
use identity::{
    passwords::{Parameters, Passwords},
    random::{OsRandom, Random},
    vault::{KEY_VARIABLE, KeySource, Vault},
};
use policy::Policies;
use service::{ControlLists, Parts, Service};
use store::Store;
use store_postgres::{PoolSizes, PostgresStore};
use store_sqlite::{ReaderPools, SqliteStore};
use workflow::{Capability, FunctionCatalogue};

use crate::{
    anchor_file::AnchorFile,
    archive_folder::ArchiveFolder,
    clock::{SystemClock, SystemIds},
    config::{Config, Database, Pools},
    definition_resources::{DefinitionResources, FUNCTIONS},
    directory_changes::AuditedChanges,
    git_branches::GitBranches,
    processes::{Executor, runner_process},
    receivers, witnesses,
};

/// What every command works with.
pub(crate) struct Foundation {
    /// The database as the engine and what works in the background use it.
    pub(crate) store: Arc<dyn Store>,
    /// The same over the connections for pages and REST.
    pub(crate) web: Arc<dyn Store>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) connectors: Arc<Registry>,
    pub(crate) branches: Arc<GitBranches>,
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) processes: Arc<Executor>,
    pub(crate) passwords: Passwords,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) random: Arc<dyn Random>,
}

/// What a service has beside the foundation.
pub(crate) struct Extras {
    pub(crate) live: Live,
    pub(crate) waker: Option<Waker>,
    pub(crate) base_url: String,
    pub(crate) demo: Vec<DemoSignIn>,
}

impl Foundation {
    /// Opens and migrates the database, and makes sure that the key is the one its secrets were sealed with.
    pub(crate) async fn lay(config: &Config) -> Result<Self> {
        prepare_data(&config.data)?;
        let Shares { engine: store, web } = open(config).await?;
        store.migrate().await.map_err(|cause| unusable(config, cause))?;
        let random: Arc<dyn Random> = Arc::new(OsRandom);
        let vault = Arc::new(open_vault(config, store.as_ref(), Arc::clone(&random)).await?);
        let passwords = passwords(Arc::clone(&random))?;
        let portal = Portal {
            store: Arc::clone(&store),
            vault: Arc::clone(&vault),
            random: Arc::clone(&random),
            passwords: Arc::new(passwords.clone()),
            recorder: Arc::new(AuditedChanges),
        };
        let http = http(&config.egress.everywhere())?;
        let resources = Resources::remote(Arc::clone(&http));
        let folders = Folders {
            mails: config.data.join("mail"),
            sqlite: config.sqlite_folder.clone(),
            sockets: config.container_sockets.clone(),
        };
        let mut registry = registry(&config.egress, &http, &resources, portal, folders)?;
        let egress = config.egress.everywhere();
        let elsewhere = DefinitionResources::new(resources.clone(), egress, config.workflows.clone());
        registry.resolve_with(Arc::new(elsewhere));
        let connectors = Arc::new(registry);
        let runner = runner_process(config.runner_user.clone(), config.runner_limits);
        Ok(Self {
            store,
            web,
            vault,
            definitions: Arc::new(Definitions::new(Arc::clone(&connectors))),
            connectors,
            branches: Arc::new(GitBranches(http)),
            processes: Arc::new(Executor::apart(runner, resources)),
            passwords,
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
            random,
        })
    }

    /// The operations.
    pub(crate) fn service(&self, config: &Config, extras: Extras) -> Result<Service> {
        Ok(Service::new(Parts {
            store: Arc::clone(&self.web),
            policies: Arc::new(Policies::builtin().context("the built-in policies are not valid")?),
            connectors: Arc::clone(&self.connectors),
            branches: Arc::<GitBranches>::clone(&self.branches),
            definitions: Arc::clone(&self.definitions),
            vault: Arc::clone(&self.vault),
            anchor: Arc::new(AnchorFile(config.audit_checkpoint_file.clone())),
            controls: Arc::new(control_lists(config)?),
            receivers: receivers::known(config),
            witnesses: witnesses::known(config),
            retention: config.audit_retention.clone(),
            archive: Arc::new(ArchiveFolder(config.audit_archive.clone())),
            passwords: self.passwords.clone(),
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
            random: Arc::clone(&self.random),
            live: extras.live,
            waker: extras.waker,
            check_connections_every: config.check_connections_every,
            mail_enabled: config.mail.is_some(),
            base_url: extras.base_url,
            demo: extras.demo,
        }))
    }

    /// The operations for a command beside a server.
    pub(crate) fn console(&self, config: &Config) -> Result<Service> {
        let base_url = base_url(config, config.listen);
        self.service(config, Extras { live: Live::default(), waker: None, base_url, demo: Vec::new() })
    }
}

/// The address of the portal as people reach it, without a slash at the end.
pub(crate) fn base_url(config: &Config, bound: std::net::SocketAddr) -> String {
    if let Some(url) = &config.public_url {
        return url.origin().ascii_serialization();
    }
    if bound.ip().is_unspecified() {
        return format!("http://127.0.0.1:{}", bound.port());
    }
    format!("http://{bound}")
}

/// Makes the data directory, closed to other users of the machine, and tries whether it can be written to.
pub(crate) fn prepare_data(data: &Path) -> Result<()> {
    let remedy = || {
        format!("the data directory {} cannot be used; give another with --data, or make it writable", data.display())
    };
    DirBuilder::new().recursive(true).mode(0o700).create(data).with_context(remedy)?;
    let trial = data.join(".writable");
    OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&trial).with_context(remedy)?;
    fs::remove_file(&trial).with_context(remedy)
}

/// One database over connections apart, so that slow pages cannot hold up execution.
pub(crate) struct Shares {
    pub(crate) engine: Arc<dyn Store>,
    pub(crate) web: Arc<dyn Store>,
}

/// Opens the database as it is.
pub(crate) async fn open(config: &Config) -> Result<Shares> {
    let Pools { engine, web, logs } = config.pools;
    let opened = match &config.database {
        Database::Sqlite(path) => {
            let usual = ReaderPools::default();
            let readers = ReaderPools { engine: engine.unwrap_or(usual.engine), web: web.unwrap_or(usual.web) };
            SqliteStore::open_with(path, readers).await.map(|store| {
                let web = Arc::new(store.for_web());
                Shares { engine: Arc::new(store), web }
            })
        }
        Database::Postgres(url) => {
            let usual = PoolSizes::default();
            let sizes = PoolSizes {
                engine: engine.unwrap_or(usual.engine),
                web: web.unwrap_or(usual.web),
                logs: logs.unwrap_or(usual.logs),
            };
            PostgresStore::connect(url, sizes).await.map(|store| {
                let web = Arc::new(store.for_web());
                Shares { engine: Arc::new(store), web }
            })
        }
    };
    opened.map_err(|cause| unusable(config, cause))
}

/// The right to be the only server on a SQLite database, for as long as it is kept. It is taken before the database is
/// migrated, so that a newer program never changes the tables under a running older one.
pub(crate) struct Alone(#[expect(dead_code, reason = "the lock is held while the file is open")] fs::File);

impl Alone {
    /// Takes the right; on PostgreSQL there may be others, and it is nothing.
    ///
    /// # Errors
    /// Another server works on the database, or the lock file beside it cannot be made.
    pub(crate) fn on(config: &Config) -> Result<Option<Self>> {
        let Database::Sqlite(database) = &config.database else { return Ok(None) };
        prepare_data(&config.data)?;
        let path = database.with_added_extension("serving");
        let remedy = || format!("{} cannot be made; check that the folder can be written to", path.display());
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path).with_context(remedy)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self(lock))),
            Err(fs::TryLockError::WouldBlock) => bail!(
                "another rondo serves the database {} already; stop it, or give another directory with --data",
                database.display()
            ),
            Err(fs::TryLockError::Error(cause)) => Err(cause).with_context(remedy),
        }
    }

    /// Frees whatever an earlier server held, however it ended. Among several nodes a lease has to run out instead.
    pub(crate) async fn take_over(&self, store: &dyn Store) -> store::Result<()> {
        let mut unit = store.begin().await?;
        unit.release_all_leases().await?;
        unit.release_all_receivers().await?;
        unit.release_all_witnesses().await?;
        unit.release_archiving().await?;
        unit.release_watches().await?;
        unit.commit().await
    }
}

fn unusable(config: &Config, cause: store::StoreError) -> anyhow::Error {
    let what = match &config.database {
        Database::Sqlite(path) => {
            format!(
                "the database {} cannot be used; check that the file and its folder can be written to",
                path.display()
            )
        }
        Database::Postgres(url) => format!(
            "the PostgreSQL database at {} cannot be used; check that it runs and that DATABASE_URL is right",
            without_password(url)
        ),
    };
    anyhow::Error::new(cause).context(what)
}

/// A database address as it may be shown.
pub(crate) fn without_password(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut url) => {
            if url.password().is_some() {
                // It has a host, so it can have a password; and showing none is always right.
                let _ = url.set_password(Some("…"));
            }
            url.set_query(None);
            url.to_string().replace("%E2%80%A6", "…")
        }
        Err(_) => "the given address".to_owned(),
    }
}

/// Opens the key, and refuses one that is not the database's.
pub(crate) async fn open_vault(config: &Config, store: &dyn Store, random: Arc<dyn Random>) -> Result<Vault> {
    let source = match &config.key {
        Some(text) => KeySource::Variable(text.clone()),
        None => {
            let mut unit = store.snapshot().await?;
            let established = Vault::is_established(unit.as_mut()).await?;
            KeySource::File { path: config.key_file.clone(), create: !established }
        }
    };
    let vault = Vault::open(&source, random)?;
    let mut unit = store.begin().await?;
    let place = if config.key.is_some() { KEY_VARIABLE.to_owned() } else { config.key_file.display().to_string() };
    vault
        .check(unit.as_mut())
        .await
        .with_context(|| format!("the key in {place} is not the one that this database was made with"))?;
    unit.commit().await?;
    Ok(vault)
}

fn passwords(random: Arc<dyn Random>) -> Result<Passwords> {
    let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Ok(Passwords::new(random, Parameters::default(), processors)?)
}

/// Where connectors keep or find files of the server.
struct Folders {
    /// Mails that are sent nowhere.
    mails: PathBuf,
    /// SQLite files that workflows may use, if any.
    sqlite: Option<PathBuf>,
    /// Sockets of container engines that workflows may use.
    sockets: Vec<PathBuf>,
}

fn registry(
    egress: &Egress,
    http: &Arc<Http>,
    resources: &Resources,
    portal: Portal,
    folders: Folders,
) -> Result<Registry> {
    let policy = egress.everywhere();
    let mut connectors = connectors_without_database(http, resources);
    let (vault, clock) = (Arc::clone(&portal.vault), Arc::new(SystemClock));
    connectors.push(Arc::new(AwsConnector::new(Arc::clone(http), Arc::clone(&vault), clock.clone())));
    let network = NetworkConnector::new(Arc::clone(&policy), Arc::clone(http), Arc::clone(&vault));
    connectors.push(Arc::new(network));
    connectors.push(Arc::new(S3Connector::new(Arc::clone(http), vault, clock.clone())));
    connectors.push(Arc::new(TicketConnector::new(Arc::clone(http))));
    connectors.push(Arc::new(ChatConnector::new(Arc::clone(http))));
    connectors.push(Arc::new(GitConnector::new(Arc::clone(http))));
    connectors.push(Arc::new(KubernetesConnector::new(Arc::clone(http))));
    connectors.push(Arc::new(ContainerConnector::new(Arc::clone(http), folders.sockets)));
    connectors.push(Arc::new(DnsConnector::new(Arc::clone(&policy), clock)));
    connectors.push(Arc::new(DirectoryConnector::new(Arc::clone(http), portal)));
    connectors.push(Arc::new(MessagingConnector::new(Arc::clone(&policy), Arc::new(SystemIds))));
    connectors.push(Arc::new(ImapConnector::new(Arc::clone(&policy))));
    connectors.push(Arc::new(SmtpConnector::new(Arc::clone(&policy), folders.mails)));
    connectors.push(Arc::new(SshConnector::new(Arc::clone(&policy))));
    connectors.push(Arc::new(SqlConnector::new(policy, folders.sqlite)));
    let mut registry = assemble(connectors)?;
    registry.guard(egress.clone());
    registry.allow(engine::CAPABILITIES);
    Ok(registry)
}

/// The connectors, and what is to be said of calls that the specification has and that nothing here serves.
fn assemble(connectors: Vec<Arc<dyn Connector>>) -> Result<Registry> {
    let mut registry = Registry::new(connectors).context("the connectors do not fit together")?;
    registry.withhold(
        "a2a",
        "the Agent2Agent protocol is not served: the methods of the specification are those of its version 0.3, and the \
         protocol's own library speaks version 1; an agent that takes JSON-RPC over HTTP can be called with `http`",
    );
    Ok(registry)
}

/// The functions that work over connections of the portal only.
pub(crate) fn over_connections() -> Vec<FunctionSpec> {
    vec![
        aws::function(),
        chat::function(),
        container::function(),
        directory::function(),
        dns::function(),
        git::function(),
        network::function(),
        messaging::function(),
        kubernetes::function(),
        s3::function(),
        smtp::function(),
        sql::function(),
        ssh::function(),
        ticket::function(),
    ]
}

/// The connectors that work from a definition alone.
fn connectors_without_database(http: &Arc<Http>, resources: &Resources) -> Vec<Arc<dyn Connector>> {
    vec![
        Arc::new(HttpConnector::over(Arc::clone(http))),
        Arc::new(OpenApiConnector::new(Arc::clone(http), resources.clone())),
        Arc::new(AsyncApiConnector::new(Arc::clone(http), resources.clone())),
        Arc::new(GrpcConnector::new(Arc::clone(http), resources.clone())),
        Arc::new(McpConnector::new(Arc::clone(http))),
        Arc::new(WaitForConnector::new(Arc::clone(http))),
    ]
}

fn http(egress: &Arc<EgressPolicy>) -> Result<Arc<Http>> {
    let http = Http::new(Arc::clone(egress));
    http.map(Arc::new).map_err(|failure| anyhow!("calls by HTTP cannot be set up: {}", failure.detail()))
}

/// What definitions are read and executed with where there is no database.
pub(crate) struct WithoutDatabase {
    /// The connectors.
    pub(crate) connectors: Arc<Registry>,
    /// External resources, among them files.
    pub(crate) resources: Resources,
    /// The folder of the definition, and of the default catalog.
    folder: PathBuf,
}

impl WithoutDatabase {
    /// Relative paths of resources begin at `folder`.
    pub(crate) fn set_up(folder: PathBuf) -> Result<Self> {
        let http = http(&Arc::new(EgressPolicy::default()))?;
        let resources = Resources::with_files(Arc::clone(&http), folder.clone());
        let connectors = assemble(connectors_without_database(&http, &resources))?;
        Ok(Self { connectors: Arc::new(connectors), resources, folder })
    }

    /// What can be executed here, with the reasons why the rest cannot.
    pub(crate) fn executable(&self) -> FunctionCatalogue {
        let mut catalogue = self.connectors.function_catalogue().clone();
        catalogue.withhold(
            FunctionCatalogue::APPROVAL,
            "an approval is decided by people in the portal, and without a database there is nobody to ask",
        );
        for function in over_connections() {
            catalogue
                .withhold(function.name, "it works over a connection, and connections are configured in the portal");
        }
        self.complete(catalogue)
    }

    /// Everything that this program knows, whoever executes it.
    pub(crate) fn known(&self) -> Result<FunctionCatalogue> {
        let mut catalogue = self.connectors.function_catalogue().clone();
        for function in over_connections() {
            catalogue.register(function.name, function.with, function.system)?;
        }
        Ok(self.complete(catalogue))
    }

    fn complete(&self, mut catalogue: FunctionCatalogue) -> FunctionCatalogue {
        catalogue.allow(Capability::ALL);
        let elsewhere = DefinitionResources::new(self.resources.clone(), Arc::default(), Some(self.folder.clone()));
        catalogue.resolve_with(Arc::new(elsewhere));
        catalogue
    }
}

/// The catalogue that ships: file names and texts.
pub(crate) const SHIPPED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/workflows.rs"));

/// The definitions of the directory `workflows`, in order of their paths: file names and texts. Its folder `functions` is the
/// default catalog, and holds none.
pub(crate) fn own_definitions(config: &Config) -> Result<Vec<(String, String)>> {
    let Some(folder) = &config.workflows else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    collect_definitions(folder, &folder.join(FUNCTIONS), &mut files)
        .with_context(|| format!("the workflows in {} cannot be read; check the key `workflows`", folder.display()))?;
    files.sort();
    Ok(files)
}

/// The lists of compliance controls: those that ship, and those of the directory `controls`.
fn control_lists(config: &Config) -> Result<ControlLists> {
    let Some(folder) = &config.controls else { return Ok(ControlLists::shipped()) };
    let read = || -> std::io::Result<Vec<(String, String)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ["yaml", "yml"].iter().any(|known| ending == *known)) {
                files.push((path.display().to_string(), fs::read_to_string(&path)?));
            }
        }
        files.sort();
        Ok(files)
    };
    let files = read().with_context(|| {
        format!("the lists of controls in {} cannot be read; check the key `controls`", folder.display())
    })?;
    Ok(ControlLists::with_own(files.iter().map(|(file, text)| (file.as_str(), text.as_str())))?)
}

fn collect_definitions(folder: &Path, except: &Path, files: &mut Vec<(String, String)>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path == except {
            continue;
        }
        if path.is_dir() {
            collect_definitions(&path, except, files)?;
        } else if path.extension().is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|known| ending == *known)) {
            files.push((path.display().to_string(), fs::read_to_string(&path)?));
        }
    }
    Ok(())
}
