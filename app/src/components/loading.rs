use leptos::prelude::*;

use super::ProblemView;
use crate::{errors::AppError, i18n::use_texts};

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
///
/// ```ignore
/// let home = Resource::new(move || live.version(Topic::Runs), |_| api::home::home());
/// load(home, || view! { <Skeleton lines=8/> }.into_any(), |home| view! { … }.into_any())
/// ```
pub fn load<T>(
    resource: Resource<Result<T, AppError>>,
    skeleton: impl Fn() -> AnyView + Send + Sync + 'static,
    view: impl Fn(T) -> AnyView + Clone + Send + Sync + 'static,
) -> AnyView
where
    T: Clone + Send + Sync + 'static,
{
    view! {
        <Transition fallback=skeleton>
            {move || {
                let view = view.clone();
                Suspend::new(async move {
                    match resource.await {
                        Ok(data) => view(data),
                        Err(error) => view! { <ProblemView problem=error.0/> }.into_any(),
                    }
                })
            }}
        </Transition>
    }
    .into_any()
}
