//! What the OpenAPI document says beside the routes: who may call, and how refusals look.

use domain::{ErrorCode, Problem};
use serde_json::json;
use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{
        Components, ContentBuilder, HttpMethod, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
        ResponseBuilder,
        path::{Operation, ParameterBuilder, ParameterIn, PathItem},
        schema::{ObjectBuilder, Type},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
        tag::TagBuilder,
    },
};

use crate::http::problem::MEDIA_TYPE;

const DESCRIPTION: &str = "Everything that the portal does. Authenticate with `Authorization: Bearer rondo_…`; tokens are \
    made in the portal, by `POST /api/v1/me/tokens`, or by `rondo token create`. Every refusal is a problem (RFC 9457) \
    with a stable `code`. Lists are `{items, next}`: pass `next` as `cursor` for the page after. A POST with an \
    `Idempotency-Key` is done once, however often it is sent.";

const TAGS: &[(&str, &str)] = &[
    ("me", "The caller's own account"),
    ("catalogue", "What may be launched"),
    ("definitions", "Writing, reviewing, publishing and retiring workflows"),
    ("repositories", "Repositories whose branches bring definitions"),
    ("triggers", "What other systems call to have runs launched"),
    ("drafts", "Requests that are being filled in"),
    ("runs", "Following and steering runs"),
    ("events", "What other systems tell, and runs listen to"),
    ("approvals", "Decisions"),
    ("delegations", "Who decides for whom while somebody is away"),
    ("audit", "The audit log"),
    ("users", "People"),
    ("teams", "Teams"),
    ("grants", "Roles"),
    ("policies", "Who may do what: the policies in force, and those that administrators propose"),
    ("processes", "Shell commands, scripts and containers"),
    ("runners", "Who executes processes near the systems"),
    ("secrets", "Secrets of namespaces, for their workflows"),
    ("limits", "How many runs and calls of a namespace are executed at once"),
    ("calendars", "Working time, by which approvals are due"),
    ("connections", "Other systems"),
];

/// The document before any route.
pub(super) fn base() -> OpenApi {
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("Rondo")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(license))
        .build();
    let tags = TAGS.iter().map(|(name, words)| TagBuilder::new().name(*name).description(Some(*words)).build());
    OpenApiBuilder::new().info(info).tags(Some(tags)).build()
}

/// Adds what all operations have in common.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    let components = document.components.get_or_insert_with(Components::new);
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    let mut nested = Vec::new();
    Problem::schemas(&mut nested);
    components.schemas.extend(nested);
    let example = json!({
        "code": ErrorCode::InvalidInput,
        "title": ErrorCode::InvalidInput.title(),
        "status": 422,
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "errors": [{"pointer": "/givenName", "rule": "required", "message": "\"givenName\" is a required property"}],
    });
    let content = ContentBuilder::new()
        .schema(Some(RefOr::Ref(Ref::from_schema_name(Problem::name()))))
        .example(Some(example))
        .build();
    let response = ResponseBuilder::new()
        .description("A problem: what was wrong, by `code` and `status`")
        .content(MEDIA_TYPE, content)
        .build();
    components.responses.insert("Problem".to_owned(), RefOr::T(response));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API token: `rondo_…`")).build();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    let cookie = ApiKeyValue::with_description("rondo", "The portal's own session");
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    let schemes = [SecurityRequirement::new("token", [""; 0]), SecurityRequirement::new("session", [""; 0])];
    for item in document.paths.paths.values_mut() {
        for (method, operation) in operations(item) {
            operation.security = Some(schemes.to_vec());
            let problem = RefOr::Ref(Ref::from_response_name("Problem"));
            operation.responses.responses.insert("default".to_owned(), problem);
            if method == HttpMethod::Post {
                let key = ParameterBuilder::new()
                    .name("Idempotency-Key")
                    .parameter_in(ParameterIn::Header)
                    .description(Some(
                        "1 to 255 visible ASCII characters; the same request with the same key is done once",
                    ))
                    .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(255))))
                    .build();
                operation.parameters.get_or_insert_default().push(key.into());
            }
        }
    }
    document.security = Some(schemes.to_vec());
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Patch, &mut item.patch),
        (HttpMethod::Delete, &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}
