//! What definitions refer to and is elsewhere: functions of catalogs, and schemas. Read while a definition is.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

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

    /// A function of the default catalog.
    fn function(&self, uri: &str) -> Result<String, String> {
        let steps: Option<Vec<&str>> = uri.strip_prefix(DEFAULT_FUNCTIONS).map(|path| path.split('/').collect());
        let plain = |step: &&str| !step.is_empty() && !step.starts_with('.') && !step.contains('\\');
        let Some(steps) = steps.filter(|steps| steps.len() == 3 && steps.iter().all(plain)) else {
            return Err("the default catalog has only functions, as name:version@default".to_owned());
        };
        let Some(catalog) = &self.catalog else {
            return Err(
                "there is no default catalog here: it is the folder `functions` of the directory `workflows` of the \
                 configuration; or declare a catalog under use.catalogs"
                    .to_owned(),
            );
        };
        let path = steps.into_iter().fold(catalog.join(FUNCTIONS), |path, step| path.join(step));
        fs::read_to_string(&path).map_err(|cause| format!("{}: {cause}", path.display()))
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
