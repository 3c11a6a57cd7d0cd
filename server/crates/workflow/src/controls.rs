//! Lists of compliance controls, and which of them a definition names: `LIST:NUMBER`, as in `ISO27001:A.5.16`.
//!
//! The lists that ship have numbers and short names, no more. An organisation adds its own in the same form.

use std::sync::LazyLock;

use domain::view::Words;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Definition, Diagnostic,
    diagnostic::{Diagnostics, suggestion},
    source,
};

/// The lists that ship, by their file names.
const SHIPPED: [(&str, &str); 4] = [
    ("iso27001.yaml", include_str!("../../../controls/iso27001.yaml")),
    ("soc2.yaml", include_str!("../../../controls/soc2.yaml")),
    ("pcidss.yaml", include_str!("../../../controls/pcidss.yaml")),
    ("ismsp.yaml", include_str!("../../../controls/ismsp.yaml")),
];
/// The longest id of a list, and the longest number.
const LONGEST_PART: usize = 32;
/// The longest name of a control that is kept of a definition.
const LONGEST_NAME: usize = 100;
/// Where a definition names controls.
const PLACE: &str = "/document/metadata/rondo/controls";

/// A control.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "(String, String, String)")]
pub struct Control {
    /// Its number in its list.
    pub number: String,
    /// Its short name.
    pub title: Words,
}

impl From<(String, String, String)> for Control {
    fn from((number, en, ko): (String, String, String)) -> Self {
        Self { number, title: Words { en, ko } }
    }
}

/// A list of controls.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlList {
    /// What definitions write before the colon.
    pub id: String,
    /// What it is called.
    pub title: Words,
    /// Its controls, in order.
    pub controls: Vec<Control>,
}

impl ControlList {
    /// As definitions name a control of this list.
    #[must_use]
    pub fn name_of(&self, control: &Control) -> String {
        format!("{}:{}", self.id, control.number)
    }
}

/// Why a file is no list of controls.
#[derive(Debug, thiserror::Error)]
#[error("{file} is no list of controls: {why}")]
pub struct InvalidControlList {
    file: String,
    why: String,
}

/// All lists that are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlLists(Vec<ControlList>);

/// The lists are built in, and a test reads them all.
static BUILT_IN: LazyLock<Vec<ControlList>> =
    LazyLock::new(|| SHIPPED.iter().filter_map(|(file, text)| read(file, text).ok()).collect());

impl ControlLists {
    /// The lists that ship.
    #[must_use]
    pub fn shipped() -> Self {
        Self(BUILT_IN.clone())
    }

    /// The same and those of an organisation: file names and texts. One of its own takes the place of one that ships under the
    /// same id.
    ///
    /// # Errors
    /// A text that is no list, or the second one of an id.
    pub fn with_own<'f>(files: impl IntoIterator<Item = (&'f str, &'f str)>) -> Result<Self, InvalidControlList> {
        let mut own: Vec<ControlList> = Vec::new();
        for (file, text) in files {
            let list = read(file, text)?;
            if own.iter().any(|other| other.id == list.id) {
                let why = format!("another file has the id “{}” as well", list.id);
                return Err(InvalidControlList { file: file.to_owned(), why });
            }
            own.push(list);
        }
        let mut all = Self::shipped().0;
        all.retain(|shipped| own.iter().all(|list| list.id != shipped.id));
        all.append(&mut own);
        Ok(Self(all))
    }

    /// The lists, those that ship first.
    #[must_use]
    pub fn lists(&self) -> &[ControlList] {
        &self.0
    }

    /// The control of this name, with its list.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(&ControlList, &Control)> {
        let (list, number) = name.split_once(':')?;
        let list = self.0.iter().find(|known| known.id == list)?;
        Some((list, list.controls.iter().find(|control| control.number == number)?))
    }

    /// What is wrong with the name of a control, if no list has it.
    fn fault(&self, name: &str) -> Option<String> {
        if self.find(name).is_some() {
            return None;
        }
        let ids = || self.0.iter().map(|list| list.id.as_str());
        let Some((id, number)) = name.split_once(':') else {
            return Some(format!("“{name}” names no list of controls; write it as in ISO27001:A.5.16"));
        };
        Some(match self.0.iter().find(|list| list.id == id) {
            None => {
                let known: Vec<_> = ids().collect();
                let hint = suggestion(id, ids());
                format!("“{id}” is no list of controls{hint}; known are {}", known.join(", "))
            }
            Some(list) => {
                let hint = suggestion(number, list.controls.iter().map(|control| control.number.as_str()));
                format!("{id} has no control “{number}”{hint}")
            }
        })
    }
}

fn read(file: &str, text: &str) -> Result<ControlList, InvalidControlList> {
    let invalid = |why: String| InvalidControlList { file: file.to_owned(), why };
    let list: ControlList = serde_saphyr::from_str(text).map_err(|cause| invalid(cause.to_string()))?;
    let fits = |part: &str, more: &str| {
        let known = |letter: char| letter.is_ascii_alphanumeric() || more.contains(letter);
        (1..=LONGEST_PART).contains(&part.len()) && part.chars().all(known)
    };
    if !fits(&list.id, "-") {
        return Err(invalid("its id is not of 1 to 32 letters, digits and hyphens".to_owned()));
    }
    let mut known = std::collections::BTreeSet::new();
    for control in &list.controls {
        if !fits(&control.number, ".-_()") {
            let why = format!("the number “{}” is not of 1 to 32 letters, digits and .-_()", control.number);
            return Err(invalid(why));
        }
        if !known.insert(&control.number) {
            return Err(invalid(format!("the number “{}” is there twice", control.number)));
        }
    }
    Ok(list)
}

/// The controls that a definition names, each once, whether or not a list has them.
#[must_use]
pub fn named(source: &str) -> Vec<String> {
    let metadata = Definition::identify(source).map(|document| document.metadata).unwrap_or_default();
    let listed = metadata.pointer("/rondo/controls").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut names: Vec<_> = listed.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    names.retain(|name| (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.contains('\0'));
    names.sort();
    names.dedup();
    names
}

impl Definition {
    /// The controls that it names and no list has, each at its place: it is valid all the same.
    #[must_use]
    pub fn unknown_controls(&self, lists: &ControlLists) -> Vec<Diagnostic> {
        let names = self.rondo().controls.iter().enumerate();
        let faults: Vec<_> = names.filter_map(|(index, name)| Some((index, lists.fault(name)?))).collect();
        if faults.is_empty() {
            return Vec::new();
        }
        let Some(root) = source::read(self.source(), &mut Diagnostics::default()) else { return Vec::new() };
        let mut found = Diagnostics::default();
        for (index, message) in faults {
            let path = format!("{PLACE}/{index}");
            found.report(root.nearest(&path).span, &path, message);
        }
        found.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FunctionCatalogue;

    fn definition(controls: &str) -> String {
        format!(
            "document:\n  dsl: 1.0.3\n  namespace: it\n  name: a\n  version: 1.0.0\n  metadata:\n    rondo:\n      \
             controls: {controls}\ndo:\n- a: {{set: {{a: 1}}}}\n"
        )
    }

    #[test]
    fn the_lists_that_ship_are_whole() {
        for (file, text) in SHIPPED {
            assert!(read(file, text).is_ok(), "{file}: {:?}", read(file, text).err());
        }
        let all = ControlLists::shipped();
        let counts: Vec<_> = all.lists().iter().map(|list| (list.id.as_str(), list.controls.len())).collect();
        assert_eq!(counts, [("ISO27001", 93), ("SOC2", 61), ("PCIDSS", 12 + 63), ("ISMSP", 101)]);
        for list in all.lists() {
            for control in &list.controls {
                let Words { en, ko } = &control.title;
                assert!(!en.is_empty() && en.is_ascii() && en.len() <= 80, "{}: {en}", control.number);
                let is_korean = ko.chars().any(|letter| ('\u{ac00}'..='\u{d7a3}').contains(&letter));
                assert!(is_korean, "{}: {ko}", control.number);
                assert_eq!(all.find(&list.name_of(control)), Some((list, control)));
            }
        }
    }

    /// How many controls each part of a list has.
    #[test]
    fn numbers_follow_each_other_without_gaps() {
        let all = ControlLists::shipped();
        let numbers = |id: &str| -> Vec<&str> {
            let list = all.lists().iter().find(|list| list.id == id).unwrap();
            list.controls.iter().map(|control| control.number.as_str()).collect()
        };
        let parts = |parts: &[(&str, u32)]| -> Vec<String> {
            parts.iter().flat_map(|(part, last)| (1..=*last).map(move |number| format!("{part}{number}"))).collect()
        };
        assert_eq!(numbers("ISO27001"), parts(&[("A.5.", 37), ("A.6.", 8), ("A.7.", 14), ("A.8.", 34)]));
        let soc2 = [
            ("CC1.", 5),
            ("CC2.", 3),
            ("CC3.", 4),
            ("CC4.", 2),
            ("CC5.", 3),
            ("CC6.", 8),
            ("CC7.", 5),
            ("CC8.", 1),
            ("CC9.", 2),
            ("A1.", 3),
            ("C1.", 2),
            ("PI1.", 5),
            ("P1.", 1),
            ("P2.", 1),
            ("P3.", 2),
            ("P4.", 3),
            ("P5.", 2),
            ("P6.", 7),
            ("P7.", 1),
            ("P8.", 1),
        ];
        assert_eq!(numbers("SOC2"), parts(&soc2));
        let sections = [5, 3, 7, 2, 4, 5, 3, 6, 5, 7, 6, 10];
        let pci: Vec<String> = (1..)
            .zip(sections)
            .flat_map(|(requirement, last)| {
                std::iter::once(requirement.to_string())
                    .chain((1..=last).map(move |section| format!("{requirement}.{section}")))
            })
            .collect();
        assert_eq!(numbers("PCIDSS"), pci);
        let ismsp = [
            ("1.1.", 6),
            ("1.2.", 4),
            ("1.3.", 3),
            ("1.4.", 3),
            ("2.1.", 3),
            ("2.2.", 6),
            ("2.3.", 4),
            ("2.4.", 7),
            ("2.5.", 6),
            ("2.6.", 7),
            ("2.7.", 2),
            ("2.8.", 6),
            ("2.9.", 7),
            ("2.10.", 9),
            ("2.11.", 5),
            ("2.12.", 2),
            ("3.1.", 7),
            ("3.2.", 5),
            ("3.3.", 4),
            ("3.4.", 2),
            ("3.5.", 3),
        ];
        assert_eq!(numbers("ISMSP"), parts(&ismsp));
    }

    #[test]
    fn what_no_list_has_is_told_at_its_place() {
        let source = definition("[\"ISO27001:A.5.16\", \"ISO27001:A.5.61\", \"ISO2701:A.5.1\", A.5.1]");
        let definition = Definition::parse(&source, &FunctionCatalogue::new()).unwrap();
        let found = definition.unknown_controls(&ControlLists::shipped());
        let places: Vec<_> = found.iter().map(|one| (one.line, one.path.rsplit('/').next().unwrap())).collect();
        assert_eq!(places, [(8, "1"), (8, "2"), (8, "3")]);
        assert!(found[0].message.starts_with("ISO27001 has no control “A.5.61”, did you mean"), "{}", found[0].message);
        assert!(found[1].message.contains("did you mean “ISO27001”"), "{}", found[1].message);
        assert!(found[2].message.contains("write it as in ISO27001:A.5.16"), "{}", found[2].message);
        assert!(found[0].column > 17 && found[0].column < found[1].column);
    }

    #[test]
    fn an_organisation_adds_lists_of_its_own() {
        let own = "id: HOUSE\ntitle: {en: House rules, ko: 사내 규정}\ncontrols:\n  - [\"1\", \"Doors\", \"문\"]\n";
        let lists = ControlLists::with_own([("house.yaml", own)]).unwrap();
        assert_eq!(lists.lists().len(), 5);
        let source = definition("[\"HOUSE:1\", \"HOUSE:2\"]");
        let definition = Definition::parse(&source, &FunctionCatalogue::new()).unwrap();
        assert_eq!(definition.unknown_controls(&lists).len(), 1);
        let twice = ControlLists::with_own([("a.yaml", own), ("b.yaml", own)]).unwrap_err();
        assert!(twice.to_string().starts_with("b.yaml is no list of controls: another file"), "{twice}");
        for wrong in [own.replace("HOUSE", "a:b"), own.replace("\"1\"", "\"\""), "id: X".to_owned()] {
            assert!(ControlLists::with_own([("a.yaml", wrong.as_str())]).is_err(), "{wrong}");
        }
        let shadowed = ControlLists::with_own([("soc2.yaml", own.replace("HOUSE", "SOC2").as_str())]).unwrap();
        assert_eq!((shadowed.lists().len(), shadowed.find("SOC2:CC1.1")), (4, None));
    }

    #[test]
    fn a_definition_names_each_control_once() {
        let source = definition("[\"SOC2:CC6.1\", \"X:9\", \"SOC2:CC6.1\"]");
        assert_eq!(named(&source), ["SOC2:CC6.1", "X:9"]);
        assert_eq!(named("document: {}"), Vec::<String>::new());
    }
}
