//! Checks the log as it is stored, row by row.

use ledger::{
    parse, personal,
    tree::{self, Edge, Hash},
    verify::{What, place},
};
use serde_json::Value;
use store::audit::AuditRow;

use crate::view;

/// The stored rows, one after the other, with their search columns.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    edge: Edge,
}

impl Stored {
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
        Ok(())
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
}
