//! skyweave orbit.
