//! Administration: people, teams, grants, connections, runners.

mod calendars;
mod connection_form;
mod connections;
mod grants;
mod limits;
mod namespace_card;
mod people;
mod person_dialogs;
mod processes;
mod runners;
mod secrets;
mod separation;
mod teams;

pub use connections::ConnectionsPage;
pub use grants::GrantsPage;
pub use people::PeoplePage;
pub use runners::RunnersPage;
pub use teams::TeamsPage;

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
};

use crate::url_state::href_with;

/// Closes the page's dialog, after what it asked for was done.
pub(crate) fn close_dialog() -> impl Fn() + Clone + 'static {
    let location = use_location();
    let navigate = use_navigate();
    move || {
        let away = href_with(&location.pathname.get_untracked(), &location.query.get_untracked(), &[]);
        navigate(&away, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
    }
}
