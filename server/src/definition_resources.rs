//! What definitions refer to and is elsewhere: functions of catalogs, and schemas. Read while a definition is.

use std::{sync::Arc, time::Duration};

use connectors::{CallContext, NoLog, resource::Resources};
use domain::{Clock as _, Ids as _, RunId};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use workflow::ResourceResolver;

use crate::clock::{SystemClock, SystemIds};

/// How long reading one resource may take.
const LIMIT: Duration = Duration::from_secs(30);
/// The scheme of the catalog that needs no declaration.
const CATALOG_SCHEME: &str = "catalog:";

/// Reads resources from services and files.
pub(crate) struct DefinitionResources(Resources);

impl DefinitionResources {
    pub(crate) fn new(resources: Resources) -> Self {
        Self(resources)
    }
}

impl ResourceResolver for DefinitionResources {
    fn text(&self, uri: &str, authentication: Option<&Value>) -> Result<String, String> {
        if uri.starts_with(CATALOG_SCHEME) {
            return Err("there is no default catalog here; declare one under use.catalogs".to_owned());
        }
        let mut endpoint = json!({"uri": uri});
        if let (Some(endpoint), Some(policy)) = (endpoint.as_object_mut(), authentication) {
            endpoint.insert("authentication".to_owned(), policy.clone());
        }
        let context = CallContext {
            run: RunId::from_uuid(SystemIds.next()),
            reference: String::new(),
            attempt: 1,
            key: String::new(),
            deadline: Some(SystemClock.now() + LIMIT),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
            log: Arc::new(NoLog),
            base_url: String::new(),
            cancelled: CancellationToken::new(),
            messages: None,
        };
        let resource = json!({"endpoint": endpoint});
        // A definition is read by a plain function, on a thread that others can do without meanwhile.
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(self.0.text(&resource, &context)))
            .map_err(|failure| failure.detail().to_owned())
    }
}
