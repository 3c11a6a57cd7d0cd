//! What a run reaches goes by the rules of its namespace.

use domain::RunStatus;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::office::Office;

#[tokio::test]
async fn a_run_reaches_what_its_namespace_may() {
    let office = Office::open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-type: text/plain\r\n\r\nhere";
            stream.write_all(answer).await.unwrap();
        }
    });
    let staff = office.caller("staff").await;
    let mut ended = Vec::new();
    for namespace in ["fenced", "open"] {
        let text = format!(
            "document: {{dsl: 1.0.3, namespace: {namespace}, name: look, version: 1.0.0}}\n\
             do:\n- look: {{call: http, with: {{method: get, endpoint: 'http://127.0.0.1:{port}/'}}}}\n"
        );
        office.service.load_shipped([(format!("{namespace}.yaml").as_str(), text.as_str())]).await.unwrap();
        let workflow = format!("{namespace}/look").parse().unwrap();
        let run = office.service.launch(&staff, &workflow, None, json!({})).await.unwrap().id;
        ended.push(office.ended(run).await);
    }
    assert_eq!(ended[0].summary.status, RunStatus::Faulted);
    let error = ended[0].error.as_ref().unwrap();
    assert!(error.detail.contains("egress.namespace “fenced” lets its runs reach 10.0.0.0/8 only"), "{error:?}");
    assert_eq!((ended[1].summary.status, ended[1].output.clone()), (RunStatus::Completed, Some(json!("here"))));
}
