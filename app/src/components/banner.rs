use leptos::prelude::*;

use super::{Glyph, Icon, Tone};
use crate::view;

/// A message across the page or a card.
#[component]
pub fn Banner(
    /// The colour.
    #[prop(optional)]
    tone: Tone,
    /// The message in a few words.
    #[prop(into)]
    title: String,
    /// What it means and what to do.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let glyph = match tone {
        Tone::Neutral | Tone::Info => Glyph::Info,
        Tone::Success => Glyph::CircleCheck,
        Tone::Warning => Glyph::Warning,
        Tone::Danger => Glyph::Octagon,
    };
    // What went wrong is said at once; the rest waits for its turn.
    let role = if tone == Tone::Danger { "alert" } else { "status" };
    view! {
        <div class=format!("banner banner--{}", tone.as_str()) role=role>
            <Icon glyph/>
            <div class="banner__body">
                <p class="banner__title">{title}</p>
                {children.map(|children| view! { <div class="banner__text">{children()}</div> })}
            </div>
        </div>
    }
}
