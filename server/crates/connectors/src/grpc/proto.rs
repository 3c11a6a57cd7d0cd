//! A description from `.proto` texts.

use std::collections::HashMap;

use prost_reflect::DescriptorPool;
use protox::{
    Compiler, Error,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver},
};
use serde_json::Value;
use url::Url;

use crate::{
    CallContext, Failure,
    resource::{Resources, address},
};

/// How many texts a description may be made of.
const TEXTS: usize = 100;

/// Reads the text at a resource and those that it imports, and compiles them.
///
/// Imports are relative to the folder of the first text, and are read by its authentication; those of
/// `google/protobuf` are always there.
pub(super) async fn compile(
    resource: &Value,
    resources: &Resources,
    context: &CallContext,
) -> Result<DescriptorPool, Failure> {
    let root = resource.get("endpoint").and_then(address).unwrap_or_default();
    let root = root.split(['?', '#']).next().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
    let standard = GoogleFileResolver::new();
    let mut texts = HashMap::new();
    let mut open = vec![(root.clone(), resource.clone())];
    while let Some((name, resource_of_name)) = open.pop() {
        if texts.contains_key(&name) {
            continue;
        }
        if texts.len() >= TEXTS {
            return Err(Failure::configuration(format!("the description is made of more than {TEXTS} texts")));
        }
        let text = resources.text(&resource_of_name, context).await?;
        let file = File::from_source(&name, &text).map_err(|error| wrong(&error))?;
        for import in &file.file_descriptor_proto().dependency {
            if standard.open_file(import).is_err() {
                open.push((import.clone(), beside(resource, import)?));
            }
        }
        texts.insert(name, file);
    }
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts(texts));
    resolver.add(standard);
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.open_file(&root).map_err(|error| wrong(&error))?;
    Ok(compiler.descriptor_pool())
}

/// The resource of an import: its path, in the folder of the first text.
fn beside(first: &Value, import: &str) -> Result<Value, Failure> {
    let plain = |step: &str| !matches!(step, "" | "." | "..") && !step.contains([':', '?', '#', '%', '\\']);
    let at = first.get("endpoint").and_then(address).unwrap_or_default();
    let joined = match Url::parse(at).ok().filter(|url| matches!(url.scheme(), "http" | "https")) {
        Some(url) => url.join(import).ok().map(String::from),
        None => at.rsplit_once('/').map(|(folder, _)| format!("{folder}/{import}")),
    };
    let uri = joined.filter(|_| import.split('/').all(plain)).ok_or_else(|| {
        Failure::configuration(format!("the import “{import}” is not beside the text that imports it"))
    })?;
    let mut resource = first.clone();
    match resource.get_mut("endpoint") {
        Some(Value::Object(endpoint)) => drop(endpoint.insert("uri".to_owned(), Value::String(uri))),
        Some(endpoint) => *endpoint = Value::String(uri),
        None => {}
    }
    Ok(resource)
}

/// The debug form is the one with line and column.
fn wrong(error: &Error) -> Failure {
    Failure::configuration(format!("the description: {error:?}"))
}

/// Texts that have been read.
struct Texts(HashMap<String, File>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        self.0.get(name).cloned().ok_or_else(|| Error::file_not_found(name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn imports_are_beside_the_text_and_nowhere_else() {
        let of = |at: Value, import: &str| beside(&json!({"endpoint": at}), import).ok();
        let uri = |at: &str, import: &str| of(json!(at), import).map(|found| found["endpoint"].clone());
        assert_eq!(uri("file://app/pets.proto", "shared/a.proto"), Some(json!("file://app/shared/a.proto")));
        assert_eq!(uri("https://h.test/v1/pets.proto?ref=1", "a.proto"), Some(json!("https://h.test/v1/a.proto")));
        let endpoint = json!({"uri": "https://h.test/pets.proto", "authentication": {"bearer": {"token": "t"}}});
        let found = of(endpoint, "a.proto").unwrap();
        assert_eq!(found["endpoint"]["uri"], "https://h.test/a.proto");
        assert_eq!(found["endpoint"]["authentication"]["bearer"]["token"], "t");
        for bad in
            ["../a.proto", "/etc/a.proto", "http://x.test/a.proto", "//x.test/a.proto", "a/./b.proto", "a%2f..proto"]
        {
            assert_eq!(uri("https://h.test/v1/pets.proto", bad), None, "{bad}");
            assert_eq!(uri("file://app/pets.proto", bad), None, "{bad}");
        }
    }
}
