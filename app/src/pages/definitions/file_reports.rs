//! What became of files with definitions, whether people or a repository brought them.

use domain::{
    FileOutcome,
    view::{DiagnosticView, FileReport, VersionName},
};
use leptos::prelude::*;

use super::checks::line_id;
use crate::{
    api::definitions::definition_href,
    components::{Badge, Column, Glyph, Icon, Table, Tone},
    i18n::Texts,
    view,
};

/// How many files had which outcome, as badges.
pub(super) fn counts(t: Texts, files: &[FileReport]) -> AnyView {
    let count = |outcome| files.iter().filter(|file| file.outcome == outcome).count();
    let badges: Vec<_> = FileOutcome::ALL
        .iter()
        .copied()
        .filter(|outcome| count(*outcome) > 0)
        .map(|outcome| {
            let (glyph, tone, _) = looks(t, outcome);
            view! { <Badge tone glyph label=counted(t, outcome, count(outcome))/> }
        })
        .collect();
    view! { <span class="file-counts">{badges}</span> }
}

/// A line for each file.
pub(super) fn reports(t: Texts, label: impl Into<String>, files: &[FileReport]) -> AnyView {
    let columns = vec![
        Column::new(t.definitions.import_file()),
        Column::new(t.definitions.import_outcome()),
        Column::new(t.catalogue.version()),
        Column::new(t.definitions.import_remarks()),
    ];
    let rows: Vec<_> = files.iter().map(|file| row(t, file)).collect();
    view! { <Table label=label.into() columns=columns>{rows}</Table> }
}

fn row(t: Texts, file: &FileReport) -> AnyView {
    let (glyph, tone, label) = looks(t, file.outcome);
    let page = file.definition.as_ref().map(|VersionName { namespace, name, version }| {
        let words = format!("{namespace}/{name} {version}");
        // What was refused may not be there.
        if file.outcome == FileOutcome::Refused {
            view! { <span>{words}</span> }
        } else {
            view! { <a href=definition_href(namespace, name, version)>{words}</a> }
        }
    });
    let lines = file.definition.as_ref().filter(|_| file.outcome == FileOutcome::Added);
    let lines = lines.map(|VersionName { namespace, name, version }| definition_href(namespace, name, version));
    // What the server says of a text is in English.
    let detail = (!file.detail.is_empty()).then(|| view! { <p lang="en">{file.detail.clone()}</p> });
    let wrong = (!file.diagnostics.is_empty()).then(|| {
        let errors: Vec<_> = file.diagnostics.iter().map(|error| error_view(t, error, lines.as_deref())).collect();
        view! {
            <details class="file-errors">
                <summary>{t.definitions.errors(file.diagnostics.len())}</summary>
                <ul class="diagnostics">{errors}</ul>
            </details>
        }
    });
    let remarks =
        (detail.is_some() || wrong.is_some()).then(|| view! { <div class="file-remarks">{detail}{wrong}</div> });
    view! {
        <tr>
            <th scope="row"><span class="file-path">{file.path.clone()}</span></th>
            <td data-label=t.definitions.import_outcome()><Badge tone glyph label/></td>
            <td data-label=t.catalogue.version()>{page}</td>
            <td data-label=t.definitions.import_remarks()>{remarks}</td>
        </tr>
    }
}

/// An error, with the way to its line where the text is kept.
fn error_view(t: Texts, error: &DiagnosticView, page: Option<&str>) -> AnyView {
    let DiagnosticView { line, column, message, .. } = error;
    let place = t.definitions.place(line, column);
    let place = match page {
        Some(page) => view! { <a href=format!("{page}?line={line}#{}", line_id(*line))>{place}</a> },
        None => view! { <span>{place}</span> },
    };
    view! {
        <li class="diagnostic">
            <Icon glyph=Glyph::Octagon/>
            <p>{place} " " <span lang="en">{message.clone()}</span></p>
        </li>
    }
}

fn looks(t: Texts, outcome: FileOutcome) -> (Glyph, Tone, &'static str) {
    let t = t.definitions;
    match outcome {
        FileOutcome::Added => (Glyph::Plus, Tone::Success, t.file_added()),
        FileOutcome::Updated => (Glyph::Pencil, Tone::Success, t.file_updated()),
        FileOutcome::Unchanged => (Glyph::Check, Tone::Neutral, t.file_unchanged()),
        FileOutcome::Conflict => (Glyph::Warning, Tone::Warning, t.file_conflict()),
        FileOutcome::Refused => (Glyph::Octagon, Tone::Danger, t.file_refused()),
    }
}

fn counted(t: Texts, outcome: FileOutcome, count: usize) -> String {
    let t = t.definitions;
    match outcome {
        FileOutcome::Added => t.files_added(count),
        FileOutcome::Updated => t.files_updated(count),
        FileOutcome::Unchanged => t.files_unchanged(count),
        FileOutcome::Conflict => t.files_conflict(count),
        FileOutcome::Refused => t.files_refused(count),
    }
}
