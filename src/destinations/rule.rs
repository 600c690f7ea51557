//! One entry of a list of rules.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::entries::{Entries, Listed};
use super::except::rest;
use super::layers::Layers;
use super::ports::Ports;
use super::scope::Scope;
use crate::option::Entry;

/// Addresses, and the ports at them: an entry of `except`.
pub struct Part {
    scope: Scope,
    /// All, if there are none.
    ports: Option<Ports>,
}

/// A part, but for some of it: an entry of `allow` or `deny`.
pub struct Rule {
    part: Part,
    except: Option<Entries<Part>>,
}

/// Addresses, and the ports at them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScopeAndPorts {
    /// The addresses: a CIDR, an address or a class.
    cidr: Scope,
    /// The ports: `"443"`, `443` or, first and last, `"8000-8999"`. Default: all.
    #[cfg_attr(test, schemars(with = "Ports", default))]
    ports: Option<Ports>,
}

/// Addresses, the ports at them, and what of them is not meant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScopePortsAndExcept {
    /// The addresses: a CIDR, an address or a class.
    cidr: Scope,
    /// The ports: `"443"`, `443` or, first and last, `"8000-8999"`. Default: all.
    #[cfg_attr(test, schemars(with = "Ports", default))]
    ports: Option<Ports>,
    /// What of these addresses and ports the rule is not about. An entry that lies outside of them is
    /// refused. Default: nothing.
    #[cfg_attr(test, schemars(with = "Entries<Part>", default))]
    except: Option<Entries<Part>>,
}

/// Reads an entry `E` from a text, or from an object `O`.
struct EntryVisitor<O, E>(PhantomData<(O, E)>);

impl From<Scope> for Part {
    fn from(scope: Scope) -> Self {
        Self { scope, ports: None }
    }
}

impl From<ScopeAndPorts> for Part {
    fn from(ScopeAndPorts { cidr: scope, ports }: ScopeAndPorts) -> Self {
        Self { scope, ports }
    }
}

impl From<Scope> for Rule {
    fn from(scope: Scope) -> Self {
        Self {
            part: scope.into(),
            except: None,
        }
    }
}

impl From<ScopePortsAndExcept> for Rule {
    fn from(object: ScopePortsAndExcept) -> Self {
        let ScopePortsAndExcept {
            cidr: scope,
            ports,
            except,
        } = object;
        Self {
            part: Part { scope, ports },
            except,
        }
    }
}

impl Entry for Part {
    const EXPECTED: &str = "an address, a CIDR such as \"10.0.0.0/8\", one of loopback, \
                            link-local, multicast, unspecified, private, or an object of cidr and \
                            ports";
}

impl Entry for Rule {
    const EXPECTED: &str = "an address, a CIDR such as \"10.0.0.0/8\", one of loopback, \
                            link-local, multicast, unspecified, private, or an object of cidr, \
                            ports and except";
}

impl Listed for Part {
    fn add_to(self, layers: &mut Layers) -> Result<(), String> {
        layers.add(self.scope, self.ports)
    }
}

impl Listed for Rule {
    fn add_to(self, layers: &mut Layers) -> Result<(), String> {
        let Part { scope, ports } = self.part;
        match self.except {
            None => layers.add(scope, ports),
            Some(except) => {
                layers.add_rest(rest(layers.rules, scope, ports, except.into())?);
                Ok(())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor::<ScopeAndPorts, _>(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor::<ScopePortsAndExcept, _>(PhantomData))
    }
}

impl<'de, O: Deserialize<'de>, E: Entry + From<Scope> + From<O>> Visitor<'de>
    for EntryVisitor<O, E>
{
    type Value = E;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(E::EXPECTED)
    }

    fn visit_str<F: Error>(self, text: &str) -> Result<E, F> {
        Scope::parse(text).map(E::from).map_err(F::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<E, A::Error> {
        O::deserialize(MapAccessDeserializer::new(object)).map(E::from)
    }
}
