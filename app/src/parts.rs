//! The browser's program comes in parts: one with the frame and what all pages are made of, and one for the pages of each
//! area, fetched when one of them is first visited.
//!
//! Both sides must make the same HTML, and hydration must not wait: so the part that the address needs is there before
//! [`hydrate`](crate::hydrate) begins, and its pages are then made at once, as the server made them. Only who goes from
//! page to page inside the portal may see a skeleton for a moment.
//!
//! Whether there are parts at all is decided by the feature `parts`, which needs the site builder to cut the program; without
//! it all of this is one program.

#![expect(clippy::unnecessary_wraps, reason = "where they are parts of their own, loading them can fail")]

use leptos::prelude::*;
use wasm_split_helpers::SplitLoaderError;

use crate::pages::{
    account::AccountPage,
    admin::{ConnectionsPage, GrantsPage, PeoplePage, RunnersPage, TeamsPage},
    approvals::{ApprovalPage, ApprovalsPage, ChosenPage, ForesightPage, LinkedPage},
    audit::{
        AuditPage, AuditSamplePage, CompliancePage, ControlPage, ControlsPage, QuestionPage, QuestionsPage,
        ReceiversPage, RetentionPage,
    },
    catalogue::{CataloguePage, RequestPage, ReviewPage, WorkflowPage},
    definitions::{
        DefinitionPage, DefinitionsPage, DraftPage, FormPreviewPage, ImportPage, NewDefinitionPage, RepositoriesPage,
        TrialPage,
    },
    home::HomePage,
    link::LinkPage,
    notifications::NotificationsPage,
    policies::{
        AccessReviewPage, AccessReviewsPage, EmergenciesPage, EmergencyPage, PoliciesPage, PolicyPage, PolicySetPage,
        ProposePage,
    },
    runs::{RequestsPage, RunPage, RunsPage},
    setup::SetupPage,
    sign_in::SignInPage,
    triggers::{DeliveryPage, EditTriggerPage, NewTriggerPage, TriggerPage, TriggerTrialPage, TriggersPage},
    value::ValuePage,
};
use crate::{
    model::proof::{self, Evidence, Judgement},
    view,
};

/// A part of the browser's program that is not always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Signing in and one's own account.
    Account,
    Admin,
    Approvals,
    Audit,
    /// Beginning, reviewing and comparing definitions.
    Definitions,
    /// Writing a definition.
    Editor,
    /// Policies, reviews of access, emergency access.
    Governance,
    /// Definitions that come from elsewhere: as files, and from repositories.
    Files,
    /// The first page and the lists that one goes on from.
    Overview,
    /// What a definition will be once it is published: its form, and what a run of it will do.
    Preview,
    Request,
    Run,
    /// What other systems call.
    Triggers,
    /// What runs were worth.
    Value,
    Workflow,
}

impl Part {
    /// The part that the page at `path` needs; it may name one for an address at which there is no page.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        match *segments.as_slice() {
            [] | ["catalogue" | "requests" | "runs" | "notifications"] => Some(Self::Overview),
            ["account" | "sign-in"] | ["setup" | "link", _] => Some(Self::Account),
            ["admin", ..] => Some(Self::Admin),
            ["policies" | "access-reviews" | "emergencies", ..] => Some(Self::Governance),
            ["approvals", ..] | ["decide", _] => Some(Self::Approvals),
            ["audit", ..] => Some(Self::Audit),
            ["catalogue", _, _] => Some(Self::Workflow),
            ["catalogue", _, _, "request"] | ["requests", "drafts", _, "review"] => Some(Self::Request),
            ["definitions", _, _, _, "edit"] => Some(Self::Editor),
            ["definitions", _, _, _, "form" | "try"] => Some(Self::Preview),
            ["definitions", "import"] | ["repositories"] => Some(Self::Files),
            ["definitions", ..] => Some(Self::Definitions),
            ["runs", _] => Some(Self::Run),
            ["triggers", ..] => Some(Self::Triggers),
            ["value"] => Some(Self::Value),
            _ => None,
        }
    }

    /// As it stands in the site's manifest.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Admin => "admin",
            Self::Approvals => "approvals",
            Self::Audit => "audit",
            Self::Definitions => "definitions",
            Self::Editor => "editor",
            Self::Governance => "governance",
            Self::Files => "files",
            Self::Overview => "overview",
            Self::Preview => "preview",
            Self::Request => "request",
            Self::Run => "run",
            Self::Triggers => "triggers",
            Self::Value => "value",
            Self::Workflow => "workflow",
        }
    }
}

/// A page whose code is in a part.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Page {
    Account(ForOne),
    Admin(Admin),
    Approvals(Decide),
    Audit(Prove),
    Definitions(Author),
    Editor,
    Files(Files),
    Governance(Governance),
    Overview(Overview),
    Preview(Preview),
    Request(Request),
    Run,
    Triggers(Triggers),
    Value,
    Workflow,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ForOne {
    SignIn,
    Setup,
    Link,
    Account,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Admin {
    People,
    Teams,
    Grants,
    Connections,
    Runners,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Governance {
    Policies,
    Policy,
    PolicySet,
    ProposePolicies,
    AccessReviews,
    AccessReview,
    Emergencies,
    Emergency,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Decide {
    Next,
    One,
    Chosen,
    Linked,
    Foresight,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Prove {
    Compliance,
    Control,
    Controls,
    Log,
    Questions,
    Question,
    Receivers,
    Retention,
    Sample,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Author {
    List,
    New,
    Version,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Files {
    Import,
    Repositories,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Preview {
    Form,
    Trial,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Overview {
    Home,
    Catalogue,
    Requests,
    Runs,
    Notifications,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Triggers {
    List,
    New,
    One,
    Edit,
    Trial,
    Delivery,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Request {
    Form,
    Review,
}

impl Page {
    /// The page, of which only a skeleton is there until its part is loaded.
    pub(crate) fn show(self) -> AnyView {
        #[cfg(feature = "parts")]
        if !self.part().is_loaded() {
            return loading::when_loaded(self);
        }
        self.make()
    }

    /// The page; nothing if its part is not loaded.
    fn make(self) -> AnyView {
        let page = match self {
            Self::Account(page) => at_once(account(page)),
            Self::Admin(page) => at_once(admin(page)),
            Self::Approvals(page) => at_once(approvals(page)),
            Self::Audit(page) => at_once(audit(page)),
            Self::Definitions(page) => at_once(definitions(page)),
            Self::Editor => at_once(editor()),
            Self::Governance(page) => at_once(governance(page)),
            Self::Files(page) => at_once(files(page)),
            Self::Overview(page) => at_once(overview(page)),
            Self::Preview(page) => at_once(preview(page)),
            Self::Request(page) => at_once(request(page)),
            Self::Run => at_once(run()),
            Self::Triggers(page) => at_once(triggers(page)),
            Self::Value => at_once(value()),
            Self::Workflow => at_once(workflow()),
        };
        page.unwrap_or_else(|| ().into_any())
    }
}

#[cfg_attr(feature = "parts", wasm_split_helpers::wasm_split(account, preload(load_account), fallible))]
fn account(page: ForOne) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        ForOne::SignIn => view! { <SignInPage/> },
        ForOne::Setup => view! { <SetupPage/> },
        ForOne::Link => view! { <LinkPage/> },
        ForOne::Account => view! { <AccountPage/> },
    })
}

#[cfg_attr(feature = "parts", wasm_split_helpers::wasm_split(admin, preload(load_admin), fallible))]
fn admin(page: Admin) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Admin::People => view! { <PeoplePage/> },
        Admin::Teams => view! { <TeamsPage/> },
        Admin::Grants => view! { <GrantsPage/> },
        Admin::Connections => view! { <ConnectionsPage/> },
        Admin::Runners => view! { <RunnersPage/> },
    })
}

#[cfg_attr(feature = "parts", wasm_split_helpers::wasm_split(governance, preload(load_governance), fallible))]
fn governance(page: Governance) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Governance::Policies => view! { <PoliciesPage/> },
        Governance::Policy => view! { <PolicyPage/> },
        Governance::PolicySet => view! { <PolicySetPage/> },
        Governance::ProposePolicies => view! { <ProposePage/> },
        Governance::AccessReviews => view! { <AccessReviewsPage/> },
        Governance::AccessReview => view! { <AccessReviewPage/> },
        Governance::Emergencies => view! { <EmergenciesPage/> },
        Governance::Emergency => view! { <EmergencyPage/> },
    })
}

#[cfg_attr(feature = "parts", wasm_split_helpers::wasm_split(approvals, preload(load_approvals), fallible))]
fn approvals(page: Decide) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Decide::Next => view! { <ApprovalsPage/> },
        Decide::One => view! { <ApprovalPage/> },
        Decide::Chosen => view! { <ChosenPage/> },
        Decide::Linked => view! { <LinkedPage/> },
        Decide::Foresight => view! { <ForesightPage/> },
    })
}

#[cfg_attr(feature = "parts", wasm_split_helpers::wasm_split(audit, preload(load_audit), fallible))]
fn audit(page: Prove) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Prove::Compliance => view! { <CompliancePage/> },
        Prove::Control => view! { <ControlPage/> },
        Prove::Controls => view! { <ControlsPage/> },
        Prove::Log => view! { <AuditPage/> },
        Prove::Questions => view! { <QuestionsPage/> },
        Prove::Question => view! { <QuestionPage/> },
        Prove::Receivers => view! { <ReceiversPage/> },
        Prove::Retention => view! { <RetentionPage/> },
        Prove::Sample => view! { <AuditSamplePage/> },
    })
}

#[cfg_attr(feature = "parts", wasm_split_helpers::wasm_split(definitions, preload(load_definitions), fallible))]
fn definitions(page: Author) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Author::List => view! { <DefinitionsPage/> },
        Author::New => view! { <NewDefinitionPage/> },
        Author::Version => view! { <DefinitionPage/> },
    })
}

#[cfg_attr(feature = "parts", wasm_split_helpers::wasm_split(editor, preload(load_editor), fallible))]
fn editor() -> Result<AnyView, SplitLoaderError> {
    Ok(view! { <DraftPage/> })
}

#[cfg_attr(feature = "parts", wasm_split_helpers::wasm_split(files, preload(load_files), fallible))]
fn files(page: Files) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Files::Import => view! { <ImportPage/> },
        Files::Repositories => view! { <RepositoriesPage/> },
    })
}

#[cfg_attr(feature = "parts", wasm_split_helpers::wasm_split(overview, preload(load_overview), fallible))]
fn overview(page: Overview) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Overview::Home => view! { <HomePage/> },
        Overview::Catalogue => view! { <CataloguePage/> },
        Overview::Requests => view! { <RequestsPage/> },
        Overview::Runs => view! { <RunsPage/> },
        Overview::Notifications => view! { <NotificationsPage/> },
    })
}

#[cfg_attr(feature = "parts", wasm_split_helpers::wasm_split(preview, preload(load_preview), fallible))]
fn preview(page: Preview) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Preview::Form => view! { <FormPreviewPage/> },
        Preview::Trial => view! { <TrialPage/> },
    })
}

/// Judges the evidence for an entry of the audit log. What proves is fetched when somebody asks for a proof.
#[cfg(feature = "parts")]
pub(crate) async fn judge(evidence: Evidence) -> Result<Judgement, SplitLoaderError> {
    judged(evidence).await
}

/// Judges the evidence for an entry of the audit log.
#[cfg(not(feature = "parts"))]
#[expect(clippy::unused_async, reason = "it is in a part of its own where there are parts")]
pub(crate) async fn judge(evidence: Evidence) -> Result<Judgement, SplitLoaderError> {
    judged(evidence)
}

#[cfg_attr(feature = "parts", wasm_split_helpers::wasm_split(proof, fallible))]
fn judged(evidence: Evidence) -> Result<Judgement, SplitLoaderError> {
    Ok(proof::judge(&evidence))
}

#[cfg_attr(feature = "parts", wasm_split_helpers::wasm_split(request, preload(load_request), fallible))]
fn request(page: Request) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Request::Form => view! { <RequestPage/> },
        Request::Review => view! { <ReviewPage/> },
    })
}

#[cfg_attr(feature = "parts", wasm_split_helpers::wasm_split(run, preload(load_run), fallible))]
fn run() -> Result<AnyView, SplitLoaderError> {
    Ok(view! { <RunPage/> })
}

#[cfg_attr(feature = "parts", wasm_split_helpers::wasm_split(triggers, preload(load_triggers), fallible))]
fn triggers(page: Triggers) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Triggers::List => view! { <TriggersPage/> },
        Triggers::New => view! { <NewTriggerPage/> },
        Triggers::One => view! { <TriggerPage/> },
        Triggers::Edit => view! { <EditTriggerPage/> },
        Triggers::Trial => view! { <TriggerTrialPage/> },
        Triggers::Delivery => view! { <DeliveryPage/> },
    })
}

#[cfg_attr(feature = "parts", wasm_split_helpers::wasm_split(value, preload(load_value), fallible))]
fn value() -> Result<AnyView, SplitLoaderError> {
    Ok(view! { <ValuePage/> })
}

#[cfg_attr(feature = "parts", wasm_split_helpers::wasm_split(workflow, preload(load_workflow), fallible))]
fn workflow() -> Result<AnyView, SplitLoaderError> {
    Ok(view! { <WorkflowPage/> })
}

/// What a function of a part gives where its part is loaded: it is `async` only for the loading.
#[cfg(feature = "parts")]
fn at_once(page: impl Future<Output = Result<AnyView, SplitLoaderError>>) -> Option<AnyView> {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };
    match pin!(page).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(page) => page.ok(),
        Poll::Pending => None,
    }
}

#[cfg(not(feature = "parts"))]
fn at_once(page: Result<AnyView, SplitLoaderError>) -> Option<AnyView> {
    page.ok()
}

#[cfg(feature = "parts")]
mod loading {
    use std::sync::atomic::{AtomicBool, Ordering};

    use leptos::{ev, prelude::*, task::spawn_local};
    use leptos_router::hooks::use_location;
    use wasm_bindgen::JsCast as _;
    use wasm_split_helpers::SplitLoaderError;

    use super::{
        Page, Part, load_account, load_admin, load_approvals, load_audit, load_definitions, load_editor, load_files,
        load_governance, load_overview, load_preview, load_request, load_run, load_triggers, load_value, load_workflow,
    };
    use crate::{
        components::{Card, Skeleton},
        view,
    };

    static LOADED: [AtomicBool; 15] = [const { AtomicBool::new(false) }; 15];

    impl Part {
        fn loaded(self) -> Option<&'static AtomicBool> {
            LOADED.get(self as usize)
        }

        pub(super) fn is_loaded(self) -> bool {
            self.loaded().is_some_and(|loaded| loaded.load(Ordering::Relaxed))
        }

        /// Fetches the part, unless it is there.
        pub(crate) async fn load(self) -> Result<(), SplitLoaderError> {
            match self {
                Self::Account => load_account().await,
                Self::Admin => load_admin().await,
                Self::Approvals => load_approvals().await,
                Self::Audit => load_audit().await,
                Self::Definitions => load_definitions().await,
                Self::Editor => load_editor().await,
                Self::Governance => load_governance().await,
                Self::Files => load_files().await,
                Self::Overview => load_overview().await,
                Self::Preview => load_preview().await,
                Self::Request => load_request().await,
                Self::Run => load_run().await,
                Self::Triggers => load_triggers().await,
                Self::Value => load_value().await,
                Self::Workflow => load_workflow().await,
            }?;
            if let Some(loaded) = self.loaded() {
                loaded.store(true, Ordering::Relaxed);
            }
            Ok(())
        }
    }

    impl Page {
        pub(super) const fn part(self) -> Part {
            match self {
                Self::Account(_) => Part::Account,
                Self::Admin(_) => Part::Admin,
                Self::Approvals(_) => Part::Approvals,
                Self::Audit(_) => Part::Audit,
                Self::Definitions(_) => Part::Definitions,
                Self::Editor => Part::Editor,
                Self::Governance(_) => Part::Governance,
                Self::Files(_) => Part::Files,
                Self::Overview(_) => Part::Overview,
                Self::Preview(_) => Part::Preview,
                Self::Request(_) => Part::Request,
                Self::Run => Part::Run,
                Self::Triggers(_) => Part::Triggers,
                Self::Value => Part::Value,
                Self::Workflow => Part::Workflow,
            }
        }
    }

    /// A skeleton, and the page as soon as its part is loaded. If that fails the server is asked for the page as a whole:
    /// it may be that it has another version by now, whose parts have other addresses.
    pub(super) fn when_loaded(page: Page) -> AnyView {
        let loaded = RwSignal::new(false);
        let location = use_location();
        spawn_local(async move {
            let outcome = page.part().load().await;
            // Whoever went elsewhere meanwhile is left in peace.
            if loaded.is_disposed() {
                return;
            }
            if outcome.is_ok() {
                loaded.set(true);
            } else {
                let address = location.pathname.get_untracked()
                    + &location.search.with_untracked(|search| prefixed('?', search))
                    + &location.hash.get_untracked();
                let _ = window().location().assign(&address);
            }
        });
        let content = move || {
            if loaded.get() {
                untrack(|| page.make())
            } else {
                view! { <Card><Skeleton lines=12/></Card> }
            }
        };
        content.into_any()
    }

    fn prefixed(mark: char, text: &str) -> String {
        if text.is_empty() { String::new() } else { format!("{mark}{}", text.trim_start_matches(mark)) }
    }

    /// Begins to load a part as soon as someone points to a link that leads there, or gets to it by keyboard.
    pub(crate) fn load_ahead() {
        Effect::new(|_| {
            let over = window_event_listener(ev::pointerover, |event| load_for(event.target()));
            let focus = window_event_listener(ev::focusin, |event| load_for(event.target()));
            on_cleanup(move || {
                over.remove();
                focus.remove();
            });
        });
    }

    fn load_for(target: Option<web_sys::EventTarget>) {
        let element = target.and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let link = element.and_then(|element| element.closest("a[href^='/']").ok().flatten());
        let Some(link) = link.and_then(|link| link.dyn_into::<web_sys::HtmlAnchorElement>().ok()) else { return };
        if let Some(part) = Part::of(&link.pathname()).filter(|part| !part.is_loaded()) {
            // Whether it worked is seen when the link is followed.
            spawn_local(async move { _ = part.load().await });
        }
    }
}

#[cfg(feature = "parts")]
pub(crate) use loading::load_ahead;

#[cfg(test)]
mod tests {
    use super::Part;

    #[test]
    fn an_address_tells_which_part_its_page_needs() {
        for (path, part) in [
            ("/", Some(Part::Overview)),
            ("/catalogue", Some(Part::Overview)),
            ("/requests", Some(Part::Overview)),
            ("/runs/", Some(Part::Overview)),
            ("/notifications", Some(Part::Overview)),
            ("/triggers", Some(Part::Triggers)),
            ("/triggers/0198c0de/deliveries/7", Some(Part::Triggers)),
            ("/sign-in", Some(Part::Account)),
            ("/setup/token", Some(Part::Account)),
            ("/link/token", Some(Part::Account)),
            ("/account", Some(Part::Account)),
            ("/admin/people", Some(Part::Admin)),
            ("/admin/connections/", Some(Part::Admin)),
            ("/policies/operators-steer-runs", Some(Part::Governance)),
            ("/policies/sets/3", Some(Part::Governance)),
            ("/access-reviews", Some(Part::Governance)),
            ("/emergencies/e_1", Some(Part::Governance)),
            ("/approvals", Some(Part::Approvals)),
            ("/approvals/apr_1", Some(Part::Approvals)),
            ("/decide/token", Some(Part::Approvals)),
            ("/audit", Some(Part::Audit)),
            ("/audit/compliance", Some(Part::Audit)),
            ("/audit/controls/ISO27001:A.5.16", Some(Part::Audit)),
            ("/audit/receivers", Some(Part::Audit)),
            ("/audit/retention", Some(Part::Audit)),
            ("/audit/sample", Some(Part::Audit)),
            ("/catalogue/it/access", Some(Part::Workflow)),
            ("/catalogue/it/access/request", Some(Part::Request)),
            ("/requests/drafts/d_1/review", Some(Part::Request)),
            ("/definitions", Some(Part::Definitions)),
            ("/definitions/new", Some(Part::Definitions)),
            ("/definitions/import", Some(Part::Files)),
            ("/repositories", Some(Part::Files)),
            ("/definitions/it/access/1.0.0", Some(Part::Definitions)),
            ("/definitions/it/access/1.0.0/edit", Some(Part::Editor)),
            ("/definitions/it/access/1.0.0/form", Some(Part::Preview)),
            ("/definitions/it/access/1.0.0/try", Some(Part::Preview)),
            ("/runs/run_1", Some(Part::Run)),
            ("/value", Some(Part::Value)),
            ("/styleguide", None),
            ("/nothing/here", None),
        ] {
            assert_eq!(Part::of(path), part, "{path}");
        }
    }
}
