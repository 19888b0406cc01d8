use std::sync::{Arc, atomic::AtomicBool};
use kernels::search::*;
use kernels::evaluator::Evaluator;
struct P(std::time::Instant);
impl Progress for P { fn found(&self, a:&kernels::archive::AttemptRecord, seen:&kernels::archive::Seen, st:&Standing){ eprintln!("{:6.1}s {} {:?} level {:?} rej {:?} ratio {:?} best {:?}", self.0.elapsed().as_secs_f64(), st.n_evaluated, a.operator, seen.evaluation.as_ref().map(|e| e.level), seen.evaluation.as_ref().and_then(|e| e.rejection.clone()), seen.evaluation.as_ref().and_then(|e| e.timing.as_ref().map(|t| (t.ratio, t.candidate_nanos/1e6))), st.best); } }
fn main(){
    sandbox::launch_if_requested();
    let a: Vec<String> = std::env::args().collect();
    let task = Arc::new(if a[1].ends_with(".json") { kernels::Task::load(std::path::Path::new(&a[1])).unwrap() } else { kernels::suite::find(&a[1]).unwrap() });
    let t0 = std::time::Instant::now();
    let court = Arc::new(kernels::court::Court::open(&task, kernels::judge::Options::new(sandbox::Launcher::current().unwrap(), 7)).unwrap_or_else(|e| { eprintln!("{} OPEN {e}", task.name); std::process::exit(2) }));
    eprintln!("open {:.2}s round trip {:?} floor {:?}", t0.elapsed().as_secs_f64(), court.judge().round_trip(), court.judge().floor());
    let archive = kernels::archive::Archive::open(std::path::Path::new(&a[3])).unwrap();
    let cfg = SearchConfig { task: task.name.clone(), strategy: Strategy::Evolve, seed: 1, shape: Shape::default(), proposers: vec!["builtin".into()], budget: Budget { evaluations: a[2].parse().unwrap(), secs: None, tokens: None, usd: None }, jobs: 1 };
    let cancel = AtomicBool::new(false);
    let c2 = court.clone();
    let deps = Deps { archive: &archive, task: &task, space: c2.schedules(), evaluator: court.clone(), models: vec![], cancel: &cancel, relay: None };
    let s = run(&cfg, &format!("{}-1", task.name), &deps, &P(t0)).unwrap();
    println!("{} {:.1}s {}", task.name, t0.elapsed().as_secs_f64(), serde_json::to_string(&s.best).unwrap());
}
