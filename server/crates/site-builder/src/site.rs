//! The folder that is embedded in the server.
//!
//! ```text
//! manifest.json                      what is there (below)
//! pkg/rondo.<hash>.css  .css.br  .css.gz
//! pkg/rondo.<hash>/                  the browser's program
//!     rondo.js  .js.br  .js.gz       the glue
//!     rondo_bg.wasm  …               the WebAssembly that every page loads
//!     rondo_parts.js  …              what loads the parts, if there are any
//!     split_<part>.wasm  …           a part; what several parts share is in chunk_<number>.wasm
//! pkg/editor.<hash>.js  …            the editor of definitions, if it was made
//! favicon.svg …                      what lies in the public folder, under its own name
//! ```
//!
//! The hash is of the content: whatever lies under `pkg/` may be cached for ever. The program has one for all its files,
//! because they fit only together: a page that was loaded before an update finds no part of the new program by mistake.
//! The manifest:
//!
//! ```json
//! {
//!   "css": "/pkg/rondo.0123456789abcdef.css",
//!   "js": "/pkg/rondo.0123456789abcdef/rondo.js",
//!   "wasm": "/pkg/rondo.0123456789abcdef/rondo_bg.wasm",
//!   "parts_loader": "/pkg/rondo.0123456789abcdef/rondo_parts.js",
//!   "parts": {"audit": ["/pkg/rondo.0123456789abcdef/split_audit.wasm"]},
//!   "files": [
//!     {"path": "/pkg/rondo.0123456789abcdef.css", "type": "text/css; charset=utf-8", "immutable": true,
//!      "bytes": 41000, "encodings": ["br", "gz"]}
//!   ]
//! }
//! ```
//!
//! `encodings` names the endings of the compressed files beside the plain one; a file that does not shrink has none.
//! `parts_loader` and `parts` are missing from a program in one piece; `editor` names the editor of definitions, if it was
//! made.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    browser_program::{BrowserProgram, NAME},
    budget::ProgramSize,
    compression::Effort,
    inputs::files_below,
};

/// The name of the manifest in the site's folder.
pub(crate) const MANIFEST: &str = "manifest.json";

/// Where hashed files lie, in the site's folder and in addresses alike.
const HASHED: &str = "pkg";

/// A site in the making.
pub(crate) struct Site {
    out: PathBuf,
    effort: Effort,
    files: Vec<ServedFile>,
    /// What the manifest names besides the files.
    entries: Map<String, Value>,
}

struct ServedFile {
    /// Below the site's folder, with `/` between the parts.
    path: String,
    bytes: usize,
    brotli: Option<usize>,
    gzip: Option<usize>,
}

impl Site {
    /// A site that will lie at `out`.
    pub(crate) fn new(out: PathBuf, effort: Effort) -> Self {
        Self { out, effort, files: Vec::new(), entries: Map::new() }
    }

    /// Adds the files below `folder` under their own names.
    pub(crate) fn add_public(&mut self, folder: &Path) -> Result<()> {
        for (path, content) in files_below(folder)? {
            self.add(path, &content)?;
        }
        Ok(())
    }

    /// Adds the style sheet.
    pub(crate) fn add_style(&mut self, css: &str) -> Result<()> {
        let path = format!("{HASHED}/{NAME}.{}.css", hash(css.as_bytes()));
        self.enter("css", &path);
        self.add(path, css.as_bytes())?;
        Ok(())
    }

    /// Adds the editor of definitions.
    pub(crate) fn add_editor(&mut self, module: &[u8]) -> Result<()> {
        let path = format!("{HASHED}/editor.{}.js", hash(module));
        self.enter("editor", &path);
        self.add(path, module)?;
        Ok(())
    }

    /// Adds the browser's program, and returns the size of its WebAssembly in brotli.
    pub(crate) fn add_program(&mut self, program: &BrowserProgram) -> Result<ProgramSize> {
        let mut content = Sha256::new();
        for (name, file) in &program.files {
            content.update(Sha256::digest(name));
            content.update(Sha256::digest(file));
        }
        let folder = format!("{HASHED}/{NAME}.{}", short(&content.finalize()));
        let mut sizes = BTreeMap::new();
        for (name, file) in &program.files {
            let added = self.add(format!("{folder}/{name}"), file)?;
            sizes.insert(name.as_str(), added.brotli.unwrap_or(added.bytes));
        }
        self.enter("js", &format!("{folder}/{}", BrowserProgram::glue()));
        self.enter("wasm", &format!("{folder}/{}", BrowserProgram::wasm()));
        if let Some(loader) = program.loader() {
            self.enter("parts_loader", &format!("{folder}/{loader}"));
            let addresses = |files: &Vec<String>| files.iter().map(|file| format!("/{folder}/{file}")).collect();
            let parts = program.parts.iter().map(|(name, files)| (name.clone(), addresses(files)));
            self.entries.insert("parts".to_owned(), Value::Object(parts.collect()));
        }
        let size = |name: &str| sizes.get(name).copied().unwrap_or_default();
        Ok(ProgramSize {
            main: size(&BrowserProgram::wasm()),
            parts: program
                .parts
                .iter()
                .map(|(name, files)| (name.clone(), files.iter().map(|file| size(file)).sum()))
                .collect(),
        })
    }

    /// Writes the manifest and takes away what an earlier build left.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let files: Vec<Value> = self.files.iter().map(ServedFile::entry).collect();
        let mut manifest = self.entries.clone();
        manifest.insert("files".to_owned(), Value::Array(files));
        write_if_changed(&self.out.join(MANIFEST), format!("{:#}\n", Value::Object(manifest)).as_bytes())?;

        let mut expected = BTreeSet::from([MANIFEST.to_owned()]);
        for file in &self.files {
            expected.insert(file.path.clone());
            expected.extend(file.encodings().into_iter().map(|ending| format!("{}.{ending}", file.path)));
        }
        for path in files_below(&self.out)?.into_keys().filter(|path| !expected.contains(path)) {
            let path = self.out.join(path);
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    /// A table of the files, for people.
    pub(crate) fn sizes(&self) -> String {
        let mut table = format!("    {:<44}{:>12}{:>12}{:>12}\n", "file", "bytes", "gzip", "brotli");
        for file in &self.files {
            let size = |size: Option<usize>| size.map_or_else(|| "-".to_owned(), |size| size.to_string());
            // Writing to a string cannot fail.
            let _ = writeln!(
                table,
                "    {:<44}{:>12}{:>12}{:>12}",
                file.path,
                file.bytes,
                size(file.gzip),
                size(file.brotli)
            );
        }
        table
    }

    fn enter(&mut self, key: &str, path: &str) {
        self.entries.insert(key.to_owned(), Value::String(format!("/{path}")));
    }

    fn add(&mut self, path: String, content: &[u8]) -> Result<&ServedFile> {
        write_if_changed(&self.out.join(&path), content)?;
        let immutable = path.starts_with(HASHED);
        let compressed = |ending: &str, compress: &dyn Fn() -> Result<Vec<u8>>| -> Result<Option<usize>> {
            if !shrinks(&path) {
                return Ok(None);
            }
            let file = self.out.join(format!("{path}.{ending}"));
            // The name tells the content: what was compressed in an earlier build need not be again.
            if immutable && let Ok(there) = fs::metadata(&file) {
                return Ok(usize::try_from(there.len()).ok());
            }
            let compressed = compress()?;
            if compressed.len() >= content.len() {
                return Ok(None);
            }
            write_if_changed(&file, &compressed)?;
            Ok(Some(compressed.len()))
        };
        let brotli = compressed("br", &|| self.effort.brotli(content))?;
        let gzip = compressed("gz", &|| self.effort.gzip(content))?;
        self.files.push(ServedFile { path, bytes: content.len(), brotli, gzip });
        self.files.last().context("a file was just added")
    }
}

impl ServedFile {
    fn encodings(&self) -> Vec<&'static str> {
        [("br", self.brotli), ("gz", self.gzip)].into_iter().filter_map(|(ending, size)| size.map(|_| ending)).collect()
    }

    fn entry(&self) -> Value {
        json!({
            "path": format!("/{}", self.path),
            "type": media_type(&self.path),
            "immutable": self.path.starts_with(HASHED),
            "bytes": self.bytes,
            "encodings": self.encodings(),
        })
    }
}

fn hash(content: &[u8]) -> String {
    short(&Sha256::digest(content))
}

fn short(digest: &[u8]) -> String {
    hex::encode(digest).chars().take(16).collect()
}

fn ending(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, ending)| ending)
}

fn shrinks(path: &str) -> bool {
    matches!(ending(path), "css" | "js" | "wasm" | "svg" | "txt" | "json" | "webmanifest" | "xml" | "html" | "ico")
}

fn media_type(path: &str) -> &'static str {
    match ending(path) {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "xml" => "application/xml",
        _ => "application/octet-stream",
    }
}

/// Leaves a file with the same content untouched, so that Cargo sees no change where there is none. A new content
/// appears as a whole or not at all.
fn write_if_changed(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    let folder = path.parent().context("a file lies in a folder")?;
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let fresh = folder.join(name);
        fs::write(&fresh, content)?;
        fs::rename(&fresh, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use serde_json::Value;

    use super::{MANIFEST, Site};
    use crate::{browser_program::BrowserProgram, compression::Effort, inputs::files_below};

    fn program(wasm: &[u8]) -> BrowserProgram {
        let glue = "import { x } from './snippets/a/inline0.js';\nload(new URL('rondo_bg.wasm', import.meta.url));";
        let files = [
            ("rondo.js", glue.as_bytes()),
            ("rondo_bg.wasm", wasm),
            ("rondo_parts.js", b"fetch(new URL('./split_audit.wasm', import.meta.url))"),
            ("snippets/a/inline0.js", b"export const x = 1;"),
            ("split_audit.wasm", b"part"),
        ];
        BrowserProgram {
            files: files.into_iter().map(|(name, content)| (name.to_owned(), content.to_vec())).collect(),
            parts: BTreeMap::from([("audit".to_owned(), vec!["split_audit.wasm".to_owned()])]),
        }
    }

    fn build(out: &std::path::Path, css: &str, wasm: &[u8]) -> Value {
        let mut site = Site::new(out.to_owned(), Effort::Quick);
        site.add_style(css).unwrap();
        site.add_program(&program(wasm)).unwrap();
        site.finish().unwrap();
        serde_json::from_slice(&fs::read(out.join(MANIFEST)).unwrap()).unwrap()
    }

    #[test]
    fn the_manifest_names_files_that_are_there_with_their_encodings() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = build(folder.path(), &".a{color:red}".repeat(100), &[7; 5000]);
        let files = files_below(folder.path()).unwrap();
        let part = &manifest["parts"]["audit"][0];
        for path in [&manifest["css"], &manifest["js"], &manifest["wasm"], &manifest["parts_loader"], part] {
            let path = path.as_str().unwrap().trim_start_matches('/');
            assert!(files.contains_key(path), "{path}");
        }
        for file in manifest["files"].as_array().unwrap() {
            let path = file["path"].as_str().unwrap().trim_start_matches('/');
            assert_eq!(file["immutable"], true);
            for encoding in file["encodings"].as_array().unwrap() {
                assert!(files.contains_key(&format!("{path}.{}", encoding.as_str().unwrap())), "{path}");
            }
        }
    }

    #[test]
    fn the_files_of_the_program_find_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = build(folder.path(), "", b"wasm");
        let place = folder.path().join(manifest["js"].as_str().unwrap().trim_start_matches('/'));
        for name in program(b"wasm").files.keys() {
            assert!(place.parent().unwrap().join(name).is_file(), "{name}");
        }
    }

    #[test]
    fn the_editor_is_named_by_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let mut site = Site::new(folder.path().to_owned(), Effort::Quick);
        site.add_editor(b"export {}").unwrap();
        site.finish().unwrap();
        let manifest: Value = serde_json::from_slice(&fs::read(folder.path().join(MANIFEST)).unwrap()).unwrap();
        let path = manifest["editor"].as_str().unwrap().trim_start_matches('/');
        assert_eq!(fs::read(folder.path().join(path)).unwrap(), b"export {}");
        assert_eq!(manifest["files"][0]["immutable"], true);
    }

    #[test]
    fn a_program_in_one_piece_names_no_parts() {
        let folder = tempfile::tempdir().unwrap();
        let mut site = Site::new(folder.path().to_owned(), Effort::Quick);
        let whole = BrowserProgram { parts: BTreeMap::new(), ..program(b"wasm") };
        site.add_program(&whole).unwrap();
        site.finish().unwrap();
        let manifest: Value = serde_json::from_slice(&fs::read(folder.path().join(MANIFEST)).unwrap()).unwrap();
        assert!(manifest["wasm"].is_string());
        assert_eq!((&manifest["parts"], &manifest["parts_loader"]), (&Value::Null, &Value::Null));
    }

    #[test]
    fn a_change_renames_only_what_changed_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let before = build(folder.path(), ".a{}", b"wasm one");
        let count = files_below(folder.path()).unwrap().len();
        let after = build(folder.path(), ".a{}", b"wasm two");
        assert_eq!(before["css"], after["css"]);
        assert_ne!(before["wasm"], after["wasm"]);
        assert_ne!(before["parts"], after["parts"], "a part fits only the program that it was cut from");
        assert_eq!(files_below(folder.path()).unwrap().len(), count);
    }

    #[test]
    fn what_was_compressed_opens_again() {
        let content = b"to be read again ".repeat(50);
        for effort in [Effort::Quick, Effort::Best] {
            let mut plain = Vec::new();
            brotli::BrotliDecompress(&mut effort.brotli(&content).unwrap().as_slice(), &mut plain).unwrap();
            assert_eq!(plain, content);
            let mut plain = Vec::new();
            std::io::Read::read_to_end(
                &mut flate2::read::GzDecoder::new(effort.gzip(&content).unwrap().as_slice()),
                &mut plain,
            )
            .unwrap();
            assert_eq!(plain, content);
        }
    }
}
