//! What auditors do with the log: search it, name searches, draw samples.

use std::{collections::BTreeMap, io::Read as _};

use domain::{
    DecisionKind, ErrorCode, Risk,
    view::{AuditEntryView, AuditFilter, AuditViewView},
};
use ledger::{checkpoint::PublicKey, evidence, verify::Outside};
use serde_json::{Value, json};
use service::{Caller, NewLimits, ReportLanguage};

use crate::office::Office;

/// The actions of the entries that a filter lets through, newest first.
async fn found(office: &Office, auditor: &Caller, filter: AuditFilter) -> Vec<AuditEntryView> {
    office.service.audit(auditor, filter, None, Some(200)).await.unwrap().items
}

#[tokio::test]
async fn entries_are_found_by_words_policies_and_sessions() {
    let office = Office::open().await;
    let (admin, auditor) = (office.caller("admin").await, office.caller("auditor").await);
    let warehouse: domain::Name = "warehouse".parse().unwrap();
    let limits = NewLimits { runs: Some(5), calls: None };
    office.service.limit_namespace(&admin, warehouse.clone(), limits).await.unwrap();
    office.service.limit_namespace(&auditor, warehouse, limits).await.unwrap_err();

    let by_words =
        found(&office, &auditor, AuditFilter { text: Some("WAREH limit".to_owned()), ..AuditFilter::default() }).await;
    let told: Vec<_> = by_words.iter().map(|entry| (entry.actor.as_str(), entry.outcome.as_str())).collect();
    assert_eq!(told, [("auditor", "refused"), ("admin", "done")]);
    let absent = AuditFilter { text: Some("warehouse nothing-of-the-kind".to_owned()), ..AuditFilter::default() };
    assert_eq!(found(&office, &auditor, absent).await, []);

    let done = &by_words[1];
    let policy = done.policies.first().cloned();
    let by_policy =
        found(&office, &auditor, AuditFilter { policy, action: Some("limit".to_owned()), ..AuditFilter::default() })
            .await;
    assert!(by_policy.iter().any(|entry| entry.seq == done.seq));
    assert!(by_policy.iter().all(|entry| entry.outcome == "done"));
    let credential = done.credential.clone().unwrap();
    let session = AuditFilter { credential: Some(credential.clone()), ..AuditFilter::default() };
    let by_session = found(&office, &auditor, session).await;
    assert!(by_session.iter().any(|entry| entry.seq == done.seq));
    assert!(by_session.iter().all(|entry| entry.credential.as_ref() == Some(&credential)));
    office.stop().await;
}

#[tokio::test]
async fn a_second_auditor_draws_the_same_sample() {
    let office = Office::open().await;
    let (admin, auditor) = (office.caller("admin").await, office.caller("auditor").await);
    for runs in 1..=12 {
        let limits = NewLimits { runs: Some(runs), calls: None };
        office.service.limit_namespace(&admin, "warehouse".parse().unwrap(), limits).await.unwrap();
    }
    let draw = async |size, seed, last| {
        let filter = AuditFilter { outcome: Some("done".to_owned()), last, ..AuditFilter::default() };
        office.service.audit_sample(&auditor, filter, size, seed).await.unwrap()
    };
    let first = draw(5, "autumn", None).await;
    let population = AuditFilter { outcome: Some("done".to_owned()), last: Some(first.last), ..AuditFilter::default() };
    assert_eq!(first.population, found(&office, &auditor, population).await.len() as u64);
    assert_eq!(first.items.len(), 5);
    assert!(first.population > 8, "{first:?}");
    // The log has grown by the readings.
    assert_eq!(draw(5, "autumn", Some(first.last)).await, first);
    let larger = draw(8, "autumn", Some(first.last)).await;
    assert_eq!((larger.items.len(), &larger.items[..5]), (8, first.items.as_slice()));
    let other = draw(8, "winter", Some(first.last)).await;
    assert_ne!(other.items, larger.items);
    let all = draw(500, "autumn", Some(first.last)).await;
    assert_eq!(all.items.len() as u64, first.population);

    let before = office.audit_end().await;
    let again = draw(2, "autumn", Some(first.last)).await;
    let [entry] = <[_; 1]>::try_from(office.audit_after(before).await).unwrap();
    let body: Value = serde_json::from_str(&entry.body).unwrap();
    let drawn: Vec<_> = again.items.iter().map(|entry| entry.seq).collect();
    let said = &body["detail"]["sample"];
    assert_eq!(
        (&said["seed"], &said["drawn"], &said["population"]),
        (&json!("autumn"), &json!(drawn), &json!(first.population))
    );

    for (size, seed, pointer) in
        [(0, "autumn", "/size"), (501, "autumn", "/size"), (5, "", "/seed"), (5, "a\nb", "/seed")]
    {
        let refused = office.service.audit_sample(&auditor, AuditFilter::default(), size, seed).await.unwrap_err();
        assert_eq!((refused.code, refused.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, pointer));
    }
    let staff = office.caller("staff").await;
    let refused = office.service.audit_sample(&staff, AuditFilter::default(), 5, "autumn").await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Forbidden);
    office.stop().await;
}

#[tokio::test]
async fn the_story_of_a_run_is_found_and_so_is_its_risk() {
    let office = Office::open().await;
    let (auditor, manager, staff) =
        (office.caller("auditor").await, office.caller("manager").await, office.caller("staff").await);
    let (run, approval) = office.request().await;
    office.request().await;
    let (id, digest) = (approval.summary.id, approval.summary.digest);
    office.service.decide(&staff, id, DecisionKind::Approve, "", &digest).await.unwrap_err();
    office.service.decide(&manager, id, DecisionKind::Reject, "not now", &digest).await.unwrap();
    let ended = office.ended(run).await;

    let filter = |run: &str| AuditFilter { run: Some(run.to_owned()), ..AuditFilter::default() };
    let story = found(&office, &auditor, filter(&run.to_string())).await;
    let told: Vec<_> = story.iter().map(|entry| (entry.action.as_str(), entry.outcome.as_str())).collect();
    for part in [
        ("run.launch", "done"),
        ("approval.open", "done"),
        ("approval.decide", "refused"),
        ("approval.decide", "done"),
        ("run.end", "failed"),
    ] {
        assert!(told.contains(&part), "{part:?} is not in {told:?}");
    }
    let of_run = Some(run.to_string());
    assert!(story.iter().all(|entry| entry.run == of_run), "{story:?}");

    let number = format!("R-{}", ended.summary.number);
    assert_eq!(found(&office, &auditor, filter(&number)).await, story);
    let object = AuditFilter { resource: Some(number.clone()), ..AuditFilter::default() };
    assert_eq!(found(&office, &auditor, object).await, story);
    assert_eq!(found(&office, &auditor, filter("R-4711")).await, []);
    let of_risk = |risk| AuditFilter { risk: Some(risk), last: Some(story[0].seq), ..filter(&number) };
    assert_eq!(found(&office, &auditor, of_risk(Risk::Medium)).await, story);
    assert_eq!(found(&office, &auditor, of_risk(Risk::High)).await, []);
    office.stop().await;
}

#[tokio::test]
async fn named_searches_are_ones_own() {
    let office = Office::open().await;
    let auditor = office.caller("auditor").await;
    let second = office.hire("second", &[domain::Role::Auditor], domain::Scope::Everywhere).await;
    let service = &office.service;
    service.save_audit_view(&auditor, " Refusals ", "outcome=refused", false).await.unwrap();
    service.save_audit_view(&auditor, "Refusals", "outcome=refused&actor=staff", false).await.unwrap();
    let views = service.audit_views(&auditor).await.unwrap();
    let named: Vec<_> = views.iter().map(|view| (view.name.as_str(), view.query.as_str())).collect();
    assert_eq!(named, [("Refusals", "outcome=refused&actor=staff")]);
    assert_eq!(service.audit_views(&second).await.unwrap(), []);
    let absent = service.delete_audit_view(&second, "Refusals").await.unwrap_err();
    assert_eq!(absent.code, ErrorCode::NotFound);
    for (name, query, pointer) in [
        (" ", "", "/name"),
        (&"n".repeat(101), "", "/name"),
        ("a", "#top", "/query"),
        ("a", &"q".repeat(2_001), "/query"),
    ] {
        let refused = service.save_audit_view(&auditor, name, query, false).await.unwrap_err();
        assert_eq!(refused.errors[0].pointer, pointer, "{name} {query}");
    }
    for number in 1..100 {
        service.save_audit_view(&auditor, &format!("search {number}"), "", false).await.unwrap();
    }
    let refused = service.save_audit_view(&auditor, "one more", "", false).await.unwrap_err();
    assert_eq!(refused.errors[0].rule, "count");
    service.save_audit_view(&auditor, "Refusals", "", false).await.unwrap();
    service.delete_audit_view(&auditor, "Refusals").await.unwrap();
    service.save_audit_view(&auditor, "one more", "", false).await.unwrap();
    office.stop().await;
}

#[tokio::test]
async fn a_search_is_shared_by_its_owner_alone() {
    let office = Office::open().await;
    let auditor = office.caller("auditor").await;
    let second = office.hire("second", &[domain::Role::Auditor], domain::Scope::Everywhere).await;
    let service = &office.service;
    service.save_audit_view(&auditor, "Mine", "outcome=failed", false).await.unwrap();
    service.save_audit_view(&auditor, "Refusals", "outcome=refused", true).await.unwrap();
    service.save_audit_view(&second, "Refusals", "actor=staff", false).await.unwrap();
    let seen = |views: Vec<AuditViewView>| {
        let seen = views.into_iter().map(|view| (view.name, view.query, view.shared, view.owner.map(|of| of.login)));
        seen.collect::<Vec<_>>()
    };
    let view = |name: &str, query: &str, shared, owner: Option<&str>| {
        (name.to_owned(), query.to_owned(), shared, owner.map(str::to_owned))
    };
    let own = view("Refusals", "actor=staff", false, None);
    let expected = [own, view("Refusals", "outcome=refused", true, Some("auditor"))];
    assert_eq!(seen(service.audit_views(&second).await.unwrap()), expected);
    let expected = [view("Mine", "outcome=failed", false, None), view("Refusals", "outcome=refused", true, None)];
    assert_eq!(seen(service.audit_views(&auditor).await.unwrap()), expected);

    // Whoever deletes a search of this name deletes an own one.
    service.delete_audit_view(&second, "Refusals").await.unwrap();
    let absent = service.delete_audit_view(&second, "Refusals").await.unwrap_err();
    assert_eq!(absent.code, ErrorCode::NotFound);
    assert_eq!(seen(service.audit_views(&second).await.unwrap()).len(), 1);
    service.save_audit_view(&auditor, "Refusals", "outcome=refused", false).await.unwrap();
    assert_eq!(service.audit_views(&second).await.unwrap(), []);
    let filter = AuditFilter { action: Some("audit-view.save".to_owned()), ..AuditFilter::default() };
    let entry = found(&office, &auditor, filter).await.into_iter().next().unwrap();
    let (before, after) =
        (json!({"query": "outcome=refused", "shared": true}), json!({"query": "outcome=refused", "shared": false}));
    assert_eq!(entry.detail, json!({"before": before, "after": after}));
    let staff = office.caller("staff").await;
    assert_eq!(service.audit_views(&staff).await.unwrap_err().code, ErrorCode::Forbidden);
    office.stop().await;
}

/// The files of an archive, by name.
/// The report is no text: what is told of it is that it is there.
pub(crate) fn files(pack: &[u8]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for member in tar::Archive::new(pack).entries().unwrap() {
        let mut member = member.unwrap();
        let name = String::from_utf8(member.path_bytes().into_owned()).unwrap();
        let mut content = Vec::new();
        member.read_to_end(&mut content).unwrap();
        let text = if name == "report.pdf" {
            content.starts_with(b"%PDF-").to_string()
        } else {
            String::from_utf8(content).unwrap()
        };
        assert_eq!(files.insert(name, text), None);
    }
    files
}

#[tokio::test]
async fn an_evidence_pack_proves_what_it_holds_and_is_made_again_alike() {
    let office = Office::open().await;
    let (admin, auditor) = (office.caller("admin").await, office.caller("auditor").await);
    for runs in 1..=3 {
        let limits = NewLimits { runs: Some(runs), calls: None };
        office.service.limit_namespace(&admin, "warehouse".parse().unwrap(), limits).await.unwrap();
    }
    let about = || AuditFilter {
        text: Some("warehouse".to_owned()),
        action: Some("limit".to_owned()),
        ..AuditFilter::default()
    };
    let pack = office.service.audit_evidence(&auditor, about(), None, ReportLanguage::English).await.unwrap();
    let opened = files(&pack);
    let (manifest, proofs) = (&opened[evidence::MANIFEST], &opened[evidence::PROOFS]);
    let key = PublicKey::parse(&office.service.console_audit_key().await.unwrap()).unwrap();
    let outside = Outside { key: Some(key), checkpoints: vec![opened["checkpoint.txt"].clone()] };
    let proved = evidence::verify(manifest.as_bytes(), proofs, &outside).unwrap();
    assert_eq!(proved.manifest.entries.len(), 3);
    assert_eq!((opened["entries.csv"].lines().count(), proofs.lines().count()), (4, 3));
    assert_eq!(opened["report.pdf"], "true");
    let korean = office.service.audit_evidence(
        &auditor,
        about(),
        Some(i64::try_from(proved.manifest.size).unwrap()),
        ReportLanguage::Korean,
    );
    assert!(korean.await.unwrap() != pack, "the report is in Korean");
    let altered = proofs.replacen("\"done\"", "\"failed\"", 1);
    assert!(evidence::verify(manifest.as_bytes(), &altered, &outside).is_err());

    // The log goes on, under another key, and the pack of then is the same.
    let limits = NewLimits { runs: Some(4), calls: None };
    office.service.limit_namespace(&admin, "warehouse".parse().unwrap(), limits).await.unwrap();
    let size = i64::try_from(proved.manifest.size).unwrap();
    let later = office.service.audit_evidence(&auditor, about(), None, ReportLanguage::English).await.unwrap();
    assert_ne!(later, pack);
    assert!(
        office.service.audit_evidence(&auditor, about(), Some(size), ReportLanguage::English).await.unwrap() == pack,
        "another pack"
    );
    let absent =
        office.service.audit_evidence(&auditor, about(), Some(size - 1), ReportLanguage::English).await.unwrap_err();
    assert_eq!(absent.code, ErrorCode::NotFound);
    let team = AuditFilter { team: Some("it".to_owned()), ..AuditFilter::default() };
    let refused = office.service.audit_evidence(&auditor, team, None, ReportLanguage::English).await.unwrap_err();
    assert_eq!(refused.errors[0].pointer, "/team");

    let nothing = AuditFilter { text: Some("nothing-of-the-kind".to_owned()), ..AuditFilter::default() };
    let opened = files(&office.service.audit_evidence(&auditor, nothing, None, ReportLanguage::Korean).await.unwrap());
    let proved = evidence::verify(opened[evidence::MANIFEST].as_bytes(), "", &outside).unwrap();
    assert_eq!((proved.manifest.entries, proved.key), (Vec::new(), None));
    office.stop().await;
}
