//! From arguments to a signed request.

use domain::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::{
    services::{Protocol, Service},
    session::Keys,
    settings::Settings,
    tokens,
};
use crate::{
    Failure,
    http::{outgoing::text_of, plain::Plain},
    sigv4::Signer,
};

/// For how long the keys of a role are asked.
const SESSION: &str = "3600";

#[derive(Deserialize)]
struct With<'a> {
    #[serde(borrow)]
    service: &'a str,
    action: &'a str,
    #[serde(default)]
    parameters: Map<String, Value>,
    region: Option<&'a str>,
    version: Option<&'a str>,
}

/// What is asked of a service.
pub(super) struct Order<'a> {
    pub(super) service: &'static Service,
    action: &'a str,
    parameters: Map<String, Value>,
    version: Option<&'a str>,
    url: Url,
    /// The region of the signature.
    region: &'a str,
}

impl<'a> Order<'a> {
    /// What the arguments ask for, with the token by which a repetition is recognised where the action takes one.
    pub(super) fn read(with: &'a Value, settings: &'a Settings, key: &str) -> Result<Self, Failure> {
        // The message of serde may quote a value, and the value may be a secret.
        let mut with = With::deserialize(with).map_err(|_| Failure::configuration("the arguments cannot be read"))?;
        if let Some(name) = tokens::parameter(with.service, with.action) {
            let token = with.parameters.entry(name).or_insert(Value::Null);
            // A form leaves an empty one where nothing was said.
            if token.is_null() || token == "" {
                *token = tokens::token(key).into();
            }
        }
        let region = with.region.unwrap_or(&settings.region);
        let mut order = Self::of(with.service, with.action, with.parameters, region, settings)?;
        order.version = with.version;
        Ok(order)
    }

    /// Who the connection's keys belong to.
    pub(super) fn identity(settings: &'a Settings) -> Result<Self, Failure> {
        Self::of("sts", "GetCallerIdentity", Map::new(), &settings.region, settings)
    }

    /// The keys of a role.
    pub(super) fn assume(role: &str, settings: &'a Settings) -> Result<Self, Failure> {
        let mut parameters = Map::new();
        parameters.insert("RoleArn".to_owned(), role.into());
        parameters.insert("RoleSessionName".to_owned(), "rondo".into());
        parameters.insert("DurationSeconds".to_owned(), SESSION.into());
        if let Some(id) = &settings.external_id {
            parameters.insert("ExternalId".to_owned(), id.as_str().into());
        }
        Self::of("sts", "AssumeRole", parameters, &settings.region, settings)
    }

    fn of(
        service: &str,
        action: &'a str,
        parameters: Map<String, Value>,
        region: &'a str,
        settings: &Settings,
    ) -> Result<Self, Failure> {
        let service = Service::named(service)
            .ok_or_else(|| Failure::configuration(format!("the service {service} is not known here")))?;
        let (host, region) = service.place(region);
        let url = match &settings.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => Url::parse(&format!("https://{host}/"))
                .map_err(|_| Failure::configuration("the region makes no name of a host"))?,
        };
        Ok(Self { service, action, parameters, version: None, url, region })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        format!("{} of {}", self.action, self.service.name)
    }

    pub(super) fn signed(&self, settings: &Settings, keys: &Keys, at: Timestamp) -> Result<Plain, Failure> {
        let (content_type, target, body) = match self.service.protocol {
            Protocol::Form { version, plain_lists } => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.append_pair("Action", self.action).append_pair("Version", self.version.unwrap_or(version));
                for (name, value) in &self.parameters {
                    append(&mut form, name, value, plain_lists);
                }
                let content_type = "application/x-www-form-urlencoded; charset=utf-8".to_owned();
                (content_type, None, form.finish().into_bytes())
            }
            Protocol::Json { target, version } => {
                let body = serde_json::to_vec(&self.parameters)
                    .map_err(|_| Failure::configuration("the parameters cannot be written as JSON"))?;
                let target = format!("{target}.{}", self.action);
                (format!("application/x-amz-json-{version}"), Some(target), body)
            }
        };
        let mut headers = vec![("content-type", content_type.as_str())];
        if let Some(target) = &target {
            headers.push(("x-amz-target", target));
        }
        let (access_key, secret, token) = keys.parts(settings);
        let signer = Signer { access_key, secret, token, region: self.region, service: self.service.signed_as };
        let added = signer.headers("POST", &self.url, &headers, &body, at);
        let mut plain = Plain::new(Method::POST, self.url.clone());
        for (name, value) in headers {
            plain = plain.header(name, value)?;
        }
        for (name, value) in added {
            plain = plain.header(name, &value)?;
        }
        Ok(plain.body(body))
    }
}

/// A parameter as forms have it: names of members after a dot, numbers of elements as well.
fn append(form: &mut form_urlencoded::Serializer<'_, String>, name: &str, value: &Value, plain_lists: bool) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (member, value) in members {
                append(form, &format!("{name}.{member}"), value, plain_lists);
            }
        }
        Value::Array(elements) => {
            let name = if plain_lists { name.to_owned() } else { format!("{name}.member") };
            for (number, element) in (1..).zip(elements) {
                append(form, &format!("{name}.{number}"), element, plain_lists);
            }
        }
        scalar => {
            form.append_pair(name, &text_of(scalar));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(value: &Value, plain_lists: bool) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in value.as_object().unwrap() {
            append(&mut form, name, value, plain_lists);
        }
        form.finish()
    }

    #[test]
    fn parameters_become_a_form_in_the_way_of_the_service() {
        let parameters = json!({"Filter": [{"Name": "tag:a", "Value": ["x", 2]}], "DryRun": true, "None": null});
        let ec2 = "Filter.1.Name=tag%3Aa&Filter.1.Value.1=x&Filter.1.Value.2=2&DryRun=true";
        assert_eq!(form(&parameters, true), ec2);
        assert_eq!(form(&json!({"Tags": [{"Key": "a"}]}), false), "Tags.member.1.Key=a");
        assert_eq!(form(&json!({"Tags.Tag.1.Key": "a"}), false), "Tags.Tag.1.Key=a");
    }
}
