//! The demonstration organisation: six people, a manager relation, teams, grants, and connections that need nothing
//! installed. Only `rondo serve --demo` makes it, and only in an empty database.

use audit::Detail;
use domain::{ConnectionId, GrantId, Problem, Role, Scope, TeamId, UserId, view::DemoSignIn};
use identity::Secret;
use serde_json::json;
use store::{
    access::{Grant, Subject, Team},
    connections::Connection,
    users::User,
};

use crate::{
    Service,
    problems::{OrProblem as _, internal},
};

/// The fact that marks a database as the demonstration's.
const MARK: &str = "demonstration";

/// People: sign-in name, name, role.
const PEOPLE: [(&str, &str, Role); 6] = [
    ("staff", "Sam Staff", Role::Requester),
    ("manager", "Mina Manager", Role::Approver),
    ("operator", "Omar Operator", Role::Operator),
    ("author", "Ada Author", Role::Author),
    ("auditor", "Aro Auditor", Role::Auditor),
    ("admin", "Ana Admin", Role::Administrator),
];

/// Teams, which are groups of the built-in directory: name and title.
const TEAMS: [(&str, &str); 6] = [
    ("all-staff", "All staff"),
    ("sales", "Sales"),
    ("finance", "Finance"),
    ("engineering", "Engineering"),
    ("it-identity", "IT Identity"),
    ("it-operations", "IT Operations"),
];

/// Memberships: team and sign-in name.
const MEMBERS: [(&str, &str); 6] = [
    ("all-staff", "staff"),
    ("all-staff", "manager"),
    ("all-staff", "operator"),
    ("sales", "staff"),
    ("it-identity", "author"),
    ("it-operations", "operator"),
];

/// The team whose members may ask for things, so that whoever is onboarded can do so, too.
const REQUESTING_TEAM: &str = "all-staff";

/// The sign-ins of the demonstration organisation. They are public: it is shown on its sign-in page.
#[must_use]
pub fn demo_organisation() -> Vec<DemoSignIn> {
    PEOPLE
        .iter()
        .map(|(login, _, role)| DemoSignIn {
            login: (*login).to_owned(),
            password: format!("rondo-demo-{login}"),
            role: *role,
        })
        .collect()
}

impl Service {
    /// Whether the database holds the demonstration organisation.
    pub async fn is_demo(&self) -> Result<bool, Problem> {
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        Ok(unit.setting(MARK).await.or_problem()?.is_some())
    }

    /// Makes the demonstration organisation in an empty database; false when there is somebody already.
    pub async fn load_demo(&self) -> Result<bool, Problem> {
        let mut hashes = Vec::new();
        for sign_in in demo_organisation() {
            let password = Secret::new(sign_in.password);
            let hash = self.parts.passwords.hash(&password).await;
            hashes.push(hash.map_err(|cause| internal("a password cannot be hashed", &cause))?);
        }
        let now = self.now();
        let mut unit = self.parts.store.begin().await.or_problem()?;
        if unit.count_users().await.or_problem()? > 0 {
            return Ok(false);
        }
        let ids: Vec<UserId> = PEOPLE.iter().map(|_| UserId::new(self.ids())).collect();
        let id_of = |login: &str| PEOPLE.iter().zip(&ids).find(|((known, ..), _)| *known == login).map(|(_, id)| *id);
        // Managers before those whom they manage.
        let order = |login: &str| login != "manager";
        let mut people: Vec<_> = PEOPLE.iter().zip(&ids).zip(hashes).collect();
        people.sort_by_key(|(((login, ..), _), _)| order(login));
        for (((login, name, role), id), hash) in people {
            unit.insert_user(&User {
                id: *id,
                login: (*login).to_owned(),
                name: (*name).to_owned(),
                email: Some(format!("{login}@example.test")),
                active: true,
                password_hash: Some(hash),
                must_change_password: false,
                manager_id: id_of("manager").filter(|_| *login != "manager"),
                locale: None,
                theme: None,
                created_at: now,
                updated_at: now,
                last_sign_in_at: None,
            })
            .await
            .or_problem()?;
            let grant = self.demo_grant(Subject::User(*id), *role);
            unit.insert_grant(&grant).await.or_problem()?;
        }
        for (name, title) in TEAMS {
            let team =
                Team { id: TeamId::new(self.ids()), name: name.to_owned(), title: title.to_owned(), created_at: now };
            unit.insert_team(&team).await.or_problem()?;
            if name == REQUESTING_TEAM {
                unit.insert_grant(&self.demo_grant(Subject::Team(team.id), Role::Requester)).await.or_problem()?;
            }
            for login in MEMBERS.iter().filter(|(team, _)| *team == name).filter_map(|(_, login)| id_of(login)) {
                unit.add_member(team.id, login).await.or_problem()?;
            }
        }
        let mail = json!({"from": "Rondo <rondo@example.test>"});
        for (name, kind, settings, owner) in
            [("directory", "builtin", json!({}), "it-identity"), ("mail", "file", mail, "it-operations")]
        {
            let owner = unit.team_by_name(owner).await.or_problem()?.map(|team| Subject::Team(team.id));
            let connection = Connection {
                id: ConnectionId::new(self.ids()),
                name: name.to_owned(),
                kind: kind.to_owned(),
                settings: settings.to_string(),
                sealed_secret: None,
                namespaces: json!(["*"]).to_string(),
                owner,
                last_check: None,
                failing_since: None,
                check_due_at: now,
                created_at: now,
                updated_at: now,
            };
            unit.put_connection(&connection).await.or_problem()?;
        }
        unit.put_setting(MARK, &now.to_string()).await.or_problem()?;
        let entry = self.system_entry(
            "demonstration.load",
            ("portal", "rondo".to_owned(), "demonstration organisation".to_owned()),
            None,
            PEOPLE
                .iter()
                .enumerate()
                .fold(Detail::from(json!({"people": PEOPLE.map(|(login, ..)| login)})), |detail, (place, _)| {
                    detail.naming(format!("/people/{place}"), None)
                }),
        );
        audit::append(unit.as_mut(), &entry).await.or_problem()?;
        unit.commit().await.or_problem()?;
        Ok(true)
    }

    fn demo_grant(&self, subject: Subject, role: Role) -> Grant {
        Grant {
            id: GrantId::new(self.ids()),
            subject,
            role,
            scope: Scope::Everywhere,
            expires_at: None,
            created_by: None,
            created_at: self.now(),
            emergency: None,
        }
    }
}
