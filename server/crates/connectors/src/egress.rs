//! Which addresses the server may talk to, and the one place where connectors open sockets.
//!
//! Addresses are judged after the name was resolved and on the very address that is then connected to, so that a name
//! that resolves to something else the second time gains nothing. Link-local addresses (among them the metadata service
//! of every cloud) are never reached unless named in [`EgressPolicy::exceptions`].
//!
//! Where there is a [`Proxy`], it is told the host's name. The address is judged all the same, as it is resolved here; that the
//! proxy resolves it to the same one is the proxy's to answer for. Where names can only be resolved by the proxy, they are
//! judged by name.
//!
//! A server has a policy for all, and can have rules for namespaces, which narrow it: [`Egress`] gives each namespace its own.
//! What a run reaches goes by that of its namespace, which is [`crate::CallContext::egress`]. What the server itself asks (checks
//! of connections, what definitions refer to while they are stored, branches of repositories) goes by the one for all.

mod proxy;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use domain::Name;
use tokio::net::TcpStream;
use workflow::{RunError, StandardError};

pub use proxy::Proxy;

/// How long connecting to one address may take.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Metadata services that are not link-local: Amazon over IPv6, Alibaba, Oracle.
const METADATA: [IpAddr; 3] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

/// What may be reached.
#[derive(Clone, Debug)]
pub struct EgressPolicy {
    /// Whether the machine itself may be reached.
    pub loopback: bool,
    /// If not empty, only these may be reached.
    pub only: Vec<Destination>,
    /// Networks that may be reached although they are link-local or metadata services.
    pub exceptions: Vec<Network>,
    /// What connections go through; none: straight to where they lead.
    pub proxy: Option<Arc<Proxy>>,
    /// What a namespace may reach of all that; none for the server itself, and for namespaces without rules.
    pub narrowed: Option<Narrowed>,
}

/// The rules of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrowed {
    /// Which namespace.
    pub namespace: Name,
    /// Its runs may reach nothing but these.
    pub only: Vec<Destination>,
}

impl Default for EgressPolicy {
    fn default() -> Self {
        Self { loopback: true, only: Vec::new(), exceptions: Vec::new(), proxy: None, narrowed: None }
    }
}

/// The policies of a server: the one for all, and those of the namespaces that have rules.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    everywhere: Arc<EgressPolicy>,
    namespaces: BTreeMap<Name, Arc<EgressPolicy>>,
}

impl Egress {
    /// The policies that narrow `everywhere` for these namespaces.
    #[must_use]
    pub fn new(everywhere: EgressPolicy, rules: impl IntoIterator<Item = Narrowed>) -> Self {
        let scoped = |rule: Narrowed| {
            let namespace = rule.namespace.clone();
            (namespace, Arc::new(EgressPolicy { narrowed: Some(rule), ..everywhere.clone() }))
        };
        Self { namespaces: rules.into_iter().map(scoped).collect(), everywhere: Arc::new(everywhere) }
    }

    /// The policy for all.
    #[must_use]
    pub fn everywhere(&self) -> Arc<EgressPolicy> {
        Arc::clone(&self.everywhere)
    }

    /// What runs of a namespace may reach.
    #[must_use]
    pub fn of(&self, namespace: &Name) -> Arc<EgressPolicy> {
        Arc::clone(self.namespaces.get(namespace).unwrap_or(&self.everywhere))
    }
}

impl EgressPolicy {
    /// Whether this address may be reached, without a name that stands for it; else why not.
    pub fn permit(&self, address: IpAddr) -> Result<(), EgressRefused> {
        self.permit_as(None, address)
    }

    /// Whether this address, to which `host` was resolved, may be reached; else why not.
    fn permit_as(&self, host: Option<&str>, address: IpAddr) -> Result<(), EgressRefused> {
        let address = embedded(address);
        self.permit_everywhere(host, address)?;
        match &self.narrowed {
            Some(narrowed) if !narrowed.only.iter().any(|one| one.covers(host, address)) => {
                Err(narrowed.refuse(address))
            }
            _ => Ok(()),
        }
    }

    /// Whether a host may be reached of which only the name is known here: whoever is on the way, a proxy or a jump host,
    /// resolves it. Only names can say so.
    pub(crate) fn permit_name(&self, host: &str) -> Result<(), EgressRefused> {
        // Numbers are written in more ways than one, and whoever resolves them may know them all.
        match url::Host::parse(host) {
            Ok(url::Host::Ipv4(address)) => return self.permit_as(Some(host), address.into()),
            Ok(url::Host::Ipv6(address)) => return self.permit_as(Some(host), address.into()),
            Ok(url::Host::Domain(_)) | Err(_) => {}
        }
        if let Ok(address) = bare(host).parse() {
            return self.permit_as(Some(host), address);
        }
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        if name == "localhost" || name.ends_with(".localhost") {
            self.permit_as(Some(host), Ipv4Addr::LOCALHOST.into())?;
        }
        if !self.only.is_empty() && !self.only.iter().any(|one| one.names(host)) {
            return Err(outside(&self.only, host));
        }
        match &self.narrowed {
            Some(narrowed) if !narrowed.only.iter().any(|one| one.names(host)) => Err(narrowed.refuse(host)),
            _ => Ok(()),
        }
    }

    /// The way to a host, if it may be reached.
    pub async fn route(&self, host: &str, port: u16) -> Result<Route<'_>, DialError> {
        let Some(proxy) = self.proxy.as_deref() else { return Ok(Route::Straight(self.resolve(host, port).await?)) };
        if proxy.resolves && !proxy.is_bypassed(host, bare(host).parse().ok()) {
            self.permit_name(host)?;
            return Ok(Route::Through(proxy));
        }
        let addresses = self.resolve(host, port).await?;
        let near = addresses.iter().any(|address| proxy.is_bypassed(host, Some(address.ip())));
        Ok(if near { Route::Straight(addresses) } else { Route::Through(proxy) })
    }

    /// Opens a TCP connection by the way that was found.
    pub async fn take(&self, route: &Route<'_>, host: &str, port: u16) -> Result<TcpStream, DialError> {
        match route {
            Route::Straight(addresses) => self.connect_to(host, port, addresses).await,
            Route::Through(proxy) => proxy.connect(host, port).await,
        }
    }

    fn permit_everywhere(&self, host: Option<&str>, address: IpAddr) -> Result<(), EgressRefused> {
        let refuse = |reason| Err(EgressRefused { what: address.to_string(), reason: Cow::Borrowed(reason) });
        if self.exceptions.iter().any(|network| network.contains(address)) {
            return Ok(());
        }
        if address.is_loopback() && !self.loopback {
            return refuse("the server's own machine");
        }
        if METADATA.contains(&address) {
            return refuse("a cloud's metadata service");
        }
        let link_local = match address {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        if link_local {
            return refuse("a link-local address");
        }
        let nowhere = match address {
            IpAddr::V4(v4) => v4.is_broadcast() || v4.octets()[0] == 0,
            IpAddr::V6(v6) => v6.is_unspecified(),
        };
        if nowhere || address.is_multicast() {
            return refuse("not the address of one machine");
        }
        if !self.only.is_empty() && !self.only.iter().any(|one| one.covers(host, address)) {
            return Err(outside(&self.only, address));
        }
        Ok(())
    }

    /// Resolves a name to the addresses that may be reached. Numeric hosts resolve to themselves.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
        let bare = bare(host);
        let found: Vec<SocketAddr> = tokio::time::timeout(CONNECT_LIMIT, tokio::net::lookup_host((bare, port)))
            .await
            .map_err(|_| DialError::Name { host: host.to_owned(), reason: "no answer in time".to_owned() })?
            .map_err(|error| DialError::Name { host: host.to_owned(), reason: error.to_string() })?
            .collect();
        if found.is_empty() {
            return Err(DialError::Name { host: host.to_owned(), reason: "it has no address".to_owned() });
        }
        let mut refused = None;
        let permitted: Vec<SocketAddr> = found
            .into_iter()
            .filter(|address| match self.permit_as(Some(bare), address.ip()) {
                Ok(()) => true,
                Err(error) => {
                    refused = Some(error);
                    false
                }
            })
            .collect();
        match refused {
            Some(error) if permitted.is_empty() => Err(DialError::Refused(error)),
            _ => Ok(permitted),
        }
    }

    /// Opens a TCP connection to the first address that answers, or through the proxy.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let route = self.route(host, port).await?;
        self.take(&route, host, port).await
    }

    /// Opens a TCP connection to the first of these addresses that answers; they are judged again.
    pub async fn connect_to(&self, host: &str, port: u16, addresses: &[SocketAddr]) -> Result<TcpStream, DialError> {
        let mut reason = "it has no address".to_owned();
        for address in addresses {
            self.permit_as(Some(host), address.ip()).map_err(DialError::Refused)?;
            match tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // A connector's packets are small and each is waited for; failing to say so only costs time.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => reason = format!("{}: {error}", address.ip()),
                Err(_) => reason = format!("{}: no answer within {} seconds", address.ip(), CONNECT_LIMIT.as_secs()),
            }
        }
        Err(DialError::Connect { host: host.to_owned(), port, reason })
    }
}

/// The way to a host.
#[derive(Debug)]
pub enum Route<'a> {
    /// To one of these addresses.
    Straight(Vec<SocketAddr>),
    /// Through the proxy.
    Through(&'a Proxy),
}

impl Narrowed {
    fn refuse(&self, what: impl fmt::Display) -> EgressRefused {
        let Self { namespace, only } = self;
        let most = if only.is_empty() { "nothing".to_owned() } else { format!("{} only", listed(only)) };
        let reason = format!("the rule egress.namespace “{namespace}” lets its runs reach {most}");
        EgressRefused { what: what.to_string(), reason: Cow::Owned(reason) }
    }
}

fn outside(only: &[Destination], what: impl fmt::Display) -> EgressRefused {
    let reason = format!("the rule egress.only lets this server reach {} only", listed(only));
    EgressRefused { what: what.to_string(), reason: Cow::Owned(reason) }
}

/// A host without the brackets of IPv6 addresses.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// The IPv4 address that an IPv6 address stands for (mapped, or translated by NAT64), else itself.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    // NAT64 (RFC 6052): 64:ff9b::/96, then the IPv4 address.
    let bits = v6.to_bits();
    match u32::try_from(bits & u128::from(u32::MAX)) {
        Ok(low) if bits >> 32 == 0x0064_ff9b_0000_0000_0000_0000 => IpAddr::V4(Ipv4Addr::from_bits(low)),
        _ => address,
    }
}

/// An address that may not be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} may not be reached from here: {reason}")]
pub struct EgressRefused {
    /// The address, or the name where that is all that is known.
    pub what: String,
    /// Why: which rule.
    pub reason: Cow<'static, str>,
}

/// Why no connection could be opened. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The name has no address.
    #[error("the name {host} cannot be resolved: {reason}")]
    Name {
        /// The name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// The address may not be reached.
    #[error(transparent)]
    Refused(#[from] EgressRefused),
    /// Nobody answers there.
    #[error("no connection to {host} port {port}: {reason}")]
    Connect {
        /// The name.
        host: String,
        /// The port.
        port: u16,
        /// What the system said, of the last address tried.
        reason: String,
    },
    /// The proxy opens no way.
    #[error("no connection through the proxy {proxy}: {reason}")]
    Proxy {
        /// Which proxy.
        proxy: String,
        /// Whether it said no.
        refused: bool,
        /// Why.
        reason: String,
    },
}

impl DialError {
    /// The step of a connection test at which this happens.
    #[must_use]
    pub const fn step(&self) -> &'static str {
        match self {
            Self::Name { .. } => "name",
            Self::Refused(_) | Self::Connect { .. } | Self::Proxy { .. } => "connect",
        }
    }

    /// The error with what to do about it.
    pub(crate) fn with_remedy(&self) -> String {
        let remedy = match self {
            // The rule is the remedy, and a proxy that says no has said why.
            Self::Refused(_) | Self::Proxy { refused: true, .. } => return self.to_string(),
            Self::Name { .. } => "compare the name, and see whether it can be resolved from here",
            Self::Connect { .. } => "compare host and port, and see whether it runs and lets this server through",
            Self::Proxy { .. } => "see whether the proxy runs",
        };
        format!("{self}; {remedy}")
    }
}

impl From<DialError> for crate::Failure {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Refused(refused) => refused.into(),
            DialError::Proxy { refused: true, .. } => Self::configuration(error.to_string()),
            other => Self::unreachable(other.with_remedy()),
        }
    }
}

impl From<EgressRefused> for crate::Failure {
    fn from(refused: EgressRefused) -> Self {
        Self::permanent(RunError::new(StandardError::Authorization, refused.to_string()))
    }
}

/// What may be reached: a network, or hosts by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Every address in it, by whatever name.
    Network(Network),
    /// Whatever this name resolves to.
    Host(String),
    /// Whatever names below this one resolve to: `*.example.com` is `example.com` here.
    Below(String),
}

/// The text is no destination.
#[derive(Debug, thiserror::Error)]
#[error("a destination is a network such as 10.0.0.0/8, a host name, or *. and the end of host names")]
pub struct InvalidDestination;

impl Destination {
    /// Whether an address, to which `host` was resolved, is one of these.
    fn covers(&self, host: Option<&str>, address: IpAddr) -> bool {
        match self {
            Self::Network(network) => network.contains(address),
            Self::Host(_) | Self::Below(_) => host.is_some_and(|host| self.names(host)),
        }
    }

    /// Whether it says this name.
    fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match self {
            Self::Network(_) => false,
            Self::Host(name) => host == *name,
            Self::Below(end) => host.strip_suffix(end.as_str()).is_some_and(|rest| rest.ends_with('.')),
        }
    }
}

impl FromStr for Destination {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(network) = text.parse() {
            return Ok(Self::Network(network));
        }
        let text = text.trim_end_matches('.').to_ascii_lowercase();
        let (end, is_name) = match text.strip_prefix("*.") {
            Some(end) => (end, false),
            None => (text.as_str(), true),
        };
        let plain = |label: &str| {
            (1..=63).contains(&label.len())
                && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        };
        // What consists of numbers is an address that was mistyped.
        let is_number = end.split('.').next_back().is_some_and(|last| last.chars().all(|c| c.is_ascii_digit()));
        if end.len() > 253 || is_number || !end.split('.').all(plain) {
            return Err(InvalidDestination);
        }
        Ok(if is_name { Self::Host(end.to_owned()) } else { Self::Below(end.to_owned()) })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Host(name) => f.write_str(name),
            Self::Below(end) => write!(f, "*.{end}"),
        }
    }
}

fn listed(destinations: &[Destination]) -> String {
    destinations.iter().map(Destination::to_string).collect::<Vec<_>>().join(", ")
}

/// A network (`10.0.0.0/8`, `fd00::/8`) or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// The text is no network.
#[derive(Debug, thiserror::Error)]
#[error("a network is an address, or an address and a prefix length such as 10.0.0.0/8")]
pub struct InvalidNetwork;

impl Network {
    /// Whether the address is in this network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32_u32.saturating_sub(u32::from(self.bits));
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128_u32.saturating_sub(u32::from(self.bits));
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| InvalidNetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse::<u8>).map_err(|_| InvalidNetwork)?;
        if bits > most { Err(InvalidNetwork) } else { Ok(Self { address, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(policy: &EgressPolicy, address: &str) -> bool {
        policy.permit(address.parse().unwrap()).is_ok()
    }

    #[test]
    fn metadata_and_link_local_addresses_are_refused_in_every_disguise() {
        let policy = EgressPolicy::default();
        for bad in [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "192.0.0.192",
            "0.0.0.0",
            "::",
            "0.1.2.3",
            "255.255.255.255",
            "224.0.0.1",
            "ff02::1",
        ] {
            assert!(!permits(&policy, bad), "{bad}");
        }
        for good in ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "93.184.216.34", "2001:db8::1", "fd00::1"] {
            assert!(permits(&policy, good), "{good}");
        }
    }

    #[test]
    fn what_others_resolve_is_judged_however_numbers_are_written() {
        let closed = EgressPolicy { loopback: false, ..EgressPolicy::default() };
        for bad in [
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "127.1",
            "localhost",
            "a.LOCALHOST.",
            "[::1]",
        ] {
            assert!(closed.permit_name(bad).is_err(), "{bad}");
        }
        for good in ["10.0.0.1", "git.example.com", "localhost.example.com"] {
            assert!(closed.permit_name(good).is_ok(), "{good}");
        }
        assert!(EgressPolicy::default().permit_name("localhost").is_ok());
    }

    #[test]
    fn loopback_can_be_closed() {
        let policy = EgressPolicy { loopback: false, ..EgressPolicy::default() };
        for own in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(!permits(&policy, own), "{own}");
        }
        assert!(permits(&policy, "10.0.0.1"));
    }

    #[test]
    fn the_allow_list_is_exclusive_and_exceptions_win() {
        let policy = EgressPolicy {
            loopback: false,
            only: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
            exceptions: vec!["169.254.10.0/24".parse().unwrap(), "127.0.0.1".parse().unwrap()],
            ..EgressPolicy::default()
        };
        for (address, expected) in [
            ("10.9.9.9", true),
            ("2001:db8::9", true),
            ("11.0.0.1", false),
            ("169.254.10.7", true),
            ("169.254.11.7", false),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
        ] {
            assert_eq!(permits(&policy, address), expected, "{address}");
        }
    }

    fn namespace(only: &[&str], policy: EgressPolicy) -> Arc<EgressPolicy> {
        let name: Name = "network".parse().unwrap();
        let only = only.iter().map(|text| text.parse().unwrap()).collect();
        Egress::new(policy, [Narrowed { namespace: name.clone(), only }]).of(&name)
    }

    #[test]
    fn a_namespace_reaches_its_networks_and_what_its_names_stand_for() {
        let policy = namespace(&["10.0.0.0/8", "*.example.com", "Host.Test"], EgressPolicy::default());
        let reaches = |host: &str, address: &str| policy.permit_as(Some(host), address.parse().unwrap()).is_ok();
        for (host, address, expected) in [
            ("anything.test", "10.1.2.3", true),
            ("www.example.com", "192.0.2.1", true),
            ("a.b.Example.COM.", "192.0.2.1", true),
            ("host.test", "192.0.2.1", true),
            ("example.com", "192.0.2.1", false),
            ("notexample.com", "192.0.2.1", false),
            ("www.example.com.evil.test", "192.0.2.1", false),
            ("x.host.test", "192.0.2.1", false),
            ("www.example.com", "169.254.169.254", false),
            ("www.example.com", "100.100.100.200", false),
            ("www.example.com", "::ffff:169.254.169.254", false),
        ] {
            assert_eq!(reaches(host, address), expected, "{host} {address}");
        }
        assert!(policy.permit("10.0.0.1".parse().unwrap()).is_ok());
        let refused = policy.permit("192.0.2.1".parse().unwrap()).unwrap_err().to_string();
        assert!(refused.contains("egress.namespace “network”"), "{refused}");
        assert!(refused.contains("10.0.0.0/8, *.example.com, host.test only"), "{refused}");
        assert!(namespace(&[], EgressPolicy::default()).permit("10.0.0.1".parse().unwrap()).is_err());
    }

    #[test]
    fn a_namespace_never_reaches_more_than_the_server() {
        let server = EgressPolicy {
            only: vec!["10.0.0.0/8".parse().unwrap(), "*.example.com".parse().unwrap()],
            exceptions: vec!["169.254.10.0/24".parse().unwrap()],
            ..EgressPolicy::default()
        };
        let policy = namespace(&["0.0.0.0/0"], server.clone());
        let reaches = |host: &str, address: &str| policy.permit_as(Some(host), address.parse().unwrap()).is_ok();
        assert!(reaches("www.example.com", "192.0.2.1"), "by the server's name");
        assert!(!reaches("www.example.org", "192.0.2.1"));
        assert!(reaches("metadata.test", "169.254.10.1"), "excepted, and within the rule");
        let narrow = namespace(&["10.0.0.0/8"], server.clone());
        assert!(narrow.permit("169.254.10.1".parse().unwrap()).is_err(), "an exception is no rule of a namespace");
        let refused = server.permit("192.0.2.1".parse().unwrap()).unwrap_err().to_string();
        assert!(refused.contains("egress.only"), "{refused}");
        let egress = Egress::new(server, []);
        assert_eq!(egress.of(&"other".parse().unwrap()).narrowed, None);
    }

    #[test]
    fn destinations_are_read_strictly() {
        for (text, shown) in
            [("10.0.0.0/8", "10.0.0.0/8"), ("::1", "::1/128"), ("*.Example.com.", "*.example.com"), ("db", "db")]
        {
            assert_eq!(text.parse::<Destination>().unwrap().to_string(), shown);
        }
        for bad in
            ["", "*", "*.", "10.0.0.0/33", "10.0.0", "10.0.0.256", "a..b", "*.*.b", "a.*.b", "a b", "http://a", "a:1"]
        {
            assert!(bad.parse::<Destination>().is_err(), "{bad}");
        }
    }

    #[test]
    fn networks_are_read_strictly() {
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "a/8", "10.0.0.0/x"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("8.8.8.8".parse().unwrap()));
        assert!(!all.contains("::1".parse().unwrap()));
    }

    #[tokio::test]
    async fn each_way_to_fail_names_its_step() {
        let policy = EgressPolicy::default();
        assert_eq!(policy.connect("host.invalid", 80).await.unwrap_err().step(), "name");
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let error = policy.connect("127.0.0.1", closed).await.unwrap_err();
        assert_eq!(error.step(), "connect");
        assert!(error.to_string().contains(&closed.to_string()), "{error}");
        assert!(matches!(policy.connect("169.254.169.254", 80).await, Err(DialError::Refused(_))));
    }
}
