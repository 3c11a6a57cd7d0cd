//! What definitions refer to elsewhere is read when they are stored, and never again.

use std::sync::{Arc, Mutex};

use domain::RunStatus;
use serde_json::{Value, json};
use workflow::ResourceResolver;

use crate::office::Office;

const ORDER: &str = "
document: {dsl: 1.0.3, namespace: identity, name: order, version: 1.0.0, title: Order}
input: {schema: {resource: {endpoint: 'https://example.test/order.json'}}}
do:
  - price: {call: 'https://example.test/price.yaml', with: {count: '${ .count }'}}
";

/// What is there today.
#[derive(Default)]
struct Texts(Mutex<Vec<(&'static str, &'static str)>>, Mutex<usize>);

impl ResourceResolver for Texts {
    fn text(&self, uri: &str, _: Option<&Value>) -> Result<String, String> {
        *self.1.lock().unwrap() += 1;
        let texts = self.0.lock().unwrap();
        texts
            .iter()
            .find(|(known, _)| *known == uri)
            .map(|(_, text)| (*text).to_owned())
            .ok_or_else(|| "gone".to_owned())
    }
}

#[tokio::test]
async fn what_a_definition_refers_to_is_read_once_and_kept_with_its_version() {
    let texts = Arc::new(Texts::default());
    let office = Office::open_with(Some(Arc::clone(&texts) as Arc<dyn ResourceResolver>)).await;
    let service = &office.service;
    let refused = service.load_shipped([("order.yaml", ORDER)]).await.unwrap_err().to_string();
    let told = "order.yaml:3:28: https://example.test/order.json cannot be read: gone";
    assert!(refused.lines().any(|line| line == told), "{refused}");

    *texts.0.lock().unwrap() = vec![
        ("https://example.test/order.json", "{\"type\": \"object\", \"required\": [\"count\"]}"),
        ("https://example.test/price.yaml", "set: {price: '${ .count * 3 }'}"),
    ];
    service.load_shipped([("order.yaml", ORDER)]).await.unwrap();
    let read = *texts.1.lock().unwrap();
    texts.0.lock().unwrap().clear();
    // As at the next start: nothing is read again, nor changed; a comment is no change.
    service.load_shipped([("order.yaml", ORDER)]).await.unwrap();
    service.load_shipped([("order.yaml", format!("{ORDER}# as before\n").as_str())]).await.unwrap();
    assert_eq!(*texts.1.lock().unwrap(), read);
    // Nor is what the same version refers to in another text: it is passed over.
    let altered = ORDER.replace("price.yaml", "other.yaml");
    service.load_shipped([("order.yaml", altered.as_str())]).await.unwrap();
    assert_eq!(*texts.1.lock().unwrap(), read);

    let staff = office.caller("staff").await;
    let workflow = "identity/order".parse().unwrap();
    let view = service.workflow(&staff, &workflow).await.unwrap();
    assert_eq!(view.item.input_schema, Some(json!({"type": "object", "required": ["count"]})));
    assert!(service.launch(&staff, &workflow, None, json!({})).await.is_err(), "the schema is kept");
    let run = service.launch(&staff, &workflow, None, json!({"count": 7})).await.unwrap();
    let ended = office.ended(run.id).await;
    assert_eq!((ended.summary.status, ended.output), (RunStatus::Completed, Some(json!({"price": 21}))));
    assert_eq!(*texts.1.lock().unwrap(), read);
}
