//! Names of folders as IMAP writes them: ASCII, and everything else in a UTF-7 of its own (RFC 3501, 5.1.3).

use base64::{
    Engine as _, alphabet,
    engine::{GeneralPurpose, general_purpose::NO_PAD},
};

const ENGINE: GeneralPurpose = GeneralPurpose::new(&alphabet::IMAP_MUTF7, NO_PAD);

/// The name as it is sent.
pub(super) fn encoded(name: &str) -> String {
    let (mut written, mut pending) = (String::new(), Vec::new());
    for letter in name.chars() {
        if (' '..='~').contains(&letter) {
            flush(&mut written, &mut pending);
            written.push(letter);
            if letter == '&' {
                written.push('-');
            }
        } else {
            pending.extend(letter.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    flush(&mut written, &mut pending);
    written
}

fn flush(written: &mut String, pending: &mut Vec<u8>) {
    if !pending.is_empty() {
        written.push('&');
        ENGINE.encode_string(pending.as_slice(), written);
        written.push('-');
        pending.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_the_standard_says() {
        for (name, written) in [
            ("INBOX", "INBOX"),
            ("Tom & Jerry", "Tom &- Jerry"),
            // From RFC 3501.
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("처리됨", "&zJi5rLQo-"),
        ] {
            assert_eq!(encoded(name), written);
        }
    }
}
