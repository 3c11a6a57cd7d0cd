//! Every way of proving who calls, against services and authorization servers made for the purpose.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{any, get, post},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use connectors::Outcome;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use workflow::StandardError;

use crate::{
    http::serve,
    support::{Bench, done},
};

fn call(uri: &str, authentication: Value) -> Value {
    json!({"method": "post", "body": "x", "endpoint": {"uri": uri, "authentication": authentication}})
}

/// A service that asks for a digest and lets ada in with the password lovelace.
fn digest_service(algorithm: &'static str, qop: &'static str) -> Router {
    async fn judge(request: Request, algorithm: &str, qop: &str) -> Response {
        let challenge = || {
            let value =
                format!(r#"Digest realm="tests", nonce="n0nce", opaque="o", algorithm={algorithm}, qop="{qop}""#);
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, value)]).into_response()
        };
        let method = request.method().to_string();
        let target = request.uri().to_string();
        let Some(given) = request.headers().get(header::AUTHORIZATION) else { return challenge() };
        let given = given.to_str().unwrap().to_owned();
        let body = axum::body::to_bytes(request.into_body(), 1_000).await.unwrap();
        let claimed = digest_auth::AuthorizationHeader::parse(&given).unwrap();
        let mut expected = claimed.clone();
        let known = digest_auth::AuthContext::new_with_method(
            "ada",
            "lovelace",
            target,
            Some(body.to_vec()),
            digest_auth::HttpMethod(method.into()),
        );
        expected.digest(&known);
        if claimed.response == expected.response && claimed.uri == known.uri && claimed.nonce == "n0nce" {
            "in".into_response()
        } else {
            challenge()
        }
    }
    Router::new().route("/in", any(move |request: Request| judge(request, algorithm, qop)))
}

#[tokio::test]
async fn digest_answers_the_challenge() {
    let bench = Bench::new().await;
    for (algorithm, qop) in [("MD5", "auth"), ("SHA-256", "auth,auth-int"), ("MD5", "auth-int")] {
        let base = serve(digest_service(algorithm, qop)).await;
        let login = |password: &str| json!({"digest": {"username": "ada", "password": password}});
        let output = done(bench.call("http", "k", call(&format!("{base}/in?a=b%20c"), login("lovelace"))).await);
        assert_eq!(output, "in", "{algorithm} {qop}");
        let refused = bench.call("http", "k", call(&format!("{base}/in"), login("wrong"))).await;
        assert_eq!(refused.error().unwrap().status, 401);
        assert!(!bench.log_text().contains("lovelace"));
    }
}

#[tokio::test]
async fn digest_credentials_stay_where_they_belong() {
    let bench = Bench::new().await;
    let elsewhere = format!("{}/in", serve(digest_service("MD5", "auth")).await);
    let base = serve(Router::new().route("/away", any(move || async move { Redirect::temporary(&elsewhere) }))).await;
    let mut with = call(&format!("{base}/away"), json!({"digest": {"username": "ada", "password": "lovelace"}}));
    with["redirect"] = json!(true);
    assert_eq!(bench.call("http", "k", with).await.error().unwrap().status, 401);
}

/// An authorization server that remembers what it was asked, and a service that takes its tokens.
#[derive(Clone, Default)]
struct Authority {
    asked: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    issued: Arc<AtomicUsize>,
    /// What a token answer says beside the token.
    extra: Arc<Mutex<Map<String, Value>>>,
    /// The oldest token that the service still takes.
    oldest: Arc<AtomicUsize>,
    base: Arc<Mutex<String>>,
}

impl Authority {
    async fn start() -> Self {
        let authority = Self::default();
        *authority.extra.lock().unwrap() = members(json!({"expires_in": 3600}));
        let router = Router::new()
            .route("/realm/oauth2/token", post(issue))
            .route("/realm/custom/token", post(issue))
            .route("/realm/.well-known/openid-configuration", get(discovery))
            .route(
                "/no/oauth2/token",
                post(|| async {
                    (StatusCode::UNAUTHORIZED, Json(json!({"error": "invalid_client", "error_description": "s3cret"})))
                }),
            )
            .route("/down/oauth2/token", post(|| async { StatusCode::SERVICE_UNAVAILABLE }))
            .route("/service", any(service))
            .with_state(authority.clone());
        *authority.base.lock().unwrap() = serve(router).await;
        authority
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base.lock().unwrap())
    }

    /// Calls the service with a token of this authority.
    async fn call(&self, bench: &Bench, scheme: &str, mut properties: Value) -> Outcome {
        if properties.get("authority").is_none() {
            properties["authority"] = json!(self.url("/realm"));
        }
        bench.call("http", "k", call(&self.url("/service"), json!({scheme: properties}))).await
    }

    /// What was asked last: the header `Authorization`, the parameters.
    fn last(&self) -> (Option<String>, Vec<(String, String)>) {
        let (headers, body) = self.asked.lock().unwrap().last().unwrap().clone();
        let header = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        (header, url::form_urlencoded::parse(body.as_bytes()).into_owned().collect())
    }
}

async fn issue(State(authority): State<Authority>, headers: HeaderMap, body: String) -> Json<Value> {
    authority.asked.lock().unwrap().push((headers, body));
    let number = authority.issued.fetch_add(1, Ordering::SeqCst) + 1;
    let mut answer = json!({"access_token": format!("t-{number}"), "token_type": "bearer"});
    answer.as_object_mut().unwrap().extend(authority.extra.lock().unwrap().clone());
    Json(answer)
}

async fn discovery(State(authority): State<Authority>) -> Json<Value> {
    let base = authority.base.lock().unwrap().clone();
    Json(json!({"issuer": format!("{base}/realm"), "token_endpoint": format!("{base}/realm/custom/token")}))
}

async fn service(State(authority): State<Authority>, headers: HeaderMap) -> Response {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let number = token.strip_prefix("Bearer t-").and_then(|number| number.parse::<usize>().ok());
    match number {
        Some(number) if number >= authority.oldest.load(Ordering::SeqCst) => token.to_owned().into_response(),
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other}"),
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_used_until_it_expires() {
    let (bench, authority) = (Bench::new().await, Authority::start().await);
    let order = json!({
        "grant": "client_credentials", "client": {"id": "me", "secret": "s3cret"},
        "scopes": ["read", "write"], "audiences": ["a", "b"]
    });
    assert_eq!(done(authority.call(&bench, "oauth2", order.clone()).await), "Bearer t-1");
    let (header, parameters) = authority.last();
    assert_eq!(header, None);
    let expected = [
        ("grant_type", "client_credentials"),
        ("scope", "read write"),
        ("audience", "a"),
        ("audience", "b"),
        ("client_id", "me"),
        ("client_secret", "s3cret"),
    ];
    assert_eq!(parameters, expected.map(|(name, value)| pair(name, value)));
    assert_eq!(done(authority.call(&bench, "oauth2", order.clone()).await), "Bearer t-1");
    let other = json!({"grant": "client_credentials", "client": {"id": "me", "secret": "other"}});
    assert_eq!(done(authority.call(&bench, "oauth2", other).await), "Bearer t-2");

    authority.oldest.store(3, Ordering::SeqCst);
    assert_eq!(done(authority.call(&bench, "oauth2", order.clone()).await), "Bearer t-3", "withdrawn, so asked again");

    for short in [json!({"expires_in": "5"}), json!({})] {
        *authority.extra.lock().unwrap() = members(short.clone());
        let order = json!({"grant": "client_credentials", "client": {"id": "short", "secret": short.to_string()}});
        let first = done(authority.call(&bench, "oauth2", order.clone()).await);
        assert_ne!(done(authority.call(&bench, "oauth2", order).await), first, "it has expired");
    }
    assert!(!bench.log_text().contains("s3cret") && !bench.log_text().contains("t-1"), "{}", bench.log_text());
}

#[tokio::test]
async fn clients_authenticate_in_every_way() {
    let (bench, authority) = (Bench::new().await, Authority::start().await);
    let ask = async |client: Value| {
        done(authority.call(&bench, "oauth2", json!({"grant": "client_credentials", "client": client})).await);
        authority.last()
    };
    let (header, parameters) =
        ask(json!({"id": "me:1", "secret": "a b", "authentication": "client_secret_basic"})).await;
    assert_eq!(header.unwrap(), format!("Basic {}", STANDARD.encode("me%3A1:a+b")));
    assert_eq!(parameters, [pair("grant_type", "client_credentials")]);

    let (_, parameters) = ask(json!({"id": "me", "assertion": "a.b.c", "authentication": "private_key_jwt"})).await;
    let assertion_type = pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert_eq!(parameters[1..], [pair("client_id", "me"), assertion_type.clone(), pair("client_assertion", "a.b.c")]);

    let (_, parameters) = ask(json!({"id": "me", "secret": "s3cret", "authentication": "client_secret_jwt"})).await;
    assert_eq!(parameters[2], assertion_type);
    let (signed, tag) = parameters[3].1.rsplit_once('.').unwrap();
    let key = ::ring::hmac::Key::new(::ring::hmac::HMAC_SHA256, b"s3cret");
    ::ring::hmac::verify(&key, signed.as_bytes(), &URL_SAFE_NO_PAD.decode(tag).unwrap()).unwrap();
    let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("me"), &json!("me")));
    assert_eq!(claims["aud"], authority.url("/realm/oauth2/token"));
    assert!(claims["exp"].as_i64() > claims["iat"].as_i64());

    let (header, parameters) = ask(json!({"id": "me", "authentication": "none"})).await;
    assert_eq!((header, &parameters[1..]), (None, &[pair("client_id", "me")][..]));
}

#[tokio::test]
async fn every_grant_sends_what_it_is_made_of() {
    let (bench, authority) = (Bench::new().await, Authority::start().await);
    let client = json!({"id": "me", "authentication": "none"});
    let password = json!({"grant": "password", "client": client, "username": "ada", "password": "lovelace"});
    done(authority.call(&bench, "oauth2", password).await);
    let expected = [pair("grant_type", "password"), pair("username", "ada"), pair("password", "lovelace")];
    assert_eq!(authority.last().1[..3], expected);

    let exchange = json!({
        "grant": "urn:ietf:params:oauth:grant-type:token-exchange", "client": client,
        "subject": {"token": "s", "type": "st"}, "actor": {"token": "a", "type": "at"}
    });
    done(authority.call(&bench, "oauth2", exchange).await);
    let expected =
        [("subject_token", "s"), ("subject_token_type", "st"), ("actor_token", "a"), ("actor_token_type", "at")];
    assert_eq!(authority.last().1[1..5], expected.map(|(name, value)| pair(name, value)));

    // The server hands out another refresh token each time; the newest is used.
    *authority.extra.lock().unwrap() = members(json!({"refresh_token": "second"}));
    let refresh = json!({"grant": "refresh_token", "client": client, "subject": {"token": "first", "type": "refresh"}});
    done(authority.call(&bench, "oauth2", refresh.clone()).await);
    assert_eq!(authority.last().1[1], pair("refresh_token", "first"));
    done(authority.call(&bench, "oauth2", refresh).await);
    assert_eq!(authority.last().1[1], pair("refresh_token", "second"));
}

#[tokio::test]
async fn a_token_request_goes_where_and_as_it_should() {
    let (bench, authority) = (Bench::new().await, Authority::start().await);
    let order = json!({
        "grant": "client_credentials", "client": {"id": "me", "secret": "s"}, "audiences": ["a", "b"],
        "endpoints": {"token": "/custom/token"}, "request": {"encoding": "application/json"}
    });
    done(authority.call(&bench, "oauth2", order).await);
    let (headers, body) = authority.asked.lock().unwrap().last().unwrap().clone();
    assert_eq!(headers["content-type"], "application/json");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["audience"], json!(["a", "b"]));
    assert_eq!((&body["client_id"], &body["grant_type"]), (&json!("me"), &json!("client_credentials")));

    let client = json!({"id": "discovered", "secret": "s"});
    for place in ["/realm", "/realm/.well-known/openid-configuration"] {
        let order = json!({"authority": authority.url(place), "grant": "client_credentials", "client": client});
        done(authority.call(&bench, "oidc", order).await);
        assert_eq!(authority.last().1[1], pair("client_id", "discovered"));
    }
}

#[tokio::test]
async fn what_the_authority_refuses_is_an_authentication_error() {
    let (bench, authority) = (Bench::new().await, Authority::start().await);
    let order = |place: &str| json!({"authority": authority.url(place), "grant": "client_credentials", "client": {"id": "me", "secret": "s3cret"}});
    let refused = authority.call(&bench, "oauth2", order("/no")).await;
    let Outcome::Permanent(error) = refused else { panic!("{refused:?}") };
    assert!(error.is(StandardError::Authentication), "{error}");
    assert!(error.to_string().contains("invalid_client") && !error.to_string().contains("s3cret"), "{error}");
    assert!(matches!(authority.call(&bench, "oauth2", order("/down")).await, Outcome::Retryable(_)));
    assert!(matches!(authority.call(&bench, "oidc", order("/nowhere")).await, Outcome::Permanent(_)));
    let incomplete = json!({"grant": "password", "client": {"id": "me"}});
    let error = authority.call(&bench, "oauth2", incomplete).await.error().unwrap().clone();
    assert!(error.is(StandardError::Configuration) && error.to_string().contains("username"), "{error}");
    assert_eq!(authority.issued.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_token_of_another_issuer_is_not_used() {
    let (bench, authority) = (Bench::new().await, Authority::start().await);
    let claims = URL_SAFE_NO_PAD.encode(json!({"iss": "https://good.example"}).to_string());
    *authority.extra.lock().unwrap() = members(json!({"id_token": format!("e30.{claims}.x")}));
    let order = |issuers: Value| json!({"grant": "client_credentials", "client": {"id": "me", "secret": "s"}, "issuers": issuers});
    done(authority.call(&bench, "oauth2", order(json!(["https://other.example", "https://good.example"]))).await);
    let error = authority.call(&bench, "oauth2", order(json!(["https://other.example"]))).await;
    assert!(error.error().unwrap().is(StandardError::Authentication), "{error:?}");
}

/// A listener that speaks TLS and asks for a client certificate.
struct Guarded {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Guarded {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_who_asks() {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    let ((server, server_key), (client, client_key)) = (issue("127.0.0.1"), issue("client"));
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            CertificateDer::pem_slice_iter(server.as_bytes()).map(Result::unwrap).collect(),
            PrivateKeyDer::from_pem_slice(server_key.as_bytes()).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let guarded = Guarded { listener, acceptor: TlsAcceptor::from(Arc::new(config)) };
    let router = Router::new().route("/in", any(|body: Bytes| async move { body }));
    tokio::spawn(async move { axum::serve(guarded, router).await });

    let bench = Bench::new().await;
    bench.connect("guarded", "http", json!({"baseUrl": base, "ca": authority.pem()})).await;
    let with = |authentication: Value| {
        json!({
            "method": "put", "body": "x", "output": "raw",
            "endpoint": {"uri": "connection://guarded/in", "authentication": authentication}
        })
    };
    let shown = json!({"certificate": {"certificate": client, "key": client_key}});
    assert_eq!(done(bench.call("http", "k", with(shown)).await), "eA==");
    let settings =
        json!({"baseUrl": base, "ca": authority.pem(), "clientCertificate": client, "clientKey": client_key});
    bench.connect("known", "http", settings.clone()).await;
    let by_connection = json!({"method": "put", "body": "x", "output": "raw", "endpoint": "connection://known/in"});
    assert_eq!(done(bench.call("http", "k", by_connection).await), "eA==");
    assert!(bench.check("http", settings).await.ok);
    let none = json!({"bearer": {"token": "t"}});
    assert!(bench.call("http", "k", with(none)).await.error().unwrap().is(StandardError::Communication));
    let broken = json!({"certificate": {"certificate": client, "key": server_key}});
    let error = bench.call("http", "k", with(broken)).await.error().unwrap().clone();
    assert!(error.is(StandardError::Configuration), "{error}");
}
