use domain::view::DelegationView;
use leptos::prelude::*;

use crate::{
    api::delegations::{Delegate, RevokeDelegation, delegations},
    components::{Button, ButtonLook, Card, FormFeedback, Skeleton, TextField, load, use_toasts},
    data::Data,
    i18n::use_texts,
    pages::delegations::Delegations,
    session::use_me,
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// Who decides for the person while they are away, and for whom they decide.
#[component]
pub(super) fn SubstitutesCard() -> impl IntoView {
    let t = use_texts();
    let create = Submission::<Delegate>::new();
    let revoke = Submission::<RevokeDelegation>::new();
    let toasts = use_toasts();
    when_done(create, move |()| toasts.done(t.account.substitute_named()));
    when_done(revoke, move |()| toasts.done(t.account.substitute_revoked()));
    let data = Data::new(move || (create.version().get(), revoke.version().get()), |_| delegations(None));
    let me = StoredValue::new(use_me().map(|me| me.id));
    let parts = move |all: Vec<DelegationView>| {
        let (mine, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|delegation| Some(delegation.person.id) == me.get_value());
        view! {
            <Card title=t.account.substitutes() flush=true>
                <Delegations items=mine revoke=Some(revoke)/>
            </Card>
            {(!others.is_empty())
                .then(|| {
                    view! {
                        <Card title=t.account.stands_in() subtitle=t.account.stands_in_lead() flush=true>
                            <Delegations items=others revoke=None/>
                        </Card>
                    }
                })}
        }
    };
    view! {
        <Card title=t.account.substitute_new() subtitle=t.account.substitute_lead()>
            <SubmitForm to=create>
                <FormFeedback problem=create.problem()/>
                <div class="stack">
                    <TextField
                        name="substitute"
                        label=t.account.substitute_who()
                        hint=t.account.substitute_who_hint()
                        maxlength=64_u32
                        code=true
                        error=create.error("/substitute")
                    />
                    <TextField
                        name="scope"
                        label=t.account.substitute_scope()
                        hint=t.account.substitute_scope_hint()
                        code=true
                        optional=true
                        error=create.error("/scope")
                    />
                    <div class="row-form">
                        <TextField
                            name="from"
                            label=t.account.substitute_from()
                            hint=t.account.substitute_from_hint()
                            kind="date"
                            optional=true
                            error=create.error("/from")
                        />
                        <TextField
                            name="until"
                            label=t.account.substitute_until()
                            hint=t.account.substitute_until_hint()
                            kind="date"
                            error=create.error("/until")
                        />
                    </div>
                    <TextField
                        name="reason"
                        label=t.account.substitute_reason()
                        maxlength=500_u32
                        optional=true
                        error=create.error("/reason")
                    />
                    <Button look=ButtonLook::Primary busy=create.pending()>{t.account.substitute_name()}</Button>
                </div>
            </SubmitForm>
        </Card>
        <FormFeedback problem=revoke.problem()/>
        {load(data, || view! { <Card><Skeleton lines=4/></Card> }, parts)}
    }
}
