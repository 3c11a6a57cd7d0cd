use domain::view::TokenView;
use leptos::prelude::*;

use crate::{
    api::account::{CreateToken, RevokeToken, tokens},
    components::{
        Banner, Button, ButtonLook, Card, Column, CopyButton, EmptyState, FormFeedback, Glyph, Moment, SelectField,
        Skeleton, Table, TextField, Tone, load, use_toasts,
    },
    data::Data,
    i18n::use_texts,
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// The person's API tokens. A new one's secret is shown once.
#[component]
pub(super) fn TokensCard() -> impl IntoView {
    let t = use_texts();
    let create = Submission::<CreateToken>::new();
    let revoke = Submission::<RevokeToken>::new();
    let toasts = use_toasts();
    when_done(revoke, move |()| toasts.done(t.account.token_revoked()));
    let data = Data::new(move || (create.version().get(), revoke.version().get()), |_| tokens());
    let kept = SharedValue::new(|| {
        #[cfg(feature = "ssr")]
        return crate::api::take_once("token");
        #[cfg(not(feature = "ssr"))]
        None::<String>
    })
    .into_inner();
    let secret = move || create.output().and_then(|token| token.secret).or_else(|| kept.clone());
    let lives = [("30", 30_u32), ("90", 90), ("365", 365)]
        .into_iter()
        .map(|(value, days)| (value.to_owned(), t.common.span_days(days)))
        .chain([(String::new(), t.account.token_forever().to_owned())])
        .collect();
    view! {
        {move || {
            secret()
                .map(|secret| {
                    view! {
                        <Banner tone=Tone::Success title=t.account.token_created()>
                            <p>{t.account.token_once()}</p>
                            <div class="secret">
                                <code class="secret__text">{secret.clone()}</code>
                                <CopyButton text=secret/>
                            </div>
                        </Banner>
                    }
                })
        }}
        <Card title=t.account.token_new() subtitle=t.account.tokens_lead()>
            <SubmitForm to=create>
                <FormFeedback problem=create.problem()/>
                <div class="row-form">
                    <TextField
                        name="name"
                        label=t.account.token_name()
                        placeholder=t.account.token_name_example()
                        maxlength=64_u32
                        error=create.error("/name")
                    />
                    <SelectField name="days" label=t.account.token_life() options=lives value="90" optional=true/>
                    <Button look=ButtonLook::Primary busy=create.pending()>{t.account.token_create()}</Button>
                </div>
            </SubmitForm>
        </Card>
        <Card title=t.frame.tokens() flush=true>
            <FormFeedback problem=revoke.problem()/>
            {load(
                data,
                || view! { <Skeleton lines=4/> },
                move |tokens| view! { <Tokens tokens revoke/> },
            )}
        </Card>
    }
}

#[component]
fn Tokens(tokens: Vec<TokenView>, revoke: Submission<RevokeToken>) -> impl IntoView {
    let t = use_texts();
    if tokens.is_empty() {
        return view! { <EmptyState glyph=Glyph::Key title=t.account.no_tokens() text=t.account.no_tokens_text()/> };
    }
    let columns = vec![
        Column::new(t.common.name()),
        Column::new(t.common.created()),
        Column::new(t.account.token_used()),
        Column::new(t.account.token_ends()),
        Column::new(t.common.actions()).hidden(),
    ];
    let rows: Vec<_> = tokens
        .into_iter()
        .map(|token| {
            let moment = |at: Option<domain::Timestamp>| match at {
                Some(at) => view! { <Moment at/> },
                None => view! { <span class="muted">{t.common.never()}</span> },
            };
            view! {
                <tr>
                    <th scope="row">{token.name}</th>
                    <td data-label=t.common.created()><Moment at=token.created_at/></td>
                    <td data-label=t.account.token_used()>{moment(token.last_used_at)}</td>
                    <td data-label=t.account.token_ends()>{moment(token.expires_at)}</td>
                    <td class="table__actions">
                        <SubmitForm to=revoke>
                            <input type="hidden" name="id" value=token.id.to_string()/>
                            <Button small=true look=ButtonLook::Danger>{t.account.token_revoke()}</Button>
                        </SubmitForm>
                    </td>
                </tr>
            }
        })
        .collect();
    view! { <Table label=t.frame.tokens() columns>{rows}</Table> }
}
