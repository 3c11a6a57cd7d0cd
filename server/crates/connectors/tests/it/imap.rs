//! Mails in a mailbox as triggers see them: in Dovecot, and in servers that fail.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    sync::Arc,
};

use connectors::{
    Failure, FailureKind, ResolvedConnection,
    egress::{Egress, EgressPolicy, Narrowed},
    watch::{Found, Reading, Watching},
};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::support::{Bench, closed_port, failed_step, greeting, service};

/// In the settings of every connection here, and nowhere else.
const SECRET: &str = "canary-s3cret";

/// The mail server of the lab, and a user of this test's own.
struct Dovecot {
    bench: Bench,
    user: String,
    deliver: String,
    settings: Value,
}

impl Dovecot {
    async fn open(user: &str) -> Option<Self> {
        let names = ["TEST_IMAP_PORT", "TEST_IMAPS_PORT", "TEST_IMAP_PASSWORD", "TEST_IMAP_CA", "TEST_IMAP_DELIVER"];
        let [_, port, password, ca, deliver] = service(&names)?.try_into().ok()?;
        let bench = Bench::new().await;
        let folder = bench.folder.path().file_name().unwrap().to_string_lossy().to_lowercase();
        let user = format!("{user}{}", folder.replace(|letter: char| !letter.is_ascii_alphanumeric(), ""));
        let settings = json!({
            "host": "127.0.0.1", "port": port.parse::<u16>().unwrap(), "username": user, "password": password,
            "ca": std::fs::read_to_string(ca).unwrap(),
        });
        bench.connect("it", "imap", settings.clone()).await;
        Some(Self { bench, user, deliver, settings })
    }

    fn deliver(&self, mail: &str) {
        let mut told = Command::new(&self.deliver).arg(&self.user).stdin(Stdio::piped()).spawn().unwrap();
        told.stdin.take().unwrap().write_all(mail.as_bytes()).unwrap();
        assert!(told.wait().unwrap().success());
    }

    async fn look(&self, place: &Value, progress: Option<&str>) -> (Found, Vec<Reading>) {
        let connection = self.bench.resolved("it", "imap").await;
        let mut watching = open(&self.bench, &connection, place).await.unwrap();
        let found = watching.find(progress).await.unwrap();
        let mut read = Vec::new();
        for item in &found.items {
            read.push(watching.read(item).await.unwrap());
        }
        watching.close().await;
        (found, read)
    }

    /// How far one has come who has seen nothing.
    async fn begin(&self, place: &Value) -> String {
        let (found, _) = self.look(place, None).await;
        assert!(found.items.is_empty() && found.lost.is_none());
        found.progress.unwrap()
    }
}

async fn open<'a>(
    bench: &'a Bench,
    connection: &'a ResolvedConnection,
    place: &'a Value,
) -> Result<Box<dyn Watching + 'a>, Failure> {
    bench.registry.source("imap").unwrap().open(bench.look(connection, place)).await
}

fn place() -> Value {
    json!({"senders": ["ada@example.test"], "subject": "disk", "end": "seen"})
}

fn mail(from: &str, subject: &str, text: &str) -> String {
    format!("From: {from}\nTo: portal@example.test\nSubject: {subject}\nMessage-ID: <1@example.test>\n\n{text}\n")
}

#[tokio::test]
async fn each_mail_of_a_wanted_sender_is_found_once_and_what_was_there_is_not() {
    let Some(dovecot) = Dovecot::open("found").await else { return };
    dovecot.deliver(&mail("ada@example.test", "disk old", "old"));
    let begun = dovecot.begin(&place()).await;
    assert!(dovecot.look(&place(), Some(&begun)).await.0.items.is_empty());
    dovecot.deliver(&mail("Ada <Ada@Example.test>", "The DISK is full", "voll"));
    dovecot.deliver(&mail("mallory@example.test", "disk", "spam"));
    dovecot.deliver(&mail("ada@example.test", "lunch", "soup"));
    let (found, read) = dovecot.look(&place(), Some(&begun)).await;
    let [Reading::Said(said), Reading::KeptOut(spam), Reading::KeptOut(lunch)] = read.as_slice() else {
        panic!("{read:?}")
    };
    assert_eq!((said["text"].as_str().unwrap().trim(), &said["subject"]), ("voll", &json!("The DISK is full")));
    assert!(spam.contains("mallory@example.test") && lunch.contains("subject"), "{spam} {lunch}");
    // Whoever has settled two of them is told of the third.
    let second = found.items[1].progress.as_deref();
    assert_eq!(dovecot.look(&place(), second).await.0.items, found.items[2..]);
}

#[tokio::test]
async fn mails_are_marked_or_moved_and_twice_does_no_harm() {
    let Some(dovecot) = Dovecot::open("settled").await else { return };
    let begun = dovecot.begin(&place()).await;
    dovecot.deliver(&mail("ada@example.test", "disk 1", "one"));
    dovecot.deliver(&mail("ada@example.test", "disk 2", "two"));
    let (found, _) = dovecot.look(&place(), Some(&begun)).await;
    let settle = async |place: Value, item: usize| {
        let connection = dovecot.bench.resolved("it", "imap").await;
        let mut watching = open(&dovecot.bench, &connection, &place).await.unwrap();
        watching.find(Some(&begun)).await.unwrap();
        for _ in 0..2 {
            watching.settle(&found.items[item]).await?;
        }
        Ok::<(), Failure>(())
    };
    settle(place(), 0).await.unwrap();
    let folder = |name: &str| json!({"senders": ["ada@example.test"], "end": "move", "movedTo": name});
    let missing = settle(folder("Nowhere"), 1).await.unwrap_err();
    assert!(missing.kind == FailureKind::Permanent && missing.detail().contains("folder Nowhere"), "{missing}");
    let done = json!({"folder": "Done", "senders": ["ada@example.test"]});
    let done_begun = dovecot.begin(&done).await;
    settle(folder("Done"), 1).await.unwrap();
    assert_eq!(dovecot.look(&place(), Some(&begun)).await.0.items, found.items[..1]);
    let (_, read) = dovecot.look(&done, Some(&done_begun)).await;
    let [Reading::Said(said)] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!(said["subject"], "disk 2");
}

#[tokio::test]
async fn what_is_too_large_or_numbered_anew_is_said_with_the_remedy() {
    let Some(dovecot) = Dovecot::open("large").await else { return };
    let begun = dovecot.begin(&place()).await;
    dovecot.deliver(&mail("ada@example.test", "disk", &format!("{}\n", "x".repeat(70)).repeat(80_000)));
    let (_, read) = dovecot.look(&place(), Some(&begun)).await;
    let [Reading::Faulty(words)] = read.as_slice() else { panic!("{} readings", read.len()) };
    assert!(words.contains("without its attachments"), "{words}");
    let anew = Command::new(&dovecot.deliver).args([&dovecot.user, "anew"]).status().unwrap();
    assert!(anew.success());
    let (found, _) = dovecot.look(&place(), Some("1/1")).await;
    let words = found.lost.unwrap();
    assert!(words.contains("UIDVALIDITY") && words.contains("save the trigger"), "{words}");
}

#[tokio::test]
async fn the_check_goes_step_by_step_and_starttls_is_spoken() {
    let Some(dovecot) = Dovecot::open("check").await else { return };
    let check = dovecot.bench.check("imap", dovecot.settings.clone()).await;
    assert!(check.ok, "{check:?}");
    let steps: Vec<_> = check.steps.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(steps, ["settings", "name", "connect", "tls", "sign-in", "right"]);
    let with = |changes: Value| {
        let mut settings = dovecot.settings.clone();
        settings.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        settings
    };
    let [plain] = service(&["TEST_IMAP_PORT"]).unwrap().try_into().unwrap();
    let plain = plain.parse::<u16>().unwrap();
    let upgraded = dovecot.bench.check("imap", with(json!({"port": plain, "encryption": "starttls"}))).await;
    assert!(upgraded.ok, "{upgraded:?}");
    let (step, words) = failed_step(&dovecot.bench.check("imap", with(json!({"password": SECRET}))).await);
    assert!(step == "sign-in" && words.contains("enter user name and password") && !words.contains(SECRET), "{words}");
    let mut mistrusted = dovecot.settings.clone();
    mistrusted.as_object_mut().unwrap().remove("ca");
    let (step, words) = failed_step(&dovecot.bench.check("imap", mistrusted).await);
    assert!(step == "tls" && words.contains("enter the CA"), "{words}");
    let (step, words) = failed_step(&dovecot.bench.check("imap", with(json!({"port": plain}))).await);
    assert!(step == "tls" && words.contains("does not speak TLS"), "{words}");
    let closed = closed_port().await;
    let (step, _) = failed_step(&dovecot.bench.check("imap", with(json!({"port": closed}))).await);
    assert_eq!(step, "connect");
    let missing = json!({"folder": "처리됨", "senders": ["ada@example.test"]});
    let connection = dovecot.bench.resolved("it", "imap").await;
    let mut watching = open(&dovecot.bench, &connection, &missing).await.unwrap();
    let words = watching.find(None).await.unwrap_err().detail().to_owned();
    assert!(words.contains("처리됨") && words.contains("compare the folders"), "{words}");
}

/// A server by TLS that lets everybody in, and then answers each command, without its tag, as it is told, or refuses it where that
/// is NO; the settings that lead to it.
async fn scripted(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Value {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let chain = vec![CertificateDer::from(made.cert.der().to_vec())];
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, answer) = (acceptor.clone(), Arc::clone(&answer));
            tokio::spawn(async move {
                let mut stream = BufReader::new(acceptor.accept(stream).await.ok()?);
                stream.write_all(b"* OK ready\r\n").await.ok()?;
                let mut line = String::new();
                while stream.read_line(&mut line).await.ok()? > 0 {
                    let (tag, command) = line.trim().split_once(' ')?;
                    let told = if command.starts_with("LOGIN") { Some(Vec::new()) } else { answer(command) };
                    // None: it breaks off.
                    let told = told?;
                    let verdict = if told == b"NO" { "NO not today" } else { "OK done" };
                    if told != b"NO" {
                        stream.write_all(&told).await.ok()?;
                    }
                    stream.write_all(format!("{tag} {verdict}\r\n").as_bytes()).await.ok()?;
                    stream.flush().await.ok()?;
                    line.clear();
                }
                Some(())
            });
        }
    });
    json!({"host": "127.0.0.1", "port": port, "username": "portal", "password": SECRET, "ca": made.cert.pem()})
}

/// The first failure of a look at a mailbox of which a first look was taken.
async fn fails(settings: Value) -> (FailureKind, String) {
    let bench = Bench::new().await;
    bench.connect("it", "imap", settings).await;
    let connection = bench.resolved("it", "imap").await;
    let place = json!({"senders": ["@example.test"]});
    let failure = async {
        let mut watching = open(&bench, &connection, &place).await?;
        let found = watching.find(Some("1/1")).await?;
        for item in &found.items {
            watching.read(item).await?;
        }
        Ok::<(), Failure>(())
    };
    let failure = failure.await.unwrap_err();
    let words = failure.detail().to_owned();
    assert!(!words.contains(SECRET), "{words}");
    (failure.kind, words)
}

const SELECTED: &[u8] = b"* 1 EXISTS\r\n* OK [UIDVALIDITY 1] .\r\n* OK [UIDNEXT 3] .\r\n";

#[tokio::test]
async fn faults_of_a_server_are_told_apart() {
    let (kind, words) = fails(scripted(|_| Some(Vec::new())).await).await;
    assert!(kind == FailureKind::Permanent && words.contains("numbers no messages"), "{words}");
    let (kind, words) = fails(scripted(|_| None).await).await;
    assert!(kind == FailureKind::Retryable && words.contains("broke the connection off"), "{words}");
    let garbled = |command: &str| {
        let answer: &[u8] = if command.starts_with("SELECT") { SELECTED } else { b"* SEARCH \xff\xfe (((\r\n" };
        Some(answer.to_vec())
    };
    let (kind, words) = fails(scripted(garbled).await).await;
    assert!(kind == FailureKind::Retryable && words.contains("does not answer as IMAP has it"), "{words}");
    let flood = |command: &str| {
        Some(match command {
            one if one.starts_with("SELECT") => SELECTED.to_vec(),
            one if one.contains("SEARCH") => b"* SEARCH 2\r\n".to_vec(),
            one if one.contains("BODY") => {
                let mut answer = b"* 1 FETCH (UID 2 RFC822.SIZE 9 BODY[] {9000000}\r\n".to_vec();
                answer.resize(9_000_100, b'x');
                answer.extend_from_slice(b")\r\n");
                answer
            }
            _ => b"* 1 FETCH (UID 2 RFC822.SIZE 9)\r\n".to_vec(),
        })
    };
    let (kind, words) = fails(scripted(flood).await).await;
    assert!(kind == FailureKind::Retryable && words.contains("larger than 8 MiB"), "{words}");
    let at = |port: u16| json!({"host": "127.0.0.1", "port": port, "encryption": "starttls", "username": "portal", "password": SECRET});
    let (_, words) = fails(at(greeting(b"* OK ready\r\n", true).await)).await;
    assert!(words.contains("could not be talked to"), "{words}");
    let (_, words) = fails(at(greeting(b"220 mail.test ESMTP\r\n", true).await)).await;
    assert!(words.contains("could not be talked to"), "{words}");
}

#[tokio::test]
async fn what_a_server_refuses_has_not_been_done() {
    for (refused, words) in [("UID SEARCH", "looking for messages"), ("UID FETCH", "reading the message 2")] {
        let answer = move |command: &str| {
            Some(match command {
                one if one.starts_with(refused) => b"NO".to_vec(),
                one if one.starts_with("SELECT") => SELECTED.to_vec(),
                _ => b"* SEARCH 2\r\n".to_vec(),
            })
        };
        let (kind, said) = fails(scripted(answer).await).await;
        assert!(kind == FailureKind::Permanent && said.contains("refuses it") && said.contains(words), "{said}");
    }
}

#[tokio::test]
async fn a_mailbox_is_reached_where_the_namespace_may() {
    let fenced = Narrowed { namespace: "tests".parse().unwrap(), only: vec!["10.0.0.0/8".parse().unwrap()] };
    let bench = Bench::with_egress(Egress::new(EgressPolicy::default(), [fenced])).await;
    let settings = json!({"host": "127.0.0.1", "username": "portal", "password": SECRET});
    bench.connect("it", "imap", settings).await;
    let connection = bench.resolved("it", "imap").await;
    let place = json!({"senders": ["@example.test"]});
    let failure = open(&bench, &connection, &place).await.err().unwrap();
    assert!(failure.kind == FailureKind::Permanent && failure.detail().contains("may not be reached"), "{failure}");
}
