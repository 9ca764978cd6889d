//! Wire types of Chancery's gRPC services: the .proto files and the code generated from them.
