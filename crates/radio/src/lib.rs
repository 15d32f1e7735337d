//! skyweave radio.
