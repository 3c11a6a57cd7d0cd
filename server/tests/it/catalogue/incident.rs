//! Incidents: an OpenSSH host, a service with TLS on it, S3 for the documents, mail, and the alerts of Prometheus.

use std::{
    fs::File,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, routing::post};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Answer, Portal,
    books::serve,
    lab,
    seen::{keys, mails_to, s3, unique},
    servers::Traces,
};
use crate::monitoring::{self, Monitoring};

async fn portal() -> Portal {
    Portal::open(&[lab::to("sshd", "servers"), lab::to("s3", "storage"), lab::to("smtp", "mail")]).await
}

fn alert(traces: &Traces, bucket: &str, mailbox: &str) -> Value {
    json!({
        "status": "firing", "fingerprint": "d1b2c3d4e5f60718", "startsAt": "2026-11-27T17:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus.example.test/graph",
        "labels": {"alertname": "ServiceDown", "instance": "web1:9100", "severity": "critical"},
        "annotations": {"summary": "The shop is down"},
        "remedy": traces.command("echo restarted >> HERE/service; touch HERE/well"),
        "check": traces.command("test -e HERE/well"),
        "backOut": traces.command("echo back >> HERE/service"),
        "settle": 1, "bucket": bucket,
        "notify": format!("{mailbox}@example.test"), "escalateTo": format!("{mailbox}-escalation@example.test"),
    })
}

async fn document(bucket: &str) -> String {
    let keys = keys(bucket, "reviews").await;
    s3(Method::GET, &format!("{bucket}/{}", keys.last().unwrap())).await
}

#[tokio::test]
async fn an_alert_whose_remedy_helps_is_closed_with_a_document_whatever_dies() {
    let (mut portal, traces, bucket, mailbox) =
        (portal().await, Traces::new("alert"), unique("reviews"), unique("duty"));
    s3(Method::PUT, &bucket).await;
    let run = portal.launch("incident/triage-alert", &alert(&traces, &bucket, &mailbox)).await;
    portal.kill_when(&run, "applyRemedy").await;
    let ended = portal.complete(&run).await;
    assert_eq!(ended["output"]["outcome"], "closed", "{ended:#}");
    assert_eq!(traces.of("service"), "restarted\n", "once");
    let document = document(&bucket).await;
    for words in ["# ServiceDown on web1: closed", "severity=critical", "approved by", "# Load", "## For the review"] {
        assert!(document.contains(words), "{words} is missing in {document}");
    }
    assert_eq!(mails_to(&format!("{mailbox}@example.test")).await.len(), 1);
}

#[tokio::test]
async fn a_remedy_that_does_not_help_is_taken_back_and_the_alert_escalated() {
    let (portal, traces, bucket, mailbox) =
        (portal().await, Traces::new("hopeless"), unique("reviews"), unique("duty"));
    s3(Method::PUT, &bucket).await;
    let mut input = alert(&traces, &bucket, &mailbox);
    let declined = portal.run("incident/triage-alert", &input, Answer::Reject).await;
    assert_eq!(
        (&declined["output"]["decision"], traces.of("service")),
        (&json!("declined"), String::new()),
        "{declined:#}"
    );

    input["remedy"] = json!(traces.command("echo restarted >> HERE/service; exit 1"));
    input["check"] = json!("false");
    let ended = portal.run("incident/triage-alert", &input, Answer::Approve).await;
    assert_eq!(ended["output"]["outcome"], "escalated", "{ended:#}");
    assert_eq!(traces.of("service"), "restarted\nback\n");
    assert!(document(&bucket).await.contains("It was taken back."));
    assert_eq!(mails_to(&format!("{mailbox}-escalation@example.test")).await.len(), 2);
}

/// A folder on a file system in memory, which one test at a time makes use of: each looks how much of it is free.
struct Disk(tempfile::TempDir, #[expect(dead_code, reason = "kept for as long as the turn takes")] File);

impl Disk {
    fn new() -> Self {
        let turn = File::open("/dev/shm").unwrap();
        turn.lock().unwrap();
        Self(tempfile::tempdir_in("/dev/shm").unwrap(), turn)
    }

    /// How many MiB are free.
    fn free(&self) -> u64 {
        let output = Command::new("df").args(["-P", "-k"]).arg(self.0.path()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().nth(1).unwrap().split_whitespace().nth(3).unwrap().parse::<u64>().unwrap() / 1024
    }

    /// Writes an old file of 40 MiB.
    fn fill(&self, name: &str) {
        let file = self.0.path().join(name);
        std::fs::write(&file, "the same again!\n".repeat(40 * 1024 * 64)).unwrap();
        assert!(Command::new("touch").args(["-d", "2020-01-01"]).arg(file).status().unwrap().success());
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn a_full_disk_has_room_again_by_exactly_the_files_that_were_approved_whatever_dies() {
    let (mut portal, disk, mailbox) = (portal().await, Disk::new(), unique("duty"));
    let wanted = disk.free() - 20;
    disk.fill("shop.log.1");
    std::fs::write(disk.0.path().join("today.log"), "young").unwrap();
    let input = json!({
        "host": "web1", "folder": disk.0.path(), "freeAtLeast": wanted, "fingerprint": "f00",
        "labels": {"alertname": "DiskFull"}, "startsAt": "2026-11-27T17:00:00Z",
        "notify": format!("{mailbox}@example.test"), "escalateTo": format!("{mailbox}-escalation@example.test"),
    });
    let declined = portal.run("incident/disk-full", &input, Answer::Reject).await;
    assert_eq!(declined["output"]["outcome"], "declined", "{declined:#}");
    assert_eq!(disk.files(), ["shop.log.1", "today.log"]);

    let run = portal.launch("incident/disk-full", &input).await;
    portal.kill_when(&run, "free").await;
    let ended = portal.complete(&run).await;
    assert_eq!(
        (&ended["output"]["outcome"], &ended["output"]["files"]),
        (&json!("there is room again"), &json!(1)),
        "{ended:#}"
    );
    assert_eq!(disk.files(), ["shop.log.1.gz", "today.log"]);

    // Where there is nothing old, nothing is touched, and somebody is told.
    let mut hopeless = input.clone();
    hopeless["freeAtLeast"] = json!(1_073_741_824);
    let ended = portal.run("incident/disk-full", &hopeless, Answer::Approve).await;
    assert_eq!(ended["output"]["outcome"], "still full", "{ended:#}");
    assert_eq!(disk.files(), ["shop.log.1.gz", "today.log"]);
    assert_eq!(mails_to(&format!("{mailbox}@example.test")).await.len(), 1);
}

fn shell(command: &str) {
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
}

/// A service with TLS whose certificate is in a folder; `reload` starts it anew.
struct Service<'t> {
    traces: &'t Traces,
    port: u16,
}

impl<'t> Service<'t> {
    fn start(traces: &'t Traces) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let service = Self { traces, port };
        shell(&service.certificate("0101", 1));
        shell(&service.reload());
        service
    }

    /// A command that makes a certificate with this number, good for so many days.
    fn certificate(&self, serial: &str, days: u32) -> String {
        self.traces.command(&format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=shop.example.test \
             -set_serial 0x{serial} -days {days} -keyout HERE/key.pem -out HERE/cert.pem 2>/dev/null"
        ))
    }

    fn reload(&self) -> String {
        let port = self.port;
        self.traces.command(&format!(
            "if [ -f HERE/pid ]; then kill \"$(cat HERE/pid)\"; while kill -0 \"$(cat HERE/pid)\" 2>/dev/null; do sleep 0.05; done; fi; \
             nohup openssl s_server -accept 127.0.0.1:{port} -cert HERE/cert.pem -key HERE/key.pem -quiet -www \
             </dev/null >/dev/null 2>&1 & echo $! > HERE/pid; \
             while ! openssl s_client -connect 127.0.0.1:{port} </dev/null >/dev/null 2>&1; do sleep 0.05; done"
        ))
    }

    /// The number of the certificate that it shows.
    fn shows(&self) -> String {
        let command = format!(
            "openssl s_client -connect 127.0.0.1:{} </dev/null 2>/dev/null | openssl x509 -noout -serial",
            self.port
        );
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().trim_start_matches("serial=").to_owned()
    }

    fn input(&self, renew: &str, mailbox: &str) -> Value {
        json!({
            "labels": {"alertname": "CertificateExpiring"}, "fingerprint": "ce27", "startsAt": "2026-11-27T17:00:00Z",
            "host": "web1", "address": format!("127.0.0.1:{}", self.port), "certificate": self.traces.command("HERE/cert.pem"),
            "key": self.traces.command("HERE/key.pem"), "renew": renew, "reload": self.reload(), "settle": 1,
            "notify": format!("{mailbox}@example.test"), "escalateTo": format!("{mailbox}-escalation@example.test"),
        })
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        // An error only says that it has ended already.
        let _ = Command::new("kill").arg(self.traces.of("pid").trim()).status();
    }
}

fn copies(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".rondo-")).count()
}

#[tokio::test]
async fn a_certificate_is_renewed_or_the_old_one_is_put_back_whatever_dies() {
    let (mut portal, traces, mailbox) = (portal().await, Traces::new("certificate"), unique("duty"));
    let service = Service::start(&traces);
    assert_eq!(service.shows(), "0101");
    // What it renews to is good for two days only.
    let ended = portal
        .run(
            "incident/certificate-expiring",
            &service.input(&service.certificate("0202", 2), &mailbox),
            Answer::Approve,
        )
        .await;
    assert_eq!((&ended["status"], &ended["compensated"]), (&json!("faulted"), &json!(true)), "{ended:#}");
    assert_eq!((service.shows().as_str(), copies(&traces.0)), ("0101", 0));
    assert_eq!(mails_to(&format!("{mailbox}-escalation@example.test")).await.len(), 1);

    let run = portal
        .launch("incident/certificate-expiring", &service.input(&service.certificate("0303", 90), &mailbox))
        .await;
    portal.kill_when(&run, "renew").await;
    let ended = portal.complete(&run).await;
    assert_eq!(ended["output"]["outcome"], "renewed", "{ended:#}");
    assert_eq!((service.shows().as_str(), copies(&traces.0)), ("0303", 0));

    let again = portal.run("incident/certificate-expiring", &service.input("false", &mailbox), Answer::Reject).await;
    assert_eq!(again["output"]["outcome"], "it is good for long enough", "{again:#}");
}

/// A trigger for what Alertmanager says; its id and the path of its address.
async fn trigger(portal: &Portal, settings: &Value) -> (String, String) {
    let made = portal.by_admin(Method::POST, "/triggers", settings).await;
    let place = made["trigger"]["address"].as_str().unwrap().rsplit('/').next().unwrap();
    (made["trigger"]["id"].as_str().unwrap().to_owned(), format!("/hooks/{place}"))
}

/// What is at a path, as soon as it pleases. Nobody decides anything meanwhile.
async fn seen(portal: &Portal, path: &str, pleases: impl Fn(&Value) -> bool) -> Value {
    let mut pause = tokio::time::interval(super::PAUSE);
    let looking = async {
        loop {
            pause.tick().await;
            let seen = portal.by_admin(Method::GET, path, &Value::Null).await;
            if pleases(&seen) {
                return seen;
            }
        }
    };
    let looked = tokio::time::timeout(super::PATIENCE, looking).await;
    looked.unwrap_or_else(|_| panic!("{path} is not as it should be\n{}", portal.server().log()))
}

/// The first delivery of a trigger with this outcome, as soon as there is one.
async fn delivered(portal: &Portal, trigger: &str, outcome: &str) -> Value {
    let path = format!("/triggers/{trigger}/deliveries?outcome={outcome}");
    let page = seen(portal, &path, |page| page["items"].as_array().is_some_and(|items| !items.is_empty())).await;
    page["items"][0].clone()
}

#[tokio::test]
async fn a_service_that_prometheus_finds_down_is_restored_by_what_its_alert_launches_whatever_dies() {
    let Some(monitoring) = Monitoring::take().await else { return };
    let (mut portal, mailbox) = (portal().await, unique("duty"));
    let (restarts, port) = (Arc::new(AtomicUsize::new(0)), monitoring.port);
    let counted = Arc::clone(&restarts);
    let restart = move || async move {
        counted.fetch_add(1, Ordering::SeqCst);
        monitoring::answer(port, || "answers 1\n".to_owned()).await;
    };
    let remedy = serve(Router::new().route("/restart", post(restart))).await;
    let mapping = format!(
        "{{service: .alert.labels.job, url: (\"http://\" + .alert.labels.instance + \"/metrics\"), \
         remedy: {{url: \"{remedy}/restart\", method: \"post\"}}, notify: \"{mailbox}@example.test\"}}"
    );
    let settings = monitoring::trigger("restarts", "NodeDown", "service-down", &mapping, "continue");
    let (id, path) = trigger(&portal, &settings).await;
    monitoring.tell(&portal.server().at(&path));
    let launched = delivered(&portal, &id, "launched").await;
    let run = launched["run"].as_str().unwrap();
    let approval = portal.asked(run).await;
    assert!(approval.to_string().contains("3 of 3 checks failed"), "{approval:#}");
    portal.kill();
    monitoring.tell(&portal.server().at(&path));
    let ended = portal.complete(run).await;
    assert_eq!(ended["output"]["outcome"], "recovered", "{ended:#}");
    assert_eq!(restarts.load(Ordering::SeqCst), 1, "it was called once");
    assert_eq!(mails_to(&format!("{mailbox}@example.test")).await[0]["subject"], "lab: recovered");
    let again = portal.by_admin(Method::GET, &format!("/triggers/{id}/deliveries"), &Value::Null).await;
    let launches = again["items"].as_array().unwrap().iter().filter(|delivery| delivery["outcome"] == "launched");
    assert_eq!(launches.count(), 1, "{again:#}");
}

#[tokio::test]
async fn what_prometheus_finds_is_left_alone_when_it_is_over_by_itself_and_else_has_its_room_again() {
    let Some(monitoring) = Monitoring::take().await else { return };
    let (portal, traces, disk, mailbox) = (portal().await, Traces::new("over"), Arc::new(Disk::new()), unique("duty"));
    let told = format!("notify: \"{mailbox}@example.test\", escalateTo: \"{mailbox}-escalation@example.test\"");
    let mapping = format!(
        ".alert + {{host: \"web1\", remedy: \"{}\", check: \"true\", bucket: \"reviews\", {told}}}",
        traces.command("touch HERE/repaired")
    );
    let settings = monitoring::trigger("triage", "NodeDown", "triage-alert", &mapping, "close");
    let (id, path) = trigger(&portal, &settings).await;
    monitoring.tell(&portal.server().at(&path));
    let launched = delivered(&portal, &id, "launched").await;
    let run = launched["run"].as_str().unwrap();
    let approval = portal.asked(run).await;
    assert!(approval.to_string().contains("is down"), "what the alert says is there: {approval:#}");

    let (wanted, looked_at) = (disk.free() - 20, Arc::clone(&disk));
    let metrics = move || {
        let (folder, above) = (looked_at.0.path().display(), looked_at.free().saturating_sub(wanted) * 1024 * 1024);
        format!("node_filesystem_avail_bytes{{host=\"web1\",mountpoint=\"{folder}\"}} {above}\n")
    };
    monitoring.answer(metrics).await;
    delivered(&portal, &id, "closed").await;
    assert_eq!(portal.follow(run, Answer::Wait).await["status"], "cancelled");
    assert_eq!(traces.of("repaired"), "");

    let mapping = format!(
        ".alert + {{host: .alert.labels.host, folder: .alert.labels.mountpoint, freeAtLeast: {wanted}, {told}}}"
    );
    let settings = monitoring::trigger("room", "DiskFull", "disk-full", &mapping, "continue");
    let (id, path) = trigger(&portal, &settings).await;
    monitoring.tell(&portal.server().at(&path));
    disk.fill("shop.log.1");
    let launched = delivered(&portal, &id, "launched").await;
    let ended = portal.complete(launched["run"].as_str().unwrap()).await;
    assert_eq!(ended["output"]["outcome"], "there is room again", "{ended:#}");
    assert_eq!(disk.files(), ["shop.log.1.gz"]);
    assert_eq!(mails_to(&format!("{mailbox}@example.test")).await.len(), 1);
}
