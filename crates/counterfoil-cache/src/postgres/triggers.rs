//! The triggers that report changes: what each must look like, and its state while a node listens.
//!
//! A node that begins to listen reads the definitions of all triggers and compares them with those of the schema. Each of
//! its heartbeats then carries the state of the triggers, read in the transaction that sends it: their identity, whether
//! they fire, and the version of their catalog rows and of their functions. A node that hears a state other than the one
//! it began with ends its lease and begins again, so nothing that it read before is served afterwards.
//!
//! This keeps the bound. A heartbeat that renews the lease was sent before any change that its triggers did not report:
//! its snapshot was taken after it was sent, and shows the triggers as they were when the node began to listen. Triggers
//! that were disabled and enabled again between two heartbeats have other versions, and are noticed by the second one.

use std::{error::Error, fmt};

use counterfoil_sqlx::postgres::MIGRATIONS;
use sqlx::{PgPool, Row as _, postgres::PgRow};

/// The names are in the order of [`TRIGGERS`].
macro_rules! triggers {
    () => {
        "(VALUES \
         (1, 'counterfoil_token', 'counterfoil_token_went'), \
         (2, 'counterfoil_token', 'counterfoil_token_changed'), \
         (3, 'counterfoil_token', 'counterfoil_token_emptied'), \
         (4, 'counterfoil_selector', 'counterfoil_selector_changed'), \
         (5, 'counterfoil_selector', 'counterfoil_selector_emptied')) AS w (number, place, name)"
    };
}

/// The state of one trigger. A part that is not there is left out.
macro_rules! state {
    () => {
        "pg_catalog.concat_ws(':', w.name, t.tgenabled, c.oid, t.oid, t.xmin, p.oid, p.xmin)"
    };
}

macro_rules! joins {
    () => {
        " LEFT JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = c.oid AND t.tgname = w.name \
         LEFT JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid"
    };
}

/// What the triggers are, on the tables that the search path finds.
const DEFINITIONS: &str = concat!(
    "SELECT n.nspname::text, t.tgenabled::text, t.tgtype::int4, \
     CASE WHEN t.tgattr::text <> '' THEN 'columns' \
     WHEN t.tgqual IS NOT NULL THEN pg_catalog.pg_get_triggerdef(t.oid) END, \
     p.prosrc, ",
    state!(),
    " FROM ",
    triggers!(),
    " LEFT JOIN pg_catalog.pg_class AS c ON c.oid = pg_catalog.to_regclass(w.place) \
     LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace",
    joins!(),
    " ORDER BY w.number"
);

/// Sends a heartbeat on the channel `$1`: the number `$2`, and the state of the triggers on the tables in the schemas
/// `$3` and `$4`. It waits at most `$5` for the commit of another notification, and for no standby: nothing of it must last.
/// The schemas are named, since the heartbeats' connection may have another search path than the pool.
pub(super) const BEAT: &str = concat!(
    "SELECT pg_catalog.set_config('lock_timeout', $5, TRUE), pg_catalog.set_config('synchronous_commit', 'off', TRUE), \
     pg_catalog.pg_notify($1, pg_catalog.concat_ws(' ', $2::text, (SELECT pg_catalog.string_agg(",
    state!(),
    ", ' ' ORDER BY w.number) FROM ",
    triggers!(),
    " LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = CASE w.place WHEN 'counterfoil_token' THEN $3 ELSE $4 END \
     LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.place",
    joins!(),
    ")))"
);

/// What a trigger must be.
#[derive(Debug)]
struct Trigger {
    table: &'static str,
    name: &'static str,
    function: &'static str,
    /// `pg_trigger.tgtype`: 1 for each row, 8 after a delete, 16 after an update, 32 after a truncate.
    kind: i32,
}

const TRIGGERS: [Trigger; 5] = [
    Trigger {
        table: "counterfoil_token",
        name: "counterfoil_token_went",
        function: "counterfoil_tell_token",
        kind: 1 | 8,
    },
    Trigger {
        table: "counterfoil_token",
        name: "counterfoil_token_changed",
        function: "counterfoil_tell_token",
        kind: 1 | 16,
    },
    Trigger {
        table: "counterfoil_token",
        name: "counterfoil_token_emptied",
        function: "counterfoil_tell_all",
        kind: 32,
    },
    Trigger {
        table: "counterfoil_selector",
        name: "counterfoil_selector_changed",
        function: "counterfoil_tell_selector",
        kind: 1 | 8 | 16,
    },
    Trigger {
        table: "counterfoil_selector",
        name: "counterfoil_selector_emptied",
        function: "counterfoil_tell_all",
        kind: 32,
    },
];

/// The one condition that leaves out no change of a row.
const ANY_CHANGE: &str = " WHEN ((old.* IS DISTINCT FROM new.*)) ";

/// The triggers as a node found them when it began to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Triggers {
    /// The schemas of `counterfoil_token` and `counterfoil_selector`.
    pub(super) schemas: [String; 2],
    states: Vec<String>,
}

impl Triggers {
    /// Reads the definitions.
    ///
    /// # Errors
    ///
    /// [`TriggersError`] if a trigger does not report every change, else the driver's.
    pub(super) async fn read(pool: &PgPool) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let rows = sqlx::query(DEFINITIONS).fetch_all(pool).await?;
        let mut faults = Vec::new();
        let (mut schemas, mut states) = (Vec::new(), Vec::new());
        for (trigger, row) in TRIGGERS.iter().zip(&rows) {
            faults.extend(trigger.fault(row)?.map(|fault| (trigger, fault)));
            schemas.push(row.try_get::<Option<String>, _>(0)?.unwrap_or_default());
            states.push(row.try_get(5)?);
        }
        if !faults.is_empty() {
            return Err(TriggersError(faults).into());
        }
        let schemas = [schemas.first(), schemas.last()].map(|schema| schema.cloned().unwrap_or_default());
        Ok(Self { schemas, states })
    }

    /// Compares the states that a heartbeat carries with those that the node began with.
    ///
    /// # Errors
    ///
    /// [`TriggersError`] for each trigger with another state, with what is wrong with it now.
    pub(super) fn compare(&self, states: &str) -> Result<(), TriggersError> {
        let mut found = states.split(' ');
        let faults = TRIGGERS.iter().zip(&self.states).filter_map(|(trigger, expected)| {
            let found = found.next().unwrap_or_default();
            (found != expected).then(|| (trigger, Fault::of_state(found)))
        });
        let faults: Vec<_> = faults.collect();
        if faults.is_empty() { Ok(()) } else { Err(TriggersError(faults)) }
    }
}

impl Trigger {
    fn fault(&self, row: &PgRow) -> Result<Option<Fault>, sqlx::Error> {
        if row.try_get::<Option<&str>, _>(0)?.is_none() {
            return Ok(Some(Fault::NoTable));
        }
        let Some(enabled) = row.try_get::<Option<&str>, _>(1)? else { return Ok(Some(Fault::Missing)) };
        let kind: Option<i32> = row.try_get(2)?;
        let condition: Option<&str> = row.try_get(3)?;
        let source: Option<&str> = row.try_get(4)?;
        Ok(if enabled != ALWAYS {
            Some(Fault::NotAlways(enabled.to_owned()))
        } else if kind != Some(self.kind) || condition.is_some_and(|condition| !condition.contains(ANY_CHANGE)) {
            Some(Fault::OtherEvents)
        } else if source.map(statements) != self.source().map(statements) {
            Some(Fault::OtherFunction(self.function))
        } else {
            None
        })
    }

    /// The function's body in the newest step of the schema that defines it.
    fn source(&self) -> Option<&'static str> {
        let head = format!("FUNCTION {}() RETURNS", self.function);
        MIGRATIONS.iter().rev().find_map(|(_, step)| {
            let (_, definition) = step.split_once(&head)?;
            let (_, body) = definition.split_once("$function$")?;
            body.split_once("$function$").map(|(body, _)| body)
        })
    }
}

/// A function's body without its comments and line ends, which a migrator may change.
fn statements(source: &str) -> String {
    let lines = source.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("--"));
    lines.collect::<Vec<_>>().join(" ")
}

/// The `tgenabled` of a trigger that fires in every session.
const ALWAYS: &str = "A";

/// Triggers that do not report every change, or may not have while they were altered.
#[derive(Debug)]
pub(super) struct TriggersError(Vec<(&'static Trigger, Fault)>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    NoTable,
    Missing,
    NotAlways(String),
    OtherEvents,
    OtherFunction(&'static str),
    Altered,
}

impl Fault {
    /// What is wrong with a trigger whose state is not the one that the node began with.
    fn of_state(state: &str) -> Self {
        match *state.split(':').collect::<Vec<_>>() {
            [_, enabled, _, _, _, _, _] if enabled != ALWAYS => Self::NotAlways(enabled.to_owned()),
            [_, _, _, _, _, _, _] => Self::Altered,
            [_, _table] => Self::Missing,
            _ => Self::NoTable,
        }
    }
}

impl fmt::Display for TriggersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("changes are not reported: ")?;
        for (index, (Trigger { table, name, .. }, fault)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}trigger `{name}` on `{table}` ")?;
            match fault {
                Fault::NoTable => f.write_str("has no table: found none in the search path"),
                Fault::Missing => f.write_str("is missing"),
                Fault::NotAlways(found) => {
                    let when = match found.as_str() {
                        "D" => "disabled",
                        "O" => "fires in origin sessions only",
                        "R" => "fires in replica sessions only",
                        _ => "unknown state",
                    };
                    write!(f, "has state `{found}` ({when}), expected `A` (fires always)")
                }
                Fault::OtherEvents => f.write_str("fires for other events than the schema's"),
                Fault::OtherFunction(function) => {
                    write!(f, "calls another function than the schema's `{function}`")
                }
                Fault::Altered => f.write_str("was altered while this node listened"),
            }?;
        }
        Ok(())
    }
}

impl Error for TriggersError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_has_its_body_in_the_schema() {
        for trigger in TRIGGERS {
            let source = trigger.source().map(statements).unwrap_or_default();
            assert!(source.starts_with("BEGIN PERFORM pg_catalog.pg_notify('counterfoil_changes',"), "{trigger:?}");
            assert!(source.ends_with("RETURN NULL; END"), "{trigger:?}: {source}");
        }
    }

    #[test]
    fn a_state_that_differs_names_the_trigger_and_what_is_wrong() {
        let state = |name: &str| format!("{name}:A:1:2:3:4:5");
        let states: Vec<String> = TRIGGERS.iter().map(|trigger| state(trigger.name)).collect();
        let triggers = Triggers { schemas: ["public", "public"].map(str::to_owned), states };
        let all = triggers.states.join(" ");
        assert!(triggers.compare(&all).is_ok());
        for (found, expected) in [
            (
                "counterfoil_token_changed:O:1:2:9:4:5",
                "has state `O` (fires in origin sessions only), expected `A` (fires always)",
            ),
            ("counterfoil_token_changed:D:1:2:9:4:5", "has state `D` (disabled), expected `A` (fires always)"),
            (
                "counterfoil_token_changed:R:1:2:9:4:5",
                "has state `R` (fires in replica sessions only), expected `A` (fires always)",
            ),
            ("counterfoil_token_changed:A:1:2:9:4:5", "was altered while this node listened"),
            ("counterfoil_token_changed:A:1:2:3:4:9", "was altered while this node listened"),
            ("counterfoil_token_changed:1", "is missing"),
            ("counterfoil_token_changed", "has no table: found none in the search path"),
        ] {
            let error = triggers.compare(&all.replace(&state("counterfoil_token_changed"), found));
            let expected = format!(
                "changes are not reported: trigger `counterfoil_token_changed` on `counterfoil_token` {expected}"
            );
            assert_eq!(error.map_err(|error| error.to_string()), Err(expected));
        }
        assert!(triggers.compare("").is_err());
    }
}
