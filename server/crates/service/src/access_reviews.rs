//! Reviews of access: an administrator starts one, administrators say of each grant whether it stays, and what nobody has
//! confirmed by the date ends.

use domain::{
    AccessReviewId, AccessVerdict, ErrorCode, GrantId, Operation, Problem, Role, Scope, Timestamp,
    view::{AccessReviewItem, AccessReviewView, Page, ReviewedGrant},
};
use engine::{
    Topic,
    notices::{Notice, NoticeKind, notify},
};
use policy::Resource;
use serde_json::{Value, json};
use store::{
    UnitOfWork,
    access::{Grant, Subject},
    access_reviews::{AccessReview, ReviewItem},
};
use tracing::error;

use crate::{
    Caller, Gate, Service,
    administration::{is_last_administrator, person_of},
    cursor,
    gate::Target,
    people::{all_right, field, people_with},
    problems::{OrProblem as _, not_found},
    views::People,
};

/// The longest title and comment, in characters.
const TEXT_LIMIT: usize = 200;

fn target(review: &AccessReview) -> Target {
    Target::new("access-review", review.id, review.title.clone())
}

fn check_text(text: &str, pointer: &str, required: bool) -> Result<String, Problem> {
    let text = text.trim();
    if required && text.is_empty() {
        all_right(vec![field(pointer, "required", Value::Null, "it is empty")])?;
    }
    if text.chars().count() > TEXT_LIMIT || text.chars().any(char::is_control) {
        all_right(vec![field(pointer, "maxLength", TEXT_LIMIT.into(), "at most 200 characters, in one line")])?;
    }
    Ok(text.to_owned())
}

impl Service {
    /// Starts a review of the grants on a namespace, or of all of them.
    pub async fn start_access_review(
        &self,
        caller: &Caller,
        title: &str,
        scope: Scope,
        due_at: Timestamp,
    ) -> Result<AccessReviewView, Problem> {
        let mut gate = self.enter(caller, Operation::AccessReviewStart).await?;
        gate.authorize(&Resource::system(), &Target::new("access-review", "", title)).await?;
        let title = check_text(title, "/title", true)?;
        if due_at <= gate.now {
            all_right(vec![field("/dueAt", "future", Value::Null, "the date must lie in the future")])?;
        }
        let review = AccessReview {
            id: AccessReviewId::new(self.ids()),
            title,
            scope,
            due_at,
            started_by: caller.user,
            started_at: gate.now,
            closed_at: None,
        };
        let mut items = Vec::new();
        let (mut asked, mut scopes) = (Vec::new(), Vec::new());
        for grant in gate.unit.list_grants().await.or_problem()? {
            let ended = grant.expires_at.is_some_and(|end| end <= gate.now);
            if ended || (review.scope != Scope::Everywhere && review.scope != grant.scope) {
                continue;
            }
            let (holder, team) = holder(gate.unit.as_mut(), &grant).await?;
            items.push(ReviewItem {
                review: review.id,
                grant: grant.id,
                holder,
                team,
                role: grant.role,
                scope: grant.scope.clone(),
                verdict: AccessVerdict::Pending,
                decided_by: None,
                decided_at: None,
                comment: String::new(),
            });
            if !scopes.contains(&grant.scope) {
                asked.extend(people_with(gate.unit.as_mut(), &[Role::Administrator], &grant.scope, gate.now).await?);
                scopes.push(grant.scope);
            }
        }
        if items.is_empty() {
            all_right(vec![field("/scope", "empty", Value::Null, "there are no grants on this namespace")])?;
        }
        gate.unit.insert_access_review(&review, &items).await.or_problem()?;
        asked.sort_unstable_by_key(|person| person.id);
        asked.dedup_by_key(|person| person.id);
        let notice = Notice {
            kind: NoticeKind::AccessReviewStarted,
            title: review.title.clone(),
            run_number: None,
            link: format!("/access-reviews/{}", review.id),
            cause: format!("access-review:{}", review.id),
        };
        let (now, mail) = (gate.now, self.parts.mail_enabled);
        notify(gate.unit.as_mut(), self.ids(), now, mail, &asked, &notice).await.or_problem()?;
        let detail = json!({"scope": review.scope, "dueAt": review.due_at, "grants": items.len()});
        gate.finish(&target(&review), detail).await?;
        self.parts.live.changed(Topic::Administration);
        for person in asked {
            self.parts.live.changed(Topic::Notifications(person.id));
        }
        self.access_review(caller, review.id).await
    }

    /// Reviews, newest first.
    pub async fn access_reviews(
        &self,
        caller: &Caller,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<AccessReviewItem>, Problem> {
        let mut gate = self.look(caller, Operation::AccessReviewRead).await?;
        gate.authorize(&Resource::system(), &Target::new("access-review", "", "")).await?;
        let limit = cursor::limit(limit);
        let rows = gate.unit.list_access_reviews(cursor::decode(cursor)?, limit + 1).await.or_problem()?;
        let page = cursor::page(rows, limit, |review| (review.started_at, review.id));
        let people = People::load(gate.unit.as_mut(), page.items.iter().map(|review| review.started_by));
        let people = people.await.or_problem()?;
        let mut items = Vec::with_capacity(page.items.len());
        for review in page.items {
            let grants = shown(&mut gate, review.id).await?;
            items.push(summary(review, &grants, &people));
        }
        Ok(Page { items, next: page.next })
    }

    /// One review, with the grants that the caller may see.
    pub async fn access_review(&self, caller: &Caller, id: AccessReviewId) -> Result<AccessReviewView, Problem> {
        let mut gate = self.look(caller, Operation::AccessReviewRead).await?;
        gate.authorize(&Resource::system(), &Target::new("access-review", id, "")).await?;
        let review = gate.unit.access_review(id).await.or_problem()?.ok_or_else(not_found)?;
        let grants = shown(&mut gate, id).await?;
        let involved = grants.iter().filter_map(|item| item.decided_by).chain([review.started_by]);
        let people = People::load(gate.unit.as_mut(), involved.collect::<Vec<_>>()).await.or_problem()?;
        let open = review.closed_at.is_none();
        let in_force = self.in_force();
        let may = |operation, resource: &Resource| in_force.decide(&caller.principal, operation, resource).allowed;
        let item = summary(review, &grants, &people);
        let mut items = Vec::with_capacity(grants.len());
        for item in grants {
            let waits = open && item.verdict == AccessVerdict::Pending;
            let decidable = match gate.unit.grant(item.grant).await.or_problem()?.filter(|_| waits) {
                Some(grant) => may(Operation::AccessReviewDecide, &reviewed(gate.unit.as_mut(), &grant).await?),
                None => false,
            };
            items.push(ReviewedGrant {
                grant: item.grant,
                holder: item.holder,
                team: item.team,
                role: item.role,
                scope: item.scope,
                verdict: item.verdict,
                decided_by: item.decided_by.map(|person| people.get(person)),
                decided_at: item.decided_at,
                comment: item.comment,
                decidable,
            });
        }
        items.sort_by_key(|item| item.verdict != AccessVerdict::Pending);
        let closable = open && may(Operation::AccessReviewClose, &Resource::system());
        Ok(AccessReviewView { item, items, closable })
    }

    /// Says in a review that a grant stays, or takes it back. Nobody confirms a role that they hold themselves.
    pub async fn decide_access(
        &self,
        caller: &Caller,
        review: AccessReviewId,
        grant: GrantId,
        stays: bool,
        comment: &str,
    ) -> Result<(), Problem> {
        let mut gate = self.enter(caller, Operation::AccessReviewDecide).await?;
        let review = gate.unit.access_review(review).await.or_problem()?.ok_or_else(not_found)?;
        let items = gate.unit.review_items(review.id).await.or_problem()?;
        let item = items.into_iter().find(|item| item.grant == grant).ok_or_else(not_found)?;
        let stored = gate.unit.grant(grant).await.or_problem()?;
        let words = format!("{}: {} on {}", item.holder, item.role, item.scope);
        let target = Target::new("grant", grant, words).naming(stored.as_ref().and_then(person_of));
        let target = match &item.scope {
            Scope::Everywhere => target,
            Scope::Namespace(namespace) => target.within(namespace),
        };
        let resource = match &stored {
            Some(stored) => reviewed(gate.unit.as_mut(), stored).await?,
            None => Resource::grant(grant, &item.scope, []),
        };
        gate.authorize(&resource, &target).await?;
        let comment = check_text(comment, "/comment", false)?;
        if review.closed_at.is_some() || item.verdict != AccessVerdict::Pending {
            return Err(
                Problem::new(ErrorCode::AlreadyDecided).with_detail("this was said already, or the review has ended")
            );
        }
        let Some(stored) = stored else {
            let gone = Problem::new(ErrorCode::Conflict).with_detail("the grant is gone already");
            return Err(gone);
        };
        if !stays {
            if is_last_administrator(gate.unit.as_mut(), &stored).await? {
                let detail = "the portal would be left without an administrator";
                return Err(Problem::new(ErrorCode::Conflict).with_detail(detail));
            }
            gate.unit.delete_grant(grant).await.or_problem()?;
        }
        let verdict = if stays { AccessVerdict::Confirmed } else { AccessVerdict::Revoked };
        let (by, at) = (Some(caller.user), Some(gate.now));
        let decided = ReviewItem { verdict, decided_by: by, decided_at: at, comment: comment.clone(), ..item };
        gate.unit.decide_review_item(&decided).await.or_problem()?;
        let detail = json!({"review": review.id, "title": review.title, "verdict": verdict, "comment": comment});
        gate.finish(&target, detail).await?;
        self.parts.live.changed(Topic::Administration);
        Ok(())
    }

    /// Ends a review before its date: what nobody has confirmed ends now.
    pub async fn close_access_review(&self, caller: &Caller, id: AccessReviewId) -> Result<AccessReviewView, Problem> {
        let mut gate = self.enter(caller, Operation::AccessReviewClose).await?;
        gate.authorize(&Resource::system(), &Target::new("access-review", id, "")).await?;
        let review = gate.unit.access_review(id).await.or_problem()?.ok_or_else(not_found)?;
        if review.closed_at.is_some() {
            return Err(Problem::new(ErrorCode::Conflict).with_detail("the review has ended already"));
        }
        let now = gate.now;
        let lapsed = self.end_review(gate.unit.as_mut(), &review, now).await?;
        gate.finish(&target(&review), json!({"lapsed": lapsed})).await?;
        self.parts.live.changed(Topic::Administration);
        self.access_review(caller, id).await
    }

    /// Ends the reviews whose date has come. Nodes take turns; one of them does it.
    pub async fn end_due_access_reviews(&self) {
        loop {
            match self.end_due_access_review().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(problem) => {
                    error!(%problem, "a review of access could not be ended");
                    return;
                }
            }
        }
    }

    async fn end_due_access_review(&self) -> Result<bool, Problem> {
        let now = self.now();
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        if unit.due_access_review(now).await.or_problem()?.is_none() {
            return Ok(false);
        }
        drop(unit);
        let mut unit = self.parts.store.begin().await.or_problem()?;
        let Some(review) = unit.due_access_review(now).await.or_problem()? else { return Ok(false) };
        let lapsed = self.end_review(unit.as_mut(), &review, now).await?;
        let what = ("access-review", review.id.to_string(), review.title.clone());
        let entry = self.system_entry("access-review.end", what, None, json!({"lapsed": lapsed}));
        audit::append(unit.as_mut(), &entry).await.or_problem()?;
        unit.commit().await.or_problem()?;
        self.parts.live.changed(Topic::Administration);
        Ok(true)
    }

    /// What nobody has confirmed ends; how many grants did.
    async fn end_review(
        &self,
        unit: &mut dyn UnitOfWork,
        review: &AccessReview,
        now: Timestamp,
    ) -> Result<usize, Problem> {
        let mut lapsed = 0;
        for item in unit.review_items(review.id).await.or_problem()? {
            if item.verdict != AccessVerdict::Pending {
                continue;
            }
            let verdict = match unit.grant(item.grant).await.or_problem()? {
                None => AccessVerdict::Gone,
                Some(grant) if is_last_administrator(unit, &grant).await? => AccessVerdict::Kept,
                Some(grant) => {
                    unit.delete_grant(grant.id).await.or_problem()?;
                    let words = format!("{}: {} on {}", item.holder, item.role, item.scope);
                    let namespace = match &item.scope {
                        Scope::Everywhere => None,
                        Scope::Namespace(name) => Some(name),
                    };
                    let what = ("grant", grant.id.to_string(), words);
                    let detail = json!({"review": review.id, "title": review.title});
                    let mut entry = self.system_entry("grant.lapse", what, namespace, detail);
                    entry.resource.persons = person_of(&grant).into_iter().collect();
                    audit::append(unit, &entry).await.or_problem()?;
                    lapsed += 1;
                    AccessVerdict::Lapsed
                }
            };
            unit.decide_review_item(&ReviewItem { verdict, decided_at: Some(now), ..item }).await.or_problem()?;
        }
        unit.close_access_review(review.id, now).await.or_problem()?;
        Ok(lapsed)
    }
}

/// The grants of a review that the caller may see.
async fn shown(gate: &mut Gate<'_>, review: AccessReviewId) -> Result<Vec<ReviewItem>, Problem> {
    let mut items = gate.unit.review_items(review).await.or_problem()?;
    items.retain(|item| gate.shows(&Resource::grant(item.grant, &item.scope, [])));
    Ok(items)
}

fn summary(review: AccessReview, grants: &[ReviewItem], people: &People) -> AccessReviewItem {
    let count = |grants: usize| u64::try_from(grants).unwrap_or(u64::MAX);
    AccessReviewItem {
        started_by: people.get(review.started_by),
        id: review.id,
        title: review.title,
        scope: review.scope,
        due_at: review.due_at,
        started_at: review.started_at,
        closed_at: review.closed_at,
        grants: count(grants.len()),
        pending: count(grants.iter().filter(|item| item.verdict == AccessVerdict::Pending).count()),
    }
}

/// A grant as policies see it in a review: with those who hold it.
async fn reviewed(unit: &mut dyn UnitOfWork, grant: &Grant) -> Result<Resource, Problem> {
    let holders = match grant.subject {
        Subject::User(id) => vec![id],
        Subject::Team(id) => unit.team_members(id).await.or_problem()?,
    };
    Ok(Resource::grant(grant.id, &grant.scope, holders))
}

/// The name of whoever holds a grant, and whether that is a team.
async fn holder(unit: &mut dyn UnitOfWork, grant: &Grant) -> Result<(String, bool), Problem> {
    Ok(match grant.subject {
        Subject::User(id) => (unit.user(id).await.or_problem()?.map(|user| user.name).unwrap_or_default(), false),
        Subject::Team(id) => (unit.team(id).await.or_problem()?.map(|team| team.title).unwrap_or_default(), true),
    })
}
