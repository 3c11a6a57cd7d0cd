//! What is said of a version.

use domain::view::{CommentView, DefinitionLife};
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::{actions::Actions, address_fields};
use crate::{
    api::definitions::VersionAddress,
    components::{Avatar, Button, ButtonLook, Card, FormFeedback, Glyph, Icon, Moment, TextArea, TextField},
    i18n::use_texts,
    submission::SubmitForm,
    url_state::query_text,
    view,
};

/// What comments need to know of the version that they are about.
#[derive(Clone, Copy)]
pub(super) struct Talk {
    pub(super) at: StoredValue<VersionAddress>,
    pub(super) digest: StoredValue<String>,
    pub(super) actions: Actions,
    /// Whether the person may say something, and settle what was said.
    pub(super) open: bool,
}

impl Talk {
    pub(super) fn new(at: &VersionAddress, digest: &str, life: &DefinitionLife, actions: Actions) -> Self {
        Self {
            at: StoredValue::new(at.clone()),
            digest: StoredValue::new(digest.to_owned()),
            actions,
            open: life.actions.contains(&domain::Operation::DefinitionComment),
        }
    }

    /// Where a comment on a line is written.
    pub(super) fn href(self, line: u64) -> String {
        format!("{}?line={line}#{FORM}", self.at.with_value(VersionAddress::href))
    }
}

/// The id of the form for a comment.
const FORM: &str = "new-comment";

/// One comment; what was settled is folded away.
#[component]
pub(super) fn Comment(comment: CommentView, talk: Talk) -> impl IntoView {
    let t = use_texts().definitions;
    let earlier = talk.digest.with_value(|digest| *digest != comment.digest);
    let name = comment.written_by.name;
    let body = view! {
        <div class="comment__head">
            <strong>{name.clone()}</strong>
            <Moment at=comment.written_at/>
            {earlier.then(|| view! { <span class="comment__note">{t.said_earlier()}</span> })}
        </div>
        <p class="comment__text">{comment.text}</p>
    };
    if let Some(person) = comment.resolved_by {
        return view! {
            <details class="comment comment--resolved">
                <summary>
                    <Icon glyph=Glyph::Check/>
                    <span>{t.resolved_by(&name, &person.name)}</span>
                </summary>
                {body}
            </details>
        };
    }
    let resolve = talk.actions.resolve;
    view! {
        <div class="comment">
            <Avatar name=name/>
            <div class="comment__body">
                {body}
                {talk
                    .open
                    .then(|| {
                        view! {
                            <SubmitForm to=resolve>
                                {talk.at.with_value(address_fields)}
                                <input type="hidden" name="id" value=comment.id.to_string()/>
                                <Button small=true icon=Glyph::Check busy=resolve.pending()>{t.resolve()}</Button>
                            </SubmitForm>
                        }
                    })}
            </div>
        </div>
    }
}

/// What is said of the version as a whole, and the form to say more.
#[component]
pub(super) fn Conversation(comments: Vec<CommentView>, talk: Talk) -> impl IntoView {
    let t = use_texts();
    let none = comments.is_empty();
    if none && !talk.open {
        return ().into_any();
    }
    let comments: Vec<_> = comments.into_iter().map(|comment| view! { <li><Comment comment talk/></li> }).collect();
    view! {
        <Card title=t.definitions.comments()>
            {(!none).then(|| view! { <ul class="comments">{comments}</ul> })}
            {talk.open.then(|| view! { <CommentForm talk/> })}
        </Card>
    }
}

#[component]
fn CommentForm(talk: Talk) -> impl IntoView {
    let t = use_texts().definitions;
    let say = talk.actions.comment;
    let said = talk.actions.said;
    let keep = move |event: leptos::ev::Event| {
        let area = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlTextAreaElement>().ok());
        if let Some(area) = area {
            said.set(area.value());
        }
    };
    let line = query_text("line");
    view! {
        <SubmitForm to=say attr:id=FORM on:input=keep>
            <div class="stack">
                <FormFeedback problem=say.problem()/>
                {talk.at.with_value(address_fields)}
                <input type="hidden" name="digest" value=talk.digest.get_value()/>
                <TextArea
                    name="comment"
                    label=t.comment()
                    value=said
                    maxlength=4000_u32
                    rows=3
                    error=say.error("/comment")
                />
                <div class="row-form">
                    <TextField
                        name="line"
                        label=t.line()
                        hint=t.line_hint()
                        kind="number"
                        value=line
                        optional=true
                        error=say.error("/line")
                    />
                </div>
                <div class="button-row">
                    <Button look=ButtonLook::Secondary busy=say.pending()>{t.say()}</Button>
                </div>
            </div>
        </SubmitForm>
    }
}
