//! Standard algebraic notation.

use cozy_chess::{Move, Piece};

use crate::position::{BoardState, Position};

/// A legal move in SAN, e.g. `Nbd7`, `exd8=Q+`, `O-O`.
///
/// # Errors
/// When the position cannot be played or the move is not legal in it.
pub fn san(fen: &str, uci: &str) -> Result<String, String> {
    let position = Position::parse(fen).map_err(|error| error.to_string())?;
    let mv = position.find(uci)?;
    let mut text = if position.is_castling(mv) {
        let to_king_side = mv.to.file() > mv.from.file();
        if to_king_side { "O-O" } else { "O-O-O" }.to_owned()
    } else {
        ordinary(&position, mv)
    };
    let after = position.apply(uci)?;
    if after.state() == BoardState::Checkmate {
        text.push('#');
    } else if after.in_check() {
        text.push('+');
    }
    Ok(text)
}

fn ordinary(position: &Position, mv: Move) -> String {
    let board = position.board();
    let piece = board.piece_on(mv.from);
    let is_pawn = piece == Some(Piece::Pawn);
    // A pawn that leaves its file captures, also en passant, where the square it goes to is empty.
    let captures = board.piece_on(mv.to).is_some() || (is_pawn && mv.from.file() != mv.to.file());
    let mut text = String::new();
    match piece {
        Some(Piece::Pawn) | None => {
            if captures {
                text.push_str(&mv.from.file().to_string());
            }
        }
        Some(piece) => {
            text.push_str(&piece.to_string().to_uppercase());
            text.push_str(&distinction(position, mv));
        }
    }
    if captures {
        text.push('x');
    }
    text.push_str(&mv.to.to_string());
    if let Some(promotion) = mv.promotion {
        text.push('=');
        text.push_str(&promotion.to_string().to_uppercase());
    }
    text
}

/// As much of the origin as tells the move from those of like pieces to the same square: file, else
/// rank, else both.
fn distinction(position: &Position, mv: Move) -> String {
    let board = position.board();
    let rivals: Vec<Move> = position
        .moves()
        .into_iter()
        .filter(|other| {
            other.to == mv.to
                && other.from != mv.from
                && board.piece_on(other.from) == board.piece_on(mv.from)
                && !position.is_castling(*other)
        })
        .collect();
    let (file, rank) = (mv.from.file(), mv.from.rank());
    if rivals.is_empty() {
        String::new()
    } else if rivals.iter().all(|rival| rival.from.file() != file) {
        file.to_string()
    } else if rivals.iter().all(|rival| rival.from.rank() != rank) {
        rank.to_string()
    } else {
        format!("{file}{rank}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_of_san() {
        for (fen, uci, expected) in [
            ("rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1", "g1f3", "Nf3"),
            ("r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1", "e1g1", "O-O"),
            ("r3k2r/8/8/8/8/8/8/R3K2R b KQkq - 0 1", "e8c8", "O-O-O"),
            // Two knights on different files; two rooks on one file; three queens.
            ("4k3/8/8/8/8/8/8/N1N1K3 w - - 0 1", "a1b3", "Nab3"),
            ("4k3/8/8/R7/8/8/8/R3K3 w - - 0 1", "a1a3", "R1a3"),
            ("8/k7/8/8/1Q5Q/8/8/K6Q w - - 0 1", "h4e1", "Qh4e1"),
            // A pinned piece is no rival.
            ("4k3/8/8/8/1b6/2N5/8/4K1N1 w - - 0 1", "g1e2", "Ne2"),
            ("4k3/3p4/8/4P3/8/8/8/4K3 b - - 0 1", "d7d5", "d5"),
            ("4k3/8/8/3pP3/8/8/8/4K3 w - d6 0 2", "e5d6", "exd6"),
            ("3rk3/4P3/8/8/8/8/8/4K3 w - - 0 1", "e7d8q", "exd8=Q+"),
            ("6k1/5ppp/8/8/8/8/8/R3K3 w - - 0 1", "a1a8", "Ra8#"),
        ] {
            assert_eq!(san(fen, uci).as_deref(), Ok(expected), "{fen} {uci}");
        }
    }

    #[test]
    fn an_illegal_move_has_no_san() {
        assert!(san("8/8/8/8/8/8/8/8 w - - 0 1", "e2e4").is_err());
        assert!(san("4k3/8/8/8/8/8/8/4K3 w - - 0 1", "e1e5").is_err());
    }
}
