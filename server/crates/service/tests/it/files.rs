//! Definitions as files: brought in without overwriting anything, and exported by who may read them.

use domain::{ErrorCode, FileOutcome, Name, Operation, Role, Scope, view::FileReport};
use serde_json::json;
use service::{Caller, DefinitionArchive, DefinitionFile, ExportedVersions, Reservation};

use crate::{
    authoring::{greet, greeting, refused},
    office::{Office, code},
};

fn file(path: &str, content: impl AsRef<[u8]>) -> DefinitionFile {
    DefinitionFile { path: path.to_owned(), content: content.as_ref().to_vec() }
}

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        builder.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Path, outcome and version of each.
fn outcomes(reports: &[FileReport]) -> Vec<(&str, FileOutcome, String)> {
    let version = |report: &FileReport| {
        let named = report.definition.as_ref();
        named.map_or_else(String::new, |named| format!("{}/{} {}", named.namespace, named.name, named.version))
    };
    reports.iter().map(|report| (report.path.as_str(), report.outcome, version(report))).collect()
}

async fn import_one(office: &Office, caller: &Caller, text: impl AsRef<[u8]>) -> FileReport {
    let reports = office.service.import_definitions(caller, vec![file("a.yaml", text)]).await.unwrap();
    let [report] = <[FileReport; 1]>::try_from(reports).unwrap();
    report
}

/// Paths and texts of an archive.
async fn unpacked(mut pieces: DefinitionArchive) -> (Vec<u8>, Vec<(String, String)>) {
    let mut whole = Vec::new();
    while let Some(piece) = pieces.recv().await {
        whole.extend(piece.unwrap());
    }
    let mut files = Vec::new();
    for entry in tar::Archive::new(whole.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
        assert_eq!(entry.header().mtime().unwrap(), 0);
        files.push((path, text));
    }
    (whole, files)
}

#[tokio::test]
async fn each_file_becomes_a_draft_of_the_version_that_it_names() {
    let office = Office::open().await;
    let author = office.caller("author").await;
    let unfinished =
        "document: {dsl: 1.0.3, namespace: identity, name: begun, version: 0.1.0}\ndo: [{say: {set: 5}}]\n";
    let as_json = json!({
        "document": {"dsl": "1.0.3", "namespace": "office", "name": "water", "version": "2.0.0-rc.1"},
        "do": [{"pour": {"set": {"poured": true}}}],
    });
    let before = office.audit_end().await;
    let packed = archive(&[
        ("README.md", "words"),
        ("identity/begun.yaml", unfinished),
        (".github/workflows/test.yml", "on: push"),
        ("office/water.json", &as_json.to_string()),
    ]);
    let sent = vec![file("greet.yaml", greeting("1.0.0", "hello")), file("rest.tar", packed)];
    let reports = office.service.import_definitions(&author, sent).await.unwrap();
    assert_eq!(
        outcomes(&reports),
        [
            ("greet.yaml", FileOutcome::Added, "identity/greet 1.0.0".to_owned()),
            ("identity/begun.yaml", FileOutcome::Added, "identity/begun 0.1.0".to_owned()),
            ("office/water.json", FileOutcome::Added, "office/water 2.0.0-rc.1".to_owned()),
        ]
    );
    // A text that is no definition yet is a draft as well, with what is wrong with it.
    let wrong: Vec<_> = reports.iter().map(|report| report.diagnostics.first().map(|found| found.line)).collect();
    assert_eq!(wrong, [None, Some(2), None]);
    let draft = office.service.workflow_version(&author, &greet(), "1.0.0").await.unwrap();
    assert_eq!((draft.state.as_str(), draft.source), ("draft", greeting("1.0.0", "hello")));
    assert_eq!(draft.life.unwrap().authors[0].login, "author");

    let entries = office.audit_after(before).await;
    let saved: Vec<_> = entries.iter().filter(|entry| entry.action == Operation::DefinitionSave.as_str()).collect();
    assert_eq!(saved.len(), 3);
    assert!(saved[1].body.contains(r#""file":"identity/begun.yaml""#), "{}", saved[1].body);
}

#[tokio::test]
async fn nothing_that_is_there_is_overwritten() {
    let office = Office::open().await;
    let author = office.caller("author").await;
    let publisher = office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    let service = &office.service;
    office.published(&author, &publisher, "1.0.0", "one").await;
    service.retire_definition(&publisher, &greet(), "1.0.0", true).await.unwrap();
    office.published(&author, &publisher, "2.0.0", "two").await;
    office.in_review(&author, "3.0.0", "three").await;
    office.draft(&author, "4.0.0", "four").await;
    let states = [
        ("1.0.0", "one", "retired"),
        ("2.0.0", "two", "published"),
        ("3.0.0", "three", "in review"),
        ("4.0.0", "four", "a draft"),
    ];
    let before = office.audit_end().await;
    for (version, word, state) in states {
        // As a system wrote it that ends lines otherwise.
        let same = greeting(version, word).replace('\n', "\r\n");
        let report = import_one(&office, &author, &same).await;
        assert_eq!((report.outcome, report.detail.as_str()), (FileOutcome::Unchanged, ""), "{version}");
        let report = import_one(&office, &author, greeting(version, "another")).await;
        assert_eq!(report.outcome, FileOutcome::Conflict, "{version}");
        assert!(
            report.detail.starts_with(&format!("version {version} is {state} with another text")),
            "{}",
            report.detail
        );
        let there = service.workflow_version(&author, &greet(), version).await.unwrap();
        assert_eq!(there.source, greeting(version, word));
    }
    // Comments make no other definition, but they make another draft.
    let commented = |version: &str, word: &str| greeting(version, word).replace("to be kept", "to be lost");
    assert_eq!(import_one(&office, &author, commented("2.0.0", "two")).await.outcome, FileOutcome::Unchanged);
    assert_eq!(import_one(&office, &author, commented("4.0.0", "four")).await.outcome, FileOutcome::Conflict);
    assert!(office.audit_after(before).await.is_empty(), "nothing was changed");
}

#[tokio::test]
async fn a_bad_file_does_not_stop_the_others() {
    let office = Office::open().await;
    let author = office.caller("author").await;
    let sent = vec![
        file("binary.yaml", [0xff, 0xfe, 0x00]),
        file("large.yaml", vec![b'#'; 1024 * 1024 + 1]),
        file("compose.yml", "services: {web: {image: nginx}}\n"),
        file("broken.yaml", "document: [\n"),
        file("named.yaml", greeting("1.0.0", "x").replace("name: greet", "name: Greet_It")),
        file("capital.yaml", greeting("1.0.0", "x").replace("name: greet", "name: Greet")),
        file("notes.md", "# Notes"),
        file("broken.tar", "no archive"),
        file("empty.tar", archive(&[("README", "words")])),
        file("one.yaml", greeting("1.0.0", "hello")),
        file("two.yaml", greeting("1.0.0", "goodbye")),
        file("three.yaml", greeting("1.0.0", "hello")),
    ];
    let reports = office.service.import_definitions(&author, sent).await.unwrap();
    let told: Vec<_> = reports.iter().map(|report| (report.outcome, report.detail.as_str())).collect();
    let expected = [
        (FileOutcome::Refused, "UTF-8"),
        (FileOutcome::Refused, "1 MiB"),
        (FileOutcome::Refused, "does not say which version"),
        (FileOutcome::Refused, "does not say which version"),
        (FileOutcome::Refused, "does not say which version"),
        (FileOutcome::Refused, "document.name “Greet”"),
        (FileOutcome::Refused, ".yaml, .yml or .json"),
        (FileOutcome::Refused, "no tar archive"),
        (FileOutcome::Refused, "holds no file"),
        (FileOutcome::Added, ""),
        (FileOutcome::Conflict, "one.yaml is another text of version 1.0.0"),
        (FileOutcome::Unchanged, ""),
    ];
    for ((outcome, detail), (expected, words)) in told.iter().zip(expected) {
        assert!(*outcome == expected && detail.contains(words), "{detail}: {words}");
    }
    assert_eq!(told.len(), expected.len());
    assert_eq!(reports[3].diagnostics.len(), 1, "what keeps it from being read");
    assert!(reports[4].diagnostics[0].message.contains("Greet_It"), "{:?}", reports[4].diagnostics);

    let many = vec![file("a.yaml", ""); service::FILES_LIMIT + 1];
    assert_eq!(refused(office.service.import_definitions(&author, many).await), ErrorCode::TooLarge);
    assert_eq!(refused(office.service.import_definitions(&author, Vec::new()).await), ErrorCode::InvalidInput);
}

#[tokio::test]
async fn of_many_errors_the_first_are_told() {
    let office = Office::open().await;
    let author = office.caller("author").await;
    let steps = (0..30).map(|step| format!("- step{step}: {{set: 5}}")).collect::<Vec<_>>().join("\n");
    let text = format!("document: {{dsl: 1.0.3, namespace: identity, name: greet, version: 1.0.0}}\ndo:\n{steps}");
    let report = import_one(&office, &author, text).await;
    assert_eq!((report.outcome, report.diagnostics.len()), (FileOutcome::Added, 10));
    assert_eq!(report.detail, "these are the first 10 of 30 errors");
}

#[tokio::test]
async fn who_may_not_write_brings_nothing_in() {
    let office = Office::open().await;
    let elsewhere = office.hire("elsewhere", &[Role::Author], Scope::Namespace("network".parse().unwrap())).await;
    office.draft(&office.caller("author").await, "1.0.0", "hello").await;
    let before = office.audit_end().await;
    // Whether the version is there is not told to those who may not see it.
    let mut details = Vec::new();
    for version in ["1.0.0", "9.0.0"] {
        for caller in [&elsewhere, &office.caller("staff").await, &office.caller("auditor").await] {
            let report = import_one(&office, caller, greeting(version, "hello")).await;
            assert_eq!(report.outcome, FileOutcome::Refused);
            details.push(report.detail);
        }
    }
    assert!(
        details.iter().all(|detail| detail == "you may not write definitions of the namespace identity"),
        "{details:?}"
    );
    let entries = office.audit_after(before).await;
    let refusals = entries.iter().filter(|entry| entry.action == "definition.save" && entry.outcome == "refused");
    assert_eq!(refusals.count(), 6);
    let publisher = office.hire("reader", &[Role::Publisher], Scope::Everywhere).await;
    let report = import_one(&office, &publisher, greeting("1.0.0", "hello")).await;
    assert!(report.outcome == FileOutcome::Refused && report.detail.contains("author"), "{}", report.detail);
    let own = greeting("1.0.0", "hello").replace("namespace: identity", "namespace: network");
    assert_eq!(import_one(&office, &elsewhere, own).await.outcome, FileOutcome::Added);
}

#[tokio::test]
async fn a_repeated_import_finds_what_was_done() {
    let office = Office::open().await;
    let author = office.caller("author").await;
    // As by an idempotency key whose answer was lost: many changes are made under it, and none is the one to remember.
    let reservation = Reservation { user_id: author.user, key: "key".to_owned(), made_at: office.now() };
    let author = Caller { reservation: Some(reservation), ..author };
    let sent = || vec![file("a.yaml", greeting("1.0.0", "a")), file("b.yaml", greeting("1.1.0", "b"))];
    for expected in [FileOutcome::Added, FileOutcome::Unchanged] {
        let reports = office.service.import_definitions(&author, sent()).await.unwrap();
        assert!(reports.iter().all(|report| report.outcome == expected), "{reports:?}");
    }
}

#[tokio::test]
async fn an_archive_holds_what_its_reader_sees_and_is_brought_in_unchanged() {
    let office = Office::open().await;
    let (author, service) = (office.caller("author").await, &office.service);
    let publisher = office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    office.published(&author, &publisher, "1.9.0", "nine").await;
    office.published(&author, &publisher, "1.10.0", "ten").await;
    office.draft(&author, "2.0.0", "two").await;
    let as_json =
        r#"{"document": {"dsl": "1.0.3", "namespace": "office", "name": "water", "version": "1.0.0"}, "do": []}"#;
    import_one(&office, &author, as_json).await;

    let before = office.audit_end().await;
    let launchable = async |caller: &Caller, namespace: Option<&str>| {
        let namespace = namespace.map(|name| name.parse::<Name>().unwrap());
        unpacked(service.export_definitions(caller, namespace, ExportedVersions::Launchable).await.unwrap()).await
    };
    let (whole, files) = launchable(&author, None).await;
    let paths: Vec<_> = files.iter().map(|(path, _)| path.as_str()).collect();
    let expected = [
        "identity/greet.yaml",
        "identity/offboard-employee.yaml",
        "identity/onboard-employee.yaml",
        "incident/service-down.yaml",
    ];
    assert_eq!(paths, expected);
    assert_eq!(files[0].1, greeting("1.10.0", "ten"));
    assert_eq!(launchable(&author, None).await.0, whole, "it is the same for the same texts");
    assert_eq!(launchable(&author, Some("incident")).await.1.len(), 1);
    assert_eq!(launchable(&author, Some("nowhere")).await.1.len(), 0);
    let entries = office.audit_after(before).await;
    let exports: Vec<_> = entries.iter().filter(|entry| entry.action == "definition.export").collect();
    assert!(exports.len() == 4 && exports[2].body.contains("incident"), "{exports:?}");

    let all = service.export_definitions(&author, None, ExportedVersions::All).await.unwrap();
    let (whole, files) = unpacked(all).await;
    let paths: Vec<_> = files.iter().map(|(path, _)| path.as_str()).filter(|path| !path.contains("employee")).collect();
    assert_eq!(paths[..3], ["identity/greet/2.0.0.yaml", "identity/greet/1.10.0.yaml", "identity/greet/1.9.0.yaml"]);
    assert!(paths.contains(&"office/water/1.0.0.json"), "{paths:?}");
    let reports = service.import_definitions(&author, vec![file("all.tar", whole)]).await.unwrap();
    assert_eq!(reports.len(), files.len());
    assert!(reports.iter().all(|report| report.outcome == FileOutcome::Unchanged), "{reports:?}");

    // Authors and publishers of a namespace have what is in it, and nothing else.
    let network = Scope::Namespace("incident".parse().unwrap());
    let elsewhere = office.hire("elsewhere", &[Role::Publisher], network).await;
    assert_eq!(launchable(&elsewhere, None).await.1.len(), 1);
    assert_eq!(launchable(&elsewhere, Some("identity")).await.1.len(), 0);
    let staff = office.caller("staff").await;
    assert_eq!(code(service.export_definitions(&staff, None, ExportedVersions::All).await), "forbidden");
}

#[tokio::test]
async fn the_text_of_a_version_is_had_as_it_was_written() {
    let office = Office::open().await;
    let (author, service) = (office.caller("author").await, &office.service);
    office.draft(&author, "1.0.0", "hello").await;
    let before = office.audit_end().await;
    let exported = service.export_definition(&author, &greet(), "1.0.0").await.unwrap();
    assert_eq!((exported.file_name.as_str(), exported.media_type), ("greet-1.0.0.yaml", "application/yaml"));
    assert_eq!(exported.text, greeting("1.0.0", "hello"));
    let entries = office.audit_after(before).await;
    assert_eq!(entries.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["definition.export"]);
    assert_eq!(code(service.export_definition(&author, &greet(), "9.9.9").await), "not-found");
    // A draft is hidden from those who do not write; what is published is known to all who may request it.
    let staff = office.caller("staff").await;
    assert_eq!(code(service.export_definition(&staff, &greet(), "1.0.0").await), "not-found");
    let onboarding = Office::onboarding();
    let version = service.workflow(&staff, &onboarding).await.unwrap().item.version;
    assert_eq!(code(service.export_definition(&staff, &onboarding, &version).await), "forbidden");
}

#[tokio::test]
async fn beside_a_server_the_author_s_rights_count_as_well() {
    let office = Office::open().await;
    let service = &office.service;
    let import = async |login: &str, text: String| {
        service.console_import_definitions(login, vec![file("a.yaml", text)]).await.map(|reports| reports[0].outcome)
    };
    let before = office.audit_end().await;
    assert_eq!(import("author", greeting("1.0.0", "hello")).await.unwrap(), FileOutcome::Added);
    assert_eq!(import("staff", greeting("1.0.1", "hello")).await.unwrap(), FileOutcome::Refused);
    assert_eq!(refused(import("nobody", greeting("1.0.2", "hello")).await), ErrorCode::NotFound);
    let (_, files) = unpacked(service.console_export_definitions(None, ExportedVersions::All).await.unwrap()).await;
    assert!(files.iter().any(|(path, _)| path == "identity/greet/1.0.0.yaml"));
    let entries = office.audit_after(before).await;
    let doors: Vec<_> = entries.iter().map(|entry| (entry.action.as_str(), entry.outcome.as_str())).collect();
    assert_eq!(doors, [("definition.save", "done"), ("definition.save", "refused"), ("definition.export", "done")]);
    assert!(entries.iter().all(|entry| entry.body.contains("\"cli\"")));
}
