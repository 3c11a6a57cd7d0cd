//! From Cargo's WebAssembly to what a browser loads: cut into parts, wasm-bindgen's glue, then wasm-opt.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use walrus::{ConstExpr, DataKind, ExportItem, Module, RefType, ir::Value};
use wasm_bindgen_cli_support::Bindgen;

use crate::{parts, unused_code::without_unused};

/// The base name of the files that the browser loads.
pub(crate) const NAME: &str = "rondo";

/// The table through which the glue hands JavaScript values to the program.
const VALUE_TABLE: &str = "__wbindgen_externrefs";

/// The WebAssembly features that Rust's compiler uses by default; `wasm-opt` refuses a module with any it was not told of.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// What `wasm-opt` does. Taking the control flow apart and putting it together again, then optimising twice, makes the
/// program 3 % smaller in brotli than `-Oz` alone.
const PASSES: [&str; 7] =
    ["-Oz", "--flatten", "--rereloop", "-Oz", "-Oz", "--strip-producers", "--strip-target-features"];

/// What the browser loads. All files refer to each other by these names and fit only together.
#[derive(Default)]
pub(crate) struct BrowserProgram {
    /// By their path: the glue, the WebAssembly that every page loads, that of the parts, and JavaScript that crates bring
    /// along.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Which WebAssembly each part needs besides that of every page.
    pub(crate) parts: BTreeMap<String, Vec<String>>,
}

impl BrowserProgram {
    /// The name of the glue.
    pub(crate) fn glue() -> String {
        format!("{NAME}.js")
    }

    /// The name of the WebAssembly that every page loads.
    pub(crate) fn wasm() -> String {
        format!("{NAME}_bg.wasm")
    }

    /// The name of the module that loads the parts, where there are any.
    pub(crate) fn loader(&self) -> Option<&'static str> {
        (!self.parts.is_empty()).then_some(parts::LOADER)
    }
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
            .args(PASSES)
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

/// Makes the export of the value table lead to that table again.
///
/// Binaryen up to version 108 (Debian 12) writes every export of a table as one of the first table, which is that of
/// functions: the program would fail in the browser before it does anything. What a later version wrote stays as it is.
fn with_value_table_exported(wasm: Vec<u8>) -> Result<Vec<u8>> {
    let mut module = Module::from_buffer(&wasm).context("wasm-opt wrote something that is no WebAssembly")?;
    let Some(value_table) =
        module.tables.iter().find(|table| table.element_ty == RefType::EXTERNREF).map(walrus::Table::id)
    else {
        return Ok(wasm);
    };
    let Some(export) = module.exports.iter_mut().find(|export| export.name == VALUE_TABLE) else {
        return Ok(wasm);
    };
    if matches!(export.item, ExportItem::Table(table) if table == value_table) {
        return Ok(wasm);
    }
    export.item = ExportItem::Table(value_table);
    Ok(module.emit_wasm())
}

/// Makes what the browser loads of the WebAssembly at `path`.
pub(crate) fn make(path: &Path, optimizer: &Optimizer) -> Result<BrowserProgram> {
    let compiled = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut program = BrowserProgram::default();
    let mut shared_data = Vec::new();
    let main = if parts::is_to_be_cut(&compiled) {
        let (used, unused) = without_unused(&compiled)?;
        println!("    left out: {unused} functions that never run");
        let cut = parts::cut(&used)?;
        for (name, wasm) in cut.files {
            program.files.insert(name, optimizer.optimize(parts::without_names(&wasm)?)?);
        }
        program.files.insert(parts::LOADER.to_owned(), parts::loader(&cut.parts).into_bytes());
        program.parts = cut.parts;
        shared_data = cut.data;
        cut.main
    } else {
        compiled
    };

    let keep_names = optimizer.keeps_names();
    let mut bindgen = Bindgen::new();
    bindgen
        .input_bytes(NAME, main)
        .web(true)?
        .out_name(NAME)
        .typescript(false)
        .omit_default_module_path(false)
        // The parts use the memory and the stack of the main one.
        .keep_lld_exports(!program.parts.is_empty())
        .debug(keep_names)
        .keep_debug(keep_names)
        .remove_name_section(!keep_names)
        .remove_producers_section(!keep_names);
    let mut output =
        bindgen.generate_output().with_context(|| format!("wasm-bindgen cannot process {}", path.display()))?;

    for (crate_id, inline) in output.snippets() {
        for (index, source) in inline.iter().enumerate() {
            program.files.insert(format!("snippets/{crate_id}/inline{index}.js"), source.clone().into_bytes());
        }
    }
    for (file, source) in output.local_modules() {
        program.files.insert(format!("snippets/{file}"), source.clone().into_bytes());
    }
    program.files.insert(BrowserProgram::glue(), output.js().as_bytes().to_vec());
    let module = output.wasm_mut();
    let memory = module.memories.iter().next().context("the program has no memory")?.id();
    for (address, bytes) in shared_data {
        let offset = ConstExpr::Value(Value::I32(address));
        let segment = module.data.add(DataKind::Active { memory, offset }, bytes);
        module.memories.get_mut(memory).data_segments.insert(segment);
    }
    let wasm = with_value_table_exported(optimizer.optimize(module.emit_wasm())?)?;
    program.files.insert(BrowserProgram::wasm(), wasm);
    Ok(program)
}

#[cfg(test)]
mod tests {
    use walrus::{ExportItem, Module, RefType};

    use super::{VALUE_TABLE, with_value_table_exported};

    /// A module with a table of functions and one of values, the latter's export leading to the one chosen.
    fn module(export_values: bool) -> Vec<u8> {
        let mut module = Module::default();
        let functions = module.tables.add_local(false, 1, None, RefType::FUNCREF);
        let values = module.tables.add_local(false, 4, None, RefType::EXTERNREF);
        module.exports.add(VALUE_TABLE, if export_values { values } else { functions });
        module.emit_wasm()
    }

    fn exported_type(wasm: &[u8]) -> RefType {
        let module = Module::from_buffer(wasm).unwrap();
        let export = module.exports.iter().find(|export| export.name == VALUE_TABLE).unwrap();
        let ExportItem::Table(table) = export.item else { panic!("not a table: {export:?}") };
        module.tables.get(table).element_ty
    }

    #[test]
    fn an_export_of_the_wrong_table_is_put_right() {
        let wrong = module(false);
        assert_eq!(exported_type(&wrong), RefType::FUNCREF);
        assert_eq!(exported_type(&with_value_table_exported(wrong).unwrap()), RefType::EXTERNREF);
    }

    #[test]
    fn an_export_of_the_right_table_stays_byte_for_byte() {
        let right = module(true);
        assert_eq!(with_value_table_exported(right.clone()).unwrap(), right);
    }
}
