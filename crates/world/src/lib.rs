//! skyweave world.
