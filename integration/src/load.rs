//! Clients that connect one after the other, in the background.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::client::{Failure, tcp_ask};
use crate::netns::Netns;

/// Clients that ask the same addresses in turn, until they are stopped.
pub struct Load {
    is_stopped: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Tally>>,
}

/// What became of their connections.
#[derive(Debug, Default)]
pub struct Tally {
    /// Those that were answered from the address that they asked for.
    pub answered: u64,
    /// Those of them that came to the upstream from the client itself, by no proxy.
    pub direct: u64,
    /// Those that were answered from another address: that address, and the one asked for.
    pub wrong: Vec<(SocketAddr, SocketAddr)>,
    /// Those without an answer.
    pub failed: Vec<Failure>,
}

impl Load {
    /// So many clients on `host`, each of which asks `to` over plain TCP.
    pub fn start(host: &Netns, clients: usize, to: &[SocketAddr]) -> Self {
        let is_stopped = Arc::new(AtomicBool::new(false));
        let client = |index| {
            let (host, to, is_stopped) = (host.clone(), to.to_vec(), Arc::clone(&is_stopped));
            thread::spawn(move || {
                let mut tally = Tally::default();
                for to in to.iter().cycle().skip(index) {
                    if is_stopped.load(Ordering::Relaxed) {
                        break;
                    }
                    tally.ask(&host, *to);
                }
                tally
            })
        };
        let clients = (0..clients).map(client).collect();
        Self {
            is_stopped,
            clients,
        }
    }

    /// Lets every client finish, and adds up what they saw.
    pub fn stop(self) -> Tally {
        self.is_stopped.store(true, Ordering::Relaxed);
        let tallies = self.clients.into_iter().map(|client| client.join());
        tallies.fold(Tally::default(), |mut all, tally| {
            let tally = tally.expect("clients do not panic");
            all.answered += tally.answered;
            all.direct += tally.direct;
            all.wrong.extend(tally.wrong);
            all.failed.extend(tally.failed);
            all
        })
    }
}

impl Tally {
    /// All of them.
    pub fn connections(&self) -> u64 {
        self.answered + (self.wrong.len() + self.failed.len()) as u64
    }

    fn ask(&mut self, host: &Netns, to: SocketAddr) {
        match tcp_ask(host, to) {
            Ok(answer) if answer.reached.local == to => {
                self.answered += 1;
                self.direct += u64::from(answer.reached.peer == answer.local);
            }
            Ok(answer) => self.wrong.push((answer.reached.local, to)),
            Err(failure) => self.failed.push(failure),
        }
    }
}
