//! Growing delays after failed sign-ins, per account and per address.
//!
//! An account is what was typed, whether it exists or not, so the delay tells nothing about who exists.
//!
//! Call [`attempt`] in a committed unit of work **before** the password is looked at, and [`clear`] when it was right:
//! an attempt counts as failed until it has succeeded, so a thousand attempts at the same moment do not all find the
//! counter at zero.

use std::{net::IpAddr, time::Duration};

use domain::Timestamp;
use store::{
    StoreError,
    credentials::{Credentials, Throttle},
};

/// Failures in a row after which an account has to wait.
pub const ACCOUNT_THRESHOLD: u32 = 5;
/// An account's failures are forgotten when there was none for so long.
pub const ACCOUNT_MEMORY: Duration = Duration::from_hours(24);
/// Failures after which an address has to wait; it may be that of a whole office.
pub const ADDRESS_THRESHOLD: u32 = 20;
/// One failure of an address is forgotten each time so long has passed since the last.
pub const ADDRESS_MEMORY: Duration = Duration::from_mins(1);
/// The delay at the threshold; each further failure doubles it.
pub const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The longest delay.
pub const LONGEST_DELAY: Duration = Duration::from_mins(15);
/// Rows whose last failure is older than this mean nothing any more (`prune_throttles`).
pub const KEPT: Duration = ACCOUNT_MEMORY;

/// Doublings of [`FIRST_DELAY`] that reach [`LONGEST_DELAY`]; failures are not counted beyond, so that patience helps.
const DOUBLINGS: u32 = 10;

/// The longest sign-in name that is kept as typed.
const LONGEST_LOGIN: usize = 128;

/// Who is slowed down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A sign-in name as typed, in lower case.
    Account(String),
    /// An address; of IPv6 the first 64 bits, which one customer has.
    Address(String),
}

impl Subject {
    /// The account that was typed.
    #[must_use]
    pub fn account(typed: &str) -> Self {
        // Control characters are no part of a name, and not every database keeps them.
        let login = typed.trim().to_lowercase().replace(|c: char| c.is_control(), "");
        // What nobody's name can be is not worth storing.
        Self::Account(if login.len() > LONGEST_LOGIN { crate::tokens::hash(&login) } else { login })
    }

    /// The address that the request came from.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        })
    }

    /// The key of its row.
    fn key(&self) -> String {
        match self {
            Self::Account(login) => format!("account:{login}"),
            Self::Address(address) => format!("address:{address}"),
        }
    }

    fn threshold(&self) -> u32 {
        match self {
            Self::Account(_) => ACCOUNT_THRESHOLD,
            Self::Address(_) => ADDRESS_THRESHOLD,
        }
    }

    /// The failures that still count.
    fn remembered(&self, row: &Throttle, now: Timestamp) -> u32 {
        let elapsed = now.since(row.last_failure_at);
        match self {
            Self::Account(_) if elapsed >= ACCOUNT_MEMORY => 0,
            Self::Account(_) => row.failures,
            Self::Address(_) => {
                let forgotten = elapsed.as_secs() / ADDRESS_MEMORY.as_secs();
                row.failures.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX))
            }
        }
    }

    /// The delay after so many failures.
    fn delay(&self, failures: u32) -> Option<Duration> {
        let beyond = failures.checked_sub(self.threshold())?;
        Some((FIRST_DELAY * 2_u32.pow(beyond.min(DOUBLINGS))).min(LONGEST_DELAY))
    }
}

/// How long the longest-waiting of the subjects still has to wait; none when an attempt may be looked at.
pub async fn check(
    unit: &mut dyn Credentials,
    subjects: &[Subject],
    now: Timestamp,
) -> Result<Option<Duration>, StoreError> {
    let mut wait = Duration::ZERO;
    for subject in subjects {
        if let Some(until) = unit.throttle(&subject.key()).await?.and_then(|row| row.locked_until) {
            wait = wait.max(until.since(now));
        }
    }
    Ok((!wait.is_zero()).then_some(wait))
}

/// Counts a failure of each.
pub async fn record_failure(
    unit: &mut dyn Credentials,
    subjects: &[Subject],
    now: Timestamp,
) -> Result<(), StoreError> {
    for subject in subjects {
        let key = subject.key();
        let before = unit.throttle(&key).await?.map_or(0, |row| subject.remembered(&row, now));
        let failures = before.saturating_add(1).min(subject.threshold() + DOUBLINGS);
        let locked_until = subject.delay(failures).map(|delay| now + delay);
        unit.put_throttle(&Throttle { subject: key, failures, locked_until, last_failure_at: now }).await?;
    }
    Ok(())
}

/// [`check`], and when nobody has to wait, [`record_failure`] in advance.
pub async fn attempt(
    unit: &mut dyn Credentials,
    subjects: &[Subject],
    now: Timestamp,
) -> Result<Option<Duration>, StoreError> {
    let wait = check(unit, subjects, now).await?;
    if wait.is_none() {
        record_failure(unit, subjects, now).await?;
    }
    Ok(wait)
}

/// After a success: an account starts afresh; an address gets back the one failure that [`attempt`] counted, no more,
/// lest somebody with an account of their own wipe out what they tried on others.
pub async fn clear(unit: &mut dyn Credentials, subjects: &[Subject]) -> Result<(), StoreError> {
    for subject in subjects {
        let key = subject.key();
        match (subject, unit.throttle(&key).await?) {
            (_, None) => {}
            (Subject::Address(_), Some(row)) if row.failures > 1 => {
                let failures = row.failures - 1;
                let locked_until = row.locked_until.filter(|_| subject.delay(failures).is_some());
                unit.put_throttle(&Throttle { failures, locked_until, ..row }).await?;
            }
            (_, Some(_)) => unit.clear_throttle(&key).await?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
