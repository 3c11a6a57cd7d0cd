//! Settings of connections of kind `dns`.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hickory_proto::rr::{Name, TSigner, rdata::tsig::TsigAlgorithm};
use identity::Secret;
use serde::Deserialize;

use super::{exchange::Server, record};
use crate::{Failure, egress::EgressPolicy};

/// How far clocks may differ, in seconds.
const FUDGE: u16 = 300;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settings {
    pub(super) server: String,
    #[serde(default = "domain")]
    pub(super) port: u16,
    zones: Vec<String>,
    key_name: String,
    key_secret: Secret,
    #[serde(default)]
    algorithm: Algorithm,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Algorithm {
    #[default]
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

fn domain() -> u16 {
    53
}

impl Settings {
    /// The server, asked on these terms.
    pub(super) fn asked<'a>(&'a self, policy: &'a EgressPolicy, limit: Duration) -> Server<'a> {
        Server { policy, host: &self.server, port: self.port, limit }
    }

    /// The zones that may be changed.
    pub(super) fn zones(&self) -> Result<Vec<Name>, Failure> {
        self.zones.iter().map(|zone| record::name(zone)).collect()
    }

    /// The zone that a name belongs to: the innermost of those that may be changed.
    pub(super) fn zone_of(&self, name: &Name) -> Result<Name, Failure> {
        let zones = self.zones()?.into_iter().filter(|zone| zone.zone_of(name));
        zones.max_by_key(Name::num_labels).ok_or_else(|| {
            Failure::configuration(format!(
                "{name} is in none of the connection's zones ({}); an administrator can add one to the connection",
                self.zones.join(", ")
            ))
        })
    }

    pub(super) fn signer(&self) -> Result<TSigner, Failure> {
        let key = STANDARD.decode(self.key_secret.expose().trim()).map_err(|_| {
            Failure::configuration("the key's secret is not base64; enter it as the server's configuration has it")
        })?;
        let algorithm = match self.algorithm {
            Algorithm::HmacSha256 => TsigAlgorithm::HmacSha256,
            Algorithm::HmacSha384 => TsigAlgorithm::HmacSha384,
            Algorithm::HmacSha512 => TsigAlgorithm::HmacSha512,
        };
        TSigner::new(key, algorithm, record::name(&self.key_name)?, FUDGE)
            .map_err(|_| Failure::configuration("the key cannot be used to sign"))
    }
}
