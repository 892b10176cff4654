//! TLS in front of a stand-in server, with a certificate authority of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Listener that ends TLS, until the end of the test's process.
pub(crate) struct TlsProxy {
    address: SocketAddr,
    authority: String,
}

impl TlsProxy {
    /// Listener on loopback, for the server on this port.
    pub(crate) fn start(port: u16) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate =
            CertificateParams::new(["127.0.0.1".to_owned()])?.signed_by(&key, &authority)?;
        let key = PrivateKeyDer::try_from(key.serialize_der())
            .map_err(|error| anyhow::anyhow!("reading the key: {error}"))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting an async runtime")?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        std::thread::spawn(move || runtime.block_on(serve(listener, acceptor, port)));
        Ok(Self { address, authority: authority.pem() })
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Certificate of the authority, in PEM format.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, port: u16) {
    while let Ok((client, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // A client that does not trust the certificate ends the handshake.
            let Ok(mut client) = acceptor.accept(client).await else { return };
            let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
