//! Tables, and facts, which are tables of two columns without headings.

use super::{BOTTOM, Belongs, Flow, Ink, Item, LEFT, NAME, Style, TOP, VALUE, WIDTH};
use crate::{
    model::{Column, Mark, Row},
    outline::{Part, Role},
    text,
    typeface::Weight,
    wrap::fit,
};

const COLUMN_TITLE: Style = Style::new(Weight::Bold, 7.5, 10.0, Ink::Grey);
const CELL: Style = Style::new(Weight::Regular, 8.0, 11.0, Ink::Black);
/// Above and below the lines of a row.
const PADDING: f32 = 3.5;
/// Between columns.
const GAP: f32 = 9.0;
/// What a column gets at least, while there is as much for all.
const NARROWEST: f32 = 34.0;
/// How many lines of a column's title are shown.
const TITLE_LINES: usize = 3;

/// Where a column is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    x: f32,
    width: f32,
}

/// A cell: its lines, how they look, and what it is.
struct Cell {
    lines: Vec<String>,
    style: Style,
    belongs: Belongs,
}

impl Flow<'_> {
    pub(super) fn table(&mut self, columns: &[Column], rows: &[Row], section: Part) {
        let count = rows.iter().map(|row| row.cells.len()).fold(columns.len(), usize::max);
        if count == 0 {
            return;
        }
        let places = places(columns, count);
        let titles: Vec<Vec<String>> = places
            .iter()
            .enumerate()
            .map(|(at, place)| self.column_title(columns.get(at).map_or("", |column| &column.title), place.width))
            .collect();

        let table = self.parts.add(Role::Table, Some(section));
        let head = self.parts.add(Role::Head, Some(table));
        let head_row = self.parts.add(Role::Row, Some(head));
        let first: Vec<Part> = titles.iter().map(|_| self.parts.add(Role::ColumnTitle, Some(head_row))).collect();
        let body = self.parts.add(Role::Body, Some(table));

        let heading = Heading { height: height(titles.iter().map(Vec::len).max().unwrap_or(0), COLUMN_TITLE), titles };
        // The headings never stand alone at the end of a page.
        let first_row = rows.first().map_or(0.0, |row| height(self.longest(row, &places), CELL));
        self.need(heading.height + first_row.min(height(8, CELL)));
        self.heading(&heading, &places, first.into_iter().map(Belongs::To));
        for row in rows {
            self.row(row, &heading, &places, body);
        }
        self.y += 10.0;
    }

    pub(super) fn facts(&mut self, facts: &[(String, String)], section: Part) {
        if facts.is_empty() {
            return;
        }
        let face = self.typeface.face(NAME.weight);
        let widest = facts.iter().map(|(name, _)| face.width(&text::line(name, face), NAME.size)).fold(0.0, f32::max);
        let names = Place { x: LEFT, width: widest.clamp(60.0, WIDTH * 0.35) + 1.0 };
        let x = names.x + names.width + 16.0;
        let values = Place { x, width: LEFT + WIDTH - x };
        let table = self.parts.add(Role::Table, Some(section));
        for (name, value) in facts {
            let row = self.parts.add(Role::Row, Some(table));
            let cells = [(name, NAME, Role::RowTitle, names), (value, VALUE, Role::Cell, values)].map(
                |(text, style, role, place)| Cell {
                    lines: self.wrapped(text, style, place.width),
                    style,
                    belongs: Belongs::To(self.parts.add(role, Some(row))),
                },
            );
            self.cells(&cells, &[names, values], 0.0, |_| {});
        }
        self.y += 8.0;
    }

    fn column_title(&self, title: &str, width: f32) -> Vec<String> {
        let face = self.typeface.face(COLUMN_TITLE.weight);
        let mut lines = self.wrapped(&text::line(title, face), COLUMN_TITLE, width);
        if lines.len() > TITLE_LINES {
            let rest = lines.split_off(TITLE_LINES - 1).concat();
            lines.push(fit(&rest, face, COLUMN_TITLE.size, width));
        }
        lines
    }

    /// The titles of the columns, down to the line below them.
    fn heading(&mut self, heading: &Heading, places: &[Place], belongs: impl Iterator<Item = Belongs>) {
        for ((lines, place), belongs) in heading.titles.iter().zip(places).zip(belongs) {
            // Titles stand on the line below them.
            let mut y = self.y + heading.height - PADDING - COLUMN_TITLE.leading * length(lines.len());
            for text in lines.clone() {
                self.page.push(Item::Line {
                    x: place.x,
                    y: y + COLUMN_TITLE.rise(),
                    style: COLUMN_TITLE,
                    text,
                    belongs,
                });
                y += COLUMN_TITLE.leading;
            }
        }
        self.y += heading.height;
        self.area(LEFT, self.y, (WIDTH, 0.8), Ink::Line);
        self.y += 0.8;
    }

    /// How many lines the longest cell of a row has.
    fn longest(&self, row: &Row, places: &[Place]) -> usize {
        row.cells.iter().zip(places).map(|(cell, place)| self.wrapped(cell, CELL, place.width).len()).max().unwrap_or(1)
    }

    fn row(&mut self, row: &Row, heading: &Heading, places: &[Place], body: Part) {
        let part = self.parts.add(Role::Row, Some(body));
        let cells: Vec<Cell> = places
            .iter()
            .enumerate()
            .map(|(at, place)| Cell {
                lines: self.wrapped(row.cells.get(at).map_or("", String::as_str), CELL, place.width),
                style: CELL,
                belongs: Belongs::To(self.parts.add(Role::Cell, Some(part))),
            })
            .collect();
        let head = heading.height + 0.8;
        let mut top = self.y;
        self.cells(&cells, places, head, |flow| {
            flow.bar(row.mark, top);
            flow.next_page();
            flow.heading(heading, places, std::iter::repeat(Belongs::Repeated));
            top = flow.y;
        });
        self.bar(row.mark, top);
        self.area(LEFT, self.y, (WIDTH, 0.4), Ink::Hairline);
        self.y += 0.4;
    }

    /// The bar of a mark, from there down to what is filled.
    fn bar(&mut self, mark: Option<Mark>, top: f32) {
        let ink = match mark {
            None => return,
            Some(Mark::Good) => Ink::Good,
            Some(Mark::Notice) => Ink::Notice,
            Some(Mark::Problem) => Ink::Problem,
        };
        if self.y > top {
            self.area(LEFT - 8.0, top + 1.0, (2.5, self.y - top - 2.0), ink);
        }
    }

    /// Cells beside each other. If they have no room on this page, they go to the next, on which something may stand
    /// above them, so high; if they have none there either, they go on over pages.
    fn cells(&mut self, cells: &[Cell], places: &[Place], above: f32, mut turn: impl FnMut(&mut Self)) {
        let leading = cells.iter().map(|cell| cell.style.leading).fold(1.0, f32::max);
        let padding = if above > 0.0 { PADDING } else { 0.0 };
        let all = cells.iter().map(|cell| cell.lines.len()).max().unwrap_or(0);
        let high = |lines: usize| length(lines) * leading + 2.0 * padding;
        let mut turn = |flow: &mut Self| {
            if above > 0.0 {
                turn(flow);
            } else {
                flow.next_page();
            }
        };
        if self.y + high(all) > BOTTOM && self.y > TOP + above + 0.1 && TOP + above + high(all) <= BOTTOM {
            turn(self);
        }
        let mut from = 0;
        while from < all {
            let mut to = from;
            while to < all && self.y + high(to + 1 - from) <= BOTTOM {
                to += 1;
            }
            if to == from {
                if self.y > TOP + above + 0.1 {
                    turn(self);
                    continue;
                }
                to = from + 1;
            }
            for (cell, place) in cells.iter().zip(places) {
                let lines = cell.lines.iter().skip(from).take(to - from);
                for (text, down) in lines.zip(0_u16..) {
                    let y = self.y + padding + f32::from(down) * leading + cell.style.rise();
                    let (text, style, belongs) = (text.clone(), cell.style, cell.belongs);
                    self.page.push(Item::Line { x: place.x, y, style, text, belongs });
                }
            }
            self.y += high(to - from);
            from = to;
            if from < all {
                turn(self);
            }
        }
    }
}

/// The titles of a table's columns.
struct Heading {
    titles: Vec<Vec<String>>,
    height: f32,
}

fn height(lines: usize, style: Style) -> f32 {
    length(lines) * style.leading + 2.0 * PADDING
}

#[expect(clippy::cast_precision_loss, reason = "lines and columns are counted in thousands")]
fn length(count: usize) -> f32 {
    count as f32
}

/// Where the columns are. Columns that nothing is said of are as wide as the others are on average.
fn places(columns: &[Column], count: usize) -> Vec<Place> {
    let shares: Vec<f32> = columns.iter().map(|column| sound(column.share)).collect();
    let average = if shares.is_empty() { 1.0 } else { shares.iter().sum::<f32>() / length(shares.len()) };
    let shares: Vec<f32> = shares.into_iter().chain(std::iter::repeat(average)).take(count).collect();
    let narrowest = NARROWEST.min(WIDTH / length(count));
    let mut x = LEFT;
    widths(&shares, narrowest)
        .into_iter()
        .map(|width| {
            let place = Place { x, width: (width - GAP).max(width * 0.5) };
            x += width;
            place
        })
        .collect()
}

/// A share that can be reckoned with.
fn sound(share: f32) -> f32 {
    if share.is_finite() { share.clamp(0.01, 1_000.0) } else { 1.0 }
}

/// The widths of columns: their share, but what would be narrower than that is made as wide, at the cost of the others.
fn widths(shares: &[f32], narrowest: f32) -> Vec<f32> {
    let mut widened = vec![false; shares.len()];
    loop {
        let of = |wide: bool| shares.iter().zip(&widened).filter(move |(_, widened)| **widened == wide);
        let room = WIDTH - narrowest * length(of(true).count());
        let sum: f32 = of(false).map(|(share, _)| share).sum();
        let widths: Vec<f32> = shares
            .iter()
            .zip(&widened)
            .map(|(share, widened)| if *widened { narrowest } else { share * room / sum })
            .collect();
        let again: Vec<bool> =
            widths.iter().zip(&widened).map(|(width, widened)| *widened || *width < narrowest * 0.999).collect();
        if again == widened || again.iter().all(|widened| *widened) {
            return widths;
        }
        widened = again;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_their_share_of_the_width() {
        assert_eq!(widths(&[1.0, 3.0], 10.0), [WIDTH / 4.0, WIDTH * 3.0 / 4.0]);
    }

    #[test]
    fn no_column_is_too_narrow_while_there_is_room() {
        let widths = widths(&[0.01, 1_000.0, 1.0], 34.0);
        assert!(widths.iter().all(|width| *width >= 33.9), "{widths:?}");
        assert!((widths.iter().sum::<f32>() - WIDTH).abs() < 0.1, "{widths:?}");
    }

    #[test]
    fn absurd_shares_are_shares_all_the_same() {
        let columns = [f32::NAN, f32::INFINITY, -3.0, 0.0].map(|share| Column::new("", share));
        for place in places(&columns, 2_000) {
            assert!(place.x.is_finite() && place.width > 0.0, "{place:?}");
        }
    }
}
