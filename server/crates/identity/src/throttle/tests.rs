use std::collections::HashMap;

use async_trait::async_trait;
use domain::{LinkId, TokenId, UserId};
use store::credentials::{ApiToken, LinkPurpose, OneTimeLink};

use super::*;

/// The failed attempts alone; nothing here touches links and tokens.
#[derive(Default)]
struct MemoryThrottles(HashMap<String, Throttle>);

#[async_trait]
impl Credentials for MemoryThrottles {
    async fn throttle(&mut self, subject: &str) -> store::Result<Option<Throttle>> {
        Ok(self.0.get(subject).cloned())
    }
    async fn put_throttle(&mut self, throttle: &Throttle) -> store::Result<()> {
        self.0.insert(throttle.subject.clone(), throttle.clone());
        Ok(())
    }
    async fn clear_throttle(&mut self, subject: &str) -> store::Result<()> {
        self.0.remove(subject);
        Ok(())
    }
    async fn prune_throttles(&mut self, _: Timestamp) -> store::Result<u64> {
        Err(StoreError::ReadOnly)
    }
    async fn insert_link(&mut self, _: &OneTimeLink) -> store::Result<()> {
        Err(StoreError::ReadOnly)
    }
    async fn link_by_hash(&mut self, _: &str) -> store::Result<Option<OneTimeLink>> {
        Err(StoreError::ReadOnly)
    }
    async fn use_link(&mut self, _: LinkId, _: Timestamp) -> store::Result<()> {
        Err(StoreError::ReadOnly)
    }
    async fn revoke_links_of(&mut self, _: UserId, _: Timestamp) -> store::Result<u64> {
        Err(StoreError::ReadOnly)
    }
    async fn revoke_links_for(&mut self, _: LinkPurpose, _: Timestamp) -> store::Result<u64> {
        Err(StoreError::ReadOnly)
    }
    async fn insert_token(&mut self, _: &ApiToken) -> store::Result<()> {
        Err(StoreError::ReadOnly)
    }
    async fn token_by_hash(&mut self, _: &str) -> store::Result<Option<ApiToken>> {
        Err(StoreError::ReadOnly)
    }
    async fn tokens_of(&mut self, _: UserId) -> store::Result<Vec<ApiToken>> {
        Err(StoreError::ReadOnly)
    }
    async fn touch_token(&mut self, _: TokenId, _: Timestamp) -> store::Result<()> {
        Err(StoreError::ReadOnly)
    }
    async fn revoke_token(&mut self, _: UserId, _: TokenId, _: Timestamp) -> store::Result<bool> {
        Err(StoreError::ReadOnly)
    }
    async fn revoke_tokens_of(&mut self, _: UserId, _: Timestamp) -> store::Result<u64> {
        Err(StoreError::ReadOnly)
    }
}

const START: Timestamp = Timestamp::from_micros(1_000_000_000_000);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Fails as soon as it may, `count` times; the delay after each.
async fn fail(unit: &mut MemoryThrottles, subject: &Subject, count: u32) -> (Vec<u64>, Timestamp) {
    let mut now = START;
    let mut delays = Vec::new();
    for _ in 0..count {
        assert_eq!(attempt(unit, std::slice::from_ref(subject), now).await.unwrap(), None);
        let wait = check(unit, std::slice::from_ref(subject), now).await.unwrap().unwrap_or_default();
        delays.push(wait.as_secs());
        now = now + wait;
    }
    (delays, now)
}

#[tokio::test]
async fn an_account_waits_from_the_fifth_failure_on_and_doubling() {
    let mut unit = MemoryThrottles::default();
    let (delays, _) = fail(&mut unit, &Subject::account("staff"), 17).await;
    assert_eq!(delays, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
}

#[tokio::test]
async fn an_attempt_while_waiting_is_not_looked_at_and_not_counted() {
    let mut unit = MemoryThrottles::default();
    let account = [Subject::account("staff")];
    fail(&mut unit, &account[0], 5).await;
    let before = unit.0.clone();
    assert_eq!(attempt(&mut unit, &account, START).await.unwrap(), Some(seconds(1)));
    assert_eq!(unit.0, before);
    assert_eq!(attempt(&mut unit, &account, START + seconds(1)).await.unwrap(), None);
}

#[tokio::test]
async fn an_address_waits_from_the_twentieth_failure_on() {
    let mut unit = MemoryThrottles::default();
    let (delays, _) = fail(&mut unit, &Subject::address("192.0.2.1".parse().unwrap()), 21).await;
    assert_eq!(delays[..19], [0; 19]);
    assert_eq!(delays[19..], [1, 2]);
}

#[tokio::test]
async fn the_longest_wait_of_all_subjects_counts() {
    let mut unit = MemoryThrottles::default();
    let (account, address) = (Subject::account("staff"), Subject::address("192.0.2.1".parse().unwrap()));
    for _ in 0..7 {
        record_failure(&mut unit, &[account.clone(), address.clone()], START).await.unwrap();
    }
    assert_eq!(check(&mut unit, &[address.clone(), account], START).await.unwrap(), Some(seconds(4)));
    assert_eq!(check(&mut unit, &[address], START).await.unwrap(), None);
}

#[tokio::test]
async fn a_success_forgets_the_account_but_gives_the_address_back_one_only() {
    let mut unit = MemoryThrottles::default();
    let (account, address) = (Subject::account("staff"), Subject::address("192.0.2.1".parse().unwrap()));
    let both = [account.clone(), address.clone()];
    for _ in 0..4 {
        assert_eq!(attempt(&mut unit, &both, START).await.unwrap(), None);
    }
    clear(&mut unit, &both).await.unwrap();
    assert_eq!(unit.0.get(&account.key()), None);
    assert_eq!(unit.0[&address.key()].failures, 3);
    for _ in 0..3 {
        clear(&mut unit, &both).await.unwrap();
    }
    assert!(unit.0.is_empty());
}

#[tokio::test]
async fn a_success_at_the_threshold_leaves_the_address_free() {
    let mut unit = MemoryThrottles::default();
    let address = [Subject::address("192.0.2.1".parse().unwrap())];
    fail(&mut unit, &address[0], 20).await;
    clear(&mut unit, &address).await.unwrap();
    assert_eq!(check(&mut unit, &address, START).await.unwrap(), None);
}

#[tokio::test]
async fn an_account_is_forgotten_after_a_day_and_an_address_by_the_minute() {
    let mut unit = MemoryThrottles::default();
    let (account, address) = (Subject::account("staff"), Subject::address("192.0.2.1".parse().unwrap()));
    for _ in 0..4 {
        record_failure(&mut unit, &[account.clone(), address.clone()], START).await.unwrap();
    }
    record_failure(&mut unit, std::slice::from_ref(&address), START + seconds(120)).await.unwrap();
    assert_eq!(unit.0[&address.key()].failures, 3, "two of four are forgotten, one is new");
    record_failure(&mut unit, std::slice::from_ref(&account), START + ACCOUNT_MEMORY).await.unwrap();
    assert_eq!(unit.0[&account.key()].failures, 1);
}

#[test]
fn an_account_is_what_was_typed_in_any_case() {
    assert_eq!(Subject::account(" Staff "), Subject::account("staff"));
    assert_eq!(Subject::account("sta\0ff").key(), "account:staff");
    assert!(Subject::account(&"x".repeat(10_000)).key().len() < 80);
}

#[test]
fn an_ipv6_address_counts_by_its_first_64_bits() {
    let address = |text: &str| Subject::address(text.parse().unwrap());
    assert_eq!(address("2001:db8:1:2:3:4:5:6"), address("2001:db8:1:2::1"));
    assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
    assert_eq!(address("2001:db8:1:2::1").key(), "address:2001:db8:1:2::/64");
    assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
}
