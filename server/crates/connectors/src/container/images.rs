//! Images: fetching them, and removing those that are not used any more.

use reqwest::Method;
use serde_json::{Value, json};
use workflow::RunError;

use super::engine::{Engine, is_of_an_engine};
use crate::{
    Failure,
    http::plain::{Plain, excerpt},
    sigv4::set_query,
};

/// No line about fetching an image is longer.
const LINE: usize = 64 << 10;

/// When an image is fetched.
#[derive(Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Pull {
    #[default]
    Missing,
    Always,
    Never,
}

/// Has the image there, as `pull` says; gives its id.
pub(super) async fn provide(engine: &Engine, image: &str, pull: Pull) -> Result<String, Failure> {
    if pull != Pull::Always
        && let Some(id) = find(engine, image).await?
    {
        return Ok(id);
    }
    if pull == Pull::Never {
        return Err(Failure::refused(
            404,
            format!("the engine has no image {image}, and the task does not let it be fetched; fetch it, or let it"),
        ));
    }
    fetch(engine, image).await
}

/// Fetches an image from where its name says; gives its id.
pub(super) async fn fetch(engine: &Engine, image: &str) -> Result<String, Failure> {
    let engine = engine.repeatable();
    let what = format!("fetching the image {image}");
    let mut url = engine.settings.base.clone();
    url.path_segments_mut()
        .map_err(|()| Failure::configuration("the address of the connection is none of a service"))?
        .pop_if_empty()
        .extend(["images", "create"]);
    let (name, tag) = name_and_tag(image);
    set_query(&mut url, [("fromImage", name)].into_iter().chain(tag.map(|tag| ("tag", tag))));
    let mut plain = Plain::new(Method::POST, url);
    if let Some(login) = engine.settings.registry_login(image) {
        plain = plain.header("x-registry-auth", &login)?;
    }
    let mut progress = Progress::default();
    let answer = engine.http.ask_at_length(plain, &engine.terms(), |data| progress.push(data)).await?;
    if matches!(answer.status, 404 | 500) && is_of_an_engine(&answer) {
        return Err(not_fetched(&engine, image, &String::from_utf8_lossy(&answer.content)));
    }
    engine.accepted(&what, &answer)?;
    progress.end();
    if progress.is_broken {
        return Err(engine.garbled(&what));
    }
    if let Some(error) = &progress.error {
        return Err(not_fetched(&engine, image, error));
    }
    find(&engine, image).await?.ok_or_else(|| engine.garbled(&what))
}

/// What the engine says of fetching, for as long as that takes: one document a line, and one that could not be done has said so
/// at the end.
#[derive(Default)]
struct Progress {
    line: Vec<u8>,
    error: Option<String>,
    /// Whether it says something else.
    is_broken: bool,
}

impl Progress {
    fn push(&mut self, data: &[u8]) {
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.end();
            } else if self.line.len() > LINE {
                self.is_broken = true;
                self.line.clear();
            }
        }
    }

    /// The line is over.
    fn end(&mut self) {
        for document in serde_json::Deserializer::from_slice(&self.line).into_iter::<Value>() {
            match document {
                Ok(document) => {
                    let error = document.get("error").and_then(Value::as_str).map(str::to_owned);
                    self.error = error.or_else(|| self.error.take());
                }
                Err(_) => self.is_broken = true,
            }
        }
        self.line.clear();
    }
}

fn not_fetched(engine: &Engine, image: &str, said: &str) -> Failure {
    let said = serde_json::from_str::<Value>(said)
        .ok()
        .and_then(|document| Some(document.get("message")?.as_str()?.to_owned()))
        .unwrap_or_else(|| said.to_owned());
    let said = excerpt(&said, engine.settings.secrets());
    let detail = format!(
        "the image {image} cannot be fetched: {said}; compare its name with the registry's, and see whether the engine \
         reaches the registry and the connection has its account"
    );
    let lower = said.to_ascii_lowercase();
    // What passes: the registry does not answer now.
    let passes = ["timeout", "connection refused", "no such host", "temporary", "too many requests", "eof"];
    let error = RunError::communication(if passes.iter().any(|word| lower.contains(word)) { 503 } else { 404 }, detail);
    if error.status == 503 { Failure::retryable(error) } else { Failure::permanent(error) }
}

/// A name, and the tag or digest behind it; without one it is `latest`.
fn name_and_tag(image: &str) -> (&str, Option<&str>) {
    if let Some((name, digest)) = image.split_once('@') {
        return (name, Some(digest));
    }
    match image.rsplit_once(':') {
        // A colon before a slash is that of a port.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (image, Some("latest")),
    }
}

/// The id of an image that the engine has.
pub(super) async fn find(engine: &Engine, image: &str) -> Result<Option<String>, Failure> {
    let engine = engine.repeatable();
    let what = format!("the image {image}");
    let answer = engine.ask(Method::GET, &["images", image, "json"], &[], None).await?;
    if answer.status == 404 && is_of_an_engine(&answer) {
        return Ok(None);
    }
    let found = engine.document(&what, &answer)?;
    let id = found.get("Id").and_then(Value::as_str).ok_or_else(|| engine.garbled(&what))?;
    Ok(Some(id.to_owned()))
}

/// Removes the images of a repository but the newest; those that a container uses stay as well.
pub(super) async fn prune(engine: &Engine, repository: &str, keep: usize) -> Result<Value, Failure> {
    let engine = engine.repeatable();
    let what = format!("the images of {repository}");
    let filters = json!({"reference": [format!("{repository}:*")]}).to_string();
    let answer = engine.ask(Method::GET, &["images", "json"], &[("filters", &filters)], None).await?;
    let Value::Array(mut found) = engine.document(&what, &answer)? else { return Err(engine.garbled(&what)) };
    found.sort_by_key(|image| std::cmp::Reverse(image.get("Created").and_then(Value::as_i64)));
    let used = used_images(&engine).await?;
    let (mut removed, mut bytes) = (Vec::new(), 0);
    for image in found.iter().skip(keep) {
        let Some(id) = image.get("Id").and_then(Value::as_str) else { continue };
        if used.iter().any(|one| is_same(one, id)) {
            continue;
        }
        let names = image.get("RepoTags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        // By its names: an image that has others elsewhere keeps those.
        for name in names.filter(|name| is_of(name, repository)) {
            let answer = engine.ask(Method::DELETE, &["images", name], &[], None).await?;
            // Somebody may have begun to use it, or have removed it.
            if matches!(answer.status, 404 | 409) {
                continue;
            }
            engine.accepted(&format!("removal of the image {name}"), &answer)?;
            removed.push(name.to_owned());
            bytes += image.get("Size").and_then(Value::as_u64).unwrap_or_default();
        }
    }
    Ok(json!({"images": removed, "bytes": bytes}))
}

async fn used_images(engine: &Engine) -> Result<Vec<String>, Failure> {
    let containers = engine.with_labels(&[], &[]).await?;
    let ids = containers.iter().filter_map(|container| container.get("ImageID")?.as_str());
    Ok(ids.map(str::to_owned).collect())
}

/// Engines write ids with and without the name of their digest.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    one.trim_start_matches("sha256:") == other.trim_start_matches("sha256:")
}

/// Whether a name with a tag is one of a repository; Podman puts `localhost/` before those of nowhere.
fn is_of(name: &str, repository: &str) -> bool {
    let (own, _) = name_and_tag(name);
    own == repository || own.strip_prefix("localhost/") == Some(repository)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_of_fetching_counts_however_it_comes_in() {
        let said = b"{\"status\":\"a\"}\r\n{\"error\":\"one\"}{\"error\":\"two\"}\n{\"status\":\"b\"}";
        for size in 1..said.len() {
            let mut progress = Progress::default();
            said.chunks(size).for_each(|chunk| progress.push(chunk));
            progress.end();
            assert_eq!((progress.error.as_deref(), progress.is_broken), (Some("two"), false), "{size}");
        }
        let mut page = Progress::default();
        page.push(b"<html>\n<body>");
        assert!(page.is_broken);
        let mut endless = Progress::default();
        (0..17).for_each(|_| endless.push(&[b' '; 4096]));
        assert!(endless.is_broken && endless.line.len() <= LINE);
    }

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(name_and_tag("shop"), ("shop", Some("latest")));
        assert_eq!(name_and_tag("r.test:5000/shop"), ("r.test:5000/shop", Some("latest")));
        assert_eq!(name_and_tag("r.test:5000/shop:2"), ("r.test:5000/shop", Some("2")));
        assert_eq!(name_and_tag("shop@sha256:ab"), ("shop", Some("sha256:ab")));
        assert!(is_of("localhost/lab/web:1", "lab/web") && !is_of("r.test/web:1", "web"));
    }
}
