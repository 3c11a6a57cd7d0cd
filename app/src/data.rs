//! What pages show: fetched once by the server, carried along in the page, fetched anew when what it depends on changes.
//!
//! ```ignore
//! let home = Data::new(move || live.version(Topic::Runs), |_| api::home::home());
//! load(home, || view! { <Skeleton lines=8/> }, |home| view! { … })
//! ```
//!
//! Leptos's `Resource` is compiled anew for every type in it, some 8 kB each time. [`Data`] puts all of them through one
//! resource, and knows the type only where the data goes in and where it comes out.

use std::{any::Any, future::Future, marker::PhantomData, pin::Pin, sync::Arc};

use leptos::{
    prelude::*,
    server::codee::{Decoder, Encoder},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{errors::AppError, json};

/// Data of type `T`, or the problem that there is instead.
pub struct Data<T> {
    resource: Resource<Answer, AsJson>,
    content: PhantomData<fn() -> T>,
}

impl<T> Clone for Data<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Data<T> {}

impl<T> Data<T>
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Fetches the data now, unless it came with the page, and anew whenever `key` gives another value.
    pub fn new<K, F>(
        key: impl Fn() -> K + Send + Sync + 'static,
        fetch: impl Fn(K) -> F + Send + Sync + 'static,
    ) -> Self
    where
        K: Clone + PartialEq + Send + Sync + 'static,
        F: Future<Output = Result<T, AppError>> + Send + 'static,
    {
        let fetch = move |key: Key| -> PendingAnswer {
            // A key always comes back as the type that it went in with.
            let future = key.value.downcast_ref::<K>().cloned().map(&fetch);
            Box::pin(async move {
                match future {
                    Some(future) => Answer::of(future.await),
                    None => Answer::of::<T>(Err(AppError::internal())),
                }
            })
        };
        Self { resource: resource(Box::new(move || Key::of(key())), Box::new(fetch)), content: PhantomData }
    }

    /// The data, once it is there. To be awaited inside a `Suspend`.
    pub async fn get(self) -> Result<T, AppError> {
        self.resource.await.read()
    }

    /// The resource without its type, and how to read its answers.
    pub(crate) fn parts(self) -> (Resource<Answer, AsJson>, Reader<T>) {
        (self.resource, Answer::read)
    }
}

/// How an answer is read.
pub(crate) type Reader<T> = fn(&Answer) -> Result<T, AppError>;

type PendingAnswer = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The one place where a resource is made.
fn resource(
    key: Box<dyn Fn() -> Key + Send + Sync>,
    fetch: Box<dyn Fn(Key) -> PendingAnswer + Send + Sync>,
) -> Resource<Answer, AsJson> {
    Resource::new_with_options(key, fetch, false)
}

/// A value of some type that can be compared with another of the same type.
#[derive(Clone)]
struct Key {
    value: Arc<dyn Any + Send + Sync>,
    same: fn(&dyn Any, &dyn Any) -> bool,
}

impl Key {
    fn of<K: PartialEq + Send + Sync + 'static>(value: K) -> Self {
        Self { value: Arc::new(value), same: |one, other| one.downcast_ref::<K>() == other.downcast_ref::<K>() }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        (self.same)(&*self.value, &*other.value)
    }
}

/// What was fetched, in the browser possibly still as the text that came with the page.
#[derive(Clone)]
pub(crate) struct Answer(Result<Content, AppError>);

#[derive(Clone)]
enum Content {
    Value { value: Arc<dyn Any + Send + Sync>, json: fn(&dyn Any) -> String },
    Text(Arc<str>),
}

impl Answer {
    fn of<T: Serialize + Send + Sync + 'static>(answer: Result<T, AppError>) -> Self {
        Self(answer.map(|value| Content::Value { value: Arc::new(value), json: json_of::<T> }))
    }

    fn read<T: Clone + DeserializeOwned + 'static>(&self) -> Result<T, AppError> {
        let found = match self.0.as_ref().map_err(Clone::clone)? {
            Content::Value { value, .. } => value.downcast_ref::<T>().cloned(),
            Content::Text(text) => json::read(text.as_bytes()).ok(),
        };
        found.ok_or_else(AppError::internal)
    }
}

/// A value as JSON. Only the server writes answers: the browser's program need not know how.
fn json_of<T: Serialize + 'static>(value: &dyn Any) -> String {
    if cfg!(not(feature = "hydrate")) {
        value.downcast_ref::<T>().and_then(|value| serde_json::to_string(value).ok()).unwrap_or_default()
    } else {
        String::new()
    }
}

/// How an answer travels within the page: a letter for how it went, then JSON.
pub(crate) struct AsJson;

impl Encoder<Answer> for AsJson {
    type Error = serde_json::Error;
    type Encoded = String;

    fn encode(answer: &Answer) -> Result<String, Self::Error> {
        Ok(match &answer.0 {
            Ok(Content::Value { value, json }) => format!("+{}", json(&**value)),
            Ok(Content::Text(text)) => format!("+{text}"),
            Err(error) => format!("-{}", serde_json::to_string(error)?),
        })
    }
}

impl Decoder<Answer> for AsJson {
    type Error = serde_json::Error;
    type Encoded = str;

    fn decode(text: &str) -> Result<Answer, Self::Error> {
        Ok(Answer(match text.strip_prefix('+') {
            Some(content) => Ok(Content::Text(content.into())),
            None => Err(json::read(text.trim_start_matches('-').as_bytes())?),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, AsJson, Decoder, Encoder, Key};
    use crate::errors::AppError;
    use domain::{ErrorCode, Problem};

    #[test]
    fn what_the_server_found_arrives_in_the_browser() {
        let sent = AsJson::encode(&Answer::of(Ok(vec!["가".to_owned(), "</script>".to_owned()]))).unwrap();
        let received: Vec<String> = AsJson::decode(&sent).unwrap().read().unwrap();
        assert_eq!(received, ["가", "</script>"]);

        let sent = AsJson::encode(&Answer::of::<()>(Err(AppError(Problem::new(ErrorCode::NotFound))))).unwrap();
        let refused = AsJson::decode(&sent).unwrap().read::<()>().unwrap_err();
        assert_eq!(refused.0.code, ErrorCode::NotFound);
    }

    #[test]
    fn keys_are_the_same_when_their_values_are() {
        assert!(Key::of((1, "a".to_owned())) == Key::of((1, "a".to_owned())));
        assert!(Key::of((1, "a".to_owned())) != Key::of((1, "b".to_owned())));
        assert!(Key::of(1_u8) != Key::of(1_u16));
    }
}
