//! What requests ask for.

use std::{fmt, time::Duration};

use counterfoil::{
    Actor, Annotations, Audience, By, Environment, Expiry, Grant, IssuePolicy, Lifetime, Metadata, Name, Network,
    Owner, Restrictions, Scopes, Timestamp,
    annotation::{Description, Tags},
    subject::Reason,
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Value};

use super::{ApiError, Names, json::Members};

/// A scope or a pattern; its schema is made of the host's catalog.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "its name alone is used")]
pub(super) struct GrantableScope(String);

/// A scope or a pattern, whether the catalog knows it still or not.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "its name alone is used")]
pub(super) struct TokenScope(String);

/// A new token.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = CreateToken)]
pub(super) struct Create {
    /// The kind of token.
    #[serde(default, rename = "type")]
    #[schema(nullable = false)]
    kind: Option<String>,
    /// What a person calls it, in at most 200 characters.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200, pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]*$")]
    name: Option<String>,
    /// What it is for, in at most 1000 characters.
    #[schema(min_length = 1, max_length = 1000, pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]*$")]
    description: Option<String>,
    /// Words to group tokens by, each of at most 64 characters.
    #[schema(max_items = 32)]
    tags: Option<Vec<String>>,
    /// What is kept with it: an object of at most 4096 bytes. Numbers are 64-bit integers or exact doubles.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// What its bearer may do.
    #[schema(value_type = Option<Vec<GrantableScope>>, max_items = 128)]
    scopes: Option<Vec<String>>,
    /// Where it may be used.
    #[serde(default, deserialize_with = "object")]
    restrictions: Option<CreateRestrictions>,
    /// The resource server that it is meant for, in at most 255 characters.
    #[schema(min_length = 1, max_length = 255, pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]*$")]
    audience: Option<String>,
    /// The environment that it is for.
    environment: Option<String>,
    /// When it ends, in Unix milliseconds; null is never.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>, minimum = 946684800000_i64, maximum = 253402300799999_i64)]
    expires_at: Option<Option<i64>>,
    /// After how many seconds it ends, instead of `expires_at`.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 4294967295_i64)]
    expires_in: Option<u32>,
}

/// Conditions of use.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = CreateRestrictions)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateRestrictions {
    /// The same as `scopes` beside it; if both are given, they are equal.
    #[schema(value_type = Option<Vec<GrantableScope>>, max_items = 128)]
    scopes: Option<Vec<String>>,
    /// The networks that it may be used from, as addresses or CIDR; none means any.
    #[schema(max_items = 64)]
    networks: Option<Vec<String>>,
}

impl Members for Create {
    const MEMBERS: &[&str] = &[
        "type",
        "name",
        "description",
        "tags",
        "metadata",
        "scopes",
        "restrictions",
        "audience",
        "environment",
        "expires_at",
        "expires_in",
    ];
}

/// What the host demands of requests to create and to rotate.
#[derive(Debug, Clone)]
pub(super) struct Demands {
    pub(super) kind: Option<String>,
    pub(super) restrictions: bool,
    /// In seconds.
    pub(super) longest_overlap: u32,
}

impl Default for Demands {
    fn default() -> Self {
        Self { kind: None, restrictions: false, longest_overlap: u32::MAX }
    }
}

impl Create {
    /// The metadata that are asked for, read from their own text: a parsed number has lost the digits that a double cannot
    /// hold.
    pub(super) fn metadata(&self, text: Option<&str>, names: &Names) -> Result<Metadata, ApiError> {
        match (&self.metadata, text) {
            (Some(_), Some(text)) => {
                Metadata::from_json(text).map_err(|error| ApiError::of_field(names.of("metadata"), error))
            }
            _ => Ok(Metadata::default()), // not there, or `null`
        }
    }

    /// The grant that is asked for, without its metadata.
    pub(super) fn grant(
        self,
        owner: Owner,
        by: Option<Actor>,
        demands: &Demands,
        policy: &IssuePolicy,
        now: Timestamp,
        names: &Names,
    ) -> Result<Grant, ApiError> {
        let wrong = |field: &str, error: &dyn fmt::Display| ApiError::of_field(names.of(field), error);
        match (&demands.kind, &self.kind) {
            (Some(expected), found) if found.as_ref() != Some(expected) => {
                return Err(wrong("type", &format_args!("expected `{expected}`")));
            }
            (None, Some(_)) => return Err(wrong("type", &"no such member")),
            _ => {}
        }
        if demands.restrictions && self.restrictions.is_none() {
            return Err(wrong("restrictions", &"missing"));
        }
        let (within, networks) = match self.restrictions {
            Some(CreateRestrictions { scopes, networks }) => (scopes, networks.unwrap_or_default()),
            None => (None, Vec::new()),
        };
        let read = |field: &str, texts: Option<&Vec<String>>| match texts {
            Some(texts) => {
                let scopes = Scopes::from_texts(texts.iter().map(String::as_str));
                scopes.map(Some).map_err(|error| wrong(field, &error))
            }
            None => Ok(None),
        };
        let inner = format!("{}.scopes", names.of("restrictions"));
        let scopes = match (read("scopes", self.scopes.as_ref())?, read(&inner, within.as_ref())?) {
            (Some(outside), Some(inside)) if outside != inside => {
                return Err(wrong("scopes", &format_args!("other than {inner}")));
            }
            (one, other) => one.or(other).unwrap_or(Scopes::none()),
        };
        let mut restrictions = Restrictions::none();
        for network in networks {
            let network = network.parse::<Network>().and_then(|network| restrictions.add_network(network));
            network.map_err(|error| wrong(&format!("{}.networks", names.of("restrictions")), &error))?;
        }
        if let Some(audience) = self.audience {
            restrictions.set_audience(Audience::new(audience).map_err(|error| wrong("audience", &error))?);
        }
        let name = self.name.ok_or_else(|| wrong("name", &"missing"))?;
        let description = self.description.map(Description::new).transpose();
        let tags = self.tags.unwrap_or_default();
        let annotations = Annotations {
            name: Some(Name::new(name).map_err(|error| wrong("name", &error))?),
            description: description.map_err(|error| wrong("description", &error))?,
            tags: Tags::from_texts(tags.iter().map(String::as_str)).map_err(|error| wrong("tags", &error))?,
            metadata: Metadata::default(),
        };
        let asked = lifetime(self.expires_at, self.expires_in, now, names)?;
        let lifetime = policy.lifetime(asked).map_err(|error| wrong("expires_at", &error))?;
        let grant = Grant::new(owner, lifetime).scopes(scopes).restrictions(restrictions).annotations(annotations);
        let environment = self.environment.map(|text| Environment::new(&text)).transpose();
        let environment = environment.map_err(|error| wrong("environment", &error))?;
        Ok(Grant { environment, by, ..grant })
    }
}

/// A new end.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = SetTokenExpiry)]
pub(super) struct SetExpiry {
    /// When the token ends, in Unix milliseconds; null is never.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>, minimum = 946684800000_i64, maximum = 253402300799999_i64)]
    expires_at: Option<Option<i64>>,
    /// After how many seconds from now it ends, instead of `expires_at`.
    #[schema(value_type = Option<i64>, nullable = false, minimum = 1, maximum = 4294967295_i64)]
    expires_in: Option<u32>,
}

impl Members for SetExpiry {
    const MEMBERS: &[&str] = &["expires_at", "expires_in"];
}

impl SetExpiry {
    pub(super) fn lifetime(self, now: Timestamp, names: &Names) -> Result<Lifetime, ApiError> {
        let asked = lifetime(self.expires_at, self.expires_in, now, names)?;
        asked.ok_or_else(|| ApiError::of_field(names.of("expires_at"), "missing"))
    }
}

/// What is asked for, if anything is. An end that has passed is refused by name, whatever may be asked for otherwise.
fn lifetime(
    at: Option<Option<i64>>,
    within: Option<u32>,
    now: Timestamp,
    names: &Names,
) -> Result<Option<Lifetime>, ApiError> {
    let wrong = |error: &dyn fmt::Display| ApiError::of_field(names.of("expires_at"), error);
    match (at, within) {
        (Some(_), Some(_)) => Err(wrong(&format_args!("given beside {}", names.of("expires_in")))),
        (None, None) => Ok(None),
        (None, Some(0)) => Err(ApiError::of_field(names.of("expires_in"), "expected at least 1")),
        (None, Some(seconds)) => Ok(Some(Lifetime::For(Duration::from_secs(seconds.into())))),
        (Some(None), None) => Ok(Some(Lifetime::Forever)),
        (Some(Some(millis)), None) => {
            let end = Timestamp::from_unix_millis(millis).map_err(|error| wrong(&error))?;
            if Expiry::At(end).has_passed(now) {
                return Err(wrong(&format_args!("{end} has passed")));
            }
            Ok(Some(Lifetime::Until(end)))
        }
    }
}

/// An object or `null`: the derived form would take a list of its members too.
fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<CreateRestrictions>, D::Error> {
    struct Object;

    impl<'de> Visitor<'de> for Object {
        type Value = Option<CreateRestrictions>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
            CreateRestrictions::deserialize(MapAccessDeserializer::new(members)).map(Some)
        }
    }

    deserializer.deserialize_any(Object)
}

/// Tells `null` from a member that is not there.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::<i64>::deserialize(deserializer).map(Some)
}

/// Fewer scopes.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = NarrowTokenScopes)]
pub(super) struct NarrowScopes {
    /// The scopes that the token keeps.
    #[schema(value_type = Vec<TokenScope>, required = true, max_items = 128)]
    scopes: Option<Vec<String>>,
}

impl Members for NarrowScopes {
    const MEMBERS: &[&str] = &["scopes"];
}

impl NarrowScopes {
    pub(super) fn scopes(self, names: &Names) -> Result<Scopes, ApiError> {
        let wrong = |error: &dyn fmt::Display| ApiError::of_field(names.of("scopes"), error);
        let texts = self.scopes.ok_or_else(|| wrong(&"missing"))?;
        Scopes::from_texts(texts.iter().map(String::as_str)).map_err(|error| wrong(&error))
    }
}

/// Why a token is changed.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[schema(as = TokenChange)]
pub(super) struct Because {
    /// At whose request, in at most 255 characters: a claim, kept beside the session's own name.
    #[schema(min_length = 1, max_length = 255, pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]*$")]
    by: Option<String>,
    /// Why, in at most 500 characters.
    #[schema(min_length = 1, max_length = 500, pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]*$")]
    reason: Option<String>,
}

impl Members for Because {
    const MEMBERS: &[&str] = &["by", "reason"];
}

impl Because {
    pub(super) fn by(self, actor: Option<Actor>, names: &Names) -> Result<By, ApiError> {
        let claimed = self.by.map(Actor::new).transpose();
        let reason = self.reason.map(Reason::new).transpose();
        Ok(By {
            actor,
            claimed: claimed.map_err(|error| ApiError::of_field(names.of("by"), error))?,
            reason: reason.map_err(|error| ApiError::of_field(names.of("reason"), error))?,
        })
    }
}

/// A new secret.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[schema(as = RotateToken)]
pub(super) struct Rotate {
    /// For how many seconds the old secret is still good; 0 where nothing is said.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 4294967295_i64)]
    overlap: Option<u32>,
    /// At whose request, in at most 255 characters: a claim, kept beside the session's own name.
    #[schema(min_length = 1, max_length = 255, pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]*$")]
    by: Option<String>,
    /// Why, in at most 500 characters.
    #[schema(min_length = 1, max_length = 500, pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]*$")]
    reason: Option<String>,
}

impl Members for Rotate {
    const MEMBERS: &[&str] = &["overlap", "by", "reason"];
}

impl Rotate {
    pub(super) fn rotation(
        self,
        actor: Option<Actor>,
        demands: &Demands,
        names: &Names,
    ) -> Result<counterfoil::Rotation, ApiError> {
        let by = Because { by: self.by, reason: self.reason }.by(actor, names)?;
        let (found, longest) = (self.overlap.unwrap_or(0), demands.longest_overlap);
        if found > longest {
            let wrong = format_args!("found {found} seconds, expected at most {longest}");
            return Err(ApiError::of_field(names.of("overlap"), wrong));
        }
        let overlap = Duration::from_secs(found.into());
        Ok(counterfoil::Rotation::with_overlap(overlap).by(by))
    }
}
