//! Charts: bars in SVG that the server draws, each with its values in a table. Nothing in them needs a script.

use leptos::prelude::*;

use super::{Column, Table};
use crate::{
    i18n::{Texts, use_texts},
    model::figures::mark_distance,
    view,
};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
/// Left of the bars, for what the marks say.
const LEFT: f64 = 64.0;
/// Below the bars, for what they are about.
const BOTTOM: f64 = 28.0;
const TOP: f64 = 12.0;
/// The widest bar.
const BAR: f64 = 44.0;
/// So many labels fit below the bars.
const LABELS: usize = 10;

/// How a part of a bar looks: by colour and by pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Plain.
    Plain,
    /// Lines that rise.
    Striped,
    /// Dots.
    Dotted,
    /// Lines that cross.
    Crossed,
}

impl Fill {
    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Striped => "striped",
            Self::Dotted => "dotted",
            Self::Crossed => "crossed",
        }
    }

    /// The strokes of its pattern in a box of 8 by 8.
    const fn path(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Striped => "M-2 6 6-2M2 10 10 2",
            Self::Dotted => "M2 2h.01M6 6h.01",
            Self::Crossed => "M0 4h8M4 0v8",
        }
    }
}

/// What a part of every bar is about.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// How it looks.
    pub fill: Fill,
}

/// A bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What it is about, short, for below the bar.
    pub label: String,
    /// The same in full, for the table.
    pub name: String,
    /// Its parts, in the order of the series.
    pub values: Vec<u64>,
}

impl Bar {
    fn total(&self) -> u64 {
        self.values.iter().fold(0, |sum, value| sum.saturating_add(*value))
    }
}

/// How values are said.
#[derive(Clone, Copy)]
pub struct Measure {
    /// A value in words.
    pub text: fn(Texts, u64) -> String,
    /// What marks of the axis are multiples of, ascending.
    pub units: &'static [u64],
}

#[expect(clippy::cast_precision_loss, reason = "a picture is not that exact")]
fn length(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "there are few bars")]
fn place(index: usize) -> f64 {
    index as f64
}

/// Where a part of a bar is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    bar: usize,
    series: usize,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// The geometry of a chart.
#[derive(Debug, PartialEq)]
struct Drawn {
    /// Heights and values of the marks.
    marks: Vec<(f64, u64)>,
    pieces: Vec<Piece>,
    /// The middle of each bar that has a label.
    labels: Vec<(usize, f64)>,
}

fn drawn(bars: &[Bar], units: &[u64]) -> Drawn {
    let most = bars.iter().map(Bar::total).max().unwrap_or(0);
    let distance = mark_distance(most, units);
    let room = HEIGHT - TOP - BOTTOM;
    let scale = room / length(distance.saturating_mul(4));
    let base = HEIGHT - BOTTOM;
    let marks = (0..=4_u64).map(|mark| {
        let value = distance.saturating_mul(mark);
        (base - length(value) * scale, value)
    });
    let step = (WIDTH - LEFT) / place(bars.len().max(1));
    let width = (step * 0.72).min(BAR);
    let middle = |index: usize| LEFT + step * (place(index) + 0.5);
    let mut pieces = Vec::new();
    for (index, bar) in bars.iter().enumerate() {
        let mut y = base;
        for (series, value) in bar.values.iter().enumerate().filter(|(_, value)| **value > 0) {
            let height = length(*value) * scale;
            y -= height;
            pieces.push(Piece { bar: index, series, x: middle(index) - width / 2.0, y, width, height });
        }
    }
    let every = bars.len().div_ceil(LABELS).max(1);
    let labels = (0..bars.len()).step_by(every).map(|index| (index, middle(index)));
    Drawn { marks: marks.collect(), labels: labels.collect(), pieces }
}

/// Bars beside each other, each of one or more parts on top of each other.
#[component]
pub fn BarChart(
    /// A word that no other chart of the page has.
    id: &'static str,
    /// What it shows.
    #[prop(into)]
    title: String,
    /// What can be seen in it, in a sentence.
    #[prop(into)]
    description: String,
    /// The heading of what bars are about.
    #[prop(into)]
    about: String,
    /// What the parts of bars are about.
    series: Vec<Series>,
    /// The bars.
    bars: Vec<Bar>,
    /// How values are said.
    measure: Measure,
) -> impl IntoView {
    let t = use_texts();
    let Drawn { marks, pieces, labels } = drawn(&bars, measure.units);
    let fill = |index: usize| {
        let name = series.get(index).map_or("plain", |series| series.fill.name());
        format!("url(#{id}-{name})")
    };
    let patterns: Vec<_> = series.iter().map(|series| pattern(id, series.fill)).collect();
    let marks: Vec<_> = marks
        .into_iter()
        .map(|(y, value)| {
            let (y, above) = (format!("{y:.1}"), format!("{:.1}", y + 4.0));
            view! {
                <line class="chart__mark" x1=LEFT.to_string() x2=WIDTH.to_string() y1=y.clone() y2=y></line>
                <text class="chart__text" x=(LEFT - 8.0).to_string() y=above text-anchor="end">
                    {(measure.text)(t, value)}
                </text>
            }
        })
        .collect();
    let pieces: Vec<_> = pieces
        .into_iter()
        .filter_map(|piece| {
            let bar = bars.get(piece.bar)?;
            let words = format!(
                "{}: {} {}",
                bar.name,
                series.get(piece.series)?.name,
                (measure.text)(t, *bar.values.get(piece.series)?)
            );
            Some(view! {
                <rect
                    class="chart__bar"
                    x=format!("{:.1}", piece.x)
                    y=format!("{:.1}", piece.y)
                    width=format!("{:.1}", piece.width)
                    height=format!("{:.1}", piece.height)
                    fill=fill(piece.series)
                >
                    <title>{words}</title>
                </rect>
            })
        })
        .collect();
    let labels: Vec<_> = labels
        .into_iter()
        .filter_map(|(index, middle)| {
            let label = bars.get(index)?.label.clone();
            let y = (HEIGHT - 8.0).to_string();
            Some(view! { <text class="chart__text" x=format!("{middle:.1}") y=y text-anchor="middle">{label}</text> })
        })
        .collect();
    let legend = (series.len() > 1).then(|| legend(id, &series));
    let (title_id, description_id) = (format!("{id}-title"), format!("{id}-description"));
    let label = title.clone();
    view! {
        <figure class="chart">
            {legend}
            <div class="chart__scroll" role="region" aria-label=label.clone() tabindex="0">
                <svg
                    class="chart__picture"
                    viewBox=format!("0 0 {WIDTH} {HEIGHT}")
                    width=WIDTH.to_string()
                    height=HEIGHT.to_string()
                    role="img"
                    aria-labelledby=title_id.clone()
                    aria-describedby=description_id.clone()
                >
                    <title id=title_id.clone()>{title}</title>
                    <desc id=description_id.clone()>{description}</desc>
                    <defs>{patterns}</defs>
                    {marks}
                    {pieces}
                    {labels}
                </svg>
            </div>
            <details class="chart__table">
                <summary>{t.value.as_table()}</summary>
                {table(t, label, about, &series, &bars, measure)}
            </details>
        </figure>
    }
}

fn pattern(id: &'static str, fill: Fill) -> AnyView {
    view! {
        <pattern id=format!("{id}-{}", fill.name()) width="8" height="8" patternUnits="userSpaceOnUse">
            <rect class=format!("chart__ground chart__ground--{}", fill.name()) width="8" height="8"></rect>
            <path class=format!("chart__strokes chart__strokes--{}", fill.name()) d=fill.path()></path>
        </pattern>
    }
}

fn legend(id: &'static str, series: &[Series]) -> AnyView {
    let entries: Vec<_> = series
        .iter()
        .map(|series| {
            let fill = format!("url(#{id}-{})", series.fill.name());
            view! {
                <li class="chart__key">
                    <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
                        <rect class="chart__bar" x="0.5" y="0.5" width="15" height="15" fill=fill></rect>
                    </svg>
                    <span>{series.name.clone()}</span>
                </li>
            }
        })
        .collect();
    view! { <ul class="chart__legend">{entries}</ul> }
}

fn table(t: Texts, label: String, about: String, series: &[Series], bars: &[Bar], measure: Measure) -> AnyView {
    let mut columns = vec![Column::new(about)];
    columns.extend(series.iter().map(|series| Column::new(series.name.clone()).end()));
    let rows: Vec<_> = bars
        .iter()
        .map(|bar| {
            let cells: Vec<_> = series
                .iter()
                .zip(&bar.values)
                .map(|(series, value)| {
                    let text = (measure.text)(t, *value);
                    view! { <td class="table__end" data-label=series.name.clone()>{text}</td> }
                })
                .collect();
            view! {
                <tr>
                    <th scope="row">{bar.name.clone()}</th>
                    {cells}
                </tr>
            }
        })
        .collect();
    view! { <Table label columns>{rows}</Table> }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(values: &[u64]) -> Bar {
        Bar { label: String::new(), name: String::new(), values: values.to_vec() }
    }

    #[test]
    fn parts_stand_on_each_other_and_reach_what_they_say() {
        let drawn = drawn(&[bar(&[3, 0, 1]), bar(&[0, 0, 0]), bar(&[8])], &[1]);
        assert_eq!(drawn.marks.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [0, 2, 4, 6, 8]);
        let places: Vec<_> = drawn.pieces.iter().map(|piece| (piece.bar, piece.series)).collect();
        assert_eq!(places, [(0, 0), (0, 2), (2, 0)], "nothing is drawn for nothing");
        let [lower, upper, whole] = drawn.pieces[..] else { panic!("{drawn:?}") };
        assert!((lower.y - (upper.y + upper.height)).abs() < 1e-9, "{lower:?} {upper:?}");
        assert!((whole.y - TOP).abs() < 1e-9, "the greatest reaches the highest mark: {whole:?}");
        assert!((lower.height - 3.0 * upper.height).abs() < 1e-9);
        assert!(drawn.pieces.iter().all(|piece| piece.x >= LEFT && piece.x + piece.width <= WIDTH));
    }

    #[test]
    fn nothing_has_marks_and_many_bars_few_labels() {
        let nothing = drawn(&[], &[1]);
        assert_eq!((nothing.marks.len(), nothing.pieces.len()), (5, 0));
        let many: Vec<_> = (0..61).map(|value| bar(&[value])).collect();
        assert_eq!(drawn(&many, &[1]).labels.len(), 9);
    }

    #[test]
    fn every_pattern_has_a_name_of_its_own() {
        let all = [Fill::Plain, Fill::Striped, Fill::Dotted, Fill::Crossed];
        let names: std::collections::BTreeSet<_> = all.iter().map(|fill| fill.name()).collect();
        assert_eq!(names.len(), all.len());
    }
}
