//! What is changed in a zone, as one message: all of it happens, or nothing.

use hickory_proto::{
    op::{Message, Query, UpdateMessage as _},
    rr::{DNSClass, Name, RData, Record, RecordType},
};
use serde::Deserialize;
use serde_json::Value;

use super::record;
use crate::{Failure, Repetition};

/// For how long others may keep an answer, in seconds.
const LIFETIME: u32 = 3600;

/// An operation.
#[derive(Deserialize)]
#[serde(tag = "operation", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum With {
    AddRecord {
        name: String,
        r#type: String,
        value: String,
        ttl: Option<u32>,
    },
    RemoveRecord {
        name: String,
        r#type: String,
        value: Option<String>,
    },
    ReplaceRecords {
        name: String,
        r#type: String,
        values: Vec<String>,
        ttl: Option<u32>,
        if_equals: Option<Vec<String>>,
    },
    Lookup {
        name: String,
        r#type: String,
    },
}

/// What is to be done.
pub(super) struct Change {
    pub(super) name: Name,
    pub(super) kind: RecordType,
    pub(super) deed: Deed,
}

pub(super) enum Deed {
    Add { value: RData, ttl: u32 },
    Remove(Option<RData>),
    Replace { values: Vec<RData>, ttl: u32, only_if: Option<Vec<RData>> },
    Lookup,
}

impl Change {
    pub(super) fn read(with: &Value) -> Result<Self, Failure> {
        // The message of serde may quote a value, and the value may be a secret.
        let with = With::deserialize(with).map_err(|_| Failure::configuration("the arguments cannot be read"))?;
        let all = |kind, values: &[String]| values.iter().map(|text| record::value(kind, text)).collect();
        let (name, kind, deed) = match with {
            With::AddRecord { name, r#type, value, ttl } => {
                let kind = record::record_type(&r#type)?;
                (name, kind, Deed::Add { value: record::value(kind, &value)?, ttl: ttl.unwrap_or(LIFETIME) })
            }
            With::RemoveRecord { name, r#type, value } => {
                let kind = record::record_type(&r#type)?;
                (name, kind, Deed::Remove(value.map(|value| record::value(kind, &value)).transpose()?))
            }
            With::ReplaceRecords { name, r#type, values, ttl, if_equals } => {
                let kind = record::record_type(&r#type)?;
                let only_if = if_equals.map(|values| all(kind, &values)).transpose()?;
                let values = all(kind, &values)?;
                (name, kind, Deed::Replace { values, ttl: ttl.unwrap_or(LIFETIME), only_if })
            }
            With::Lookup { name, r#type } => (name, record::record_type(&r#type)?, Deed::Lookup),
        };
        Ok(Self { name: record::name(&name)?, kind, deed })
    }

    /// Doing it twice is doing it once, but where it depends on what it changes.
    pub(super) fn repetition(&self) -> Repetition {
        match self.deed {
            Deed::Replace { only_if: Some(_), .. } => Repetition::Probe,
            _ => Repetition::Safe,
        }
    }

    /// The question for the records of this name and type.
    pub(super) fn question(&self) -> Message {
        question(&self.name, self.kind)
    }

    /// The message that changes the zone.
    pub(super) fn message(&self, zone: &Name) -> Message {
        let mut message = blank(zone);
        match &self.deed {
            Deed::Add { value, ttl } => {
                message.add_update(self.record(*ttl, value.clone(), DNSClass::IN));
            }
            Deed::Remove(Some(value)) => {
                message.add_update(self.record(0, value.clone(), DNSClass::NONE));
            }
            Deed::Remove(None) => {
                message.add_update(self.record(0, RData::Update0(self.kind), DNSClass::ANY));
            }
            Deed::Replace { values, ttl, only_if } => {
                for value in only_if.iter().flatten() {
                    message.add_pre_requisite(self.record(0, value.clone(), DNSClass::IN));
                }
                if only_if.as_ref().is_some_and(Vec::is_empty) {
                    message.add_pre_requisite(self.record(0, RData::Update0(self.kind), DNSClass::NONE));
                }
                message.add_update(self.record(0, RData::Update0(self.kind), DNSClass::ANY));
                for value in values {
                    message.add_update(self.record(*ttl, value.clone(), DNSClass::IN));
                }
            }
            Deed::Lookup => {}
        }
        message
    }

    fn record(&self, ttl: u32, value: RData, class: DNSClass) -> Record {
        let mut record = Record::from_rdata(self.name.clone(), ttl, value);
        record.dns_class = class;
        record
    }

    /// The values of these records that are of the name and type asked for.
    pub(super) fn among<'a>(&self, records: &'a [Record]) -> Vec<&'a Record> {
        records.iter().filter(|record| record.record_type() == self.kind).collect()
    }
}

/// A question.
pub(crate) fn question(name: &Name, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name.clone(), kind));
    message
}

/// A message that changes nothing of a zone: whoever may change it may send it.
pub(super) fn blank(zone: &Name) -> Message {
    let mut message = Message::query();
    message.metadata.op_code = hickory_proto::op::OpCode::Update;
    message.metadata.recursion_desired = false;
    message.add_zone(Query::query(zone.clone(), RecordType::SOA));
    message
}
