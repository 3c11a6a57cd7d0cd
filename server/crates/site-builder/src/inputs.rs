//! What the site is made of, as one fingerprint, so that nothing is done when nothing changed.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::browser_program::BrowserProgram;

/// Where the cache keeps the program's files.
const FILES: &str = "files";

/// Fingerprints of everything that the result depends on, this program included.
pub(crate) struct Inputs {
    /// Of the browser's program and of how it is made.
    program: String,
    /// Of everything.
    all: String,
}

impl Inputs {
    /// Reads the WebAssembly at `wasm` and all files below `folders`; a folder that is not there counts as empty.
    pub(crate) fn read(wasm: &Path, folders: &[&Path], optimizer: &str, dev: bool) -> Result<Self> {
        let myself = env::current_exe().and_then(fs::metadata).context("this program cannot find its own file")?;
        let built = myself.modified().context("the file system keeps no times")?;
        let compiled = fs::read(wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
        let mut program = Sha256::new();
        program.update(Sha256::digest(compiled));
        // Cargo writes this program anew when its sources change; its time says so at no cost.
        program.update(format!("{} {built:?} ", myself.len()));
        program.update(format!("{optimizer} {dev}"));
        let program = hex::encode(program.finalize());

        let mut all = Sha256::new();
        all.update(&program);
        for folder in folders {
            for (path, content) in files_below(folder)? {
                all.update(Sha256::digest(path));
                all.update(Sha256::digest(content));
            }
            all.update([0]);
        }
        Ok(Self { program, all: hex::encode(all.finalize()) })
    }

    /// Whether the site at `out` was made, to its end, from exactly these inputs.
    pub(crate) fn are_those_of(&self, out: &Path) -> bool {
        out.join(crate::site::MANIFEST).is_file()
            && fs::read_to_string(beside(out, "inputs")).is_ok_and(|made_from| made_from == self.all)
    }

    /// Notes that the site at `out` is complete.
    pub(crate) fn remember_for(&self, out: &Path) -> Result<()> {
        let file = beside(out, "inputs");
        fs::write(&file, &self.all).with_context(|| format!("cannot write {}", file.display()))
    }

    /// The browser's program from the last time if it was made from the same WebAssembly, else made anew: a change of
    /// the style sheet need not wait for wasm-bindgen and wasm-opt.
    pub(crate) fn cached_program(
        &self,
        out: &Path,
        make: impl FnOnce() -> Result<BrowserProgram>,
    ) -> Result<BrowserProgram> {
        let cache = beside(out, "program");
        let key = cache.join("key");
        if fs::read_to_string(&key).is_ok_and(|made_from| made_from == self.program) {
            return load(&cache);
        }
        let program = make()?;
        if cache.exists() {
            fs::remove_dir_all(&cache).with_context(|| format!("cannot clear {}", cache.display()))?;
        }
        save(&cache, &program).with_context(|| format!("cannot write {}", cache.display()))?;
        // Last, so that an interrupted build leaves no half of a program behind that looks whole.
        fs::write(&key, &self.program).with_context(|| format!("cannot write {}", key.display()))?;
        Ok(program)
    }
}

fn save(cache: &Path, program: &BrowserProgram) -> Result<()> {
    for (name, content) in &program.files {
        let file = cache.join(FILES).join(name);
        fs::create_dir_all(file.parent().unwrap_or(cache))?;
        fs::write(file, content)?;
    }
    fs::write(cache.join("parts"), serde_json::to_vec(&program.parts)?)?;
    Ok(())
}

fn load(cache: &Path) -> Result<BrowserProgram> {
    let read = || -> Result<BrowserProgram> {
        Ok(BrowserProgram {
            files: files_below(&cache.join(FILES))?,
            parts: serde_json::from_slice(&fs::read(cache.join("parts"))?)?,
        })
    };
    read().with_context(|| format!("{} is damaged; delete it and build again", cache.display()))
}

/// `target/site` → `target/site.<extension>`: outside the site, because everything in it is served.
fn beside(out: &Path, extension: &str) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

/// All files below `folder` by their path in it, with `/` between the parts; none if there is no such folder.
/// Hidden files are left out: editors put their own there.
pub(crate) fn files_below(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    if folder.is_dir() {
        collect(folder, "", &mut files)?;
    }
    Ok(files)
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let (path, inside) = (entry.path(), format!("{prefix}{name}"));
        if path.is_dir() {
            collect(&path, &format!("{inside}/"), files)?;
        } else {
            let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            files.insert(inside, content);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, collections::BTreeMap, fs};

    use super::Inputs;
    use crate::{browser_program::BrowserProgram, site::MANIFEST};

    #[test]
    fn a_site_is_up_to_date_until_any_input_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (wasm, style, out) =
            (folder.path().join("app.wasm"), folder.path().join("style"), folder.path().join("site"));
        fs::create_dir_all(style.join("pages")).unwrap();
        fs::create_dir_all(&out).unwrap();
        fs::write(&wasm, "one").unwrap();
        let read = || Inputs::read(&wasm, &[&style], "wasm-opt 1", false).unwrap();

        read().remember_for(&out).unwrap();
        assert!(!read().are_those_of(&out), "a site without its manifest is not complete");
        fs::write(out.join(MANIFEST), "{}").unwrap();
        assert!(read().are_those_of(&out));

        fs::write(style.join("pages/run.css"), ".run {}").unwrap();
        assert!(!read().are_those_of(&out));
        read().remember_for(&out).unwrap();
        fs::write(&wasm, "two").unwrap();
        assert!(!read().are_those_of(&out));
        read().remember_for(&out).unwrap();
        assert!(!Inputs::read(&wasm, &[&style], "wasm-opt 2", false).unwrap().are_those_of(&out));
        assert!(!Inputs::read(&wasm, &[&style], "wasm-opt 1", true).unwrap().are_those_of(&out));
    }

    #[test]
    fn the_program_is_made_once_per_webassembly() {
        let folder = tempfile::tempdir().unwrap();
        let (wasm, out) = (folder.path().join("app.wasm"), folder.path().join("site"));
        let made = Cell::new(0);
        let program = || {
            let inputs = Inputs::read(&wasm, &[], "off", true).unwrap();
            inputs
                .cached_program(&out, || {
                    made.set(made.get() + 1);
                    let files = BTreeMap::from([
                        ("rondo_bg.wasm".to_owned(), fs::read(&wasm).unwrap()),
                        ("snippets/a/inline0.js".to_owned(), b"1".to_vec()),
                    ]);
                    let parts = BTreeMap::from([("audit".to_owned(), vec!["split_audit.wasm".to_owned()])]);
                    Ok(BrowserProgram { files, parts })
                })
                .unwrap()
        };
        let content = || program().files["rondo_bg.wasm"].clone();

        fs::write(&wasm, "one").unwrap();
        assert_eq!(content(), b"one");
        assert_eq!((content(), made.get()), (b"one".to_vec(), 1));
        assert_eq!((program().files.len(), program().parts.len()), (2, 1));
        fs::write(&wasm, "two").unwrap();
        assert_eq!((content(), made.get()), (b"two".to_vec(), 2));
    }
}
