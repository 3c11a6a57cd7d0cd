//! Puts the built site and the catalogue that ships into the program.
//!
//! The site is what the site builder made (`RONDO_SITE_DIR`, else `site` in the target directory). Without one the
//! program still builds and serves pages, whose style sheet and script are then missing: enough for tests of the server.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RONDO_SITE_DIR");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?);
    let site = env::var_os("RONDO_SITE_DIR").map(PathBuf::from).or_else(|| default_site(&out));
    fs::write(out.join("site.rs"), site_source(site.as_deref())?)?;
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| io::Error::other("cargo sets it"))?);
    let workflows = manifest.join("../workflows");
    println!("cargo::rerun-if-changed={}", workflows.display());
    // As in any directory of definitions, this folder holds the functions of the default catalog.
    let (functions, definitions): (Vec<_>, Vec<_>) =
        files_in(&workflows)?.into_iter().partition(|file| file.starts_with(workflows.join("functions")));
    fs::write(out.join("workflows.rs"), texts_source(&definitions, &manifest.join(".."))?)?;
    fs::write(out.join("functions.rs"), texts_source(&functions, &workflows)?)
}

/// `OUT_DIR` is `<target>/<profile>/build/<package>/out`.
fn default_site(out: &Path) -> Option<PathBuf> {
    out.ancestors().nth(4).map(|target| target.join("site"))
}

fn site_source(site: Option<&Path>) -> io::Result<String> {
    let nothing = "const CSS: Option<&str> = None;\nconst JS: Option<&str> = None;\nconst WASM: Option<&str> = None;\n\
                   const EDITOR: Option<&str> = None;\nconst PARTS_LOADER: Option<&str> = None;\nconst PARTS: &[(&str, &[&str])] = &[];\n\
                   const ASSETS: &[Asset] = &[];\n";
    let Some(site) = site.filter(|site| site.join("manifest.json").is_file()) else { return Ok(nothing.to_owned()) };
    let site = site.canonicalize()?;
    let manifest = site.join("manifest.json");
    println!("cargo::rerun-if-changed={}", manifest.display());
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(manifest)?)?;
    let mut source = String::new();
    for (name, key) in
        [("CSS", "css"), ("JS", "js"), ("WASM", "wasm"), ("EDITOR", "editor"), ("PARTS_LOADER", "parts_loader")]
    {
        let path = manifest.get(key).and_then(serde_json::Value::as_str);
        // Writing to a string does not fail.
        let _ = writeln!(source, "const {name}: Option<&str> = {path:?};");
    }
    source.push_str("const PARTS: &[(&str, &[&str])] = &[\n");
    for (name, files) in manifest.get("parts").and_then(serde_json::Value::as_object).into_iter().flatten() {
        let files: Vec<_> = files.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).collect();
        let _ = writeln!(source, "    ({name:?}, &{files:?}),");
    }
    source.push_str("];\nconst ASSETS: &[Asset] = &[\n");
    let files = manifest.get("files").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    for file in &files {
        let text = |key: &str| file.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
        let path = text("path");
        let plain = site.join(path.trim_start_matches('/'));
        let tag = hex::encode(Sha256::digest(fs::read(&plain)?).iter().copied().take(8).collect::<Vec<_>>());
        let encodings = file.get("encodings").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
        let compressed = |ending: &str| {
            let there = encodings.iter().any(|encoding| encoding.as_str() == Some(ending));
            let place = format!("{}.{ending}", plain.display());
            if there { format!("Some(include_bytes!({place:?}))") } else { "None".to_owned() }
        };
        let immutable = file.get("immutable").and_then(serde_json::Value::as_bool).unwrap_or_default();
        let _ = writeln!(
            source,
            "    Asset {{ path: {path:?}, media_type: {:?}, immutable: {immutable}, tag: {tag:?}, \
             plain: include_bytes!({:?}), brotli: {}, gzip: {} }},",
            text("type"),
            plain.display().to_string(),
            compressed("br"),
            compressed("gz"),
        );
    }
    source.push_str("];\n");
    Ok(source)
}

/// The files below a folder, sorted by path; none if there is no such folder.
fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if folder.is_dir() {
        collect(folder, &mut files)?;
    }
    files.sort();
    Ok(files)
}

/// A list of paths below a folder, each with the text of the file.
fn texts_source(files: &[PathBuf], folder: &Path) -> io::Result<String> {
    let mut source = String::from("&[\n");
    for file in files {
        let name = file.strip_prefix(folder).unwrap_or(file).display().to_string();
        let _ = writeln!(source, "    ({name:?}, include_str!({:?})),", file.canonicalize()?.display().to_string());
    }
    source.push_str("]\n");
    Ok(source)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}
