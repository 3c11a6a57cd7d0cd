//! All components in all their states.

use leptos::prelude::*;

use super::not_found::NotFoundPage;
use crate::view;

/// All components in all their states; only in debug builds.
#[component]
pub fn StyleguidePage() -> impl IntoView {
    if cfg!(debug_assertions) {
        view! { <Styleguide/> }
    } else {
        view! { <NotFoundPage/> }
    }
}

#[component]
fn Styleguide() -> impl IntoView {
    use domain::{ApprovalState, ErrorCode, Problem, Risk, RunStatus, TaskStatus, Timestamp};

    use crate::components::{
        ApprovalBadge, Avatar, Badge, Banner, Button, ButtonLook, Card, CheckboxGroup, Column, Combobox, CopyButton,
        DefinitionList, Dialog, EmptyState, FilterChip, Glyph, Icon, LinkButton, Menu, MenuLink, Moment, PageHeader,
        ProblemView, Progress, RiskBadge, RunBadge, SelectField, Skeleton, Tab, Table, Tabs, TaskBadge, TextArea,
        TextField, Toggle, Tone, dialog_href, use_toasts,
    };

    let toasts = use_toasts();
    let options = || vec![("a".to_owned(), "First".to_owned()), ("b".to_owned(), "Second".to_owned())];
    let wrong = Signal::derive(|| Some("Use a mail address, such as name@example.org.".to_owned()));
    let tones = [Tone::Neutral, Tone::Info, Tone::Success, Tone::Warning, Tone::Danger];
    let glyphs: Vec<_> =
        Glyph::ALL.iter().map(|glyph| view! { <li><Icon glyph=*glyph/><span>{glyph.name()}</span></li> }).collect();
    let runs: Vec<_> = RunStatus::ALL.iter().map(|status| view! { <RunBadge status=*status/> }).collect();
    let tasks: Vec<_> = TaskStatus::ALL.iter().map(|status| view! { <TaskBadge status=*status/> }).collect();
    let approvals: Vec<_> = ApprovalState::ALL.iter().map(|state| view! { <ApprovalBadge state=*state/> }).collect();
    let risks: Vec<_> = Risk::ALL.iter().map(|risk| view! { <RiskBadge risk=*risk/> }).collect();
    view! {
        <PageHeader title="Style guide" subtitle="Every component with its states.">
            <LinkButton href=dialog_href("example")>"Open a dialog"</LinkButton>
            <Button kind="button" look=ButtonLook::Primary on:click=move |_| {
                toasts.done_with_undo("Something was done", || ());
            }>"Show a toast"</Button>
        </PageHeader>
        <Card title="Buttons">
            <div class="button-row">
                <Button kind="button" look=ButtonLook::Primary>"Primary"</Button>
                <Button kind="button">"Secondary"</Button>
                <Button kind="button" look=ButtonLook::Quiet>"Quiet"</Button>
                <Button kind="button" look=ButtonLook::Danger>"Delete directory"</Button>
                <Button kind="button" busy=Signal::derive(|| true)>"Busy"</Button>
                <Button kind="button" disabled=Signal::derive(|| true)>"Disabled"</Button>
                <Button kind="button" small=true icon=Glyph::Plus>"Small"</Button>
                <CopyButton text="text"/>
            </div>
        </Card>
        <Card title="States">
            <div class="button-row">{runs}<RunBadge status=RunStatus::Faulted rejected=true/>
                <RunBadge status=RunStatus::Faulted compensated=true/>
                <RunBadge status=RunStatus::Faulted needs_attention=true/></div>
            <div class="button-row">{tasks}</div>
            <div class="button-row">{approvals}{risks}<Badge label="Plain"/></div>
        </Card>
        {tones.map(|tone| view! { <Banner tone title="A message in a few words">"What it means and what to do."</Banner> }).collect_view()}
        <Card title="Fields">
            <div class="stack">
                <TextField name="sg-name" label="Name" hint="As on the badge." maxlength=20_u32/>
                <TextField name="sg-mail" label="Mail" error=wrong optional=true/>
                <TextField name="sg-date" label="Date" kind="date"/>
                <TextField name="sg-time" label="Date and time" kind="datetime-local"/>
                <SelectField name="sg-select" label="One of a few" options=options()/>
                <Combobox name="sg-combo" label="One of many" options=options()/>
                <TextArea name="sg-area" label="Several lines"/>
                <Toggle name="sg-toggle" label="On or off" hint="Takes effect at once."/>
                <CheckboxGroup name="sg-checks" legend="Any of a few" options=options() chosen=vec!["a".to_owned()]/>
            </div>
        </Card>
        <Card title="Table" flush=true>
            <Table label="Example" columns=vec![Column::new("Name").sort("name"), Column::new("Count").end()]>
                <tr><th scope="row">"First"</th><td class="table__end" data-label="Count">"12"</td></tr>
                <tr><th scope="row">"Second"</th><td class="table__end" data-label="Count">"3"</td></tr>
            </Table>
        </Card>
        <Tabs label="Example" tabs=vec![
            Tab { value: "", label: "First".to_owned(), count: None },
            Tab { value: "second", label: "Second".to_owned(), count: Some(3) },
        ]/>
        <div class="chips"><FilterChip param="f" value="a" label="Chip"/><FilterChip param="f" value="b" label="Other"/></div>
        <Card title="Other">
            <DefinitionList items=vec![
                ("When".to_owned(), view! { <Moment at=Timestamp::from_micros(1_795_000_000_000_000)/> }),
                ("Who".to_owned(), view! { <Avatar name="Mina Manager"/> }),
            ]/>
            <Progress label="Steps" value=Signal::derive(|| 0.4)/>
            <Menu label="Actions"><MenuLink href="/">"Home"</MenuLink></Menu>
            <Skeleton/>
        </Card>
        <Card><EmptyState glyph=Glyph::Requests title="Nothing yet" text="What it means."/></Card>
        <Card><ProblemView problem=Problem::new(ErrorCode::Forbidden).with_detail("the role operator on identity is missing")/></Card>
        <Card title="Icons"><ul class="glyphs">{glyphs}</ul></Card>
        <Dialog name="example" title="Cancel run R-1042"><p>"What happens then."</p></Dialog>
    }
}
