//! Who has changed which file in the history of a branch, and which commits it consists of.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    rc::Rc,
};

use gix_hash::ObjectId;
use tokio_util::sync::CancellationToken;

use super::{
    GitError, Limit, check,
    pack::{Commit, Pack, Words, corrupt},
};

/// How many entries of folders are remembered; then they are forgotten and looked up again.
const REMEMBERED: usize = 300_000;

/// The authors of each of these paths: who made a commit in which it is not what it is in any of the parents.
pub(super) fn authors(
    pack: &mut Pack,
    tip: ObjectId,
    paths: &[&str],
    limit: usize,
    stop: &CancellationToken,
) -> Result<Vec<BTreeSet<String>>, GitError> {
    let mut authors = vec![BTreeSet::new(); paths.len()];
    if paths.is_empty() {
        return Ok(authors);
    }
    let places = Places::of(paths);
    let (order, commits) = history(pack, tip, limit, stop)?;
    let mut folders = Folders { pack, places: &places, remembered: HashMap::new(), count: 0 };
    for id in order {
        check(stop)?;
        let Some(commit) = commits.get(&id) else { continue };
        let parents: Vec<Option<ObjectId>> =
            commit.parents.iter().map(|parent| commits.get(parent).map(|parent| parent.tree)).collect();
        let mut changed = Vec::new();
        folders.compare(0, Some(commit.tree), &parents, &mut changed)?;
        for file in changed {
            if let Some(authors) = authors.get_mut(file) {
                authors.extend(commit.people.iter().cloned());
            }
        }
    }
    Ok(authors)
}

/// From when to when, in seconds since 1970, both included, and how many commits at most.
pub(super) struct Span {
    pub(super) since: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) most: usize,
}

impl Span {
    fn holds(&self, at: i64) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at <= until)
    }

    /// Whether those before a commit of this time are all too old: the clocks of those who commit are not the same.
    fn is_over(&self, at: i64) -> bool {
        const DAY: i64 = 24 * 60 * 60;
        self.since.is_some_and(|since| at < since.saturating_sub(DAY))
    }
}

/// A commit, for people.
pub(super) struct Entry {
    pub(super) id: ObjectId,
    pub(super) at: i64,
    pub(super) words: Words,
}

/// The commits of a span, the newest first, and whether there are more.
pub(super) fn entries(
    pack: &mut Pack,
    tip: ObjectId,
    span: &Span,
    limit: usize,
    stop: &CancellationToken,
) -> Result<(Vec<Entry>, bool), GitError> {
    let (mut seen, mut within, mut open) = (HashSet::new(), Vec::new(), vec![tip]);
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        check(stop)?;
        if seen.len() > limit {
            return Err(GitError::TooLarge { limit: Limit::Commits(limit) });
        }
        let commit = pack.commit(id)?;
        if span.holds(commit.at) {
            within.push((commit.at, id));
        }
        if !span.is_over(commit.at) {
            open.extend(commit.parents);
        }
    }
    within.sort_unstable_by(|a, b| b.cmp(a));
    let more = within.len() > span.most;
    within.truncate(span.most);
    let mut entries = Vec::with_capacity(within.len());
    for (at, id) in within {
        entries.push(Entry { id, at, words: pack.words(id)? });
    }
    Ok((entries, more))
}

/// All commits that the branch consists of, and an order in which neighbours are mostly near each other.
fn history(
    pack: &mut Pack,
    tip: ObjectId,
    limit: usize,
    stop: &CancellationToken,
) -> Result<(Vec<ObjectId>, HashMap<ObjectId, Commit>), GitError> {
    let mut commits = HashMap::new();
    let mut order = Vec::new();
    let mut open = vec![tip];
    while let Some(id) = open.pop() {
        if commits.contains_key(&id) {
            continue;
        }
        check(stop)?;
        if commits.len() == limit {
            return Err(GitError::TooLarge { limit: Limit::Commits(limit) });
        }
        let commit = pack.commit(id)?;
        open.extend(commit.parents.iter().filter(|parent| !commits.contains_key(*parent)));
        commits.insert(id, commit);
        order.push(id);
    }
    Ok((order, commits))
}

/// The paths as a tree, so that a folder in which nothing changed need not be looked into.
struct Places(Vec<Place>);

/// A folder that leads to some of the files. The first is the root.
#[derive(Default)]
struct Place {
    /// What is of interest in it, by name.
    children: BTreeMap<Vec<u8>, Child>,
}

#[derive(Clone, Copy)]
enum Child {
    /// The number of a place.
    Folder(usize),
    /// The number of a path.
    File(usize),
}

impl Places {
    fn of(paths: &[&str]) -> Self {
        let mut places = vec![Place::default()];
        for (number, path) in paths.iter().enumerate() {
            let mut at = 0;
            let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
            for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
                let next = places.len();
                let Some(place) = places.get_mut(at) else { break };
                let child = place.children.entry(folder.as_bytes().to_vec()).or_insert(Child::Folder(next));
                if let Child::Folder(known) = *child {
                    at = known;
                }
                if at == next {
                    places.push(Place::default());
                }
            }
            if let Some(place) = places.get_mut(at) {
                place.children.insert(name.as_bytes().to_vec(), Child::File(number));
            }
        }
        Self(places)
    }

    fn children(&self, place: usize) -> impl Iterator<Item = (&[u8], Child)> {
        self.0.get(place).into_iter().flat_map(|place| &place.children).map(|(name, child)| (name.as_slice(), *child))
    }
}

/// What the places are in the commits' folders.
struct Folders<'a> {
    pack: &'a mut Pack,
    places: &'a Places,
    /// What the children of a place are in a folder, in their order; none where there is nothing of that kind.
    remembered: HashMap<(usize, ObjectId), Rc<[Option<ObjectId>]>>,
    count: usize,
}

impl Folders<'_> {
    /// Notes the files of a place that are not what they are in any parent.
    fn compare(
        &mut self,
        place: usize,
        own: Option<ObjectId>,
        parents: &[Option<ObjectId>],
        changed: &mut Vec<usize>,
    ) -> Result<(), GitError> {
        // Then all below is as it is in that parent.
        if parents.contains(&own) || (own.is_none() && parents.is_empty()) {
            return Ok(());
        }
        let here = self.look(place, own)?;
        let there = parents.iter().map(|parent| self.look(place, *parent)).collect::<Result<Vec<_>, _>>()?;
        let places = self.places;
        for (at, (_, child)) in places.children(place).enumerate() {
            let pick = |found: &Rc<[Option<ObjectId>]>| found.get(at).copied().flatten();
            let own = pick(&here);
            let parents: Vec<Option<ObjectId>> = there.iter().map(pick).collect();
            match child {
                Child::Folder(place) => self.compare(place, own, &parents, changed)?,
                Child::File(file) => {
                    if !parents.contains(&own) && (own.is_some() || !parents.is_empty()) {
                        changed.push(file);
                    }
                }
            }
        }
        Ok(())
    }

    fn look(&mut self, place: usize, folder: Option<ObjectId>) -> Result<Rc<[Option<ObjectId>]>, GitError> {
        let Some(folder) = folder else { return Ok(Rc::new([])) };
        if let Some(found) = self.remembered.get(&(place, folder)) {
            return Ok(Rc::clone(found));
        }
        let wanted: HashMap<&[u8], (usize, bool)> = (self.places.children(place).enumerate())
            .map(|(at, (name, child))| (name, (at, matches!(child, Child::Folder(_)))))
            .collect();
        let mut found = vec![None; wanted.len()];
        for entry in self.pack.tree(folder)? {
            let entry = entry.map_err(|_| corrupt())?;
            let name: &[u8] = entry.filename;
            let Some((at, is_folder)) = wanted.get(name) else { continue };
            let fits = if *is_folder { entry.mode.is_tree() } else { entry.mode.is_blob() };
            if let (true, Some(slot)) = (fits, found.get_mut(*at)) {
                *slot = Some(entry.oid.to_owned());
            }
        }
        self.count += found.len();
        if self.count > REMEMBERED {
            self.remembered.clear();
            self.count = found.len();
        }
        let found: Rc<[_]> = found.into();
        self.remembered.insert((place, folder), Rc::clone(&found));
        Ok(found)
    }
}
