//! Names and values of records, as people write them.

use hickory_proto::rr::{Name, RData, RecordType, rdata::TXT};

use crate::Failure;

/// The types that can be changed and asked for.
pub(crate) const TYPES: [&str; 9] = ["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"];
/// So much fits into one piece of a text.
const PIECE: usize = 255;

/// A name, from the root on.
pub(crate) fn name(text: &str) -> Result<Name, Failure> {
    let mut name = Name::from_utf8(text)
        .map_err(|_| Failure::configuration(format!("“{text}” is not a name of DNS; write it like www.example.com")))?;
    name.set_fqdn(true);
    Ok(name)
}

/// A type of record.
pub(crate) fn record_type(text: &str) -> Result<RecordType, Failure> {
    text.parse().map_err(|_| Failure::configuration(format!("“{text}” is not a type of records")))
}

/// A value as it stands in zone files, but for texts, which stand for themselves.
pub(crate) fn value(kind: RecordType, text: &str) -> Result<RData, Failure> {
    if kind == RecordType::TXT {
        return Ok(RData::TXT(TXT::from_bytes(text.as_bytes().chunks(PIECE).collect())));
    }
    // Names in values begin at the root: there is no zone file that they could be below.
    let rooted = match kind {
        RecordType::CNAME | RecordType::MX | RecordType::NS | RecordType::PTR | RecordType::SRV
            if !text.ends_with('.') =>
        {
            format!("{text}.")
        }
        _ => text.to_owned(),
    };
    RData::try_from_str(kind, &rooted).map_err(|_| {
        Failure::configuration(format!("“{text}” is not a value of a record {kind}; write it as in a zone file"))
    })
}

/// A value for people.
pub(crate) fn shown(value: &RData) -> String {
    match value {
        RData::TXT(text) => {
            let bytes: Vec<u8> = text.txt_data.iter().flat_map(|piece| piece.iter().copied()).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_shown_as_people_write_them() {
        let long = "x".repeat(300);
        for (kind, text, expected) in [
            ("A", "192.0.2.7", "192.0.2.7"),
            ("AAAA", "2001:db8::7", "2001:db8::7"),
            ("CNAME", "www.example.com", "www.example.com."),
            ("MX", "10 mail.example.com", "10 mail.example.com."),
            ("SRV", "1 2 443 host.example.com.", "1 2 443 host.example.com."),
            ("TXT", "v=spf1 -all; \"x\"", "v=spf1 -all; \"x\""),
            ("TXT", &long, &long),
        ] {
            let kind = record_type(kind).unwrap();
            assert_eq!(shown(&value(kind, text).unwrap()), expected);
        }
        for (kind, text) in [("A", "host"), ("AAAA", "192.0.2.7"), ("MX", "mail")] {
            assert!(value(record_type(kind).unwrap(), text).is_err(), "{kind} {text}");
        }
        assert_eq!(name("www.example.com").unwrap().to_string(), "www.example.com.");
        assert!(name("a..b").is_err());
    }
}
