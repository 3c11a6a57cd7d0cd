//! Connectors against what they talk to: HTTP services of our own, Rondo's own directory, a real OpenLDAP, a real SMTP
//! server, a real Git server, and the shipped workflows over them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "helpers of tests: what fails here is the test's failure, and json!() reads best as an argument"
)]

mod asyncapi;
mod authentication;
mod aws;
mod builtin;
mod chat;
mod container;
mod dns;
mod egress;
mod faults;
mod git;
mod grpc;
mod http;
mod identity;
mod imap;
mod kubernetes;
mod ldap;
mod mcp;
mod messaging;
mod network;
mod openapi;
mod proxy;
mod registry;
mod s3;
mod s3_watch;
mod scim;
mod shipped;
mod smtp;
mod sql;
mod ssh;
mod support;
mod ticket;
mod wait_for;
