//! One client, two faces: asks a line-based echo server, async and blocking.
//!
//! ```text
//! cargo run -p bifrons --example two_faces
//! ```

use std::{io, net::SocketAddr};

use bifrons::BlockingError;
use futures_core::Stream;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection did not work.
    #[error("the echo server cannot be asked")]
    Io(#[from] io::Error),
    /// The blocking call could not be made.
    #[error(transparent)]
    Blocking(#[from] BlockingError),
}

/// A connection to an echo server.
#[derive(Debug)]
pub struct Echo {
    stream: BufStream<TcpStream>,
}

#[bifrons::dual(blocking = blocking::Echo, always)]
impl Echo {
    /// Connects to the server at `address`.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn connect(address: SocketAddr) -> Result<Self, Error> {
        Ok(Self {
            stream: BufStream::new(TcpStream::connect(address).await?),
        })
    }

    /// Sends a line and returns the answer.
    ///
    /// # Errors
    ///
    /// When the connection breaks.
    pub async fn ask(&mut self, line: &str) -> Result<String, Error> {
        self.stream.write_all(line.as_bytes()).await?;
        self.stream.write_all(b"\n").await?;
        self.stream.flush().await?;
        let mut answer = String::new();
        self.stream.read_line(&mut answer).await?;
        Ok(answer.trim_end().to_owned())
    }

    /// Asks for each of `lines`, one after the other, as far as the answers are wanted.
    pub fn ask_all(
        &mut self,
        lines: Vec<String>,
    ) -> impl Stream<Item = Result<String, Error>> + Send {
        futures_util::stream::unfold((self, lines.into_iter()), async |(echo, mut lines)| {
            let answer = echo.ask(&lines.next()?).await;
            Some((answer, (echo, lines)))
        })
    }
}

/// The same for code that waits.
pub mod blocking {
    bifrons::blocking_type! {
        #[derive(Debug)]
        pub struct Echo wraps super::Echo;
    }
}

/// Answers each line with itself, in capitals.
async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let mut stream = BufStream::new(listener.accept().await?.0);
        tokio::spawn(async move {
            let mut line = String::new();
            while stream.read_line(&mut line).await? > 0 {
                stream.write_all(line.to_uppercase().as_bytes()).await?;
                stream.flush().await?;
                line.clear();
            }
            io::Result::Ok(())
        });
    }
}

#[expect(clippy::print_stdout, reason = "an example shows its result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let listener = server.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    server.spawn(serve(listener));

    let mut echo = blocking::Echo::connect(address)?;
    println!("blocking: {}", echo.ask("hello")?);
    for answer in echo.ask_all(vec!["one".to_owned(), "two".to_owned()]) {
        println!("blocking: {}", answer?);
    }

    server.block_on(async {
        let mut echo = Echo::connect(address).await?;
        println!("async:    {}", echo.ask("hello").await?);
        Ok::<(), Error>(())
    })?;
    Ok(())
}
