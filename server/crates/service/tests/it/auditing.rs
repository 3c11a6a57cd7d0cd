//! What auditors do with the log: search it, name searches, draw samples.

use std::{collections::BTreeMap, io::Read as _};

use domain::{
    ErrorCode,
    view::{AuditEntryView, AuditFilter},
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
async fn named_searches_are_ones_own() {
    let office = Office::open().await;
    let auditor = office.caller("auditor").await;
    let second = office.hire("second", &[domain::Role::Auditor], domain::Scope::Everywhere).await;
    let service = &office.service;
    service.save_audit_view(&auditor, " Refusals ", "outcome=refused").await.unwrap();
    service.save_audit_view(&auditor, "Refusals", "outcome=refused&actor=staff").await.unwrap();
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
        let refused = service.save_audit_view(&auditor, name, query).await.unwrap_err();
        assert_eq!(refused.errors[0].pointer, pointer, "{name} {query}");
    }
    for number in 1..100 {
        service.save_audit_view(&auditor, &format!("search {number}"), "").await.unwrap();
    }
    let refused = service.save_audit_view(&auditor, "one more", "").await.unwrap_err();
    assert_eq!(refused.errors[0].rule, "count");
    service.save_audit_view(&auditor, "Refusals", "").await.unwrap();
    service.delete_audit_view(&auditor, "Refusals").await.unwrap();
    service.save_audit_view(&auditor, "one more", "").await.unwrap();
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
