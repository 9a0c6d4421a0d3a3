//! SOCKS 4 and 4a, SOCKS 5 (RFC 1928) with user name and password (RFC 1929).

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::address::Login;
use super::{Destination, ProxyServer, Scheme};

/// Why a SOCKS proxy opened no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocksError {
    #[error("connection to the proxy broke")]
    Io(#[from] io::Error),
    #[error("the proxy does not speak socks {0}")]
    Version(u8),
    #[error("socks4 carries ipv4 addresses only")]
    Family,
    #[error("host name is too long for socks")]
    Name,
    #[error("the proxy wants a user name and password")]
    LoginWanted,
    #[error("the proxy accepts no way of login that was offered")]
    NoMethod,
    #[error("the proxy refused the user name or password")]
    Login,
    #[error("{} (socks reply {code})", reason(*.code))]
    Refused { code: u8 },
}

impl SocksError {
    /// Whether another address of the same host may fare better.
    pub(crate) fn may_differ_by_address(&self) -> bool {
        // Network unreachable, host unreachable, connection refused, TTL expired, unknown type of address;
        // SOCKS 4 has one reply for all of that.
        matches!(
            self,
            Self::Family
                | Self::Refused {
                    code: 3..=6 | 8 | 0x5b,
                }
        )
    }
}

impl ProxyServer {
    /// Asks a SOCKS proxy for a connection.
    pub(crate) async fn open_socks<S>(
        &self,
        stream: &mut S,
        to: Destination<'_>,
    ) -> Result<(), SocksError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self.scheme {
            Scheme::Socks4 | Scheme::Socks4a => self.socks4(stream, to).await,
            _ => self.socks5(stream, to).await,
        }
    }

    async fn socks4<S>(&self, stream: &mut S, to: Destination<'_>) -> Result<(), SocksError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut request = vec![4, 1];
        let mut name = None;
        match to {
            Destination::Address(SocketAddr::V4(address)) => {
                request.extend(address.port().to_be_bytes());
                request.extend(address.ip().octets());
            }
            Destination::Address(SocketAddr::V6(_)) => return Err(SocksError::Family),
            // An address that cannot be says that a name follows.
            Destination::Name(host, port) if host.len() <= 255 => {
                request.extend(port.to_be_bytes());
                request.extend([0, 0, 0, 1]);
                name = Some(host);
            }
            Destination::Name(..) => return Err(SocksError::Name),
        }
        if let Some(login) = &self.login {
            request.extend(login.user.as_bytes());
        }
        request.push(0);
        if let Some(name) = name {
            request.extend(name.as_bytes());
            request.push(0);
        }
        stream.write_all(&request).await?;
        stream.flush().await?;
        let mut reply = [0; 8];
        stream.read_exact(&mut reply).await?;
        match reply {
            [0, 0x5a, ..] => Ok(()),
            [0, code, ..] => Err(SocksError::Refused { code }),
            _ => Err(SocksError::Version(4)),
        }
    }

    async fn socks5<S>(&self, stream: &mut S, to: Destination<'_>) -> Result<(), SocksError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let offer: &[u8] = match self.login {
            Some(_) => &[5, 2, NO_LOGIN, PASSWORD],
            None => &[5, 1, NO_LOGIN],
        };
        stream.write_all(offer).await?;
        stream.flush().await?;
        let mut choice = [0; 2];
        stream.read_exact(&mut choice).await?;
        match (choice, &self.login) {
            ([5, NO_LOGIN], _) => {}
            ([5, PASSWORD], Some(login)) => log_in(stream, login).await?,
            ([5, 0xff], None) => return Err(SocksError::LoginWanted),
            ([5, _], _) => return Err(SocksError::NoMethod),
            _ => return Err(SocksError::Version(5)),
        }
        let mut request = vec![5, 1, 0];
        let port = match to {
            Destination::Address(address) => {
                match address.ip() {
                    IpAddr::V4(ip) => {
                        request.push(IPV4);
                        request.extend(ip.octets());
                    }
                    IpAddr::V6(ip) => {
                        request.push(IPV6);
                        request.extend(ip.octets());
                    }
                }
                address.port()
            }
            Destination::Name(name, port) => {
                let length = u8::try_from(name.len()).map_err(|_| SocksError::Name)?;
                request.extend([NAME, length]);
                request.extend(name.as_bytes());
                port
            }
        };
        request.extend(port.to_be_bytes());
        stream.write_all(&request).await?;
        stream.flush().await?;
        // A refusal may be cut short after its code.
        let mut head = [0; 2];
        stream.read_exact(&mut head).await?;
        match head {
            [5, 0] => {}
            [5, code] => return Err(SocksError::Refused { code }),
            _ => return Err(SocksError::Version(5)),
        }
        // The address that the proxy connects from is of no interest, but is to be read.
        let mut kind = [0; 2];
        stream.read_exact(&mut kind).await?;
        let length = match kind {
            [_, IPV4] => 4,
            [_, IPV6] => 16,
            [_, NAME] => usize::from(stream.read_u8().await?),
            _ => return Err(SocksError::Version(5)),
        };
        let mut rest = [0; 255 + 2];
        stream.read_exact(&mut rest[..length + 2]).await?;
        Ok(())
    }
}

async fn log_in<S>(stream: &mut S, login: &Login) -> Result<(), SocksError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let length = |text: &str| u8::try_from(text.len()).map_err(|_| SocksError::Login);
    let mut request = vec![1, length(&login.user)?];
    request.extend(login.user.as_bytes());
    request.push(length(&login.password)?);
    request.extend(login.password.as_bytes());
    stream.write_all(&request).await?;
    stream.flush().await?;
    let mut reply = [0; 2];
    stream.read_exact(&mut reply).await?;
    match reply {
        // The version is that of the login; some proxies send their own.
        [1 | 5, 0] => Ok(()),
        [1 | 5, _] => Err(SocksError::Login),
        _ => Err(SocksError::Version(5)),
    }
}

fn reason(code: u8) -> &'static str {
    match code {
        1 => "general failure",
        2 => "not allowed by the rules of the proxy",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "connection timed out",
        7 => "command not supported",
        8 => "type of address not supported",
        0x5b => "request rejected or failed",
        0x5c => "the proxy cannot reach identd",
        0x5d => "identd tells another user",
        _ => "unknown failure",
    }
}

const NO_LOGIN: u8 = 0;
const PASSWORD: u8 = 2;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;
