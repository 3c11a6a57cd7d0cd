use std::sync::Arc;

use leptos::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use super::ProblemView;
use crate::{
    data::{Answer, AsJson, Data},
    errors::AppError,
    i18n::use_texts,
    view,
};

/// Grey lines where text will be, of about the final height.
#[component]
pub fn Skeleton(
    /// How many lines.
    #[prop(default = 3)]
    lines: usize,
) -> impl IntoView {
    let t = use_texts().common;
    let bars: Vec<_> = (0..lines).map(|_| view! { <span class="skeleton__line"></span> }).collect();
    view! {
        <div class="skeleton" role="status">
            <span class="visually-hidden">{t.loading()}</span>
            {bars}
        </div>
    }
}

/// A page's data: the skeleton until it is there, then the view of it, or of its problem. One such boundary per route.
pub fn load<T>(
    data: Data<T>,
    skeleton: impl Fn() -> AnyView + Send + Sync + 'static,
    view: impl Fn(T) -> AnyView + Send + Sync + 'static,
) -> AnyView
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let (resource, read) = data.parts();
    show(resource, Arc::new(skeleton), Arc::new(move |answer| Ok(view(read(answer)?))))
}

/// How an answer is shown.
type Shown = dyn Fn(&Answer) -> Result<AnyView, AppError> + Send + Sync;

/// The one place where data becomes a view.
///
/// A view has an owner of its own, which lives until the next view is there. Within the transition alone, what the shown
/// view consists of would be disposed of while it is still shown, and any news in between would find it gone.
fn show(
    resource: Resource<Answer, AsJson>,
    skeleton: Arc<dyn Fn() -> AnyView + Send + Sync>,
    view: Arc<Shown>,
) -> AnyView {
    let page = Owner::current().unwrap_or_default();
    let shown = StoredValue::new(None::<Owner>);
    view! {
        <Transition fallback=move || skeleton()>
            {move || {
                let (view, page) = (view.clone(), page.clone());
                Suspend::new(async move {
                    let answer = resource.await;
                    let owner = page.child();
                    let next = owner.with(|| match view(&answer) {
                        Ok(view) => view,
                        Err(error) => view! { <ProblemView problem=error.0/> },
                    });
                    shown.try_set_value(Some(owner));
                    next
                })
            }}
        </Transition>
    }
}
