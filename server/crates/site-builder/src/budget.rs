//! How much of the browser's program a page loads, and how much it may.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Result, ensure};

/// The sizes of the program's WebAssembly in brotli, in bytes.
#[derive(Debug)]
pub(crate) struct ProgramSize {
    /// What every page loads.
    pub(crate) main: usize,
    /// What the pages of each part load besides.
    pub(crate) parts: BTreeMap<String, usize>,
}

impl ProgramSize {
    /// The part whose pages load most, with all that they load.
    fn heaviest(&self) -> (&str, usize) {
        let part = self.parts.iter().max_by_key(|(_, size)| **size);
        part.map_or(("all", self.main), |(name, size)| (name, self.main + size))
    }

    /// What pages load, for people.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("    every page loads {} kB of the program", kilobytes(self.main));
        for (name, size) in &self.parts {
            // Writing to a string cannot fail.
            let _ = write!(text, ", {name} {} kB more", kilobytes(*size));
        }
        text.push('\n');
        text
    }

    /// Fails when any page loads more than the budget.
    pub(crate) fn ensure_within(&self, budget_kb: usize) -> Result<()> {
        let (pages, size) = self.heaviest();
        ensure!(
            size <= budget_kb * 1000,
            "{pages} pages load {} kB of the program in brotli, over the budget of {budget_kb} kB: find what grew \
             (the table above; cargo tree -p app --no-default-features --features hydrate --target wasm32-unknown-unknown), \
             or move it to a part (app/src/parts.rs)",
            kilobytes(size),
        );
        println!("    the heaviest pages ({pages}) load {} of {budget_kb} kB in brotli", kilobytes(size));
        Ok(())
    }
}

fn kilobytes(size: usize) -> usize {
    size.div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::ProgramSize;

    fn size(main: usize, parts: &[(&str, usize)]) -> ProgramSize {
        ProgramSize {
            main,
            parts: parts.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect::<BTreeMap<_, _>>(),
        }
    }

    #[test]
    fn a_program_at_the_budget_passes_and_one_byte_more_fails() {
        size(450_000, &[]).ensure_within(450).unwrap();
        let error = size(450_001, &[]).ensure_within(450).unwrap_err().to_string();
        assert!(error.contains("all pages load 451 kB of the program in brotli, over the budget of 450 kB"), "{error}");
    }

    #[test]
    fn what_counts_is_the_heaviest_page_and_not_the_sum_of_the_parts() {
        let parts = [("admin", 60_000), ("audit", 70_000), ("run", 50_000)];
        size(380_000, &parts).ensure_within(450).unwrap();
        let error = size(380_001, &parts).ensure_within(450).unwrap_err().to_string();
        assert!(error.contains("audit pages load 451 kB"), "{error}");
    }
}
