//! Pixels as a backbone's first convolution wants them.

use nn::Blocked;

use super::tensors::stem_channels;
use crate::interface::Camera;

/// Largest window of a first convolution.
pub(super) const LARGEST_KERNEL: usize = 11;

/// Values of the largest window.
const MOST_VALUES: usize = 3 * LARGEST_KERNEL * LARGEST_KERNEL + 2;

thread_local! {
    /// A picture as numbers, moved and with its edges repeated; kept so that a loop does not allocate.
    static PICTURE: std::cell::RefCell<Vec<f32>> = const { std::cell::RefCell::new(Vec::new()) };
}

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
    debug_assert_eq!(into.n_channels(), stem_channels(kernel));
    let out = [camera.height, camera.width].map(|size| (size - 1) / stride + 1);
    let [n_lines, n_columns] = out.map(|out| (out - 1) * stride + kernel);
    let from = |at: usize, shift: i32, size: usize| {
        (at as i32 - (kernel / 2) as i32 - shift).clamp(0, size as i32 - 1) as usize
    };
    PICTURE.with_borrow_mut(|all| {
        all.resize(n_lines * n_columns * 3, 0.0);
        for (at, line) in all.chunks_exact_mut(n_columns * 3).enumerate() {
            let row = from(at, shift.down, camera.height);
            let row = &picture[row * camera.width * 3..][..camera.width * 3];
            for (at, to) in line.chunks_exact_mut(3).enumerate() {
                let pixel = &row[from(at, shift.right, camera.width) * 3..][..3];
                for (to, byte) in to.iter_mut().zip(pixel) {
                    *to = f32::from(*byte) * (2.0 / 255.0) - 1.0;
                }
            }
        }
        let mut values = [0.0; MOST_VALUES];
        let n = 3 * kernel * kernel + 2;
        let unit = |at: usize, n: usize| (2 * at + 1) as f32 / n as f32 - 1.0;
        for (row, column) in (0..out[0]).flat_map(|row| (0..out[1]).map(move |at| (row, at))) {
            for (down, to) in values[..n - 2].chunks_exact_mut(3 * kernel).enumerate() {
                let at = (row * stride + down) * n_columns + column * stride;
                to.copy_from_slice(&all[at * 3..][..3 * kernel]);
            }
            values[n - 2] = unit(column, out[1]);
            values[n - 1] = unit(row, out[0]);
            rows(into, first + row * out[1] + column, &values[..n]);
        }
    });
}

/// Writes a token whose last block may be filled up with zeros.
pub(crate) fn rows(into: &mut Blocked, token: usize, values: &[f32]) {
    let n_tokens = into.n_tokens();
    for (block, values) in values.chunks(nn::BLOCK).enumerate() {
        let row = &mut into.rows_mut()[block * n_tokens + token].0;
        row[..values.len()].copy_from_slice(values);
        row[values.len()..].fill(0.0);
    }
}
