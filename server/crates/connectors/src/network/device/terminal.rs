//! A command line: what is typed, and what is shown until the prompt comes again.

use std::{sync::Arc, time::Duration};

use identity::Secret;
use russh::{ChannelStream, client::Msg};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::platform::Platform;
use crate::{Failure, http::plain::excerpt, ssh::session::Session};

/// As wide as devices allow, so that what is typed is not wrapped.
const COLUMNS: u32 = 500;
const ROWS: u32 = 100;
/// The most that one command may show.
const LIMIT: usize = 4 << 20;
/// So much is read at once.
const PIECE: usize = 16 << 10;
/// A device that shows nothing for so long waits for something else than a command.
const SILENCE: Duration = Duration::from_secs(30);
/// What some show at the end of a page.
const PAGERS: &[&str] = &["--More--", "---- More ----", "--more--", "<--- More --->"];

/// Why a command line shows no prompt.
#[derive(Debug)]
pub(in crate::network) enum Stuck {
    /// The connection ended.
    Lost(String),
    /// It shows more than is taken in.
    TooLarge,
    /// It waits for something, after having shown this.
    Silent(String),
}

/// A command line that waits for commands.
pub(in crate::network) struct Terminal {
    stream: ChannelStream<Msg>,
    ssh: Arc<Session>,
    pub(in crate::network) host: String,
    /// The prompt without what changes in it: the mode, and the sign at the end.
    name: String,
}

impl Terminal {
    /// Over a session that is there, as the account that changes the configuration, without paging.
    pub(in crate::network) async fn over(
        ssh: Arc<Session>,
        host: &str,
        platform: Platform,
        enable: Option<&Secret>,
    ) -> Result<Self, Failure> {
        let stream = ssh.terminal(COLUMNS, ROWS, host).await?;
        let mut terminal = Self { stream, ssh, host: host.to_owned(), name: String::new() };
        let secrets = || enable.map(Secret::expose);
        let opened = terminal.until(Waited::Prompt).await;
        let shown = opened.map_err(|stuck| terminal.no_prompt(&stuck, secrets()))?;
        if let Some(secret) = enable
            && shown.trim_end().ends_with('>')
        {
            terminal.raise(secret).await?;
        }
        if let Some(command) = platform.unpaged() {
            terminal.run(command).await.map_err(|stuck| terminal.no_prompt(&stuck, secrets()))?;
        }
        Ok(terminal)
    }

    fn no_prompt<'a>(&self, stuck: &Stuck, secrets: impl IntoIterator<Item = &'a str>) -> Failure {
        let words = match stuck {
            Stuck::Silent(shown) => format!("the last that it showed is “{}”", excerpt(shown, secrets)),
            other => other.words(),
        };
        let host = &self.host;
        Failure::unreachable(format!(
            "{host} shows no prompt that ends in #, > or $: {words}; see whether the account gets a command line there"
        ))
    }

    /// Becomes the account that may change the configuration.
    async fn raise(&mut self, secret: &Secret) -> Result<(), Failure> {
        let refused = |terminal: &Self| {
            Failure::permanent(workflow::RunError::new(
                workflow::StandardError::Authentication,
                format!("{} did not take the secret of enable; enter it into the connection again", terminal.host),
            ))
        };
        self.type_in("enable").await.map_err(|stuck| self.no_prompt(&stuck, []))?;
        let shown = self.until(Waited::PasswordOrPrompt).await.map_err(|stuck| self.no_prompt(&stuck, []))?;
        if asks_for_password(&shown) {
            self.type_in(secret.expose()).await.map_err(|stuck| self.no_prompt(&stuck, []))?;
            // One that does not take it asks again.
            let shown = self.until(Waited::PasswordOrPrompt).await.map_err(|_| refused(self))?;
            if asks_for_password(&shown) || !shown.trim_end().ends_with('#') {
                return Err(refused(self));
            }
        }
        Ok(())
    }

    /// Types a command, and gives what is shown until the prompt.
    pub(in crate::network) async fn run(&mut self, command: &str) -> Result<String, Stuck> {
        // A question mark by itself asks for help.
        self.type_in(&command.replace('?', "\u{16}?")).await?;
        if let Some(name) = command.trim().strip_prefix("hostname ") {
            name.trim().clone_into(&mut self.name);
        }
        let shown = self.until(Waited::Prompt).await?;
        let without_prompt = shown.rsplit_once('\n').map_or("", |(output, _)| output);
        Ok(without_echo(without_prompt, command).to_owned())
    }

    async fn type_in(&mut self, text: &str) -> Result<(), Stuck> {
        let lost = |error: std::io::Error| Stuck::Lost(error.to_string());
        self.stream.write_all(format!("{text}\n").as_bytes()).await.map_err(lost)?;
        self.stream.flush().await.map_err(lost)
    }

    async fn until(&mut self, waited: Waited) -> Result<String, Stuck> {
        let mut bytes = Vec::new();
        let mut piece = vec![0; PIECE];
        loop {
            let Ok(read) = tokio::time::timeout(SILENCE, self.stream.read(&mut piece)).await else {
                return Err(Stuck::Silent(last_line(&plain(&bytes)).to_owned()));
            };
            match read.map_err(|error| Stuck::Lost(error.to_string()))? {
                0 => return Err(Stuck::Lost("it was closed".to_owned())),
                length => bytes.extend(piece.iter().take(length)),
            }
            if bytes.len() > LIMIT {
                return Err(Stuck::TooLarge);
            }
            // Only the end matters: what came is looked at once for each piece of it.
            let tail = bytes.len().saturating_sub(1_000);
            let end = plain(bytes.get(tail..).unwrap_or_default());
            let line = last_line(&end);
            if PAGERS.iter().any(|pager| line.trim_end().ends_with(pager)) {
                self.stream.write_all(b" ").await.map_err(|error| Stuck::Lost(error.to_string()))?;
                bytes.extend(b"\r\n");
                continue;
            }
            let asks = waited == Waited::PasswordOrPrompt && asks_for_password(line);
            if let Some(name) = prompt(line)
                && (self.name.is_empty() || self.name == name)
            {
                name.clone_into(&mut self.name);
                return Ok(plain(&bytes));
            }
            if asks {
                return Ok(plain(&bytes));
            }
        }
    }

    /// Says goodbye; what goes wrong then does not matter any more.
    pub(in crate::network) async fn close(self) {
        self.ssh.close().await;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waited {
    Prompt,
    PasswordOrPrompt,
}

fn asks_for_password(shown: &str) -> bool {
    last_line(shown).trim_end().to_ascii_lowercase().ends_with("password:")
}

fn last_line(text: &str) -> &str {
    text.rsplit('\n').next().unwrap_or_default()
}

/// The name in a prompt: `r1# `, `r1(config-router)# `, `user@host> `. A line is one if nothing comes after it.
fn prompt(line: &str) -> Option<&str> {
    let line = line.trim();
    let stem = line.strip_suffix(['#', '>', '$'])?.trim_end();
    let stem = match stem.split_once('(') {
        Some((name, mode)) if mode.ends_with(')') => name,
        Some(_) => return None,
        None => stem,
    };
    let named = |character: char| character.is_ascii_alphanumeric() || "._@:/~+-".contains(character);
    (!stem.is_empty() && stem.len() <= 128 && stem.chars().all(named)).then_some(stem)
}

/// What is shown begins with what was typed.
fn without_echo<'a>(shown: &'a str, command: &str) -> &'a str {
    let typed: String = command.chars().filter(|character| !character.is_whitespace()).take(20).collect();
    let (first, rest) = shown.split_once('\n').unwrap_or((shown, ""));
    let seen: String = first.chars().filter(|character| !character.is_whitespace()).collect();
    if seen.contains(&typed) { rest } else { shown }
}

/// The text without what moves the cursor, rings or colours.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' if characters.peek() == Some(&'[') => {
                characters.next();
                // Ends with a letter or one of a few signs.
                while characters.next().is_some_and(|part| !('@'..='~').contains(&part)) {}
            }
            '\u{1b}' => {
                characters.next();
            }
            '\u{8}' => {
                if !plain.ends_with('\n') {
                    plain.pop();
                }
            }
            '\n' | '\t' => plain.push(character),
            other if other.is_control() => {}
            other => plain.push(other),
        }
    }
    plain
}

impl Stuck {
    pub(in crate::network) fn words(&self) -> String {
        match self {
            Self::Lost(why) => format!("the connection was lost: {why}"),
            Self::TooLarge => "it shows more than 4 MiB".to_owned(),
            Self::Silent(shown) => {
                let seconds = SILENCE.as_secs();
                format!("no prompt came within {seconds} s; the last that it showed is “{}”", excerpt(shown, []))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_recognised_in_every_mode() {
        for (line, name) in [
            ("r1# ", "r1"),
            ("r1>", "r1"),
            ("r1(config)# ", "r1"),
            ("r1(config-router-af)# ", "r1"),
            ("admin@fw-1> ", "admin@fw-1"),
            ("user@host:~$ ", "user@host:~"),
        ] {
            assert_eq!(prompt(line), Some(name), "{line}");
        }
        for other in ["", "#", "##########", "! comment #", "neighbor 10.0.0.1 state >", "r1(config#", "Password:"] {
            assert_eq!(prompt(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_shown_is_plain_text_without_what_was_typed() {
        assert_eq!(plain(b"\x1b[?2004hr1# \x1b[1;31mshow\x1b[0m\x07 x\x08y\r\n"), "r1# show y\n");
        assert_eq!(without_echo("show version\nFRR 8\nmore", "show version"), "FRR 8\nmore");
        assert_eq!(without_echo("FRR 8\nmore", "show version"), "FRR 8\nmore");
        assert_eq!(without_echo("conf t", "conf t"), "");
    }
}
