//! The key of the witness, in a file.

use std::{fs, io, path::Path};

use ledger::cosignature::Cosigner;

use crate::{Unusable, book::write};

const FILE: &str = "witness.key";

/// The key in this folder; a new one if there is none and nothing was cosigned with one.
pub(crate) fn open(
    folder: &Path,
    is_new: bool,
    make: impl FnOnce() -> (String, [u8; 32]),
) -> Result<Cosigner, Unusable> {
    let path = folder.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Cosigner::parse(&text).map_err(|_| Unusable::Key(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_new => {
            let (name, seed) = make();
            let cosigner = Cosigner::from_seed(&name, &seed).map_err(|_| Unusable::Name(name))?;
            let written = write(folder, FILE, format!("{}\n", cosigner.expose()).as_bytes());
            written.map_err(|source| Unusable::File { path, source })?;
            Ok(cosigner)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Unusable::KeyLost(path)),
        Err(source) => Err(Unusable::File { path, source }),
    }
}
