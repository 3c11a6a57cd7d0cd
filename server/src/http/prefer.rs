//! `Prefer: wait=SECONDS` (RFC 7240, section 4.3): an answer about a run that is given when the run has ended, so that
//! nobody needs to ask again and again.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
};
use domain::{Problem, RunId};
use service::Caller;
use tokio::sync::broadcast::error::RecvError;

use super::Portal;

/// Nobody is kept waiting longer, whatever they prefer: what lies between often gives a silent connection up.
const LONGEST: Duration = Duration::from_mins(1);

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long a client likes to wait for the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience(Option<Duration>);

/// Says that the preference was followed.
pub(super) type Applied = Option<[(HeaderName, HeaderValue); 1]>;

impl FromRequestParts<Portal> for Patience {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Portal) -> Result<Self, Infallible> {
        Ok(Self::said_in(&parts.headers))
    }
}

impl Patience {
    /// What is no preference that is known here is passed over, as the standard wants it.
    fn said_in(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(PREFER).iter().filter_map(|line| line.to_str().ok());
        let mut preferences = lines.flat_map(|line| line.split([',', ';']));
        let seconds = preferences.find_map(|preference| {
            let (name, value) = preference.split_once('=')?;
            name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"').parse::<u64>().ok())?
        });
        Self(seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST)))
    }

    /// Whether there is any.
    pub(super) fn is_some(self) -> bool {
        self.0.is_some()
    }

    /// Waits until the run has ended, but not longer than the client likes to.
    pub(super) async fn until_ended(self, portal: &Portal, caller: &Caller, run: RunId) -> Result<Applied, Problem> {
        let Some(patience) = self.0 else { return Ok(None) };
        // Before the state is read, so that no change falls between.
        let mut changes = portal.service.live().runs();
        let ended = async {
            loop {
                if portal.service.run_state(caller, run).await?.status.is_final() {
                    return Ok(());
                }
                loop {
                    match changes.recv().await {
                        Ok(change) if change.run == run && change.status.is_final() => return Ok(()),
                        Ok(_) => {}
                        Err(RecvError::Lagged(_)) => break,
                        Err(RecvError::Closed) => return Ok(()),
                    }
                }
            }
        };
        tokio::select! {
            outcome = ended => outcome?,
            () = tokio::time::sleep(patience) => {}
            () = portal.stop.cancelled() => {}
        }
        let applied = HeaderValue::from_str(&format!("wait={}", patience.as_secs())).ok();
        Ok(applied.map(|value| [(PREFERENCE_APPLIED, value)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(PREFER, line.parse().unwrap());
        }
        Patience::said_in(&headers).0.map(|patience| patience.as_secs())
    }

    #[test]
    fn a_wait_is_found_among_other_preferences_and_bounded() {
        assert_eq!(said(&["wait=10"]), Some(10));
        assert_eq!(said(&["respond-async, Wait = \"5\""]), Some(5));
        assert_eq!(said(&["return=minimal", "handling=lenient; wait=3600"]), Some(60));
        for unknown in ["", "wait", "wait=soon", "wait=-1", "waiting=3"] {
            assert_eq!(said(&[unknown]), None, "{unknown}");
        }
    }
}
