//! Where everything stands: a report on its pages. Lengths are in points, from the upper left corner of a page.

mod table;

use crate::{
    model::{Block, Report, Section},
    outline::{Bookmark, Part, Parts, Role},
    text,
    typeface::{Typeface, Weight},
    wrap::{fit, wrap},
};

/// The width and height of A4.
pub(crate) const PAPER: (f32, f32) = (595.28, 841.89);
const LEFT: f32 = 54.0;
const RIGHT: f32 = PAPER.0 - 48.0;
const WIDTH: f32 = RIGHT - LEFT;
/// Where contents begin and end.
const TOP: f32 = 74.0;
const BOTTOM: f32 = PAPER.1 - 60.0;
/// The baselines of what is at the head and the foot of each page.
const HEAD: f32 = 44.0;
const FOOT: f32 = PAPER.1 - 34.0;
/// How much of a section must fit under its heading, or it begins on the next page.
const TOGETHER: f32 = 62.0;
/// How many characters of a title are kept where there are limits: in bookmarks and properties.
const TITLE_LENGTH: usize = 300;

/// How letters look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Style {
    pub(crate) weight: Weight,
    pub(crate) size: f32,
    pub(crate) ink: Ink,
    /// From one line to the next.
    leading: f32,
}

impl Style {
    const fn new(weight: Weight, size: f32, leading: f32, ink: Ink) -> Self {
        Self { weight, size, ink, leading }
    }

    /// From the upper edge of a line to its baseline.
    fn rise(self) -> f32 {
        self.leading / 2.0 + self.size * 0.35
    }
}

const TITLE: Style = Style::new(Weight::Bold, 20.0, 26.0, Ink::Black);
const SUBTITLE: Style = Style::new(Weight::Regular, 10.5, 16.0, Ink::Grey);
const HEADING: Style = Style::new(Weight::Bold, 12.5, 18.0, Ink::Black);
const BODY: Style = Style::new(Weight::Regular, 9.5, 14.5, Ink::Black);
const NAME: Style = Style::new(Weight::Regular, 9.0, 14.5, Ink::Grey);
const VALUE: Style = Style::new(Weight::Regular, 9.0, 14.5, Ink::Black);
const CODE: Style = Style::new(Weight::Regular, 8.5, 12.5, Ink::Black);
const MARGIN: Style = Style::new(Weight::Regular, 7.5, 10.0, Ink::Grey);

/// What colour something has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Black,
    Grey,
    /// Lines between rows.
    Hairline,
    /// Lines that carry something.
    Line,
    /// What is under code.
    Panel,
    Good,
    Notice,
    Problem,
}

/// To what something on a page belongs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Belongs {
    /// To a piece of the report.
    To(Part),
    /// To the head of the page.
    Head,
    /// To the foot of the page.
    Foot,
    /// To nothing that is read, as it was read before.
    Repeated,
}

/// Something on a page.
#[derive(Debug)]
pub(crate) enum Item {
    /// A line of text, from its left end on the baseline.
    Line { x: f32, y: f32, style: Style, text: String, belongs: Belongs },
    /// A filled rectangle, from its upper left corner. It means nothing.
    Area { x: f32, y: f32, width: f32, height: f32, ink: Ink },
}

/// A report on its pages.
#[derive(Debug)]
pub(crate) struct Pages {
    pub(crate) sheets: Vec<Vec<Item>>,
    pub(crate) parts: Parts,
    pub(crate) bookmarks: Vec<Bookmark>,
    /// The title of the document; never empty.
    pub(crate) title: String,
}

/// Puts the report on pages.
pub(crate) fn lay_out(report: &Report, typeface: &Typeface) -> Pages {
    let mut flow = Flow::new(typeface);
    let title = flow.one_line(&report.title);
    let title = if title.is_empty() { "—".to_owned() } else { title };
    flow.title(&title, &report.subtitle);
    for section in &report.sections {
        flow.section(section);
    }
    flow.margins(report, &title);
    Pages { sheets: flow.pages, parts: flow.parts, bookmarks: flow.bookmarks, title: short(&title) }
}

fn short(title: &str) -> String {
    title.chars().take(TITLE_LENGTH).collect()
}

/// Contents on their way down the pages.
struct Flow<'a> {
    typeface: &'a Typeface,
    pages: Vec<Vec<Item>>,
    /// The page that is being filled, and how far down.
    page: Vec<Item>,
    y: f32,
    parts: Parts,
    bookmarks: Vec<Bookmark>,
}

impl<'a> Flow<'a> {
    fn new(typeface: &'a Typeface) -> Self {
        Self { typeface, pages: Vec::new(), page: Vec::new(), y: TOP, parts: Parts::default(), bookmarks: Vec::new() }
    }

    fn one_line(&self, text: &str) -> String {
        text::line(text, self.typeface.face(Weight::Regular)).trim().to_owned()
    }

    /// The lines of a text between its margins.
    fn wrapped(&self, text: &str, style: Style, width: f32) -> Vec<String> {
        let face = self.typeface.face(style.weight);
        text::lines(text, face)
            .iter()
            .flat_map(|line| wrap(line, face, style.size, width).into_iter().map(str::to_owned))
            .collect()
    }

    fn next_page(&mut self) {
        self.pages.push(std::mem::take(&mut self.page));
        self.y = TOP;
    }

    /// Goes on to the next page if there is not so much room on this one.
    fn need(&mut self, height: f32) {
        if self.y + height > BOTTOM && self.y > TOP {
            self.next_page();
        }
    }

    fn space(&mut self, height: f32) {
        if self.y > TOP {
            self.y += height;
        }
    }

    /// A line of text below what is there.
    fn line(&mut self, x: f32, style: Style, text: String, belongs: Belongs) {
        self.need(style.leading);
        self.page.push(Item::Line { x, y: self.y + style.rise(), style, text, belongs });
        self.y += style.leading;
    }

    fn area(&mut self, x: f32, y: f32, (width, height): (f32, f32), ink: Ink) {
        self.page.push(Item::Area { x, y, width, height, ink });
    }

    fn lines(&mut self, text: &str, style: Style, part: Part) {
        for line in self.wrapped(text, style, WIDTH) {
            self.line(LEFT, style, line, Belongs::To(part));
        }
    }

    fn bookmark(&mut self, title: &str) {
        self.bookmarks.push(Bookmark { title: short(title), page: self.pages.len(), y: self.y });
    }

    fn title(&mut self, title: &str, subtitle: &str) {
        self.bookmark(title);
        let part = self.parts.add(Role::Title(short(title)), None);
        self.lines(title, TITLE, part);
        let subtitle = self.one_line(subtitle);
        if !subtitle.is_empty() {
            self.y += 3.0;
            let part = self.parts.add(Role::Paragraph, None);
            self.lines(&subtitle, SUBTITLE, part);
        }
        self.y += 8.0;
        self.area(LEFT, self.y, (WIDTH, 1.2), Ink::Black);
        self.y += 4.0;
    }

    fn section(&mut self, section: &Section) {
        let part = self.parts.add(Role::Section, None);
        let heading = self.one_line(&section.heading);
        if !heading.is_empty() {
            self.need(20.0 + HEADING.leading + TOGETHER);
            self.space(16.0);
            self.bookmark(&heading);
            let heading_part = self.parts.add(Role::Heading(short(&heading)), Some(part));
            self.lines(&heading, HEADING, heading_part);
            self.y += 4.0;
        }
        for block in &section.blocks {
            match block {
                Block::Text(text) => self.text(text, part),
                Block::Facts(facts) => self.facts(facts, part),
                Block::Table { columns, rows } => self.table(columns, rows, part),
                Block::Code(code) => self.code(code, part),
            }
        }
    }

    fn text(&mut self, text: &str, section: Part) {
        let face = self.typeface.face(BODY.weight);
        for paragraph in text::lines(text, face) {
            let part = self.parts.add(Role::Paragraph, Some(section));
            self.lines(&paragraph, BODY, part);
            self.y += 3.0;
        }
        self.y += 5.0;
    }

    fn code(&mut self, code: &str, section: Part) {
        const PADDING: f32 = 7.0;
        let part = self.parts.add(Role::Code, Some(section));
        let lines = self.wrapped(code.trim_end(), CODE, WIDTH - 2.0 * PADDING);
        self.y += 2.0;
        self.need(CODE.leading.mul_add(2.0, 2.0 * PADDING));
        let mut lines = lines.into_iter().peekable();
        while lines.peek().is_some() {
            // As many lines as there is room for, on a panel of their own: it lies under them, so it comes first.
            let (start, panel) = (self.y, self.page.len());
            self.y += PADDING;
            while self.y + CODE.leading + PADDING <= BOTTOM {
                let Some(line) = lines.next() else { break };
                self.line(LEFT + PADDING, CODE, line, Belongs::To(part));
            }
            self.y += PADDING;
            let height = self.y - start;
            self.page.insert(panel, Item::Area { x: LEFT, y: start, width: WIDTH, height, ink: Ink::Panel });
            if lines.peek().is_some() {
                self.next_page();
            }
        }
        self.y += 8.0;
    }

    /// What stands at the head and the foot of every page, once it is known how many there are.
    fn margins(&mut self, report: &Report, title: &str) {
        self.next_page();
        let face = self.typeface.face(MARGIN.weight);
        let width = |text: &str| face.width(text, MARGIN.size);
        let author = fit(&text::line(&report.about.author, face), face, MARGIN.size, WIDTH * 0.4);
        let program = fit(&text::line(&report.about.program, face), face, MARGIN.size, WIDTH * 0.4);
        let created = moment(report.about.utc());
        let title = fit(title, face, MARGIN.size, WIDTH - width(&author) - 20.0);
        let made = [created.as_str(), program.as_str()].into_iter().filter(|text| !text.is_empty());
        let made = made.collect::<Vec<_>>().join(" · ");
        let of = self.pages.len();
        for (page, number) in self.pages.iter_mut().zip(1..) {
            let count = report.language.page(number, of);
            let mut line = |x, y, text: &str, belongs| {
                if !text.is_empty() {
                    page.push(Item::Line { x, y, style: MARGIN, text: text.to_owned(), belongs });
                }
            };
            line(LEFT, HEAD, &author, Belongs::Head);
            // The first page begins with the title anyway.
            if number > 1 {
                line(RIGHT - width(&title), HEAD, &title, Belongs::Head);
            }
            line(LEFT, FOOT, &made, Belongs::Foot);
            line(RIGHT - width(&count), FOOT, &count, Belongs::Foot);
            page.push(Item::Area { x: LEFT, y: HEAD + 7.0, width: WIDTH, height: 0.5, ink: Ink::Hairline });
        }
    }
}

/// A point in time, to the minute.
fn moment(utc: time::OffsetDateTime) -> String {
    format!("{:04}-{:02}-{:02} {:02}:{:02} UTC", utc.year(), u8::from(utc.month()), utc.day(), utc.hour(), utc.minute())
}
