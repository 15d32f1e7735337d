//! Calls without their transport: which method a path names, and the answer to one message of it.

use crate::reflection::{self, FileNames};
use crate::schema::{device, space_x};
use bytes::Bytes;
use prost::Message;

/// Status codes of gRPC that a terminal uses (grpc/doc/statuscodes.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// The request cannot be read, or asks for what is out of range.
    InvalidArgument = 3,
    /// The client took too long.
    DeadlineExceeded = 4,
    /// There is no such device, symbol or file.
    NotFound = 5,
    /// Not for everybody.
    PermissionDenied = 7,
    /// The request is too large.
    ResourceExhausted = 8,
    /// Not in this state.
    FailedPrecondition = 9,
    /// This device does not do that.
    Unimplemented = 12,
    /// Not now.
    Unavailable = 14,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What clients act on.
    pub code: Code,
    /// What people read.
    pub message: String,
}

impl Status {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// Who answers: usually [`crate::Dish::answer`] at the present time, under a lock that is not held while the answer is
/// encoded.
pub trait Device: Send + Sync {
    /// The answer to a request, or the refusal.
    fn answer(&self, request: device::Request) -> Result<device::Response, Status>;
}

/// The methods that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Handle,
    Stream,
    Reflection,
}

impl Method {
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path {
            "/SpaceX.API.Device.Device/Handle" => Some(Self::Handle),
            "/SpaceX.API.Device.Device/Stream" => Some(Self::Stream),
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
            | "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => {
                Some(Self::Reflection)
            }
            _ => None,
        }
    }

    /// Whether a call is one request and one answer.
    pub(crate) fn is_unary(self) -> bool {
        self == Self::Handle
    }

    /// The answer to one message of a call.
    pub(crate) fn answer(
        self,
        device: &dyn Device,
        names: FileNames,
        message: &[u8],
    ) -> Result<Bytes, Status> {
        let answer = match self {
            Self::Handle => device.answer(decode(message)?)?.encode_to_vec(),
            Self::Stream => on_stream(device, decode(message)?).encode_to_vec(),
            Self::Reflection => reflection::answer(names, decode(message)?).encode_to_vec(),
        };
        Ok(answer.into())
    }
}

/// The answer to the bytes of one message of the method at a path, as a transport of one's own would call it.
pub fn answer_bytes(
    device: &dyn Device,
    names: FileNames,
    path: &str,
    message: &[u8],
) -> Result<Bytes, Status> {
    Method::of(path)
        .ok_or_else(|| unknown_method(path))?
        .answer(device, names, message)
}

pub(crate) fn unknown_method(path: &str) -> Status {
    Status::new(Code::Unimplemented, format!("unknown method {path}"))
}

fn decode<M: Message + Default>(message: &[u8]) -> Result<M, Status> {
    M::decode(message).map_err(|e| Status::new(Code::InvalidArgument, e.to_string()))
}

/// A refusal on the stream is an answer that says so: the stream goes on.
fn on_stream(device: &dyn Device, asked: device::ToDevice) -> device::FromDevice {
    use device::{from_device, to_device};
    let message = match asked.message {
        Some(to_device::Message::HealthCheck(check)) => from_device::Message::HealthCheck(check),
        Some(to_device::Message::Request(request)) => {
            let id = request.id;
            from_device::Message::Response(
                device
                    .answer(request)
                    .unwrap_or_else(|status| refusal(id, status)),
            )
        }
        None => from_device::Message::Response(refusal(
            0,
            Status::new(Code::Unimplemented, "Unimplemented"),
        )),
    };
    device::FromDevice {
        message: Some(message),
    }
}

fn refusal(id: u64, status: Status) -> device::Response {
    device::Response {
        id,
        status: Some(space_x::api::status::Status {
            code: status.code as i32,
            message: status.message,
        }),
        api_version: crate::API_VERSION,
        response: None,
    }
}
