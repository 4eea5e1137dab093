//! A broker's certificate as people have it in files: read, checked against its key, and asked until when it holds.
//!
//! Called by whoever reads the files. TLS 1.2 and 1.3, with what rustls thinks safe. Knows no files and no clock.

use std::{fmt, sync::Arc};

use rustls::{
    Error, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::WebPkiClientVerifier,
};
use types::UnixTime;
use x509_parser::{extensions::GeneralName, prelude::X509Certificate};

/// A certificate with its key, ready for a [`Listener`](super::Listener).
#[derive(Clone, Debug)]
pub struct Certificate {
    pub(super) config: Arc<ServerConfig>,
    /// When it begins and ends, in seconds since 1970.
    pub valid_s: (i64, i64),
    /// Names and addresses that it is for, as it has them.
    pub names: Vec<String>,
}

/// One of the files that make a [`Certificate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The certificate, and those between it and the CA.
    Chain,
    /// Its private key.
    Key,
    /// Who signs certificates of clients.
    ClientCa,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateError {
    /// Which file.
    pub part: Part,
    /// What is wrong, and how to mend it.
    pub why: String,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for CertificateError {}

impl Certificate {
    /// Reads PEM: a chain that begins with the broker's own certificate, its key, and where each client has to show a
    /// certificate, those who sign them.
    ///
    /// # Errors
    /// Which file is wrong, and in what. That a certificate is over is no error: see [`Certificate::valid_s`].
    pub fn read(
        chain: &[u8],
        key: &[u8],
        client_ca: Option<&[u8]>,
    ) -> Result<Self, CertificateError> {
        let chain = certificates(chain, Part::Chain)?;
        let (valid_s, names) = chain
            .first()
            .map(described)
            .unwrap_or_else(|| Err(none(Part::Chain)))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| wrong(Part::Key, match error {
            pem::Error::NoItemsFound => {
                "it holds no private key: the file begins with -----BEGIN PRIVATE KEY-----, and has no password".to_owned()
            }
            other => format!("it is no PEM: {other}"),
        }))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(Part::Chain, error.to_string()))?;
        let builder = match client_ca {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(pem, Part::ClientCa)? {
                    roots
                        .add(root)
                        .map_err(|error| wrong(Part::ClientCa, format!("it is no CA: {error}")))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                let verifier =
                    verifier.map_err(|error| wrong(Part::ClientCa, error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let config = builder.with_single_cert(chain, key);
        let config = config.map_err(|error| match error {
            Error::InconsistentKeys(_) => wrong(
                Part::Key,
                "it is not the key of this certificate: give the one that was made with it"
                    .to_owned(),
            ),
            Error::InvalidCertificate(why) => wrong(
                Part::Chain,
                format!("it is no certificate for TLS: {why:?}"),
            ),
            other => wrong(
                Part::Key,
                format!("it can't be used: {other}; ECDSA P-256, Ed25519 and RSA keys can"),
            ),
        })?;
        Ok(Self {
            config: Arc::new(config),
            valid_s,
            names,
        })
    }

    /// The names and addresses in PEM whose key may be anywhere: see [`Certificate::names`].
    ///
    /// # Errors
    /// It is no certificate.
    pub fn names_of(chain: &[u8]) -> Result<Vec<String>, CertificateError> {
        let chain = certificates(chain, Part::Chain)?;
        let own = chain.first().ok_or_else(|| none(Part::Chain))?;
        Ok(described(own)?.1)
    }

    /// Whole days until it is over; negative once it is.
    #[must_use]
    pub fn days_left(&self, now: UnixTime) -> i64 {
        let now_s = now.0.div_euclid(1_000_000);
        self.valid_s.1.saturating_sub(now_s).div_euclid(24 * 3_600)
    }
}

fn wrong(part: Part, why: String) -> CertificateError {
    CertificateError { part, why }
}

fn none(part: Part) -> CertificateError {
    let why = "it holds no certificate: the file begins with -----BEGIN CERTIFICATE-----";
    wrong(part, why.to_owned())
}

fn certificates(pem: &[u8], part: Part) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|error| wrong(part, format!("it is no PEM: {error}")))?;
    if read.is_empty() {
        return Err(none(part));
    }
    Ok(read)
}

type Description = ((i64, i64), Vec<String>);

fn described(certificate: &CertificateDer<'_>) -> Result<Description, CertificateError> {
    let parsed = x509_parser::parse_x509_certificate(certificate);
    let (_, parsed) = parsed.map_err(|error| {
        wrong(
            Part::Chain,
            format!("its first certificate can't be read: {error}"),
        )
    })?;
    let validity = parsed.validity();
    let valid_s = (
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    );
    Ok((valid_s, names(&parsed)))
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
    let v6 = <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from);
    v4.or(v6).ok().map(|address| address.to_string())
}
