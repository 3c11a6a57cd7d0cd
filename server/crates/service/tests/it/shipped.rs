//! What ships comes beside what people have made of it, and never in its place.

use domain::{Role, Scope, VersionState};
use serde_json::json;
use service::DefinitionQuery;

use crate::{
    authoring::{greet, greeting, refused},
    office::Office,
};

impl Office {
    /// A start at which this text ships.
    async fn ship(&self, version: &str, word: &str) {
        self.service.load_shipped([("greet.yaml", greeting(version, word).as_str())]).await.unwrap();
    }

    /// The versions of `identity/greet`, newest first: number, state, whether another text ships.
    async fn listed(&self) -> Vec<(String, VersionState, bool)> {
        let author = self.caller("author").await;
        let page = self.service.definitions(&author, DefinitionQuery::default(), None, Some(200)).await.unwrap();
        let of_greet = page.items.into_iter().filter(|item| item.name == greet().name);
        of_greet.map(|item| (item.version, item.state, item.ships_otherwise)).collect()
    }

    async fn launchable(&self) -> Option<String> {
        let staff = self.caller("staff").await;
        self.service.workflow(&staff, &greet()).await.ok().map(|view| view.item.version)
    }
}

fn version(version: &str, state: VersionState) -> (String, VersionState, bool) {
    (version.to_owned(), state, false)
}

#[tokio::test]
async fn a_new_version_takes_the_place_of_one_that_shipped() {
    let office = Office::open().await;
    office.ship("1.0.0", "hello").await;
    office.ship("1.0.0", "hello").await;
    office.ship("1.1.0", "hi").await;
    assert_eq!(
        office.listed().await,
        [version("1.1.0", VersionState::Published), version("1.0.0", VersionState::Published)]
    );
    assert_eq!(office.launchable().await.as_deref(), Some("1.1.0"));
    // Back to an older program: what it ships is there, and changes nothing.
    office.ship("1.0.0", "hello").await;
    assert_eq!(office.launchable().await.as_deref(), Some("1.1.0"));
}

#[tokio::test]
async fn a_text_that_ships_under_a_number_that_is_taken_is_shown_and_not_taken() {
    let office = Office::open().await;
    let service = &office.service;
    let author = office.caller("author").await;
    office.draft(&author, "1.0.0", "ours").await;
    office.ship("1.0.0", "theirs").await;
    assert_eq!(office.listed().await, [("1.0.0".to_owned(), VersionState::Draft, true)]);
    let view = service.workflow_version(&author, &greet(), "1.0.0").await.unwrap();
    assert_eq!(view.source, greeting("1.0.0", "ours"));
    assert!(view.life.unwrap().ships_otherwise);
    let difference = service.definition_difference(&author, &greet(), "1.0.0", "shipped").await.unwrap();
    let changed = difference.passages.concat().into_iter().find(|row| !row.is_same()).unwrap();
    assert!(changed.before.unwrap().text.contains("theirs"));
    assert!(changed.after.unwrap().text.contains("ours"));
    // The number is free again when the draft is gone.
    service.delete_definition(&author, &greet(), "1.0.0").await.unwrap();
    office.ship("1.0.0", "theirs").await;
    assert_eq!(office.listed().await, [version("1.0.0", VersionState::Published)]);
    assert!(service.definition_difference(&author, &greet(), "1.0.0", "shipped").await.is_err());

    // The same of what shipped before; a comment makes no difference.
    let commented = greeting("1.0.0", "theirs") + "# by and by\n";
    service.load_shipped([("greet.yaml", commented.as_str())]).await.unwrap();
    assert_eq!(office.listed().await, [version("1.0.0", VersionState::Published)]);
    office.ship("1.0.0", "other").await;
    assert_eq!(office.listed().await, [("1.0.0".to_owned(), VersionState::Published, true)]);
    let view = service.workflow_version(&author, &greet(), "1.0.0").await.unwrap();
    assert_eq!(view.source, greeting("1.0.0", "theirs"));
}

#[tokio::test]
async fn a_new_version_waits_for_a_publisher_where_people_have_written_what_it_would_replace() {
    let office = Office::open().await;
    let service = &office.service;
    let author = office.caller("author").await;
    let publisher = office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    office.ship("1.0.0", "hello").await;
    office.published(&author, &publisher, "1.5.0", "ours").await;

    // Older than theirs, it stands beside it; newer, it would be launched instead.
    office.ship("1.1.0", "hi").await;
    office.ship("2.0.0", "good day").await;
    assert_eq!(
        office.listed().await,
        [
            version("2.0.0", VersionState::InReview),
            version("1.5.0", VersionState::Published),
            version("1.1.0", VersionState::Published),
            version("1.0.0", VersionState::Published),
        ]
    );
    assert_eq!(office.launchable().await.as_deref(), Some("1.5.0"));
    let told = office.notices("publisher").await;
    assert!(told.contains(&("definition-submitted".to_owned(), "Greet 2.0.0".to_owned())), "{told:?}");
    // The next start asks nobody again.
    office.ship("2.0.0", "good day").await;
    assert_eq!(office.notices("publisher").await.len(), told.len());

    let digest = service.workflow_version(&publisher, &greet(), "2.0.0").await.unwrap().digest;
    service.publish_definition(&publisher, &greet(), "2.0.0", &digest).await.unwrap();
    assert_eq!(office.launchable().await.as_deref(), Some("2.0.0"));
    // What shipped is launched again, so the next one follows by itself.
    office.ship("2.1.0", "bye").await;
    assert_eq!(office.launchable().await.as_deref(), Some("2.1.0"));
}

#[tokio::test]
async fn what_was_retired_is_not_published_again() {
    let office = Office::open().await;
    let service = &office.service;
    let publisher = office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    office.ship("1.0.0", "hello").await;
    service.retire_definition(&publisher, &greet(), "1.0.0", true).await.unwrap();
    office.ship("1.0.0", "hello").await;
    assert_eq!(office.listed().await, [version("1.0.0", VersionState::Retired)]);
    // Nor does the workflow come back under another number, unless somebody says so.
    office.ship("1.1.0", "hello").await;
    assert_eq!(
        office.listed().await,
        [version("1.1.0", VersionState::InReview), version("1.0.0", VersionState::Retired)]
    );
    let staff = office.caller("staff").await;
    assert_eq!(refused(service.launch(&staff, &greet(), None, json!({})).await), domain::ErrorCode::NotFound);
    // Returned, it is a draft like any other: authors change it, and the file does not change it back.
    let author = office.caller("author").await;
    service.return_definition(&publisher, &greet(), "1.1.0", "Not like this.").await.unwrap();
    let draft = service.workflow_version(&author, &greet(), "1.1.0").await.unwrap();
    let ours = greeting("1.1.0", "ours");
    service.save_definition(&author, &greet(), "1.1.0", &ours, Some(&draft.digest)).await.unwrap();
    office.ship("1.1.0", "hello").await;
    assert_eq!(service.workflow_version(&author, &greet(), "1.1.0").await.unwrap().source, ours);
}
