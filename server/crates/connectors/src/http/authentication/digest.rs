//! `digest`: the service challenges, the client answers (RFC 7616).

use digest_auth::{AuthContext, Qop};
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use serde::Deserialize;

use crate::{
    CallContext, Failure,
    http::outgoing::{Outgoing, header_value},
};

/// Who signs in.
#[derive(Clone, Deserialize)]
pub(crate) struct Login {
    username: String,
    password: String,
}

impl Login {
    /// The answer to a refusal's challenge; none when there is no challenge that can be answered.
    pub(in crate::http) fn answer(
        &self,
        refusal: &HeaderMap,
        outgoing: &Outgoing,
        context: &CallContext,
    ) -> Result<Option<HeaderValue>, Failure> {
        let challenges = refusal.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let mut digest = challenges.filter(|text| text.trim_start().to_ascii_lowercase().starts_with("digest "));
        // A service offers its algorithms in the order of its preference; the first that is known is taken.
        let Some(mut challenge) = digest.find_map(|text| digest_auth::parse(text).ok()) else {
            return Ok(None);
        };
        let mut target = outgoing.url.path().to_owned();
        if let Some(query) = outgoing.url.query() {
            target = format!("{target}?{query}");
        }
        let offers = |protection: Qop| challenge.qop.as_ref().is_some_and(|offered| offered.contains(&protection));
        let body = if offers(Qop::AUTH) {
            // The library would rather protect the body, too, which few services have right.
            challenge.qop = Some(vec![Qop::AUTH]);
            None
        } else {
            Some(outgoing.body.clone().unwrap_or_default())
        };
        let method = outgoing.method.as_str().to_owned();
        let mut signed = AuthContext::new_with_method(
            self.username.as_str(),
            self.password.as_str(),
            target,
            body,
            digest_auth::HttpMethod(method.into()),
        );
        signed.set_custom_cnonce(context.ids.next().simple().to_string());
        let answer = challenge
            .respond(&signed)
            .map_err(|_| Failure::refused(401, "the service's digest challenge cannot be answered"))?;
        header_value("Authorization", &answer.to_header_string()).map(Some)
    }
}
