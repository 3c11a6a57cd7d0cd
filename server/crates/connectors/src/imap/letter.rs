//! What a message says, for triggers.

use mail_parser::{Address, HeaderName, Message, MessageParser, MessagePart, MimeHeaders as _};
use serde_json::{Value, json};

/// The longest text of a message that is delivered, in bytes.
const TEXT: usize = 16 * 1024;
/// The largest attachment whose content is delivered, and all of them together, in bytes.
const ATTACHMENT: usize = 16 * 1024;
/// The most attachments that are listed.
const ATTACHMENTS: usize = 50;
/// The longest line that is delivered of a header, in characters.
const LINE: usize = 1_000;

/// A message that could be read.
pub(super) struct Letter {
    /// The address that it says it is from: none unless there is exactly one.
    pub(super) sender: Option<String>,
    pub(super) subject: String,
    /// What it says.
    pub(super) content: Value,
}

impl Letter {
    /// Reads a message; none where that is none.
    pub(super) fn read(raw: &[u8]) -> Option<Self> {
        let message = MessageParser::default().parse(raw).filter(|message| !message.headers().is_empty())?;
        let subject = line(message.subject().unwrap_or_default());
        let text = message.body_text(0).unwrap_or_default();
        let cut = cut(&text, TEXT);
        let content = json!({
            "from": people(message.from()),
            "to": people(message.to()),
            "cc": people(message.cc()),
            "replyTo": people(message.reply_to()),
            "subject": subject,
            "date": message.date().map(|date| date.to_rfc3339()),
            "messageId": message.message_id().map(line),
            "text": cut,
            "textCut": cut.len() < text.len(),
            "attachments": attachments(&message),
        });
        Some(Self { sender: sender(&message), subject, content })
    }
}

/// The one address that a message says it is from. Of two, a program shows the one and another judges by the other.
fn sender(message: &Message<'_>) -> Option<String> {
    let headers = message.headers().iter().filter(|header| header.name == HeaderName::From).count();
    let mut addresses = message.from()?.iter();
    let address = addresses.next()?.address()?;
    (headers == 1 && addresses.next().is_none()).then(|| address.to_ascii_lowercase())
}

fn people(address: Option<&Address<'_>>) -> Vec<Value> {
    let one = |one: &mail_parser::Addr<'_>| json!({"name": one.name().map(line), "address": one.address().map(line)});
    address.into_iter().flat_map(Address::iter).take(ATTACHMENTS).map(one).collect()
}

fn attachments(message: &Message<'_>) -> Vec<Value> {
    let mut left = ATTACHMENT;
    message.attachments().take(ATTACHMENTS).map(|part| attachment(part, &mut left)).collect()
}

fn attachment(part: &MessagePart<'_>, left: &mut usize) -> Value {
    let kind = part.content_type().map(|kind| match kind.subtype() {
        Some(subtype) => format!("{}/{subtype}", kind.ctype()),
        None => kind.ctype().to_owned(),
    });
    let (name, bytes) = (part.attachment_name().map(line), part.contents());
    let mut said = json!({"name": name, "type": kind.as_deref().map(line), "size": bytes.len()});
    let content = match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= *left => {
            *left -= text.len();
            ("content", text)
        }
        Ok(_) => ("contentLeftOut", "the attachments are larger than 16 KiB together; have them put where the workflow can read them"),
        Err(_) => ("contentLeftOut", "it is no text in UTF-8; have it put where the workflow can read it"),
    };
    if let Some(said) = said.as_object_mut() {
        said.insert(content.0.to_owned(), content.1.into());
    }
    said
}

fn line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(LINE).collect()
}

/// As much of a text as is delivered.
fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

/// Whether mails from an address are wanted: one of these is the address, or a host behind `@`.
pub(super) fn is_wanted(sender: &str, wanted: &[String]) -> bool {
    wanted.iter().any(|wanted| {
        let wanted = wanted.to_ascii_lowercase();
        if wanted.starts_with('@') { sender.ends_with(&wanted) } else { sender == wanted }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "From: Ada <Ada@Example.Test>\r\nTo: portal@example.test\r\nSubject: =?utf-8?q?Disk_f=C3=BCll?=\r\n\
        Date: Fri, 27 Nov 2026 10:00:00 +0100\r\nMessage-ID: <1@example.test>\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\nvoll=FC\r\n--b\r\nContent-Type: text/csv\r\n\
        Content-Disposition: attachment; filename=a.csv\r\n\r\na;b\r\n--b\r\nContent-Type: image/png\r\n\
        Content-Disposition: attachment; filename=\"b.png\"\r\nContent-Transfer-Encoding: base64\r\n\r\nAP8=\r\n--b--\r\n";

    #[test]
    fn a_message_says_who_what_and_with_which_attachments() {
        let letter = Letter::read(MAIL.as_bytes()).unwrap();
        assert_eq!(letter.sender.as_deref(), Some("ada@example.test"));
        assert_eq!(letter.subject, "Disk füll");
        let content = letter.content;
        assert_eq!(content["from"], json!([{"name": "Ada", "address": "Ada@Example.Test"}]));
        assert_eq!(content["text"].as_str().unwrap().trim(), "vollü");
        assert_eq!((&content["date"], &content["messageId"]), (&json!("2026-11-27T10:00:00+01:00"), &json!("1@example.test")));
        let [csv, png] = content["attachments"].as_array().unwrap().as_slice() else { panic!("{content}") };
        assert_eq!((&csv["name"], &csv["type"], csv["content"].as_str().unwrap().trim()), (&json!("a.csv"), &json!("text/csv"), "a;b"));
        assert!(png["contentLeftOut"].as_str().unwrap().contains("no text") && png["size"] == 2, "{png}");
    }

    #[test]
    fn long_texts_and_attachments_are_cut_and_left_out() {
        let long = format!("From: a@b.test\r\nSubject: x\r\n\r\n{}", "é".repeat(TEXT));
        let letter = Letter::read(long.as_bytes()).unwrap();
        assert_eq!((letter.content["text"].as_str().unwrap().len(), &letter.content["textCut"]), (TEXT, &json!(true)));
        let large = MAIL.replace("a;b", &"x".repeat(ATTACHMENT + 1));
        let letter = Letter::read(large.as_bytes()).unwrap();
        assert!(letter.content["attachments"][0]["contentLeftOut"].as_str().unwrap().contains("16 KiB"));
    }

    #[test]
    fn a_sender_is_one_or_none() {
        let sender = |headers: &str| Letter::read(format!("{headers}\r\nSubject: x\r\n\r\n.").as_bytes()).unwrap().sender;
        assert_eq!(sender("From: <a@b.test>").as_deref(), Some("a@b.test"));
        for none in ["From: a@b.test, c@d.test", "From: a@b.test\r\nFrom: c@d.test", "To: a@b.test", "From: nobody"] {
            assert_eq!(sender(none), None, "{none}");
        }
        let wanted = ["Boss@Example.Test".to_owned(), "@desk.test".to_owned()];
        for yes in ["boss@example.test", "anybody@desk.test"] {
            assert!(is_wanted(yes, &wanted), "{yes}");
        }
        for no in ["other@example.test", "a@sub.desk.test", "a@desk.test.evil", "boss@example.test.evil"] {
            assert!(!is_wanted(no, &wanted), "{no}");
        }
        assert!(!is_wanted("boss@example.test", &[]));
    }

    #[test]
    fn what_is_no_message_is_none() {
        assert!(Letter::read(b"").is_none());
        // Cut off in the middle, it is still read as far as it goes.
        for end in (60..MAIL.len()).step_by(7) {
            let _ = Letter::read(&MAIL.as_bytes()[..end]);
        }
    }
}
