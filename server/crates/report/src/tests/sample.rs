//! Reports as an auditor would get them.

use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::{About, Block, Column, Language, Mark, Report, Row, Section};

struct Words {
    language: Language,
    title: &'static str,
    subtitle: &'static str,
    author: &'static str,
    headings: [&'static str; 4],
    summary: &'static str,
    facts: [(&'static str, &'static str); 6],
    columns: [&'static str; 6],
    /// Who, what, on what, with what outcome.
    entries: [(&'static str, &'static str, &'static str, &'static str); 5],
    checking: &'static str,
}

/// A report of what was decided in a month, in English.
pub(super) fn english() -> Report {
    report(
        &Words {
            language: Language::English,
            title: "Audit report: approvals and changes of grants",
            subtitle: "Namespace identity, 1 to 30 November 2026",
            author: "Example Industries Ltd",
            headings: ["Summary", "Entries", "Proof", "How to check this report"],
            summary: "This report lists every entry of the audit log in the period that concerns approvals or grants in the \
                      namespace identity. Entries that were refused, and those made under emergency access, are marked.\n\
                      Nothing was left out: the number of entries is that of the log, and the last checkpoint covers them all.",
            facts: [
                ("Period", "2026-11-01 00:00 to 2026-11-30 24:00 (Asia/Seoul)"),
                ("Entries", "40, of which 8 refused and 8 under emergency access"),
                ("Asked for by", "Jörg Müller (auditor)"),
                ("Filter", "namespace = identity and (operation = approval.* or operation = grant.*)"),
                ("Log", "rondo.example.test/audit, 18,412 entries"),
                ("Root of the tree", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
            ],
            columns: ["No.", "When (UTC)", "Who", "What", "Outcome", "Hash of the entry"],
            entries: [
                ("Mina Park (manager)", "approved", "R-1042, onboard-employee 1.4.0", "done"),
                ("김민수 (operator)", "resumed from task createAccount with other input", "R-1043", "done"),
                ("Zoë Ångström", "granted the role operator to team it-identity", "identity", "refused: own grants"),
                ("admin", "used emergency access to cancel", "R-1047, restart-service 2.0.1", "emergency, reviewed"),
                ("schedule", "launched", "R-1048, rotate-certificates 1.0.0", "done"),
            ],
            checking: "The export of the same period, and the program that checks it, need no access to the server:",
        },
        40,
    )
}

/// The same in Korean.
pub(super) fn korean() -> Report {
    report(
        &Words {
            language: Language::Korean,
            title: "감사 보고서: 결재와 권한 변경",
            subtitle: "네임스페이스 identity, 2026년 11월 1일부터 30일까지",
            author: "예시산업 주식회사",
            headings: ["요약", "항목", "증명", "보고서를 확인하는 방법"],
            summary: "이 보고서는 해당 기간 동안 identity 네임스페이스의 결재 또는 권한과 관련된 감사 로그의 모든 항목을 나열합니다. \
                      거부된 항목과 비상 접근으로 수행된 항목은 표시되어 있습니다.\n\
                      빠진 항목은 없습니다. 항목 수는 로그의 항목 수와 같으며, 마지막 체크포인트가 모든 항목을 포함합니다.",
            facts: [
                ("기간", "2026-11-01 00:00부터 2026-11-30 24:00까지 (Asia/Seoul)"),
                ("항목", "40개, 그중 거부 8개, 비상 접근 8개"),
                ("요청자", "이감사 (감사자)"),
                ("조건", "namespace = identity and (operation = approval.* or operation = grant.*)"),
                ("로그", "rondo.example.test/audit, 18,412개 항목"),
                ("트리의 루트", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
            ],
            columns: ["번호", "일시 (UTC)", "행위자", "내용", "결과", "항목의 해시"],
            entries: [
                ("박미나 (관리자)", "승인함", "R-1042, onboard-employee 1.4.0", "완료"),
                ("김민수 (운영자)", "입력을 바꾸어 createAccount 작업부터 재개함", "R-1043", "완료"),
                ("최지우", "it-identity 팀에 운영자 역할을 부여함", "identity", "거부: 본인 권한"),
                ("admin", "비상 접근으로 실행을 취소함", "R-1047, restart-service 2.0.1", "비상, 검토 완료"),
                ("일정", "실행을 시작함", "R-1048, rotate-certificates 1.0.0", "완료"),
            ],
            checking: "같은 기간의 내보내기 파일과 확인 프로그램은 서버에 접속하지 않아도 사용할 수 있습니다.",
        },
        40,
    )
}

/// The English one with many more entries.
pub(super) fn long() -> Report {
    let mut report = english();
    for section in &mut report.sections {
        for block in &mut section.blocks {
            if let Block::Table { rows, .. } = block {
                *rows = rows.iter().cycle().take(5_000).cloned().collect();
            }
        }
    }
    report
}

fn report(words: &Words, entries: usize) -> Report {
    let [summary, list, proof, how] = words.headings;
    let section = |heading: &str, blocks| Section { heading: heading.into(), blocks };
    Report {
        title: words.title.into(),
        subtitle: words.subtitle.into(),
        language: words.language,
        about: About {
            author: words.author.into(),
            program: "Rondo 0.1.0".into(),
            created: OffsetDateTime::from_unix_timestamp(1_796_100_000).unwrap(),
        },
        sections: vec![
            section(
                summary,
                vec![
                    Block::Text(words.summary.into()),
                    Block::Facts(words.facts.map(|(name, value)| (name.into(), value.into())).into()),
                ],
            ),
            section(list, vec![table(words, entries)]),
            section(proof, vec![Block::Code(checkpoint())]),
            section(
                how,
                vec![
                    Block::Text(words.checking.into()),
                    Block::Code("rondo audit verify audit-2026-11.jsonl --checkpoint kept.txt".into()),
                ],
            ),
        ],
    }
}

fn table(words: &Words, entries: usize) -> Block {
    let shares = [0.7, 1.5, 1.7, 3.6, 1.6, 3.2];
    let row = |(number, (who, what, on, outcome)): (usize, &(&str, &str, &str, &str))| {
        let row = Row::new([
            (18_372 + number).to_string(),
            format!("2026-11-{:02} {:02}:{:02}:07", 1 + number * 3 / 4, 7 + number % 11, number * 17 % 60),
            (*who).to_owned(),
            format!("{what}: {on}"),
            (*outcome).to_owned(),
            hex::encode(Sha256::digest(number.to_be_bytes())),
        ]);
        match number % 5 {
            2 => row.marked(Mark::Problem),
            3 => row.marked(Mark::Notice),
            _ => row,
        }
    };
    Block::Table {
        columns: words.columns.iter().zip(shares).map(|(title, share)| Column::new(*title, share)).collect(),
        rows: (0..entries).zip(words.entries.iter().cycle()).map(row).collect(),
    }
}

fn checkpoint() -> String {
    "rondo.example.test/audit\n18412\nn4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=\n\n\
     — rondo.example.test/audit b7Q1xkC0m4rY3VQk5v8m7n2Kf0N6sVwq0G3tY5l9h1PpZq8R2uX4aD6eJ0cW7iB9oL3fM5yT1sUvE8gHkNjAQ==\n"
        .to_owned()
}
