//! The other system: an HTTP server that has effects, counts them by idempotency key, and is unreliable on purpose.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{any, post},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// An effect that was had.
#[derive(Clone, Debug)]
pub(super) struct Effect {
    pub(super) key: String,
    pub(super) order: String,
    pub(super) step: String,
    /// How often it was asked for.
    pub(super) asked: u32,
}

/// The server; it ends with the test's runtime.
pub(super) struct Effects {
    pub(super) url: String,
    state: Arc<Mutex<Ledger>>,
}

struct Ledger {
    /// In the order in which they were had.
    effects: Vec<Effect>,
    /// Where an effect stands, by its key.
    by_key: BTreeMap<String, usize>,
    /// What no client may do.
    faults: Vec<String>,
    random: StdRng,
}

/// What becomes of a request.
enum Mood {
    /// No effect, and an answer that says so.
    Busy,
    /// The effect, and an answer that never comes whole.
    Lost,
    /// The effect, and an answer after this time.
    Slow(Duration),
}

impl Effects {
    pub(super) async fn start(seed: u64) -> Self {
        let ledger = Ledger {
            effects: Vec::new(),
            by_key: BTreeMap::new(),
            faults: Vec::new(),
            random: StdRng::seed_from_u64(seed),
        };
        let state = Arc::new(Mutex::new(ledger));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/effects/{order}/{step}", post(effect))
            .route("/refusals", post(|| async { StatusCode::UNPROCESSABLE_ENTITY }))
            .route("/never", any(std::future::pending::<()>))
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    /// All effects so far, in their order.
    pub(super) fn all(&self) -> Vec<Effect> {
        self.state.lock().unwrap().effects.clone()
    }

    pub(super) fn faults(&self) -> Vec<String> {
        self.state.lock().unwrap().faults.clone()
    }

    /// The answer to a step, if it was had.
    pub(super) fn answer(&self, order: &str, step: &str) -> Option<Value> {
        let ledger = self.state.lock().unwrap();
        let had = ledger.effects.iter().any(|effect| effect.order == order && effect.step == step);
        had.then(|| receipt(order, step))
    }
}

fn receipt(order: &str, step: &str) -> Value {
    json!({"receipt": format!("{order}/{step}")})
}

impl Ledger {
    fn mood(&mut self) -> Mood {
        match self.random.random_range(0..100) {
            0..8 => Mood::Busy,
            8..13 => Mood::Lost,
            13..40 => Mood::Slow(Duration::from_millis(self.random.random_range(20..600))),
            _ => Mood::Slow(Duration::ZERO),
        }
    }

    /// Has the effect, unless it was had under this key.
    fn have(&mut self, key: &str, order: &str, step: &str) {
        if let Some(known) = self.by_key.get(key).and_then(|place| self.effects.get_mut(*place)) {
            known.asked += 1;
            if (known.order.as_str(), known.step.as_str()) != (order, step) {
                self.faults.push(format!("{order}/{step} used the key of {}/{}", known.order, known.step));
            }
            return;
        }
        self.by_key.insert(key.to_owned(), self.effects.len());
        self.effects.push(Effect { key: key.to_owned(), order: order.to_owned(), step: step.to_owned(), asked: 1 });
    }
}

async fn effect(
    State(state): State<Arc<Mutex<Ledger>>>,
    Path((order, step)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let mood = {
        let mut ledger = state.lock().unwrap();
        let Some(key) = headers.get("idempotency-key").and_then(|key| key.to_str().ok()) else {
            ledger.faults.push(format!("{order}/{step} was asked for without a key"));
            return StatusCode::BAD_REQUEST.into_response();
        };
        let mood = ledger.mood();
        if !matches!(mood, Mood::Busy) {
            ledger.have(key, &order, &step);
        }
        mood
    };
    match mood {
        Mood::Busy => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Mood::Lost => {
            let cut_off = futures::stream::iter([Err::<Vec<u8>, _>(io::Error::from(io::ErrorKind::ConnectionAborted))]);
            ([("content-type", "application/json")], Body::from_stream(cut_off)).into_response()
        }
        Mood::Slow(pause) => {
            tokio::time::sleep(pause).await;
            Json(receipt(&order, &step)).into_response()
        }
    }
}
