//! Positions, moves and the ends of games, by the rules of chess; `cozy-chess` does the counting.
//!
//! Text is FEN and UCI as engines speak them. Two deviations of `cozy-chess` are mended here: it
//! writes castling as king takes rook, and it writes an en-passant square after every double step,
//! where Stockfish and python-chess write one only when a capture is legal.

use cozy_chess::{Board, Color, File, GameStatus, Move, Piece, Square};

/// FEN of the start of a game.
pub const START_FEN: &str = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1";

/// Why a text is no playable position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFen {
    /// The text, cut to 120 characters.
    pub fen: String,
    /// What is wrong with it.
    pub reason: String,
}

impl std::fmt::Display for BadFen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "failed to read FEN: {}: `{}`", self.reason, self.fen)
    }
}

impl std::error::Error for BadFen {}

/// A playable position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    board: Board,
}

impl Position {
    /// The start of a game.
    #[must_use]
    pub fn start() -> Self {
        Self { board: Board::startpos() }
    }

    /// Reads a FEN. Missing clocks are taken as `0 1`, as engines do; nothing else is tolerated.
    ///
    /// # Errors
    /// [`BadFen`] names the first thing that is wrong, for malformed and for unplayable text.
    pub fn parse(text: &str) -> Result<Self, BadFen> {
        let bad = |reason: String| BadFen { fen: text.chars().take(120).collect(), reason };
        let mut fields: Vec<&str> = text.split_whitespace().collect();
        if fields.is_empty() {
            return Err(bad("it is empty".into()));
        }
        if fields.len() == 4 {
            fields.extend(["0", "1"]);
        }
        if fields.len() != 6 {
            return Err(bad(format!("expected 6 fields, got {}", fields.len())));
        }
        check_placement(fields[0]).map_err(&bad)?;
        if !matches!(fields[1], "w" | "b") {
            return Err(bad(format!("side to move must be `w` or `b`, got `{}`", fields[1])));
        }
        let board = Board::from_fen(&fields.join(" "), false)
            .map_err(|error| bad(explain(&fields, &error.to_string())))?;
        Ok(Self { board })
    }

    /// FEN as Stockfish writes it: an en-passant square only when a capture is legal.
    #[must_use]
    pub fn fen(&self) -> String {
        let text = self.board.to_string();
        if self.en_passant_is_legal() {
            return text;
        }
        let mut fields: Vec<&str> = text.split(' ').collect();
        fields[3] = "-";
        fields.join(" ")
    }

    /// Placement, side, castling and legal en passant: what makes two positions the same for the
    /// repetition rule and for the ledger.
    #[must_use]
    pub fn key(&self) -> String {
        let fen = self.fen();
        let fields: Vec<&str> = fen.split(' ').take(4).collect();
        fields.join(" ")
    }

    /// Whether White is to move.
    #[must_use]
    pub fn white_to_move(&self) -> bool {
        self.board.side_to_move() == Color::White
    }

    /// Legal moves in UCI, sorted.
    #[must_use]
    pub fn legal_moves(&self) -> Vec<String> {
        let mut moves: Vec<String> = self.moves().iter().map(|&mv| self.uci(mv)).collect();
        moves.sort();
        moves
    }

    /// The position after a legal UCI move.
    ///
    /// # Errors
    /// Says whether the move is malformed or illegal.
    pub fn apply(&self, uci: &str) -> Result<Self, String> {
        let mv = self.find(uci)?;
        let mut board = self.board.clone();
        board.play(mv);
        Ok(Self { board })
    }

    /// Whether the side to move is in check.
    #[must_use]
    pub fn in_check(&self) -> bool {
        !self.board.checkers().is_empty()
    }

    /// How the game stands on the board alone, repetition aside.
    #[must_use]
    pub fn state(&self) -> BoardState {
        if self.board.status() == GameStatus::Won {
            // `Won` is said when the side to move is mated.
            return BoardState::Checkmate;
        }
        if self.moves().is_empty() {
            return BoardState::Stalemate;
        }
        if self.insufficient_material() {
            return BoardState::InsufficientMaterial;
        }
        if self.board.halfmove_clock() >= 100 {
            return BoardState::FiftyMoves;
        }
        BoardState::Open
    }

    /// The board underneath, for the engine and for notation.
    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// Legal moves as `cozy-chess` has them.
    pub(crate) fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::with_capacity(48);
        self.board.generate_moves(|set| {
            moves.extend(set);
            false
        });
        moves
    }

    /// A move in UCI, castling as the king's own step.
    pub(crate) fn uci(&self, mv: Move) -> String {
        let mut mv = mv;
        if self.is_castling(mv) {
            let file = if mv.to.file() > mv.from.file() { File::G } else { File::C };
            mv.to = Square::new(file, mv.from.rank());
        }
        let promotion = mv.promotion.map(|piece| piece.to_string()).unwrap_or_default();
        format!("{}{}{promotion}", mv.from, mv.to)
    }

    /// The legal move that a UCI text means.
    pub(crate) fn find(&self, uci: &str) -> Result<Move, String> {
        let plain = matches!(uci.len(), 4 | 5)
            && uci.is_ascii()
            && uci[..2].parse::<Square>().is_ok()
            && uci[2..4].parse::<Square>().is_ok();
        if !plain {
            let shown: String = uci.chars().take(20).collect();
            return Err(format!("`{shown}` is not a move in UCI form, e.g. e7e5 or a2a1q"));
        }
        self.moves()
            .into_iter()
            .find(|&mv| self.uci(mv) == uci)
            .ok_or_else(|| format!("`{uci}` is not legal here"))
    }

    pub(crate) fn is_castling(&self, mv: Move) -> bool {
        self.board.piece_on(mv.from) == Some(Piece::King)
            && self.board.color_on(mv.to) == Some(self.board.side_to_move())
    }

    fn en_passant_is_legal(&self) -> bool {
        let Some(file) = self.board.en_passant() else { return false };
        self.moves().iter().any(|mv| {
            self.board.piece_on(mv.from) == Some(Piece::Pawn)
                && mv.to.file() == file
                && mv.from.file() != file
                && self.board.piece_on(mv.to).is_none()
        })
    }

    /// Neither side can mate by any sequence: bare kings, one minor piece, or bishops of one color.
    fn insufficient_material(&self) -> bool {
        let board = &self.board;
        let heavy =
            board.pieces(Piece::Pawn) | board.pieces(Piece::Rook) | board.pieces(Piece::Queen);
        if !heavy.is_empty() {
            return false;
        }
        let (knights, bishops) = (board.pieces(Piece::Knight), board.pieces(Piece::Bishop));
        if knights.is_empty() {
            let dark =
                |square: Square| (square as usize / 8 + square as usize % 8).is_multiple_of(2);
            let n_dark = bishops.into_iter().filter(|&square| dark(square)).count() as u32;
            return n_dark == 0 || n_dark == bishops.len();
        }
        knights.len() + bishops.len() <= 1
    }
}

/// How a position stands on the board alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoardState {
    /// The game goes on.
    Open,
    /// The side to move is mated.
    Checkmate,
    /// The side to move has no move and is not in check.
    Stalemate,
    /// Nobody can mate.
    InsufficientMaterial,
    /// Fifty moves of each side without a pawn move or capture.
    FiftyMoves,
}

/// How a game ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// White won.
    WhiteWins,
    /// Black won.
    BlackWins,
    /// Nobody won.
    Draw(&'static str),
}

/// How a game ended, from its positions in order (threefold repetition needs the history); `None`
/// while it goes on. Draws that a player would have to claim count, as engines play on for nobody.
#[must_use]
pub fn ending(history: &[Position]) -> Option<Ending> {
    let last = history.last()?;
    match last.state() {
        BoardState::Checkmate if last.white_to_move() => return Some(Ending::BlackWins),
        BoardState::Checkmate => return Some(Ending::WhiteWins),
        BoardState::Stalemate => return Some(Ending::Draw("stalemate")),
        BoardState::InsufficientMaterial => return Some(Ending::Draw("insufficient material")),
        BoardState::FiftyMoves => return Some(Ending::Draw("fifty-move rule")),
        BoardState::Open => {}
    }
    let key = last.key();
    let n_same = history.iter().filter(|position| position.key() == key).count();
    (n_same >= 3).then_some(Ending::Draw("threefold repetition"))
}

/// Whether two FENs are the same position for the rules: placement, side, castling, legal en
/// passant. Unplayable texts are compared field by field.
#[must_use]
pub fn same_position(left: &str, right: &str) -> bool {
    match (Position::parse(left), Position::parse(right)) {
        (Ok(left), Ok(right)) => left.key() == right.key(),
        (Err(_), Err(_)) => left.split_whitespace().take(4).eq(right.split_whitespace().take(4)),
        _ => false,
    }
}

/// Legal moves of a FEN in UCI, sorted.
///
/// # Errors
/// When the FEN is not playable.
pub fn legal_moves(fen: &str) -> Result<Vec<String>, BadFen> {
    Ok(Position::parse(fen)?.legal_moves())
}

/// The FEN after a UCI move.
///
/// # Errors
/// When the FEN is not playable or the move not legal.
pub fn apply(fen: &str, uci: &str) -> Result<String, String> {
    let position = Position::parse(fen).map_err(|error| error.to_string())?;
    Ok(position.apply(uci)?.fen())
}

/// Checks the first field in words; `cozy-chess` only says that it is invalid.
fn check_placement(placement: &str) -> Result<(), String> {
    let ranks: Vec<&str> = placement.split('/').collect();
    if ranks.len() != 8 {
        return Err(format!("expected 8 ranks, got {}", ranks.len()));
    }
    for (idx, rank) in ranks.iter().enumerate() {
        let mut n_files = 0;
        for character in rank.chars() {
            match character {
                '1'..='8' => n_files += character as usize - '0' as usize,
                'p' | 'n' | 'b' | 'r' | 'q' | 'k' | 'P' | 'N' | 'B' | 'R' | 'Q' | 'K' => {
                    n_files += 1
                }
                other => return Err(format!("`{other}` in rank {} is no piece", 8 - idx)),
            }
        }
        if n_files != 8 {
            return Err(format!("rank {} has {n_files} squares", 8 - idx));
        }
    }
    for (king, side) in [('K', "White"), ('k', "Black")] {
        let n = placement.matches(king).count();
        if n != 1 {
            return Err(format!("{side} has {n} kings"));
        }
    }
    if [ranks[0], ranks[7]].iter().any(|rank| rank.contains(['p', 'P'])) {
        return Err("a pawn stands on the first or last rank".into());
    }
    Ok(())
}

/// Words for what is left to be wrong once the placement is well-formed.
fn explain(fields: &[&str], error: &str) -> String {
    match error {
        "The board is invalid." => {
            "the side not to move is in check, or a side has too many pieces".into()
        }
        "The castling rights are invalid." => {
            format!("castling rights `{}` do not fit the placement", fields[2])
        }
        "The en passant square is invalid." => {
            format!("en-passant square `{}` does not fit", fields[3])
        }
        other => {
            let mut text = other.trim_end_matches('.').to_owned();
            if let Some(first) = text.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(fen: &str) -> String {
        Position::parse(fen).unwrap_err().reason
    }

    #[test]
    fn castling_is_written_as_the_kings_step() {
        let fen = "r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1";
        let moves = legal_moves(fen).unwrap();
        assert!(moves.contains(&"e1g1".to_owned()) && moves.contains(&"e1c1".to_owned()));
        assert!(!moves.contains(&"e1h1".to_owned()));
        assert_eq!(apply(fen, "e1c1").unwrap(), "r3k2r/8/8/8/8/8/8/2KR3R b kq - 1 1");
    }

    #[test]
    fn an_en_passant_square_is_written_only_where_a_capture_is_legal() {
        let open = apply(START_FEN, "e2e4").unwrap();
        assert_eq!(open, "rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1");
        assert!(same_position(&open, &open.replace("- 0 1", "e3 0 1")));
        let near = apply("4k3/8/8/8/3p4/8/4P3/4K3 w - - 0 1", "e2e4").unwrap();
        assert_eq!(near.split(' ').nth(3), Some("e3"));
        // The capturing pawn is pinned along the rank: the capture would bare its own king.
        let pinned = apply("8/8/8/8/k2p3R/8/4P3/4K3 w - - 0 1", "e2e4").unwrap();
        assert_eq!(pinned.split(' ').nth(3), Some("-"));
    }

    #[test]
    fn every_kind_of_bad_fen_is_named() {
        for (fen, part) in [
            ("", "empty"),
            ("hello", "6 fields"),
            ("8/8/8/8/8/8/8/8 w - - 0 1", "White has 0 kings"),
            ("kk6/8/8/8/8/8/8/K7 w - - 0 1", "Black has 2 kings"),
            ("k7/8/8/8/8/8/8/K6P w - - 0 1", "pawn stands"),
            ("k7/8/8/8/8/8/8/K6X w - - 0 1", "`X`"),
            ("k7/8/8/8/8/8/8/K5 w - - 0 1", "rank 1 has 6 squares"),
            ("k7/8/8/8/8/8/8/K7 x - - 0 1", "side to move"),
            ("k7/8/8/8/8/8/8/R6K w - - 0 1", "not to move is in check"),
            ("k7/8/8/8/8/8/8/K7 w KQ - 0 1", "castling"),
            ("k7/8/8/8/8/8/8/K7 w - e3 0 1", "en-passant"),
            ("k7/8/8/8/8/8/8/K7 w - - x 1", "halfmove"),
        ] {
            assert!(reason(fen).contains(part), "`{fen}`: {}", reason(fen));
        }
    }

    #[test]
    fn endings_follow_the_rules() {
        let end = |fen: &str| ending(&[Position::parse(fen).unwrap()]);
        let fools = "rnb1kbnr/pppp1ppp/8/4p3/6Pq/5P2/PPPPP2P/RNBQKBNR w KQkq - 1 3";
        assert_eq!(end(fools), Some(Ending::BlackWins));
        assert_eq!(end("7k/5Q2/6K1/8/8/8/8/8 b - - 0 1"), Some(Ending::Draw("stalemate")));
        assert_eq!(
            end("k7/8/8/8/8/8/8/KB6 w - - 0 1"),
            Some(Ending::Draw("insufficient material"))
        );
        assert_eq!(end("k7/8/8/8/8/8/8/KN3n2 w - - 0 1"), None);
        assert_eq!(end("k7/8/8/8/8/8/7R/K7 w - - 100 90"), Some(Ending::Draw("fifty-move rule")));
        assert_eq!(end(START_FEN), None);
    }

    #[test]
    fn the_third_time_in_a_position_is_a_draw() {
        let mut history = vec![Position::start()];
        for uci in ["g1f3", "g8f6", "f3g1", "f6g8", "g1f3", "g8f6", "f3g1", "f6g8"] {
            assert_eq!(ending(&history), None);
            history.push(history.last().unwrap().apply(uci).unwrap());
        }
        assert_eq!(ending(&history), Some(Ending::Draw("threefold repetition")));
    }

    fn perft(position: &Position, depth: u32) -> u64 {
        let moves = position.legal_moves();
        if depth == 1 {
            return moves.len() as u64;
        }
        moves.iter().map(|uci| perft(&position.apply(uci).unwrap(), depth - 1)).sum()
    }

    #[test]
    fn perft_matches_the_published_counts() {
        // Counts: chessprogramming.org, "Perft Results" (positions 1 to 6).
        for (fen, depth, n) in [
            (START_FEN, 3, 8_902),
            ("r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1", 2, 2_039),
            ("8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - - 0 1", 4, 43_238),
            ("r3k2r/Pppp1ppp/1b3nbN/nP6/BBP1P3/q4N2/Pp1P2PP/R2Q1RK1 w kq - 0 1", 3, 9_467),
            ("rnbq1k1r/pp1Pbppp/2p5/8/2B5/8/PPP1NnPP/RNBQK2R w KQ - 1 8", 2, 1_486),
            ("r4rk1/1pp1qppp/p1np1n2/2b1p1B1/2B1P1b1/P1NP1N2/1PP1QPPP/R4RK1 w - - 0 10", 2, 2_079),
        ] {
            assert_eq!(perft(&Position::parse(fen).unwrap(), depth), n, "{fen}");
        }
    }
}
