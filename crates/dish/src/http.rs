//! gRPC (HTTP/2) and gRPC-Web (HTTP/1.1) over any stream of bytes.
//!
//! An answer is made when the client is ready to take it, so that of a call no more than one request and one answer are in
//! memory, however slowly the other side reads. Sources: grpc/doc/PROTOCOL-HTTP2.md and PROTOCOL-WEB.md.

use crate::reflection::FileNames;
use crate::rpc::{Code, Device, Method, Status, unknown_method};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::rt::bounds::Http2ServerConnExec;
use hyper::rt::{Read, Sleep, Timer, Write};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Longest request message. Real ones are some tens of bytes.
pub const MAX_REQUEST_BYTES: usize = 16 << 10;

/// A single request must have come whole within this time, the headers of one as well.
const PATIENCE: Duration = Duration::from_secs(10);
/// A client of which nothing is heard is asked after this time whether it is there.
const ASK_AFTER: Duration = Duration::from_secs(30);
/// Calls at a time on one connection.
const MAX_CALLS: u32 = 32;
/// Bytes of headers of one request.
const MAX_HEADER_BYTES: u32 = 8 << 10;

/// Tells when time is up.
pub type CallTimer = Arc<dyn Timer + Send + Sync>;

/// Serves calls to a device; one value for each connection.
pub struct GrpcService {
    /// Who answers.
    pub device: Arc<dyn Device>,
    /// How reflection names the schema's files.
    pub names: FileNames,
    /// For the time that a request may take.
    pub timer: CallTimer,
    web: bool,
}

/// The answer to one HTTP request.
pub type Served = Ready<Result<Response<Reply>, Infallible>>;

/// Serves gRPC on a connection until it ends. `executor` runs its calls.
pub async fn serve_grpc<I, E>(
    stream: I,
    device: Arc<dyn Device>,
    names: FileNames,
    timer: impl Timer + Clone + Send + Sync + 'static,
    executor: E,
) -> Result<(), hyper::Error>
where
    I: Read + Write + Unpin,
    E: Http2ServerConnExec<Served, Reply>,
{
    let service = GrpcService {
        device,
        names,
        timer: Arc::new(timer.clone()),
        web: false,
    };
    hyper::server::conn::http2::Builder::new(executor)
        .timer(timer)
        .keep_alive_interval(ASK_AFTER)
        .max_concurrent_streams(MAX_CALLS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_send_buf_size(128 << 10)
        .initial_stream_window_size(MAX_REQUEST_BYTES as u32 * 2)
        .initial_connection_window_size(MAX_REQUEST_BYTES as u32 * 4)
        .serve_connection(stream, service)
        .await
}

/// Serves gRPC-Web on a connection until it ends.
pub async fn serve_grpc_web<I>(
    stream: I,
    device: Arc<dyn Device>,
    names: FileNames,
    timer: impl Timer + Clone + Send + Sync + 'static,
) -> Result<(), hyper::Error>
where
    I: Read + Write + Unpin,
{
    let service = GrpcService {
        device,
        names,
        timer: Arc::new(timer.clone()),
        web: true,
    };
    hyper::server::conn::http1::Builder::new()
        .timer(timer)
        .header_read_timeout(PATIENCE)
        .max_buf_size(MAX_HEADER_BYTES as usize * 2)
        .serve_connection(stream, service)
        .await
}

/// How messages are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Grpc,
    Web,
    /// The same in base64.
    WebText,
}

impl Form {
    fn of(content_type: &str, web: bool) -> Option<Self> {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        match (kind, web) {
            ("application/grpc" | "application/grpc+proto", false) => Some(Self::Grpc),
            ("application/grpc-web" | "application/grpc-web+proto", true) => Some(Self::Web),
            ("application/grpc-web-text" | "application/grpc-web-text+proto", true) => {
                Some(Self::WebText)
            }
            _ => None,
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Grpc => "application/grpc",
            Self::Web => "application/grpc-web+proto",
            Self::WebText => "application/grpc-web-text+proto",
        }
    }
}

impl hyper::service::Service<Request<Incoming>> for GrpcService {
    type Response = Response<Reply>;
    type Error = Infallible;
    type Future = Served;

    fn call(&self, request: Request<Incoming>) -> Served {
        let mut response = self.begin(request);
        if self.web {
            allow_browsers(response.headers_mut());
        }
        ready(Ok(response))
    }
}

impl GrpcService {
    fn begin(&self, request: Request<Incoming>) -> Response<Reply> {
        if self.web && request.method() == http::Method::OPTIONS {
            return plain(StatusCode::NO_CONTENT);
        }
        if request.method() != http::Method::POST {
            return plain(StatusCode::METHOD_NOT_ALLOWED);
        }
        let content_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok());
        let Some(form) = content_type.and_then(|text| Form::of(text, self.web)) else {
            return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        };
        let method = Method::of(request.uri().path());
        let refused = match method {
            Some(_) => None,
            None => Some(unknown_method(request.uri().path())),
        };
        let deadline = method
            .is_none_or(Method::is_unary)
            .then(|| self.timer.sleep(PATIENCE));
        let exchange = Exchange {
            incoming: request.into_body(),
            form,
            method: method.unwrap_or(Method::Handle),
            device: Arc::clone(&self.device),
            names: self.names,
            deadline,
            raw: BytesMut::new(),
            buffer: BytesMut::new(),
            waiting: None,
            state: refused.map_or(State::Asking, State::Ending),
        };
        let mut response = Response::new(Reply(Some(Box::new(exchange))));
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(form.content_type()),
        );
        headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity"));
        response
    }
}

fn plain(status: StatusCode) -> Response<Reply> {
    let mut response = Response::new(Reply(None));
    *response.status_mut() = status;
    response
}

/// The vendor's app and page use this side from a browser, whatever page they come from.
fn allow_browsers(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, OPTIONS"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "content-type, x-grpc-web, x-user-agent, grpc-timeout",
        ),
        (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "grpc-status, grpc-message",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// The body of an answer.
pub struct Reply(Option<Box<Exchange>>);

/// A call under way.
struct Exchange {
    incoming: Incoming,
    form: Form,
    method: Method,
    device: Arc<dyn Device>,
    names: FileNames,
    /// A single request must have come by then; a stream may be silent for hours.
    deadline: Option<Pin<Box<dyn Sleep>>>,
    /// Base64 that is not decoded yet.
    raw: BytesMut,
    /// What has come of messages.
    buffer: BytesMut,
    /// The one message of a unary call, until the client has said that there is no other.
    waiting: Option<Bytes>,
    state: State,
}

enum State {
    /// More may be asked.
    Asking,
    /// All is asked.
    Asked,
    /// Told so far as it goes; this is why it ends.
    Ending(Status),
    /// All is told, and it went well.
    Well,
    Over,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.get_mut().0 {
            Some(exchange) => exchange.poll(context).map(|frame| frame.map(Ok)),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|exchange| matches!(exchange.state, State::Over))
    }
}

impl Exchange {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Poll::Ready(None),
                State::Well => return Poll::Ready(Some(self.trailers(None))),
                State::Ending(status) => return Poll::Ready(Some(self.trailers(Some(&status)))),
                asking @ (State::Asking | State::Asked) => {
                    let all_asked = matches!(asking, State::Asked);
                    self.state = asking;
                    match self.next_message(all_asked) {
                        Ok(Some(message)) => {
                            match self.method.answer(&*self.device, self.names, &message) {
                                Ok(answer) => return Poll::Ready(Some(self.data(&answer))),
                                Err(status) => self.state = State::Ending(status),
                            }
                        }
                        Ok(None) if all_asked => self.state = State::Well,
                        Ok(None) => ready!(self.receive(context)),
                        Err(status) => self.state = State::Ending(status),
                    }
                }
            }
        }
    }

    /// The next message to answer; `None` if more must come first, or nothing more will.
    fn next_message(&mut self, all_asked: bool) -> Result<Option<Bytes>, Status> {
        let message = split_message(&mut self.buffer)?;
        if all_asked && message.is_none() && !self.buffer.is_empty() {
            return Err(Status::new(
                Code::InvalidArgument,
                "the last message is not whole",
            ));
        }
        if !self.method.is_unary() {
            return Ok(message);
        }
        if let Some(message) = message {
            if self.waiting.replace(message).is_some() {
                return Err(Status::new(
                    Code::Unimplemented,
                    "one request is one message",
                ));
            }
            return self.next_message(all_asked);
        }
        if !all_asked {
            return Ok(None);
        }
        match (self.waiting.take(), self.deadline.take()) {
            (Some(message), _) => Ok(Some(message)),
            // The deadline goes with the message that was answered.
            (None, None) => Ok(None),
            (None, Some(_)) => Err(Status::new(Code::InvalidArgument, "no request came")),
        }
    }

    /// Takes what has come; ready once something has changed.
    fn receive(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            self.state = State::Ending(Status::new(
                Code::DeadlineExceeded,
                "the request took too long to come",
            ));
            return Poll::Ready(());
        }
        match ready!(Pin::new(&mut self.incoming).poll_frame(context)) {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref()
                    && let Err(status) = self.take(data)
                {
                    self.state = State::Ending(status);
                }
            }
            Some(Err(_)) => self.state = State::Over,
            None => self.state = State::Asked,
        }
        Poll::Ready(())
    }

    fn take(&mut self, data: &[u8]) -> Result<(), Status> {
        if self.form == Form::WebText {
            self.raw.extend_from_slice(data);
            let whole = self.raw.len() / 4 * 4;
            base64_decode(&self.raw.split_to(whole), &mut self.buffer)
        } else {
            self.buffer.extend_from_slice(data);
            Ok(())
        }
    }

    fn data(&self, message: &[u8]) -> Frame<Bytes> {
        self.wrap(frame(0, message))
    }

    fn wrap(&self, bytes: Bytes) -> Frame<Bytes> {
        Frame::data(if self.form == Form::WebText {
            base64_encode(&bytes)
        } else {
            bytes
        })
    }

    fn trailers(&self, refused: Option<&Status>) -> Frame<Bytes> {
        let (code, message) = refused.map_or((0, ""), |status| {
            (status.code as u8, status.message.as_str())
        });
        let message = percent_encode(message);
        if self.form == Form::Grpc {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from(u16::from(code)));
            if let (false, Ok(text)) = (message.is_empty(), HeaderValue::from_str(&message)) {
                trailers.insert(HeaderName::from_static("grpc-message"), text);
            }
            return Frame::trailers(trailers);
        }
        let text = format!("grpc-status:{code}\r\ngrpc-message:{message}\r\n");
        self.wrap(frame(TRAILERS, text.as_bytes()))
    }
}

/// Marks the frame of a gRPC-Web answer that holds its trailers.
const TRAILERS: u8 = 0x80;
/// A flag and a length before each message.
const PREFIX: usize = 5;

fn frame(flag: u8, message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(flag);
    framed.put_u32(message.len() as u32);
    framed.put_slice(message);
    framed.freeze()
}

/// Takes a whole message off the buffer.
fn split_message(buffer: &mut BytesMut) -> Result<Option<Bytes>, Status> {
    let Some(&[flag, a, b, c, d]) = buffer.first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    if flag != 0 {
        return Err(Status::new(
            Code::Unimplemented,
            "compressed messages are not read",
        ));
    }
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length > MAX_REQUEST_BYTES {
        return Err(Status::new(
            Code::ResourceExhausted,
            format!("a request of {length} bytes is too long"),
        ));
    }
    if buffer.len() < PREFIX + length {
        return Ok(None);
    }
    buffer.advance(PREFIX);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// As grpc-message is written: printable ASCII, the rest and the percent sign as %XX.
fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            encoded.push(byte.into());
        } else {
            encoded += &format!("%{byte:02X}");
        }
        encoded
    })
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648, section 4.
fn base64_encode(bytes: &[u8]) -> Bytes {
    let mut text = BytesMut::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0_u32, |group, byte| group << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let digit = BASE64[(group >> (18 - 6 * i)) as usize & 63];
            text.put_u8(if i <= chunk.len() { digit } else { b'=' });
        }
    }
    text.freeze()
}

/// Whole groups of four digits; padded ones may stand anywhere, since clients encode each piece by itself.
fn base64_decode(text: &[u8], to: &mut BytesMut) -> Result<(), Status> {
    let wrong = || Status::new(Code::InvalidArgument, "the request is no base64");
    for group in text.chunks_exact(4) {
        let padding = group
            .iter()
            .rev()
            .take_while(|digit| **digit == b'=')
            .count();
        if padding > 2 {
            return Err(wrong());
        }
        let mut value = 0;
        for digit in &group[..4 - padding] {
            let digit = BASE64.iter().position(|d| d == digit).ok_or_else(wrong)?;
            value = value << 6 | digit as u32;
        }
        let bytes = (value << (6 * padding)).to_be_bytes();
        to.extend_from_slice(&bytes[1..4 - padding]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn base64_round_trips_in_pieces(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..5)) {
            let text: Vec<u8> = pieces.iter().flat_map(|piece| base64_encode(piece)).collect();
            let mut back = BytesMut::new();
            base64_decode(&text, &mut back).unwrap();
            prop_assert_eq!(&back[..], &pieces.concat()[..]);
        }

        #[test]
        fn whatever_bytes_come_messages_are_split_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            let mut taken = 0;
            while let Ok(Some(message)) = split_message(&mut buffer) {
                taken += PREFIX + message.len();
            }
            prop_assert_eq!(taken + buffer.len(), bytes.len());
            let _ = base64_decode(&bytes, &mut BytesMut::new());
        }
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64_encode(plain.as_bytes()), text);
        }
        assert!(base64_decode(b"Zg=x", &mut BytesMut::new()).is_err());
        assert_eq!(percent_encode("100% ä"), "100%25 %C3%A4");
    }
}
