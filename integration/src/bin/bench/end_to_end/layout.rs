//! Which processors the workers have, and which ones the clients and the origin.

use serde::Serialize;

use crate::process::processors;

/// Numbers of workers to be measured, as far as there are processors.
const WORKERS: [usize; 3] = [1, 2, 4];

/// So many workers, each with a processor.
#[derive(Clone, Debug, Serialize)]
pub struct Layout {
    pub workers: usize,
    /// Envoy's, the main thread's too.
    pub processors_of_envoy: Vec<usize>,
    /// Those that Envoy leaves; all, if it leaves none.
    pub processors_of_load: Vec<usize>,
}

/// From the fewest workers on.
pub fn layouts() -> Vec<Layout> {
    let all = processors();
    let workers = WORKERS.into_iter().filter(|workers| *workers <= all.len());
    let layout = |workers| {
        let (rest, envoy) = all.split_at(all.len() - workers);
        Layout {
            workers,
            processors_of_envoy: envoy.to_vec(),
            processors_of_load: if rest.is_empty() { &all } else { rest }.to_vec(),
        }
    };
    workers.map(layout).collect()
}
