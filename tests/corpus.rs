//! The fuzz targets without a fuzzer: their corpora once more, and some bytes of any kind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

#[path = "../fuzz/targets/mod.rs"]
mod targets;

use targets::TARGETS;

#[test]
fn what_was_found_before() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, run) in TARGETS {
        let mut inputs = 0;
        for file in fs::read_dir(corpora.join(name)).expect("a corpus for each target") {
            let path = file.unwrap().path();
            println!("{}", path.display());
            run(&fs::read(path).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{name} has no corpus");
    }
}

proptest! {
    #[test]
    fn anything(input in vec(any::<u8>(), 0..256)) {
        for (_, run) in TARGETS {
            run(&input);
        }
    }
}
