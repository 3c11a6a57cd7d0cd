//! `call: network` on a real server of NETCONF and real routers, and on a stand-in of RESTCONF, for want of a real one.

mod device;
mod netconf;
mod restconf;
mod shipped;

use std::{fs::File, time::Duration};

use connectors::{CallContext, Outcome};
use serde_json::{Value, json};

use crate::support::{Bench, service};

/// The devices of the lab, of which one test at a time makes use.
struct Lab {
    bench: Bench,
    netconf: Value,
    r1: Value,
    _turn: File,
}

async fn lab() -> Option<Lab> {
    let names = [
        "TEST_NETWORK_NETCONF_PORT",
        "TEST_NETWORK_R1_PORT",
        "TEST_NETWORK_R2_PORT",
        "TEST_NETWORK_HOST_KEY",
        "TEST_NETWORK_USER",
        "TEST_NETWORK_KEY",
        "TEST_NETWORK_TURN",
    ];
    let [netconf, r1, r2, host_key, user, key, turn] = service(&names)?.try_into().ok()?;
    let turn = File::open(turn).unwrap();
    let turn = tokio::task::spawn_blocking(move || turn.lock().map(|()| turn)).await.unwrap().unwrap();
    let at = |port: &str| {
        json!({
            "host": "127.0.0.1", "port": port.parse::<u16>().unwrap(), "user": user, "hostKeys": [host_key],
            "privateKey": std::fs::read_to_string(&key).unwrap(),
        })
    };
    let (mut netconf, mut r1) = (at(&netconf), at(&r1));
    // This server loses what it validates.
    netconf["validate"] = json!(false);
    r1["platform"] = json!("frr");
    netconf["hosts"] = json!([format!("r1 127.0.0.1:{} {host_key}", netconf["port"])]);
    r1["hosts"] = json!([format!("r1 127.0.0.1:{} {host_key}", r1["port"]), format!("r2 127.0.0.1:{r2} {host_key}"),]);
    let bench = Bench::new().await;
    bench.connect("netconf", "netconf", netconf.clone()).await;
    bench.connect("routers", "device", r1.clone()).await;
    Some(Lab { bench, netconf, r1, _turn: turn })
}

fn with(connection: &str, operation: &str, more: Value) -> Value {
    let mut with = json!({"connection": connection, "operation": operation});
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    with
}

impl Lab {
    async fn call(&self, connection: &str, operation: &str, more: Value) -> Outcome {
        self.with_key("key", connection, operation, more).await
    }

    async fn with_key(&self, key: &str, connection: &str, operation: &str, more: Value) -> Outcome {
        self.bench.call("network", key, with(connection, operation, more)).await
    }

    fn limited(&self, limit: Duration) -> CallContext {
        let mut context = self.bench.context("limited");
        context.deadline = Some(context.clock.now() + limit);
        context
    }
}

/// Settings with others in their place.
fn changed(settings: &Value, more: Value) -> Value {
    let mut settings = settings.clone();
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}
