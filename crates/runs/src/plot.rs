//! Plots as inline SVG. They take their colors from the page's style and have fallbacks for any
//! other page; each carries a title, marks carry their values as tooltips, and series differ in
//! shape as well as in color. What is not finite is not drawn.

mod canvas;
mod heat;
mod histogram;
mod rates;
mod scale;
mod strips;
mod xy;

pub use heat::heat_table;
pub use histogram::{histogram, n_bins};
pub use rates::{RateBar, rates};
pub use strips::{Strip, Trace, strips};
pub use xy::{Axes, Series, Size, lines, scatter};
