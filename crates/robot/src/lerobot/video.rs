//! Frames of a video, unpacked by `ffmpeg` at the end of a pipe. Each comes as a PPM, which says how
//! large it is.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use image::RgbImage;

use super::wrong;
use crate::error::{Error, Result};

/// Largest side of a frame.
const MOST_PIXELS: usize = 16_384;
/// Bytes that are kept of what `ffmpeg` complains of.
const MOST_COMPLAINT: u64 = 2048;

/// A running `ffmpeg`, stopped when it is no longer wanted.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first line of `ffmpeg -version`, if there is one to run.
///
/// # Errors
/// [`Error::Program`] where it does not run.
pub(super) fn version(ffmpeg: &Path) -> Result<String> {
    let failed = |reason: String| Error::Program { program: ffmpeg.display().to_string(), reason };
    let output = Command::new(ffmpeg)
        .arg("-version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(format!("{error}; videos are read with it")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().next().unwrap_or_default();
    if !output.status.success() || !line.starts_with("ffmpeg") {
        return Err(failed("it does not tell its version; videos are read with it".to_owned()));
    }
    Ok(line.to_owned())
}

/// Shows the frames of a video in order until `show` wants no more; how many there were.
pub(super) fn frames(
    ffmpeg: &Path,
    version: &str,
    video: &Path,
    show: &mut dyn FnMut(usize, &RgbImage) -> Result<bool>,
) -> Result<usize> {
    if !video.is_file() {
        let missing = std::io::Error::new(std::io::ErrorKind::NotFound, "the video is missing");
        return Err(Error::file(video, missing));
    }
    let mut source = std::ffi::OsString::from("file:");
    source.push(video);
    // Before version 5, the option that neither repeats nor drops frames had another name.
    let number =
        version.strip_prefix("ffmpeg version ").unwrap_or_default().trim_start_matches('n');
    let is_old = ["2.", "3.", "4."].iter().any(|old| number.starts_with(old));
    let every = if is_old { ["-vsync", "0"] } else { ["-fps_mode", "passthrough"] };
    let child = Command::new(ffmpeg)
        .args(["-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-i"])
        .arg(source)
        .args(["-map", "0:v:0"])
        .args(every)
        .args(["-pix_fmt", "rgb24", "-c:v", "ppm", "-f", "image2pipe", "pipe:1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.map_err(|error| Error::Program {
        program: ffmpeg.display().to_string(),
        reason: error.to_string(),
    })?;
    let mut running = Running(child);
    let complaint = running.0.stderr.take().map(|stderr| {
        std::thread::spawn(move || {
            let mut text = String::new();
            let mut stderr = stderr.take(MOST_COMPLAINT);
            // What is not UTF-8 is not worth showing; the rest is read so that nothing waits for it.
            let _ = stderr.read_to_string(&mut text);
            let _ = std::io::copy(&mut stderr.into_inner(), &mut std::io::sink());
            text
        })
    });
    let stdout = running.0.stdout.take().map(BufReader::new);
    let mut stdout =
        stdout.ok_or_else(|| wrong(video, "ffmpeg gives nothing to read from".to_owned()))?;
    let mut n = 0;
    loop {
        let frame =
            frame(&mut stdout).map_err(|what| wrong(video, format!("frame {n}: {what}")))?;
        let Some(frame) = frame else { break };
        if !show(n, &frame)? {
            return Ok(n + 1);
        }
        n += 1;
    }
    let status = running.0.wait().map_err(|error| Error::file(video, error))?;
    let complaint = complaint.and_then(|thread| thread.join().ok()).unwrap_or_default();
    if !status.success() || n == 0 {
        let line = complaint.lines().next().unwrap_or("no reason given").to_owned();
        return Err(wrong(video, format!("ffmpeg reads no video from it: {line}")));
    }
    Ok(n)
}

/// The next PPM, if there is one.
fn frame(from: &mut impl BufRead) -> std::result::Result<Option<RgbImage>, String> {
    let mut numbers = [0_usize; 3];
    let first = word(from)?;
    if first.is_empty() {
        return Ok(None);
    }
    if first != "P6" {
        return Err("ffmpeg gives something else than a picture".to_owned());
    }
    for number in &mut numbers {
        let text = word(from)?;
        *number = text.parse().map_err(|_| "a picture is cut off".to_owned())?;
    }
    let [width, height, most] = numbers;
    let sizes = 1..=MOST_PIXELS;
    if !sizes.contains(&width) || !sizes.contains(&height) || most != 255 {
        return Err(format!("a picture of {width}x{height} pixels to {most}"));
    }
    let mut bytes = vec![0; width * height * 3];
    from.read_exact(&mut bytes).map_err(|_| "a picture is cut off".to_owned())?;
    Ok(RgbImage::from_raw(width as u32, height as u32, bytes))
}

/// Letters up to the next space, which is taken too.
fn word(from: &mut impl BufRead) -> std::result::Result<String, String> {
    let mut word = String::new();
    for byte in from.bytes() {
        let byte = byte.map_err(|error| error.to_string())?;
        if byte.is_ascii_whitespace() {
            if word.is_empty() {
                continue;
            }
            break;
        }
        if word.len() > 16 {
            return Err("ffmpeg gives something else than a picture".to_owned());
        }
        word.push(char::from(byte));
    }
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_follow_each_other_and_a_cut_one_is_an_error() {
        let mut bytes =
            b"P6\n2 1\n255\n\x0a\x20\x03\x04\x05\x06P6\n1 1\n255\n\x01\x02\x03".to_vec();
        let mut from = bytes.as_slice();
        assert_eq!(frame(&mut from).unwrap().unwrap().as_raw(), &[10, 32, 3, 4, 5, 6]);
        assert_eq!(frame(&mut from).unwrap().unwrap().as_raw(), &[1, 2, 3]);
        assert!(frame(&mut from).unwrap().is_none());
        bytes.pop();
        let mut from = bytes.as_slice();
        frame(&mut from).unwrap();
        assert!(frame(&mut from).unwrap_err().contains("cut off"));
        assert!(frame(&mut &b"<html><body></body></html>"[..]).is_err());
    }

    #[test]
    fn without_ffmpeg_the_program_is_named() {
        let error = version(Path::new("/no/such/ffmpeg")).unwrap_err();
        assert!(matches!(&error, Error::Program { program, .. } if program == "/no/such/ffmpeg"));
    }
}
