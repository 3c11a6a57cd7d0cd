//! A signed-in connection to a host, over a jump host where there is one.

use std::{
    borrow::Cow,
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

#[cfg(feature = "network")]
use russh::{Channel, ChannelMsg, ChannelStream, client::Msg};
use russh::{
    ChannelOpenFailure, Disconnect, Error as SshError, MethodKind, Preferred, SshId,
    client::{self, AuthResult, Handle, KeyboardInteractiveAuthResponse},
    keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate},
};
use tokio::io::{AsyncRead, AsyncWrite};
use workflow::{RunError, StandardError};

use super::settings::{Access, Host, Jump, Login, Pin};
use crate::{
    Failure,
    egress::{DialError, EgressPolicy},
};

/// How long a host may take to say who it is, and again to judge a sign-in.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// A host that has been silent for this long is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// A host that has let us in.
pub(crate) struct Session {
    pub(crate) handle: Handle<Gate>,
    /// The way over the jump host ends with its session.
    _jump: Option<Handle<Gate>>,
}

impl Session {
    /// Connects, compares the host's key and signs in.
    pub(crate) async fn open(policy: &EgressPolicy, access: &Access, host: &Host) -> Result<Arc<Self>, Failure> {
        let Some(jump) = &access.jump else {
            let stream = policy.connect(&host.address, host.port).await?;
            let mut handle = greet(stream, host).await?;
            sign_in(&mut handle, &access.login, host).await?;
            return Ok(Self::new(handle, None));
        };
        let stream = policy.connect(&jump.host.address, jump.host.port).await?;
        let mut between = greet(stream, &jump.host).await?;
        sign_in(&mut between, &jump.login, &jump.host).await?;
        let mut handle = greet_behind(policy, &between, jump, host).await?;
        sign_in(&mut handle, &access.login, host).await?;
        Ok(Self::new(handle, Some(between)))
    }

    pub(crate) fn new(handle: Handle<Gate>, jump: Option<Handle<Gate>>) -> Arc<Self> {
        Arc::new(Self { handle, _jump: jump })
    }

    /// Speaks to a subsystem of the host.
    #[cfg(feature = "network")]
    pub(crate) async fn subsystem(&self, name: &str, host: &str) -> Result<ChannelStream<Msg>, Failure> {
        let lost = |error: SshError| Failure::unreachable(format!("the connection to {host} was lost: {error}"));
        let mut channel = self.handle.channel_open_session().await.map_err(lost)?;
        channel.request_subsystem(true, name).await.map_err(lost)?;
        granted(&mut channel, || format!("{host} has no subsystem {name} for this account; switch it on there"))
            .await?;
        Ok(channel.into_stream())
    }

    /// Speaks to the shell of the account, in a terminal that knows no control sequences.
    #[cfg(feature = "network")]
    pub(crate) async fn terminal(&self, columns: u32, rows: u32, host: &str) -> Result<ChannelStream<Msg>, Failure> {
        let lost = |error: SshError| Failure::unreachable(format!("the connection to {host} was lost: {error}"));
        let mut channel = self.handle.channel_open_session().await.map_err(lost)?;
        channel.request_pty(true, "dumb", columns, rows, 0, 0, &[]).await.map_err(lost)?;
        granted(&mut channel, || format!("{host} lets this account have no terminal")).await?;
        channel.request_shell(true).await.map_err(lost)?;
        granted(&mut channel, || format!("{host} lets this account have no command line")).await?;
        Ok(channel.into_stream())
    }

    /// Says goodbye; what goes wrong then does not matter any more.
    pub(crate) async fn close(&self) {
        let _ = self.handle.disconnect(Disconnect::ByApplication, "done", "en").await;
    }
}

/// Waits for a host to grant what was last requested.
#[cfg(feature = "network")]
async fn granted(channel: &mut Channel<Msg>, refusal: impl Fn() -> String) -> Result<(), Failure> {
    let answer = async {
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Success => return true,
                ChannelMsg::Failure | ChannelMsg::Close => return false,
                _ => {}
            }
        }
        false
    };
    match tokio::time::timeout(ANSWER_LIMIT, answer).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::refused(403, refusal())),
        Err(_) => Err(Failure::unreachable(format!("no answer; {}", refusal()))),
    }
}

/// Lets only a host in whose key is pinned, and remembers what it showed.
pub(crate) struct Gate {
    host: Host,
    shown: Arc<Mutex<Option<PublicKey>>>,
}

impl client::Handler for Gate {
    type Error = SshError;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        // Certificates are never offered to servers, so that none may come.
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else { return Ok(false) };
        if self.host.pins.iter().any(|pin| pin.is(key)) {
            return Ok(true);
        }
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.clone());
        Ok(false)
    }
}

/// Agrees on encryption with a host, whose key must be one of those pinned.
pub(crate) async fn greet<S>(stream: S, host: &Host) -> Result<Handle<Gate>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = client::Config {
        client_id: SshId::Standard(Cow::Borrowed("SSH-2.0-rondo")),
        keepalive_interval: Some(KEEPALIVE),
        preferred: Preferred { key: Cow::Owned(key_kinds(host)), ..Preferred::DEFAULT },
        ..client::Config::default()
    };
    let shown = Arc::new(Mutex::new(None));
    let gate = Gate { host: host.clone(), shown: Arc::clone(&shown) };
    let greeting = tokio::time::timeout(ANSWER_LIMIT, client::connect_stream(Arc::new(config), stream, gate)).await;
    let error = match greeting {
        Ok(Ok(handle)) => return Ok(handle),
        Ok(Err(error)) => error,
        Err(_) => {
            let seconds = ANSWER_LIMIT.as_secs();
            return Err(Failure::unreachable(format!("{} did not greet as an SSH server in {seconds} s", host.name)));
        }
    };
    let shown = shown.lock().unwrap_or_else(PoisonError::into_inner).take();
    Err(match shown {
        Some(key) => not_trusted(host, &key),
        None => no_greeting(host, &error),
    })
}

/// The kinds of keys that a host is asked for: those that are pinned first, so that it does not show another of its own.
fn key_kinds(host: &Host) -> Vec<Algorithm> {
    let mut kinds: Vec<Algorithm> = host.pins.iter().filter_map(Pin::kind).collect();
    for kind in Preferred::DEFAULT.key.iter() {
        if !matches!(kind, Algorithm::Rsa { .. }) && !kinds.contains(kind) {
            kinds.push(kind.clone());
        }
    }
    kinds
}

fn not_trusted(host: &Host, key: &PublicKey) -> Failure {
    let line = key.to_openssh().unwrap_or_default();
    let fingerprint = key.fingerprint(HashAlg::Sha256);
    Failure::permanent(RunError::new(
        StandardError::Authentication,
        format!(
            "{} showed a host key that is not trusted: {fingerprint} ({line}). Somebody may be in between; if the host's \
             administrator confirms this key, enter it among the keys of the host",
            host.name
        ),
    ))
}

fn no_greeting(host: &Host, error: &SshError) -> Failure {
    match error {
        SshError::NoCommonAlgo { kind, theirs, .. } => Failure::configuration(format!(
            "{} has no {kind:?} algorithm that is served here (it has: {}); give it a host key of kind ed25519 or ecdsa \
             and present-day algorithms",
            host.name,
            theirs.join(", ")
        )),
        other => Failure::unreachable(format!("{} does not answer as an SSH server does: {other}", host.name)),
    }
}

/// The same over a jump host, which is the one to resolve the name.
pub(crate) async fn greet_behind(
    policy: &EgressPolicy,
    between: &Handle<Gate>,
    jump: &Jump,
    host: &Host,
) -> Result<Handle<Gate>, Failure> {
    policy.permit_name(&host.address).map_err(DialError::Refused)?;
    let opening = between.channel_open_direct_tcpip(host.address.clone(), u32::from(host.port), "127.0.0.1", 0);
    let channel = tokio::time::timeout(ANSWER_LIMIT, opening)
        .await
        .map_err(|_| Failure::unreachable(format!("the jump host {} does not answer", jump.host.name)))?
        .map_err(|error| no_way(jump, host, &error))?;
    greet(channel.into_stream(), host).await
}

fn no_way(jump: &Jump, host: &Host, error: &SshError) -> Failure {
    let way = format!("the jump host {} opens no connection to {}", jump.host.name, host.name);
    match error {
        SshError::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => {
            Failure::configuration(format!("{way}: it does not permit forwarding (AllowTcpForwarding, PermitOpen)"))
        }
        other => Failure::unreachable(format!("{way}: {other}")),
    }
}

/// Signs in by key, then by password, as far as there are such.
pub(crate) async fn sign_in(handle: &mut Handle<Gate>, login: &Login, host: &Host) -> Result<(), Failure> {
    match tokio::time::timeout(ANSWER_LIMIT * 2, try_ways(handle, login)).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(offered))) => Err(Failure::permanent(RunError::new(
            StandardError::Authentication,
            format!(
                "{} refused the sign-in of {}; it offers {offered}. Compare the user, the key in its authorized_keys, and \
                 the password",
                host.name, login.user
            ),
        ))),
        Ok(Err(error)) => Err(gone(host, &error)),
        Err(_) => Err(gone(host, &"no answer to the sign-in")),
    }
}

/// Nothing has been asked of the host yet.
pub(crate) fn gone(host: &Host, error: &dyn Display) -> Failure {
    Failure::unreachable(format!("the connection to {} was lost: {error}", host.name))
}

/// Signs in; else tells what the host offers.
async fn try_ways(handle: &mut Handle<Gate>, login: &Login) -> Result<Result<(), String>, SshError> {
    let mut offered = String::from("nothing");
    let mut partly = false;
    if let Some(key) = &login.key {
        let key = PrivateKeyWithHashAlg::new(Arc::clone(key), None);
        match handle.authenticate_publickey(&login.user, key).await? {
            AuthResult::Success => return Ok(Ok(())),
            AuthResult::Failure { remaining_methods, partial_success } => {
                partly = partial_success;
                offered = names(remaining_methods.iter());
            }
        }
    }
    let Some(password) = &login.password else {
        return Ok(Err(if partly { format!("{offered} as well as the key") } else { offered }));
    };
    match handle.authenticate_password(&login.user, password.expose()).await? {
        AuthResult::Success => return Ok(Ok(())),
        AuthResult::Failure { remaining_methods, .. } => {
            offered = names(remaining_methods.iter());
            if !remaining_methods.contains(&MethodKind::KeyboardInteractive) {
                return Ok(Err(offered));
            }
        }
    }
    // Servers that ask for passwords by PAM only put the same question in this way.
    let mut answer = handle.authenticate_keyboard_interactive_start(&login.user, None).await?;
    for _ in 0..3 {
        match answer {
            KeyboardInteractiveAuthResponse::Success => return Ok(Ok(())),
            KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(Err(offered)),
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                if prompts.len() > 1 || prompts.iter().any(|prompt| prompt.echo) {
                    return Ok(Err("questions beside the password".to_owned()));
                }
                let answers = prompts.iter().map(|_| password.expose().to_owned()).collect();
                answer = handle.authenticate_keyboard_interactive_respond(answers).await?;
            }
        }
    }
    Ok(Err(offered))
}

fn names<'a>(methods: impl Iterator<Item = &'a MethodKind>) -> String {
    let names: Vec<String> = methods.map(|method| <&'static str>::from(method).to_owned()).collect();
    if names.is_empty() { "nothing else".to_owned() } else { names.join(", ") }
}
