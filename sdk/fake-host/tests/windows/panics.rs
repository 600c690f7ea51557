//! A panic in the DLL ends the one connection that it happens on.

use std::env;
use std::fs;

use fake_host::kernel::Question;
use fake_host::log::Level;
use fake_host::{Connection, Socket};

use super::library::{self, Module};
use super::{AT, Pair, accept, logged};

#[test]
fn a_panic_ends_one_connection() {
    library::choose(Module::Panicking);
    let hook = env::var("ORIGINAL_DST_FAULT").expect("the file that names the hook");
    let pair = Pair::new(AT);
    let redirected = || Socket::redirected("10.2.0.2:80".parse().expect("an address"));
    let mut connection: Connection = pair.answered(redirected());
    fs::write(&hook, "accept").expect("a writable file");
    let found = accept("", &mut connection);
    fs::write(&hook, "").expect("a writable file");
    assert_eq!(found, "error closed original_dst_error");
    let lines = logged();
    assert!(
        matches!(&lines[..], [(Level::Error, line)] if line.ends_with("fault point accept")),
        "{lines:?}"
    );
    let mut connection = pair.answered(redirected());
    assert_eq!(
        accept("", &mut connection),
        "restored_redirect to 10.2.0.2:80"
    );
    let asked = connection.socket().expect("a socket").1.asked();
    assert_eq!(asked, [Question::ORIGINAL_DST]);
}
