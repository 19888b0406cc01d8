//! Pictures as models take them: of their size, and normalised.

use candle_core::{Device, Tensor};
use serde_json::Value;

use super::files::Files;
use crate::error::Error;

/// How a model sees.
pub(super) struct Lens {
    /// Height and width of its pictures.
    size: usize,
    /// Of red, green and blue, from 0 to 1.
    mean: [f32; 3],
    std: [f32; 3],
}

impl Lens {
    /// Of a model whose pictures have this height and width. Means and deviations are those of
    /// `preprocessor_config.json`, or `mean` and `std` where there is none.
    pub(super) fn new(
        files: &Files,
        size: usize,
        mean: [f32; 3],
        std: [f32; 3],
    ) -> Result<Lens, Error> {
        let mut lens = Lens { size, mean, std };
        let name = "preprocessor_config.json";
        let Some(config) = files.beside(name)? else { return Ok(lens) };
        for (key, into) in [("image_mean", &mut lens.mean), ("image_std", &mut lens.std)] {
            let Some(value) = config.get(key).filter(|value| !value.is_null()) else { continue };
            *into = three(value).ok_or_else(|| {
                let reason = format!("`{key}` is not three numbers");
                Error::Backbone { path: files.folder().join(name), reason }
            })?;
        }
        if lens.std.iter().any(|std| *std <= 0.0) {
            let reason = "`image_std` is not above 0".to_owned();
            return Err(Error::Backbone { path: files.folder().join(name), reason });
        }
        if config.get("do_normalize").and_then(Value::as_bool) == Some(false) {
            (lens.mean, lens.std) = ([0.0; 3], [1.0; 3]);
        }
        Ok(lens)
    }

    /// A picture, `[height, width, 3]` bytes, as `[1, 3, size, size]`.
    pub(super) fn look(
        &self,
        picture: &[u8],
        [height, width]: [usize; 2],
    ) -> candle_core::Result<Tensor> {
        let n = self.size;
        let rows = weights(height, n);
        let columns = weights(width, n);
        // Columns first: of each row of the picture `n` pixels.
        let mut narrow = vec![[0.0_f32; 3]; height * n];
        for (row, line) in picture.chunks_exact(width * 3).enumerate() {
            let pixels = line.as_chunks::<3>().0;
            for (to, (first, shares)) in narrow[row * n..][..n].iter_mut().zip(&columns) {
                for (share, pixel) in shares.iter().zip(&pixels[*first..]) {
                    for (to, value) in to.iter_mut().zip(pixel) {
                        *to += share * f32::from(*value);
                    }
                }
            }
        }
        let mut planes = vec![0.0_f32; 3 * n * n];
        for (row, (first, shares)) in rows.iter().enumerate() {
            for column in 0..n {
                let mut mixed = [0.0; 3];
                for (at, share) in shares.iter().enumerate() {
                    for (to, value) in mixed.iter_mut().zip(narrow[(first + at) * n + column]) {
                        *to += share * value;
                    }
                }
                for (colour, value) in mixed.into_iter().enumerate() {
                    planes[(colour * n + row) * n + column] =
                        (value / 255.0 - self.mean[colour]) / self.std[colour];
                }
            }
        }
        Tensor::from_vec(planes, (1, 3, n, n), &Device::Cpu)
    }
}

/// Three finite numbers.
fn three(value: &Value) -> Option<[f32; 3]> {
    let all: Option<Vec<f32>> =
        value.as_array()?.iter().map(|value| Some(value.as_f64()? as f32)).collect();
    let all: [f32; 3] = all?.try_into().ok()?;
    all.iter().all(|value| value.is_finite()).then_some(all)
}

/// For each of `to` positions along a side, the first of `from` positions that it is mixed of, and their
/// shares, which add up to 1: linear between two where it grows, a triangle over all that fall together
/// where it shrinks.
fn weights(from: usize, to: usize) -> Vec<(usize, Vec<f32>)> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    let one = |at: usize| {
        let middle = (at as f64 + 0.5) * scale;
        let first = (middle - reach).floor().max(0.0) as usize;
        let last = ((middle + reach).ceil() as usize).min(from);
        let share = |place: usize| (1.0 - (place as f64 + 0.5 - middle).abs() / reach).max(0.0);
        let total: f64 = (first..last).map(share).sum();
        (first, (first..last).map(|place| (share(place) / total) as f32).collect())
    };
    (0..to).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(size: usize, picture: &[u8], shape: [usize; 2]) -> Vec<f32> {
        let lens = Lens { size, mean: [0.0; 3], std: [1.0; 3] };
        let tensor = lens.look(picture, shape).expect("a picture");
        tensor.flatten_all().and_then(|all| all.to_vec1()).expect("numbers")
    }

    #[test]
    fn a_picture_of_the_right_size_stays_as_it_is() {
        let picture: Vec<u8> = (0..4 * 4 * 3).map(|at| at * 5).collect();
        for (at, value) in look(4, &picture, [4, 4]).into_iter().enumerate() {
            let (colour, pixel) = (at / 16, at % 16);
            assert_eq!(value, f32::from(picture[pixel * 3 + colour]) / 255.0);
        }
    }

    #[test]
    fn one_colour_stays_one_colour_at_any_size() {
        for shape in [[3, 5], [1, 1], [40, 9]] {
            let picture = [51, 102, 255].repeat(shape[0] * shape[1]);
            for (at, value) in look(7, &picture, shape).into_iter().enumerate() {
                let want = [0.2, 0.4, 1.0][at / 49];
                assert!((value - want).abs() < 1e-6, "{value} at {at} of {shape:?}");
            }
        }
    }

    #[test]
    fn between_two_pixels_it_is_linear_and_a_smaller_picture_is_a_mean() {
        let two = [0, 0, 0, 255, 255, 255];
        // Middles of four positions are at 0.25, 0.75, 1.25 and 1.75 pixels.
        assert_eq!(look(4, &two, [1, 2])[..4], [0.0, 0.25, 0.75, 1.0]);
        let four = [0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 255, 255].repeat(4);
        let values = look(1, &four, [4, 4]);
        assert!((values[0] - 0.5).abs() < 1e-6, "{values:?}");
    }
}
