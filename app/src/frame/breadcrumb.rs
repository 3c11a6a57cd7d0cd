//! Where the page is, read off its address.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::{
    components::{Glyph, Icon},
    i18n::{FrameTexts, use_texts},
    view,
};

#[derive(Debug, PartialEq)]
struct Crumb {
    label: String,
    /// Where it leads; the last leads nowhere.
    href: Option<String>,
}

fn crumbs(t: FrameTexts, path: &str) -> Vec<Crumb> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let link = |label: &str, href: &str| Crumb { label: label.to_owned(), href: Some(href.to_owned()) };
    let mut crumbs = match parts.as_slice() {
        [] => vec![link(t.home(), "/")],
        ["catalogue", rest @ ..] => {
            let mut crumbs = vec![link(t.catalogue(), "/catalogue")];
            if let [namespace, name, tail @ ..] = rest {
                crumbs.push(link(&format!("{namespace}/{name}"), &format!("/catalogue/{namespace}/{name}")));
                if !tail.is_empty() {
                    crumbs.push(link(t.request_form(), path));
                }
            }
            crumbs
        }
        ["requests", rest @ ..] => {
            let mut crumbs = vec![link(t.requests(), "/requests")];
            if !rest.is_empty() {
                crumbs.push(link(t.review(), path));
            }
            crumbs
        }
        ["runs", rest @ ..] => {
            let mut crumbs = vec![link(t.runs(), "/runs")];
            if let [id, ..] = rest {
                crumbs.push(link(&number_or_short(id), path));
            }
            crumbs
        }
        ["approvals", rest @ ..] => {
            let mut crumbs = vec![link(t.approvals(), "/approvals")];
            if !rest.is_empty() {
                crumbs.push(link(t.command_decide(), path));
            }
            crumbs
        }
        ["decide", ..] => vec![link(t.approvals(), "/approvals"), link(t.command_decide(), path)],
        ["definitions", rest @ ..] => {
            let mut crumbs = vec![link(t.definitions(), "/definitions")];
            match rest {
                [namespace, name, version, tail @ ..] => {
                    let page = format!("/definitions/{namespace}/{name}/{version}");
                    crumbs.push(link(&format!("{namespace}/{name} {version}"), &page));
                    match tail {
                        ["edit"] => crumbs.push(link(t.editor(), path)),
                        ["form"] => crumbs.push(link(t.request_form(), path)),
                        _ => {}
                    }
                }
                ["new"] => crumbs.push(link(t.new_definition(), path)),
                _ => {}
            }
            crumbs
        }
        ["repositories", ..] => vec![link(t.repositories(), "/repositories")],
        ["triggers", rest @ ..] => {
            let mut crumbs = vec![link(t.triggers(), "/triggers")];
            match rest {
                ["new"] => crumbs.push(link(t.new_trigger(), path)),
                [id, tail @ ..] => {
                    crumbs.push(link(&number_or_short(id), &format!("/triggers/{id}")));
                    match tail {
                        ["edit"] => crumbs.push(link(t.trigger_form(), path)),
                        ["try"] => crumbs.push(link(t.trigger_trial(), path)),
                        ["deliveries", number] => crumbs.push(link(&t.delivery(number), path)),
                        _ => {}
                    }
                }
                [] => {}
            }
            crumbs
        }
        ["admin", area, ..] => {
            let label = match *area {
                "people" => t.people(),
                "teams" => t.teams(),
                "grants" => t.grants(),
                "runners" => t.runners(),
                _ => t.connections(),
            };
            vec![Crumb { label: t.group_administer().to_owned(), href: None }, link(label, path)]
        }
        ["policies", rest @ ..] => {
            let mut crumbs = vec![link(t.policies(), "/policies")];
            match rest {
                [] => {}
                ["sets", "new"] => crumbs.push(link(t.proposal(), path)),
                [.., last] => crumbs.push(link(last, path)),
            }
            crumbs
        }
        ["access-reviews", rest @ ..] => {
            let mut crumbs = vec![link(t.access_reviews(), "/access-reviews")];
            if let [id, ..] = rest {
                crumbs.push(link(&number_or_short(id), path));
            }
            crumbs
        }
        ["emergencies", rest @ ..] => {
            let mut crumbs = vec![link(t.emergencies(), "/emergencies")];
            if let [id, ..] = rest {
                crumbs.push(link(&number_or_short(id), path));
            }
            crumbs
        }
        ["audit", rest @ ..] => {
            let mut crumbs = vec![link(t.audit(), "/audit")];
            match rest {
                ["questions", tail @ ..] => {
                    crumbs.push(link(t.audit_questions(), "/audit/questions"));
                    let title = |name: &str| t.by_key(&format!("question_{}", name.replace('-', "_")));
                    crumbs.extend(tail.first().map(|name| link(title(name).unwrap_or(name), path)));
                }
                ["controls", tail @ ..] => {
                    crumbs.push(link(t.audit_controls(), "/audit/controls"));
                    crumbs.extend(tail.first().map(|control| link(control, path)));
                }
                ["compliance"] => crumbs.push(link(t.compliance(), path)),
                ["retention"] => crumbs.push(link(t.audit_retention(), path)),
                ["sample"] => crumbs.push(link(t.audit_sample(), path)),
                _ => {}
            }
            crumbs
        }
        ["value", ..] => vec![link(t.value(), "/value")],
        ["account", ..] => vec![link(t.account(), "/account")],
        ["notifications", ..] => vec![link(t.notifications(), "/notifications")],
        _ => Vec::new(),
    };
    if let Some(last) = crumbs.last_mut() {
        last.href = None;
    }
    crumbs
}

/// `R-7` for a number, the first digits of an id.
fn number_or_short(id: &str) -> String {
    if id.chars().all(|c| c.is_ascii_digit()) { format!("R-{id}") } else { id.chars().take(8).collect() }
}

/// Where the page is.
#[component]
pub(super) fn Breadcrumb() -> impl IntoView {
    let t = use_texts().frame;
    let path = use_location().pathname;
    let items = move || {
        let items: Vec<_> = crumbs(t, &path.get())
            .into_iter()
            .map(|crumb| match crumb.href {
                Some(href) => view! {
                    <li class="breadcrumb__item">
                        <a href=href>{crumb.label}</a>
                        <Icon glyph=Glyph::ChevronRight/>
                    </li>
                },
                None => view! { <li class="breadcrumb__item">{crumb.label}</li> },
            })
            .collect();
        items
    };
    view! {
        <nav class="breadcrumb" aria-label=t.breadcrumb()>
            <ol>{items}</ol>
        </nav>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::{Locale, Texts};

    #[test]
    fn the_address_says_where_one_is() {
        let t = Texts::new(Locale::En).frame;
        let labels = |path: &str| crumbs(t, path).into_iter().map(|crumb| crumb.label).collect::<Vec<_>>();
        assert_eq!(labels("/"), ["Home"]);
        assert_eq!(labels("/runs/1042"), ["Runs", "R-1042"]);
        assert_eq!(labels("/catalogue/identity/onboard/request"), ["Catalogue", "identity/onboard", "Request"]);
        assert_eq!(labels("/admin/people"), ["Administer", "People"]);
        assert_eq!(labels("/audit/controls/SOC2:CC6.2"), ["Audit log", "Controls", "SOC2:CC6.2"]);
        assert_eq!(
            labels("/audit/questions/unused-roles"),
            ["Audit log", "Questions", "Privileges unused for 90 days"]
        );
        assert_eq!(labels("/audit/retention"), ["Audit log", "Retention"]);
        assert_eq!(labels("/audit/sample"), ["Audit log", "Sample"]);
        assert_eq!(labels("/definitions/it/access/1.0.0/edit"), ["Definitions", "it/access 1.0.0", "Editor"]);
        assert_eq!(labels("/audit/questions/x"), ["Audit log", "Questions", "x"]);
        assert!(crumbs(t, "/runs/1042").iter().any(|crumb| crumb.href.as_deref() == Some("/runs")));
    }

    /// As the questions are called in `server/questions`.
    #[test]
    fn every_question_is_called_by_its_title() {
        let questions = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/questions");
        let mut seen = 0;
        for file in std::fs::read_dir(questions).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let mut lines = text.lines().skip_while(|line| *line != "title:").skip(1);
            for locale in [Locale::En, Locale::Ko] {
                let line = lines.next().unwrap();
                let title = line.trim().strip_prefix(&format!("{}: ", locale.as_str())).unwrap();
                let label = crumbs(Texts::new(locale).frame, &format!("/audit/questions/{name}")).pop().unwrap().label;
                assert_eq!(label, title);
                seen += 1;
            }
        }
        assert!(seen >= 16, "{seen}");
    }
}
