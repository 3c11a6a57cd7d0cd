//! What a message says, for triggers.
//!
//! The library reads headers and single parts; which parts there are is found here. It would read what is nested to any depth
//! and look for the end of each part in all of the message, and whoever sends a message chooses how often.

use std::borrow::Cow;

use mail_parser::{Address, ContentType, DateTime, HeaderName, Message, MessageParser, MessagePart, MimeHeaders};
use serde_json::{Value, json};

/// The longest text of a message that is delivered, in bytes.
const TEXT: usize = 16 * 1024;
/// How much content of all attachments together is delivered, in bytes.
const ATTACHMENT: usize = 16 * 1024;
/// The most attachments that are listed.
const ATTACHMENTS: usize = 50;
/// The longest line that is delivered of a header, in characters.
const LINE: usize = 1_000;
/// How deep parts within parts are read.
const DEPTH: usize = 8;
/// The most parts that are read.
const PARTS: usize = 200;
/// The most headers that a part has, in bytes.
const PART_HEADERS: usize = 16 * 1024;

/// By what a message is chosen.
pub(super) struct Head {
    /// The address that it says it is from: none unless there is exactly one.
    pub(super) sender: Option<String>,
    pub(super) subject: String,
}

impl Head {
    /// Reads the headers of a message; none where there are none.
    pub(super) fn read(raw: &[u8]) -> Option<Self> {
        let message = headers(raw)?;
        Some(Self { sender: sender(&message), subject: line(message.subject().unwrap_or_default()) })
    }
}

/// What a message says; nothing where it is none.
pub(super) fn content(raw: &[u8]) -> Option<Value> {
    let message = headers(raw)?;
    let mut parts = Parts { left: ATTACHMENT, ..Parts::default() };
    parts.take(raw, 0);
    let text = parts.plain.or(parts.html).unwrap_or_default();
    let cut = cut(&text, TEXT);
    Some(json!({
        "from": people(message.from()),
        "to": people(message.to()),
        "cc": people(message.cc()),
        "replyTo": people(message.reply_to()),
        "subject": line(message.subject().unwrap_or_default()),
        "date": message.date().map(DateTime::to_rfc3339),
        "messageId": message.message_id().map(line),
        "text": cut,
        "textCut": cut.len() < text.len(),
        "attachments": parts.attachments,
    }))
}

fn headers(raw: &[u8]) -> Option<Message<'_>> {
    MessageParser::default().parse_headers(raw).filter(|message| !message.headers().is_empty())
}

/// What a message consists of, as far as it is read.
#[derive(Default)]
struct Parts {
    plain: Option<String>,
    /// What can be read of HTML.
    html: Option<String>,
    attachments: Vec<Value>,
    /// How much content of attachments may still be delivered.
    left: usize,
    seen: usize,
}

impl Parts {
    fn take(&mut self, raw: &[u8], depth: usize) {
        let (head, body) = halves(raw);
        // Those of the message itself were measured before.
        if depth > 0 && head.len() > PART_HEADERS {
            return;
        }
        // Of the whole, as the parser will see it: what it takes for parts or a message is never given to it.
        let head = MessageParser::default().parse_headers(raw);
        let kind = head.as_ref().and_then(MimeHeaders::content_type);
        let is = |name: &str| kind.is_some_and(|kind| kind.ctype() == name);
        if is("multipart")
            && depth < DEPTH
            && let Some(boundary) = kind.and_then(|kind| kind.attribute("boundary"))
        {
            for piece in pieces(body, boundary) {
                if self.seen == PARTS {
                    return;
                }
                self.seen += 1;
                self.take(piece, depth + 1);
            }
            return;
        }
        if is("multipart") || is("message") {
            let name = head.as_ref().and_then(MimeHeaders::attachment_name);
            let why = "it is a message itself, or in parts; have what it says put where the workflow can read it";
            self.attach(about(name, kind, body.len()), ("contentLeftOut", why));
            return;
        }
        let Some(message) = MessageParser::default().parse(raw) else { return };
        let Some(part) = message.parts.first() else { return };
        let is_attached = part.attachment_name().is_some()
            || part.content_disposition().is_some_and(|disposition| !disposition.is_inline());
        let is_html = is("text") && kind.and_then(ContentType::subtype) == Some("html");
        let is_plain = kind.is_none() || is("text") && kind.and_then(ContentType::subtype) == Some("plain");
        if is_attached || !(is_html || is_plain) {
            self.attach_part(part, kind);
            return;
        }
        let place = if is_html { &mut self.html } else { &mut self.plain };
        if place.is_none() {
            *place = message.body_text(0).map(Cow::into_owned);
        }
    }

    fn attach_part(&mut self, part: &MessagePart<'_>, kind: Option<&ContentType<'_>>) {
        let bytes = part.contents();
        let content = match std::str::from_utf8(bytes) {
            Ok(text) if text.len() <= self.left => {
                self.left -= text.len();
                ("content", text)
            }
            Ok(_) => (
                "contentLeftOut",
                "the attachments are larger than 16 KiB together; have them put where the workflow can read them",
            ),
            Err(_) => ("contentLeftOut", "it is no text in UTF-8; have it put where the workflow can read it"),
        };
        self.attach(about(part.attachment_name(), kind, bytes.len()), content);
    }

    fn attach(&mut self, mut about: Value, (name, content): (&str, &str)) {
        if self.attachments.len() < ATTACHMENTS
            && let Some(said) = about.as_object_mut()
        {
            said.insert(name.to_owned(), content.into());
            self.attachments.push(about);
        }
    }
}

/// What is said of an attachment beside its content.
fn about(name: Option<&str>, kind: Option<&ContentType<'_>>, size: usize) -> Value {
    let kind = kind.map(|kind| match kind.subtype() {
        Some(subtype) => line(&format!("{}/{subtype}", kind.ctype())),
        None => line(kind.ctype()),
    });
    json!({"name": name.map(line), "type": kind, "size": size})
}

/// The headers of a message or part, and what follows them.
fn halves(raw: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0;
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        // Blanks alone do not end them: the line before goes on there.
        if matches!(line, b"\n" | b"\r\n") {
            break;
        }
    }
    raw.split_at_checked(end).unwrap_or((raw, &[]))
}

/// The parts between the lines that are the boundary. The last is read as far as it goes where its end is missing.
fn pieces<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let mark = format!("--{boundary}");
    let (mut pieces, mut begun, mut at) = (Vec::new(), None, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let rest = line.strip_prefix(mark.as_bytes()).map(<[u8]>::trim_ascii_end);
        if let Some(rest) = rest.filter(|rest| matches!(*rest, b"" | b"--")) {
            pieces.extend(begun.and_then(|begun| body.get(begun..at)));
            begun = None;
            if !rest.is_empty() {
                break;
            }
            begun = Some(at + line.len());
        }
        at += line.len();
    }
    pieces.extend(begun.and_then(|begun| body.get(begun..)));
    // The end of the line before a boundary is the boundary's.
    let ended = |piece: &'a [u8]| {
        let piece = piece.strip_suffix(b"\n").unwrap_or(piece);
        piece.strip_suffix(b"\r").unwrap_or(piece)
    };
    pieces.into_iter().map(ended).collect()
}

/// The one address that a message says it is from. Of two, a program shows the one and another judges by the other.
fn sender(message: &Message<'_>) -> Option<String> {
    let headers = message.headers().iter().filter(|header| header.name == HeaderName::From).count();
    let mut addresses = message.from()?.iter();
    let address = addresses.next()?.address().filter(|address| address.contains('@'))?;
    (headers == 1 && addresses.next().is_none()).then(|| address.to_ascii_lowercase())
}

fn people(address: Option<&Address<'_>>) -> Vec<Value> {
    let one = |one: &mail_parser::Addr<'_>| json!({"name": one.name().map(line), "address": one.address().map(line)});
    address.into_iter().flat_map(Address::iter).take(ATTACHMENTS).map(one).collect()
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
        let head = Head::read(MAIL.as_bytes()).unwrap();
        assert_eq!(head.sender.as_deref(), Some("ada@example.test"));
        assert_eq!(head.subject, "Disk füll");
        let content = content(MAIL.as_bytes()).unwrap();
        assert_eq!(content["from"], json!([{"name": "Ada", "address": "Ada@Example.Test"}]));
        assert_eq!((&content["subject"], &content["text"]), (&json!("Disk füll"), &json!("vollü")));
        assert_eq!(content["date"], "2026-11-27T10:00:00+01:00");
        assert_eq!(content["messageId"], "1@example.test");
        let [csv, png] = content["attachments"].as_array().unwrap().as_slice() else { panic!("{content}") };
        assert_eq!(*csv, json!({"name": "a.csv", "type": "text/csv", "size": 3, "content": "a;b"}));
        assert!(png["contentLeftOut"].as_str().unwrap().contains("no text") && png["size"] == 2, "{png}");
    }

    #[test]
    fn the_plain_text_is_taken_before_html_and_html_where_there_is_none() {
        let html = "--b\r\nContent-Type: text/html\r\n\r\n<p>Fire &amp; <b>smoke</b></p>\r\n";
        let plain = "--b\r\n\r\nplain\r\n";
        let text = |parts: &str| {
            let head = "From: a@b.test\r\nContent-Type: multipart/alternative; boundary=\"b\"\r\n\r\n";
            content(format!("{head}{parts}--b--\r\n").as_bytes()).unwrap()["text"].as_str().unwrap().trim().to_owned()
        };
        assert_eq!(text(&format!("{html}{plain}")), "plain");
        let read = text(html);
        assert!(read.contains("Fire &") && read.contains("smoke") && !read.contains('<'), "{read}");
    }

    #[test]
    fn long_texts_and_attachments_are_cut_and_left_out() {
        let long = format!("From: a@b.test\r\nSubject: x\r\n\r\n{}", "é".repeat(TEXT));
        let said = content(long.as_bytes()).unwrap();
        assert_eq!((said["text"].as_str().unwrap().len(), &said["textCut"]), (TEXT, &json!(true)));
        let large = MAIL.replace("a;b", &"x".repeat(ATTACHMENT + 1));
        let said = content(large.as_bytes()).unwrap();
        assert!(said["attachments"][0]["contentLeftOut"].as_str().unwrap().contains("16 KiB"));
    }

    #[test]
    fn what_is_nested_without_end_is_not_followed() {
        let nested = "Content-Type: message/rfc822\n\n".repeat(150_000);
        let behind_blanks = format!("From: a@b.test\nContent-Type: text/plain\n \n{nested}");
        assert!(content(behind_blanks.as_bytes()).is_some());
        let said = content(format!("From: a@b.test\n{nested}").as_bytes()).unwrap();
        assert_eq!(said["attachments"].as_array().unwrap().len(), 1);
        let level = "--b\nContent-Type: multipart/mixed; boundary=b\n\n";
        let head = "From: a@b.test\nContent-Type: multipart/mixed; boundary=b\n\n";
        let said = content(format!("{head}{}", level.repeat(100_000)).as_bytes()).unwrap();
        assert!(said["attachments"].as_array().unwrap().len() <= ATTACHMENTS);
        let seeking = "--b\nContent-Type: multipart/mixed; boundary=c\n\n".repeat(100_000);
        assert!(content(format!("{head}{seeking}").as_bytes()).is_some());
    }

    #[test]
    fn a_boundary_is_a_whole_line() {
        let said = pieces(b"x\n--b\n1\n--bb\n2\n--b \r\n3\r\n--b--\n--b\n4\n", "b");
        assert_eq!(said, [&b"1\n--bb\n2"[..], b"3"]);
        assert_eq!(pieces(b"--b\ncut o", "b"), [b"cut o"]);
    }

    #[test]
    fn a_sender_is_one_or_none() {
        let sender = |headers: &str| Head::read(format!("{headers}\r\nSubject: x\r\n\r\n").as_bytes()).unwrap().sender;
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
        assert!(Head::read(b"").is_none() && content(b"").is_none());
        // Cut off in the middle, it is still read as far as it goes.
        for end in (60..MAIL.len()).step_by(7) {
            assert!(content(&MAIL.as_bytes()[..end]).is_some());
        }
    }
}
