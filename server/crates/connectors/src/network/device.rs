//! Devices that are changed on their command line, over SSH.
//!
//! There is no candidate: what is typed holds at once, and until the device starts anew unless it is saved, which is
//! what confirming means here. A change of which a line is refused is taken back line by line, by what the
//! configuration was before. So is one that a workflow rolls back.

mod platform;
mod sections;
mod terminal;

use std::sync::Arc;

use async_trait::async_trait;
use domain::view::CheckStep;
use identity::{Secret, vault::Vault};
use serde::Deserialize;
use serde_json::{Value, json};
use workflow::{RunError, StandardError};

use super::{
    difference, kept,
    operation::{Change, Operation, Source, digest},
    secrets::{Notation, masked, masked_line},
};
use crate::{
    CallContext, Failure, FailureKind, Probe, Request, ResolvedConnection,
    connection::Steps,
    egress::EgressPolicy,
    http::plain::excerpt,
    ssh::{
        check::{Rights, check_rights},
        session::Session,
        settings::{Access, Host},
    },
};
use platform::{Platform, SAVE, lasting};
use sections::{Section, astray, changed, commands, read, written};
use terminal::{Stuck, Terminal};

/// Where SSH listens.
const PORT: u16 = 22;
/// How often a configuration is compared with what it is to become, and brought nearer: one line may take others with
/// it.
const ROUNDS: usize = 3;
/// The most that is kept of what one command shows.
const KEPT: usize = 256 << 10;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    #[serde(default)]
    platform: Platform,
    enable_secret: Option<Secret>,
}

/// A device that waits for commands.
struct Device {
    terminal: Terminal,
    platform: Platform,
}

/// Does what an operation says.
pub(super) async fn call(
    operation: Operation,
    request: &Request,
    connection: &ResolvedConnection,
    vault: &Vault,
    context: &CallContext,
) -> Result<Value, Failure> {
    let mut device = open(request, connection, context).await?;
    let done = match operation {
        Operation::GetConfig { source, .. } => {
            let text = device.config(source).await;
            text.and_then(|text| kept(&text, Notation::Commands, vault))
        }
        Operation::Read { commands, json, .. } if !commands.is_empty() => {
            device.type_all(&commands, json, true, context).await
        }
        Operation::Read { .. } => Err(Failure::configuration("what is to be read? write it into `commands`")),
        Operation::Neighbours {} => device.neighbours().await,
        Operation::Plan(change) => device.plan(&change).await,
        Operation::Change(change) => device.change(&change, context).await,
        Operation::Confirm { .. } => device.save().await,
        Operation::Rollback { backup, .. } => device.take_back(backup.as_deref()).await,
        Operation::Command { commands, json, only_reads } => {
            device.type_all(&commands, json, only_reads, context).await
        }
    };
    device.terminal.close().await;
    done
}

async fn open(request: &Request, connection: &ResolvedConnection, context: &CallContext) -> Result<Device, Failure> {
    let access = Access::at(connection, PORT)?;
    let settings = connection.settings::<Settings>()?;
    let host = access.host(request.with.get("host").and_then(Value::as_str))?;
    let entering = async {
        let session = Session::open(&context.egress, &access, host).await?;
        Terminal::over(session, &host.name, settings.platform, settings.enable_secret.as_ref()).await
    };
    let terminal = context.entering(&host.name, entering).await?;
    Ok(Device { terminal, platform: settings.platform })
}

/// Whether a change was made, where it says what was there before it.
pub(super) async fn probe(
    change: &Change,
    request: &Request,
    connection: &ResolvedConnection,
    context: &CallContext,
) -> Result<Probe, Failure> {
    let Some(base) = &change.base else { return Ok(Probe::CannotTell) };
    let mut device = open(request, connection, context).await?;
    let running = device.config(Source::Running).await;
    device.terminal.close().await;
    let running = running?;
    let sections = read(&running);
    Ok(if *base == digest(&running) {
        Probe::DidNotHappen
    } else if changed(&sections, &read(change.config()?)) == sections {
        Probe::Happened(json!({"changed": true, "diff": null, "pending": waiting(&running)}))
    } else {
        Probe::CannotTell
    })
}

/// What a change gives that holds, and is not saved.
fn waiting(running: &str) -> Value {
    json!({"id": null, "digest": digest(running), "until": null})
}

impl Device {
    /// Types a command that only reads, and gives what it shows.
    async fn shown(&mut self, command: &str) -> Result<String, Failure> {
        let shown = self.terminal.run(command).await.map_err(|stuck| self.unread(command, &stuck))?;
        if let Some(error) = self.error(&shown) {
            return Err(self.refused(command, &error, ""));
        }
        Ok(shown)
    }

    fn error(&self, shown: &str) -> Option<String> {
        let line = shown.lines().map(str::trim_end).find(|line| self.platform.is_error(line))?;
        Some(excerpt(&masked_line(line, Notation::Commands), []))
    }

    fn refused(&self, command: &str, error: &str, more: &str) -> Failure {
        let shown = excerpt(&masked_line(command, Notation::Commands), []);
        let words = format!("{} refused “{shown}”: {error}{more}", self.terminal.host);
        Failure::permanent(RunError::new(StandardError::Runtime, words))
    }

    /// Nothing happened by what only reads.
    fn unread(&self, command: &str, stuck: &Stuck) -> Failure {
        let words = format!("{}, “{command}”: {}", self.terminal.host, stuck.words());
        match stuck {
            Stuck::Lost(_) => Failure::lost(RunError::communication(503, words)),
            Stuck::TooLarge => Failure::refused(502, format!("{words}; ask for less")),
            Stuck::Silent(_) => Failure::refused(
                502,
                format!("{words}; it may want something that a workflow cannot give: try the command by hand"),
            ),
        }
    }

    fn unknown(&self, command: &str, stuck: &Stuck) -> Failure {
        let shown = masked_line(command, Notation::Commands);
        Failure::unknown(RunError::communication(
            503,
            format!(
                "{}, “{}”: {}, so that it and what came before may have happened; look there",
                self.terminal.host,
                excerpt(&shown, []),
                stuck.words()
            ),
        ))
    }

    async fn config(&mut self, source: Source) -> Result<String, Failure> {
        let command = match source {
            Source::Running => self.platform.running(),
            Source::Startup => self.platform.startup(),
            Source::Candidate => None,
        };
        let command = command.ok_or_else(|| {
            Failure::configuration(
                "this platform shows no such configuration, or its command for it is not known here; choose the \
                 connection's platform, or use `read` with a command of the device",
            )
        })?;
        let shown = self.shown(command).await?;
        Ok(lasting(&shown))
    }

    async fn type_all(
        &mut self,
        commands: &[String],
        json: bool,
        only_reads: bool,
        context: &CallContext,
    ) -> Result<Value, Failure> {
        let mut outputs = Vec::new();
        for command in commands {
            one_line(command)?;
            let shown = self.terminal.run(command).await.map_err(|stuck| {
                if only_reads { self.unread(command, &stuck) } else { self.unknown(command, &stuck) }
            })?;
            if let Some(error) = self.error(&shown) {
                let before = outputs.len();
                return Err(self.refused(command, &error, &format!("; {before} before it were done, none after it")));
            }
            context.info(masked_line(command, Notation::Commands));
            outputs.push(output(command, &shown, json, &self.terminal.host)?);
        }
        Ok(json!({"outputs": outputs}))
    }

    async fn neighbours(&mut self) -> Result<Value, Failure> {
        let command = self.platform.neighbours();
        let shown = self.terminal.run(command).await.map_err(|stuck| self.unread(command, &stuck))?;
        // Where no BGP runs, there are none.
        if shown.contains("BGP instance not found") || shown.contains("BGP not active") {
            return Ok(json!({"neighbours": []}));
        }
        if let Some(error) = self.error(&shown) {
            return Err(self.refused(command, &error, ""));
        }
        let neighbours = self.platform.read_neighbours(&shown).ok_or_else(|| {
            let words = format!(
                "{} shows its neighbours in another way than its platform does; compare the connection's platform",
                self.terminal.host
            );
            Failure::refused(502, words)
        })?;
        Ok(json!({"neighbours": neighbours}))
    }

    async fn plan(&mut self, change: &Change) -> Result<Value, Failure> {
        let config = typeable(change)?;
        let running = self.config(Source::Running).await?;
        change.fits(&running, &self.terminal.host)?;
        let before = read(&running);
        let after = changed(&before, &read(config));
        let diff = difference::between(&written(&before), &written(&after), Notation::Commands);
        Ok(json!({"changed": before != after, "diff": diff}))
    }

    async fn change(&mut self, change: &Change, context: &CallContext) -> Result<Value, Failure> {
        if change.confirm_within.is_some() {
            context.warn(format!(
                "{} takes nothing back by itself; the change is not saved until it is confirmed",
                self.terminal.host
            ));
        }
        let config = typeable(change)?;
        let before = self.config(Source::Running).await?;
        change.fits(&before, &self.terminal.host)?;
        let sections = read(&before);
        if changed(&sections, &read(config)) == sections {
            return Ok(json!({"changed": false, "diff": "", "pending": null}));
        }
        let lines: Vec<&str> =
            config.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('!')).collect();
        if let Some((line, error)) = self.configure(&lines).await? {
            return Err(self.half_done(line, &error, &sections).await);
        }
        let after = self.config(Source::Running).await.map_err(|failure| self.uncertain(&failure))?;
        let diff = difference::between(&before, &after, Notation::Commands);
        Ok(json!({"changed": before != after, "diff": diff, "pending": waiting(&after)}))
    }

    fn uncertain(&self, failure: &Failure) -> Failure {
        Failure::unknown(RunError::communication(
            503,
            format!("the change was made on {}, and then: {}", self.terminal.host, failure.detail()),
        ))
    }

    /// A line was refused: those before it are taken back.
    async fn half_done(&mut self, line: &str, error: &str, before: &[Section]) -> Failure {
        match self.restore(before).await {
            Ok(()) => self.refused(line, error, "; what came before it was taken back"),
            Err(failure) => {
                let words = format!("; what came before it could not be taken back: {}", failure.detail());
                Failure::unknown(*self.refused(line, error, &words).error)
            }
        }
    }

    /// Types lines where the configuration is changed, up to the first that is refused, which it gives with the words
    /// of the device.
    async fn configure<'a>(&mut self, lines: &[&'a str]) -> Result<Option<(&'a str, String)>, Failure> {
        self.shown("configure terminal").await?;
        let mut refused = None;
        for line in lines {
            let shown = self.terminal.run(line).await.map_err(|stuck| self.unknown(line, &stuck))?;
            if let Some(error) = self.error(&shown) {
                refused = Some((*line, error));
                break;
            }
        }
        self.terminal.run("end").await.map_err(|stuck| self.unknown("end", &stuck))?;
        Ok(refused)
    }

    /// Brings the configuration back to what it was. A line that is refused may have gone with another one: the result
    /// counts.
    async fn restore(&mut self, wanted: &[Section]) -> Result<(), Failure> {
        for _ in 0..ROUNDS {
            let running = read(&self.config(Source::Running).await?);
            let lines = commands(&running, wanted);
            if lines.is_empty() {
                return Ok(());
            }
            self.shown("configure terminal").await?;
            for line in &lines {
                self.terminal.run(line).await.map_err(|stuck| self.unknown(line, &stuck))?;
            }
            self.terminal.run("end").await.map_err(|stuck| self.unknown("end", &stuck))?;
        }
        let running = read(&self.config(Source::Running).await?);
        if commands(&running, wanted).is_empty() {
            return Ok(());
        }
        let diff = difference::between(&written(&running), &written(wanted), Notation::Commands);
        let host = &self.terminal.host;
        Err(Failure::refused(409, format!("{host} is not as it was before; this still differs:\n{diff}")))
    }

    async fn save(&mut self) -> Result<Value, Failure> {
        self.shown(SAVE).await?;
        Ok(json!({"confirmed": true}))
    }

    async fn take_back(&mut self, backup: Option<&str>) -> Result<Value, Failure> {
        let backup = backup.ok_or_else(|| {
            Failure::configuration(
                "a device with a command line keeps no configuration from before; give what getConfig gave as `backup`",
            )
        })?;
        let restored = self.restore(&read(backup)).await;
        // Doing it again does no harm.
        restored.map_err(
            |failure| {
                if failure.kind == FailureKind::Unknown { Failure::lost(*failure.error) } else { failure }
            },
        )?;
        Ok(json!({"rolledBack": true, "by": "backup"}))
    }
}

/// The commands of a change, of which each is typed in the mode in which it stands.
fn typeable(change: &Change) -> Result<&str, Failure> {
    let config = change.config()?;
    config.lines().try_for_each(|line| one_line(line.trim()))?;
    let Some(line) = astray(config) else { return Ok(config) };
    let shown = excerpt(&masked_line(line, Notation::Commands), []);
    let detail = format!(
        "the line “{shown}” leaves the mode of the configuration that it stands in, or comes after one that has left it; write \
         only what is to be configured, with what belongs into a section indented below it, and use `command` for all else"
    );
    Err(Failure::permanent(RunError::new(StandardError::Validation, detail)))
}

/// A line break would be the end of one command and the beginning of another.
fn one_line(command: &str) -> Result<(), Failure> {
    if command.chars().any(char::is_control) {
        let detail = "a command holds a line break or another control character; write each command by itself";
        return Err(Failure::permanent(RunError::new(StandardError::Validation, detail)));
    }
    Ok(())
}

fn output(command: &str, shown: &str, as_json: bool, host: &str) -> Result<Value, Failure> {
    let command = masked_line(command, Notation::Commands);
    if as_json {
        let value: Value = serde_json::from_str(shown.trim()).map_err(|_| {
            Failure::refused(502, format!("what {host} shows for “{command}” is no JSON; leave `json` away"))
        })?;
        return Ok(json!({"command": command, "value": super::secrets::masked_value(&value)}));
    }
    let masked = masked(shown, Notation::Commands);
    let end = masked.char_indices().map(|(at, _)| at).find(|at| *at >= KEPT);
    let kept = end.map_or(masked.as_str(), |end| masked.get(..end).unwrap_or_default());
    Ok(json!({"command": command, "output": kept, "truncated": kept.len() < masked.len()}))
}

/// Goes step by step to each device.
pub(super) async fn check(policy: &EgressPolicy, connection: &ResolvedConnection) -> Vec<CheckStep> {
    match connection.settings::<Settings>() {
        Ok(settings) => check_rights(policy, Access::at(connection, PORT), &settings).await,
        Err(failure) => Steps::default().fail("settings", failure.detail()),
    }
}

#[async_trait]
impl Rights for Settings {
    async fn found(&self, session: &Arc<Session>, host: &Host) -> Result<String, String> {
        let words = |failure: Failure| failure.detail().to_owned();
        let opening = Terminal::over(Arc::clone(session), &host.name, self.platform, self.enable_secret.as_ref());
        let terminal = opening.await.map_err(words)?;
        let mut device = Device { terminal, platform: self.platform };
        if self.platform == Platform::Generic {
            return Ok(format!("{} takes commands", host.name));
        }
        device.config(Source::Running).await.map_err(words)?;
        Ok(format!("{} takes commands, and shows its configuration", host.name))
    }
}
