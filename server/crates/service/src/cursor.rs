//! Cursors of keyset-paged lists: opaque text for callers, the last item's key for us.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{ErrorCode, Problem, view::Page};
use serde::{Serialize, de::DeserializeOwned};

/// Items per page where the caller does not say.
pub(crate) const DEFAULT_LIMIT: u32 = 50;
/// Most items per page.
pub(crate) const MAX_LIMIT: u32 = 200;

/// The asked number of items, within bounds.
pub(crate) fn limit(asked: Option<u32>) -> u32 {
    asked.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT)
}

/// The key in a cursor.
pub(crate) fn decode<K: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<K>, Problem> {
    let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else { return Ok(None) };
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .map(Some)
        .ok_or_else(|| Problem::new(ErrorCode::BadRequest).with_detail("the cursor is not one that this server gave"))
}

/// The cursor of the page that comes after this key.
pub(crate) fn encode<K: Serialize>(key: &K) -> Option<String> {
    Some(URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).ok()?))
}

/// A page of rows that were read one beyond `limit`: the extra row only says that there are more.
pub(crate) fn page<R, K: Serialize>(mut rows: Vec<R>, limit: u32, key: impl Fn(&R) -> K) -> Page<R> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).and_then(|row| encode(&key(row)));
    Page { items: rows, next }
}

/// The same page with other items.
pub(crate) fn map<R, V>(page: Page<R>, view: impl FnMut(R) -> V) -> Page<V> {
    Page { items: page.items.into_iter().map(view).collect(), next: page.next }
}
