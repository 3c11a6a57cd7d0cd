//! Features in Gherkin, as the conformance kit of the specification writes them.

use std::{fs, path::Path};

/// One scenario of a feature.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
}

/// One step, with the text below it.
#[derive(Debug)]
pub(crate) struct Step {
    /// Without `Given`, `When`, `Then` and `And`, which say nothing of their own.
    pub(crate) words: String,
    pub(crate) text: Option<String>,
}

/// All scenarios of the features in a folder, in order.
pub(crate) fn scenarios(folder: &Path) -> Vec<Scenario> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "feature"));
    files.sort();
    files.iter().flat_map(|file| read(&file.display().to_string(), &fs::read_to_string(file).unwrap())).collect()
}

fn read(file: &str, text: &str) -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix("Scenario:") {
            scenarios.push(Scenario { name: format!("{file}: {}", name.trim()), steps: Vec::new() });
        } else if trimmed.starts_with("\"\"\"") {
            let indent = line.len() - line.trim_start().len();
            let block: Vec<&str> = lines
                .by_ref()
                .take_while(|line| !line.trim().starts_with("\"\"\""))
                .map(|line| line.get(indent..).unwrap_or_default())
                .collect();
            let step = scenarios.last_mut().and_then(|scenario| scenario.steps.last_mut()).unwrap();
            step.text = Some(block.join("\n"));
        } else if let Some(words) =
            ["Given ", "When ", "Then ", "And "].iter().find_map(|word| trimmed.strip_prefix(word))
            && let Some(scenario) = scenarios.last_mut()
        {
            scenario.steps.push(Step { words: words.trim_start_matches("given ").to_owned(), text: None });
        }
    }
    scenarios
}
