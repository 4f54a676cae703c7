//! The OpenAPI 3.1 document: what clients can rely on, made of the routes and of the types of the bodies.

mod schemas;

use std::fmt;

use axum::http::StatusCode;
pub(super) use schemas::{clash, members};
use utoipa::openapi::{
    Components, Content, HeaderBuilder, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required,
    Schema, SchemaFormat, ServerBuilder, Type,
    content::ContentBuilder,
    path::{
        HttpMethod, Operation as Described, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathsBuilder,
    },
    request_body::{RequestBody, RequestBodyBuilder},
    response::{Response, ResponseBuilder},
    security::{SecurityRequirement, SecurityScheme},
};

use super::{
    Management, Operation, list,
    location::{self, LocationPath},
    settings::Settings,
};

/// How a session is shown.
#[derive(Clone)]
pub(super) struct SessionScheme {
    pub(super) name: String,
    pub(super) scheme: SecurityScheme,
}

impl SessionScheme {
    fn requirement(&self) -> SecurityRequirement {
        SecurityRequirement::new::<_, [&str; 0], &str>(&self.name, [])
    }
}

impl fmt::Debug for SessionScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionScheme({})", self.name)
    }
}

/// The document of a management API.
pub(super) fn of(management: &Management) -> OpenApi {
    let mut paths = PathsBuilder::new();
    for (operation, path) in management.routes() {
        let method = match operation.method().as_str() {
            "GET" => HttpMethod::Get,
            "POST" => HttpMethod::Post,
            "PUT" => HttpMethod::Put,
            _ => HttpMethod::Delete,
        };
        let item = utoipa::openapi::PathItem::new(method, described(management, operation, &path));
        paths = paths.path(path, item);
    }
    let mut components = Components::new();
    components.schemas.extend(schemas::all(&management.settings));
    if let Some(SessionScheme { name, scheme }) = &management.session {
        components.add_security_scheme(name, scheme.clone());
    }
    OpenApiBuilder::new()
        .info(InfoBuilder::new().title(&management.title).version(env!("CARGO_PKG_VERSION")).build())
        .paths(paths.build())
        .components(Some(components))
        .servers(Some([ServerBuilder::new().url(management.settings.public_url.server()).build()]))
        .security(management.session.as_ref().map(|session| [session.requirement()]))
        .build()
}

fn described(management: &Management, operation: Operation, path: &str) -> Described {
    let settings = &management.settings;
    let mut builder = OperationBuilder::new()
        .operation_id(Some(operation.as_str()))
        .summary(Some(summary(operation)))
        .tag("tokens")
        .request_body(body(operation));
    for parameter in parameters(settings, operation, path) {
        builder = builder.parameter(parameter);
    }
    for (status, mut response) in responses(settings, operation) {
        if status == StatusCode::CREATED && LocationPath::of(management).is_some() {
            response.headers.insert("Location".into(), RefOr::T(text_header("The token's path.")));
        }
        builder = builder.response(status.as_str(), response);
    }
    if let Some(session) = &management.session {
        builder = builder.security(session.requirement());
    }
    builder.build()
}

const fn summary(operation: Operation) -> &'static str {
    match operation {
        Operation::List => "Lists tokens. The plaintext of none of them is shown.",
        Operation::Create => "Makes a token. Its plaintext is in this reply alone, and cannot be shown again.",
        Operation::Get => "Shows what is kept of a token.",
        Operation::Delete => "Revokes a token for good. What is kept of it is deleted after its retention.",
        Operation::Revoke => "Revokes a token for good.",
        Operation::Block => "Pauses a token until it is unblocked.",
        Operation::Unblock => "Ends a block.",
        Operation::Rotate => {
            "Gives a token a new secret. Its plaintext is in this reply alone, and cannot be shown again."
        }
        Operation::SetExpiry => "Gives a token a new end; an expired one is good again.",
        Operation::NarrowScopes => "Takes scopes from a token. They are never widened.",
    }
}

fn parameters(settings: &Settings, operation: Operation, path: &str) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    for name in location::parameters(path) {
        let is_id = name == Settings::TOKEN_ID;
        let format = is_id.then(|| SchemaFormat::Custom("uuid".into()));
        let text = if is_id { "The token's id." } else { "As the service knows it." };
        let schema = ObjectBuilder::new().schema_type(Type::String).format(format).build();
        parameters.push(parameter(name, ParameterIn::Path, Required::True, text, schema));
    }
    if operation == Operation::List {
        parameters.extend(list::PARAMETERS.map(query_parameter));
    }
    if !matches!(operation, Operation::List | Operation::Create | Operation::Get) {
        let text = "The `ETag` of the version that the change is meant for: the member `version` of the token in quotes, such as `\"3\"`. \
                    A weak tag (`W/\"3\"`), as proxies make it that compress responses, never matches. Without this header, the \
                    change is made whatever the version is.";
        let schema = ObjectBuilder::new().schema_type(Type::String).build();
        parameters.push(parameter("If-Match", ParameterIn::Header, Required::False, text, schema));
    }
    if operation == Operation::Rotate || operation == Operation::Create && settings.requests.is_some() {
        let text = match operation {
            Operation::Create => "The request's own name: sent again under it within a day, it makes no second token.",
            _ => "The request's own name: sent again under it before the next rotation, it rotates nothing.",
        };
        // Visible ASCII, as header values can hold without loss.
        let schema = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255));
        let schema = schema.pattern(Some("^[!-~]+$")).build();
        parameters.push(parameter("Idempotency-Key", ParameterIn::Header, Required::False, text, schema));
    }
    parameters
}

fn query_parameter(name: &'static str) -> Parameter {
    let of = |schema_type: Type| ObjectBuilder::new().schema_type(schema_type);
    let moment = of(Type::Integer).format(Some(SchemaFormat::Custom("int64".into())));
    let moment = moment.minimum(Some(946_684_800_000_i64)).maximum(Some(253_402_300_799_999_i64));
    let (told, schema): (_, RefOr<Schema>) = match name {
        "limit" => {
            let schema = of(Type::Integer).minimum(Some(1)).maximum(Some(list::MOST)).default(Some(list::USUAL.into()));
            ("How many tokens at most.", schema.into())
        }
        "cursor" => (
            "The `next_cursor` of the page before; sorted by id, the id of any token to start after.",
            of(Type::String).into(),
        ),
        "status" => ("Only tokens of this status.", Ref::from_schema_name("TokenStatus").into()),
        "sort" => {
            let schema = of(Type::String).enum_values(Some(["id", "last_used"])).default(Some("id".into()));
            ("By id, which is the order in which tokens were made, or the last used first.", schema.into())
        }
        "used_since" => ("Only tokens that were used at this moment or later, in Unix milliseconds.", moment.into()),
        _ => ("Only tokens that were not used at this moment or later, in Unix milliseconds.", moment.into()),
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(told))
        .schema(Some(schema))
        .build()
}

fn parameter(
    name: &str,
    place: ParameterIn,
    required: Required,
    text: &str,
    schema: impl Into<RefOr<Schema>>,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(Some(text))
        .schema(Some(schema))
        .build()
}

fn body(operation: Operation) -> Option<RequestBody> {
    let (schema, required) = match operation {
        Operation::List | Operation::Get | Operation::Delete => return None,
        Operation::Create => ("CreateToken", Required::True),
        Operation::SetExpiry => ("SetTokenExpiry", Required::True),
        Operation::NarrowScopes => ("NarrowTokenScopes", Required::True),
        Operation::Rotate => ("RotateToken", Required::False),
        Operation::Revoke | Operation::Block | Operation::Unblock => ("TokenChange", Required::False),
    };
    let body = RequestBodyBuilder::new().content("application/json", content(schema)).required(Some(required));
    Some(body.build())
}

fn responses(settings: &Settings, operation: Operation) -> Vec<(StatusCode, Response)> {
    let is_change = !matches!(operation, Operation::List | Operation::Get);
    let has_body = body(operation).is_some();
    let mut responses = vec![match operation {
        Operation::List => (StatusCode::OK, answer("A page of tokens.", "TokenPage")),
        Operation::Create => (StatusCode::CREATED, minted("The token is made.")),
        Operation::Rotate => (StatusCode::OK, minted("The token has a new secret.")),
        Operation::Delete => {
            (StatusCode::NO_CONTENT, Response::new("The token is revoked, as it may have been before."))
        }
        _ => (StatusCode::OK, tagged(answer("The token as it is now.", "Token"))),
    }];
    let mut refuse = |status: StatusCode, text: &str| responses.push((status, refusal(settings, text, "ApiError")));
    if operation == Operation::List || has_body {
        refuse(StatusCode::BAD_REQUEST, "A member or a parameter is wrong; the error names it.");
    }
    refuse(StatusCode::UNAUTHORIZED, "There is no session.");
    refuse(
        StatusCode::FORBIDDEN,
        "The session may not do this, or the request shows a token or comes from another site.",
    );
    refuse(StatusCode::NOT_FOUND, "There is no such thing, as far as this session can see.");
    if is_change && operation != Operation::Delete {
        let text = match operation {
            Operation::SetExpiry => "The token's state does not allow this, or its own text names an earlier end.",
            _ => "The token's state does not allow this, or a request of the same name is at work.",
        };
        refuse(StatusCode::CONFLICT, text);
    }
    if has_body {
        refuse(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large.");
        refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not `application/json`.");
    }
    if matches!(operation, Operation::Create | Operation::Rotate) {
        let text = "Another request was made under this idempotency key.";
        refuse(StatusCode::UNPROCESSABLE_ENTITY, text);
        if settings.limit != StatusCode::TOO_MANY_REQUESTS {
            refuse(StatusCode::TOO_MANY_REQUESTS, "The service allows this later.");
        }
    }
    let is_known = |responses: &[(StatusCode, Response)], status| responses.iter().any(|(known, _)| *known == status);
    let counts = matches!(operation, Operation::Create | Operation::Rotate | Operation::Unblock | Operation::SetExpiry);
    if counts && !is_known(&responses, settings.limit) {
        let text = "The owner has as many active tokens as allowed, or the service allows this later.";
        responses.push((settings.limit, refusal(settings, text, "ApiError")));
    }
    if is_change && operation != Operation::Create {
        let text = "The token was changed since the `ETag` that the request names.";
        responses.push((StatusCode::PRECONDITION_FAILED, refusal(settings, text, "PreconditionFailedError")));
    }
    if matches!(operation, Operation::Create | Operation::Rotate) {
        let text = "The service is set up in a way that makes no token.";
        responses.push((StatusCode::INTERNAL_SERVER_ERROR, refusal(settings, text, "ApiError")));
    }
    responses
        .push((StatusCode::SERVICE_UNAVAILABLE, refusal(settings, "Nothing can be done now: try again.", "ApiError")));
    responses
}

fn answer(text: &str, schema: &str) -> Response {
    ResponseBuilder::new().description(text).content("application/json", content(schema)).build()
}

fn refusal(settings: &Settings, text: &str, schema: &str) -> Response {
    ResponseBuilder::new().description(text).content(settings.errors.content_type(), content(schema)).build()
}

fn minted(text: &str) -> Response {
    let mut response = tagged(answer(text, "MintedToken"));
    let told = "`true` if an earlier request of this name has made it; the plaintext is not shown again.";
    response.headers.insert("Idempotent-Replayed".into(), RefOr::T(text_header(told)));
    response
}

fn tagged(mut response: Response) -> Response {
    response.headers.insert("ETag".into(), RefOr::T(text_header("The token's version, for `If-Match`.")));
    response
}

fn text_header(text: &str) -> utoipa::openapi::Header {
    let schema = ObjectBuilder::new().schema_type(Type::String).build();
    HeaderBuilder::new().schema(Some(schema)).description(Some(text)).build()
}

fn content(schema: &str) -> Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build()
}
