#![allow(clippy::expect_used)]

use super::*;

#[cfg(not(loom))]
#[test]
fn shows_one_a_second_and_counts_the_rest() {
    let throttle = Throttle::new();
    let times = [0, 0, 1, 999, 1000, 1001, 1999, 2000, 9000, u64::MAX];
    let shown = times.map(|now| throttle.admit_at(now).map(|Hidden(count)| count));
    let expected = [
        Some(0),
        None,
        None,
        None,
        Some(3),
        None,
        None,
        Some(2),
        Some(0),
        Some(0),
    ];
    assert_eq!(shown, expected);
}

#[cfg(not(loom))]
#[test]
fn takes_its_time_from_the_clock() {
    let throttle = Throttle::new();
    assert_eq!(throttle.admit(), Some(Hidden(0)));
    assert_eq!(throttle.admit(), None);
}

#[cfg(not(loom))]
#[test]
fn says_how_many_are_hidden() {
    assert_eq!(Hidden(0).to_string(), "");
    assert_eq!(Hidden(7).to_string(), " (7 more like this not shown)");
}

/// Of three workers at once, one shows a line; the others count as hidden, now or with the next.
#[cfg(loom)]
#[test]
fn races() {
    use std::sync::Arc;

    loom::model(|| {
        let throttle = Arc::new(Throttle::new());
        let others = [(); 2].map(|()| {
            let throttle = throttle.clone();
            loom::thread::spawn(move || throttle.admit_at(0))
        });
        let here = throttle.admit_at(0);
        let [one, two] = others.map(|other| other.join().expect("a worker"));
        let shown: Vec<_> = [here, one, two].into_iter().flatten().collect();
        let later = throttle.admit_at(PAUSE_MS).map_or(0, |Hidden(count)| count);
        assert_eq!((shown.len(), shown[0].0 + later), (1, 2));
    });
}
