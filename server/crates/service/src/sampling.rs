//! Samples of the audit log that a second auditor draws just the same.
//!
//! Each entry of the population has the number `SHA-256( seed || 0x0A || place )`, the place in decimal; those with the smallest are
//! drawn. So a sample depends on nothing but the seed and the population, and a larger one with the same seed begins with the
//! smaller. `docs/auditing.md` says so for those who want to draw it by other means.

use std::collections::BinaryHeap;

use domain::{
    Operation, Problem,
    view::{AuditFilter, AuditSampleView},
};
use policy::Resource;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use store::UnitOfWork;

use crate::{
    Caller, Service,
    audit_log::{entry_view, searched, target},
    people::{all_right, field},
    problems::OrProblem as _,
    views::People,
};

/// The largest sample.
const LARGEST: u32 = 500;
/// The longest seed, in characters.
const LONGEST_SEED: usize = 100;
/// Places that are read at once.
const PLACES: u32 = 10_000;

impl Service {
    /// Draws `size` entries of those that `filter` lets through. Who draws, from what and with which seed is an entry itself.
    ///
    /// The population ends at `filter.last`, or where the log ends now; the answer says where.
    pub async fn audit_sample(
        &self,
        caller: &Caller,
        mut filter: AuditFilter,
        size: u32,
        seed: &str,
    ) -> Result<AuditSampleView, Problem> {
        let mut gate = self.look(caller, Operation::AuditRead).await?;
        gate.authorize(&Resource::system(), &target()).await?;
        check(size, seed)?;
        let mut unit = self.searchable_log(&filter).await?;
        let end = unit.audit_size().await.or_problem()?;
        let last = filter.last.map_or(end, |last| last.clamp(0, end));
        filter.last = Some(last);
        let (population, drawn) = draw(unit.as_mut(), &filter, size, seed).await?;
        let mut rows = unit.audit_at(&drawn).await.or_problem()?;
        rows.sort_by_key(|row| drawn.iter().position(|place| *place == row.seq));
        let archived = unit.has_archived(filter.from, filter.to).await.or_problem()?;
        let people = People::load(unit.as_mut(), rows.iter().filter_map(|row| row.actor_id)).await.or_problem()?;
        let sample = json!({"seed": seed, "size": size, "filter": filter, "population": population, "drawn": drawn});
        gate.note_reading(&target(), searched(json!({"sample": sample}), "/sample/filter")).await?;
        Ok(AuditSampleView {
            seed: seed.to_owned(),
            last,
            population,
            archived,
            items: rows.iter().map(|row| entry_view(row, &people)).collect(),
        })
    }
}

/// How large the population is, and the places that are drawn, in the order of their numbers.
async fn draw(
    unit: &mut dyn UnitOfWork,
    filter: &AuditFilter,
    size: u32,
    seed: &str,
) -> Result<(u64, Vec<i64>), Problem> {
    // The largest number is on top, and makes room.
    let mut drawn = BinaryHeap::new();
    let (mut population, mut before) = (0, None);
    loop {
        let places = unit.audit_places(filter, before, PLACES).await.or_problem()?;
        let Some(last) = places.last() else { break };
        before = Some(*last);
        population += places.len() as u64;
        for place in places {
            drawn.push((number(seed, place), place));
            if drawn.len() > size as usize {
                drawn.pop();
            }
        }
    }
    Ok((population, drawn.into_sorted_vec().into_iter().map(|(_, place)| place).collect()))
}

fn number(seed: &str, place: i64) -> [u8; 32] {
    Sha256::digest(format!("{seed}\n{place}")).into()
}

fn check(size: u32, seed: &str) -> Result<(), Problem> {
    let mut errors = Vec::new();
    if !(1..=LARGEST).contains(&size) {
        errors.push(field("/size", "range", json!(LARGEST), "A sample has 1 to 500 entries."));
    }
    if seed.is_empty() || seed.chars().count() > LONGEST_SEED || seed.chars().any(char::is_control) {
        errors.push(field("/seed", "length", Value::Null, "A seed has 1 to 100 characters."));
    }
    all_right(errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the documentation has it: sha256("autumn\n17").
    #[test]
    fn the_number_of_an_entry_never_changes() {
        let hex = hex::encode(number("autumn", 17));
        assert_eq!(hex, "4c91f2c3ec22312a7243fc4d443817954e1f1cc984a0fc97f80c718fd17801e0");
    }
}
