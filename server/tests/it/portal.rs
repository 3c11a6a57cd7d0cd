use reqwest::Response;

use crate::server::{TestServer, rondo, shared};

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn page(server: &TestServer, path: &str, cookie: &str) -> Response {
    server.client.get(server.at(path)).header("accept", "text/html").header("cookie", cookie).send().await.unwrap()
}

#[tokio::test]
async fn who_has_not_signed_in_is_led_to_the_sign_in_and_back() {
    let server = shared();
    let response = page(&server, "/runs?state=open", "").await;
    assert_eq!(response.status(), 303);
    assert_eq!(header(&response, "location"), "/sign-in?next=%2Fruns%3Fstate%3Dopen");
    let response = page(&server, "/sign-in", "").await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "cache-control"), "no-store");
    assert!(response.text().await.unwrap().contains("<form"));
}

#[tokio::test]
async fn pages_run_only_the_scripts_of_their_own_nonce() {
    let server = shared();
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let response = page(&server, "/sign-in", "").await;
        let policy = header(&response, "content-security-policy").to_owned();
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(header(&response, name), value);
        }
        assert!(header(&response, "permissions-policy").contains("camera=()"));
        assert_eq!(header(&response, "strict-transport-security"), "", "not without TLS");
        let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap().to_owned();
        assert!(policy.contains("'strict-dynamic'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        let html = response.text().await.unwrap();
        assert!(!html.contains(" onclick=") && !html.contains("javascript:"));
        for script in html.split("<script").skip(1) {
            let tag = script.split('>').next().unwrap();
            assert!(tag.contains(&format!("nonce=\"{nonce}\"")), "{tag}");
        }
        nonces.push(nonce);
    }
    assert_ne!(nonces[0], nonces[1]);
}

#[tokio::test]
async fn a_browser_signs_in_and_out() {
    let server = shared();
    assert_eq!(server.sign_in("operator", "wrong").await, None);
    let cookie = server.sign_in("operator", "rondo-demo-operator").await.unwrap();
    assert!(cookie.starts_with("rondo="));
    assert_eq!(page(&server, "/", &cookie).await.status(), 200);
    let nothing = page(&server, "/no-such-page", &cookie).await;
    assert_eq!(nothing.status(), 404);
    let sign_out = server.client.post(server.at("/ui/sign-out")).header("cookie", &cookie);
    let sign_out = sign_out.header("origin", &server.url).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(sign_out.send().await.unwrap().status(), 200);
    assert_eq!(page(&server, "/", &cookie).await.status(), 303);
}

#[tokio::test]
async fn other_sites_cannot_act_with_a_person_s_session() {
    let server = shared();
    let cookie = server.sign_in("author", "rondo-demo-author").await.unwrap();
    let post = |name: &'static str, value: &'static str| {
        let request = server.client.post(server.at("/ui/set-theme")).header("cookie", &cookie).header(name, value);
        request.form(&[("theme", "dark")]).header("accept", "application/json").send()
    };
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("x-nothing", "at all"),
    ] {
        let response = post(name, value).await.unwrap();
        assert_eq!(response.status(), 403, "{name}: {value}");
        assert!(response.text().await.unwrap().contains("cross-site"));
    }
    assert_eq!(post("sec-fetch-site", "same-origin").await.unwrap().status(), 200);
    let api = server.client.post(server.at("/api/v1/notifications/read")).header("cookie", &cookie);
    assert_eq!(api.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn files_that_must_be_there_are_there() {
    let server = shared();
    for (path, media_type) in [("/favicon.svg", "image/svg+xml"), ("/robots.txt", "text/plain; charset=utf-8")] {
        let response = server.client.get(server.at(path)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-type"), media_type);
        let tag = header(&response, "etag").to_owned();
        assert!(!response.bytes().await.unwrap().is_empty());
        let again = server.client.get(server.at(path)).header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), 304);
        let head = server.client.head(server.at(path)).send().await.unwrap();
        assert_ne!(header(&head, "content-length"), "0");
        assert!(head.bytes().await.unwrap().is_empty());
    }
    assert_eq!(server.client.get(server.at("/pkg/nothing.js")).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn what_a_page_loads_from_the_site_lasts_for_ever() {
    let server = shared();
    let html = page(&server, "/sign-in", "").await.text().await.unwrap();
    let style = html
        .split("href=\"")
        .filter_map(|part| part.split('"').next())
        .find(|path| path.split('.').next_back() == Some("css"));
    let style = style.unwrap();
    if style == "/pkg/rondo.css" {
        println!("this binary was built without a site");
        return;
    }
    let response = server.client.get(server.at(style)).header("accept-encoding", "br, gzip").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(header(&response, "content-encoding"), "br");
    assert_eq!(header(&response, "content-type"), "text/css; charset=utf-8");
}

#[tokio::test]
async fn health_and_metrics_answer_this_machine() {
    let server = shared();
    for path in ["/livez", "/readyz"] {
        assert_eq!(server.client.get(server.at(path)).send().await.unwrap().status(), 200, "{path}");
    }
    let metrics = server.client.get(server.at("/metrics")).send().await.unwrap().text().await.unwrap();
    for name in [
        "rondo_http_requests_total",
        "rondo_database_up 1",
        "rondo_runs{status=\"completed\"}",
        "rondo_outbox",
        "rondo_database_connections{pool=\"engine\",state=\"limit\"} 4",
    ] {
        assert!(metrics.contains(name), "{name} is missing in\n{metrics}");
    }
    let passed_on = server.client.get(server.at("/metrics")).header("x-forwarded-for", "203.0.113.9");
    assert_eq!(passed_on.send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn behind_tls_no_cookie_travels_without_it() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let data = tempfile::tempdir().unwrap();
    let mut command = rondo();
    command.args(["serve", "--demo", "--listen", &address, "--data"]).arg(data.path());
    command.env("RONDO_PUBLIC_URL", "https://rondo.example.test");
    let mut server = TestServer::spawn(command, data);
    server.url = format!("http://{address}");
    for (path, form) in [
        ("/ui/set-theme", [("theme", "dark"), ("back", "/")]),
        ("/ui/sign-in", [("login", "staff"), ("password", "rondo-demo-staff")]),
    ] {
        let request = server.client.post(server.at(path)).header("origin", "https://rondo.example.test");
        let response = request.header("accept", "text/html").form(&form).send().await.unwrap();
        let cookie = header(&response, "set-cookie");
        assert!(cookie.contains("; Secure") && cookie.contains("HttpOnly"), "{path}: {cookie}");
        assert!(header(&response, "strict-transport-security").contains("max-age="));
    }
}
