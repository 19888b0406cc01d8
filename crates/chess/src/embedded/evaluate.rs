//! Static evaluation: material and piece-square tables, tapered from middlegame to endgame.

use cozy_chess::{Board, Color, Piece, Square};

/// Centipawns of a piece in the middlegame and the endgame.
const MATERIAL: [(i32, i32); 6] =
    [(85, 110), (330, 300), (345, 320), (480, 530), (1_000, 980), (0, 0)];

/// How much of the middlegame a piece stands for; 24 at the start.
const PHASE: [i32; 6] = [0, 1, 1, 2, 4, 0];

/// Evaluation in centipawns from the side to move.
pub(super) fn evaluate(board: &Board) -> i32 {
    let (mut middle, mut end, mut phase) = (0, 0, 0);
    for color in [Color::White, Color::Black] {
        let sign = if color == Color::White { 1 } else { -1 };
        for (idx, piece) in Piece::ALL.into_iter().enumerate() {
            for square in board.colored_pieces(color, piece) {
                let (mid_place, end_place) = placement(piece, square, color);
                middle += sign * (MATERIAL[idx].0 + mid_place);
                end += sign * (MATERIAL[idx].1 + end_place);
                phase += PHASE[idx];
            }
        }
        if board.colored_pieces(color, Piece::Bishop).len() >= 2 {
            middle += sign * 25;
            end += sign * 40;
        }
    }
    let phase = phase.min(24);
    let white = (middle * phase + end * (24 - phase)) / 24;
    let tempo = 10;
    tempo + if board.side_to_move() == Color::White { white } else { -white }
}

/// Value of a piece of `material` for ordering captures.
pub(super) fn worth(piece: Piece) -> i32 {
    if piece == Piece::King { 20_000 } else { MATERIAL[piece as usize].0 }
}

/// Middlegame and endgame bonus of a piece on a square. Formulas instead of tables: distance from
/// the center, advancement, and shelter for the king say most of what tables say.
fn placement(piece: Piece, square: Square, color: Color) -> (i32, i32) {
    let file = square.file() as i32;
    let rank = square.rank() as i32;
    let rank = if color == Color::White { rank } else { 7 - rank };
    // 0 on the four center squares, 6 in the corners.
    let off_center = (2 * file - 7).abs() / 2 + (2 * rank - 7).abs() / 2;
    match piece {
        Piece::Pawn => {
            let center = if (2..=5).contains(&file) { rank * 6 } else { rank * 2 };
            (center - 6, rank * rank * 3)
        }
        Piece::Knight => (24 - 9 * off_center, 12 - 6 * off_center),
        Piece::Bishop => (14 - 4 * off_center - if rank == 0 { 12 } else { 0 }, 6 - 2 * off_center),
        Piece::Rook => {
            let seventh = if rank == 6 { 18 } else { 0 };
            (seventh + if (3..=4).contains(&file) { 8 } else { 0 }, seventh)
        }
        Piece::Queen => (4 - 2 * off_center, 12 - 5 * off_center),
        Piece::King => {
            let castled = if rank == 0 && !(3..=5).contains(&file) { 28 } else { 0 };
            (castled - 18 * rank, 24 - 10 * off_center)
        }
    }
}
