use std::{net::TcpListener, os::unix::fs::PermissionsExt as _, process::Stdio};

use crate::server::{TestServer, complaint, printed, rest_of, rondo, run};

#[tokio::test]
async fn an_empty_directory_is_made_ready_and_the_first_administrator_gets_in_by_a_link() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("deeper/data");
    let mut command = rondo();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
    let server = TestServer::spawn(command, parent);
    let mode = |name: &str| std::fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("rondo.key"), mode("rondo.sqlite")), (0o700, 0o600, 0o600));
    let link = server.greeting.iter().find_map(|line| line.trim().strip_prefix(&server.url)).unwrap();
    let token = link.strip_prefix("/setup/").unwrap();
    assert_eq!(server.client.get(server.at(link)).send().await.unwrap().status(), 200);

    let claim = || {
        let form = [
            ("token", token),
            ("login", "root"),
            ("name", "Ruth Root"),
            ("password", "correct horse battery"),
            ("repeated", "correct horse battery"),
        ];
        let request = server.client.post(server.at("/ui/claim-setup")).header("origin", &server.url);
        request.header("accept", "application/json").form(&form).send()
    };
    let claimed = claim().await.unwrap();
    assert_eq!(claimed.status(), 200, "{}", claimed.text().await.unwrap());
    assert!(claimed.headers().contains_key("set-cookie"));
    assert_eq!(claim().await.unwrap().status(), 410);
    assert!(server.sign_in("root", "correct horse battery").await.is_some());
}

#[test]
fn a_server_that_is_told_to_stop_ends_in_order_and_starts_again() {
    let server = TestServer::demo();
    assert!(server.greeting.iter().any(|line| line.contains("rondo-demo-staff")));
    server.token("staff");
    let (data, status) = server.stop();
    assert!(status.success(), "{status}");
    // The write-ahead log was folded into the file.
    assert!(!data.path().join("rondo.sqlite-wal").exists());
    // All that was entered was signed, and the checkpoint kept: what comes after it is the export itself.
    let kept = std::fs::read_to_string(data.path().join("audit-checkpoint")).unwrap();
    let export = printed(data.path(), &["audit", "export"]);
    let entries = export.lines().filter(|line| line.starts_with("{\"body\"")).count() as u64;
    assert_eq!(ledger::checkpoint::unverified(&kept).unwrap().size, entries - 1);
    let again = TestServer::start(data, &["--demo"]);
    assert!(again.greeting.iter().any(|line| line.contains("rondo-demo-staff")), "{:?}", again.greeting);
}

#[test]
fn two_servers_on_one_file_are_refused() {
    let server = TestServer::demo();
    let words = complaint(&run(server.data(), &["serve", "--listen", "127.0.0.1:0"]));
    assert!(words.contains("another rondo serves the database") && words.contains("--data"), "{words}");
}

#[test]
fn another_key_is_a_refusal_to_start() {
    let (data, _) = TestServer::demo().stop();
    let key = data.path().join("rondo.key");
    let original = std::fs::read(&key).unwrap();
    std::fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").unwrap();
    let words = complaint(&run(data.path(), &["serve", "--listen", "127.0.0.1:0"]));
    assert!(words.contains("is not the one that this database was made with"), "{words}");
    assert!(!words.contains("AAAA"), "{words}");
    std::fs::remove_file(&key).unwrap();
    let words = complaint(&run(data.path(), &["serve", "--listen", "127.0.0.1:0"]));
    assert!(words.contains("rondo.key does not exist; restore it"), "{words}");
    assert!(!key.exists(), "a lost key must not be replaced");
    std::fs::write(&key, original).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let words = complaint(&run(data.path(), &["serve", "--listen", "127.0.0.1:0"]));
    assert!(words.contains("chmod 600"), "{words}");
}

#[test]
fn what_prevents_the_start_is_said_in_one_line_with_the_remedy() {
    let data = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let words = complaint(&run(data.path(), &["serve", "--listen", &address]));
    assert!(words.contains("is in use; stop what uses it, or choose another port with --listen"), "{words}");
    assert_eq!(words.lines().filter(|line| line.starts_with("rondo: ")).count(), 1, "{words}");

    let file = data.path().join("file");
    std::fs::write(&file, "").unwrap();
    let words = complaint(&run(&file, &["serve", "--listen", "127.0.0.1:0"]));
    assert!(words.contains("give another with --data"), "{words}");

    let unreachable = rondo()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .env("DATABASE_URL", "postgres://rondo:secret@127.0.0.1:1/rondo")
        .output()
        .unwrap();
    let words = complaint(&unreachable);
    assert!(words.contains("check that it runs and that DATABASE_URL is right"), "{words}");
    assert!(!words.contains("secret"), "{words}");

    std::fs::write(data.path().join("rondo.toml"), "lisen = \"127.0.0.1:0\"\n").unwrap();
    let words = complaint(&run(data.path(), &["serve"]));
    assert!(words.contains("there is no key `lisen`; did you mean `listen`?"), "{words}");
}

#[test]
fn a_demonstration_that_others_can_reach_is_warned_of() {
    let data = tempfile::tempdir().unwrap();
    let mut command = rondo();
    command.args(["serve", "--demo", "--listen", "0.0.0.0:0", "--data"]).arg(data.path());
    let server = TestServer::spawn(command, data);
    assert!(server.log().contains("THE DEMONSTRATION IS REACHABLE FROM OTHER MACHINES"), "{}", server.log());
}

#[test]
fn a_second_signal_ends_at_once() {
    let data = tempfile::tempdir().unwrap();
    let mut child = rondo()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("Rondo is at ") {
        line.clear();
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    }
    // A connection that never ends its request keeps the first signal waiting.
    let place = line.trim().strip_prefix("Rondo is at http://").unwrap().to_owned();
    let mut hanging = std::net::TcpStream::connect(place).unwrap();
    std::io::Write::write_all(&mut hanging, b"POST /api/v1/drafts HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        .unwrap();
    let pid = child.id().to_string();
    let kill = || std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    kill();
    let started = std::time::Duration::from_secs(5);
    let mut status = None;
    for _ in 0..started.as_millis() / 20 {
        kill();
        status = child.try_wait().unwrap();
        if status.is_some() {
            break;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    let log = rest_of(&mut child);
    assert!(status.is_some(), "it goes on\n{log}");
}
