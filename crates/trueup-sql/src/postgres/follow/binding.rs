//! Ties a login to the TLS connection it is made over, so that nobody between can pass it on.
//!
//! Invariant: where server and certificate allow it, the login is bound. Of the certificate only the name of the
//! algorithm that signed it is read; whether it can be trusted was decided before.

use postgres_protocol::authentication::sasl::ChannelBinding;
use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};

/// The names (object identifiers) of signatures, and the digest that binds to each.
const SIGNATURES: &[(&[u8], &Algorithm)] = &[
    // RSA with SHA-1 is bound to by SHA-256.
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", &SHA256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", &SHA256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", &SHA384),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", &SHA512),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", &SHA256),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x03", &SHA384),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x04", &SHA512),
];

/// Decides how a login is bound, and tells whether it is.
pub(super) fn choose(certificate: Option<&[u8]>, offered: bool) -> (ChannelBinding, bool) {
    let Some(certificate) = certificate else {
        return (ChannelBinding::unsupported(), false);
    };
    match algorithm(certificate) {
        Some(algorithm) if offered => {
            let hash = digest(algorithm, certificate).as_ref().to_vec();
            (ChannelBinding::tls_server_end_point(hash), true)
        }
        Some(_) => (ChannelBinding::unrequested(), false),
        None => (ChannelBinding::unsupported(), false),
    }
}

/// Finds what a certificate was signed with: a sequence of what is signed, and the algorithm's sequence.
fn algorithm(certificate: &[u8]) -> Option<&'static Algorithm> {
    let (whole, _) = element(certificate)?;
    let (_, behind) = element(whole)?;
    let (sequence, _) = element(behind)?;
    let (name, _) = element(sequence)?;
    let found = SIGNATURES.iter().find(|(known, _)| *known == name);
    found.map(|(_, algorithm)| *algorithm)
}

/// Takes one element of DER apart: its content, and what stands behind it.
fn element(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&short, mut rest) = bytes.get(1..)?.split_first()?;
    let mut len = usize::from(short);
    if short >= 0x80 {
        let (digits, after) = rest.split_at_checked(usize::from(short & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        len = digits
            .iter()
            .fold(0, |len, &digit| len << 8 | usize::from(digit));
        rest = after;
    }
    rest.split_at_checked(len)
}
