//! Cases that every store must pass. Each gets a fresh database.

mod access;
mod access_reviews;
mod approvals;
mod audit;
mod calendars;
mod children;
mod claims;
mod controls;
mod credentials;
mod delegations;
mod emergencies;
mod erasures;
mod events;
mod limits;
mod messages;
mod policy_sets;
mod questions;
mod receivers;
mod repositories;
mod retention;
mod runners;
mod runs;
mod schedules;
mod subject;
mod text;
mod triggers;
mod units;
mod users;
mod value;
mod watches;
mod witnesses;
mod workflows;

use std::{pin::Pin, sync::Arc};

use crate::TestDatabase;

pub use subject::Subject;

/// One case.
pub struct Case {
    /// What it says about a store.
    pub name: &'static str,
    /// Panics when that is not so.
    pub run: fn(Subject) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

macro_rules! cases {
    ($dollar:tt; $($module:ident: $($name:ident),+;)+) => {
        /// All cases.
        #[must_use]
        pub fn cases() -> Vec<Case> {
            vec![$($(Case { name: stringify!($name), run: |subject| Box::pin($module::$name(subject)) }),+),+]
        }

        /// Writes one test per case. The argument names an async function that makes a fresh database
        /// (`Option<Arc<dyn TestDatabase>>`; none when there is no server to test with).
        #[macro_export]
        macro_rules! conformance_tests {
            ($dollar fresh:path) => {$($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    $crate::conformance::check(stringify!($name), $dollar fresh().await).await;
                }
            )+)+};
        }
    };
}

cases! { $;
    users:
        people_are_stored_whole_and_found_by_login,
        a_taken_login_is_a_duplicate,
        people_are_found_by_any_part_of_name_login_and_mail,
        people_are_paged_in_order_of_login,
        a_change_of_nobody_is_a_conflict,
        who_left_a_trace_stays,
        who_left_none_goes_with_what_is_theirs;
    access:
        teams_have_members_and_names,
        grants_hold_by_person_and_by_team_until_they_end,
        the_same_grant_twice_is_a_duplicate_unless_it_ended,
        a_team_takes_its_grants_along,
        holders_of_a_role_are_found_by_scope_team_and_activity,
        a_namespace_may_run_processes_until_that_is_taken_back,
        secrets_belong_to_a_namespace_and_are_replaced_and_deleted;
    credentials:
        sessions_are_replaced_listed_and_revoked,
        failed_attempts_are_counted_and_forgotten,
        a_link_works_once_and_forgets_what_it_showed,
        links_are_revoked_by_person_and_purpose,
        tokens_are_listed_touched_and_revoked,
        settings_and_connections_are_replaced,
        a_check_of_a_connection_is_taken_once_and_tells_what_changed;
    workflows:
        the_greatest_published_version_is_launchable,
        a_version_is_never_overwritten_and_moves_only_from_where_it_is,
        only_a_draft_changes_and_only_along_its_life,
        authors_and_comments_stay_with_their_version,
        versions_are_listed_by_name_and_newest_first,
        open_runs_of_a_version_are_counted;
    runs:
        a_run_is_stored_whole_and_numbered,
        numbers_are_distinct_under_concurrency,
        lists_of_runs_are_filtered_and_paged,
        runs_are_found_by_title_values_and_number,
        lists_and_single_runs_are_visible_alike,
        statistics_count_what_ended,
        tasks_snapshots_and_effects_are_kept;
    claims:
        runs_with_something_to_do_are_claimed_oldest_first,
        two_nodes_never_claim_the_same_run,
        a_lease_is_renewed_released_and_taken_over,
        a_lease_can_be_taken_with_the_first_step,
        a_late_writer_is_fenced_off,
        a_journal_grows_without_gaps_or_forks,
        an_event_makes_a_run_claimable_until_it_is_taken,
        events_pushed_at_once_are_all_seen,
        a_run_without_anything_to_do_is_not_claimed,
        namespaces_take_turns;
    limits:
        limits_of_namespaces_are_replaced_and_removed,
        a_place_counts_until_its_run_ends_or_its_lease,
        who_waits_longest_is_served_first,
        what_has_begun_is_found_by_its_rank,
        a_held_run_is_claimed_when_it_is_roused_or_its_time_comes;
    approvals:
        the_queue_is_ordered_by_due_time_and_paged,
        a_queue_shows_what_waits_for_a_person,
        what_is_read_of_many_is_that_of_each,
        of_two_decisions_at_once_one_counts,
        a_closed_approval_stays_closed,
        more_people_can_be_asked,
        stages_are_asked_one_after_the_other,
        what_was_asked_and_answered_stays,
        a_draft_that_an_approval_waits_for_stays,
        a_draft_is_sent_once,
        an_idempotency_key_has_one_answer,
        a_key_is_given_back_or_taken_over_unless_something_was_done;
    delegations:
        a_delegation_is_stored_whole_and_revoked_once,
        a_delegation_holds_in_its_time_and_for_active_people,
        whoever_stands_in_sees_the_same_in_lists_and_one_by_one,
        a_substitute_stands_in_where_the_open_stage_asks,
        a_vote_is_cast_once_by_whomever,
        whoever_has_changed_a_run_decides_nothing_in_it,
        a_disabled_approver_is_taken_once_for_each_change;
    calendars:
        a_calendar_is_of_a_namespace_or_of_all,
        a_timer_of_an_approval_is_taken_once,
        two_nodes_never_take_the_same_timer;
    messages:
        notices_are_paged_and_marked_as_read,
        a_message_is_taken_held_and_settled,
        two_senders_never_take_the_same_message,
        a_message_that_fails_is_deferred_or_given_up,
        logs_are_kept_per_run_and_task;
    events:
        an_event_is_kept_once,
        an_event_finds_those_who_admit_it,
        a_unit_is_refused_as_a_whole_if_somebody_listens,
        who_subscribes_finds_what_was_missed_in_order,
        what_was_consumed_is_not_found_again,
        no_event_is_lost_between_two_who_meet,
        old_events_are_forgotten_oldest_first;
    schedules:
        schedules_are_stored_whole_and_end_together,
        the_schedule_that_is_due_longest_is_claimed_first,
        two_nodes_never_claim_the_same_time,
        the_end_of_a_run_makes_what_waits_for_it_due,
        an_event_makes_those_due_that_admit_it,
        the_schedule_is_no_person;
    access_reviews:
        a_review_keeps_what_it_began_with,
        what_became_of_a_grant_is_said_once,
        the_review_that_is_due_longest_is_ended_first;
    emergencies:
        what_was_said_of_an_emergency_stays,
        emergencies_are_open_until_they_are_reviewed;
    erasures:
        what_names_people_can_be_taken_away_and_nothing_else,
        entries_are_found_by_what_is_left,
        an_erasure_goes_on_where_it_was,
        what_served_only_a_person_is_forgotten;
    repositories:
        a_repository_is_stored_whole,
        the_repository_that_is_due_longest_is_taken_first,
        what_came_of_a_look_is_written_by_who_took_it,
        what_was_brought_is_forgotten_with_its_repository,
        two_nodes_never_take_the_same_repository;
    triggers:
        a_trigger_is_stored_whole_and_takes_its_deliveries_along,
        deliveries_are_numbered_found_by_key_and_paged,
        of_two_units_one_delivers_to_a_trigger_at_a_time,
        old_and_many_deliveries_are_forgotten,
        an_alert_is_known_by_its_fingerprint;
    watches:
        where_a_trigger_looks_is_stored_whole_and_goes_with_it,
        one_node_at_a_time_looks_and_only_where_the_trigger_is_on,
        what_was_noted_is_known_until_it_is_forgotten;
    receivers:
        a_receiver_begins_where_it_is_told_and_never_goes_back,
        a_receiver_is_failing_until_it_takes_something,
        one_node_at_a_time_holds_a_receiver;
    controls:
        a_version_is_read_for_controls_once,
        runs_are_counted_by_version_and_time,
        runs_that_faulted_and_were_not_taken_back_are_found,
        entries_are_found_by_the_controls_of_what_they_are_about,
        the_last_verification_is_found;
    witnesses:
        a_witness_never_has_less_than_before,
        a_witness_that_refuses_is_believed_until_it_cosigns,
        one_node_at_a_time_asks_a_witness,
        a_cosignature_stays;
    runners:
        a_runner_has_one_session_and_asks_in_turn,
        a_runner_is_enrolled_once_and_removed,
        a_task_is_queued_once_and_goes_to_who_fits,
        a_task_is_begun_and_done_in_its_epoch,
        a_task_that_nobody_wants_is_not_begun,
        leases_end_unless_they_are_renewed,
        tasks_of_runs_that_have_ended_are_forgotten,
        two_runners_never_get_the_same_task;
    retention:
        an_archived_entry_keeps_its_place_its_time_and_its_segment,
        an_entry_is_archived_once,
        a_hold_is_released_once_and_stays,
        one_node_at_a_time_archives;
    policy_sets:
        policies_are_proposed_put_into_force_and_replaced,
        what_was_settled_stays_as_it_was,
        of_two_proposals_one_is_in_force,
        questions_are_kept_once_and_the_oldest_forgotten;
    questions:
        every_question_is_answered,
        changes_that_nobody_else_approved_are_found,
        quick_decisions_and_those_of_substitutes_are_found,
        roles_that_were_not_used_are_found,
        roles_that_conflict_are_found_where_they_meet,
        emergencies_and_their_reviews_are_found,
        failed_sign_ins_are_counted_by_address,
        versions_published_without_tests_are_found,
        an_altered_entry_hides_no_others,
        a_question_is_followed_once_and_moved_once;
    value:
        runs_are_counted_by_when_they_were_asked_for,
        endings_are_counted_by_when_they_were,
        lead_times_are_ranked_by_group,
        decisions_are_ranked_and_help_is_counted;
    children:
        a_call_starts_one_run,
        runs_that_wake_each_other_do_not_wait_in_a_circle;
    audit:
        entries_follow_each_other_without_gaps,
        keys_and_checkpoints_stay,
        sixteen_writers_make_one_log,
        the_tree_only_grows,
        what_is_queued_is_taken_once_and_in_order,
        entries_are_filtered_and_paged,
        entries_are_found_by_their_words_and_marks,
        entries_lead_to_runs_and_their_definitions,
        searches_that_people_have_named_are_theirs;
    text:
        unicode_comes_back_as_it_went_in,
        a_megabyte_of_json_comes_back_as_it_went_in,
        a_nul_character_is_refused_and_loses_nothing_else,
        a_lost_unit_says_so_before_it_looks_at_text,
        order_is_by_bytes_in_any_locale;
    units:
        a_dropped_unit_leaves_nothing,
        a_rolled_back_unit_leaves_nothing,
        a_unit_is_invisible_until_it_commits,
        a_snapshot_does_not_change,
        a_snapshot_refuses_to_write,
        a_refused_statement_loses_the_unit,
        an_abandoned_begin_does_not_poison_the_pool,
        an_abandoned_statement_does_not_poison_the_pool,
        migrating_again_and_at_once_changes_nothing,
        a_closed_store_is_unavailable;
}

/// Runs one case, and removes its database whatever comes of it.
pub async fn check(name: &'static str, database: Option<Arc<dyn TestDatabase>>) {
    let Some(database) = database else { return };
    let Some(case) = cases().into_iter().find(|case| case.name == name) else { panic!("there is no case {name}") };
    let outcome = tokio::spawn((case.run)(Subject::new(Arc::clone(&database)))).await;
    database.dispose().await;
    if let Err(failure) = outcome {
        let store = database.store().name();
        assert!(!failure.is_panic(), "case {name} on {store}: {}", panic_text(failure));
        panic!("case {name} on {store} was cancelled");
    }
}

/// Runs all cases one after the other, each on a database of its own.
pub async fn all<F: Future<Output = Option<Arc<dyn TestDatabase>>>>(fresh: impl Fn() -> F) {
    for case in cases() {
        check(case.name, fresh().await).await;
    }
}

fn panic_text(failure: tokio::task::JoinError) -> String {
    let payload = failure.into_panic();
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
