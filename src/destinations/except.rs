//! What is left of a rule that has exceptions.

use super::answer::Answer;
use super::key::{Key, prefixes};
use super::layer::Layer;
use super::layers::{Layers, number};
use super::merge::{merge, sort};
use super::name::Name;
use super::port_answers::PortAnswers;
use super::ports::{PortRange, Ports};
use super::scope::Scope;

/// How many prefixes may be left of a rule.
const MAX_PREFIXES: usize = 1 << 20;

/// What is left of the rule with this index: the same is merged of it as of rules that are written
/// without exceptions.
///
/// # Errors
/// What is wrong with the exceptions.
pub fn rest(
    index: usize,
    scope: Scope,
    ports: Option<Ports>,
    mut except: Layers,
) -> Result<Layers, String> {
    let mut whole = Layers {
        rules: index,
        ports: std::mem::take(&mut except.ports),
        ..Layers::default()
    };
    whole.add(scope, ports)?;
    if let Some(outside) = outside(&whole, &except) {
        return Err(format!("{outside} lies outside of the entry"));
    }
    let mut rest = Layers::default();
    let ports = &whole.ports;
    for layer in &whole.ipv4 {
        add_rest(layer, &except.ipv4, ports, &mut rest.ipv4, &mut rest.ports)?;
    }
    for layer in &whole.ipv6 {
        add_rest(layer, &except.ipv6, ports, &mut rest.ipv6, &mut rest.ports)?;
    }
    if rest.ipv4.is_empty() && rest.ipv6.is_empty() {
        return Err("except leaves nothing of the entry".to_owned());
    }
    Ok(rest)
}

/// The first exception that no part of the rule is about.
fn outside(whole: &Layers, except: &Layers) -> Option<Name> {
    let mut is_inside = vec![false; except.rules];
    mark(&mut is_inside, &whole.ipv4, &except.ipv4, &whole.ports);
    mark(&mut is_inside, &whole.ipv6, &except.ipv6, &whole.ports);
    let index = is_inside.iter().position(|is_inside| !is_inside)?;
    Name::in_layers("except", index, except)
}

fn mark<K: Key>(is_inside: &mut [bool], whole: &[Layer<K>], except: &[Layer<K>], ports: &[Ports]) {
    for layer in except {
        is_inside[layer.rule.index()] |= whole.iter().any(|whole| whole.meets(layer, ports));
    }
}

/// Adds what is left of a layer.
fn add_rest<K: Key>(
    whole: &Layer<K>,
    except: &[Layer<K>],
    ports: &[Ports],
    rest: &mut Vec<Layer<K>>,
    rest_ports: &mut Vec<Ports>,
) -> Result<(), String> {
    let except = except.iter().filter(|layer| layer.meets(whole, ports));
    let except = except.map(|layer| Layer {
        denies: true,
        ..*layer
    });
    let mut layers: Vec<_> = except.chain([*whole]).collect();
    sort(&mut layers);
    let mut by_port = PortAnswers::default();
    let ranges = merge(&layers, ports, Answer::UNLISTED, &mut by_port)?;
    for (index, answer) in ranges.answers.iter().enumerate() {
        let allowed = by_port.ranges(*answer);
        let allowed =
            allowed.filter_map(|(ports, answer)| (answer == Answer::ALLOWED).then_some(ports));
        let allowed: Ports = allowed.collect();
        let ports = match allowed.ranges() {
            [] => continue,
            [PortRange::ALL] => None,
            _ => Some(number(rest_ports, allowed)),
        };
        for (first, host_bits) in prefixes(ranges.starts[index], ranges.last(index)) {
            if rest.len() == MAX_PREFIXES {
                return Err(format!(
                    "except leaves more than {MAX_PREFIXES} prefixes of the entry: use fewer or \
                     wider ones"
                ));
            }
            rest.push(Layer::new(first, host_bits, whole.rule, ports));
        }
    }
    Ok(())
}
