#![allow(clippy::expect_used)]

use super::*;

/// Connections in their order: what each of them shows.
#[cfg(not(loom))]
fn shown(streak: &Streak, connections: &str) -> Vec<(usize, Shown)> {
    let mut all = Vec::new();
    for (index, connection) in connections.chars().enumerate() {
        let show = |shown| all.push((index, shown));
        match connection {
            'h' => streak.hit(show),
            _ => streak.miss(show),
        }
    }
    all
}

#[cfg(not(loom))]
#[test]
fn shows_each_change_once() {
    use Shown::{Broken, Mended, Whole};
    for (connections, expected) in [
        ("", vec![]),
        ("mm", vec![]),
        ("h", vec![(0, Whole)]),
        ("hhh", vec![(0, Whole)]),
        ("mmh", vec![(2, Whole)]),
        ("mmm", vec![(2, Broken)]),
        ("mmmmmm", vec![(2, Broken)]),
        ("mmmh", vec![(2, Broken), (3, Mended)]),
        ("mmmmmhhh", vec![(2, Broken), (5, Mended)]),
        ("hmmhmmhmmh", vec![(0, Whole)]),
        ("hmmm", vec![(0, Whole), (3, Broken)]),
        ("mmhmmmh", vec![(2, Whole), (5, Broken), (6, Mended)]),
    ] {
        assert_eq!(
            shown(&Streak::new(3), connections),
            expected,
            "{connections}"
        );
    }
}

/// Every order in which three workers can meet.
#[cfg(loom)]
mod races {
    use std::sync::Arc;

    use super::*;

    /// What Envoy keeps: at first what an earlier configuration left.
    struct Gauge {
        streak: Streak,
        value: AtomicU64,
    }

    impl Gauge {
        fn see(&self, connections: &str) {
            for connection in connections.chars() {
                let show = |shown| self.value.store((shown == Shown::Broken).into(), Relaxed);
                match connection {
                    'h' => self.streak.hit(show),
                    _ => self.streak.miss(show),
                }
            }
        }

        /// Once all have come, the gauge says what the count says.
        fn check(&self) {
            assert_eq!(self.value.load(Relaxed), u64::from(self.streak.is_broken()));
        }
    }

    /// `before` comes alone, then all workers at once.
    fn check(before: &'static str, workers: [&'static str; 3]) {
        loom::model(move || {
            let gauge = Arc::new(Gauge {
                streak: Streak::new(2),
                value: AtomicU64::new(1),
            });
            gauge.see(before);
            let [here, others @ ..] = workers;
            let others = others.map(|connections| {
                let gauge = gauge.clone();
                loom::thread::spawn(move || gauge.see(connections))
            });
            gauge.see(here);
            for other in others {
                other.join().expect("a worker that does not panic");
            }
            if (before.to_owned() + &workers.concat()).contains('h') {
                gauge.check();
            }
        });
    }

    #[test]
    fn a_hit_meets_the_last_misses() {
        check("h", ["m", "m", "h"]);
        check("hm", ["m", "h", "m"]);
    }

    #[test]
    fn hits_meet_what_is_broken() {
        check("mm", ["h", "h", "m"]);
        check("mm", ["h", "m", "m"]);
    }

    #[test]
    fn the_first_connections_meet() {
        check("", ["h", "h", "h"]);
        check("", ["m", "m", "h"]);
    }
}
