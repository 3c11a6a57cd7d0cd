//! What the command lines of platforms have in common, and what not.

use serde::Deserialize;
use serde_json::{Value, json};

/// Writes what runs to where it starts from, on every platform here.
pub(in crate::network) const SAVE: &str = "write memory";

/// Whose command line it is.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(in crate::network) enum Platform {
    /// Cisco IOS, and what is used like it.
    Ios,
    /// `FRRouting`, by its vtysh.
    Frr,
    /// Any other with a prompt that ends in `#`, `>` or `$`.
    #[default]
    Generic,
}

impl Platform {
    /// Switches paging off.
    pub(in crate::network) const fn unpaged(self) -> Option<&'static str> {
        match self {
            Self::Ios | Self::Frr => Some("terminal length 0"),
            Self::Generic => None,
        }
    }

    /// Shows the configuration that runs.
    pub(in crate::network) const fn running(self) -> Option<&'static str> {
        match self {
            Self::Ios | Self::Frr => Some("show running-config"),
            Self::Generic => None,
        }
    }

    /// Shows the one that it starts with.
    pub(in crate::network) const fn startup(self) -> Option<&'static str> {
        match self {
            Self::Ios => Some("show startup-config"),
            // The routers keep it in a file that their command line does not show.
            Self::Frr | Self::Generic => None,
        }
    }

    /// Shows the neighbours of BGP.
    pub(in crate::network) const fn neighbours(self) -> &'static str {
        match self {
            Self::Frr => "show bgp summary json",
            Self::Ios | Self::Generic => "show ip bgp summary",
        }
    }

    /// Whether a line says that a command failed.
    pub(in crate::network) fn is_error(self, line: &str) -> bool {
        let starts = |words: &[&str]| words.iter().any(|word| line.starts_with(word));
        match self {
            // Messages of the log begin with a percent sign, too: %SYS-5-CONFIG_I.
            Self::Ios => starts(&[
                "% Invalid",
                "% Incomplete",
                "% Ambiguous",
                "% Unknown",
                "% Unrecognized",
                "% Bad",
                "% Error",
                "% Authorization",
                "% Access denied",
                "% Not ",
                "%Error",
                "Command authorization failed",
            ]),
            Self::Frr => starts(&["% ", "%% ", "Can't open configuration file", "Malformed"]),
            Self::Generic => {
                let lower = line.to_ascii_lowercase();
                line.starts_with("% ")
                    || ["error:", "invalid ", "unknown command", "syntax error", "command not found"]
                        .iter()
                        .any(|start| lower.starts_with(start))
            }
        }
    }

    /// The neighbours of BGP, as the platform shows them.
    pub(in crate::network) fn read_neighbours(self, shown: &str) -> Option<Vec<Value>> {
        match self {
            Self::Frr => from_frr(shown),
            Self::Ios | Self::Generic => from_table(shown),
        }
    }
}

/// A configuration without what is different at every look.
pub(in crate::network) fn lasting(shown: &str) -> String {
    let fleeting = |line: &str| {
        let line = line.trim();
        line.is_empty()
            || line.starts_with('!')
            || line == "end"
            || line.starts_with("Building configuration")
            || line.starts_with("Current configuration")
            || line.starts_with("Using ")
            || line.starts_with("ntp clock-period")
    };
    let mut lasting = String::with_capacity(shown.len());
    for line in shown.lines().map(str::trim_end).filter(|line| !fleeting(line)) {
        lasting.extend([line, "\n"]);
    }
    lasting
}

fn from_frr(shown: &str) -> Option<Vec<Value>> {
    let summary: Value = serde_json::from_str(shown.trim()).ok()?;
    let families = summary.as_object()?;
    let mut neighbours = Vec::new();
    for peers in families.values().filter_map(|family| family.get("peers")?.as_object()) {
        for (address, peer) in peers {
            let state = peer.get("state").and_then(Value::as_str).unwrap_or("unknown");
            neighbours.push(json!({
                "address": address, "as": peer.get("remoteAs"), "state": state,
                "established": state == "Established", "prefixes": peer.get("pfxRcd"),
            }));
        }
    }
    Some(neighbours)
}

/// `Neighbor V AS MsgRcvd MsgSent TblVer InQ OutQ Up/Down State/PfxRcd`: of one that is established, the last is a
/// number. Without that line it is something else that is shown.
fn from_table(shown: &str) -> Option<Vec<Value>> {
    let mut rows = shown.lines();
    rows.find(|line| line.trim_start().starts_with("Neighbor"))?;
    let read = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (address, number, last) = (columns.first()?, columns.get(2)?, columns.get(9)?);
        let prefixes = last.parse::<u64>().ok();
        Some(json!({
            "address": address, "as": number.parse::<u64>().ok(),
            "state": if prefixes.is_some() { "Established" } else { last },
            "established": prefixes.is_some(), "prefixes": prefixes,
        }))
    };
    Some(rows.filter_map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_read_from_json_and_from_tables() {
        let frr = r#"{"ipv4Unicast":{"routerId":"1.1.1.1","peers":{"10.0.0.2":{"remoteAs":65002,"state":"Established","pfxRcd":1},
            "10.0.0.3":{"remoteAs":65003,"state":"Active"}}}}"#;
        let read = Platform::Frr.read_neighbours(frr).unwrap();
        assert_eq!((read[0]["established"].clone(), read[1]["state"].clone()), (json!(true), json!("Active")));
        assert_eq!(Platform::Frr.read_neighbours("{}"), Some(Vec::new()));
        assert_eq!(Platform::Frr.read_neighbours("% BGP instance not found"), None);
        let ios = "BGP router identifier 10.1.1.1, local AS number 65001\n\n\
            Neighbor        V    AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd\n\
            10.0.0.2        4 65002    1234    1235       10    0    0 1w2d           42\n\
            10.0.0.3        4 65003       0       0        1    0    0 never    Idle (Admin)\n";
        let read = Platform::Ios.read_neighbours(ios).unwrap();
        assert_eq!((read[0]["prefixes"].clone(), read[1]["state"].clone()), (json!(42), json!("Idle")));
        assert_eq!(read[1]["established"], false);
        assert_eq!(Platform::Generic.read_neighbours("Peer  State\n10.0.0.2 up\n"), None);
        assert_eq!(Platform::Ios.read_neighbours("Neighbor V AS MsgRcvd\n"), Some(Vec::new()));
    }

    #[test]
    fn errors_are_told_from_messages_of_the_log() {
        assert!(Platform::Ios.is_error("% Invalid input detected at '^' marker."));
        assert!(!Platform::Ios.is_error("%SYS-5-CONFIG_I: Configured from console by vty0"));
        assert!(Platform::Frr.is_error("% Unknown command: nonsense"));
        assert!(Platform::Generic.is_error("Error: no such thing") && !Platform::Generic.is_error("errors 0"));
    }

    #[test]
    fn what_changes_by_itself_is_no_part_of_a_configuration() {
        let shown = "Building configuration...\n\nCurrent configuration:\n!\n! Last change 12:00\nhostname r1\n!\nrouter bgp 1\n x \nend\n";
        assert_eq!(lasting(shown), "hostname r1\nrouter bgp 1\n x\n");
    }
}
