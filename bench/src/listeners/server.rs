//! A server with a fixed answer and two workers, which share connections in one of four ways.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;

use dialplane_router::server::spread::{Place, Spread};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::load::bare::connection;

/// Threads that answer.
pub const WORKERS: usize = 2;

/// Connections that wait in a socket's queue: as many as tokio has by itself.
const BACKLOG: u32 = 1024;

/// Which to run.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Options {
    /// How connections are shared.
    way: Way,
}

/// How connections are shared among workers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Way {
    /// One socket. Each worker accepts from it and keeps what it accepts.
    Shared,
    /// A socket for each worker on the same port (`SO_REUSEPORT`): the system chooses.
    Each,
    /// One socket. Who accepts passes on to the worker that has the fewest, by the router's own rule.
    Spread,
    /// One socket, and tokio's runtime of several threads, which take tasks from each other.
    Multi,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Shared, Self::Each, Self::Spread, Self::Multi];

    /// Its name in arguments and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Each => "each",
            Self::Spread => "spread",
            Self::Multi => "multi",
        }
    }
}

/// Serves until the process ends; prints its address first.
///
/// # Errors
/// When there is no port, no thread or no runtime, or when accepting fails.
#[expect(clippy::print_stdout, reason = "the one line that is output")]
pub fn serve(options: &Options) -> io::Result<()> {
    let (address, workers) = start(options.way)?;
    println!("dialplane-bench: listener http://{address}");
    for worker in workers {
        worker.join().map_err(|_| io::Error::other("a worker panicked"))??;
    }
    Ok(())
}

/// A thread that serves until the process ends.
type Worker = JoinHandle<io::Result<Infallible>>;

/// Starts one on a free port. It serves as long as the process lives.
///
/// # Errors
/// When there is no port, no thread or no runtime.
pub fn start(way: Way) -> io::Result<(SocketAddr, Vec<Worker>)> {
    if way == Way::Multi {
        return start_multi();
    }
    let runtimes = std::iter::repeat_with(|| Builder::new_current_thread().enable_all().build());
    let runtimes = runtimes.take(WORKERS).collect::<io::Result<Vec<_>>>()?;
    let listeners = if way == Way::Each { listen_each(&runtimes)? } else { listen_shared(&runtimes)? };
    let address = listeners[0].local_addr()?;
    let passing = if way == Way::Spread { Passing::all() } else { Vec::new() };
    let mut passing = passing.into_iter();
    let starting = runtimes.into_iter().zip(listeners).enumerate();
    let workers = starting.map(|(index, (runtime, listener))| match passing.next() {
        None => spawn(index, runtime, keep(listener)),
        Some(passing) => spawn(index, runtime, passing.run(listener)),
    });
    Ok((address, workers.collect::<io::Result<_>>()?))
}

fn start_multi() -> io::Result<(SocketAddr, Vec<Worker>)> {
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    Ok((address, vec![spawn(0, runtime, keep(listener))?]))
}

fn spawn<F>(index: usize, runtime: Runtime, accepting: F) -> io::Result<Worker>
where
    F: Future<Output = io::Result<Infallible>> + Send + 'static,
{
    let thread = std::thread::Builder::new().name(format!("worker-{index}"));
    thread.spawn(move || {
        // As one task among many, as the router does: what `block_on` runs itself has a turn before each few of the
        // others.
        runtime.block_on(async { tokio::spawn(accepting).await.map_err(io::Error::other)? })
    })
}

/// One socket, known to each runtime.
fn listen_shared(runtimes: &[Runtime]) -> io::Result<Vec<TcpListener>> {
    let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    let register = |runtime: &Runtime| {
        let _entered = runtime.enter();
        TcpListener::from_std(socket.try_clone()?)
    };
    runtimes.iter().map(register).collect()
}

/// A socket for each runtime, all on one port.
fn listen_each(runtimes: &[Runtime]) -> io::Result<Vec<TcpListener>> {
    let mut address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listen = |runtime: &Runtime| {
        let _entered = runtime.enter();
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        address = listener.local_addr()?;
        Ok(listener)
    };
    runtimes.iter().map(listen).collect()
}

/// Serves what it accepts.
async fn keep(listener: TcpListener) -> io::Result<Infallible> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream));
    }
}

/// A connection that another worker accepted.
type Passed = (std::net::TcpStream, Place);

/// A worker that passes connections on. Where each goes the router's own type says; only what a connection has there
/// besides its socket isn't here, so passing is written once more.
struct Passing {
    index: usize,
    spread: Spread,
    inboxes: Vec<UnboundedSender<Passed>>,
    inbox: UnboundedReceiver<Passed>,
}

impl Passing {
    /// All workers.
    fn all() -> Vec<Self> {
        let (spread, _) = Spread::new(WORKERS);
        let (inboxes, own): (Vec<_>, Vec<_>) =
            std::iter::repeat_with(mpsc::unbounded_channel).take(WORKERS).unzip();
        let one = |(index, inbox)| Self { index, spread: spread.clone(), inboxes: inboxes.clone(), inbox };
        own.into_iter().enumerate().map(one).collect()
    }

    async fn run(mut self, listener: TcpListener) -> io::Result<Infallible> {
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, _) = accepted?;
                    stream.set_nodelay(true)?;
                    self.begin_or_pass(stream)?;
                }
                Some((stream, place)) = self.inbox.recv() => begin(TcpStream::from_std(stream)?, place),
            }
        }
    }

    fn begin_or_pass(&self, stream: TcpStream) -> io::Result<()> {
        let place = self.spread.place(self.index);
        if place.worker() == self.index {
            begin(stream, place);
            return Ok(());
        }
        let inbox = &self.inboxes[place.worker()];
        inbox.send((stream.into_std()?, place)).map_err(|_| io::Error::other("a worker has ended"))
    }
}

fn begin(stream: TcpStream, place: Place) {
    tokio::spawn(async move {
        // One whose client goes away has ended like any other.
        let _ = connection(stream).await;
        drop(place);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::bare::ANSWER;
    use crate::load::client::Connection;

    const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody";

    #[test]
    fn each_way_answers_on_every_connection_as_often_as_it_is_asked() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let answer = std::str::from_utf8(&ANSWER).unwrap();
        for way in Way::ALL {
            let (address, workers) = start(way).unwrap();
            assert_eq!(workers.len(), if way == Way::Multi { 1 } else { WORKERS }, "{way:?}");
            runtime.block_on(async {
                let mut connections = Vec::new();
                for _ in 0..9 {
                    connections.push(Connection::open(address).await.unwrap());
                }
                for _ in 0..3 {
                    for connection in &mut connections {
                        assert_eq!(connection.ask(REQUEST).await.unwrap(), answer, "{way:?}");
                    }
                }
            });
            assert!(workers.iter().all(|worker| !worker.is_finished()), "{way:?}");
        }
    }

    #[test]
    fn names_are_those_of_the_arguments() {
        use clap::ValueEnum;
        for way in Way::ALL {
            assert_eq!(Way::from_str(way.name(), false), Ok(way));
        }
        assert_eq!(Way::value_variants(), Way::ALL);
    }
}
