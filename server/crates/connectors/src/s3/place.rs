//! Where buckets and objects are.

use url::{Host, Url};

use crate::sigv4::encode;

/// Why there is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// A name in front of an IP address is no name of a host.
    #[error("the bucket cannot be part of the host's name, which is an IP address; let it stand in the path")]
    Host,
    /// A part of the key would be taken for a direction to another folder.
    #[error("the key has a part “.” or “..”, or is too long; choose another name for the object")]
    Key,
    /// The endpoint cannot have a path.
    #[error("the endpoint is not an address that a bucket can be at")]
    Endpoint,
}

/// The address of a bucket: in the path of the service, or before its host's name.
pub fn bucket_address(endpoint: &Url, bucket: &str, in_path: bool) -> Result<Url, PlaceError> {
    let mut url = endpoint.clone();
    url.set_query(None);
    url.set_fragment(None);
    let base = endpoint.path().trim_end_matches('/');
    if in_path {
        url.set_path(&format!("{base}/{}/", encode(bucket, false)));
        return Ok(url);
    }
    let Some(Host::Domain(host)) = endpoint.host() else { return Err(PlaceError::Host) };
    url.set_host(Some(&format!("{bucket}.{host}"))).map_err(|_| PlaceError::Endpoint)?;
    url.set_path(&format!("{base}/"));
    Ok(url)
}

/// The address of an object.
pub fn object_address(endpoint: &Url, bucket: &str, in_path: bool, key: &str) -> Result<Url, PlaceError> {
    /// The service's own limit.
    const LONGEST: usize = 1024;
    if key.len() > LONGEST || key.split('/').any(|part| part == "." || part == "..") {
        return Err(PlaceError::Key);
    }
    let mut url = bucket_address(endpoint, bucket, in_path)?;
    let path = format!("{}{}", url.path(), encode(key, true));
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_below_their_buckets_in_either_style() {
        let at = |endpoint: &str, in_path, key: &str| {
            object_address(&endpoint.parse().unwrap(), "audit", in_path, key).map(|url| url.to_string())
        };
        let aws = "https://s3.eu-central-1.amazonaws.com";
        assert_eq!(at(aws, false, "a b/é+").unwrap(), "https://audit.s3.eu-central-1.amazonaws.com/a%20b/%C3%A9%2B");
        assert_eq!(at(aws, true, "/x").unwrap(), "https://s3.eu-central-1.amazonaws.com/audit//x");
        assert_eq!(at("http://127.0.0.1:9/s3/", true, "x?y").unwrap(), "http://127.0.0.1:9/s3/audit/x%3Fy");
        assert_eq!(at("http://127.0.0.1:9", false, "x"), Err(PlaceError::Host));
        for bad in ["../x", "a/./b", &"k".repeat(1025)] {
            assert_eq!(at(aws, true, bad), Err(PlaceError::Key), "{bad}");
        }
    }
}
