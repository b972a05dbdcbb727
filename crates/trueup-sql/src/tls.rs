//! TLS as `sslmode` asks for it, on rustls with ring.
//!
//! Invariant: `verify-ca` and `verify-full` never accept a certificate that the roots do not vouch for. The
//! provider is passed in, never taken from the process. `prefer` and `require` do not verify, as in libpq; a note
//! on the endpoint says so.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::path::PathBuf;
use std::sync::Arc;
use trueup_core::{Error, Result};

/// How much the connection is protected; libpq's names and meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    /// Reads one of libpq's words.
    ///
    /// # Errors
    /// `Config` when it is none.
    pub(crate) fn named(word: &str) -> Result<Self> {
        Ok(match word {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            other => {
                return Err(Error::config(format!(
                    "unknown sslmode: value={}",
                    other.escape_debug()
                ))
                .hint("use disable, allow, prefer, require, verify-ca or verify-full"));
            }
        })
    }

    /// Refuses a mode that the roots make worthless, and returns any other.
    pub(crate) fn with(self, roots: &Roots) -> Result<Self> {
        if *roots == Roots::System && self != Self::VerifyFull {
            return Err(Error::config("sslrootcert=system needs sslmode=verify-full")
                .hint("anyone can get a certificate that the system trusts; only the host name tells them apart"));
        }
        Ok(self)
    }
}

/// The certificates to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Those in this file.
    File(PathBuf),
    /// Those of the operating system.
    System,
    /// None.
    None,
}

/// Makes the client's side for a mode that wants TLS.
pub(crate) fn client(mode: SslMode, roots: &Roots) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match mode {
        SslMode::VerifyFull => webpki(roots, &provider)?,
        SslMode::VerifyCa => Arc::new(AnyName(webpki(roots, &provider)?)),
        SslMode::Disable | SslMode::Allow | SslMode::Prefer | SslMode::Require => {
            Arc::new(Unverified(Arc::clone(&provider)))
        }
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            Error::config("TLS cannot be set up")
                .hint("see sslmode and sslrootcert in the address")
                .cause(error)
        })?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

fn webpki(roots: &Roots, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::File(path) => {
            let shown = path.display();
            let unreadable = || {
                Error::config(format!("cannot read the root certificates: path={shown}"))
                    .hint("name a readable file of PEM certificates with sslrootcert")
            };
            let certificates =
                CertificateDer::pem_file_iter(path).map_err(|error| unreadable().cause(error))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| unreadable().cause(error))?;
                store
                    .add(certificate)
                    .map_err(|error| unreadable().cause(error))?;
            }
        }
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
        }
        Roots::None => {}
    }
    if store.is_empty() {
        return Err(
            Error::config("no root certificate to verify the server with")
                .hint("name a file with sslrootcert=PATH, or use sslrootcert=system"),
        );
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
        .build()
        .map_err(|error| {
            Error::config("the root certificates cannot be used")
                .hint("name a file of PEM certificates with sslrootcert")
                .cause(error)
        })
}

/// Accepts what the roots vouch for, under any name.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        match self
            .0
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        {
            // The name is looked at last, when the chain has been found good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Accepts any certificate: encrypted, but not to anyone in particular.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
