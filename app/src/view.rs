//! The macro for views.

/// Leptos's `view!`, whose result has its type erased: one type of view in the whole program, where Leptos would compile
/// lists, options and closures of views anew for every kind of element in them.
macro_rules! view {
    ($($tokens:tt)*) => {
        ::leptos::prelude::IntoAny::into_any(::leptos::prelude::view! { $($tokens)* }.into_inner())
    };
}

pub(crate) use view;
