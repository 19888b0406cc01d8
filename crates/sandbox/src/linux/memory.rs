//! Reading the memory of a stopped caller.
#![expect(unsafe_code, reason = "talks to the kernel through libc")]

use std::io;

use super::call::check;

/// Size of a page: reads never cross one, because a read fails as a whole where memory ends.
const PAGE: u64 = 4096;

/// How much of each string is read in the first, common, attempt.
const FIRST_READ: u64 = 256;

/// Longest string kept; longer ones are cut and end in `…`.
pub(super) const LONGEST_STRING: usize = 64 * 1024;

/// Memory of one process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory(pub(super) i32);

impl Memory {
    /// Reads several pieces at once; how many bytes arrived in total, from the first on.
    fn read_pieces(self, buffer: &mut [u8], pieces: &[(u64, usize)]) -> io::Result<usize> {
        let remote: Vec<libc::iovec> = pieces
            .iter()
            .map(|&(address, length)| libc::iovec {
                iov_base: std::ptr::without_provenance_mut(address as usize),
                iov_len: length,
            })
            .collect();
        let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let count = libc::c_ulong::try_from(remote.len()).expect("few pieces");
        // SAFETY: the local part is the buffer; remote addresses are only read by the kernel, in
        // the other process.
        let result = unsafe {
            libc::process_vm_readv(self.0, &raw const local, 1, remote.as_ptr(), count, 0)
        };
        check(result as i64).map(|count| usize::try_from(count).expect("not negative"))
    }

    /// Reads bytes; all or an error.
    pub(super) fn bytes(self, address: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; length];
        let count = self.read_pieces(&mut buffer, &[(address, length)])?;
        if count < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(buffer) }
    }

    /// The pointers of a list that ends with a null pointer, at most `limit`.
    pub(super) fn pointers(self, address: u64, limit: usize) -> io::Result<Vec<u64>> {
        let mut found = Vec::new();
        let mut at = address;
        while at != 0 && found.len() < limit {
            let room = usize::try_from(PAGE - at % PAGE).expect("at most a page");
            let length = room.min((limit - found.len()) * 8).clamp(8, 512);
            let bytes = self.bytes(at, length - length % 8)?;
            for word in bytes.chunks_exact(8) {
                match u64::from_ne_bytes(word.try_into().expect("eight bytes")) {
                    0 => return Ok(found),
                    pointer => found.push(pointer),
                }
            }
            at += bytes.len() as u64;
        }
        Ok(found)
    }

    /// The string and the two pointer lists that an exec is called with, in one system call where
    /// they are short and readable, as they mostly are.
    pub(super) fn exec_vectors(
        self,
        path: u64,
        lists: [u64; 2],
        limits: [usize; 2],
    ) -> (String, [Vec<u64>; 2]) {
        const LIST_BYTES: [usize; 2] = [128, 512];
        let room = |address: u64, wanted: usize| {
            wanted.min(usize::try_from(PAGE - address % PAGE).expect("at most a page"))
        };
        let text = room(path, FIRST_READ as usize);
        let first = room(lists[0], LIST_BYTES[0]);
        let second = room(lists[1], LIST_BYTES[1]);
        let mut buffer = [0; FIRST_READ as usize + LIST_BYTES[0] + LIST_BYTES[1]];
        let pieces = [(path, text), (lists[0], first), (lists[1], second)];
        let arrived = self.read_pieces(&mut buffer[..text + first + second], &pieces).unwrap_or(0);
        let string = |part: &[u8]| {
            let end = part.iter().position(|&byte| byte == 0)?;
            Some(String::from_utf8_lossy(&part[..end]).into_owned())
        };
        let list = |part: &[u8]| {
            let words = part.chunks_exact(8);
            let words: Vec<u64> = words
                .map(|word| u64::from_ne_bytes(word.try_into().expect("eight bytes")))
                .collect();
            let end = words.iter().position(|&word| word == 0)?;
            Some(words[..end].to_vec())
        };
        let whole = |end: usize| arrived >= end;
        let path = Some(&buffer[..text])
            .filter(|_| whole(text))
            .and_then(string)
            .unwrap_or_else(|| self.string(path));
        let mut start = text;
        let found = [0, 1].map(|at| {
            let end = start + [first, second][at];
            let part = &buffer[start..end];
            start = end;
            Some(part)
                .filter(|_| whole(end))
                .and_then(list)
                .unwrap_or_else(|| self.pointers(lists[at], limits[at]).unwrap_or_default())
        });
        (path, found)
    }

    /// The strings at these addresses; invalid UTF-8 is replaced.
    pub(super) fn strings(self, addresses: &[u64]) -> Vec<String> {
        let mut found = Vec::with_capacity(addresses.len());
        // One system call reads the beginnings of many strings.
        for group in addresses.chunks(64) {
            let pieces: Vec<(u64, usize)> = group
                .iter()
                .map(|&address| (address, (PAGE - address % PAGE).min(FIRST_READ) as usize))
                .collect();
            let total = pieces.iter().map(|piece| piece.1).sum();
            let mut buffer = vec![0; total];
            let arrived = self.read_pieces(&mut buffer, &pieces).unwrap_or(0);
            let mut start = 0;
            for &(address, length) in &pieces {
                let end = start + length;
                let head = if end <= arrived { &buffer[start..end] } else { &[][..] };
                found.push(match head.iter().position(|&byte| byte == 0) {
                    Some(zero) => String::from_utf8_lossy(&head[..zero]).into_owned(),
                    None => self.long_string(address),
                });
                start = end;
            }
        }
        found
    }

    /// One string; empty where it cannot be read.
    pub(super) fn string(self, address: u64) -> String {
        self.strings(&[address]).pop().unwrap_or_default()
    }

    fn long_string(self, address: u64) -> String {
        let mut bytes = Vec::new();
        let mut at = address;
        while at != 0 && bytes.len() <= LONGEST_STRING {
            let Ok(piece) = self.bytes(at, (PAGE - at % PAGE) as usize) else { break };
            if let Some(zero) = piece.iter().position(|&byte| byte == 0) {
                bytes.extend_from_slice(&piece[..zero]);
                return cut(&bytes);
            }
            at += piece.len() as u64;
            bytes.extend_from_slice(&piece);
        }
        cut(&bytes)
    }
}

fn cut(bytes: &[u8]) -> String {
    if bytes.len() <= LONGEST_STRING {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut text = String::from_utf8_lossy(&bytes[..LONGEST_STRING]).into_owned();
    text.push('…');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Memory {
        Memory(i32::try_from(std::process::id()).expect("pids fit"))
    }

    #[test]
    fn short_and_long_strings_are_read_whole() {
        let long = format!("{}\0", "y".repeat(10_000));
        let texts = [c"one".to_bytes_with_nul(), long.as_bytes(), c"".to_bytes_with_nul()];
        let addresses = texts.map(|text| text.as_ptr() as u64);
        assert_eq!(own().strings(&addresses), ["one", &long[..10_000], ""]);
    }

    #[test]
    fn a_string_above_the_limit_is_cut_and_says_so() {
        let long = format!("{}\0", "z".repeat(LONGEST_STRING + 5000));
        let read = own().string(long.as_ptr() as u64);
        assert_eq!(read.len(), LONGEST_STRING + "…".len());
        assert!(read.ends_with("z…"));
    }

    #[test]
    fn exec_vectors_come_whole_whatever_their_length() {
        let short = [7_u64, 8, 0];
        let long: Vec<u64> = (1..=300).chain([0]).collect();
        let path = c"/bin/true";
        let lists = [long.as_ptr() as u64, short.as_ptr() as u64];
        let (text, [first, second]) = own().exec_vectors(path.as_ptr() as u64, lists, [1000, 1000]);
        assert_eq!(text, "/bin/true");
        assert_eq!((first, second), (long[..300].to_vec(), vec![7, 8]));
        let (text, [first, second]) =
            own().exec_vectors(path.as_ptr() as u64, [0, lists[1]], [1000, 1000]);
        assert_eq!((text.as_str(), first, second), ("/bin/true", vec![], vec![7, 8]));
    }

    #[test]
    fn pointers_end_at_null_and_at_the_limit() {
        let list: Vec<u64> = (1..=600).chain([0, 7]).collect();
        let address = list.as_ptr() as u64;
        assert_eq!(own().pointers(address, 1000).expect("readable"), &list[..600]);
        assert_eq!(own().pointers(address, 3).expect("readable"), [1, 2, 3]);
        assert!(own().pointers(8, 3).is_err());
    }
}
