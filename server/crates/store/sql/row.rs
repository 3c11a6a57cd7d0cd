//! Reading columns. A column that does not hold what this program writes is [`StoreError::Inconsistent`].

use std::str::FromStr;

use domain::{Timestamp, WorkflowRef};
use sqlx::{Decode, Row as _, Type};
use store::{Result, StoreError, questions::Field};

use crate::db::{Db, Row};

/// A row, read by column names.
pub(crate) struct Columns<'r>(pub(crate) &'r Row);

impl<'r> Columns<'r> {
    fn get<T: Decode<'r, Db> + Type<Db>>(&self, name: &'static str) -> Result<T> {
        self.0.try_get(name).map_err(|_| unexpected(name))
    }

    pub(crate) fn text(&self, name: &'static str) -> Result<String> {
        self.get(name)
    }

    pub(crate) fn maybe_text(&self, name: &'static str) -> Result<Option<String>> {
        self.get(name)
    }

    pub(crate) fn integer(&self, name: &'static str) -> Result<i64> {
        self.get(name)
    }

    pub(crate) fn maybe_integer(&self, name: &'static str) -> Result<Option<i64>> {
        self.get(name)
    }

    pub(crate) fn flag(&self, name: &'static str) -> Result<bool> {
        self.get(name)
    }

    /// A number of things, in the width that the port has.
    pub(crate) fn count<N: TryFrom<i64>>(&self, name: &'static str) -> Result<N> {
        N::try_from(self.integer(name)?).map_err(|_| unexpected(name))
    }

    /// A number of things that may be absent.
    pub(crate) fn maybe_count<N: TryFrom<i64>>(&self, name: &'static str) -> Result<Option<N>> {
        self.maybe_integer(name)?.map(|value| N::try_from(value).map_err(|_| unexpected(name))).transpose()
    }

    pub(crate) fn time(&self, name: &'static str) -> Result<Timestamp> {
        self.integer(name).map(Timestamp::from_micros)
    }

    pub(crate) fn maybe_time(&self, name: &'static str) -> Result<Option<Timestamp>> {
        Ok(self.maybe_integer(name)?.map(Timestamp::from_micros))
    }

    /// An id, state or name.
    pub(crate) fn parsed<T: FromStr>(&self, name: &'static str) -> Result<T> {
        self.get::<&str>(name)?.parse().map_err(|_| unexpected(name))
    }

    /// An id, state or name that may be absent.
    pub(crate) fn maybe_parsed<T: FromStr>(&self, name: &'static str) -> Result<Option<T>> {
        self.get::<Option<&str>>(name)?.map(|text| text.parse().map_err(|_| unexpected(name))).transpose()
    }

    /// What stands in each column, in their order: for queries whose columns are not known here.
    pub(crate) fn fields(&self) -> Result<Vec<Field>> {
        (0..self.0.len()).map(|index| self.field(index)).collect()
    }

    fn field(&self, index: usize) -> Result<Field> {
        // A column of another type refuses to be read as a number.
        if let Ok(number) = self.0.try_get::<Option<i64>, _>(index) {
            return Ok(number.map_or(Field::Nothing, Field::Number));
        }
        let text: Option<String> = self.0.try_get(index).map_err(|_| unexpected("of an answer"))?;
        Ok(text.map_or(Field::Nothing, Field::Text))
    }

    /// The workflow in the columns `namespace` and `name`.
    pub(crate) fn workflow(&self) -> Result<WorkflowRef> {
        Ok(WorkflowRef { namespace: self.parsed("namespace")?, name: self.parsed("name")? })
    }
}

/// All rows by the same reading.
pub(crate) fn each<T>(rows: &[Row], read: impl Fn(&Columns<'_>) -> Result<T>) -> Result<Vec<T>> {
    rows.iter().map(|row| read(&Columns(row))).collect()
}

/// The first row, if there is one.
pub(crate) fn first<T>(rows: &[Row], read: impl Fn(&Columns<'_>) -> Result<T>) -> Result<Option<T>> {
    rows.first().map(|row| read(&Columns(row))).transpose()
}

/// The only row of a query that always has one.
pub(crate) fn only<T>(rows: &[Row], read: impl Fn(&Columns<'_>) -> Result<T>) -> Result<T> {
    first(rows, read)?.ok_or_else(|| unexpected("the result of a query"))
}

fn unexpected(name: &str) -> StoreError {
    StoreError::Inconsistent(format!("the column {name}"))
}
