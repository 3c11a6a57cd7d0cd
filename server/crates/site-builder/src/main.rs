//! Makes the site that the `rondo` binary embeds: the browser's program, its JavaScript glue, the style sheet and the
//! public files, with hashed names and compressed beforehand.
//!
//! It takes the WebAssembly that Cargo compiled from `app` (feature `hydrate`), and does in one process what would
//! otherwise need three tools to be installed: wasm-bindgen and Lightning CSS are libraries here. Only `wasm-opt` is a
//! program of its own; without it the site is larger and the output says so.
//!
//! What it writes is described in [`site`]; that nothing is done twice is the business of [`inputs`].

mod browser_program;
mod budget;
mod compression;
mod functions;
mod inputs;
mod parts;
mod site;
mod style_sheet;
mod unused_code;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::Parser;

use crate::{browser_program::Optimizer, compression::Effort, inputs::Inputs, site::Site};

/// What one page may load of the browser's program, in kB of 1,000 bytes in brotli.
const BUDGET_KB: usize = 500;

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
    /// The editor of definitions, a JavaScript module that only its page loads; need not exist.
    #[arg(long)]
    editor: Option<PathBuf>,
    /// The folder to make.
    #[arg(long)]
    out: PathBuf,
    /// Quick and readable in the debugger: names kept, not optimised, no budget.
    #[arg(long)]
    dev: bool,
    /// The limit for what one page loads of the browser's program in brotli, in kB.
    #[arg(long, default_value_t = BUDGET_KB)]
    budget_kb: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let optimizer = if arguments.dev { Optimizer::Off } else { Optimizer::find() };
    let style_root = arguments.style.parent().context("the style sheet lies in no folder")?;
    let editor = arguments.editor.as_deref().filter(|file| file.is_file());
    let folders = [Some(style_root), Some(&*arguments.public), editor.and_then(Path::parent)];
    let folders: Vec<&Path> = folders.into_iter().flatten().collect();
    let inputs = Inputs::read(&arguments.wasm, &folders, &optimizer.describe(), arguments.dev)?;
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
    if let Some(file) = editor {
        site.add_editor(&fs::read(file).with_context(|| format!("cannot read {}", file.display()))?)?;
    }
    let program_size = site.add_program(&program)?;
    site.finish()?;

    print!("{}", site.sizes());
    if let Some(remark) = optimizer.remark() {
        println!("    {remark}");
    }
    print!("{}", program_size.describe());
    if !arguments.dev {
        program_size.ensure_within(arguments.budget_kb)?;
    }
    inputs.remember_for(&arguments.out)
}
