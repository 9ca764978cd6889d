/// One message of a Sign call.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SignRequest {
    #[prost(oneof = "sign_request::Part", tags = "1, 2")]
    pub part: ::core::option::Option<sign_request::Part>,
}
/// Nested message and enum types in `SignRequest`.
pub mod sign_request {
    #[derive(Clone, PartialEq, ::prost::Oneof)]
    pub enum Part {
        /// First message, and only the first.
        #[prost(message, tag = "1")]
        Header(super::SignHeader),
        /// The next bytes of the content, at most 1 MiB.
        #[prost(bytes, tag = "2")]
        Chunk(::prost::bytes::Bytes),
    }
}
/// Names what is to be signed, and how.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SignHeader {
    /// 16 random bytes, chosen once for each thing to be signed and sent again with a retry. The same id with the same
    /// request returns the recorded outcome, without a second entry; with another request it is refused.
    #[prost(bytes = "bytes", tag = "1")]
    pub request_id: ::prost::bytes::Bytes,
    /// Name of the key.
    #[prost(string, tag = "2")]
    pub key: ::prost::alloc::string::String,
    /// Exactly which bytes are signed and how the signature is framed, for example "ostree-summary/ed25519" or "sshsig".
    #[prost(string, tag = "3")]
    pub construction: ::prost::alloc::string::String,
    /// What is signed, in the publisher's terms: the name of a repository, of a release, of a file.
    #[prost(string, tag = "4")]
    pub subject: ::prost::alloc::string::String,
    #[prost(oneof = "sign_header::Payload", tags = "5, 6, 7, 8, 9")]
    pub payload: ::core::option::Option<sign_header::Payload>,
}
/// Nested message and enum types in `SignHeader`.
pub mod sign_header {
    #[derive(Clone, PartialEq, ::prost::Oneof)]
    pub enum Payload {
        /// The content follows in chunks.
        #[prost(message, tag = "5")]
        Content(super::DeclaredContent),
        /// A digest stands for the content. Only for constructions that sign a digest.
        #[prost(message, tag = "6")]
        Sshsig(super::SshsigDigest),
        /// BLAKE2b-512 of the file, 64 bytes. Only for "minisign".
        #[prost(bytes, tag = "7")]
        Blake2b(::prost::bytes::Bytes),
        /// The state of a hash stands for the content, which is not sent. Only for "openpgp-detached".
        #[prost(message, tag = "8")]
        HashState(super::HashState),
        /// The key host writes the statement. Only for "dsse".
        #[prost(message, tag = "9")]
        Statement(super::Statement),
    }
}
/// Announces content.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DeclaredContent {
    /// Length in bytes.
    #[prost(uint64, tag = "1")]
    pub length: u64,
    /// SHA-256 of the content, 32 bytes. The key host computes it again and refuses a difference.
    #[prost(bytes = "bytes", tag = "2")]
    pub sha256: ::prost::bytes::Bytes,
}
/// What an SSH signature (PROTOCOL.sshsig) is made from.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct SshsigDigest {
    /// Namespace of the signature, for example "file" or "git".
    #[prost(string, tag = "1")]
    pub namespace: ::prost::alloc::string::String,
    /// "sha256" or "sha512".
    #[prost(string, tag = "2")]
    pub hash_algorithm: ::prost::alloc::string::String,
    /// Digest of the file: 32 or 64 bytes.
    #[prost(bytes = "bytes", tag = "3")]
    pub digest: ::prost::bytes::Bytes,
}
/// The state of a SHA-2 hash that has taken in the whole file (FIPS 180-4 section 6). The key host adds what OpenPGP has it add.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct HashState {
    /// "sha256" or "sha512".
    #[prost(string, tag = "1")]
    pub hash_algorithm: ::prost::alloc::string::String,
    /// The eight words after the last whole block, each big-endian: 32 or 64 bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub words: ::prost::bytes::Bytes,
    /// Length of the file in bytes.
    #[prost(uint64, tag = "3")]
    pub length: u64,
    /// The bytes of the file after the last whole block.
    #[prost(bytes = "bytes", tag = "4")]
    pub tail: ::prost::bytes::Bytes,
}
/// What an in-toto Statement v1 says.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Statement {
    /// The files it is about: 1 to 1,024.
    #[prost(message, repeated, tag = "1")]
    pub subjects: ::prost::alloc::vec::Vec<StatementSubject>,
    /// A URI that says what kind of thing is stated of them.
    #[prost(string, tag = "2")]
    pub predicate_type: ::prost::alloc::string::String,
    /// What is stated: names and values.
    #[prost(map = "string, string", tag = "3")]
    pub predicate: ::std::collections::HashMap<
        ::prost::alloc::string::String,
        ::prost::alloc::string::String,
    >,
}
/// A file that a statement is about.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct StatementSubject {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// Its SHA-256, 32 bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub sha256: ::prost::bytes::Bytes,
}
/// A released signature.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct SignResponse {
    /// Framed as the construction says.
    #[prost(bytes = "bytes", tag = "1")]
    pub signature: ::prost::bytes::Bytes,
    /// Version of the key that signed.
    #[prost(uint32, tag = "2")]
    pub key_version: u32,
    /// SHA-256 of the exact bytes that were signed, 32 bytes.
    #[prost(bytes = "bytes", tag = "3")]
    pub tbs_sha256: ::prost::bytes::Bytes,
    /// Index of the request's entry in the request log.
    #[prost(uint64, tag = "4")]
    pub entry_index: u64,
    /// C2SP tlog-proof@v1 for that entry; its extra line holds the entry itself.
    #[prost(bytes = "bytes", tag = "5")]
    pub receipt: ::prost::bytes::Bytes,
}
/// Why nothing was signed.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Refusal {
    /// Stable code for machines, for example "ref-not-granted".
    #[prost(string, tag = "1")]
    pub reason: ::prost::alloc::string::String,
    /// What happened and what to do next, for people.
    #[prost(string, tag = "2")]
    pub message: ::prost::alloc::string::String,
    /// Index of the refusal's entry in the request log, where it has one.
    #[prost(uint64, optional, tag = "3")]
    pub entry_index: ::core::option::Option<u64>,
    /// C2SP tlog-proof@v1 for that entry; empty where there is none.
    #[prost(bytes = "bytes", tag = "4")]
    pub receipt: ::prost::bytes::Bytes,
    /// Whether the same request may succeed later.
    #[prost(bool, tag = "5")]
    pub retry: bool,
}
/// One request of a SignBatch stream.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SignBatchRequest {
    /// Chosen by the client; the reply carries it. Unique among the requests that have no reply yet.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// What is to be signed, and how.
    #[prost(message, optional, tag = "2")]
    pub header: ::core::option::Option<SignHeader>,
    /// The whole content, where the header announces content; at most 64 KiB. Larger content goes through Sign.
    #[prost(bytes = "bytes", tag = "3")]
    pub content: ::prost::bytes::Bytes,
}
/// One reply of a SignBatch stream.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct SignBatchResponse {
    /// The number of its request.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    #[prost(oneof = "sign_batch_response::Outcome", tags = "2, 3")]
    pub outcome: ::core::option::Option<sign_batch_response::Outcome>,
}
/// Nested message and enum types in `SignBatchResponse`.
pub mod sign_batch_response {
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Oneof)]
    pub enum Outcome {
        /// The signature.
        #[prost(message, tag = "2")]
        Signed(super::SignResponse),
        /// Why there is none.
        #[prost(message, tag = "3")]
        Refusal(super::Refusal),
    }
}
/// Generated client implementations.
pub mod signing_service_client {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    use tonic::codegen::http::Uri;
    /// Makes detached signatures. Every request that reaches a decision, granted or refused, has an entry in the
    /// request log before the key is touched.
    #[derive(Debug, Clone)]
    pub struct SigningServiceClient<T> {
        inner: tonic::client::Grpc<T>,
    }
    impl<T> SigningServiceClient<T>
    where
        T: tonic::client::GrpcService<tonic::body::Body>,
        T::Error: Into<StdError>,
        T::ResponseBody: Body<Data = Bytes> + std::marker::Send + 'static,
        <T::ResponseBody as Body>::Error: Into<StdError> + std::marker::Send,
    {
        pub fn new(inner: T) -> Self {
            let inner = tonic::client::Grpc::new(inner);
            Self { inner }
        }
        pub fn with_origin(inner: T, origin: Uri) -> Self {
            let inner = tonic::client::Grpc::with_origin(inner, origin);
            Self { inner }
        }
        pub fn with_interceptor<F>(
            inner: T,
            interceptor: F,
        ) -> SigningServiceClient<InterceptedService<T, F>>
        where
            F: tonic::service::Interceptor,
            T::ResponseBody: Default,
            T: tonic::codegen::Service<
                http::Request<tonic::body::Body>,
                Response = http::Response<
                    <T as tonic::client::GrpcService<tonic::body::Body>>::ResponseBody,
                >,
            >,
            <T as tonic::codegen::Service<
                http::Request<tonic::body::Body>,
            >>::Error: Into<StdError> + std::marker::Send + std::marker::Sync,
        {
            SigningServiceClient::new(InterceptedService::new(inner, interceptor))
        }
        /// Compress requests with the given encoding.
        ///
        /// This requires the server to support it otherwise it might respond with an
        /// error.
        #[must_use]
        pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.inner = self.inner.send_compressed(encoding);
            self
        }
        /// Enable decompressing responses.
        #[must_use]
        pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.inner = self.inner.accept_compressed(encoding);
            self
        }
        /// Limits the maximum size of a decoded message.
        ///
        /// Default: `4MB`
        #[must_use]
        pub fn max_decoding_message_size(mut self, limit: usize) -> Self {
            self.inner = self.inner.max_decoding_message_size(limit);
            self
        }
        /// Limits the maximum size of an encoded message.
        ///
        /// Default: `usize::MAX`
        #[must_use]
        pub fn max_encoding_message_size(mut self, limit: usize) -> Self {
            self.inner = self.inner.max_encoding_message_size(limit);
            self
        }
        /// Signs one thing. The first message is a header. When the header announces content, messages with chunks
        /// follow, and the stream is closed after the last one. A request made from a digest is a header alone.
        ///
        /// A refusal is a gRPC status whose details (google.rpc.Status) hold a Refusal.
        pub async fn sign(
            &mut self,
            request: impl tonic::IntoStreamingRequest<Message = super::SignRequest>,
        ) -> std::result::Result<tonic::Response<super::SignResponse>, tonic::Status> {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/chancery.v1.SigningService/Sign",
            );
            let mut req = request.into_streaming_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("chancery.v1.SigningService", "Sign"));
            self.inner.client_streaming(req, path, codec).await
        }
        /// Signs many small things on one stream. Requests may be sent without waiting for replies; replies come as they
        /// are ready, in any order, and carry the number of their request. A refusal ends its own request only.
        pub async fn sign_batch(
            &mut self,
            request: impl tonic::IntoStreamingRequest<Message = super::SignBatchRequest>,
        ) -> std::result::Result<
            tonic::Response<tonic::codec::Streaming<super::SignBatchResponse>>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/chancery.v1.SigningService/SignBatch",
            );
            let mut req = request.into_streaming_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("chancery.v1.SigningService", "SignBatch"));
            self.inner.streaming(req, path, codec).await
        }
    }
}
/// Generated server implementations.
pub mod signing_service_server {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with SigningServiceServer.
    #[async_trait]
    pub trait SigningService: std::marker::Send + std::marker::Sync + 'static {
        /// Signs one thing. The first message is a header. When the header announces content, messages with chunks
        /// follow, and the stream is closed after the last one. A request made from a digest is a header alone.
        ///
        /// A refusal is a gRPC status whose details (google.rpc.Status) hold a Refusal.
        async fn sign(
            &self,
            request: tonic::Request<tonic::Streaming<super::SignRequest>>,
        ) -> std::result::Result<tonic::Response<super::SignResponse>, tonic::Status>;
        /// Server streaming response type for the SignBatch method.
        type SignBatchStream: tonic::codegen::tokio_stream::Stream<
                Item = std::result::Result<super::SignBatchResponse, tonic::Status>,
            >
            + std::marker::Send
            + 'static;
        /// Signs many small things on one stream. Requests may be sent without waiting for replies; replies come as they
        /// are ready, in any order, and carry the number of their request. A refusal ends its own request only.
        async fn sign_batch(
            &self,
            request: tonic::Request<tonic::Streaming<super::SignBatchRequest>>,
        ) -> std::result::Result<tonic::Response<Self::SignBatchStream>, tonic::Status>;
    }
    /// Makes detached signatures. Every request that reaches a decision, granted or refused, has an entry in the
    /// request log before the key is touched.
    #[derive(Debug)]
    pub struct SigningServiceServer<T> {
        inner: Arc<T>,
        accept_compression_encodings: EnabledCompressionEncodings,
        send_compression_encodings: EnabledCompressionEncodings,
        max_decoding_message_size: Option<usize>,
        max_encoding_message_size: Option<usize>,
    }
    impl<T> SigningServiceServer<T> {
        pub fn new(inner: T) -> Self {
            Self::from_arc(Arc::new(inner))
        }
        pub fn from_arc(inner: Arc<T>) -> Self {
            Self {
                inner,
                accept_compression_encodings: Default::default(),
                send_compression_encodings: Default::default(),
                max_decoding_message_size: None,
                max_encoding_message_size: None,
            }
        }
        pub fn with_interceptor<F>(
            inner: T,
            interceptor: F,
        ) -> InterceptedService<Self, F>
        where
            F: tonic::service::Interceptor,
        {
            InterceptedService::new(Self::new(inner), interceptor)
        }
        /// Enable decompressing requests with the given encoding.
        #[must_use]
        pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.accept_compression_encodings.enable(encoding);
            self
        }
        /// Compress responses with the given encoding, if the client supports it.
        #[must_use]
        pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.send_compression_encodings.enable(encoding);
            self
        }
        /// Limits the maximum size of a decoded message.
        ///
        /// Default: `4MB`
        #[must_use]
        pub fn max_decoding_message_size(mut self, limit: usize) -> Self {
            self.max_decoding_message_size = Some(limit);
            self
        }
        /// Limits the maximum size of an encoded message.
        ///
        /// Default: `usize::MAX`
        #[must_use]
        pub fn max_encoding_message_size(mut self, limit: usize) -> Self {
            self.max_encoding_message_size = Some(limit);
            self
        }
    }
    impl<T, B> tonic::codegen::Service<http::Request<B>> for SigningServiceServer<T>
    where
        T: SigningService,
        B: Body + std::marker::Send + 'static,
        B::Error: Into<StdError> + std::marker::Send + 'static,
    {
        type Response = http::Response<tonic::body::Body>;
        type Error = std::convert::Infallible;
        type Future = BoxFuture<Self::Response, Self::Error>;
        fn poll_ready(
            &mut self,
            _cx: &mut Context<'_>,
        ) -> Poll<std::result::Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, req: http::Request<B>) -> Self::Future {
            match req.uri().path() {
                "/chancery.v1.SigningService/Sign" => {
                    #[allow(non_camel_case_types)]
                    struct SignSvc<T: SigningService>(pub Arc<T>);
                    impl<
                        T: SigningService,
                    > tonic::server::ClientStreamingService<super::SignRequest>
                    for SignSvc<T> {
                        type Response = super::SignResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<tonic::Streaming<super::SignRequest>>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as SigningService>::sign(&inner, request).await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = SignSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.client_streaming(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/chancery.v1.SigningService/SignBatch" => {
                    #[allow(non_camel_case_types)]
                    struct SignBatchSvc<T: SigningService>(pub Arc<T>);
                    impl<
                        T: SigningService,
                    > tonic::server::StreamingService<super::SignBatchRequest>
                    for SignBatchSvc<T> {
                        type Response = super::SignBatchResponse;
                        type ResponseStream = T::SignBatchStream;
                        type Future = BoxFuture<
                            tonic::Response<Self::ResponseStream>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<
                                tonic::Streaming<super::SignBatchRequest>,
                            >,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as SigningService>::sign_batch(&inner, request).await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = SignBatchSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.streaming(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                _ => {
                    Box::pin(async move {
                        let mut response = http::Response::new(
                            tonic::body::Body::default(),
                        );
                        let headers = response.headers_mut();
                        headers
                            .insert(
                                tonic::Status::GRPC_STATUS,
                                (tonic::Code::Unimplemented as i32).into(),
                            );
                        headers
                            .insert(
                                http::header::CONTENT_TYPE,
                                tonic::metadata::GRPC_CONTENT_TYPE,
                            );
                        Ok(response)
                    })
                }
            }
        }
    }
    impl<T> Clone for SigningServiceServer<T> {
        fn clone(&self) -> Self {
            let inner = self.inner.clone();
            Self {
                inner,
                accept_compression_encodings: self.accept_compression_encodings,
                send_compression_encodings: self.send_compression_encodings,
                max_decoding_message_size: self.max_decoding_message_size,
                max_encoding_message_size: self.max_encoding_message_size,
            }
        }
    }
    /// Generated gRPC service name
    pub const SERVICE_NAME: &str = "chancery.v1.SigningService";
    impl<T> tonic::server::NamedService for SigningServiceServer<T> {
        const NAME: &'static str = SERVICE_NAME;
    }
}
/// Asks for all keys.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListKeysRequest {}
/// All keys, by name.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListKeysResponse {
    /// The keys.
    #[prost(message, repeated, tag = "1")]
    pub keys: ::prost::alloc::vec::Vec<Key>,
    /// What the process that holds the keys gave up.
    #[prost(message, optional, tag = "2")]
    pub keeper_cell: ::core::option::Option<Cell>,
    /// What the process that answers gave up.
    #[prost(message, optional, tag = "3")]
    pub gateway_cell: ::core::option::Option<Cell>,
    /// Why nothing is signed just now; empty when requests are signed.
    #[prost(string, tag = "4")]
    pub not_signing: ::prost::alloc::string::String,
}
/// What a process of the key host gave up before it served, as it says itself.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Cell {
    /// The layers in force, by name: "seccomp", "landlock 7".
    #[prost(string, repeated, tag = "1")]
    pub layers: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Those that are missing, each with the reason.
    #[prost(string, repeated, tag = "2")]
    pub missing: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// Asks for one key.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetKeyRequest {
    /// Name of the key.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
}
/// The public half of a key, and what it was made for.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Key {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// Version; every signature names the version that made it.
    #[prost(uint32, tag = "2")]
    pub version: u32,
    /// Algorithm of the key: "ed25519".
    #[prost(string, tag = "3")]
    pub algorithm: ::prost::alloc::string::String,
    /// The public key: 32 bytes for Ed25519.
    #[prost(bytes = "bytes", tag = "4")]
    pub public_key: ::prost::bytes::Bytes,
    /// The constructions that the key was made for, for good.
    #[prost(string, repeated, tag = "5")]
    pub constructions: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// When it was made, in seconds since 1970-01-01T00:00:00Z.
    #[prost(uint64, tag = "6")]
    pub created: u64,
    /// Whether it can sign now.
    #[prost(enumeration = "KeyState", tag = "7")]
    pub state: i32,
    /// From when on it signs nothing, in seconds since 1970-01-01T00:00:00Z; absent when no such time is set.
    #[prost(uint64, optional, tag = "8")]
    pub retires: ::core::option::Option<u64>,
}
/// Whether a key can sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum KeyState {
    /// Not said.
    Unspecified = 0,
    /// It can sign.
    Open = 1,
    /// It is sealed.
    Locked = 2,
    /// It is in a token that does not answer, until the operator mends that.
    Unreachable = 3,
}
impl KeyState {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "KEY_STATE_UNSPECIFIED",
            Self::Open => "KEY_STATE_OPEN",
            Self::Locked => "KEY_STATE_LOCKED",
            Self::Unreachable => "KEY_STATE_UNREACHABLE",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "KEY_STATE_UNSPECIFIED" => Some(Self::Unspecified),
            "KEY_STATE_OPEN" => Some(Self::Open),
            "KEY_STATE_LOCKED" => Some(Self::Locked),
            "KEY_STATE_UNREACHABLE" => Some(Self::Unreachable),
            _ => None,
        }
    }
}
/// Generated client implementations.
pub mod key_service_client {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    use tonic::codegen::http::Uri;
    /// Lists keys. Secret halves never leave the key host and no call returns them.
    #[derive(Debug, Clone)]
    pub struct KeyServiceClient<T> {
        inner: tonic::client::Grpc<T>,
    }
    impl<T> KeyServiceClient<T>
    where
        T: tonic::client::GrpcService<tonic::body::Body>,
        T::Error: Into<StdError>,
        T::ResponseBody: Body<Data = Bytes> + std::marker::Send + 'static,
        <T::ResponseBody as Body>::Error: Into<StdError> + std::marker::Send,
    {
        pub fn new(inner: T) -> Self {
            let inner = tonic::client::Grpc::new(inner);
            Self { inner }
        }
        pub fn with_origin(inner: T, origin: Uri) -> Self {
            let inner = tonic::client::Grpc::with_origin(inner, origin);
            Self { inner }
        }
        pub fn with_interceptor<F>(
            inner: T,
            interceptor: F,
        ) -> KeyServiceClient<InterceptedService<T, F>>
        where
            F: tonic::service::Interceptor,
            T::ResponseBody: Default,
            T: tonic::codegen::Service<
                http::Request<tonic::body::Body>,
                Response = http::Response<
                    <T as tonic::client::GrpcService<tonic::body::Body>>::ResponseBody,
                >,
            >,
            <T as tonic::codegen::Service<
                http::Request<tonic::body::Body>,
            >>::Error: Into<StdError> + std::marker::Send + std::marker::Sync,
        {
            KeyServiceClient::new(InterceptedService::new(inner, interceptor))
        }
        /// Compress requests with the given encoding.
        ///
        /// This requires the server to support it otherwise it might respond with an
        /// error.
        #[must_use]
        pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.inner = self.inner.send_compressed(encoding);
            self
        }
        /// Enable decompressing responses.
        #[must_use]
        pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.inner = self.inner.accept_compressed(encoding);
            self
        }
        /// Limits the maximum size of a decoded message.
        ///
        /// Default: `4MB`
        #[must_use]
        pub fn max_decoding_message_size(mut self, limit: usize) -> Self {
            self.inner = self.inner.max_decoding_message_size(limit);
            self
        }
        /// Limits the maximum size of an encoded message.
        ///
        /// Default: `usize::MAX`
        #[must_use]
        pub fn max_encoding_message_size(mut self, limit: usize) -> Self {
            self.inner = self.inner.max_encoding_message_size(limit);
            self
        }
        /// Lists all keys.
        pub async fn list_keys(
            &mut self,
            request: impl tonic::IntoRequest<super::ListKeysRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ListKeysResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/chancery.v1.KeyService/ListKeys",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("chancery.v1.KeyService", "ListKeys"));
            self.inner.unary(req, path, codec).await
        }
        /// Describes one key.
        pub async fn get_key(
            &mut self,
            request: impl tonic::IntoRequest<super::GetKeyRequest>,
        ) -> std::result::Result<tonic::Response<super::Key>, tonic::Status> {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/chancery.v1.KeyService/GetKey",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("chancery.v1.KeyService", "GetKey"));
            self.inner.unary(req, path, codec).await
        }
    }
}
/// Generated server implementations.
pub mod key_service_server {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with KeyServiceServer.
    #[async_trait]
    pub trait KeyService: std::marker::Send + std::marker::Sync + 'static {
        /// Lists all keys.
        async fn list_keys(
            &self,
            request: tonic::Request<super::ListKeysRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ListKeysResponse>,
            tonic::Status,
        >;
        /// Describes one key.
        async fn get_key(
            &self,
            request: tonic::Request<super::GetKeyRequest>,
        ) -> std::result::Result<tonic::Response<super::Key>, tonic::Status>;
    }
    /// Lists keys. Secret halves never leave the key host and no call returns them.
    #[derive(Debug)]
    pub struct KeyServiceServer<T> {
        inner: Arc<T>,
        accept_compression_encodings: EnabledCompressionEncodings,
        send_compression_encodings: EnabledCompressionEncodings,
        max_decoding_message_size: Option<usize>,
        max_encoding_message_size: Option<usize>,
    }
    impl<T> KeyServiceServer<T> {
        pub fn new(inner: T) -> Self {
            Self::from_arc(Arc::new(inner))
        }
        pub fn from_arc(inner: Arc<T>) -> Self {
            Self {
                inner,
                accept_compression_encodings: Default::default(),
                send_compression_encodings: Default::default(),
                max_decoding_message_size: None,
                max_encoding_message_size: None,
            }
        }
        pub fn with_interceptor<F>(
            inner: T,
            interceptor: F,
        ) -> InterceptedService<Self, F>
        where
            F: tonic::service::Interceptor,
        {
            InterceptedService::new(Self::new(inner), interceptor)
        }
        /// Enable decompressing requests with the given encoding.
        #[must_use]
        pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.accept_compression_encodings.enable(encoding);
            self
        }
        /// Compress responses with the given encoding, if the client supports it.
        #[must_use]
        pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.send_compression_encodings.enable(encoding);
            self
        }
        /// Limits the maximum size of a decoded message.
        ///
        /// Default: `4MB`
        #[must_use]
        pub fn max_decoding_message_size(mut self, limit: usize) -> Self {
            self.max_decoding_message_size = Some(limit);
            self
        }
        /// Limits the maximum size of an encoded message.
        ///
        /// Default: `usize::MAX`
        #[must_use]
        pub fn max_encoding_message_size(mut self, limit: usize) -> Self {
            self.max_encoding_message_size = Some(limit);
            self
        }
    }
    impl<T, B> tonic::codegen::Service<http::Request<B>> for KeyServiceServer<T>
    where
        T: KeyService,
        B: Body + std::marker::Send + 'static,
        B::Error: Into<StdError> + std::marker::Send + 'static,
    {
        type Response = http::Response<tonic::body::Body>;
        type Error = std::convert::Infallible;
        type Future = BoxFuture<Self::Response, Self::Error>;
        fn poll_ready(
            &mut self,
            _cx: &mut Context<'_>,
        ) -> Poll<std::result::Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, req: http::Request<B>) -> Self::Future {
            match req.uri().path() {
                "/chancery.v1.KeyService/ListKeys" => {
                    #[allow(non_camel_case_types)]
                    struct ListKeysSvc<T: KeyService>(pub Arc<T>);
                    impl<
                        T: KeyService,
                    > tonic::server::UnaryService<super::ListKeysRequest>
                    for ListKeysSvc<T> {
                        type Response = super::ListKeysResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListKeysRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as KeyService>::list_keys(&inner, request).await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = ListKeysSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/chancery.v1.KeyService/GetKey" => {
                    #[allow(non_camel_case_types)]
                    struct GetKeySvc<T: KeyService>(pub Arc<T>);
                    impl<T: KeyService> tonic::server::UnaryService<super::GetKeyRequest>
                    for GetKeySvc<T> {
                        type Response = super::Key;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetKeyRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as KeyService>::get_key(&inner, request).await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = GetKeySvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                _ => {
                    Box::pin(async move {
                        let mut response = http::Response::new(
                            tonic::body::Body::default(),
                        );
                        let headers = response.headers_mut();
                        headers
                            .insert(
                                tonic::Status::GRPC_STATUS,
                                (tonic::Code::Unimplemented as i32).into(),
                            );
                        headers
                            .insert(
                                http::header::CONTENT_TYPE,
                                tonic::metadata::GRPC_CONTENT_TYPE,
                            );
                        Ok(response)
                    })
                }
            }
        }
    }
    impl<T> Clone for KeyServiceServer<T> {
        fn clone(&self) -> Self {
            let inner = self.inner.clone();
            Self {
                inner,
                accept_compression_encodings: self.accept_compression_encodings,
                send_compression_encodings: self.send_compression_encodings,
                max_decoding_message_size: self.max_decoding_message_size,
                max_encoding_message_size: self.max_encoding_message_size,
            }
        }
    }
    /// Generated gRPC service name
    pub const SERVICE_NAME: &str = "chancery.v1.KeyService";
    impl<T> tonic::server::NamedService for KeyServiceServer<T> {
        const NAME: &'static str = SERVICE_NAME;
    }
}
/// Asks for the newest checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetCheckpointRequest {}
/// A signed checkpoint.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetCheckpointResponse {
    /// A signed note, as in C2SP tlog-checkpoint.
    #[prost(string, tag = "1")]
    pub checkpoint: ::prost::alloc::string::String,
}
/// Asks for a consistency proof.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetConsistencyProofRequest {
    /// Size of the older tree, in entries.
    #[prost(uint64, tag = "1")]
    pub old_size: u64,
    /// Size of the newer tree, in entries; 0 for the newest checkpoint, which is then part of the answer.
    #[prost(uint64, tag = "2")]
    pub new_size: u64,
}
/// A consistency proof.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetConsistencyProofResponse {
    /// RFC 6962 section 2.1.2: hashes of 32 bytes, in order.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub hashes: ::prost::alloc::vec::Vec<::prost::bytes::Bytes>,
    /// The signed checkpoint of the newer tree, when the newest was asked for.
    #[prost(string, tag = "2")]
    pub checkpoint: ::prost::alloc::string::String,
}
/// Asks for a static file of the log.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetTileRequest {
    /// Its path below the log's prefix, as in C2SP tlog-tiles: "tile/0/000", "tile/entries/x001/234.p/7".
    #[prost(string, tag = "1")]
    pub path: ::prost::alloc::string::String,
}
/// A static file of the log.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetTileResponse {
    /// Its bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub data: ::prost::bytes::Bytes,
}
/// Asks for entries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListEntriesRequest {
    /// Index of the first entry.
    #[prost(uint64, tag = "1")]
    pub start: u64,
    /// How many at most, up to 1,024. The answer may hold fewer.
    #[prost(uint32, tag = "2")]
    pub count: u32,
}
/// Entries.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListEntriesResponse {
    /// Index of the first.
    #[prost(uint64, tag = "1")]
    pub start: u64,
    /// The entries' bytes, as hashed into the tree.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub entries: ::prost::alloc::vec::Vec<::prost::bytes::Bytes>,
}
/// Asks for what is to be posted to a witness.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetWitnessRequestRequest {
    /// The witness, by its verification key.
    #[prost(string, tag = "1")]
    pub witness: ::prost::alloc::string::String,
}
/// What is to be posted to a witness.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetWitnessRequestResponse {
    /// The body of add-checkpoint; empty when the witness has cosigned the newest checkpoint.
    #[prost(bytes = "bytes", tag = "1")]
    pub body: ::prost::bytes::Bytes,
}
/// What a witness answered, as it came.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct PutWitnessAnswerRequest {
    /// The witness, by its verification key.
    #[prost(string, tag = "1")]
    pub witness: ::prost::alloc::string::String,
    /// The HTTP status.
    #[prost(uint32, tag = "2")]
    pub status: u32,
    /// The Content-Type; empty when there was none.
    #[prost(string, tag = "3")]
    pub content_type: ::prost::alloc::string::String,
    /// The body, at most 16 KiB.
    #[prost(bytes = "bytes", tag = "4")]
    pub body: ::prost::bytes::Bytes,
}
/// What became of the answer; the key host's own log says more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct PutWitnessAnswerResponse {
    /// The witness knows another size than it was said to: asking again at once is worth it.
    #[prost(bool, tag = "1")]
    pub again: bool,
}
/// Generated client implementations.
pub mod request_log_service_client {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    use tonic::codegen::http::Uri;
    /// Reads the request log. Needs a client certificate and nothing else: entries are safe to publish.
    #[derive(Debug, Clone)]
    pub struct RequestLogServiceClient<T> {
        inner: tonic::client::Grpc<T>,
    }
    impl<T> RequestLogServiceClient<T>
    where
        T: tonic::client::GrpcService<tonic::body::Body>,
        T::Error: Into<StdError>,
        T::ResponseBody: Body<Data = Bytes> + std::marker::Send + 'static,
        <T::ResponseBody as Body>::Error: Into<StdError> + std::marker::Send,
    {
        pub fn new(inner: T) -> Self {
            let inner = tonic::client::Grpc::new(inner);
            Self { inner }
        }
        pub fn with_origin(inner: T, origin: Uri) -> Self {
            let inner = tonic::client::Grpc::with_origin(inner, origin);
            Self { inner }
        }
        pub fn with_interceptor<F>(
            inner: T,
            interceptor: F,
        ) -> RequestLogServiceClient<InterceptedService<T, F>>
        where
            F: tonic::service::Interceptor,
            T::ResponseBody: Default,
            T: tonic::codegen::Service<
                http::Request<tonic::body::Body>,
                Response = http::Response<
                    <T as tonic::client::GrpcService<tonic::body::Body>>::ResponseBody,
                >,
            >,
            <T as tonic::codegen::Service<
                http::Request<tonic::body::Body>,
            >>::Error: Into<StdError> + std::marker::Send + std::marker::Sync,
        {
            RequestLogServiceClient::new(InterceptedService::new(inner, interceptor))
        }
        /// Compress requests with the given encoding.
        ///
        /// This requires the server to support it otherwise it might respond with an
        /// error.
        #[must_use]
        pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.inner = self.inner.send_compressed(encoding);
            self
        }
        /// Enable decompressing responses.
        #[must_use]
        pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.inner = self.inner.accept_compressed(encoding);
            self
        }
        /// Limits the maximum size of a decoded message.
        ///
        /// Default: `4MB`
        #[must_use]
        pub fn max_decoding_message_size(mut self, limit: usize) -> Self {
            self.inner = self.inner.max_decoding_message_size(limit);
            self
        }
        /// Limits the maximum size of an encoded message.
        ///
        /// Default: `usize::MAX`
        #[must_use]
        pub fn max_encoding_message_size(mut self, limit: usize) -> Self {
            self.inner = self.inner.max_encoding_message_size(limit);
            self
        }
        /// The newest signed checkpoint.
        pub async fn get_checkpoint(
            &mut self,
            request: impl tonic::IntoRequest<super::GetCheckpointRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetCheckpointResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/chancery.v1.RequestLogService/GetCheckpoint",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new("chancery.v1.RequestLogService", "GetCheckpoint"),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Proves that a newer tree extends an older one.
        pub async fn get_consistency_proof(
            &mut self,
            request: impl tonic::IntoRequest<super::GetConsistencyProofRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetConsistencyProofResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/chancery.v1.RequestLogService/GetConsistencyProof",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "chancery.v1.RequestLogService",
                        "GetConsistencyProof",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// A published tile or entry bundle.
        pub async fn get_tile(
            &mut self,
            request: impl tonic::IntoRequest<super::GetTileRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetTileResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/chancery.v1.RequestLogService/GetTile",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("chancery.v1.RequestLogService", "GetTile"));
            self.inner.unary(req, path, codec).await
        }
        /// Entries by index.
        pub async fn list_entries(
            &mut self,
            request: impl tonic::IntoRequest<super::ListEntriesRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ListEntriesResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/chancery.v1.RequestLogService/ListEntries",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("chancery.v1.RequestLogService", "ListEntries"));
            self.inner.unary(req, path, codec).await
        }
        /// What is to be posted to a witness (C2SP tlog-witness, add-checkpoint), for a key host that does not reach it itself.
        pub async fn get_witness_request(
            &mut self,
            request: impl tonic::IntoRequest<super::GetWitnessRequestRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetWitnessRequestResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/chancery.v1.RequestLogService/GetWitnessRequest",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new("chancery.v1.RequestLogService", "GetWitnessRequest"),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Brings what the witness answered. It counts only if the witness signed it.
        pub async fn put_witness_answer(
            &mut self,
            request: impl tonic::IntoRequest<super::PutWitnessAnswerRequest>,
        ) -> std::result::Result<
            tonic::Response<super::PutWitnessAnswerResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/chancery.v1.RequestLogService/PutWitnessAnswer",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new("chancery.v1.RequestLogService", "PutWitnessAnswer"),
                );
            self.inner.unary(req, path, codec).await
        }
    }
}
/// Generated server implementations.
pub mod request_log_service_server {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with RequestLogServiceServer.
    #[async_trait]
    pub trait RequestLogService: std::marker::Send + std::marker::Sync + 'static {
        /// The newest signed checkpoint.
        async fn get_checkpoint(
            &self,
            request: tonic::Request<super::GetCheckpointRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetCheckpointResponse>,
            tonic::Status,
        >;
        /// Proves that a newer tree extends an older one.
        async fn get_consistency_proof(
            &self,
            request: tonic::Request<super::GetConsistencyProofRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetConsistencyProofResponse>,
            tonic::Status,
        >;
        /// A published tile or entry bundle.
        async fn get_tile(
            &self,
            request: tonic::Request<super::GetTileRequest>,
        ) -> std::result::Result<tonic::Response<super::GetTileResponse>, tonic::Status>;
        /// Entries by index.
        async fn list_entries(
            &self,
            request: tonic::Request<super::ListEntriesRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ListEntriesResponse>,
            tonic::Status,
        >;
        /// What is to be posted to a witness (C2SP tlog-witness, add-checkpoint), for a key host that does not reach it itself.
        async fn get_witness_request(
            &self,
            request: tonic::Request<super::GetWitnessRequestRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetWitnessRequestResponse>,
            tonic::Status,
        >;
        /// Brings what the witness answered. It counts only if the witness signed it.
        async fn put_witness_answer(
            &self,
            request: tonic::Request<super::PutWitnessAnswerRequest>,
        ) -> std::result::Result<
            tonic::Response<super::PutWitnessAnswerResponse>,
            tonic::Status,
        >;
    }
    /// Reads the request log. Needs a client certificate and nothing else: entries are safe to publish.
    #[derive(Debug)]
    pub struct RequestLogServiceServer<T> {
        inner: Arc<T>,
        accept_compression_encodings: EnabledCompressionEncodings,
        send_compression_encodings: EnabledCompressionEncodings,
        max_decoding_message_size: Option<usize>,
        max_encoding_message_size: Option<usize>,
    }
    impl<T> RequestLogServiceServer<T> {
        pub fn new(inner: T) -> Self {
            Self::from_arc(Arc::new(inner))
        }
        pub fn from_arc(inner: Arc<T>) -> Self {
            Self {
                inner,
                accept_compression_encodings: Default::default(),
                send_compression_encodings: Default::default(),
                max_decoding_message_size: None,
                max_encoding_message_size: None,
            }
        }
        pub fn with_interceptor<F>(
            inner: T,
            interceptor: F,
        ) -> InterceptedService<Self, F>
        where
            F: tonic::service::Interceptor,
        {
            InterceptedService::new(Self::new(inner), interceptor)
        }
        /// Enable decompressing requests with the given encoding.
        #[must_use]
        pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.accept_compression_encodings.enable(encoding);
            self
        }
        /// Compress responses with the given encoding, if the client supports it.
        #[must_use]
        pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.send_compression_encodings.enable(encoding);
            self
        }
        /// Limits the maximum size of a decoded message.
        ///
        /// Default: `4MB`
        #[must_use]
        pub fn max_decoding_message_size(mut self, limit: usize) -> Self {
            self.max_decoding_message_size = Some(limit);
            self
        }
        /// Limits the maximum size of an encoded message.
        ///
        /// Default: `usize::MAX`
        #[must_use]
        pub fn max_encoding_message_size(mut self, limit: usize) -> Self {
            self.max_encoding_message_size = Some(limit);
            self
        }
    }
    impl<T, B> tonic::codegen::Service<http::Request<B>> for RequestLogServiceServer<T>
    where
        T: RequestLogService,
        B: Body + std::marker::Send + 'static,
        B::Error: Into<StdError> + std::marker::Send + 'static,
    {
        type Response = http::Response<tonic::body::Body>;
        type Error = std::convert::Infallible;
        type Future = BoxFuture<Self::Response, Self::Error>;
        fn poll_ready(
            &mut self,
            _cx: &mut Context<'_>,
        ) -> Poll<std::result::Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, req: http::Request<B>) -> Self::Future {
            match req.uri().path() {
                "/chancery.v1.RequestLogService/GetCheckpoint" => {
                    #[allow(non_camel_case_types)]
                    struct GetCheckpointSvc<T: RequestLogService>(pub Arc<T>);
                    impl<
                        T: RequestLogService,
                    > tonic::server::UnaryService<super::GetCheckpointRequest>
                    for GetCheckpointSvc<T> {
                        type Response = super::GetCheckpointResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetCheckpointRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as RequestLogService>::get_checkpoint(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = GetCheckpointSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/chancery.v1.RequestLogService/GetConsistencyProof" => {
                    #[allow(non_camel_case_types)]
                    struct GetConsistencyProofSvc<T: RequestLogService>(pub Arc<T>);
                    impl<
                        T: RequestLogService,
                    > tonic::server::UnaryService<super::GetConsistencyProofRequest>
                    for GetConsistencyProofSvc<T> {
                        type Response = super::GetConsistencyProofResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetConsistencyProofRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as RequestLogService>::get_consistency_proof(
                                        &inner,
                                        request,
                                    )
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = GetConsistencyProofSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/chancery.v1.RequestLogService/GetTile" => {
                    #[allow(non_camel_case_types)]
                    struct GetTileSvc<T: RequestLogService>(pub Arc<T>);
                    impl<
                        T: RequestLogService,
                    > tonic::server::UnaryService<super::GetTileRequest>
                    for GetTileSvc<T> {
                        type Response = super::GetTileResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetTileRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as RequestLogService>::get_tile(&inner, request).await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = GetTileSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/chancery.v1.RequestLogService/ListEntries" => {
                    #[allow(non_camel_case_types)]
                    struct ListEntriesSvc<T: RequestLogService>(pub Arc<T>);
                    impl<
                        T: RequestLogService,
                    > tonic::server::UnaryService<super::ListEntriesRequest>
                    for ListEntriesSvc<T> {
                        type Response = super::ListEntriesResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListEntriesRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as RequestLogService>::list_entries(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = ListEntriesSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/chancery.v1.RequestLogService/GetWitnessRequest" => {
                    #[allow(non_camel_case_types)]
                    struct GetWitnessRequestSvc<T: RequestLogService>(pub Arc<T>);
                    impl<
                        T: RequestLogService,
                    > tonic::server::UnaryService<super::GetWitnessRequestRequest>
                    for GetWitnessRequestSvc<T> {
                        type Response = super::GetWitnessRequestResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetWitnessRequestRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as RequestLogService>::get_witness_request(
                                        &inner,
                                        request,
                                    )
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = GetWitnessRequestSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/chancery.v1.RequestLogService/PutWitnessAnswer" => {
                    #[allow(non_camel_case_types)]
                    struct PutWitnessAnswerSvc<T: RequestLogService>(pub Arc<T>);
                    impl<
                        T: RequestLogService,
                    > tonic::server::UnaryService<super::PutWitnessAnswerRequest>
                    for PutWitnessAnswerSvc<T> {
                        type Response = super::PutWitnessAnswerResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::PutWitnessAnswerRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as RequestLogService>::put_witness_answer(
                                        &inner,
                                        request,
                                    )
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = PutWitnessAnswerSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                _ => {
                    Box::pin(async move {
                        let mut response = http::Response::new(
                            tonic::body::Body::default(),
                        );
                        let headers = response.headers_mut();
                        headers
                            .insert(
                                tonic::Status::GRPC_STATUS,
                                (tonic::Code::Unimplemented as i32).into(),
                            );
                        headers
                            .insert(
                                http::header::CONTENT_TYPE,
                                tonic::metadata::GRPC_CONTENT_TYPE,
                            );
                        Ok(response)
                    })
                }
            }
        }
    }
    impl<T> Clone for RequestLogServiceServer<T> {
        fn clone(&self) -> Self {
            let inner = self.inner.clone();
            Self {
                inner,
                accept_compression_encodings: self.accept_compression_encodings,
                send_compression_encodings: self.send_compression_encodings,
                max_decoding_message_size: self.max_decoding_message_size,
                max_encoding_message_size: self.max_encoding_message_size,
            }
        }
    }
    /// Generated gRPC service name
    pub const SERVICE_NAME: &str = "chancery.v1.RequestLogService";
    impl<T> tonic::server::NamedService for RequestLogServiceServer<T> {
        const NAME: &'static str = SERVICE_NAME;
    }
}
/// A file of requests, signed by who asks.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct OfflineRequest {
    /// An OfflineRequestBody, as it was signed.
    #[prost(bytes = "bytes", tag = "1")]
    pub body: ::prost::bytes::Bytes,
    /// The client's certificate, DER, and those between it and its CA.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub certificates: ::prost::alloc::vec::Vec<::prost::bytes::Bytes>,
    /// How it is signed: a SignatureScheme of TLS 1.3 (RFC 8446 section 4.2.3).
    #[prost(uint32, tag = "3")]
    pub scheme: u32,
    /// By the key of the first certificate, over "chancery offline request v1\n" and the body.
    #[prost(bytes = "bytes", tag = "4")]
    pub signature: ::prost::bytes::Bytes,
}
/// What is asked for.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct OfflineRequestBody {
    /// The verification key of the log that it is meant for: another key host does not answer it.
    #[prost(string, tag = "1")]
    pub log: ::prost::alloc::string::String,
    /// When it was made, in seconds since 1970.
    #[prost(uint64, tag = "2")]
    pub made: u64,
    /// How many entries the log had when the client last saw it; 0 when it never did.
    #[prost(uint64, tag = "3")]
    pub known_size: u64,
    /// The requests, with all of their content.
    #[prost(message, repeated, tag = "4")]
    pub requests: ::prost::alloc::vec::Vec<SignBatchRequest>,
}
/// A file of answers. What counts in it is signed: the signatures themselves, and the checkpoints in their receipts.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct OfflineAnswer {
    /// One for each request.
    #[prost(message, repeated, tag = "1")]
    pub replies: ::prost::alloc::vec::Vec<OfflineReply>,
    /// The newest signed checkpoint of the log, after all of them.
    #[prost(string, tag = "2")]
    pub checkpoint: ::prost::alloc::string::String,
    /// Proof that it extends the log with known_size entries (RFC 6962 section 2.1.2).
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub proof: ::prost::alloc::vec::Vec<::prost::bytes::Bytes>,
}
/// What became of one request.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct OfflineReply {
    /// The outcome, under the number of the request.
    #[prost(message, optional, tag = "1")]
    pub response: ::core::option::Option<SignBatchResponse>,
    /// How many entries the log had with the entry of this request, says its receipt.
    #[prost(uint64, tag = "2")]
    pub size: u64,
    /// Proof that the newest log extends that one.
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub proof: ::prost::alloc::vec::Vec<::prost::bytes::Bytes>,
}
