//! Network namespaces that live as long as this process.

/// A terminal's namespace, held open: enough to enter it and to measure from it.
#[derive(Debug)]
pub struct NamespaceHandle {}

impl NamespaceHandle {
    /// The network's clock.
    pub fn clock(&self) -> super::Clock {
        todo!()
    }

    /// Addresses that can be talked to from inside.
    pub fn addresses(&self) -> super::Addresses {
        todo!()
    }
}
