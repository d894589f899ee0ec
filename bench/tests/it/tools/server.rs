//! A tenant's tool server on this machine, which answers as a test says.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;

/// A request as it came.
pub struct Request {
    /// Its headers, names in lower case.
    pub headers: HashMap<String, String>,
    pub body: String,
}

/// A server that takes each connection in a thread of its own, until the test's end.
pub struct Server {
    pub address: SocketAddr,
    /// What it was asked.
    pub requests: Receiver<Request>,
}

impl Server {
    /// `answer` writes the whole response of a request, or none.
    pub fn start(answer: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, requests) = mpsc::channel();
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (sender, answer) = (sender.clone(), Arc::clone(&answer));
                thread::spawn(move || {
                    let mut stream = stream;
                    let Some(request) = read(&mut stream) else { return };
                    answer(&request, &mut stream);
                    // The test may have ended.
                    let _ = sender.send(request);
                });
            }
        });
        Self { address, requests }
    }

    /// One that answers everything with this status and body.
    pub fn answering(status: &'static str, body: String) -> Self {
        Self::start(move |_, stream| respond(stream, status, "", &body))
    }

    pub fn url(&self) -> String {
        format!("http://{}/tools", self.address)
    }
}

/// Writes a response; `headers` end with line ends.
pub fn respond(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n", body.len());
    // Who asked may have gone.
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut headers = HashMap::new();
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Request { headers, body: String::from_utf8(body).ok()? })
}
