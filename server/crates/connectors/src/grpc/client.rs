//! One call over an open connection: messages there, messages back, and what a status means.

use std::{error::Error as _, sync::Arc, time::Duration};

use futures::{Stream, stream};
use hyper::http::uri::PathAndQuery;
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor, prost::Message as _, prost_types};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::Value;
use tonic::{
    Code, Extensions, Request, Status, Streaming,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
};
use workflow::{RunError, StandardError};

use super::{message, wire::Wire};
use crate::{
    CallContext, Failure, FailureKind,
    http::{Http, authentication::Credentials, outgoing::header_value},
};

/// The largest message, and the most of a stream, that is taken in.
pub(super) const MESSAGE_LIMIT: usize = 5 * 1024 * 1024;
/// The name by which services recognise a repeated request.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// How the words begin about an answer that does not fit its description.
const MISFIT: &str = "the answer does not fit its description";
/// How the library's words begin about an answer that ends without a status.
const CUT_OFF: &str = "protocol error: missing grpc-status";
/// How the words begin about answers that cannot be used, and what to do then. The first are the library's.
const UNUSABLE: [(&str, &str); 3] = [
    ("Error, decoded message length too large", TOO_LARGE),
    ("protocol error: ", "see whether host and port are those of a gRPC service"),
    (MISFIT, "compare the .proto text with the service's own"),
];
const TOO_LARGE: &str = "ask for less at once";

/// A status that no service has given: what came cannot be used. With what to do then.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unusable(&'static str);

/// Who calls, and over what.
pub(super) struct Client<'a> {
    pub(super) http: &'a Http,
    pub(super) wire: &'a Wire,
    pub(super) credentials: Option<&'a Credentials>,
    pub(super) context: &'a CallContext,
}

impl Client<'_> {
    /// Calls a method; `idempotent` says that the definition holds that it may be called twice without harm.
    pub(super) async fn call(
        &self,
        method: &MethodDescriptor,
        messages: Vec<DynamicMessage>,
        idempotent: bool,
    ) -> Result<Value, Failure> {
        let name = method.full_name();
        let repeatable = idempotent || is_idempotent(method);
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let path = PathAndQuery::try_from(path).map_err(|error| Failure::configuration(error.to_string()))?;
        let limit = self.context.limit();
        let lost = |error: RunError| if repeatable { Failure::lost(error) } else { Failure::unknown(error) };
        let attempts = self.authenticated(|metadata| {
            let codec = MessageCodec(method.output());
            exchange(self.wire, &path, codec, stream::iter(messages.clone()), metadata, limit)
        });
        let Ok(answers) = tokio::time::timeout(limit, attempts).await else {
            let detail = format!(
                "{name}: no complete answer within {} seconds; look there whether it was done, or give the task more time",
                limit.as_secs()
            );
            return Err(lost(RunError::new(StandardError::Timeout, detail)));
        };
        let answers = answers?.map_err(|status| failure(name, &status, lost))?;
        self.context.info(format!("{name}: {} message(s)", answers.len()));
        message::write(method, answers)
    }

    /// Makes an attempt with the credentials, and another with a new token where a kept one was refused.
    pub(super) async fn authenticated<T, F>(
        &self,
        mut attempt: impl FnMut(MetadataMap) -> F,
    ) -> Result<Result<T, Status>, Failure>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let mut shown = self.http.shown(self.credentials, self.context).await?;
        let mut last = false;
        loop {
            let mut headers = HeaderMap::new();
            headers.insert(IDEMPOTENCY_KEY, header_value(IDEMPOTENCY_KEY, &self.context.key)?);
            if let Some(header) = &shown.header {
                if !self.wire.private {
                    let detail = "the service does not speak TLS, and credentials are not sent in the clear";
                    return Err(Failure::configuration(detail));
                }
                headers.insert(AUTHORIZATION, header.clone());
            }
            let result = attempt(MetadataMap::from_headers(headers)).await;
            let refused = matches!(&result, Err(status) if status.code() == Code::Unauthenticated);
            if last || !refused || !self.http.withdraw(shown) {
                return Ok(result);
            }
            last = true;
            shown = self.http.shown(self.credentials, self.context).await?;
        }
    }
}

/// Whether the description says that the method may be called twice without harm.
fn is_idempotent(method: &MethodDescriptor) -> bool {
    use prost_types::method_options::IdempotencyLevel;
    let options = method.method_descriptor_proto().options.as_ref();
    options.is_some_and(|options| options.idempotency_level() != IdempotencyLevel::IdempotencyUnknown)
}

/// Opens a stream of answers to a stream of messages.
pub(super) async fn begin<C: Codec>(
    wire: &Wire,
    path: &PathAndQuery,
    codec: C,
    messages: impl Stream<Item = C::Encode> + Send + 'static,
    metadata: MetadataMap,
    limit: Duration,
) -> Result<Streaming<C::Decode>, Status>
where
    C::Encode: Sync,
    C::Decode: Sync,
{
    let mut request = Request::from_parts(metadata, Extensions::default(), messages);
    request.set_timeout(limit);
    let mut grpc = wire.grpc().max_decoding_message_size(MESSAGE_LIMIT);
    Ok(grpc.streaming(request, path.clone(), codec).await?.into_inner())
}

async fn exchange(
    wire: &Wire,
    path: &PathAndQuery,
    codec: MessageCodec,
    messages: impl Stream<Item = DynamicMessage> + Send + 'static,
    metadata: MetadataMap,
    limit: Duration,
) -> Result<Vec<DynamicMessage>, Status> {
    let mut answers = begin(wire, path, codec, messages, metadata, limit).await?;
    let (mut received, mut size) = (Vec::new(), 0);
    while let Some(answer) = answers.message().await.map_err(judged)? {
        size += answer.encoded_len();
        if size > MESSAGE_LIMIT {
            let words = format!("the answers are larger than {} MiB", MESSAGE_LIMIT >> 20);
            return Err(marked(Status::out_of_range(words), TOO_LARGE));
        }
        received.push(answer);
    }
    Ok(received)
}

/// A status that came with an answer, marked if it was made here of what cannot be used.
pub(super) fn judged(status: Status) -> Status {
    if status.source().is_some() || status.message().starts_with(CUT_OFF) {
        return status;
    }
    match UNUSABLE.iter().find(|(words, _)| status.message().starts_with(*words)) {
        Some((_, remedy)) => marked(status, remedy),
        None => status,
    }
}

fn marked(mut status: Status, remedy: &'static str) -> Status {
    status.set_source(Arc::new(Unusable(remedy)));
    status
}

/// What a status means; `lost` makes the failure of a call that may have happened.
pub(super) fn failure(method: &str, status: &Status, lost: impl Fn(RunError) -> Failure) -> Failure {
    let said = status.message();
    if let Some(cause) = status.source() {
        if let Some(Unusable(remedy)) = cause.downcast_ref() {
            let failure = lost(RunError::communication(502, format!("{method}: {said}; {remedy}")));
            // What may be asked again would be answered so again.
            let may_have_happened = failure.kind == FailureKind::Unknown;
            return if may_have_happened { failure } else { Failure::permanent(*failure.error) };
        }
        // Nobody said so: the connection broke.
        return lost(RunError::communication(503, format!("{method}: the connection broke: {cause}")));
    }
    if said.starts_with(CUT_OFF) {
        return lost(RunError::communication(503, format!("{method}: the answer broke off: {said}")));
    }
    let detail = format!("{method}: {}: {said}", status.code().description());
    let error = RunError::communication(http_status(status.code()), detail.clone());
    match status.code() {
        Code::DeadlineExceeded => lost(RunError::new(StandardError::Timeout, detail)),
        Code::Cancelled => lost(error),
        Code::Unknown | Code::ResourceExhausted | Code::Aborted | Code::Internal | Code::Unavailable => {
            Failure::retryable(error)
        }
        _ => Failure::permanent(error),
    }
}

/// The status of HTTP that says the same, as `google.rpc.Code` maps them.
const fn http_status(code: Code) -> u16 {
    match code {
        Code::Ok => 200,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::Aborted | Code::AlreadyExists => 409,
        Code::ResourceExhausted => 429,
        Code::Cancelled => 499,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
    }
}

/// Writes messages, and reads those that a method gives.
struct MessageCodec(MessageDescriptor);

struct MessageEncoder;
struct MessageDecoder(MessageDescriptor);

impl Codec for MessageCodec {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = MessageEncoder;
    type Decoder = MessageDecoder;

    fn encoder(&mut self) -> MessageEncoder {
        MessageEncoder
    }

    fn decoder(&mut self) -> MessageDecoder {
        MessageDecoder(self.0.clone())
    }
}

impl Encoder for MessageEncoder {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(into).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for MessageDecoder {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let message = DynamicMessage::decode(self.0.clone(), from);
        message.map(Some).map_err(|error| Status::data_loss(format!("{MISFIT}: {error}")))
    }
}
