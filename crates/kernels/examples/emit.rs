use std::io::Read;
fn main() {
    let mut text = String::new();
    std::fs::File::open(std::env::args().nth(1).unwrap())
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let graph: kernels::Graph = serde_json::from_value(value["graph"].clone()).unwrap();
    let program = match kernels::lower::lower(&graph) {
        Ok(p) => p,
        Err(e) => {
            println!("LOWER {e}");
            std::process::exit(3)
        }
    };
    let which = std::env::args().nth(2).unwrap();
    let schedule = match which.as_str() {
        "base" => kernels::plan::Schedule::base(&program),
        "good" => kernels::schedules::sensible(&program),
        "random" => {
            use rand::SeedableRng;
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(
                std::env::args().nth(3).unwrap().parse().unwrap(),
            );
            kernels::schedules::random(&program, &mut rng)
        }
        path => serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap(),
    };
    let mut value = serde_json::to_value(&schedule).unwrap();
    for arg in std::env::args().skip(3) {
        if let Some((name, to)) = arg.split_once('=') {
            for part in value["parts"].as_array_mut().unwrap() {
                part[name] = serde_json::from_str(to).unwrap();
            }
        }
    }
    let schedule: kernels::plan::Schedule = serde_json::from_value(value).unwrap();
    let c = kernels::emit::c(&program, &schedule);
    println!("// FLAGS {}", c.flags.join(" "));
    println!("{}", c.source);
}
