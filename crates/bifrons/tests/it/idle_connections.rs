//! Connections that the server closes between two calls.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::support::{runtime, watchdog};

const CALLS: usize = 60;

/// Answers one request on each connection, closes it, and says so.
fn server() -> (SocketAddr, Receiver<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (told, closed) = channel();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = [0];
            if connection.read_exact(&mut request).is_err() {
                return;
            }
            connection.write_all(&request).unwrap();
            drop(connection);
            if told.send(()).is_err() {
                return;
            }
        }
    });
    (address, closed)
}

/// A client with one idle connection, which it looks at before using it again.
struct Client {
    address: SocketAddr,
    idle: Mutex<Option<TcpStream>>,
}

impl Client {
    async fn exchange(&self, byte: u8) -> std::io::Result<u8> {
        let mut connection = match self.idle.lock().await.take() {
            Some(idle) if is_open(&idle).await => idle,
            _ => TcpStream::connect(self.address).await?,
        };
        connection.write_all(&[byte]).await?;
        let answer = connection.read_u8().await?;
        *self.idle.lock().await = Some(connection);
        Ok(answer)
    }
}

/// Nobody drove the runtime while the connection was idle, so what it knows of it is old. Yielding
/// once lets the events in.
async fn is_open(connection: &TcpStream) -> bool {
    tokio::task::yield_now().await;
    matches!(connection.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

#[test]
fn sixty_calls_over_connections_closed_while_idle_all_succeed() {
    let _watchdog = watchdog();
    let rt = runtime();
    let (address, closed) = server();
    let client = Client {
        address,
        idle: Mutex::new(None),
    };
    for call in 0..CALLS {
        let byte = u8::try_from(call).unwrap();
        assert_eq!(rt.block_on(client.exchange(byte)).unwrap().unwrap(), byte);
        closed.recv().unwrap();
    }
    // no task, so nobody was needed in between
    assert_eq!(rt.stats().keeper_takeovers, 0);
    rt.release(client);
}

#[test]
fn the_keeper_sees_a_connection_close_while_nobody_calls() {
    let _watchdog = watchdog();
    let rt = runtime();
    let (address, closed) = server();
    let (told, seen) = channel();
    rt.block_on(async move {
        let mut connection = TcpStream::connect(address).await.unwrap();
        tokio::spawn(async move {
            connection.write_all(&[1]).await.unwrap();
            assert_eq!(connection.read_u8().await.unwrap(), 1);
            // the end of the connection
            assert!(connection.read_u8().await.is_err());
            told.send(()).unwrap();
        });
    })
    .unwrap();
    closed.recv().unwrap();
    seen.recv().unwrap();
}
