//! The whole server as a process: how soon it is ready, and how much memory it holds.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::sleep,
};

use crate::stopwatch::{Outcome, milliseconds, now};

/// Longer than any server takes that will come at all.
const PATIENCE: Duration = Duration::from_mins(2);
/// Memory is read so often until it has stopped growing.
const LOOK: Duration = Duration::from_secs(2);

/// A server that is ready.
pub(crate) struct Server {
    process: Child,
    /// From before its start to the first answer that says so, in milliseconds.
    pub(crate) ready_after: f64,
}

impl Server {
    /// Starts this program on this database.
    pub(crate) async fn start(program: &Path, data: &Path, database: &str) -> Outcome<Self> {
        let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let mut command = Command::new(program);
        command.args(["serve", "--listen", &address.to_string(), "--data"]).arg(data);
        command.env("DATABASE_URL", database).env("RONDO_LOG_LEVEL", "warn");
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let began = now();
        let mut process = command.spawn()?;
        while !is_ready(&address.to_string()).await {
            if let Some(status) = process.try_wait()? {
                return Err(format!("the server ended before it was ready: {status}").into());
            }
            if began.elapsed() > PATIENCE {
                return Err("the server does not become ready".into());
            }
            sleep(Duration::from_millis(1)).await;
        }
        Ok(Self { process, ready_after: milliseconds(&began.elapsed()) })
    }

    /// Resident memory in MiB once it has stopped growing.
    pub(crate) async fn memory(&self) -> Outcome<f64> {
        let id = self.process.id().ok_or("the server has ended")?;
        let mut before = 0.0;
        loop {
            sleep(LOOK).await;
            let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
            let memory: f64 = line.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1024.0;
            if (memory - before).abs() < memory / 100.0 {
                return Ok(memory);
            }
            before = memory;
        }
    }

    pub(crate) async fn stop(mut self) -> Outcome<()> {
        let id = self.process.id().ok_or("the server has ended")?;
        Command::new("kill").arg(id.to_string()).status().await?;
        self.process.wait().await?;
        Ok(())
    }
}

async fn is_ready(address: &str) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask.await.unwrap_or(false)
}
