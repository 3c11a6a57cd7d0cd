//! Files that are put into a bucket, for triggers.

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::{FileEnd, view::FilesView};
use reqwest::Method;
use ring::digest::{SHA256, digest};
use roxmltree::Document;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{
    S3Connector, answer,
    operation::{Asked, Operation},
    settings::Settings,
};
use crate::{
    Failure,
    http::plain::{Answered, Terms},
    sigv4::{set_query, sha256},
    watch::{Found, Item, Look, Reading, Source, Watching},
};

/// The most objects under a prefix that are told apart.
const OBJECTS: usize = 10_000;
/// The largest content that is delivered with a file, in bytes.
const CONTENT: u64 = 32 * 1024;
/// The tag of a file that was delivered: which trigger did.
const TAG: &str = "rondo-trigger";

struct Bucket<'a> {
    connector: &'a S3Connector,
    settings: Settings,
    files: FilesView,
    look: Look<'a>,
}

#[async_trait]
impl Source for S3Connector {
    async fn open<'a>(&'a self, look: Look<'a>) -> Result<Box<dyn Watching + 'a>, Failure> {
        let settings = look.connection.settings::<Settings>()?;
        let files = FilesView::deserialize(look.place)
            .map_err(|_| Failure::configuration("which files it looks for cannot be read; save the trigger anew"))?;
        Ok(Box::new(Bucket { connector: self, settings, files, look }))
    }
}

impl Bucket<'_> {
    fn terms(&self) -> Terms<'_> {
        Terms::of_look(&self.look.egress, &self.settings.tls)
    }

    /// One of the connector's operations.
    async fn operate(&self, with: Value) -> Result<Value, Failure> {
        let operation = Operation::read(&with)?;
        let asked = operation.ask(&self.settings, "")?;
        let answer = self.ask(&asked).await?;
        answer::output(&operation, &asked, &answer, &self.settings, &self.terms())
    }

    async fn ask(&self, asked: &Asked) -> Result<Answered, Failure> {
        self.connector.ask(asked, &self.settings, &self.terms()).await
    }

    /// Whether the object is still the one that was found.
    async fn is_same(&self, file: &File<'_>) -> Result<bool, Failure> {
        let head = json!({"operation": "headObject", "bucket": self.files.bucket, "key": file.key});
        Ok(self.operate(head).await?.get("etag").and_then(Value::as_str) == file.etag)
    }

    /// Copies it to where it is to be, and deletes it where it was.
    async fn relocate(&self, file: &File<'_>) -> Result<(), Failure> {
        if !self.is_same(file).await? {
            return Ok(());
        }
        let bucket = &self.files.bucket;
        let target = format!("{}{}", self.files.moved_to, file.rest(&self.files.prefix));
        let from = json!({"bucket": bucket, "key": file.key});
        self.operate(json!({"operation": "copyObject", "bucket": bucket, "key": target, "from": from})).await?;
        // What somebody has put there meanwhile is another file, which is to be delivered, too.
        if self.is_same(file).await? {
            self.operate(json!({"operation": "deleteObject", "bucket": bucket, "key": file.key})).await?;
        }
        Ok(())
    }

    /// Adds our tag to those that it has.
    async fn tag(&self, file: &File<'_>) -> Result<(), Failure> {
        let what = format!("tagging the object {} of {}", file.key, self.files.bucket);
        let mut url = self.settings.object(&self.files.bucket, file.key)?;
        set_query(&mut url, [("tagging", "")]);
        let asked = Asked { method: Method::GET, url: url.clone(), headers: Vec::new(), body: Vec::new() };
        let known = self.ask(&asked).await?;
        if known.status == 404 {
            return Ok(());
        }
        if !known.is_success() {
            return Err(answer::refused(&what, &known, &self.settings));
        }
        let garbled = || self.terms().unusable(format!("the tags of the object cannot be read ({what})"));
        let body = with_tag(&known.content, self.look.by).ok_or_else(garbled)?.into_bytes();
        let headers = vec![
            ("content-type".to_owned(), "application/xml".to_owned()),
            ("x-amz-checksum-sha256".to_owned(), STANDARD.encode(digest(&SHA256, &body))),
        ];
        let told = self.ask(&Asked { method: Method::PUT, url, headers, body }).await?;
        if told.is_success() || told.status == 404 {
            Ok(())
        } else {
            Err(answer::refused(&what, &told, &self.settings))
        }
    }

    /// What is in a file, or why that is left out; none where it is no longer the one that was found.
    async fn content(&self, file: &File<'_>) -> Result<Option<Value>, Failure> {
        if file.size > CONTENT {
            let why = "the file is larger than 32 KiB; let the workflow read it by call: s3";
            return Ok(Some(json!({"contentLeftOut": why})));
        }
        let (bucket, key) = (&self.files.bucket, file.key);
        let get = json!({"operation": "getObject", "bucket": bucket, "key": key, "encoding": "base64"});
        let read = match self.operate(get).await {
            Err(failure) if failure.error.status == 404 => return Ok(None),
            read => read?,
        };
        if read.get("etag").and_then(Value::as_str) != file.etag {
            return Ok(None);
        }
        let encoded = read.get("content").and_then(Value::as_str).unwrap_or_default();
        let text = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let kind = read.get("contentType");
        Ok(Some(match text {
            Some(text) => json!({"content": text, "contentType": kind}),
            None => {
                let why = "the file is no text in UTF-8; let the workflow read it by call: s3";
                json!({"contentLeftOut": why, "contentType": kind})
            }
        }))
    }
}

#[async_trait]
impl Watching for Bucket<'_> {
    async fn find(&mut self, _progress: Option<&str>) -> Result<Found, Failure> {
        let FilesView { bucket, prefix, pattern, .. } = &self.files;
        let (mut items, mut listed, mut after) = (Vec::new(), 0, None::<String>);
        loop {
            let mut list = json!({"operation": "listObjects", "bucket": bucket, "prefix": prefix});
            if let (Some(list), Some(after)) = (list.as_object_mut(), after) {
                list.insert("after".to_owned(), after.into());
            }
            let page = self.operate(list).await?;
            let objects = page.get("objects").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            listed += objects.len();
            if listed > OBJECTS {
                return Err(Failure::configuration(format!(
                    "there are more than {OBJECTS} objects under this prefix; have the trigger move what was delivered, \
                     choose a longer prefix, or clear the bucket up"
                )));
            }
            for facts in objects {
                let Some(file) = File::of(facts) else { continue };
                let rest = file.rest(prefix);
                // What ends with a slash is a folder that some programs put there.
                let is_file = !rest.is_empty() && !rest.ends_with('/');
                if is_file && (pattern.is_empty() || is_like(rest, pattern)) {
                    items.push((
                        file.time.to_owned(),
                        Item { key: file.fingerprint(), facts: facts.clone(), progress: None },
                    ));
                }
            }
            after = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if after.is_none() {
                break;
            }
        }
        items.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(Found { items: items.into_iter().map(|(_, item)| item).collect(), ..Found::default() })
    }

    async fn read(&mut self, item: &Item) -> Result<Reading, Failure> {
        let Some(file) = File::of(&item.facts) else { return Ok(Reading::Gone) };
        let mut said = json!({
            "bucket": self.files.bucket,
            "key": file.key,
            "name": file.rest(&self.files.prefix),
            "size": file.size,
            "etag": file.etag,
            "lastModified": file.time,
        });
        if self.files.content {
            let Some(content) = self.content(&file).await? else { return Ok(Reading::Gone) };
            if let (Value::Object(said), Value::Object(content)) = (&mut said, content) {
                said.extend(content);
            }
        }
        Ok(Reading::Said(said))
    }

    async fn settle(&mut self, item: &Item) -> Result<(), Failure> {
        let Some(file) = File::of(&item.facts) else { return Ok(()) };
        match self.files.end {
            FileEnd::Leave => Ok(()),
            FileEnd::Tag => self.tag(&file).await,
            FileEnd::Move => self.relocate(&file).await,
        }
    }
}

/// An object as a list tells of it.
struct File<'a> {
    key: &'a str,
    size: u64,
    etag: Option<&'a str>,
    time: &'a str,
}

impl<'a> File<'a> {
    fn of(facts: &'a Value) -> Option<Self> {
        let text = |name: &str| facts.get(name).and_then(Value::as_str);
        let size = facts.get("size").and_then(Value::as_u64)?;
        Some(Self { key: text("key")?, size, etag: text("etag"), time: text("lastModified").unwrap_or_default() })
    }

    /// Its key without the prefix.
    fn rest(&self, prefix: &str) -> &'a str {
        self.key.strip_prefix(prefix).unwrap_or(self.key)
    }

    /// What tells it from every other, and from what was under the same key before.
    fn fingerprint(&self) -> String {
        sha256(json!([self.key, self.etag, self.time]).to_string().as_bytes())
    }
}

/// Whether a text is like a pattern with `*` for any letters and `?` for one.
fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut place) = (0, 0);
    // Behind the last star: where the pattern goes on, and how much of the text the star has.
    let mut star = None;
    while let Some(letter) = text.get(at) {
        match pattern.get(place) {
            Some('*') => {
                place += 1;
                star = Some((place, at));
            }
            Some(wanted) if *wanted == '?' || wanted == letter => {
                place += 1;
                at += 1;
            }
            _ => {
                let Some((behind, taken)) = star else { return false };
                place = behind;
                at = taken + 1;
                star = Some((behind, at));
            }
        }
    }
    pattern.iter().skip(place).all(|wanted| *wanted == '*')
}

/// The tags of an answer and ours, to be sent back.
fn with_tag(known: &[u8], by: &str) -> Option<String> {
    let document = Document::parse(std::str::from_utf8(known).ok()?).ok()?;
    let root = document.root_element();
    if root.tag_name().name() != "Tagging" {
        return None;
    }
    let tags = root.descendants().filter(|node| node.tag_name().name() == "Tag").filter_map(|tag| {
        let part = |name: &str| tag.children().find(|part| part.tag_name().name() == name);
        Some((part("Key")?.text()?.to_owned(), part("Value")?.text().unwrap_or_default().to_owned()))
    });
    let ours = (TAG.to_owned(), by.to_owned());
    let tags: String = tags
        .filter(|(key, _)| key != TAG)
        .chain([ours])
        .map(|(key, value)| format!("<Tag><Key>{}</Key><Value>{}</Value></Tag>", escaped(&key), escaped(&value)))
        .collect();
    Some(format!("<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>{tags}</TagSet></Tagging>"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_of_stars_and_question_marks() {
        for (text, pattern) in [
            ("a.csv", "*.csv"),
            ("deep/a.csv", "*.csv"),
            ("a.csv", "?.csv"),
            ("a.csv", "*"),
            ("", "*"),
            ("", ""),
            ("aab", "a*b"),
            ("é.csv", "?.csv"),
            ("abcabc", "*abc"),
        ] {
            assert!(is_like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [("a.csv", "*.CSV"), ("a.csv.part", "*.csv"), ("ab.csv", "?.csv"), ("", "?"), ("a", "")]
        {
            assert!(!is_like(text, pattern), "{text} {pattern}");
        }
        assert!(!is_like(&"a".repeat(1024), &format!("{}b", "a*".repeat(60))), "and takes no long time for that");
    }

    #[test]
    fn a_tag_is_added_to_those_that_are_there() {
        let known = "<?xml version=\"1.0\"?><Tagging><TagSet><Tag><Key>a&amp;b</Key><Value>1</Value></Tag>\
                     <Tag><Key>rondo-trigger</Key><Value>x/y</Value></Tag></TagSet></Tagging>";
        let tagged = with_tag(known.as_bytes(), "incident/drops").unwrap();
        assert!(tagged.contains("<Key>a&amp;b</Key><Value>1</Value>"), "{tagged}");
        assert!(tagged.contains("<Key>rondo-trigger</Key><Value>incident/drops</Value>"), "{tagged}");
        assert!(!tagged.contains("x/y"), "{tagged}");
        assert_eq!(with_tag(b"<Error/>", "a/b"), None);
    }
}
