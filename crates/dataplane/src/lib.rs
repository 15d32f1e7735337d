//! skyweave dataplane.
