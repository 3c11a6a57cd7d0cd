//! Checks the log as it is stored, row by row.

use std::collections::BTreeMap;

use ledger::{
    parse, personal,
    tree::{self, Edge, Hash},
    verify::{What, place},
};
use serde_json::Value;
use store::{audit::AuditRow, retention::AuditSegment};

use crate::{ARCHIVE, Places, view};

/// The stored rows, one after the other, with their search columns.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    edge: Edge,
    archived: u64,
    /// The segments that there are said to be.
    segments: BTreeMap<String, Segment>,
}

#[derive(Clone, Debug)]
struct Segment {
    sha256: String,
    written: String,
    places: Places,
    /// Whether an entry of the log says so.
    is_said: bool,
}

impl Stored {
    /// The same, of a log with these segments.
    #[must_use]
    pub fn with_segments(segments: Vec<AuditSegment>) -> Self {
        let segment = |AuditSegment { name, sha256, places: written, .. }| {
            let places = Places::read(&written).unwrap_or_default();
            (name, Segment { sha256, written, places, is_said: false })
        };
        Self { segments: segments.into_iter().map(segment).collect(), ..Self::default() }
    }

    /// How many of them were archived.
    #[must_use]
    pub fn archived(&self) -> u64 {
        self.archived
    }

    /// The first segment that no entry so far tells of, or not as it is.
    #[must_use]
    pub fn untold(&self) -> Option<&str> {
        self.segments.iter().find(|(_, segment)| !segment.is_said).map(|(name, _)| name.as_str())
    }

    /// Entries so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The root of the tree over them.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.edge.root()
    }

    /// Accepts the next row, whose hash is in the stored tree, or says what is wrong with it.
    ///
    /// # Errors
    /// [`What`] is wrong.
    pub fn accept(&mut self, row: &AuditRow, stored: Option<&Hash>) -> Result<(), What> {
        if row.segment.is_some() || row.body.is_empty() {
            return self.accept_archived(row, stored);
        }
        let body = parse(row.body.as_bytes()).map_err(|error| What::Malformed(error.to_string()))?;
        let hash = tree::leaf(row.body.as_bytes());
        let place = place(&body)?;
        let expected = self.edge.size() + 1;
        if u64::try_from(place) != Ok(expected) || place != row.seq {
            return Err(What::Place { expected });
        }
        if stored != Some(&hash) {
            return Err(What::Hash);
        }
        if let Some(beside) = &row.personal {
            personal::check(&body, &personal::read(beside)?)?;
        }
        let hashed = view(row);
        let actor_id = body.pointer("/actor/id").and_then(Value::as_str).map(str::to_owned);
        for (column, agrees) in [
            ("at", hashed.at == row.at),
            ("actor_id", actor_id == row.actor_id.map(|id| id.to_string())),
            ("actor", hashed.actor == row.actor),
            ("action", hashed.action == row.action),
            ("resource_kind", hashed.resource_kind == row.resource_kind),
            ("resource_id", hashed.resource_id == row.resource_id),
            ("resource_name", hashed.resource_name == row.resource_name),
            ("namespace", hashed.namespace == row.namespace),
            ("outcome", hashed.outcome == row.outcome),
        ] {
            if !agrees {
                return Err(What::Column(column));
            }
        }
        self.edge.push(hash);
        if hashed.action == ARCHIVE {
            self.hear(&hashed.detail);
        }
        Ok(())
    }

    /// Of an entry that was archived, the hash in the tree is all that there is; the segment has to be one that holds it.
    fn accept_archived(&mut self, row: &AuditRow, stored: Option<&Hash>) -> Result<(), What> {
        let expected = self.edge.size() + 1;
        if u64::try_from(row.seq) != Ok(expected) {
            return Err(What::Place { expected });
        }
        let Some(name) = &row.segment else { return Err(What::Emptied) };
        if !row.body.is_empty() {
            return Err(What::Kept(name.clone()));
        }
        if !self.segments.get(name).is_some_and(|segment| segment.places.contain(row.seq)) {
            return Err(What::Segment(name.clone()));
        }
        self.edge.push(*stored.ok_or(What::Hash)?);
        self.archived += 1;
        Ok(())
    }

    /// An entry tells of a segment.
    fn hear(&mut self, detail: &Value) {
        let text = |name: &str| detail.get(name).and_then(Value::as_str);
        if let (Some(name), Some(sha256), Some(places)) = (text("segment"), text("sha256"), text("places"))
            && let Some(segment) = self.segments.get_mut(name)
        {
            segment.is_said |= segment.sha256 == sha256 && segment.written == places;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{entry, root, rows};

    #[test]
    fn stored_rows_are_checked_with_their_columns() {
        let all = rows(&[entry(), entry()]);
        let hashes: Vec<_> = all.iter().map(|row| tree::leaf(row.body.as_bytes())).collect();
        let mut sound = Stored::default();
        for (row, hash) in all.iter().zip(&hashes) {
            sound.accept(row, Some(hash)).unwrap();
        }
        assert_eq!((sound.size(), sound.root()), (2, root(&all)));

        let mut rows = Stored::default();
        let altered = AuditRow { actor: "somebody else".to_owned(), ..all[0].clone() };
        assert_eq!(rows.accept(&altered, Some(&hashes[0])), Err(What::Column("actor")));
        let altered = AuditRow { actor_id: None, ..all[0].clone() };
        assert_eq!(rows.accept(&altered, Some(&hashes[0])), Err(What::Column("actor_id")));
        let altered = AuditRow { body: all[0].body.replace("approve", "reject"), ..all[0].clone() };
        assert_eq!(rows.accept(&altered, Some(&hashes[0])), Err(What::Hash));
        assert_eq!(rows.accept(&all[0], None), Err(What::Hash));
        assert_eq!(rows.accept(&all[1], Some(&hashes[1])), Err(What::Place { expected: 1 }));
        assert_eq!(
            rows.accept(&AuditRow { seq: 2, ..all[0].clone() }, Some(&hashes[0])),
            Err(What::Place { expected: 1 })
        );
        assert_eq!(rows.accept(&all[0], Some(&hashes[0])), Ok(()));
    }

    fn segment(name: &str, places: &str) -> AuditSegment {
        AuditSegment {
            number: 1,
            name: name.to_owned(),
            class: domain::AuditClass::Decision,
            first: 1,
            last: 1,
            entries: 1,
            places: places.to_owned(),
            bytes: 1,
            sha256: "ab".repeat(32),
            archived_at: entry().at,
        }
    }

    #[test]
    fn an_archived_row_is_accepted_by_its_hash_in_the_segment_that_an_entry_tells_of() {
        let mut told = entry();
        told.action = ARCHIVE.to_owned();
        told.detail = serde_json::json!({"segment": "a.tar", "sha256": "ab".repeat(32), "places": "1"});
        let all = rows(&[entry(), told]);
        let hashes: Vec<_> = all.iter().map(|row| tree::leaf(row.body.as_bytes())).collect();
        let archived = AuditRow { body: String::new(), segment: Some("a.tar".to_owned()), ..all[0].clone() };
        let mut stored = Stored::with_segments(vec![segment("a.tar", "1")]);
        stored.accept(&archived, Some(&hashes[0])).unwrap();
        assert_eq!(stored.untold(), Some("a.tar"));
        stored.accept(&all[1], Some(&hashes[1])).unwrap();
        assert_eq!((stored.size(), stored.archived(), stored.root(), stored.untold()), (2, 1, root(&all), None));

        let mut another = Stored::with_segments(vec![segment("a.tar", "1-2")]);
        another.accept(&archived, Some(&hashes[0])).unwrap();
        another.accept(&all[1], Some(&hashes[1])).unwrap();
        assert_eq!(another.untold(), Some("a.tar"), "it is said to hold another entry than the log says");
    }

    #[test]
    fn a_body_that_somebody_emptied_is_told() {
        let [row] = <[_; 1]>::try_from(rows(&[entry()])).unwrap();
        let hash = tree::leaf(row.body.as_bytes());
        let emptied = |segment: Option<&str>, body: &str| {
            let row = AuditRow { body: body.to_owned(), segment: segment.map(str::to_owned), ..row.clone() };
            Stored::with_segments(vec![segment_of_another()]).accept(&row, Some(&hash)).unwrap_err()
        };
        assert_eq!(emptied(None, ""), What::Emptied);
        assert_eq!(emptied(Some("made-up.tar"), ""), What::Segment("made-up.tar".to_owned()));
        assert_eq!(emptied(Some("a.tar"), ""), What::Segment("a.tar".to_owned()), "it holds another entry");
        assert_eq!(emptied(Some("a.tar"), "{}"), What::Kept("a.tar".to_owned()));
    }

    fn segment_of_another() -> AuditSegment {
        segment("a.tar", "2-9")
    }
}
