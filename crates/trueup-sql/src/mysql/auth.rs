//! Proves to a server that we know the password.
//!
//! Invariant: the password itself is sent only to a server that nobody can stand in for or listen to: over a socket of
//! this machine, or over TLS as far as `sslmode` asks for it. It deliberately knows no method that would need RSA.

use super::wire::broken;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use std::io;

/// What the server wants next, by the name of its method.
pub(super) fn answer(method: &[u8], password: &str, nonce: &[u8]) -> Option<Vec<u8>> {
    match method {
        b"mysql_native_password" => Some(native(password, nonce)),
        b"caching_sha2_password" => Some(sha2(password, nonce)),
        _ => None,
    }
}

/// The password as it is sent in clear.
pub(super) fn clear(password: &str) -> Vec<u8> {
    let mut bytes = password.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

fn native(password: &str, nonce: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let sha1 = |parts: &[&[u8]]| {
        let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        parts.iter().for_each(|part| context.update(part));
        context.finish()
    };
    let once = sha1(&[password.as_bytes()]);
    let twice = sha1(&[once.as_ref()]);
    let mixed = sha1(&[nonce, twice.as_ref()]);
    xor(once.as_ref(), mixed.as_ref())
}

fn sha2(password: &str, nonce: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let sha256 = |parts: &[&[u8]]| {
        let mut context = Context::new(&SHA256);
        parts.iter().for_each(|part| context.update(part));
        context.finish()
    };
    let once = sha256(&[password.as_bytes()]);
    let twice = sha256(&[once.as_ref()]);
    let mixed = sha256(&[twice.as_ref(), nonce]);
    xor(once.as_ref(), mixed.as_ref())
}

fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

/// What a server says first.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) thread: u64,
    pub(super) nonce: Vec<u8>,
    pub(super) capabilities: u64,
    pub(super) method: Vec<u8>,
}

/// Reads the first packet of protocol 10.
pub(super) fn greeting(packet: &[u8]) -> io::Result<Greeting> {
    let mut parts = super::wire::Parts::new(packet);
    if parts.int(1)? != 10 {
        return Err(broken("the server speaks another protocol"));
    }
    parts.until_zero();
    let thread = parts.int(4)?;
    let mut nonce = parts.take(8)?.to_vec();
    parts.take(1)?;
    let mut capabilities = parts.int(2)?;
    parts.take(3)?;
    capabilities |= parts.int(2)? << 16;
    let len = usize::try_from(parts.int(1)?).unwrap_or(0);
    parts.take(10)?;
    nonce.extend_from_slice(parts.take(len.saturating_sub(8).max(13).min(parts.rest().len()))?);
    nonce.truncate(20);
    let method = parts.until_zero().to_vec();
    Ok(Greeting {
        thread,
        nonce,
        capabilities,
        method,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::hex;

    #[test]
    fn proofs_are_those_of_the_protocol() {
        let nonce: Vec<u8> = (1..=20).collect();
        let proof = |method: &str, password| answer(method.as_bytes(), password, &nonce);
        assert_eq!(
            proof("mysql_native_password", "secret")
                .map(|proof| hex(&proof))
                .as_deref(),
            Some("b32bb3a583e1340c0a1108d58b1be49781ad8c2f")
        );
        assert_eq!(
            proof("caching_sha2_password", "secret")
                .map(|proof| hex(&proof))
                .as_deref(),
            Some("746ebe205d56a0707acb3e796e834e0dd7b1d61743b26bd5202c7a623230c7c9")
        );
        assert_eq!(proof("caching_sha2_password", ""), Some(Vec::new()));
        assert_eq!(proof("client_ed25519", "secret"), None);
    }

    #[test]
    fn a_greeting_of_mysql_8_is_read() {
        let mut packet = b"\x0a8.0.36\0\x2a\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15".to_vec();
        packet.extend([0; 10]);
        packet.extend(b"ijklmnopqrst\0caching_sha2_password\0");
        let greeting = greeting(&packet).unwrap();
        assert_eq!(greeting.thread, 42);
        assert_eq!(greeting.nonce, b"abcdefghijklmnopqrst");
        assert_eq!(greeting.method, b"caching_sha2_password");
        assert_eq!(greeting.capabilities, 0xdfff_ffff);
    }
}
