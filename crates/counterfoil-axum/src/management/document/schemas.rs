//! The schemas of bodies, under the host's names.

use counterfoil::{Environment, IssuePolicy, Scope, UnknownScopes, annotation::Tag};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, Object, ObjectBuilder, OneOf, OneOfBuilder, Ref, RefOr, Schema, Type,
        schema::{AdditionalProperties, ArrayItems},
    },
};

use crate::management::{
    ManagedToken, MarkView, Names, RestrictionsView,
    json::Members as _,
    problem::Problem,
    settings::Settings,
    view::StatusName,
    wish::{Because, Create, CreateRestrictions, NarrowScopes, Rotate, SetExpiry},
};

/// The members of a page.
const PAGE: [&str; 3] = ["tokens", "corrupt", "next_cursor"];

/// What a minted token's reply holds beside the token.
const MINTED: [&str; 3] = ["token", "replayed", "dropped_scopes"];

/// Every schema, with its name.
pub(in crate::management) fn all(settings: &Settings) -> Vec<(String, RefOr<Schema>)> {
    let names = &settings.showing.names;
    let shown = || {
        let mut object = whole::<ManagedToken>();
        open(&mut object, "metadata");
        if let Some(kind) = &settings.showing.kind {
            put(&mut object, "type", constant(kind));
        }
        object
    };
    let mut precondition = error(settings);
    precondition.description = Some("The token was changed since the `ETag` that the request names.".into());
    if settings.errors.is_problem() {
        precondition.required.push("current_etag".into());
    }
    [
        ("Token", renamed(shown(), names)),
        ("TokenRestrictions", whole::<RestrictionsView>()),
        ("TokenMark", whole::<MarkView>()),
        ("TokenStatus", object_of::<StatusName>()),
        ("IssuedToken", renamed(minted(shown(), false), names)),
        ("ReplayedToken", renamed(minted(shown(), true), names)),
        ("TokenPage", renamed(page(), names)),
        ("CreateToken", renamed(closed(create(settings)), names)),
        ("CreateRestrictions", closed(object_of::<CreateRestrictions>())),
        ("SetTokenExpiry", renamed(closed(one_end(object_of::<SetExpiry>())), names)),
        ("NarrowTokenScopes", renamed(closed(object_of::<NarrowScopes>()), names)),
        ("TokenChange", renamed(closed(object_of::<Because>()), names)),
        ("RotateToken", renamed(closed(rotate(settings)), names)),
        ("TokenScope", any_scope().build()),
        ("GrantableScope", grantable_scope(settings.registry.issue_policy())),
        ("ApiError", error(settings)),
        ("PreconditionFailedError", precondition),
    ]
    .map(|(name, object)| (name.to_owned(), RefOr::T(Schema::Object(object))))
    .into_iter()
    .chain([("MintedToken".to_owned(), RefOr::T(Schema::OneOf(either_minted())))])
    .collect()
}

/// The reply to a request that makes a secret, told apart by the member `replayed`.
fn either_minted() -> OneOf {
    OneOfBuilder::new()
        .item(Ref::from_schema_name("IssuedToken"))
        .item(Ref::from_schema_name("ReplayedToken"))
        .description(Some("A token, with its plaintext unless an earlier request of the same name has made it."))
        .build()
}

fn any_scope() -> ObjectBuilder {
    let pattern = scope_of(&format!("^{SEGMENT}(:{SEGMENT})*(:\\*)?$"));
    pattern.description(Some("A scope, or a pattern that ends in `:*`."))
}

fn scope_of(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).max_length(Some(Scope::MAX_LEN)).pattern(Some(pattern))
}

/// What the catalog knows, if it says no to everything else. A pattern and no enumeration: with a name that is new,
/// clients that were made of an older document go on.
fn grantable_scope(policy: &IssuePolicy) -> Object {
    let Some((catalog, UnknownScopes::Reject)) = &policy.scopes else { return any_scope().build() };
    let (mut known, mut told) = (Vec::new(), Vec::new());
    for (scope, text) in catalog.scopes() {
        known.push(escaped(scope.as_str()));
        told.push(format!("- `{scope}`: {text}"));
    }
    for (family, text) in catalog.families() {
        let root = escaped(family.as_str().trim_end_matches('*'));
        known.push(format!("{root}({SEGMENT}(:{SEGMENT})*(:\\*)?|\\*)"));
        told.push(format!("- `{family}`: {text}"));
    }
    scope_of(&format!("^({})$", known.join("|"))).description(Some(told.join("\n"))).build()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        escaped.extend(SPECIAL.contains(character).then_some('\\'));
        escaped.push(character);
    }
    escaped
}

/// The characters of a scope's segment (RFC 6749, section 3.3), without the separator and the star.
const SEGMENT: &str = r"[!#-)+-9;-\[\]-~]+";

/// A text without control characters.
const NO_CONTROL: &str = r"^[^\x00-\x1F\x7F-\x9F]*$";

/// What means something in a regular expression.
const SPECIAL: &str = r".+?^$()[]{}|\/";

/// Every member that a host may name.
pub(in crate::management) fn members() -> impl Iterator<Item = &'static str> {
    bodies().into_iter().flatten()
}

/// A name that two members of one body would have.
pub(in crate::management) fn clash(names: &Names) -> Option<String> {
    bodies().iter().find_map(|members| names.clash(members).map(str::to_owned))
}

/// The members of each body.
fn bodies() -> [Vec<&'static str>; 7] {
    let mut token: Vec<&'static str> = TOKEN.into();
    token.extend(MINTED);
    let requests = [Create::MEMBERS, SetExpiry::MEMBERS, NarrowScopes::MEMBERS, Because::MEMBERS, Rotate::MEMBERS];
    let [create, expiry, scopes, because, rotate] = requests.map(<[&str]>::to_vec);
    [token, PAGE.into(), create, expiry, scopes, because, rotate]
}

/// The members of [`ManagedToken`], and the constant `type`.
const TOKEN: [&str; 24] = [
    "type",
    "id",
    "public",
    "name",
    "description",
    "tags",
    "metadata",
    "scopes",
    "restrictions",
    "audience",
    "environment",
    "status",
    "version",
    "created_at",
    "created_by",
    "rotated_at",
    "overlap_until",
    "expires_at",
    "revoked",
    "suspended",
    "blocked",
    "last_used_at",
    "last_used_address",
    "last_used_agent",
];

fn object_of<T: ToSchema + PartialSchema>() -> Object {
    match T::schema() {
        RefOr::T(Schema::Object(object)) => object,
        // INVARIANT: the types above are structs with named fields, and one enum of names.
        _ => Object::new(),
    }
}

/// With every member required: what is shown has them all, be they null.
fn whole<T: ToSchema + PartialSchema>() -> Object {
    let mut object = object_of::<T>();
    object.required = object.properties.keys().cloned().collect();
    object
}

fn put(object: &mut Object, name: &str, schema: impl Into<RefOr<Schema>>) {
    object.properties.insert(name.to_owned(), schema.into());
    if !object.required.iter().any(|known| known == name) {
        object.required.push(name.to_owned());
    }
}

/// Says that a member holds an object with any members: without that, some generators make one with none.
fn open(object: &mut Object, name: &str) {
    if let Some(RefOr::T(Schema::Object(member))) = object.properties.get_mut(name) {
        member.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(true)));
    }
}

fn constant(text: &str) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some([text])).build()
}

fn rotate(settings: &Settings) -> Object {
    let mut rotate = object_of::<Rotate>();
    if let Some(RefOr::T(Schema::Object(overlap))) = rotate.properties.get_mut("overlap") {
        overlap.maximum = Some(settings.demands.longest_overlap.into());
    }
    rotate
}

fn texts() -> ArrayBuilder {
    ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::String))
}

fn nullable_text(text: &str) -> Object {
    let schema_type = utoipa::openapi::schema::SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(schema_type).description(Some(text)).build()
}

/// What is replied to a request that has made a secret, or that repeats one which has.
fn minted(mut token: Object, is_replayed: bool) -> Object {
    let plaintext = match is_replayed {
        false => {
            ObjectBuilder::new().schema_type(Type::String).description(Some("The plaintext. It cannot be shown again."))
        }
        true => ObjectBuilder::new().schema_type(Type::Null).description(Some("The plaintext is not shown again.")),
    };
    put(&mut token, "token", plaintext);
    let replayed = ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([is_replayed]));
    put(&mut token, "replayed", replayed.description(Some("Whether an earlier request of this name has made it.")));
    put(&mut token, "dropped_scopes", texts().description(Some("Scopes that were asked for and are unknown.")));
    let text = if is_replayed { "A token that an earlier request has made." } else { "A token, and its plaintext." };
    token.description = Some(text.into());
    token
}

fn page() -> Object {
    let mut page = ObjectBuilder::new().description(Some("A page of tokens.")).build();
    put(&mut page, "tokens", ArrayBuilder::new().items(Ref::from_schema_name("Token")));
    put(&mut page, "corrupt", texts().description(Some("The ids of tokens that cannot be read, and verify nothing.")));
    put(&mut page, "next_cursor", nullable_text("Where the next page begins; null if there is none."));
    page
}

fn create(settings: &Settings) -> Object {
    let mut create = object_of::<Create>();
    open(&mut create, "metadata");
    match &settings.demands.kind {
        Some(kind) => put(&mut create, "type", constant(kind)),
        None => drop(create.properties.remove("type")),
    }
    // The bounds of each tag, which the derived schema has no place for.
    if let Some(RefOr::T(Schema::Array(tags))) = create.properties.get_mut("tags") {
        let tag = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(Tag::MAX_CHARS));
        tags.items = ArrayItems::RefOrSchema(Box::new(tag.pattern(Some(NO_CONTROL)).into()));
    }
    if settings.demands.restrictions {
        put(&mut create, "restrictions", Ref::from_schema_name("CreateRestrictions"));
    }
    let environments: Vec<_> = settings.registry.families().mint_family().environments().to_vec();
    if environments.is_empty() {
        create.properties.remove("environment");
    } else {
        let known = environments.iter().map(Environment::as_str);
        put(&mut create, "environment", ObjectBuilder::new().schema_type(Type::String).enum_values(Some(known)));
    }
    create
}

/// One end, given one way.
fn one_end(mut object: Object) -> Object {
    object.min_properties = Some(1);
    object.max_properties = Some(1);
    object
}

fn error(settings: &Settings) -> Object {
    if settings.errors.is_problem() {
        return object_of::<Problem<'_>>();
    }
    let mut error = ObjectBuilder::new().description(Some("What went wrong, in the service's own form.")).build();
    if settings.errors.is_short() {
        put(&mut error, "error", ObjectBuilder::new().schema_type(Type::String));
    } else {
        error.schema_type = utoipa::openapi::schema::SchemaType::AnyValue;
    }
    error
}

/// With no members but those that are named.
fn closed(mut object: Object) -> Object {
    object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    object
}

fn renamed(mut object: Object, names: &Names) -> Object {
    let properties = std::mem::take(&mut object.properties);
    object.properties = properties.into_iter().map(|(ours, schema)| (names.of(&ours).to_owned(), schema)).collect();
    for ours in &mut object.required {
        *ours = names.of(ours).to_owned();
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_of_a_body_can_be_named() {
        let token = object_of::<ManagedToken>().properties;
        let mut known: Vec<&str> = token.keys().map(String::as_str).chain(["type"]).collect();
        let mut told = TOKEN;
        known.sort_unstable();
        told.sort_unstable();
        assert_eq!(known, told);
        for (object, members) in [
            (object_of::<Create>(), Create::MEMBERS),
            (object_of::<SetExpiry>(), SetExpiry::MEMBERS),
            (object_of::<NarrowScopes>(), NarrowScopes::MEMBERS),
            (object_of::<Because>(), Because::MEMBERS),
            (object_of::<Rotate>(), Rotate::MEMBERS),
        ] {
            let mut found: Vec<_> = object.properties.keys().map(String::as_str).collect();
            let mut members = members.to_vec();
            found.sort_unstable();
            members.sort_unstable();
            assert_eq!(found, members);
        }
    }
}
