//! Cuts the browser's program where `app` says so: code that only one area's pages need goes into a part of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

use anyhow::{Context as _, Result, anyhow, bail};
use walrus::{ConstExpr, DataKind, Module, ModuleConfig, ir::Value, passes::gc};
use wasm_split_cli_support::{Options, transform};

use crate::{browser_program::NAME, functions};

/// The import by which a program says that it is to be cut.
const PLACE_TO_CUT: &[u8] = b"__wasm_split_placeholder__";

/// The JavaScript module that loads the parts; the program imports it by this name.
pub(crate) const LOADER: &str = "rondo_parts.js";

/// How the names of files begin that hold what several parts need.
const CHUNK: &str = "chunk_";

/// Below this size, in bytes and before it is optimised, a chunk is not worth a request: about 4 kB in brotli.
const SMALL: usize = 16_000;

/// How the names of exports begin that are only there to keep functions in the main part.
const KEPT_IN_MAIN: &str = "__kept_in_main_";

/// A program in parts.
pub(crate) struct Cut {
    /// What is always there, still to be processed by wasm-bindgen.
    pub(crate) main: Vec<u8>,
    /// The WebAssembly of the parts by the names under which the loader fetches them.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Which files each part needs.
    pub(crate) parts: BTreeMap<String, Vec<String>>,
    /// What the main part has to have in its memory, by address, for parts to share.
    pub(crate) data: Vec<(i32, Vec<u8>)>,
}

/// Whether the program was compiled to be cut.
pub(crate) fn is_to_be_cut(wasm: &[u8]) -> bool {
    wasm.windows(PLACE_TO_CUT.len()).any(|window| window == PLACE_TO_CUT)
}

/// Cuts the linked program.
///
/// What several parts need and the main one does not becomes a chunk for just these parts, and there are dozens of such
/// combinations. A chunk that is not worth a request of its own goes into the main part.
pub(crate) fn cut(wasm: &[u8]) -> Result<Cut> {
    let names = functions::names(wasm)?;
    let mut in_main = BTreeSet::new();
    loop {
        let exports: Vec<_> = in_main.iter().map(|index| (format!("{KEPT_IN_MAIN}{index}"), *index)).collect();
        // Whatever is exported stays in the main part.
        let mut cut = cut_once(&functions::with_exports(wasm, &exports, KEPT_IN_MAIN)?)?;
        let mut small = BTreeSet::new();
        for (name, chunk) in cut.files.iter().filter(|(name, _)| name.starts_with(CHUNK)) {
            if without_names(chunk)?.len() < SMALL {
                small.extend(functions::names(chunk).with_context(|| format!("{name} cannot be read"))?.into_values());
            }
        }
        let before = in_main.len();
        in_main.extend(names.iter().filter(|(_, name)| small.contains(*name)).map(|(index, _)| *index));
        if in_main.len() == before {
            cut.main = functions::with_exports(&cut.main, &[], KEPT_IN_MAIN)?;
            return with_data_in_main(cut);
        }
    }
}

fn cut_once(wasm: &[u8]) -> Result<Cut> {
    let work = tempfile::tempdir().context("no temporary folder for the parts")?;
    let main = work.path().join("main");
    let loader = format!("./{LOADER}");
    let mut options = Options::new(wasm);
    options.output_dir = work.path();
    options.main_out_path = &main;
    options.link_name = &loader;
    let result = transform(options).map_err(|error| anyhow!("the program cannot be cut into parts: {error:#}"))?;

    let mut files = BTreeMap::new();
    for path in &result.split_modules {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.insert(name, fs::read(path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    let parts = result.prefetch_map.into_iter();
    let parts = parts.map(|(part, names)| (part, names.into_iter().map(|name| format!("{name}.wasm")).collect()));
    let main = fs::read(&main).context("the main part was not written")?;
    Ok(Cut { main, files, parts: parts.collect(), data: Vec::new() })
}

/// Takes away the chunks that are nothing but a few bytes at a fixed address; the main part has these instead.
fn with_data_in_main(mut cut: Cut) -> Result<Cut> {
    let mut only_data = BTreeSet::new();
    for (name, wasm) in cut.files.iter().filter(|(name, _)| name.starts_with(CHUNK)) {
        let mut chunk = Module::from_buffer(wasm).with_context(|| format!("{name} is no WebAssembly"))?;
        gc::run(&mut chunk);
        if chunk.funcs.iter_local().next().is_some() || chunk.elements.iter().next().is_some() || wasm.len() >= SMALL {
            continue;
        }
        for segment in chunk.data.iter().filter(|segment| !segment.value.is_empty()) {
            let DataKind::Active { offset: ConstExpr::Value(Value::I32(address)), .. } = segment.kind else {
                bail!("{name} holds data at no fixed address");
            };
            cut.data.push((address, segment.value.clone()));
        }
        only_data.insert(name.clone());
    }
    cut.files.retain(|name, _| !only_data.contains(name));
    for files in cut.parts.values_mut() {
        files.retain(|name| !only_data.contains(name));
    }
    Ok(cut)
}

/// The module from which the main part imports what loads the others. These take the memory, the functions and the stack
/// of the main part from its exports.
pub(crate) fn loader(parts: &BTreeMap<String, Vec<String>>) -> String {
    let mut source = LOADER_SOURCE.replace("GLUE", NAME);
    for (part, files) in parts {
        // Writing to a string cannot fail.
        let _ = writeln!(source, "export const __wasm_split_load_{part} = part({files:?});");
    }
    source
}

const LOADER_SOURCE: &str = r#"import { initSync } from "./GLUE.js";
const loads = new Map();
function load(file) {
  let loading = loads.get(file);
  if (loading === undefined) {
    const imports = { __wasm_split: initSync() };
    loading = WebAssembly.instantiateStreaming(fetch(new URL(file, import.meta.url)), imports);
    loads.set(file, loading);
    // What failed is tried anew when it is asked for again.
    loading.catch(() => loads.delete(file));
  }
  return loading;
}
const part = (files) => async (callback, data) => {
  let success = true;
  try {
    await Promise.all(files.map(load));
  } catch (error) {
    console.error(error);
    success = false;
  }
  initSync().__indirect_function_table.get(callback)(data, success);
};
"#;

/// The same module without the names of its functions.
pub(crate) fn without_names(wasm: &[u8]) -> Result<Vec<u8>> {
    let mut configuration = ModuleConfig::new();
    configuration.generate_name_section(false).generate_producers_section(false);
    let mut module = configuration.parse(wasm).context("a part is no WebAssembly")?;
    Ok(module.emit_wasm())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use walrus::{ConstExpr, DataKind, FunctionBuilder, Module, ir::Value};

    use super::{Cut, is_to_be_cut, loader, with_data_in_main};

    /// A module that puts bytes at address 16 of the memory that it is given.
    fn chunk(with_code: bool) -> Vec<u8> {
        let mut module = Module::default();
        let (memory, _) = module.add_import_memory("__wasm_split", "memory", false, false, 1, None, None);
        let kind = DataKind::Active { memory, offset: ConstExpr::Value(Value::I32(16)) };
        let data = module.data.add(kind, vec![1, 2, 3]);
        module.memories.get_mut(memory).data_segments.insert(data);
        let function = FunctionBuilder::new(&mut module.types, &[], &[]);
        let function = function.finish(Vec::new(), &mut module.funcs);
        if with_code {
            module.exports.add("shared", function);
        }
        module.emit_wasm()
    }

    #[test]
    fn only_a_chunk_without_code_goes_into_the_main_part() {
        let files = [("chunk_1.wasm", chunk(false)), ("chunk_2.wasm", chunk(true)), ("split_audit.wasm", chunk(false))];
        let names: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        let cut = Cut {
            main: Vec::new(),
            files: files.into_iter().map(|(name, wasm)| (name.to_owned(), wasm)).collect(),
            parts: BTreeMap::from([("audit".to_owned(), names)]),
            data: Vec::new(),
        };
        let cut = with_data_in_main(cut).unwrap();
        assert_eq!(cut.data, [(16, vec![1, 2, 3])]);
        assert_eq!(cut.files.keys().collect::<Vec<_>>(), ["chunk_2.wasm", "split_audit.wasm"]);
        assert_eq!(cut.parts["audit"], ["chunk_2.wasm", "split_audit.wasm"]);
    }

    #[test]
    fn the_loader_has_what_the_program_imports() {
        let parts =
            BTreeMap::from([("audit".to_owned(), vec!["chunk_2.wasm".to_owned(), "split_audit.wasm".to_owned()])]);
        let source = loader(&parts);
        let expected = r#"export const __wasm_split_load_audit = part(["chunk_2.wasm", "split_audit.wasm"]);"#;
        assert!(source.ends_with(&format!("{expected}\n")), "{source}");
        assert!(source.contains(r#"from "./rondo.js""#), "{source}");
    }

    #[test]
    fn a_program_says_whether_it_is_to_be_cut() {
        assert!(is_to_be_cut(b"\0asm.. __wasm_split_placeholder__ .."));
        assert!(!is_to_be_cut(b"\0asm.. __wbindgen_placeholder__ .."));
    }
}
