//! What may go wrong with any service that is asked by HTTP, for connectors of such services: each fault has the right
//! outcome, and words that say what to do about it and hold no secret.

use std::sync::Arc;

use axum::{Router, routing::any};
use connectors::Outcome;
use domain::Clock as _;
use futures::future::BoxFuture;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use serde_json::Value;
use testkit::WallClock;
use tokio::{net::TcpListener, sync::Notify};
use tokio_rustls::TlsAcceptor;
use workflow::StandardError;

use crate::{
    http::{raw, serve},
    support::{Bench, PATIENCE, closed_port, failed_step},
};

/// In the settings of every connection here, and nowhere else.
pub(crate) const SECRET: &str = "canary-s3cret";

/// A connector, with what is called over it.
pub(crate) struct Subject {
    pub(crate) function: &'static str,
    pub(crate) kind: &'static str,
    /// The settings of a connection to this address; with [`SECRET`] in them.
    pub(crate) settings: fn(&str) -> Value,
    /// Arguments over the connection `it` that only read.
    pub(crate) reads: Option<Value>,
    /// Arguments over the connection `it` that change something, not to be repeated blindly.
    pub(crate) changes: Value,
    /// What the words about an answer that is none say; empty where any text is an answer.
    pub(crate) garbled: &'static str,
}

/// What is known of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Retryable,
    Permanent,
    Lost,
    Unknown,
}

impl Subject {
    /// The class and the words of a call to a service at this address.
    async fn call(&self, address: &str, with: &Value, stop: Stop) -> (Class, String, bool) {
        let bench = Bench::new().await;
        bench.connect("it", self.kind, (self.settings)(address)).await;
        let mut context = bench.context("key");
        match stop {
            Stop::Never => {}
            Stop::Late => context.deadline = Some(WallClock.now() + std::time::Duration::from_millis(300)),
            Stop::Asked(seen) => {
                let cancelled = context.cancelled.clone();
                tokio::spawn(async move {
                    seen.notified().await;
                    cancelled.cancel();
                });
            }
        }
        let call = bench.call_in(self.function, with.clone(), &context);
        let (class, error) = match tokio::time::timeout(PATIENCE, call).await.unwrap() {
            Outcome::Retryable(error) => (Class::Retryable, error),
            Outcome::Permanent(error) => (Class::Permanent, error),
            Outcome::Lost(error) => (Class::Lost, error),
            Outcome::Unknown(error) => (Class::Unknown, error),
            Outcome::Done(output) => panic!("{output}"),
        };
        let words = error.to_string();
        for text in [&words, &bench.log_text()] {
            assert!(!text.contains(SECRET), "{text}");
        }
        (class, words, error.is(StandardError::Timeout))
    }

    /// Both calls have these classes; gives the words of the second.
    async fn expect(&self, address: &str, reads: Class, changes: Class) -> String {
        if let Some(with) = &self.reads {
            let (class, words, _) = self.call(address, with, Stop::Never).await;
            assert_eq!(class, reads, "{words}");
        }
        let (class, words, _) = self.call(address, &self.changes, Stop::Never).await;
        assert_eq!(class, changes, "{words}");
        words
    }

    async fn check(&self, address: &str) -> (String, String) {
        failed_step(&Bench::new().await.check(self.kind, (self.settings)(address)).await)
    }

    /// All faults in turn.
    pub(crate) async fn endures(&self) {
        self.unreachable().await;
        self.mistrusted().await;
        self.breaks_off().await;
        self.says_nothing().await;
        self.says_nonsense().await;
        self.is_cancelled().await;
    }

    async fn unreachable(&self) {
        let address = format!("http://127.0.0.1:{}", closed_port().await);
        let words = self.expect(&address, Class::Retryable, Class::Retryable).await;
        assert!(words.contains("cannot be reached") && words.contains("compare the address"), "{words}");
        assert_eq!(self.check(&address).await.0, "connect");
        let words = self.expect("http://host.invalid", Class::Retryable, Class::Retryable).await;
        assert!(words.contains("compare the address"), "{words}");
        assert_eq!(self.check("http://host.invalid").await.0, "name");
        let words = self.expect("http://169.254.169.254", Class::Permanent, Class::Permanent).await;
        assert!(words.contains("may not be reached"), "{words}");
    }

    async fn mistrusted(&self) {
        let address = encrypted().await;
        let words = self.expect(&address, Class::Retryable, Class::Retryable).await;
        assert!(words.contains("enter the CA"), "{words}");
        let (step, words) = self.check(&address).await;
        assert_eq!(step, "tls");
        assert!(words.contains("enter the CA"), "{words}");
        let plain = serve(Router::new().route("/", any(|| async { "" }))).await.replace("http:", "https:");
        let words = self.expect(&plain, Class::Retryable, Class::Retryable).await;
        assert!(words.contains("does not speak TLS"), "{words}");
        assert_eq!(self.check(&plain).await.0, "tls");
    }

    async fn breaks_off(&self) {
        let (at, _) = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc").await;
        self.expect(&format!("http://{at}"), Class::Lost, Class::Unknown).await;
        let (at, _) = raw(b"").await;
        self.expect(&format!("http://{at}"), Class::Lost, Class::Unknown).await;
    }

    async fn says_nothing(&self) {
        let silent = serve(Router::new().fallback(std::future::pending::<()>)).await;
        if let Some(with) = &self.reads {
            let (class, words, timeout) = self.call(&silent, with, Stop::Late).await;
            assert!(class == Class::Lost && timeout, "{class:?} {words}");
        }
        let (class, words, timeout) = self.call(&silent, &self.changes, Stop::Late).await;
        assert!(class == Class::Unknown && timeout, "{class:?} {words}");
    }

    async fn says_nonsense(&self) {
        let large = serve(Router::new().fallback(|| async { "x".repeat(6 << 20) })).await;
        let words = self.expect(&large, Class::Permanent, Class::Unknown).await;
        assert!(words.contains("larger than 5 MiB") && words.contains("ask for less"), "{words}");
        if !self.garbled.is_empty() {
            let page = serve(Router::new().fallback(|| async { "<html><body>Sign in" })).await;
            let words = self.expect(&page, Class::Permanent, Class::Unknown).await;
            assert!(words.contains(self.garbled), "{words}");
        }
        let gateway = serve(Router::new().fallback(|| async { axum::http::StatusCode::BAD_GATEWAY })).await;
        self.expect(&gateway, Class::Retryable, Class::Retryable).await;
    }

    async fn is_cancelled(&self) {
        for (with, expected) in [(self.reads.as_ref(), Class::Lost), (Some(&self.changes), Class::Unknown)] {
            let Some(with) = with else { continue };
            let (seen, left) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let silent = serve(Router::new().fallback(waiting(&seen, &left))).await;
            let (class, words, _) = self.call(&silent, with, Stop::Asked(seen)).await;
            assert_eq!(class, expected, "{words}");
            // Nothing waits on for an answer that nobody wants.
            tokio::time::timeout(PATIENCE, left.notified()).await.unwrap();
        }
    }
}

/// When a call is stopped.
enum Stop {
    Never,
    Late,
    Asked(Arc<Notify>),
}

/// Tells when it is dropped.
struct Farewell(Arc<Notify>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// What never answers: it says when it is asked, and when whoever asked has gone.
pub(crate) fn waiting(
    seen: &Arc<Notify>,
    left: &Arc<Notify>,
) -> impl Fn() -> BoxFuture<'static, ()> + Clone + Send + Sync + 'static + use<> {
    let (seen, left) = (Arc::clone(seen), Arc::clone(left));
    move || {
        let (seen, farewell) = (Arc::clone(&seen), Farewell(Arc::clone(&left)));
        Box::pin(async move {
            seen.notify_one();
            std::future::pending::<()>().await;
            drop(farewell);
        })
    }
}

/// The address of a service whose certificate nobody trusts.
pub(crate) async fn encrypted() -> String {
    let (acceptor, _) = certified();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            acceptor.accept(stream).await.ok();
        }
    });
    address
}

/// By what a service of this machine encrypts, and the CA that vouches for it.
pub(crate) fn certified() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = CertificateDer::from(made.cert.der().to_vec());
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}
