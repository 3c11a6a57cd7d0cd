//! The part of an evidence pack that is read on paper.

use domain::view::AuditEntryView;
use ledger::evidence::Manifest;
use report::{About, Block, Column, Language, Mark, NotRendered, Report, Row, Section, render};
use serde_json::Value;

/// The pages, in the language of whoever asked for them.
pub(super) fn print(
    manifest: &Manifest,
    entries: &[AuditEntryView],
    checkpoint: &str,
    key: &str,
    language: Language,
) -> Result<Vec<u8>, NotRendered> {
    let t = match language {
        Language::English => &ENGLISH,
        Language::Korean => &KOREAN,
    };
    let facts = vec![
        (t.search.to_owned(), search(&manifest.about, t)),
        (t.entries.to_owned(), manifest.entries.len().to_string()),
        (t.log.to_owned(), manifest.log.clone()),
        (t.size.to_owned(), manifest.size.to_string()),
        (t.root.to_owned(), manifest.root.clone()),
        (t.signed_at.to_owned(), manifest.signed_at.to_string()),
        (t.key.to_owned(), key.trim_end().to_owned()),
    ];
    let rows = entries.iter().map(|entry| row(entry, t)).collect();
    let columns = t.columns.iter().zip([1.0, 2.4, 1.8, 2.6, 3.2, 1.4]);
    let section = |heading: &str, blocks| Section { heading: heading.to_owned(), blocks };
    render(&Report {
        title: t.title.to_owned(),
        subtitle: search(&manifest.about, t),
        language: t.language,
        about: About {
            author: manifest.log.clone(),
            program: "Rondo".to_owned(),
            created: manifest.signed_at.to_utc(),
        },
        sections: vec![
            section(t.what, vec![Block::Text(t.what_text.to_owned()), Block::Facts(facts)]),
            section(
                t.entries,
                vec![Block::Table {
                    columns: columns.map(|(title, share)| Column::new(*title, share)).collect(),
                    rows,
                }],
            ),
            section(t.hashes, vec![Block::Text(t.hashes_text.to_owned()), Block::Code(hashes(entries))]),
            section(
                t.check,
                vec![
                    Block::Text(t.check_text.to_owned()),
                    Block::Code("rondo audit verify FILE.tar --key KEY --checkpoint CHECKPOINT".to_owned()),
                    Block::Text(t.checkpoint.to_owned()),
                    Block::Code(checkpoint.to_owned()),
                ],
            ),
        ],
    })
}

fn row(entry: &AuditEntryView, t: &Words) -> Row {
    let is_erased = |pointer: &str| entry.erased.iter().any(|erased| erased == pointer);
    let object = [
        entry.resource_kind.as_str(),
        match entry.resource_name.as_str() {
            _ if is_erased("/resource/name") => t.erased,
            "" => &entry.resource_id,
            name => name,
        },
    ];
    let at = entry.at.to_string();
    let (outcome, mark) = match entry.outcome.as_str() {
        "done" => (t.done, None),
        "refused" => (t.refused, Some(Mark::Notice)),
        "failed" => (t.failed, Some(Mark::Problem)),
        other => (other, Some(Mark::Problem)),
    };
    let seconds = at.get(..19).map(|at| at.replace('T', " "));
    let cells = [
        entry.seq.to_string(),
        seconds.unwrap_or(at),
        if is_erased("/actor/login") { t.erased.to_owned() } else { entry.actor.clone() },
        entry.action.clone(),
        object.join(" ").trim().to_owned(),
        outcome.to_owned(),
    ];
    Row { mark, ..Row::new(cells) }
}

/// The hash of each entry, so that paper and proofs can be compared.
fn hashes(entries: &[AuditEntryView]) -> String {
    let lines: Vec<_> = entries.iter().map(|entry| format!("{:>8}  {}", entry.seq, entry.hash)).collect();
    lines.join("\n")
}

/// The search, as its names and values.
fn search(about: &Value, t: &Words) -> String {
    let conditions = about.as_object().into_iter().flatten().filter(|(name, _)| *name != "last");
    let conditions: Vec<_> = conditions
        .map(|(name, value)| format!("{name}: {}", value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)))
        .collect();
    if conditions.is_empty() { t.everything.to_owned() } else { conditions.join(", ") }
}

/// What a report says beside what is in the log.
struct Words {
    language: Language,
    title: &'static str,
    everything: &'static str,
    what: &'static str,
    what_text: &'static str,
    search: &'static str,
    entries: &'static str,
    log: &'static str,
    size: &'static str,
    root: &'static str,
    signed_at: &'static str,
    key: &'static str,
    columns: [&'static str; 6],
    done: &'static str,
    refused: &'static str,
    failed: &'static str,
    erased: &'static str,
    hashes: &'static str,
    hashes_text: &'static str,
    check: &'static str,
    check_text: &'static str,
    checkpoint: &'static str,
}

const ENGLISH: Words = Words {
    language: Language::English,
    title: "Evidence from the audit log",
    everything: "All entries",
    what: "What this is",
    what_text: "Entries of an audit log that cannot be altered unnoticed, each with the proof that it is in the log as it was signed. \
                The proofs are in the file proofs.jsonl beside this one. These pages are for reading; the proofs are the evidence.",
    search: "Search",
    entries: "Entries",
    log: "Log",
    size: "Entries in the log when it was signed",
    root: "Root of the tree over them",
    signed_at: "Signed at",
    key: "First public key",
    columns: ["No.", "Time (UTC)", "Who", "Action", "Object", "Outcome"],
    done: "done",
    refused: "refused",
    failed: "failed",
    erased: "(erased)",
    hashes: "Hashes",
    hashes_text: "The hash of each entry above, by its number. The same stands in its proof.",
    check: "How to check it",
    check_text: "Without a server and without a network, with the archive that these pages were in, a key of the log that you have from \
                 elsewhere, and, if you have one, a checkpoint that was kept elsewhere:",
    checkpoint: "The checkpoint under which the entries are proved:",
};

const KOREAN: Words = Words {
    language: Language::Korean,
    title: "감사 로그 증거",
    everything: "전체 항목",
    what: "이 문서에 대하여",
    what_text: "몰래 바꿀 수 없는 감사 로그의 항목과, 각 항목이 서명된 로그에 있다는 증명입니다. 증명은 함께 있는 파일 \
                proofs.jsonl에 있습니다. 이 문서는 읽기 위한 것이며 증거는 증명입니다.",
    search: "검색 조건",
    entries: "항목",
    log: "로그",
    size: "서명 당시 로그의 항목 수",
    root: "항목 트리의 루트",
    signed_at: "서명 시각",
    key: "첫 공개 키",
    columns: ["번호", "시각 (UTC)", "사용자", "동작", "대상", "결과"],
    done: "완료",
    refused: "거부",
    failed: "실패",
    erased: "(삭제됨)",
    hashes: "해시",
    hashes_text: "위 항목의 번호별 해시입니다. 각 증명에도 같은 값이 있습니다.",
    check: "확인 방법",
    check_text: "서버와 네트워크 없이, 이 문서가 들어 있던 압축 파일과 다른 곳에서 얻은 로그의 키, 그리고 있다면 다른 곳에 보관한 체크포인트로 확인합니다.",
    checkpoint: "항목이 증명된 체크포인트:",
};
