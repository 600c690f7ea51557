//! Lists of which every entry counts.

use std::collections::HashMap;
use std::collections::hash_map;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

/// A list as an option gives it: with at least one entry, and none twice. (One that is a default
/// may be empty.)
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Serialize), serde(transparent))]
pub struct List<T>(Box<[T]>);

/// What can be in a [`List`].
pub trait Entry {
    /// What is accepted as an entry, in words that follow "expected".
    const EXPECTED: &str;
}

/// Reads one more entry, and puts it down with its index.
struct Next<'a, T>(&'a mut HashMap<T, usize>);

struct ListVisitor<T>(PhantomData<T>);

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<T, const N: usize> From<[T; N]> for List<T> {
    fn from(entries: [T; N]) -> Self {
        Self(Box::new(entries))
    }
}

impl<T> IntoIterator for List<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl<'de, T: Entry + Deserialize<'de> + Eq + Hash> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

impl<'de, T: Entry + Deserialize<'de> + Eq + Hash> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "a list of at least one entry, each {}", T::EXPECTED)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<List<T>, A::Error> {
        let mut entries = HashMap::new();
        while list.next_element_seed(Next(&mut entries))?.is_some() {}
        if entries.is_empty() {
            return Err(Error::invalid_length(0, &self));
        }
        let mut in_order: Vec<_> = entries.iter().map(|_| None).collect();
        for (entry, index) in entries {
            in_order[index] = Some(entry);
        }
        Ok(List(in_order.into_iter().flatten().collect()))
    }
}

/// Refuses a repeat while the entry is being read, so that the error's path leads to it.
impl<'de, T: Deserialize<'de> + Eq + Hash> DeserializeSeed<'de> for Next<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let index = self.0.len();
        match self.0.entry(T::deserialize(deserializer)?) {
            hash_map::Entry::Vacant(place) => {
                place.insert(index);
                Ok(())
            }
            hash_map::Entry::Occupied(first) => Err(Error::custom(format_args!(
                "repeats entry [{}] of the list",
                first.get()
            ))),
        }
    }
}
