//! Texts are changed where they are to be changed, and nowhere else.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends by it")]

use std::{
    hash::{BuildHasher as _, RandomState},
    path::{Path, PathBuf},
};

use domain::{
    RunStatus,
    view::{TaskList, TextEdit},
};
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};
use workflow::{
    Capability, Definition, FunctionCatalogue,
    edit::{Manuscript, Refusal},
    rehearsal::Expectation,
};

fn manuscript(text: &str) -> Manuscript {
    Manuscript::read(text).unwrap()
}

const TEXT: &str = "\
# At the top.
document:
  dsl: 1.0.3 # the language
  name: 'quoted'
do:
  # Above the first.
  - first:
      set:
        a: 1 # one
        # between
        b: \"two\"
      # below the first

  # Of nothing in particular.

  - second: {set: {a: 1}, then: end}
  # Above the third.
  - third:
      call: smtp
      with:
        to: [a@b.example, 'c']
        text: |
          Hello

          # no comment
        subject: >-
          One
          two
# At the end.
";

#[test]
fn a_value_is_put_in_the_place_of_another_as_it_is_quoted() {
    let text = manuscript(TEXT);
    let changed = |pointer: &str, value: Value| text.set(pointer, &value).unwrap().text().to_owned();
    let replaced = |old: &str, new: &str| TEXT.replacen(old, new, 1);
    assert_eq!(changed("/do/0/first/set/a", json!(7)), replaced("a: 1 # one", "a: 7 # one"));
    assert_eq!(changed("/do/0/first/set/b", json!("x: y")), replaced("\"two\"", "\"x: y\""));
    assert_eq!(changed("/document/name", json!("it's")), replaced("'quoted'", "'it''s'"));
    assert_eq!(changed("/do/1/second/then", json!("exit")), replaced("then: end", "then: exit"));
    assert_eq!(changed("/do/2/third/with/to", json!(["a@b.example"])), replaced("[a@b.example, 'c']", "[a@b.example]"));
    assert_eq!(changed("/do/2/third/with/to", json!(["a@b.example", "d"])), replaced("'c'", "'d'"));
    assert_eq!(
        changed("/do/2/third/with/text", json!("Hi")),
        replaced("|\n          Hello\n\n          # no comment", "Hi")
    );
    assert_eq!(
        changed("/do/2/third/with/subject", json!("a\nb\n")),
        replaced(">-\n          One\n          two", "|\n          a\n          b")
    );
    assert_eq!(changed("/do/0/first/set/b", json!({"c": [1]})), replaced("b: \"two\"", "b:\n          c: [1]"));
    assert_eq!(changed("/do/0/first/set", json!({"a": 1, "b": "two"})), TEXT);
}

#[test]
fn properties_come_and_go() {
    let text = manuscript(TEXT);
    let changed = |pointer: &str, value: Value| text.set(pointer, &value).unwrap().text().to_owned();
    let replaced = |old: &str, new: &str| TEXT.replacen(old, new, 1);
    assert_eq!(
        changed("/document/metadata/rondo/risk", json!("low")),
        replaced("  name: 'quoted'\n", "  name: 'quoted'\n  metadata:\n    rondo:\n      risk: low\n")
    );
    assert_eq!(changed("/do/1/second/if", json!("${ .a }")), replaced("then: end}", "then: end, if: \"${ .a }\"}"));
    assert_eq!(
        changed("/do/0/first/then", json!("end")),
        replaced("      # below the first\n", "      then: end\n      # below the first\n")
    );
    let cleared = |pointer: &str| text.clear(pointer).unwrap().text().to_owned();
    assert_eq!(cleared("/do/0/first/set/a"), replaced("        a: 1 # one\n", ""));
    assert_eq!(cleared("/do/1/second/then"), replaced(", then: end", ""));
    assert_eq!(cleared("/do/1/second/set"), replaced("set: {a: 1}, ", ""));
    assert_eq!(cleared("/do/2/third/with/nothing"), TEXT);
    let other = text.set("/do/0/first/set", &json!({"c": true})).unwrap();
    assert!(other.text().contains("        # between\n"), "{}", other.text());
}

#[test]
fn items_come_go_and_move_with_what_is_said_of_them() {
    let text = manuscript(TEXT);
    let nap = json!({"nap": {"wait": {"days": 1}}});
    for at in 0..=3 {
        let with = text.insert("/do", at, &nap).unwrap();
        assert_eq!(with.value().pointer(&format!("/do/{at}")), Some(&nap));
        assert_eq!(with.remove("/do", at).unwrap().text(), TEXT, "{}", with.text());
    }
    let moved = text.shift("/do", 0, 2).unwrap();
    assert!(moved.text().contains("do:\n  - second: {set"), "{}", moved.text());
    assert!(moved.text().contains("  # Above the first.\n  - first:\n"), "{}", moved.text());
    assert!(moved.text().contains("      # below the first\n# At the end.\n"), "{}", moved.text());
    assert_eq!(moved.shift("/do", 2, 0).unwrap().text(), TEXT);
    let without = text.remove("/do", 0).unwrap();
    assert!(!without.text().contains("Above the first") && without.text().contains("Of nothing"), "{}", without.text());
    assert_eq!(text.shift("/do", 0, 3).unwrap_err(), Refusal::Nowhere);
}

#[test]
fn a_part_is_written_as_it_was_typed() {
    let text = manuscript(TEXT);
    assert_eq!(text.excerpt("/do/0/first").unwrap(), "set:\n  a: 1 # one\n  # between\n  b: \"two\"");
    for pointer in ["/do/0/first", "/do/2/third/with", "/do/2/third/with/text", "/do/1/second", "/document", "/do"] {
        let excerpt = text.excerpt(pointer).unwrap();
        assert_eq!(text.write(pointer, &excerpt).unwrap().text(), TEXT, "{pointer}\n{excerpt}");
    }
    let written = text.write("/do/0/first", "wait: {days: 2} # a nap\nthen: end").unwrap();
    assert!(
        written.text().contains("  - first:\n      wait: {days: 2} # a nap\n      then: end\n      # below"),
        "{}",
        written.text()
    );
    let written = text.write("/do/1/second/set", "a:\n  - 1").unwrap();
    assert!(written.text().contains("- second: {set: {a: [1]}, then: end}"), "{}", written.text());
    assert_eq!(text.write("/do/0/first", "a: [").unwrap_err(), Refusal::Malformed);
}

#[test]
fn names_change_and_what_cannot_be_changed_safely_is_refused() {
    let text = manuscript(TEXT);
    assert_eq!(text.rename("/do/0/first", "begin").unwrap().text(), TEXT.replace("- first:", "- begin:"));
    assert_eq!(text.rename("/document/name", "dsl").unwrap_err(), Refusal::Name);
    assert_eq!(text.set("/document/dsl/x", &json!(1)).unwrap_err(), Refusal::Nowhere);
    assert_eq!(text.set("/do/0/first/set", &json!([1])).unwrap_err(), Refusal::Comment);
    assert_eq!(Manuscript::read("a: &x 1\nb: *x").unwrap_err(), Refusal::Unreadable);
    assert_eq!(Manuscript::read("a: !!str 1").unwrap_err(), Refusal::Unreadable);
    assert_eq!(Manuscript::read("a: 1\na: 2").unwrap_err(), Refusal::Unreadable);
}

#[test]
fn json_stays_json() {
    let text = "{\n  \"document\": {\"name\": \"a\"},\n  \"do\": [\n    {\"a\": {\"set\": {}}}\n  ]\n}\n";
    let text = manuscript(text);
    let text = text.set("/document/metadata/x", &json!({"y": [1]})).unwrap();
    let text = text.insert("/do", 1, &json!({"b": {"wait": {"days": 1}}})).unwrap();
    let text = text.set("/do/0/a/set/b", &json!("c")).unwrap();
    let read: Value = serde_json::from_str(text.text()).unwrap();
    assert_eq!(read["do"], json!([{"a": {"set": {"b": "c"}}}, {"b": {"wait": {"days": 1}}}]));
}

#[test]
fn a_test_is_added_wherever_the_others_are() {
    let failed = Expectation { status: RunStatus::Faulted, output: None, error: Some("https://e.test/e".to_owned()) };
    let done = Expectation { output: Some(json!({"a": 1})), ..Expectation::default() };
    for head in [
        "document:\n  dsl: 1.0.3 # x\n",
        "document: {dsl: 1.0.3}\n",
        "document:\n  metadata:\n    rondo:\n      risk: low # x\n",
        "document:\n  metadata: {rondo: {tests: []}}\n",
        "document:\n  metadata:\n    rondo:\n      tests:\n        # All.\n        - {title: One}\n",
        "document:\n  metadata:\n    rondo:\n      tests: [{title: One}] # one\n",
    ] {
        let text = manuscript(&format!("{head}do: [] # nothing\n"));
        let before =
            text.value().pointer("/document/metadata/rondo/tests").and_then(Value::as_array).map_or(0, Vec::len);
        let text = text.add_case("It works: \"so\"", &json!({"a": [1, {"b": "c"}]}), &done).unwrap();
        let text = text.add_case("It fails", &json!({}), &failed).unwrap();
        let tests = &text.value()["document"]["metadata"]["rondo"]["tests"];
        let [one, two] = &tests.as_array().unwrap()[before..] else { panic!("{}", text.text()) };
        assert_eq!(
            *one,
            json!({"title": "It works: \"so\"", "input": {"a": [1, {"b": "c"}]}, "expect": {"output": {"a": 1}}})
        );
        assert_eq!(*two, json!({"title": "It fails", "input": {}, "expect": {"error": "https://e.test/e"}}));
        assert!(text.text().ends_with("do: [] # nothing\n"));
    }
}

/// All definitions that ship, and those of the tests of the language.
fn corpus() -> Vec<(String, String)> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&here.join("../../../workflows"), &mut files);
    collect(&here.join("../../../end2end/workflows"), &mut files);
    let mut texts: Vec<_> =
        files.into_iter().map(|file| (file.display().to_string(), std::fs::read_to_string(file).unwrap())).collect();
    let mut cases = Vec::new();
    collect(&here.join("tests/corpus"), &mut cases);
    for file in cases {
        let listed: Vec<Value> = serde_saphyr::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for case in listed {
            let part = |name: &str| case[name].as_str().unwrap_or_default().to_owned();
            let tasks = part("do").lines().fold(String::new(), |text, line| text + "  " + line + "\n");
            let head = "document: {dsl: 1.0.3, namespace: test, name: it, version: 1.0.0} # head";
            texts.push((part("name"), format!("{head}\n{}\ndo: # tasks\n  # the first\n{tasks}# end\n", part("head"))));
        }
    }
    assert!(texts.len() > 80, "{}", texts.len());
    texts
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}

/// Every value of a document, by its pointer.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                places(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), into);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                places(value, &format!("{at}/{number}"), into);
            }
        }
        _ => {}
    }
}

/// Comments in the most simple way: whatever follows ` #` or begins with it, where no text is quoted.
fn comments(text: &str) -> usize {
    text.lines()
        .filter(|line| line.trim_start().starts_with("# ") || line.contains("} # ") || line.contains(": # "))
        .count()
}

#[test]
fn any_edit_leaves_the_rest_as_it_is_and_is_undone_by_its_opposite() {
    let given = std::env::var("EDIT_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| RandomState::new().hash_one("edit"));
    eprintln!("EDIT_SEED={seed}");
    let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed.to_le_bytes(); 4].concat());
    let mut pick = |most: usize| if most == 0 { 0 } else { usize::try_from(rng.next_u64() % most as u64).unwrap() };
    let (mut done, mut refused) = (0_u32, 0_u32);
    for (name, text) in corpus() {
        let Ok(first) = Manuscript::read(&text) else { continue };
        let mut all = Vec::new();
        places(first.value(), "", &mut all);
        for _ in 0..10 {
            let pointer = &all[pick(all.len())];
            let value = first.value().pointer(pointer).unwrap().clone();
            let what = pick(6);
            let changed = match (what, &value) {
                (0, Value::Array(items)) => {
                    first.insert(pointer, pick(items.len() + 1), &json!({"new": {"set": {"a": "b"}}}))
                }
                (1, Value::Array(items)) if items.len() > 1 => {
                    let (from, to) = (pick(items.len()), pick(items.len()));
                    let moved = first.shift(pointer, from, to);
                    if let Ok(moved) = &moved {
                        assert_eq!(
                            moved.shift(pointer, to, from).unwrap().text(),
                            text,
                            "{name} {pointer} {from} {to}"
                        );
                    }
                    moved
                }
                (2, Value::Object(_)) => {
                    let added = first.set(&format!("{pointer}/added"), &json!({"deep": [1, {"a": "b"}]}));
                    if let Ok(added) = &added {
                        let gone = added.clear(&format!("{pointer}/added"));
                        if !value.as_object().unwrap().is_empty() {
                            assert_eq!(gone.unwrap().text(), text, "{name} {pointer}\n{}", added.text());
                        }
                    }
                    added
                }
                (3, _)
                    if !pointer.is_empty()
                        && !pointer.rsplit('/').next().unwrap().starts_with(|c: char| c.is_ascii_digit()) =>
                {
                    let renamed = first.rename(pointer, "renamed");
                    if let Ok(renamed) = &renamed {
                        let (above, old) = pointer.rsplit_once('/').unwrap();
                        let back =
                            renamed.rename(&format!("{above}/renamed"), &old.replace("~1", "/").replace("~0", "~"));
                        assert_eq!(back.unwrap().text(), text, "{name} {pointer}");
                    }
                    renamed
                }
                (4, _) if !pointer.is_empty() => {
                    let excerpt = first.excerpt(pointer).unwrap();
                    let changed = first.write(pointer, "{other: [value]}");
                    if let Ok(changed) = &changed
                        && let Ok(back) = changed.write(pointer, &excerpt)
                    {
                        assert_eq!(back.value(), first.value(), "{name} {pointer}");
                    }
                    // Comments that were shown with a part go with it.
                    match changed {
                        Ok(changed) if comments(changed.text()) == comments(&text) => Ok(changed),
                        _ => continue,
                    }
                }
                (5, Value::String(_) | Value::Number(_)) => {
                    let changed = first.set(pointer, &json!("another: 'text'"));
                    if let Ok(changed) = &changed {
                        assert_eq!(changed.set(pointer, &value).unwrap().value(), first.value(), "{name} {pointer}");
                    }
                    changed
                }
                _ => continue,
            };
            match changed {
                Ok(changed) => {
                    done += 1;
                    assert_eq!(
                        comments(changed.text()),
                        comments(&text),
                        "{name} {pointer} {what}\n{}",
                        changed.text()
                    );
                    if what == 0 {
                        let at = changed.value().pointer(pointer).unwrap().as_array().unwrap();
                        let at = at.iter().position(|item| item.get("new").is_some()).unwrap();
                        if at + 1 < changed.value().pointer(pointer).unwrap().as_array().unwrap().len() || at > 0 {
                            assert_eq!(
                                changed.remove(pointer, at).unwrap().text(),
                                text,
                                "{name} {pointer}\n{}",
                                changed.text()
                            );
                        }
                    }
                }
                Err(_) => refused += 1,
            }
        }
    }
    eprintln!("{done} edits, {refused} refused");
    assert!(done > 300 && refused * 10 < done, "{done} edits, {refused} refused");
}

#[test]
fn a_task_is_filled_in_like_a_form() {
    let mut functions = FunctionCatalogue::new();
    let schema = json!({"type": "object", "required": ["to"], "properties": {
        "to": {"type": "string", "title": "To whom"}, "text": {"type": "string"}, "times": {"type": "integer"},
        "how": {"enum": ["slow", "fast"]}, "more": {"type": "array"},
    }});
    functions.register("smtp", schema, "Mail").unwrap();
    let text = "do:\n  - tell: # who\n      call: smtp\n      with:\n        to: a@b.example # whom\n        how: slow\n      then: last\n  - last: {set: {a: 1}}\n";
    let text = manuscript(text);
    let form = text.task_form("/do/0/tell", &functions).unwrap();
    let shown: Vec<_> = form.fields.iter().map(|field| (field.pointer.as_str(), field.value.as_str())).collect();
    assert_eq!(
        shown[..9],
        [
            ("/metadata/title", ""),
            ("/call", "smtp"),
            ("/with/to", "a@b.example"),
            ("/with/text", ""),
            ("/with/times", ""),
            ("/with/how", "slow"),
            ("/with/more", ""),
            ("/if", ""),
            ("/then", "last"),
        ]
    );
    assert_eq!((form.fields[2].title.as_str(), form.fields[2].required, form.fields[4].yaml), ("To whom", true, true));
    assert!(
        form.fields[9].pointer.is_empty()
            && form.fields[9].value.starts_with("call: smtp\nwith:\n  to: a@b.example # whom")
    );

    let change =
        |text: &Manuscript, field: &str, filled: &str| text.change_task("/do/0/tell", field, filled, &functions);
    for field in &form.fields {
        assert_eq!(change(&text, &field.pointer, &field.value).unwrap().text(), text.text(), "{}", field.pointer);
    }
    let filled = [
        ("/with/text", "Hello,\r\nyou"),
        ("/with/times", "3"),
        ("/with/how", ""),
        ("/metadata/title", "Tell them"),
        ("/with/more", "${ .all | map({a: .}) }"),
    ];
    let changed = filled.into_iter().fold(text.clone(), |text, (field, filled)| change(&text, field, filled).unwrap());
    let changed = changed.rename_task("/do/0/tell", "say").unwrap();
    assert_eq!(
        changed.text(),
        "do:\n  - say: # who\n      call: smtp\n      with:\n        to: a@b.example # whom\n        text: |-\n          Hello,\n          \
         you\n        times: 3\n        more: \"${ .all | map({a: .}) }\"\n      then: last\n      metadata:\n        title: Tell them\n  \
         - last: {set: {a: 1}}\n"
    );
    let untitled = changed.change_task("/do/0/say", "/metadata/title", " ", &functions).unwrap();
    assert!(!untitled.text().contains("metadata"), "{}", untitled.text());
    let renamed = changed.rename_task("/do/1/last", "end of it").unwrap();
    assert!(
        renamed.text().contains("then: end of it\n") && renamed.text().contains("- end of it: {set"),
        "{}",
        renamed.text()
    );
    assert_eq!(changed.rename_task("/do/1/last", "say").unwrap_err(), Refusal::Name);
    assert_eq!(changed.rename_task("/do/1/last", "end").unwrap_err(), Refusal::Name);
    assert_eq!(change(&text, "/call", "").unwrap_err(), Refusal::Malformed);
    assert_eq!(change(&text, "/with/times", "[1").unwrap_err(), Refusal::Malformed);
    assert_eq!(change(&text, "/with/unknown", "1").unwrap_err(), Refusal::Nowhere);
    // As a whole, it is taken as it was typed.
    let slept = change(&text, "", "wait: {days: 1} # a nap").unwrap();
    assert_eq!(slept.text(), "do:\n  - tell: # who\n      wait: {days: 1} # a nap\n  - last: {set: {a: 1}}\n");
}

#[test]
fn whoever_changes_a_task_is_told_where_it_stands_now() {
    let functions = FunctionCatalogue::new();
    let mut text = manuscript(
        "# Steps.\ndo:\n  - a: {set: {x: 1}} # first\n  # In a group.\n  - b:\n      do:\n        - c: {wait: {days: 1}}\n",
    );
    let lines = |list: &TaskList| list.tasks.iter().map(|task| task.line).collect::<Vec<_>>();
    let tasks = text.tasks().unwrap();
    assert_eq!((lines(&tasks), lines(&tasks.tasks[1].lists[0])), (vec![3, 5], vec![7]));

    let mut edit = |edit: TextEdit| {
        let (edited, task) = text.edit(&edit, &functions)?;
        text = edited;
        Ok::<_, Refusal>((task, text.text().to_owned()))
    };
    let add = |name: &str| TextEdit::Add { list: "/do/1/b/do".into(), at: 1, what: "wait".into(), name: name.into() };
    assert_eq!(edit(add(" d ")).unwrap().0.unwrap(), "/do/1/b/do/1/d");
    assert_eq!(edit(add("")).unwrap().0.unwrap(), "/do/1/b/do/1/wait");
    assert_eq!(edit(add("")).unwrap().0.unwrap(), "/do/1/b/do/1/wait2");
    assert_eq!(edit(add("d")).unwrap_err(), Refusal::Name);
    let task = |task: &str| task.to_owned();
    let (to, moved) = edit(TextEdit::Move { task: task("/do/1/b"), by: -1 }).unwrap();
    assert_eq!(to.unwrap(), "/do/0/b");
    assert!(
        moved.starts_with("# Steps.\ndo:\n  # In a group.\n  - b:\n")
            && moved.ends_with("  - a: {set: {x: 1}} # first\n"),
        "{moved}"
    );
    assert_eq!(edit(TextEdit::Move { task: task("/do/0/b"), by: -1 }).unwrap_err(), Refusal::Nowhere);
    // It is no more where it was.
    assert_eq!(edit(TextEdit::Remove { task: task("/do/1/b") }).unwrap_err(), Refusal::Nowhere);
    let renamed = edit(TextEdit::Rename { task: task("/do/0/b/do/3/d"), name: "e/f".into() }).unwrap();
    assert_eq!(renamed.0.unwrap(), "/do/0/b/do/3/e~1f");
    assert_eq!(
        edit(TextEdit::Remove { task: task("/do/0/b") }).unwrap(),
        (None, "# Steps.\ndo:\n  - a: {set: {x: 1}} # first\n".to_owned())
    );
}

#[test]
fn every_new_task_is_one_of_the_language() {
    let mut functions = FunctionCatalogue::new();
    functions.register("smtp", json!({"type": "object"}), "Mail").unwrap();
    functions.allow(Capability::ALL);
    let head = "document: {dsl: 1.0.3, namespace: test, name: new, version: 1.0.0} # new\n";
    let mut text = manuscript(&format!("{head}do:\n  - first: {{set: {{a: 1}}}}\n"));
    for (at, what) in
        ["set", "switch", "wait", "do", "for", "try", "fork", "approval", "smtp", "raise", "emit", "listen", "run"]
            .into_iter()
            .enumerate()
    {
        text = text.add_task("/do", at, what, what).unwrap();
    }
    assert!(
        Definition::parse(text.text(), &functions).is_ok(),
        "{:?}\n{}",
        Definition::parse(text.text(), &functions).err(),
        text.text()
    );
    let tasks = text.tasks().unwrap();
    let kinds: Vec<_> = tasks.tasks.iter().map(|task| (task.kind.as_str(), task.lists.len())).collect();
    assert_eq!(kinds[3..7], [("do", 1), ("for", 1), ("try", 2), ("fork", 1)]);
    let inner = &tasks.tasks[5].lists[1];
    assert_eq!(inner.reference, "/do/5/try/catch/do");
    let text = text.remove(&inner.reference, 0).unwrap();
    assert!(text.text().contains("        do: []\n"), "{}", text.text());
    assert!(text.add_task("/do/5/try/catch/do", 0, "again", "wait").unwrap().text().contains("- again:\n"));
}
