//! `call: grpc` against services made for the purpose, in the clear and by TLS, described by texts and by themselves.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    http::{HeaderMap, Request, Response, header},
    routing::post,
};
use connectors::{Outcome, Repetition, egress::EgressPolicy};
use domain::Clock as _;
use futures::{FutureExt as _, future::BoxFuture, stream};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use protox::{
    Compiler,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::{Value, json};
use testkit::WallClock;
use tokio::{net::TcpListener, sync::Notify};
use tokio_rustls::TlsAcceptor;
use tonic::{Code, Status, Streaming, body::Body, server::NamedService, service::Routes};
use tonic_prost::ProstCodec;
use workflow::StandardError;

use crate::{
    faults::waiting,
    http::serve,
    support::{Bench, PATIENCE, closed_port, done, greeting, permanent, retryable, trusting, unknown},
};

const PROTO: &str = r#"syntax = "proto3";
package tests;
import "shared/mood.proto";
import "google/protobuf/timestamp.proto";
message HelloRequest {
  string name = 1;
  int32 times = 2;
  int64 big = 3;
  Mood mood = 4;
  google.protobuf.Timestamp at = 5;
}
message HelloReply {
  string message = 1;
  int64 big = 2;
  Mood mood = 3;
  bool last = 4;
  google.protobuf.Timestamp at = 5;
}
service Greeter {
  rpc SayHello (HelloRequest) returns (HelloReply);
  rpc Look (HelloRequest) returns (HelloReply) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Count (HelloRequest) returns (stream HelloReply);
  rpc Gather (stream HelloRequest) returns (HelloReply);
  rpc Chat (stream HelloRequest) returns (stream HelloReply);
}
"#;
const MOOD: &str = "syntax = \"proto3\";\npackage tests;\nenum Mood { CALM = 0; GLAD = 1; }\n";

#[derive(Clone, PartialEq, prost::Message)]
struct HelloRequest {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "2")]
    times: i32,
    #[prost(int64, tag = "3")]
    big: i64,
    #[prost(int32, tag = "4")]
    mood: i32,
    #[prost(bytes = "vec", optional, tag = "5")]
    at: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HelloReply {
    #[prost(string, tag = "1")]
    message: String,
    #[prost(int64, tag = "2")]
    big: i64,
    #[prost(int32, tag = "3")]
    mood: i32,
    #[prost(bool, tag = "4")]
    last: bool,
    #[prost(bytes = "vec", optional, tag = "5")]
    at: Option<Vec<u8>>,
}

/// A service that says back what it was sent. A name `fail N` is answered by the status N, `hang` by nothing at all.
#[derive(Clone, Default)]
struct Greeter {
    seen: Arc<Mutex<Vec<HeaderMap>>>,
    /// The only value of `Authorization` that it takes.
    wants: Option<String>,
    /// Told when one that hangs has come, and when it has gone.
    asked: Arc<Notify>,
    left: Arc<Notify>,
}

impl Greeter {
    async fn answer(self, method: String, mut requests: Streaming<HelloRequest>) -> Result<Vec<HelloReply>, Status> {
        let mut taken = Vec::new();
        while let Some(request) = requests.message().await? {
            taken.push(request);
        }
        let first = taken.first().cloned().unwrap_or_default();
        if let Some(code) = first.name.strip_prefix("fail ") {
            return Err(Status::new(Code::from_i32(code.parse().unwrap()), "because"));
        }
        if first.name == "hang" {
            waiting(&self.asked, &self.left)().await;
        }
        let reply = |request: &HelloRequest, last: bool| HelloReply {
            message: format!("Hello {}", request.name),
            big: request.big,
            mood: request.mood,
            last,
            at: request.at.clone(),
        };
        Ok(match method.as_str() {
            "Count" => (1..=first.times).map(|at| reply(&first, at == first.times)).collect(),
            "Gather" => {
                let names: Vec<String> = taken.into_iter().map(|request| request.name).collect();
                vec![HelloReply { message: names.join(" and "), ..HelloReply::default() }]
            }
            "Chat" => taken.iter().map(|request| reply(request, false)).collect(),
            _ => vec![reply(&first, true)],
        })
    }
}

impl NamedService for Greeter {
    const NAME: &'static str = "tests.Greeter";
}

impl tower::Service<Request<Body>> for Greeter {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let greeter = self.clone();
        greeter.seen.lock().unwrap().push(request.headers().clone());
        let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let given = request.headers().get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
        async move {
            let handler = tower::service_fn(move |request: tonic::Request<Streaming<HelloRequest>>| {
                let (greeter, method, given) = (greeter.clone(), method.clone(), given.clone());
                async move {
                    if greeter.wants.is_some() && greeter.wants != given {
                        return Err(Status::unauthenticated("who are you?"));
                    }
                    let replies = greeter.answer(method, request.into_inner()).await?;
                    Ok::<_, Status>(tonic::Response::new(stream::iter(replies.into_iter().map(Ok))))
                }
            });
            let codec = ProstCodec::<HelloReply, HelloRequest>::default();
            Ok(tonic::server::Grpc::new(codec).streaming(handler, request).await)
        }
        .boxed()
    }
}

struct Texts;

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match name {
            "greet.proto" => File::from_source(name, PROTO),
            "shared/mood.proto" => File::from_source(name, MOOD),
            _ => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// The description of the service, as a service has it of itself.
fn described() -> Vec<u8> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_file("greet.proto").unwrap();
    compiler.encode_file_descriptor_set()
}

enum Reflection {
    None,
    V1,
    V1Alpha,
}

/// Serves on a free port of this machine, by TLS if there is a configuration.
async fn start(greeter: Greeter, reflection: Reflection, tls: Option<ServerConfig>) -> SocketAddr {
    let description = || tonic_reflection::server::Builder::configure();
    let encoded = described();
    let routes = Routes::new(greeter);
    let routes = match reflection {
        Reflection::None => routes,
        Reflection::V1 => {
            routes.add_service(description().register_encoded_file_descriptor_set(&encoded).build_v1().unwrap())
        }
        Reflection::V1Alpha => {
            routes.add_service(description().register_encoded_file_descriptor_set(&encoded).build_v1alpha().unwrap())
        }
    };
    listen(routes.prepare().into_axum_router(), tls).await
}

async fn listen(routed: Router, tls: Option<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(routed.clone());
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                match acceptor {
                    None => drop(server.serve_connection(TokioIo::new(stream), service).await),
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            drop(server.serve_connection(TokioIo::new(stream), service).await);
                        }
                    }
                }
            });
        }
    });
    address
}

/// A bench in whose folder the texts are.
async fn bench() -> Bench {
    let bench = Bench::new().await;
    std::fs::create_dir_all(bench.folder.path().join("app/shared")).unwrap();
    std::fs::write(bench.folder.path().join("app/greet.proto"), PROTO).unwrap();
    std::fs::write(bench.folder.path().join("app/shared/mood.proto"), MOOD).unwrap();
    bench
}

fn call(at: SocketAddr, method: &str, arguments: Value) -> Value {
    json!({
        "proto": {"endpoint": "file://app/greet.proto"},
        "service": {"name": "tests.Greeter", "host": at.ip().to_string(), "port": at.port()},
        "method": method,
        "arguments": arguments
    })
}

#[tokio::test]
async fn a_message_goes_there_and_one_comes_back() {
    let (bench, greeter) = (bench().await, Greeter::default());
    let at = start(greeter.clone(), Reflection::None, None).await;
    let arguments = json!({"name": "Ada", "big": "9007199254740993", "mood": "GLAD", "at": "2026-01-02T03:04:05Z"});
    let output = done(bench.call("grpc", "key-1", call(at, "SayHello", arguments)).await);
    assert_eq!(
        output,
        json!({
            "message": "Hello Ada", "big": "9007199254740993", "mood": "GLAD", "last": true, "at": "2026-01-02T03:04:05Z"
        })
    );
    let seen = greeter.seen.lock().unwrap().clone();
    assert_eq!(seen[0]["idempotency-key"], "key-1");
    assert!(seen[0].contains_key("grpc-timeout"), "{seen:?}");
    let bare = json!({
        "proto": {"endpoint": "file://app/greet.proto"},
        "service": {"name": "tests.Greeter", "host": "127.0.0.1", "port": at.port()},
        "method": "SayHello"
    });
    // What has no presence is there with its default, what has is not.
    let output = done(bench.call("grpc", "k", bare).await);
    assert_eq!(output, json!({"message": "Hello ", "big": "0", "mood": "CALM", "last": true}));
}

#[tokio::test]
async fn what_streams_is_an_array() {
    let bench = bench().await;
    let at = start(Greeter::default(), Reflection::None, None).await;
    let output = done(bench.call("grpc", "k", call(at, "Count", json!({"name": "Ada", "times": 3}))).await);
    assert_eq!(output.as_array().unwrap().len(), 3);
    assert_eq!((&output[0]["last"], &output[2]["last"]), (&json!(false), &json!(true)));
    assert_eq!(done(bench.call("grpc", "k", call(at, "Count", json!({"times": 0}))).await), json!([]));
    let names = json!([{"name": "Ada"}, {"name": "Grace"}]);
    assert_eq!(done(bench.call("grpc", "k", call(at, "Gather", names.clone())).await)["message"], "Ada and Grace");
    assert_eq!(done(bench.call("grpc", "k", call(at, "Gather", json!({"name": "Ada"}))).await)["message"], "Ada");
    let output = done(bench.call("grpc", "k", call(at, "Chat", names.clone())).await);
    assert_eq!((&output[0]["message"], &output[1]["message"]), (&json!("Hello Ada"), &json!("Hello Grace")));
    let error = bench.call("grpc", "k", call(at, "SayHello", names)).await.error().unwrap().clone();
    assert!(error.is(StandardError::Validation) && error.to_string().contains("one message"), "{error}");
}

#[tokio::test]
async fn a_service_can_describe_itself() {
    let bench = Bench::new().await;
    for reflection in [Reflection::V1, Reflection::V1Alpha] {
        let at = start(Greeter::default(), reflection, None).await;
        let mut with = call(at, "SayHello", json!({"name": "Ada", "mood": "GLAD"}));
        with["proto"] = json!({"endpoint": format!("grpc://{at}")});
        let output = done(bench.call("grpc", "k", with.clone()).await);
        assert_eq!((&output["message"], &output["mood"]), (&json!("Hello Ada"), &json!("GLAD")));
        with["service"]["name"] = json!("tests.Nobody");
        let error = bench.call("grpc", "k", with).await.error().unwrap().clone();
        assert_eq!(error.status, 404, "{error}");
    }
    let at = start(Greeter::default(), Reflection::None, None).await;
    let mut with = call(at, "SayHello", json!({}));
    with["proto"] = json!({"endpoint": format!("grpc://{at}")});
    let error = bench.call("grpc", "k", with).await.error().unwrap().clone();
    assert!(error.status == 501 && error.to_string().contains("server reflection"), "{error}");
}

#[tokio::test]
async fn statuses_are_those_of_http_and_say_whether_to_try_again() {
    let bench = bench().await;
    let at = start(Greeter::default(), Reflection::None, None).await;
    let fail = async |method: &str, code: Code| {
        bench.call("grpc", "k", call(at, method, json!({"name": format!("fail {}", code as i32)}))).await
    };
    for (code, status) in [
        (Code::InvalidArgument, 400),
        (Code::NotFound, 404),
        (Code::AlreadyExists, 409),
        (Code::PermissionDenied, 403),
        (Code::FailedPrecondition, 400),
        (Code::OutOfRange, 400),
        (Code::Unimplemented, 501),
        (Code::DataLoss, 500),
        (Code::Unauthenticated, 401),
    ] {
        let Outcome::Permanent(error) = fail("SayHello", code).await else { panic!("{code:?}") };
        assert!(error.is(StandardError::Communication) && error.status == status, "{code:?} {error}");
        assert!(error.to_string().contains("because"), "{error}");
    }
    for (code, status) in [
        (Code::Unknown, 500),
        (Code::ResourceExhausted, 429),
        (Code::Aborted, 409),
        (Code::Internal, 500),
        (Code::Unavailable, 503),
    ] {
        let Outcome::Retryable(error) = fail("SayHello", code).await else { panic!("{code:?}") };
        assert_eq!(error.status, status, "{code:?}");
    }
    // These may have happened, unless the description says that it does not matter.
    for (code, status) in [(Code::Cancelled, 499), (Code::DeadlineExceeded, 408)] {
        assert!(matches!(fail("SayHello", code).await, Outcome::Unknown(error) if error.status == status), "{code:?}");
        assert!(matches!(fail("Look", code).await, Outcome::Lost(error) if error.status == status), "{code:?}");
    }
}

#[tokio::test]
async fn a_deadline_ends_the_call_and_reaches_the_service() {
    let (bench, greeter) = (bench().await, Greeter::default());
    let at = start(greeter.clone(), Reflection::None, None).await;
    for (method, repeatable) in [("SayHello", false), ("Look", true)] {
        let mut context = bench.context("k");
        context.deadline = Some(WallClock.now() + Duration::from_millis(300));
        let call = bench.call_in("grpc", call(at, method, json!({"name": "hang"})), &context);
        let outcome = tokio::time::timeout(PATIENCE, call).await.unwrap();
        let error = outcome.error().unwrap();
        assert!(error.is(StandardError::Timeout), "{error}");
        assert_eq!(matches!(outcome, Outcome::Lost(_)), repeatable, "{outcome:?}");
        assert_eq!(matches!(outcome, Outcome::Unknown(_)), !repeatable, "{outcome:?}");
    }
    let request = bench.prepare("grpc", call(at, "SayHello", json!({}))).await.unwrap();
    assert_eq!(bench.registry.repetition(&request), Repetition::Once);
}

#[tokio::test]
async fn arguments_must_fit_the_description_and_are_not_repeated() {
    let bench = bench().await;
    let at = start(Greeter::default(), Reflection::None, None).await;
    for (arguments, words) in [
        (json!({"nme": "hunter2"}), "no field “nme”"),
        (json!({"name": "x", "times": "hunter2"}), "“times” does not fit"),
        (json!({"mood": "hunter2"}), "“mood” does not fit"),
    ] {
        let error = bench.call("grpc", "k", call(at, "SayHello", arguments)).await.error().unwrap().clone();
        assert!(error.is(StandardError::Validation) && error.to_string().contains(words), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    for (part, value, words) in [
        ("/service/name", json!("tests.Nobody"), "no service “tests.Nobody”"),
        ("/method", json!("SayBye"), "no method “SayBye”"),
        ("/proto/endpoint", json!("file://app/absent.proto"), "absent.proto"),
    ] {
        let mut with = call(at, "SayHello", json!({}));
        *with.pointer_mut(part).unwrap() = value;
        let error = bench.call("grpc", "k", with).await.error().unwrap().clone();
        assert!(error.is(StandardError::Configuration) && error.to_string().contains(words), "{error}");
    }
    std::fs::write(bench.folder.path().join("app/broken.proto"), "syntax = \"proto3\";\nmessage A {\n  strin\n}")
        .unwrap();
    std::fs::write(bench.folder.path().join("app/alone.proto"), "import \"absent.proto\";").unwrap();
    for (text, words) in [("broken", "broken.proto:4:"), ("alone", "absent.proto")] {
        let mut with = call(at, "SayHello", json!({}));
        with["proto"]["endpoint"] = json!(format!("file://app/{text}.proto"));
        let error = bench.call("grpc", "k", with).await.error().unwrap().clone();
        assert!(error.is(StandardError::Configuration) && error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn what_may_not_be_reached_is_not_and_what_does_not_answer_is_said() {
    let guarded = Bench::with_policy(EgressPolicy { loopback: false, ..EgressPolicy::default() }).await;
    let greeter = Greeter::default();
    let at = start(greeter.clone(), Reflection::V1, None).await;
    let mut with = call(at, "SayHello", json!({}));
    with["proto"]["endpoint"] = json!(format!("grpc://{at}"));
    let error = guarded.call("grpc", "k", with).await.error().unwrap().clone();
    assert!(error.is(StandardError::Authorization) && error.to_string().contains("may not be reached"), "{error}");
    std::fs::write(guarded.folder.path().join("mood.proto"), format!("{MOOD}service A {{}}")).unwrap();
    std::fs::write(
        guarded.folder.path().join("greet.proto"),
        "syntax = \"proto3\"; package tests; message A {} service Greeter { rpc SayHello (A) returns (A); }",
    )
    .unwrap();
    let mut with = call(at, "SayHello", json!({}));
    with["proto"]["endpoint"] = json!("file://greet.proto");
    let error = guarded.call("grpc", "k", with).await.error().unwrap().clone();
    assert!(error.is(StandardError::Authorization) && error.to_string().contains("may not be reached"), "{error}");
    assert!(greeter.seen.lock().unwrap().is_empty());

    let bench = bench().await;
    let closed = SocketAddr::new([127, 0, 0, 1].into(), closed_port().await);
    let outcome = bench.call("grpc", "k", call(closed, "SayHello", json!({}))).await;
    assert!(matches!(&outcome, Outcome::Retryable(error) if error.status == 503), "{outcome:?}");
}

#[tokio::test]
async fn credentials_are_shown_as_http_shows_them() {
    let bench = bench().await;
    let issuer = serve(Router::new().route(
        "/oauth2/token",
        post(|| async { Json(json!({"access_token": "issued", "token_type": "Bearer", "expires_in": 3600})) }),
    ))
    .await;
    let order = json!({"authority": issuer, "grant": "client_credentials", "client": {"id": "c", "secret": "s3cret"}});
    for (authentication, value) in [
        (json!({"basic": {"username": "u", "password": "p"}}), "Basic dTpw"),
        (json!({"bearer": {"token": "t0k"}}), "Bearer t0k"),
        (json!({"oauth2": order}), "Bearer issued"),
    ] {
        let greeter = Greeter { wants: Some(value.to_owned()), ..Greeter::default() };
        let at = start(greeter, Reflection::None, None).await;
        let mut with = call(at, "SayHello", json!({"name": "Ada"}));
        let refused = bench.call("grpc", "k", with.clone()).await;
        assert!(matches!(&refused, Outcome::Permanent(error) if error.status == 401), "{refused:?}");
        with["service"]["authentication"] = authentication;
        assert_eq!(done(bench.call("grpc", "k", with).await)["message"], "Hello Ada");
    }
    let mut with = call(SocketAddr::from(([127, 0, 0, 1], 1)), "SayHello", json!({}));
    with["service"]["authentication"] = json!({"digest": {"username": "u", "password": "p"}});
    let error = bench.call("grpc", "k", with).await.error().unwrap().clone();
    assert!(error.is(StandardError::Validation), "{error}");
    assert!(!bench.log_text().contains("t0k") && !bench.log_text().contains("s3cret"));
}

#[tokio::test]
async fn a_kept_token_that_is_refused_is_asked_for_again() {
    let bench = bench().await;
    let issued = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&issued);
    let token = post(move || async move {
        let mut issued = counter.lock().unwrap();
        *issued += 1;
        Json(json!({"access_token": format!("t{issued}"), "token_type": "Bearer", "expires_in": 3600}))
    });
    let authority = serve(Router::new().route("/oauth2/token", token)).await;
    let order = json!({"authority": authority, "grant": "client_credentials", "client": {"id": "c", "secret": "s"}});
    for expected in ["Bearer t1", "Bearer t2"] {
        let greeter = Greeter { wants: Some(expected.to_owned()), ..Greeter::default() };
        let at = start(greeter, Reflection::None, None).await;
        let mut with = call(at, "SayHello", json!({"name": "Ada"}));
        with["service"]["authentication"] = json!({"oauth2": order});
        assert_eq!(done(bench.call("grpc", "k", with).await)["message"], "Hello Ada");
    }
    assert_eq!(*issued.lock().unwrap(), 2);
}

/// An authority, and a configuration with a certificate that it issued for this machine.
fn encrypted() -> (String, ServerConfig) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            CertificateDer::pem_slice_iter(certificate.pem().as_bytes()).map(Result::unwrap).collect(),
            PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    (authority.pem(), config)
}

#[tokio::test]
async fn a_service_whose_certificate_nobody_vouches_for_learns_nothing() {
    let (bench, greeter) = (bench().await, Greeter::default());
    let at = start(greeter.clone(), Reflection::None, Some(encrypted().1)).await;
    let outcome = bench.call("grpc", "k", call(at, "SayHello", json!({"name": "Ada"}))).await;
    let Outcome::Retryable(error) = outcome else { panic!("{outcome:?}") };
    assert!(error.to_string().contains("nobody who is trusted"), "{error}");
    assert!(greeter.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_service_that_speaks_tls_is_spoken_to_by_tls() {
    let (authority, config) = encrypted();
    let greeter = Greeter { wants: Some("Bearer t0k".to_owned()), ..Greeter::default() };
    let at = start(greeter, Reflection::None, Some(config)).await;
    let bench = bench().await;
    let file = bench.folder.path().join("ca.pem");
    std::fs::write(&file, authority).unwrap();
    let test = "grpc::a_service_that_speaks_tls_is_spoken_to_by_tls";
    // The other process speaks to the service of this one.
    if let Some(at) = trusting(test, &file.display().to_string(), &at.to_string()).await {
        let mut with = call(at.parse().unwrap(), "SayHello", json!({"name": "Ada"}));
        with["service"]["authentication"] = json!({"bearer": {"token": "t0k"}});
        assert_eq!(done(bench.call("grpc", "k", with).await)["message"], "Hello Ada");
    }
}

#[tokio::test]
async fn large_answers_are_cut_off() {
    let bench = bench().await;
    let at = start(Greeter::default(), Reflection::None, None).await;
    let arguments = json!({"name": "x".repeat(1 << 20), "times": 6});
    let error = bench.call("grpc", "k", call(at, "Count", arguments)).await.error().unwrap().clone();
    assert!(error.to_string().contains("larger than 5 MiB"), "{error}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_leaves_open_what_may_have_happened() {
    let bench = bench().await;
    let answering = async |answer: &'static [u8]| {
        // What is asked is read to its end first.
        let handler = move |_: Bytes| async move { ([(header::CONTENT_TYPE, "application/grpc")], answer) };
        listen(Router::new().fallback(handler), None).await
    };
    for (answer, remedy) in [
        (&b"<html><body>Sign in"[..], "see whether host and port"),
        // It announces two gibibytes.
        (b"\0\x7f\xff\xff\xff", "ask for less"),
        (b"\0\0\0\0\x01\xff", "compare the .proto text"),
    ] {
        let at = answering(answer).await;
        let words = unknown(bench.call("grpc", "k", call(at, "SayHello", json!({"name": "Ada"}))).await);
        assert!(words.contains(remedy), "{words}");
        let (status, words) = permanent(bench.call("grpc", "k", call(at, "Look", json!({"name": "Ada"}))).await);
        assert!(status == 502 && words.contains(remedy), "{words}");
    }
    // It ends without saying how it went.
    let at = answering(b"").await;
    unknown(bench.call("grpc", "k", call(at, "SayHello", json!({"name": "Ada"}))).await);
    let outcome = bench.call("grpc", "k", call(at, "Look", json!({"name": "Ada"}))).await;
    assert!(matches!(outcome, Outcome::Lost(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_call_that_is_stopped_may_have_happened_and_is_given_up() {
    let (bench, greeter) = (bench().await, Greeter::default());
    let at = start(greeter.clone(), Reflection::None, None).await;
    let context = bench.context("k");
    let call = bench.call_in("grpc", call(at, "SayHello", json!({"name": "hang"})), &context);
    let stop = async {
        greeter.asked.notified().await;
        context.cancelled.cancel();
    };
    let (outcome, ()) = tokio::time::timeout(PATIENCE, futures::future::join(call, stop)).await.unwrap();
    assert!(unknown(outcome).contains("stopped"));
    tokio::time::timeout(PATIENCE, greeter.left.notified()).await.unwrap();
}

#[tokio::test]
async fn who_does_not_let_us_in_has_heard_nothing_of_the_call() {
    let bench = bench().await;
    let port = greeting(b"", false).await;
    let mut context = bench.context("k");
    context.deadline = Some(WallClock.now() + Duration::from_millis(300));
    let with = call(SocketAddr::new([127, 0, 0, 1].into(), port), "SayHello", json!({}));
    let words = retryable(tokio::time::timeout(PATIENCE, bench.call_in("grpc", with, &context)).await.unwrap());
    assert!(words.contains("nothing was sent"), "{words}");
}
