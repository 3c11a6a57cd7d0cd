//! Files of a host, by SFTP.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use russh_sftp::{
    client::{RawSftpSession, error::Error as SftpError},
    protocol::{FileAttributes, OpenFlags, Packet, StatusCode, Version},
};
use serde::Deserialize;
use serde_json::{Value, json};
use workflow::{RunError, StandardError};

use super::session::Session;
use crate::Failure;

/// Every server takes at least this many bytes at once.
const CHUNK: usize = 32_768;
/// How many bytes a file may have where the definition does not say.
const READ_LIMIT: u64 = 1_048_576;
/// How long the server may take for one step.
const STEP_SECONDS: u64 = 20;
/// The permission bits of a mode.
const PERMISSIONS: u32 = 0o7777;
/// The bits of a mode that say what it is the mode of.
const FILE_TYPE: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;

const POSIX_RENAME: &str = "posix-rename@openssh.com";
const FSYNC: &str = "fsync@openssh.com";

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Text,
    Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct With {
    path: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    encoding: Encoding,
    mode: Option<String>,
    max_bytes: Option<u64>,
}

/// The files of one host.
pub(super) struct Files {
    sftp: RawSftpSession,
    server: Version,
    host: String,
}

impl Files {
    pub(super) async fn open(session: &Session, host: &str) -> Result<Self, Failure> {
        let lost = |error: String| Failure::unreachable(format!("{host} opens no file transfer (SFTP): {error}"));
        let channel = session.handle.channel_open_session().await.map_err(|error| lost(error.to_string()))?;
        channel.request_subsystem(true, "sftp").await.map_err(|error| lost(error.to_string()))?;
        let sftp = RawSftpSession::new(channel.into_stream());
        sftp.set_timeout(STEP_SECONDS);
        let server = sftp.init().await.map_err(|error| lost(error.to_string()))?;
        Ok(Self { sftp, server, host: host.to_owned() })
    }

    pub(super) async fn perform(&self, operation: &str, with: &Value, key: &str) -> Result<Value, Failure> {
        // serde's message may quote a value, and the value may be a secret.
        let with =
            With::deserialize(with).map_err(|_| Failure::configuration("the arguments of ssh cannot be read"))?;
        match operation {
            "upload" => self.upload(&with, key).await,
            "download" => self.download(&with).await,
            "remove" => self.remove(&with.path).await,
            _ => self.stat(&with.path).await,
        }
    }

    /// Writes the file beside its place and moves it there, so that nobody ever sees half of it.
    async fn upload(&self, with: &With, key: &str) -> Result<Value, Failure> {
        let content = match with.encoding {
            Encoding::Text => with.content.clone().into_bytes(),
            Encoding::Base64 => STANDARD.decode(&with.content).map_err(|_| {
                Failure::permanent(RunError::new(StandardError::Validation, "the content is not base64"))
            })?,
        };
        let mode = with.mode.as_deref().map_or(Ok(0o644), |text| u32::from_str_radix(text, 8));
        let mode = mode.map_err(|_| Failure::configuration("the mode is not octal"))?;
        let unfinished = format!("{}.rondo-{:08x}", with.path, fold(key));
        match self.write(&unfinished, &with.path, &content, mode).await {
            Ok(()) => Ok(json!({"path": with.path, "bytes": content.len()})),
            Err(failure) => {
                // What is left there does no harm, and another attempt overwrites it.
                let _ = self.sftp.remove(unfinished).await;
                Err(failure)
            }
        }
    }

    async fn write(&self, unfinished: &str, path: &str, content: &[u8], mode: u32) -> Result<(), Failure> {
        let failed = |error: SftpError| self.refused(&error, path, Loss::Repeatable);
        let owners = FileAttributes { permissions: Some(0o600), ..FileAttributes::empty() };
        let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
        let handle = self.sftp.open(unfinished, flags, owners).await.map_err(failed)?.handle;
        let mut offset = 0;
        for chunk in content.chunks(CHUNK) {
            self.sftp.write(handle.clone(), offset, chunk.to_vec()).await.map_err(failed)?;
            offset += chunk.len() as u64;
        }
        let wanted = FileAttributes { permissions: Some(mode), ..FileAttributes::empty() };
        self.sftp.fsetstat(handle.clone(), wanted).await.map_err(failed)?;
        if self.server.extensions.contains_key(FSYNC) {
            self.sftp.fsync(handle.clone()).await.map_err(failed)?;
        }
        self.sftp.close(handle).await.map_err(failed)?;
        self.replace(unfinished, path).await
    }

    /// Moves a file to a place where there may be one.
    async fn replace(&self, from: &str, to: &str) -> Result<(), Failure> {
        let failed = |error: SftpError| self.refused(&error, to, Loss::Repeatable);
        if self.server.extensions.contains_key(POSIX_RENAME) {
            let names = [from, to].into_iter().flat_map(|name| {
                let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
                length.to_be_bytes().into_iter().chain(name.bytes())
            });
            return match self.sftp.extended(POSIX_RENAME, names.collect()).await.map_err(failed)? {
                Packet::Status(status) if status.status_code == StatusCode::Ok => Ok(()),
                Packet::Status(status) => Err(failed(status.into())),
                _ => Err(failed(SftpError::UnexpectedPacket)),
            };
        }
        // The protocol's own way takes no place that is taken, and without the extension there is no other.
        match self.sftp.rename(from, to).await {
            Ok(_) => Ok(()),
            Err(SftpError::Status(status)) if status.status_code == StatusCode::Failure => {
                self.sftp.remove(to).await.map_err(failed)?;
                self.sftp.rename(from, to).await.map(drop).map_err(failed)
            }
            Err(error) => Err(failed(error)),
        }
    }

    async fn download(&self, with: &With) -> Result<Value, Failure> {
        let failed = |error: SftpError| self.refused(&error, &with.path, Loss::Nothing);
        let limit = with.max_bytes.unwrap_or(READ_LIMIT);
        let handle = self.sftp.open(&with.path, OpenFlags::READ, FileAttributes::empty()).await.map_err(failed)?.handle;
        let mut bytes: Vec<u8> = Vec::new();
        loop {
            let length = u32::try_from(CHUNK).unwrap_or(u32::MAX);
            match self.sftp.read(handle.clone(), bytes.len() as u64, length).await {
                Ok(data) if data.data.is_empty() => break,
                Ok(data) => bytes.extend(data.data),
                Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => break,
                Err(error) => return Err(failed(error)),
            }
            if bytes.len() as u64 > limit {
                return Err(Failure::refused(
                    413,
                    format!(
                        "{} has more than {limit} bytes; raise `maxBytes`, or read a part of it by a command",
                        with.path
                    ),
                ));
            }
        }
        // It was only read; if the server cannot close it, it will when the session ends.
        let _ = self.sftp.close(handle).await;
        let length = bytes.len();
        let content = match with.encoding {
            Encoding::Base64 => STANDARD.encode(&bytes),
            Encoding::Text => String::from_utf8(bytes).map_err(|_| {
                Failure::refused(422, format!("{} is not a text in UTF-8; read it with `encoding: base64`", with.path))
            })?,
        };
        Ok(json!({"content": content, "bytes": length}))
    }

    async fn stat(&self, path: &str) -> Result<Value, Failure> {
        let found = match self.sftp.stat(path).await {
            Ok(found) => found.attrs,
            Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => {
                return Ok(json!({"exists": false}));
            }
            Err(error) => return Err(self.refused(&error, path, Loss::Nothing)),
        };
        let kind = match found.permissions.map(|mode| mode & FILE_TYPE) {
            Some(DIRECTORY) => "directory",
            Some(REGULAR) => "file",
            _ => "other",
        };
        let mut output = json!({"exists": true, "type": kind});
        if let Some(object) = output.as_object_mut() {
            object.extend(found.size.map(|size| ("size".to_owned(), json!(size))));
            object.extend(
                found.permissions.map(|mode| ("mode".to_owned(), json!(format!("{:04o}", mode & PERMISSIONS)))),
            );
            object.extend(found.mtime.map(|time| ("modified".to_owned(), json!(time))));
        }
        Ok(output)
    }

    async fn remove(&self, path: &str) -> Result<Value, Failure> {
        match self.sftp.remove(path).await {
            Ok(_) => Ok(json!({"removed": true})),
            Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => {
                Ok(json!({"removed": false}))
            }
            Err(error) => Err(self.refused(&error, path, Loss::Repeatable)),
        }
    }

    fn refused(&self, error: &SftpError, path: &str, loss: Loss) -> Failure {
        let host = &self.host;
        match error {
            SftpError::Status(status) => match status.status_code {
                StatusCode::NoSuchFile => {
                    Failure::refused(404, format!("there is no {path} on {host}, or no folder for it"))
                }
                StatusCode::PermissionDenied => {
                    Failure::refused(403, format!("the account may not do this with {path} on {host}"))
                }
                _ => Failure::refused(422, format!("{host} refuses this for {path}: {}", status.error_message)),
            },
            other => {
                let detail = format!("the file transfer with {host} broke off: {other}");
                let error = RunError::communication(503, detail);
                if loss == Loss::Nothing { Failure::retryable(error) } else { Failure::lost(error) }
            }
        }
    }
}

/// What a lost connection may have left behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loss {
    Nothing,
    Repeatable,
}

/// A short number of a key, for the name of a file.
fn fold(key: &str) -> u32 {
    key.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
