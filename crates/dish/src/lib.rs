//! The local API of a terminal, as existing tools know it from real dishes: what it says of itself over time, and how it is
//! asked.
//!
//! [`Dish`] is the state of one terminal: the network's schedule, the fates of its own pings and its byte counters go in;
//! status, history, outages and sky map come out as answers to requests. [`serve_grpc`] and [`serve_grpc_web`] answer over
//! any stream of bytes, schema included. Knows no socket, no clock and nothing of the network behind; docs/dish-api.md says
//! where each field comes from.
#![forbid(unsafe_code)]

mod answers;
mod dish;
mod history;
mod http;
mod outage;
mod reflection;
mod rpc;
mod sky_map;

pub use dish::{Disablement, Dish, Identity, Look, Permissions, Ping, Schedule, Service};
pub use history::SAMPLES;
pub use http::{
    CallTimer, GrpcService, MAX_REQUEST_BYTES, Reply, Served, serve_grpc, serve_grpc_web,
};
pub use outage::Cause;
pub use reflection::FileNames;
pub use rpc::{Code, Device, Status, answer_bytes};

/// The messages of the interface, generated from `proto/`.
#[allow(missing_docs, unreachable_pub, clippy::all, rustdoc::all)]
pub mod schema {
    include!(concat!(env!("OUT_DIR"), "/schema.rs"));
    pub use space_x::api::device;
}

/// Revision of the interface that this schema is; each answer carries it.
pub const API_VERSION: u64 = 42;
