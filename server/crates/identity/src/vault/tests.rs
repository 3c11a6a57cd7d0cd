use std::{collections::HashMap, fs, os::unix::fs::PermissionsExt as _};

use async_trait::async_trait;
use serde_json::json;

use super::*;
use crate::random::seeded::SeededRandom;

const SEED: u64 = 7;

#[derive(Default)]
struct MemorySettings(HashMap<String, String>);

#[async_trait]
impl Settings for MemorySettings {
    async fn setting(&mut self, key: &str) -> store::Result<Option<String>> {
        Ok(self.0.get(key).cloned())
    }

    async fn put_setting(&mut self, key: &str, value: &str) -> store::Result<()> {
        self.0.insert(key.to_owned(), value.to_owned());
        Ok(())
    }
}

fn vault_with(key: &str) -> Vault {
    Vault::open(&KeySource::Variable(key.into()), Arc::new(SeededRandom::new(SEED))).unwrap()
}

fn vault() -> Vault {
    vault_with("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
}

fn other_vault() -> Vault {
    vault_with(&base64::engine::general_purpose::STANDARD.encode([9; 32]))
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn file_source(path: &std::path::Path, create: bool) -> KeySource {
    KeySource::File { path: path.to_owned(), create }
}

#[test]
fn a_sealed_secret_opens_in_its_place_only() {
    let vault = vault();
    let sealed = vault.seal("connection:1", "pässword");
    assert_eq!(vault.unseal("connection:1", &sealed).unwrap().expose(), "pässword");
    assert!(matches!(vault.unseal("connection:2", &sealed), Err(VaultError::Unreadable)));
}

#[test]
fn sealing_twice_gives_two_texts() {
    let vault = vault();
    assert_ne!(vault.seal("a", "x"), vault.seal("a", "x"));
}

#[test]
fn a_sealed_text_has_no_character_that_needs_escaping() {
    let sealed = vault().seal("a", "\"<>&'\\\n");
    assert!(sealed.chars().all(|c| c.is_ascii_alphanumeric() || "-_:~".contains(c)), "{sealed}");
}

#[test]
fn any_altered_character_makes_it_unreadable() {
    let vault = vault();
    let sealed = vault.seal("a", "secret");
    for position in 0..sealed.len() {
        let mut altered = sealed.clone().into_bytes();
        altered[position] = if altered[position] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert!(vault.unseal("a", &altered).is_err(), "position {position}");
    }
    for end in 0..sealed.len() {
        assert!(vault.unseal("a", &sealed[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn another_key_is_named_as_the_wrong_key() {
    let sealed = vault().seal("a", "secret");
    let error = other_vault().unseal("a", &sealed).unwrap_err();
    assert!(matches!(&error, VaultError::WrongKey { sealed_with, .. } if sealed_with == vault().key_id()), "{error}");
}

#[tokio::test]
async fn the_check_value_refuses_another_key() {
    let mut settings = MemorySettings::default();
    assert!(!Vault::is_established(&mut settings).await.unwrap());
    vault().check(&mut settings).await.unwrap();
    assert!(Vault::is_established(&mut settings).await.unwrap());
    vault().check(&mut settings).await.unwrap();
    let before = settings.0.clone();
    assert!(matches!(other_vault().check(&mut settings).await, Err(VaultError::WrongKey { .. })));
    assert_eq!(settings.0, before, "a refused key changes nothing");
}

#[test]
fn tokens_are_opened_anywhere_in_a_value() {
    let vault = vault();
    let (one, two) = (vault.seal_value("one"), vault.seal_value("two"));
    let mut value = json!({
        "alone": one,
        "within": format!("a{one}b{two}c"),
        "list": [{"deep": two}, 3, null, "plain"],
        one.as_str(): "named",
        "lookalike": "rondo-sealed:v1: is how it starts",
        "before": format!("rondo-sealed:v1:{one}"),
    });
    vault.unseal_within(&mut value).unwrap();
    assert_eq!(
        value,
        json!({
            "alone": "one",
            "within": "aonebtwoc",
            "list": [{"deep": "two"}, 3, null, "plain"],
            "one": "named",
            "lookalike": "rondo-sealed:v1: is how it starts",
            "before": "rondo-sealed:v1:one",
        })
    );
}

#[test]
fn an_opened_text_is_not_opened_again() {
    let vault = vault();
    let inner = vault.seal_value("inner");
    let mut value = json!(vault.seal_value(&inner));
    vault.unseal_within(&mut value).unwrap();
    assert_eq!(value, json!(inner));
}

#[test]
fn a_connections_secret_does_not_open_within_a_value() {
    let vault = vault();
    let mut value = json!(format!("x {} y", vault.seal("connection:1", "secret")));
    assert!(matches!(vault.unseal_within(&mut value), Err(VaultError::Unreadable)));
}

#[test]
fn views_show_dots_in_place_of_tokens() {
    let vault = vault();
    let token = vault.seal_value("secret");
    let mut value = json!({"text": format!("pw: {token}, go"), "list": [token], token.as_str(): 1, "n": 5});
    assert!(contains_sealed(&value));
    redact(&mut value);
    assert_eq!(value, json!({"text": "pw: ••••, go", "list": ["••••"], "••••": 1, "n": 5}));
    assert!(!contains_sealed(&value));
    assert_eq!(redact_str("plain"), "plain");
}

#[test]
fn a_cut_token_is_redacted_too() {
    let token = vault().seal_value("secret");
    for end in super::token::PREFIX.len()..token.len() {
        assert_eq!(redact_str(&token[..end]), "••••", "cut at {end}");
    }
    assert_eq!(redact_str(&format!("{token}{token}.")), "••••••••.");
}

#[test]
fn the_key_file_is_made_once_and_for_the_owner_only() {
    let directory = scratch();
    let path = directory.path().join("key");
    assert!(matches!(
        Vault::open(&file_source(&path, false), Arc::new(SeededRandom::new(SEED))),
        Err(VaultError::KeyMissing { .. })
    ));
    let made = Vault::open(&file_source(&path, true), Arc::new(SeededRandom::new(SEED))).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no draft is left");
    let again = Vault::open(&file_source(&path, true), Arc::new(SeededRandom::new(SEED + 1))).unwrap();
    assert_eq!(made.key_id(), again.key_id());
    assert_eq!(again.unseal("a", &made.seal("a", "secret")).unwrap().expose(), "secret");
}

#[test]
fn processes_that_start_together_agree_on_one_key() {
    let directory = scratch();
    let path = directory.path().join("key");
    let ids: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8)
            .map(|n| {
                let path = path.clone();
                scope.spawn(move || {
                    Vault::open(&file_source(&path, true), Arc::new(SeededRandom::new(n))).unwrap().key_id().to_owned()
                })
            })
            .collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn a_key_file_that_others_can_read_is_refused_with_the_remedy() {
    let directory = scratch();
    let path = directory.path().join("key");
    Vault::open(&file_source(&path, true), Arc::new(SeededRandom::new(SEED))).unwrap();
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Vault::open(&file_source(&path, true), Arc::new(SeededRandom::new(SEED))).unwrap_err();
        assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())), "{error}");
    }
}

#[test]
fn a_key_that_is_no_key_is_refused() {
    for text in ["", "short", "AAECAwQFBgcICQoLDA0ODw==", "not base64 at all, but long enough to be a key !!"] {
        let error = Vault::open(&KeySource::Variable(text.into()), Arc::new(SeededRandom::new(SEED))).unwrap_err();
        assert!(matches!(&error, VaultError::InvalidKey { origin } if origin == KEY_VARIABLE), "{error}");
    }
    let directory = scratch();
    let path = directory.path().join("key");
    fs::write(&path, "garbage").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let error = Vault::open(&file_source(&path, true), Arc::new(SeededRandom::new(SEED))).unwrap_err();
    assert!(matches!(error, VaultError::InvalidKey { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "garbage", "a file that is there is never replaced");
}

#[test]
fn either_base64_alphabet_is_read() {
    let key = [0xfb; 32];
    let standard = base64::engine::general_purpose::STANDARD.encode(key);
    let url_safe = URL_SAFE_NO_PAD.encode(key);
    assert_ne!(standard, url_safe);
    assert_eq!(vault_with(&standard).key_id(), vault_with(&format!(" {url_safe}\n")).key_id());
}
