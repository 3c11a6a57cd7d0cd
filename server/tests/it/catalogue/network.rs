//! Network: `FRRouting` routers with a session of BGP, a NETCONF server, and a firewall of nftables, in network
//! namespaces.

use std::{
    fs::File,
    process::{Command, Output},
};

use serde_json::{Value, json};

use super::{Answer, Portal, lab};

/// The devices, of which one test at a time makes use; none where there are none, since only root can make them.
async fn devices() -> Option<File> {
    let Ok(turn) = std::env::var("TEST_NETWORK_TURN") else {
        eprintln!("skipped: there are no network devices; run the tests as root, by scripts/with-services");
        return None;
    };
    let turn = File::open(turn).unwrap();
    Some(tokio::task::spawn_blocking(move || turn.lock().map(|()| turn)).await.unwrap().unwrap())
}

async fn routers() -> Portal {
    let portal = Portal::open(&[lab::to("network", "network"), lab::to("network", "network-cli")]).await;
    while !on_router("show bgp summary json").contains("\"Established\"") {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    portal
}

/// Changes go to the server of NETCONF, and the neighbours are those of the router.
async fn netconf() -> Portal {
    let (_, kind, settings) = lab::to("network", "network-netconf");
    Portal::open(&[("network", kind, settings), lab::to("network", "network-cli")]).await
}

fn run(command: &str, arguments: &[&str]) -> Output {
    Command::new(command).args(arguments).output().unwrap()
}

fn namespace(name: &str) -> String {
    format!("{}-{name}", lab::setting("TEST_NETWORK_NAMESPACES"))
}

/// What the first router itself shows, without what it says about its answer.
fn on_router(command: &str) -> String {
    let output = run("vtysh", &["-N", &namespace("r1"), "-c", command]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether the web server behind the firewall answers the second router.
fn is_open() -> bool {
    let ask = "exec 3<>/dev/tcp/10.98.0.1/8080";
    run("ip", &["netns", "exec", &namespace("r2"), "timeout", "5", "bash", "-c", ask]).status.success()
}

fn change(config: &str) -> Value {
    json!({"device": "r1", "config": config, "reason": "a test", "settle": 1, "checks": 2})
}

fn interface(name: &str) -> Value {
    change(&format!(
        "<interfaces xmlns=\"urn:ietf:params:xml:ns:yang:ietf-interfaces\"><interface><name>{name}</name>\
         <type xmlns:i=\"urn:ietf:params:xml:ns:yang:iana-if-type\">i:ethernetCsmacd</type></interface></interfaces>"
    ))
}

/// Whether the device has it all already, so that nobody is asked.
async fn is_there(portal: &Portal, change: &Value) -> bool {
    let ended = portal.run("network/change-configuration", change, Answer::Reject).await;
    ended["output"]["outcome"] == "unchanged"
}

#[tokio::test]
async fn a_change_of_a_router_is_kept_if_its_neighbours_come_again_whatever_dies() {
    let Some(_turn) = devices().await else { return };
    let mut portal = routers().await;
    let run = portal.launch("network/change-configuration", &change("ip route 192.0.2.128/25 blackhole")).await;
    let asked = portal.asked(&run).await;
    assert!(asked.to_string().contains("+ ip route 192.0.2.128/25 blackhole"), "{asked:#}");
    portal.kill_when(&run, "change").await;
    let ended = portal.complete(&run).await;
    assert_eq!(ended["output"], json!({"device": "r1", "outcome": "changed", "neighbours": ["10.99.0.2"]}));
    let saved = std::fs::read_to_string(format!("/etc/frr/{}/frr.conf", namespace("r1"))).unwrap();
    for config in [on_router("show running-config"), saved] {
        assert!(config.contains("ip route 192.0.2.128/25 blackhole"), "{config}");
    }
    portal.run("network/change-configuration", &change("no ip route 192.0.2.128/25 blackhole"), Answer::Approve).await;
    assert!(!on_router("show running-config").contains("192.0.2.128"));
}

#[tokio::test]
async fn a_change_that_costs_a_neighbour_is_taken_back() {
    let Some(_turn) = devices().await else { return };
    let portal = routers().await;
    let before = on_router("show running-config");
    let away = change("router bgp 65001\n no neighbor 10.99.0.2");
    let ended = portal.run("network/change-configuration", &away, Answer::Approve).await;
    assert_eq!((&ended["status"], &ended["compensated"]), (&json!("faulted"), &json!(true)), "{ended:#}");
    let words = ended["error"]["detail"].as_str().unwrap();
    assert!(words.contains("10.99.0.2") && words.contains("taken back"), "{words}");
    assert_eq!(on_router("show running-config"), before);
    let ended = portal.run("network/change-configuration", &away, Answer::Reject).await;
    assert_eq!((ended["status"].as_str(), on_router("show running-config")), (Some("faulted"), before));
}

#[tokio::test]
async fn a_change_by_netconf_is_confirmed_by_the_server_that_comes_after() {
    let Some(_turn) = devices().await else { return };
    let mut portal = netconf().await;
    let run = portal.launch("network/change-configuration", &interface("confirmed")).await;
    portal.kill_when(&run, "change").await;
    let ended = portal.complete(&run).await;
    assert_eq!(ended["output"]["outcome"], "changed");
    assert!(is_there(&portal, &interface("confirmed")).await);
}

#[tokio::test]
async fn a_change_by_netconf_that_nobody_confirms_in_time_is_gone() {
    let Some(_turn) = devices().await else { return };
    let mut portal = netconf().await;
    let mut late = interface("late");
    late["confirmWithin"] = json!("PT1S");
    late["settle"] = json!(3);
    let run = portal.launch("network/change-configuration", &late).await;
    portal.kill_when(&run, "change").await;
    let ended = portal.follow(&run, Answer::Approve).await;
    assert_eq!((&ended["status"], &ended["compensated"]), (&json!("faulted"), &json!(true)), "{ended:#}");
    assert!(ended["error"]["detail"].as_str().unwrap().contains("taken the change back by itself"), "{ended:#}");
    assert!(!is_there(&portal, &late).await);
    let mut away = interface("away");
    away["neighbours"] = json!(["10.99.0.77"]);
    let ended = portal.run("network/change-configuration", &away, Answer::Approve).await;
    assert_eq!((&ended["status"], &ended["compensated"]), (&json!("faulted"), &json!(true)), "{ended:#}");
    assert!(!is_there(&portal, &away).await);
}

fn opening(how_long: &str) -> Value {
    json!({"firewall": "127.0.0.1", "source": "10.98.0.2", "port": 8080, "for": how_long, "reason": "a test"})
}

#[tokio::test]
async fn a_port_is_open_for_its_time_and_closed_whatever_dies() {
    let Some(_turn) = devices().await else { return };
    let mut portal = Portal::open(&[lab::to("network", "firewall")]).await;
    let ended = portal.run("network/open-port", &opening("PT1H"), Answer::Reject).await;
    assert_eq!((ended["status"].as_str(), is_open()), (Some("faulted"), false));
    let run = portal.launch("network/open-port", &opening("PT3S")).await;
    portal.reach(&run, "open", &["completed"]).await;
    assert!(is_open());
    portal.kill();
    let ended = portal.complete(&run).await;
    assert_eq!((&ended["output"]["outcome"], is_open()), (&json!("closed"), false));
}

#[tokio::test]
async fn a_port_is_closed_when_its_request_is_cancelled() {
    let Some(_turn) = devices().await else { return };
    let portal = Portal::open(&[lab::to("network", "firewall")]).await;
    let run = portal.launch("network/open-port", &opening("PT2H")).await;
    portal.reach(&run, "open", &["completed"]).await;
    assert!(is_open());
    // What is open is nobody else's to open, and so to close.
    let other = portal.run("network/open-port", &opening("PT1H"), Answer::Approve).await;
    assert_eq!((other["status"].as_str(), is_open()), (Some("faulted"), true), "{other:#}");
    portal.cancel(&run).await;
    let ended = portal.follow(&run, Answer::Approve).await;
    assert_eq!((&ended["status"], &ended["compensated"], is_open()), (&json!("cancelled"), &json!(true), false));
}
