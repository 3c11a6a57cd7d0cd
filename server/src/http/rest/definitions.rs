//! Definitions: drafts, reviews, publication and retirement.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use domain::{
    CommentId, Name, VersionState, WorkflowRef,
    view::{
        CommentView, DefinitionItem, DiagnosticView, DifferenceView, FileReport, LanguageView, Page, RehearsalView,
        SavedDefinition, UsesView, WorkflowVersionView,
    },
};
use futures::StreamExt as _;
use serde::Deserialize;
use serde_json::Value;
use service::{DefinitionQuery, ExportedDefinition, ExportedVersions};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Created, Place, Sent, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer, upload::SentFiles};

/// Where files with definitions are sent to.
pub(in crate::http) const IMPORT: &str = "/api/v1/definitions/import";

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(validate))
        .routes(routes!(rehearse))
        .routes(routes!(language))
        .routes(routes!(import))
        .routes(routes!(export))
        .routes(routes!(source))
        .routes(routes!(save, delete))
        .routes(routes!(keep_as_test))
        .routes(routes!(copy))
        .routes(routes!(submit))
        .routes(routes!(withdraw))
        .routes(routes!(send_back))
        .routes(routes!(publish))
        .routes(routes!(retire))
        .routes(routes!(uses))
        .routes(routes!(difference))
        .routes(routes!(comments, comment))
        .routes(routes!(resolve))
}

/// Namespace, name and version.
type Version = Place<(Name, Name, String)>;

fn place((namespace, name, version): (Name, Name, String)) -> (WorkflowRef, String) {
    (WorkflowRef { namespace, name }, version)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DefinitionsQuery {
    /// Only those that stand so.
    state: Option<VersionState>,
    /// Only those of this namespace.
    namespace: Option<Name>,
    /// Items per page, 1 to 200; 50 unless told.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Versions of all states in the namespaces for which one writes or publishes, by name, newest first
#[utoipa::path(get, path = "/api/v1/definitions", tag = "definitions", operation_id = "listDefinitions",
    params(DefinitionsQuery),
    responses((status = 200, description = "A page of them", body = Page<DefinitionItem>)),
    extensions(("x-rondo-operation" = json!("definition.list"))))]
async fn list(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(query): Asked<DefinitionsQuery>,
) -> Answer<Json<Page<DefinitionItem>>> {
    let filter = DefinitionQuery { state: query.state, namespace: query.namespace };
    Ok(Json(portal.service.definitions(&caller, filter, query.cursor.as_deref(), query.limit).await?))
}

/// A text to be checked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"source": "document: {dsl: 1.0.3, namespace: it, name: hello, version: 1.0.0}\ndo: []\n"}))]
struct DefinitionText {
    /// In YAML or JSON.
    source: String,
}

/// What is wrong with a text, and where; nothing when it is a definition. It is not kept
#[utoipa::path(post, path = "/api/v1/definitions/validate", tag = "definitions", operation_id = "validateDefinition",
    request_body = DefinitionText,
    responses((status = 200, description = "All of it, in the order of the text", body = Page<DiagnosticView>)),
    extensions(("x-rondo-operation" = json!("definition.validate"))))]
async fn validate(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(DefinitionText { source }): Sent<DefinitionText>,
) -> Answer<Json<Page<DiagnosticView>>> {
    Ok(whole(portal.service.validate_definition(&caller, &source).await?.diagnostics))
}

/// The language as JSON Schema, with the functions that can be called here: for editors
#[utoipa::path(get, path = "/api/v1/definitions/language", tag = "definitions", operation_id = "readDefinitionLanguage",
    responses((status = 200, description = "All of it", body = LanguageView)),
    extensions(("x-rondo-operation" = json!("definition.validate"))))]
async fn language(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<LanguageView>> {
    Ok(Json(portal.service.definition_language(&caller).await?))
}

/// Files that are to be drafts.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes a form")]
struct SentDefinitions {
    /// Each is a definition in YAML or JSON, or a tar archive of definitions.
    #[schema(value_type = Vec<String>, format = Binary)]
    files: (),
}

/// Make drafts of files, each of the version that its text says it is. Nothing that is there is overwritten: the answer says of
/// each file what became of it
#[utoipa::path(post, path = "/api/v1/definitions/import", tag = "definitions", operation_id = "importDefinitions",
    request_body(description = "At most 200 definitions, 16 MiB in all. Whatever in an archive is not a file called .yaml, .yml or .json is passed over",
        content((SentDefinitions = "multipart/form-data"), (String = "application/x-tar"))),
    responses((status = 200, description = "What became of each", body = Page<FileReport>)),
    extensions(("x-rondo-operation" = json!("definition.save"))))]
async fn import(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    SentFiles(files): SentFiles,
) -> Answer<Json<Page<FileReport>>> {
    Ok(whole(portal.service.import_definitions(&caller, files).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    /// Only those of this namespace.
    namespace: Option<Name>,
    /// Which versions; those that can be launched unless told.
    #[param(inline)]
    #[serde(default)]
    versions: Versions,
}

/// Which versions an archive holds.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Versions {
    /// The one of each workflow that can be launched, as `namespace/name.yaml`.
    #[default]
    Launchable,
    /// All that one sees, as `namespace/name/version.yaml`.
    All,
}

/// An archive of definitions in the namespaces for which one writes or publishes. It is the same for the same texts
#[utoipa::path(get, path = "/api/v1/definitions/export", tag = "definitions", operation_id = "exportDefinitions",
    params(ExportQuery),
    responses((status = 200, description = "The archive; what is in JSON is called .json", body = String,
        content_type = "application/x-tar")),
    extensions(("x-rondo-operation" = json!("definition.export"))))]
async fn export(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(query): Asked<ExportQuery>,
) -> Answer<Response> {
    let versions = match query.versions {
        Versions::Launchable => ExportedVersions::Launchable,
        Versions::All => ExportedVersions::All,
    };
    let archive = query.namespace.as_ref().map_or("definitions", Name::as_str);
    let file_name = format!("{archive}.tar");
    let pieces = portal.service.export_definitions(&caller, query.namespace, versions).await?;
    let body = Body::from_stream(ReceiverStream::new(pieces).map(|piece| piece.map(Bytes::from)));
    Ok(attached(body, "application/x-tar", &file_name))
}

/// The text of a version as a file, as it was written
#[utoipa::path(get, path = "/api/v1/workflows/{namespace}/{name}/versions/{version}/source", tag = "definitions",
    operation_id = "exportDefinition",
    params(("namespace" = Name, Path), ("name" = Name, Path), ("version" = String, Path)),
    responses((status = 200, description = "The text", content(
        (String = "application/yaml"),
        (String = "application/json"),
    ))),
    extensions(("x-rondo-operation" = json!("definition.export"))))]
async fn source(State(portal): State<Portal>, SignedIn(caller): SignedIn, Place(version): Version) -> Answer<Response> {
    let (workflow, version) = place(version);
    let ExportedDefinition { file_name, media_type, text } =
        portal.service.export_definition(&caller, &workflow, &version).await?;
    Ok(attached(Body::from(text), media_type, &file_name))
}

/// A file to be kept. Its name is made of names and numbers.
fn attached(body: Body, media_type: &'static str, file_name: &str) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{file_name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// A text to be tried out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"source": "document: {dsl: 1.0.3, namespace: it, name: hello, version: 1.0.0}\ndo: []\n", "input": {}}))]
struct TrialText {
    /// In YAML or JSON.
    source: String,
    /// The input of the run; absent for the inputs of the tests in `document.metadata.rondo.tests`.
    #[serde(default, deserialize_with = "super::given")]
    #[schema(value_type = Value)]
    input: Option<Value>,
    /// Whether other systems are asked what the calls would change: those whose arguments depend on nothing that was made up,
    /// at most 20, for at most 10 seconds in all. That is entered in the audit log.
    #[serde(default)]
    ask: bool,
}

/// Try a text out: runs in which nothing is done, with an input or with those of its tests
#[utoipa::path(post, path = "/api/v1/definitions/dry-run", tag = "definitions", operation_id = "rehearseDefinition",
    request_body = TrialText,
    responses((status = 200, description = "One for each input", body = Page<RehearsalView>)),
    extensions(("x-rondo-operation" = json!(["definition.rehearse", "definition.foresee"]))))]
async fn rehearse(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(TrialText { source, input, ask }): Sent<TrialText>,
) -> Answer<Json<Page<RehearsalView>>> {
    let service = &portal.service;
    Ok(whole(if ask {
        service.foresee_definition(&caller, &source, input).await?
    } else {
        service.rehearse_definition(&caller, &source, input).await?
    }))
}

/// A test to be added to a draft.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"title": "A laptop for three days", "input": {"days": 3}, "digest": "4fe1…"}))]
struct NewTest {
    /// What it shows, at most 200 characters.
    title: String,
    /// The input, which is to come to what it comes to now.
    #[schema(value_type = Value)]
    input: Value,
    /// The `digest` of the draft.
    digest: String,
}

/// Add a test to a draft: its input is tried out, and what it comes to now is what the test expects. The rest of the text
/// stays as it is written
#[utoipa::path(post, path = "/api/v1/workflows/{namespace}/{name}/versions/{version}/tests", tag = "definitions",
    operation_id = "addDefinitionTest",
    params(("namespace" = Name, Path), ("name" = Name, Path), ("version" = String, Path)),
    request_body = NewTest,
    responses((status = 200, description = "The draft's new digest, and what is wrong with it still", body = SavedDefinition)),
    extensions(("x-rondo-operation" = json!("definition.save"))))]
async fn keep_as_test(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Version,
    Sent(NewTest { title, input, digest }): Sent<NewTest>,
) -> Answer<Json<SavedDefinition>> {
    let (workflow, version) = place(version);
    let service = &portal.service;
    Ok(Json(service.keep_as_test(&caller, &workflow, &version, &digest, &title, input).await?))
}

/// A draft.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"source": "document: {dsl: 1.0.3, namespace: it, name: hello, version: 1.0.0}\ndo: []\n"}))]
struct DefinitionDraft {
    /// In YAML or JSON. It need not be a definition yet, but must not say that it is another version.
    source: String,
    /// The `digest` of the draft that was changed; absent for a new one.
    digest: Option<String>,
}

/// Save a draft
#[utoipa::path(put, path = "/api/v1/workflows/{namespace}/{name}/versions/{version}", tag = "definitions",
    operation_id = "saveDefinition",
    params(("namespace" = Name, Path), ("name" = Name, Path), ("version" = String, Path)),
    request_body = DefinitionDraft,
    responses((status = 200, description = "Its new digest, and what is wrong with it still", body = SavedDefinition)),
    extensions(("x-rondo-operation" = json!("definition.save"))))]
async fn save(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Version,
    Sent(DefinitionDraft { source, digest }): Sent<DefinitionDraft>,
) -> Answer<Json<SavedDefinition>> {
    let (workflow, version) = place(version);
    Ok(Json(portal.service.save_definition(&caller, &workflow, &version, &source, digest.as_deref()).await?))
}

/// Delete a draft, with what was said of it
#[utoipa::path(delete, path = "/api/v1/workflows/{namespace}/{name}/versions/{version}", tag = "definitions",
    operation_id = "deleteDefinition",
    params(("namespace" = Name, Path), ("name" = Name, Path), ("version" = String, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("definition.delete"))))]
async fn delete(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Version,
) -> Answer<StatusCode> {
    let (workflow, version) = place(version);
    portal.service.delete_definition(&caller, &workflow, &version).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The version that a copy becomes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"version": "1.2.1"}))]
struct DefinitionCopy {
    /// A semantic version that the workflow does not have yet.
    version: String,
}

/// Make a draft of a published version's text under a new number, to change it or to publish it again
#[utoipa::path(post, path = "/api/v1/workflows/{namespace}/{name}/versions/{version}/copy", tag = "definitions",
    operation_id = "copyDefinition",
    params(("namespace" = Name, Path), ("name" = Name, Path), ("version" = String, Path)),
    request_body = DefinitionCopy,
    responses((status = 201, description = "The draft", body = SavedDefinition)),
    extensions(("x-rondo-operation" = json!("definition.save"))))]
async fn copy(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Version,
    Sent(copy): Sent<DefinitionCopy>,
) -> Answer<Created<SavedDefinition>> {
    let (workflow, version) = place(version);
    let saved = portal.service.copy_definition(&caller, &workflow, &version, &copy.version).await?;
    Ok(Created(format!("/workflows/{workflow}/versions/{}", saved.version), saved))
}

/// Give a draft to review. It must be a definition; what it refers to elsewhere is read now
#[utoipa::path(post, path = "/api/v1/workflows/{namespace}/{name}/versions/{version}/submit", tag = "definitions",
    operation_id = "submitDefinition",
    params(("namespace" = Name, Path), ("name" = Name, Path), ("version" = String, Path)),
    responses((status = 200, description = "The version in review, with its digest and warnings", body = WorkflowVersionView)),
    extensions(("x-rondo-operation" = json!("definition.submit"))))]
async fn submit(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Version,
) -> Answer<Json<WorkflowVersionView>> {
    let (workflow, version) = place(version);
    Ok(Json(portal.service.submit_definition(&caller, &workflow, &version).await?))
}

/// Take a version back from review
#[utoipa::path(post, path = "/api/v1/workflows/{namespace}/{name}/versions/{version}/withdraw", tag = "definitions",
    operation_id = "withdrawDefinition",
    params(("namespace" = Name, Path), ("name" = Name, Path), ("version" = String, Path)),
    responses((status = 200, description = "The draft", body = WorkflowVersionView)),
    extensions(("x-rondo-operation" = json!("definition.withdraw"))))]
async fn withdraw(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Version,
) -> Answer<Json<WorkflowVersionView>> {
    let (workflow, version) = place(version);
    Ok(Json(portal.service.withdraw_definition(&caller, &workflow, &version).await?))
}

/// Why a version is returned.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"comment": "Ask the manager first."}))]
struct ReturnReason {
    /// What is to be done; kept as a comment on the version.
    comment: String,
}

/// Return a version in review to its authors
#[utoipa::path(post, path = "/api/v1/workflows/{namespace}/{name}/versions/{version}/return", tag = "definitions",
    operation_id = "returnDefinition",
    params(("namespace" = Name, Path), ("name" = Name, Path), ("version" = String, Path)),
    request_body = ReturnReason,
    responses((status = 200, description = "The draft", body = WorkflowVersionView)),
    extensions(("x-rondo-operation" = json!("definition.return"))))]
async fn send_back(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Version,
    Sent(ReturnReason { comment }): Sent<ReturnReason>,
) -> Answer<Json<WorkflowVersionView>> {
    let (workflow, version) = place(version);
    Ok(Json(portal.service.return_definition(&caller, &workflow, &version, &comment).await?))
}

/// What was reviewed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}))]
struct Reviewed {
    /// The version's `digest`.
    digest: String,
}

/// Publish a version in review. None of its authors may
#[utoipa::path(post, path = "/api/v1/workflows/{namespace}/{name}/versions/{version}/publish", tag = "definitions",
    operation_id = "publishDefinition",
    params(("namespace" = Name, Path), ("name" = Name, Path), ("version" = String, Path)),
    request_body = Reviewed,
    responses((status = 200, description = "The published version", body = WorkflowVersionView)),
    extensions(("x-rondo-operation" = json!("definition.publish"))))]
async fn publish(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Version,
    Sent(Reviewed { digest }): Sent<Reviewed>,
) -> Answer<Json<WorkflowVersionView>> {
    let (workflow, version) = place(version);
    Ok(Json(portal.service.publish_definition(&caller, &workflow, &version, &digest).await?))
}

/// Whether to retire what is used.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Retirement {
    /// Although something still uses it.
    #[serde(default)]
    anyway: bool,
}

/// Retire a published version: it is launched no more; runs that have not ended go on
#[utoipa::path(post, path = "/api/v1/workflows/{namespace}/{name}/versions/{version}/retire", tag = "definitions",
    operation_id = "retireDefinition",
    params(("namespace" = Name, Path), ("name" = Name, Path), ("version" = String, Path)),
    request_body = Retirement,
    responses((status = 200, description = "The retired version", body = WorkflowVersionView)),
    extensions(("x-rondo-operation" = json!("definition.retire"))))]
async fn retire(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Version,
    Sent(Retirement { anyway }): Sent<Retirement>,
) -> Answer<Json<WorkflowVersionView>> {
    let (workflow, version) = place(version);
    Ok(Json(portal.service.retire_definition(&caller, &workflow, &version, anyway).await?))
}

/// What still uses a version
#[utoipa::path(get, path = "/api/v1/workflows/{namespace}/{name}/versions/{version}/uses", tag = "definitions",
    operation_id = "listDefinitionUses",
    params(("namespace" = Name, Path), ("name" = Name, Path), ("version" = String, Path)),
    responses((status = 200, description = "All of it", body = UsesView)),
    extensions(("x-rondo-operation" = json!("definition.read"))))]
async fn uses(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Version,
) -> Answer<Json<UsesView>> {
    let (workflow, version) = place(version);
    Ok(Json(portal.service.definition_uses(&caller, &workflow, &version).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DifferenceQuery {
    /// The version to compare with, of the same workflow.
    from: String,
}

/// How the text of a version differs from that of another one
#[utoipa::path(get, path = "/api/v1/workflows/{namespace}/{name}/versions/{version}/difference", tag = "definitions",
    operation_id = "compareDefinitions",
    params(("namespace" = Name, Path), ("name" = Name, Path), ("version" = String, Path), DifferenceQuery),
    responses((status = 200, description = "All of it", body = DifferenceView)),
    extensions(("x-rondo-operation" = json!("definition.read"))))]
async fn difference(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Version,
    Asked(query): Asked<DifferenceQuery>,
) -> Answer<Json<DifferenceView>> {
    let (workflow, version) = place(version);
    Ok(Json(portal.service.definition_difference(&caller, &workflow, &version, &query.from).await?))
}

/// What was said of a version, oldest first
#[utoipa::path(get, path = "/api/v1/workflows/{namespace}/{name}/versions/{version}/comments", tag = "definitions",
    operation_id = "listDefinitionComments",
    params(("namespace" = Name, Path), ("name" = Name, Path), ("version" = String, Path)),
    responses((status = 200, description = "All of it", body = Page<CommentView>)),
    extensions(("x-rondo-operation" = json!("definition.read"))))]
async fn comments(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Version,
) -> Answer<Json<Page<CommentView>>> {
    let (workflow, version) = place(version);
    Ok(whole(portal.service.definition_comments(&caller, &workflow, &version).await?))
}

/// Something to be said of a version.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"comment": "Why a day?", "line": 12,
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}))]
struct NewComment {
    /// At most 4000 characters.
    comment: String,
    /// The line of the text that it is about, from 1; absent if it is about the whole.
    line: Option<u32>,
    /// The version's `digest`.
    digest: String,
}

/// Comment on a draft or on a version in review
#[utoipa::path(post, path = "/api/v1/workflows/{namespace}/{name}/versions/{version}/comments", tag = "definitions",
    operation_id = "commentOnDefinition",
    params(("namespace" = Name, Path), ("name" = Name, Path), ("version" = String, Path)),
    request_body = NewComment,
    responses((status = 201, description = "The comment", body = CommentView)),
    extensions(("x-rondo-operation" = json!("definition.comment"))))]
async fn comment(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Version,
    Sent(NewComment { comment, line, digest }): Sent<NewComment>,
) -> Answer<Created<CommentView>> {
    let (workflow, version) = place(version);
    let service = &portal.service;
    let comment = service.comment_on_definition(&caller, &workflow, &version, &comment, line, &digest).await?;
    Ok(Created(format!("/workflows/{workflow}/versions/{version}/comments"), comment))
}

/// Settle a comment
#[utoipa::path(post, path = "/api/v1/workflows/{namespace}/{name}/versions/{version}/comments/{id}/resolve",
    tag = "definitions", operation_id = "resolveDefinitionComment",
    params(("namespace" = Name, Path), ("name" = Name, Path), ("version" = String, Path), ("id" = CommentId, Path)),
    responses((status = 200, description = "The comment", body = CommentView)),
    extensions(("x-rondo-operation" = json!("definition.comment"))))]
async fn resolve(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((namespace, name, version, id)): Place<(Name, Name, String, CommentId)>,
) -> Answer<Json<CommentView>> {
    let workflow = WorkflowRef { namespace, name };
    Ok(Json(portal.service.resolve_comment(&caller, &workflow, &version, id).await?))
}
