//! Where a restored destination may lie.

mod answer;
mod denial;
mod entries;
mod except;
mod idle;
mod key;
mod layer;
mod layers;
mod merge;
mod name;
mod places;
mod port_answers;
mod ports;
mod rule;
#[cfg(test)]
mod schema;
mod scope;
mod table;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use serde::Deserialize;

use answer::Answer;
use entries::Entries;
use layers::Layers;
use rule::Rule;

pub use denial::Denial;
pub use places::Places;

/// The `allow` and `deny` rules, merged at load.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Rules")]
pub struct Destinations {
    /// What becomes of a connection to a denied destination.
    pub on_denied: OnDenied,
    rules: usize,
    allowed: Places,
}

/// What becomes of a connection to a denied destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
pub enum OnDenied {
    /// Close the connection.
    #[default]
    Close,
    /// Leave the connection unrestored.
    Ignore,
    /// Count and log it, and restore anyway.
    Audit,
}

/// Where a restored destination may lie: at least one of `allow` and `deny`. Checked for every way
/// of recovery. An IPv4-mapped IPv6 address is judged as the IPv4 address.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with allow, deny or both")]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(extend("anyOf" = [{ "required": ["allow"] }, { "required": ["deny"] }]))
)]
pub(crate) struct Rules {
    /// The destinations that are allowed: all others are denied. An entry that `deny` leaves nothing
    /// of is refused. Default: all are allowed.
    #[serde(default)]
    allow: Entries<Rule>,
    /// The destinations that are denied, those among them that `allow` lists. Default: none.
    #[serde(default)]
    deny: Entries<Rule>,
    /// What becomes of a connection to a denied destination: `CLOSE`, `IGNORE` (leave it
    /// unrestored) or `AUDIT` (count and log it, restore anyway). Default: `CLOSE`.
    #[serde(default)]
    on_denied: OnDenied,
}

impl Destinations {
    /// Whether a connection to this destination is allowed.
    pub fn allow(&self, destination: SocketAddr) -> bool {
        self.allowed.contains(destination)
    }

    /// Why this destination is denied; `None` if it is allowed.
    #[cold]
    pub fn denial(&self, destination: SocketAddr) -> Option<Denial> {
        Denial::new(self.allowed.answer(destination), destination.ip())
    }

    /// How many rules there are: the entries of `allow` and `deny`, repeats among them.
    pub fn rules(&self) -> usize {
        self.rules
    }
}

impl TryFrom<Rules> for Destinations {
    type Error = String;

    fn try_from(rules: Rules) -> Result<Self, String> {
        let (allow, deny) = (Layers::from(rules.allow), Layers::from(rules.deny));
        let elsewhere = match (allow.rules, deny.rules) {
            (0, 0) => return Err("expected allow, deny or both".to_owned()),
            (0, _) => Answer::ALLOWED,
            (_, _) => Answer::UNLISTED,
        };
        Ok(Self {
            on_denied: rules.on_denied,
            rules: allow.rules + deny.rules,
            allowed: Places::new(allow, deny, elsewhere)?,
        })
    }
}
