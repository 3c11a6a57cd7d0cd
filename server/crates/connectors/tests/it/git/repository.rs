//! Repositories in the lab, made with the `git` program.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::Command,
};

use connectors::git::{Branch, Credentials};
use identity::{Secret, random::Random as _};
use tempfile::TempDir;
use testkit::SeededRandom;

use crate::support::service;

/// The Git server of the lab.
pub(super) struct Lab {
    pub(super) url: String,
    pub(super) secure: String,
    /// The certificate of its authority.
    pub(super) authority: String,
    pub(super) user: String,
    password: Secret,
    root: PathBuf,
}

impl Lab {
    pub(super) fn find() -> Option<Self> {
        let names =
            ["TEST_GIT_URL", "TEST_GITS_URL", "TEST_GIT_CA", "TEST_GIT_USER", "TEST_GIT_PASSWORD", "TEST_GIT_ROOT"];
        let [url, secure, authority, user, password, root] = service(&names)?.try_into().unwrap();
        let authority = std::fs::read_to_string(authority).unwrap();
        Some(Self { url, secure, authority, user, password: password.into(), root: root.into() })
    }

    pub(super) fn password(&self) -> &str {
        self.password.expose()
    }

    fn folder(&self) -> TempDir {
        tempfile::Builder::new().prefix("test-").suffix(".git").tempdir_in(&self.root).unwrap()
    }
}

/// Name and mail address.
#[derive(Clone, Copy)]
pub(super) struct Person(pub(super) &'static str, pub(super) &'static str);

/// A repository that the server has, and a work tree from which it is pushed to.
pub(super) struct Repository {
    served: TempDir,
    work: TempDir,
    credentials: Credentials,
}

impl Repository {
    pub(super) fn new(lab: &Lab) -> Self {
        let credentials = Credentials { user: lab.user.clone(), password: lab.password.clone() };
        let new = Self { served: lab.folder(), work: tempfile::tempdir().unwrap(), credentials };
        let served = new.served.path().to_str().unwrap();
        new.git(&["init", "-q", "--bare", "-b", "main", served]);
        new.git(&["init", "-q", "-b", "main"]);
        new.git(&["remote", "add", "origin", served]);
        new
    }

    /// One that has the last commit of another and not what was before.
    pub(super) fn shallow(lab: &Lab, other: &Self) -> Self {
        let new = Self::new(lab);
        let from = format!("file://{}", other.served.path().display());
        let served = new.served.path().to_str().unwrap();
        new.git(&["-C", served, "fetch", "-q", "--depth", "1", &from, "main:main"]);
        new
    }

    /// The branch `main`, by the server at `base`.
    pub(super) fn branch(&self, base: &str) -> Branch {
        let name = self.served.path().file_name().unwrap().to_str().unwrap();
        Branch {
            url: format!("{base}/{name}").parse().unwrap(),
            name: "main".to_owned(),
            folder: String::new(),
            credentials: Some(self.credentials.clone()),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    /// Writes these files and commits them with all else that has changed.
    pub(super) fn commit(&self, author: Person, committer: Person, files: &[(&str, &str)]) {
        for (path, content) in files {
            let path = self.path(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        self.git(&["add", "-A"]);
        self.git_as(author, committer, &["commit", "-q", "--allow-empty", "-m", "change"]);
    }

    pub(super) fn push(&self) {
        self.git(&["push", "-q", "origin", "--all"]);
    }

    /// Stores an object as it is, sound or not, and gives its hash.
    pub(super) fn object(&self, kind: &str, content: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let path = file.path().to_str().unwrap();
        self.git(&["hash-object", "-t", kind, "--literally", "-w", path]).trim().to_owned()
    }

    /// Commits a tree on top of `main`.
    pub(super) fn commit_tree(&self, tree: &str) {
        let commit = self.git(&["commit-tree", "-m", "tree", tree]);
        self.git(&["update-ref", "refs/heads/main", commit.trim()]);
    }

    pub(super) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Sets something for the server.
    pub(super) fn configure(&self, name: &str, value: &str) {
        self.git(&["-C", self.served.path().to_str().unwrap(), "config", name, value]);
    }

    pub(super) fn git(&self, arguments: &[&str]) -> String {
        self.git_as(Person("Test", "test@example.test"), Person("Test", "test@example.test"), arguments)
    }

    pub(super) fn git_as(&self, author: Person, committer: Person, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(self.work.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .envs([("GIT_AUTHOR_NAME", author.0), ("GIT_AUTHOR_EMAIL", author.1)])
            .envs([("GIT_COMMITTER_NAME", committer.0), ("GIT_COMMITTER_EMAIL", committer.1)])
            .envs([("GIT_AUTHOR_DATE", "1700000000 +0000"), ("GIT_COMMITTER_DATE", "1700000000 +0000")])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Random histories.
impl Repository {
    const PATHS: [&str; 6] = ["a.yaml", "b.json", "deep/c.yml", "deep/er/d.yaml", "deep/er/e.yaml", "f.txt"];
    const PEOPLE: [Person; 5] = [
        Person("A", "a@example.test"),
        Person("B", "b@example.test"),
        Person("C", "C@example.test"),
        Person("D", "d@example.test"),
        Person("E", "e@example.test"),
    ];

    /// Commits, branches and merges by chance. What is pushed is packed tightly, so that most of it is differences.
    pub(super) fn random(lab: &Lab, seed: u64) -> Self {
        let new = Self::new(lab);
        let mut dice = Dice(SeededRandom::new(seed));
        let mut texts: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for path in Self::PATHS {
            texts.insert(path, (0..200).map(|line| format!("{path} line {line} of the beginning")).collect());
        }
        new.commit(Self::PEOPLE[0], Self::PEOPLE[0], &[("first.yaml", "first\n")]);
        new.git(&["branch", "side"]);
        for step in 0..60 {
            let (author, committer) = (Self::PEOPLE[dice.below(5)], Self::PEOPLE[dice.below(5)]);
            match dice.below(10) {
                0 | 1 => {
                    new.git(&["checkout", "-q", if dice.below(2) == 0 { "main" } else { "side" }]);
                }
                2 => {
                    let current = new.git(&["branch", "--show-current"]);
                    let other = if current.trim() == "main" { "side" } else { "main" };
                    new.git(&["merge", "-q", "--no-commit", "--no-ff", "-s", "ours", other]);
                    // Some of it as it is there, the rest as it is here.
                    for path in Self::PATHS {
                        if dice.below(3) == 0 && !new.git(&["ls-tree", "--name-only", other, path]).is_empty() {
                            new.git(&["checkout", "-q", other, "--", path]);
                        }
                    }
                    if dice.below(3) == 0 {
                        new.commit(author, committer, &[("deep/c.yml", &format!("settled in step {step}\n"))]);
                    } else {
                        new.commit(author, committer, &[]);
                    }
                }
                3 => {
                    let path = Self::PATHS[dice.below(6)];
                    let _ = std::fs::remove_file(new.path(path));
                    new.commit(author, committer, &[]);
                }
                _ => {
                    let path = Self::PATHS[dice.below(6)];
                    let lines = texts.get_mut(path).unwrap();
                    let line = dice.below(lines.len());
                    // Now and then what was there before.
                    lines[line] = format!("line {line} in version {}", dice.below(3));
                    new.commit(author, committer, &[(path, &lines.join("\n"))]);
                }
            }
        }
        new.git(&["checkout", "-q", "main"]);
        new.push();
        new.git(&["-C", new.served.path().to_str().unwrap(), "gc", "-q", "--aggressive"]);
        new
    }

    /// Path, content and authors of what can be read, worked out from what git's programs list, one commit after another.
    pub(super) fn as_git_sees_it(&self) -> Vec<(String, Vec<u8>, Vec<String>)> {
        let tree = |commit: &str| -> BTreeMap<String, String> {
            let listed = self.git(&["ls-tree", "-r", "--format=%(path) %(objectname)", commit]);
            listed
                .lines()
                .map(|line| line.split_once(' ').unwrap())
                .map(|(p, o)| (p.to_owned(), o.to_owned()))
                .collect()
        };
        let log = self.git(&["log", "--format=%H %ae %ce %P", "main"]);
        let mut trees = BTreeMap::new();
        for line in log.lines() {
            let commit = line.split(' ').next().unwrap();
            trees.insert(commit.to_owned(), tree(commit));
        }
        let mut files = Vec::new();
        for path in tree("main").keys().filter(|path| *path != "f.txt") {
            let mut authors = BTreeSet::new();
            for line in log.lines() {
                let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
                let own = trees[words[0]].get(path);
                let parents = &words[3..];
                let differs = parents.iter().all(|parent| trees[*parent].get(path) != own);
                if differs && (own.is_some() || !parents.is_empty()) {
                    authors.extend([words[1].to_lowercase(), words[2].to_lowercase()]);
                }
            }
            let content = self.git(&["show", &format!("main:{path}")]).into_bytes();
            files.push((path.clone(), content, authors.into_iter().collect()));
        }
        files
    }
}

struct Dice(SeededRandom);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_be_bytes(bytes) as usize % limit
    }
}
