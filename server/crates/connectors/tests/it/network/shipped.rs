//! `network/change-configuration`, over the connectors; over the whole server it is in `server/tests/it/catalogue`.

use domain::RunStatus;
use serde_json::{Value, json};

use super::{Lab, lab};
use crate::{
    shipped::{Ended, parsed, run},
    support::{done, eventually},
};

fn change(config: &str) -> Value {
    json!({"device": "r1", "config": config, "reason": "a test", "settle": 1, "checks": 2})
}

impl Lab {
    async fn changes(&self, input: Value, approve: bool) -> Ended {
        let definition = parsed(&self.bench, "network/change-configuration.yaml");
        run(&self.bench, &definition, input, approve).await
    }

    async fn digest(&self) -> Value {
        done(self.call("network", "getConfig", json!({})).await)["digest"].clone()
    }

    /// The neighbours are those of the router, who are there.
    async fn with_neighbours(&self, kind: &str, settings: &Value) {
        self.bench.connect("network", kind, settings.clone()).await;
        self.bench.connect("network-cli", "device", self.r1.clone()).await;
        eventually(async || {
            let seen = done(self.call("network-cli", "neighbours", json!({})).await);
            seen["neighbours"].as_array().unwrap().iter().any(|one| one["established"] == true)
        })
        .await;
    }
}

#[tokio::test]
async fn a_router_is_changed_and_one_that_loses_a_neighbour_is_changed_back() {
    let Some(lab) = lab().await else { return };
    lab.with_neighbours("device", &lab.r1).await;
    let before = lab.digest().await;
    let route = "ip route 192.0.2.64/26 blackhole";
    let declined = lab.changes(change(route), false).await;
    assert_eq!((declined.status, lab.digest().await), (RunStatus::Faulted, before.clone()));
    let ended = lab.changes(change(route), true).await;
    assert_eq!(ended.output["outcome"], "changed", "{:?} {:?}", ended.error, ended.tasks);
    assert_eq!((&ended.output["neighbours"], ended.compensated), (&json!(["10.99.0.2"]), false));
    assert_ne!(lab.digest().await, before);
    assert_eq!(lab.changes(change(route), false).await.output["outcome"], "unchanged");
    assert_eq!(lab.changes(change(&format!("no {route}")), true).await.output["outcome"], "changed");
    assert_eq!(lab.digest().await, before);

    let ended = lab.changes(change("router bgp 65001\n no neighbor 10.99.0.2"), true).await;
    assert!(ended.status == RunStatus::Faulted && ended.compensated, "{:?} {:?}", ended.error, ended.tasks);
    assert!(ended.error.unwrap().contains("10.99.0.2"));
    assert_eq!(lab.digest().await, before);
}

#[tokio::test]
async fn a_change_by_netconf_is_confirmed_or_taken_back() {
    let Some(lab) = lab().await else { return };
    lab.with_neighbours("netconf", &lab.netconf).await;
    let interface = |name: &str| {
        change(&format!(
            "<interfaces xmlns=\"urn:ietf:params:xml:ns:yang:ietf-interfaces\"><interface><name>{name}</name>\
             <type xmlns:i=\"urn:ietf:params:xml:ns:yang:iana-if-type\">i:ethernetCsmacd</type></interface></interfaces>"
        ))
    };
    let name = format!("shipped{}", testkit::seed());
    let ended = lab.changes(interface(&name), true).await;
    assert_eq!(ended.output["outcome"], "changed", "{:?} {:?}", ended.error, ended.tasks);
    assert_eq!(lab.changes(interface(&name), false).await.output["outcome"], "unchanged");
    let before = lab.digest().await;
    let mut away = interface(&format!("{name}-away"));
    away["neighbours"] = json!(["10.99.0.77"]);
    let ended = lab.changes(away, true).await;
    assert!(ended.status == RunStatus::Faulted && ended.compensated, "{:?} {:?}", ended.error, ended.tasks);
    assert_eq!(lab.digest().await, before);
}
