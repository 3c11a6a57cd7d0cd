//! Where one can go, by what one may do: beside the page, and at the bottom of a phone.

use domain::{Operation, view::MeView};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::{
    components::{Glyph, Icon},
    i18n::{FrameTexts, use_texts},
    session::Counts,
    view,
};

/// A place of the portal.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) href: &'static str,
    pub(super) glyph: Glyph,
    pub(super) label: &'static str,
    /// Whether the number of waiting decisions stands beside it.
    counts_decisions: bool,
}

/// Places under a heading.
pub(super) struct Group {
    label: &'static str,
    pub(super) places: Vec<Place>,
}

/// The places that the person may use; groups without any are left out.
pub(super) fn groups(t: FrameTexts, me: &MeView) -> Vec<Group> {
    let may = |operation: Operation| me.operations.contains(&operation);
    let place =
        |shown: bool, href, glyph, label| shown.then_some(Place { href, glyph, label, counts_decisions: false });
    let decisions = place(may(Operation::ApprovalDecide), "/approvals", Glyph::Decisions, t.approvals())
        .map(|place| Place { counts_decisions: true, ..place });
    let groups = [
        Group {
            label: t.group_work(),
            places: [
                place(true, "/", Glyph::Home, t.home()),
                place(may(Operation::CatalogueList), "/catalogue", Glyph::Catalogue, t.catalogue()),
                place(may(Operation::RunLaunch), "/requests", Glyph::Requests, t.requests()),
                decisions,
            ]
            .into_iter()
            .flatten()
            .collect(),
        },
        Group {
            label: t.group_operate(),
            places: [
                place(may(Operation::RunSuspend), "/runs", Glyph::Runs, t.runs()),
                place(may(Operation::TriggerList), "/triggers", Glyph::Bolt, t.triggers()),
                place(may(Operation::EmergencyRead), "/emergencies", Glyph::Warning, t.emergencies()),
            ]
            .into_iter()
            .flatten()
            .collect(),
        },
        Group {
            label: t.group_author(),
            places: [
                place(may(Operation::DefinitionList), "/definitions", Glyph::Steps, t.definitions()),
                place(may(Operation::RepositoryList), "/repositories", Glyph::Branch, t.repositories()),
            ]
            .into_iter()
            .flatten()
            .collect(),
        },
        Group {
            label: t.group_prove(),
            places: [
                place(may(Operation::AuditRead), "/audit", Glyph::Audit, t.audit()),
                place(may(Operation::ControlRead), COMPLIANCE, Glyph::CircleCheck, t.compliance()),
                // Who reads the log finds it there.
                place(
                    may(Operation::AuditRetentionRead) && !may(Operation::AuditRead),
                    "/audit/retention",
                    Glyph::Audit,
                    t.audit_retention(),
                ),
                place(may(Operation::PolicyRead), "/policies", Glyph::Sliders, t.policies()),
                place(may(Operation::AccessReviewRead), "/access-reviews", Glyph::Badge, t.access_reviews()),
                place(may(Operation::ValueRead), "/value", Glyph::Chart, t.value()),
            ]
            .into_iter()
            .flatten()
            .collect(),
        },
        Group {
            label: t.group_administer(),
            places: [
                place(may(Operation::UserUpdate), "/admin/people", Glyph::People, t.people()),
                place(may(Operation::TeamUpdate), "/admin/teams", Glyph::Teams, t.teams()),
                place(may(Operation::GrantCreate), "/admin/grants", Glyph::Key, t.grants()),
                place(may(Operation::ConnectionList), "/admin/connections", Glyph::Plug, t.connections()),
                place(may(Operation::RunnerList), "/admin/runners", Glyph::Monitor, t.runners()),
            ]
            .into_iter()
            .flatten()
            .collect(),
        },
    ];
    groups.into_iter().filter(|group| !group.places.is_empty()).collect()
}

/// How the controls stand: a place of its own below that of the audit log.
const COMPLIANCE: &str = "/audit/compliance";
/// The lists of controls, which belong to that place.
const CONTROLS: &str = "/audit/controls";

/// Whether a place is where `path` is.
fn is_current(href: &str, path: &str) -> bool {
    let below = |place: &str| path == place || path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'));
    let of_compliance = below(COMPLIANCE) || below(CONTROLS);
    if href == COMPLIANCE {
        of_compliance
    } else if href == "/audit" && of_compliance {
        false
    } else if href == "/" {
        path == "/"
    } else {
        below(href)
    }
}

#[component]
fn PlaceLink(place: Place) -> impl IntoView {
    let t = use_texts().frame;
    let path = use_location().pathname;
    let counts = use_context::<Counts>();
    let count = move || counts.filter(|_| place.counts_decisions).map_or(0, |counts| counts.decisions.get());
    let current = move || path.with(|path| is_current(place.href, path)).then_some("page");
    view! {
        <a class="place" href=place.href aria-current=current>
            <Icon glyph=place.glyph/>
            <span class="place__label">{place.label}</span>
            <Show when=move || { count() > 0 }>
                <span class="count count--act" aria-hidden="true">{move || figure(count())}</span>
                <span class="visually-hidden">{move || t.waiting_for_you(count())}</span>
            </Show>
        </a>
    }
}

/// How many, as far as it is counted.
fn figure(count: u64) -> String {
    if count < 1_000 { count.to_string() } else { "999+".to_owned() }
}

/// The navigation beside the page.
#[component]
pub(super) fn Sidebar(me: MeView) -> impl IntoView {
    let t = use_texts().frame;
    let groups: Vec<_> = groups(t, &me)
        .into_iter()
        .map(|group| {
            let places: Vec<_> = group.places.into_iter().map(|place| view! { <li><PlaceLink place/></li> }).collect();
            view! {
                <div class="sidebar__group">
                    <p class="sidebar__heading">{group.label}</p>
                    <ul class="sidebar__list">{places}</ul>
                </div>
            }
        })
        .collect();
    view! {
        <nav class="sidebar" aria-label=t.navigation()>
            <a class="brand" href="/">
                <svg class="brand__mark" viewBox="0 0 28 28" aria-hidden="true" focusable="false">
                    <rect class="brand__field" width="28" height="28" rx="8"></rect>
                    <path class="brand__line" d="M19.5 10.2A7 7 0 1 0 21 14.6M21.4 7.2v4.4h-4.4"></path>
                </svg>
                <span class="brand__name">"Rondo"</span>
                {me.demo.then(|| view! { <span class="brand__demo">{t.demo()}</span> })}
            </a>
            <div class="sidebar__nav">{groups}</div>
        </nav>
    }
}

/// The bar at the bottom of a phone: the four places that the person uses most, by role, and the rest behind *More*.
#[component]
pub(super) fn BottomBar(me: MeView) -> impl IntoView {
    let t = use_texts().frame;
    let mut places: Vec<Place> = groups(t, &me).into_iter().flat_map(|group| group.places).collect();
    let rest = if places.len() > 5 { places.split_off(4) } else { Vec::new() };
    let bar: Vec<_> = places.into_iter().map(|place| view! { <PlaceLink place/> }).collect();
    let more: Vec<_> = rest.into_iter().map(|place| view! { <PlaceLink place/> }).collect();
    let has_more = !more.is_empty();
    view! {
        <nav class="bottom-bar" aria-label=t.navigation()>
            {bar}
            {has_more
                .then(|| {
                    view! {
                        <button class="place" type="button" popovertarget="more-places">
                            <Icon glyph=Glyph::More/>
                            <span class="place__label">{t.more()}</span>
                        </button>
                        <div class="popover popover--sheet" id="more-places" popover="auto">{more}</div>
                    }
                })}
        </nav>
    }
}

#[cfg(test)]
mod tests {
    use super::is_current;

    #[test]
    fn a_place_is_current_on_its_pages_and_on_no_other() {
        assert!(is_current("/", "/"));
        assert!(!is_current("/", "/runs"));
        assert!(is_current("/runs", "/runs/7"));
        assert!(!is_current("/runs", "/runs-of-others"));
    }
}
