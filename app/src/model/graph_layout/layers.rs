//! One level of a picture: ranks by the longest path, order by barycentres, places by least squares.

#![expect(
    clippy::indexing_slicing,
    reason = "the indices are made here and stay within the vectors they were made for"
)]
#![expect(clippy::cast_precision_loss, reason = "what is counted here are things in one picture")]

use super::Metrics;

/// A way between two things of the level, by their places in the list of sizes.
pub(super) struct Link {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) labelled: bool,
}

/// Where everything is.
#[derive(Default)]
pub(super) struct Arranged {
    pub(super) width: f64,
    pub(super) height: f64,
    /// Upper left corners, in the order of the sizes.
    pub(super) places: Vec<(f64, f64)>,
    /// In the order of the links.
    pub(super) routes: Vec<Route>,
}

pub(super) struct Route {
    pub(super) points: Vec<(f64, f64)>,
    pub(super) is_loop: bool,
    pub(super) label_at: (f64, f64),
}

/// Something that takes space in a rank: an item, or a long way passing through.
struct Slot {
    width: f64,
    rank: usize,
    /// The middle, once placed.
    x: f64,
    before: Vec<usize>,
    after: Vec<usize>,
}

/// How wide the space is that a long way takes between items.
const PASSAGE: f64 = 12.0;
const ORDER_SWEEPS: usize = 12;
const PLACE_SWEEPS: usize = 14;
const PULL_SWEEPS: usize = 8;
const STRAIGHTEN_SWEEPS: usize = 64;

pub(super) fn arrange(sizes: &[(f64, f64)], links: &[Link], metrics: &Metrics) -> Arranged {
    if sizes.is_empty() {
        return Arranged::default();
    }
    let is_loop = find_loops(sizes.len(), links);
    let ranks = longest_paths(sizes.len(), links, &is_loop);
    let mut slots: Vec<Slot> = sizes
        .iter()
        .zip(&ranks)
        .map(|((width, _), rank)| Slot { width: *width, rank: *rank, x: 0.0, before: vec![], after: vec![] })
        .collect();
    let chains: Vec<Vec<usize>> = links
        .iter()
        .zip(&is_loop)
        .map(|(link, is_loop)| if *is_loop { vec![] } else { chain(&mut slots, link) })
        .collect();

    let rank_count = slots.iter().map(|slot| slot.rank).max().unwrap_or(0) + 1;
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); rank_count];
    for (index, slot) in slots.iter().enumerate() {
        rows[slot.rank].push(index);
    }
    order(&mut rows, &slots);
    place(&rows, &mut slots, metrics.column_gap);
    straighten(&rows, &mut slots, metrics.column_gap);

    let mut tops = vec![0.0; rank_count];
    let mut bottoms = vec![0.0; rank_count];
    let mut y = 0.0;
    for rank in 0..rank_count {
        let height = rows[rank].iter().filter_map(|slot| sizes.get(*slot)).map(|size| size.1).fold(0.0, f64::max);
        let labelled =
            links.iter().zip(&is_loop).any(|(link, is_loop)| link.labelled && !is_loop && ranks[link.from] == rank);
        tops[rank] = y;
        bottoms[rank] = y + height;
        y += height + if labelled { metrics.labelled_gap } else { metrics.rank_gap };
    }

    let left = slots.iter().map(|slot| slot.x - slot.width / 2.0).fold(f64::INFINITY, f64::min);
    for slot in &mut slots {
        slot.x -= left;
    }
    let places: Vec<(f64, f64)> =
        sizes.iter().enumerate().map(|(index, size)| (slots[index].x - size.0 / 2.0, tops[ranks[index]])).collect();
    let mut width = slots.iter().map(|slot| slot.x + slot.width / 2.0).fold(0.0, f64::max);
    let inner_width = width;

    let mut routes = Vec::with_capacity(links.len());
    let mut lanes = 0.0;
    for (number, link) in links.iter().enumerate() {
        if is_loop[number] {
            lanes += 1.0;
            let lane = inner_width + lanes * metrics.lane;
            width = width.max(lane + metrics.lane / 2.0);
            routes.push(back_up(link, lane, &places, sizes));
        } else {
            routes.push(down(&chains[number], &slots, sizes, &tops, &bottoms));
        }
    }
    Arranged { width, height: bottoms.last().copied().unwrap_or(0.0), places, routes }
}

/// How far the walk has come with something.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    Open,
    Done,
}

/// Which links lead back to something that comes earlier, found by walking from the first things on.
fn find_loops(count: usize, links: &[Link]) -> Vec<bool> {
    let mut is_loop: Vec<bool> = links.iter().map(|link| link.from == link.to).collect();
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut has_entry = vec![false; count];
    for (number, link) in links.iter().enumerate() {
        if link.from != link.to {
            out[link.from].push(number);
            has_entry[link.to] = true;
        }
    }
    let mut marks = vec![Mark::New; count];
    let starts = (0..count).filter(|item| !has_entry[*item]).chain(0..count);
    for start in starts {
        if marks[start] != Mark::New {
            continue;
        }
        let mut walk = vec![(start, 0)];
        marks[start] = Mark::Open;
        while let Some((item, next)) = walk.last_mut() {
            let item = *item;
            let Some(number) = out[item].get(*next).copied() else {
                marks[item] = Mark::Done;
                walk.pop();
                continue;
            };
            *next += 1;
            let to = links[number].to;
            match marks[to] {
                Mark::Open => is_loop[number] = true,
                Mark::Done => {}
                Mark::New => {
                    marks[to] = Mark::Open;
                    walk.push((to, 0));
                }
            }
        }
    }
    is_loop
}

/// The rank of each item: one more than the greatest of those before it.
fn longest_paths(count: usize, links: &[Link], is_loop: &[bool]) -> Vec<usize> {
    let forward = || links.iter().zip(is_loop).filter(|(_, is_loop)| !**is_loop).map(|(link, _)| link);
    let mut entries = vec![0_usize; count];
    for link in forward() {
        entries[link.to] += 1;
    }
    let mut ranks = vec![0; count];
    let mut ready: Vec<usize> = (0..count).filter(|item| entries[*item] == 0).collect();
    while let Some(item) = ready.pop() {
        for link in forward().filter(|link| link.from == item) {
            ranks[link.to] = ranks[link.to].max(ranks[item] + 1);
            entries[link.to] -= 1;
            if entries[link.to] == 0 {
                ready.push(link.to);
            }
        }
    }
    ranks
}

/// The slots that a link passes, its ends included; makes room in the ranks between them.
fn chain(slots: &mut Vec<Slot>, link: &Link) -> Vec<usize> {
    let mut chain = vec![link.from];
    for rank in slots[link.from].rank + 1..slots[link.to].rank {
        slots.push(Slot { width: PASSAGE, rank, x: 0.0, before: vec![], after: vec![] });
        chain.push(slots.len() - 1);
    }
    chain.push(link.to);
    for pair in chain.windows(2) {
        slots[pair[0]].after.push(pair[1]);
        slots[pair[1]].before.push(pair[0]);
    }
    chain
}

/// Puts each rank in an order with few crossings.
fn order(rows: &mut Vec<Vec<usize>>, slots: &[Slot]) {
    let mut best = rows.clone();
    let mut fewest = crossings(rows, slots);
    for sweep in 0..ORDER_SWEEPS {
        let downwards = sweep % 2 == 0;
        let sequence: Vec<usize> = if downwards { (0..rows.len()).collect() } else { (0..rows.len()).rev().collect() };
        for rank in sequence {
            let places = positions(rows, slots.len());
            let barycentre = |slot: usize| {
                let beside = if downwards { &slots[slot].before } else { &slots[slot].after };
                mean(beside.iter().map(|other| places[*other])).unwrap_or(places[slot])
            };
            rows[rank].sort_by(|one, other| barycentre(*one).total_cmp(&barycentre(*other)));
        }
        let count = crossings(rows, slots);
        if count < fewest {
            fewest = count;
            best.clone_from(rows);
        }
    }
    *rows = best;
}

/// Each slot's place in its rank, from 0 to 1, so that ranks of different lengths compare.
fn positions(rows: &[Vec<usize>], count: usize) -> Vec<f64> {
    let mut places = vec![0.0; count];
    for row in rows {
        for (place, slot) in row.iter().enumerate() {
            places[*slot] = (place as f64 + 0.5) / row.len() as f64;
        }
    }
    places
}

fn crossings(rows: &[Vec<usize>], slots: &[Slot]) -> usize {
    let places = positions(rows, slots.len());
    let mut count = 0;
    for row in rows {
        let links: Vec<(f64, f64)> =
            row.iter().flat_map(|from| slots[*from].after.iter().map(|to| (places[*from], places[*to]))).collect();
        for (number, one) in links.iter().enumerate() {
            let crosses = |other: &&(f64, f64)| (one.0 - other.0) * (one.1 - other.1) < 0.0;
            count += links[number + 1..].iter().filter(crosses).count();
        }
    }
    count
}

/// Gives each slot its middle: as near to the middle of its neighbours as the order and the widths allow.
fn place(rows: &[Vec<usize>], slots: &mut [Slot], gap: f64) {
    for row in rows {
        let mut x = 0.0;
        for slot in row {
            slots[*slot].x = x + slots[*slot].width / 2.0;
            x += slots[*slot].width + gap;
        }
    }
    for sweep in 0..PLACE_SWEEPS {
        let downwards = sweep % 2 == 0;
        let sequence: Vec<usize> = if downwards { (0..rows.len()).collect() } else { (0..rows.len()).rev().collect() };
        for rank in sequence {
            let wished: Vec<f64> = rows[rank]
                .iter()
                .map(|slot| {
                    let slot = &slots[*slot];
                    let beside = if downwards { &slot.before } else { &slot.after };
                    mean(beside.iter().map(|other| slots[*other].x)).unwrap_or(slot.x)
                })
                .collect();
            let widths: Vec<f64> = rows[rank].iter().map(|slot| slots[*slot].width).collect();
            for (slot, x) in rows[rank].iter().zip(keep_apart(&wished, &widths, gap)) {
                slots[*slot].x = x;
            }
        }
    }
}

/// Pulls what follows each other without any branch into one line, between what comes before and after the line.
fn straighten(rows: &[Vec<usize>], slots: &mut [Slot], gap: f64) {
    let lines = lines(rows, slots);
    for sweep in 0..STRAIGHTEN_SWEEPS {
        let mut wished = vec![0.0; slots.len()];
        for line in &lines {
            let (Some(first), Some(last)) = (line.first(), line.last()) else { continue };
            let own = mean(line.iter().map(|slot| slots[*slot].x)).unwrap_or_default();
            let ends = slots[*first].before.iter().chain(&slots[*last].after);
            let between = mean(ends.map(|other| slots[*other].x)).unwrap_or(own);
            // Half of the way: two lines that wish for each other's place would change places for ever. At last only its
            // own middle counts, so that what was pushed aside in one rank draws the whole line along.
            let wish = if sweep < PULL_SWEEPS { f64::midpoint(own, between) } else { own };
            for slot in line {
                wished[*slot] = wish;
            }
        }
        for row in rows {
            let wished: Vec<f64> = row.iter().map(|slot| wished[*slot]).collect();
            let widths: Vec<f64> = row.iter().map(|slot| slots[*slot].width).collect();
            for (slot, x) in row.iter().zip(keep_apart(&wished, &widths, gap)) {
                slots[*slot].x = x;
            }
        }
    }
}

/// The slots in lines: in a line each is the only one after the one before it, and has no other before it.
fn lines(rows: &[Vec<usize>], slots: &[Slot]) -> Vec<Vec<usize>> {
    let mut lines: Vec<Vec<usize>> = Vec::new();
    let mut line_of = vec![0; slots.len()];
    for slot in rows.iter().flatten() {
        match slots[*slot].before.as_slice() {
            [before] if slots[*before].after.len() == 1 => {
                line_of[*slot] = line_of[*before];
                lines[line_of[*slot]].push(*slot);
            }
            _ => {
                line_of[*slot] = lines.len();
                lines.push(vec![*slot]);
            }
        }
    }
    lines
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// The middles nearest to the wished ones (least squares) that keep order and distance: isotonic regression by pooling
/// adjacent violators.
fn keep_apart(wished: &[f64], widths: &[f64], gap: f64) -> Vec<f64> {
    let mut offsets = Vec::with_capacity(widths.len());
    let mut offset = 0.0;
    for (index, width) in widths.iter().enumerate() {
        if index > 0 {
            offset += widths[index - 1] / 2.0 + gap + width / 2.0;
        }
        offsets.push(offset);
    }
    // Pools of neighbours that share one shift: their sum and how many they are.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (wish, offset) in wished.iter().zip(&offsets) {
        pools.push((wish - offset, 1));
        while let [.., one, other] = pools.as_slice() {
            if one.0 / one.1 as f64 <= other.0 / other.1 as f64 {
                break;
            }
            let joined = (one.0 + other.0, one.1 + other.1);
            pools.truncate(pools.len() - 2);
            pools.push(joined);
        }
    }
    let shifts = pools.iter().flat_map(|(sum, count)| std::iter::repeat_n(sum / *count as f64, *count));
    shifts.zip(&offsets).map(|(shift, offset)| shift + offset).collect()
}

/// A way down through the ranks.
fn down(chain: &[usize], slots: &[Slot], sizes: &[(f64, f64)], tops: &[f64], bottoms: &[f64]) -> Route {
    let mut points: Vec<(f64, f64)> = Vec::with_capacity(chain.len() * 2);
    for (step, slot) in chain.iter().enumerate() {
        let Slot { x, rank, .. } = slots[*slot];
        if step > 0 {
            points.push((x, tops[rank]));
        }
        if step + 1 < chain.len() {
            if step == 0 {
                points.push((x, tops[rank] + sizes[*slot].1));
            }
            // Straight on to the rank's lower edge, beside what is taller.
            points.push((x, bottoms[rank]));
        }
    }
    let label_at = match points.as_slice() {
        [_, from, to, ..] => (from.0 + (to.0 - from.0) * 0.75, from.1 + (to.1 - from.1) * 0.5),
        _ => (0.0, 0.0),
    };
    points.dedup();
    Route { points, is_loop: false, label_at }
}

/// A way back up, along the right side.
fn back_up(link: &Link, lane: f64, places: &[(f64, f64)], sizes: &[(f64, f64)]) -> Route {
    let right =
        |item: usize, part: f64| (places[item].0 + sizes[item].0, places[item].1 + sizes[item].1.min(56.0) * part);
    // Leaves below the middle and arrives above it, so that a way to itself is seen.
    let (from, to) = (right(link.from, 0.7), right(link.to, 0.3));
    let points = vec![from, (lane, from.1), (lane, to.1), to];
    Route { points, is_loop: true, label_at: (lane, f64::midpoint(from.1, to.1)) }
}
