//! Servers that are none, or no good ones.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Response, StatusCode, Uri, header},
};
use connectors::git::{Branch, Credentials, GitError, Limit, Limits, Reach, read};

use super::{http, read_with};
use crate::{http::serve, support::closed_port};

const OFFER: &str = "application/x-git-upload-pack-advertisement";
const RESULT: &str = "application/x-git-upload-pack-result";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const PASSWORD: &str = "correct horse";

type Answer = Response<Body>;

/// A server that answers each request by its path, query and body.
async fn server(answer: impl Fn(&str, &[u8]) -> Answer + Clone + Send + Sync + 'static) -> String {
    let answer = move |uri: Uri, body: Bytes| std::future::ready(answer(&uri.to_string(), &body));
    serve(Router::new().fallback(answer)).await
}

fn branch(base: &str) -> Branch {
    Branch {
        url: format!("{base}/definitions").parse().unwrap(),
        name: "main".to_owned(),
        folder: String::new(),
        credentials: Some(Credentials { user: "portal".to_owned(), password: PASSWORD.into() }),
    }
}

async fn error(base: &str) -> GitError {
    let error = read_with(&branch(base), Limits::default()).await.unwrap_err();
    assert!(!error.to_string().contains(PASSWORD), "{error}");
    error
}

fn answer(media_type: &str, body: impl Into<Body>) -> Answer {
    Response::builder().header(header::CONTENT_TYPE, media_type).body(body.into()).unwrap()
}

fn status(status: u16) -> Answer {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

fn redirect(to: &str) -> Answer {
    let redirect = Response::builder().status(StatusCode::MOVED_PERMANENTLY).header(header::LOCATION, to);
    redirect.body(Body::empty()).unwrap()
}

/// A packet line.
fn packet(content: &[u8]) -> Vec<u8> {
    [format!("{:04x}", content.len() + 4).as_bytes(), content].concat()
}

/// Packet lines and what ends them.
fn lines(lines: &[&str]) -> Vec<u8> {
    let mut all: Vec<u8> = lines.iter().flat_map(|line| packet(line.as_bytes())).collect();
    all.extend_from_slice(b"0000");
    all
}

/// A server of version 2 that has the branch at `COMMIT`, and sends this for it.
async fn sending(result: Vec<u8>) -> String {
    server(move |path, body| {
        if path.contains("/info/refs") {
            answer(OFFER, lines(&["version 2\n", "ls-refs\n", "fetch=shallow\n", "object-format=sha1\n"]))
        } else if body.windows(7).any(|word| word == b"ls-refs") {
            answer(RESULT, lines(&[&format!("{COMMIT} refs/heads/main\n")]))
        } else {
            answer(RESULT, result.clone())
        }
    })
    .await
}

/// A server that sends this as a pack.
async fn sending_pack(pack: &[u8]) -> String {
    let mut result = packet(b"packfile\n");
    for piece in pack.chunks(60_000) {
        result.extend(packet(&[b"\x01", piece].concat()));
    }
    result.extend_from_slice(b"0000");
    sending(result).await
}

#[tokio::test]
async fn what_is_no_git_server_is_told_apart_from_one_that_fails() {
    let offered = |media_type: &'static str, body: Vec<u8>| async move {
        error(&server(move |_, _| answer(media_type, body.clone())).await).await
    };
    assert_eq!(offered("text/html; charset=utf-8", b"<html>Welcome</html>".to_vec()).await, GitError::NoRepository);
    // The old way, without a server's help.
    let dumb = format!("{COMMIT}\trefs/heads/main\n").into_bytes();
    assert_eq!(offered("text/plain", dumb).await, GitError::NoRepository);
    for garbage in
        [b"<html>".to_vec(), Vec::new(), b"000".to_vec(), b"ffff".to_vec(), b"0009vers".to_vec(), b"0003".to_vec()]
    {
        let error = offered(OFFER, garbage.clone()).await;
        assert!(matches!(error, GitError::Broken { .. }), "{garbage:?} {error:?}");
    }
    for (code, expected) in [
        (401, "let this account read"),
        (403, "let this account read"),
        (404, "no Git repository"),
        (410, "no Git repository"),
        (400, "answered with status 400"),
        (429, "cannot be reached: it answered with status 429"),
        (500, "cannot be reached: it answered with status 500"),
        (503, "cannot be reached: it answered with status 503"),
    ] {
        let said = error(&server(move |_, _| status(code)).await).await.to_string();
        assert!(said.contains(expected), "{code} {said}");
    }
    let nobody = format!("http://127.0.0.1:{}", closed_port().await);
    assert!(matches!(error(&nobody).await, GitError::Unreachable { .. }));
    let nowhere = error("http://host.invalid").await;
    assert!(matches!(&nowhere, GitError::Unreachable { reason } if reason.contains("host.invalid")), "{nowhere:?}");
}

#[tokio::test]
async fn what_a_server_says_is_said_again_but_no_secret() {
    let said = |words: &'static str| async move {
        let base = server(move |_, _| answer(OFFER, lines(&[&format!("ERR {words}\n")]))).await;
        error(&base).await.to_string()
    };
    let words = said("the project is \u{7}moving to new hardware").await;
    assert!(words.contains("“the project is moving to new hardware”"), "{words}");
    let echo = said("I know: correct horse").await;
    assert!(echo.contains("what it was told as a secret"), "{echo}");
    let header = said("I know: cG9ydGFsOmNvcnJlY3QgaG9yc2U=").await;
    assert!(header.contains("what it was told as a secret"), "{header}");
    let sha256 = lines(&["version 2\n", "object-format=sha256\n"]);
    let error = error(&server(move |_, _| answer(OFFER, sha256.clone())).await).await;
    assert!(error.to_string().contains("SHA-1"), "{error}");
}

#[tokio::test]
async fn redirects_are_followed_on_the_same_server_only() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let elsewhere = server(move |_, _| {
        counter.fetch_add(1, Ordering::SeqCst);
        status(200)
    })
    .await;
    let target = format!("{elsewhere}/definitions/info/refs?service=git-upload-pack&token=t0k");
    let away = error(&server(move |_, _| redirect(&target)).await).await;
    assert!(
        matches!(&away, GitError::Broken { reason } if reason.contains(&elsewhere) && !reason.contains("t0k")),
        "{away:?}"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 0);

    assert_eq!(error(&server(|_, _| redirect("/users/sign_in")).await).await, GitError::NoRepository);
    let circle = error(&server(|path, _| redirect(path)).await).await;
    assert!(matches!(&circle, GitError::Broken { reason } if reason.contains("circles")), "{circle:?}");

    let moved = server(|path, _| match path {
        "/definitions/info/refs?service=git-upload-pack" => {
            redirect("/definitions.git/info/refs?service=git-upload-pack")
        }
        "/definitions.git/info/refs" | "/definitions.git/info/refs?service=git-upload-pack" => {
            answer(OFFER, lines(&["version 2\n"]))
        }
        "/definitions.git/git-upload-pack" => answer(RESULT, lines(&[&format!("{COMMIT} refs/heads/main\n")])),
        _ => status(404),
    })
    .await;
    let http = http();
    assert_eq!(read(&branch(&moved), Some(COMMIT), &Reach::from(&http)).await, Ok(None));
}

#[tokio::test]
async fn a_server_that_stalls_is_given_up() {
    let limits = || Limits { time: Duration::from_millis(300), ..Limits::default() };
    let silent = || Body::from_stream(futures::stream::pending::<std::io::Result<Bytes>>());
    let offering = server(move |_, _| answer(OFFER, silent())).await;
    assert_eq!(read_with(&branch(&offering), limits()).await, Err(GitError::TooSlow));
    let sending = server(move |path, _| {
        if path.contains("/info/refs") { answer(OFFER, lines(&["version 2\n"])) } else { answer(RESULT, silent()) }
    })
    .await;
    assert_eq!(read_with(&branch(&sending), limits()).await, Err(GitError::TooSlow));
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let endless = |piece: Vec<u8>| {
        Body::from_stream(futures::stream::repeat_with(move || Ok::<_, std::io::Error>(piece.clone())))
    };
    let limit = Limits::default().received;
    let references = packet(format!("{COMMIT} refs/heads/other\n").as_bytes()).repeat(1000);
    let listing = server(move |path, _| {
        if path.contains("/info/refs") {
            answer(OFFER, lines(&["version 2\n"]))
        } else {
            answer(RESULT, endless(references.clone()))
        }
    })
    .await;
    assert_eq!(error(&listing).await, GitError::TooLarge { limit: Limit::Received(limit) });
    let progress = packet(&[b"\x02".to_vec(), b".".repeat(60_000)].concat());
    let first = server(move |path, body| {
        if path.contains("/info/refs") {
            answer(OFFER, lines(&["version 2\n"]))
        } else if body.windows(7).any(|word| word == b"ls-refs") {
            answer(RESULT, lines(&[&format!("{COMMIT} refs/heads/main\n")]))
        } else {
            let pieces = std::iter::once(packet(b"packfile\n")).chain(std::iter::repeat(progress.clone()));
            answer(RESULT, Body::from_stream(futures::stream::iter(pieces.map(Ok::<_, std::io::Error>))))
        }
    })
    .await;
    assert_eq!(error(&first).await, GitError::TooLarge { limit: Limit::Received(limit) });
}

/// The beginning of a pack of so many objects.
fn pack(objects: u32) -> Vec<u8> {
    [b"PACK\0\0\0\x02", objects.to_be_bytes().as_slice()].concat()
}

/// What ends a pack; its objects have hashes of their own, so nobody looks at this one.
const TRAILER: [u8; 20] = [0; 20];

/// The kind and size at the beginning of an object in a pack.
fn header(kind: u8, size: u64) -> Vec<u8> {
    let mut bytes = vec![kind << 4 | (size & 15) as u8];
    let mut rest = size >> 4;
    while rest > 0 {
        *bytes.last_mut().unwrap() |= 0x80;
        bytes.push((rest & 127) as u8);
        rest >>= 7;
    }
    bytes
}

#[tokio::test]
async fn packs_that_are_none_are_refused() {
    const BLOB: u8 = 3;
    const OFFSET_DELTA: u8 = 6;
    const NAMED_DELTA: u8 = 7;
    let garbage: [(&str, Vec<u8>); 8] = [
        ("nothing", Vec::new()),
        ("no pack", b"<html>".repeat(100)),
        ("no objects", [pack(0), TRAILER.to_vec()].concat()),
        ("an end before the first object", [pack(1), TRAILER.to_vec()].concat()),
        ("more objects than there are bytes", [pack(400_000), header(BLOB, 3), TRAILER.to_vec()].concat()),
        ("a difference from itself", [pack(1), header(OFFSET_DELTA, 3), vec![0], TRAILER.to_vec()].concat()),
        (
            "a difference from before the beginning",
            [pack(1), header(OFFSET_DELTA, 3), vec![120], TRAILER.to_vec()].concat(),
        ),
        (
            "a difference from what was not sent",
            [pack(1), header(NAMED_DELTA, 3), vec![7; 20], TRAILER.to_vec()].concat(),
        ),
    ];
    for (what, bytes) in garbage {
        let error = error(&sending_pack(&bytes).await).await;
        assert!(matches!(error, GitError::Broken { .. }), "{what} {error:?}");
    }
    let crowded = error(&sending_pack(&[pack(u32::MAX), TRAILER.to_vec()].concat()).await).await;
    assert_eq!(crowded, GitError::TooLarge { limit: Limit::Objects(500_000) });
    for size in [200 << 20, 1 << 40, u64::MAX] {
        let boast = [pack(1), header(BLOB, size), vec![0x78; 30], TRAILER.to_vec()].concat();
        let error = error(&sending_pack(&boast).await).await;
        assert_eq!(error, GitError::TooLarge { limit: Limit::Object(Limits::default().object) });
    }
    let refusal = [packet(b"packfile\n"), packet(b"\x03no memory left"), b"0000".to_vec()].concat();
    let said = error(&sending(refusal).await).await.to_string();
    assert!(said.contains("“no memory left”"), "{said}");
    let silence = error(&sending(b"0000".to_vec()).await).await;
    assert!(matches!(silence, GitError::Broken { .. }), "{silence:?}");
}
