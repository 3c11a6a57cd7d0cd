//! The beginning of a definition: what it is called. Its text is written in the editor.

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use crate::{
    api::definitions::{BeginDefinition, LIST, definition_href},
    components::{Button, ButtonLook, Card, FormFeedback, Glyph, LinkButton, PageHeader, TextField},
    i18n::use_texts,
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// The page on which a definition begins.
#[component]
pub fn NewDefinitionPage() -> impl IntoView {
    let t = use_texts();
    let begin = Submission::<BeginDefinition>::new();
    let navigate = use_navigate();
    when_done(begin, move |saved| {
        let page = definition_href(&saved.namespace, &saved.name, &saved.version);
        navigate(&format!("{page}/edit"), NavigateOptions::default());
    });
    view! {
        <PageHeader title=t.definitions.new_definition() subtitle=t.definitions.new_lead()/>
        <div class="page-narrow">
            <Card>
                <SubmitForm to=begin>
                    <div class="stack">
                        <FormFeedback problem=begin.problem()/>
                        <TextField
                            name="title"
                            label=t.definitions.new_title()
                            hint=t.definitions.new_title_hint()
                            maxlength=200_u32
                            error=begin.error("/title")
                        />
                        <TextField
                            name="namespace"
                            label=t.definitions.namespace()
                            hint=t.definitions.namespace_hint()
                            code=true
                            maxlength=63_u32
                            error=begin.error("/namespace")
                        />
                        <TextField
                            name="name"
                            label=t.catalogue.technical_name()
                            hint=t.definitions.name_hint()
                            code=true
                            maxlength=63_u32
                            error=begin.error("/name")
                        />
                        <TextField
                            name="version"
                            label=t.catalogue.version()
                            hint=t.definitions.version_hint()
                            value="1.0.0"
                            code=true
                            maxlength=64_u32
                            error=begin.error("/version")
                        />
                        <div class="button-row">
                            <Button look=ButtonLook::Primary busy=begin.pending() icon=Glyph::Pencil>
                                {t.definitions.begin()}
                            </Button>
                            <LinkButton href=LIST>{t.common.cancel()}</LinkButton>
                        </div>
                    </div>
                </SubmitForm>
            </Card>
        </div>
    }
}
