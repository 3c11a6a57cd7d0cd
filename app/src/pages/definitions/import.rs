//! Bringing definitions in as files, and what became of each.

use domain::{ErrorCode, FileOutcome, Operation, Problem, view::FileReport};
use leptos::prelude::*;

use super::file_reports::{counts, reports};
use crate::{
    api::{
        definition_files::{IMPORT, Import, brought_in},
        definitions::LIST,
    },
    components::{
        Banner, Button, ButtonLook, Card, Field, FormFeedback, Glyph, LinkButton, PageHeader, ProblemView, Skeleton,
        Tone, described_by, field_error, load,
    },
    data::Data,
    i18n::use_texts,
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
    let conflicts = files.iter().any(|file| file.outcome == FileOutcome::Conflict).then(|| {
        view! {
            <Banner tone=Tone::Warning title=t.definitions.import_conflicts()>
                <p>{t.definitions.import_conflicts_text()}</p>
            </Banner>
        }
    });
    view! {
        <section class="stack" aria-labelledby="import-result">
            <h2 id="import-result" class="visually-hidden">{t.definitions.import_result()}</h2>
            <p role="status">{counts(t, &files)}</p>
            {conflicts}
            <Card flush=true>
                {reports(t, t.definitions.import_result(), &files)}
            </Card>
        </section>
    }
}
