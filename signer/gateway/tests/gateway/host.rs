//! A gateway in front of a keeper that plays one, and clients for it.

use crate::keeper::FakeKeeper;
use crate::pki::{Authority, Credentials};
use chancery_channel::Cell;
use chancery_proto::v1::key_service_client::KeyServiceClient;
use chancery_proto::v1::sign_header::Payload;
use chancery_proto::v1::sign_request::Part;
use chancery_proto::v1::signing_service_client::SigningServiceClient;
use chancery_proto::v1::{DeclaredContent, ListKeysRequest, Refusal, SignHeader, SignRequest, SshsigDigest};
use chanceryd::accept::Doors;
use chanceryd::config::Limits;
use chanceryd::link::Link;
use chanceryd::metrics::Metrics;
use chanceryd::server::Server;
use chanceryd::tls::{TlsFiles, Trust};
use prost::Message as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::Status;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// Far more than anything here takes; reached only when something is broken.
pub(crate) const LONG: Duration = Duration::from_secs(20);
/// Waited out where waiting out is the point.
pub(crate) const SHORT: Duration = Duration::from_millis(150);

pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) authority: Authority,
    pub(crate) keeper: FakeKeeper,
    pub(crate) server: Server,
}

impl Host {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let authority = Authority::new();
        let dir = tempfile::tempdir().unwrap();
        authority.write(dir.path());
        let [ca, certificate, key] = ["ca.crt", "server.crt", "server.key"].map(|name| dir.path().join(name));
        let trust = Arc::new(Trust::load(&TlsFiles { certificate, key, client_ca: ca, client_crl: None, dials: false }).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (keeper, channel) = FakeKeeper::start();
        let (link, ready) = Link::open(channel).await.unwrap();
        let doors = Doors { listener: Some(listener), relays: None };
        let server = Server::start(doors, trust, Arc::new(Metrics::new(&ready)), &link, &ready, &limits, Cell::default()).await.unwrap();
        Self { address, authority, keeper, server }
    }

    pub(crate) fn channel(&self, who: Option<&Credentials>) -> Channel {
        connect(self.address, &self.authority.pem, who)
    }

    pub(crate) fn publisher(&self) -> SigningServiceClient<Channel> {
        SigningServiceClient::new(self.channel(Some(&self.authority.publisher())))
    }

    /// Somebody else can still get a signature.
    pub(crate) async fn is_well(&self) {
        let signed = self.publisher().sign(parts([Part::Header(digest("release"))])).await.unwrap();
        assert_eq!(signed.into_inner().entry_index, 17);
    }

    /// A call that needs nothing but an identity, as somebody.
    pub(crate) async fn asks(&self, who: Option<&Credentials>) -> Result<(), Status> {
        KeyServiceClient::new(self.channel(who)).list_keys(ListKeysRequest {}).await.map(|_| ())
    }

    /// A client's side of TLS.
    pub(crate) fn tls(
        &self,
        who: Option<&Credentials>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Arc<rustls::ClientConfig> {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match who {
            None => builder.with_no_client_auth(),
            Some(who) => {
                let chain = vec![CertificateDer::from_pem_slice(who.certificate.as_bytes()).unwrap()];
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(who.key.as_bytes()).unwrap()).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }
}

/// A connection that is opened with its first call.
pub(crate) fn connect(address: SocketAddr, ca: &str, who: Option<&Credentials>) -> Channel {
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca)).domain_name("localhost");
    if let Some(who) = who {
        tls = tls.identity(Identity::from_pem(&who.certificate, &who.key));
    }
    let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
    endpoint.tls_config(tls).unwrap().timeout(LONG).connect_lazy()
}

/// A header with an id of its own.
fn header(key: &str, construction: &str, payload: Payload) -> SignHeader {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = u128::from(NEXT.fetch_add(1, Ordering::Relaxed)).to_be_bytes();
    SignHeader {
        request_id: id.to_vec().into(),
        key: key.into(),
        construction: construction.into(),
        subject: "prod".into(),
        payload: Some(payload),
    }
}

pub(crate) fn digest(key: &str) -> SignHeader {
    let digest = SshsigDigest { namespace: "file".into(), hash_algorithm: "sha256".into(), digest: vec![1; 32].into() };
    header(key, "sshsig", Payload::Sshsig(digest))
}

pub(crate) fn content(key: &str, length: u64) -> SignHeader {
    header(key, "ostree-summary/ed25519", Payload::Content(DeclaredContent { length, sha256: vec![2; 32].into() }))
}

/// All messages of a call, at once.
pub(crate) fn parts(parts: impl IntoIterator<Item = Part>) -> impl tokio_stream::Stream<Item = SignRequest> + Send + 'static {
    let parts: Vec<_> = parts.into_iter().map(|part| SignRequest { part: Some(part) }).collect();
    tokio_stream::iter(parts)
}

pub(crate) fn chunk(len: usize) -> Part {
    Part::Chunk(vec![5; len].into())
}

/// What a status says about why.
pub(crate) fn refusal(status: &Status) -> Refusal {
    let details = tonic_types::pb::Status::decode(status.details()).unwrap();
    assert_eq!(details.code, i32::from(status.code()));
    assert_eq!(details.details[0].type_url, "type.googleapis.com/chancery.v1.Refusal");
    Refusal::decode(details.details[0].value.as_slice()).unwrap()
}
