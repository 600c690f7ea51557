//! Many clients at a time, and what became of their connections.

use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, RwLock};
use std::thread;
use std::time::Duration;

use lab::Netns;
use socket2::{Domain, Socket, Type};

use crate::kinds::{GUEST, Kind, Outcome};

const CLIENTS: u32 = 48;
/// Longer than a busy machine needs.
const TIMEOUT: Duration = Duration::from_secs(20);
/// So many failures are told in words.
const TOLD: usize = 10;

/// Counts of connections of one kind.
#[derive(Debug, Default)]
pub struct Tally {
    /// Those that came to Envoy.
    pub made: AtomicU64,
    /// Those that were refused while nobody listened, as they should be.
    pub refused: AtomicU64,
    /// Those that ended otherwise than they should, without an answer.
    pub lost: AtomicU64,
    /// Those answered by an upstream that they should not have reached.
    pub wrong: AtomicU64,
}

/// What the clients share.
pub struct Crowd {
    pub kinds: Vec<Kind>,
    pub tallies: Vec<Tally>,
    pub failures: Mutex<Vec<String>>,
    next: AtomicU64,
    done: AtomicU64,
    stopped: AtomicBool,
}

impl Crowd {
    pub fn new(kinds: Vec<Kind>) -> Self {
        Self {
            tallies: kinds.iter().map(|_| Tally::default()).collect(),
            kinds,
            failures: Mutex::default(),
            next: AtomicU64::new(0),
            done: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// How many connections to Envoy have ended.
    pub fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// Lets it run again after it was stopped.
    pub fn resume(&self) {
        self.stopped.store(false, Relaxed);
    }

    pub fn stop(&self) {
        self.stopped.store(true, Relaxed);
    }

    /// Connects, until it is stopped.
    pub fn run(&self, host: &Netns, guest: &RwLock<bool>) {
        // Threads begin in the namespace of the one that starts them.
        host.run(|| {
            thread::scope(|scope| {
                for _ in 0..CLIENTS {
                    scope.spawn(|| {
                        while !self.stopped.load(Relaxed) {
                            self.connect(guest);
                        }
                    });
                }
            });
        });
    }

    fn connect(&self, guest: &RwLock<bool>) {
        let index = self.next.fetch_add(1, Relaxed) as usize % self.kinds.len();
        let (kind, tally) = (&self.kinds[index], &self.tallies[index]);
        let gate = match kind.listener {
            GUEST => match guest.try_read() {
                Ok(gate) => Some(gate),
                // It is coming or going.
                Err(_) => return,
            },
            _ => None,
        };
        let is_there = gate.as_deref().copied().unwrap_or(true);
        let outcome = ask(kind.to);
        let expected = if is_there {
            &kind.outcome
        } else {
            &Outcome::Refused
        };
        if is_there {
            tally.made.fetch_add(1, Relaxed);
            self.done.fetch_add(1, Relaxed);
        } else {
            tally.refused.fetch_add(1, Relaxed);
        }
        if outcome != *expected {
            match outcome {
                Outcome::Answered(_) => tally.wrong.fetch_add(1, Relaxed),
                _ => tally.lost.fetch_add(1, Relaxed),
            };
            let mut failures = self.failures.lock().expect("no panic");
            if failures.len() < TOLD {
                failures.push(format!(
                    "{}: {outcome:?} instead of {expected:?}",
                    kind.name
                ));
            }
        }
    }
}

fn ask(to: SocketAddr) -> Outcome {
    let mut stream = match connect(to) {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Outcome::Refused,
        Err(error) => return Outcome::Failed(format!("connect: {error}")),
    };
    let mut text = String::new();
    match stream.read_to_string(&mut text) {
        Ok(0) => Outcome::Closed,
        Ok(_) => match text.parse() {
            Ok(reached) => Outcome::Answered(reached),
            Err(_) => Outcome::Failed(format!("answered {text:?}")),
        },
        Err(error) => Outcome::Failed(format!("read: {error}, after {text:?}")),
    }
}

/// The connection ends with a reset, after all is read: no port is left in TIME_WAIT.
fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    // Also how long connecting may take.
    socket.set_write_timeout(Some(TIMEOUT))?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}
