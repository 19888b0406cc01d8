//! scratch
use genome::ModelConfig;
use genome::model::{Random, StripedHyena, Token};
use nn::Precision;
fn main() {
    let text = std::fs::read_to_string("/tmp/b.json").unwrap();
    let config = ModelConfig::parse(&text).unwrap();
    let args: Vec<String> = std::env::args().collect();
    let p = match args[1].as_str() {
        "f32" => Precision::F32,
        "bf16" => Precision::Bf16,
        _ => Precision::Int8,
    };
    let model = StripedHyena::load(&config, &Random { seed: 1 }, p).unwrap();
    let n: usize = args[3].parse().unwrap();
    let tokens: Vec<Token> = (0..n).map(|i| b"ACGT"[(i * 7 + i / 3) % 4] as Token).collect();
    for _ in 0..3 {
        let mut state = model.state();
        let start = std::time::Instant::now();
        if args[2] == "decode" {
            for t in &tokens {
                model.forward(&[*t], &mut state, |_, _| {});
            }
        } else {
            let mut worst = 0.0f32;
            model.forward(&tokens, &mut state, |_, l| {
                for r in l.to_rows() {
                    worst = worst.max(r.abs());
                }
            });
            println!("max {worst}");
        }
        println!("{:.3} ms per token", start.elapsed().as_secs_f64() * 1e3 / n as f64);
    }
}
