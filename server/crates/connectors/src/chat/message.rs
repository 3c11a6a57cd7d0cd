//! A message, in the form of each service.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Flavour;
use crate::{Failure, http::outgoing::text_of};

/// What is posted.
#[derive(Deserialize)]
pub(super) struct Message {
    text: String,
    title: Option<String>,
    #[serde(default)]
    facts: Map<String, Value>,
    link: Option<Link>,
}

/// Where more is to be found.
#[derive(Deserialize)]
struct Link {
    url: String,
    title: Option<String>,
}

impl Link {
    fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.url)
    }
}

impl Message {
    pub(super) fn read(with: &Value) -> Result<Self, Failure> {
        // The message of serde may quote a value, and the value may be a secret.
        Self::deserialize(with).map_err(|_| Failure::configuration("the arguments cannot be read"))
    }

    pub(super) fn payload(&self, flavour: Flavour) -> Value {
        match flavour {
            Flavour::Slack => self.for_slack(),
            Flavour::Teams => self.for_teams(),
            Flavour::Mattermost => self.for_mattermost(),
        }
    }

    /// Blocks, with a text for notices.
    fn for_slack(&self) -> Value {
        let section = |text: String| json!({"type": "section", "text": {"type": "mrkdwn", "text": text}});
        let mut blocks = Vec::new();
        if let Some(title) = &self.title {
            blocks.push(json!({"type": "header", "text": {"type": "plain_text", "text": title}}));
        }
        blocks.push(section(escaped(&self.text)));
        if !self.facts.is_empty() {
            let field = |(name, value): (&String, &Value)| json!({"type": "mrkdwn", "text": format!("*{}*\n{}", escaped(name), escaped(&text_of(value)))});
            blocks.push(json!({"type": "section", "fields": self.facts.iter().map(field).collect::<Vec<_>>()}));
        }
        if let Some(link) = &self.link {
            blocks.push(section(format!("<{}|{}>", escaped(&link.url), escaped(link.title()))));
        }
        json!({"text": escaped(self.title.as_ref().unwrap_or(&self.text)), "blocks": blocks})
    }

    /// An adaptive card.
    fn for_teams(&self) -> Value {
        let mut body = Vec::new();
        if let Some(title) = &self.title {
            body.push(json!({"type": "TextBlock", "text": title, "weight": "bolder", "size": "medium", "wrap": true}));
        }
        body.push(json!({"type": "TextBlock", "text": self.text, "wrap": true}));
        if !self.facts.is_empty() {
            let fact = |(name, value): (&String, &Value)| json!({"title": name, "value": text_of(value)});
            body.push(json!({"type": "FactSet", "facts": self.facts.iter().map(fact).collect::<Vec<_>>()}));
        }
        let mut card = json!({
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": body,
        });
        if let (Some(link), Some(card)) = (&self.link, card.as_object_mut()) {
            let action = json!({"type": "Action.OpenUrl", "title": link.title(), "url": link.url});
            card.insert("actions".to_owned(), json!([action]));
        }
        let attachment = json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": card});
        json!({"type": "message", "attachments": [attachment]})
    }

    /// A text, with an attachment for what is more than that.
    fn for_mattermost(&self) -> Value {
        if self.title.is_none() && self.facts.is_empty() && self.link.is_none() {
            return json!({"text": self.text});
        }
        let field = |(name, value): (&String, &Value)| json!({"title": name, "value": text_of(value), "short": true});
        let title = self.title.as_deref().or_else(|| self.link.as_ref().map(Link::title));
        json!({"attachments": [{
            "fallback": self.title.as_ref().unwrap_or(&self.text),
            "title": title,
            "title_link": self.link.as_ref().map(|link| link.url.as_str()),
            "text": self.text,
            "fields": self.facts.iter().map(field).collect::<Vec<_>>(),
        }]})
    }
}

/// The three characters that mean something to Slack.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
