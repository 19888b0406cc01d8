//! Pixels as a backbone's first convolution wants them.

use nn::Blocked;

use super::tensors::stem_channels;
use crate::interface::Camera;

/// Largest window of a first convolution.
pub(super) const LARGEST_KERNEL: usize = 11;

/// Values of the largest window.
const MOST_VALUES: usize = 3 * LARGEST_KERNEL * LARGEST_KERNEL + 2;

/// By how many pixels a picture is moved, right and down: training sees it from a little beside itself,
/// as its edges are repeated (DrQ, arXiv 2004.13649).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shift {
    /// To the right.
    pub right: i32,
    /// Down.
    pub down: i32,
}

/// Writes the windows of a picture, `[H, W, 3]` bytes, to tokens from `first` on: colours from −1 to 1,
/// position after position, then column and row of the window from −1 to 1. Beyond the edges the
/// picture's last pixels go on.
pub(crate) fn windows(
    camera: &Camera,
    picture: &[u8],
    [kernel, stride]: [usize; 2],
    shift: Shift,
    first: usize,
    into: &mut Blocked,
) {
    let mut values = [0.0; MOST_VALUES];
    let n = 3 * kernel * kernel + 2;
    let channels = stem_channels(kernel);
    debug_assert_eq!(into.n_channels(), channels);
    let (height, width) = (camera.height, camera.width);
    let out = [(height - 1) / stride + 1, (width - 1) / stride + 1];
    let at = |window: usize, tap: usize, shift: i32, size: usize| {
        let at = (window * stride + tap) as i32 - (kernel / 2) as i32 - shift;
        at.clamp(0, size as i32 - 1) as usize
    };
    let unit = |at: usize, n: usize| (2 * at + 1) as f32 / n as f32 - 1.0;
    for row in 0..out[0] {
        for column in 0..out[1] {
            for down in 0..kernel {
                let line = &picture[at(row, down, shift.down, height) * width * 3..][..width * 3];
                for right in 0..kernel {
                    let pixel = &line[at(column, right, shift.right, width) * 3..][..3];
                    let to = &mut values[3 * (down * kernel + right)..][..3];
                    for (to, byte) in to.iter_mut().zip(pixel) {
                        *to = f32::from(*byte) * (2.0 / 255.0) - 1.0;
                    }
                }
            }
            values[n - 2] = unit(column, out[1]);
            values[n - 1] = unit(row, out[0]);
            write(into, first + row * out[1] + column, &values[..n]);
        }
    }
}

/// Writes a token whose last block may be filled up.
fn write(into: &mut Blocked, token: usize, values: &[f32]) {
    let n_tokens = into.n_tokens();
    for (block, values) in values.chunks(nn::BLOCK).enumerate() {
        let row = &mut into.rows_mut()[block * n_tokens + token].0;
        row[..values.len()].copy_from_slice(values);
        row[values.len()..].fill(0.0);
    }
}

/// Writes rows of values, filled up to whole blocks.
pub(crate) fn rows(into: &mut Blocked, token: usize, values: &[f32]) {
    write(into, token, values);
}
