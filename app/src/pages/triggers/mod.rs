//! Triggers: what other systems call to have runs launched, and what became of each call.

mod delivery;
mod form;
mod list;
mod outcome;
mod page;
mod trial;
mod watch;

pub use delivery::DeliveryPage;
pub use form::{EditTriggerPage, NewTriggerPage};
pub use list::TriggersPage;
pub use page::TriggerPage;
pub use trial::TriggerTrialPage;

use domain::{TriggerKind, view::TriggerView};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::i18n::Texts;

/// A part of the address, by its name there.
fn in_address(name: &'static str) -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get(name).unwrap_or_default()))
}

fn full_name(trigger: &TriggerView) -> String {
    format!("{}/{}", trigger.namespace, trigger.name)
}

fn kind_name(t: Texts, kind: TriggerKind) -> &'static str {
    let t = t.triggers;
    match kind {
        TriggerKind::Webhook => t.kind_webhook(),
        TriggerKind::Github => t.kind_github(),
        TriggerKind::Gitlab => t.kind_gitlab(),
        TriggerKind::Alertmanager => t.kind_alertmanager(),
        TriggerKind::Grafana => t.kind_grafana(),
        TriggerKind::FileDrop => t.kind_file_drop(),
        TriggerKind::Mailbox => t.kind_mailbox(),
    }
}
