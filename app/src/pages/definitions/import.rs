//! Bringing definitions in as files, and what became of each.

use domain::{
    ErrorCode, FileOutcome, Operation, Problem,
    view::{DiagnosticView, FileReport, VersionName},
};
use leptos::prelude::*;

use super::checks::line_id;
use crate::{
    api::{
        definition_files::{IMPORT, Import, brought_in},
        definitions::{LIST, definition_href},
    },
    components::{
        Badge, Banner, Button, ButtonLook, Card, Column, Field, FormFeedback, Glyph, Icon, LinkButton, PageHeader,
        ProblemView, Skeleton, Table, Tone, described_by, field_error, load,
    },
    data::Data,
    i18n::{Texts, use_texts},
    session::may,
    view,
};

const FILES: &str = "files";

/// The page on which definitions are brought in as files.
#[component]
pub fn ImportPage() -> impl IntoView {
    let t = use_texts();
    let data = Data::new(|| (), |()| brought_in());
    let content = if may(Operation::DefinitionSave) {
        load(data, || view! { <Card><Skeleton lines=4/></Card> }, |import| view! { <Content import/> })
    } else {
        view! { <Card><ProblemView problem=Problem::new(ErrorCode::Forbidden)/></Card> }
    };
    view! {
        <PageHeader title=t.definitions.import_title() subtitle=t.definitions.import_lead()/>
        {content}
    }
}

#[component]
fn Content(import: Import) -> impl IntoView {
    let Import { files, problem } = import;
    view! {
        <div class="import">
            <Form problem/>
            {(!files.is_empty()).then(|| view! { <Reports files/> })}
        </div>
    }
}

/// Sent by the browser itself, with JavaScript as without.
#[component]
fn Form(problem: Option<Problem>) -> impl IntoView {
    let t = use_texts();
    let problem = Signal::derive(move || problem.clone());
    let error = field_error(problem, "/files");
    view! {
        <Card>
            <form class="stack" method="post" action=IMPORT enctype="multipart/form-data">
                <FormFeedback problem/>
                <Field id=FILES label=t.definitions.import_files() hint=t.definitions.import_hint() error>
                    <input
                        class="input input--file"
                        id=FILES
                        name=FILES
                        type="file"
                        multiple=true
                        required=true
                        accept=".yaml,.yml,.json,.tar"
                        aria-describedby=described_by(FILES)
                        aria-invalid=move || error.with(Option::is_some).then_some("true")
                    />
                </Field>
                <div class="button-row">
                    <Button look=ButtonLook::Primary icon=Glyph::Upload>{t.definitions.import_do()}</Button>
                    <LinkButton href=LIST>{t.definitions.import_to_list()}</LinkButton>
                </div>
            </form>
        </Card>
    }
}

#[component]
fn Reports(files: Vec<FileReport>) -> impl IntoView {
    let t = use_texts();
    let count = |outcome| files.iter().filter(|file| file.outcome == outcome).count();
    let counts: Vec<_> = FileOutcome::ALL
        .iter()
        .copied()
        .filter(|outcome| count(*outcome) > 0)
        .map(|outcome| {
            let (glyph, tone, _) = looks(t, outcome);
            view! { <Badge tone glyph label=counted(t, outcome, count(outcome))/> }
        })
        .collect();
    let conflicts = (count(FileOutcome::Conflict) > 0).then(|| {
        view! {
            <Banner tone=Tone::Warning title=t.definitions.import_conflicts()>
                <p>{t.definitions.import_conflicts_text()}</p>
            </Banner>
        }
    });
    let columns = vec![
        Column::new(t.definitions.import_file()),
        Column::new(t.definitions.import_outcome()),
        Column::new(t.catalogue.version()),
        Column::new(t.definitions.import_remarks()),
    ];
    let rows: Vec<_> = files.iter().map(|file| row(t, file)).collect();
    view! {
        <section class="stack" aria-labelledby="import-result">
            <h2 id="import-result" class="visually-hidden">{t.definitions.import_result()}</h2>
            <p class="import__counts" role="status">{counts}</p>
            {conflicts}
            <Card flush=true>
                <Table label=t.definitions.import_result() columns=columns>{rows}</Table>
            </Card>
        </section>
    }
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
            <details class="import__errors">
                <summary>{t.definitions.errors(file.diagnostics.len())}</summary>
                <ul class="diagnostics">{errors}</ul>
            </details>
        }
    });
    let remarks =
        (detail.is_some() || wrong.is_some()).then(|| view! { <div class="import__remarks">{detail}{wrong}</div> });
    view! {
        <tr>
            <th scope="row"><span class="import__path">{file.path.clone()}</span></th>
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
