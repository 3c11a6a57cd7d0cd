//! A description that a service gives of itself (gRPC Server Reflection, `v1`, or `v1alpha` where that is all it knows).

use std::collections::{BTreeMap, BTreeSet};

use futures::channel::mpsc;
use hyper::http::uri::PathAndQuery;
use prost_reflect::{DescriptorPool, prost::Message as _, prost_types::FileDescriptorProto};
use protox::file::{FileResolver as _, GoogleFileResolver};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
};

use super::client::{self, Client, MESSAGE_LIMIT};
use crate::Failure;

/// The versions of the protocol, whose messages are the same.
const PATHS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
/// How many files a description may be made of.
const FILES: usize = 500;

/// Asks the service at the other end for the description of a service.
pub(super) async fn ask(client: &Client<'_>, service: &str) -> Result<DescriptorPool, Failure> {
    let limit = client.context.limit();
    let mut refused = Status::unimplemented("");
    for path in PATHS {
        let path = PathAndQuery::from_static(path);
        let asked = client.authenticated(|metadata| collect(client, &path, service, metadata));
        let answer = tokio::time::timeout(limit, asked).await.map_err(|_| {
            Failure::unreachable(format!("no description within {} seconds; nothing was called", limit.as_secs()))
        })?;
        match answer? {
            Ok(files) => {
                let mut pool = DescriptorPool::new();
                pool.add_file_descriptor_protos(files.into_values())
                    .map_err(|error| Failure::configuration(format!("the service's description: {error}")))?;
                return Ok(pool);
            }
            Err(status) => refused = status,
        }
        if refused.code() != Code::Unimplemented {
            break;
        }
    }
    // Nothing of the call itself has been sent.
    Err(client::failure("server reflection", &refused, Failure::retryable))
}

/// The file that has the service, and those that it needs, by name.
async fn collect(
    client: &Client<'_>,
    path: &PathAndQuery,
    service: &str,
    metadata: tonic::metadata::MetadataMap,
) -> Result<BTreeMap<String, FileDescriptorProto>, Status> {
    let (ask, questions) = mpsc::unbounded();
    let question = |request: MessageRequest| {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(request) };
        ask.unbounded_send(request).map_err(|_| Status::unavailable("the stream of questions was closed"))
    };
    question(MessageRequest::FileContainingSymbol(service.to_owned()))?;
    let codec = ProstCodec::<ServerReflectionRequest, ServerReflectionResponse>::default();
    let limit = client.context.limit();
    let mut answers = client::begin(client.wire, path, codec, questions, metadata, limit).await?;
    let standard = GoogleFileResolver::new();
    let mut files: BTreeMap<String, FileDescriptorProto> = BTreeMap::new();
    let mut asked_for = BTreeSet::new();
    let (mut waiting, mut size) = (1_usize, 0);
    while waiting > 0 {
        let answer = answers
            .message()
            .await
            .map_err(client::judged)?
            .ok_or_else(|| Status::internal("it ended before its last answer"))?;
        waiting -= 1;
        let found = match answer.message_response {
            Some(MessageResponse::FileDescriptorResponse(found)) => found.file_descriptor_proto,
            Some(MessageResponse::ErrorResponse(error)) => {
                return Err(Status::new(Code::from_i32(error.error_code), error.error_message));
            }
            _ => return Err(Status::internal("it answered another question")),
        };
        for encoded in found {
            size += encoded.len();
            let file = FileDescriptorProto::decode(encoded.as_slice())
                .map_err(|error| Status::internal(format!("the description cannot be read: {error}")))?;
            files.insert(file.name().to_owned(), file);
        }
        let needed: BTreeSet<String> = files.values().flat_map(|file| file.dependency.iter().cloned()).collect();
        for name in needed {
            if files.contains_key(&name) || !asked_for.insert(name.clone()) {
                continue;
            }
            // These are the same everywhere, and few services describe them.
            if let Ok(file) = standard.open_file(&name) {
                files.insert(name, file.file_descriptor_proto().clone());
            } else {
                question(MessageRequest::FileByFilename(name))?;
                waiting += 1;
            }
        }
        if files.len() > FILES || size > MESSAGE_LIMIT {
            return Err(Status::out_of_range("the description is too large"));
        }
    }
    Ok(files)
}
