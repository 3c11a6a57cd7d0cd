//! A conversation with a NETCONF server: greeting, questions, answers.

use std::sync::Arc;

use roxmltree::Node;
use russh::{ChannelStream, client::Msg};
use workflow::{RunError, StandardError};

use super::{
    LOCKED,
    framing::{Broken, Wire},
    xml::{BASE, elements, parse, text_of},
};
use crate::{
    Failure,
    egress::EgressPolicy,
    http::plain::excerpt,
    ssh::{
        session::Session,
        settings::{Access, Host},
    },
};

const BASE_1_1: &str = "urn:ietf:params:netconf:base:1.1";
const CANDIDATE: &str = "urn:ietf:params:netconf:capability:candidate:1.0";
const CONFIRMED_COMMIT: &str = "urn:ietf:params:netconf:capability:confirmed-commit:1.1";
const VALIDATE: &str = "urn:ietf:params:netconf:capability:validate:";
/// How long a device may take to greet.
const GREETING_LIMIT: std::time::Duration = std::time::Duration::from_secs(15);

/// How long a device may take to answer the first question, which asks for nothing.
const FIRST_ANSWER_LIMIT: std::time::Duration = std::time::Duration::from_secs(10);
/// How often it is greeted anew when it does not.
const GREETINGS: usize = 3;
/// A filter that selects nothing.
const NOTHING: &str = "<get-config><source><running/></source><filter type=\"subtree\"/></get-config>";

/// A device that has greeted.
pub(in crate::network) struct Conversation {
    wire: Wire<ChannelStream<Msg>>,
    ssh: Arc<Session>,
    pub(in crate::network) host: String,
    capabilities: Vec<String>,
    asked: u64,
}

/// An answer.
pub(in crate::network) struct Reply(String);

/// Why there is no good answer.
#[derive(Debug)]
pub(in crate::network) enum Fault {
    /// The device said no.
    Refused(Refusal),
    /// There was no answer.
    Broken(Broken),
}

/// What a device says why it does not do something.
#[derive(Debug)]
pub(in crate::network) struct Refusal {
    pub(in crate::network) tag: String,
    words: String,
}

impl Conversation {
    /// Signs in and greets. Nothing was asked if this fails.
    pub(in crate::network) async fn open(policy: &EgressPolicy, access: &Access, host: &Host) -> Result<Self, Failure> {
        let session = Session::open(policy, access, host).await?;
        Self::over(session, &host.name).await
    }

    /// Greets over a session that is there.
    ///
    /// Some servers that read our greeting late take the first chunks that follow it for a message without an end, and
    /// wait for that end forever. So the first question asks for nothing, and if there is no answer, they are greeted
    /// anew.
    pub(in crate::network) async fn over(ssh: Arc<Session>, host: &str) -> Result<Self, Failure> {
        for _ in 0..GREETINGS {
            let mut conversation = Self::greeted(Arc::clone(&ssh), host).await?;
            if !conversation.can(BASE_1_1) {
                return Ok(conversation);
            }
            match tokio::time::timeout(FIRST_ANSWER_LIMIT, conversation.ask(NOTHING)).await {
                Ok(Ok(_) | Err(Fault::Refused(_))) => return Ok(conversation),
                Ok(Err(fault @ Fault::Broken(_))) => return Err(fault.harmless(host, "the first question")),
                Err(_) => {}
            }
        }
        let seconds = FIRST_ANSWER_LIMIT.as_secs();
        Err(Failure::unreachable(format!(
            "{host} greets as a NETCONF server, and answered no question in {seconds} s, {GREETINGS} times; see whether \
             the server there is overloaded"
        )))
    }

    async fn greeted(ssh: Arc<Session>, host: &str) -> Result<Self, Failure> {
        let wire = Wire::new(ssh.subsystem("netconf", host).await?);
        let mut conversation = Self { wire, ssh, host: host.to_owned(), capabilities: Vec::new(), asked: 0 };
        let greeting = tokio::time::timeout(GREETING_LIMIT, conversation.greet()).await;
        greeting.unwrap_or_else(|_| {
            let seconds = GREETING_LIMIT.as_secs();
            Err(Failure::unreachable(format!("{host} did not greet as a NETCONF server in {seconds} s")))
        })?;
        Ok(conversation)
    }

    async fn greet(&mut self) -> Result<(), Failure> {
        let host = self.host.clone();
        let no_server = |broken: Broken| match broken {
            Broken::Lost(why) => Failure::unreachable(format!("{host} does not greet as a NETCONF server does: {why}")),
            Broken::TooLarge => Failure::refused(502, format!("{host} greets with more than a NETCONF server does")),
            Broken::Malformed(why) => {
                Failure::refused(502, format!("{host} does not greet as a NETCONF server does: {why}"))
            }
        };
        let ours = format!(
            "<hello xmlns=\"{BASE}\"><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability>\
             <capability>{BASE_1_1}</capability></capabilities></hello>"
        );
        self.wire.send(&ours).await.map_err(no_server)?;
        let theirs = self.wire.receive().await.map_err(no_server)?;
        self.capabilities = capabilities(&theirs).map_err(Broken::Malformed).map_err(no_server)?;
        if self.can(BASE_1_1) {
            self.wire.in_chunks();
        }
        Ok(())
    }

    fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known == capability || known.starts_with(&format!("{capability}?")))
    }

    pub(in crate::network) fn has_candidate(&self) -> bool {
        self.can(CANDIDATE)
    }

    /// Whether a commit can be confirmed by another session than the one that made it.
    pub(in crate::network) fn takes_back(&self) -> bool {
        self.can(CONFIRMED_COMMIT)
    }

    pub(in crate::network) fn validates(&self) -> bool {
        self.capabilities.iter().any(|known| known.starts_with(VALIDATE))
    }

    /// Asks, and takes the answer in.
    pub(in crate::network) async fn ask(&mut self, question: &str) -> Result<Reply, Fault> {
        self.asked += 1;
        let id = self.asked.to_string();
        let message = format!("<rpc xmlns=\"{BASE}\" message-id=\"{id}\">{question}</rpc>");
        self.wire.send(&message).await.map_err(Fault::Broken)?;
        let answer = self.wire.receive().await.map_err(Fault::Broken)?;
        judged(&answer, &id)?;
        Ok(Reply(answer))
    }

    /// Says goodbye; what goes wrong then does not matter any more.
    pub(in crate::network) async fn close(mut self) {
        let goodbye = self.ask("<close-session/>");
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), goodbye).await;
        self.ssh.close().await;
    }
}

fn capabilities(greeting: &str) -> Result<Vec<String>, String> {
    let document = parse(greeting.trim())?;
    let root = document.root_element();
    if root.tag_name().name() != "hello" {
        return Err(format!("it says <{}>", root.tag_name().name()));
    }
    let list = elements(root).find(|child| child.tag_name().name() == "capabilities");
    let list = list.ok_or("it names no capabilities")?;
    Ok(elements(list).filter_map(|capability| capability.text()).map(|text| text.trim().to_owned()).collect())
}

/// Whether it is the answer to this question, and a good one.
fn judged(answer: &str, id: &str) -> Result<(), Fault> {
    let malformed = |why: String| Fault::Broken(Broken::Malformed(why));
    let document = parse(answer.trim()).map_err(malformed)?;
    let root = document.root_element();
    if root.tag_name().name() != "rpc-reply" {
        return Err(malformed(format!("it says <{}>", root.tag_name().name())));
    }
    if root.attribute("message-id") != Some(id) {
        return Err(malformed("it answers another question".to_owned()));
    }
    let refusal = elements(root).filter(|child| child.tag_name().name() == "rpc-error").find_map(refusal);
    refusal.map_or(Ok(()), |refusal| Err(Fault::Refused(refusal)))
}

/// Warnings are none.
fn refusal(error: Node<'_, '_>) -> Option<Refusal> {
    if text_of(error, "error-severity").as_deref() == Some("warning") {
        return None;
    }
    let tag = text_of(error, "error-tag").unwrap_or_else(|| "operation-failed".to_owned());
    let path = text_of(error, "error-path").map(|path| format!(" at {path}")).unwrap_or_default();
    let message = text_of(error, "error-message").map(|message| format!(": {message}")).unwrap_or_default();
    let words = excerpt(&format!("{tag}{path}{message}"), []);
    Some(Refusal { tag, words })
}

impl Reply {
    /// What the element `data` of the answer holds, by a function.
    pub(in crate::network) fn data<T>(
        &self,
        read: impl FnOnce(Node<'_, '_>) -> Result<T, String>,
    ) -> Result<T, Broken> {
        let document = parse(self.0.trim()).map_err(Broken::Malformed)?;
        let data = elements(document.root_element()).find(|child| child.tag_name().name() == "data");
        let data = data.ok_or_else(|| Broken::Malformed("it has no data".to_owned()))?;
        read(data).map_err(Broken::Malformed)
    }
}

impl Refusal {
    fn is(&self, tags: &[&str]) -> bool {
        tags.contains(&self.tag.as_str())
    }

    /// Whether it says nothing about the thing that was asked for, but about who asked, or when.
    pub(in crate::network) fn is_about_asking(&self) -> bool {
        self.is(&["access-denied", "lock-denied", "in-use", "resource-denied", "operation-not-supported"])
    }

    /// What it means for a call that has changed nothing.
    pub(in crate::network) fn failure(&self, host: &str, what: &str) -> Failure {
        let words = format!("{host} refused {what}: {}", self.words);
        if self.is(&["lock-denied", "in-use", "resource-denied"]) {
            let remedy = "somebody else changes it, or has left changes in the candidate; try again later, or have them \
                          discarded there";
            return Failure::retryable(RunError::communication(LOCKED, format!("{words}. {remedy}")));
        }
        if self.is(&["access-denied"]) {
            let remedy = "give the connection's account the right on the device";
            return Failure::permanent(RunError::new(StandardError::Authorization, format!("{words}; {remedy}")));
        }
        let status = if self.is(&["data-exists", "data-missing"]) { 409 } else { 400 };
        Failure::refused(status, words)
    }
}

impl Fault {
    /// What it means for a call that has changed nothing, and may be made again.
    pub(in crate::network) fn harmless(self, host: &str, what: &str) -> Failure {
        match self {
            Self::Refused(refusal) => refusal.failure(host, what),
            Self::Broken(Broken::Lost(why)) => {
                Failure::unreachable(format!("the connection to {host} was lost during {what}: {why}"))
            }
            Self::Broken(broken) => broken.unusable(host, what),
        }
    }

    /// What it means for what may have happened: only a refusal says that it did not.
    pub(in crate::network) fn uncertain(self, host: &str, what: &str) -> Failure {
        let why = match self {
            Self::Refused(refusal) => return refusal.failure(host, what),
            Self::Broken(broken) => broken.words(),
        };
        Failure::unknown(RunError::communication(
            503,
            format!("no answer of {host} to {what} ({why}), so that it may have happened; look there"),
        ))
    }
}

impl Broken {
    fn words(&self) -> String {
        match self {
            Self::Lost(why) => format!("the connection was lost: {why}"),
            Self::TooLarge => "the answer is larger than 8 MiB".to_owned(),
            Self::Malformed(why) => format!("the answer cannot be read: {why}"),
        }
    }

    /// It was answered with what cannot be used; what only reads has failed by that.
    pub(in crate::network) fn unusable(&self, host: &str, what: &str) -> Failure {
        let remedy = match self {
            Self::TooLarge => "; ask for less by `filter`",
            Self::Lost(_) | Self::Malformed(_) => "; see whether a NETCONF server answers there",
        };
        Failure::refused(502, format!("{host}, {what}: {}{remedy}", self.words()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_from_a_warning_and_from_somebody_elses_answer() {
        let reply = |inside: &str| format!("<rpc-reply xmlns=\"{BASE}\" message-id=\"3\">{inside}</rpc-reply>");
        assert!(judged(&reply("<ok/>"), "3").is_ok());
        assert!(matches!(judged(&reply("<ok/>"), "4"), Err(Fault::Broken(_))));
        let warning = "<rpc-error><error-severity>warning</error-severity></rpc-error><ok/>";
        assert!(judged(&reply(warning), "3").is_ok());
        let error = "<rpc-error><error-tag>lock-denied</error-tag><error-severity>error</error-severity>\
                     <error-message>held by 4</error-message></rpc-error>";
        let Err(Fault::Refused(refusal)) = judged(&reply(error), "3") else { panic!() };
        let failure = refusal.failure("r1", "the lock");
        assert_eq!((failure.kind, failure.error.status), (crate::FailureKind::Retryable, 423));
        assert!(failure.detail().contains("held by 4") && failure.detail().contains("try again"), "{failure}");
    }

    #[test]
    fn only_a_greeting_is_one() {
        let hello =
            format!("<hello xmlns=\"{BASE}\"><capabilities><capability> a </capability></capabilities></hello>");
        assert_eq!(capabilities(&hello), Ok(vec!["a".to_owned()]));
        for bad in ["", "<rpc/>", "<hello/>", "SSH-2.0"] {
            assert!(capabilities(bad).is_err(), "{bad}");
        }
    }
}
