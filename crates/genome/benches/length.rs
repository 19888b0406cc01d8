//! Time against length of context: `cargo bench -p genome --bench length [-- --quick]`.
//!
//! Three models of one width in the same code, with random weights: Hyena layers alone, the layout of
//! StripedHyena 2 (one layer in seven attends), and a Transformer of as many parameters (every layer
//! attends). Hyena layers are streamed through every length in full. Of the other two a sequence is
//! read in full up to a length; the time of a longer one is the sum over its pieces of times that are
//! measured at some positions and interpolated between them, because attention over 131072 bases is
//! 2e14 operations. There the keys and values that stand before are those of the sequence that was
//! read, several times over; what that does to the time is measured too.
//!
//! Flags: `--quick`, `--channels N`, `--layers N`, `--hyena-layers N`, `--threads N`,
//! `--precision f32|bf16|int8`. With `--threads 1` what is measured is time on the processor, which
//! other work on the machine disturbs little; otherwise time on the clock.
#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::path::Path;
use std::time::Instant;

use genome::ModelConfig;
use genome::model::{Random, State, StripedHyena, Token};
use nn::{Cpu, Precision, threads};
use runs::Host;
use runs::html::{Cell, Page};
use runs::plot::{self, Axes, Series};
use runs::stats::{median, quantile};

const SEED: u64 = 1;

/// Tokens that are timed at once: what the model takes through its layers at once.
const PIECE: usize = 512;

/// How much longer a base may take at the end, in Hyena layers alone.
const FLAT: f64 = 1.3;

/// Lengths, and how many times as fast as a Transformer the layout has to be there.
const BARS: [(usize, f64); 2] = [(16 << 10, 1.3), (128 << 10, 3.0)];

#[derive(Debug, Clone)]
struct Settings {
    n_channels: usize,
    n_layers: usize,
    n_hyena_layers: usize,
    n_threads: usize,
    precision: Precision,
    /// Lengths at which Hyena layers alone are timed.
    alone: Vec<usize>,
    /// Rounds over those lengths.
    n_rounds: usize,
    /// Length that the other models read in full, and how often.
    n_read: usize,
    n_passes: usize,
    /// Positions beyond, and pieces that are timed there.
    positions: Vec<usize>,
    n_pieces: usize,
}

impl Settings {
    fn from_arguments() -> Settings {
        let arguments: Vec<String> = std::env::args().collect();
        let value = |flag: &str| {
            let at = arguments.iter().position(|argument| argument == flag)?;
            Some(arguments.get(at + 1).expect("a value").clone())
        };
        let number = |flag: &str, or: usize| {
            value(flag).map_or(or, |text| text.parse().expect("a whole number"))
        };
        let quick = arguments.iter().any(|argument| argument == "--quick");
        let kibi = |all: &[usize]| all.iter().map(|n| n << 10).collect();
        Settings {
            n_channels: number("--channels", 512),
            n_layers: number("--layers", 12),
            n_hyena_layers: number("--hyena-layers", 3),
            n_threads: number("--threads", 2),
            precision: match value("--precision").as_deref() {
                None | Some("f32") => Precision::F32,
                Some("bf16") => Precision::Bf16,
                Some("int8") => Precision::Int8,
                Some(other) => panic!("`{other}` is no precision"),
            },
            alone: kibi(if quick { &[4, 16, 64] } else { &[4, 16, 64, 256, 1024] }),
            n_rounds: if quick { 5 } else { 9 },
            n_read: if quick { 4 << 10 } else { 16 << 10 },
            n_passes: if quick { 1 } else { 2 },
            positions: kibi(if quick { &[8, 16] } else { &[32, 64, 128] }),
            n_pieces: if quick { 2 } else { 3 },
        }
    }

    /// A model of which some layers attend, with an MLP of its own width or the usual one.
    fn config(
        &self,
        name: &str,
        n_layers: usize,
        attends: impl Fn(usize) -> bool,
        n_inner: Option<usize>,
    ) -> ModelConfig {
        let (attention, hyena): (Vec<usize>, Vec<usize>) = (0..n_layers).partition(|l| attends(*l));
        let kind = |kind: usize| hyena.iter().skip(kind).step_by(3).collect::<Vec<_>>();
        let mut config = serde_json::json!({
            "model_name": name, "vocab_size": 512, "hidden_size": self.n_channels,
            "num_layers": n_layers, "hcs_layer_idxs": kind(0), "hcm_layer_idxs": kind(1),
            "hcl_layer_idxs": kind(2), "attn_layer_idxs": attention, "short_filter_length": 3,
            "hcs_filter_length": 7, "hcs_filter_groups": 32, "hcm_filter_length": 128,
            "hcm_filter_groups": 32, "state_size": 16,
            "num_attention_heads": (self.n_channels / 128).max(1), "rotary_emb_base": 10000,
            "eps": 1e-6, "max_seqlen": 131_072,
        });
        if let Some(n_inner) = n_inner {
            config["inner_mlp_size"] = n_inner.into();
        }
        ModelConfig::parse(&config.to_string()).expect("a valid configuration")
    }

    fn striped(&self) -> ModelConfig {
        self.config("StripedHyena 2", self.n_layers, |layer| layer % 7 == 3, None)
    }

    /// Of as many parameters as the other: its MLP makes up for what filters have.
    fn transformer(&self) -> ModelConfig {
        let n_wanted = self.striped().n_parameters();
        let of = |n_inner| self.config("Transformer", self.n_layers, |_| true, Some(n_inner));
        let sizes = (1..=self.n_channels / 4).map(|blocks| of(32 * blocks));
        let nearest = sizes.min_by_key(|config| config.n_parameters().abs_diff(n_wanted));
        nearest.expect("a size")
    }

    fn load(&self, config: &ModelConfig) -> StripedHyena {
        let source = Random { seed: SEED, narrow: true };
        StripedHyena::load(config, &source, self.precision).expect("random weights")
    }
}

fn timed(work: impl FnOnce()) -> f64 {
    let (start, on_processor) = (Instant::now(), on_processor());
    work();
    match (on_processor, self::on_processor()) {
        (Some(before), Some(after)) if threads::count() == 1 => after - before,
        _ => start.elapsed().as_secs_f64(),
    }
}

/// Seconds that this thread was on a processor, where the system says it.
fn on_processor() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos: u64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanos as f64 / 1e9)
}

/// Which time that is.
fn clock() -> &'static str {
    let processor = threads::count() == 1 && on_processor().is_some();
    if processor { "time on the processor" } else { "time on the clock" }
}

fn bases(n: usize) -> Vec<Token> {
    let mut state = SEED;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Token::from(b"ACGT"[(state >> 62) as usize])
    };
    (0..n).map(|_| next()).collect()
}

/// Samples of one quantity, in seconds.
#[derive(Debug, Clone, Default)]
struct Samples(Vec<f64>);

/// Least, middle and greatest of samples, or sums of them.
#[derive(Debug, Clone, Copy, Default)]
struct Spread {
    low: f64,
    middle: f64,
    high: f64,
}

impl Samples {
    fn spread(&self) -> Spread {
        let at = |q| quantile(&self.0, q).expect("samples");
        Spread { low: at(0.0), middle: median(&self.0).expect("samples"), high: at(1.0) }
    }
}

impl Spread {
    fn map(self, f: impl Fn(f64) -> f64) -> Spread {
        Spread { low: f(self.low), middle: f(self.middle), high: f(self.high) }
    }

    fn with(self, other: Spread, f: impl Fn(f64, f64) -> f64) -> Spread {
        Spread {
            low: f(self.low, other.low),
            middle: f(self.middle, other.middle),
            high: f(self.high, other.high),
        }
    }

    /// How many times as long, at least and at most.
    fn over(self, other: Spread) -> Spread {
        Spread {
            low: self.low / other.high,
            middle: self.middle / other.middle,
            high: self.high / other.low,
        }
    }

    fn show(self, digits: usize) -> String {
        let Spread { low, middle, high } = self;
        format!("{middle:.digits$} [{low:.digits$}, {high:.digits$}]")
    }
}

/// `4 Ki`, `1 Mi`: bases in powers of two.
fn length(n: usize) -> String {
    if n >= 1 << 20 { format!("{} Mi", n >> 20) } else { format!("{} Ki", n >> 10) }
}

fn bar(name: &str, met: Option<bool>) -> String {
    let met = met.map_or("not measured", |met| if met { "met" } else { "NOT met" });
    format!("bar: {name}: {met}")
}

/// Hyena layers alone: time per base at each length, of one sequence that is read to its end.
fn alone(settings: &Settings) -> Vec<(usize, Spread)> {
    let config = settings.config("Hyena alone", settings.n_hyena_layers, |_| false, None);
    let model = settings.load(&config);
    let tokens = bases(*settings.alone.last().expect("a length"));
    let (mut state, mut at) = (model.state(), 0);
    // Four pieces, the last before each length.
    let n_timed = 4 * PIECE;
    let mut before: Vec<State> = Vec::new();
    for n in &settings.alone {
        model.forward(&tokens[at..n - n_timed], &mut state, |_, _| {});
        at = n - n_timed;
        before.push(state.clone());
    }
    let mut samples = vec![Samples::default(); before.len()];
    // Round after round over all lengths: what else the machine does meets them alike.
    for _ in 0..settings.n_rounds {
        for ((n, before), samples) in settings.alone.iter().zip(&before).zip(&mut samples) {
            let mut state = before.clone();
            let tokens = &tokens[n - n_timed..*n];
            samples.0.push(timed(|| model.forward(tokens, &mut state, |_, _| {})));
        }
    }
    println!(
        "\n{} Hyena layers alone: {} parameters, {} kB of state; the last {n_timed} bases before each \
         length, n = {} rounds, median [least, greatest]",
        config.num_layers,
        config.n_parameters(),
        state.size_bytes() / 1000,
        settings.n_rounds
    );
    let per_base = |samples: &Samples| samples.spread().map(|s| s * 1e6 / n_timed as f64);
    let points: Vec<(usize, Spread)> =
        settings.alone.iter().copied().zip(samples.iter().map(per_base)).collect();
    let first = points[0].1;
    println!("{:>8} {:>26} {:>8}", "bases", "us a base", "ratio");
    for (n, each) in &points {
        println!("{:>8} {:>26} {:>8.3}", length(*n), each.show(1), each.middle / first.middle);
    }
    let last = points.last().expect("a length");
    let met = last.1.middle / first.middle <= FLAT;
    let name = format!("time a base at {} at most {FLAT} times that at 4 Ki", length(last.0));
    println!("{}", bar(&name, Some(met)));
    points
}

/// Times of one model's pieces, in seconds.
struct Curve {
    /// Of each piece that was read.
    read: Vec<Samples>,
    /// Middle of some pieces beyond, in bases, and their times.
    beyond: Vec<(f64, Spread)>,
}

impl Curve {
    /// Time of a sequence.
    fn total(&self, n: usize) -> Spread {
        let add = |a: Spread, b: Spread| a.with(b, |a, b| a + b);
        let read = self.read.iter().take(n / PIECE).map(Samples::spread);
        let read = read.fold(Spread::default(), add);
        let pieces = self.read.len()..(n / PIECE).max(self.read.len());
        pieces.map(|piece| self.at((piece as f64 + 0.5) * PIECE as f64)).fold(read, add)
    }

    /// Time of a piece beyond what was read: on the line through the two places around it.
    fn at(&self, place: f64) -> Spread {
        let after = self.beyond.iter().position(|(at, _)| *at >= place);
        let after = after.unwrap_or(self.beyond.len() - 1).max(1);
        let ((from, low), (to, high)) = (self.beyond[after - 1], self.beyond[after]);
        let share = (place - from) / (to - from);
        low.with(high, |low, high| low + (high - low) * share)
    }
}

/// Reads a sequence, and keeps what is remembered after a quarter of it and after all.
fn read(model: &StripedHyena, tokens: &[Token], times: &mut [Samples]) -> (State, State) {
    let mut state = model.state();
    let mut quarter = None;
    for (idx, (piece, samples)) in tokens.chunks_exact(PIECE).zip(times).enumerate() {
        if idx * PIECE == tokens.len() / 4 {
            quarter = Some(state.clone());
        }
        samples.0.push(timed(|| model.forward(piece, &mut state, |_, _| {})));
    }
    (quarter.expect("a quarter"), state)
}

/// Pieces after a state.
fn pieces(model: &StripedHyena, state: &mut State, settings: &Settings) -> (f64, Spread) {
    let n = settings.n_pieces;
    let tokens = bases(PIECE);
    let middle = state.n_tokens() as f64 + (n * PIECE) as f64 / 2.0;
    let once = || timed(|| model.forward(&tokens, state, |_, _| {}));
    (middle, Samples(std::iter::repeat_with(once).take(n).collect()).spread())
}

fn curves(settings: &Settings, models: [&StripedHyena; 2]) -> [Curve; 2] {
    let tokens = bases(settings.n_read);
    let n_pieces = settings.n_read / PIECE;
    let mut times = [(); 2].map(|()| vec![Samples::default(); n_pieces]);
    let mut states = [None, None];
    for _ in 0..settings.n_passes {
        for ((model, times), state) in models.into_iter().zip(&mut times).zip(&mut states) {
            *state = None;
            *state = Some(read(model, &tokens, times));
        }
    }
    let mut made = models.into_iter().zip(times).zip(states).map(|((model, read), states)| {
        let (quarter, all) = states.expect("a pass");
        let n_more = settings.n_pieces * PIECE;
        // The same place twice: after a sequence that was read, and after a quarter of it four times.
        let (_, real) = pieces(model, &mut all.repeated(1, n_more), settings);
        let (_, made) = pieces(model, &mut quarter.repeated(4, n_more), settings);
        println!(
            "{}: after {} bases a piece takes {} ms, and {} ms after {} bases four times over",
            model.config().model_name,
            length(all.n_tokens()),
            real.map(|s| s * 1e3).show(0),
            made.map(|s| s * 1e3).show(0),
            length(quarter.n_tokens()),
        );
        drop(quarter);
        // The last pieces that were read begin the line.
        let last: Vec<f64> = read[n_pieces - 8..].iter().map(|s| s.spread().middle).collect();
        let mut beyond = vec![((settings.n_read - 4 * PIECE) as f64, Samples(last).spread())];
        for position in &settings.positions {
            let mut state = all.repeated(position / settings.n_read, n_more);
            beyond.push(pieces(model, &mut state, settings));
        }
        Curve { read, beyond }
    });
    let first = made.next().expect("two models");
    [first, made.next().expect("two models")]
}

/// One length of both models.
struct Row {
    n: usize,
    /// Seconds.
    striped: Spread,
    transformer: Spread,
    ratio: Spread,
    in_full: bool,
}

fn whole(settings: &Settings) -> Vec<Row> {
    let (striped, transformer) = (settings.striped(), settings.transformer());
    let n = [striped.n_parameters(), transformer.n_parameters()];
    let apart = 100.0 * n[1].abs_diff(n[0]) as f64 / n[0] as f64;
    println!(
        "\nwhole sequences: StripedHyena 2 of {} parameters ({} of {} layers attend), Transformer of {} \
         ({apart:.2} % apart)",
        n[0],
        striped.attn_layer_idxs.len(),
        striped.num_layers,
        n[1]
    );
    assert!(apart <= 2.0, "models of one size");
    let models = [settings.load(&striped), settings.load(&transformer)];
    let [striped, transformer] = curves(settings, [&models[0], &models[1]]);
    println!(
        "up to {} read in full, n = {} passes; beyond from n = {} pieces of {PIECE} at each of {}; \
         median [least, greatest]",
        length(settings.n_read),
        settings.n_passes,
        settings.n_pieces,
        settings.positions.iter().map(|n| length(*n)).collect::<Vec<_>>().join(", ")
    );
    println!(
        "{:>8} {:>26} {:>26} {:>22}  how",
        "bases", "StripedHyena 2, s", "Transformer, s", "ratio"
    );
    let lengths = [1, 4, 16].map(|n: usize| n << 10).into_iter().filter(|n| *n <= settings.n_read);
    let rows = lengths.chain(settings.positions.iter().copied()).map(|n| {
        let (striped, transformer) = (striped.total(n), transformer.total(n));
        let ratio = transformer.over(striped);
        let row = Row { n, striped, transformer, ratio, in_full: n <= settings.n_read };
        println!(
            "{:>8} {:>26} {:>26} {:>22}  {}",
            length(n),
            striped.show(2),
            transformer.show(2),
            ratio.show(2),
            how(&row)
        );
        row
    });
    let rows: Vec<Row> = rows.collect();
    for (n, least) in BARS {
        let row = rows.iter().find(|row| row.n == n);
        let name = format!("StripedHyena 2 at least {least} times as fast at {}", length(n));
        println!("{}", bar(&name, row.map(|row| row.ratio.middle >= least)));
    }
    rows
}

fn how(row: &Row) -> &'static str {
    if row.in_full { "read in full" } else { "summed from positions" }
}

fn page(settings: &Settings, machine: &str, alone: &[(usize, Spread)], rows: &[Row]) -> String {
    let mut axes = Axes::new(
        "Time per base against length, Hyena layers alone",
        "bases before",
        "times that at 4 Ki",
    );
    axes.x_logarithmic = true;
    let first = alone[0].1.middle;
    let of = |name: &str, ratio: &dyn Fn(f64) -> f64| {
        let each = |(n, each): &(usize, Spread)| (*n as f64, ratio(each.middle));
        Series::new(name, alone.iter().map(each).collect::<Vec<_>>())
    };
    let flat =
        plot::lines(&axes, &[of("Hyena layers alone", &|each| each / first), of("bar", &|_| FLAT)]);
    let mut axes = Axes::new("Time per base against length", "bases in all", "microseconds a base");
    (axes.x_logarithmic, axes.y_logarithmic) = (true, true);
    let of = |name: &str, seconds: &dyn Fn(&Row) -> f64| {
        let each = |row: &Row| (row.n as f64, seconds(row) * 1e6 / row.n as f64);
        Series::new(name, rows.iter().map(each).collect::<Vec<_>>())
    };
    let both = plot::lines(
        &axes,
        &[
            of("StripedHyena 2", &|row| row.striped.middle),
            of("Transformer", &|row| row.transformer.middle),
        ],
    );
    let mut page = Page::new("Time against length of context");
    page.fact("machine", machine)
        .fact("width", format!("{} channels", settings.n_channels))
        .fact("precision", settings.precision.name())
        .section("Hyena layers alone")
        .figure(flat, "One sequence, read to its end; medians.")
        .section("Whole sequences")
        .figure(both, "Medians; time of the whole sequence over its bases.")
        .table(
            ["bases", "StripedHyena 2, s", "Transformer, s", "ratio", "how"],
            rows.iter().map(|row| {
                [
                    Cell::number(length(row.n)),
                    Cell::number(row.striped.show(2)),
                    Cell::number(row.transformer.show(2)),
                    Cell::number(row.ratio.show(2)),
                    Cell::text(how(row)),
                ]
            }),
        );
    page.render()
}

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let settings = Settings::from_arguments();
    threads::with_count(settings.n_threads, || {
        let machine = format!(
            "{}, {} threads, {}, {}",
            Host::observe().cpu,
            settings.n_threads,
            Cpu::best().names().join(" "),
            clock()
        );
        println!(
            "{machine}; {} channels, {}, seed {SEED}",
            settings.n_channels,
            settings.precision.name()
        );
        let alone = alone(&settings);
        let rows = whole(&settings);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("length.html");
        let page = page(&settings, &machine, &alone, &rows);
        std::fs::write(&path, page).expect("the page is written");
        println!("\nplots: {}", path.display());
    });
}
