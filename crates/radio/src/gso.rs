//! The angle to the GSO arc.
