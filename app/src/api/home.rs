//! What needs me, what became of mine, is anything on fire.

use domain::view::HomeView;
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::scope;
use crate::{door::Door, errors::AppError};

/// The home page.
#[server(protocol = Door, prefix = "/ui", endpoint = "home")]
pub async fn home() -> Result<HomeView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.home(&caller).await?)
}
