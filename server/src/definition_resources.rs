//! What definitions refer to and is elsewhere: functions of catalogs, and schemas. Read while a definition is.

use std::{fs, io::ErrorKind, path::PathBuf, sync::Arc, time::Duration};

use connectors::{CallContext, NoLog, egress::EgressPolicy, resource::Resources};
use domain::{Clock as _, Ids as _, RunId};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use workflow::ResourceResolver;

use crate::clock::{SystemClock, SystemIds};

/// How long reading one resource may take.
const LIMIT: Duration = Duration::from_secs(30);
/// The scheme of the catalog that needs no declaration.
const CATALOG_SCHEME: &str = "catalog:";
/// Where its functions are.
const DEFAULT_FUNCTIONS: &str = "catalog://default/functions/";
/// The folder that holds them, as in any catalog (dsl.md, "File Structure").
pub(crate) const FUNCTIONS: &str = "functions";
/// Those that ship: `functions/NAME/VERSION/function.yaml`, and the text.
const SHIPPED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// Reads resources from services and files.
pub(crate) struct DefinitionResources {
    resources: Resources,
    /// What the server itself may reach: nobody has launched anything yet.
    egress: Arc<EgressPolicy>,
    /// The folder of the default catalog.
    catalog: Option<PathBuf>,
}

impl DefinitionResources {
    /// The default catalog is this folder, if there is one.
    pub(crate) fn new(resources: Resources, egress: Arc<EgressPolicy>, catalog: Option<PathBuf>) -> Self {
        Self { resources, egress, catalog }
    }

    /// A function of the default catalog: of its folder, else one that ships.
    fn function(&self, uri: &str) -> Result<String, String> {
        let path = uri.strip_prefix(DEFAULT_FUNCTIONS).unwrap_or_default();
        let plain = |step: &str| !step.is_empty() && !step.starts_with('.') && !step.contains('\\');
        if path.split('/').count() != 3 || !path.split('/').all(plain) {
            return Err("the default catalog has only functions, as name:version@default".to_owned());
        }
        let own = self
            .catalog
            .as_ref()
            .map(|catalog| path.split('/').fold(catalog.join(FUNCTIONS), |at, step| at.join(step)));
        match own.map(|own| (fs::read_to_string(&own), own)) {
            Some((Ok(text), _)) => return Ok(text),
            Some((Err(cause), own)) if cause.kind() != ErrorKind::NotFound => {
                return Err(format!("{}: {cause}", own.display()));
            }
            Some(_) | None => {}
        }
        let name = format!("{FUNCTIONS}/{path}");
        let shipped = SHIPPED.iter().find(|(known, _)| *known == name);
        shipped.map(|(_, text)| (*text).to_owned()).ok_or_else(|| {
            "the default catalog has no such function: it has those that ship, and those in the folder `functions` of the \
             directory `workflows` of the configuration; or declare a catalog under use.catalogs"
                .to_owned()
        })
    }
}

impl ResourceResolver for DefinitionResources {
    fn text(&self, uri: &str, authentication: Option<&Value>) -> Result<String, String> {
        if uri.starts_with(CATALOG_SCHEME) {
            return self.function(uri);
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
            egress: Arc::clone(&self.egress),
            base_url: String::new(),
            cancelled: CancellationToken::new(),
            messages: None,
        };
        let resource = json!({"endpoint": endpoint});
        // A definition is read by a plain function, on a thread that others can do without meanwhile.
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(self.resources.text(&resource, &context))
        })
        .map_err(|failure| failure.detail().to_owned())
    }
}
