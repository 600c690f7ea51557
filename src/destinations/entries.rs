//! A list of rules, read straight into layers.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use super::layers::Layers;
use crate::option::Entry;

/// A list of entries `E`, with at least one. A repeat is none too many: feeds have them. (One that is
/// a default may be empty.)
#[derive(Debug)]
pub struct Entries<E>(Layers, PhantomData<E>);

/// What can be in [`Entries`].
pub trait Listed: Entry {
    /// Puts down what the next rule of these layers says.
    ///
    /// # Errors
    /// What is wrong with it.
    fn add_to(self, layers: &mut Layers) -> Result<(), String>;
}

struct EntriesVisitor<E>(PhantomData<E>);

/// Reads one more entry, so that an error's path leads to it.
struct Next<'a, E>(&'a mut Layers, PhantomData<E>);

impl<E> Default for Entries<E> {
    fn default() -> Self {
        Self(Layers::default(), PhantomData)
    }
}

impl<E> From<Entries<E>> for Layers {
    fn from(entries: Entries<E>) -> Self {
        entries.0
    }
}

impl<'de, E: Listed + Deserialize<'de>> Deserialize<'de> for Entries<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(EntriesVisitor(PhantomData))
    }
}

impl<'de, E: Listed + Deserialize<'de>> Visitor<'de> for EntriesVisitor<E> {
    type Value = Entries<E>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "a list of at least one entry, each {}", E::EXPECTED)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entries<E>, A::Error> {
        let mut layers = Layers::default();
        while list
            .next_element_seed(Next::<E>(&mut layers, PhantomData))?
            .is_some()
        {}
        if layers.rules == 0 {
            return Err(Error::invalid_length(0, &self));
        }
        Ok(Entries(layers, PhantomData))
    }
}

impl<'de, E: Listed + Deserialize<'de>> DeserializeSeed<'de> for Next<'_, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let entry = E::deserialize(deserializer)?;
        entry.add_to(self.0).map_err(Error::custom)
    }
}
