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
    json::InPage,
    live::{Topic, provide_live},
    pages::{approvals::provide_course, not_found::NotFoundPage},
    parts::{Admin, Author, Decide, Files, ForOne, Governance, Overview, Page, Preview, Prove, Request, Triggers},
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
    let visitor = SharedValue::<Visitor, InPage>::new_with_encoding(|| use_context().unwrap_or_default()).into_inner();
    let me = visitor.me.0.clone();
    provide_visitor(visitor);
    provide_present();
    provide_toasts();
    provide_context(PaletteOpen(RwSignal::new(false)));
    provide_course();
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
    #[cfg(feature = "parts")]
    crate::parts::load_ahead();
    // Tests and styles wait for this mark: from here on the page answers to clicks by itself.
    Effect::new(move |_| {
        if let Some(root) = document().document_element() {
            let _ = root.set_attribute("data-hydrated", "");
        }
    });
    view! {
        // The empty text is that of a page that could not be shown: no heading names it.
        <Title text="" formatter=|text: String| if text.is_empty() { "Rondo".to_owned() } else { format!("{text} · Rondo") }/>
        <Router>
            <Frame>
                <Routes fallback=|| view! { <NotFoundPage/> }>
                    <Route path=path!("/") view=|| Page::Overview(Overview::Home).show() ssr=SsrMode::Async/>
                    <Route path=path!("/sign-in") view=|| Page::Account(ForOne::SignIn).show() ssr=SsrMode::Async/>
                    <Route path=path!("/setup/:token") view=|| Page::Account(ForOne::Setup).show() ssr=SsrMode::Async/>
                    <Route path=path!("/link/:token") view=|| Page::Account(ForOne::Link).show() ssr=SsrMode::Async/>
                    <Route path=path!("/catalogue") view=|| Page::Overview(Overview::Catalogue).show() ssr=SsrMode::Async/>
                    <Route path=path!("/catalogue/:namespace/:name") view=|| Page::Workflow.show() ssr=SsrMode::Async/>
                    <Route path=path!("/catalogue/:namespace/:name/request") view=|| Page::Request(Request::Form).show() ssr=SsrMode::Async/>
                    <Route path=path!("/requests") view=|| Page::Overview(Overview::Requests).show() ssr=SsrMode::Async/>
                    <Route path=path!("/requests/drafts/:id/review") view=|| Page::Request(Request::Review).show() ssr=SsrMode::Async/>
                    <Route path=path!("/runs") view=|| Page::Overview(Overview::Runs).show() ssr=SsrMode::Async/>
                    <Route path=path!("/runs/:id") view=|| Page::Run.show() ssr=SsrMode::Async/>
                    <Route path=path!("/approvals") view=|| Page::Approvals(Decide::Next).show() ssr=SsrMode::Async/>
                    <Route path=path!("/approvals/chosen") view=|| Page::Approvals(Decide::Chosen).show() ssr=SsrMode::Async/>
                    <Route path=path!("/decide/:token") view=|| Page::Approvals(Decide::Linked).show() ssr=SsrMode::Async/>
                    <Route path=path!("/approvals/:id") view=|| Page::Approvals(Decide::One).show() ssr=SsrMode::Async/>
                    <Route path=path!("/approvals/:id/next") view=|| Page::Approvals(Decide::Foresight).show() ssr=SsrMode::Async/>
                    <Route path=path!("/definitions") view=|| Page::Definitions(Author::List).show() ssr=SsrMode::Async/>
                    <Route path=path!("/definitions/import") view=|| Page::Files(Files::Import).show() ssr=SsrMode::Async/>
                    <Route path=path!("/repositories") view=|| Page::Files(Files::Repositories).show() ssr=SsrMode::Async/>
                    <Route path=path!("/definitions/new") view=|| Page::Definitions(Author::New).show() ssr=SsrMode::Async/>
                    <Route path=path!("/definitions/:namespace/:name/:version") view=|| Page::Definitions(Author::Version).show() ssr=SsrMode::Async/>
                    <Route path=path!("/definitions/:namespace/:name/:version/edit") view=|| Page::Editor.show() ssr=SsrMode::Async/>
                    <Route path=path!("/definitions/:namespace/:name/:version/form") view=|| Page::Preview(Preview::Form).show() ssr=SsrMode::Async/>
                    <Route path=path!("/definitions/:namespace/:name/:version/try") view=|| Page::Preview(Preview::Trial).show() ssr=SsrMode::Async/>
                    <Route path=path!("/triggers") view=|| Page::Triggers(Triggers::List).show() ssr=SsrMode::Async/>
                    <Route path=path!("/triggers/new") view=|| Page::Triggers(Triggers::New).show() ssr=SsrMode::Async/>
                    <Route path=path!("/triggers/:id") view=|| Page::Triggers(Triggers::One).show() ssr=SsrMode::Async/>
                    <Route path=path!("/triggers/:id/edit") view=|| Page::Triggers(Triggers::Edit).show() ssr=SsrMode::Async/>
                    <Route path=path!("/triggers/:id/try") view=|| Page::Triggers(Triggers::Trial).show() ssr=SsrMode::Async/>
                    <Route path=path!("/triggers/:id/deliveries/:number") view=|| Page::Triggers(Triggers::Delivery).show() ssr=SsrMode::Async/>
                    <Route path=path!("/audit") view=|| Page::Audit(Prove::Log).show() ssr=SsrMode::Async/>
                    <Route path=path!("/audit/compliance") view=|| Page::Audit(Prove::Compliance).show() ssr=SsrMode::Async/>
                    <Route path=path!("/audit/controls") view=|| Page::Audit(Prove::Controls).show() ssr=SsrMode::Async/>
                    <Route path=path!("/audit/controls/:control") view=|| Page::Audit(Prove::Control).show() ssr=SsrMode::Async/>
                    <Route path=path!("/audit/questions") view=|| Page::Audit(Prove::Questions).show() ssr=SsrMode::Async/>
                    <Route path=path!("/audit/questions/:name") view=|| Page::Audit(Prove::Question).show() ssr=SsrMode::Async/>
                    <Route path=path!("/audit/receivers") view=|| Page::Audit(Prove::Receivers).show() ssr=SsrMode::Async/>
                    <Route path=path!("/audit/retention") view=|| Page::Audit(Prove::Retention).show() ssr=SsrMode::Async/>
                    <Route path=path!("/audit/sample") view=|| Page::Audit(Prove::Sample).show() ssr=SsrMode::Async/>
                    <Route path=path!("/value") view=|| Page::Value.show() ssr=SsrMode::Async/>
                    <Route path=path!("/account") view=|| Page::Account(ForOne::Account).show() ssr=SsrMode::Async/>
                    <Route path=path!("/notifications") view=|| Page::Overview(Overview::Notifications).show() ssr=SsrMode::Async/>
                    <Route path=path!("/admin/people") view=|| Page::Admin(Admin::People).show() ssr=SsrMode::Async/>
                    <Route path=path!("/admin/teams") view=|| Page::Admin(Admin::Teams).show() ssr=SsrMode::Async/>
                    <Route path=path!("/admin/grants") view=|| Page::Admin(Admin::Grants).show() ssr=SsrMode::Async/>
                    <Route path=path!("/admin/connections") view=|| Page::Admin(Admin::Connections).show() ssr=SsrMode::Async/>
                    <Route path=path!("/admin/runners") view=|| Page::Admin(Admin::Runners).show() ssr=SsrMode::Async/>
                    <Route path=path!("/policies") view=|| Page::Governance(Governance::Policies).show() ssr=SsrMode::Async/>
                    <Route path=path!("/policies/:id") view=|| Page::Governance(Governance::Policy).show() ssr=SsrMode::Async/>
                    <Route path=path!("/policies/sets/new") view=|| Page::Governance(Governance::ProposePolicies).show() ssr=SsrMode::Async/>
                    <Route path=path!("/policies/sets/:version") view=|| Page::Governance(Governance::PolicySet).show() ssr=SsrMode::Async/>
                    <Route path=path!("/access-reviews") view=|| Page::Governance(Governance::AccessReviews).show() ssr=SsrMode::Async/>
                    <Route path=path!("/access-reviews/:id") view=|| Page::Governance(Governance::AccessReview).show() ssr=SsrMode::Async/>
                    <Route path=path!("/emergencies") view=|| Page::Governance(Governance::Emergencies).show() ssr=SsrMode::Async/>
                    <Route path=path!("/emergencies/:id") view=|| Page::Governance(Governance::Emergency).show() ssr=SsrMode::Async/>
                    <Route path=path!("/styleguide") view=crate::pages::styleguide::StyleguidePage ssr=SsrMode::Async/>
                </Routes>
            </Frame>
        </Router>
    }
}
