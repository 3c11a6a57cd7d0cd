//! Questions that people have answered every so often.

use audit::Detail;
use domain::{AnswerEvery, Operation, Problem, Timestamp, view::AuditQuestionView};
use engine::{
    Topic,
    notices::{Notice, NoticeKind, notify},
};
use policy::Resource;
use serde_json::json;
use store::{StoreError, questions::Subscription, users::User};
use tracing::error;

use super::{
    DAY, answer,
    catalogue::{self, About, Saved},
    period, target, view,
};
use crate::{
    Caller, Service, people,
    problems::{OrProblem as _, not_found},
};

/// Answers that are given in one look at the time.
const AT_ONCE: u32 = 1_000;

impl Service {
    /// Has a question answered for the caller after every day, week or month from now on; without `every` no longer.
    pub async fn follow_question(
        &self,
        caller: &Caller,
        name: &str,
        every: Option<AnswerEvery>,
    ) -> Result<AuditQuestionView, Problem> {
        let mut gate = self.enter(caller, Operation::AuditSubscribe).await?;
        gate.authorize(&Resource::system(), &target(name)).await?;
        let saved = catalogue::named(name).ok_or_else(not_found)?;
        let before = gate.unit.subscription(caller.user, name).await.or_problem()?;
        let now = gate.now;
        let followed = every.map(|every| Subscription {
            user_id: caller.user,
            question: name.to_owned(),
            every,
            since: now,
            answered: period::beginning(every, now),
            due_at: period::end(every, now),
        });
        match &followed {
            Some(followed) => gate.unit.put_subscription(followed).await.or_problem()?,
            None => _ = gate.unit.delete_subscription(caller.user, name).await.or_problem()?,
        }
        let detail = json!({"before": {"every": before.map(|before| before.every)}, "after": {"every": every}});
        gate.finish(&target(name), detail).await?;
        Ok(view(saved, followed.as_ref()))
    }

    /// Answers the questions whose time has come. Any node may do it at any time: each is answered once.
    pub async fn answer_due_questions(&self) {
        let due = match self.due_subscriptions().await {
            Ok(due) => due,
            Err(problem) => {
                error!(%problem, "it could not be seen which questions are to be answered");
                return;
            }
        };
        for subscription in due {
            if let Err(problem) = self.answer_one(&subscription).await {
                error!(%problem, question = subscription.question, "a question could not be answered, trying again later");
            }
        }
    }

    async fn due_subscriptions(&self) -> Result<Vec<Subscription>, Problem> {
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        unit.due_subscriptions(self.now(), AT_ONCE).await.or_problem()
    }

    async fn answer_one(&self, subscription: &Subscription) -> Result<(), Problem> {
        let now = self.now();
        self.sequence().await.or_problem()?;
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let Some(user) = unit.user(subscription.user_id).await.or_problem()? else { return Ok(()) };
        let principal = people::principal(unit.as_mut(), &user, now).await.or_problem()?;
        let may = self.in_force().decide(&principal, Operation::AuditRead, &Resource::system()).allowed;
        let Some(saved) = catalogue::named(&subscription.question).filter(|_| may) else {
            return self.end_following(subscription, &user).await;
        };
        // Where no node ran when the time came, one answer is about all of it.
        let until = period::beginning(subscription.every, now);
        let from = match saved.text.about {
            About::Period => subscription.answered,
            About::State => until - DAY * saved.text.days,
        };
        let (rows, cut_off) = answer(unit.as_mut(), saved.question, from, until).await?;
        drop(unit);
        let count = format!("{}{}", rows.len(), if cut_off { "+" } else { "" });
        self.tell_answer(subscription, &user, saved, (from, until), &count).await
    }

    /// Tells somebody how many rows the answer has, unless another node has done so.
    async fn tell_answer(
        &self,
        subscription: &Subscription,
        user: &User,
        saved: &Saved,
        (from, until): (Timestamp, Timestamp),
        count: &str,
    ) -> Result<(), Problem> {
        let now = self.now();
        let name = saved.question.name;
        let mut unit = self.parts.store.begin().await.or_problem()?;
        match unit.move_subscription(subscription, until, period::end(subscription.every, now)).await {
            Err(StoreError::Conflict) => return unit.rollback().await.or_problem(),
            moved => moved.or_problem()?,
        }
        let (first, last) = days(from, until);
        let language = user.locale.as_deref().unwrap_or("en");
        let title = saved.text.title.in_language(language);
        let notice = Notice {
            kind: NoticeKind::AuditAnswer,
            title: in_words(language, title, count, &first, &last),
            run_number: None,
            link: format!("/audit/questions/{name}?from={first}&to={last}"),
            cause: format!("audit-answer:{name}:{}", until.as_micros()),
        };
        let mail = self.parts.mail_enabled;
        notify(unit.as_mut(), self.ids(), now, mail, std::slice::from_ref(user), &notice).await.or_problem()?;
        let what = ("question", name.to_owned(), name.to_owned());
        let detail = Detail::from(json!({"for": user.login, "from": from, "to": until, "rows": count}));
        let detail = detail.naming("/for", [user.id]);
        audit::append(unit.as_mut(), &self.system_entry("audit.answer", what, None, detail)).await.or_problem()?;
        unit.commit().await.or_problem()?;
        self.parts.live.changed(Topic::Notifications(user.id));
        Ok(())
    }

    /// Whoever may no longer read the log gets no more answers from it; nor does anybody to a question that is gone.
    async fn end_following(&self, subscription: &Subscription, user: &User) -> Result<(), Problem> {
        let name = &subscription.question;
        let mut unit = self.parts.store.begin().await.or_problem()?;
        if !unit.delete_subscription(user.id, name).await.or_problem()? {
            return unit.rollback().await.or_problem();
        }
        let what = ("question", name.clone(), name.clone());
        let entry = self.system_entry(
            "audit.unsubscribe",
            what,
            None,
            Detail::from(json!({"for": user.login})).naming("/for", [user.id]),
        );
        audit::append(unit.as_mut(), &entry).await.or_problem()?;
        unit.commit().await.or_problem()
    }
}

/// The first and the last day of a period of whole days.
fn days(from: Timestamp, until: Timestamp) -> (String, String) {
    let day = |at: Timestamp| at.to_utc().date().to_string();
    (day(from), day(until - std::time::Duration::from_micros(1)))
}

/// What a notice says: the question, the number of rows and the days, and nothing of what the rows hold.
fn in_words(language: &str, title: &str, count: &str, first: &str, last: &str) -> String {
    let days = if first == last { first.to_owned() } else { format!("{first} – {last}") };
    match language {
        "ko" => format!("{title}: {count}건 ({days})"),
        _ => format!("{title}: {count} ({days})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_says_how_many_and_when() {
        let (from, until) = ("2026-11-23T00:00:00Z".parse().unwrap(), "2026-11-30T00:00:00Z".parse().unwrap());
        let (first, last) = days(from, until);
        assert_eq!(in_words("en", "Asked", "3", &first, &last), "Asked: 3 (2026-11-23 – 2026-11-29)");
        assert_eq!(in_words("ko", "질문", "1000+", "2026-11-23", "2026-11-23"), "질문: 1000+건 (2026-11-23)");
    }
}
