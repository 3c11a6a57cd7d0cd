//! Definitions that come as files. Each becomes a draft of the version that its own text says it is, by the rules of saving;
//! what is there already stays as it is, and is told of.

use std::collections::BTreeMap;

use domain::{
    ErrorCode, FileOutcome, Name, Operation, Problem, VersionState, WorkflowRef,
    view::{FileReport, VersionName},
};
use serde_json::Value;
use store::workflows::WorkflowVersion;
use workflow::Definition;

use super::{
    archive::{self, Member},
    in_words,
};
use crate::{Caller, Service, people::field, shipped::is_text_of};

/// The most definitions that are brought in at once.
pub const FILES_LIMIT: usize = 200;
/// The most bytes of definitions that are brought in at once.
pub const FILES_BYTES_LIMIT: usize = 16 * 1024 * 1024;
/// Errors of one text that are told; its page tells all.
const ERRORS_TOLD: usize = 10;
/// Characters of a path that are told.
const PATH_TOLD: usize = 256;

/// A file as somebody sends it: a definition in YAML or JSON, or a tar archive of such.
#[derive(Clone, Debug)]
pub struct DefinitionFile {
    /// Its name, which may have folders before it.
    pub path: String,
    /// What is in it.
    pub content: Vec<u8>,
}

/// How a text stands to the version of its name that is there.
pub(crate) struct Beside {
    /// Where that version stands.
    pub(crate) state: VersionState,
    /// Whether it has this text.
    pub(crate) same: bool,
}

impl Service {
    /// Makes drafts of files, each by itself: what becomes of one says nothing of the others. Files of an archive that are
    /// no definitions by their names are passed over.
    pub async fn import_definitions(
        &self,
        caller: &Caller,
        files: Vec<DefinitionFile>,
    ) -> Result<Vec<FileReport>, Problem> {
        if files.is_empty() {
            let errors = vec![field("/files", "required", Value::Null, "there is no file")];
            return Err(Problem::new(ErrorCode::InvalidInput).with_errors(errors));
        }
        // Whoever repeats it finds all that was done: no key has to remember it.
        let caller = Caller { reservation: None, ..caller.clone() };
        let mut reports = Vec::new();
        let mut added: BTreeMap<VersionName, String> = BTreeMap::new();
        for Member { path, content } in gather(files)? {
            let mut report = self.import_file(&caller, &path, content).await;
            match (&report.definition, report.outcome) {
                (Some(version), FileOutcome::Added) => {
                    added.insert(version.clone(), report.path.clone());
                }
                (Some(version), FileOutcome::Conflict) => {
                    if let Some(first) = added.get(version) {
                        report.detail = format!(
                            "{first} is another text of version {} and came first; give one of them a new version number",
                            version.version
                        );
                    }
                }
                _ => {}
            }
            reports.push(report);
        }
        Ok(reports)
    }

    async fn import_file(&self, caller: &Caller, path: &str, content: Result<Vec<u8>, &'static str>) -> FileReport {
        let mut report = FileReport {
            path: told(path),
            outcome: FileOutcome::Refused,
            definition: None,
            detail: String::new(),
            diagnostics: Vec::new(),
        };
        let outcome = match content {
            Ok(content) => self.import_text(caller, &content, &mut report).await,
            Err(reason) => Err(Problem::new(ErrorCode::InvalidInput).with_detail(reason)),
        };
        match outcome {
            Ok(outcome) => report.outcome = outcome,
            Err(problem) => report.detail = reason(&problem, report.definition.as_ref()),
        }
        if report.diagnostics.len() > ERRORS_TOLD {
            report.detail = format!("these are the first {ERRORS_TOLD} of {} errors", report.diagnostics.len());
            report.diagnostics.truncate(ERRORS_TOLD);
        }
        report
    }

    async fn import_text(
        &self,
        caller: &Caller,
        content: &[u8],
        report: &mut FileReport,
    ) -> Result<FileOutcome, Problem> {
        let text = text_of(content)?;
        let Some(named) = version_of(&text)? else {
            // Whoever may have texts checked is told what keeps it from saying so.
            if let Ok(checked) = self.validate_definition(caller, &text).await {
                report.diagnostics = checked.diagnostics;
            }
            let detail = "the text does not say which version of which workflow it is: \
                          document.namespace, document.name and document.version";
            return Err(Problem::new(ErrorCode::InvalidDefinition).with_detail(detail));
        };
        report.definition = Some(named.clone());
        let VersionName { namespace, name, version } = named;
        let workflow = WorkflowRef { namespace, name };
        if let Some(beside) = self.beside(caller, &workflow, &version, &text).await? {
            return Ok(stays(&beside, &version, report));
        }
        match self.keep_draft(caller, &workflow, &version, &text, None, Some(&report.path)).await {
            Ok(saved) => {
                report.diagnostics = saved.diagnostics;
                Ok(FileOutcome::Added)
            }
            // Somebody was quicker.
            Err(problem) if problem.code == ErrorCode::Conflict => {
                let beside = self.beside(caller, &workflow, &version, &text).await?.ok_or(problem)?;
                Ok(stays(&beside, &version, report))
            }
            Err(problem) => Err(problem),
        }
    }

    /// What is there under a version of which somebody wants to make a draft.
    pub(crate) async fn beside(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
        text: &str,
    ) -> Result<Option<Beside>, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionSave).await?;
        let known = self.known_to(&mut gate, caller, workflow, version).await?;
        drop(gate);
        let Some(known) = known else { return Ok(None) };
        let state = known.version.state;
        let same = self.has_text(known.version, text).await?;
        Ok(Some(Beside { state, same }))
    }

    /// Whether a version has this text, as far as that makes a difference. Both may have to be read for it, so nothing is
    /// held meanwhile.
    pub(crate) async fn has_text(&self, stored: WorkflowVersion, text: &str) -> Result<bool, Problem> {
        let (text, catalogue) = (text.to_owned(), self.parts.connectors.function_catalogue().clone());
        let late = "the text cannot be compared with the one that is there; try again later";
        self.in_turn(late, move || is_text_of(&stored, &text, &catalogue)).await
    }
}

/// The files that are to be drafts, those of archives in their place.
fn gather(files: Vec<DefinitionFile>) -> Result<Vec<Member>, Problem> {
    let mut found = Vec::new();
    for DefinitionFile { path, content } in files {
        if archive::is_archive(&path, &content) {
            match archive::members(&content, FILES_LIMIT + 1) {
                Ok(members) if members.is_empty() => {
                    let reason = "the archive holds no file whose name ends in .yaml, .yml or .json";
                    found.push(Member { path, content: Err(reason) });
                }
                Ok(members) => found.extend(members),
                Err(_) => {
                    let reason =
                        "this is no tar archive, or its end is missing; one that is compressed has to be unpacked";
                    found.push(Member { path, content: Err(reason) });
                }
            }
        } else if archive::has_ending(&path, &["yaml", "yml", "json"]) {
            found.push(Member { path, content: Ok(content) });
        } else {
            let reason = "the name of a definition ends in .yaml, .yml or .json, that of an archive in .tar";
            found.push(Member { path, content: Err(reason) });
        }
    }
    let too_large = |detail: String| Err(Problem::new(ErrorCode::TooLarge).with_detail(detail));
    if found.len() > FILES_LIMIT {
        return too_large(format!("at most {FILES_LIMIT} files are brought in at once; send them in several steps"));
    }
    let bytes: usize = found.iter().filter_map(|file| file.content.as_ref().ok().map(Vec::len)).sum();
    if bytes > FILES_BYTES_LIMIT {
        let most = FILES_BYTES_LIMIT / 1024 / 1024;
        return too_large(format!("at most {most} MiB are brought in at once; send them in several steps"));
    }
    Ok(found)
}

/// A path as it can be shown: no end, and nothing in it that a terminal would obey.
fn told(path: &str) -> String {
    let plain = path.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
    let mut told: String = plain.clone().take(PATH_TOLD).collect();
    if plain.count() > PATH_TOLD {
        told.push('…');
    }
    told
}

/// The text of a file as editors keep it: without the mark of its encoding, lines ended as everywhere here. So what went
/// through a system that ends them otherwise is no other text.
pub(crate) fn text_of(content: &[u8]) -> Result<String, Problem> {
    let refuse = |detail: &str| Problem::new(ErrorCode::InvalidDefinition).with_detail(detail);
    let text = std::str::from_utf8(content).map_err(|_| refuse("the file is no text in UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    super::must_fit(&text)?;
    Ok(text)
}

/// The version that a text says it is, if it says so.
pub(crate) fn version_of(text: &str) -> Result<Option<VersionName>, Problem> {
    let Some(document) = Definition::identify(text) else { return Ok(None) };
    let name = |part: &str, text: &str| {
        text.parse::<Name>().map_err(|cause| {
            let detail = format!("document.{part} “{}”: {cause}", told(text));
            Problem::new(ErrorCode::InvalidDefinition).with_detail(detail)
        })
    };
    Ok(Some(VersionName {
        namespace: name("namespace", &document.namespace)?,
        name: name("name", &document.name)?,
        version: document.version.to_string(),
    }))
}

/// What is there stays; the report says what it is.
fn stays(beside: &Beside, version: &str, report: &mut FileReport) -> FileOutcome {
    if beside.same {
        return FileOutcome::Unchanged;
    }
    let state = in_words(beside.state);
    report.detail = format!(
        "version {version} is {state} with another text, which stays; compare the two, or give the file a new version number"
    );
    FileOutcome::Conflict
}

/// Why a file was refused, in a line.
fn reason(problem: &Problem, version: Option<&VersionName>) -> String {
    if problem.code == ErrorCode::NotFound
        && let Some(version) = version
    {
        return format!("you may not write definitions of the namespace {}", version.namespace);
    }
    if !problem.errors.is_empty() {
        return problem.errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ");
    }
    if problem.detail.is_empty() { problem.title.clone() } else { problem.detail.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(files: &[(&str, &[u8])]) -> Result<Vec<(String, bool)>, ErrorCode> {
        let files =
            files.iter().map(|(path, content)| DefinitionFile { path: (*path).to_owned(), content: content.to_vec() });
        let found = gather(files.collect()).map_err(|problem| problem.code)?;
        Ok(found.into_iter().map(|member| (member.path, member.content.is_ok())).collect())
    }

    #[test]
    fn there_is_an_end_to_how_much_is_brought_in() {
        let many = vec![("a.yaml", &b"a"[..]); FILES_LIMIT];
        assert_eq!(gathered(&many).unwrap().len(), FILES_LIMIT);
        assert_eq!(gathered(&[many, vec![("b.yaml", b"b")]].concat()), Err(ErrorCode::TooLarge));
        let half = vec![b'#'; FILES_BYTES_LIMIT / 2];
        assert!(gathered(&[("a.yaml", &half), ("b.yaml", &half)]).is_ok());
        assert_eq!(gathered(&[("a.yaml", &half), ("b.yaml", &half), ("c.yaml", b"c")]), Err(ErrorCode::TooLarge));
    }

    #[test]
    fn what_was_chosen_by_itself_is_never_passed_over() {
        let chosen = gathered(&[("README.md", b"words"), ("a.json", b"{}"), ("empty.tar", b""), ("b.tar", b"no")]);
        let expected = [("README.md", false), ("a.json", true), ("empty.tar", false), ("b.tar", false)];
        assert_eq!(chosen.unwrap(), expected.map(|(path, taken)| (path.to_owned(), taken)));
    }

    #[test]
    fn a_text_is_the_same_however_its_lines_end() {
        assert_eq!(text_of(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n").unwrap(), "a: 1\nb: 2\n");
        assert_eq!(text_of(b"\xff\xfe").unwrap_err().code, ErrorCode::InvalidDefinition);
        assert_eq!(text_of(&vec![b'#'; 1024 * 1024 + 1]).unwrap_err().code, ErrorCode::TooLarge);
    }

    #[test]
    fn a_path_is_told_without_harm() {
        assert_eq!(told("a\u{1b}[2J\n.yaml"), "a\u{fffd}[2J\u{fffd}.yaml");
        assert_eq!(told(&"가".repeat(300)).chars().count(), PATH_TOLD + 1);
    }
}
