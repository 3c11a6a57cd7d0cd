//! A second pair of eyes on a NATS server: what tests see and prepare there without the connector that they test.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "what fails here is the failure of the test that asked for it"
)]

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};

/// Long enough for anything on one machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client in the clear that may do everything.
pub struct NatsConsole {
    stream: BufReader<TcpStream>,
    inbox: String,
}

/// A message that came.
pub struct Heard {
    /// What it is about.
    pub subject: String,
    /// Where an answer goes, if somebody waits for one.
    pub reply: Option<String>,
    /// The headers as they were sent.
    pub headers: String,
    /// What it holds.
    pub payload: Vec<u8>,
}

impl Heard {
    /// What it holds, as data.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap()
    }
}

impl NatsConsole {
    /// Signs in as the lab's user `console`.
    pub async fn open(port: u16, password: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let inbox = format!("_INBOX.console-{}", stream.local_addr().unwrap().port());
        let mut console = Self { stream: BufReader::new(stream), inbox };
        assert!(console.line().await.starts_with("INFO "), "it is no NATS server");
        let options = serde_json::json!({
            "user": "console", "pass": password, "verbose": false, "headers": true, "no_responders": true, "lang": "test", "version": "1",
        });
        console.write(format!("CONNECT {options}\r\nSUB {}.* 1\r\n", console.inbox).as_bytes()).await;
        console.settle().await;
        console
    }

    /// Asks, and gives what is answered.
    pub async fn ask(&mut self, subject: &str, payload: &Value) -> Value {
        let reply = format!("{}.answer", self.inbox);
        // Where nothing is to be said, the server wants nothing.
        let payload = if payload.is_null() { String::new() } else { payload.to_string() };
        let packet = format!("PUB {subject} {reply} {}\r\n{payload}\r\n", payload.len());
        self.write(packet.as_bytes()).await;
        loop {
            let heard = self.next().await;
            if heard.subject == reply {
                return heard.json();
            }
        }
    }

    /// Hears what is sent on a subject from now on.
    pub async fn listen(&mut self, subject: &str) {
        self.write(format!("SUB {subject} 2\r\n").as_bytes()).await;
        self.settle().await;
    }

    /// Sends a message with these headers (lines without their ends).
    pub async fn send(&mut self, subject: &str, headers: &[&str], payload: &[u8]) {
        let mut head = "NATS/1.0\r\n".to_owned();
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        let packet = format!("HPUB {subject} {} {}\r\n{head}", head.len(), head.len() + payload.len());
        self.write(&[packet.as_bytes(), payload, b"\r\n"].concat()).await;
    }

    /// The next message.
    pub async fn next(&mut self) -> Heard {
        let line = self.packet().await;
        // MSG SUBJECT NUMBER [REPLY] SIZE, or HMSG SUBJECT NUMBER [REPLY] HEADERS SIZE.
        let words: Vec<&str> = line.split_whitespace().collect();
        let sizes = match words[0] {
            "MSG" => 1,
            "HMSG" => 2,
            _ => panic!("the server says {line}"),
        };
        let (about, sizes) = words.split_at(words.len() - sizes);
        let sizes: Vec<usize> = sizes.iter().map(|size| size.parse().unwrap()).collect();
        let (headers, size) = (if sizes.len() == 2 { sizes[0] } else { 0 }, sizes[sizes.len() - 1]);
        let mut content = vec![0; size + 2];
        timeout(PATIENCE, self.stream.read_exact(&mut content)).await.unwrap().unwrap();
        content.truncate(size);
        let payload = content.split_off(headers);
        Heard {
            subject: about[1].to_owned(),
            reply: about.get(3).map(|reply| (*reply).to_owned()),
            headers: String::from_utf8(content).unwrap(),
            payload,
        }
    }

    /// A stream in memory that keeps what is sent on these subjects, in place of one of that name, with a consumer `tests`
    /// that messages can be asked of.
    pub async fn make_stream(&mut self, name: &str, subjects: &[&str]) {
        self.ask(&format!("$JS.API.STREAM.DELETE.{name}"), &Value::Null).await;
        let made = self.ask(&format!("$JS.API.STREAM.CREATE.{name}"), &stream(name, subjects)).await;
        assert!(made.get("error").is_none(), "{made}");
        let consumer = serde_json::json!({
            "stream_name": name,
            "config": {
                "durable_name": "tests", "ack_policy": "explicit", "deliver_policy": "all", "ack_wait": 30_000_000_000_u64,
                "max_deliver": -1, "replay_policy": "instant",
            },
        });
        let made = self.ask(&format!("$JS.API.CONSUMER.DURABLE.CREATE.{name}.tests"), &consumer).await;
        assert!(made.get("error").is_none(), "{made}");
    }

    /// A stream of this name that keeps what is sent on these subjects: the one that is there, or a new one.
    pub async fn have_stream(&mut self, name: &str, subjects: &[&str]) {
        let there = self.ask(&format!("$JS.API.STREAM.INFO.{name}"), &Value::Null).await;
        if there.get("error").is_some() {
            // Another test may be faster, with the same.
            self.ask(&format!("$JS.API.STREAM.CREATE.{name}"), &stream(name, subjects)).await;
        }
    }

    /// What a stream keeps of a subject, as data, oldest first.
    pub async fn all(&mut self, stream: &str, subject: &str) -> Vec<Value> {
        let (mut found, mut from) = (Vec::new(), 1);
        loop {
            let wanted = serde_json::json!({"seq": from, "next_by_subj": subject});
            let answer = self.ask(&format!("$JS.API.STREAM.MSG.GET.{stream}"), &wanted).await;
            let Some(message) = answer.get("message") else { return found };
            let data = STANDARD.decode(message["data"].as_str().unwrap_or_default()).unwrap();
            found.push(serde_json::from_slice(&data).unwrap());
            from = message["seq"].as_u64().unwrap() + 1;
        }
    }

    /// How many messages a stream keeps.
    pub async fn count(&mut self, stream: &str) -> u64 {
        let about = self.ask(&format!("$JS.API.STREAM.INFO.{stream}"), &Value::Null).await;
        about["state"]["messages"].as_u64().unwrap()
    }

    /// Waits until the server has dealt with everything so far.
    async fn settle(&mut self) {
        self.write(b"PING\r\n").await;
        assert_eq!(self.packet().await, "PONG");
    }

    /// The first line of what the server says next, for us.
    async fn packet(&mut self) -> String {
        loop {
            match self.line().await {
                line if line == "PING" => self.write(b"PONG\r\n").await,
                line => return line,
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).await.unwrap();
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        timeout(PATIENCE, self.stream.read_line(&mut line)).await.unwrap().unwrap();
        line.trim_end().to_owned()
    }
}

fn stream(name: &str, subjects: &[&str]) -> Value {
    serde_json::json!({
        "name": name, "subjects": subjects, "storage": "memory", "retention": "limits", "max_consumers": -1, "max_msgs": -1,
        "max_bytes": -1, "max_age": 0, "max_msg_size": -1, "discard": "old", "num_replicas": 1,
        "duplicate_window": 120_000_000_000_u64,
    })
}
