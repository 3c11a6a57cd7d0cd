//! The tree over all entries: RFC 6962, kept in tiles.
//!
//! Entry *n* is leaf *n* - 1. A tile holds up to [`TILE`] hashes of one level that stand beside each other: those of level 0
//! are of entries, each of a higher level is of a whole tile of the level below. So a tree of a million entries is some
//! four thousand tiles, of which an entry that comes changes one or two. The layout is that of C2SP tlog-tiles, height 8.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use tlog_tiles::{HashReader, Tile, node_hash};

pub use tlog_tiles::Hash;

/// Hashes of a whole tile.
pub const TILE: u64 = 1 << HEIGHT;
const HEIGHT: u8 = 8;
const BYTES: usize = 32;

/// The hash of an entry: of its canonical body, as a leaf.
#[must_use]
pub fn leaf(body: &[u8]) -> Hash {
    tlog_tiles::record_hash(body)
}

/// A hash in lower-case hex.
#[must_use]
pub fn text(hash: &Hash) -> String {
    hex::encode(hash.0)
}

/// The hash that stands there in lower-case hex.
#[must_use]
pub fn from_text(text: &str) -> Option<Hash> {
    let mut bytes = [0; BYTES];
    let lower_case = text.bytes().all(|byte| !byte.is_ascii_uppercase());
    (lower_case && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(Hash(bytes))
}

/// The hash of the tree without entries.
pub const EMPTY: Hash = tlog_tiles::EMPTY_HASH;

/// The hashes of the subtrees that a tree of some size is made of: enough to grow it and to know its root.
///
/// At most 64 hashes, whatever the size: with it a file of any length is verified as it is read.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    size: u64,
    /// From the left, each smaller than the one before.
    subtrees: Vec<Hash>,
}

impl Edge {
    /// Entries so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds the next entry.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // Each one at the end of the old size is a subtree that the new entry completes.
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.subtrees.pop() else { break };
            hash = node_hash(left, hash);
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut subtrees = self.subtrees.iter().rev().copied();
        let Some(last) = subtrees.next() else { return EMPTY };
        subtrees.fold(last, |right, left| node_hash(left, right))
    }
}

/// Where a tile stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileAt {
    /// Its level, from 0 over the entries.
    pub level: u8,
    /// Its place among those of its level, from 0.
    pub index: u64,
}

/// The tiles at the right side of a tree that are not full yet.
///
/// To grow a stored tree: read the tiles of [`Growth::open`], [`Growth::resume`] with them, [`Growth::push`] the leaves, and
/// store [`Growth::changed`].
#[derive(Clone, Debug, Default)]
pub struct Growth {
    size: u64,
    /// By level: the hashes of its last tile, as long as that is not full.
    open: Vec<Vec<Hash>>,
    changed: BTreeMap<TileAt, Vec<Hash>>,
}

impl Growth {
    /// The tiles that a tree of this size has begun and not filled, and how many hashes each has.
    #[must_use]
    pub fn open(size: u64) -> Vec<(TileAt, usize)> {
        levels(size)
            .filter_map(|(level, hashes)| {
                let width = usize::try_from(hashes % TILE).ok().filter(|width| *width > 0)?;
                Some((TileAt { level, index: hashes / TILE }, width))
            })
            .collect()
    }

    /// Goes on with a tree of this size; none unless these are the tiles of [`Growth::open`].
    #[must_use]
    pub fn resume(size: u64, mut tiles: BTreeMap<TileAt, Vec<Hash>>) -> Option<Self> {
        let mut open = vec![Vec::new(); levels(size).count()];
        for (at, width) in Self::open(size) {
            let hashes = tiles.remove(&at).filter(|hashes| hashes.len() == width)?;
            *open.get_mut(usize::from(at.level))? = hashes;
        }
        Some(Self { size, open, changed: BTreeMap::new() })
    }

    /// Adds the next entry.
    pub fn push(&mut self, leaf: Hash) {
        self.size += 1;
        let mut hash = leaf;
        for (level, count) in levels(self.size) {
            let at = usize::from(level);
            if self.open.len() == at {
                self.open.push(Vec::new());
            }
            let Some(tile) = self.open.get_mut(at) else { return };
            tile.push(hash);
            let place = TileAt { level, index: (count - 1) / TILE };
            if (tile.len() as u64) < TILE {
                self.changed.insert(place, tile.clone());
                return;
            }
            let full = std::mem::take(tile);
            hash = Tile::subtree_hash(&bytes(&full));
            self.changed.insert(place, full);
        }
    }

    /// Entries so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut root = None;
        // From the right: the tiles of the entries first.
        for tile in &self.open {
            let mut end = tile.len();
            while end > 0 {
                let width = 1 << end.trailing_zeros();
                let subtree = tile.get(end - width..end).map(|hashes| Tile::subtree_hash(&bytes(hashes)));
                root = match (subtree, root) {
                    (Some(left), Some(right)) => Some(node_hash(left, right)),
                    (left, right) => left.or(right),
                };
                end -= width;
            }
        }
        root.unwrap_or(EMPTY)
    }

    /// The tiles that have changed, as they are now.
    #[must_use]
    pub fn changed(self) -> BTreeMap<TileAt, Vec<Hash>> {
        self.changed
    }
}

/// The levels of a tree of this size, each with the number of its hashes.
fn levels(size: u64) -> impl Iterator<Item = (u8, u64)> {
    (0_u8..8).map(move |level| (level, size >> (HEIGHT * level))).take_while(|(_, hashes)| *hashes > 0)
}

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Something to be proved about a tree. Sizes and places are numbers of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Entry `seq` is in the tree of this size.
    Inclusion {
        /// Which entry, from 1.
        seq: u64,
        /// In the tree over so many.
        size: u64,
    },
    /// The tree of size `to` begins with that of size `from`.
    Consistency {
        /// The earlier size.
        from: u64,
        /// The later size.
        to: u64,
    },
}

/// The claim is about entries that there are not, or the tiles are not those of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this cannot be proved from the stored tree")]
pub struct NotProvable;

impl Claim {
    fn size(self) -> u64 {
        match self {
            Self::Inclusion { size, .. } => size,
            Self::Consistency { to, .. } => to,
        }
    }

    fn prove_by(self, reader: &impl HashReader) -> Result<Vec<Hash>, NotProvable> {
        match self {
            Self::Inclusion { seq: 0, .. } | Self::Consistency { from: 0, .. } => Err(NotProvable),
            Self::Inclusion { seq, size } => tlog_tiles::prove_record(size, seq - 1, reader).map_err(|_| NotProvable),
            Self::Consistency { from, to } => tlog_tiles::prove_tree(to, from, reader).map_err(|_| NotProvable),
        }
    }

    /// The tiles from which it is proved.
    #[must_use]
    pub fn tiles(self) -> BTreeSet<TileAt> {
        let asked = Asked::default();
        // It has no hashes yet: what counts is which it asks for.
        let _ = self.prove_by(&asked);
        asked.places()
    }

    /// The hashes of the proof, in the order of RFC 6962.
    pub fn prove(self, tiles: &BTreeMap<TileAt, Vec<Hash>>) -> Result<Vec<Hash>, NotProvable> {
        self.prove_by(&Known(tiles))
    }

    /// Whether the hashes prove it for an entry (or for the earlier tree) with the hash `of`, in the tree with the root `root`.
    #[must_use]
    pub fn is_proved(self, proof: &[Hash], of: Hash, root: Hash) -> bool {
        let proof = proof.to_vec();
        match self {
            Self::Inclusion { seq: 0, .. } => false,
            Self::Inclusion { seq, size } => tlog_tiles::check_record(&proof, size, root, seq - 1, of).is_ok(),
            Self::Consistency { from, .. } => tlog_tiles::check_tree(&proof, self.size(), root, from, of).is_ok(),
        }
    }
}

/// The tiles from which the root of the tree of this size is known, however large the tree is now.
#[must_use]
pub fn tiles_of_root(size: u64) -> BTreeSet<TileAt> {
    let asked = Asked::default();
    let _ = tlog_tiles::tree_hash(size, &asked);
    asked.places()
}

/// The root of the tree of this size; none unless its tiles are there.
#[must_use]
pub fn root_from(size: u64, tiles: &BTreeMap<TileAt, Vec<Hash>>) -> Option<Hash> {
    tlog_tiles::tree_hash(size, &Known(tiles)).ok()
}

fn place_of(tile: &Tile) -> TileAt {
    TileAt { level: tile.level(), index: tile.level_index() }
}

/// Notes which hashes are asked for.
#[derive(Default)]
struct Asked(RefCell<Vec<u64>>);

impl Asked {
    fn places(&self) -> BTreeSet<TileAt> {
        self.0.borrow().iter().map(|index| place_of(&Tile::from_index(HEIGHT, *index))).collect()
    }
}

impl HashReader for Asked {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        self.0.borrow_mut().extend_from_slice(indexes);
        Err(tlog_tiles::Error::IndexesNotInTree)
    }
}

struct Known<'a>(&'a BTreeMap<TileAt, Vec<Hash>>);

impl HashReader for Known<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let read = |index: &u64| {
            let tile = Tile::from_index(HEIGHT, *index);
            let hashes = self.0.get(&place_of(&tile)).ok_or(tlog_tiles::Error::IndexesNotInTree)?;
            tile.hash_at_index(&bytes(hashes), *index)
        };
        indexes.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leaves(count: u64) -> Vec<Hash> {
        (1..=count).map(|entry| leaf(entry.to_string().as_bytes())).collect()
    }

    fn root(leaves: &[Hash]) -> Hash {
        let mut edge = Edge::default();
        for leaf in leaves {
            edge.push(*leaf);
        }
        edge.root()
    }

    /// The definition of RFC 6962, section 2.1.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => EMPTY,
            [one] => *one,
            more => {
                let half = more.len().next_power_of_two() / 2;
                node_hash(defined(&more[..half]), defined(&more[half..]))
            }
        }
    }

    /// Stores a tree in pieces; all its tiles.
    fn stored(leaves: &[Hash], pieces: &[usize]) -> BTreeMap<TileAt, Vec<Hash>> {
        let mut tiles = BTreeMap::new();
        let mut done = 0;
        for piece in pieces.iter().copied().chain([leaves.len()]) {
            let until = (done + piece).min(leaves.len());
            let open = Growth::open(done as u64);
            let held = open.iter().map(|(at, _)| (*at, tiles.get(at).cloned().unwrap())).collect();
            let mut growth = Growth::resume(done as u64, held).unwrap();
            for leaf in &leaves[done..until] {
                growth.push(*leaf);
            }
            assert_eq!((growth.size(), growth.root()), (until as u64, defined(&leaves[..until])));
            tiles.extend(growth.changed());
            done = until;
        }
        tiles
    }

    #[test]
    fn roots_are_those_of_the_rfc() {
        // The test vectors of RFC 6962's reference implementation.
        let inputs =
            ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let leaves: Vec<_> = inputs.iter().map(|input| leaf(&hex::decode(input).unwrap())).collect();
        for (size, expected) in [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
            (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
            (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
        ] {
            assert_eq!(text(&root(&leaves[..size])), expected, "{size}");
        }
    }

    #[test]
    fn a_tree_can_be_grown_only_from_its_own_tiles() {
        let tiles = stored(&leaves(300), &[]);
        let open = |tiles: &BTreeMap<TileAt, Vec<Hash>>| {
            Growth::open(300).into_iter().map(|(at, _)| (at, tiles[&at].clone())).collect::<BTreeMap<_, _>>()
        };
        assert!(Growth::resume(300, open(&tiles)).is_some());
        assert!(Growth::resume(301, open(&tiles)).is_none());
        assert!(Growth::resume(300, BTreeMap::new()).is_none());
    }

    #[test]
    fn a_claim_about_what_is_not_there_cannot_be_proved() {
        let tiles = stored(&leaves(10), &[]);
        for claim in [
            Claim::Inclusion { seq: 0, size: 10 },
            Claim::Inclusion { seq: 11, size: 10 },
            Claim::Inclusion { seq: 3, size: 300 },
            Claim::Consistency { from: 0, to: 10 },
            Claim::Consistency { from: 11, to: 10 },
        ] {
            assert_eq!(claim.prove(&tiles), Err(NotProvable), "{claim:?}");
            assert!(!claim.is_proved(&[], EMPTY, EMPTY));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn what_is_in_the_tree_is_proved_and_nothing_else(
            count in 1_u64..1_500, pieces in prop::collection::vec(0_usize..700, 0..4), (a, b) in any::<(u64, u64)>(),
        ) {
            let leaves = leaves(count);
            let tiles = stored(&leaves, &pieces);
            let size = a % count + 1;
            let seq = b % size + 1;
            let at = |number: u64| usize::try_from(number).unwrap();
            let (small, large) = (defined(&leaves[..at(seq)]), root(&leaves[..at(size)]));
            let of_root: BTreeMap<_, _> = tiles_of_root(seq).into_iter().map(|at| (at, tiles[&at].clone())).collect();
            prop_assert_eq!(root_from(seq, &of_root), Some(small));

            for (claim, of) in [
                (Claim::Inclusion { seq, size }, leaves[at(seq) - 1]),
                (Claim::Consistency { from: seq, to: size }, small),
            ] {
                let needed: BTreeMap<_, _> = claim.tiles().into_iter().map(|at| (at, tiles[&at].clone())).collect();
                let proof = claim.prove(&needed).unwrap();
                prop_assert!(claim.is_proved(&proof, of, large));
                prop_assert!(!claim.is_proved(&proof, leaf(b"another"), large));
                prop_assert!(!claim.is_proved(&proof, of, leaf(b"another")));
                prop_assert!(!claim.is_proved(&[&proof[..], &[of]].concat(), of, large));
            }
        }
    }
}
