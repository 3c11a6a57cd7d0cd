use store::{Result, UnitOfWork, repositories::Look};

use super::{Operation, pick, shown};
use crate::fixtures::{at, repository, user_id};

const NAMES: &[&str] = &["definitions", "tools"];

impl Operation {
    pub(super) async fn repositories(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let mut named = repository(pick(NAMES, self.a));
        Ok(match self.c % 6 {
            0 | 1 => {
                named.changed_by = user_id(self.b);
                named.changed_at = self.time;
                named.due_at = self.flag.then_some(self.time);
                self.text.clone_into(&mut named.folder);
                shown(unit.put_repository(&named).await?)
            }
            2 if self.flag => shown(unit.delete_repository(&named.namespace, &named.name).await?),
            2 => shown(unit.hasten_repository(&named.namespace, &named.name, self.time).await?),
            3 | 4 => {
                let taken = unit.take_due_repository(self.time, at(60)).await?;
                if let Some(taken) = taken.as_ref().filter(|_| self.b.is_multiple_of(2)) {
                    let look = Look { failure: Some(self.text.to_owned()), ..taken.look.clone() };
                    shown(unit.note_look(taken, &look, self.flag.then_some(self.time)).await?)
                } else {
                    shown(taken)
                }
            }
            _ => {
                let mut people = unit.users_by_email(&[self.text.to_owned(), "ärger".to_owned()]).await?;
                people.sort_by_key(|person| person.id);
                shown((people, unit.next_repository().await?))
            }
        })
    }
}
