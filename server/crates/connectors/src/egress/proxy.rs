//! The proxy that connections to other systems go through, by the method CONNECT of HTTP.

use std::{fmt, net::IpAddr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use identity::Secret;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{CONNECT_LIMIT, Destination, DialError};

/// The longest head of an answer that is read.
const HEAD_LIMIT: usize = 8 * 1024;

/// A proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who it is told that asks: a name and a password.
    pub credentials: Option<(String, Secret)>,
    /// What is reached without it.
    pub no_proxy: Vec<Destination>,
    /// Whether names are resolved by it alone, because they cannot be here.
    pub resolves: bool,
}

impl Proxy {
    /// Whether this host is reached without it: by its name, or by the address that it has.
    pub(super) fn is_bypassed(&self, host: &str, address: Option<IpAddr>) -> bool {
        self.no_proxy.iter().any(|one| match (one, address) {
            (Destination::Network(network), Some(address)) => network.contains(address),
            (Destination::Network(_), None) => false,
            (named, _) => named.names(host),
        })
    }

    /// Opens a way through it to a host, whose name it is told.
    pub(super) async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let opened = tokio::time::timeout(CONNECT_LIMIT, self.open(host, port));
        opened.await.map_err(|_| self.failed(false, format!("no answer within {} seconds", CONNECT_LIMIT.as_secs())))?
    }

    async fn open(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let broken = |error: std::io::Error| self.failed(false, error.to_string());
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(broken)?;
        // A connector's packets are small and each is waited for; failing to say so only costs time.
        let _ = stream.set_nodelay(true);
        stream.write_all(self.request(host, port)?.as_bytes()).await.map_err(broken)?;
        let mut head = Vec::new();
        // Byte by byte: what comes after the head is the other system's.
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= HEAD_LIMIT {
                return Err(self.failed(false, "it does not answer as a proxy does".to_owned()));
            }
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return Err(self.failed(false, "it hung up instead of answering".to_owned())),
            }
        }
        match status(&head) {
            Some(200..300) => Ok(stream),
            Some(407) => {
                let remedy = "it refuses the credentials: correct egress.proxy.user and its password".to_owned();
                Err(self.failed(true, remedy))
            }
            Some(status @ 400..500) => {
                Err(self.failed(true, format!("it does not let {host} port {port} be reached (status {status})")))
            }
            Some(status) => {
                Err(self.failed(false, format!("it cannot reach {host} port {port} at the moment (status {status})")))
            }
            None => Err(self.failed(false, "it does not answer as a proxy does".to_owned())),
        }
    }

    fn request(&self, host: &str, port: u16) -> Result<String, DialError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        // A host that is none could end the line and begin another.
        if bare.is_empty() || !bare.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':')) {
            let reason = "it is not the name of a host".to_owned();
            return Err(DialError::Name { host: host.to_owned(), reason });
        }
        let at = if bare.contains(':') { format!("[{bare}]:{port}") } else { format!("{bare}:{port}") };
        let authorization = self.credentials.as_ref().map_or_else(String::new, |(user, password)| {
            let login = STANDARD.encode(format!("{user}:{}", password.expose()));
            format!("Proxy-Authorization: Basic {login}\r\n")
        });
        Ok(format!("CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n{authorization}\r\n"))
    }

    fn failed(&self, refused: bool, reason: String) -> DialError {
        DialError::Proxy { proxy: self.to_string(), refused, reason }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The status of an answer, if it is one of HTTP.
fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head).ok()?.lines().next()?;
    let mut words = line.split(' ');
    let version = words.next()?;
    version.starts_with("HTTP/1.").then(|| words.next()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy() -> Proxy {
        Proxy {
            host: "proxy.test".to_owned(),
            port: 3128,
            credentials: Some(("rondo".to_owned(), Secret::new("hunter2".to_owned()))),
            no_proxy: vec!["10.0.0.0/8".parse().unwrap(), "*.intern.test".parse().unwrap()],
            resolves: false,
        }
    }

    #[test]
    fn a_host_cannot_leave_its_line() {
        let request = proxy().request("db.test", 5432).unwrap();
        let login = STANDARD.encode("rondo:hunter2");
        let told = format!(
            "CONNECT db.test:5432 HTTP/1.1\r\nHost: db.test:5432\r\nProxy-Authorization: Basic {login}\r\n\r\n"
        );
        assert_eq!(request, told);
        assert!(proxy().request("[::1]", 1).unwrap().starts_with("CONNECT [::1]:1 HTTP/1.1"));
        for bad in ["", "a\r\nX: y", "a b", "a/b", "ä"] {
            assert!(matches!(proxy().request(bad, 1), Err(DialError::Name { .. })), "{bad:?}");
        }
        assert!(!format!("{:?}", proxy()).contains("hunter2"));
    }

    #[test]
    fn what_needs_no_proxy_is_known_by_name_and_address() {
        let proxy = proxy();
        let (near, far) = ("10.1.1.1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        assert!(proxy.is_bypassed("db.intern.test", None) && proxy.is_bypassed("db.intern.test", Some(far)));
        assert!(proxy.is_bypassed("db.test", Some(near)));
        assert!(!proxy.is_bypassed("db.test", Some(far)) && !proxy.is_bypassed("db.test", None));
    }

    #[test]
    fn only_an_answer_of_http_has_a_status() {
        assert_eq!(status(b"HTTP/1.1 200 Connection established\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407 x\r\n\r\n"), Some(407));
        for bad in [&b"SSH-2.0-x\r\n\r\n"[..], b"HTTP/1.1\r\n\r\n", b"HTTP/2 200\r\n\r\n", b"\xff\r\n\r\n"] {
            assert_eq!(status(bad), None);
        }
    }
}
