//! A PostgreSQL and its standby, of one test, which may lose them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::repository;

/// Longer than the standby needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(50);

/// Which of the two.
#[derive(Clone, Copy)]
pub(crate) enum Which {
    Primary,
    Standby,
}

/// Both servers; they end with it.
pub(crate) struct Replication {
    folder: TempDir,
    settings: BTreeMap<String, String>,
}

impl Replication {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = repository().join("end2end/lab/replication/start");
        let started = Command::new(program).arg(folder.path()).output().unwrap();
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        let environment = std::fs::read_to_string(folder.path().join("environment")).unwrap();
        let setting = |line: &str| {
            let (name, value) = line.strip_prefix("export TEST_REPLICATION_")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        };
        Self { folder, settings: environment.lines().filter_map(setting).collect() }
    }

    pub(crate) fn setting(&self, name: &str) -> &str {
        &self.settings[name]
    }

    pub(crate) fn port(&self, which: Which) -> u16 {
        let name = match which {
            Which::Primary => "PRIMARY_PORT",
            Which::Standby => "STANDBY_PORT",
        };
        self.setting(name).parse().unwrap()
    }

    pub(crate) fn data(&self, which: Which) -> &Path {
        Path::new(self.setting(match which {
            Which::Primary => "PRIMARY_DATA",
            Which::Standby => "STANDBY_DATA",
        }))
    }

    /// An empty folder that the account of the servers can enter; it is removed with them.
    pub(crate) fn shared_folder(&self) -> PathBuf {
        let folder = self.data(Which::Primary).with_file_name("work");
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn program(&self, name: &str) -> PathBuf {
        Path::new(self.setting("PROGRAMS")).join(name)
    }

    /// The connection of this name to one of them, as somebody with the password of the lab.
    pub(crate) fn connection(&self, name: &'static str, which: Which, user: &str) -> (&'static str, String, Value) {
        let settings = json!({
            "host": "127.0.0.1", "port": self.port(which), "database": self.setting("DATABASE"), "user": user,
            "password": self.setting("PASSWORD"), "encryption": "none",
        });
        (name, "postgresql".to_owned(), settings)
    }

    /// What a statement gives there, as text.
    pub(crate) fn sql(&self, which: Which, statement: &str) -> String {
        let mut command = Command::new(self.program("psql"));
        command.args(["-X", "-h", "127.0.0.1", "-U", self.setting("USER"), "-d", self.setting("DATABASE"), "-Atqc"]);
        command.arg(statement).args(["-p", &self.port(which).to_string()]);
        let output = command.env("PGPASSWORD", self.setting("PASSWORD")).output().unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Waits until the standby says this.
    pub(crate) async fn await_standby(&self, statement: &str, answer: &str) {
        let mut pause = tokio::time::interval(PAUSE);
        let looking = async {
            while self.sql(Which::Standby, statement) != answer {
                pause.tick().await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, looking).await;
        assert!(in_time.is_ok(), "the standby does not come to {statement} = {answer}");
    }

    /// Waits until the standby has received all that the primary has written.
    pub(crate) async fn await_received(&self) {
        let written = self.sql(Which::Primary, "SELECT pg_current_wal_flush_lsn()");
        self.await_standby(&format!("SELECT pg_last_wal_receive_lsn() >= '{written}'"), "t").await;
    }

    /// Ends the primary as a power cut would.
    pub(crate) fn lose_primary(&self) {
        let pid = std::fs::read_to_string(self.data(Which::Primary).join("postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        assert!(Command::new("kill").args(["-KILL", pid]).status().unwrap().success());
    }

    /// Starts the old primary again, as its machine would when power is back.
    pub(crate) fn power_is_back(&self) {
        let data = self.data(Which::Primary);
        let mut command = self.as_its_account(&self.program("pg_ctl"));
        let log = data.join("again.log");
        command.arg("-D").arg(data).arg("-l").arg(&log).args(["-w", "start"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", std::fs::read_to_string(&log).unwrap_or_default());
    }

    /// A program as the account that the data belongs to, which is never root.
    fn as_its_account(&self, program: &Path) -> Command {
        use std::os::unix::fs::MetadataExt as _;
        let owner = std::fs::metadata(self.data(Which::Primary)).unwrap();
        let myself = std::fs::metadata(self.folder.path()).unwrap().uid();
        if owner.uid() == myself {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={}", owner.uid())).arg(format!("--regid={}", owner.gid())).arg("--clear-groups");
        command.arg(program);
        command
    }
}

impl Drop for Replication {
    fn drop(&mut self) {
        let script = repository().join("end2end/lab/service.sh");
        // An error only says that there is nothing left to end.
        let _ = Command::new("bash")
            .args(["-c", ". \"$0\"; stop_service \"$1\""])
            .arg(script)
            .arg(self.folder.path())
            .status();
    }
}
