//! The texts that a family reads, as a pattern that can be compared with another one.

use std::{fmt, ops::RangeInclusive};

use super::{CharacterSet, Head};

/// A pattern of texts: literals and runs of characters, one after the other.
///
/// A registry compares the shapes of its [families](super::Families), so that no text can be a token of two of them.
///
/// ```
/// use counterfoil::token::{CharacterSet, Shape};
///
/// let sanctum = Shape::new().run(CharacterSet::DIGITS, 1..=20).literal("|").run(CharacterSet::BASE62, 40..=40);
/// let hex = Shape::new().run(CharacterSet::HEX, 64..=64);
/// assert!(!sanctum.overlaps(&hex));
/// assert_eq!(sanctum.to_string(), "[0-9]{1,20}|[0-9A-Za-z]{40}");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Run { set: CharacterSet, least: usize, most: usize },
}

impl Shape {
    /// The pattern of the empty text.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this text next.
    #[must_use]
    pub fn literal(mut self, text: &str) -> Self {
        self.parts.push(Part::Literal(text.to_owned()));
        self
    }

    /// With characters of `set` next, as many as `widths` says.
    #[must_use]
    pub fn run(mut self, set: CharacterSet, widths: RangeInclusive<usize>) -> Self {
        self.parts.push(Part::Run { set, least: *widths.start(), most: *widths.end() });
        self
    }

    /// All texts that begin and are as long as `head` says.
    pub(super) fn of(head: &Head) -> Self {
        let rest = |length: usize| length.saturating_sub(head.text.len());
        Self::new().literal(&head.text).run(CharacterSet::GRAPHIC, rest(head.shortest)..=rest(head.longest))
    }

    /// Returns whether there is a text of both shapes.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (steps, others) = (self.steps(), other.steps());
        // Row by row: whether a text exists that is read up to this step here, and up to that step there.
        let mut row = vec![false; others.len() + 1];
        row[0] = true;
        skip_optional(&mut row, &others);
        for step in &steps {
            let mut next = if step.is_optional { row.clone() } else { vec![false; row.len()] };
            for (at, other) in others.iter().enumerate() {
                next[at + 1] |= row[at] && !step.set.is_apart_from(other.set);
            }
            skip_optional(&mut next, &others);
            row = next;
            if !row.contains(&true) {
                return false;
            }
        }
        row.last() == Some(&true)
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => {
                    steps.extend(text.bytes().map(|byte| Step { set: CharacterSet::one(byte), is_optional: false }));
                }
                Part::Run { set, least, most } => {
                    steps.extend((0..*most).map(|at| Step { set: *set, is_optional: at >= *least }));
                }
            }
        }
        steps
    }
}

struct Step {
    set: CharacterSet,
    is_optional: bool,
}

fn skip_optional(row: &mut [bool], steps: &[Step]) {
    for (at, step) in steps.iter().enumerate() {
        row[at + 1] |= row[at] && step.is_optional;
    }
}

/// The shape as a regular expression, except that literals are not escaped.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Literal(text) => f.write_str(text),
            Part::Run { most: 0, .. } => Ok(()),
            Part::Run { set, least, most } if least == most => write!(f, "{set}{{{least}}}"),
            Part::Run { set, least, most } => write!(f, "{set}{{{least},{most}}}"),
        })
    }
}
