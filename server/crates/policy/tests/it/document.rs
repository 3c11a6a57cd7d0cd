//! What `docs/policies.md` says of the program's policies is what they say.

use std::{env, fmt::Write as _, fs, path::Path};

use domain::Operation;
use policy::Policies;

const BEGIN: &str = "<!-- Made from server/policies by a test: UPDATE_GOLDEN=1 cargo test -p policy -->\n";
const END: &str = "<!-- end -->\n";

fn list() -> String {
    let policies = Policies::builtin().unwrap();
    let mut text = String::new();
    let mut file = "";
    for policy in policies.written() {
        let from = policy.file.as_deref().unwrap();
        if from != file {
            file = from;
            write!(text, "\n### {file}\n\n").unwrap();
        }
        let effect = if policy.forbids { "forbids" } else { "permits" };
        let about = if policy.operations.len() == Operation::ALL.len() {
            "everything".to_owned()
        } else {
            policy.operations.iter().map(|operation| format!("`{operation}`")).collect::<Vec<_>>().join(", ")
        };
        writeln!(text, "- **`{}`** {effect} {about}. {} Needed: {}.", policy.id, policy.comment, policy.needs).unwrap();
    }
    text.push('\n');
    text
}

#[test]
fn the_page_about_policies_lists_them_as_they_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/policies.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the beginning of the list");
    let (listed, after) = rest.split_once(END).expect("the end of the list");
    let list = list();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{list}{END}{after}")).unwrap();
        return;
    }
    assert!(listed == list, "docs/policies.md lists other policies than there are: run again with UPDATE_GOLDEN=1");
}
