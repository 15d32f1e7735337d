//! skyweave plan.
