//! The folder that is embedded in the server.
//!
//! ```text
//! manifest.json                      what is there (below)
//! pkg/rondo.<hash>.css  .css.br  .css.gz
//! pkg/rondo.<hash>.js   .js.br   .js.gz
//! pkg/rondo_bg.<hash>.wasm  .wasm.br  .wasm.gz
//! favicon.svg …                      what lies in the public folder, under its own name
//! ```
//!
//! The hash is of the content: whatever lies under `pkg/` may be cached for ever. The manifest:
//!
//! ```json
//! {
//!   "css": "/pkg/rondo.0123456789abcdef.css",
//!   "js": "/pkg/rondo.0123456789abcdef.js",
//!   "wasm": "/pkg/rondo_bg.0123456789abcdef.wasm",
//!   "files": [
//!     {"path": "/pkg/rondo.0123456789abcdef.css", "type": "text/css; charset=utf-8", "immutable": true,
//!      "bytes": 41000, "encodings": ["br", "gz"]}
//!   ]
//! }
//! ```
//!
//! `encodings` names the endings of the compressed files beside the plain one; a file that does not shrink has none.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    browser_program::{BrowserProgram, NAME},
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
    /// `css`, `js` and `wasm` of the manifest.
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

    /// Adds the browser's program, and returns the size of its WebAssembly in brotli, in bytes.
    pub(crate) fn add_program(&mut self, program: &BrowserProgram) -> Result<usize> {
        let wasm_name = format!("{NAME}_bg.{}.wasm", hash(&program.wasm));
        let mut glue = program.glue.replace(&format!("{NAME}_bg.wasm"), &wasm_name);

        if !program.snippets.is_empty() {
            let folder = format!("snippets.{}", hash(serde_json::to_string(&program.snippets)?.as_bytes()));
            glue = glue.replace("./snippets/", &format!("./{folder}/"));
            for (path, source) in &program.snippets {
                self.add(format!("{HASHED}/{folder}/{path}"), source.as_bytes())?;
            }
        }

        let glue_path = format!("{HASHED}/{NAME}.{}.js", hash(glue.as_bytes()));
        self.enter("js", &glue_path);
        self.add(glue_path, glue.as_bytes())?;
        let wasm_path = format!("{HASHED}/{wasm_name}");
        self.enter("wasm", &wasm_path);
        let sizes = self.add(wasm_path, &program.wasm)?;
        Ok(sizes.brotli.unwrap_or(sizes.bytes))
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
    hex::encode(Sha256::digest(content)).chars().take(16).collect()
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
        BrowserProgram {
            wasm: wasm.to_vec(),
            glue: "import { x } from './snippets/a/inline0.js';\nload(new URL('rondo_bg.wasm', import.meta.url));"
                .to_owned(),
            snippets: BTreeMap::from([("a/inline0.js".to_owned(), "export const x = 1;".to_owned())]),
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
        for key in ["css", "js", "wasm"] {
            let path = manifest[key].as_str().unwrap().trim_start_matches('/');
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
    fn the_glue_loads_its_parts_by_their_hashed_names() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = build(folder.path(), "", b"wasm");
        let glue =
            fs::read_to_string(folder.path().join(manifest["js"].as_str().unwrap().trim_start_matches('/'))).unwrap();
        let wasm = manifest["wasm"].as_str().unwrap().trim_start_matches("/pkg/");
        assert!(glue.contains(&format!("new URL('{wasm}'")), "{glue}");
        let snippet = glue.split('\'').nth(1).unwrap().trim_start_matches("./");
        assert!(folder.path().join("pkg").join(snippet).is_file(), "{snippet}");
    }

    #[test]
    fn a_change_renames_only_what_changed_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let before = build(folder.path(), ".a{}", b"wasm one");
        let count = files_below(folder.path()).unwrap().len();
        let after = build(folder.path(), ".a{}", b"wasm two");
        assert_eq!(before["css"], after["css"]);
        assert_ne!(before["wasm"], after["wasm"]);
        assert_ne!(before["js"], after["js"], "the glue carries the name of the WebAssembly");
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
