//! The slots under a model checker, and exchanges between threads.

use std::cell::Cell;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64 as Modelled, fence};

use super::slots::{self, Pen, Word, Words};
use super::*;

/// Words of a slot under the checker. Two suffice to be torn apart.
const N: usize = 2;

/// Memory whose words behave as the memory model allows, in all ways.
struct Model(Vec<Modelled>);

impl Model {
    fn new() -> Arc<Model> {
        Arc::new(Model((0..slots::CONTROL + 3 * N).map(|_| Modelled::new(0)).collect()))
    }
}

impl Word for Modelled {
    fn load(&self, ordering: Ordering) -> u64 {
        Modelled::load(self, ordering)
    }

    fn store(&self, value: u64, ordering: Ordering) {
        Modelled::store(self, value, ordering);
    }

    fn swap(&self, value: u64, ordering: Ordering) -> u64 {
        Modelled::swap(self, value, ordering)
    }

    fn compare_exchange(&self, old: u64, new: u64, ok: Ordering, no: Ordering) -> Result2 {
        Modelled::compare_exchange(self, old, new, ok, no)
    }
}

type Result2 = std::result::Result<u64, u64>;

impl Words for Model {
    type Word = Modelled;

    fn words(&self) -> &[Modelled] {
        &self.0
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }
}

/// The memory as a writer sees it who dies after so many changes: what it does later has no effect.
struct Mortal<'a>(Vec<MortalWord<'a>>);

struct MortalWord<'a> {
    word: &'a Modelled,
    changes_left: Rc<Cell<usize>>,
}

impl Mortal<'_> {
    fn new(model: &Model, changes: usize) -> Mortal<'_> {
        let left = Rc::new(Cell::new(changes));
        let word = |word| MortalWord { word, changes_left: Rc::clone(&left) };
        Mortal(model.0.iter().map(word).collect())
    }
}

impl MortalWord<'_> {
    fn lives(&self) -> bool {
        let left = self.changes_left.get();
        self.changes_left.set(left.saturating_sub(1));
        left > 0
    }
}

impl Word for MortalWord<'_> {
    fn load(&self, ordering: Ordering) -> u64 {
        self.word.load(ordering)
    }

    fn store(&self, value: u64, ordering: Ordering) {
        if self.lives() {
            self.word.store(value, ordering);
        }
    }

    fn swap(&self, value: u64, ordering: Ordering) -> u64 {
        if self.lives() { self.word.swap(value, ordering) } else { 0 }
    }

    fn compare_exchange(&self, old: u64, new: u64, ok: Ordering, no: Ordering) -> Result2 {
        if self.lives() { self.word.compare_exchange(old, new, ok, no) } else { Err(old) }
    }
}

impl<'a> Words for Mortal<'a> {
    type Word = MortalWord<'a>;

    fn words(&self) -> &[MortalWord<'a>] {
        &self.0
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }
}

/// Publishes these values, as a successor of whoever wrote before.
fn write<M: Words>(memory: &M, values: std::ops::RangeInclusive<u64>) {
    write_on(memory, Pen::take_up(memory, 0), values);
}

fn write_on<M: Words>(memory: &M, mut pen: Pen, values: std::ops::RangeInclusive<u64>) {
    for value in values {
        pen.publish(memory, 0, N, |slot| {
            slot.iter().for_each(|word| word.store(value, Ordering::Relaxed));
        });
    }
}

/// What a reader sees: 0 for nothing. Panics where it is torn.
fn read<M: Words>(memory: &M) -> u64 {
    let Some(slot) = slots::claim(memory, 0, N) else { return 0 };
    let first = slot[0].load(Ordering::Relaxed);
    assert!(slot.iter().all(|word| word.load(Ordering::Relaxed) == first), "torn");
    first
}

/// Every order of `writer` against a reader that looks `n_reads` times; what it sees never goes back.
fn check(n_reads: usize, writer: impl Fn(&Model) + Send + Sync + Copy + 'static) {
    // Faults in protocols of this size show with two or three switches between threads.
    check_with(Some(3), n_reads, writer);
}

fn check_with(
    most_switches: Option<usize>,
    n_reads: usize,
    writer: impl Fn(&Model) + Send + Sync + Copy + 'static,
) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = most_switches;
    builder.check(move || {
        let memory = Model::new();
        let shared = Arc::clone(&memory);
        let thread = loom::thread::spawn(move || writer(&shared));
        let mut last = 0;
        for _ in 0..n_reads {
            let seen = read(&*memory);
            assert!(seen >= last, "{seen} after {last}");
            last = seen;
        }
        thread.join().expect("the writer ends");
        let end = read(&*memory);
        assert!(end >= last);
    });
}

#[test]
fn in_every_order_a_reader_sees_whole_values_that_never_go_back() {
    check(2, |memory| write(memory, 1..=3));
}

#[test]
#[ignore = "needs: a minute"]
fn the_same_with_any_number_of_switches() {
    check_with(None, 2, |memory| write(memory, 1..=3));
    for changes in 5..9 {
        check_with(None, 2, move |memory| {
            write(&Mortal::new(memory, changes), 1..=2);
            write(memory, 3..=4);
        });
    }
}

#[test]
fn a_writer_killed_at_any_step_leaves_whole_values_to_the_reader_and_to_its_successor() {
    // To take up is one change; a write is four: two words, the newest slot, a claim. The second write
    // is cut short.
    for changes in 5..9 {
        check(2, move |memory| {
            write(&Mortal::new(memory, changes), 1..=2);
            write(memory, 3..=4);
        });
    }
}

#[test]
fn a_reader_that_dies_holding_a_slot_holds_nobody_up() {
    loom::model(|| {
        let memory = Model::new();
        write(&*memory, 1..=1);
        // Dead from here on, with slot 1 claimed.
        assert!(slots::claim(&*memory, 0, N).is_some());
        for value in 2..9 {
            write(&*memory, value..=value);
            let newest = slots::newest(&*memory, 0, N).expect("a value");
            assert_eq!(newest[1].load(Ordering::Relaxed), value);
        }
        assert_eq!(read(&*memory), 8);
    });
}

// Were these faults not found, the tests above would say nothing.

#[test]
#[should_panic(expected = "torn")]
fn the_checker_finds_the_fault_of_two_slots() {
    check(2, |memory| {
        for value in 1..=3 {
            let slot = value as usize % 2;
            let at = slots::CONTROL + slot * N;
            memory.0[at..at + N].iter().for_each(|word| word.store(value, Ordering::Relaxed));
            memory.0[0].store(slot as u64 + 1, Ordering::Release);
        }
    });
}

#[test]
#[should_panic(expected = "torn")]
fn the_checker_finds_the_fault_of_a_successor_that_leaves_things_undone() {
    check(2, move |memory| {
        write(&Mortal::new(memory, 8), 1..=2);
        // As `Pen::take_up`, without the claim.
        let pen = Pen::take_up(&Mortal::new(memory, 0), 0);
        write_on(memory, pen, 3..=4);
    });
}

const SMALL: Layout = Layout { n_floats: 5, n_bytes: 11 };

fn stamp(observed_at: u64) -> Stamp {
    Stamp { observed_at, published_at: observed_at + 3, checkpoint: u64::MAX - 5, prompt: 77 }
}

#[test]
fn a_value_comes_back_as_it_was_published() {
    let exchange = Exchange::create(SMALL).expect("memory");
    let (mut writer, mut reader) = (exchange.writer(), exchange.reader());
    assert_eq!(reader.take(), Taken::Empty);
    assert_eq!((reader.header(), reader.floats(), reader.bytes()), (None, &[][..], &[][..]));
    let (floats, bytes) = ([1.5, -0.0, f32::INFINITY], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    writer.publish(stamp(40), &floats, &bytes);
    assert_eq!(reader.take(), Taken::New);
    assert_eq!((reader.floats(), reader.bytes()), (&floats[..], &bytes[..]));
    let header = *reader.header().expect("a value");
    assert_eq!((header.sequence, header.incarnation, header.stamp), (1, 1, stamp(40)));
    assert_eq!(reader.take(), Taken::Same);
    writer.publish(stamp(50), &[], &[0; 11]);
    assert_eq!(reader.take(), Taken::New);
    assert_eq!((reader.floats().len(), reader.bytes().len()), (0, 11));
}

#[test]
fn a_writer_that_attaches_goes_on_counting_and_can_see_what_was_there() {
    let exchange = Exchange::create(SMALL).expect("memory");
    let mut first = exchange.writer();
    assert_eq!(first.last(), None);
    first.publish(stamp(1), &[1.0], &[]);
    first.publish(stamp(2), &[2.0], &[9]);
    drop(first);
    let file = exchange.descriptor().as_fd().try_clone_to_owned().expect("a copy");
    let attached = Exchange::attach(file).expect("an exchange");
    assert_eq!(attached.layout(), SMALL);
    let mut second = attached.writer();
    let last = second.last().expect("a value");
    assert_eq!((last.floats, last.bytes, second.incarnation()), (vec![2.0], vec![9], 2));
    second.publish(stamp(3), &[3.0], &[]);
    assert_eq!(exchange.n_published(), 3);
    let mut reader = exchange.reader();
    assert_eq!(reader.take(), Taken::New);
    let header = reader.header().expect("a value");
    assert_eq!((header.sequence, header.incarnation), (3, 2));
}

#[test]
fn damage_is_counted_and_what_was_held_is_kept() {
    let exchange = Exchange::create(SMALL).expect("memory");
    let (mut writer, mut reader) = (exchange.writer(), exchange.reader());
    writer.publish(stamp(1), &[1.0, 2.0, 3.0], &[]);
    reader.take();
    writer.publish(stamp(2), &[4.0, 5.0, 6.0], &[]);
    let slot = slots::newest(&*exchange.mapping, FIRST, SMALL.n_words()).expect("a value");
    slot[9].fetch_xor(1 << 40, Ordering::Relaxed);
    assert_eq!(reader.take(), Taken::Damaged);
    assert_eq!((reader.floats(), reader.n_damaged()), (&[1.0, 2.0, 3.0][..], 1));
    // A header that claims more than there is room for.
    slot[2].store(u64::MAX, Ordering::Relaxed);
    assert_eq!(reader.take(), Taken::Damaged);
    writer.publish(stamp(3), &[7.0], &[]);
    assert_eq!((reader.take(), reader.floats()), (Taken::New, &[7.0][..]));
}

#[test]
fn what_is_no_exchange_of_this_version_is_refused() {
    let attach = |exchange: &Exchange| {
        let file = exchange.descriptor().try_clone_to_owned().expect("a copy");
        Exchange::attach(file).expect_err("no exchange").to_string()
    };
    let exchange = Exchange::create(SMALL).expect("memory");
    let words = exchange.mapping.words();
    words[LAYOUT].store(u64::MAX, Ordering::Relaxed);
    assert!(attach(&exchange).contains("smaller than its layout"));
    words[KIND].fetch_add(1, Ordering::Relaxed);
    assert!(attach(&exchange).contains("version 2 where this program has 1"));
    words[KIND].store(0, Ordering::Relaxed);
    assert!(attach(&exchange).contains("holds no exchange"));
    let file = std::fs::File::open("/dev/null").expect("a file");
    assert!(Exchange::attach(file.into()).is_err());
    let huge = Layout { n_floats: 1 << 30, n_bytes: 0 };
    assert!(Exchange::create(huge).is_err());
    let error = exchange.expect_layout("latents", Layout { n_floats: 4, n_bytes: 11 });
    assert_eq!(
        error.expect_err("another layout").to_string(),
        "exchange of latents (floats) has 5 values where 4 are expected"
    );
}

#[test]
fn between_threads_at_full_speed_nothing_is_damaged_and_nothing_goes_back() {
    let exchange = Exchange::create(Layout { n_floats: 300, n_bytes: 0 }).expect("memory");
    let mut writer = exchange.writer();
    let mut reader = exchange.reader();
    let ended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let end = std::sync::Arc::clone(&ended);
    let thread = std::thread::spawn(move || {
        for count in 1_u64.. {
            writer.publish(stamp(count), &[count as f32; 300], &[]);
            if end.load(Ordering::Relaxed) {
                return count;
            }
            if count % 64 == 0 {
                // Where both share a processor.
                std::thread::yield_now();
            }
        }
        0
    });
    let (mut last, mut n_new) = (0, 0);
    while n_new < 3_000 {
        if reader.take() == Taken::New {
            let header = reader.header().expect("a value");
            assert!(header.sequence > last);
            last = header.sequence;
            assert!(reader.floats().iter().all(|&value| value == last as f32));
            n_new += 1;
        } else {
            std::thread::yield_now();
        }
    }
    ended.store(true, Ordering::Relaxed);
    assert!(thread.join().expect("the writer") >= last);
    assert_eq!(reader.n_damaged(), 0);
}

#[cfg(feature = "iceoryx2")]
#[test]
fn over_iceoryx2_the_newest_value_comes_whole_and_a_successor_goes_on() {
    let name = format!("tetrad-test-{}", std::process::id());
    let carrier = Carrier::open(&name).expect("iceoryx2");
    let exchange = Exchange::create(Layout { n_floats: 5, n_bytes: 11 }).expect("memory");
    let writer = || exchange.writer().over(&carrier, "0/latent").expect("a writer");
    let mut reader = exchange.reader().over(&carrier, "0/latent").expect("a reader");
    let mut onlooker = exchange.reader().over(&carrier, "0/latent").expect("another");
    assert_eq!(reader.take(), Taken::Empty);
    let mut first = writer();
    for number in 1..=3_u8 {
        first.publish(stamp(u64::from(number)), &[f32::from(number); 5], &[number; 11]);
    }
    assert_eq!(reader.take(), Taken::New);
    let seen = (reader.header().expect("a header").sequence, reader.floats(), reader.bytes());
    assert_eq!(seen, (3, &[3.0; 5][..], &[3; 11][..]));
    assert_eq!(reader.take(), Taken::Same);
    drop(first);
    let mut second = writer();
    assert_eq!(second.last().expect("a value").floats, [3.0; 5]);
    second.publish(stamp(4), &[4.0], &[]);
    for reader in [&mut reader, &mut onlooker] {
        assert_eq!(reader.take(), Taken::New);
        let header = reader.header().expect("a header");
        assert_eq!((header.sequence, header.incarnation), (4, 2));
        assert_eq!((reader.floats(), reader.bytes()), (&[4.0][..], &[][..]));
    }
    assert!(Carrier::open("").is_err());
}
