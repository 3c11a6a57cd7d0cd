//! `call: smtp`: to files, to a server of the test's own that breaks in chosen places, and to a real one.

use std::{sync::Arc, time::Duration};

use connectors::Outcome;
use domain::Clock as _;
use serde_json::{Value, json};
use testkit::WallClock;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    sync::Notify,
};
use workflow::StandardError;

use crate::{
    faults::{SECRET, certified},
    support::{Bench, PATIENCE, closed_port, done, failed_step, greeting, permanent, retryable, service, unknown},
};

fn mail() -> Value {
    json!({"connection": "mail", "to": ["Jane <jane@example.test>"], "cc": "boss@example.test",
        "subject": "Grüße", "text": "Hello\n.\nBye"})
}

#[tokio::test]
async fn without_a_server_mails_become_files_and_a_repetition_the_same_file() {
    let bench = Bench::new().await;
    bench.connect("mail", "file", json!({"from": "Rondo <rondo@example.test>"})).await;
    let output = done(bench.call("smtp", "key-1", mail()).await);
    assert_eq!(output["accepted"], json!(["jane@example.test", "boss@example.test"]));
    done(bench.call("smtp", "key-1", mail()).await);
    done(bench.call("smtp", "key-2", mail()).await);
    let folder = bench.folder.path().join("mail");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
    let path = folder.join(output["file"].as_str().unwrap());
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(output["messageId"].as_str().unwrap()), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    }
    assert!(bench.check("file", json!({"from": "rondo@example.test"})).await.ok);
}

type Answers = &'static [(&'static str, &'static str)];

/// A server that answers each command by its first word.
async fn scripted(answers: Answers) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            converse(stream, answers, &Notify::new()).await;
        }
    });
    port
}

/// Answers as it is told, closes the connection where it has no answer, and is silent where that is empty, of which it tells.
async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, answers: Answers, silent: &Notify) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 test\r\n").await.ok();
    let mut in_data = false;
    let mut line = String::new();
    while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
        let said = std::mem::take(&mut line);
        let word = if in_data { said.trim_end() } else { said.split([' ', '\r']).next().unwrap_or_default() };
        if in_data && word != "." {
            continue;
        }
        in_data = word == "DATA";
        let Some((_, answer)) = answers.iter().find(|(command, _)| *command == word) else { break };
        if answer.is_empty() {
            silent.notify_one();
            std::future::pending::<()>().await;
        }
        if stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            break;
        }
    }
}

const FINE: Answers = &[
    ("EHLO", "250 test"),
    ("MAIL", "250 ok"),
    ("RCPT", "250 ok"),
    ("DATA", "354 go"),
    (".", "250 queued as 42"),
    ("QUIT", "221 bye"),
];

async fn send_over(answers: Answers) -> Outcome {
    let bench = Bench::new().await;
    let port = scripted(answers).await;
    let settings = json!({"host": "127.0.0.1", "port": port, "encryption": "none", "from": "rondo@example.test"});
    bench.connect("mail", "smtp", settings).await;
    bench.call("smtp", "key", mail()).await
}

#[tokio::test]
async fn an_accepted_mail_says_what_the_server_said() {
    assert_eq!(done(send_over(FINE).await)["response"], "queued as 42");
}

#[tokio::test]
async fn a_refusal_for_now_is_told_from_one_for_good() {
    const LATER: &[(&str, &str)] =
        &[("EHLO", "250 test"), ("MAIL", "250 ok"), ("RCPT", "451 greylisted"), ("QUIT", "221 bye")];
    const NEVER: &[(&str, &str)] =
        &[("EHLO", "250 test"), ("MAIL", "250 ok"), ("RCPT", "550 nobody"), ("QUIT", "221 bye")];
    assert!(matches!(send_over(LATER).await, Outcome::Retryable(error) if error.to_string().contains("greylisted")));
    let (status, words) = permanent(send_over(NEVER).await);
    assert_eq!(status, 422);
    assert!(words.contains("jane@example.test") && words.contains("nobody"), "{words}");
}

#[tokio::test]
async fn a_connection_lost_before_the_text_is_retryable_and_after_it_unknown() {
    const BEFORE: &[(&str, &str)] = &[("EHLO", "250 test"), ("MAIL", "250 ok")];
    const AFTER: &[(&str, &str)] = &[("EHLO", "250 test"), ("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go")];
    assert!(matches!(send_over(BEFORE).await, Outcome::Retryable(_)));
    assert!(matches!(send_over(AFTER).await, Outcome::Unknown(_)));
}

#[tokio::test]
async fn a_password_never_travels_unencrypted() {
    let bench = Bench::new().await;
    let settings = json!({"host": "h", "encryption": "none", "from": "a@b.test", "username": "u", "password": "p"});
    let (step, words) = failed_step(&bench.check("smtp", settings).await);
    assert_eq!(step, "settings");
    assert!(words.contains("unencrypted"), "{words}");
    let port = scripted(FINE).await;
    let settings = json!({"host": "127.0.0.1", "port": port, "from": "a@b.test", "username": "u", "password": "p"});
    let (step, words) = failed_step(&bench.check("smtp", settings).await);
    assert_eq!(step, "tls");
    assert!(words.contains("does not offer StartTLS"), "{words}");
}

#[tokio::test]
async fn a_connection_test_names_the_step_that_fails() {
    let bench = Bench::new().await;
    let step = |settings: Value| async { failed_step(&bench.check("smtp", settings).await).0 };
    assert_eq!(step(json!({"host": "host.invalid", "from": "a@b.test"})).await, "name");
    let closed = closed_port().await;
    assert_eq!(step(json!({"host": "127.0.0.1", "port": closed, "from": "a@b.test"})).await, "connect");
    assert_eq!(step(json!({"host": "h", "from": "nobody"})).await, "settings");
}

fn plain(port: u16) -> Value {
    json!({"host": "127.0.0.1", "port": port, "encryption": "none", "from": "rondo@example.test"})
}

async fn call_over(settings: Value) -> Outcome {
    let bench = Bench::new().await;
    bench.connect("mail", "smtp", settings).await;
    let outcome = tokio::time::timeout(PATIENCE, bench.call("smtp", "key", mail())).await.unwrap();
    assert!(!format!("{outcome:?}{}", bench.log_text()).contains(SECRET), "{outcome:?}");
    outcome
}

#[tokio::test]
async fn a_sign_in_that_is_refused_says_what_to_compare() {
    const REFUSING: Answers = &[("EHLO", "250-test\r\n250 AUTH PLAIN LOGIN"), ("AUTH", "535 no"), ("QUIT", "221 bye")];
    let (acceptor, ca) = certified();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                converse(stream, REFUSING, &Notify::new()).await;
            }
        }
    });
    let mut settings = json!({
        "host": "127.0.0.1", "port": port, "encryption": "tls", "from": "rondo@example.test", "username": "rondo",
        "password": SECRET, "ca": ca
    });
    let outcome = call_over(settings.clone()).await;
    let Outcome::Permanent(error) = outcome else { panic!("{outcome:?}") };
    assert!(error.is(StandardError::Authentication) && error.to_string().contains("compare user name"), "{error}");
    // Who is not trusted does not get to see the password.
    settings.as_object_mut().unwrap().remove("ca");
    let words = retryable(call_over(settings.clone()).await);
    assert!(words.contains("enter the CA"), "{words}");
    settings["port"] = json!(scripted(FINE).await);
    let words = retryable(call_over(settings.clone()).await);
    assert!(words.contains("does not speak TLS"), "{words}");
    settings["encryption"] = json!("starttls");
    let (_, words) = permanent(call_over(settings).await);
    assert!(words.contains("choose TLS"), "{words}");
}

#[tokio::test]
async fn before_a_mail_was_sent_another_attempt_is_harmless() {
    let words = retryable(call_over(plain(closed_port().await)).await);
    assert!(words.contains("compare host and port"), "{words}");
    let words = retryable(call_over(plain(greeting(b"HTTP/1.1 400 Bad Request\r\n\r\n", true).await)).await);
    assert!(words.contains("compare host, port and encryption"), "{words}");
    // It takes the connection, and says nothing.
    let bench = Bench::new().await;
    bench.connect("mail", "smtp", plain(greeting(b"", false).await)).await;
    let mut context = bench.context("key");
    context.deadline = Some(WallClock.now() + Duration::from_millis(300));
    let call = bench.call_in("smtp", mail(), &context);
    let words = retryable(tokio::time::timeout(PATIENCE, call).await.unwrap());
    assert!(words.contains("nothing was sent"), "{words}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_is_not_taken_in() {
    const NONSENSE: Answers =
        &[("EHLO", "250 test"), ("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go"), (".", "what?")];
    let endless: &'static str = "2".repeat(2 << 20).leak();
    let at_once: Answers = vec![("EHLO", endless)].leak();
    let at_last: Answers =
        vec![("EHLO", "250 test"), ("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go"), (".", endless)].leak();
    let (status, words) = permanent(call_over(plain(scripted(at_once).await)).await);
    assert!(status == 502 && words.contains("more than 1 MiB; compare host and port"), "{words}");
    for answers in [NONSENSE, at_last] {
        let words = unknown(call_over(plain(scripted(answers).await)).await);
        assert!(words.contains("whether the mail has come"), "{words}");
    }
}

#[tokio::test]
async fn a_mail_that_is_stopped_or_late_may_have_been_sent() {
    const SILENT: Answers =
        &[("EHLO", "250 test"), ("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go"), (".", "")];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = Arc::new(Notify::new());
    let tells = Arc::clone(&silent);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tells = Arc::clone(&tells);
            tokio::spawn(async move { converse(stream, SILENT, &tells).await });
        }
    });
    let bench = Bench::new().await;
    bench.connect("mail", "smtp", plain(port)).await;
    let context = bench.context("key");
    let stop = async {
        silent.notified().await;
        context.cancelled.cancel();
    };
    let calling = futures::future::join(bench.call_in("smtp", mail(), &context), stop);
    let (outcome, ()) = tokio::time::timeout(PATIENCE, calling).await.unwrap();
    // The same mail is known again by its Message-ID.
    assert!(matches!(outcome, Outcome::Lost(_)), "{outcome:?}");
    let mut context = bench.context("key");
    context.deadline = Some(WallClock.now() + Duration::from_secs(1));
    let outcome = tokio::time::timeout(PATIENCE, bench.call_in("smtp", mail(), &context)).await.unwrap();
    assert!(matches!(&outcome, Outcome::Lost(error) if error.is(StandardError::Timeout)), "{outcome:?}");
}

#[tokio::test]
async fn a_real_server_takes_mail_over_starttls_with_sign_in() {
    let names = ["TEST_SMTP_PORT", "TEST_SMTP_USER", "TEST_SMTP_PASSWORD", "TEST_SMTP_CA", "TEST_SMTP_HTTP"];
    let Some(values) = service(&names) else { return };
    let [port, user, password, ca, inbox] = values.try_into().unwrap();
    let bench = Bench::new().await;
    let settings = |password: &str, ca: Option<&str>| {
        let mut settings = json!({"host": "127.0.0.1", "port": port.parse::<u16>().unwrap(), "encryption": "starttls",
            "username": user, "password": password, "from": "Rondo <rondo@example.test>"});
        if let Some(ca) = ca {
            settings["ca"] = json!(std::fs::read_to_string(ca).unwrap());
        }
        settings
    };
    let check = bench.check("smtp", settings(&password, Some(&ca))).await;
    assert!(check.ok, "{check:?}");
    let (step, words) = failed_step(&bench.check("smtp", settings(&password, None)).await);
    assert_eq!(step, "tls");
    assert!(words.contains("enter the CA"), "{words}");
    assert_eq!(failed_step(&bench.check("smtp", settings("wrong", Some(&ca))).await).0, "sign-in");

    bench.connect("mail", "smtp", settings(&password, Some(&ca))).await;
    let key = format!("key-{}", bench.folder.path().display());
    let output = done(bench.call("smtp", &key, mail()).await);
    let received = done(bench.call("http", "k", json!({"method": "get", "endpoint": inbox})).await).to_string();
    let id = output["messageId"].as_str().unwrap().trim_matches(['<', '>']);
    assert!(received.contains(id), "{id} not in {received}");
}
