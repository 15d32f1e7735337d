//! resolver.
