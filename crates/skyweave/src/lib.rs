//! skyweave.
