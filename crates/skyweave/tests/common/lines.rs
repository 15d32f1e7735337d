//! What a running program says, line by line.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long words are waited for: a world is planned meanwhile, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// All lines, read to the end: a pipe that is full would stop the program.
pub(crate) fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (say, heard) = channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(from).lines().map_while(Result::ok);
        lines.for_each(|line| drop(say.send(line)));
    });
    heard
}

/// What follows these words in the next line that has them.
pub(crate) fn find(lines: &Receiver<String>, words: &str) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let line = lines.recv_timeout(left);
        let line = line.unwrap_or_else(|e| panic!("no line with `{words}`: {e}"));
        if let Some((_, rest)) = line.split_once(words) {
            return rest.to_owned();
        }
    }
}
