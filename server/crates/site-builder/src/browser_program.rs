//! From Cargo's WebAssembly to what a browser loads: wasm-bindgen's glue, then wasm-opt.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

/// The base name of the files that the browser loads.
pub(crate) const NAME: &str = "rondo";

/// The WebAssembly features that Rust's compiler uses by default; `wasm-opt` refuses a module with any it was not told of.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// What the browser loads, with the names that wasm-bindgen gave the parts: the glue imports `./snippets/…` and loads
/// `rondo_bg.wasm`.
pub(crate) struct BrowserProgram {
    pub(crate) wasm: Vec<u8>,
    pub(crate) glue: String,
    /// JavaScript that crates bring along, by the path below `snippets/`.
    pub(crate) snippets: BTreeMap<String, String>,
}

/// How the WebAssembly is made small.
pub(crate) enum Optimizer {
    /// Not at all: for debugging.
    Off,
    /// By `wasm-opt`, whose version this is.
    WasmOpt(String),
    /// It should be, but there is no `wasm-opt`.
    Missing,
}

impl Optimizer {
    /// Looks for `wasm-opt` (Debian's package is binaryen).
    pub(crate) fn find() -> Self {
        match Command::new("wasm-opt").arg("--version").stderr(Stdio::null()).output() {
            Ok(answer) if answer.status.success() => {
                Self::WasmOpt(String::from_utf8_lossy(&answer.stdout).trim().to_owned())
            }
            _ => Self::Missing,
        }
    }

    /// Tells apart all optimizers that give different results.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Off => "off".to_owned(),
            Self::WasmOpt(version) => version.clone(),
            Self::Missing => "missing".to_owned(),
        }
    }

    /// What whoever builds should know about the result.
    pub(crate) fn remark(&self) -> Option<&'static str> {
        matches!(self, Self::Missing).then_some(
            "wasm-opt was not found: the program for the browser is larger than it need be (Debian: apt-get install binaryen)",
        )
    }

    fn keeps_names(&self) -> bool {
        matches!(self, Self::Off)
    }

    fn optimize(&self, wasm: Vec<u8>) -> Result<Vec<u8>> {
        if !matches!(self, Self::WasmOpt(_)) {
            return Ok(wasm);
        }
        let work = tempfile::tempdir().context("no temporary folder for wasm-opt")?;
        let (before, after) = (work.path().join("before.wasm"), work.path().join("after.wasm"));
        fs::write(&before, wasm).with_context(|| format!("cannot write {}", before.display()))?;
        let status = Command::new("wasm-opt")
            .args(["-Oz", "--strip-producers", "--strip-target-features"])
            .args(FEATURES)
            .arg(&before)
            .arg("-o")
            .arg(&after)
            .status()
            .context("wasm-opt did not start")?;
        if !status.success() {
            bail!("wasm-opt failed with {status}; its message stands above");
        }
        fs::read(&after).with_context(|| format!("cannot read {}", after.display()))
    }
}

/// Runs wasm-bindgen over the WebAssembly at `path`, then the optimizer.
pub(crate) fn make(path: &Path, optimizer: &Optimizer) -> Result<BrowserProgram> {
    let keep_names = optimizer.keeps_names();
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(path)
        .web(true)?
        .out_name(NAME)
        .typescript(false)
        .omit_default_module_path(false)
        .debug(keep_names)
        .keep_debug(keep_names)
        .remove_name_section(!keep_names)
        .remove_producers_section(!keep_names);
    let mut output =
        bindgen.generate_output().with_context(|| format!("wasm-bindgen cannot process {}", path.display()))?;

    let mut snippets = BTreeMap::new();
    for (crate_id, inline) in output.snippets() {
        for (index, source) in inline.iter().enumerate() {
            snippets.insert(format!("{crate_id}/inline{index}.js"), source.clone());
        }
    }
    for (file, source) in output.local_modules() {
        snippets.insert(file.clone(), source.clone());
    }
    let glue = output.js().to_owned();
    let wasm = optimizer.optimize(output.wasm_mut().emit_wasm())?;
    Ok(BrowserProgram { wasm, glue, snippets })
}
