//! Statistics for small samples, each with its source and tested against published values.
//!
//! Nothing here hides how little was seen: without data there is no number, and a rate is written
//! with its n and its interval. Intervals are 95 % and two-sided.

mod agreement;
mod bootstrap;
mod fisher;
mod power;
mod quantile;
mod rate;

pub use agreement::cohen_kappa;
pub use bootstrap::{Ratio, bootstrap, geometric_mean, geometric_mean_ratio};
pub use fisher::fisher_exact;
pub use power::n_to_separate;
pub use quantile::{median, quantile};
pub use rate::{Interval, Rate};

/// The 97.5 % point of the normal distribution: 2.5 % on each side are left out.
pub(crate) const Z_95: f64 = 1.959_963_984_540_054;
