//! The program: command line, files, devices and the only clock. What a plan is, what a packet waits for and what a scenario
//! means is decided in the core crates; here it is asked for and shown.

pub mod access;
pub mod api;
pub mod cli;
mod commands;
pub mod dish;
pub mod live;
pub mod metrics;
pub mod operator;
mod random;
