//! What the rules say of a destination, in 32 bits: a million rules are a million of them.

/// A rule: where it is in its list, and what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(u32);

/// What a rule is about, as far as an address that it covers does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The prefix around the address that leaves so many bits to its hosts.
    Prefix(u8),
    /// Such a prefix around the loopback address, and so the unspecified address too.
    Loopback(u8),
    /// The class with this number.
    Class(u8),
}

/// What the rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer(u32);

/// The bits of an index or a number; those above say what it is the number of.
const NUMBER_BITS: u32 = 24;

// Kinds up to 128 are rules about prefixes.
const LOOPBACK: u8 = 0x90;
const CLASS: u8 = 0xe0;
const BY_PORT: u8 = 0xf0;

impl RuleId {
    /// How many rules a list may have.
    pub const MAX_RULES: usize = 1 << NUMBER_BITS;

    /// The rule with an index below [`Self::MAX_RULES`].
    pub fn new(about: About, index: usize) -> Self {
        let kind = match about {
            About::Prefix(host_bits) => host_bits,
            About::Loopback(host_bits) => LOOPBACK + host_bits,
            About::Class(number) => CLASS + number,
        };
        Self(pack(kind, index as u32))
    }

    /// Where it is in its list.
    pub fn index(self) -> usize {
        (self.0 & ((1 << NUMBER_BITS) - 1)) as usize
    }

    /// What it is about.
    pub fn about(self) -> About {
        match (self.0 >> NUMBER_BITS) as u8 {
            class @ CLASS.. => About::Class(class - CLASS),
            loopback @ LOOPBACK.. => About::Loopback(loopback - LOOPBACK),
            host_bits => About::Prefix(host_bits),
        }
    }
}

impl Answer {
    /// It is allowed.
    pub const ALLOWED: Self = Self(pack(u8::MAX, 0));
    /// No `allow` entry is about it.
    pub const UNLISTED: Self = Self(pack(u8::MAX, 1));

    /// This rule denies it.
    pub fn denied(by: RuleId) -> Self {
        Self(by.0)
    }

    /// It depends on the port: the answers with this number tell.
    pub fn by_port(number: usize) -> Self {
        Self(pack(BY_PORT, number as u32))
    }

    /// The number of the answers that tell, if it depends on the port.
    pub fn port_answers(self) -> Option<usize> {
        (self.0 >> NUMBER_BITS == u32::from(BY_PORT)).then(|| RuleId(self.0).index())
    }

    /// The rule that denies it.
    pub fn rule(self) -> Option<RuleId> {
        (self.0 < pack(BY_PORT, 0)).then_some(RuleId(self.0))
    }

    /// The answer of two rules that are about the same: it is denied rather than allowed, and allowed
    /// rather than not listed. Of two that deny, this one counts.
    pub fn or(self, other: Self) -> Self {
        if self.weight() >= other.weight() {
            self
        } else {
            other
        }
    }

    fn weight(self) -> u8 {
        match self {
            Self::UNLISTED => 0,
            Self::ALLOWED => 1,
            _ => 2,
        }
    }
}

const fn pack(kind: u8, number: u32) -> u32 {
    (kind as u32) << NUMBER_BITS | number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_what_it_was_made_of() {
        for about in (0..=128)
            .map(About::Prefix)
            .chain((0..=32).map(About::Loopback))
            .chain((0..8).map(About::Class))
        {
            for index in [0, 1, RuleId::MAX_RULES - 1] {
                let rule = RuleId::new(about, index);
                assert_eq!((rule.about(), rule.index()), (about, index));
                assert_eq!(Answer::denied(rule).rule(), Some(rule));
                assert_eq!(Answer::denied(rule).port_answers(), None);
            }
        }
    }

    #[test]
    fn an_answer_without_a_rule_has_none() {
        for answer in [Answer::ALLOWED, Answer::UNLISTED, Answer::by_port(7)] {
            assert_eq!(answer.rule(), None, "{answer:?}");
        }
        assert_eq!(Answer::by_port(7).port_answers(), Some(7));
        assert_eq!(Answer::ALLOWED.port_answers(), None);
        assert_eq!(Answer::UNLISTED.port_answers(), None);
    }
}
