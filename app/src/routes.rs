//! Every page with its address.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{Route, Router, Routes},
    path,
};

use crate::{
    components::{provide_present, provide_toasts},
    frame::{Frame, PaletteOpen},
    live::{Topic, provide_live},
    pages::{
        account::AccountPage,
        admin::{ConnectionsPage, GrantsPage, PeoplePage, TeamsPage},
        approvals::{ApprovalPage, ApprovalsPage},
        audit::AuditPage,
        catalogue::{CataloguePage, RequestPage, ReviewPage, WorkflowPage},
        home::HomePage,
        link::LinkPage,
        not_found::NotFoundPage,
        notifications::NotificationsPage,
        runs::{RequestsPage, RunPage, RunsPage},
        setup::SetupPage,
        sign_in::SignInPage,
    },
    session::{Counts, Visitor, provide_visitor},
    view,
};

/// The whole app, the same on both sides.
///
/// Every route is rendered in full before it is sent (`SsrMode::Async`): only so do status, redirects and pages without
/// JavaScript hold.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let visitor = SharedValue::new(|| use_context::<Visitor>().unwrap_or_default()).into_inner();
    let me = visitor.me.0.clone();
    provide_visitor(visitor);
    provide_present();
    provide_toasts();
    provide_context(PaletteOpen(RwSignal::new(false)));
    let live = provide_live(me.is_some());
    if let Some(me) = me {
        let counts = Counts {
            decisions: RwSignal::new(me.pending_decisions),
            notifications: RwSignal::new(me.unread_notifications),
        };
        provide_context(counts);
        // Counts of the first frame came with the page; later ones follow what happens.
        Effect::new(move |earlier: Option<()>| {
            let _ = (live.version(Topic::Approvals), live.version(Topic::Notifications));
            if earlier.is_some() {
                leptos::task::spawn_local_scoped(async move {
                    if let Ok(me) = crate::api::account::me().await {
                        counts.decisions.try_set(me.pending_decisions);
                        counts.notifications.try_set(me.unread_notifications);
                    }
                });
            }
        });
    }
    // Tests and styles wait for this mark: from here on the page answers to clicks by itself.
    Effect::new(move |_| {
        if let Some(root) = document().document_element() {
            let _ = root.set_attribute("data-hydrated", "");
        }
    });
    view! {
        <Title formatter=|text: String| if text.is_empty() { "Rondo".to_owned() } else { format!("{text} · Rondo") }/>
        <Router>
            <Frame>
                <Routes fallback=|| view! { <NotFoundPage/> }.into_any()>
                    <Route path=path!("/") view=HomePage ssr=SsrMode::Async/>
                    <Route path=path!("/sign-in") view=SignInPage ssr=SsrMode::Async/>
                    <Route path=path!("/setup/:token") view=SetupPage ssr=SsrMode::Async/>
                    <Route path=path!("/link/:token") view=LinkPage ssr=SsrMode::Async/>
                    <Route path=path!("/catalogue") view=CataloguePage ssr=SsrMode::Async/>
                    <Route path=path!("/catalogue/:namespace/:name") view=WorkflowPage ssr=SsrMode::Async/>
                    <Route path=path!("/catalogue/:namespace/:name/request") view=RequestPage ssr=SsrMode::Async/>
                    <Route path=path!("/requests") view=RequestsPage ssr=SsrMode::Async/>
                    <Route path=path!("/requests/drafts/:id/review") view=ReviewPage ssr=SsrMode::Async/>
                    <Route path=path!("/runs") view=RunsPage ssr=SsrMode::Async/>
                    <Route path=path!("/runs/:id") view=RunPage ssr=SsrMode::Async/>
                    <Route path=path!("/approvals") view=ApprovalsPage ssr=SsrMode::Async/>
                    <Route path=path!("/approvals/:id") view=ApprovalPage ssr=SsrMode::Async/>
                    <Route path=path!("/audit") view=AuditPage ssr=SsrMode::Async/>
                    <Route path=path!("/account") view=AccountPage ssr=SsrMode::Async/>
                    <Route path=path!("/notifications") view=NotificationsPage ssr=SsrMode::Async/>
                    <Route path=path!("/admin/people") view=PeoplePage ssr=SsrMode::Async/>
                    <Route path=path!("/admin/teams") view=TeamsPage ssr=SsrMode::Async/>
                    <Route path=path!("/admin/grants") view=GrantsPage ssr=SsrMode::Async/>
                    <Route path=path!("/admin/connections") view=ConnectionsPage ssr=SsrMode::Async/>
                    <Route path=path!("/styleguide") view=crate::pages::styleguide::StyleguidePage ssr=SsrMode::Async/>
                </Routes>
            </Frame>
        </Router>
    }
}
