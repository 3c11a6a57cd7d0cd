//! One minified style sheet from an entry file and its imports.

use std::{fmt::Display, path::Path};

use anyhow::{Context as _, Result, anyhow};
use lightningcss::{
    bundler::{Bundler, FileProvider},
    error::Error,
    printer::PrinterOptions,
    stylesheet::{MinifyOptions, ParserOptions},
};

/// Bundles the style sheet at `entry` with everything it imports (`@import url("x.css") layer(x)` becomes a layer).
///
/// No browser targets are given, so nesting, layers and the like are kept as they were written.
pub(crate) fn bundle(entry: &Path) -> Result<String> {
    let files = FileProvider::new();
    let mut sheet = Bundler::new(&files, None, ParserOptions::default())
        .bundle(entry)
        .map_err(|error| located(&error))
        .with_context(|| format!("cannot bundle {}", entry.display()))?;
    sheet
        .minify(MinifyOptions::default())
        .map_err(|error| located(&error))
        .with_context(|| format!("cannot minify {}", entry.display()))?;
    let printed = sheet
        .to_css(PrinterOptions { minify: true, ..PrinterOptions::default() })
        .map_err(|error| located(&error))
        .with_context(|| format!("cannot print {}", entry.display()))?;
    Ok(printed.code)
}

/// The error as `file:line:column: message`; as text, because it borrows from the sources.
fn located<Kind: Display>(error: &Error<Kind>) -> anyhow::Error {
    match &error.loc {
        // Lines are counted from zero there, columns from one.
        Some(at) => anyhow!("{}:{}:{}: {}", at.filename, at.line + 1, at.column, error.kind),
        None => anyhow!("{}", error.kind),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::bundle;

    #[test]
    fn imports_become_layers_and_modern_css_stays() {
        let folder = tempfile::tempdir().unwrap();
        let entry = folder.path().join("main.css");
        fs::write(&entry, "@layer tokens, pages;\n@import url(\"tokens.css\") layer(tokens);\n@import url(\"pages/run.css\") layer(pages);\n").unwrap();
        fs::create_dir(folder.path().join("pages")).unwrap();
        fs::write(
            folder.path().join("tokens.css"),
            ":root { color-scheme: light dark; --ink: light-dark(#111, #eee) }",
        )
        .unwrap();
        fs::write(
            folder.path().join("pages/run.css"),
            ".run { color: var(--ink); & .task:has(> svg) { inset-inline-start: 0 } @container (width < 30rem) { gap: 0 } }",
        )
        .unwrap();

        let css = bundle(&entry).unwrap();

        assert!(!css.contains("@import"), "{css}");
        assert!(css.contains("@layer tokens{:root{"), "{css}");
        assert!(css.contains("light-dark("), "{css}");
        assert!(css.contains("& .task:has(>svg){inset-inline-start:0}"), "{css}");
        assert!(css.contains("@container"), "{css}");
    }

    #[test]
    fn an_error_names_the_file_and_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let entry = folder.path().join("main.css");
        let message = || format!("{:#}", bundle(&entry).unwrap_err());

        fs::write(&entry, "@layer a;\n@import url(\"a.css\") layer(a);\n").unwrap();
        let error = message();
        assert!(error.contains("main.css:2:1: "), "{error}");

        fs::write(folder.path().join("a.css"), ".a { color: red }\n.b { color: red } }\n").unwrap();
        let error = message();
        assert!(error.contains("/a.css:3:1: "), "{error}");
    }
}
