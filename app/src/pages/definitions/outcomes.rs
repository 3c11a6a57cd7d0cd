//! What came of the tests that a definition brings along.

use domain::{RunStatus, view::RehearsalView};
use leptos::prelude::*;
use serde_json::Value;

use super::checks::line_id;
use crate::{
    components::{Badge, Card, Glyph, Icon, RunBadge, Tone},
    i18n::{Texts, use_texts},
    view,
};

/// Where the name of a test leads.
#[derive(Clone)]
pub(super) enum TestLink {
    /// To its line in the editor, which this shows.
    Line(Callback<(u64, u64)>),
    /// To its steps, on the page for trying out that has this address.
    Steps(String),
}

/// The tests in the order of the text: passed, or what was expected and what came instead.
#[component]
pub(super) fn Tests(
    /// What came of them.
    tests: Vec<RehearsalView>,
    /// Where their names lead.
    link: TestLink,
    /// The one whose steps are shown, from 1.
    #[prop(optional)]
    chosen: Option<usize>,
) -> impl IntoView {
    let t = use_texts();
    let failed = tests.iter().filter(|test| test.difference.is_some()).count();
    let verdict = match (tests.len(), failed) {
        (0, _) => view! { <span class="muted">{t.definitions.no_tests()}</span> },
        (all, 0) => view! { <Icon glyph=Glyph::CircleCheck/><span>{t.definitions.tests_passed(all)}</span> },
        (_, failed) => view! { <Icon glyph=Glyph::Octagon/><span>{t.definitions.tests_failed(failed)}</span> },
    };
    let items: Vec<_> = (1..).zip(tests).map(|(number, test)| test_view(t, number, test, &link, chosen)).collect();
    view! {
        <Card title=t.definitions.tests()>
            <p class="verdict">{verdict}</p>
            {(!items.is_empty()).then(|| view! { <ol class="tests">{items}</ol> })}
        </Card>
    }
}

fn test_view(t: Texts, number: usize, test: RehearsalView, link: &TestLink, chosen: Option<usize>) -> AnyView {
    let (tone, glyph, word) = if test.difference.is_some() {
        (Tone::Danger, Glyph::Octagon, t.definitions.test_failed())
    } else {
        (Tone::Success, Glyph::CircleCheck, t.definitions.test_passed())
    };
    let line = test.line.unwrap_or(1);
    let here = (chosen == Some(number)).then_some("true");
    let name = match link.clone() {
        TestLink::Line(go) => {
            let click = move |event: leptos::ev::MouseEvent| {
                event.prevent_default();
                go.run((line, 1));
            };
            view! { <a href=format!("#{}", line_id(line)) rel="external" on:click=click>{test.title.clone()}</a> }
        }
        TestLink::Steps(page) => {
            view! { <a href=format!("{page}?test={number}") aria-current=here>{test.title.clone()}</a> }
        }
    };
    let compared = test.difference.is_some().then(|| {
        let expected = test.expected.clone().map(|expected| {
            let came = outcome(expected.status, expected.output.as_ref(), expected.error.as_deref());
            view! { <div class="definitions__row"><dt>{t.definitions.expected()}</dt><dd>{came}</dd></div> }
        });
        let came = if test.endless {
            view! { <span>{t.definitions.endless()}</span> }
        } else {
            outcome(test.status, test.output.as_ref(), test.error.as_ref().map(|error| error.kind.as_str()))
        };
        view! {
            <dl class="definitions">
                {expected}
                <div class="definitions__row"><dt>{t.definitions.came()}</dt><dd>{came}</dd></div>
            </dl>
        }
    });
    view! {
        <li class="test">
            <div class="test__head"><Badge tone glyph label=word/> {name}</div>
            {compared}
        </li>
    }
}

/// How a run ends, in a line.
fn outcome(status: RunStatus, output: Option<&Value>, error: Option<&str>) -> AnyView {
    let output = output.map(|output| view! { <code class="test__value">{output.to_string()}</code> });
    let error = error.map(|error| view! { <code class="test__value">{error.to_owned()}</code> });
    view! {
        <div class="test__outcome">
            <RunBadge status/>
            {error}
            {output}
        </div>
    }
}
