//! RMSNorm.

use nn::{Blocked, Cpu, RmsNorm};

use crate::reference::{assert_close, random};

#[test]
fn epsilon_is_added_outside_the_root() {
    let (t, c) = (9, 70);
    let x: Vec<f32> = random(1, t * c).iter().map(|value| value * 1e-3).collect();
    let scale = random(2, c);
    let want: Vec<f32> = x
        .chunks_exact(c)
        .flat_map(|x| {
            let mean = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / c as f64;
            let scale = &scale;
            x.iter().enumerate().map(move |(at, x)| {
                (f64::from(scale[at]) * f64::from(*x) / (mean.sqrt() + 1e-2)) as f32
            })
        })
        .collect();
    for cpu in Cpu::all() {
        let mut out = Blocked::new(t, c);
        RmsNorm::new(&scale, 1e-2).forward(cpu, &Blocked::from_rows(&x, c), &mut out);
        assert_close(&out.to_rows(), &want, 1e-7, &format!("{cpu:?}"));
    }
}
