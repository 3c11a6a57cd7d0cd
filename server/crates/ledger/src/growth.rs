//! Whether a log has grown from what somebody has seen of it.

use crate::{
    checkpoint::Checkpoint,
    tree::{Claim, Hash},
    verify::What,
};

/// What has to be proved for it; none where the sizes say enough.
#[must_use]
pub fn claim(seen: &Checkpoint, now: &Checkpoint) -> Option<Claim> {
    (1..=now.size).contains(&seen.size).then_some(Claim::Consistency { from: seen.size, to: now.size })
}

/// Whether the log that is `now` begins with the one that was `seen`, by the hashes that prove [`claim`].
///
/// # Errors
/// [`What`] has become of it.
pub fn verify(seen: &Checkpoint, now: &Checkpoint, path: &[Hash]) -> Result<(), What> {
    if seen.origin != now.origin {
        return Err(What::OtherLog(seen.origin.clone()));
    }
    if seen.size > now.size {
        return Err(What::Shrunk { was: seen.size, is: now.size });
    }
    match claim(seen, now) {
        Some(claim) if !claim.is_proved(path, seen.root, now.root) => Err(What::Rewritten { size: seen.size }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{EMPTY, Growth, leaf};

    fn growth(entries: u64, odd: u64) -> Growth {
        let mut growth = Growth::default();
        for entry in 1..=entries {
            growth.push(if entry == odd { leaf(b"odd") } else { leaf(&entry.to_be_bytes()) });
        }
        growth
    }

    fn at(entries: u64, odd: u64) -> Checkpoint {
        Checkpoint { origin: "rondo/test".to_owned(), size: entries, root: growth(entries, odd).root() }
    }

    #[test]
    fn a_log_that_has_grown_is_told_from_one_that_has_not() {
        let path = claim(&at(5, 0), &at(12, 0)).unwrap().prove(&growth(12, 0).changed()).unwrap();
        assert_eq!(verify(&at(5, 0), &at(12, 0), &path), Ok(()));
        assert_eq!(verify(&at(5, 3), &at(12, 0), &path), Err(What::Rewritten { size: 5 }));
        assert_eq!(verify(&at(5, 0), &at(12, 3), &path), Err(What::Rewritten { size: 5 }));
        assert_eq!(verify(&at(5, 0), &at(12, 0), &[]), Err(What::Rewritten { size: 5 }));
        assert_eq!(verify(&at(12, 0), &at(5, 0), &path), Err(What::Shrunk { was: 12, is: 5 }));
        assert_eq!(verify(&at(12, 0), &at(12, 0), &[]), Ok(()));
        assert_eq!(verify(&at(12, 0), &at(12, 3), &[]), Err(What::Rewritten { size: 12 }));
        let empty = Checkpoint { size: 0, root: EMPTY, ..at(5, 0) };
        assert_eq!(verify(&empty, &at(12, 0), &[]), Ok(()));
        let other = Checkpoint { origin: "rondo/other".to_owned(), ..at(5, 0) };
        assert_eq!(verify(&other, &at(12, 0), &path), Err(What::OtherLog("rondo/other".to_owned())));
    }
}
