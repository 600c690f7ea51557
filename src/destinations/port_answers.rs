//! Answers that depend on the port.

use super::answer::Answer;
use super::ports::{PortRange, Ports};

/// How many ranges of ports the rules may come to, where each rule counts with those around it. With
/// the gaps between them, they take 48 MiB.
const MAX_PORT_RANGES: usize = 1 << 22;

/// From this port on, up to that of the next one, it is this answer.
pub type Step = (u16, Answer);

/// Lists of steps, each from port 0 on, by their numbers.
#[derive(Debug, Default)]
pub struct PortAnswers {
    /// Where each list ends.
    ends: Vec<u32>,
    /// The ports of all steps, and their answers.
    firsts: Vec<u16>,
    answers: Vec<Answer>,
}

impl PortAnswers {
    /// The answer at this port.
    pub fn at(&self, answer: Answer, port: u16) -> Answer {
        let Some(number) = answer.port_answers() else {
            return answer;
        };
        let (start, end) = self.place(number);
        let steps = self.firsts[start..end].partition_point(|first| *first <= port);
        self.answers[start + steps - 1]
    }

    /// The ranges of ports, from the first to the last port, each with its answer.
    pub fn ranges(&self, answer: Answer) -> impl Iterator<Item = (PortRange, Answer)> {
        let steps = self.steps(answer);
        let lasts: Vec<u16> = steps.iter().skip(1).map(|(first, _)| first - 1).collect();
        let lasts = lasts.into_iter().chain([u16::MAX]);
        let ranges = steps.into_iter().zip(lasts);
        ranges.map(|((first, answer), last)| (PortRange { first, last }, answer))
    }

    /// The answer, where each layer says something of its ports, all if it has none.
    ///
    /// # Errors
    /// There are more ranges of ports than are worth their memory.
    pub fn with<'a>(
        &mut self,
        answer: Answer,
        layers: impl Iterator<Item = (Option<&'a Ports>, Answer)> + Clone,
    ) -> Result<Answer, String> {
        let is_plain = answer.port_answers().is_none();
        if is_plain && layers.clone().all(|(ports, _)| ports.is_none()) {
            return Ok(layers.fold(answer, |answer, (_, layer)| answer.or(layer)));
        }
        let mut steps = self.steps(answer);
        for (ports, layer) in layers {
            steps = raised(
                &steps,
                ports.map_or(&[PortRange::ALL], Ports::ranges),
                layer,
            );
        }
        self.add(&steps)
    }

    /// Gives back the memory that is not used.
    pub fn shrink(&mut self) {
        self.ends.shrink_to_fit();
        self.firsts.shrink_to_fit();
        self.answers.shrink_to_fit();
    }

    fn add(&mut self, steps: &[Step]) -> Result<Answer, String> {
        if let [(_, answer)] = steps {
            return Ok(*answer);
        }
        // Rules with the same ports often come one after the other.
        let last = self.ends.len().checked_sub(1).map(Answer::by_port);
        if let Some(last) = last.filter(|last| self.steps(*last) == steps) {
            return Ok(last);
        }
        self.firsts.extend(steps.iter().map(|(first, _)| first));
        self.answers.extend(steps.iter().map(|(_, answer)| answer));
        if self.firsts.len() / 2 > MAX_PORT_RANGES {
            return Err(format!(
                "the ports of rules that lie in each other come to more than {MAX_PORT_RANGES} \
                 ranges: use fewer or wider ranges"
            ));
        }
        self.ends.push(self.firsts.len() as u32);
        Ok(Answer::by_port(self.ends.len() - 1))
    }

    fn steps(&self, answer: Answer) -> Vec<Step> {
        let Some(number) = answer.port_answers() else {
            return vec![(0, answer)];
        };
        let (start, end) = self.place(number);
        let firsts = self.firsts[start..end].iter().copied();
        firsts
            .zip(self.answers[start..end].iter().copied())
            .collect()
    }

    /// Where the steps of a list are.
    fn place(&self, number: usize) -> (usize, usize) {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        (start as usize, self.ends[number] as usize)
    }
}

/// The steps, where a layer says something of these ports.
fn raised(steps: &[Step], ports: &[PortRange], layer: Answer) -> Vec<Step> {
    let firsts = steps.iter().map(|(first, _)| *first);
    let begins = ports.iter().map(|range| range.first);
    let ends = ports.iter().filter_map(|range| range.last.checked_add(1));
    let mut firsts: Vec<u16> = firsts.chain(begins).chain(ends).collect();
    firsts.sort();
    let (mut step, mut range) = (0, 0);
    let mut raised: Vec<Step> = Vec::with_capacity(firsts.len());
    for first in firsts {
        while steps.get(step + 1).is_some_and(|next| next.0 <= first) {
            step += 1;
        }
        while ports.get(range).is_some_and(|range| range.last < first) {
            range += 1;
        }
        let mut answer = steps[step].1;
        if ports.get(range).is_some_and(|range| range.first <= first) {
            answer = answer.or(layer);
        }
        if raised.last().is_none_or(|last| last.1 != answer) {
            raised.push((first, answer));
        }
    }
    raised
}
