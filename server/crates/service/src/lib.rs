//! Every operation of Rondo, each once: authorize, load, decide, write, audit, commit.
//!
//! REST handlers, server functions and the command line are doors of a few lines to the functions here; none of them
//! decides anything. What a page may show and what REST answers is the same view, because it is the same function.
//!
//! # How to add an operation
//! 1. A variant of [`domain::Operation`], and a policy in `server/policies/` that allows it to somebody.
//! 2. A function on [`Service`] in the module of its area. It begins with [`Service::enter`] (for a change) or
//!    [`Service::look`] (for reading), authorizes with [`Gate::authorize`] on the resource that it loaded, and ends a
//!    change with [`Gate::finish`], which writes the audit entry in the same transaction and commits.
//! 3. A REST route in `server/src/http/rest/`, and a server function in `app/src/api/` where a page needs it.
//! 4. A row in the tests: the operation × role table shows the new line by itself.
//!
//! A refusal is a change, too: [`Gate::authorize`] rolls back what was begun and writes the refusal to the audit log.

mod access_reviews;
mod account;
mod administration;
mod approvals;
mod audit_log;
mod audit_views;
mod authoring;
mod calendars;
mod caller;
mod catalogue;
mod connection_checks;
mod connections;
mod console;
mod controls;
mod cursor;
mod definitions;
mod delegations;
mod demo;
mod drafts;
mod emergencies;
mod erasure;
mod events;
mod evidence;
mod follow;
mod foresight;
mod gate;
mod idempotency;
mod input;
mod limits;
mod links;
mod mail;
mod notifications;
mod packing;
mod people;
mod policies;
mod problems;
mod processes;
mod questions;
mod receivers;
mod repositories;
mod retention;
mod runners;
mod runs;
mod sampling;
mod secrets;
mod separation;
mod shipped;
mod sign_in;
mod signed_log;
mod triggers;
mod typical;
mod value;
mod views;
mod witnesses;

use std::{sync::Arc, time::Duration};

use connectors::Registry;
use domain::{Clock, Ids, Timestamp, view::DemoSignIn};
use engine::{Definitions, Live, Waker};
use identity::{passwords::Passwords, random::Random, vault::Vault};
use policies::{Force, Questions};
use policy::Policies;
use shipped::PassedOver;
use store::Store;
use tokio::sync::Notify;
use typical::Typical;

pub use administration::{NewUser, UserChange};
pub use approvals::{ApprovalQuery, ChosenDecision, DecisionLinks, Manner, NewDecision};
pub use audit_log::{AuditExport, ExportFormat};
use authoring::Examination;
pub use authoring::{
    DefinitionArchive, DefinitionFile, DefinitionQuery, ExportedDefinition, ExportedVersions, FILES_BYTES_LIMIT,
    FILES_LIMIT, is_definition_file,
};
pub use caller::{Caller, Door, MaybeCaller, Origin, Reservation};
pub use connections::{ConnectionKind, NewConnection};
pub use console::WayIn;
pub use delegations::NewDelegation;
pub use demo::demo_organisation;
pub use emergencies::NewEmergency;
pub use engine::secrets::value_of as secret_of_text;
pub use events::Publication;
pub use gate::Gate;
pub use idempotency::Remembered;
pub use lettre::message::Mailbox as MailAddress;
pub use limits::NewLimits;
pub use mail::{MailEncryption, MailError, MailSettings, Mailer, Post};
pub use policies::NewPolicies;
pub use receivers::AuditReceiver;
pub use report::Language as ReportLanguage;
pub use repositories::{Branches, HookProof, NewRepository, StoredChange};
pub use retention::{Archive, Archived, Keep, NewHold, NoPack, Pack, Retention, read_pack};
pub use runners::{NewRunner, RunnerFigures};
pub use runs::{RunQuery, RunResolution};
pub use shipped::ShippedError;
pub use signed_log::Anchor;
pub use store::access::Subject;
pub use triggers::{HookCall, HookOutcome, NewTrigger, TrialContent, TriggerSecret, TriggerTrial};
pub use witnesses::AuditWitness;
pub use workflow::{
    calendar::CalendarText,
    controls::{ControlLists, InvalidControlList},
};

/// What the operations work with.
pub struct Parts {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The program's own policies, in force until [`Service::load_policies`] adds those of administrators.
    pub policies: Arc<Policies>,
    /// The connectors.
    pub connectors: Arc<Registry>,
    /// Reads branches of repositories.
    pub branches: Arc<dyn Branches>,
    /// What was read of published definitions.
    pub definitions: Arc<Definitions>,
    /// Secrets at rest.
    pub vault: Arc<Vault>,
    /// Where the last checkpoint of the audit log is kept outside the database.
    pub anchor: Arc<dyn Anchor>,
    /// The lists of compliance controls.
    pub controls: Arc<ControlLists>,
    /// Where the audit log is sent.
    pub receivers: Vec<AuditReceiver>,
    /// Who cosigns the checkpoints of the audit log.
    pub witnesses: Vec<AuditWitness>,
    /// For how long entries of the audit log are kept.
    pub retention: Retention,
    /// Where they are archived then.
    pub archive: Arc<dyn Archive>,
    /// Password hashing.
    pub passwords: Passwords,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn Ids>,
    /// New secrets.
    pub random: Arc<dyn Random>,
    /// Hints to watchers.
    pub live: Live,
    /// Wakes the engine; none where none runs (command line beside a server).
    pub waker: Option<Waker>,
    /// From one check of a connection to the next.
    pub check_connections_every: Duration,
    /// Whether mails are sent.
    pub mail_enabled: bool,
    /// Address of the portal as people reach it.
    pub base_url: String,
    /// Sign-ins of the demonstration organisation; empty outside it.
    pub demo: Vec<DemoSignIn>,
}

/// The operations.
pub struct Service {
    parts: Parts,
    examination: Examination,
    force: Force,
    questions: Questions,
    typical: Typical,
    passed_over: PassedOver,
    repositories_due: Notify,
    erasures_due: Notify,
}

impl Service {
    /// The operations over these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let force = Force::of(Arc::clone(&parts.policies));
        Self {
            parts,
            examination: Examination::default(),
            force,
            questions: Questions::default(),
            typical: Typical::default(),
            passed_over: PassedOver::default(),
            repositories_due: Notify::new(),
            erasures_due: Notify::new(),
        }
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    fn ids(&self) -> &dyn Ids {
        self.parts.ids.as_ref()
    }

    fn wake(&self, run: domain::RunId) {
        if let Some(waker) = &self.parts.waker {
            waker.wake(run);
        }
    }

    fn wake_schedules(&self) {
        if let Some(waker) = &self.parts.waker {
            waker.wake_schedules();
        }
    }

    fn wake_departures(&self) {
        if let Some(waker) = &self.parts.waker {
            waker.wake_departures();
        }
    }

    /// Hints of what changes, for live pages.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.parts.live
    }

    /// The database, for health checks.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.parts.store
    }
}
