//! Settings of connections of kind `s3`.

use identity::Secret;
use serde::Deserialize;
use url::Url;

use crate::tls::TlsSettings;

use super::place::{PlaceError, bucket_address, object_address};
use crate::{Failure, sigv4::set_query};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settings {
    endpoint: Option<Url>,
    pub(super) region: String,
    pub(super) access_key: String,
    pub(super) secret_key: Secret,
    pub(super) session_token: Option<Secret>,
    #[serde(default)]
    buckets: Vec<String>,
    path_style: Option<bool>,
    #[serde(flatten)]
    pub(super) tls: TlsSettings,
}

impl Settings {
    /// The address of a bucket that the connection is for.
    pub(super) fn bucket(&self, bucket: &str) -> Result<Url, Failure> {
        self.permit(bucket)?;
        bucket_address(&self.endpoint()?, bucket, self.in_path()).map_err(unplaced)
    }

    /// The address of an object in a bucket that the connection is for.
    pub(super) fn object(&self, bucket: &str, key: &str) -> Result<Url, Failure> {
        self.permit(bucket)?;
        object_address(&self.endpoint()?, bucket, self.in_path(), key).map_err(unplaced)
    }

    pub(super) fn permit(&self, bucket: &str) -> Result<(), Failure> {
        if self.buckets.is_empty() || self.buckets.iter().any(|known| known == bucket) {
            return Ok(());
        }
        Err(Failure::configuration(format!(
            "the connection is not for the bucket {bucket}; an administrator can add it to the connection's buckets"
        )))
    }

    /// What a connection test asks for: a list of each bucket, or of the buckets where none is named.
    pub(super) fn tried(&self) -> Result<Vec<(String, Url)>, Failure> {
        if self.buckets.is_empty() {
            return Ok(vec![("the list of buckets".to_owned(), self.endpoint()?)]);
        }
        let one = |name: &String| {
            let mut url = self.bucket(name)?;
            set_query(&mut url, [("list-type", "2"), ("max-keys", "1")]);
            Ok((format!("the bucket {name}"), url))
        };
        self.buckets.iter().map(one).collect()
    }

    fn endpoint(&self) -> Result<Url, Failure> {
        if let Some(endpoint) = &self.endpoint {
            return Ok(endpoint.clone());
        }
        let domain = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        Url::parse(&format!("https://s3.{}.{domain}/", self.region))
            .map_err(|_| Failure::configuration("the region makes no name of a host; enter an endpoint"))
    }

    /// Services other than AWS seldom have a name for each bucket.
    fn in_path(&self) -> bool {
        self.path_style.unwrap_or(self.endpoint.is_some())
    }

    /// What must not be shown, should the other side repeat it.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        [Some(&self.secret_key), self.session_token.as_ref()].into_iter().flatten().map(Secret::expose)
    }
}

fn unplaced(error: PlaceError) -> Failure {
    Failure::configuration(error.to_string())
}
