//! Infrastructure and servers from what stands in a repository: Terraform, with resources that need no provider, and Ansible, with
//! the hosts of the lab.

use std::{os::unix::fs::PermissionsExt as _, process::Command};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    Answer, Portal,
    lab::{self, Repository},
    seen::unique,
};

/// A folder that the user of processes can write to, too.
fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

/// A portal over a repository whose namespace may run processes and has this secret.
async fn portal(repository: (&'static str, String, Value), namespace: &str, secret: (&str, Value)) -> Portal {
    let portal = Portal::open(&[repository, lab::to("smtp", "mail")]).await;
    let permission = format!("/process-permissions/{namespace}");
    portal.by_admin(Method::PUT, &permission, &json!({})).await;
    let (name, value) = secret;
    portal.by_admin(Method::PUT, &format!("/secrets/{namespace}/{name}"), &json!({"value": value})).await;
    portal
}

/// A configuration that keeps its state in this folder and makes one thing of this size.
fn configuration(state: &TempDir, size: &str) -> String {
    let path = state.path().join("terraform.tfstate");
    format!(
        "terraform {{\n  backend \"local\" {{\n    path = \"{}\"\n  }}\n}}\n\
         resource \"terraform_data\" \"machine\" {{\n  input = {{ size = \"{size}\" }}\n}}\n\
         output \"size\" {{\n  value = terraform_data.machine.output.size\n}}\n",
        path.display()
    )
}

/// What the state says that there is; none where there is no state.
fn size_in(state: &TempDir) -> Option<String> {
    let text = std::fs::read_to_string(state.path().join("terraform.tfstate")).ok()?;
    let state: Value = serde_json::from_str(&text).unwrap();
    state["outputs"]["size"]["value"].as_str().map(str::to_owned)
}

/// Whether there is a Terraform. No registry of packages has it, so that a machine need not.
fn has_terraform() -> bool {
    let there = Command::new("terraform").arg("version").output().is_ok();
    if !there {
        println!("terraform is not installed: nothing was tested");
    }
    there
}

fn wanted(tag: &str) -> Value {
    json!({"ref": tag, "notify": "sam@example.test"})
}

#[tokio::test]
async fn a_plan_is_applied_as_it_was_approved_whatever_dies() {
    if !has_terraform() {
        return;
    }
    let state = open_folder();
    let repository = Repository::new(&[("main.tf", &configuration(&state, "small"))]);
    let secret = ("terraform", json!({"TF_LOG": "off"}));
    let mut portal = portal(repository.connection("infrastructure"), "cloud", secret).await;
    let run = portal.launch("cloud/apply-infrastructure", &wanted("v1")).await;
    portal.kill_when(&run, "read").await;
    // What was agreed on is what was read, wherever the branch goes.
    repository.release("v2", &[("main.tf", &configuration(&state, "large"))]);
    let ended = portal.complete(&run).await;
    assert_eq!(ended["output"]["outputs"], json!({"size": "small"}), "{ended:#}");
    assert_eq!(ended["output"]["changes"], json!({"create": 1, "update": 0, "delete": 0}));
    assert_eq!(size_in(&state).as_deref(), Some("small"));
    let again = portal.run("cloud/apply-infrastructure", &wanted("v1"), Answer::Reject).await;
    assert_eq!((&again["status"], &again["output"]["applied"]), (&json!("completed"), &json!(false)), "{again:#}");
}

#[tokio::test]
async fn a_plan_whose_state_has_changed_since_is_not_applied() {
    if !has_terraform() {
        return;
    }
    let state = open_folder();
    let repository = Repository::new(&[("main.tf", &configuration(&state, "small"))]);
    repository.release("v2", &[("main.tf", &configuration(&state, "large"))]);
    let secret = ("terraform", json!({"TF_LOG": "off"}));
    let portal = portal(repository.connection("infrastructure"), "cloud", secret).await;
    let planned = portal.launch("cloud/apply-infrastructure", &wanted("v1")).await;
    portal.asked(&planned).await;
    let quicker = portal.run("cloud/apply-infrastructure", &wanted("v2"), Answer::Approve).await;
    assert_eq!(quicker["status"], "completed", "{quicker:#}");
    let ended = portal.follow(&planned, Answer::Approve).await;
    assert_eq!(ended["status"], "faulted");
    assert!(ended["error"]["detail"].as_str().unwrap().contains("stale"), "{ended:#}");
    assert_eq!(size_in(&state).as_deref(), Some("large"));
}

/// A playbook that writes a file on each host, and fails on one that has a file called `full`.
fn playbooks() -> Repository {
    let home = lab::setting("TEST_SSH_HOME");
    let playbook = format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n\
         \x20 - name: there is room\n    ansible.builtin.stat: {{path: '{home}/{{{{ mark }}}}-full'}}\n    register: full\n    \
         failed_when: full.stat.exists and inventory_hostname == 'second'\n\
         \x20 - name: write the file\n    ansible.builtin.copy: {{content: done, dest: '{home}/{{{{ mark }}}}-{{{{ inventory_hostname }}}}'}}\n"
    );
    let host = |name: &str, port: &str| {
        format!(
            "{name} ansible_host=127.0.0.1 ansible_port={port} ansible_user={} ansible_python_interpreter=/usr/bin/python3\n",
            lab::setting("TEST_SSH_USER")
        )
    };
    let (port, key) = (lab::setting("TEST_SSH_PORT"), lab::setting("TEST_SSH_HOST_KEY"));
    let inventory = host("first", &port) + &host("second", &port);
    let known = format!("[127.0.0.1]:{port} {key}\n");
    Repository::new(&[("site.yml", &playbook), ("hosts.ini", &inventory), ("known_hosts", &known)])
}

fn written(mark: &str) -> Vec<bool> {
    let home = std::path::PathBuf::from(lab::setting("TEST_SSH_HOME"));
    ["first", "second"].map(|host| home.join(format!("{mark}-{host}")).exists()).to_vec()
}

fn played(mark: &str) -> Value {
    json!({"ref": "v1", "playbook": "site.yml", "variables": {"mark": mark}, "notify": "sam@example.test"})
}

async fn ansible(repository: &Repository) -> Portal {
    let key = std::fs::read_to_string(lab::setting("TEST_SSH_KEY")).unwrap();
    let secret = ("ansible", json!({"privateKey": key}));
    portal(repository.connection("playbooks"), "servers", secret).await
}

#[tokio::test]
async fn a_playbook_is_played_after_what_it_changes_was_approved() {
    let repository = playbooks();
    let portal = ansible(&repository).await;
    let mark = unique("play");
    let run = portal.launch("servers/apply-playbook", &played(&mark)).await;
    let approval = portal.asked(&run).await;
    assert!(approval["title"].as_str().unwrap().contains("2 of 2 hosts"), "{approval:#}");
    assert_eq!(written(&mark), [false, false], "check mode changes nothing");
    let ended = portal.complete(&run).await;
    assert_eq!(ended["output"]["hosts"]["second"]["changed"], 1, "{ended:#}");
    assert_eq!(written(&mark), [true, true]);
}

#[tokio::test]
async fn a_host_that_fails_is_named_and_the_others_keep_what_they_got() {
    let repository = playbooks();
    let portal = ansible(&repository).await;
    let mark = unique("fail");
    let run = portal.launch("servers/apply-playbook", &played(&mark)).await;
    portal.asked(&run).await;
    std::fs::write(std::path::PathBuf::from(lab::setting("TEST_SSH_HOME")).join(format!("{mark}-full")), "").unwrap();
    let ended = portal.follow(&run, Answer::Approve).await;
    assert_eq!(ended["status"], "faulted", "{ended:#}");
    assert!(ended["error"]["detail"].as_str().unwrap().contains("second: "), "{ended:#}");
    assert_eq!(written(&mark), [true, false]);
}
