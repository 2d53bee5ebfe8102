//! HTTP Message Signatures (RFC 9421) with `hmac-sha256`, and `Content-Digest` (RFC 9530).
