//! Clients whom nobody knows: what one address may have here, and that nobody costs a key host anything without a word.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A client of TLS speaks first, and at once.
const FIRST_BYTE: Duration = Duration::from_secs(5);
/// How each ClientHello begins: the content type of a handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 0x16;

/// Why a client gets no parked connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("this address has as many clients here as one may; raise --clients-per-address if they share it rightly")]
    Address,
    #[error("it said nothing in time")]
    Silent,
    #[error("what it says is not TLS; clients need an https endpoint")]
    NoTls,
    #[error("it left without a word")]
    Left,
    #[error("the connection broke")]
    Io(#[from] io::Error),
}

impl ClientError {
    /// The same in a word, for numbers.
    pub(super) fn why(&self) -> &'static str {
        match self {
            Self::Address => "clients-per-address",
            Self::Silent => "no-first-byte",
            Self::NoTls => "not-tls",
            Self::Left | Self::Io(_) => "closed",
        }
    }
}

/// Clients, by where they come from: one address cannot keep out all others.
#[derive(Clone)]
pub(super) struct Addresses {
    present: Arc<Mutex<HashMap<IpAddr, usize>>>,
    each: usize,
}

/// One client, until it is dropped.
pub(super) struct Client {
    address: IpAddr,
    addresses: Addresses,
}

impl Addresses {
    /// Each address may have so many clients.
    pub(super) fn new(each: usize) -> Self {
        Self { present: Arc::default(), each }
    }

    /// Counts one more.
    ///
    /// # Errors
    /// [`ClientError::Address`] when the address has as many as it may.
    pub(super) fn enter(&self, address: IpAddr) -> Result<Client, ClientError> {
        let address = one_network(address);
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = present.entry(address).or_default();
        if *of_address >= self.each {
            return Err(ClientError::Address);
        }
        *of_address = of_address.saturating_add(1);
        drop(present);
        Ok(Client { address, addresses: self.clone() })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut present = self.addresses.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_address) = present.get_mut(&self.address) {
            *of_address = of_address.saturating_sub(1);
            if *of_address == 0 {
                present.remove(&self.address);
            }
        }
    }
}

/// Who has one address of IPv6 has 2^64 of them.
fn one_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Waits for the first byte of a ClientHello, and leaves it for the key host.
///
/// # Errors
/// [`ClientError`]: something else came, or nothing.
pub(super) async fn begins_tls(client: &TcpStream) -> Result<(), ClientError> {
    let mut first = [0];
    match timeout(FIRST_BYTE, client.peek(&mut first)).await.map_err(|_| ClientError::Silent)?? {
        0 => Err(ClientError::Left),
        _ if first == [HANDSHAKE] => Ok(()),
        _ => Err(ClientError::NoTls),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_more_clients_than_it_may_and_a_network_of_ipv6_is_one_address() {
        let addresses = Addresses::new(1);
        let enter = |text: &str| addresses.enter(text.parse().unwrap());
        let first = enter("192.0.2.1").unwrap();
        assert!(enter("192.0.2.1").is_err() && enter("::ffff:192.0.2.1").is_err());
        let six = enter("2001:db8:0:1::1").unwrap();
        assert!(enter("2001:db8:0:1:ffff::2").is_err() && enter("2001:db8:0:2::1").is_ok());
        drop((first, six));
        assert!(addresses.present.lock().unwrap().is_empty());
        assert!(enter("192.0.2.1").is_ok());
    }
}
