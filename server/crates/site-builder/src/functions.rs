//! Names and exports of a module's functions, read and changed in place: what a program was linked of must stay where it is
//! as long as there are relocations, so it cannot be written anew as a whole.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use wasmparser::{ExternalKind, KnownCustom, Name, Parser, Payload};

const EXPORTS: u8 = 7;
const FUNCTION: u8 = 0;

/// The names of functions by their index, as far as the module tells.
pub(crate) fn names(wasm: &[u8]) -> Result<BTreeMap<u32, String>> {
    let mut found = BTreeMap::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::CustomSection(section) = payload? else { continue };
        let KnownCustom::Name(names) = section.as_known() else { continue };
        for name in names {
            let Name::Function(functions) = name? else { continue };
            for function in functions {
                let function = function?;
                found.insert(function.index, function.name.to_owned());
            }
        }
    }
    Ok(found)
}

/// The same module which also exports `more` functions, and none whose name begins with `without` other than these.
pub(crate) fn with_exports(wasm: &[u8], more: &[(String, u32)], without: &str) -> Result<Vec<u8>> {
    let mut end_of_section = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if let Payload::ExportSection(exports) = &payload {
            let mut entries: Vec<Vec<u8>> = Vec::new();
            for export in exports.clone() {
                let export = export?;
                if !(export.kind == ExternalKind::Func && export.name.starts_with(without)) {
                    entries.push(entry(export.name, kind(export.kind)?, export.index)?);
                }
            }
            for (name, function) in more {
                entries.push(entry(name, FUNCTION, *function)?);
            }
            let mut content = leb128(entries.len());
            content.extend(entries.concat());
            let mut result = wasm.get(..end_of_section).unwrap_or_default().to_vec();
            result.push(EXPORTS);
            result.extend(leb128(content.len()));
            result.extend(content);
            result.extend_from_slice(wasm.get(exports.range().end..).unwrap_or_default());
            return Ok(result);
        }
        if let Payload::Version { range, .. } = &payload {
            end_of_section = range.end;
        } else if let Some((_, range)) = payload.as_section() {
            end_of_section = range.end;
        }
    }
    Ok(wasm.to_vec())
}

fn entry(name: &str, kind: u8, index: u32) -> Result<Vec<u8>> {
    let mut entry = leb128(name.len());
    entry.extend_from_slice(name.as_bytes());
    entry.push(kind);
    entry.extend(leb128(usize::try_from(index)?));
    Ok(entry)
}

fn kind(kind: ExternalKind) -> Result<u8> {
    Ok(match kind {
        ExternalKind::Func => FUNCTION,
        ExternalKind::Table => 1,
        ExternalKind::Memory => 2,
        ExternalKind::Global => 3,
        ExternalKind::Tag => 4,
        ExternalKind::FuncExact => None.context("an export of an unknown kind")?,
    })
}

/// A custom section with its head.
pub(crate) fn custom_section(name: &str, content: &[u8]) -> Vec<u8> {
    let head = [leb128(name.len()), name.as_bytes().to_vec()].concat();
    [vec![0], leb128(head.len() + content.len()), head, content.to_vec()].concat()
}

/// A number as WebAssembly writes it.
pub(crate) fn leb128(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use walrus::{FunctionBuilder, Module};

    use super::{leb128, names, with_exports};

    #[test]
    fn exports_come_and_go_and_nothing_else_changes() {
        let mut module = Module::default();
        for name in ["one", "two"] {
            let mut function = FunctionBuilder::new(&mut module.types, &[], &[]);
            function.name(name.to_owned());
            let function = function.finish(Vec::new(), &mut module.funcs);
            module.exports.add(name, function);
        }
        let plain = module.emit_wasm();
        let functions = names(&plain).unwrap();
        assert_eq!(functions.values().collect::<Vec<_>>(), ["one", "two"]);

        let two = *functions.iter().find(|(_, name)| *name == "two").unwrap().0;
        let more = with_exports(&plain, &[("kept_two".to_owned(), two)], "kept_").unwrap();
        let exports = |wasm: &[u8]| -> Vec<String> {
            Module::from_buffer(wasm).unwrap().exports.iter().map(|export| export.name.clone()).collect()
        };
        assert_eq!(exports(&more), ["one", "two", "kept_two"]);
        assert_eq!(with_exports(&more, &[], "kept_").unwrap(), plain);
    }

    #[test]
    fn numbers_are_written_in_sevens_of_bits() {
        assert_eq!(leb128(0), [0]);
        assert_eq!(leb128(127), [127]);
        assert_eq!(leb128(624_485), [0xe5, 0x8e, 0x26]);
    }
}
