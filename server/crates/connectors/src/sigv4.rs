//! Signatures of requests to AWS, and to services that are asked in the same way: Signature Version 4.
//!
//! Only this and nothing else of an SDK: requests are sent by the HTTP client that everything else uses.

use std::{fmt::Write as _, time::Duration};

use domain::Timestamp;
use identity::Secret;
use ring::{
    digest::{SHA256, digest},
    hmac::{HMAC_SHA256, Key, sign},
};
use url::Url;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The one service whose paths are encoded once only, and whose requests name the digest of their content.
const S3: &str = "s3";

/// Who signs, and for what.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// The id of the key.
    pub access_key: &'a str,
    /// The key.
    pub secret: &'a Secret,
    /// What belongs to a key that holds for a while only.
    pub token: Option<&'a Secret>,
    /// The region.
    pub region: &'a str,
    /// The service, as it is called in signatures.
    pub service: &'a str,
}

impl Signer<'_> {
    /// The headers that a request needs beside the given ones (in lower case), which are signed as well. The host is signed
    /// as the address has it.
    #[must_use]
    pub fn headers(
        &self,
        method: &str,
        url: &Url,
        given: &[(&str, &str)],
        body: &[u8],
        at: Timestamp,
    ) -> Vec<(&'static str, String)> {
        let time = time(at);
        let payload = sha256(body);
        let mut added = vec![("x-amz-date", time.clone())];
        if self.service == S3 {
            added.push(("x-amz-content-sha256", payload.clone()));
        }
        if let Some(token) = self.token {
            added.push(("x-amz-security-token", token.expose().to_owned()));
        }
        let mut all: Vec<(&str, &str)> = given.to_vec();
        all.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
        let canonical = self.canonical(method, url, &all, &payload);
        let signature = self.signature(&time, &canonical.text);
        let (access_key, scope) = (self.access_key, self.scope(&time));
        added.push((
            "authorization",
            format!(
                "{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={}, Signature={signature}",
                canonical.signed
            ),
        ));
        added
    }

    /// An address that lets whoever has it make one kind of request to it, for as long as it holds.
    #[must_use]
    pub fn presigned(&self, method: &str, url: &Url, at: Timestamp, holds: Duration) -> Url {
        let time = time(at);
        let mut query = vec![
            ("X-Amz-Algorithm", ALGORITHM.to_owned()),
            ("X-Amz-Credential", format!("{}/{}", self.access_key, self.scope(&time))),
            ("X-Amz-Date", time.clone()),
            ("X-Amz-Expires", holds.as_secs().to_string()),
        ];
        if let Some(token) = self.token {
            query.push(("X-Amz-Security-Token", token.expose().to_owned()));
        }
        query.push(("X-Amz-SignedHeaders", "host".to_owned()));
        let mut url = url.clone();
        let added = query.iter().map(|(name, value)| (*name, value.as_str()));
        set_query(&mut url, added);
        let canonical = self.canonical(method, &url, &[], "UNSIGNED-PAYLOAD");
        let signature = self.signature(&time, &canonical.text);
        set_query(&mut url, [("X-Amz-Signature", signature.as_str())]);
        url
    }

    fn canonical(&self, method: &str, url: &Url, headers: &[(&str, &str)], payload: &str) -> Canonical {
        let mut headers: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.split_whitespace().collect::<Vec<_>>().join(" ")))
            .collect();
        headers.push(("host".to_owned(), host(url)));
        headers.sort();
        let signed = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
        let path = if self.service == S3 { url.path().to_owned() } else { encode(url.path(), true) };
        let mut query: Vec<(String, String)> =
            url.query_pairs().map(|(name, value)| (encode(&name, false), encode(&value, false))).collect();
        query.sort();
        let query = query.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        let mut text = format!("{method}\n{path}\n{query}\n");
        for (name, value) in &headers {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name}:{value}");
        }
        let _ = write!(text, "\n{signed}\n{payload}");
        Canonical { text, signed }
    }

    fn signature(&self, time: &str, canonical: &str) -> String {
        let text = format!("{ALGORITHM}\n{time}\n{}\n{}", self.scope(time), sha256(canonical.as_bytes()));
        let mut key = format!("AWS4{}", self.secret.expose()).into_bytes();
        for part in [day(time), self.region, self.service, "aws4_request"] {
            key = sign(&Key::new(HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
        }
        hex::encode(sign(&Key::new(HMAC_SHA256, &key), text.as_bytes()))
    }

    fn scope(&self, time: &str) -> String {
        format!("{}/{}/{}/aws4_request", day(time), self.region, self.service)
    }
}

/// A request in the one form in which it is signed.
struct Canonical {
    text: String,
    signed: String,
}

/// The digest as signatures have it.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// Everything but letters, digits and `-_.~` in percent; the slash as well, unless it is kept.
#[must_use]
pub fn encode(text: &str, keeps_slash: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            b'/' if keeps_slash => encoded.push('/'),
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// Adds to an address's query, in the encoding that is signed.
pub fn set_query<'a>(url: &mut Url, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
    let mut query = url.query().unwrap_or_default().to_owned();
    for (name, value) in pairs {
        if !query.is_empty() {
            query.push('&');
        }
        // Writing to a String cannot fail.
        let _ = write!(query, "{}={}", encode(name, false), encode(value, false));
    }
    url.set_query(Some(&query).filter(|query| !query.is_empty()).map(String::as_str));
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// `20130524T000000Z`.
fn time(at: Timestamp) -> String {
    let utc = at.to_utc();
    let (month, day) = (u8::from(utc.month()), utc.day());
    format!("{:04}{month:02}{day:02}T{:02}{:02}{:02}Z", utc.year(), utc.hour(), utc.minute(), utc.second())
}

fn day(time: &str) -> &str {
    time.get(..8).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "2015-08-30T12:36:00Z";
    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

    /// The signature of a request as the service `service` of the published test suite, or another, gets it.
    fn signature(service: &str, method: &str, url: &str, given: &[(&str, &str)], body: &str) -> String {
        let secret = Secret::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let signer = Signer { access_key: "AKIDEXAMPLE", secret: &secret, token: None, region: "us-east-1", service };
        let headers = signer.headers(method, &url.parse().unwrap(), given, body.as_bytes(), AT.parse().unwrap());
        let (_, value) = headers.iter().find(|(name, _)| *name == "authorization").unwrap();
        value.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    /// The test suite that AWS publishes (`aws-sig-v4-test-suite`), and the example of its documentation.
    #[test]
    fn requests_are_signed_as_published() {
        let of = |method, query, given: &[_], body| {
            signature("service", method, &format!("https://example.amazonaws.com/{query}"), given, body)
        };
        // get-vanilla
        assert_eq!(of("GET", "", &[], ""), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
        // get-vanilla-query-order-key-case
        let queried = of("GET", "?Param2=value2&Param1=value1", &[], "");
        assert_eq!(queried, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
        // post-x-www-form-urlencoded
        let posted = of("POST", "", &[FORM], "Param1=value1");
        assert_eq!(posted, "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
        let listed = signature(
            "iam",
            "GET",
            "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
            &[("content-type", "application/x-www-form-urlencoded; charset=utf-8")],
            "",
        );
        assert_eq!(listed, "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
    }

    /// As botocore signs it: a path that is encoded twice, and a key that holds for a while.
    #[test]
    fn a_session_token_is_signed_and_a_path_encoded_twice() {
        let secret = Secret::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let token = Secret::from("tok3n");
        let signer = Signer {
            access_key: "AKIDEXAMPLE",
            secret: &secret,
            token: Some(&token),
            region: "us-east-1",
            service: "service",
        };
        let url = "https://example.amazonaws.com/%E1%88%B4/a%20b".parse().unwrap();
        let headers = signer.headers("GET", &url, &[], b"", AT.parse().unwrap());
        assert!(headers.contains(&("x-amz-security-token", "tok3n".to_owned())));
        let expected = "SignedHeaders=host;x-amz-date;x-amz-security-token, \
            Signature=d483605688e30f64203f6a62855eceed285bb2f4f001e39a5b9042ab78850046";
        assert!(headers.iter().any(|(_, value)| value.ends_with(expected)), "{headers:?}");
    }

    /// The examples of the documentation of S3.
    #[test]
    fn requests_to_s3_are_signed_as_documented() {
        let secret = Secret::from("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let signer = Signer {
            access_key: "AKIAIOSFODNN7EXAMPLE",
            secret: &secret,
            token: None,
            region: "us-east-1",
            service: "s3",
        };
        let at: Timestamp = "2013-05-24T00:00:00Z".parse().unwrap();
        let of = |method, path, given: &[_], body: &str| {
            let url = format!("https://examplebucket.s3.amazonaws.com/{path}").parse().unwrap();
            let headers = signer.headers(method, &url, given, body.as_bytes(), at);
            headers.iter().find_map(|(_, value)| Some(value.rsplit_once("Signature=")?.1.to_owned())).unwrap()
        };
        let ranged = of("GET", "test.txt", &[("range", "bytes=0-9")], "");
        assert_eq!(ranged, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
        let put = of(
            "PUT",
            "test%24file.text",
            &[("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            "Welcome to Amazon S3.",
        );
        assert_eq!(put, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
        let lifecycle = of("GET", "?lifecycle", &[], "");
        assert_eq!(lifecycle, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
        let listed = of("GET", "?max-keys=2&prefix=J", &[], "");
        assert_eq!(listed, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
        let url = "https://examplebucket.s3.amazonaws.com/test.txt".parse().unwrap();
        let presigned = signer.presigned("GET", &url, at, Duration::from_hours(24));
        let expected = "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(presigned.as_str().ends_with(expected), "{presigned}");
    }
}
