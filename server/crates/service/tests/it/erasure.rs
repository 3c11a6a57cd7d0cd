//! Erasing a person: what can be proved stays so, and nothing of the person is left.

use std::time::Duration;

use domain::{
    DelegationScope, ErrorCode, Role, Scope, UserId,
    view::{AuditFilter, AuditProofView},
};
use identity::Secret;
use ledger::{
    evidence, proof,
    verify::{Outside, Verdict, verify},
};
use service::{Caller, NewDelegation, NewUser, Origin, ReportLanguage, UserChange};
use store::{access::Subject, audit::AuditRow};

use crate::{
    auditing::files,
    ledger::exported,
    office::{Office, code},
};

/// What the person is called, in texts that nothing else has.
const LOGIN: &str = "canary-jihoo";
const NAME: &str = "Jihoo Canaryson";
const NEW_NAME: &str = "Jihoo Canarydottir";
const EMAIL: &str = "jihoo@canary.example.test";
const ADDRESS: &str = "198.51.100.77";
const PASSWORD: &str = "a long enough word of passing";

fn traces() -> [&'static str; 8] {
    [LOGIN, NAME, NEW_NAME, EMAIL, ADDRESS, "jihoo", "canaryson", "canarydottir"]
}

fn from_there() -> Origin {
    Origin { address: ADDRESS.to_owned(), ..Office::origin() }
}

/// A person comes, does a lot, and leaves; their account.
async fn a_life(office: &Office) -> UserId {
    let service = &office.service;
    let admin = office.caller("admin").await;
    let new = NewUser {
        login: LOGIN.to_owned(),
        name: NAME.to_owned(),
        email: Some(EMAIL.to_owned()),
        manager: Some("manager".to_owned()),
    };
    let id = service.create_user(&admin, new).await.unwrap().0.id;
    let change = UserChange { name: NEW_NAME.to_owned(), email: Some(EMAIL.to_owned()), manager: None };
    service.update_user(&admin, id, change).await.unwrap();
    let team = service.put_team(&admin, "canaries", "Canaries").await.unwrap();
    service.add_member(&admin, team.id, id).await.unwrap();
    service.remove_member(&admin, team.id, id).await.unwrap();
    let grant = service.grant(&admin, Subject::User(id), Role::Author, Scope::Everywhere, None).await.unwrap();
    service.revoke_grant(&admin, grant.id).await.unwrap();
    service.grant(&admin, Subject::User(id), Role::Requester, Scope::Everywhere, None).await.unwrap();
    service.console_set_password(LOGIN, Some(Secret::new(PASSWORD.to_owned()))).await.unwrap();
    service.sign_in(&from_there(), LOGIN, "wrong").await.unwrap_err();
    assert_eq!(service.sign_in(&from_there(), LOGIN, PASSWORD).await.unwrap(), id);
    let own = Caller { origin: from_there(), ..office.caller(LOGIN).await };
    let token = service.create_token(&own, "Nightly", None).await.unwrap();
    service.revoke_token(&own, token.id).await.unwrap();
    assert_eq!(code(service.users(&own, None, None, None).await), "forbidden");
    for (from, to) in [(&own, "staff"), (&office.caller("staff").await, LOGIN)] {
        let new = NewDelegation {
            substitute: to.to_owned(),
            scope: DelegationScope::Everything,
            from: None,
            until: office.now() + std::time::Duration::from_hours(1),
            reason: String::new(),
        };
        let given = service.delegate(from, new).await.unwrap();
        service.revoke_delegation(from, given.id).await.unwrap();
    }
    // Auditors have looked for the person.
    let auditor = office.caller("auditor").await;
    let by = |filter: AuditFilter| service.audit(&auditor, filter, None, None);
    by(AuditFilter { actor: Some(LOGIN.to_owned()), ..AuditFilter::default() }).await.unwrap();
    by(AuditFilter { text: Some(NEW_NAME.to_owned()), ..AuditFilter::default() }).await.unwrap();
    id
}

async fn pack(office: &Office, filter: AuditFilter) -> Vec<u8> {
    let auditor = office.caller("auditor").await;
    office.service.audit_evidence(&auditor, filter, None, ReportLanguage::English).await.unwrap()
}

fn sound(file: &str) -> Verdict {
    let verdict = verify(file.as_bytes(), &Outside::default()).unwrap();
    assert_eq!(verdict.fault, None);
    verdict
}

fn proves(pack: &[u8]) -> usize {
    let files = files(pack);
    let proved =
        evidence::verify(files[evidence::MANIFEST].as_bytes(), &files[evidence::PROOFS], &Outside::default()).unwrap();
    proved.manifest.entries.len()
}

/// The proof of the person's own sign-in.
async fn proof_of_sign_in(office: &Office, id: UserId) -> AuditProofView {
    let rows = office.audit_after(0).await;
    let row = rows.iter().find(|row| row.action == "session.create" && row.actor_id == Some(id)).unwrap();
    let auditor = office.caller("auditor").await;
    let proof = office.service.audit_proof(&auditor, row.seq).await.unwrap();
    assert_eq!(proof::verify(&proof, &Outside::default()).unwrap().seq, u64::try_from(row.seq).unwrap());
    proof
}

#[tokio::test]
async fn who_is_erased_is_nowhere_and_every_proof_still_holds() {
    let office = Office::open().await;
    let id = a_life(&office).await;
    let bodies: String = office.audit_after(0).await.iter().map(|row| row.body.as_str()).collect();
    for trace in traces() {
        assert!(!bodies.contains(trace), "{trace} is in a body that is hashed");
    }
    let found = AuditFilter { text: Some("canary jihoo".to_owned()), ..AuditFilter::default() };
    let resource = AuditFilter { resource: Some(id.to_string()), ..AuditFilter::default() };
    let (file, proof, packed) =
        (exported(&office).await, proof_of_sign_in(&office, id).await, pack(&office, resource.clone()).await);
    let auditor = office.caller("auditor").await;
    assert!(!office.service.audit(&auditor, found.clone(), None, None).await.unwrap().items.is_empty());

    let admin = office.caller("admin").await;
    let early = office.service.erase_user(&admin, id, "as asked").await.unwrap_err();
    assert_eq!(early.code, ErrorCode::Conflict);
    office.service.set_user_active(&admin, id, false).await.unwrap();
    assert_eq!(office.service.erase_user(&admin, id, " ").await.unwrap_err().code, ErrorCode::InvalidInput);
    let begun = office.service.erase_user(&admin, id, "As asked on 27 November").await.unwrap();
    assert_eq!((begun.user, begun.ended_at), (id, None));
    assert_eq!(code(office.service.erase_user(&admin, id, "again").await), "conflict");
    office.other_node.go_on_erasing().await;
    let done = office.service.erasure(&admin, id).await.unwrap();
    let people = office.service.users(&admin, Some("erased".to_owned()), None, None).await.unwrap().items;
    assert_eq!(people.iter().filter_map(|person| person.erasure.as_ref()).collect::<Vec<_>>(), [&done]);
    let named = UserChange { name: NAME.to_owned(), email: None, manager: None };
    assert_eq!(code(office.service.update_user(&admin, id, named).await), "conflict");
    assert_eq!(code(office.service.set_user_active(&admin, id, true).await), "conflict");
    assert!(done.ended_at.is_some() && done.entries > 15 && done.looked_through >= begun.of, "{done:?}");

    // What was taken before and what is taken now hold.
    let again = exported(&office).await;
    assert!(sound(&again).entries > sound(&file).entries);
    let proof_now = proof_of_sign_in(&office, id).await;
    assert_eq!((&proof_now.body, &proof_now.hash), (&proof.body, &proof.hash));
    assert!(proof.personal.is_some() && proof_now.personal.is_none());
    assert!(proof::verify(&proof, &Outside::default()).is_ok());
    assert!(proves(&packed) > 3 && proves(&pack(&office, resource).await) > proves(&packed));
    let verdict = office.service.console_verify_audit().await.unwrap();
    assert_eq!(verdict.fault, None);

    // Nor is anything found by it, though all that is left is.
    let mut unit = office.store.snapshot().await.unwrap();
    assert_eq!(unit.audit_places(&found, None, 10).await.unwrap(), [0_i64; 0]);
    let by_address = AuditFilter { address: Some(ADDRESS.to_owned()), ..AuditFilter::default() };
    assert_eq!(unit.audit_places(&by_address, None, 10).await.unwrap(), [0_i64; 0]);
    let by_word = AuditFilter { text: Some("canaries".to_owned()), ..AuditFilter::default() };
    assert!(!unit.audit_places(&by_word, None, 10).await.unwrap().is_empty());
    drop(unit);
    let of_erasing = |row: &AuditRow| row.action == "user.erase" && row.outcome == "done";
    let erasure = office.audit_after(0).await.into_iter().find(of_erasing).unwrap();
    assert!(erasure.body.contains("As asked on 27 November"));
    let account = office.store.snapshot().await.unwrap().user(id).await.unwrap().unwrap();
    assert!(account.login.starts_with("erased-") && account.email.is_none() && account.password_hash.is_none());

    // Addresses are slowed down for a day.
    let mut unit = office.store.begin().await.unwrap();
    assert!(unit.prune_throttles(office.now() + Duration::from_secs(1)).await.unwrap() > 0);
    unit.commit().await.unwrap();
    let store = office.store.clone();
    let folder = office.data().to_owned();
    let _folder = office.stop_and_keep().await;
    store.close().await;
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let content = std::fs::read(&path).unwrap().to_ascii_lowercase();
            for trace in traces() {
                let trace = trace.to_ascii_lowercase();
                let at = content.windows(trace.len()).position(|window| window == trace.as_bytes());
                let around =
                    at.map(|at| String::from_utf8_lossy(&content[at.saturating_sub(80)..at + 80]).into_owned());
                assert_eq!(around, None, "{trace} is in {}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn whoever_has_something_under_way_is_not_erased() {
    let office = Office::open().await;
    office.request().await;
    let admin = office.caller("admin").await;
    let id = office.user("staff").await.unwrap();
    let manager = office.user("manager").await.unwrap();
    let unfinished = office.store.snapshot().await.unwrap().unfinished_of(manager).await.unwrap();
    assert_eq!((unfinished.runs, unfinished.approvals), (0, 1));
    office.service.set_user_active(&admin, id, false).await.unwrap();
    let refused = office.service.erase_user(&admin, id, "as asked").await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Conflict);
    assert!(
        refused.detail.contains("of the runs that this person has asked for, 1 has not ended"),
        "{}",
        refused.detail
    );
    assert_eq!(office.user("staff").await, Some(id));
    office.stop().await;
}
