//! Connections through a proxy, and to systems that ask for a client certificate.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use connectors::{
    Outcome,
    egress::{Egress, EgressPolicy, Narrowed, Proxy},
};
use identity::Secret;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use workflow::StandardError;

use crate::support::{Bench, closed_port, done};

/// Who may issue certificates, one of the client, and two servers that ask for it.
struct System {
    authority: String,
    client: (String, String),
    /// Where mail is taken.
    mail: u16,
    /// Where HTTP is answered.
    web: u16,
    /// Where everybody is sent away once they have shown their certificate.
    door: u16,
    /// How many were.
    shown: Arc<AtomicUsize>,
}

impl System {
    async fn start() -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let issue = |names: &[&str]| {
            let key = KeyPair::generate().unwrap();
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
            (certificate.pem(), key.serialize_pem())
        };
        let ((server, server_key), client) = (issue(&["localhost", "system.test"]), issue(&["client"]));
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
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let mail = listen(acceptor.clone(), take_mail).await;
        let web = listen(acceptor.clone(), answer_http).await;
        let shown = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&shown);
        let door = listen(acceptor, move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            std::future::ready(())
        });
        Self { authority: authority.pem(), client, mail, web, door: door.await, shown }
    }

    fn tls(&self) -> Value {
        json!({"ca": self.authority, "clientCertificate": self.client.0, "clientKey": self.client.1})
    }

    fn mail(&self, host: &str, tls: Value) -> Value {
        merged(json!({"host": host, "port": self.mail, "encryption": "tls", "from": "rondo@example.test"}), tls)
    }

    fn people(&self, host: &str, tls: Value) -> Value {
        let settings = json!({
            "url": format!("ldaps://{host}:{}", self.door), "flavour": "openldap", "baseDn": "dc=example",
            "bindDn": "cn=portal,dc=example", "bindPassword": "secret words",
        });
        merged(settings, tls)
    }
}

fn merged(mut settings: Value, more: Value) -> Value {
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

type Encrypted = BufReader<TlsStream<TcpStream>>;

/// A server on a free port of this machine.
async fn listen<F: Future<Output = ()> + Send + 'static>(
    acceptor: TlsAcceptor,
    converse: impl Fn(Encrypted) -> F + Clone + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, converse) = (acceptor.clone(), converse.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    converse(BufReader::new(stream)).await;
                }
            });
        }
    });
    port
}

/// Says yes to every line, as long as somebody is there.
async fn take_mail(mut stream: Encrypted) {
    let mut said: &[u8] = b"220 system.test\r\n";
    let mut line = Vec::new();
    while stream.write_all(said).await.is_ok() {
        line.clear();
        if stream.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            said = b"250 fine\r\n";
        } else {
            return;
        }
    }
}

/// Answers one request.
async fn answer_http(mut stream: Encrypted) {
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 2) {
        line.clear();
    }
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nhere";
    if stream.write_all(answer).await.is_ok() {
        // Whoever has what it asked for may be gone.
        let _ = stream.shutdown().await;
    }
}

/// A proxy that lets in whoever has the password, and leads every name to this machine.
struct Lane {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Lane {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(lead(stream, Arc::clone(&seen)));
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn policy(&self, change: impl FnOnce(&mut Proxy)) -> EgressPolicy {
        let mut proxy = Proxy {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            credentials: Some(("rondo".to_owned(), Secret::new("hunter2".to_owned()))),
            no_proxy: Vec::new(),
            resolves: false,
        };
        change(&mut proxy);
        EgressPolicy { proxy: Some(Arc::new(proxy)), ..EgressPolicy::default() }
    }
}

async fn lead(stream: TcpStream, asked: Arc<Mutex<Vec<String>>>) {
    let mut stream = BufReader::new(stream);
    let (mut head, mut line) = (Vec::new(), String::new());
    while stream.read_line(&mut line).await.unwrap() > 2 {
        head.push(line.trim_end().to_owned());
        line.clear();
    }
    let target = head[0].strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap().to_owned();
    let login = format!("Basic {}", STANDARD.encode("rondo:hunter2"));
    let known = head
        .iter()
        .filter_map(|line| line.split_once(": "))
        .any(|(name, value)| name.eq_ignore_ascii_case("proxy-authorization") && value == login);
    asked.lock().unwrap().push(target.clone());
    let port: u16 = target.rsplit(':').next().unwrap().parse().unwrap();
    let answer = match (known, target.starts_with("forbidden.test")) {
        (false, _) => "407 Proxy Authentication Required",
        (true, true) => "403 Forbidden",
        (true, false) => "200 Connection established",
    };
    stream.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).await.unwrap();
    if answer.starts_with("200") {
        let mut other = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut other).await;
    }
}

#[tokio::test]
async fn a_connection_shows_its_certificate_to_who_asks() {
    let (system, bench) = (System::start().await, Bench::new().await);
    let check = bench.check("smtp", system.mail("localhost", system.tls())).await;
    assert!(check.ok, "{check:?}");
    let check = bench.check("ldap", system.people("localhost", system.tls())).await;
    let passed: Vec<_> = check.steps.iter().filter(|step| step.ok).map(|step| step.step.as_str()).collect();
    assert_eq!(passed, ["settings", "name", "connect", "tls"], "{check:?}");
    assert_eq!(system.shown.load(Ordering::SeqCst), 1);
    let nothing = json!({"ca": system.authority});
    assert!(!bench.check("ldap", system.people("localhost", nothing.clone())).await.ok);
    assert_eq!(system.shown.load(Ordering::SeqCst), 1, "it is not let in without");
    assert!(!bench.check("smtp", system.mail("localhost", nothing)).await.ok);

    // The two belong together, whatever the kind.
    let other = KeyPair::generate().unwrap().serialize_pem();
    let wrong = json!({"ca": system.authority, "clientCertificate": system.client.0, "clientKey": other});
    let web = json!({"baseUrl": format!("https://localhost:{}", system.web)});
    for (kind, settings) in [
        ("smtp", system.mail("localhost", wrong.clone())),
        ("ldap", system.people("localhost", wrong.clone())),
        ("http", merged(web, wrong)),
    ] {
        let check = bench.check(kind, settings).await;
        let last = check.steps.last().unwrap();
        assert_eq!((last.step.as_str(), last.ok), ("settings", false), "{kind}: {check:?}");
        assert!(last.detail.contains("belong together") && !last.detail.contains("PRIVATE"), "{kind}: {}", last.detail);
    }
}

#[tokio::test]
async fn a_certificate_comes_with_its_key() {
    let bench = Bench::new().await;
    let kind = bench.registry.connection_kind("smtp").unwrap();
    let settings = json!({"host": "h", "from": "a@example.test", "clientCertificate": "x"});
    assert!(kind.split(&settings, None).is_err());
    let kept = json!({"clientKey": "k"});
    assert_eq!(kind.split(&settings, Some(&kept)).ok().unwrap().secret, Some(kept));
}

#[tokio::test]
async fn everything_goes_through_the_proxy_by_its_name() {
    let (system, lane) = (System::start().await, Lane::open().await);
    let bench = Bench::with_policy(lane.policy(|_| {})).await;
    let check = bench.check("smtp", system.mail("localhost", system.tls())).await;
    assert!(check.ok, "{check:?}");
    assert!(check.steps.iter().any(|step| step.step == "name" && step.detail.contains("through the proxy")));
    let settings = json!({"baseUrl": format!("https://localhost:{}", system.web)});
    bench.connect("web", "http", merged(settings, system.tls())).await;
    let with = json!({"method": "get", "endpoint": "connection://web/x"});
    assert_eq!(done(bench.call("http", "k", with.clone()).await), "here");
    assert_eq!(lane.asked(), [format!("localhost:{}", system.mail), format!("localhost:{}", system.web)]);

    // A name that is resolved here is judged here.
    let metadata = json!({"method": "get", "endpoint": "https://169.254.169.254/latest"});
    let refused = bench.call("http", "k", metadata).await;
    assert!(matches!(&refused, Outcome::Permanent(error) if error.is(StandardError::Authorization)), "{refused:?}");
    assert_eq!(lane.asked(), Vec::<String>::new());

    let straight = lane.policy(|proxy| proxy.no_proxy = vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()]);
    let bench = Bench::with_policy(straight).await;
    assert!(bench.check("smtp", system.mail("localhost", system.tls())).await.ok);
    assert_eq!(lane.asked(), Vec::<String>::new(), "it is reached without the proxy");
}

#[tokio::test]
async fn a_name_that_only_the_proxy_knows_is_judged_by_name() {
    let (system, lane) = (System::start().await, Lane::open().await);
    let rule = Narrowed { namespace: "tests".parse().unwrap(), only: vec!["*.test".parse().unwrap()] };
    let bench = Bench::with_egress(Egress::new(lane.policy(|proxy| proxy.resolves = true), [rule])).await;
    for host in ["system.test", "localhost"] {
        let settings = json!({"baseUrl": format!("https://{host}:{}", system.web)});
        bench.connect(&host.replace('.', "-"), "http", merged(settings, system.tls())).await;
    }
    let get = |name: &str| json!({"method": "get", "endpoint": format!("connection://{name}/x")});
    assert_eq!(done(bench.call("http", "k", get("system-test")).await), "here");
    let refused = bench.call("http", "k", get("localhost")).await;
    let Outcome::Permanent(error) = refused else { panic!("{refused:?}") };
    assert!(error.is(StandardError::Authorization) && error.to_string().contains("egress.namespace"), "{error}");
    assert_eq!(lane.asked(), [format!("system.test:{}", system.web)]);
    assert!(bench.check("smtp", system.mail("system.test", system.tls())).await.ok);
}

#[tokio::test]
async fn a_proxy_that_does_not_let_through_says_what_to_do() {
    let lane = Lane::open().await;
    let stranger = |proxy: &mut Proxy| proxy.credentials = None;
    let mail = |host: &str| json!({"host": host, "port": 25, "encryption": "none", "from": "rondo@example.test"});
    let letter = json!({"connection": "post", "to": "a@example.test", "subject": "s", "text": "t"});
    let bench = Bench::with_policy(lane.policy(stranger)).await;
    bench.connect("post", "smtp", mail("localhost")).await;
    let Outcome::Permanent(error) = bench.call("smtp", "k", letter.clone()).await else { panic!("let through") };
    assert!(error.to_string().contains("egress.proxy.user"), "{error}");

    let bench = Bench::with_policy(lane.policy(|proxy| proxy.resolves = true)).await;
    bench.connect("post", "smtp", mail("forbidden.test")).await;
    let Outcome::Permanent(error) = bench.call("smtp", "k", letter.clone()).await else { panic!("let through") };
    assert!(error.to_string().contains("does not let forbidden.test port 25"), "{error}");

    let closed = closed_port().await;
    let bench = Bench::with_policy(lane.policy(|proxy| proxy.port = closed)).await;
    bench.connect("post", "smtp", mail("localhost")).await;
    let outcome = bench.call("smtp", "k", letter).await;
    assert!(
        matches!(&outcome, Outcome::Retryable(error) if error.to_string().contains("the proxy 127.0.0.1")),
        "{outcome:?}"
    );
}
