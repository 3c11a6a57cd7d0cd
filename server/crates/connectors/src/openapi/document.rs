//! Reading a document: the operation, its parameters, and where the service is.

use reqwest::Method;
use serde_json::{Map, Value};
use url::Url;

use super::{
    body::{Body, Form},
    parameters::{Parameter, Place},
};
use crate::{Failure, reference};

/// The methods that a path item can have.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// A document in `OpenAPI` 2.0 or 3.x.
pub(super) struct Document<'a> {
    root: Value,
    version: Version,
    /// Where the document is, if it is at a service.
    address: Option<&'a str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Two,
    Three,
}

/// An operation as it is to be called.
pub(super) struct Operation {
    pub(super) method: Method,
    /// The service's address with the path, whose parameters are still in braces.
    pub(super) template: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Body,
    /// Media types of its answers.
    pub(super) accepts: Vec<String>,
}

fn wrong(detail: impl std::fmt::Display) -> Failure {
    Failure::configuration(format!("the OpenAPI document: {detail}"))
}

impl<'a> Document<'a> {
    /// Reads JSON or YAML; `address` is where it was.
    pub(super) fn read(text: &str, address: Option<&'a str>) -> Result<Self, Failure> {
        let root: Value = serde_json::from_str(text)
            .or_else(|_| serde_saphyr::from_str(text))
            .map_err(|_| wrong("it is neither JSON nor YAML"))?;
        let version = |name: &str| root.get(name).and_then(Value::as_str).unwrap_or_default();
        let version = if version("openapi").starts_with("3.") {
            Version::Three
        } else if version("swagger") == "2.0" {
            Version::Two
        } else {
            return Err(wrong("it is of no version that is known here: 2.0 and 3.x are"));
        };
        Ok(Self { root, version, address })
    }

    pub(super) fn operation(&self, id: &str) -> Result<Operation, Failure> {
        let paths = self.root.get("paths").and_then(Value::as_object).ok_or_else(|| wrong("it has no paths"))?;
        for (path, item) in paths {
            let item = self.resolve(item)?;
            for name in METHODS {
                let Some(operation) = item.get(name) else { continue };
                if operation.get("operationId").and_then(Value::as_str) == Some(id) {
                    return self.describe(path, item, name, operation);
                }
            }
        }
        Err(wrong(format!("it has no operation “{id}”")))
    }

    fn describe(&self, path: &str, item: &Value, method: &str, operation: &Value) -> Result<Operation, Failure> {
        let base = match self.version {
            Version::Two => self.host(operation)?,
            Version::Three => self.server(item, operation)?,
        };
        // In the order of the document; an operation's own parameter takes the place of the path's.
        let mut parameters: Vec<((String, String), &Value)> = Vec::new();
        for list in [item, operation] {
            for parameter in list.get("parameters").and_then(Value::as_array).into_iter().flatten() {
                let parameter = self.resolve(parameter)?;
                let text = |name: &str| parameter.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let key = (text("in"), text("name"));
                match parameters.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, known)) => *known = parameter,
                    None => parameters.push((key, parameter)),
                }
            }
        }
        let mut body = match self.version {
            Version::Two => Body::none(),
            Version::Three => match operation.get("requestBody") {
                Some(body) => Body::of_request_body(self.resolve(body)?),
                None => Body::none(),
            },
        };
        let mut known = Vec::new();
        let mut fields = Vec::new();
        for ((place, name), parameter) in parameters {
            let required = parameter.get("required") == Some(&Value::Bool(true));
            match place.as_str() {
                "body" => body = Body::named(&name, required, &self.consumes(operation)),
                "formData" => fields.push((name, required)),
                _ => {
                    let place = Place::named(&place).ok_or_else(|| wrong(format!("a parameter is in {place}")))?;
                    known.push(Parameter::read(name, place, required, parameter, self.version));
                }
            }
        }
        if !fields.is_empty() {
            body = Body::form(Form { fields }, &self.consumes(operation));
        }
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).map_err(|_| wrong("a method"))?;
        let accepts = self.accepts(operation)?;
        Ok(Operation {
            method,
            template: format!("{}{path}", base.trim_end_matches('/')),
            parameters: known,
            body,
            accepts,
        })
    }

    /// What a reference leads to.
    fn resolve<'v>(&'v self, value: &'v Value) -> Result<&'v Value, Failure> {
        reference::resolve(&self.root, value).map_err(wrong)
    }

    fn consumes(&self, operation: &Value) -> Vec<String> {
        texts(operation.get("consumes").or_else(|| self.root.get("consumes")))
    }

    fn accepts(&self, operation: &Value) -> Result<Vec<String>, Failure> {
        if self.version == Version::Two {
            return Ok(texts(operation.get("produces").or_else(|| self.root.get("produces"))));
        }
        let mut types: Vec<String> = Vec::new();
        for response in operation.get("responses").and_then(Value::as_object).into_iter().flat_map(Map::values) {
            let content = self.resolve(response)?.get("content").and_then(Value::as_object);
            for media_type in content.into_iter().flat_map(Map::keys) {
                if !types.contains(media_type) {
                    types.push(media_type.clone());
                }
            }
        }
        Ok(types)
    }

    /// The address of the service in 2.0.
    fn host(&self, operation: &Value) -> Result<String, Failure> {
        let own = self.address.and_then(|address| Url::parse(address).ok()).filter(Url::has_host);
        let schemes = texts(operation.get("schemes").or_else(|| self.root.get("schemes")));
        let own_scheme = own.as_ref().map(|url| url.scheme().to_owned());
        // The scheme by which the document came, if it is among them, else the safer one.
        let scheme = own_scheme
            .filter(|scheme| schemes.is_empty() || schemes.contains(scheme))
            .or_else(|| ["https", "http"].map(str::to_owned).into_iter().find(|scheme| schemes.contains(scheme)))
            .ok_or_else(|| wrong("it names no scheme, http or https"))?;
        let host = self.root.get("host").and_then(Value::as_str).map(str::to_owned).or_else(|| {
            let own = own.as_ref()?;
            Some(own.authority().rsplit('@').next().unwrap_or_default().to_owned())
        });
        let host = host.ok_or_else(|| wrong("it names no host, and it came from none"))?;
        let path = self.root.get("basePath").and_then(Value::as_str).unwrap_or_default();
        Ok(format!("{scheme}://{host}{path}"))
    }

    /// The address of the service in 3.x: the first server of the operation, its path, or the document.
    fn server(&self, item: &Value, operation: &Value) -> Result<String, Failure> {
        let servers = [operation, item, &self.root].map(|holder| holder.get("servers").and_then(Value::as_array));
        let server = servers.into_iter().flatten().find_map(|servers| servers.first());
        let mut url = server.and_then(|server| server.get("url")).and_then(Value::as_str).unwrap_or("/").to_owned();
        let variables = server.and_then(|server| server.get("variables")).and_then(Value::as_object);
        for (name, variable) in variables.into_iter().flatten() {
            let default = variable.get("default").and_then(Value::as_str).unwrap_or_default();
            url = url.replace(&format!("{{{name}}}"), default);
        }
        if Url::parse(&url).is_ok_and(|url| url.has_host()) {
            return Ok(url);
        }
        let own = self.address.and_then(|address| Url::parse(address).ok()).filter(Url::has_host);
        let own = own.ok_or_else(|| wrong("its server is relative, and it came from none"))?;
        own.join(&url).map(String::from).map_err(|_| wrong(format!("the server “{url}” is no address")))
    }
}

fn texts(list: Option<&Value>) -> Vec<String> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
