use domain::view::SessionView;
use leptos::prelude::*;

use crate::{
    api::account::{RevokeOtherSessions, RevokeSession, sessions},
    components::{
        Badge, Button, ButtonLook, Card, FormFeedback, Glyph, Icon, Moment, Skeleton, Tone, load, use_toasts,
    },
    data::Data,
    i18n::use_texts,
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// The browsers that are signed in, each with a way to sign it out.
#[component]
pub(super) fn SessionsCard() -> impl IntoView {
    let t = use_texts();
    let revoke = Submission::<RevokeSession>::new();
    let revoke_others = Submission::<RevokeOtherSessions>::new();
    let toasts = use_toasts();
    when_done(revoke, move |()| toasts.done(t.account.session_revoked()));
    when_done(revoke_others, move |()| toasts.done(t.account.sessions_revoked()));
    let data = Data::new(move || (revoke.version().get(), revoke_others.version().get()), |_| sessions());
    let everywhere = view! {
        <SubmitForm to=revoke_others>
            <Button look=ButtonLook::Danger small=true busy=revoke_others.pending()>{t.account.revoke_others()}</Button>
        </SubmitForm>
    };
    view! {
        <Card title=t.frame.sessions() subtitle=t.account.sessions_lead() actions=everywhere.into_any() flush=true>
            <FormFeedback problem=revoke.problem()/>
            {load(
                data,
                || view! { <Skeleton lines=5/> },
                move |sessions| {
                    let lines: Vec<_> = sessions.into_iter().map(|session| view! { <Session session revoke/> }).collect();
                    view! { <ul class="lines">{lines}</ul> }
                },
            )}
        </Card>
    }
}

#[component]
fn Session(session: SessionView, revoke: Submission<RevokeSession>) -> impl IntoView {
    let t = use_texts().account;
    let name = browser_name(&session.user_agent);
    view! {
        <li class="line">
            <span class="line__glyph"><Icon glyph=Glyph::Monitor/></span>
            <span class="line__text">
                <span class="line__title" title=session.user_agent.clone()>{name}</span>
                <span class="line__detail">
                    <span>{session.address}</span>
                    <span>{t.signed_in()} " " <Moment at=session.created_at/></span>
                    <span>{t.last_seen()} " " <Moment at=session.last_seen_at/></span>
                </span>
            </span>
            <span class="line__side">
                {if session.current {
                    view! { <Badge tone=Tone::Success glyph=Glyph::Check label=t.this_browser()/> }
                } else {
                    view! {
                        <SubmitForm to=revoke>
                            <input type="hidden" name="id" value=session.id.to_string()/>
                            <Button small=true>{t.revoke_session()}</Button>
                        </SubmitForm>
                    }
                }}
            </span>
        </li>
    }
}

/// A browser and its system in a few words, out of what it calls itself.
fn browser_name(agent: &str) -> String {
    let known =
        |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let browser = known(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Whale/", "Whale"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = known(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} · {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => agent.chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::browser_name;

    #[test]
    fn browsers_by_their_own_words() {
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0";
        assert_eq!(browser_name(edge), "Edge · Windows");
        assert_eq!(browser_name("curl/8"), "curl/8");
    }
}
