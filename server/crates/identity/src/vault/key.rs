//! Where the key comes from.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::VaultError;
use crate::{Secret, random::Random};

/// The environment variable that holds the key, in base64.
pub const KEY_VARIABLE: &str = "RONDO_KEY";

/// Key files are one short line; anything longer is another file.
const KEY_FILE_LIMIT: u64 = 1024;

pub(super) type Key = Zeroizing<[u8; 32]>;

/// Where the key of 32 bytes comes from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// The value of [`KEY_VARIABLE`]: base64 (either alphabet, padding optional).
    Variable(Secret),
    /// A file with the same text, readable by its owner only.
    File {
        /// Where.
        path: PathBuf,
        /// Make it, with a new key and mode 0600, when it does not exist.
        create: bool,
    },
}

impl KeySource {
    pub(super) fn key(&self, random: &dyn Random) -> Result<Key, VaultError> {
        match self {
            Self::Variable(text) => decode(text.expose(), || KEY_VARIABLE.to_owned()),
            Self::File { path, create } => {
                if let Some(key) = read(path)? {
                    return Ok(key);
                }
                if !create {
                    return Err(VaultError::KeyMissing { path: path.clone() });
                }
                write(path, random).map_err(|source| VaultError::KeyFile { path: path.clone(), source })?;
                read(path)?.ok_or_else(|| VaultError::KeyMissing { path: path.clone() })
            }
        }
    }
}

/// Names a key without telling anything of it.
pub(super) fn id_of(key: &[u8; 32]) -> String {
    let digest = Sha256::new().chain_update(b"rondo key id 1\0").chain_update(key).finalize();
    hex::encode(digest.get(..4).unwrap_or_default())
}

fn decode(text: &str, origin: impl FnOnce() -> String) -> Result<Key, VaultError> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let text = text.trim();
    let alphabet = if text.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    let bytes = GeneralPurpose::new(alphabet, LENIENT).decode(text).map(Zeroizing::new);
    let key = bytes.ok().and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
    key.map(Zeroizing::new).ok_or_else(|| VaultError::InvalidKey { origin: origin() })
}

/// None when the file does not exist.
fn read(path: &Path) -> Result<Option<Key>, VaultError> {
    let failed = |source| VaultError::KeyFile { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    // Of the opened file, not of the path: it cannot be exchanged in between.
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(VaultError::KeyFileOpenToOthers { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(KEY_FILE_LIMIT).read_to_string(&mut text).map_err(failed)?;
    decode(&text, || path.display().to_string()).map(Some)
}

/// Makes the file whole or not at all: another process that starts at the same moment never sees half a key, and of two
/// that both make one, one wins and both read the same.
fn write(path: &Path, random: &dyn Random) -> io::Result<()> {
    let mut key: Key = Zeroizing::new([0; 32]);
    random.fill(&mut *key);
    let mut suffix = [0; 8];
    random.fill(&mut suffix);
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = directory.join(format!(".{}.{}", name.to_string_lossy(), hex::encode(suffix)));

    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let text = Zeroizing::new(format!("{}\n", STANDARD.encode(*key)));
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    // Linking fails where renaming would replace the key of the other process.
    let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    fs::remove_file(&draft)?;
    linked?;
    File::open(directory)?.sync_all()
}
