//! What runs were worth.

use domain::view::{ValueQuery, ValueView};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::scope;
use crate::{door::Door, errors::AppError};

/// The figures that an address asks for.
#[server(protocol = Door, prefix = "/ui", endpoint = "value")]
pub async fn value(#[server(default)] query: ValueQuery) -> Result<ValueView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.value(&caller, &query).await?)
}
