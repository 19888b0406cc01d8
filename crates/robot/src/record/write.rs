//! Records being written, at once or from a thread.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::{END, End, FRAME, HEADING, Heading, MAGIC, ROWS, Row, VERSION};
use crate::error::{Error, Result};

/// Rows of a part: half a second.
const ROWS_A_PART: usize = 100;

/// The file of a robot's record of the attempt with this number.
#[must_use]
pub fn path_of(folder: &Path, attempt: usize, robot: usize) -> PathBuf {
    folder.join(format!("{attempt:04}-{robot}.record"))
}

/// One record, written at once.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    file: std::fs::File,
    rows: Vec<f32>,
    n_rows: usize,
}

impl Recording {
    /// Begins a file, which must not be there yet.
    ///
    /// # Errors
    /// When it is there, or the file system refuses.
    pub fn create(path: &Path, heading: &Heading) -> Result<Recording> {
        let file = std::fs::File::create_new(path).map_err(|source| Error::file(path, source))?;
        let (path, rows) = (path.to_owned(), Vec::with_capacity(ROWS_A_PART * Row::LEN));
        let mut recording = Recording { path, file, rows, n_rows: 0 };
        let mut begin = MAGIC.to_vec();
        begin.extend(VERSION.to_le_bytes());
        recording.write(&begin)?;
        let text = serde_json::to_vec(heading).expect("plain data");
        recording.part(HEADING, &text)?;
        Ok(recording)
    }

    /// Appends a tick.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn row(&mut self, row: &Row) -> Result<()> {
        self.rows.extend(row.to_floats());
        self.n_rows += 1;
        if self.rows.len() >= ROWS_A_PART * Row::LEN { self.flush() } else { Ok(()) }
    }

    /// Appends a frame that is seen before the next row: all cameras' pictures one after another.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn frame<'a>(&mut self, pictures: impl IntoIterator<Item = &'a [u8]>) -> Result<()> {
        let mut content = u32::try_from(self.n_rows).unwrap_or(u32::MAX).to_le_bytes().to_vec();
        content.extend(pack(pictures));
        self.part(FRAME, &content)
    }

    /// Ends it.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn end(mut self, end: End) -> Result<()> {
        self.flush()?;
        self.part(END, &serde_json::to_vec(&end).expect("plain data"))
    }

    /// Writes the rows that wait.
    fn flush(&mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let bytes: Vec<u8> = self.rows.drain(..).flat_map(f32::to_le_bytes).collect();
        self.part(ROWS, &pack([bytes.as_slice()]))
    }

    fn part(&mut self, kind: u32, content: &[u8]) -> Result<()> {
        let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let head = [kind, length, crc.sum()];
        let mut part: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
        part.extend(content);
        // Whole parts in one call: what is killed in between leaves none half-written, or the last.
        self.write(&part)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|source| Error::file(&self.path, source))
    }
}

impl Drop for Recording {
    /// Rows that wait are of an attempt that was cut off.
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

fn pack<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    for part in parts {
        packed.write_all(part).expect("a vector takes any bytes");
    }
    packed.finish().expect("a vector takes any bytes")
}

enum Word {
    Begin(usize, PathBuf, Box<Heading>),
    Row(usize, Box<Row>),
    Frame(usize, Vec<u8>),
    End(End),
}

/// Records written from a thread of its own, so that a loop that must be in time only hands over.
#[derive(Debug)]
pub struct Recorder {
    words: Option<Sender<Word>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Recorder {
    /// Of so many robots.
    ///
    /// # Errors
    /// When there is no thread.
    pub fn start(n_robots: usize) -> Result<Recorder> {
        let (words, heard) = channel();
        let thread = std::thread::Builder::new()
            .name("record".to_owned())
            .spawn(move || write_down(n_robots, &heard))
            .map_err(|source| Error::kernel("start a thread", source))?;
        Ok(Recorder { words: Some(words), thread: Some(thread) })
    }

    /// Begins a robot's record; one that was begun before ends early.
    pub fn begin(&self, robot: usize, path: PathBuf, heading: Heading) {
        self.say(Word::Begin(robot, path, Box::new(heading)));
    }

    /// A robot's next tick.
    pub fn row(&self, robot: usize, row: Row) {
        self.say(Word::Row(robot, Box::new(row)));
    }

    /// What a robot sees before its next tick.
    pub fn frame(&self, robot: usize, pictures: &[u8]) {
        self.say(Word::Frame(robot, pictures.to_vec()));
    }

    /// Ends all records.
    pub fn end(&self, end: End) {
        self.say(Word::End(end));
    }

    /// Waits until all is written.
    ///
    /// # Errors
    /// The first that the file system refused; what came after it is not recorded.
    pub fn finish(mut self) -> Result<()> {
        self.words = None;
        let thread = self.thread.take().map(JoinHandle::join);
        thread.map_or(Ok(()), |ended| {
            ended.unwrap_or_else(|_| Err(Error::config("a record", "its thread has panicked")))
        })
    }

    fn say(&self, word: Word) {
        if let Some(words) = &self.words {
            // A thread that has failed has a reason, and `finish` gives it.
            let _ = words.send(word);
        }
    }
}

fn write_down(n_robots: usize, heard: &Receiver<Word>) -> Result<()> {
    let mut open: Vec<Option<Recording>> = (0..n_robots).map(|_| None).collect();
    for word in heard {
        match word {
            Word::Begin(robot, path, heading) => {
                open[robot] = Some(Recording::create(&path, &heading)?);
            }
            Word::Row(robot, row) => open[robot].as_mut().map_or(Ok(()), |open| open.row(&row))?,
            Word::Frame(robot, pictures) => {
                open[robot].as_mut().map_or(Ok(()), |open| open.frame([pictures.as_slice()]))?;
            }
            Word::End(end) => {
                open.iter_mut().filter_map(Option::take).try_for_each(|open| open.end(end))?;
            }
        }
    }
    Ok(())
}
