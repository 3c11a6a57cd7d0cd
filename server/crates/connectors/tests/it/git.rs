//! Reading branches: from git's own server in the lab, and from servers of the test's own that do as no server should.

mod call;
mod hostile;
mod repository;

use std::{sync::Arc, time::Duration};

use connectors::{
    egress::EgressPolicy,
    git::{Branch, Checkout, Credentials, GitError, Limit, Limits, Reach, SkipReason, Skipped, read},
    http::Http,
};
use repository::{Lab, Person, Repository};

fn http() -> Http {
    Http::new(Arc::new(EgressPolicy::default())).unwrap()
}

async fn read_with(branch: &Branch, limits: Limits) -> Result<Option<Checkout>, GitError> {
    let http = http();
    read(branch, None, &Reach { limits, ..Reach::from(&http) }).await
}

async fn checkout(branch: &Branch) -> Checkout {
    read_with(branch, Limits::default()).await.unwrap().unwrap()
}

/// Path and authors of what was read.
fn seen(checkout: &Checkout) -> Vec<(&str, Vec<&str>)> {
    checkout.files.iter().map(|file| (&*file.path, file.authors.iter().map(String::as_str).collect())).collect()
}

const ANN: Person = Person("Ann", "Ann@Example.TEST");
const BOB: Person = Person("Bob", "bob@example.test");
const CARL: Person = Person("Carl", "carl@example.test");
const DORA: Person = Person("Dora", "dora@example.test");
const ERIK: Person = Person("Erik", "erik@example.test");

/// A history with everything in it that matters.
fn eventful(lab: &Lab) -> Repository {
    let repository = Repository::new(lab);
    let first = [
        ("flows/a.yaml", "a: 1\n"),
        ("flows/deep/b.yml", "b: 1\n"),
        ("flows/c.json", "{\"c\": 1}\n"),
        ("flows/old.yaml", "name: a definition that will have another name\n"),
        ("flows/gone.yaml", "gone: 1\n"),
        ("flows/back.yaml", "back: 1\n"),
        ("flows/notes.md", "no definition\n"),
        ("flows.yaml", "in the root\n"),
        ("other/x.yaml", "x: 1\n"),
    ];
    repository.commit(ANN, ANN, &first);
    repository.commit(BOB, CARL, &[("flows/a.yaml", "a: 2\n")]);
    repository.git(&["checkout", "-qb", "side"]);
    repository.commit(DORA, DORA, &[("flows/deep/b.yml", "b: 2\n"), ("flows/c.json", "{\"c\": 2}\n")]);
    repository.git(&["checkout", "-q", "main"]);
    repository.commit(ERIK, ERIK, &[("flows/c.json", "{\"c\": 3}\n"), ("other/x.yaml", "x: 2\n")]);
    // Takes b as it is on the side, and settles c as it is on neither.
    repository.git(&["merge", "-q", "--no-commit", "-s", "ours", "side"]);
    repository.git(&["checkout", "-q", "side", "flows/deep/b.yml"]);
    repository.commit(BOB, BOB, &[("flows/c.json", "{\"c\": 4}\n")]);
    repository.git(&["mv", "flows/old.yaml", "flows/new.yaml"]);
    repository.commit(CARL, CARL, &[]);
    repository.git(&["rm", "-q", "flows/gone.yaml", "flows/back.yaml"]);
    repository.commit(DORA, DORA, &[]);
    repository.commit(ERIK, ERIK, &[("flows/back.yaml", "back: 1\n")]);
    repository.push();
    repository
}

#[tokio::test]
async fn files_come_with_all_who_changed_them() {
    let Some(lab) = Lab::find() else { return };
    let repository = eventful(&lab);
    let expected = [
        ("flows/a.yaml", vec!["ann@example.test", "bob@example.test", "carl@example.test"]),
        ("flows/back.yaml", vec!["ann@example.test", "dora@example.test", "erik@example.test"]),
        ("flows/c.json", vec!["ann@example.test", "bob@example.test", "dora@example.test", "erik@example.test"]),
        ("flows/deep/b.yml", vec!["ann@example.test", "dora@example.test"]),
        ("flows/new.yaml", vec!["carl@example.test"]),
    ];
    // As servers differ: version 2 of the protocol or 0, with or without leaving out large files.
    for filter in ["false", "true"] {
        repository.configure("uploadpack.allowFilter", filter);
        for base in [lab.url.clone(), format!("{}/old", lab.url)] {
            let mut branch = repository.branch(&base);
            branch.folder = "flows".to_owned();
            let checkout = checkout(&branch).await;
            assert_eq!(seen(&checkout), expected, "{base} {filter}");
            assert_eq!(checkout.skipped, []);
            assert_eq!(checkout.commit, repository.head());
            assert_eq!(checkout.files[2].bytes, b"{\"c\": 4}\n");
        }
    }
    let everything = checkout(&repository.branch(&lab.url)).await;
    assert_eq!(everything.files.len(), expected.len() + 2);
    assert_eq!(seen(&everything)[0], ("flows.yaml", vec!["ann@example.test"]));
    for (folder, count) in [("flows/deep", 1), ("/flows/deep/", 1), ("nothing", 0), ("flows.yaml", 0), ("..", 0)] {
        let branch = Branch { folder: folder.to_owned(), ..repository.branch(&lab.url) };
        assert_eq!(checkout_count(&branch).await, count, "{folder}");
    }
}

async fn checkout_count(branch: &Branch) -> usize {
    checkout(branch).await.files.len()
}

#[tokio::test]
async fn a_branch_is_read_again_only_when_it_moved() {
    let Some(lab) = Lab::find() else { return };
    let repository = Repository::new(&lab);
    let http = http();
    repository.commit(ANN, ANN, &[("a.yaml", "a: 1\n")]);
    repository.push();
    for base in [lab.url.clone(), format!("{}/old", lab.url)] {
        let branch = repository.branch(&base);
        let known = repository.head();
        assert_eq!(read(&branch, Some(&known), &Reach::from(&http)).await, Ok(None));
        let read = read(&branch, Some(&"0".repeat(40)), &Reach::from(&http)).await.unwrap().unwrap();
        assert_eq!(read.commit, known);
    }
    let known = repository.head();
    repository.commit(BOB, BOB, &[("a.yaml", "a: 2\n")]);
    repository.push();
    let moved = read(&repository.branch(&lab.url), Some(&known), &Reach::from(&http)).await.unwrap().unwrap();
    assert_ne!(moved.commit, known);
    assert_eq!(seen(&moved), [("a.yaml", vec!["ann@example.test", "bob@example.test"])]);
    // Another branch of the same repository, with a slash in its name.
    repository.git(&["checkout", "-qb", "release/1", "HEAD~1"]);
    repository.push();
    let branch = Branch { name: "release/1".to_owned(), ..repository.branch(&lab.url) };
    assert_eq!(checkout(&branch).await.commit, known);
}

#[tokio::test]
async fn who_may_not_read_and_what_is_not_there_are_told_apart() {
    let Some(lab) = Lab::find() else { return };
    let repository = Repository::new(&lab);
    repository.commit(ANN, ANN, &[("a.yaml", "a: 1\n")]);
    repository.push();
    let branch = repository.branch(&lab.url);
    let error = |branch: Branch| async move { read_with(&branch, Limits::default()).await.unwrap_err() };
    let wrong = Credentials { user: lab.user.clone(), password: "guessed".into() };
    let refused = error(Branch { credentials: Some(wrong), ..branch.clone() }).await;
    assert_eq!(refused, GitError::SignIn);
    assert!(!refused.to_string().contains("guessed"));
    assert_eq!(error(Branch { credentials: None, ..branch.clone() }).await, GitError::SignIn);
    // What stands in the address is no sign-in.
    let inline =
        format!("http://{}:{}@{}", lab.user, lab.password(), branch.url.as_str().strip_prefix("http://").unwrap());
    let inline = Branch { url: inline.parse().unwrap(), credentials: None, ..branch.clone() };
    assert!(!format!("{inline:?}").contains(lab.password()), "{inline:?}");
    assert_eq!(error(inline).await, GitError::SignIn);
    let elsewhere = format!("{}/nothing.git", lab.url).parse().unwrap();
    assert_eq!(error(Branch { url: elsewhere, ..branch.clone() }).await, GitError::NoRepository);
    let by_ssh = "ssh://git@127.0.0.1/x.git".parse().unwrap();
    assert_eq!(error(Branch { url: by_ssh, ..branch.clone() }).await, GitError::NoRepository);
    // A name that begins like that of a branch, is that of one in part, or none at all.
    for name in ["mai", "main2", "heads/main", "", "refs/heads/main", "main\nwant", "*"] {
        for base in [lab.url.clone(), format!("{}/old", lab.url)] {
            let branch = Branch { name: name.to_owned(), ..repository.branch(&base) };
            assert_eq!(error(branch).await, GitError::NoBranch { name: name.to_owned() });
        }
    }
    let empty = Repository::new(&lab);
    for base in [lab.url.clone(), format!("{}/old", lab.url)] {
        assert_eq!(error(empty.branch(&base)).await, GitError::NoBranch { name: "main".to_owned() });
    }
}

#[tokio::test]
async fn encryption_is_trusted_by_the_given_authority_only() {
    let Some(lab) = Lab::find() else { return };
    let repository = Repository::new(&lab);
    repository.commit(ANN, ANN, &[("a.yaml", "a: 1\n")]);
    repository.push();
    let branch = repository.branch(&lab.secure);
    let http = http();
    let trusted = Reach { authority: Some(&lab.authority), ..Reach::from(&http) };
    assert_eq!(read(&branch, None, &trusted).await.unwrap().unwrap().commit, repository.head());
    let other = rcgen::generate_simple_self_signed(["other.test".to_owned()]).unwrap().cert.pem();
    for authority in [None, Some(&*other)] {
        let error = read(&branch, None, &Reach { authority, ..Reach::from(&http) }).await.unwrap_err();
        assert!(matches!(&error, GitError::Tls { reason } if reason.contains("enter the CA")), "{error:?}");
    }
    let error = read(&branch, None, &Reach { authority: Some("nothing"), ..Reach::from(&http) }).await.unwrap_err();
    assert!(matches!(&error, GitError::Tls { .. }), "{error:?}");
    let plain: url::Url = repository.branch(&lab.url).url.as_str().replace("http:", "https:").parse().unwrap();
    let error = read(&Branch { url: plain, ..repository.branch(&lab.url) }, None, &trusted).await.unwrap_err();
    assert!(matches!(&error, GitError::Tls { reason } if reason.contains("does not speak TLS")), "{error:?}");
}

#[tokio::test]
async fn what_may_not_be_reached_is_not() {
    let Some(lab) = Lab::find() else { return };
    let repository = Repository::new(&lab);
    repository.commit(ANN, ANN, &[("a.yaml", "a: 1\n")]);
    repository.push();
    let http = Http::new(Arc::new(EgressPolicy { loopback: false, ..EgressPolicy::default() })).unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]", "169.254.169.254"] {
        let url = repository.branch(&lab.url).url.as_str().replace("127.0.0.1", host).parse().unwrap();
        let error = read(&Branch { url, ..repository.branch(&lab.url) }, None, &Reach::from(&http)).await.unwrap_err();
        assert!(matches!(error, GitError::Refused(_)), "{host} {error:?}");
    }
}

#[tokio::test]
async fn what_is_too_much_is_refused_and_said() {
    let Some(lab) = Lab::find() else { return };
    let repository = Repository::new(&lab);
    for number in 0..5 {
        let content = format!("{number}\n").repeat(1000);
        repository.commit(ANN, ANN, &[(&format!("{number}.yaml"), &content)]);
    }
    repository.push();
    let branch = repository.branch(&lab.url);
    assert_eq!(checkout_count(&branch).await, 5);
    let preset = Limits::default;
    for (limits, limit) in [
        (Limits { received: 500, ..preset() }, Limit::Received(500)),
        (Limits { objects: 14, ..preset() }, Limit::Objects(14)),
        (Limits { object: 1500, ..preset() }, Limit::Object(1500)),
        (Limits { commits: 4, ..preset() }, Limit::Commits(4)),
        (Limits { files: 4, ..preset() }, Limit::Files(4)),
        (Limits { content: 9999, ..preset() }, Limit::Content(9999)),
    ] {
        let error = read_with(&branch, limits).await.unwrap_err();
        assert_eq!(error, GitError::TooLarge { limit });
        assert!(error.to_string().contains("smaller repository"), "{error}");
    }
    let just = Limits { objects: 15, commits: 5, files: 5, content: 10_000, file: 2000, ..preset() };
    assert_eq!(read_with(&branch, just).await.unwrap().unwrap().files.len(), 5);
    assert_eq!(read_with(&branch, Limits { time: Duration::ZERO, ..preset() }).await, Err(GitError::TooSlow));
}

#[tokio::test]
async fn large_files_and_links_are_skipped_and_named() {
    let Some(lab) = Lab::find() else { return };
    let repository = Repository::new(&lab);
    let mebibyte = "x".repeat(1024 * 1024);
    let files =
        [("just.yaml", &*mebibyte), ("large.yaml", &format!("{mebibyte}x")), ("a.txt", &format!("{mebibyte}y"))];
    repository.commit(ANN, ANN, &files);
    std::os::unix::fs::symlink("just.yaml", repository.path("link.yaml")).unwrap();
    std::os::unix::fs::symlink("/etc", repository.path("etc")).unwrap();
    // A part that is another repository.
    let commit = repository.head();
    repository.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},module.yaml")]);
    repository.git(&["add", "link.yaml", "etc"]);
    repository.git_as(BOB, BOB, &["commit", "-qm", "links"]);
    repository.push();
    for filter in ["false", "true"] {
        repository.configure("uploadpack.allowFilter", filter);
        for base in [lab.url.clone(), format!("{}/old", lab.url)] {
            let checkout = checkout(&repository.branch(&base)).await;
            assert_eq!(seen(&checkout), [("just.yaml", vec!["ann@example.test"])]);
            assert_eq!(checkout.files[0].bytes.len(), 1024 * 1024);
            let skipped = |path: &str, reason| Skipped { path: path.to_owned(), reason };
            let expected = [skipped("large.yaml", SkipReason::TooLarge), skipped("link.yaml", SkipReason::Link)];
            assert_eq!(checkout.skipped, expected);
        }
    }
}

#[tokio::test]
async fn a_history_that_is_not_whole_is_refused() {
    let Some(lab) = Lab::find() else { return };
    let repository = Repository::new(&lab);
    for number in 0..3 {
        repository.commit(ANN, BOB, &[("a.yaml", &format!("a: {number}\n"))]);
    }
    repository.push();
    let shallow = Repository::shallow(&lab, &repository);
    for base in [lab.url.clone(), format!("{}/old", lab.url)] {
        let error = read_with(&shallow.branch(&base), Limits::default()).await.unwrap_err();
        assert!(matches!(&error, GitError::Broken { reason } if reason.contains("shallow")), "{error:?}");
    }
}

#[tokio::test]
async fn people_without_a_mail_address_stand_with_their_name() {
    let Some(lab) = Lab::find() else { return };
    let repository = Repository::new(&lab);
    repository.commit(Person("Nobody", ""), ANN, &[("a.yaml", "a: 1\n")]);
    repository.push();
    let checkout = checkout(&repository.branch(&lab.url)).await;
    assert_eq!(seen(&checkout), [("a.yaml", vec!["ann@example.test", "nobody"])]);
}

/// An entry of a tree, as bytes.
fn entry(mode: &str, name: &str, id: &str) -> Vec<u8> {
    [format!("{mode} {name}\0").as_bytes(), &hex::decode(id).unwrap()].concat()
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let Some(lab) = Lab::find() else { return };
    let repository = Repository::new(&lab);
    let blob = repository.object("blob", b"a: 1\n");
    let tree = repository.object("tree", &entry("100644", "a.yaml", &blob));
    let outside = [
        entry("40000", "..", &tree),
        entry("40000", ".", &tree),
        entry("100644", "a/b.yaml", &blob),
        entry("100644", "../b.yaml", &blob),
        [entry("100644", "a.yaml", &blob), entry("100644", "a.yaml", &tree)].concat(),
    ];
    for content in outside {
        let tree = repository.object("tree", &content);
        repository.commit_tree(&tree);
        repository.git(&["push", "-q", "--force", "origin", "main"]);
        let error = read_with(&repository.branch(&lab.url), Limits::default()).await.unwrap_err();
        let text = String::from_utf8_lossy(&content);
        assert!(matches!(&error, GitError::Broken { .. }), "{text:?} {error:?}");
    }
}

/// Ten folders in ten folders in ten folders …, all of them the same.
#[tokio::test]
async fn a_small_repository_that_unfolds_to_a_huge_one_costs_little() {
    let Some(lab) = Lab::find() else { return };
    let repository = Repository::new(&lab);
    for (name, expected) in [("a.txt", Ok(0)), ("a.yaml", Err(GitError::TooLarge { limit: Limit::Files(500) }))] {
        let mut tree = repository.object("tree", &entry("100644", name, &repository.object("blob", b"a\n")));
        for _ in 0..10 {
            let folders: Vec<u8> = (0..10).flat_map(|number| entry("40000", &number.to_string(), &tree)).collect();
            tree = repository.object("tree", &folders);
        }
        repository.commit_tree(&tree);
        repository.git(&["push", "-q", "--force", "origin", "main"]);
        let read = read_with(&repository.branch(&lab.url), Limits::default()).await;
        assert_eq!(read.map(|checkout| checkout.unwrap().files.len()), expected);
    }
}

/// The same as git's own programs find, in a history that nobody has thought of.
#[tokio::test]
async fn authors_are_those_that_git_finds() {
    let Some(lab) = Lab::find() else { return };
    let seed = testkit::seed();
    let repository = Repository::random(&lab, seed);
    for base in [lab.url.clone(), format!("{}/old", lab.url)] {
        let checkout = checkout(&repository.branch(&base)).await;
        assert_eq!(checkout.commit, repository.head());
        let found: Vec<(String, Vec<u8>, Vec<String>)> =
            checkout.files.into_iter().map(|file| (file.path, file.bytes, file.authors)).collect();
        assert_eq!(found, repository.as_git_sees_it(), "seed {seed}");
    }
}
