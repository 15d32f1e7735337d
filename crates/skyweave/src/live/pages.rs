//! The account page's server at the PoP: HTTP/1, one answer for each connection.
//!
//! Who asks is known by the address, which the packet path does not let anybody forge. What is told stands in the page that
//! the network's owner makes; here is only how it is fetched.

use super::listener::Listener;
use skyweave_dataplane::ACCOUNT_PAGE_PORT;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// A page in both forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// For people.
    pub html: String,
    /// For programs that say `Accept: application/json`.
    pub json: String,
}

/// Connections at a time.
const MOST: usize = 64;
/// Longest head of a request, and how long it may take in all.
const HEAD_BYTES: usize = 8 << 10;
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves on a socket that was made inside the PoP's namespace. `page` gives the page of a terminal's address.
pub(crate) fn start(
    socket: OwnedFd,
    page: impl Fn(IpAddr) -> Option<Page> + Send + Sync + 'static,
) -> io::Result<Listener> {
    let any: IpAddr = match rustix::net::sockopt::socket_domain(&socket)? {
        rustix::net::AddressFamily::INET6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    };
    // The network before may have ended in the middle of a connection.
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddr::new(any, ACCOUNT_PAGE_PORT))?;
    rustix::net::listen(&socket, 64)?;
    Listener::start("account-page", socket, MOST, move |connection| {
        // A client that goes away has nobody to be told.
        let _ = serve(&TcpStream::from(connection), &page);
    })
}

fn serve(mut stream: &TcpStream, page: impl Fn(IpAddr) -> Option<Page>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let answer = match read_head(stream)? {
        Some(head) => answer(&head, page(stream.peer_addr()?.ip().to_canonical())),
        None => response(
            "400 Bad Request",
            "text/plain",
            "not an HTTP request\n",
            true,
        ),
    };
    stream.write_all(answer.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    // What is still to come is read away, or the kernel would reset the connection and the answer with it (RFC 9112, 9.6).
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    io::copy(&mut stream.take(64 << 10), &mut io::sink()).map(drop)
}

/// The head of a request; `None` if it is too long or takes too long.
fn read_head(mut stream: &TcpStream) -> io::Result<Option<Vec<u8>>> {
    let begun = Instant::now();
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        if left.is_zero() || head.len() > HEAD_BYTES {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(length) => head.extend_from_slice(&buffer[..length]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(Some(head))
}

fn answer(head: &[u8], page: Option<Page>) -> String {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    if request.parse(head).is_err() {
        return response(
            "400 Bad Request",
            "text/plain",
            "not an HTTP request\n",
            true,
        );
    }
    let with_body = match request.method {
        Some("GET") => true,
        Some("HEAD") => false,
        _ => {
            let text = "this page can only be read: GET or HEAD\n";
            return response("405 Method Not Allowed", "text/plain", text, true);
        }
    };
    let Some(page) = page else {
        let text = "this is the account page of terminals; you are not behind one\n";
        return response("404 Not Found", "text/plain", text, with_body);
    };
    let wants_json = request.headers.iter().any(|h| {
        h.name.eq_ignore_ascii_case("accept")
            && String::from_utf8_lossy(h.value).contains("application/json")
    });
    match wants_json {
        true => response("200 OK", "application/json", &page.json, with_body),
        false => response("200 OK", "text/html", &page.html, with_body),
    }
}

fn response(status: &str, kind: &str, body: &str, with_body: bool) -> String {
    let allow = match status.starts_with("405") {
        true => "Allow: GET, HEAD\r\n",
        false => "",
    };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\n{allow}Vary: Accept\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{}",
        body.len(),
        if with_body { body } else { "" }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Option<Page> {
        Some(Page {
            html: "<p>you".to_owned(),
            json: "{}".to_owned(),
        })
    }

    #[test]
    fn the_page_is_told_in_the_form_that_is_asked() {
        let html = answer(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", page());
        assert!(html.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html"));
        assert!(html.ends_with("\r\n\r\n<p>you"), "{html}");
        let json = answer(
            b"GET /any HTTP/1.1\r\nACCEPT: text/x, application/json\r\n\r\n",
            page(),
        );
        assert!(json.contains("application/json") && json.ends_with("\r\n\r\n{}"));
        let head = answer(b"HEAD / HTTP/1.1\r\n\r\n", page());
        assert!(head.contains("Content-Length: 6\r\n") && head.ends_with("\r\n\r\n"));
    }

    #[test]
    fn anything_else_is_refused_in_words() {
        for (request, page, expected) in [
            (&b"POST / HTTP/1.1\r\n\r\n"[..], page(), "405 "),
            (b"GET / HTTP/1.1\r\n\r\n", None, "404 "),
            (b"\x16\x03\x01\r\n\r\n", page(), "400 "),
            (b"GET\r\n\r\n", page(), "400 "),
        ] {
            let said = answer(request, page);
            assert!(said.starts_with(&format!("HTTP/1.1 {expected}")), "{said}");
        }
    }
}
