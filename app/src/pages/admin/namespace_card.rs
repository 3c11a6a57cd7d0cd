//! What is given to namespaces: secrets, limits, permissions.

use leptos::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    components::{
        Button, ButtonLook, Card, Dialog, EmptyState, FormFeedback, Glyph, Icon, LinkButton, Skeleton, dialog_href,
        load,
    },
    data::Data,
    submission::{Calls, SubmitForm},
    view,
};

/// Something that a namespace has.
pub(super) struct Held {
    pub(super) what: String,
    pub(super) details: Vec<AnyView>,
    /// The way to take it away.
    pub(super) away: AnyView,
}

/// A line for each thing that namespaces have, or the words that there is none.
pub(super) fn held<T>(
    data: Data<Vec<T>>,
    glyph: Glyph,
    none: &'static str,
    line: impl Fn(T) -> Held + Send + Sync + 'static,
) -> AnyView
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let skeleton = || view! { <Skeleton lines=2/> };
    load(data, skeleton, move |all| lines(all.into_iter().map(&line).collect(), glyph, none))
}

fn lines(all: Vec<Held>, glyph: Glyph, none: &'static str) -> AnyView {
    if all.is_empty() {
        return view! { <EmptyState glyph title=none/> };
    }
    let lines: Vec<_> = all
        .into_iter()
        .map(|held| {
            view! {
                <li class="line">
                    <span class="line__glyph"><Icon glyph/></span>
                    <span class="line__text">
                        <span class="line__title line__title--plain"><code>{held.what}</code></span>
                        <span class="line__detail">{held.details}</span>
                    </span>
                    <span class="line__side">{held.away}</span>
                </li>
            }
        })
        .collect();
    view! { <ul class="lines">{lines}</ul> }
}

/// A card of what namespaces have of one kind, and the dialog in which another gets it.
#[component]
pub(super) fn NamespaceCard(
    title: &'static str,
    lead: &'static str,
    /// What [`held`] made, with what may be wrong with taking away.
    list: AnyView,
    /// The dialog's name in the address.
    dialog: &'static str,
    /// Its heading, and the words of the link that opens it.
    add: &'static str,
    /// The words of its button.
    verb: &'static str,
    #[prop(into)] to: Calls,
    /// Its fields.
    children: ChildrenFn,
) -> impl IntoView {
    let fields = StoredValue::new(children);
    let opener = view! { <LinkButton href=dialog_href(dialog) small=true icon=Glyph::Plus>{add}</LinkButton> };
    view! {
        <Card title=title subtitle=lead flush=true actions=opener>
            {list}
        </Card>
        <Dialog name=dialog title=add>
            <SubmitForm to=to>
                <div class="stack">
                    <FormFeedback problem=to.problem()/>
                    {fields.with_value(|fields| fields())}
                    <Button look=ButtonLook::Primary busy=to.pending()>{verb}</Button>
                </div>
            </SubmitForm>
        </Dialog>
    }
}
