//! The ways to receivers that can be made here: HTTP, syslog, files.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use audit::{Actor, Door, Entry, Outcome, ResourceRef, seal};
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use delivery::{Format, Parcel, Receiver, Sink, Start, Takes, Trust, Way, open};
use domain::Timestamp;
use identity::random::OsRandom;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::PrivateKeyDer};
use serde_json::{Value, json};
use testkit::WallClock;

use crate::log::NAME;

fn way_to(way: Way, format: Format) -> Box<dyn Sink> {
    let takes = Takes { entries: true, checkpoints: true };
    let receiver = Receiver { name: "siem".to_owned(), takes, start: Start::First, format, way };
    open(&receiver, "rondo.example.test", Arc::new(WallClock)).unwrap().unwrap()
}

/// So many entries, each with so much in it.
fn entries(count: usize, filler: usize) -> Parcel {
    let entry = Entry {
        at: Timestamp::default(),
        actor: Actor::system(),
        door: Door::Engine,
        session: None,
        token: None,
        address: None,
        trace_id: "trace".to_owned(),
        action: "run.end".to_owned(),
        resource: ResourceRef::default(),
        namespace: None,
        outcome: Outcome::Done,
        policies: Vec::new(),
        policy_set: None,
        detail: json!({"text": "x".repeat(filler)}),
        named: Vec::new(),
    };
    Parcel::Entries((1..).take(count).map(|place| seal(place, &entry, &OsRandom).unwrap()).collect())
}

#[derive(Clone, Default)]
struct Posted(Arc<Mutex<Vec<(HeaderMap, String)>>>);

/// An HTTP receiver that refuses whom it does not know, and everything but JSON.
async fn post_office() -> (url::Url, Posted) {
    async fn take(State(posted): State<Posted>, headers: HeaderMap, body: Bytes) -> (StatusCode, &'static str) {
        if headers.get("authorization").is_none_or(|value| value != "Bearer hunter2") {
            return (StatusCode::FORBIDDEN, "who are\n  you?");
        }
        posted.0.lock().unwrap().push((headers, String::from_utf8(body.to_vec()).unwrap()));
        (StatusCode::ACCEPTED, "")
    }
    let posted = Posted::default();
    let app = Router::new().route("/in", post(take)).with_state(posted.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/in", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, posted)
}

#[tokio::test]
async fn http_is_confirmed_by_a_status_of_success() {
    let (url, posted) = post_office().await;
    let to = |secret: &str, format| {
        let header = Some(("authorization".to_owned(), format!("Bearer {secret}").into()));
        way_to(Way::Http { url: url.clone(), trust: Trust::default(), header }, format)
    };
    let parcel = entries(2, 1);
    let refused = to("wrong", Format::Rondo).deliver(NAME, &parcel).await.unwrap_err().to_string();
    assert_eq!(refused, "the receiver answered 403 Forbidden: who are you?");
    for (format, media_type) in [
        (Format::Rondo, "application/jsonl"),
        (Format::CloudEvents, "application/cloudevents-batch+json"),
        (Format::Ocsf, "application/json"),
    ] {
        to("hunter2", format).deliver(NAME, &parcel).await.unwrap();
        let (headers, body) = posted.0.lock().unwrap().pop().unwrap();
        assert_eq!(headers["content-type"], media_type);
        assert_eq!(headers["idempotency-key"], "\"rondo/4f1c33a09be2d87e/entries/1-2\"");
        let items: Vec<Value> = match format {
            Format::Rondo => body.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            _ => serde_json::from_str(&body).unwrap(),
        };
        assert_eq!(items.len(), 2);
    }
    let nobody = Way::Http { url: "http://127.0.0.1:1/".parse().unwrap(), trust: Trust::default(), header: None };
    let words = way_to(nobody, Format::Rondo).deliver(NAME, &parcel).await.unwrap_err().to_string();
    assert!(words.starts_with("no connection"), "{words}");
}

#[tokio::test]
async fn a_file_gets_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut way = way_to(Way::File(path.clone()), Format::Rondo);
    way.deliver(NAME, &entries(2, 1)).await.unwrap();
    way.deliver(NAME, &entries(3, 1)).await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let places: Vec<_> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["body"]["seq"].clone()).collect();
    assert_eq!(places, [1, 2, 1, 2, 3]);
    let words = way_to(Way::File(folder.path().into()), Format::Rondo).deliver(NAME, &entries(1, 1)).await;
    assert!(words.unwrap_err().to_string().contains("cannot be written to"));
}

/// What a receiver of syslog does with a connection.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// Reads to the end.
    Whole,
    /// Reads a little, and ends in order, as a daemon does that is told to stop.
    Leaves,
    /// The same, having read all that had come so far, while more is under way.
    LeavesMeanwhile,
}

/// A receiver of syslog that takes one connection after the other; what it read of each.
fn daemon(manners: Vec<Manner>, tls: Option<ServerConfig>) -> (u16, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let tls = tls.map(Arc::new);
    let serving = std::thread::spawn(move || {
        manners
            .into_iter()
            .map(|manner| {
                let (stream, _) = listener.accept().unwrap();
                let unread = stream.try_clone().unwrap();
                match &tls {
                    None => converse(stream, &unread, manner, |_| ()),
                    Some(config) => {
                        let session = ServerConnection::new(Arc::clone(config)).unwrap();
                        converse(StreamOwned::new(session, stream), &unread, manner, |tls| tls.conn.send_close_notify())
                    }
                }
            })
            .collect()
    });
    (port, serving)
}

fn converse<S: Read + Write>(mut stream: S, unread: &TcpStream, manner: Manner, farewell: fn(&mut S)) -> String {
    let mut read = Vec::new();
    match manner {
        Manner::Whole => {
            stream.read_to_end(&mut read).unwrap();
        }
        Manner::Leaves => {
            read.resize(100, 0);
            stream.read_exact(&mut read).unwrap();
            // More has come, and stays unread.
            unread.peek(&mut [0]).unwrap();
        }
        Manner::LeavesMeanwhile => {
            read.resize(100, 0);
            stream.read_exact(&mut read).unwrap();
            unread.shutdown(Shutdown::Write).unwrap();
            unread.peek(&mut [0]).unwrap();
        }
    }
    farewell(&mut stream);
    let _ = stream.flush();
    String::from_utf8(read).unwrap()
}

/// A certificate for the loopback, and the authority that issued it.
fn server_config(name: &str) -> (ServerConfig, String) {
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.distinguished_name.push(DnType::CommonName, name);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    (config, authority.pem())
}

fn syslog(port: u16, tls: Option<Trust>) -> Box<dyn Sink> {
    way_to(Way::Syslog { host: "127.0.0.1".to_owned(), port, tls, enterprise: Some(32473) }, Format::Rondo)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_syslog_receiver_that_leaves_before_it_has_read_everything_has_confirmed_nothing() {
    for is_encrypted in [false, true] {
        let (config, authority) = server_config("Authority");
        let manners = vec![Manner::Leaves, Manner::LeavesMeanwhile, Manner::Whole];
        let (port, serving) = daemon(manners, is_encrypted.then_some(config));
        let trust = is_encrypted.then(|| Trust { authority: Some(authority), shown: None });
        let mut way = syslog(port, trust);
        // More than a system takes for a program that does not read.
        let parcel = entries(100, 20_000);
        for _ in 0..2 {
            let words = way.deliver(NAME, &parcel).await.unwrap_err().to_string();
            assert!(words.contains("before the receiver had read everything"), "{words}");
        }
        way.deliver(NAME, &parcel).await.unwrap();
        let read = serving.join().unwrap();
        assert_eq!(read[2].matches("seq=\"").count(), 100);
        assert!(read[2].contains(" rondo - run.end [origin software="));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syslog_by_tls_goes_to_whom_the_authority_vouches_for() {
    let (config, _) = server_config("Authority");
    let (port, serving) = daemon(vec![Manner::Whole], Some(config));
    let (_, another) = server_config("Another");
    let trust = Trust { authority: Some(another), shown: None };
    let words = syslog(port, Some(trust)).deliver(NAME, &entries(1, 1)).await.unwrap_err().to_string();
    assert!(words.contains("enter the CA that issued it"), "{words}");
    assert!(serving.join().is_err(), "nothing was read but an alert");
    let nobody = syslog(1, None).deliver(NAME, &entries(1, 1)).await.unwrap_err().to_string();
    assert!(nobody.starts_with("no connection to 127.0.0.1 port 1"), "{nobody}");
}
