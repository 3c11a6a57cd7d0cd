//! The protocol of every server function.
//!
//! On the wire it is what Leptos does by default: a form's encoding to the server, JSON back. In the browser, though,
//! what does not depend on a function's types is compiled once, and not anew for each function.

use std::future::Future;

use serde::{Serialize, de::DeserializeOwned};
use server_fn::{
    Protocol,
    client::Client,
    codec::{FromReq, IntoRes, Json, PostUrl},
    server::Server,
};

use crate::{errors::AppError, json};

/// The protocol of all server functions.
pub struct Door;

impl<Input, Output, C, S> Protocol<Input, Output, C, S, AppError> for Door
where
    Input: FromReq<PostUrl, S::Request, AppError> + Serialize + Send,
    Output: IntoRes<Json, S::Response, AppError> + DeserializeOwned + Send,
    C: Client<AppError>,
    S: Server<AppError>,
{
    const METHOD: http::Method = http::Method::POST;

    async fn run_server<F, Fut>(request: S::Request, server_fn: F) -> Result<S::Response, AppError>
    where
        F: Fn(Input) -> Fut + Send,
        Fut: Future<Output = Result<Output, AppError>> + Send,
    {
        let input = Input::from_req(request).await?;
        server_fn(input).await?.into_res().await
    }

    async fn run_client(path: &str, input: Input) -> Result<Output, AppError> {
        let body = serde_qs::to_string(&input).map_err(|_| AppError::internal())?;
        read(&post(path, body).await?)
    }
}

/// Reads a server function's answer.
pub(crate) fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, AppError> {
    // An answer that cannot be read comes from a server of another version.
    json::read(answer).map_err(|_| AppError::unavailable())
}

/// Sends a form to the server function at `path`; the answer is the JSON of its output.
#[cfg(feature = "hydrate")]
pub(crate) fn post(path: &str, form: String) -> PendingBytes {
    use server_fn::{
        client::browser::BrowserClient, request::ClientReq, request::browser::BrowserRequest, response::ClientRes,
    };

    let request: Result<BrowserRequest, AppError> =
        ClientReq::<AppError>::try_new_post(path, "application/x-www-form-urlencoded", "application/json", form);
    Box::pin(async move {
        let response = <BrowserClient as Client<AppError>>::send(request?).await?;
        let status = ClientRes::<AppError>::status(&response);
        let bytes = ClientRes::<AppError>::try_into_bytes(response).await?;
        if status < 400 { Ok(bytes.to_vec()) } else { Err(read(&bytes).unwrap_or_else(|unreadable| unreadable)) }
    })
}

/// Only the browser sends forms.
#[cfg(not(feature = "hydrate"))]
pub(crate) fn post(_: &str, _: String) -> PendingBytes {
    Box::pin(async { Err(AppError::internal()) })
}

type PendingBytes = std::pin::Pin<Box<dyn Future<Output = Result<Vec<u8>, AppError>> + Send>>;
