//! The limit: reads a request with its body and writes fixed bytes, with nothing but tokio and httparse.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::wire::{self, Request};
use crate::load::bare;

pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let mut answer = Vec::new();
    wire::answer(200, &bare::ANSWER, &mut answer);
    let answer: &[u8] = answer.leak();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(converse(stream, answer));
    }
}

/// Ends when the client does.
async fn converse(mut stream: TcpStream, answer: &[u8]) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let request = Request::parse(&buffer[..filled]).map_err(io::Error::other)?;
        let Some(request) = request.map(|request| request.length) else { continue };
        buffer.copy_within(request..filled, 0);
        filled -= request;
        stream.write_all(answer).await?;
    }
}
