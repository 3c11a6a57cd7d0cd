//! Where a trigger looks that nobody calls: the fields of its form, and how it goes.

use domain::{
    FileEnd, MailEnd, TriggerKind,
    view::{FilesView, LooksView, MailsView, WatchView},
};
use leptos::prelude::*;

use super::form::Forms;
use crate::{
    components::{Banner, Moment, SelectField, TextField, Toggle, Tone},
    i18n::Texts,
    view,
};

pub(super) fn fields(t: Texts, kind: TriggerKind, known: Option<WatchView>, forms: Forms) -> AnyView {
    let error = |pointer| forms.error(pointer);
    let (connection, every) =
        known.as_ref().map_or_else(|| (String::new(), 60), |watch| (watch.connection.clone(), watch.every_seconds));
    let is_mailbox = kind == TriggerKind::Mailbox;
    let place = if is_mailbox {
        mails(t, known.and_then(|watch| watch.mails), forms)
    } else {
        files(t, known.and_then(|watch| watch.files), forms)
    };
    let t = t.triggers;
    view! {
        <TextField
            name="connection"
            label=t.connection()
            hint=if is_mailbox { t.mail_connection_hint() } else { t.connection_hint() }
            value=connection
            code=true
            maxlength=200_u32
            error=error("/watch/connection")
        />
        {place}
        <TextField
            name="every"
            label=t.every()
            hint=t.every_hint()
            value=every.to_string()
            maxlength=5_u32
            error=error("/watch/everySeconds")
        />
    }
}

fn files(t: Texts, known: Option<FilesView>, forms: Forms) -> AnyView {
    let error = |pointer| forms.error(pointer);
    let files = known.unwrap_or_else(|| FilesView {
        bucket: String::new(),
        prefix: String::new(),
        pattern: String::new(),
        content: false,
        end: FileEnd::Leave,
        moved_to: String::new(),
    });
    let options = FileEnd::ALL.iter().map(|end| (end.to_string(), end_name(t, *end).to_owned())).collect();
    let t = t.triggers;
    view! {
        <TextField
            name="bucket"
            label=t.bucket()
            value=files.bucket
            code=true
            maxlength=63_u32
            error=error("/watch/files/bucket")
        />
        <TextField
            name="prefix"
            label=t.prefix()
            hint=t.prefix_hint()
            value=files.prefix
            optional=true
            code=true
            maxlength=512_u32
            error=error("/watch/files/prefix")
        />
        <TextField
            name="pattern"
            label=t.pattern()
            hint=t.pattern_hint()
            value=files.pattern
            optional=true
            code=true
            maxlength=512_u32
            error=error("/watch/files/pattern")
        />
        <Toggle name="content" label=t.file_content() hint=t.file_content_hint() checked=files.content/>
        <SelectField name="end" label=t.file_end() hint=t.file_end_hint() options value=files.end.to_string()/>
        <TextField
            name="moved_to"
            label=t.moved_to()
            hint=t.moved_to_hint()
            value=files.moved_to
            optional=true
            code=true
            maxlength=512_u32
            error=error("/watch/files/movedTo")
        />
    }
}

fn mails(t: Texts, known: Option<MailsView>, forms: Forms) -> AnyView {
    let error = |pointer| forms.error(pointer);
    let mails = known.unwrap_or_else(|| MailsView {
        folder: "INBOX".to_owned(),
        senders: Vec::new(),
        subject: String::new(),
        end: MailEnd::Seen,
        moved_to: String::new(),
    });
    let options = MailEnd::ALL.iter().map(|end| (end.to_string(), mail_end_name(t, *end).to_owned())).collect();
    let t = t.triggers;
    view! {
        <TextField
            name="folder"
            label=t.folder()
            value=mails.folder
            maxlength=200_u32
            error=error("/watch/mails/folder")
        />
        <TextField
            name="senders"
            label=t.senders()
            hint=t.senders_hint()
            value=mails.senders.join(", ")
            code=true
            error=error("/watch/mails/senders")
        />
        <TextField
            name="subject"
            label=t.subject()
            hint=t.subject_hint()
            value=mails.subject
            optional=true
            maxlength=512_u32
            error=error("/watch/mails/subject")
        />
        <SelectField name="mail_end" label=t.file_end() hint=t.mail_end_hint() options value=mails.end.to_string()/>
        <TextField
            name="moved_to"
            label=t.moved_to_folder()
            hint=t.moved_to_folder_hint()
            value=mails.moved_to
            optional=true
            maxlength=200_u32
            error=error("/watch/mails/movedTo")
        />
    }
}

fn mail_end_name(t: Texts, end: MailEnd) -> &'static str {
    match end {
        MailEnd::Seen => t.triggers.mail_seen(),
        MailEnd::Move => t.triggers.mail_move(),
    }
}

fn end_name(t: Texts, end: FileEnd) -> &'static str {
    match end {
        FileEnd::Leave => t.triggers.file_leave(),
        FileEnd::Tag => t.triggers.file_tag(),
        FileEnd::Move => t.triggers.file_move(),
    }
}

/// Where it looks, line by line.
pub(super) fn facts(t: Texts, watch: &WatchView, looks: Option<&LooksView>) -> Vec<(String, AnyView)> {
    let code = |text: String| view! { <code class="repository__code">{text}</code> };
    let t_ = t.triggers;
    let mut items = vec![(t_.connection().to_owned(), code(watch.connection.clone()))];
    if let Some(files) = &watch.files {
        items.push((t_.bucket().to_owned(), code(files.bucket.clone())));
        for (label, text) in [(t_.prefix(), &files.prefix), (t_.pattern(), &files.pattern)] {
            if !text.is_empty() {
                items.push((label.to_owned(), code(text.clone())));
            }
        }
        let moved = (files.end == FileEnd::Move).then(|| view! { " " {code(files.moved_to.clone())} });
        items.push((t_.file_end().to_owned(), view! { <span>{end_name(t, files.end)}</span> {moved} }));
    }
    if let Some(mails) = &watch.mails {
        items.push((t_.folder().to_owned(), code(mails.folder.clone())));
        items.push((t_.senders().to_owned(), code(mails.senders.join(", "))));
        if !mails.subject.is_empty() {
            items.push((t_.subject().to_owned(), code(mails.subject.clone())));
        }
        let moved = (mails.end == MailEnd::Move).then(|| view! { " " {code(mails.moved_to.clone())} });
        items.push((t_.file_end().to_owned(), view! { <span>{mail_end_name(t, mails.end)}</span> {moved} }));
    }
    let last = match looks.and_then(|looks| looks.looked_at) {
        Some(at) => view! { <Moment at/> },
        None => view! { <span>{t_.never_looked()}</span> },
    };
    items.push((t_.looked_at().to_owned(), view! { {last} " " <span>{t_.every_seconds(watch.every_seconds)}</span> }));
    items
}

/// Why it cannot look.
pub(super) fn trouble(t: Texts, looks: Option<&LooksView>) -> Option<AnyView> {
    let looks = looks?;
    let (words, since) = (looks.trouble.clone()?, looks.failing_since?);
    Some(view! {
        <Banner tone=Tone::Danger title=t.triggers.trouble()>
            <p lang="en">{words}</p>
            <p>{t.triggers.trouble_since()} " " <Moment at=since/></p>
        </Banner>
    })
}
