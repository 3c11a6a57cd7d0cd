//! Takes out code of which we know, and the linker does not, that it never runs.
//!
//! Leptos keeps a pointer to `hydrate_async` in every view, for programs that hydrate while their parts are still being
//! loaded (`hydrate_lazy`). Ours loads the part first and hydrates then, so none of this is ever called; it is a twentieth
//! of the program. Nothing in Leptos turns it off, but here the names are still there.
//!
//! Only the entry point of each view is emptied; what it alone refers to is then left out as unreachable. An entry point
//! is recognised by its name and by the table of methods that it puts beside its future: LLVM merges equal functions
//! under the name of either, but two of these are equal only if they begin the same future.

use std::{collections::BTreeSet, ops::Range};

use anyhow::{Context as _, Result};
use wasmparser::{KnownCustom, Parser, Payload, RelocationType, TypeRef};

use crate::functions::{self, custom_section, leb128};

/// What the last part of the name of an unused function is.
const UNUSED: &str = "hydrate_async";

const RELOCATIONS: &str = "reloc.CODE";
const NO_LOCALS: u8 = 0x00;
const UNREACHABLE: u8 = 0x00;
const NOP: u8 = 0x01;
const END: u8 = 0x0b;

/// The linked program (with relocations and names) whose unused functions trap and refer to nothing, and how many there
/// were. All code stays where it was, so that the other relocations still hold.
pub(crate) fn without_unused(wasm: &[u8]) -> Result<(Vec<u8>, usize)> {
    let layout = Layout::read(wasm).context("the compiled program cannot be read")?;
    let unused = layout.unused_bodies();
    let mut result = Vec::with_capacity(wasm.len());
    result.extend_from_slice(wasm.get(..layout.relocations.section.start).unwrap_or_default());
    result.extend(layout.relocations_outside(wasm, &unused));
    result.extend_from_slice(wasm.get(layout.relocations.section.end..).unwrap_or_default());
    for body in &unused {
        // The section of relocations comes after the code.
        if let Some(body) = result.get_mut(body.clone()) {
            body.fill(NOP);
            if let [locals, first, .., last] = body {
                (*locals, *first, *last) = (NO_LOCALS, UNREACHABLE, END);
            }
        }
    }
    Ok((result, unused.len()))
}

#[derive(Default)]
struct Layout {
    /// Where the content of the code section begins: relocations count from here.
    code: usize,
    /// Of each function that is not imported.
    bodies: Vec<Range<usize>>,
    imported: usize,
    /// Functions by their place, the imported ones first, that are named as unused ones are.
    named: BTreeSet<usize>,
    relocations: Relocations,
}

#[derive(Default)]
struct Relocations {
    /// The whole section, its head included.
    section: Range<usize>,
    /// Which section these belong to.
    of: usize,
    entries: Vec<Relocation>,
}

struct Relocation {
    /// Where it is written down.
    entry: Range<usize>,
    /// Where it applies.
    at: usize,
    to_data: bool,
}

impl Layout {
    fn read(wasm: &[u8]) -> Result<Self> {
        let mut layout = Self::default();
        let mut end_of_section = 0;
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            match &payload {
                Payload::ImportSection(imports) => {
                    for import in imports.clone().into_imports() {
                        layout.imported += usize::from(matches!(import?.ty, TypeRef::Func(_)));
                    }
                }
                Payload::CodeSectionStart { range, .. } => layout.code = range.start,
                Payload::CodeSectionEntry(body) => layout.bodies.push(body.range()),
                Payload::CustomSection(section) if section.name() == RELOCATIONS => {
                    if let KnownCustom::Reloc(relocations) = section.as_known() {
                        layout.relocations = Relocations {
                            section: end_of_section..section.range().end,
                            of: usize::try_from(relocations.section_index())?,
                            entries: entries(&relocations, layout.code)?,
                        };
                    }
                }
                Payload::Version { range, .. } => end_of_section = range.end,
                _ => {}
            }
            if let Some((_, range)) = payload.as_section() {
                end_of_section = range.end;
            }
        }
        let names = functions::names(wasm)?.into_iter().filter(|(_, name)| is_unused(name));
        layout.named = names.map(|(index, _)| usize::try_from(index)).collect::<Result<_, _>>()?;
        Ok(layout)
    }

    fn unused_bodies(&self) -> Vec<Range<usize>> {
        let bodies = self.named.iter().filter_map(|index| self.bodies.get(index.checked_sub(self.imported)?));
        bodies
            .filter(|body| {
                let first = self.relocations.entries.partition_point(|entry| entry.at < body.start);
                let inside = self.relocations.entries.iter().skip(first).take_while(|entry| entry.at < body.end);
                body.len() > 3 && inside.into_iter().any(|entry| entry.to_data)
            })
            .cloned()
            .collect()
    }

    /// The section of relocations, without those inside `bodies`, which are in their order.
    fn relocations_outside(&self, wasm: &[u8], bodies: &[Range<usize>]) -> Vec<u8> {
        let kept: Vec<_> = self
            .relocations
            .entries
            .iter()
            .filter(|entry| {
                let after = bodies.partition_point(|body| body.end <= entry.at);
                bodies.get(after).is_none_or(|body| !body.contains(&entry.at))
            })
            .collect();
        let mut content = leb128(self.relocations.of);
        content.extend(leb128(kept.len()));
        for entry in kept {
            content.extend_from_slice(wasm.get(entry.entry.clone()).unwrap_or_default());
        }
        custom_section(RELOCATIONS, &content)
    }
}

fn entries(relocations: &wasmparser::RelocSectionReader<'_>, code: usize) -> Result<Vec<Relocation>> {
    let mut entries: Vec<Relocation> = Vec::new();
    for entry in relocations.entries().into_iter_with_offsets() {
        let (start, entry) = entry?;
        if let Some(before) = entries.last_mut() {
            before.entry.end = start;
        }
        let to_data = matches!(
            entry.ty,
            RelocationType::MemoryAddrLeb | RelocationType::MemoryAddrSleb | RelocationType::MemoryAddrI32
        );
        let at = code + usize::try_from(entry.offset)?;
        entries.push(Relocation { entry: start..relocations.range().end, at, to_data });
    }
    Ok(entries)
}

/// Whether the name, mangled or not, ends in that of an unused function.
fn is_unused(name: &str) -> bool {
    let without_hash = |name: &str| match name.rsplit_once("17h") {
        Some((before, hash)) if hash.len() == 17 && hash.ends_with('E') => before.to_owned(),
        _ => name.rsplit_once("::h").filter(|(_, hash)| hash.len() == 16).map_or(name, |(before, _)| before).to_owned(),
    };
    without_hash(name).ends_with(UNUSED)
}

#[cfg(test)]
mod tests {
    use walrus::{FunctionBuilder, Module, ValType};
    use wasmparser::{KnownCustom, Parser, Payload};

    use super::{is_unused, without_unused};
    use crate::functions::{custom_section, leb128};

    const CALLED: &str = "view::build";
    const ENTRY: &str = "_ZN4view8into_any13hydrate_async17h0123456789abcdefE";
    const SHARED: &str = "_ZN4view5other13hydrate_async17hfedcba9876543210E";

    /// Three functions that give a number, and what a linker would note: the numbers of the first two are addresses, that
    /// of the third is not.
    fn linked() -> Vec<u8> {
        let mut module = Module::default();
        for (name, number) in [(CALLED, 1_000_000), (ENTRY, 2_000_000), (SHARED, 3_000_000)] {
            let mut function = FunctionBuilder::new(&mut module.types, &[], &[ValType::I32]);
            function.name(name.to_owned()).func_body().i32_const(number);
            let function = function.finish(Vec::new(), &mut module.funcs);
            module.exports.add(name, function);
        }
        let mut wasm = module.emit_wasm();
        let mut relocations = Vec::new();
        for (number, kind) in [(1_000_000, 4), (2_000_000, 4), (3_000_000, 0)] {
            let (start, at) = place_of(&wasm, number);
            relocations.push([vec![kind], leb128(at - start), leb128(7), vec![0; usize::from(kind == 4)]].concat());
        }
        relocations.sort_by_key(|entry| entry[1]);
        let content = [leb128(3), leb128(relocations.len()), relocations.concat()].concat();
        wasm.extend(custom_section("reloc.CODE", &content));
        wasm.extend(custom_section("after", b"still here"));
        wasm
    }

    /// Where the code begins and where in it the number stands.
    fn place_of(wasm: &[u8], number: i32) -> (usize, usize) {
        let mut start = 0;
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.unwrap() {
                Payload::CodeSectionStart { range, .. } => start = range.start,
                Payload::CodeSectionEntry(body) if numbers(&body).contains(&number) => {
                    return (start, body.range().end - 4);
                }
                _ => {}
            }
        }
        panic!("no function gives {number}");
    }

    fn numbers(body: &wasmparser::FunctionBody<'_>) -> Vec<i32> {
        let operators = body.get_operators_reader().unwrap().into_iter();
        let number = |operator| match operator {
            Ok(wasmparser::Operator::I32Const { value }) => Some(value),
            _ => None,
        };
        operators.filter_map(number).collect()
    }

    #[test]
    fn an_entry_point_of_its_own_future_is_emptied_and_all_else_stays() {
        let before = linked();
        let (after, unused) = without_unused(&before).unwrap();
        assert_eq!(unused, 1);

        let (mut left, mut relocations, mut last) = (Vec::new(), 0, String::new());
        for payload in Parser::new(0).parse_all(&after) {
            match payload.unwrap() {
                Payload::CodeSectionEntry(body) => left.extend(numbers(&body)),
                Payload::CustomSection(section) => {
                    section.name().clone_into(&mut last);
                    if let KnownCustom::Reloc(reader) = section.as_known() {
                        relocations = reader.entries().into_iter().map(Result::unwrap).count();
                    }
                }
                _ => {}
            }
        }
        left.sort_unstable();
        assert_eq!(left, [1_000_000, 3_000_000]);
        assert_eq!((relocations, last.as_str()), (2, "after"));
        // It still is WebAssembly.
        Module::from_buffer(&after).unwrap();
    }

    #[test]
    fn a_name_is_known_mangled_or_not() {
        assert!(is_unused(ENTRY));
        assert!(is_unused("tachys::view::into_any::hydrate_async::h0123456789abcdef"));
        assert!(is_unused("tachys::view::into_any::hydrate_async"));
        assert!(!is_unused("_ZN4view8into_any7hydrate17h0123456789abcdefE"));
        assert!(!is_unused("_ZN4view13hydrate_async28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE"));
    }
}
