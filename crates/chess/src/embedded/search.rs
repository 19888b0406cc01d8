//! Iterative deepening alpha-beta with a transposition table, quiescence search and simple move
//! ordering. One thread; with a node limit it is deterministic: same position, same nodes, same
//! move.

use std::time::{Duration, Instant};

use cozy_chess::{Board, GameStatus, Move, Piece};

use super::evaluate::{evaluate, worth};
use crate::position::Position;

const MATE: i32 = 100_000;
const INFINITE: i32 = 1_000_000;
const DEEPEST: usize = 64;
/// Entries of the transposition table; a power of two. 2^16 × 24 bytes is 1.5 MiB.
const N_ENTRIES: usize = 1 << 16;

/// When a search stops, whichever comes first.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Positions visited.
    pub nodes: u64,
    /// Plies.
    pub depth: u32,
    /// Wall time; `None` keeps the search deterministic.
    pub time: Option<Duration>,
}

/// What one completed depth found.
#[derive(Debug, Clone)]
pub struct Line {
    /// Plies.
    pub depth: u32,
    /// Centipawns from the side to move; mate in n plies is ±(100 000 − n).
    pub score: i32,
    /// Positions visited so far.
    pub nodes: u64,
    /// Best move, UCI.
    pub best_move: String,
}

#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    mv: Move,
    score: i32,
    depth: i8,
    bound: Bound,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    Exact,
    Lower,
    Upper,
}

/// The limit was reached: unwinds the search, the last completed depth stands.
struct Stopped;

/// A search with its memory.
pub struct Searcher {
    table: Vec<Option<Entry>>,
    killers: [[Option<Move>; 2]; DEEPEST + 1],
    /// Hashes of the game so far and of the line being searched, for repetitions.
    path: Vec<u64>,
    nodes: u64,
    limit: Limit,
    began: Instant,
}

impl std::fmt::Debug for Searcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Searcher").field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

impl Default for Searcher {
    fn default() -> Self {
        Self::new()
    }
}

impl Searcher {
    /// A search that remembers nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            table: vec![None; N_ENTRIES],
            killers: [[None; 2]; DEEPEST + 1],
            path: Vec::new(),
            nodes: 0,
            limit: Limit { nodes: 0, depth: 0, time: None },
            began: Instant::now(),
        }
    }

    /// Searches `position`, which came after `history` (for repetitions). Calls `on_depth` after
    /// each completed depth. Returns `None` when there is no legal move.
    pub fn search(
        &mut self,
        position: &Position,
        history: &[Position],
        limit: Limit,
        mut on_depth: impl FnMut(&Line),
    ) -> Option<Line> {
        self.table.fill(None);
        self.killers = [[None; 2]; DEEPEST + 1];
        self.path = history.iter().map(|position| position.board().hash()).collect();
        self.path.push(position.board().hash());
        self.nodes = 0;
        self.limit = limit;
        self.began = Instant::now();
        let first = *position.moves().first()?;
        // Until a depth is complete any legal move is better than none.
        let mut best = Line { depth: 0, score: 0, nodes: 0, best_move: position.uci(first) };
        for depth in 1..=limit.depth.min(DEEPEST as u32) {
            let Ok((score, mv)) = self.root(position.board(), depth as i32) else { break };
            best = Line { depth, score, nodes: self.nodes, best_move: position.uci(mv) };
            on_depth(&best);
            if score.abs() > MATE - DEEPEST as i32 {
                break;
            }
        }
        best.nodes = self.nodes;
        Some(best)
    }

    fn root(&mut self, board: &Board, depth: i32) -> Result<(i32, Move), Stopped> {
        let mut moves = ordered(board, self.remembered(board), self.killers[0], false);
        let (mut alpha, mut best) = (-INFINITE, moves[0]);
        for mv in moves.drain(..) {
            let score = -self.child(board, mv, depth - 1, -INFINITE, -alpha, 1)?;
            if score > alpha {
                (alpha, best) = (score, mv);
            }
        }
        self.remember(board, best, alpha, depth, Bound::Exact);
        Ok((alpha, best))
    }

    /// Plays `mv` and searches what follows, from the other side.
    fn child(
        &mut self,
        board: &Board,
        mv: Move,
        depth: i32,
        alpha: i32,
        beta: i32,
        ply: usize,
    ) -> Result<i32, Stopped> {
        let mut next = board.clone();
        next.play_unchecked(mv);
        self.path.push(next.hash());
        let score = self.alpha_beta(&next, depth, alpha, beta, ply);
        self.path.pop();
        score
    }

    fn alpha_beta(
        &mut self,
        board: &Board,
        depth: i32,
        mut alpha: i32,
        beta: i32,
        ply: usize,
    ) -> Result<i32, Stopped> {
        self.count()?;
        if let Some(score) = self.drawn(board) {
            return Ok(score);
        }
        let in_check = !board.checkers().is_empty();
        let depth = if in_check { depth + 1 } else { depth };
        if depth <= 0 || ply >= DEEPEST {
            return self.quiescence(board, alpha, beta, ply);
        }
        if let Some(entry) = self.entry(board) {
            let usable = match entry.bound {
                Bound::Exact => true,
                Bound::Lower => entry.score >= beta,
                Bound::Upper => entry.score <= alpha,
            };
            if usable && i32::from(entry.depth) >= depth {
                return Ok(entry.score);
            }
        }
        let moves = ordered(board, self.remembered(board), self.killers[ply], false);
        let Some(&first) = moves.first() else {
            return Ok(if in_check { ply as i32 - MATE } else { 0 });
        };
        let (asked, mut best, mut best_move) = (alpha, -INFINITE, first);
        for (idx, mv) in moves.into_iter().enumerate() {
            // Late quiet moves are first tried one ply shallower with a null window.
            let late = idx >= 4 && depth >= 3 && !in_check && quiet(board, mv);
            let mut score = if idx == 0 {
                -self.child(board, mv, depth - 1, -beta, -alpha, ply + 1)?
            } else {
                let shallower = depth - 1 - i32::from(late);
                -self.child(board, mv, shallower, -alpha - 1, -alpha, ply + 1)?
            };
            if idx > 0 && score > alpha && (late || score < beta) {
                score = -self.child(board, mv, depth - 1, -beta, -alpha, ply + 1)?;
            }
            if score > best {
                (best, best_move) = (score, mv);
            }
            alpha = alpha.max(score);
            if alpha >= beta {
                if quiet(board, mv) && self.killers[ply][0] != Some(mv) {
                    self.killers[ply] = [Some(mv), self.killers[ply][0]];
                }
                break;
            }
        }
        let bound = match best {
            _ if best >= beta => Bound::Lower,
            _ if best > asked => Bound::Exact,
            _ => Bound::Upper,
        };
        self.remember(board, best_move, best, depth, bound);
        Ok(best)
    }

    /// Captures only, until the position is quiet, so that no hanging piece is counted.
    fn quiescence(
        &mut self,
        board: &Board,
        mut alpha: i32,
        beta: i32,
        ply: usize,
    ) -> Result<i32, Stopped> {
        let in_check = !board.checkers().is_empty();
        let moves = ordered(board, None, [None; 2], !in_check);
        if moves.is_empty() {
            return Ok(match board.status() {
                GameStatus::Won => ply as i32 - MATE,
                GameStatus::Drawn => 0,
                GameStatus::Ongoing => evaluate(board),
            });
        }
        let mut best = -INFINITE;
        if !in_check {
            best = evaluate(board);
            alpha = alpha.max(best);
            if alpha >= beta {
                return Ok(best);
            }
        }
        if ply >= DEEPEST {
            return Ok(evaluate(board));
        }
        for mv in moves {
            self.count()?;
            let mut next = board.clone();
            next.play_unchecked(mv);
            best = best.max(-self.quiescence(&next, -beta, -alpha, ply + 1)?);
            alpha = alpha.max(best);
            if alpha >= beta {
                break;
            }
        }
        Ok(best)
    }

    fn count(&mut self) -> Result<(), Stopped> {
        self.nodes += 1;
        // The clock is read every 1024 nodes: reading it costs more than a node.
        let late = self.nodes.is_multiple_of(1024)
            && self.limit.time.is_some_and(|time| self.began.elapsed() >= time);
        if self.nodes > self.limit.nodes || late { Err(Stopped) } else { Ok(()) }
    }

    /// A repetition of the path, or fifty quiet moves.
    fn drawn(&self, board: &Board) -> Option<i32> {
        let hash = board.hash();
        let reach = usize::from(board.halfmove_clock());
        let earlier = self.path.iter().rev().skip(1).take(reach);
        (earlier.filter(|&&other| other == hash).count() > 0 || board.halfmove_clock() >= 100)
            .then_some(0)
    }

    fn slot(board: &Board) -> usize {
        board.hash() as usize & (N_ENTRIES - 1)
    }

    fn entry(&self, board: &Board) -> Option<Entry> {
        self.table[Self::slot(board)].filter(|entry| entry.hash == board.hash())
    }

    fn remembered(&self, board: &Board) -> Option<Move> {
        self.entry(board).map(|entry| entry.mv)
    }

    fn remember(&mut self, board: &Board, mv: Move, score: i32, depth: i32, bound: Bound) {
        // Mate scores count plies from the root: a stored one would be wrong at another ply.
        if score.abs() <= MATE - 2 * DEEPEST as i32 {
            let entry = Entry { hash: board.hash(), mv, score, depth: depth as i8, bound };
            self.table[Self::slot(board)] = Some(entry);
        }
    }
}

fn quiet(board: &Board, mv: Move) -> bool {
    mv.promotion.is_none() && !captures(board, mv)
}

fn captures(board: &Board, mv: Move) -> bool {
    let taken = board.color_on(mv.to) == Some(!board.side_to_move());
    let en_passant = board.piece_on(mv.from) == Some(Piece::Pawn) && mv.from.file() != mv.to.file();
    taken || en_passant
}

/// Legal moves, most promising first: remembered, captures by victim and attacker, killers, rest.
/// Equal moves keep the generator's order, which is fixed.
fn ordered(
    board: &Board,
    first: Option<Move>,
    killers: [Option<Move>; 2],
    noisy_only: bool,
) -> Vec<Move> {
    let mut moves = Vec::with_capacity(48);
    board.generate_moves(|set| {
        for mv in set {
            if noisy_only && quiet(board, mv) {
                continue;
            }
            moves.push((rank(board, mv, first, killers), mv));
        }
        false
    });
    moves.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
    moves.into_iter().map(|(_, mv)| mv).collect()
}

fn rank(board: &Board, mv: Move, first: Option<Move>, killers: [Option<Move>; 2]) -> i32 {
    if first == Some(mv) {
        return 1_000_000;
    }
    if captures(board, mv) {
        let victim = board.piece_on(mv.to).map_or(worth(Piece::Pawn), worth);
        let attacker = board.piece_on(mv.from).map_or(0, worth);
        return 100_000 + 16 * victim - attacker;
    }
    if let Some(piece) = mv.promotion {
        return 90_000 + worth(piece);
    }
    if killers.contains(&Some(mv)) { 80_000 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(fen: &str, nodes: u64) -> Line {
        let limit = Limit { nodes, depth: 64, time: None };
        Searcher::new().search(&Position::parse(fen).unwrap(), &[], limit, |_| {}).unwrap()
    }

    #[test]
    fn mates_in_two_and_three_are_found() {
        // Composed for this test: rook ladder, smothered corner, back rank.
        for (fen, plies) in [
            ("7k/8/5K2/8/8/8/8/R7 w - - 0 1", 3),
            ("6k1/5ppp/8/8/8/8/5PPP/R5K1 w - - 0 1", 1),
            ("7k/8/8/8/8/8/R7/1R4K1 w - - 0 1", 3),
        ] {
            let line = best(fen, 60_000);
            assert_eq!(line.score, MATE - plies, "{fen}: {line:?}");
        }
    }

    #[test]
    fn the_same_nodes_give_the_same_move() {
        let fen = "r1bqkbnr/pppp1ppp/2n5/4p3/2B1P3/5N2/PPPP1PPP/RNBQK2R b KQkq - 3 3";
        let first = best(fen, 5_000);
        for _ in 0..3 {
            let again = best(fen, 5_000);
            assert_eq!((again.best_move, again.score), (first.best_move.clone(), first.score));
        }
        assert!(first.nodes <= 5_001, "{first:?}");
    }

    #[test]
    fn a_random_mover_never_wins() {
        use crate::position::{Ending, ending};
        let mut state: u64 = 99;
        for game in 0..6 {
            let mut history = vec![Position::start()];
            let engine_is_white = game % 2 == 0;
            while ending(&history).is_none() && history.len() < 160 {
                let position = history.last().unwrap();
                let uci = if position.white_to_move() == engine_is_white {
                    let limit = Limit { nodes: 1_500, depth: 64, time: None };
                    Searcher::new()
                        .search(position, &history[..history.len() - 1], limit, |_| {})
                        .unwrap()
                        .best_move
                } else {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let moves = position.legal_moves();
                    moves[(state >> 33) as usize % moves.len()].clone()
                };
                let next = position.apply(&uci).unwrap();
                history.push(next);
            }
            let won = if engine_is_white { Ending::WhiteWins } else { Ending::BlackWins };
            assert_eq!(ending(&history), Some(won), "game {game}, {} plies", history.len());
        }
    }
}
