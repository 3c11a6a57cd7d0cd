//! The text of a version with its lines, and what is said of each.

use std::collections::{BTreeMap, BTreeSet};

use domain::view::CommentView;
use leptos::prelude::*;

use super::{
    checks::line_id,
    comments::{Comment, Talk},
};
use crate::{
    components::{Card, CopyButton},
    i18n::use_texts,
    view,
};

/// The text, line by line. `wrong` are the lines with errors.
#[component]
pub(super) fn Source(
    text: String,
    wrong: BTreeSet<u64>,
    comments: BTreeMap<u64, Vec<CommentView>>,
    /// The line that the address names.
    chosen: Memo<u64>,
    talk: Talk,
) -> impl IntoView {
    let t = use_texts().definitions;
    let mut comments = comments;
    let lines: Vec<_> = (1..)
        .zip(text.lines())
        .map(|(number, line)| {
            let said: Vec<_> = comments
                .remove(&number)
                .unwrap_or_default()
                .into_iter()
                .map(|comment| view! { <Comment comment talk/> })
                .collect();
            let said = (!said.is_empty()).then(|| view! { <div class="source__comments">{said}</div> });
            let is_wrong = wrong.contains(&number);
            // Hundreds of places where the focus stops would be in everybody's way: by keyboard the line is typed.
            let mark = if talk.open {
                let (href, label) = (talk.href(number), t.comment_on(number));
                view! { <a class="source__number" href=href aria-label=label.clone() title=label tabindex="-1">{number}</a> }
            } else {
                view! { <span class="source__number">{number}</span> }
            };
            view! {
                <li
                    class="source__line"
                    class:source__line--wrong=is_wrong
                    class:source__line--chosen=move || chosen.get() == number
                    id=line_id(number)
                >
                    {mark}
                    <code class="source__text">{line.to_owned()}</code>
                    {said}
                </li>
            }
        })
        .collect();
    let copy = view! { <CopyButton text/> };
    view! {
        <Card title=t.source() flush=true actions=copy>
            <div class="source" role="region" aria-label=t.source() tabindex="0">
                <ol class="source__lines">{lines}</ol>
            </div>
        </Card>
    }
}
