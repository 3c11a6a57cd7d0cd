//! Messages over MQTT 5: topics are channels, and a message is acknowledged once it is safe.
//!
//! The packets are those of `rumqttc`; the socket is our own, so that it goes where calls may go, and what is certain
//! about a message is known.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{SinkExt as _, StreamExt as _};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use rumqttc::v5::mqttbytes::{
    Error as MqttError, QoS,
    v5::{
        Codec, Connect, ConnectProperties, ConnectReturnCode, Disconnect, DisconnectReasonCode, Filter, Login, Packet,
        PingReq, PubAck, PubAckReason, Publish, PublishProperties, RetainForwardRule, Subscribe, SubscribeReasonCode,
    },
};
use serde_json::{Map, Value};
use tokio::time::{Instant, interval_at, sleep, timeout};
use tokio_util::codec::Framed;
use url::Url;
use workflow::{RunError, StandardError};

use super::{
    document::Operation,
    message,
    socket::{self, Socket},
};
use crate::{
    CallContext, Failure, FailureKind, Messages,
    egress::CONNECT_LIMIT,
    http::{
        Http,
        authentication::Credentials,
        outgoing::{encode_body, text_of},
    },
};

/// How often a subscription makes sure that the broker is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long a broker keeps messages for a subscription that nobody is connected for, in seconds.
const SESSION: u32 = 3_600;
/// Messages that a broker may send before the first of them is acknowledged.
const RECEIVE_MAXIMUM: u16 = 16;
/// The largest packet.
const PACKET_LIMIT: u32 = 5 * 1024 * 1024;
/// Pauses before a broken subscription is taken up again; the last one stays.
const PAUSES: [Duration; 5] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(15), KEEP_ALIVE];
/// The only packet of ours that is under way at a time.
const PACKET: u16 = 1;
/// The word for any value of a level of a topic.
const ANYTHING: &str = "+";

/// A broker, and what is to be done there.
pub(super) struct Broker<'a> {
    pub(super) http: &'a Http,
    pub(super) operation: &'a Operation,
    pub(super) encrypted: bool,
    pub(super) credentials: Option<Credentials>,
    pub(super) context: &'a CallContext,
}

type Packets = Framed<Box<dyn Socket>, Codec>;

/// How a subscription's connection ended.
enum Ended {
    /// Nobody wants more.
    Unwanted,
    /// It broke, before or after the broker had taken the subscription.
    Broken { failure: Failure, subscribed: bool },
}

impl Broker<'_> {
    /// Sends a message. Done when the broker has taken it, as far as the quality of service lets that be known.
    pub(super) async fn publish(&self, message: &Value, idempotent: bool) -> Result<Value, Failure> {
        let publish = self.packet(message)?;
        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
        let acknowledged = publish.qos != QoS::AtMostOnce;
        let mut packets = self.connect(None).await?;
        let lost = |detail: String| {
            let error = RunError::communication(503, format!("the broker: {detail}"));
            if idempotent { Failure::lost(error) } else { Failure::unknown(error) }
        };
        packets.send(Packet::Publish(publish)).await.map_err(|error| lost(error.to_string()))?;
        if acknowledged {
            let reason = acknowledgement(&mut packets);
            let reason = timeout(CONNECT_LIMIT, reason).await.map_err(|_| lost("no answer in time".to_owned()))?;
            refused_message(reason.map_err(lost)?)?;
        }
        // The message is there; whether the farewell is does not matter.
        let _ = packets.send(Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection))).await;
        self.context.info(format!("{topic}: a message was sent"));
        Ok(Value::Null)
    }

    /// Delivers what comes until nobody wants more. A connection that breaks is opened again, and the broker keeps what
    /// comes meanwhile.
    pub(super) async fn subscribe(&self) -> Result<Value, Failure> {
        let messages = self.context.messages.as_ref();
        let messages = messages.ok_or_else(|| Failure::configuration("nobody takes messages here"))?;
        let mut pauses = PAUSES.iter();
        let mut was_subscribed = false;
        loop {
            match self.listen(messages.as_ref()).await {
                Ended::Unwanted => return Ok(Value::Null),
                Ended::Broken { failure, subscribed } => {
                    was_subscribed |= subscribed;
                    if !was_subscribed || failure.kind != FailureKind::Retryable {
                        return Err(failure);
                    }
                    if subscribed {
                        pauses = PAUSES.iter();
                    }
                    self.context.warn(format!("the subscription broke, and is taken up again: {}", failure.detail()));
                    sleep(*pauses.next().unwrap_or(&KEEP_ALIVE)).await;
                }
            }
        }
    }

    async fn listen(&self, messages: &dyn Messages) -> Ended {
        let mut subscribed = false;
        match self.listen_until_broken(messages, &mut subscribed).await {
            Ok(()) => Ended::Unwanted,
            Err(failure) => Ended::Broken { failure, subscribed },
        }
    }

    async fn listen_until_broken(&self, messages: &dyn Messages, subscribed: &mut bool) -> Result<(), Failure> {
        let broken = |detail: String| Failure::unreachable(format!("the broker: {detail}"));
        let topic = self.operation.address(None, Some(ANYTHING), str::to_owned)?;
        let mut packets = self.connect(Some(messages.may_be_resumed())).await?;
        let mut filter = Filter::new(&topic, self.quality()?);
        // What a topic keeps is told at the first time only.
        filter.retain_forward_rule = RetainForwardRule::OnNewSubscribe;
        let subscribe = Subscribe { pkid: PACKET, ..Subscribe::new(filter, None) };
        packets.send(Packet::Subscribe(subscribe)).await.map_err(|error| broken(error.to_string()))?;
        let mut pulse = interval_at(Instant::now() + KEEP_ALIVE / 2, KEEP_ALIVE / 2);
        let mut heard = true;
        loop {
            let packet = tokio::select! {
                packet = packets.next() => packet,
                _ = pulse.tick() => {
                    if !std::mem::take(&mut heard) {
                        return Err(broken("it does not answer any more".to_owned()));
                    }
                    packets.send(Packet::PingReq(PingReq)).await.map_err(|error| broken(error.to_string()))?;
                    continue;
                }
            };
            heard = true;
            match packet {
                Some(Ok(Packet::SubAck(answer))) => {
                    if let Some(code) = answer.return_codes.first() {
                        refused_subscription(*code)?;
                    }
                    *subscribed = true;
                    self.context.info(format!("subscribed to {topic}"));
                }
                Some(Ok(Packet::Publish(publish))) => {
                    let (quality, pkid) = (publish.qos, publish.pkid);
                    let id = self.context.ids.next().to_string();
                    if !messages.deliver(id, self.message(publish)).await {
                        return Ok(());
                    }
                    if quality == QoS::AtLeastOnce {
                        let answer = Packet::PubAck(PubAck::new(pkid, None));
                        packets.send(answer).await.map_err(|error| broken(error.to_string()))?;
                    }
                }
                Some(Ok(Packet::Disconnect(said))) if said.reason_code == DisconnectReasonCode::SessionTakenOver => {
                    return Err(Failure::refused(409, "another client has taken the subscription over"));
                }
                Some(Ok(Packet::Disconnect(said))) => {
                    return Err(broken(format!("it hung up: {:?}", said.reason_code)));
                }
                Some(Ok(_)) => {}
                // It would come again.
                Some(Err(MqttError::PayloadSizeLimitExceeded { .. })) => {
                    let words = format!("a message is larger than {} MiB; have smaller ones sent", PACKET_LIMIT >> 20);
                    return Err(Failure::refused(502, words));
                }
                Some(Err(error)) => return Err(broken(error.to_string())),
                None => return Err(broken("it hung up".to_owned())),
            }
        }
    }

    /// A connection that the broker has taken within the time of the task. Nothing has been sent over it when this fails. For a
    /// subscription `resumable` says whether the broker keeps what comes while nobody is connected.
    async fn connect(&self, resumable: Option<bool>) -> Result<Packets, Failure> {
        self.context.entering("the broker", self.enter(resumable)).await
    }

    async fn enter(&self, resumable: Option<bool>) -> Result<Packets, Failure> {
        let server = &self.operation.server;
        let (scheme, default_port) = if self.encrypted { ("mqtts", 8883) } else { ("mqtt", 1883) };
        let url = Url::parse(&format!("{scheme}://{server}")).ok();
        let at = url.as_ref().and_then(|url| Some((url.host_str()?, url.port().unwrap_or(default_port))));
        let (host, port) =
            at.ok_or_else(|| Failure::configuration(format!("“{server}” is not the address of a broker")))?;
        let shown = self.http.shown(self.credentials.as_ref(), self.context).await?;
        let login = shown.header.as_ref().and_then(|header| login(header.to_str().ok()?));
        let stream = socket::open(&self.context.egress, host, port, self.encrypted, self.credentials.as_ref()).await?;
        let limit = Some(PACKET_LIMIT);
        let mut packets = Framed::new(stream, Codec { max_incoming_size: limit, max_outgoing_size: limit });
        let properties = ConnectProperties {
            session_expiry_interval: (resumable == Some(true)).then_some(SESSION),
            receive_maximum: Some(RECEIVE_MAXIMUM),
            max_packet_size: limit,
            ..ConnectProperties::new()
        };
        // The same for every attempt, so that a subscription finds what was kept for it; one client at a time has it.
        let name = self.context.key.get(..32).unwrap_or(&self.context.key);
        let connect = Connect {
            keep_alive: u16::try_from(KEEP_ALIVE.as_secs()).unwrap_or(u16::MAX),
            client_id: format!("rondo-{name}"),
            clean_start: resumable != Some(true),
            properties: Some(properties),
        };
        let unreachable = |detail: String| Failure::unreachable(format!("{host} port {port}: {detail}"));
        packets.send(Packet::Connect(connect, None, login)).await.map_err(|error| unreachable(error.to_string()))?;
        match timeout(CONNECT_LIMIT, packets.next()).await {
            Ok(Some(Ok(Packet::ConnAck(answer)))) => refused_connection(answer.code).map(|()| packets),
            Ok(Some(Ok(_))) => Err(unreachable("it does not speak MQTT 5".to_owned())),
            Ok(Some(Err(error))) => Err(unreachable(format!("it does not speak MQTT 5: {error}"))),
            Ok(None) => Err(unreachable("it hung up on an MQTT 5 client".to_owned())),
            Err(_) => Err(unreachable("no answer to an MQTT 5 client in time".to_owned())),
        }
    }

    /// The quality of service that the document asks for; at least once, if it does not.
    fn quality(&self) -> Result<QoS, Failure> {
        match self.operation.binding.get("qos").map(Value::as_u64) {
            None | Some(Some(1)) => Ok(QoS::AtLeastOnce),
            Some(Some(0)) => Ok(QoS::AtMostOnce),
            Some(_) => Err(Failure::configuration("the document asks for a quality of service that is not 0 or 1")),
        }
    }

    fn packet(&self, message: &Value) -> Result<Publish, Failure> {
        let topic = self.operation.address(Some(message), None, str::to_owned)?;
        if topic.is_empty() || topic.contains(['+', '#', '\0']) {
            return Err(Failure::configuration(format!("“{topic}” is not a topic that a message can be sent to")));
        }
        let mut kind = HeaderMap::new();
        if let Some(content_type) = self.operation.content_type.as_ref().and_then(|text| text.parse().ok()) {
            kind.insert(CONTENT_TYPE, content_type);
        }
        let payload = match message.get("payload") {
            Some(payload) => encode_body(payload, &mut kind)?,
            None => Vec::new(),
        };
        let headers = message.get("headers").and_then(Value::as_object).into_iter().flatten();
        let properties = PublishProperties {
            content_type: kind.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned),
            user_properties: headers.map(|(name, value)| (name.clone(), text_of(value))).collect(),
            correlation_data: self.operation.correlation_id(message).map(Into::into),
            ..PublishProperties::default()
        };
        let qos = self.quality()?;
        let mut publish = Publish::new(topic, qos, payload, Some(properties));
        publish.retain = self.operation.binding.get("retain") == Some(&Value::Bool(true));
        if qos != QoS::AtMostOnce {
            publish.pkid = PACKET;
        }
        Ok(publish)
    }

    fn message(&self, publish: Publish) -> Value {
        let properties = publish.properties.unwrap_or_default();
        let mut headers = Map::new();
        for (name, value) in properties.user_properties {
            headers.insert(name, Value::String(value));
        }
        let correlation = properties.correlation_data.map(|data| match std::str::from_utf8(&data) {
            Ok(text) => text.to_owned(),
            Err(_) => STANDARD.encode(&data),
        });
        let content_type = properties.content_type.as_deref();
        message::received(self.operation, publish.payload.to_vec(), content_type, headers, correlation)
    }
}

/// What the broker says to a message that was sent; else why it says nothing.
async fn acknowledgement(packets: &mut Packets) -> Result<PubAckReason, String> {
    loop {
        match packets.next().await {
            Some(Ok(Packet::PubAck(answer))) if answer.pkid == PACKET => return Ok(answer.reason),
            Some(Ok(Packet::Disconnect(said))) => return Err(format!("it hung up: {:?}", said.reason_code)),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err("it hung up".to_owned()),
        }
    }
}

/// What a broker is shown of an `Authorization`: name and password, or a token in the place of the password.
fn login(authorization: &str) -> Option<Login> {
    if let Some(token) = authorization.strip_prefix("Bearer ") {
        return Some(Login::new("", token));
    }
    let decoded = STANDARD.decode(authorization.strip_prefix("Basic ")?).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some(Login::new(name, password))
}

fn refused_connection(code: ConnectReturnCode) -> Result<(), Failure> {
    use ConnectReturnCode as Code;
    let refused = |kind, remedy: &str| {
        Failure::permanent(RunError::new(kind, format!("the broker refused the client: {code:?}; {remedy}")))
    };
    match code {
        Code::Success => Ok(()),
        // Some say of wrong credentials that the client is not authorized.
        Code::BadUserNamePassword | Code::BadAuthenticationMethod | Code::NotAuthorized => {
            Err(refused(StandardError::Authentication, "enter a user name and a password that it lets in"))
        }
        Code::Banned => Err(refused(StandardError::Authorization, "have it permitted there")),
        Code::RefusedProtocolVersion | Code::UnsupportedProtocolVersion => {
            Err(Failure::configuration("the broker does not speak MQTT 5"))
        }
        Code::ServiceUnavailable
        | Code::ServerUnavailable
        | Code::ServerBusy
        | Code::QuotaExceeded
        | Code::ConnectionRateExceeded
        | Code::UnspecifiedError => Err(Failure::unreachable(format!("the broker takes nobody now: {code:?}"))),
        _ => Err(Failure::refused(502, format!("the broker refused the client: {code:?}"))),
    }
}

fn refused_message(reason: PubAckReason) -> Result<(), Failure> {
    let detail = format!("the broker refused the message: {reason:?}");
    match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
        PubAckReason::NotAuthorized => {
            let detail = format!("{detail}; permit the account to write to the topic there");
            Err(Failure::permanent(RunError::new(StandardError::Authorization, detail)))
        }
        PubAckReason::QuotaExceeded => Err(Failure::retryable(RunError::communication(429, detail))),
        _ => Err(Failure::refused(502, detail)),
    }
}

fn refused_subscription(code: SubscribeReasonCode) -> Result<(), Failure> {
    let detail = format!("the broker refused the subscription: {code:?}");
    match code {
        SubscribeReasonCode::Success(_) => Ok(()),
        SubscribeReasonCode::NotAuthorized => {
            let detail = format!("{detail}; permit the account to read the topic there");
            Err(Failure::permanent(RunError::new(StandardError::Authorization, detail)))
        }
        SubscribeReasonCode::QuotaExceeded => Err(Failure::retryable(RunError::communication(429, detail))),
        _ => Err(Failure::refused(502, detail)),
    }
}
