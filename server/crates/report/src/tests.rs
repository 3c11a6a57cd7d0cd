//! The whole of it: reports go in, and what comes out is read back by somebody else's reader.

mod read;
mod sample;

use std::time::Duration;

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use self::read::Read;
use crate::{About, Block, Column, Language, Mark, Report, Row, Section, render};

fn report(blocks: Vec<Block>) -> Report {
    Report {
        title: "Title".into(),
        subtitle: "Subtitle".into(),
        language: Language::English,
        about: About {
            author: "Example Ltd".into(),
            program: "Rondo 1.2.3".into(),
            created: OffsetDateTime::from_unix_timestamp(1_795_752_000).unwrap(),
        },
        sections: vec![Section { heading: "Section".into(), blocks }],
    }
}

fn text(text: &str) -> Report {
    report(vec![Block::Text(text.into())])
}

fn table(rows: usize) -> Block {
    let columns = [("No.", 1.0), ("When", 2.5), ("What", 4.0), ("Hash", 4.0)];
    let row = |number: usize| {
        let hash = hex::encode(Sha256::digest(number.to_be_bytes()));
        Row::new([number.to_string(), format!("2026-11-27 04:{:02} UTC", number % 60), format!("entry {number}"), hash])
    };
    Block::Table {
        columns: columns.map(|(title, share)| Column::new(title, share)).into(),
        rows: (1..=rows).map(row).collect(),
    }
}

fn read(report: &Report) -> Read {
    Read::new(render(report).unwrap())
}

#[test]
fn the_fonts_are_those_that_debian_gives_out() {
    use std::io::Read as _;
    let unpacked = |packed: &[u8]| {
        let mut file = Vec::new();
        brotli::Decompressor::new(packed, 1 << 16).read_to_end(&mut file).unwrap();
        hex::encode(Sha256::digest(file))
    };
    let told = include_str!("../fonts/README.md");
    for packed in
        [&include_bytes!("../fonts/NanumGothic.ttf.br")[..], &include_bytes!("../fonts/NanumGothicBold.ttf.br")[..]]
    {
        assert!(told.contains(&unpacked(packed)), "the README has another hash");
    }
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    for report in [sample::english(), sample::korean()] {
        let first = render(&report).unwrap();
        assert_eq!(first, render(&report).unwrap());
        let elsewhere = std::thread::spawn(move || render(&report).unwrap()).join().unwrap();
        assert_eq!(first, elsewhere);
    }
}

#[test]
fn the_bytes_are_those_of_every_machine_and_process() {
    let bytes = render(&sample::english()).unwrap();
    insta::assert_snapshot!(hex::encode(Sha256::digest(bytes)));
}

#[test]
fn another_report_has_another_identity() {
    let identity = |report: &Report| read(report).identity();
    let (first, second) = (identity(&text("one")), identity(&text("two")));
    assert_eq!(first.0, second.0, "they are versions of one document");
    assert_ne!(first.1, second.1);
    let other = Report { title: "Other".into(), ..text("one") };
    assert_ne!(identity(&other).0, first.0);
}

#[test]
fn the_text_of_an_audit_report() {
    insta::assert_snapshot!("english", read(&sample::english()).pages().join("\n=== next page ===\n"));
    insta::assert_snapshot!("korean", read(&sample::korean()).pages().join("\n=== next page ===\n"));
}

#[test]
fn samples() {
    if let Ok(folder) = std::env::var("REPORT_SAMPLES") {
        for (name, report) in [("english", sample::english()), ("korean", sample::korean()), ("long", sample::long())] {
            std::fs::write(format!("{folder}/{name}.pdf"), render(&report).unwrap()).unwrap();
        }
    }
}

#[test]
fn korean_is_read_as_it_was_written() {
    let written = "관리자가 결재 요청을 승인했습니다. 똠방각하 펲시콜라 뷁";
    assert!(read(&text(written)).pages().concat().contains(written));
}

#[test]
fn a_word_that_is_longer_than_a_line_is_whole_when_its_lines_are_joined() {
    let hash = "0123456789abcdef".repeat(16);
    let page = read(&text(&hash)).pages().concat();
    assert!(page.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_hexdigit())).count() > 1);
    assert!(page.replace('\n', "").contains(&hash));
}

#[test]
fn what_has_no_sign_is_read_as_the_replacement() {
    assert!(read(&text("a😀b \u{e123} c")).pages().concat().contains("a\u{fffd}b \u{fffd} c"));
}

#[test]
fn the_properties_say_where_it_comes_from() {
    let properties = read(&text("")).properties();
    assert_eq!(properties.title, "Title");
    assert_eq!(properties.author, "Example Ltd");
    assert_eq!(properties.creator, "Rondo 1.2.3");
    assert_eq!(properties.language, "en");
    assert_eq!(properties.created, "D:20261127040000Z");
    assert_eq!(properties.bookmarks, ["Title", "Section"]);
    assert!(
        properties.xmp.contains("<pdfaid:part>2</pdfaid:part>")
            && properties.xmp.contains("<pdfuaid:part>1</pdfuaid:part>")
    );
}

#[test]
fn screen_readers_are_told_what_is_what() {
    let table = Block::Table {
        columns: vec![Column::new("No.", 1.0), Column::new("What", 1.0)],
        rows: vec![Row::new(["1", ""]), Row::new(["2"])],
    };
    let facts = Block::Facts(vec![("Name".into(), "Value".into())]);
    let tagged = read(&report(vec![Block::Text("Text".into()), facts, table, Block::Code("code".into())])).structure();
    let with_titles = "Table(THead(TR(TH TH)) TBody(TR(TD TD) TR(TD TD)))";
    assert_eq!(tagged, format!("Document(H1 P Sect(H2 P Table(TR(TH TD)) {with_titles} Code))"));
}

#[test]
fn a_table_has_its_headings_on_every_page() {
    let pages = read(&report(vec![table(200)])).pages();
    assert!(pages.len() > 3);
    for (number, page) in pages.iter().enumerate() {
        assert_eq!(page.lines().filter(|line| *line == "Hash").count(), 1, "page {number}");
        assert!(page.contains(&format!("Page {} of {}", number + 1, pages.len())));
    }
}

#[test]
fn no_row_is_lost_or_parted_between_pages() {
    let pages = read(&report(vec![table(200)])).pages();
    for number in 1..=200_usize {
        let hash = hex::encode(Sha256::digest(number.to_be_bytes()));
        let of = pages.iter().filter(|page| page.lines().any(|line| line.trim() == format!("entry {number}"))).count();
        assert_eq!(of, 1, "{number}");
        assert!(pages.iter().any(|page| page.replace('\n', "").contains(&hash)), "{number}");
    }
}

#[test]
fn a_row_that_fits_on_no_page_goes_on_over_pages() {
    let words: Vec<String> = (0..4_000).map(|number| format!("w{number}")).collect();
    let table = Block::Table {
        columns: vec![Column::new("A", 1.0), Column::new("B", 1.0)],
        rows: vec![Row::new([words.join(" "), "x".into()]).marked(Mark::Problem), Row::new(["after", ""])],
    };
    let pages = read(&report(vec![table])).pages();
    assert!(pages.len() > 3);
    let all = pages.concat();
    let seen: std::collections::HashSet<&str> = all.split_whitespace().collect();
    assert!(words.iter().all(|word| seen.contains(word.as_str())));
    assert!(pages.last().unwrap().contains("after"));
}

#[test]
fn cells_beyond_the_last_column_are_shown() {
    let table = Block::Table { columns: vec![Column::new("A", 1.0)], rows: vec![Row::new(["one", "two", "three"])] };
    let page = read(&report(vec![table])).pages().concat();
    assert!(["one", "two", "three"].iter().all(|cell| page.contains(cell)), "{page}");
}

#[test]
fn long_code_goes_on_over_pages_and_keeps_its_lines() {
    let lines: Vec<String> = (0..150).map(|number| format!("  line {number}")).collect();
    let pages = read(&report(vec![Block::Code(lines.join("\n"))])).pages();
    assert!(pages.len() > 2);
    let all = pages.concat();
    assert!(lines.iter().all(|line| all.lines().any(|read| read == line)));
}

#[test]
fn five_thousand_rows_take_bounded_time_and_memory() {
    #[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
    let now = std::time::Instant::now;
    let report = report(vec![table(5_000)]);
    let (start, before) = (now(), memory());
    let bytes = render(&report).unwrap();
    // Without optimisation, on a busy machine.
    assert!(now() - start < Duration::from_mins(1), "{:?}", now() - start);
    if let (Some(before), Some(after)) = (before, memory()) {
        assert!(after.saturating_sub(before) < 128 << 10, "{} kB more at its peak", after - before);
    }
    assert!(bytes.len() < 12 << 20, "{} bytes", bytes.len());
    assert!(Read::new(bytes).pages().len() > 100);
}

/// The most memory that this process has had, in kB, where the system tells.
fn memory() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "\\PC{0,40}",
        "[가-힣 ]{0,60}",
        "[ \\n\\t\\r]{0,12}",
        "[a-f0-9]{0,400}",
        prop::collection::vec(
            prop_oneof![Just('i'), Just('\u{308}'), Just('\u{301}'), Just('\u{feff}'), any::<char>()],
            0..30
        )
        .prop_map(|characters| characters.into_iter().collect()),
    ]
}

fn any_block() -> impl Strategy<Value = Block> {
    let mark = prop_oneof![Just(None), Just(Some(Mark::Good)), Just(Some(Mark::Notice)), Just(Some(Mark::Problem))];
    let row = (prop::collection::vec(any_text(), 0..9), mark).prop_map(|(cells, mark)| Row { cells, mark });
    let column = (any_text(), any::<f32>()).prop_map(|(title, share)| Column { title, share });
    let columns = prop_oneof![
        9 => prop::collection::vec(column, 0..9).boxed(),
        1 => Just(vec![Column::new("narrow", 1.0); 300]).boxed(),
    ];
    prop_oneof![
        any_text().prop_map(Block::Text),
        any_text().prop_map(Block::Code),
        prop::collection::vec((any_text(), any_text()), 0..9).prop_map(Block::Facts),
        (columns, prop::collection::vec(row, 0..9)).prop_map(|(columns, rows)| Block::Table { columns, rows }),
    ]
}

fn any_report() -> impl Strategy<Value = Report> {
    let section = (any_text(), prop::collection::vec(any_block(), 0..4))
        .prop_map(|(heading, blocks)| Section { heading, blocks });
    let language = prop_oneof![Just(Language::English), Just(Language::Korean)];
    let created = prop_oneof![
        (-377_705_116_800_i64..=253_402_300_799).prop_map(|at| OffsetDateTime::from_unix_timestamp(at).unwrap()),
        Just(time::PrimitiveDateTime::MAX.assume_offset(time::UtcOffset::from_hms(-23, 0, 0).unwrap())),
        Just(time::PrimitiveDateTime::MIN.assume_offset(time::UtcOffset::from_hms(23, 0, 0).unwrap())),
    ];
    let about =
        (any_text(), any_text(), created).prop_map(|(author, program, created)| About { author, program, created });
    (any_text(), any_text(), language, about, prop::collection::vec(section, 0..4))
        .prop_map(|(title, subtitle, language, about, sections)| Report { title, subtitle, language, about, sections })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_report_is_rendered_and_can_be_read(report in any_report()) {
        let bytes = render(&report).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let pages = Read::new(bytes).pages();
        prop_assert!(!pages.is_empty());
        let last = report.language.page(pages.len(), pages.len());
        prop_assert!(pages.last().unwrap().contains(&last), "{:?}", pages.last());
    }
}
