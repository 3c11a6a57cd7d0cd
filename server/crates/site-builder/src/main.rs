//! Makes the site that the `rondo` binary embeds: the browser's program, its JavaScript glue, the style sheet and the
//! public files, with hashed names and compressed beforehand.
//!
//! It takes the WebAssembly that Cargo compiled from `app` (feature `hydrate`), and does in one process what would
//! otherwise need three tools to be installed: wasm-bindgen and Lightning CSS are libraries here. Only `wasm-opt` is a
//! program of its own; without it the site is larger and the output says so.
//!
//! What it writes is described in [`site`]; that nothing is done twice is the business of [`inputs`].

mod browser_program;
mod compression;
mod inputs;
mod site;
mod style_sheet;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;

use crate::{browser_program::Optimizer, compression::Effort, inputs::Inputs, site::Site};

/// What the browser's program may weigh in brotli, in kB of 1,000 bytes.
const BUDGET_KB: usize = 450;

/// Makes the site that the rondo binary embeds.
#[derive(Parser)]
struct Arguments {
    /// The compiled program for the browser (cargo build -p app --features hydrate …).
    #[arg(long)]
    wasm: PathBuf,
    /// The style sheet's entry file; its imports are bundled.
    #[arg(long)]
    style: PathBuf,
    /// A folder of files to serve as they are, under the root; need not exist.
    #[arg(long)]
    public: PathBuf,
    /// The folder to make.
    #[arg(long)]
    out: PathBuf,
    /// Quick and readable in the debugger: names kept, not optimised, no budget.
    #[arg(long)]
    dev: bool,
    /// The limit for the browser's program in brotli, in kB.
    #[arg(long, default_value_t = BUDGET_KB)]
    budget_kb: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let optimizer = if arguments.dev { Optimizer::Off } else { Optimizer::find() };
    let style_root = arguments.style.parent().context("the style sheet lies in no folder")?;
    let inputs = Inputs::read(&arguments.wasm, &[style_root, &arguments.public], &optimizer.describe(), arguments.dev)?;
    if inputs.are_those_of(&arguments.out) {
        println!("    nothing changed: {} is up to date", arguments.out.display());
        return Ok(());
    }

    let style = style_sheet::bundle(&arguments.style)?;
    let program = inputs.cached_program(&arguments.out, || browser_program::make(&arguments.wasm, &optimizer))?;
    let effort = if arguments.dev { Effort::Quick } else { Effort::Best };
    let mut site = Site::new(arguments.out.clone(), effort);
    site.add_public(&arguments.public)?;
    site.add_style(&style)?;
    let program_size = site.add_program(&program)?;
    site.finish()?;

    print!("{}", site.sizes());
    if let Some(remark) = optimizer.remark() {
        println!("    {remark}");
    }
    if !arguments.dev {
        ensure_within_budget(program_size, arguments.budget_kb)?;
    }
    inputs.remember_for(&arguments.out)
}

/// Fails when the browser's program, of `size` bytes in brotli, is over the budget.
fn ensure_within_budget(size: usize, budget_kb: usize) -> Result<()> {
    ensure!(
        size <= budget_kb * 1000,
        "the program for the browser is {} kB in brotli, over the budget of {budget_kb} kB: \
         find what grew (cargo tree -p app --no-default-features --features hydrate --target wasm32-unknown-unknown)",
        size.div_ceil(1000),
    );
    println!("    the program for the browser: {} of {budget_kb} kB in brotli", size.div_ceil(1000));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::ensure_within_budget;

    #[test]
    fn a_program_at_the_budget_passes_and_one_byte_more_fails() {
        ensure_within_budget(450_000, 450).unwrap();
        let error = ensure_within_budget(450_001, 450).unwrap_err().to_string();
        assert!(error.contains("451 kB in brotli, over the budget of 450 kB"), "{error}");
    }
}
