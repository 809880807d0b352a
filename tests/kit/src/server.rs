//! A small web server that does what a test tells it to: serves one file, with ranges, and with
//! exactly one thing wrong.

use openssl::ssl::{SslAcceptor, SslMethod};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::pki::Identity;

/// A request that the server got.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its number, from 0.
    pub number: usize,
    /// Path and query.
    pub target: String,
    /// The bytes of the file that it asks for, if it asks for a range.
    pub range: Option<Range<usize>>,
    /// Its headers, names in small letters.
    pub headers: Vec<(String, String)>,
}

impl Asked {
    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &value[..])
    }
}

/// An answer, as a correct server gives it; a fault changes it.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers, except `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The bytes that are announced and sent.
    pub body: Vec<u8>,
    /// `Content-Length`, if it is not the length of the body. `Some(None)`: no such header.
    pub length: Option<Option<usize>>,
    /// The connection is closed after so many bytes of the body.
    pub cut: Option<usize>,
    /// The pause before each byte of the body.
    pub drip: Option<Duration>,
    /// The pause before the answer.
    pub delay: Option<Duration>,
    /// The connection is closed after the answer.
    pub close: bool,
    /// HTTP/1.0.
    pub old: bool,
    /// After the body, bytes without an end.
    pub endless: bool,
}

impl Reply {
    /// Replaces a header.
    pub fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Removes a header.
    pub fn remove(&mut self, name: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Makes it an answer of `status` with `text`.
    pub fn refuse(&mut self, status: u16, text: &str) {
        (self.status, self.headers, self.body) = (status, Vec::new(), text.into());
    }

    /// Makes it a redirect to `location`.
    pub fn redirect(&mut self, location: &str) {
        self.refuse(302, "");
        self.set("Location", location);
    }

    /// Makes it the answer of a server without ranges.
    pub fn whole(&mut self, file: &[u8]) {
        (self.status, self.body) = (200, file.to_vec());
        self.remove("Content-Range");
        self.remove("Accept-Ranges");
    }
}

type Fault = dyn Fn(&Asked, &mut Reply) + Send + Sync;

struct Shared {
    file: Mutex<Vec<u8>>,
    tag: Mutex<String>,
    asked: Mutex<Vec<Asked>>,
    sent: Mutex<u64>,
    fault: Box<Fault>,
    tls: Option<SslAcceptor>,
    stop: AtomicBool,
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    /// A correct server.
    pub fn new(file: Vec<u8>) -> Self {
        Self::with(file, |_, _| {})
    }

    /// A server whose answers `fault` changes.
    pub fn with(file: Vec<u8>, fault: impl Fn(&Asked, &mut Reply) + Send + Sync + 'static) -> Self {
        Self::start(file, None, Box::new(fault))
    }

    /// The same, speaking TLS with a certificate.
    pub fn tls(
        file: Vec<u8>,
        identity: &Identity,
        fault: impl Fn(&Asked, &mut Reply) + Send + Sync + 'static,
    ) -> Self {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        acceptor.set_certificate(&identity.certificate).unwrap();
        acceptor.set_private_key(&identity.key).unwrap();
        Self::start(file, Some(acceptor.build()), Box::new(fault))
    }

    fn start(file: Vec<u8>, tls: Option<SslAcceptor>, fault: Box<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            file: Mutex::new(file),
            tag: Mutex::new("\"first\"".into()),
            asked: Mutex::default(),
            sent: Mutex::default(),
            fault,
            tls,
            stop: AtomicBool::new(false),
        });
        let served = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if served.stop.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), shared) = (stream, served.clone()) else { continue };
                std::thread::spawn(move || shared.connection(stream));
            }
        });
        Server { address, shared }
    }

    /// Returns the URL of the file.
    pub fn url(&self) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/bundle.tiu", self.host())
    }

    /// Returns host and port.
    pub fn host(&self) -> String {
        let host =
            if self.shared.tls.is_some() { "localhost".to_owned() } else { self.address.ip().to_string() };
        format!("{host}:{}", self.address.port())
    }

    /// Replaces the file.
    pub fn replace(&self, file: Vec<u8>) {
        *locked(&self.shared.file) = file;
        *locked(&self.shared.tag) = "\"second\"".into();
    }

    /// Returns the requests until now.
    pub fn asked(&self) -> Vec<Asked> {
        locked(&self.shared.asked).clone()
    }

    /// Returns the bytes of content that were sent until now.
    pub fn sent(&self) -> u64 {
        *locked(&self.shared.sent)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Shared {
    fn connection(&self, stream: TcpStream) {
        // Many small writes, each of which waits for an answer otherwise.
        let _ = stream.set_nodelay(true);
        let raw = stream.try_clone();
        // The client may go at any time.
        let _ = match &self.tls {
            Some(acceptor) => match acceptor.accept(stream) {
                Ok(stream) => self.serve(BufReader::new(stream)),
                Err(_) => Ok(()),
            },
            None => self.serve(BufReader::new(stream)),
        };
        if let Ok(raw) = raw {
            let _ = raw.shutdown(Shutdown::Both);
        }
    }

    fn serve<S: Read + Write>(&self, mut stream: BufReader<S>) -> io::Result<()> {
        while let Some((target, headers)) = request(&mut stream)? {
            let file = locked(&self.file).clone();
            let tag = locked(&self.tag).clone();
            let value =
                |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
            let mut range = value("range").and_then(|text| asked_range(&text, file.len()));
            if value("if-range").is_some_and(|validator| validator != tag) {
                range = None;
            }
            let asked = {
                let mut all = locked(&self.asked);
                let number = all.len();
                all.push(Asked { number, target, range: range.clone(), headers });
                all[number].clone()
            };
            let mut reply = Reply {
                status: 200,
                headers: vec![("ETag".into(), tag), ("Accept-Ranges".into(), "bytes".into())],
                body: file.clone(),
                length: None,
                cut: None,
                drip: None,
                delay: None,
                close: false,
                old: false,
                endless: false,
            };
            if let Some(range) = range {
                reply.status = 206;
                let shown = format!("bytes {}-{}/{}", range.start, range.end - 1, file.len());
                reply.set("Content-Range", &shown);
                reply.body = file[range].to_vec();
            }
            (self.fault)(&asked, &mut reply);
            if !self.send(stream.get_mut(), &reply)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Returns true if the connection stays open.
    fn send(&self, out: &mut impl Write, reply: &Reply) -> io::Result<bool> {
        std::thread::sleep(reply.delay.unwrap_or_default());
        let version = if reply.old { "1.0" } else { "1.1" };
        let mut head = format!("HTTP/{version} {} Text\r\n", reply.status);
        for (name, value) in &reply.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(length) = reply.length.unwrap_or(Some(reply.body.len())) {
            head += &format!("Content-Length: {length}\r\n");
        }
        let close =
            reply.close || reply.old || reply.endless || reply.cut.is_some() || reply.length.is_some();
        if close {
            head += "Connection: close\r\n";
        }
        out.write_all(format!("{head}\r\n").as_bytes())?;
        let body = &reply.body[..reply.cut.unwrap_or(reply.body.len()).min(reply.body.len())];
        let step = if reply.drip.is_some() { 1 } else { 64 * 1024 };
        for piece in body.chunks(step) {
            std::thread::sleep(reply.drip.unwrap_or_default());
            // Before it is sent: the test can look as soon as the client has it.
            *locked(&self.sent) += piece.len() as u64;
            out.write_all(piece)?;
        }
        while reply.endless && !self.stop.load(Ordering::Relaxed) {
            out.write_all(&[0; 64 * 1024])?;
            *locked(&self.sent) += 64 * 1024;
        }
        out.flush()?;
        Ok(!close)
    }
}

type Headers = Vec<(String, String)>;

/// Returns target and headers of the next request, or `None` at the end of the connection.
fn request(stream: &mut impl BufRead) -> io::Result<Option<(String, Headers)>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => return Ok(Some((target, headers))),
        }
    }
}

/// Returns the range that the header asks for: `bytes=A-B` or `bytes=-N`.
fn asked_range(text: &str, size: usize) -> Option<Range<usize>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    if size == 0 {
        return None;
    }
    if first.is_empty() {
        return Some(size.saturating_sub(last.parse().ok()?)..size);
    }
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    (first < size).then(|| first..(last + 1).min(size))
}
